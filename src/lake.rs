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
//! - [`record`]: one record and what of it the columns can hold; the rest goes along as JSON;
//! - `rebuild`: the way back, from columns to the record;
//! - `shape`, `value_slots`, `row`, `buffer`: records on their way, cut up for the columns, in memory and
//!   spilled;
//! - `columns`, `dictionary`, `filters`, `levels`, `packer`, `pages`, `footer`, `write`: rows → files;
//!   `parquet`: files read back;
//! - `disk`, `layout`: the calls that a lake makes to its disk, or to its place in S3, and what lies where;
//!   `commit`: their order, so that a change is there as a whole or not at all;
//! - `manifest`, `objects`, `checksum`: what counts, what became of every object, and how damage to either is
//!   noticed; `guard`;
//! - [`location`]: a folder or a prefix of a bucket, and lakes staged inside of it;
//! - `merge`: new records and the files of one partition → files without second copies;
//! - [`ingest`]: the writer, and what repairs; [`check()`]: whether all is as it was written; [`read`]: the
//!   reader, and [`portion`], [`codes`]: columns as they lie in the files.
//!
//! Invariants: a file that the manifest does not name does not count. An object stands in the state only in a
//! commit that has all of its records. Nothing here prints, reads the environment or the clock.

mod buffer;
mod check;
mod checksum;
pub mod codes;
mod columns;
mod commit;
mod ddl;
mod dictionary;
mod disk;
mod error;
mod filters;
mod footer;
mod guard;
pub mod ingest;
mod layout;
mod leaf;
mod leaves;
mod levels;
pub mod location;
mod manifest;
mod merge;
mod objects;
mod packer;
mod pages;
mod parquet;
mod partition;
pub mod portion;
pub mod read;
mod rebuild;
pub mod record;
mod row;
mod rows;
mod shape;
#[cfg(test)]
mod tests;
mod value_slots;
mod write;

pub use check::{Report, check};
pub use ddl::{ddl, files};
pub use error::LakeError;
pub use ingest::{
    Days, Ingest, Limits, MEMORY_BYTES_DEFAULT, PlanName, Published, Summary, merge_days, publish_shards,
};
pub use location::Location;
pub use manifest::Damage;
pub use portion::Portion;
pub use read::{LakeFeed, Visit};
