//! The lake: CloudTrail events as hive-partitioned Parquet that other tools can read directly, and that
//! `tagfall` extends and reads back without loss.
//!
//! ```text
//! LAKE/account=111122223333/region=eu-central-1/date=2026-03-02/000001-00001.parquet    events, by the day they happened
//! LAKE/_tagfall/manifest.json            the files in effect and their checksums; replaced as a whole, written last
//! LAKE/_tagfall/manifest.copy.json       a copy of it; manifest.previous.json: the manifest before it
//! LAKE/_tagfall/objects/*.ndjson.gz      the result of reading each object
//! LAKE/_tagfall/native/…/*.rows          EventBridge's own events (also Parquet, but not CloudTrail events)
//! LAKE/_tagfall/lock, staging/, spill/   the writer's lock and its unfinished files; commit.json: the files that a commit is about to move
//! LAKE/_tagfall/shards/                  small lakes staged by the shards of a plan, until they are published
//! LAKE/_tagfall/readers, replaced/       the readers' lock, and replaced files that only running readers need
//! ```
//!
//! In S3 (`s3://bucket/prefix`) data files are in `_tagfall/parts/account=…/region=…/date=…/`, with a hash of
//! their content in their names. `_tagfall/hive/…/files.txt` lists the files in effect for tools that cannot
//! read the manifest, and `_tagfall/commits/*.json` are the journals of commits: what each one adds and
//! replaces.
//!
//! - [`record`]: which members of a record fit into columns (the rest is stored as JSON), rows of records in
//!   memory, and the way back from columns to the record;
//! - `file`: rows to Parquet and back; no other module handles pages and columns;
//! - `commit`: the manifest, the results of reading objects, and the order of operations that makes a change
//!   take effect completely or not at all;
//! - `disk`: the file operations, in a folder or under a prefix of a bucket; `layout`: the paths of files;
//! - `partition`: the partitions; `checksum`, `guard`: how damage is noticed, and how panics of the Parquet
//!   library become errors;
//! - [`ingest`]: the writer, including repairs; [`check()`]: compares everything with its checksums;
//!   [`read`]: the reader.
//!
//! Invariants: a file that the manifest does not name is not part of the lake. A commit that records an
//! object as read contains all of its records. Nothing here prints, reads the environment or the clock.

mod check;
mod checksum;
mod commit;
mod ddl;
mod disk;
mod error;
mod file;
mod guard;
pub mod ingest;
mod layout;
mod partition;
pub mod read;
pub mod record;
#[cfg(test)]
mod tests;
pub(crate) mod varint;

pub use check::{Report, check};
pub use commit::manifest::Damage;
pub use ddl::{Ddl, ddl, files};
pub use disk::Location;
pub use error::LakeError;
pub use file::codes;
pub use ingest::{
    Days, Ingest, Limits, MEMORY_BYTES_DEFAULT, MergedDays, PlanName, Published, Summary, merge_days,
    publish_shards,
};
pub use read::portion::{self, Portion};
pub use read::{LakeFeed, Visit};
