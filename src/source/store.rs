//! Objects under one prefix of a bucket, for whoever keeps files there: the few calls that a lake makes, each of which waits for
//! its end. Keys are relative to the prefix.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::{FatalError, OpenError, Options};

/// A place for objects. Safe to be called from many threads.
pub trait ObjectStore: Send + Sync + fmt::Debug {
    /// An object, or the `part` of it between two bytes; `None` where there is none under this key.
    ///
    /// # Errors
    /// It may not be read, or the service fails whatever is tried.
    fn get(&self, key: &str, part: Option<Range<u64>>) -> Result<Option<Got>, StoreError>;

    /// Writes an object as a whole, where `condition` holds at that moment.
    ///
    /// # Errors
    /// It may not be written, or the service fails whatever is tried: then it may be written or not.
    fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition<'_>) -> Result<Put, StoreError>;

    /// Copies an object as a whole, without fetching it.
    ///
    /// # Errors
    /// It is not there, it may not be read or written, or the service fails whatever is tried.
    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError>;

    /// Removes an object; one that is not there is as good as removed.
    ///
    /// # Errors
    /// It may not be removed, or the service fails whatever is tried.
    fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// What begins with `prefix`, in the order of the keys.
    ///
    /// # Errors
    /// It may not be listed, or the service fails whatever is tried.
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError>;

    /// The whole address of a key: `s3://bucket/prefix/key`.
    fn address(&self, key: &str) -> String;
}

/// What a listing tells of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    /// When it was written, by the service's clock, in milliseconds since the epoch; `None` where the service does not tell.
    pub modified: Option<i64>,
}

/// What was read of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    pub bytes: Vec<u8>,
    /// Its ETag: changes when the object does.
    pub tag: String,
    /// How large the whole object is, in bytes.
    pub size: u64,
}

/// When an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'t> {
    Always,
    /// Nothing has this key (`If-None-Match: *`).
    New,
    /// The object is the one with this ETag (`If-Match`).
    Still(&'t str),
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Done,
    /// The condition does not hold. After tries that got no answer, it may be one of them that has changed the object.
    Refused,
}

/// A call that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    /// What went wrong, in one line. Chosen by others in part: escape before showing.
    pub reason: String,
    /// It concerns everything in this place, and not one object.
    pub fatal: Option<FatalError>,
    /// A right is missing.
    pub denied: bool,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for std::io::Error {
    fn from(error: StoreError) -> Self {
        Self::other(error)
    }
}

/// Whether what the user typed is an address in S3.
pub fn is_s3(spec: &str) -> bool {
    super::options::strip_s3(spec).is_some()
}

/// Opens `s3://bucket/prefix` as a place for objects. Nothing is asked of the service yet.
///
/// # Errors
/// It is no such address, or this machine or this build cannot reach any.
pub fn open_store(spec: &str, options: &Options) -> Result<Arc<dyn ObjectStore>, OpenError> {
    let reason = "a place for objects is named like this: s3://BUCKET/PREFIX";
    let rest = super::options::strip_s3(spec).ok_or_else(|| OpenError::BadAddress { address: spec.to_owned(), reason })?;
    open_s3(spec, rest, options)
}

#[cfg(feature = "s3")]
fn open_s3(spec: &str, rest: &str, options: &Options) -> Result<Arc<dyn ObjectStore>, OpenError> {
    let address = super::s3::Address::parse(rest).map_err(|reason| OpenError::BadAddress { address: spec.to_owned(), reason })?;
    Ok(Arc::new(super::s3::Bucket::open(spec, address, options)?))
}

#[cfg(not(feature = "s3"))]
fn open_s3(spec: &str, _rest: &str, _options: &Options) -> Result<Arc<dyn ObjectStore>, OpenError> {
    Err(OpenError::WithoutS3 { address: spec.to_owned() })
}
