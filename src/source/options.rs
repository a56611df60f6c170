//! How sources are opened.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::layout::Selection;
use super::{Feed, Known, local, retry, single};
use crate::model::Filter;

/// `--max-memory` if it is not given: 1 GiB.
pub const MEMORY_BYTES_DEFAULT: u64 = 1 << 30;

/// Options for all sources of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--endpoint-url`. `None`: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the profile's, or AWS.
    pub endpoint_url: Option<String>,
    /// The region to connect to. `None`: that of the SDK's chain, or else the bucket's own.
    pub region: Option<String>,
    /// `--profile`. `None`: `AWS_PROFILE`, or the default profile.
    pub profile: Option<String>,
    /// The value of `AWS_PROFILE`: shown if there are no credentials. The SDK reads it itself.
    pub profile_of_environment: Option<String>,
    pub no_sign_request: bool,
    /// `--request-payer requester`.
    pub request_payer: bool,
    /// Memory of the whole process. A feed has at most half of it in flight; one object may take all of it.
    pub memory_bytes_max: u64,
    /// Maximum number of bytes of an object that are returned at once; the others follow as
    /// [`super::Delivery::rest`]. `None`: objects are returned whole, and those larger than memory fail.
    pub part_bytes: Option<u64>,
    /// Number of worker threads that will call [`Feed::next`].
    pub jobs: NonZeroUsize,
    /// More than one source was given: object names are preceded by the source.
    pub many: bool,
    /// Log digest files and other objects without events are read as well.
    pub other_kinds: bool,
    /// Credentials set by the program itself, used before the SDK's chain.
    pub credentials: Option<Credentials>,
    /// Objects that need not be read again. If set, deliveries have an [`super::Origin`].
    pub known: Option<Arc<dyn Known>>,
    /// How often and how long a request is tried.
    pub retry: retry::Policy,
    pub patience: Patience,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            endpoint_url: None,
            region: None,
            profile: None,
            profile_of_environment: None,
            no_sign_request: false,
            request_payer: false,
            memory_bytes_max: MEMORY_BYTES_DEFAULT,
            part_bytes: None,
            jobs: NonZeroUsize::MIN,
            many: false,
            other_kinds: false,
            credentials: None,
            known: None,
            retry: retry::Policy::DEFAULT,
            patience: Patience::DEFAULT,
        }
    }
}

/// An access key. `Debug` shows only the id.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Timeouts of the network within one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For connecting, TLS included.
    pub connect: Duration,
    /// From the request to the first byte of the response.
    pub response: Duration,
    /// Between two pieces of a body.
    pub silence: Duration,
    /// A body must deliver at least `drip_bytes_min` in each period of this length: a server that sends one
    /// byte a second is as good as dead.
    pub drip: Duration,
    pub drip_bytes_min: u64,
}

impl Patience {
    pub const DEFAULT: Self = Self {
        connect: Duration::from_secs(5),
        response: Duration::from_secs(20),
        silence: Duration::from_secs(10),
        drip: Duration::from_secs(20),
        drip_bytes_min: 16 * 1024,
    };
}

/// Why a source could not be opened. Nothing has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// Neither a file nor a folder is there.
    NotFound { path: String },
    /// It exists but cannot be opened.
    Unreadable { path: String, reason: String },
    /// Not a valid `s3://` address.
    BadAddress { address: String, reason: &'static str },
    /// This build does not include S3.
    WithoutS3 { address: String },
    /// This machine could not start the threads that S3 needs.
    Start { address: String, reason: String },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { path } => write!(f, "{path}: no such file or folder"),
            Self::Unreadable { path, reason } => write!(f, "{path}: cannot be opened: {reason}"),
            Self::BadAddress { address, reason } => write!(f, "{address}: {reason}"),
            Self::WithoutS3 { address } => write!(
                f,
                "{address}: this build of tagfall reads no S3 (it was built without the feature `s3`)"
            ),
            Self::Start { address, reason } => write!(f, "{address}: {reason}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Opens `s3://bucket/prefix`, a folder, a file, or `-`. Errors that only the network can show (no such
/// bucket, no access) are reported by [`Feed::fatal`] after the feed has ended. An empty source opens and
/// lists no objects.
pub fn open(spec: &str, options: &Options, filter: &Filter) -> Result<Box<dyn Feed>, OpenError> {
    let selection = Selection::new(filter).with_other_kinds(options.other_kinds);
    if spec == "-" {
        return Ok(Box::new(single::Single::stdin(options, selection)));
    }
    if let Some(rest) = strip_s3(spec) {
        return open_s3(spec, rest, options, selection);
    }
    let path = Path::new(spec);
    let metadata = std::fs::metadata(path).map_err(|error| cannot_open(spec, &error))?;
    if metadata.is_dir() {
        return Ok(Box::new(local::Local::open(spec, options, selection)?));
    }
    // A named file that cannot be opened is an error, as with a folder. A pipe is not tried, as that would
    // consume its content.
    if metadata.is_file() {
        std::fs::File::open(path).map_err(|error| cannot_open(spec, &error))?;
    }
    Ok(Box::new(single::Single::file(spec, &metadata, options, selection)))
}

/// Asks CloudTrail for public keys; returns the answers as JSON, or why there are none.
#[cfg(feature = "s3")]
pub fn public_keys(options: &Options, requests: &[super::KeyRequest]) -> Result<Vec<Vec<u8>>, String> {
    super::s3::public_keys::list(options, requests)
}

/// Asks CloudTrail for public keys.
#[cfg(not(feature = "s3"))]
pub fn public_keys(_options: &Options, _requests: &[super::KeyRequest]) -> Result<Vec<Vec<u8>>, String> {
    Err("this tagfall was built without the feature `s3`".to_owned())
}

/// The rest after `s3://`, whose case does not matter.
pub(super) fn strip_s3(spec: &str) -> Option<&str> {
    let (scheme, rest) = spec.split_once("://")?;
    scheme.eq_ignore_ascii_case("s3").then_some(rest)
}

#[cfg(feature = "s3")]
fn open_s3(
    spec: &str,
    rest: &str,
    options: &Options,
    selection: Selection,
) -> Result<Box<dyn Feed>, OpenError> {
    let address = super::s3::Address::parse(rest)
        .map_err(|reason| OpenError::BadAddress { address: spec.to_owned(), reason })?;
    Ok(Box::new(super::s3::S3::open(spec, address, options, selection)?))
}

#[cfg(not(feature = "s3"))]
fn open_s3(
    spec: &str,
    _rest: &str,
    _options: &Options,
    _selection: Selection,
) -> Result<Box<dyn Feed>, OpenError> {
    Err(OpenError::WithoutS3 { address: spec.to_owned() })
}

pub(super) fn cannot_open(spec: &str, error: &std::io::Error) -> OpenError {
    match error.kind() {
        std::io::ErrorKind::NotFound => OpenError::NotFound { path: spec.to_owned() },
        _ => OpenError::Unreadable { path: spec.to_owned(), reason: error.to_string() },
    }
}
