//! The lake: CloudTrail events as hive-partitioned Parquet that every tool reads as it is, and that `tagfall`
//! extends and reads back without loss.
//!
//! ```text
//! LAKE/account=111122223333/region=eu-central-1/date=2026-03-02/000001-00001.parquet    events, by the day they happened
//! LAKE/_tagfall/manifest.json            which files count, and their checksums; replaced as a whole, written last
//! LAKE/_tagfall/manifest.copy.json       the same again; manifest.previous.json: the one before it
//! LAKE/_tagfall/objects/*.ndjson.gz      what became of every object that was read
//! LAKE/_tagfall/native/…/*.rows          EventBridge's own events (Parquet too, and no CloudTrail events)
//! LAKE/_tagfall/lock, staging/, spill/   one writer at a time, and what it is working on; commit.json: what it is about to move
//! LAKE/_tagfall/shards/                  what shards of a plan have staged: small lakes, until they are published
//! LAKE/_tagfall/readers, replaced/       readers that are at work, and files that only they still need
//! ```
//!
//! In S3 (`s3://bucket/prefix`) files of rows lie in `_tagfall/parts/account=…/region=…/date=…/`, under names
//! that tell what is in them; `_tagfall/hive/…/files.txt` lists those that count for tools that know no
//! manifest, and `_tagfall/commits/*.json` is what each commit has brought and replaced.
//!
//! - [`record`]: what a record in a lake is: its cells and what no column can hold, rows of it in memory, and
//!   the way back;
//! - `file`: rows ↔ Parquet; no other module knows pages and columns;
//! - `commit`: what counts (the manifest, and what became of every object), and the order of calls by which a
//!   change is there as a whole or not at all;
//! - `disk`: the calls themselves; it alone knows a folder from a prefix in S3; `layout`: what lies where;
//! - `partition`; `checksum`, `guard`: how damage is noticed;
//! - [`ingest`]: the writer, and what repairs; [`check()`]: whether all is as it was written; [`read`]: the
//!   reader.
//!
//! Invariants: a file that the manifest does not name does not count. An object stands in the state only in a
//! commit that has all of its records. Nothing here prints, reads the environment or the clock.

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
