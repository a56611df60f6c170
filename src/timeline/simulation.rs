//! Simulations over the logged events: what runs should take by the policy in force, and what another
//! policy would have done.

use std::sync::Arc;

use super::names::{DigestNo, EventNo, PolicyNo};
use crate::model::Timestamp;
use crate::policy::Policy;

/// Which policy a simulation applies.
#[derive(Debug, Clone)]
pub enum Scenario {
    /// The logged events as they are; before each run, its own rules decide what it should take.
    InForce,
    /// Pushes, moves and deletes as logged; runs take what this policy takes, and nothing else.
    Instead(Arc<Policy>),
}

/// An image that a simulated run takes.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedRemoval {
    pub digest: DigestNo,
    pub pushed_at: Option<i64>,
    /// The first event of the run; [`EventNo::NONE`] for a run that is not in the logs.
    pub event: EventNo,
    /// The time of the run, in milliseconds.
    pub at: i64,
    /// The policy that the run applies.
    pub policy: PolicyNo,
    pub rule_priority: i64,
    /// For an age rule, the moment at which the image became old enough, in milliseconds.
    pub ripe_at: Option<i64>,
}

/// A scenario, and when the logs end: no run is simulated after that.
#[derive(Clone, Copy)]
pub struct Simulation<'s> {
    pub scenario: &'s Scenario,
    pub end: Option<Timestamp>,
}
