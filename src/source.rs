//! Where objects come from. A [`Feed`] hands stored bytes to many workers at once; nothing here knows what is in them.
//!
//! [`open`] turns what the user typed into a feed: `s3://bucket/prefix`, a folder, a file, or `-` for standard input. What is
//! skipped, what is pruned, and how objects are named is decided in [`layout`] and nowhere else, so that a bucket and a
//! folder that mirrors it give the same objects under the same names.

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
pub mod store;
mod walk;

pub use fatal::{FatalError, FatalKind};
pub use inventory::{Inventory, Is, Item, inventory, open_items};
pub use options::{Credentials, MEMORY_BYTES_DEFAULT, OpenError, Options, Patience, open, public_keys};
pub use plan::{GET_USD_PER_1000, LIST_USD_PER_1000, PRICES_AS_OF, Plan, PlanError, plan};
pub use rest::Rest;

#[cfg(feature = "s3")]
#[doc(hidden)]
pub use s3::is_whole_listing;

use std::collections::BTreeSet;

use crate::model::{Coverage, LogText, Timestamp};

/// A source of objects, shared by all workers.
pub trait Feed: Sync {
    /// The next object, its stored bytes in `buffer` (which is cleared first and reused by the caller); `None` when there
    /// are no more. Blocks while the next object is on its way. Safe to call from many threads.
    fn next(&self, buffer: &mut Vec<u8>) -> Option<Delivery>;

    /// What listing has found so far: grows while listing goes on.
    fn listed(&self) -> Listed;

    /// Asks the feed to hand out nothing more (Ctrl-C). What was handed out already stays valid.
    fn stop(&self);

    /// What ended this feed before its time: access, credentials, a bucket that is not there. To be looked at once `next`
    /// has returned `None`; what was handed out before is then not the whole of the evidence, and the run could not run.
    fn fatal(&self) -> Option<FatalError> {
        None
    }

    /// What the filters left out by key. Tells "there is nothing here" from "the filters took everything".
    fn pruned(&self) -> Pruned {
        Pruned::default()
    }

    /// When the object of that name was last changed, where the place keeps it. Asked for few objects, and after they were handed out.
    fn modified(&self, _object: &str) -> Option<Timestamp> {
        None
    }

    /// What a member of an archive is by its path in it. A feed that prunes by name prunes members as it does objects, and counts them.
    fn member(&self, name: &str) -> MemberIs {
        if layout::is_member(name) { MemberIs::Asked } else { MemberIs::LeftOut }
    }

    /// The records of a source that has no objects to hand out.
    fn shelf(&self) -> Option<&dyn Shelf> {
        None
    }
}

/// What ended `feed` for good: a bucket that is not there, a right that is missing. `None` if all is well, and where the service
/// went away or credentials ran out on the way, which leaves what was read before.
pub fn could_not_run(feed: &dyn Feed) -> Option<FatalError> {
    feed.fatal().filter(|error| !error.kind.comes_up_on_the_way() || feed.listed().objects == 0)
}

/// What is known of a member of an archive before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberIs {
    Asked,
    /// A log digest file, Insight events …
    OtherKind,
    /// The filters leave it out, or it is no evidence.
    LeftOut,
}

/// One object, or the reason why it could not be had.
#[derive(Debug)]
pub struct Delivery {
    /// Name for evidence: the full key (S3), the path relative to the folder, the path as given (file), `-` (stdin). With
    /// several sources, the source stands before it: `s3://bucket/key`, `folder/path`.
    pub object: LogText,
    /// Bytes that were read: the size as stored, unless the object failed or is of another kind (0, for it is not read).
    pub size: u64,
    pub outcome: Fetched,
    /// Where the object comes from and which version it is; only where [`Options::known`] asks.
    pub origin: Option<Origin>,
    /// How it is signed, where the place keeps that beside its bytes (S3): CloudTrail signs its log digest files.
    pub signed: Option<Box<Signed>>,
    /// What follows the bytes in the buffer; only where [`Options::part_bytes`] asks. `size` does not count it.
    pub rest: Option<Rest>,
}

/// What stands in the metadata of a log digest file. A copy on disk has lost it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `x-amz-meta-signature`: hex digits.
    pub signature: String,
    /// `x-amz-meta-backfill-generation-timestamp`: when it was signed, where that is long after the time it tells of.
    pub generated: Option<String>,
}

/// The public keys that CloudTrail signed with in one region between two times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRequest {
    pub region: String,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// One version of one object, across runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `s3://bucket/key`, or the absolute path: the same from run to run, however the source was named. A path that is no Unicode
    /// stands in `%XX` behind `bytes:`.
    pub address: String,
    /// Changes when the object does: ETag and size (S3); size, both times of change, and the number of the file (files).
    pub stamp: String,
}

/// Versions of objects that need not be read again.
pub trait Known: Send + Sync + std::fmt::Debug {
    fn knows(&self, origin: &Origin) -> bool;
}

/// A source that keeps records one by one, not in objects: a lake. Its feed hands out no objects.
pub trait Shelf: Sync + std::any::Any {
    /// Reads the next portion and hands its records to `give`, those of `sources` alone (`None`: all), and native events.
    /// False when there is no more. Safe to call from many threads.
    fn read_next(&self, sources: Option<&[&str]>, give: &mut dyn FnMut(Shelved<'_>)) -> bool;

    /// Hands out what was kept and is no record, each document once, whoever asks: its object, which document of that, its text, and
    /// when the object was last changed.
    fn documents(&self, _give: &mut dyn FnMut(&str, u64, &str, Option<Timestamp>)) {}

    /// What was read to fill the shelf, and what could not be. To be asked once nothing more is read.
    fn coverage(&self) -> Coverage;

    /// Whether an event with `readOnly: true`, of any service, was read to fill the shelf.
    fn has_seen_read_only(&self) -> bool {
        false
    }
}

/// A record from a shelf, as it stood in its object.
#[derive(Debug, Clone, Copy)]
pub struct Shelved<'r> {
    pub object: &'r str,
    pub index: u64,
    pub json: &'r str,
    pub native: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The bytes are in the buffer.
    Whole,
    /// By its key an object of another kind (log digest file, Insight …): not fetched, counts as skipped. Never where
    /// [`Options::other_kinds`] asks for them.
    OtherKind,
    /// Read by an earlier run, and unchanged since: not fetched.
    Known,
    /// Gone through all retries; the object counts as failed. The part that arrived, if any, is in the buffer.
    Failed(String),
}

/// A listing's state, for progress and for coverage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    /// Objects to be handed out, those of another kind and those that will fail included.
    pub objects: u64,
    /// Their size as stored, as far as it is known: S3 lists sizes, a folder's files are known when they have been read.
    pub bytes: u64,
    /// `bytes` tells what is still to be read, not only what has been.
    pub sized: bool,
    /// No more will come.
    pub complete: bool,
    /// Requests that were made again because the first try failed.
    pub retries: u64,
}

/// What was left out by key, by the filters most of all, before anything was read.
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
    /// Left out whatever the filters say: dot files and `*.md` (see [`layout::is_evidence`]), pipes, sockets, devices. A
    /// folder counts as one.
    pub no_evidence: u64,
}
