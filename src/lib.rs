//! `tagfall` reads CloudTrail archives and reconstructs the history of every container image in ECR: who
//! pushed it, who moved its tag, which lifecycle run expired it, and who still needed it.
//!
//! # Bird's eye
//!
//! [`pipeline`] shows the whole run on one screen. Workers take objects from [`source`]s, [`decode`] them
//! into records, [`recognize`] what each record means for images, and fold the result, each worker by itself.
//! The folds are merged, and only then sorted and replayed, repository by repository: [`timeline`].
//! [`detect`] and [`explain`] evaluate the timelines; [`sql`] and [`lake`] are other views of the same
//! records.
//!
//! Six nouns are used everywhere: *Object* (a log file), *Record* (a CloudTrail event), *Step* (what it means
//! for an image), *Timeline*, *Finding*, *Coverage*.
//!
//! # Code map and layers
//!
//! The modules from top to bottom. Each may use those on its own line and on the lines below it, and none
//! above; `tests/layers.rs` checks that:
//!
//! - [`commands`]: one verb per file.
//! - `ui`: the only module that prints; `failure`: error messages and exit codes.
//! - [`sql`]: queries over the records; [`lake`]: the records as Parquet files.
//! - [`tables`]: the columns of every table that users see.
//! - [`rescue`]: where copies of a lost image still exist, and how to restore it; [`fate`]: what will happen
//!   to an image in every registry that has it.
//! - [`explain`]: why one image cannot be pulled; [`whatif`]: what another policy would have expired;
//!   [`alerts`]: which findings are new since the last report; [`redact`]: pseudonyms for everything that is
//!   shown.
//! - [`forecast`]: what lifecycle policies will expire.
//! - [`detect`]: findings; [`integrity`]: validation of objects against CloudTrail's signed log digest files;
//!   [`trace`]: which person, pipeline or service was behind a call, found through the calls that begin
//!   sessions.
//! - [`pipeline`]: the run over all objects.
//! - [`timeline`]: the history of images and tags; [`recognize`]: what a record means for them.
//! - [`policy`]: ECR's rules for lifecycle policies.
//! - [`decode`]: bytes to records.
//! - [`source`]: where objects come from.
//! - [`model`]: the types that all others use.
//!
//! Invariants: [`model`] imports no other module of this crate. Nothing below `commands` and `ui` prints or
//! asks the clock for the time of day. The only async code is in `source::s3`. There is no shared lock on the
//! hot path. No output depends on the order in which workers read the objects.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

pub mod commands;
mod failure;
mod ui;

#[cfg(feature = "sql")]
pub mod lake;
#[cfg(feature = "sql")]
pub mod sql;
pub mod tables;

pub mod alerts;
pub mod detect;
pub mod explain;
pub mod fate;
pub mod forecast;
pub mod integrity;
pub mod pipeline;
pub mod redact;
pub mod rescue;
pub mod trace;
pub mod whatif;

pub mod decode;
pub mod model;
pub mod policy;
pub mod recognize;
pub mod source;
pub mod timeline;
