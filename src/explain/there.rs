//! As far as the logs go it is still there (or known by mention only).

use super::{Case, Known, sentence, used_by};
use crate::model::{Cause, EventRef, ImageState, StepKind, Verdict};
use crate::timeline::{EventNo, Image};

pub fn verdict(case: Case<'_>, known: Known<'_>) -> Verdict {
    let image = known.image;
    let mut verdict = case.blank(cause(case, known));
    verdict.repository = Some(case.history.repository(known.repository));
    let exists = match image.state {
        ImageState::Unknown => None,
        _ => Some(true),
    };
    verdict.exists = case.exists(known, exists);
    verdict.why = case.finding(known, None);
    verdict.used_by = used_by::sentences(case, known, None);
    narrate(case, known, &mut verdict);
    verdict
}

fn cause(case: Case<'_>, known: Known<'_>) -> Cause {
    let image = known.image;
    if denied(case, known).is_some() {
        return Cause::AccessTaken;
    }
    if gone_relative(case, known).is_some() {
        return Cause::IndexOrChildGone;
    }
    match image.state {
        ImageState::Unknown if only_refused(image) => Cause::NeverPushedHere,
        ImageState::Unknown => Cause::Unknown,
        ImageState::Untagged if image.displaced.is_some() => Cause::TagMovedStillThere,
        _ => Cause::StillThere,
    }
}

/// Every push of it was refused.
fn only_refused(image: &Image) -> bool {
    let pushed = |kind: StepKind| matches!(kind, StepKind::Push | StepKind::Replicate);
    image.steps.iter().any(|step| step.kind == StepKind::PushFailed) && !image.steps.iter().any(|step| pushed(step.kind))
}

/// The change of access that explains the failure: the text speaks of it, or pulls failed after it.
fn denied(case: Case<'_>, known: Known<'_>) -> Option<EventNo> {
    let change = known.repository.access_changes.last().copied()?;
    let since = case.history.noted(change).time;
    let failed = known.image.steps.iter().any(|step| step.kind == StepKind::PullFailed && case.history.noted(step.event).time >= since);
    (case.question.denied || failed).then_some(change)
}

/// A child of this index that is gone, or the index of this child.
fn gone_relative<'h>(case: Case<'h>, known: Known<'h>) -> Option<&'h Image> {
    let children = known.image.children.iter();
    let parents = known.repository.parents.get(&known.image.digest).into_iter().flatten().filter(|_| known.image.state == ImageState::Unknown);
    let _ = case;
    children.chain(parents).filter_map(|digest| known.repository.image(*digest)).find(|image| image.is_gone())
}

fn narrate(case: Case<'_>, known: Known<'_>, verdict: &mut Verdict) {
    let image = known.image;
    let digest = case.digest(known);
    let push = image.steps.iter().rfind(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate)).map_or(EventNo::NONE, |step| step.event);
    let tags: Vec<&str> = image.tags.iter().map(|(tag, _)| case.history.text(*tag)).collect();
    let tags = if tags.is_empty() { "without a tag".to_owned() } else { format!("tagged {}", tags.join(", ")) };
    let first = match image.state {
        ImageState::Unknown => format!("Whether {digest} exists is not in the logs: no push of it was read, only mentions."),
        _ => format!("{digest} exists at the end of the logs, {tags}."),
    };
    verdict.narrative.push(sentence(first, case.event(push)));
    let last_run = known.repository.runs.last().map_or(EventNo::NONE, |(event, _)| *event);
    let none = if last_run.is_some() {
        format!("No event took it: {} lifecycle run(s) were logged for this repository, and none lists it as taken.", known.repository.runs.len())
    } else {
        "No event took it; no lifecycle run of this repository is in the logs.".to_owned()
    };
    verdict.narrative.push(sentence(none, case.event(last_run)));
    let (text, evidence, advice) = third(case, known, verdict.cause);
    verdict.narrative.push(sentence(text, evidence));
    verdict.advice.push(advice.to_owned());
}

/// The third step: what explains the failure, if anything does.
fn third(case: Case<'_>, known: Known<'_>, cause: Cause) -> (String, Vec<EventRef>, &'static str) {
    let image = known.image;
    match cause {
        Cause::AccessTaken => {
            let change = denied(case, known).unwrap_or(EventNo::NONE);
            let text = "Who may pull from this repository was changed before the failure: the image is there, and access to it was taken.".to_owned();
            (text, case.event(change), "Compare the repository policy before and after that call, and the key policy if the repository uses KMS.")
        }
        Cause::IndexOrChildGone => {
            let relative = gone_relative(case, known);
            let digest = relative.map_or_else(String::new, |image| case.history.digest_or_zero(image.digest).to_string());
            let event = relative.and_then(|image| image.losses.last()).map_or(EventNo::NONE, |loss| loss.event);
            (
                format!("Part of it is gone: {digest} belongs to the same index, and does not exist any more."),
                case.event(event),
                "Push the multi-architecture image again, as a whole.",
            )
        }
        Cause::TagMovedStillThere => {
            let displaced = image.displaced.as_deref();
            let event = displaced.map_or(EventNo::NONE, |displaced| displaced.second_push);
            let tag = displaced.map_or("", |displaced| case.history.text(displaced.tag));
            (
                format!("It has lost its tag {tag} to another push: it can be pulled by digest today, and is the next victim of an untagged rule."),
                case.event(event),
                "Give it a tag (`aws ecr put-image` with its manifest and a new tag) before the next lifecycle run, or deploy anew.",
            )
        }
        Cause::NeverPushedHere => {
            let refused = image.steps.iter().find(|step| step.kind == StepKind::PushFailed).map_or(EventNo::NONE, |step| step.event);
            (
                "Every push of it to this repository was refused.".to_owned(),
                case.event(refused),
                "Look at why the push was refused (errorCode), and push again.",
            )
        }
        Cause::StillThere => (
            "Nothing in the logs explains a failed pull: the image is there.".to_owned(),
            Vec::new(),
            "Look at access (repository policy, endpoint policy, KMS key), at the puller's network, and at events after the end of these logs.",
        ),
        _ => (
            "It may have been pushed before the logs begin, or elsewhere.".to_owned(),
            Vec::new(),
            "Widen --since, and read the logs of the account and region that own the repository.",
        ),
    }
}
