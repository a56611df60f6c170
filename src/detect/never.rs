//! Something failed, or will, because it needs an image of which ECR refused every push.

use super::early::{is_anothers_workload, is_same_role};
use super::story::{evidence, place, usage_of_asks, who};
use super::unexplained::{by, frame, references, shown};
use super::usage::usage_of_absent;
use super::{Detector, Subject, TagDetector, TagSubject, id, id_of};
use crate::model::{Finding, FindingKind, LostImage, StepKind, Usage, times};
use crate::timeline::{Ask, AskKind, EventNo, History, RefusedPush, RepositoryHistory, Step, Sym};

/// Reports digests that were built and deployed, but could not be pushed.
pub struct NeverPushed;
/// Reports tags that were deployed, but could not be pushed.
pub struct TagNeverPushed;

/// Refused pushes of a tag that no image ever had, as far as the logs show. A push that was refused because
/// the tag exists shows that some image had it.
pub fn refused_pushes_of<'h>(
    history: &History,
    repository: &'h RepositoryHistory,
    tag: Sym,
) -> &'h [RefusedPush] {
    let had = repository.tag_lives.get(&tag).is_some_and(|life| !life.spans.is_empty());
    let refused = repository
        .refused_pushes
        .get(&tag)
        .filter(|_| tag.is_some() && !had)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let is_taken = refused.iter().any(|push| history.text(push.why).contains("TagAlreadyExists"));
    if is_taken { &[] } else { refused }
}

/// "ci/build tried to push it at …, under tag v1, and ECR refused that (ImageTagAlreadyExistsException): …".
pub fn refusal(history: &History, repository: &RepositoryHistory, tag: Sym, refused: EventNo) -> String {
    let at = history.noted(refused).time;
    let known =
        repository.refused_pushes.get(&tag).and_then(|list| list.iter().find(|push| push.event == refused));
    let why = known
        .and_then(|push| push.why.some())
        .map(|why| format!(" ({})", history.text(why)))
        .unwrap_or_default();
    let under = tag.some().map(|tag| format!(" under tag {}", history.text(tag))).unwrap_or_default();
    let tried = format!(
        "{} tried to push it{under} at {}, and ECR refused that{why}",
        who(history, refused),
        history.time(refused)
    );
    let holder = tag
        .some()
        .and_then(|tag| repository.tag_lives.get(&tag)?.at(at))
        .filter(|span| known.is_none_or(|push| span.digest != push.digest));
    let immutable = history.text(repository.mutability.setting).starts_with("IMMUTABLE");
    match holder {
        Some(span) => format!(
            "{tried}: the tag was on {}{}",
            history.digest_or_zero(span.digest).short(),
            if immutable { ", and the repository's tags are immutable" } else { "" }
        ),
        None => tried,
    }
}

/// Advice about a push that was refused.
pub fn advice(history: &History, repository: &RepositoryHistory, tag: Sym, refused: EventNo) -> Vec<String> {
    let known =
        repository.refused_pushes.get(&tag).and_then(|list| list.iter().find(|push| push.event == refused));
    let why = known.map_or("", |push| history.text(push.why));
    let first = match why {
        why if why.contains("ImageTagAlreadyExists") => {
            "Push it under a tag of its own, and deploy that: the tag is taken, and cannot be moved."
        }
        why if why.contains("LayersNotFound") || why.contains("ReferencedImagesNotFound") => {
            "Push it again as a whole: what it consists of was not there when its manifest came."
        }
        why if why.contains("LimitExceeded") => {
            "Make room below the quota that ECR named, and push it again."
        }
        why if why.contains("Denied") || why.contains("NotAuthorized") => {
            "Give the pusher ecr:PutImage and the calls for layers on the repository, and push it again."
        }
        why if why.to_ascii_lowercase().contains("kms") => {
            "Look at the KMS key that encrypts the repository, and push it again."
        }
        _ => "See what ECR answered (errorCode and errorMessage of the refused push), and push it again.",
    };
    vec![first.to_owned(), "Let the pipeline stop when its push fails, before it deploys.".to_owned()]
}

impl Detector for NeverPushed {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let Subject { history, repository, image, .. } = subject;
        let Some(first) = image
            .steps
            .iter()
            .position(|step| step.kind == StepKind::PushFailed)
            .filter(|_| image.was_only_refused())
        else {
            return;
        };
        let (refused, list) = (&image.steps[first], image.never_listed());
        let listed_before =
            |step: &Step| list.is_some_and(|list| history.noted(list).time < history.noted(step.event).time);
        // A digest from before the logs can be refused under a second tag, and be there.
        let is_sure = history.knows_all_pushes(repository, history.noted(refused.event).time);
        let failed = |step: &&Step| match step.kind {
            StepKind::TaskStopped => step.missing,
            StepKind::PullFailed => step.missing && !is_same_role(history, step.event, refused.event),
            StepKind::Pull => {
                (is_sure || listed_before(step))
                    && step.caller.needs()
                    && !is_same_role(history, step.event, refused.event)
            }
            _ => false,
        };
        let failures: Vec<&Step> = image.steps[first..].iter().filter(failed).collect();
        if !failures.is_empty() {
            found.push(of_image(subject, refused, &failures));
        } else if let Some(list) = list {
            found.extend(of_need(subject, refused, list));
        }
    }
}

impl TagDetector for TagNeverPushed {
    fn detect(&self, subject: TagSubject<'_>, found: &mut Vec<Finding>) {
        let TagSubject { history, repository, tag, life } = subject;
        let Some(refused) = refused_pushes_of(history, repository, tag).first() else { return };
        let since = history.noted(refused.event).time;
        let failed = |ask: &&Ask| match ask.kind {
            AskKind::Stopped => true,
            AskKind::Failed => !is_same_role(history, ask.event, refused.event),
            AskKind::Pull => ask.in_vain && is_anothers_workload(history, ask.event, refused.event),
            AskKind::Denied | AskKind::StoppedOtherwise => false,
        };
        let asks: Vec<&Ask> =
            life.asks.iter().filter(|ask| history.noted(ask.event).time >= since).filter(failed).collect();
        if !asks.is_empty() {
            found.push(of_tag(subject, *refused, &asks));
        }
    }
}

/// "a task of service:shop could not have sha256:…, 3 times from … on".
fn story(history: &History, usage: &Usage, what: &str, first: EventNo, number: usize) -> String {
    let when = if number > 1 {
        format!(", {} from {} on", times(number), history.time(first))
    } else {
        format!(" at {}", history.time(first))
    };
    format!("{} could not have {what}{when}: it was never pushed here", by(history, &usage.references, first))
}

fn of_image(subject: Subject<'_>, refused: &Step, failures: &[&Step]) -> Finding {
    let Subject { history, repository, image, .. } = subject;
    let mut usage = Usage { references: references(history, image, failures), ..Usage::default() };
    for step in failures.iter().filter(|step| step.kind != StepKind::TaskStopped) {
        usage.add_principal(history.log_text(history.noted(step.event).actor));
    }
    let digest = history.digest_or_zero(image.digest);
    let (first, has_task) =
        (failures[0].event, failures.iter().any(|step| step.kind == StepKind::TaskStopped));
    let list = image.never_listed();
    let confirmed = list
        .map(|list| format!("; {} does not list it, either", history.snapshot_in_words(list)))
        .unwrap_or_default();
    let summary = format!(
        "In {}, {}; {}{confirmed}.",
        place(&history.repository(repository)),
        story(history, &usage, &digest.short(), first, failures.len()),
        refusal(history, repository, refused.tag, refused.event)
    );
    let advice = advice(history, repository, refused.tag, refused.event);
    let failed = shown(failures.iter().map(|step| step.event));
    let events = failed.into_iter().chain([refused.event]).chain(list).collect();
    Finding {
        id: id(subject),
        kind: FindingKind::NeverPushedHere,
        tag: history.log_text(refused.tag),
        lost: LostImage { digest: Some(digest), pushed_at: None, untagged_at: None, gone_at: None },
        evidence: evidence(history, events),
        ..frame(history, repository, first, has_task, usage, summary, advice)
    }
}

/// Nothing failed yet, but something needs an image that the list shows not to be there.
fn of_need(subject: Subject<'_>, refused: &Step, list: EventNo) -> Option<Finding> {
    let Subject { history, repository, image, .. } = subject;
    let harm = usage_of_absent(history, image, history.noted(list).time);
    let severity = harm.severity?;
    let digest = history.digest_or_zero(image.digest);
    let summary = format!(
        "In {}, {} was never pushed, and {}; {}; {} does not list it, either.",
        place(&history.repository(repository)),
        digest.short(),
        harm.need(),
        refusal(history, repository, refused.tag, refused.event),
        history.snapshot_in_words(list)
    );
    let advice = advice(history, repository, refused.tag, refused.event);
    let events = harm.evidence.iter().copied().chain([refused.event, list]).collect();
    Some(Finding {
        id: id(subject),
        kind: FindingKind::NeverPushedHere,
        severity,
        tag: history.log_text(refused.tag),
        lost: LostImage { digest: Some(digest), pushed_at: None, untagged_at: None, gone_at: None },
        evidence: evidence(history, events),
        // So far only its push failed.
        ..frame(history, repository, refused.event, false, harm.usage, summary, advice)
    })
}

fn of_tag(subject: TagSubject<'_>, refused: RefusedPush, asks: &[&Ask]) -> Finding {
    let TagSubject { history, repository, tag, .. } = subject;
    let usage = Usage { pulls_after_gone: 0, last_pull: None, ..usage_of_asks(history, asks) };
    let first = asks[0].event;
    let name = history.text(tag);
    let summary = format!(
        "In {}, {}; {}.",
        place(&history.repository(repository)),
        story(history, &usage, &format!("tag {name}"), first, asks.len()),
        refusal(history, repository, tag, refused.event)
    );
    let advice = advice(history, repository, tag, refused.event);
    let events = shown(asks.iter().map(|ask| ask.event)).into_iter().chain([refused.event]).collect();
    Finding {
        id: id_of(history, repository, name),
        kind: FindingKind::NeverPushedHere,
        tag: history.log_text(tag),
        lost: LostImage {
            digest: history.digest(refused.digest),
            pushed_at: None,
            untagged_at: None,
            gone_at: None,
        },
        evidence: evidence(history, events),
        ..frame(
            history,
            repository,
            first,
            asks.iter().any(|ask| ask.kind.is_a_task()),
            usage,
            summary,
            advice,
        )
    }
}
