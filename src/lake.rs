//! The lake: CloudTrail events as hive-partitioned Parquet that every tool reads as it is, and that `tagfall` extends and reads
//! back without loss.
//!
//! ```text
//! LAKE/account=111122223333/region=eu-central-1/date=2026-03-02/000001-00001.parquet    events, by the day they happened
//! LAKE/_tagfall/manifest.json            which files count; replaced as a whole, written last
//! LAKE/_tagfall/objects/*.ndjson.gz      what became of every object that was read
//! LAKE/_tagfall/native/…/*.rows          EventBridge's own events (Parquet too, and no CloudTrail events)
//! LAKE/_tagfall/lock, staging/, spill/   one writer at a time, and what it is working on
//! ```
//!
//! - [`record`]: one record and what of it the columns can hold; the rest goes along as JSON;
//! - `rebuild`: the way back, from columns to the record;
//! - `shape`, `cut`, `row`, `buffer`: records on their way, cut up for the columns, in memory and spilled;
//! - `columns`, `dictionary`, `levels`, `packer`, `pages`, `write`: rows → files; `parquet`: files read back;
//! - `state`: the manifest and the objects, and how they are replaced;
//! - `merge`: new records and the files of one partition → files without second copies;
//! - [`ingest`]: the writer; [`read`]: the reader, and [`portion`], [`codes`]: columns as they lie in the files.
//!
//! Invariants: a file that the manifest does not name does not count. An object stands in the state only in a commit that
//! has all of its records. Nothing here prints, reads the environment or the clock.

mod buffer;
pub mod codes;
mod columns;
mod cut;
mod dictionary;
mod error;
pub mod ingest;
mod leaf;
mod leaves;
mod levels;
mod merge;
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
mod state;
#[cfg(test)]
mod tests;
mod write;

pub use error::LakeError;
pub use ingest::{Ingest, Limits, MEMORY_BYTES_DEFAULT, Summary};
pub use portion::Portion;
pub use read::{LakeFeed, is_lake};
