//! `tagfall` reads CloudTrail archives and tells the life of every container image: who pushed it, who took its tag,
//! which lifecycle run took it, and who still needed it.

pub mod commands;
mod failure;
mod ui;

pub mod decode;
pub mod detect;
pub mod explain;
#[cfg(feature = "sql")]
pub mod lake;
pub mod model;
pub mod pipeline;
pub mod recognize;
pub mod source;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(feature = "sql")]
pub mod tables;
pub mod timeline;
