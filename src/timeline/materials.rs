//! What a history was made from, kept so that a repository can be played again under one policy after another.

use std::sync::Arc;

use super::fact::Fact;
use super::history::{History, by_repository, sorted};
use super::names::RepositoryNo;
use super::references::Mention;
use super::replay::{Happening, RepositoryHistory, replay};
use super::suppose::{Supposed, Supposition};
use crate::model::Timestamp;
use crate::policy::Policy;

/// Sorted facts, and who mentions what.
#[derive(Default)]
pub struct Materials {
    pub(super) own: Vec<Fact>,
    pub(super) mentions: Vec<Mention>,
}

/// The happenings of each repository of a history, in its order.
pub struct Work<'m>(Vec<(RepositoryNo, Vec<Happening<'m>>)>);

impl Materials {
    pub fn work(&self, history: &History) -> Work<'_> {
        let mut all = by_repository(&self.own, &self.mentions, history.events(), history.names());
        all.retain(|(number, _)| history.repositories().iter().any(|repository| repository.repository == *number));
        Work(all)
    }
}

impl Work<'_> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The repository of that number under another policy: pushes, moves and deletes as they were, runs take what it takes.
    pub fn replay(
        &self,
        history: &mut History,
        number: usize,
        supposition: &Supposition,
        policy: &Arc<Policy>,
        end: Option<Timestamp>,
    ) -> RepositoryHistory {
        history.suppose(policy);
        let (repository, happenings) = &self.0[number];
        let supposed = Some(Supposed { supposition, end });
        let played = replay(*repository, happenings, history.events(), history.names(), history.registries(), supposed);
        sorted(played, history.names())
    }
}
