//! `tagfall` reads CloudTrail archives and tells the life of every container image: who pushed it, who took
//! its tag, which lifecycle run took it, and who still needed it.
//!
//! # Bird's eye
//!
//! [`pipeline`] shows the whole run on one screen. Workers take objects from [`source`]s, [`decode`] them
//! into records, [`recognize`] what a record means for images, and fold that, each worker by itself. The
//! folds are merged, and only then put in order and replayed, repository by repository: [`timeline`].
//! [`detect`] and [`explain`] look at the result; [`sql`] and [`lake`] are other views on the same records.
//!
//! Six nouns are used everywhere: *Object* (a log file), *Record* (a CloudTrail event), *Step* (what it means
//! for an image), *Timeline*, *Finding*, *Coverage*.
//!
//! # Code map, and what is not there
//!
//! Modules stand below in reading order; each may use what stands below it, and nothing above
//! (`tests/layers.rs` keeps that):
//!
//! - [`commands`]: one verb per file; `ui`: the only printer; `failure`: what people read when it fails.
//! - [`lake`], [`sql`], [`tables`]: views on the records.
//! - [`alerts`]: which findings are news to whoever was told of others before.
//! - [`redact`]: pseudonyms for everything that is shown.
//! - [`forecast`], [`whatif`]: what lifecycle policies will take, and what another one would have taken.
//! - [`rescue`]: where a lost image still is, and how it comes back; [`fate`]: what becomes of it in every
//!   registry.
//! - [`trace`]: who stood behind a call, from the calls that begin sessions.
//! - [`explain`], [`detect`]: what the timelines tell; [`integrity`]: what CloudTrail's signed log digest
//!   files tell of the objects.
//! - [`pipeline`], [`timeline`], [`recognize`], [`policy`], [`decode`], [`source`], [`model`].
//!
//! Invariants that name absences: [`model`] imports nothing of ours. Nothing below `commands` and `ui` prints
//! or asks the clock for the time of day. The only async code is in `source::s3`. There is no shared lock on
//! the hot path. Nothing that users see depends on the order in which workers met things.

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
