//! The lifecycle policy of a repository, and whether a run speaks of the same one.

use super::names::{EventNo, Names, Sym};
use crate::policy::Policy;

/// The lifecycle policy, from the last event that tells.
#[derive(Debug, Clone, Copy)]
pub struct PolicyInForce {
    pub event: EventNo,
    pub text: PolicyText,
    /// The event with which these very rules were put, or first stated: a pipeline may put the same policy every night.
    pub since: EventNo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyText {
    /// `lifecyclePolicyText`.
    Policy(Sym),
    /// Rules in the prose of a lifecycle event, as JSON.
    Rules(Sym),
}

impl PolicyText {
    pub(super) fn read(self, names: &Names) -> Policy {
        match self {
            Self::Policy(text) => Policy::from_text(names.text(text)),
            Self::Rules(rules) => Policy::from_rules(names.text(rules)),
        }
    }
}

/// Remembers the last answer: runs come every day, and say the same for months.
#[derive(Default)]
pub(super) struct Agreement(Option<(PolicyText, PolicyText, bool)>);

impl Agreement {
    /// Whether `stated`, by a run, is the policy `known`.
    pub fn with(&mut self, known: PolicyText, stated: PolicyText, names: &Names) -> bool {
        match self.0 {
            Some((first, second, answer)) if (first, second) == (known, stated) => answer,
            _ => {
                let answer = known == stated || known.read(names).is_same_as(&stated.read(names));
                self.0 = Some((known, stated, answer));
                answer
            }
        }
    }
}

/// Whether the event that should state a policy states no rule.
pub(super) fn is_empty(stated: PolicyText, names: &Names) -> bool {
    stated.read(names).rules().is_empty()
}
