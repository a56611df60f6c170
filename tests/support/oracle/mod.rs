//! A naive reader of CloudTrail archives: one thread, plain maps, `serde_json` for everything, written to be
//! checked by eye.
//!
//! It shares nothing with the engine but the specification. `read` turns a folder into records and coverage,
//! `meaning` says what each record means, `order` settles pushes within one second, `fold` lives through all
//! of it, `findings` judges. The engine must agree.
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

/// Everything the oracle says about an archive.
pub struct Verdict {
    pub coverage: Coverage,
    pub folded: Folded,
    pub findings: Vec<Finding>,
    /// eventID → the id that stands for the call: twins and corrections share one.
    pub calls: BTreeMap<String, String>,
}

/// Judges what was read.
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
