//! One repository after some of its events: images, tags, settings.

use std::sync::OnceLock;

use super::WholeListing;
use crate::model::{ImageState, Order};
use crate::policy::fits;
use crate::timeline::contradictions::Contradicts;
use crate::timeline::fact::{Mutability, Noted};
use crate::timeline::image::Image;
use crate::timeline::keys::KeyStep;
use crate::timeline::names::{DigestNo, EventNo, Map, Names, PolicyNo, RepositoryNo, Sym};
use crate::timeline::policy::{KnownFrom, PolicyChange, PolicyInForce};
use crate::timeline::simulation::ExpectedRemoval;
use crate::timeline::tags::TagLife;

/// The event name of a push.
const PUSH: &str = "PutImage";

/// One repository after its last event.
#[derive(Debug)]
pub struct RepositoryHistory {
    pub repository: RepositoryNo,
    pub images: Vec<Image>,
    pub by_digest: Map<DigestNo, usize>,
    pub tags: Map<Sym, TagState>,
    /// The life of each tag.
    pub tag_lives: Map<Sym, TagLife>,
    /// For each digest, the indexes that list it.
    pub parents: Map<DigestNo, Vec<DigestNo>>,
    /// Reference artifacts, by the image that they are about.
    pub artifacts: Map<DigestNo, Vec<DigestNo>>,
    /// Events whose content CloudTrail left out.
    pub gaps: Vec<EventNo>,
    /// The last list of the whole repository, from a snapshot.
    pub listing: Option<WholeListing>,
    /// Where snapshots and logs disagree.
    pub contradictions: Vec<Contradicts>,
    /// Lifecycle runs and the policy that each states, also runs that took nothing.
    pub runs: Vec<(EventNo, PolicyNo)>,
    pub policy: Option<PolicyInForce>,
    /// Every time that the policy was put, deleted, or first stated by a run, in order of time.
    pub policies: Vec<PolicyChange>,
    /// The last `DeleteLifecyclePolicy`, unless a policy is known since.
    pub policy_deleted: Option<EventNo>,
    /// `SetRepositoryPolicy` and `DeleteRepositoryPolicy`.
    pub access_changes: Vec<EventNo>,
    /// What was done to the repository's KMS key.
    pub key_steps: Vec<KeyStep>,
    /// Pulls that KMS refused.
    pub key_refusals: Vec<EventNo>,
    /// Refused pushes by tag ([`Sym::NONE`] for a push by digest), in order of time.
    pub refused_pushes: Map<Sym, Vec<RefusedPush>>,
    pub deleted_by: Option<EventNo>,
    /// All `DeleteRepository` and `CreateRepository` events of the name.
    pub deletions: Vec<EventNo>,
    pub creations: Vec<EventNo>,
    pub mutability: Box<Mutability>,
    /// The event that set it.
    pub mutability_set_by: Option<EventNo>,
    /// Whether the logs have any ECR event of the repository, not only references to it.
    pub logged: bool,
    /// Pushes whose order within their second was inferred, each with the events that it was inferred from.
    pub settled: Map<EventNo, Vec<EventNo>>,
    /// First pushes of tags whose previous holder is not in the logs.
    pub(in crate::timeline) openings: Vec<Opening>,
    /// Pushes in order of time, with the index of the image; built when first asked for.
    by_push: OnceLock<Vec<(i64, usize)>>,
    /// In a simulation, what the runs should have taken.
    pub expected: Vec<ExpectedRemoval>,
    /// In a simulation, when the runs in the logs began, in milliseconds.
    pub run_starts: Vec<i64>,
    /// In a simulation, how many runs there were that are not in the logs.
    pub runs_made_up: u64,
}

/// A push that ECR refused.
#[derive(Debug, Clone, Copy)]
pub struct RefusedPush {
    pub event: EventNo,
    pub digest: DigestNo,
    /// `errorCode`.
    pub why: Sym,
}

/// Where a tag points.
#[derive(Debug, Clone, Copy)]
pub struct TagState {
    /// Index of the image that has it.
    pub holder: Option<usize>,
    /// Index of the image that it was lost with, if no image has it now.
    pub last_holder: Option<usize>,
}

/// A push of a tag that may have displaced an image from before the logs.
#[derive(Debug, Clone, Copy)]
pub(in crate::timeline) struct Opening {
    pub tag: Sym,
    pub event: EventNo,
    pub digest: DigestNo,
    pub at: i64,
    /// Whether it came first in its second.
    pub order: Order,
}

impl RepositoryHistory {
    pub(super) fn new(repository: RepositoryNo) -> Self {
        Self {
            repository,
            images: Vec::new(),
            by_digest: Map::default(),
            tags: Map::default(),
            tag_lives: Map::default(),
            parents: Map::default(),
            artifacts: Map::default(),
            gaps: Vec::new(),
            listing: None,
            contradictions: Vec::new(),
            runs: Vec::new(),
            policy: None,
            policies: Vec::new(),
            policy_deleted: None,
            access_changes: Vec::new(),
            key_steps: Vec::new(),
            key_refusals: Vec::new(),
            refused_pushes: Map::default(),
            deleted_by: None,
            deletions: Vec::new(),
            creations: Vec::new(),
            mutability: Box::default(),
            mutability_set_by: None,
            logged: false,
            settled: Map::default(),
            openings: Vec::new(),
            by_push: OnceLock::new(),
            expected: Vec::new(),
            run_starts: Vec::new(),
            runs_made_up: 0,
        }
    }

    /// Whether all pushes until `at`, in milliseconds, are known: the logs show that the repository was
    /// created before, and CloudTrail left out the content of no push since.
    pub(in crate::timeline) fn knows_all_pushes(&self, at: i64, events: &[Noted], names: &Names) -> bool {
        let noted = |event: &EventNo| &events[event.index()];
        let unknown = |event: &Noted| event.time <= at && names.text(event.name) == PUSH;
        self.creations.iter().any(|event| noted(event).time <= at)
            && !self.gaps.iter().map(noted).any(unknown)
    }

    /// Shrinks lists: a list of one element has room for four, and with a million repositories of one image
    /// each that would be most of the memory.
    pub(super) fn finish(mut self) -> Self {
        self.images.shrink_to_fit();
        for image in &mut self.images {
            image.steps.shrink_to_fit();
            image.tags.shrink_to_fit();
            image.losses.shrink_to_fit();
            image.uses.shrink_to_fit();
        }
        for life in self.tag_lives.values_mut() {
            life.spans.shrink_to_fit();
            life.asks.shrink_to_fit();
        }
        self.openings = Vec::new();
        self.policies.shrink_to_fit();
        self.runs.shrink_to_fit();
        self.creations.shrink_to_fit();
        self
    }

    pub(super) fn refuse_push(&mut self, event: EventNo, tag: Sym, digest: DigestNo, why: Sym) {
        self.refused_pushes.entry(tag).or_default().push(RefusedPush { event, digest, why });
    }

    /// Notes an event that does not say what was done.
    pub(super) fn note_gap(&mut self, event: EventNo) {
        if self.gaps.last() != Some(&event) {
            self.gaps.push(event);
        }
    }

    pub fn image(&self, digest: DigestNo) -> Option<&Image> {
        self.by_digest.get(&digest).map(|&index| &self.images[index])
    }

    /// Whether that tag cannot be moved, as the repository is set up; as far as the logs tell.
    pub fn is_immutable(&self, tag: Sym, names: &Names) -> bool {
        let is_exempt =
            self.mutability.exclusions.iter().any(|filter| fits(names.text(*filter), names.text(tag)));
        match names.text(self.mutability.setting) {
            "IMMUTABLE" => true,
            "IMMUTABLE_WITH_EXCLUSION" => !is_exempt,
            "MUTABLE_WITH_EXCLUSION" => is_exempt,
            _ => false,
        }
    }

    pub fn holder(&self, tag: Sym) -> Option<&Image> {
        self.tags.get(&tag)?.holder.map(|index| &self.images[index])
    }

    /// Sets the policy from now on; `None` if there is none any more.
    pub(super) fn change_policy(&mut self, event: EventNo, policy: Option<PolicyInForce>) {
        let known_from = policy.map(|policy| policy.known_from);
        let put_by = policy
            .filter(|policy| policy.known_from == KnownFrom::Template)
            .map_or(event, |policy| policy.event);
        let number = policy.map_or(PolicyNo::NONE, |policy| policy.policy);
        self.policies.push(PolicyChange { event, policy: number, known_from, put_by });
        self.policy = policy;
    }

    /// Pushes after `pushed_at`, in order of time, each with the image whose life began with it.
    pub fn pushed_after(&self, pushed_at: i64) -> impl Iterator<Item = (i64, &Image)> {
        let all = self.by_push.get_or_init(|| {
            let lives = |(at, image): (usize, &Image)| {
                let ended: Vec<(i64, usize)> =
                    image.losses.iter().filter_map(|loss| Some((loss.pushed_at?, at))).collect();
                ended.into_iter().chain(image.pushed_at.map(|pushed| (pushed, at)))
            };
            let mut all: Vec<(i64, usize)> = self.images.iter().enumerate().flat_map(lives).collect();
            all.sort_unstable();
            all.dedup();
            all
        });
        let from = all.partition_point(|(pushed, _)| *pushed <= pushed_at);
        all[from..].iter().map(|(pushed, at)| (*pushed, &self.images[*at]))
    }

    /// Whether an index that exists, if only in the archive, lists `digest`.
    pub fn is_held(&self, digest: DigestNo) -> bool {
        self.holders(digest).next().is_some()
    }

    /// The same for an image that a run could not take, though the logs do not have the index.
    pub fn is_held_unseen(&self, image: &Image) -> bool {
        !self.parents.contains_key(&image.digest) && image.was_refused()
    }

    /// Indexes that exist, if only in the archive, and list `digest`.
    pub fn holders(&self, digest: DigestNo) -> impl Iterator<Item = usize> + '_ {
        let there = |image: &Image| {
            matches!(image.state, ImageState::Tagged | ImageState::Untagged | ImageState::Archived)
        };
        let parents = self.parents.get(&digest).map(Vec::as_slice).unwrap_or_default();
        parents
            .iter()
            .filter_map(|parent| self.by_digest.get(parent).copied())
            .filter(move |&at| there(&self.images[at]))
    }
}
