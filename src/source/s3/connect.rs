//! The S3 client: configured as the AWS CLI would be, and replaced when the bucket turns out to be in
//! another region or the credentials have expired.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Credentials as SdkCredentials, Region, ResponseChecksumValidation, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_types::service_config::ServiceConfigKey;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Mutex;

use super::address::Address;
use super::patience::Watchful;
use crate::source::{Credentials, FatalError, FatalKind, Options};

/// The region that is asked first if no region is configured. S3 answers there for every bucket of the
/// partition, and names the bucket's real region.
const REGION_FIRST_ASKED: &str = "us-east-1";

/// How often a run may change the region or renew its credentials. More would be a loop.
const RECONNECTS_MAX: u64 = 16;

/// S3 closes idle connections after some twenty seconds; ours are closed before.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// The client of a feed.
pub(super) struct Connection {
    origin: String,
    address: Address,
    options: Options,
    http: SharedHttpClient,
    state: std::sync::RwLock<State>,
    /// Held while a new client is made, so that a hundred requests that fail together make only one.
    renewing: Mutex<()>,
}

#[derive(Clone)]
struct State {
    client: Arc<Client>,
    generation: u64,
    region: String,
}

impl Connection {
    pub(super) async fn open(origin: &str, address: &Address, options: &Options) -> Result<Self, FatalError> {
        let http = http_client(ca_bundle(origin)?);
        let (client, region) = client(&http, address, options, None).await;
        let state = State { client: Arc::new(client), generation: 0, region };
        Ok(Self {
            origin: origin.to_owned(),
            address: address.clone(),
            options: options.clone(),
            http,
            state: std::sync::RwLock::new(state),
            renewing: Mutex::new(()),
        })
    }

    /// The present client, and its generation.
    pub(super) fn client(&self) -> (Arc<Client>, u64) {
        let state = self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        (Arc::clone(&state.client), state.generation)
    }

    pub(super) fn region(&self) -> String {
        self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner).region.clone()
    }

    /// Replaces the client of this `generation`, unless that has been done: for `region`, or, without one,
    /// with new credentials.
    pub(super) async fn renew(&self, generation: u64, region: Option<&str>) -> Result<(), FatalError> {
        let _one_at_a_time = self.renewing.lock().await;
        let current = self.client().1;
        if current != generation {
            return Ok(());
        }
        if current >= RECONNECTS_MAX {
            let (kind, detail) = match region {
                Some(region) => {
                    (FatalKind::OtherRegion, format!("redirected from region to region, at last to {region}"))
                }
                None => (
                    FatalKind::ExpiredCredentials,
                    "renewed again and again, and expired each time".to_owned(),
                ),
            };
            return Err(FatalError { kind, origin: self.origin.clone(), detail });
        }
        let known = self.region();
        let (client, region) =
            client(&self.http, &self.address, &self.options, Some(region.unwrap_or(&known))).await;
        let state = State { client: Arc::new(client), generation: generation + 1, region };
        *self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner) = state;
        Ok(())
    }
}

/// The certificates in the file that `AWS_CA_BUNDLE` names, trusted instead of the system's.
pub(super) fn ca_bundle(origin: &str) -> Result<Option<TlsContext>, FatalError> {
    let Some(path) = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    read_bundle(Path::new(&path)).map(Some).map_err(|why| FatalError {
        kind: FatalKind::Local,
        origin: origin.to_owned(),
        detail: format!("AWS_CA_BUNDLE names {}: {why}", path.display()),
    })
}

/// Checked here, because the connector assumes that every certificate is valid.
fn read_bundle(path: &Path) -> Result<TlsContext, String> {
    let bundle = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bundle) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("no certificate in PEM form stands in it".to_owned());
    }
    TlsContext::builder()
        .with_trust_store(TrustStore::empty().with_pem_certificate(bundle))
        .build()
        .map_err(|error| error.to_string())
}

/// One connection pool for listing, fetching and credential providers.
pub(super) fn http_client(tls: Option<TlsContext>) -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().pool_idle_timeout(POOL_IDLE);
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(aws_sdk_s3::config::RuntimeComponents::sleep_impl));
        connector(builder, tls.as_ref())
    })
}

/// Uses the proxy in `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, if any.
pub(super) fn connector(builder: ConnectorBuilder, tls: Option<&TlsContext>) -> Connector {
    let builder =
        builder.proxy_config(ProxyConfig::from_env()).tls_provider(Provider::Rustls(CryptoMode::Ring));
    match tls {
        Some(tls) => builder.tls_context(tls.clone()).build(),
        None => builder.build(),
    }
}

/// A client, and the region that it signs for. `region` is what the service named.
async fn client(
    http: &SharedHttpClient,
    address: &Address,
    options: &Options,
    region: Option<&str>,
) -> (Client, String) {
    let region = region.or(address.region.as_deref()).or(options.region.as_deref());
    let shared = shared_config(http, options, region).await;
    let region = shared.region().map_or_else(|| REGION_FIRST_ASKED.to_owned(), ToString::to_string);
    let patience = options.patience;
    let timeouts =
        TimeoutConfig::builder().connect_timeout(patience.connect).read_timeout(patience.response).build();
    let mut builder = Builder::from(&shared)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        // Our own check also covers the bodies of errors and listings, and slow dripping.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .interceptor(Watchful(patience))
        // Decompression verifies content, and log digest files prove an archive complete.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .use_arn_region(true);
    // An access point has a host of its own, whatever the endpoint.
    if !address.bucket.starts_with("arn:")
        && custom_endpoint(options, &shared).is_some_and(|endpoint| needs_path_style(&endpoint))
    {
        builder = builder.force_path_style(true);
    }
    // Not in the shared configuration: SSO and STS, which may provide credentials, are not at that
    // endpoint.
    if let Some(endpoint) = &options.endpoint_url {
        builder = builder.endpoint_url(endpoint);
    }
    if options.no_sign_request {
        builder = builder.allow_no_auth();
    }
    (Client::from_conf(builder.build()), region)
}

pub(super) async fn shared_config(
    http: &SharedHttpClient,
    options: &Options,
    region: Option<&str>,
) -> SdkConfig {
    let region = match region {
        Some(region) => Some(Region::new(region.to_owned())),
        None => region_chain(options).region().await,
    };
    let mut loader =
        aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http.clone()).region(region.clone());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if options.no_sign_request {
        loader = loader.no_credentials();
    } else if let Some(given) = &options.credentials {
        let Credentials { access_key_id, secret_access_key, session_token } = given.clone();
        loader = loader.credentials_provider(SdkCredentials::new(
            access_key_id,
            secret_access_key,
            session_token,
            None,
            "tagfall",
        ));
    } else if let Some(profile) = &options.profile {
        // As with the AWS CLI, a profile that is named takes precedence over keys in the environment; in
        // the SDK's chain it does not.
        let config = ProviderConfig::without_region().with_http_client(http.clone()).with_region(region);
        loader = loader.credentials_provider(
            ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile).build(),
        );
    }
    loader.load().await
}

/// Environment, profile, then [`REGION_FIRST_ASKED`]. The instance metadata service is not asked, as the
/// AWS CLI does not ask it: a machine outside of AWS would wait for seconds, and S3's redirect gives the
/// region anyway.
fn region_chain(options: &Options) -> RegionProviderChain {
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &options.profile {
        profile = profile.profile_name(name);
    }
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build())
        .or_else(Region::new(REGION_FIRST_ASKED))
}

/// Whether objects come from AWS itself.
pub(super) fn is_aws(options: &Options, shared: &SdkConfig) -> bool {
    custom_endpoint(options, shared).is_none_or(|endpoint| !needs_path_style(&endpoint))
}

/// A custom endpoint, wherever it is configured. The SDK reads environment and profile.
fn custom_endpoint(options: &Options, shared: &SdkConfig) -> Option<String> {
    options.endpoint_url.clone().or_else(|| endpoint_of(shared, "S3"))
}

/// The same for any service.
pub(super) fn endpoint_of(shared: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok();
    let configured = key.and_then(|key| shared.service_config()?.load_config(key));
    configured.or_else(|| shared.endpoint_url().map(str::to_owned))
}

/// AWS's hosts support buckets as host names; few others do, and IP addresses cannot.
fn needs_path_style(endpoint: &str) -> bool {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let host = host.split(['/', '?']).next().unwrap_or(host);
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(host, _)| host);
    let host = host.to_ascii_lowercase();
    !(host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aws_serves_buckets_as_host_names() {
        for endpoint in [
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
            "https://minio.example.org/",
            "http://localhost",
            "https://amazonaws.com.example.org",
        ] {
            assert!(needs_path_style(endpoint), "{endpoint}");
        }
        for endpoint in [
            "https://s3.eu-central-1.amazonaws.com",
            "https://bucket.vpce-1a2b3c-4d5e6f.s3.us-east-1.vpce.amazonaws.com:443/",
            "https://s3.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(!needs_path_style(endpoint), "{endpoint}");
        }
    }

    /// The URL of a GET of `key`, which presigning determines without a network.
    async fn url(address: &str, options: &Options, region: Option<&str>) -> String {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let address = Address::parse(address).unwrap();
        let (client, _) = client(&http, &address, options, region).await;
        let soon = aws_sdk_s3::presigning::PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
        let request =
            client.get_object().bucket(&address.bucket).key("a/b c.json").presigned(soon).await.unwrap();
        request.uri().split('?').next().unwrap_or_default().to_owned()
    }

    fn given(region: &str, endpoint: Option<&str>) -> Options {
        let credentials = Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: None,
        };
        Options {
            region: Some(region.into()),
            endpoint_url: endpoint.map(Into::into),
            credentials: Some(credentials),
            ..Options::default()
        }
    }

    #[tokio::test]
    async fn partitions_access_points_and_endpoints_have_their_own_hosts() {
        let arn = "arn:aws:s3:eu-west-1:111122223333:accesspoint/logs";
        let minio = Some("http://127.0.0.1:9000");
        let vpc = Some("https://vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com");
        for (address, options, expected) in [
            ("trail", given("eu-west-1", None), "https://trail.s3.eu-west-1.amazonaws.com/a/b%20c.json"),
            (
                "dotted.trail",
                given("eu-west-1", None),
                "https://s3.eu-west-1.amazonaws.com/dotted.trail/a/b%20c.json",
            ),
            (
                "trail",
                given("us-gov-west-1", None),
                "https://trail.s3.us-gov-west-1.amazonaws.com/a/b%20c.json",
            ),
            ("trail", given("cn-north-1", None), "https://trail.s3.cn-north-1.amazonaws.com.cn/a/b%20c.json"),
            ("trail", given("eu-west-1", minio), "http://127.0.0.1:9000/trail/a/b%20c.json"),
            (
                "trail",
                given("eu-west-1", vpc),
                "https://trail.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com/a/b%20c.json",
            ),
            (
                arn,
                given("eu-west-1", None),
                "https://logs-111122223333.s3-accesspoint.eu-west-1.amazonaws.com/a/b%20c.json",
            ),
            (
                arn,
                given("us-east-1", None),
                "https://logs-111122223333.s3-accesspoint.eu-west-1.amazonaws.com/a/b%20c.json",
            ),
        ] {
            assert_eq!(url(address, &options, None).await, expected);
        }
        // What the service named takes precedence over what the user gave.
        assert_eq!(
            url("trail", &given("us-east-1", None), Some("sa-east-1")).await,
            "https://trail.s3.sa-east-1.amazonaws.com/a/b%20c.json"
        );
    }
}
