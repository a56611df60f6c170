//! What else may be asked of the events than what happened: whether the policy in force explains it, and what another one
//! would have done.

use std::sync::Arc;

use super::names::{DigestNo, EventNo, PolicyNo};
use crate::model::Timestamp;
use crate::policy::Policy;

/// How to play the events once more.
#[derive(Debug, Clone)]
pub enum Supposition {
    /// As they are; before each run its own rules say what it is to take.
    InForce,
    /// Pushes, moves and deletes as they are; runs take what this policy takes, and nothing else.
    Instead(Arc<Policy>),
}

/// An image that a run was to take.
#[derive(Debug, Clone, Copy)]
pub struct Foreseen {
    pub digest: DigestNo,
    pub pushed_at: Option<i64>,
    /// The first event of the run; none for a run that the logs do not have.
    pub event: EventNo,
    /// When the run is, in milliseconds.
    pub at: i64,
    /// The policy by which the run goes.
    pub policy: PolicyNo,
    pub rule_priority: i64,
    /// For an age rule, since when the image was old enough.
    pub ripe_at: Option<i64>,
}

/// A supposition, and when the evidence ends: no run is made up after that.
#[derive(Clone, Copy)]
pub struct Supposed<'s> {
    pub supposition: &'s Supposition,
    pub end: Option<Timestamp>,
}
