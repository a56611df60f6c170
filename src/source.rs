//! Where objects come from. A [`Feed`] hands stored bytes to many workers at once; nothing here knows what is in them.

use crate::model::LogText;

/// A source of objects, shared by all workers.
pub trait Feed: Sync {
    /// The next object, its stored bytes in `buffer` (which is cleared first and reused by the caller); `None` when there
    /// are no more. Blocks while the next object is on its way. Safe to call from many threads.
    fn next(&self, buffer: &mut Vec<u8>) -> Option<Delivery>;

    /// What listing has found so far: grows while listing goes on.
    fn listed(&self) -> Listed;

    /// Asks the feed to hand out nothing more (Ctrl-C). What was handed out already stays valid.
    fn stop(&self);
}

/// One object, or the reason why it could not be had.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Name for evidence: the full key (S3), the path relative to the folder, the path as given (file), `-` (stdin).
    pub object: LogText,
    /// Bytes as stored.
    pub size: u64,
    pub outcome: Fetched,
}

#[derive(Debug, Clone)]
pub enum Fetched {
    /// The bytes are in the buffer.
    Whole,
    /// By its key an object of another kind (log digest file, Insight …): not fetched, counts as skipped.
    OtherKind,
    /// Gone through all retries; the object counts as failed. The part that arrived, if any, is in the buffer.
    Failed(String),
}

/// A listing's state, for progress and for coverage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    pub objects: u64,
    pub bytes: u64,
    /// No more will come.
    pub complete: bool,
}
