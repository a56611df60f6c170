//! A naive reader of CloudTrail archives: one thread, plain maps, `serde_json` for everything, simple enough
//! to be checked by eye.
//!
//! It shares nothing with the engine but the specification. `read` turns a folder into records and coverage,
//! `meaning` interprets each record, `order` determines the order of pushes within one second, `fold`
//! processes all events, and `findings` evaluates the result. The engine must agree.
#![allow(dead_code, reason = "each test binary uses its own part of the oracle")]

pub mod access;
pub mod calls;
pub mod compare;
pub mod deployments;
pub mod early;
pub mod findings;
pub mod fold;
pub mod jobs;
pub mod meaning;
pub mod order;
pub mod policy;
pub mod presumed;
pub mod read;
pub mod tags;

use std::collections::BTreeMap;

pub use findings::Finding;
pub use fold::Folded;
pub use read::Coverage;

/// The oracle's results for an archive.
pub struct Verdict {
    pub coverage: Coverage,
    pub folded: Folded,
    pub findings: Vec<Finding>,
    /// eventID → the id that represents its call: copies and corrections have the same.
    pub calls: BTreeMap<String, String>,
}

/// Evaluates what was read.
pub fn judge(archive: read::Archive) -> Verdict {
    let calls = calls::distinct(archive.records);
    let mut events = meaning::events(&calls.kept);
    order::settle(&mut events);
    let mut folded = fold::fold(&events);
    presumed::conclude(&mut folded);
    let findings =
        findings::find(&folded).into_iter().chain(tags::find(&folded)).chain(early::find(&folded)).collect();
    Verdict { coverage: archive.coverage, folded, findings, calls: calls.names }
}

impl Verdict {
    /// The name that all copies of a call share.
    pub fn call<'v>(&'v self, event: &'v str) -> &'v str {
        self.calls.get(event).map_or(event, String::as_str)
    }
}
