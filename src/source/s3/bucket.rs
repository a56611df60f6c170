//! A bucket, or a part of it, as an [`ObjectStore`], with the same retries and timeouts as reading an
//! archive. Callers block; everything asynchronous stays in here.

mod read;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::address::Address;
use super::connect::Connection;
use super::list::{How, Lister, Stop};
use super::page::Version;
use super::session::{Defeat, Session};
use super::trouble::{Trouble, TroubleKind};
use super::{Shared, runtime};
use crate::model::Filter;
use crate::source::layout::Selection;
use crate::source::store::{Condition, Entry, Got, ObjectStore, Put, StoreError};
use crate::source::{FatalError, FatalKind, OpenError, Options};

/// The slowest upload that is waited for: a PUT is answered only when the whole object has arrived.
const UPLOAD_BYTES_PER_SECOND: u64 = 64 << 10;

/// The bucket, and what is needed to reach it.
pub(in crate::source) struct Bucket {
    origin: String,
    /// Prefix of all keys: empty, or ending in `/`.
    prefix: String,
    session: Arc<Session>,
    /// `Some` until dropped.
    runtime: Option<Runtime>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// The kind of access that a call needed, for naming the permission that is missing.
#[derive(Clone, Copy)]
enum Right {
    Get,
    Put,
    Delete,
    List,
}

impl Right {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "s3:GetObject",
            Self::Put => "s3:PutObject",
            Self::Delete => "s3:DeleteObject",
            Self::List => "s3:ListBucket",
        }
    }
}

impl Bucket {
    pub(in crate::source) fn open(
        spec: &str,
        address: Address,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let start = |reason: String| OpenError::Start { address: spec.to_owned(), reason };
        let runtime = runtime(options).map_err(|error| start(error.to_string()))?;
        let mut prefix = address.prefix.clone();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        let shared = Arc::new(Shared::new(spec, address, options));
        let connection = runtime
            .block_on(Connection::open(spec, &shared.address, options))
            .map_err(|error| start(error.detail))?;
        Ok(Self {
            origin: spec.to_owned(),
            prefix,
            session: Arc::new(Session::new(connection, shared)),
            runtime: Some(runtime),
        })
    }

    fn wait<T>(&self, right: Right, call: impl Future<Output = Result<T, Defeat>>) -> Result<T, StoreError> {
        let stopped = || StoreError {
            reason: "the part that speaks to S3 has ended".to_owned(),
            fatal: None,
            denied: false,
        };
        let runtime = self.runtime.as_ref().ok_or_else(stopped)?;
        runtime.block_on(call).map_err(|defeat| self.error(right, &defeat))
    }

    fn error(&self, right: Right, defeat: &Defeat) -> StoreError {
        let Trouble { kind, detail } = &defeat.trouble;
        let fatal = match kind {
            TroubleKind::Fatal(kind) => Some(*kind),
            TroubleKind::Expired => Some(FatalKind::ExpiredCredentials),
            TroubleKind::Passing(_) if defeat.nobody_answers => Some(FatalKind::Unreachable),
            TroubleKind::Passing(_) => Some(FatalKind::Unavailable),
            _ => None,
        };
        let fatal =
            fatal.map(|kind| FatalError { kind, origin: self.origin.clone(), detail: detail.clone() });
        let denied = *kind == TroubleKind::Denied;
        let reason = match kind {
            TroubleKind::Denied => format!("access denied: {} is missing for it ({detail})", right.name()),
            TroubleKind::Gone => format!("it is not there any more ({detail})"),
            _ => defeat.reason(),
        };
        StoreError { reason, fatal, denied }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    async fn put_all(&self, key: &str, bytes: Vec<u8>, condition: Condition<'_>) -> Result<Put, Defeat> {
        let patience = self.session.shared.options.patience;
        let upload = Duration::from_secs(bytes.len() as u64 / UPLOAD_BYTES_PER_SECOND);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(patience.connect)
            .read_timeout(patience.response + upload)
            .build();
        let (body, mut request) = (SdkBody::from(bytes), self.session.tries());
        loop {
            let client = request.client();
            let body = body.try_clone().unwrap_or_else(SdkBody::empty);
            let mut call = client
                .put_object()
                .bucket(self.session.bucket())
                .key(key)
                .body(body.into())
                .set_request_payer(self.session.payer());
            call = match condition {
                Condition::Always => call,
                Condition::New => call.if_none_match("*"),
                Condition::Still(tag) => call.if_match(tag),
            };
            let error = match call
                .customize()
                .config_override(Builder::default().timeout_config(timeouts.clone()))
                .send()
                .await
            {
                Ok(_) => {
                    self.session.answered();
                    return Ok(Put::Done);
                }
                Err(error) => error,
            };
            if condition != Condition::Always
                && status(&error).is_some_and(|status| status == 412 || status == 404)
                && !no_bucket(&error)
            {
                self.session.answered();
                return Ok(Put::Refused);
            }
            request.recover(Trouble::of(&error)).await?;
        }
    }

    async fn copy_one(&self, from: &str, to: &str) -> Result<(), Defeat> {
        let mut request = self.session.tries();
        let bucket = self.session.bucket();
        // For an access point's ARN, S3 wants `object/` before the key.
        let source =
            format!("{bucket}/{}{}", if bucket.starts_with("arn:") { "object/" } else { "" }, escaped(from));
        loop {
            let client = request.client();
            let call = client
                .copy_object()
                .bucket(self.session.bucket())
                .key(to)
                .copy_source(&source)
                .set_request_payer(self.session.payer());
            match call.send().await {
                Ok(_) => {
                    self.session.answered();
                    return Ok(());
                }
                Err(error) => request.recover(Trouble::of(&error)).await?,
            }
        }
    }

    async fn delete_one(&self, key: &str) -> Result<(), Defeat> {
        let mut request = self.session.tries();
        loop {
            let client = request.client();
            let call = client
                .delete_object()
                .bucket(self.session.bucket())
                .key(key)
                .set_request_payer(self.session.payer());
            let trouble = match call.send().await {
                Ok(_) => {
                    self.session.answered();
                    return Ok(());
                }
                Err(error) => Trouble::of(&error),
            };
            if trouble.kind == TroubleKind::Gone {
                return Ok(());
            }
            request.recover(trouble).await?;
        }
    }

    async fn list_all(&self, prefix: &str) -> Result<Vec<Entry>, Defeat> {
        let (pages, _nobody) = mpsc::channel(1);
        let lister = Lister::new(Arc::clone(&self.session), Selection::new(&Filter::default()), pages);
        let (mut entries, mut after) = (Vec::new(), None);
        let entry = |(key, version): (String, Version)| {
            Some(Entry { key: key.strip_prefix(&self.prefix)?.to_owned(), modified: version.modified })
        };
        loop {
            let page =
                match lister.page(prefix, &How::Keys { after: after.take(), splits: false }, None).await {
                    Ok(page) => page,
                    Err(Stop::Defeat(defeat) | Stop::Torn(_, defeat)) => return Err(defeat),
                    // Does not occur: this call sends nothing.
                    Err(Stop::Unwanted) => return Ok(entries),
                };
            after = page.objects.last().map(|(key, _)| key.clone());
            entries.extend(page.objects.into_iter().filter_map(entry));
            if page.token.is_none() || after.is_none() {
                return Ok(entries);
            }
        }
    }
}

/// Characters that need no escape in a path (RFC 3986): letters, digits, `-._~`, and the separator.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A key, percent-encoded as part of a URL.
fn escaped(key: &str) -> String {
    utf8_percent_encode(key, PATH).to_string()
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|raw| raw.status().as_u16())
}

fn no_bucket<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchBucket")
}

impl ObjectStore for Bucket {
    fn get(&self, key: &str, part: Option<Range<u64>>) -> Result<Option<Got>, StoreError> {
        self.wait(Right::Get, self.get_all(&self.key(key), part))
    }

    fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition<'_>) -> Result<Put, StoreError> {
        self.wait(Right::Put, self.put_all(&self.key(key), bytes, condition))
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.wait(Right::Put, self.copy_one(&self.key(from), &self.key(to)))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.wait(Right::Delete, self.delete_one(&self.key(key)))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        self.wait(Right::List, self.list_all(&self.key(prefix)))
    }

    fn address(&self, key: &str) -> String {
        format!("s3://{}/{}", self.session.bucket(), self.key(key))
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
