//! Timelines → findings: one detector for each way of losing an image that something still needs.

mod access;
pub mod advice;
mod at_risk;
mod child;
mod early;
#[cfg(test)]
mod example;
mod index_tag;
mod loss;
mod moved_back;
mod never;
mod reasons;
mod refused;
mod same_tag;
mod story;
mod tag_removed;
mod unexplained;
mod untagged;
mod usage;

pub use access::{key_advice, key_locked, keys_in_words};
pub use child::{broken, heading, tag_of};
pub use loss::came_back;
pub use moved_back::{MoveBack, advice as advice_on_moves, moved_on, moves_back};
pub use never::{advice as advice_on_refused_push, refusal, refused_pushes_of};
pub use reasons::{Why, caller, listed, why};
pub use refused::{
    Answered, Change, What as AccessChange, advice as advice_on_access, in_words as access_in_words,
    is_refused, is_set_up, reason as access_reason,
};
pub use same_tag::{push_index_again, rivals, takers};
pub use story::{
    add_reasons, asked, deleted, evidence, place, restore, restore_under_way, rule_in_words, rule_of, span,
    tags_by_need, who,
};
pub use tag_removed::{GOES_ALONG, advice as advice_on_removed_tag, source as source_of_removal};
pub use untagged::{has_immutable_tags, reason as reason_without_tag, taken_tag};
pub use usage::{Harm, usage_of_displaced, usage_of_living, usage_of_loss};

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::HashMap;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::model::{Finding, Severity};
use crate::timeline::{History, Image, RepositoryForecast, RepositoryHistory, Sym, TagLife};

/// What separates a race between two pushes from a plain overwrite.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// `--race-window`: two pushes of a tag that are at most this many seconds apart are a race.
    pub race_window_seconds: i64,
}

/// What a detector looks at: one image, its repository, and the whole history.
#[derive(Clone, Copy)]
pub struct Subject<'h> {
    pub history: &'h History,
    pub repository: &'h RepositoryHistory,
    pub image: &'h Image,
    pub settings: Settings,
    /// What the policy in force will do with the repository's images; computed when a detector first asks.
    repository_forecast: Option<&'h OnceCell<Option<RepositoryForecast>>>,
}

impl<'h> Subject<'h> {
    /// For callers that ask only what has happened to the image, not what the policy will do with it.
    pub fn of_the_past(history: &'h History, repository: &'h RepositoryHistory, image: &'h Image) -> Self {
        Self {
            history,
            repository,
            image,
            settings: Settings { race_window_seconds: 0 },
            repository_forecast: None,
        }
    }
}

impl<'h> Subject<'h> {
    fn repository_forecast(&self) -> Option<&'h RepositoryForecast> {
        self.repository_forecast?
            .get_or_init(|| RepositoryForecast::of(self.history, self.repository))
            .as_ref()
    }

    /// Whether an index (multi-platform image) lists the image.
    fn is_child(&self) -> bool {
        self.repository.parents.contains_key(&self.image.digest)
    }
}

/// Looks at one image and says what is wrong with it. Detectors do not see each other's findings.
pub trait Detector: Sync {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>);
}

/// All detectors of images. Each life of an image ends once, so no two detectors report the same loss.
pub const ALL: &[&dyn Detector] = &[
    &same_tag::SameTag,
    &at_risk::DisplacedAlive,
    &loss::ExpiredWhileTagged,
    &untagged::ExpiredUntagged,
    &child::ChildLost,
    &loss::DeletedByCall,
    &loss::RepositoryDeleted,
    &loss::Archived,
    &loss::NotListed,
    &loss::ReplicatedDeletion,
    &loss::WentWithSubject,
    &unexplained::Unexplained,
    &access::KeyLocked,
    &refused::AccessRefused,
    &early::AskedBeforePushed,
    &never::NeverPushed,
    &index_tag::IndexLostToItsChild,
];

/// One tag, in its repository, in the whole history.
#[derive(Clone, Copy)]
pub struct TagSubject<'h> {
    pub history: &'h History,
    pub repository: &'h RepositoryHistory,
    pub tag: Sym,
    pub life: &'h TagLife,
}

/// Looks at the life of one tag and says what is wrong with it.
pub trait TagDetector: Sync {
    fn detect(&self, subject: TagSubject<'_>, found: &mut Vec<Finding>);
}

/// All detectors of tags; their findings are about a tag and not about an image.
pub const ALL_OF_TAGS: &[&dyn TagDetector] = &[
    &tag_removed::TagRemoved,
    &moved_back::TagMovedBack,
    &never::TagNeverPushed,
    &unexplained::UnexplainedTag,
];

/// Every finding: worst first, then by repository, time and id.
pub fn findings(history: &History, settings: Settings) -> Vec<Finding> {
    let per_repository = |repository: &RepositoryHistory| {
        let (mut found, repository_forecast) = (Vec::new(), OnceCell::new());
        for image in &repository.images {
            let subject = Subject {
                history,
                repository,
                image,
                settings,
                repository_forecast: Some(&repository_forecast),
            };
            ALL.iter().for_each(|detector| detector.detect(subject, &mut found));
        }
        for (&tag, life) in &repository.tag_lives {
            let subject = TagSubject { history, repository, tag, life };
            ALL_OF_TAGS.iter().for_each(|detector| detector.detect(subject, &mut found));
        }
        number(&mut found);
        found
    };
    let mut all: Vec<Finding> = history.repositories().par_iter().flat_map_iter(per_repository).collect();
    for finding in all.iter_mut().filter(|finding| finding.tags.is_empty()) {
        finding.tags.extend(finding.tag.clone());
    }
    all.sort_by_cached_key(|finding| {
        let when = finding.lost.gone_at.or(finding.lost.untagged_at);
        (finding.severity, finding.repository.clone(), when, finding.id.clone())
    });
    all
}

/// The worst severity among `findings`.
pub fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).min()
}

/// The finding's id, made of registry, region, repository and digest alone. Kind and severity may change as
/// more logs are read, and the events behind a finding fall out of a window of logs that moves on: it is
/// still the same loss.
fn id(subject: Subject<'_>) -> String {
    id_of(
        subject.history,
        subject.repository,
        &subject.history.digest_or_zero(subject.image.digest).to_string(),
    )
}

/// The id for a tag, or for whatever else `what` names. A tag cannot look like a digest: tags have no
/// colon.
fn id_of(history: &History, repository: &RepositoryHistory, what: &str) -> String {
    let repository = history.repository(repository);
    let text = format!(
        "{}\n{}\n{}\n{what}",
        repository.registry_id.raw(),
        repository.region.raw(),
        repository.name.raw()
    );
    hex::encode(&Sha256::digest(text.as_bytes())[..8])
}

/// An image that was lost more than once has one finding for each loss: the newest has the plain id,
/// earlier ones are numbered (`…-2`, `…-3`).
fn number(found: &mut [Finding]) {
    let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, finding) in found.iter().enumerate() {
        by_id.entry(finding.id.clone()).or_default().push(at);
    }
    for (id, mut same) in by_id.into_iter().filter(|(_, same)| same.len() > 1) {
        same.sort_by_cached_key(|at| {
            let finding = &found[*at];
            let ended = finding.lost.gone_at.or(finding.lost.untagged_at);
            (
                Reverse(ended.max(Some(finding.second_push.event_time))),
                finding.kind,
                finding.second_push.event_id.clone(),
            )
        });
        for (before, at) in same.into_iter().enumerate().skip(1) {
            found[at].id = format!("{id}-{}", before + 1);
        }
    }
}
