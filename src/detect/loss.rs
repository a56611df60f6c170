//! Other ways to lose an image that something still needs. They are findings only where somebody was hurt; otherwise
//! they are steps in a timeline, and nothing is wrong with them.

use super::story::{deleted, evidence, lost, place, rule_in_words};
use super::usage::{Harm, usage_of_loss};
use super::{Detector, Subject, id};
use crate::model::{EventRef, Finding, FindingKind, KeptImage, LogText};
use crate::timeline::{End, Loss};

/// A count or age rule took an image that had a tag.
pub struct ExpiredWhileTagged;
/// `BatchDeleteImage`, by digest or of the last tag.
pub struct DeletedByCall;
/// `DeleteRepository` took everything.
pub struct RepositoryDeleted;
/// A transition rule, or `UpdateImageStorageClass`: unpullable, and can be restored.
pub struct Archived;

impl Detector for ExpiredWhileTagged {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let tagged = |loss: &Loss| loss.end == End::Expired && loss.displaced.is_none() && !loss.tags.is_empty();
        report(subject, FindingKind::ExpiredWhileTagged, tagged, found);
    }
}

impl Detector for DeletedByCall {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let called = |loss: &Loss| matches!(loss.end, End::DeletedByDigest | End::DeletedByLastTag);
        report(subject, FindingKind::DeletedByCall, called, found);
    }
}

impl Detector for RepositoryDeleted {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        report(subject, FindingKind::RepositoryDeleted, |loss| loss.end == End::RepositoryDeleted, found);
    }
}

impl Detector for Archived {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        report(subject, FindingKind::Archived, |loss| loss.end == End::Archived, found);
    }
}

fn report(subject: Subject<'_>, kind: FindingKind, is_kind: impl Fn(&Loss) -> bool, found: &mut Vec<Finding>) {
    for loss in subject.image.losses.iter().filter(|loss| is_kind(loss)) {
        let harm = usage_of_loss(subject.history, subject.image, loss, subject.is_child());
        if let Some(severity) = harm.severity {
            let mut finding = finding(subject, kind, loss, harm);
            finding.severity = severity;
            found.push(finding);
        }
    }
}

fn finding(subject: Subject<'_>, kind: FindingKind, loss: &Loss, harm: Harm) -> Finding {
    let history = subject.history;
    let event = history.event(loss.event);
    let deletion = deleted(history, loss);
    // Where several tags went with it, one stands for all; the list is in the deletion.
    let mut tags: Vec<LogText> = loss.tags.iter().filter_map(|(tag, _)| history.log_text(*tag)).collect();
    tags.sort_unstable();
    let mut events = vec![loss.event];
    events.extend(loss.tags.iter().map(|(_, given)| *given));
    events.extend(&harm.evidence);
    Finding {
        id: id(subject, &history.call_id(loss.event), kind.word()),
        kind,
        severity: crate::model::Severity::High,
        repository: history.repository(subject.repository),
        tag: tags.into_iter().next(),
        lost: lost(history, subject.image, loss),
        kept: KeptImage { digest: None },
        first_push: None,
        gap_seconds: None,
        order: loss.order,
        exposure_seconds: loss.untagged_at.map(|untagged| (loss.at - untagged).div_euclid(1000)),
        summary: summary(subject, kind, loss, &event, &harm),
        advice: advice(kind, loss),
        evidence: evidence(history, events),
        deletion: Some(deletion),
        second_push: event,
        usage: harm.usage,
    }
}

fn summary(subject: Subject<'_>, kind: FindingKind, loss: &Loss, event: &EventRef, harm: &Harm) -> String {
    let history = subject.history;
    let digest = history.digest_or_zero(subject.image.digest).short();
    let who = event.actor.as_ref().map_or("somebody", |actor| actor.raw());
    let what = match kind {
        FindingKind::ExpiredWhileTagged => format!("{} took {digest} while it had {} tag(s)", rule_in_words(history, loss), loss.tags.len()),
        FindingKind::RepositoryDeleted => format!("{who} deleted the repository, and {digest} with it"),
        FindingKind::Archived if loss.run.is_some() => format!("{} archived {digest}", rule_in_words(history, loss)),
        FindingKind::Archived => format!("{who} archived {digest}"),
        _ if loss.end == End::DeletedByLastTag => format!("{who} deleted the last tag of {digest}, and the image with it"),
        _ => format!("{who} deleted {digest}"),
    };
    let needed = match harm.usage.pulls_after_gone {
        0 => "something deployed still needs it".to_owned(),
        pulls => format!("{pulls} pull(s) after that found nothing"),
    };
    format!("In {}, {what}; {needed}.", place(&history.repository(subject.repository)))
}

fn advice(kind: FindingKind, loss: &Loss) -> Vec<String> {
    if loss.back_at.is_some() {
        return vec!["The image came back later: it can be pulled now.".to_owned()];
    }
    let first = match kind {
        FindingKind::ExpiredWhileTagged => {
            "Exclude tags that are deployed from the rule (a rule of higher priority that matches them protects them), or raise its count or age."
        }
        FindingKind::RepositoryDeleted => "Restore from a replica or build anew; deny ecr:DeleteRepository where images are deployed from.",
        FindingKind::Archived => "Restore it: `aws ecr update-image-storage-class --target-storage-class STANDARD`; it takes up to about 20 minutes.",
        _ => "Find out what deleted it, and let clean-up jobs ask what is deployed before they delete.",
    };
    let mut advice = vec![first.to_owned()];
    if kind != FindingKind::Archived {
        advice.push("Deploy anew what refers to the lost digest, or push the very same image again.".to_owned());
    }
    advice
}
