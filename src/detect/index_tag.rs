//! A tag points to one image of its index, and something failed because it needed another platform. The
//! index itself is still there.

use super::at_risk::rule_ahead;
use super::same_tag::{gap, lost_to_child, order, push_index_again};
use super::story::{evidence, place};
use super::unexplained::{frame, references, shown};
use super::usage::usage_of_displaced;
use super::{Detector, Subject, id};
use crate::model::{Finding, FindingKind, ImageState, KeptImage, LostImage, StepKind, Timestamp, plural};
use crate::timeline::{Displacement, Image, Step};

/// Reports indexes that no rule will take; those that a rule will take are reported by
/// [`DisplacedAlive`](super::at_risk::DisplacedAlive).
pub struct IndexLostToItsChild;

impl Detector for IndexLostToItsChild {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let Some(displaced) = subject.image.displaced.as_deref().filter(|displaced| displaced.by_child)
        else {
            return;
        };
        if subject.image.state != ImageState::Untagged || rule_ahead(subject).is_some() {
            return;
        }
        let Some(child) = subject.repository.image(displaced.by) else { return };
        let failures = failures(subject, displaced, child);
        if !failures.is_empty() {
            found.push(finding(subject, displaced, child, &failures));
        }
    }
}

/// Tasks that failed to pull the tag since it points to `child`.
pub fn failures<'h>(subject: Subject<'_>, displaced: &Displacement, child: &'h Image) -> Vec<&'h Step> {
    let stopped =
        |step: &&Step| step.kind == StepKind::TaskStopped && step.missing && step.tag == displaced.tag;
    child
        .steps
        .iter()
        .filter(stopped)
        .filter(|step| subject.history.noted(step.event).time >= displaced.at)
        .collect()
}

fn finding(subject: Subject<'_>, displaced: &Displacement, child: &Image, failures: &[&Step]) -> Finding {
    let Subject { history, repository, image, .. } = subject;
    let mut usage = usage_of_displaced(history, image, displaced.step).usage;
    usage.references = references(history, child, failures);
    let summary = format!(
        "In {}, {}; the index is still there, and {} could not start.",
        place(&history.repository(repository)),
        lost_to_child(subject, displaced),
        plural(failures.len(), "task")
    );
    let events = shown(failures.iter().map(|step| step.event))
        .into_iter()
        .chain([displaced.first_push, displaced.second_push])
        .collect();
    Finding {
        id: id(subject),
        kind: FindingKind::IndexLostToItsChild,
        tag: history.log_text(displaced.tag),
        lost: LostImage {
            digest: history.digest(image.digest),
            pushed_at: image.pushed_at.map(Timestamp::from_millis),
            untagged_at: image.untagged_at.map(Timestamp::from_millis),
            gone_at: None,
        },
        kept: KeptImage { digest: history.digest(displaced.by) },
        first_push: displaced.first_push.some().map(|event| history.event(event)),
        second_push: history.event(displaced.second_push),
        gap_seconds: gap(subject, displaced),
        order: order(subject, displaced),
        evidence: evidence(history, events),
        ..frame(
            history,
            repository,
            failures[0].event,
            true,
            usage,
            summary,
            push_index_again(history.text(displaced.tag)),
        )
    }
}
