//! The incident that this program was written for: two pushes of one tag, then a lifecycle run that took
//! the image of the first push.

use super::advice;
use super::reasons::why;
use super::story::{
    add_reasons, deleted, evidence, immutability, lost, order_of, place, role, rule_in_words, settled, span,
    who,
};
use super::usage::{Harm, usage_of_loss};
use super::{Detector, Subject, id};
use crate::model::{DAY_MILLIS, Finding, FindingKind, KeptImage, Order, PushOrigin, Severity, plural};
use crate::timeline::{
    DigestNo, Displacement, End, EventNo, History, Image, Loss, RepositoryHistory, TagSpan,
};

/// Reports every image that was expired without a tag because another push had taken its last tag.
pub struct SameTag;

impl Detector for SameTag {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        for loss in
            subject.image.losses.iter().filter(|loss| loss.end == End::Expired && loss.presumed.is_none())
        {
            if let Some(displaced) = &loss.displaced {
                found.push(finding(subject, loss, displaced));
            }
        }
    }
}

/// Seconds between the two pushes; `None` where the first is not in the logs.
pub fn gap(subject: Subject<'_>, displaced: &Displacement) -> Option<i64> {
    let first = displaced.first_push.some()?;
    Some((displaced.at - subject.history.noted(first).time).div_euclid(1000))
}

/// Whether it is a race or an overwrite. Where the first push is not in the logs, the lifecycle event's
/// `pushedAt` is used.
pub fn kind(subject: Subject<'_>, displaced: &Displacement, pushed_at: Option<i64>) -> FindingKind {
    // Both images came with one push, so there was nobody to race with.
    if displaced.by_child {
        return FindingKind::SameTagOverwrite;
    }
    let gap =
        gap(subject, displaced).or_else(|| pushed_at.map(|pushed| (displaced.at - pushed).div_euclid(1000)));
    if gap.is_some_and(|gap| gap <= subject.settings.race_window_seconds) {
        FindingKind::SameTagRace
    } else {
        FindingKind::SameTagOverwrite
    }
}

/// How sure the order of the two pushes is: the less certain of both.
pub fn order(subject: Subject<'_>, displaced: &Displacement) -> Order {
    displaced.order.max(order_of(subject.image, displaced.first_push))
}

/// The severity without evidence of use: a race deserves a look, an overwrite is routine.
pub fn severity(harm: &Harm, kind: FindingKind) -> Severity {
    let alone = if kind == FindingKind::SameTagRace { Severity::Medium } else { Severity::Low };
    harm.severity.map_or(alone, |harm| harm.min(alone))
}

/// Other pushes that may have taken the tag, with what they pushed: those in the same second whose order
/// nothing tells.
pub fn rivals(
    history: &History,
    repository: &RepositoryHistory,
    displaced: &Displacement,
) -> Vec<(DigestNo, EventNo)> {
    let first = displaced.first_push.some().map(|first| history.noted(first).time);
    // If the displaced image itself was pushed in that second, its push may have been the last: then no
    // other push took the tag.
    if displaced.order != Order::Ambiguous || first == Some(displaced.at) {
        return Vec::new();
    }
    let spans =
        repository.tag_lives.get(&displaced.tag).map(|life| life.spans.as_slice()).unwrap_or_default();
    let may_be_first = |span: &&TagSpan| {
        span.digest != displaced.by && span.order == Order::Ambiguous && span.from == displaced.at
    };
    let pushes = spans.iter().filter(may_be_first).filter_map(|span| Some((span.digest, span.since.some()?)));
    let mut rivals: Vec<(DigestNo, EventNo)> = pushes.collect();
    rivals.dedup_by_key(|(digest, _)| *digest);
    rivals
}

/// The image that took the tag, `sha256:0123456789ab`, or all that may have.
pub fn takers(history: &History, repository: &RepositoryHistory, displaced: &Displacement) -> Vec<String> {
    let rivals = rivals(history, repository, displaced).into_iter().map(|(digest, _)| digest);
    std::iter::once(displaced.by).chain(rivals).map(|digest| history.digest_or_zero(digest).short()).collect()
}

fn finding(subject: Subject<'_>, loss: &Loss, displaced: &Displacement) -> Finding {
    let history = subject.history;
    let kind = kind(subject, displaced, loss.pushed_at);
    let harm = usage_of_loss(history, subject.image, loss, subject.is_child());
    let deletion = deleted(history, loss);
    let second_push = history.event(displaced.second_push);
    let mut events = vec![displaced.first_push, displaced.second_push, loss.event];
    events.extend(settled(subject.repository, [displaced.first_push, displaced.second_push]));
    let rivals = rivals(history, subject.repository, displaced);
    events.extend(rivals.iter().map(|(_, push)| *push));
    events.extend(&harm.evidence);
    let why = why(history, subject.repository, subject.image, loss);
    let mut evidence = evidence(history, events);
    add_reasons(&mut evidence, &why);
    let tag = history.log_text(displaced.tag);
    Finding {
        id: id(subject),
        kind,
        severity: severity(&harm, kind),
        repository: history.repository(subject.repository),
        tags: tag.iter().cloned().collect(),
        tag,
        lost: lost(history, subject.image, loss),
        // An image whose own push of the tag is not in the logs was matched to a displacing push; where
        // several of one second fit, none of them is named.
        kept: KeptImage {
            digest: history
                .digest(displaced.by)
                .filter(|_| rivals.is_empty() || displaced.first_push.is_some()),
        },
        first_push: displaced.first_push.some().map(|event| history.event(event)),
        second_push,
        gap_seconds: gap(subject, displaced),
        order: order(subject, displaced).max(loss.order),
        exposure_seconds: loss.untagged_at.map(|untagged| (loss.at - untagged).div_euclid(1000)),
        summary: summary(subject, loss, displaced, kind, &harm),
        advice: what_to_do(subject, loss, displaced, &harm),
        evidence,
        reasons: why.reasons,
        deletion: Some(deletion),
        usage: harm.usage,
    }
}

fn summary(
    subject: Subject<'_>,
    loss: &Loss,
    displaced: &Displacement,
    kind: FindingKind,
    harm: &Harm,
) -> String {
    let history = subject.history;
    let digest = history.digest_or_zero(subject.image.digest).short();
    let takers = takers(history, subject.repository, displaced);
    let mut kept = takers.join(" or ");
    if takers.len() > 1 {
        kept.push_str(", pushed under it in one second in an order that nothing tells,");
    }
    let tag = history.text(displaced.tag);
    let after = match gap(subject, displaced) {
        Some(gap) => format!("{} after it was pushed", span(gap)),
        None => "(its own push lies before the logs)".to_owned(),
    };
    let verb = if is_refresh(subject, displaced) {
        "was fetched anew by the pull-through cache, for upstream has it now under"
    } else if kind == FindingKind::SameTagRace {
        "raced for"
    } else {
        "replaced"
    };
    let hurt = match (harm.usage.pulls_after_gone, harm.pinned.len()) {
        (0, 0) => String::new(),
        (0, pinned) => format!("; {} still needed it", plural(pinned, "deployment")),
        (pulls, _) => format!("; {} after that found nothing", plural(pulls, "pull")),
    };
    if displaced.by_child {
        let (place, told) =
            (place(&history.repository(subject.repository)), lost_to_child(subject, displaced));
        let later = span((loss.at - displaced.at).div_euclid(1000));
        return format!(
            "In {place}, {told}; {} took the index {later} later{hurt}.",
            rule_in_words(history, loss)
        );
    }
    let untagged_for = loss.untagged_at.map_or(0, |untagged| (loss.at - untagged).div_euclid(1000));
    format!(
        "In {}, {kept} {verb} tag {tag}, which {digest} lost {after}; {} took {digest} {} later{hurt}.",
        place(&history.repository(subject.repository)),
        rule_in_words(history, loss),
        span(untagged_for),
    )
}

/// Advice for a tag that moves because its upstream moves.
const REFRESHED: &str = "The pull-through cache moved the tag because upstream did: deploy what is pinned by \
    digest under a tag of its own, or keep untagged images of the cache longer. Immutable tags would keep the \
    cache from refreshing them.";

/// Whether the pull-through cache moved the tag: it checks upstream when somebody pulls.
fn is_refresh(subject: Subject<'_>, displaced: &Displacement) -> bool {
    let by_cache = |image: &Image| image.origin == PushOrigin::PullThroughCache;
    by_cache(subject.image) && subject.repository.image(displaced.by).is_some_and(by_cache)
}

/// "one push gave tag v3 to index sha256:… and 1 s later to sha256:…, an image that the index lists: …".
pub fn lost_to_child(subject: Subject<'_>, displaced: &Displacement) -> String {
    let history = subject.history;
    let (tag, child) = (history.text(displaced.tag), history.digest_or_zero(displaced.by).short());
    let index = history.digest_or_zero(subject.image.digest).short();
    let platform = platform(subject, displaced).unwrap_or("a single platform");
    let pushers = [displaced.first_push, displaced.second_push].map(|push| who(history, push));
    let after = gap(subject, displaced).map(|gap| format!(" {} later", span(gap))).unwrap_or_default();
    let how = match displaced.first_push.some() {
        Some(_) if role(&pushers[0]) == role(&pushers[1]) => {
            format!(
                "one push, by {}, gave tag {tag} to index {index} and{after} to {child}, an image that the \
                 index lists",
                pushers[1]
            )
        }
        _ => format!(
            "{} gave tag {tag}, which index {index} had, to {child}, an image that the index lists",
            pushers[1]
        ),
    };
    format!("{how}: the tag gives {platform} only, and every other platform fails")
}

/// The platform of the index's image that took the tag.
fn platform<'h>(subject: Subject<'h>, displaced: &Displacement) -> Option<&'h str> {
    let at = subject.image.children.iter().position(|child| *child == displaced.by)?;
    Some(subject.history.text(*subject.image.platforms.get(at)?)).filter(|text| !text.is_empty())
}

fn what_to_do(subject: Subject<'_>, loss: &Loss, displaced: &Displacement, harm: &Harm) -> Vec<String> {
    if displaced.by_child {
        return push_index_again(subject.history.text(displaced.tag));
    }
    // If nobody was affected, only advice on how to keep it from happening again.
    let mut advice = if is_refresh(subject, displaced) {
        advice::of_loss_with(subject, loss, harm, vec![REFRESHED.to_owned()])
    } else {
        let mut advice = advice::of_loss(subject, loss, harm);
        advice.push(immutability(subject.history, subject.repository, subject.history.text(displaced.tag)));
        advice
    };
    if no_grace(loss) {
        advice.push(
            "No grace: age counts from the push, so the image could go at the very next run after it lost its \
             tag. Protect by count, or keep untagged images longer than the oldest deployment."
                .to_owned(),
        );
    }
    if displaced.first_push.is_none() {
        advice.push(
            "The lost image was pushed before the logs begin: widen --since to see its push.".to_owned(),
        );
    }
    let takers = takers(subject.history, subject.repository, displaced);
    if takers.len() > 1 {
        advice.push(format!(
            "{} were pushed under {} in one second, and nothing tells which came first: either may have taken \
             the tag from this image.",
            takers.join(" and "),
            subject.history.text(displaced.tag)
        ));
    } else if displaced.order == Order::Ambiguous {
        advice.push(format!(
            "The pushes of {} fall into one second and nothing tells their order: the two digests may be the \
             other way round.",
            subject.history.text(displaced.tag)
        ));
    }
    advice
}

/// Advice for a tag that points to one image of its index.
pub fn push_index_again(tag: &str) -> Vec<String> {
    vec![
        format!(
            "Push tag {tag} again as a whole, so that it points to the index: starting tasks anew does not \
             help."
        ),
        "Push the images of the index first, by digest or under tags of their own, and the index under the \
         tag last."
            .to_owned(),
    ]
}

/// Whether the image was gone within a day of losing its tag, as it was older than the rule asks already.
fn no_grace(loss: &Loss) -> bool {
    loss.untagged_at.is_some_and(|untagged| loss.at - untagged < DAY_MILLIS)
}
