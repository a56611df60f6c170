//! What an error of the SDK means for us. Decided by types, codes and statuses, never by wording.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::patience::Slow;
use crate::source::FatalKind;
use crate::source::retry::Cause;

/// A request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub kind: TroubleKind,
    /// What the service or the operating system said, on one line of limited length.
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TroubleKind {
    /// A retry may help.
    Passing(Cause),
    /// The bucket is in another region, if the answer named it.
    Elsewhere(Option<String>),
    /// The session or token has expired; the credential chain may give a new one.
    Expired,
    /// 403 for this request.
    Denied,
    /// The KMS key refuses.
    KmsDenied,
    /// The key does not exist (any more).
    Gone,
    /// In Glacier or Deep Archive, and not restored.
    Frozen,
    /// A retry does not help, and all requests are affected.
    Fatal(FatalKind),
    /// A retry does not help, but only this request is affected.
    Refused,
}

impl Trouble {
    pub(super) fn passing(cause: Cause, detail: impl Into<String>) -> Self {
        Self { kind: TroubleKind::Passing(cause), detail: detail.into() }
    }

    /// From the SDK's error, with or without an answer.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(context) => Self::of_answer(context.err(), context.raw()),
            SdkError::ResponseError(_) => Self::of_broken_answer(error),
            SdkError::TimeoutError(_) => Self::passing(Cause::Timeout, chain(error)),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                Self::passing(Cause::Timeout, chain(error))
            }
            _ => Self::before_the_answer(error),
        }
    }

    /// The service answered with an error.
    fn of_answer<E: ProvideErrorMetadata>(error: &E, raw: &HttpResponse) -> Self {
        let status = raw.status().as_u16();
        let code = error.code().unwrap_or_default();
        let kind = match of_code(code) {
            Some(TroubleKind::Elsewhere(_)) => {
                TroubleKind::Elsewhere(bucket_region(raw).or_else(|| region_in_words(raw)))
            }
            Some(kind) => kind,
            None => of_status(status, raw),
        };
        let message = error.message().unwrap_or(if code.is_empty() {
            "without an error of S3's: a proxy, a login page?"
        } else {
            ""
        });
        let date = raw.headers().get("date").filter(|_| kind == TroubleKind::Fatal(FatalKind::ClockSkewed));
        let date = date.map_or_else(String::new, |date| format!(" (there it is {date})"));
        Self { kind, detail: one_line(&format!("HTTP {status} {code} {message}{date}")) }
    }

    /// No credentials, no connection, or a broken one.
    fn before_the_answer(error: &(dyn Error + 'static)) -> Self {
        let kind = causes(error).find_map(of_cause).unwrap_or(TroubleKind::Passing(Cause::Reset));
        Self { kind, detail: chain(error) }
    }

    /// The answer began but could not be read or understood.
    fn of_broken_answer(error: &(dyn Error + 'static)) -> Self {
        let broken = causes(error).any(|cause| cause.is::<io::Error>());
        let cause = slow(error).unwrap_or(if broken { Cause::Reset } else { Cause::Garbled });
        Self::passing(cause, chain(error))
    }

    /// A body that broke off.
    pub(super) fn of_body(error: &(dyn Error + 'static)) -> Self {
        if let Some(cause) = slow(error) {
            return Self::passing(cause, chain(error));
        }
        let broken = causes(error)
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|error| error.kind() != io::ErrorKind::UnexpectedEof);
        Self::passing(if broken { Cause::Reset } else { Cause::Short }, chain(error))
    }
}

fn of_code(code: &str) -> Option<TroubleKind> {
    Some(match code {
        "SlowDown"
        | "ServiceUnavailable"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "BandwidthLimitExceeded" => TroubleKind::Passing(Cause::Throttled),
        "InternalError" | "InternalFailure" | "OperationAborted" | "ConditionalRequestConflict" => {
            TroubleKind::Passing(Cause::ServerError)
        }
        "RequestTimeout" | "RequestTimeoutException" => TroubleKind::Passing(Cause::Timeout),
        "PreconditionFailed" | "InvalidRange" => TroubleKind::Passing(Cause::Changed),
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "Redirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => TroubleKind::Elsewhere(None),
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired" => {
            TroubleKind::Expired
        }
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "UnrecognizedClientException"
        | "NotSignedUp" => TroubleKind::Fatal(FatalKind::BadCredentials),
        "RequestTimeTooSkewed" => TroubleKind::Fatal(FatalKind::ClockSkewed),
        "NoSuchBucket" | "InvalidBucketName" | "NoSuchAccessPoint" => {
            TroubleKind::Fatal(FatalKind::NoSuchBucket)
        }
        "NoSuchKey" | "NoSuchVersion" => TroubleKind::Gone,
        "InvalidObjectState" => TroubleKind::Frozen,
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" => TroubleKind::Denied,
        _ if code.starts_with("KMS.") => TroubleKind::KmsDenied,
        _ => return None,
    })
}

/// An answer without a known code: from a proxy, from a server like S3, or one of S3's rarer errors.
fn of_status(status: u16, raw: &HttpResponse) -> TroubleKind {
    match status {
        // A success that cannot be understood.
        200..=299 => TroubleKind::Passing(Cause::Garbled),
        301 | 302 | 307 | 308 => TroubleKind::Elsewhere(bucket_region(raw)),
        400 if bucket_region(raw).is_some() => TroubleKind::Elsewhere(bucket_region(raw)),
        403 => TroubleKind::Denied,
        404 => TroubleKind::Gone,
        408 => TroubleKind::Passing(Cause::Timeout),
        412 => TroubleKind::Passing(Cause::Changed),
        416 => TroubleKind::Passing(Cause::Changed),
        429 | 503 => TroubleKind::Passing(Cause::Throttled),
        501 => TroubleKind::Refused,
        500..=599 => TroubleKind::Passing(Cause::ServerError),
        _ => TroubleKind::Refused,
    }
}

/// The meaning of one error in the chain of causes.
fn of_cause(cause: &(dyn Error + 'static)) -> Option<TroubleKind> {
    if let Some(error) = cause.downcast_ref::<CredentialsError>() {
        return Some(match error {
            CredentialsError::ProviderTimedOut(_) => TroubleKind::Passing(Cause::Timeout),
            _ => TroubleKind::Fatal(FatalKind::NoCredentials),
        });
    }
    let error = cause.downcast_ref::<io::Error>()?;
    Some(TroubleKind::Passing(match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Cause::Reset,
        io::ErrorKind::TimedOut => Cause::Timeout,
        _ => Cause::Connect,
    }))
}

/// The bucket's real region: S3 names it in a header of nearly every answer about the bucket.
pub(super) fn bucket_region(raw: &HttpResponse) -> Option<String> {
    raw.headers().get("x-amz-bucket-region").filter(|region| is_region(region)).map(str::to_owned)
}

/// The name becomes part of the host that credentials are sent to: it must not lead to another host.
fn is_region(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The same if only the error's body says so: as with `AuthorizationHeaderMalformed`, and with servers like
/// S3 that have one region.
fn region_in_words(raw: &HttpResponse) -> Option<String> {
    let text = std::str::from_utf8(raw.body().bytes()?).ok()?;
    let region = text.split_once("<Region>")?.1.split_once("</Region>")?.0.trim();
    is_region(region).then(|| region.to_owned())
}

/// Whether one of our own timeouts ended it.
fn slow(error: &(dyn Error + 'static)) -> Option<Cause> {
    causes(error).any(|cause| cause.is::<Slow>()).then_some(Cause::Slow)
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let this = next?;
        next = this.source();
        Some(this)
    })
    .take(16)
}

/// The chain of causes on one line, without repetitions.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let words = cause.to_string();
        if !text.contains(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
    }
    one_line(&text)
}

/// Text from servers: without control characters, with single spaces, at most 300 characters.
pub(super) fn one_line(text: &str) -> String {
    let printable: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(2_000)
        .collect();
    let mut line = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(300) {
        line.truncate(end);
        line.push('…');
    }
    line
}
