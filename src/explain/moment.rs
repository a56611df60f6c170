//! The moment that a question is about, and what existed at that moment.
//!
//! What counts is what existed when the pull failed: an image may have come, or come back, since. In
//! CloudTrail a request for a missing image looks like any other pull, so whether it failed is told by what
//! existed then.

use super::{About, Case};
use crate::model::{Basis, HOUR_MILLIS, Moment, StepKind, TagEnd, Timestamp};
use crate::timeline::{
    Ask, AskKind, End, EventNo, Image, Loss, RepositoryHistory, Step, Sym, TagLife, TagSpan,
};

/// A pull so soon before the first push in the logs is taken to have failed, unless something else shows
/// that it did not.
const BEFORE_PUSH_MILLIS: i64 = HOUR_MILLIS;

/// The moment that an answer is about, in milliseconds; `i64::MAX` for the end of the logs.
#[derive(Debug, Clone, Copy)]
pub struct When {
    pub at: i64,
    pub basis: Basis,
    pub event: EventNo,
}

impl When {
    pub const END: Self = Self { at: i64::MAX, basis: Basis::End, event: EventNo::NONE };
}

/// What the logs say about that moment.
#[derive(Clone, Copy)]
pub enum Presence<'h> {
    /// It existed, as far as the logs show.
    There(&'h Image),
    /// It was gone or archived.
    Lost(&'h Image, &'h Loss),
    /// It did not exist yet; for a question about a tag, with the span that began later.
    Early(&'h Image, Option<&'h TagSpan>),
    /// The tag was on no image, and had not been lost with its image.
    TagGone(&'h Image, &'h TagSpan),
    /// Its repository was created again, and the deletion is not in the logs.
    Vanished(&'h Image, EventNo),
}

impl<'h> Presence<'h> {
    /// Since when it has been missing, in milliseconds; `None` if it exists.
    pub fn absent_since(self, case: Case<'_>) -> Option<i64> {
        match self {
            Self::There(_) => None,
            Self::Lost(_, loss) => Some(loss.at),
            Self::TagGone(_, span) => Some(span.until),
            Self::Vanished(_, created) => Some(case.time(created)),
            Self::Early(..) => Some(i64::MIN),
        }
    }

    pub fn image(self) -> &'h Image {
        match self {
            Self::There(image)
            | Self::Lost(image, _)
            | Self::Early(image, _)
            | Self::TagGone(image, _)
            | Self::Vanished(image, _) => image,
        }
    }
}

/// The moment that the question is about, as far as this repository tells.
pub fn of(case: Case<'_>, repository: &RepositoryHistory) -> When {
    if let Some(at) = case.question.at {
        return When { at: at.millis(), basis: Basis::Asked, event: EventNo::NONE };
    }
    let failed = case
        .question
        .failed
        .then(|| failures(case, repository).into_iter().max_by_key(|event| case.time(*event)))
        .flatten();
    failed.map_or(When::END, |event| When { at: case.time(event), basis: Basis::FailedPull, event })
}

/// Pulls that failed, and tasks that stopped, for what the question is about; in no particular order.
pub fn failures(case: Case<'_>, repository: &RepositoryHistory) -> Vec<EventNo> {
    if let Some(digest) = case.question.about.digest() {
        let image = case.history.find_digest(&digest).and_then(|digest| repository.image(digest));
        return image.map(|image| of_image(case, repository, image, |_| true)).unwrap_or_default();
    }
    let Some(tag) = case.asked_tag() else { return Vec::new() };
    let mut all: Vec<EventNo> = repository
        .images
        .iter()
        .flat_map(|image| of_image(case, repository, image, |step| step.tag == tag))
        .collect();
    if let Some(life) = repository.tag_lives.get(&tag) {
        all.extend(life.asks.iter().filter(|ask| was_in_vain(case, life, ask)).map(|ask| ask.event));
    }
    all
}

fn of_image(
    case: Case<'_>,
    repository: &RepositoryHistory,
    image: &Image,
    asked: impl Fn(&Step) -> bool,
) -> Vec<EventNo> {
    let first = first_push(image);
    let fails = |(at, step): &(usize, &Step)| match step.kind {
        StepKind::PullFailed | StepKind::TaskStopped => true,
        StepKind::Pull => {
            loss_at_step(image, *at).is_some()
                || first.is_some_and(|first| before_push(case, repository, image, first, *at))
        }
        _ => false,
    };
    image
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| asked(step))
        .filter(fails)
        .map(|(_, step)| step.event)
        .collect()
}

/// The loss during which the step at index `at` happened.
fn loss_at_step(image: &Image, at: usize) -> Option<&Loss> {
    image.losses.iter().rfind(|loss| (loss.end_step as usize) < at && at < loss.next_life_step as usize)
}

/// Whether the step at index `at` asked for the image before its first push: certainly if the repository
/// was created in the logs, and probably if the push came soon after.
fn before_push(
    case: Case<'_>,
    repository: &RepositoryHistory,
    image: &Image,
    push: usize,
    at: usize,
) -> bool {
    if at >= push {
        return false;
    }
    let (asked, pushed) = (case.time(image.steps[at].event), case.time(image.steps[push].event));
    let created = || repository.creations.iter().any(|event| case.time(*event) <= asked);
    pushed >= asked && (pushed - asked <= BEFORE_PUSH_MILLIS || created())
}

pub fn is_push(step: &Step) -> bool {
    matches!(step.kind, StepKind::Push | StepKind::Replicate)
}

fn first_push(image: &Image) -> Option<usize> {
    image.steps.iter().position(is_push)
}

fn was_in_vain(case: Case<'_>, life: &TagLife, ask: &Ask) -> bool {
    let at = case.time(ask.event);
    let soon = || life.after(at).is_some_and(|next| next.from.saturating_sub(at) <= BEFORE_PUSH_MILLIS);
    ask.in_vain || (ask.kind == AskKind::Pull && soon())
}

/// What existed at that moment of what the question is about; `None` if the logs know nothing of it.
pub fn presence<'h>(case: Case<'h>, repository: &'h RepositoryHistory, when: When) -> Option<Presence<'h>> {
    match case.question.about.digest() {
        Some(digest) => {
            Some(of_digest(case, repository, repository.image(case.history.find_digest(&digest)?)?, when))
        }
        None if matches!(case.question.about, About::Digest(_) | About::Beginning) => None,
        None => of_tag(repository, case.asked_tag()?, when),
    }
}

fn of_digest<'h>(
    case: Case<'h>,
    repository: &'h RepositoryHistory,
    image: &'h Image,
    when: When,
) -> Presence<'h> {
    if when.basis == Basis::End {
        return match (
            image.losses.last().filter(|_| image.gone_at.is_some()),
            vanished(case, repository, image, when),
        ) {
            (Some(loss), _) => Presence::Lost(image, loss),
            (None, Some(created)) => Presence::Vanished(image, created),
            (None, None) => Presence::There(image),
        };
    }
    let by_step =
        image.steps.iter().position(|step| step.event == when.event).and_then(|at| loss_at_step(image, at));
    let by_time = || image.losses.iter().rfind(|loss| loss.at <= when.at && when.at < loss.until);
    if let Some(loss) = by_step.or_else(by_time) {
        return Presence::Lost(image, loss);
    }
    let early =
        first_push(image).filter(|push| case.time(image.steps[*push].event) > when.at).filter(|push| {
            let known_before = image.steps[..*push].iter().any(|step| {
                !matches!(
                    step.kind,
                    StepKind::Pull
                        | StepKind::PullFailed
                        | StepKind::PushFailed
                        | StepKind::Referenced
                        | StepKind::TaskStopped
                )
            });
            !known_before && image.losses.first().is_none_or(|loss| loss.at > when.at)
        });
    match (early, vanished(case, repository, image, when)) {
        (Some(_), _) => Presence::Early(image, None),
        (None, Some(created)) => Presence::Vanished(image, created),
        (None, None) => Presence::There(image),
    }
}

/// The event that created the repository again, since which the image is missing.
fn vanished(case: Case<'_>, repository: &RepositoryHistory, image: &Image, when: When) -> Option<EventNo> {
    let seen = image.steps.iter().filter(|step| is_push(step)).map(|step| case.time(step.event)).max()?;
    let created = repository
        .creations
        .iter()
        .copied()
        .find(|event| case.time(*event) > seen && case.time(*event) <= when.at);
    created.filter(|_| image.vanished)
}

fn of_tag<'h>(repository: &'h RepositoryHistory, tag: Sym, when: When) -> Option<Presence<'h>> {
    let life = repository.tag_lives.get(&tag)?;
    let at_end = when.basis == Basis::End;
    let open = if at_end { life.open() } else { life.at(when.at) };
    // A pull in the very second in which the tag was lost: by what the replay decided.
    let in_vain = life.asks.iter().any(|ask| ask.event == when.event && when.event.is_some());
    if let Some(span) = open.filter(|_| !in_vain) {
        let image = repository.image(span.digest)?;
        let archived = |loss: &&Loss| {
            loss.end == End::Archived
                && if at_end { loss.until == i64::MAX } else { loss.at <= when.at && when.at < loss.until }
        };
        let by_step = image
            .steps
            .iter()
            .position(|step| step.event == when.event)
            .and_then(|at| loss_at_step(image, at));
        return Some(match by_step.or_else(|| image.losses.iter().rfind(archived)) {
            Some(loss) => Presence::Lost(image, loss),
            None => Presence::There(image),
        });
    }
    let before = if at_end { life.spans.last() } else { life.before(when.at) };
    if let Some(span) = before {
        let image = repository.image(span.digest)?;
        let with_it = |loss: &&Loss| {
            loss.event == span.ended_by && loss.at == span.until && span.end != Some(TagEnd::NotLogged)
        };
        return Some(match image.losses.iter().find(with_it) {
            Some(loss) => Presence::Lost(image, loss),
            None if span.end == Some(TagEnd::RepositoryDeleted) => Presence::Vanished(image, span.ended_by),
            None => Presence::TagGone(image, span),
        });
    }
    let next = life.after(when.at)?;
    Some(Presence::Early(repository.image(next.digest)?, Some(next)))
}

/// The moment as it is shown, with what existed then.
pub fn shown(case: Case<'_>, when: When, presence: Option<Presence<'_>>) -> Moment {
    let end = case.coverage.last_event_time;
    let at = if when.basis == Basis::End { end } else { Some(Timestamp::from_millis(when.at)) };
    let (tag, digest) = match presence {
        None => (None, None),
        Some(Presence::There(image)) => {
            (Some(true), (image.state != crate::model::ImageState::Unknown).then_some(true))
        }
        Some(Presence::Lost(_, loss)) => {
            let back = loss.back_at.is_some_and(|back| back <= when.at) && when.basis != Basis::End;
            (Some(loss.end == End::Archived), Some(loss.end == End::Archived || back))
        }
        Some(Presence::Early(..) | Presence::Vanished(..)) => (Some(false), Some(false)),
        // A tag that something took without an event may be on an image that the logs do not know.
        Some(Presence::TagGone(image, span)) => {
            ((span.end != Some(TagEnd::NotLogged)).then_some(false), Some(!image.is_gone()))
        }
    };
    // A tag beside a digest may be elsewhere: only for a question about a tag alone was the tag looked up.
    let by_tag = case.question.about.digest().is_none() && case.question.about.tag().is_some();
    Moment {
        at,
        basis: when.basis,
        event: case.event(when.event).pop(),
        tag_existed: tag.filter(|_| by_tag),
        digest_existed: digest,
    }
}

/// "The pull of 2026-02-01T10:05:00Z by ARN", for a moment that has an event.
pub fn the_pull(case: Case<'_>, when: When) -> Option<String> {
    let event = when.event.some()?;
    let by = crate::detect::who(case.history, event);
    let is_task = case.history.noted(event).name != Sym::NONE
        && !matches!(
            case.history.text(case.history.noted(event).name),
            "BatchGetImage" | "GetDownloadUrlForLayer"
        );
    let what = if is_task { "The task that stopped at" } else { "The pull of" };
    let by = if is_task { String::new() } else { format!(" by {by}") };
    Some(format!("{what} {}{by}", case.history.time(event)))
}
