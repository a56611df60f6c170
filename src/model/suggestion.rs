//! Which change of a lifecycle policy would have hurt nobody.

use serde::Serialize;

use super::{Repository, Sentence};

/// What a policy takes over the logged history, by replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Images that it takes although somebody needs them.
    pub harm: u64,
    /// Images that it takes and nobody needs.
    pub freed: u64,
    /// What their layers take as they are stored, each counted once, and none that an image has that stays; `None` where a manifest is
    /// in no log and no snapshot (`batch-get-image`).
    pub freed_bytes: Option<u64>,
    /// The same with shared layers counted for every image, where only the sizes of images are known, from lists of them: no more than that.
    pub freed_bytes_at_most: Option<u64>,
}

/// What to do about the policy of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    pub repository: Repository,
    /// The rules in force; `None` where the evidence does not tell them.
    pub in_force: Option<Vec<serde_json::Value>>,
    /// What they do.
    pub before: Effect,
    /// What is changed, a sentence each; empty where nothing has to be.
    pub changes: Vec<String>,
    /// The whole policy after the change; `None` where there is nothing to change.
    pub policy: Option<serde_json::Value>,
    /// What it would have done.
    pub after: Effect,
    /// The command that puts it.
    pub command: Option<String>,
    /// The same for Terraform.
    pub terraform: Option<String>,
    /// What is odd about the rules in force, whether or not it did harm.
    pub lint: Vec<Sentence>,
    /// How many policies were replayed to find it.
    pub replayed: u64,
}
