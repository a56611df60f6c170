//! The only printer. *Data* goes to stdout or to the file that the user named; *talk* and progress go to
//! stderr.
//!
//! A view (`findings`, `timelines`, `forecast` …) can be written in several formats. Views get everything
//! they show as arguments and know nothing of the run, so tests can call them with hand-made values.

#[cfg(feature = "sql")]
pub mod answer;
pub mod changes;
mod columns;
pub mod coverage;
pub mod escape;
pub mod fate;
pub mod findings;
pub mod forecast;
mod format;
mod html;
#[cfg(feature = "sql")]
pub mod lake;
pub mod lanes;
mod markdown;
mod ocsf;
pub mod output;
mod page;
pub mod paint;
pub mod plan;
pub mod progress;
pub mod quantity;
pub mod report;
pub mod rescue;
mod sarif;
pub mod settings;
pub mod suggest;
mod tags;
pub mod talk;
pub mod timelines;
mod timesketch;
pub mod trace;
pub mod verdict;
pub mod verification;
pub mod whatif;
mod width;

pub use format::{Format, Look};

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
