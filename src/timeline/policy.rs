//! The lifecycle policy of a repository, and whether a run speaks of the same one.

use super::names::{EventNo, Names, PolicyNo};

/// The lifecycle policy, from the last event that tells.
#[derive(Debug, Clone, Copy)]
pub struct PolicyInForce {
    pub event: EventNo,
    pub policy: PolicyNo,
    pub known_from: KnownFrom,
    /// The event with which these very rules were put, or first stated: a pipeline may put the same policy every night.
    pub since: EventNo,
}

/// The policy became another, or was put again.
#[derive(Debug, Clone, Copy)]
pub struct PolicyChange {
    pub event: EventNo,
    /// None where it was deleted.
    pub policy: PolicyNo,
    pub known_from: Option<KnownFrom>,
    /// Who is behind it: of a template, the event that put that.
    pub put_by: EventNo,
}

/// What tells the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownFrom {
    /// `PutLifecyclePolicy`.
    Put,
    /// The repository creation template by which ECR made the repository; no event of the repository says so.
    Template,
    /// An answer of `get-lifecycle-policy`; when it was put is not known.
    Snapshot,
    /// A run, which states what was in force before it already.
    Run,
}

/// Remembers the last answer: runs come every day, and say the same for months.
#[derive(Default)]
pub(super) struct Agreement(Option<(PolicyNo, PolicyNo, bool)>);

impl Agreement {
    /// Whether `stated`, by a run, is the policy `known`.
    pub fn with(&mut self, known: PolicyNo, stated: PolicyNo, names: &Names) -> bool {
        match self.0 {
            Some((first, second, answer)) if (first, second) == (known, stated) => answer,
            _ => {
                let answer = known == stated || names.policy_of(known).is_same_as(names.policy_of(stated));
                self.0 = Some((known, stated, answer));
                answer
            }
        }
    }
}
