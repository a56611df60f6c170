//! As far as the logs go it is still there (or known by mention only).

use super::cause::of_loss;
use super::{Case, Known, access, against, pinned, sentence, used_by};
use crate::model::{Cause, EventRef, ImageState, Sentence, StepKind, Timestamp, Verdict};
use crate::timeline::{DigestNo, EventNo, Image, RepositoryHistory};

pub fn verdict(case: Case<'_>, known: Known<'_>) -> Verdict {
    let image = known.image;
    let mut verdict = case.blank(cause(case, known));
    verdict.repository = Some(case.history.repository(known.repository));
    let exists = match image.state {
        ImageState::Unknown => None,
        _ => Some(true),
    };
    verdict.exists = case.exists(known, exists);
    // What may take it next; else what kept it from being pulled until it came back.
    let back = image.losses.last().filter(|loss| loss.back_at.is_some());
    verdict.why = case.finding(known, None).or_else(|| case.finding(known, Some(back?)));
    verdict.not_this = against::other_causes(case, known, None, verdict.cause);
    verdict.used_by = used_by::sentences(case, known, None);
    narrate(case, known, &mut verdict);
    verdict
}

fn cause(case: Case<'_>, known: Known<'_>) -> Cause {
    let image = known.image;
    if access::taken(case, known.repository, Some(known.image)).is_some() {
        return Cause::AccessTaken;
    }
    if gone_relative(known).is_some() {
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

/// A child of this index that is gone, or the index of this child, which has no tag of its own.
fn gone_relative<'h>(known: Known<'h>) -> Option<&'h Image> {
    let image = known.image;
    let relative = |digest: &DigestNo| known.repository.image(*digest);
    let child = image.children.iter().filter_map(relative).find(|image| image.is_gone());
    let mut parents = known.repository.parents.get(&image.digest).into_iter().flatten().filter_map(relative).peekable();
    let orphan = image.tags.is_empty() && parents.peek().is_some() && parents.clone().all(Image::is_gone);
    child.or_else(|| parents.next().filter(|_| orphan))
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
    verdict.narrative.push(endings(case, known));
    if let Some(taken) = access::taken(case, known.repository, Some(image)).filter(|_| verdict.cause == Cause::AccessTaken) {
        verdict.narrative.push(taken.sentence(case));
        verdict.advice.push(taken.advice(case, known.repository));
        return;
    }
    let (text, evidence, advice) = third(case, known, verdict.cause);
    verdict.narrative.push(sentence(text, evidence));
    verdict.advice.push(advice.to_owned());
}

/// The second step: what took it, for a while or not at all.
fn endings(case: Case<'_>, known: Known<'_>) -> Sentence {
    if let Some(loss) = known.image.losses.last()
        && let Some(back) = loss.back_at
    {
        let (at, back) = (Timestamp::from_millis(loss.at), Timestamp::from_millis(back));
        let cause = of_loss(case, known, loss).word();
        return sentence(
            format!("It was gone from {at} ({cause}) to {back}, when it came back; nothing took it after that."),
            case.event(loss.event),
        );
    }
    no_event(case, known.repository)
}

/// That nothing took the image, and how much that is worth.
pub fn no_event(case: Case<'_>, repository: &RepositoryHistory) -> Sentence {
    match repository.runs.last() {
        Some(&(run, _)) => {
            let runs = repository.runs.len();
            sentence(
                format!("No event took it: {runs} lifecycle run(s) were logged for this repository, and none lists it as taken."),
                case.event(run),
            )
        }
        None => sentence("No event took it; no lifecycle run of this repository is in the logs.", Vec::new()),
    }
}

/// The third step: what explains the failure, if anything does.
fn third(case: Case<'_>, known: Known<'_>, cause: Cause) -> (String, Vec<EventRef>, &'static str) {
    let image = known.image;
    match cause {
        Cause::IndexOrChildGone => {
            let relative = gone_relative(known);
            let digest = relative.map_or_else(String::new, |image| case.history.digest_or_zero(image.digest).to_string());
            let event = relative.and_then(|image| image.losses.last()).map_or(EventNo::NONE, |loss| loss.event);
            let text = match image.children.is_empty() {
                true => format!(
                    "The index that lists it, {digest}, does not exist any more: it has no tag of its own, and an untagged rule takes it next."
                ),
                false => format!("Part of it is gone: {digest}, which it lists, does not exist any more."),
            };
            (text, case.event(event), "Push the multi-architecture image again, as a whole.")
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
        Cause::StillThere if let Some(pinned) = pinned::before(case, known) => (
            pinned.text,
            pinned.evidence,
            "If the failing line names a digest, ask with it (`tagfall explain REPOSITORY@sha256:…`); if a task pinned one of these, deploy it anew.",
        ),
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
