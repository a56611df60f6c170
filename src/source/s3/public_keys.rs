//! CloudTrail's public keys: `ListPublicKeys`, one request for each region. A whole SDK for this one call
//! would add minutes to every build, and all that is needed to sign and send requests is here already.

use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_types::SdkConfig;

use super::connect;
use crate::source::{KeyRequest, Options};

const TARGET: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListPublicKeys";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// For one try, including its answer.
const PATIENCE: Duration = Duration::from_secs(20);
const TRIES: u32 = 3;
/// The wait before the second try; the wait before the third is four times that.
const PAUSE: Duration = Duration::from_millis(250);

/// The answers to all `requests`, as JSON.
pub(in crate::source) fn list(options: &Options, requests: &[KeyRequest]) -> Result<Vec<Vec<u8>>, String> {
    let runtime = super::runtime(options).map_err(|error| error.to_string())?;
    let answers = runtime.block_on(async {
        let mut answers = Vec::new();
        for request in requests {
            answers.push(one(options, request).await.map_err(|why| format!("{}: {why}", request.region))?);
        }
        Ok(answers)
    });
    runtime.shutdown_background();
    answers
}

async fn one(options: &Options, request: &KeyRequest) -> Result<Vec<u8>, String> {
    let tls = connect::ca_bundle("CloudTrail").map_err(|error| error.detail)?;
    let shared =
        connect::shared_config(&connect::http_client(tls.clone()), options, Some(&request.region)).await;
    let endpoint = match connect::endpoint_of(&shared, "CloudTrail") {
        Some(endpoint) => endpoint,
        None if connect::is_aws(options, &shared) => endpoint(&request.region),
        // Credentials for another S3 must not be sent to AWS.
        None => return Err("the objects come from an S3 that is not AWS's".to_owned()),
    };
    let body = format!(r#"{{"StartTime":{},"EndTime":{}}}"#, request.from.seconds(), request.to.seconds());
    let connector = connect::connector(Connector::builder(), tls.as_ref());
    let mut pause = PAUSE;
    for tries_left in (0..TRIES).rev() {
        let signed = signed(&shared, &request.region, &endpoint, &body).await?;
        let failed = match tokio::time::timeout(PATIENCE, ask(&connector, signed)).await {
            Ok(Ok((200, answer))) => return Ok(answer),
            Ok(Ok((status, answer))) => (status >= 500 || status == 429, told(status, &answer)),
            Ok(Err(why)) => (true, why),
            Err(_) => (true, format!("no answer from {endpoint}")),
        };
        if !failed.0 || tries_left == 0 {
            return Err(failed.1);
        }
        tokio::time::sleep(pause).await;
        pause *= 4;
    }
    Err("not tried".to_owned())
}

async fn ask(connector: &Connector, request: HttpRequest) -> Result<(u16, Vec<u8>), String> {
    let answer = connector.call(request).await.map_err(|error| chain(&error))?;
    let status = answer.status().as_u16();
    let body = ByteStream::new(answer.into_body()).collect().await.map_err(|error| chain(&error))?;
    Ok((status, body.to_vec()))
}

/// A request, signed if credentials are needed.
async fn signed(shared: &SdkConfig, region: &str, endpoint: &str, body: &str) -> Result<HttpRequest, String> {
    let text = |error: &dyn std::error::Error| chain(error);
    let provider =
        shared.credentials_provider().ok_or("no credentials are to be used (--no-sign-request)")?;
    let credentials = provider.provide_credentials().await.map_err(|error| text(&error))?;
    let time = shared.time_source().ok_or("no clock")?.now();
    let uri = format!("{}/", endpoint.trim_end_matches('/'));
    let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host).trim_end_matches('/');
    let headers = [("content-type", CONTENT_TYPE), ("host", host), ("x-amz-target", TARGET)];
    let identity = credentials.into();
    let params =
        v4::SigningParams::builder().identity(&identity).region(region).name("cloudtrail").time(time);
    let params = params.settings(SigningSettings::default()).build().map_err(|error| text(&error))?.into();
    let signable =
        SignableRequest::new("POST", &uri, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))
            .map_err(|error| text(&error))?;
    let (instructions, _) = sign(signable, &params).map_err(|error| text(&error))?.into_parts();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST").map_err(|error| text(&error))?;
    request.set_uri(uri).map_err(|error| text(&error))?;
    for (name, value) in headers {
        request.headers_mut().insert(name, value.to_owned());
    }
    for (name, value) in instructions.headers() {
        request.headers_mut().insert(name.to_owned(), value.to_owned());
    }
    Ok(request)
}

/// AWS's endpoint, by the partition of the region.
fn endpoint(region: &str) -> String {
    let suffix = match region {
        region if region.starts_with("cn-") => "amazonaws.com.cn",
        region if region.starts_with("eusc-") => "amazonaws.eu",
        region if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        region if region.starts_with("us-iso-") => "c2s.ic.gov",
        _ => "amazonaws.com",
    };
    format!("https://cloudtrail.{region}.{suffix}")
}

/// The message of an error answer.
fn told(status: u16, answer: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 500;
    let text = String::from_utf8_lossy(answer.get(..SHOWN_BYTES_MAX).unwrap_or(answer)).into_owned();
    format!("CloudTrail answered {status}: {}", text.trim())
}

/// An error and its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_have_their_own_hosts() {
        assert_eq!(endpoint("eu-central-1"), "https://cloudtrail.eu-central-1.amazonaws.com");
        assert_eq!(endpoint("us-gov-west-1"), "https://cloudtrail.us-gov-west-1.amazonaws.com");
        assert_eq!(endpoint("cn-north-1"), "https://cloudtrail.cn-north-1.amazonaws.com.cn");
    }
}
