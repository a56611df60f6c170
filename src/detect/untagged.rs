//! A rule for untagged images took the image, and no push in these logs took its tag: it never had one in
//! this repository, or nothing tells how it lost it.

use super::reasons;
use super::story::{add_reasons, deleted, evidence, lost, place, rule_in_words};
use super::usage::{Harm, usage_of_loss};
use super::{Detector, Subject, child, id};
use crate::model::{Finding, FindingKind, KeptImage, PushOrigin, TagEnd, UntaggedBy, plural_verb};
use crate::timeline::{End, EventNo, History, Image, Loss, RepositoryHistory, Sym, TagSpan};

/// Reports images taken by a rule for untagged images although somebody needed them. Images of an index are
/// reported by [`child::ChildLost`].
pub struct ExpiredUntagged;

impl Detector for ExpiredUntagged {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        for loss in subject.image.losses.iter().filter(|loss| was_untagged(loss)) {
            if child::living_indexes(subject.history, subject.repository, subject.image, loss)
                .next()
                .is_some()
            {
                continue;
            }
            let harm = usage_of_loss(subject.history, subject.image, loss, subject.is_child());
            if harm.severity.is_some() {
                found.push(finding(subject, loss, harm));
            }
        }
    }
}

/// Whether it was expired without a tag, and no push is known to have taken the last one.
pub(super) fn was_untagged(loss: &Loss) -> bool {
    loss.presumed.is_none() && loss.end == End::Expired && loss.displaced.is_none() && loss.tags.is_empty()
}

/// Why an image without a tag had none.
#[derive(Clone, Copy)]
pub enum Untagged<'h> {
    /// It was pushed by digest.
    ByDigest(EventNo),
    /// Replication copied it without the tag that it has at the source, because another image has that tag
    /// here and tags are immutable here. With that tag and its span, where the logs have them.
    ReplicaWithoutTag { push: EventNo, taken: Option<(Sym, &'h TagSpan)> },
    /// A call removed its tag.
    Removed(EventNo),
    /// It had this tag, and the run shows that it had lost it; what took it is not in the logs.
    TakenUnseen { tag: Sym, span: &'h TagSpan },
    /// It lost its tag before the logs begin, or without an event.
    NotKnown,
}

/// Why the image had no tag when it was lost.
pub fn why<'h>(subject: Subject<'h>, loss: &Loss) -> Untagged<'h> {
    let (history, image, repository) = (subject.history, subject.image, subject.repository);
    let life = image.steps.get(loss.first_step as usize..=loss.end_step as usize).unwrap_or_default();
    if let Some(removed) = life.iter().rfind(|step| step.kind == crate::model::StepKind::Untag) {
        return Untagged::Removed(removed.event);
    }
    let push = life
        .iter()
        .find(|step| matches!(step.kind, crate::model::StepKind::Push | crate::model::StepKind::Replicate));
    let Some(push) =
        push.filter(|_| loss.untagged_by == Some(UntaggedBy::PushedUntagged)).map(|step| step.event)
    else {
        return last_tag(history, repository, image, loss)
            .map_or(Untagged::NotKnown, |(tag, span)| Untagged::TakenUnseen { tag, span });
    };
    if image.origin == PushOrigin::Replication && has_immutable_tags(history, repository) {
        return Untagged::ReplicaWithoutTag { push, taken: taken_tag(history, repository, image, push) };
    }
    Untagged::ByDigest(push)
}

/// The tag that the image was known to have until the run listed it without one.
fn last_tag<'h>(
    history: &History,
    repository: &'h RepositoryHistory,
    image: &Image,
    loss: &Loss,
) -> Option<(Sym, &'h TagSpan)> {
    let unseen = |span: &&TagSpan| {
        span.digest == image.digest && span.ended_by == loss.event && span.end == Some(TagEnd::NotLogged)
    };
    let lives = repository.tag_lives.iter();
    let spans = lives.filter_map(|(tag, life)| Some((*tag, life.spans.iter().rfind(unseen)?)));
    spans
        .filter(|(_, span)| span.since.is_some())
        .max_by_key(|(tag, span)| (span.from, history.text(*tag).to_owned()))
}

/// Whether some tags cannot be moved there.
pub fn has_immutable_tags(history: &History, repository: &RepositoryHistory) -> bool {
    let setting = history.text(repository.mutability.setting);
    setting.starts_with("IMMUTABLE") || setting == "MUTABLE_WITH_EXCLUSION"
}

/// The tag that the image has at its source, and that another image has here. It is found through the tags of
/// the same digest in other repositories with that name.
pub fn taken_tag<'h>(
    history: &'h History,
    repository: &'h RepositoryHistory,
    image: &Image,
    push: EventNo,
) -> Option<(Sym, &'h TagSpan)> {
    let at = history.noted(push).time;
    let of_source = history.namesakes(repository).flat_map(|other| &other.tag_lives);
    let mut tags: Vec<Sym> = of_source
        .filter(|(_, life)| life.spans.iter().any(|span| span.digest == image.digest && span.from <= at))
        .map(|(tag, _)| *tag)
        .collect();
    if tags.is_empty() {
        // Without the source's own logs: the tags that were taken here when it was replicated. If there is
        // only one, it must be that.
        tags = repository
            .tag_lives
            .iter()
            .filter(|(_, life)| life.at(at).is_some())
            .map(|(tag, _)| *tag)
            .collect();
        tags = if tags.len() == 1 { tags } else { Vec::new() };
    }
    tags.sort_unstable_by_key(|tag| history.text(*tag));
    tags.into_iter().find_map(|tag| {
        Some((tag, repository.tag_lives.get(&tag)?.at(at).filter(|span| span.digest != image.digest)?))
    })
}

/// "it never had a tag: …": why a rule for untagged images could take it, with the events that show it.
pub fn reason(subject: Subject<'_>, loss: &Loss) -> (String, Vec<EventNo>) {
    let history = subject.history;
    let who = |event: EventNo| super::story::who(history, event);
    match why(subject, loss) {
        Untagged::ByDigest(push) => {
            let how = if subject.image.origin == PushOrigin::Replication {
                "replication brought it"
            } else {
                "pushed it by its digest"
            };
            let by = if subject.image.origin == PushOrigin::Replication {
                how.to_owned()
            } else {
                format!("{} {how}", who(push))
            };
            (format!("it never had a tag: {by} at {}, without one", history.time(push)), vec![push])
        }
        Untagged::ReplicaWithoutTag { push, taken } => {
            let mut events = vec![push];
            events.extend(taken.and_then(|(_, span)| span.since.some()));
            events.extend(subject.repository.mutability_set_by);
            let because = match taken {
                Some((tag, span)) => format!(
                    "tag {} was on {} here, and the repository's tags are immutable",
                    history.text(tag),
                    history.digest_or_zero(span.digest).short()
                ),
                None => {
                    "the repository's tags are immutable, and a tag that is taken is not moved".to_owned()
                }
            };
            (format!("replication brought it without its tag at {}: {because}", history.time(push)), events)
        }
        Untagged::Removed(call) => {
            (format!("{} took its tag off at {}", who(call), history.time(call)), vec![call])
        }
        Untagged::TakenUnseen { tag, span } => taken_unseen(subject, loss, tag, span),
        Untagged::NotKnown => (
            "it had no tag; how it lost it, or that it never had one, happened before the logs begin or was \
             not logged"
                .to_owned(),
            Vec::new(),
        ),
    }
}

fn taken_unseen(subject: Subject<'_>, loss: &Loss, tag: Sym, span: &TagSpan) -> (String, Vec<EventNo>) {
    let history = subject.history;
    let between = |event: &&EventNo| (span.from..=loss.at).contains(&history.noted(**event).time);
    let silent: Vec<EventNo> = subject.repository.gaps.iter().filter(between).copied().collect();
    let perhaps = match silent.len() {
        0 => String::new(),
        count => format!(
            " ({} not say what was done, and may have taken it)",
            plural_verb(count, "event of the repository", ["does", "do"])
        ),
    };
    let text = format!(
        "it had tag {} since {}, and what took the tag before that run is not in these logs{perhaps}",
        history.text(tag),
        history.time(span.since)
    );
    (text, std::iter::once(span.since).chain(silent).collect())
}

fn finding(subject: Subject<'_>, loss: &Loss, harm: Harm) -> Finding {
    let history = subject.history;
    let deletion = deleted(history, loss);
    let (reason, said_by) = reason(subject, loss);
    let mut events = vec![loss.event];
    events.extend(&said_by);
    events.extend(&harm.evidence);
    let reasons = reasons::why(history, subject.repository, subject.image, loss);
    let mut evidence = evidence(history, events);
    add_reasons(&mut evidence, &reasons);
    let digest = history.digest_or_zero(subject.image.digest);
    Finding {
        id: id(subject),
        kind: FindingKind::ExpiredUntagged,
        severity: harm.severity.unwrap_or(crate::model::Severity::High),
        repository: history.repository(subject.repository),
        tag: None,
        tags: Vec::new(),
        lost: lost(history, subject.image, loss),
        kept: KeptImage { digest: None },
        first_push: None,
        second_push: history.event(loss.event),
        gap_seconds: None,
        order: loss.order,
        exposure_seconds: loss.untagged_at.map(|untagged| (loss.at - untagged).div_euclid(1000)),
        summary: format!(
            "In {}, {} took {}; {reason}; {}.",
            place(&history.repository(subject.repository)),
            rule_in_words(history, loss),
            digest.short(),
            harm.need()
        ),
        advice: advice(subject, loss, &harm),
        evidence,
        reasons: reasons.reasons,
        deletion: Some(deletion),
        usage: harm.usage,
    }
}

/// Advice about an image without a tag that somebody needs.
fn advice(subject: Subject<'_>, loss: &Loss, harm: &Harm) -> Vec<String> {
    let prevention = match why(subject, loss) {
        Untagged::ReplicaWithoutTag { taken, .. } => {
            let tag = taken.map_or("the tag", |(tag, _)| subject.history.text(tag));
            format!(
                "Make the destination's tags mutable, or exempt {tag} from immutability there, or keep \
                 untagged images there longer; then replicate or push it again."
            )
        }
        _ => "Give what is deployed by digest a tag of its own, or exempt it from the untagged rule."
            .to_owned(),
    };
    super::advice::of_loss_with(subject, loss, harm, vec![prevention])
}
