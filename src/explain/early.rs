//! The image was asked for before it existed, and came afterwards.

use super::moment::{failures, is_push};
use super::{Case, Known, against, sentence, there, used_by};
use crate::detect::span;
use crate::model::{Cause, FindingKind, PushOrigin, Sentence, StepKind, Timestamp, Verdict};
use crate::timeline::{EventNo, TagSpan};

/// Maximum number of requests that are named with their times.
const ASKS_MAX: usize = 5;

pub fn verdict(case: Case<'_>, known: Known<'_>, later: Option<&TagSpan>) -> Verdict {
    let mut verdict = case.blank(Cause::AskedBeforePushed);
    verdict.repository = Some(case.history.repository(known.repository));
    verdict.exists = case.exists(known, there::exists(known.image));
    let push = later
        .and_then(|span| span.since.some())
        .or_else(|| known.image.steps.iter().find(|step| is_push(step)).map(|step| step.event));
    let push = push.unwrap_or(EventNo::NONE);
    let came = push.some().map_or(i64::MAX, |push| case.time(push));
    let mut asks: Vec<EventNo> =
        failures(case, known.repository).into_iter().filter(|event| case.time(*event) <= came).collect();
    asks.sort_by_key(|event| case.time(*event));
    asks.dedup_by_key(|event| case.time(*event));
    let replicated =
        known.image.steps.iter().any(|step| step.event == push && step.kind == StepKind::Replicate)
            || (known.image.origin == PushOrigin::Replication);
    verdict.why = case.finding_of(known, FindingKind::AskedBeforePushed);
    verdict.narrative =
        vec![now(case, known, later), asked(case, &asks), pushed(case, known, push, &asks, replicated)];
    verdict.not_this = against::other_causes(case, known, None, Cause::AskedBeforePushed);
    let place = known.image.steps.iter().position(|step| step.event == push).unwrap_or(usize::MAX);
    verdict.used_by = used_by::of_early(case, known, place);
    verdict
        .used_by
        .extend(used_by::of_tag(case, case.asked_tag().and_then(|tag| known.repository.tag_lives.get(&tag))));
    let order = if replicated {
        "Deploy in this region only when replication is done: it takes minutes, up to 30."
    } else {
        "Deploy only after the push has succeeded."
    };
    verdict.advice = vec![order.to_owned()];
    if there::exists(known.image) == Some(true) && verdict.exists.tag_exists != Some(false) {
        verdict.advice.insert(0, "It can be pulled now: start anew what stopped.".to_owned());
    }
    let created = known.repository.creations.iter().any(|event| case.time(*event) < came);
    if !created {
        verdict.unknown.push(
            "Whether it was there before the logs begin: no push of it before that one is in them."
                .to_owned(),
        );
    }
    verdict
}

fn now(case: Case<'_>, known: Known<'_>, later: Option<&TagSpan>) -> Sentence {
    let digest = case.digest(known);
    let tag = case.question.about.tag().filter(|_| later.is_some());
    let text = match (tag, there::exists(known.image)) {
        (Some(tag), Some(true)) if later.is_some_and(TagSpan::is_open) => {
            format!("Tag {tag} exists at the end of the logs, and points to {digest}.")
        }
        (Some(tag), _) => format!("Tag {tag} came to {digest} later."),
        (None, Some(true)) => {
            format!("{digest} exists at the end of the logs, {}.", there::tagged(case, known.image))
        }
        (None, _) => format!("{digest} came later, and is gone again at the end of the logs."),
    };
    sentence(text, Vec::new())
}

fn asked(case: Case<'_>, asks: &[EventNo]) -> Sentence {
    let times: Vec<String> =
        asks.iter().take(ASKS_MAX).map(|event| case.history.time(*event).to_string()).collect();
    let more = asks.len().saturating_sub(ASKS_MAX);
    let more = if more > 0 { format!(", and {more} times more") } else { String::new() };
    let (text, shown) = if asks.is_empty() {
        (
            format!("At {} it was not there yet: no event took it.", Timestamp::from_millis(case.when.at)),
            Vec::new(),
        )
    } else {
        (
            format!("It was asked for at {}{more}, and was not there yet.", times.join(" and ")),
            asks.iter().take(ASKS_MAX).copied().collect(),
        )
    };
    sentence(text, shown.into_iter().flat_map(|event| case.event(event)).collect())
}

fn pushed(case: Case<'_>, known: Known<'_>, push: EventNo, asks: &[EventNo], replicated: bool) -> Sentence {
    let Some(event) = push.some() else {
        return sentence("When it came is not in the logs.", Vec::new());
    };
    let at = case.time(event);
    let from = asks.first().map_or(case.when.at, |first| case.time(*first));
    let gap = span_exact((at - from).div_euclid(1000));
    let how = if replicated { "Replication brought it" } else { "It was pushed" };
    let by =
        if replicated { String::new() } else { format!(" by {}", crate::detect::who(case.history, event)) };
    let lesson =
        if replicated { "replication had not arrived" } else { "the deployment did not wait for the push" };
    let _ = known;
    let asked = if asks.is_empty() { "later" } else { "after it was first asked for" };
    sentence(
        format!("{how} for the first time at {}{by}, {gap} {asked}: {lesson}.", case.history.time(event)),
        case.event(event),
    )
}

/// Short spans to the second.
fn span_exact(seconds: i64) -> String {
    if seconds < 600 { format!("{seconds} s") } else { span(seconds) }
}
