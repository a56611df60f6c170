//! Sources of objects. A [`Feed`] hands out stored bytes to many workers at once; nothing here knows what
//! the bytes mean.
//!
//! [`open`] turns what the user typed into a feed: `s3://bucket/prefix`, a folder, a file, or `-` for
//! standard input. Only [`layout`] decides what is skipped, what is pruned and how objects are named, so
//! that a bucket and a folder that mirrors it give the same objects under the same names.

mod fatal;
mod folder;
mod interruptible;
mod inventory;
pub mod layout;
mod local;
mod options;
mod plan;
mod rest;
pub mod retry;
#[cfg(feature = "s3")]
mod s3;
mod single;
mod sorted;
pub mod store;
mod walk;

pub use fatal::{FatalError, FatalKind};
pub use inventory::{Inventory, Is, Item, Totals, inventory, open_items};
pub use options::{Credentials, MEMORY_BYTES_DEFAULT, OpenError, Options, Patience, open, public_keys};
pub use plan::{GET_USD_PER_1000, LIST_USD_PER_1000, PRICES_AS_OF, Plan, PlanError, plan};
pub use rest::Rest;
pub use sorted::Sorted;

#[cfg(feature = "s3")]
#[doc(hidden)]
pub use s3::is_whole_listing;

use std::collections::BTreeSet;

use crate::model::{Coverage, LogText, Timestamp};

/// A source of objects, shared by all workers.
pub trait Feed: Sync {
    /// Returns the next object, with its stored bytes in `buffer` (which is cleared first, and reused by
    /// the caller); `None` when there are no more. Blocks until the next object has arrived. Can be called
    /// from many threads.
    fn next(&self, buffer: &mut Vec<u8>) -> Option<Delivery>;

    /// What has been listed so far; grows while listing goes on.
    fn listed(&self) -> Listed;

    /// Asks the feed to hand out nothing more (Ctrl-C). What was handed out before stays valid.
    fn stop(&self);

    /// The error that ended this feed early: no access, no credentials, no such bucket. Meaningful once
    /// `next` has returned `None`; what was handed out before is then not all of the evidence.
    fn fatal(&self) -> Option<FatalError> {
        None
    }

    /// What the filters left out by key. Distinguishes "there is nothing here" from "the filters left out
    /// everything".
    fn pruned(&self) -> Pruned {
        Pruned::default()
    }

    /// When the object of that name was last changed, if the source knows. Called for few objects, after
    /// they were handed out.
    fn modified(&self, _object: &str) -> Option<Timestamp> {
        None
    }

    /// What kind of object an archive member is, by its path in the archive. A feed that prunes by name
    /// prunes members like objects, and counts them.
    fn member(&self, name: &str) -> MemberIs {
        if layout::is_member(name) { MemberIs::Asked } else { MemberIs::LeftOut }
    }

    /// The records, for a source that has records and no objects to hand out: a lake.
    fn record_source(&self) -> Option<&dyn RecordSource> {
        None
    }
}

/// The error that makes a run with `feed` impossible: no such bucket, a missing permission. `None` if all
/// is well, and also if the service failed or credentials expired on the way, because then what was read
/// before counts.
pub fn could_not_run(feed: &dyn Feed) -> Option<FatalError> {
    feed.fatal().filter(|error| !error.kind.comes_up_on_the_way() || feed.listed().objects == 0)
}

/// What is known of an archive member before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberIs {
    Asked,
    /// A log digest file, Insight events …
    OtherKind,
    /// The filters leave it out, or its name shows that it is not evidence.
    LeftOut,
}

/// One object, or the reason why it could not be read.
#[derive(Debug)]
pub struct Delivery {
    /// The object's name in evidence: the full key (S3), the path relative to the folder, the path as given
    /// (file), `-` (stdin). With several sources, preceded by the source: `s3://bucket/key`, `folder/path`.
    pub object: LogText,
    /// Number of bytes read: the stored size, or 0 if the object failed or is of another kind and so was
    /// not read.
    pub size: u64,
    pub outcome: Fetched,
    /// Where the object comes from, and which version it is; set only if [`Options::known`] is.
    pub origin: Option<Origin>,
    /// Its signature, if the source has metadata (S3): CloudTrail signs its log digest files.
    pub signed: Option<Box<Signed>>,
    /// What follows the bytes in the buffer; only if [`Options::part_bytes`] is set. Not counted in `size`.
    pub rest: Option<Rest>,
}

/// The metadata of a log digest file in S3. A copy on disk does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `x-amz-meta-signature`, in hex digits.
    pub signature: String,
    /// `x-amz-meta-backfill-generation-timestamp`: when the file was signed, if that was long after the
    /// time that it covers.
    pub generated: Option<String>,
}

/// Asks for the public keys that CloudTrail signed with in one region between two times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRequest {
    pub region: String,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// Identifies one version of one object, also in later runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `s3://bucket/key`, or the absolute path: the same in all runs, however the source was named. A path
    /// that is not Unicode is written as `bytes:` with `%XX` escapes.
    pub address: String,
    /// Changes when the object does: ETag and size (S3); size, both times of change, and the inode number
    /// (files).
    pub stamp: String,
}

/// Versions of objects that were read by an earlier run and need not be read again.
pub trait Known: Send + Sync + std::fmt::Debug {
    fn knows(&self, origin: &Origin) -> bool;
}

/// Receives a document that is not a record: the name of its object, its number in the object, its text, and
/// the time at which the object was last changed.
pub type GiveDocument<'g> = dyn FnMut(&str, u64, &str, Option<Timestamp>) + 'g;

/// A source that has single records and no objects: a lake. Its feed hands out no objects.
pub trait RecordSource: Sync {
    /// Reads the next portion and passes its records to `give`: those of `sources` (`None`: all), and
    /// EventBridge's own events. Returns false when there are no more. Can be called from many threads.
    fn read_next(&self, sources: Option<&[&str]>, give: &mut dyn FnMut(SourceRecord<'_>)) -> bool;

    /// Passes the stored documents that are not records to `give`, each of them once in total, even if
    /// several threads call this.
    fn documents(&self, _give: &mut GiveDocument<'_>) {}

    /// What was read to make the lake, and what could not be. Complete once nothing more is read.
    fn coverage(&self) -> Coverage;

    /// Whether the lake was made from logs with any event with `readOnly: true`.
    fn has_seen_read_only(&self) -> bool {
        false
    }
}

/// A record from a lake, as it was in its object.
#[derive(Debug, Clone, Copy)]
pub struct SourceRecord<'r> {
    pub object: &'r str,
    pub index: u64,
    pub json: &'r str,
    pub native: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The bytes are in the buffer.
    Whole,
    /// An object of another kind by its key (log digest file, Insight …): not fetched, and counted as
    /// skipped. Does not occur if [`Options::other_kinds`] is set.
    OtherKind,
    /// Read by an earlier run and unchanged since: not fetched.
    Known,
    /// Failed after all retries; counted as failed. The part that arrived, if any, is in the buffer.
    Failed(String),
}

/// The state of a listing, for progress and coverage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    /// Objects to be handed out, including those of other kinds and those that will fail.
    pub objects: u64,
    /// Their stored size, as far as it is known: S3 lists sizes, while a folder's files are counted when
    /// they have been read.
    pub bytes: u64,
    /// Whether `bytes` includes objects that have not been read yet.
    pub sized: bool,
    /// The listing is complete.
    pub complete: bool,
    /// Number of requests that were repeated because the first try failed.
    pub retries: u64,
}

/// What was left out by key before anything was read, mostly because of the filters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Folders (common prefixes) and single objects left out. A folder counts as one, whatever it holds.
    pub places: u64,
    /// Accounts seen in what was left out, at most [`layout::SEEN_MAX`].
    pub accounts: BTreeSet<String>,
    /// Regions seen in what was left out, at most [`layout::SEEN_MAX`].
    pub regions: BTreeSet<String>,
    /// First and last delivery day seen in what was left out, `2024-10-01`.
    pub days: Option<(String, String)>,
    /// Left out whatever the filters say: dot files and `*.md` (see [`layout::is_evidence`]), pipes,
    /// sockets, devices. A folder counts as one.
    pub no_evidence: u64,
}
