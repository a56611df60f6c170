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
//! - [`record`]: which members of a record fit into columns; the rest is stored as JSON;
//! - `rebuild`: the way back, from columns to the record;
//! - `shape`, `value_slots`, `row`, `buffer`: records cut up for the columns, in memory and in spill files;
//! - `columns`, `dictionary`, `filters`, `levels`, `packer`, `pages`, `footer`, `write`: rows → files;
//!   `parquet`: reads files back;
//! - `disk`, `layout`: the file operations of a lake, on a local disk or in S3, and its paths; `commit`: the
//!   order of operations that makes a change take effect completely or not at all;
//! - `manifest`, `objects`, `checksum`: the files in effect, the results of objects, and how damage to either
//!   is noticed; `guard`: panics of the Parquet library become errors;
//! - [`location`]: a folder or a prefix of a bucket, and lakes staged inside of another one;
//! - `merge`: new records and the files of one partition → files without duplicates;
//! - [`ingest`]: the writer, including repairs; [`check()`]: compares everything with its checksums;
//!   [`read`]: the reader; [`portion`], [`codes`]: row groups and dictionary-encoded columns for SQL.
//!
//! Invariants: a file that the manifest does not name is not part of the lake. A commit that records an
//! object as read contains all of its records. Nothing here prints, reads the environment or the clock.

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
