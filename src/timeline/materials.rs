//! The sorted facts that a history was made from, kept so that a repository can be replayed under one
//! policy after another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::event_order::EventOrder;
use super::fact::{Fact, What};
use super::history::{History, sorted};
use super::names::DigestNo;
use super::parts::{Part, by_repository};
use super::references::Mention;
use super::replay::{Happening, RepositoryHistory, replay};
use super::simulation::{Scenario, Simulation};
use crate::model::Timestamp;
use crate::policy::Policy;

/// Sorted facts, and the mentions of images.
#[derive(Default)]
pub struct Materials {
    pub(super) own: Vec<Fact>,
    pub(super) mentions: Vec<Mention>,
    pub(super) order: EventOrder,
}

/// The facts and mentions of each repository, in the order of the history's repositories.
pub struct Work<'m> {
    happenings: Vec<Happening<'m>>,
    parts: Vec<Part>,
}

impl Materials {
    pub fn work(&self, history: &History) -> Work<'_> {
        let (happenings, mut parts) = by_repository(&self.own, &self.mentions, &self.order, history.names());
        let admitted: HashSet<_> =
            history.repositories().iter().map(|repository| repository.repository).collect();
        parts.retain(|part| admitted.contains(&part.repository));
        Work { happenings, parts }
    }
}

impl Work<'_> {
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The layers of each image of a repository, including its config: a short name, and the size in bytes,
    /// or 0 if no manifest has it. An index has no layers. Images without a manifest in the evidence are left
    /// out.
    pub fn layers(&self, number: usize) -> HashMap<DigestNo, Vec<(u64, u64)>> {
        let mut known = HashMap::new();
        for happening in &self.happenings[self.parts[number].happenings.clone()] {
            let Happening::Fact(fact) = happening else { continue };
            let (digest, manifest) = match &fact.what {
                What::Push { image, manifest: Some(manifest), .. } => (image.digest, manifest),
                What::ManifestShown { digest, manifest } => (*digest, manifest),
                _ => continue,
            };
            if manifest.is_index {
                known.insert(digest, Vec::new());
            } else if !manifest.layers.is_empty() && manifest.layers.len() == manifest.sizes.len() {
                known.insert(
                    digest,
                    manifest.layers.iter().copied().zip(manifest.sizes.iter().copied()).collect(),
                );
            }
        }
        known
    }

    /// Replays the repository with that index under another policy: pushes, moves and deletes as logged,
    /// while runs take what the policy takes.
    pub fn replay(
        &self,
        history: &mut History,
        number: usize,
        scenario: &Scenario,
        policy: &Arc<Policy>,
        end: Option<Timestamp>,
    ) -> RepositoryHistory {
        history.set_simulated_policy(policy);
        let part = &self.parts[number];
        let happenings = &self.happenings[part.happenings.clone()];
        let simulated = Some(Simulation { scenario, end });
        let played = replay(
            part.repository,
            happenings,
            history.events(),
            history.names(),
            history.registries(),
            simulated,
        );
        sorted(played, history.names())
    }
}
