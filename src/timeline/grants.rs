//! When the permissions of a role or user were changed, by IAM's own events. IAM logs them in us-east-1,
//! whatever region is asked about.

use super::fact::{Fact, What};
use super::names::{EventNo, Map, Names, Sym};
use crate::model::IamPrincipal;

/// Changes of each principal's permissions, in order of time.
#[derive(Debug, Default)]
pub struct Grants {
    changes: Map<Sym, Vec<EventNo>>,
}

impl Grants {
    /// Collects the changes from `facts`, which are sorted by time.
    pub fn of(facts: &[Fact]) -> Self {
        let mut changes: Map<Sym, Vec<EventNo>> = Map::default();
        for fact in facts {
            if let What::GrantsChanged { principal } = fact.what {
                changes.entry(principal).or_default().push(fact.event);
            }
        }
        Self { changes }
    }

    /// The changes for the principal behind the caller `actor`.
    pub fn changes_of(&self, actor: &str, names: &Names) -> &[EventNo] {
        if self.changes.is_empty() {
            return &[];
        }
        let key = IamPrincipal::of(actor)
            .map(|principal| format!("{}:{}/{}", principal.account, principal.kind, principal.name));
        let principal = key.and_then(|key| names.find_string(&key));
        principal.and_then(|principal| self.changes.get(&principal)).map(Vec::as_slice).unwrap_or_default()
    }
}
