//! Finds the push that displaced an image which had been pushed before the logs begin.
//!
//! The expiry of such an image lists it as untagged, and no event tells which push took its tag. There are
//! only pushes of tags whose previous holder is not in the logs ("openings"). A push displaces at most one
//! image. So if exactly one opening fits one such image, and the other way round, that push took its tag.
//! If several fit, or if the image may have lost its tag before the logs begin, nothing is concluded. Of
//! several pushes in one second whose order is unknown, any may have taken the tag: that is `ambiguous`.

use super::fact::Noted;
use super::image::{Displacement, End, Image, Loss, RunFacts, Step};
use super::names::{EventNo, Names, PolicyNo, Sym};
use super::replay::{Opening, RepositoryHistory};
use super::tags::{AskKind, TagSpan};
use crate::model::{Caller, DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS, Order, StepKind, TagEnd, UntaggedBy};
use crate::policy::{Clock, Count};

/// Adds a displacement to the images for which the logs leave only one possibility.
///
/// `begins`: when the logs of the repository begin, in milliseconds.
pub(super) fn match_openings(state: &mut RepositoryHistory, begins: i64, events: &[Noted], strings: &Names) {
    if state.openings.is_empty() {
        return;
    }
    let orphans: Vec<(usize, usize)> =
        state.images.iter().enumerate().flat_map(|(at, image)| orphaned(at, image, state)).collect();
    let fitting: Vec<Vec<usize>> = orphans
        .iter()
        .map(|&(at, loss)| {
            fitting_openings(
                &state.images[at],
                &state.images[at].losses[loss],
                state,
                begins,
                events,
                strings,
            )
        })
        .collect();
    for (orphan, openings) in orphans.iter().zip(&fitting) {
        let [opening] = openings[..] else { continue };
        let rivals = fitting.iter().filter(|other| other.contains(&opening)).count();
        if rivals == 1 {
            let opening = state.openings[opening];
            displace(&mut state.images[orphan.0], orphan.1, opening, events);
            had_before(state, orphan.0, opening, events);
        }
    }
}

/// Losses of an image from before the logs that was expired without a tag for no known reason.
fn orphaned(at: usize, image: &Image, state: &RepositoryHistory) -> Vec<(usize, usize)> {
    // An image that a run could not take is listed by an index, in the logs or not, and is not an orphan.
    let held = |loss: &Loss| steps_of(image, loss).iter().any(|step| step.kind == StepKind::ExpireFailed);
    let unexplained = |loss: &Loss| {
        let untagged = loss.run.as_ref().is_some_and(|run| run.tags.is_empty());
        loss.end == End::Expired
            && loss.open_start
            && loss.displaced.is_none()
            && loss.untagged_by.is_none()
            && untagged
            && !held(loss)
    };
    if state.parents.contains_key(&image.digest) {
        return Vec::new();
    }
    image
        .losses
        .iter()
        .enumerate()
        .filter(|(_, loss)| unexplained(loss))
        .map(|(index, _)| (at, index))
        .collect()
}

fn fitting_openings(
    image: &Image,
    loss: &Loss,
    state: &RepositoryHistory,
    begins: i64,
    events: &[Noted],
    strings: &Names,
) -> Vec<usize> {
    let life = steps_of(image, loss);
    let named = named_under(life);
    let time = |step: &Step| events[step.event.index()].time;
    // While the image was archived no rule looked at it, tagged or not.
    let restored =
        life.iter().filter(|step| step.kind == StepKind::Restore).map(time).max().unwrap_or(i64::MIN);
    let age = loss
        .run
        .as_ref()
        .and_then(|run| age_in_days(run, strings))
        .map(|days| days.saturating_mul(DAY_MILLIS));
    let past = Past { runs: &state.runs, begins, events, restored, age, had_a_name: !named.is_empty() };
    let untagged = seen_untagged(loss, life, events);
    let fits = |opening: &Opening| {
        opening.at <= untagged
            && loss.pushed_at.is_none_or(|pushed| pushed <= opening.at)
            && opening.digest != image.digest
            // A reference by name tells which tag it had, but not until when.
            && (named.is_empty() || named.contains(&opening.tag))
            && had_a_tag(loss, opening.at, &past)
    };
    state.openings.iter().enumerate().filter(|(_, opening)| fits(opening)).map(|(index, _)| index).collect()
}

/// The steps of the life that ended with the loss, and the requests for the image until it came back.
fn steps_of<'i>(image: &'i Image, loss: &Loss) -> &'i [Step] {
    let end = (loss.next_life_step as usize).min(image.steps.len());
    image.steps.get(loss.first_step as usize..end).unwrap_or_default()
}

/// When a run first saw the image without a tag: pushes after that did not take its last one.
fn seen_untagged(loss: &Loss, life: &[Step], events: &[Noted]) -> i64 {
    let bare = |step: &&Step| step.kind == StepKind::Archive && step.tag.is_none();
    let first = life.iter().find(bare).map_or(loss.at, |step| events[step.event.index()].time);
    first.min(loss.at)
}

/// A push so soon after the image's own push is taken for the one that displaced it, in milliseconds.
const SOON_MILLIS: i64 = 10 * MINUTE_MILLIS;
/// A run comes within a day of the moment from which an image may be taken (ECR User Guide); one hour more
/// allows for clocks.
const RUN_MILLIS: i64 = DAY_MILLIS + HOUR_MILLIS;

/// What came before a push, to decide whether an image still had a tag then.
struct Past<'p> {
    runs: &'p [(EventNo, PolicyNo)],
    events: &'p [Noted],
    /// When the logs of the repository begin.
    begins: i64,
    /// When the image was last restored from the archive.
    restored: i64,
    /// The age at which the rule that took the image takes images, if it goes by the age since the push.
    age: Option<i64>,
    /// It was deployed under a tag, so it is not merely an image of an index from before the logs.
    had_a_name: bool,
}

/// Whether the image must have had a tag until `at`, so that it cannot have lost it before the logs begin.
/// That is so
/// - if it was pushed just before;
/// - if an earlier run with the same rules did not take it although it was old enough: then it had a tag at
///   that time;
/// - if it had a tag at some time, and was old enough long before it was taken: then it lost its tag within
///   the last day, which is in the logs.
fn had_a_tag(loss: &Loss, at: i64, past: &Past<'_>) -> bool {
    let (Some(pushed), Some(run)) = (loss.pushed_at, &loss.run) else { return false };
    let left_alone = |old_enough: i64| {
        past.runs.iter().any(|&(event, policy)| {
            let ran = past.events[event.index()].time;
            policy == run.policy && ran < at && old_enough < ran && past.restored < ran
        })
    };
    let day_before = loss.at - RUN_MILLIS;
    let taken_at_last = |old_enough: i64| {
        past.had_a_name
            && old_enough.max(past.restored) < day_before
            && day_before <= at
            && past.begins <= day_before
    };
    let shown_by_age =
        |age: i64| left_alone(pushed.saturating_add(age)) || taken_at_last(pushed.saturating_add(age));
    at - pushed <= SOON_MILLIS || past.age.is_some_and(shown_by_age)
}

/// The age at which the rule takes images, in days, if it goes by the age since the push.
fn age_in_days(run: &RunFacts, strings: &Names) -> Option<i64> {
    let rule = strings.policy_of(run.policy).rule(run.rule_priority)?;
    if let Count::Since(Clock::Pushed, days) = rule.count { Some(days) } else { None }
}

/// Tags under which tasks named this digest (`repo:tag@sha256:…`).
fn named_under(life: &[Step]) -> Vec<Sym> {
    let names = |step: &&Step| {
        matches!(step.kind, StepKind::Referenced | StepKind::TaskStopped) && step.tag.is_some()
    };
    life.iter().filter(names).map(|step| step.tag).collect()
}

/// The tag was on that image before the push that the logs have first.
fn had_before(state: &mut RepositoryHistory, at: usize, opening: Opening, events: &[Noted]) {
    let (digest, pushed_at) = (state.images[at].digest, state.images[at].pushed_at);
    let Some(life) = state.tag_lives.get_mut(&opening.tag) else { return };
    let Some(place) = life.spans.iter().position(|span| span.since == opening.event) else { return };
    let mut span =
        TagSpan::new(digest, EventNo::NONE, i64::MIN, pushed_at, opening.order.max(Order::Inferred));
    (span.until, span.end, span.ended_by, span.moved_to) =
        (opening.at, Some(TagEnd::Moved), opening.event, opening.digest);
    life.spans.insert(place, span);
    // What asked for it until then was answered, from when the image came on.
    let before = |event: EventNo| pushed_at.is_some_and(|pushed| events[event.index()].time < pushed);
    life.asks.retain(|ask| ask.in_vain && (ask.kind != AskKind::Pull || before(ask.event)));
}

fn displace(image: &mut Image, loss: usize, opening: Opening, events: &[Noted]) {
    let at = image
        .steps
        .iter()
        .position(|step| events[step.event.index()].time > opening.at)
        .unwrap_or(image.steps.len());
    let lost = Step {
        event: opening.event,
        tag: opening.tag,
        other: opening.digest,
        kind: StepKind::TagLost,
        order: opening.order.max(Order::Inferred),
        denied: false,
        caller: Caller::Client,
        missing: false,
    };
    image.steps.insert(at, lost);
    let step = u32::try_from(at).unwrap_or(u32::MAX);
    for loss in &mut image.losses {
        loss.end_step += u32::from(loss.end_step >= step);
        loss.next_life_step = loss.next_life_step.saturating_add(u32::from(loss.next_life_step >= step));
    }
    image.life_start += u32::from(image.life_start > step);
    let last = loss + 1 == image.losses.len();
    let loss = &mut image.losses[loss];
    loss.untagged_at = Some(opening.at);
    loss.untagged_by = Some(UntaggedBy::Displaced);
    loss.displaced = Some(Box::new(Displacement {
        tag: opening.tag,
        first_push: EventNo::NONE,
        second_push: opening.event,
        by: opening.digest,
        by_child: false,
        order: opening.order.max(Order::Inferred),
        at: opening.at,
        step,
    }));
    if last && image.is_gone() {
        image.untagged_at = Some(opening.at);
        image.untagged_by = Some(UntaggedBy::Displaced);
    }
}
