//! Objects under one prefix of a bucket, for reading and writing files there: the few calls that a lake
//! makes. All calls block. Keys are relative to the prefix.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::{FatalError, OpenError, Options};

/// A store of objects. Can be called from many threads.
pub trait ObjectStore: Send + Sync + fmt::Debug {
    /// Reads an object, or the `part` of it between two byte positions; `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// It may not be read, or the service keeps failing.
    fn get(&self, key: &str, part: Option<Range<u64>>) -> Result<Option<Got>, StoreError>;

    /// Writes an object as a whole, if `condition` holds at that moment.
    ///
    /// # Errors
    ///
    /// It may not be written, or the service keeps failing: then it may or may not have been written.
    fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition<'_>) -> Result<Put, StoreError>;

    /// Copies an object as a whole, without fetching it.
    ///
    /// # Errors
    ///
    /// It does not exist, it may not be read or written, or the service keeps failing.
    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError>;

    /// Deletes an object. It is not an error if there is none.
    ///
    /// # Errors
    ///
    /// It may not be deleted, or the service keeps failing.
    fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// The objects whose keys begin with `prefix`, sorted by key.
    ///
    /// # Errors
    ///
    /// They may not be listed, or the service keeps failing.
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError>;

    /// The full address of a key: `s3://bucket/prefix/key`.
    fn address(&self, key: &str) -> String;
}

/// An object as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    /// When it was written, by the service's clock, in milliseconds since the epoch; `None` if the service
    /// does not say.
    pub modified: Option<i64>,
}

/// The content of an object, or of a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    pub bytes: Vec<u8>,
    /// Its ETag, which changes when the object does.
    pub tag: String,
    /// The size of the whole object, in bytes.
    pub size: u64,
}

/// The condition under which an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'t> {
    Always,
    /// There is no object with this key (`If-None-Match: *`).
    New,
    /// The object still has this ETag (`If-Match`).
    Still(&'t str),
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Done,
    /// The condition does not hold. If earlier tries got no answer, one of them may have changed the
    /// object.
    Refused,
}

/// A call that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    /// What went wrong, on one line. Partly not this program's text: escape it before showing.
    pub reason: String,
    /// Set if the whole store is affected, and not just one object.
    pub fatal: Option<FatalError>,
    /// A permission is missing.
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

/// Whether what the user typed is an S3 address.
pub fn is_s3(spec: &str) -> bool {
    super::options::strip_s3(spec).is_some()
}

/// Opens `s3://bucket/prefix` as a store. Makes no request yet.
///
/// # Errors
///
/// The address is invalid, or this machine or build cannot use S3.
pub fn open_store(spec: &str, options: &Options) -> Result<Arc<dyn ObjectStore>, OpenError> {
    let reason = "a place for objects is named like this: s3://BUCKET/PREFIX";
    let rest = super::options::strip_s3(spec)
        .ok_or_else(|| OpenError::BadAddress { address: spec.to_owned(), reason })?;
    open_s3(spec, rest, options)
}

#[cfg(feature = "s3")]
fn open_s3(spec: &str, rest: &str, options: &Options) -> Result<Arc<dyn ObjectStore>, OpenError> {
    let address = super::s3::Address::parse(rest)
        .map_err(|reason| OpenError::BadAddress { address: spec.to_owned(), reason })?;
    Ok(Arc::new(super::s3::Bucket::open(spec, address, options)?))
}

#[cfg(not(feature = "s3"))]
fn open_s3(spec: &str, _rest: &str, _options: &Options) -> Result<Arc<dyn ObjectStore>, OpenError> {
    Err(OpenError::WithoutS3 { address: spec.to_owned() })
}
