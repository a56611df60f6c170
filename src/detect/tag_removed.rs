//! A call removed a tag, and somebody asked for it afterwards. The image may still exist under other tags.

use super::story::{asked, evidence, place};
use super::{TagDetector, TagSubject, id_of};
use crate::model::{
    Deleted, Finding, FindingKind, KeptImage, LostImage, Order, Severity, StepKind, TagEnd, Timestamp,
};
use crate::timeline::{Ask, Image, RepositoryHistory, TagSpan};

/// Reports tags removed by `BatchDeleteImage`. If it was the image's last tag, the image went as well,
/// which `deleted-by-call` reports.
pub struct TagRemoved;

impl TagDetector for TagRemoved {
    fn detect(&self, subject: TagSubject<'_>, found: &mut Vec<Finding>) {
        let removed = |span: &TagSpan| span.end == Some(TagEnd::Removed);
        for (index, span) in subject.life.spans.iter().enumerate().filter(|(_, span)| removed(span)) {
            let image = subject.repository.image(span.digest);
            if image.is_some_and(|image| image.losses.iter().any(|loss| loss.event == span.ended_by)) {
                continue;
            }
            let asks: Vec<&Ask> = subject
                .life
                .asked_after(index, |event| subject.history.noted(event).time)
                .filter(|ask| asked(ask))
                .collect();
            if !asks.is_empty() {
                found.push(finding(subject, index, span, image, &asks));
            }
        }
    }
}

fn finding(
    subject: TagSubject<'_>,
    index: usize,
    span: &TagSpan,
    image: Option<&Image>,
    asks: &[&Ask],
) -> Finding {
    let TagSubject { history, repository, .. } = subject;
    let call = history.event(span.ended_by);
    let tag = history.text(subject.tag);
    let digest = history.digest_or_zero(span.digest);
    let who = super::story::who(history, span.ended_by);
    let others = image.map(|image| other_tags(subject, image)).unwrap_or_default();
    let source = source(subject, span);
    let (place_of, found) = (place(&history.repository(repository)), super::story::counted_asks(asks));
    let left = match image {
        Some(image) if image.is_gone() => match image.losses.last() {
            Some(loss) => format!(
                "is gone since {}, too ({})",
                Timestamp::from_millis(loss.at),
                history.event(loss.event).event_name.raw()
            ),
            None => "is gone by now, too".to_owned(),
        },
        _ if others.is_empty() => "may still be there".to_owned(),
        _ => format!("is still there under {}", others.join(", ")),
    };
    let mut usage = super::story::usage_of_asks(history, asks);
    usage.pulls_before = u64::from(span.pulls);
    let mut events = vec![span.since, span.ended_by];
    events.extend(asks.first().into_iter().chain(asks.last()).map(|ask| ask.event));
    let given = span.since.some().map(|event| history.event(event));
    let back = subject.life.spans.get(index + 1);
    Finding {
        id: id_of(history, repository, tag),
        kind: FindingKind::TagRemoved,
        severity: Severity::Critical,
        repository: history.repository(repository),
        tag: history.log_text(subject.tag),
        tags: Vec::new(),
        reasons: Vec::new(),
        lost: LostImage {
            digest: Some(digest),
            pushed_at: span.pushed_at.map(Timestamp::from_millis),
            untagged_at: None,
            gone_at: None,
        },
        kept: KeptImage { digest: None },
        first_push: given,
        second_push: call.clone(),
        gap_seconds: None,
        order: Order::Observed,
        exposure_seconds: None,
        summary: match source {
            None => format!(
                "In {place_of}, {who} took tag {tag} off {}, which {left}; {found} after that found nothing.",
                digest.short()
            ),
            Some(source) => format!(
                "In {place_of}, {} {left} and most likely lost tag {tag} soon after {who} took it off in {}, \
                 from where deletions are replicated; {found} after that found nothing.",
                digest.short(),
                place(&history.repository(source)),
            ),
        },
        advice: match back {
            Some(back) => vec![format!(
                "The tag came back at {}: it can be pulled now; start anew what stopped.",
                Timestamp::from_millis(back.from)
            )],
            None => advice(subject, image, &others),
        },
        evidence: evidence(history, events),
        deletion: Some(Deleted {
            event: call,
            rule_priority: None,
            rule: None,
            tag_status: None,
            tag_list: history.log_text(subject.tag).into_iter().collect(),
        }),
        usage,
    }
}

/// Tags that the image has now.
fn other_tags<'h>(subject: TagSubject<'h>, image: &Image) -> Vec<&'h str> {
    let mut tags: Vec<&str> = image
        .tags
        .iter()
        .filter(|(tag, _)| *tag != subject.tag)
        .map(|(tag, _)| subject.history.text(*tag))
        .collect();
    tags.sort_unstable();
    tags
}

/// Advice on how to get the tag back.
pub fn advice(subject: TagSubject<'_>, image: Option<&Image>, others: &[&str]) -> Vec<String> {
    let tag = subject.history.text(subject.tag);
    if image.is_some_and(Image::is_gone) {
        return vec![format!("The image that had tag {tag} is gone by now, too: push {tag} again.")];
    }
    let mut advice = Vec::new();
    let removed = subject.life.spans.iter().rfind(|span| span.end == Some(TagEnd::Removed));
    let source = removed.and_then(|span| source(subject, span));
    if let Some(source) = source {
        let at_source = TagSubject { repository: source, ..subject };
        let command = image.map(|image| retag_command(at_source, image)).unwrap_or_default();
        let name = place(&subject.history.repository(source));
        advice.push(format!(
            "Put tag {tag} back where it is replicated from, {name}: `{command}`. To keep tags of copies \
             longer, switch deleteReplication off in that rule."
        ));
    } else if let Some(image) = image {
        advice.push(put_back(subject, image));
    }
    if !others.is_empty() {
        advice.push(format!("Or refer to {} instead: the same image.", others.join(" or ")));
    }
    advice.push("Let jobs that clean up tags ask what is deployed by them.".to_owned());
    advice
}

/// Why a call in another repository removes a tag here.
pub const GOES_ALONG: &str =
    "from where deletions are replicated, so that it most likely went here soon after";

/// The source repository, if the tag was removed there and deletions are replicated to this one.
pub fn source<'h>(subject: TagSubject<'h>, span: &TagSpan) -> Option<&'h RepositoryHistory> {
    let has = |repository: &&RepositoryHistory| {
        repository.image(span.digest).is_some_and(|image| {
            image.steps.iter().any(|step| step.kind == StepKind::Untag && step.event == span.ended_by)
        })
    };
    if has(&subject.repository) {
        return None;
    }
    subject.history.repositories().iter().find(has)
}

/// How to tag the image again.
fn put_back(subject: TagSubject<'_>, image: &Image) -> String {
    format!(
        "Put tag {} back on that digest: `{}`.",
        subject.history.text(subject.tag),
        retag_command(subject, image)
    )
}

/// The command that puts the tag on an image that exists.
pub fn retag_command(subject: TagSubject<'_>, image: &Image) -> String {
    let (history, place) = (subject.history, subject.history.repository(subject.repository));
    let place = [place.registry_id.raw(), place.region.raw(), place.name.raw()];
    super::advice::retag(place, history.digest_or_zero(image.digest), history.text(subject.tag))
}
