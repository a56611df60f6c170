//! Images that are most likely gone although no event shows their end. ECR deletes a reference artifact
//! within a day after the image that it is about, and deletes copies of an image where the replication rule
//! replicates deletions (ECR User Guide).
//!
//! How either is logged is not documented, so no such event is waited for. Anything that shows the image to
//! exist later (a push, a tag, a run that mentions it) shows that it did not go; a pull does not show that.

mod copies;
mod listed;

use super::bytes::push_one;
use super::fact::Noted;
use super::image::{End, Image, Loss, Step};
use super::names::{DigestNo, EventNo, Names, RepositoryNo, Sym};
use super::registry::Registries;
use super::replay::{RepositoryHistory, TagState};
use super::tags::{Ask, AskKind, TagLife};
use crate::model::{DAY_MILLIS, ImageState, StepKind, TagEnd};
use copies::Copies;

/// What the end of an image is concluded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// The image that this artifact is about was lost.
    Subject(DigestNo),
    /// The image with the same digest was deleted in the source repository, which replicates deletions
    /// since the event `set_up`.
    Source { repository: RepositoryNo, set_up: EventNo },
}

/// Signatures of signatures are followed to this depth.
const NESTED_MAX: usize = 4;

/// Adds the ends that no event shows; the evidence ends at `evidence_ends`, in milliseconds.
pub(super) fn presume(
    repositories: &mut [RepositoryHistory],
    registries: &Registries,
    events: &[Noted],
    names: &Names,
    evidence_ends: i64,
) {
    if registries.deletes_any_copies() {
        let copies = Copies::new(repositories, registries, names);
        for removal in removals(repositories, &copies, events) {
            removal.apply(&mut repositories[removal.repository], events);
        }
        for (repository, at, loss) in with_sources(repositories, &copies, events) {
            end(&mut repositories[repository], at, loss, events);
        }
        listed::explain_copies(repositories, &copies, events);
    }
    for (number, repository) in
        repositories.iter_mut().enumerate().filter(|(_, repository)| !repository.artifacts.is_empty())
    {
        for _ in 0..NESTED_MAX {
            let explained = listed::explain_artifacts(repository, number, events);
            let ends = artifacts(repository, events, evidence_ends);
            if ends.is_empty() && !explained {
                break;
            }
            ends.into_iter().for_each(|(at, loss)| end(repository, at, loss, events));
        }
    }
}

/// A tag that a call removed at the source, and that is removed from the copy, too.
struct Removal {
    /// Indexes of the copy's repository and image.
    repository: usize,
    image: usize,
    tag: Sym,
    call: EventNo,
    at: i64,
}

/// Tags of copies that a call removed at their sources, while the source images stayed.
fn removals(repositories: &[RepositoryHistory], copies: &Copies<'_>, events: &[Noted]) -> Vec<Removal> {
    let taken = |image: &Image, step: &Step| {
        step.kind == StepKind::Untag
            && step.tag.is_some()
            && !image.losses.iter().any(|loss| loss.event == step.event)
    };
    let mut found = Vec::new();
    for source in repositories {
        for (image, step) in source.images.iter().flat_map(|image| {
            image.steps.iter().filter(move |step| taken(image, step)).map(move |step| (image, step))
        }) {
            let at = events[step.event.index()].time;
            let before = |given: EventNo| given.some().is_none_or(|given| events[given.index()].time <= at);
            for copy in copies.of(repositories, source, image.digest, at) {
                let tags = &repositories[copy.repository].images[copy.image].tags;
                if tags.len() > 1 && tags.iter().any(|(tag, given)| *tag == step.tag && before(*given)) {
                    found.push(Removal {
                        repository: copy.repository,
                        image: copy.image,
                        tag: step.tag,
                        call: step.event,
                        at,
                    });
                }
            }
        }
    }
    found
}

impl Removal {
    /// Requests for the tag after the removal were in vain.
    fn apply(&self, repository: &mut RepositoryHistory, events: &[Noted]) {
        let image = &mut repository.images[self.image];
        image.tags.retain(|(tag, _)| *tag != self.tag);
        repository.tags.insert(self.tag, TagState { holder: None, last_holder: None });
        let life = repository.tag_lives.entry(self.tag).or_default();
        life.close(image.digest, self.at, self.call, TagEnd::Removed, DigestNo::NONE);
        recount(life, self.tag, image, events);
        let asks = |step: &&Step| {
            step.tag == self.tag
                && step.kind == StepKind::Pull
                && step.caller.needs()
                && events[step.event.index()].time > self.at
        };
        for step in image.steps.iter().filter(asks) {
            life.ask(Ask { event: step.event, kind: AskKind::Pull, by: Sym::NONE, in_vain: true });
        }
    }
}

/// Counts the pulls by the tag again for its last span, which now has an end.
fn recount(life: &mut TagLife, tag: Sym, image: &Image, events: &[Noted]) {
    let Some(span) = life.spans.last_mut() else { return };
    let time = |event: EventNo| events[event.index()].time;
    let counts = |step: &&Step| step.kind == StepKind::Pull && step.tag == tag && step.caller.needs();
    let (from, until) = (span.from, span.until);
    let mut pulls = image
        .steps
        .iter()
        .filter(counts)
        .map(|step| step.event)
        .filter(|event| (from..=until).contains(&time(*event)));
    span.first_pull = pulls.next().unwrap_or(EventNo::NONE);
    let (rest, last) = pulls.fold((0, span.first_pull), |(count, _), event| (count + 1, event));
    (span.pulls, span.last_pull) = (rest + u32::from(span.first_pull.is_some()), last);
}

/// Copies whose sources were deleted: index of the repository, index of the image, and the presumed end.
fn with_sources(
    repositories: &[RepositoryHistory],
    copies: &Copies<'_>,
    events: &[Noted],
) -> Vec<(usize, usize, Loss)> {
    let mut ends = Vec::new();
    for (source, loss, copy) in copies.of_losses(repositories) {
        let image = &repositories[copy.repository].images[copy.image];
        if is_there_and_silent(image, loss.at, loss.at, events) {
            let because = Because::Source { repository: source.repository, set_up: copy.set_up };
            ends.push((copy.repository, copy.image, presumed(image, loss, loss.at, because, events)));
        }
    }
    // If there are several sources, the first that was deleted counts.
    ends.sort_by_key(|(number, at, loss)| (*number, *at, loss.at));
    ends.dedup_by_key(|(number, at, _)| (*number, *at));
    ends
}

/// Artifacts whose subject was lost.
///
/// A list that still shows one within the day says nothing against its end, except where the evidence ends
/// within that day, too: then the artifact is there at its end.
fn artifacts(repository: &RepositoryHistory, events: &[Noted], evidence_ends: i64) -> Vec<(usize, Loss)> {
    let mut ends = Vec::new();
    for (at, image) in repository.images.iter().enumerate() {
        let Some(loss) = subject_loss(repository, image) else { continue };
        let due = loss.at.saturating_add(DAY_MILLIS);
        let listed_until = if due <= evidence_ends { due } else { loss.at };
        if is_there_and_silent(image, loss.at, listed_until, events) {
            ends.push((at, presumed(image, loss, due, Because::Subject(image.subject), events)));
        }
    }
    ends
}

/// The end of an artifact's subject. A list without the subject, or the deletion of the repository, show
/// directly whether the artifact exists, so nothing is concluded from these.
fn subject_loss<'r>(repository: &'r RepositoryHistory, artifact: &Image) -> Option<&'r Loss> {
    let loss = repository.image(artifact.subject.some()?)?.losses.last()?;
    let tells_all = matches!(loss.end, End::RepositoryDeleted | End::NotListed);
    (loss.back_at.is_none() && !tells_all).then_some(loss)
}

/// The place of the last step of an image until that moment.
fn last_step_until(image: &Image, at: i64, events: &[Noted]) -> u32 {
    let before = image.steps.iter().take_while(|step| events[step.event.index()].time <= at).count();
    u32::try_from(before.saturating_sub(1)).unwrap_or(u32::MAX)
}

/// Whether the image existed at that moment and no later event shows that it still does. A list may show it
/// until `listed_until`.
fn is_there_and_silent(image: &Image, at: i64, listed_until: i64, events: &[Noted]) -> bool {
    let shows = |kind: StepKind| {
        !matches!(
            kind,
            StepKind::Pull
                | StepKind::PullFailed
                | StepKind::Referenced
                | StepKind::TaskStopped
                | StepKind::PushFailed
                | StepKind::DeleteFailed
                // Another push took the tag later; whether the image still had it at that moment is the
                // question here.
                | StepKind::TagLost
        )
    };
    let there = matches!(image.state, ImageState::Tagged | ImageState::Untagged)
        && image.pushed_at.is_none_or(|pushed| pushed <= at);
    let from = |kind: StepKind| if kind == StepKind::Seen { listed_until } else { at };
    there
        && !image
            .steps
            .iter()
            .any(|step| shows(step.kind) && events[step.event.index()].time > from(step.kind))
}

/// The tags that the image had at that moment, as was known then, and that later pushes took; each with the
/// event that gave it.
fn moved_later(image: &Image, at: i64, events: &[Noted]) -> Vec<(Sym, EventNo)> {
    let lost = image
        .steps
        .iter()
        .filter(|step| step.kind == StepKind::TagLost && events[step.event.index()].time > at);
    let given = |tag: Sym| {
        let push =
            |step: &&Step| matches!(step.kind, StepKind::Push | StepKind::Replicate) && step.tag == tag;
        image.steps.iter().find(push).map_or(EventNo::NONE, |step| step.event)
    };
    lost.map(|step| (step.tag, given(step.tag))).filter(|(tag, _)| !image.has_tag(*tag)).collect()
}

fn presumed(image: &Image, by: &Loss, at: i64, because: Because, events: &[Noted]) -> Loss {
    let mut tags = image.tags.clone();
    tags.extend(moved_later(image, at, events));
    let had_none = image.untagged_at.filter(|untagged| *untagged <= at);
    Loss {
        end: by.end,
        event: by.event,
        at,
        order: by.order,
        tags,
        displaced: image.displaced.clone().filter(|displaced| displaced.at <= at),
        run: None,
        presumed: Some(because),
        pushed_at: image.pushed_at,
        untagged_at: had_none,
        untagged_by: image.untagged_by.filter(|_| had_none.is_some()),
        open_start: image.open_start && image.lives == 1,
        first_step: image.life_start,
        end_step: 0,
        next_life_step: u32::MAX,
        until: i64::MAX,
        asked_later: Vec::new(),
        back_at: None,
    }
}

/// Marks the image as no longer there.
fn end(repository: &mut RepositoryHistory, at: usize, mut loss: Loss, events: &[Noted]) {
    for (tag, _) in &loss.tags {
        if let Some(state) = repository.tags.get_mut(tag)
            && state.holder == Some(at)
        {
            *state = TagState { holder: None, last_holder: Some(at) };
            let life = repository.tag_lives.entry(*tag).or_default();
            life.close(
                repository.images[at].digest,
                loss.at,
                loss.event,
                TagEnd::LostWithImage,
                DigestNo::NONE,
            );
            recount(life, *tag, &repository.images[at], events);
        } else if let Some(life) = repository.tag_lives.get_mut(tag)
            && let Some(span) = life.spans.iter_mut().find(|span| {
                span.digest == repository.images[at].digest && (span.from..span.until).contains(&loss.at)
            })
        {
            // The push that took the tag later took it from no image.
            (span.until, span.end, span.ended_by, span.moved_to) =
                (loss.at, Some(TagEnd::LostWithImage), loss.event, DigestNo::NONE);
        }
    }
    let image = &mut repository.images[at];
    loss.end_step = last_step_until(image, loss.at, events);
    image.gone_at = Some(loss.at);
    image.state = ImageState::Unknown;
    image.is_there = false;
    image.displaced = None;
    push_one(&mut image.losses, loss);
}
