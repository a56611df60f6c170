//! A call took a tag off, and somebody asked for it afterwards. The image may live under other tags.

use super::story::{asked, evidence, place};
use super::{TagDetector, TagSubject, id_of};
use crate::model::{Deleted, Finding, FindingKind, KeptImage, LostImage, Order, Severity, TagEnd, Timestamp};
use crate::timeline::{Ask, Image, TagSpan};

/// `BatchDeleteImage` by tag. Where that was the image's last tag, the image went with it: `deleted-by-call` tells that.
pub struct TagRemoved;

impl TagDetector for TagRemoved {
    fn detect(&self, subject: TagSubject<'_>, found: &mut Vec<Finding>) {
        let removed = |span: &TagSpan| span.end == Some(TagEnd::Removed);
        for (index, span) in subject.life.spans.iter().enumerate().filter(|(_, span)| removed(span)) {
            let image = subject.repository.image(span.digest);
            if image.is_some_and(|image| image.losses.iter().any(|loss| loss.event == span.ended_by)) {
                continue;
            }
            let asks: Vec<&Ask> = subject.life.asked_after(index, |event| subject.history.noted(event).time).filter(|ask| asked(ask)).collect();
            if !asks.is_empty() {
                found.push(finding(subject, index, span, image, &asks));
            }
        }
    }
}

fn finding(subject: TagSubject<'_>, index: usize, span: &TagSpan, image: Option<&Image>, asks: &[&Ask]) -> Finding {
    let TagSubject { history, repository, .. } = subject;
    let call = history.event(span.ended_by);
    let tag = history.text(subject.tag);
    let digest = history.digest_or_zero(span.digest);
    let who = call.actor.as_ref().map_or("somebody", |actor| actor.raw());
    let others = image.map(|image| other_tags(subject, image)).unwrap_or_default();
    let left = match image {
        Some(image) if image.is_gone() => "is gone by now, too".to_owned(),
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
        lost: LostImage { digest: Some(digest), pushed_at: span.pushed_at.map(Timestamp::from_millis), untagged_at: None, gone_at: None },
        kept: KeptImage { digest: None },
        first_push: given,
        second_push: call.clone(),
        gap_seconds: None,
        order: Order::Observed,
        exposure_seconds: None,
        summary: format!(
            "In {}, {who} took tag {tag} off {}, which {left}; {} after that found nothing.",
            place(&history.repository(repository)),
            digest.short(),
            super::story::counted_asks(asks),
        ),
        advice: match back {
            Some(back) => vec![format!("The tag came back at {}: it can be pulled now; start anew what stopped.", Timestamp::from_millis(back.from))],
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
    let mut tags: Vec<&str> = image.tags.iter().filter(|(tag, _)| *tag != subject.tag).map(|(tag, _)| subject.history.text(*tag)).collect();
    tags.sort_unstable();
    tags
}

/// How to have the tag again.
pub fn advice(subject: TagSubject<'_>, image: Option<&Image>, others: &[&str]) -> Vec<String> {
    let tag = subject.history.text(subject.tag);
    if image.is_some_and(Image::is_gone) {
        return vec![format!("The image that had tag {tag} is gone by now, too: push {tag} again.")];
    }
    let mut advice = Vec::new();
    if let Some(image) = image {
        advice.push(put_back(subject, image));
    }
    if !others.is_empty() {
        advice.push(format!("Or refer to {} instead: the same image.", others.join(" or ")));
    }
    advice.push("Let jobs that clean up tags ask what is deployed by them.".to_owned());
    advice
}

/// The commands that give the tag to the image again.
pub fn put_back(subject: TagSubject<'_>, image: &Image) -> String {
    let (history, name) = (subject.history, subject.history.repository(subject.repository).name);
    let (name, tag, digest) = (name.raw(), history.text(subject.tag), history.digest_or_zero(image.digest));
    format!(
        "Put tag {tag} back on that digest: `aws ecr batch-get-image --repository-name {name} --image-ids imageDigest={digest} --query 'images[0].imageManifest' --output text > manifest.json`, then `aws ecr put-image --repository-name {name} --image-tag {tag} --image-manifest file://manifest.json`."
    )
}
