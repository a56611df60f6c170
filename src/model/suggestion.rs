//! Which change of a lifecycle policy would have kept everything that was needed.

use serde::Serialize;

use super::{Repository, Sentence};

/// What a policy takes when it is replayed over the logged history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Images that it takes although somebody needs them.
    pub harm: u64,
    /// Images that it takes and nobody needs.
    pub freed: u64,
    /// Bytes of their layers as stored, each counted once, and without layers of images that are kept; `None`
    /// if a manifest is missing in logs and snapshots (`batch-get-image`).
    pub freed_bytes: Option<u64>,
    /// The same with shared layers counted for every image, if only the sizes of images are known from lists:
    /// an upper bound.
    pub freed_bytes_at_most: Option<u64>,
}

/// Advice about the policy of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    pub repository: Repository,
    /// The rules in force; `None` if the evidence does not have them.
    pub in_force: Option<Vec<serde_json::Value>>,
    /// The effect of the policy in force.
    pub before: Effect,
    /// The changes, one sentence each; empty if nothing has to change.
    pub changes: Vec<String>,
    /// The whole policy after the changes; `None` if nothing has to change.
    pub policy: Option<serde_json::Value>,
    /// The effect of the policy after the changes.
    pub after: Effect,
    /// The command that puts the new policy.
    pub command: Option<String>,
    /// The new policy in Terraform.
    pub terraform: Option<String>,
    /// Oddities in the rules in force, whether or not they did harm.
    pub lint: Vec<Sentence>,
    /// How many policies were replayed to find it.
    pub replayed: u64,
}
