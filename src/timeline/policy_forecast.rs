//! What the policy in force at the end of the logs will do with the images of a repository.

use std::sync::Arc;

use super::history::History;
use super::image::{End, Image, Step};
use super::names::EventNo;
use super::policy::{KnownFrom, PolicyInForce};
use super::replay::RepositoryHistory;
use crate::model::{Caller, Digest, ImageState, StepKind, StorageClass};
use crate::policy::{
    Clock, Count, CurrentImage, Policy, Rule, RuleForecast, Seen, Tags, forecast, records_pull,
};

/// Indexes within indexes are followed to this depth.
const NESTED_MAX: usize = 8;

/// The policy in force, and a forecast for each image, in the order of [`RepositoryHistory::images`].
pub struct RepositoryForecast {
    pub in_force: PolicyInForce,
    pub policy: Arc<Policy>,
    pub images: Vec<Option<ImageForecast>>,
}

/// The forecast for one image. There is none for images whose tags are not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImageForecast {
    /// Index of the rule that the image belongs to.
    pub rule: Option<usize>,
    /// The first moment at which a run may take it, in milliseconds; `None` if no rule takes it as things
    /// are now.
    pub eligible_at: Option<i64>,
    /// For a count rule, how many more images may be pushed before it is taken.
    pub survives: Option<u64>,
    /// Set if the answer depends on a pull that ECR may or may not have counted.
    pub unclear: Option<Unclear>,
    /// For a reference artifact, the index of the image that it is about: it is deleted within a day after
    /// that image, so rule and time are those of that image.
    pub subject: Option<usize>,
}

/// A pull by an unclear caller: ECR does not count pulls by Amazon Inspector, and how those look in
/// CloudTrail is not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclear {
    /// When a run may take the image if that pull counts, in milliseconds.
    pub eligible_at: i64,
    pub pull: EventNo,
}

impl RepositoryForecast {
    /// `None` where the logs do not tell the policy.
    pub fn of(history: &History, repository: &RepositoryHistory) -> Option<Self> {
        let in_force = repository.policy?;
        let policy = Arc::clone(history.policy(in_force.policy));
        let since = match in_force.known_from {
            KnownFrom::Put | KnownFrom::Template => history.time(in_force.since).millis(),
            // A run or a snapshot states a policy that was in force already, nobody knows since when.
            KnownFrom::Run | KnownFrom::Snapshot => i64::MIN,
        };
        let there: Vec<(usize, StorageClass)> = repository
            .images
            .iter()
            .enumerate()
            .filter_map(|(at, image)| Some((at, class(image)?)))
            .collect();
        let tags: Vec<Vec<&str>> =
            there.iter().map(|(at, _)| tags(history, &repository.images[*at])).collect();
        let mut unclear_pulls = Vec::new();
        let joined: Vec<CurrentImage<'_, Digest>> = there
            .iter()
            .zip(&tags)
            .map(|((at, class), tags)| {
                let image = &repository.images[*at];
                let seen = seen(history, repository, image, *class, tags);
                let rule = policy.governing(&seen).and_then(|index| policy.rules().get(index));
                let since =
                    since.max(rule.map_or(i64::MIN, |rule| belongs_since(history, image, &policy, rule)));
                unclear_pulls.push(unclear(history, image, rule, &seen));
                CurrentImage { key: history.digest_or_zero(image.digest), seen, since }
            })
            .collect();
        let mut images = vec![None; repository.images.len()];
        for ((((at, _), joined), RuleForecast { rule, eligible_at, survives }), unclear) in
            there.iter().zip(&joined).zip(forecast(&policy, &joined)).zip(unclear_pulls)
        {
            // An image is not eligible before it exists.
            let eligible_at = eligible_at
                .map(|eligible| eligible.max(joined.seen.there_at))
                .filter(|eligible| *eligible < i64::MAX);
            images[*at] = Some(ImageForecast { rule, eligible_at, survives, unclear, subject: None });
        }
        let mut repository_forecast = Self { in_force, policy, images };
        repository_forecast.hold(repository);
        repository_forecast.follow_subjects(repository);
        Some(repository_forecast)
    }

    pub fn rule(&self, image_forecast: ImageForecast) -> Option<&Rule> {
        self.policy.rules().get(image_forecast.rule?)
    }

    /// A reference artifact is deleted within a day after the image that it is about, if its own rule does
    /// not take it first.
    fn follow_subjects(&mut self, repository: &RepositoryHistory) {
        if repository.artifacts.is_empty() {
            return;
        }
        let own = self.images.clone();
        for (at, image) in repository.images.iter().enumerate() {
            let Some(subject) =
                image.subject.some().and_then(|subject| repository.by_digest.get(&subject).copied())
            else {
                continue;
            };
            let Some(Some(going)) = own.get(subject).copied().filter(|image_forecast| {
                image_forecast.is_some_and(|image_forecast| image_forecast.eligible_at.is_some())
            }) else {
                continue;
            };
            if let Some(image_forecast) = &mut self.images[at]
                && image_forecast.eligible_at.is_none_or(|eligible| Some(eligible) > going.eligible_at)
            {
                *image_forecast = ImageForecast { subject: Some(subject), ..going };
            }
        }
    }

    /// Images of an index are taken only after the index, if the index is taken at all.
    fn hold(&mut self, repository: &RepositoryHistory) {
        let own = self.images.clone();
        let mut known = vec![None; own.len()];
        for at in 0..own.len() {
            if let Some(image_forecast) = &mut self.images[at] {
                image_forecast.eligible_at = free_at(at, repository, &own, &mut known, NESTED_MAX);
            }
        }
    }
}

/// When neither its rule nor an index keeps the image any more. `known` holds the results so far.
fn free_at(
    at: usize,
    repository: &RepositoryHistory,
    own: &[Option<ImageForecast>],
    known: &mut [Option<Option<i64>>],
    depth: usize,
) -> Option<i64> {
    if let Some(known) = known[at] {
        return known;
    }
    let image = &repository.images[at];
    let mut free = own[at]
        .and_then(|image_forecast| image_forecast.eligible_at)
        .filter(|_| !repository.is_held_unseen(image));
    for parent in repository.holders(image.digest) {
        let parent = if depth == 0 { None } else { free_at(parent, repository, own, known, depth - 1) };
        free = free.zip(parent).map(|(free, parent)| free.max(parent));
    }
    known[at] = Some(free);
    free
}

/// The storage class that the image is in; `None` if it is gone, or if its tags are not known.
fn class(image: &Image) -> Option<StorageClass> {
    match image.state {
        ImageState::Tagged | ImageState::Untagged => Some(StorageClass::Standard),
        ImageState::Archived => Some(StorageClass::Archive),
        _ => None,
    }
}

fn tags<'h>(history: &'h History, image: &Image) -> Vec<&'h str> {
    image.tags.iter().map(|(tag, _)| history.text(*tag)).collect()
}

fn life(image: &Image) -> &[Step] {
    image.steps.get(image.life_start as usize..).unwrap_or_default()
}

fn seen<'t>(
    history: &History,
    repository: &RepositoryHistory,
    image: &Image,
    class: StorageClass,
    tags: &'t [&'t str],
) -> Seen<'t> {
    let time = |step: &Step| history.time(step.event).millis();
    Seen {
        tags,
        class,
        pushed_at: image.pushed_at,
        there_at: image.pushed_at.or_else(|| life(image).first().map(time)).unwrap_or(i64::MAX),
        pulled_at: pulled_at(history, image, |caller| caller.is_recorded() == Some(true))
            .map(|(at, _)| at)
            .max(image.pull_shown),
        restored_at: restored_at(history, image),
        archived_at: image.gone_at.filter(|_| class == StorageClass::Archive),
        held: repository.is_held(image.digest),
    }
}

/// The last recorded pull in this life, and its event; `counts` says whether ECR records a pull by such a
/// caller.
fn pulled_at(history: &History, image: &Image, counts: impl Fn(Caller) -> bool) -> Option<(i64, EventNo)> {
    let mut last: Option<(i64, EventNo)> = None;
    for step in life(image).iter().filter(|step| step.kind == StepKind::Pull && counts(step.caller)) {
        let pull = history.time(step.event).millis();
        if records_pull(last.map(|(at, _)| at), pull) {
            last = Some((pull, step.event));
        }
    }
    last
}

/// When the rule takes the image if pulls by unclear callers count, if that makes a difference.
fn unclear(history: &History, image: &Image, rule: Option<&Rule>, seen: &Seen<'_>) -> Option<Unclear> {
    let rule = rule.filter(|rule| matches!(rule.count, Count::Since(Clock::Pulled, _)))?;
    let (at, pull) = pulled_at(history, image, |caller| caller.is_recorded() != Some(false))?;
    let ripe = rule.ripe_at(&Seen { pulled_at: Some(at), ..*seen })?;
    (Some(ripe) != rule.ripe_at(seen)).then_some(Unclear { eligible_at: ripe, pull })
}

fn restored_at(history: &History, image: &Image) -> Option<i64> {
    let step = life(image)
        .iter()
        .rev()
        .find(|step| step.kind == StepKind::Restore)
        .map(|step| history.time(step.event).millis());
    // A push, too, takes an image out of the archive.
    let ended = image
        .losses
        .iter()
        .rev()
        .find(|loss| loss.end == End::Archived && loss.first_step == image.life_start);
    step.max(ended.and_then(|loss| loss.back_at))
}

/// Since when the image has belonged to the rule: it has the tags for this rule, and has none (any more)
/// for a rule above.
fn belongs_since(history: &History, image: &Image, policy: &Policy, rule: &Rule) -> i64 {
    let given = |event: EventNo| event.some().map_or(i64::MIN, |event| history.time(event).millis());
    let by_tags = match &rule.tags {
        Tags::Untagged => image.untagged_at.unwrap_or(i64::MIN),
        Tags::Tagged { prefixes, patterns } => {
            let since = |alone: Tags| {
                let fitting = image.tags.iter().filter(|(tag, _)| alone.speaks_of(history.text(*tag)));
                fitting.map(|(_, event)| given(*event)).min().unwrap_or(i64::MIN)
            };
            let prefix = |prefix: &String| {
                since(Tags::Tagged { prefixes: vec![prefix.clone()], patterns: Vec::new() })
            };
            let pattern = |pattern: &String| {
                since(Tags::Tagged { prefixes: Vec::new(), patterns: vec![pattern.clone()] })
            };
            prefixes.iter().map(prefix).chain(patterns.iter().map(pattern)).max().unwrap_or(i64::MIN)
        }
        Tags::Any | Tags::Unknown => i64::MIN,
    };
    let above =
        policy.rules().iter().filter(|other| other.priority < rule.priority && other.class == rule.class);
    let protecting: Vec<&Tags> = above.map(|other| &other.tags).collect();
    let lost = life(image).iter().rev().find(|step| {
        let taken = matches!(step.kind, StepKind::TagLost | StepKind::Untag) && step.tag.is_some();
        taken && protecting.iter().any(|tags| tags.speaks_of(history.text(step.tag)))
    });
    let unprotected = lost.map_or(i64::MIN, |step| history.time(step.event).millis());
    let archived = image.gone_at.filter(|_| rule.class == StorageClass::Archive).unwrap_or(i64::MIN);
    by_tags.max(unprotected).max(archived).max(restored_at(history, image).unwrap_or(i64::MIN))
}
