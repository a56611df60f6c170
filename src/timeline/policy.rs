//! The lifecycle policy of a repository, and whether a run states the same one.

use super::names::{EventNo, Names, PolicyNo};

/// The lifecycle policy in force, from the last event that states it.
#[derive(Debug, Clone, Copy)]
pub struct PolicyInForce {
    pub event: EventNo,
    pub policy: PolicyNo,
    pub known_from: KnownFrom,
    /// The event that first put or stated these very rules: a pipeline may put the same policy every night.
    pub since: EventNo,
}

/// A change of the policy, or the same policy put again.
#[derive(Debug, Clone, Copy)]
pub struct PolicyChange {
    pub event: EventNo,
    /// [`PolicyNo::NONE`] where the policy was deleted.
    pub policy: PolicyNo,
    pub known_from: Option<KnownFrom>,
    /// The event of whoever is behind it: for a policy from a template, the event that put the template.
    pub put_by: EventNo,
}

/// How the policy is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownFrom {
    /// `PutLifecyclePolicy`.
    Put,
    /// From the repository creation template with which ECR created the repository; no event of the
    /// repository says so.
    Template,
    /// From the output of `get-lifecycle-policy`; when the policy was put is not known.
    Snapshot,
    /// From a run, which states the policy that was in force already.
    Run,
}

/// Caches the last comparison: runs come every day, and state the same policy for months.
#[derive(Default)]
pub(super) struct Agreement(Option<(PolicyNo, PolicyNo, bool)>);

impl Agreement {
    /// Whether a run's `stated` policy is the `known` one.
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
