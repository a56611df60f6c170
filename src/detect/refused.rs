//! The image is there, and who pulled it before is refused since the repository's policy was changed.

use std::collections::BTreeMap;

use super::story::{evidence, place, role, who};
use super::{Detector, Subject, id};
use crate::model::{Finding, FindingKind, KeptImage, LostImage, Order, Severity, StepKind, Timestamp, Usage};
use crate::timeline::{EventNo, Step};

/// `SetRepositoryPolicy` or `DeleteRepositoryPolicy` took access from a principal that had it.
///
/// A refusal of somebody who never pulled says nothing of a change: most are attempts without a permission.
pub struct AccessRefused;

impl Detector for AccessRefused {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let denied = |step: &&Step| step.kind == StepKind::PullFailed && step.denied;
        if subject.repository.access_changes.is_empty() || !subject.image.steps.iter().any(|step| denied(&step)) {
            return;
        }
        let time = |event: EventNo| subject.history.noted(event).time;
        let mut by_change: BTreeMap<(i64, EventNo), Vec<&Step>> = BTreeMap::new();
        for step in subject.image.steps.iter().filter(denied).filter(|step| was_there(subject, step)) {
            let before = subject.repository.access_changes.iter().copied().filter(|change| time(*change) <= time(step.event));
            let Some(change) = before.max_by_key(|change| time(*change)) else { continue };
            if lost_access(subject, step, time(change)) {
                by_change.entry((time(change), change)).or_default().push(step);
            }
        }
        found.extend(by_change.into_iter().map(|((_, change), refused)| finding(subject, change, &refused)));
    }
}

/// The image was there, and it was not its key that refused.
fn was_there(subject: Subject<'_>, step: &Step) -> bool {
    let at = subject.history.noted(step.event).time;
    let gone = subject.image.losses.iter().any(|loss| (loss.at..loss.until).contains(&at));
    !gone && !subject.repository.key_refusals.contains(&step.event)
}

/// Whether the same role pulled the image before the change, and not after the refusal.
fn lost_access(subject: Subject<'_>, refused: &Step, changed: i64) -> bool {
    let caller = |event: EventNo| role(subject.history.text(subject.history.noted(event).actor));
    let (who, at) = (caller(refused.event), subject.history.noted(refused.event).time);
    let answered = subject.image.steps.iter().filter(|step| step.kind == StepKind::Pull && caller(step.event) == who);
    let times: Vec<i64> = answered.map(|step| subject.history.noted(step.event).time).collect();
    times.iter().any(|time| *time < changed) && !times.iter().any(|time| *time > at)
}

fn finding(subject: Subject<'_>, change: EventNo, refused: &[&Step]) -> Finding {
    let (history, image) = (subject.history, subject.image);
    let (repository, event) = (history.repository(subject.repository), history.event(change));
    let [first, last] = [refused.first(), refused.last()].map(|step| step.map_or(EventNo::NONE, |step| step.event));
    let mut usage = Usage { pulls_after_gone: refused.len() as u64, last_pull: last.some().map(|event| history.event(event)), ..Usage::default() };
    refused.iter().for_each(|step| usage.add_principal(history.log_text(history.noted(step.event).actor)));
    let tag = refused.iter().rev().find_map(|step| history.log_text(step.tag));
    Finding {
        id: id(subject, &history.call_id(change), FindingKind::AccessTaken.word()),
        kind: FindingKind::AccessTaken,
        severity: Severity::Critical,
        tag: tag.or_else(|| image.tags.first().and_then(|(tag, _)| history.log_text(*tag))),
        tags: Vec::new(),
        reasons: Vec::new(),
        lost: LostImage {
            digest: history.digest(image.digest),
            pushed_at: image.pushed_at.map(Timestamp::from_millis),
            untagged_at: image.untagged_at.map(Timestamp::from_millis),
            gone_at: None,
        },
        kept: KeptImage { digest: None },
        first_push: None,
        gap_seconds: None,
        order: Order::Observed,
        deletion: None,
        exposure_seconds: None,
        summary: format!(
            "In {}, {} is there, and {} refused since {} changed who may pull at {} ({}); the same callers could pull it before.",
            place(&repository),
            history.digest_or_zero(image.digest).short(),
            if refused.len() == 1 { "1 pull of it was".to_owned() } else { format!("{} pulls of it were", refused.len()) },
            who(history, change),
            event.event_time,
            event.event_name.raw(),
        ),
        advice: vec![
            "Compare the repository policy before and after that call, and give back what the puller needs (ecr:BatchGetImage, ecr:GetDownloadUrlForLayer).".to_owned(),
        ],
        evidence: evidence(history, vec![change, first, last]),
        usage,
        second_push: event,
        repository,
    }
}
