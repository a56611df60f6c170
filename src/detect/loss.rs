//! Other ways to lose an image that something still needs. Each is a finding only if somebody was affected;
//! otherwise it is an ordinary step in a timeline.

use super::advice;
use super::reasons::{Why, why};
use super::story::{add_reasons, deleted, evidence, lost, place, rule_in_words, tags_by_need};
use super::usage::{Harm, usage_of_loss};
use super::{Detector, Subject, id};
use crate::model::{Finding, FindingKind, KeptImage, plural};
use crate::timeline::{Because, End, History, Image, Loss, RepositoryHistory, Sym};

/// A count or age rule took an image that had a tag.
pub struct ExpiredWhileTagged;
/// `BatchDeleteImage` deleted it: by digest, or by its last tag.
pub struct DeletedByCall;
/// `DeleteRepository` deleted all images of the repository.
pub struct RepositoryDeleted;
/// Archived by a transition rule or by `UpdateImageStorageClass`: it cannot be pulled until it is restored.
pub struct Archived;

/// A snapshot's list of the repository does not have it, and no log says what took it.
pub struct NotListed;

/// A copy was deleted because deletions are replicated from its source. That is concluded from the source's
/// logs: the copy has no event.
pub struct ReplicatedDeletion;
/// A reference artifact (signature, SBOM) was deleted with the image that it is about. That is concluded,
/// too.
pub struct WentWithSubject;

impl Detector for ReplicatedDeletion {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let copied = |loss: &Loss| matches!(loss.presumed, Some(Because::Source { .. }));
        report(subject, FindingKind::ReplicatedDeletion, copied, found);
    }
}

impl Detector for WentWithSubject {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let artifact = |loss: &Loss| matches!(loss.presumed, Some(Because::Subject(_)));
        let of = |end: End| move |loss: &Loss| artifact(loss) && (loss.end == end);
        report(subject, FindingKind::ExpiredUntagged, of(End::Expired), found);
        report(subject, FindingKind::Archived, of(End::Archived), found);
        report(subject, FindingKind::DeletedByCall, of(End::DeletedByDigest), found);
        report(subject, FindingKind::DeletedByCall, of(End::DeletedByLastTag), found);
    }
}

impl Detector for ExpiredWhileTagged {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let tagged = |loss: &Loss| {
            loss.presumed.is_none()
                && loss.end == End::Expired
                && loss.displaced.is_none()
                && !loss.tags.is_empty()
        };
        report(subject, FindingKind::ExpiredWhileTagged, tagged, found);
    }
}

impl Detector for DeletedByCall {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let told =
            |loss: &Loss| super::child::is_told(subject.history, subject.repository, subject.image, loss);
        let called = |loss: &Loss| {
            loss.presumed.is_none()
                && matches!(loss.end, End::DeletedByDigest | End::DeletedByLastTag)
                && !told(loss)
        };
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
        report(
            subject,
            FindingKind::Archived,
            |loss| loss.end == End::Archived && loss.presumed.is_none(),
            found,
        );
    }
}

impl Detector for NotListed {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        report(
            subject,
            FindingKind::NotListed,
            |loss| loss.end == End::NotListed && loss.presumed.is_none(),
            found,
        );
    }
}

pub(super) fn report(
    subject: Subject<'_>,
    kind: FindingKind,
    is_kind: impl Fn(&Loss) -> bool,
    found: &mut Vec<Finding>,
) {
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
    // Where an end is concluded from that of another image, the event and the rule are the other image's.
    let behind =
        history.behind(subject.repository, subject.image, loss).map_or(loss, |(_, _, behind)| behind);
    let deletion = deleted(history, behind);
    let why = why(history, subject.repository, subject.image, loss);
    let tags = tags_by_need(history, subject.image, loss);
    let mut events = vec![loss.event];
    events.extend(loss.tags.iter().map(|(_, given)| *given));
    events.extend(&harm.evidence);
    let mut evidence = evidence(history, events);
    add_reasons(&mut evidence, &why);
    Finding {
        id: id(subject),
        kind,
        severity: crate::model::Severity::High,
        repository: history.repository(subject.repository),
        tag: tags.first().cloned(),
        tags,
        lost: lost(history, subject.image, loss),
        kept: KeptImage { digest: None },
        first_push: None,
        gap_seconds: None,
        order: loss.order,
        exposure_seconds: loss.untagged_at.map(|untagged| (loss.at - untagged).div_euclid(1000)),
        summary: summary(subject, kind, loss, &harm),
        advice: what_to_do(subject, loss, &harm, &why),
        evidence,
        reasons: why.reasons,
        deletion: Some(deletion),
        second_push: event,
        usage: harm.usage,
    }
}

fn summary(subject: Subject<'_>, kind: FindingKind, loss: &Loss, harm: &Harm) -> String {
    let history = subject.history;
    let digest = history.digest_or_zero(subject.image.digest).short();
    let who = super::story::who(history, loss.event);
    let what = match kind {
        _ if loss.presumed.is_some() => presumed(subject, loss, &digest),
        FindingKind::ExpiredWhileTagged => format!(
            "{} took {digest} while it had {}",
            rule_in_words(history, loss),
            plural(loss.tags.len(), "tag")
        ),
        FindingKind::RepositoryDeleted => format!("{who} deleted the repository, and {digest} with it"),
        FindingKind::Archived if loss.run.is_some() => {
            format!("{} archived {digest}", rule_in_words(history, loss))
        }
        FindingKind::Archived if history.noted(loss.event).snapshot => {
            format!("{} shows {digest} in the archive", history.snapshot_in_words(loss.event))
        }
        FindingKind::Archived => format!("{who} archived {digest}"),
        FindingKind::NotListed => {
            format!("{digest} is gone: {} does not list it", history.snapshot_in_words(loss.event))
        }
        _ if loss.end == End::DeletedByLastTag => {
            format!("{who} deleted the last tag of {digest}, and the image with it")
        }
        _ => format!("{who} deleted {digest}"),
    };
    let needed = harm.need();
    format!("In {}, {what}; {needed}.", place(&history.repository(subject.repository)))
}

/// Maximum number of tags that get a command of their own.
const TAGS_MAX: usize = 2;

/// Which tags exist again and which do not: a push only restores the tags that it names.
pub fn came_back(
    history: &History,
    repository: &RepositoryHistory,
    image: &Image,
    loss: &Loss,
) -> Vec<String> {
    let missing = |tag: Sym| repository.tags.get(&tag).is_none_or(|state| state.holder.is_none());
    let mut tags: Vec<&str> =
        loss.tags.iter().filter(|(tag, _)| missing(*tag)).map(|(tag, _)| history.text(*tag)).collect();
    tags.sort_unstable();
    if image.is_gone() {
        let again = image
            .losses
            .last()
            .map(|last| crate::model::Timestamp::from_millis(last.at).to_string())
            .unwrap_or_default();
        return vec![format!("The image came back later, and went again at {again}: see what took it then.")];
    }
    if tags.is_empty() {
        return vec!["The image came back later: it can be pulled now; start anew what stopped.".to_owned()];
    }
    let (place, digest) = (history.repository(repository), history.digest_or_zero(image.digest));
    let place = [place.registry_id.raw(), place.region.raw(), place.name.raw()];
    let commands: Vec<String> =
        tags.iter().take(TAGS_MAX).map(|tag| format!("`{}`", advice::retag(place, digest, tag))).collect();
    let list = tags.join(", ");
    vec![format!(
        "The image came back later, and tag {list} did not: tag {} {list} again, {}.",
        digest.short(),
        commands.join("; ")
    )]
}

/// What most likely took the image, and by when.
fn presumed(subject: Subject<'_>, loss: &Loss, digest: &str) -> String {
    let by = crate::model::Timestamp::from_millis(loss.at);
    match loss.presumed {
        Some(Because::Source { .. }) => {
            let source = subject
                .history
                .behind(subject.repository, subject.image, loss)
                .map(|(source, ..)| place(&subject.history.repository(source)));
            format!(
                "{digest} most likely went soon after {by}, with its source in {}",
                source.unwrap_or_default()
            )
        }
        _ => format!(
            "{digest}, a reference artifact, most likely went by {by}, with the image that it is about"
        ),
    }
}

/// What keeps it from happening again, from the reasons where they advise something.
fn what_to_do(subject: Subject<'_>, loss: &Loss, harm: &Harm, why: &Why) -> Vec<String> {
    if loss.back_at.is_some() {
        return came_back(subject.history, subject.repository, subject.image, loss);
    }
    if loss.presumed.is_some() {
        return why.advice.clone();
    }
    if why.advice.is_empty() {
        advice::of_loss(subject, loss, harm)
    } else {
        advice::of_loss_with(subject, loss, harm, why.advice.clone())
    }
}
