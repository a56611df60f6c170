//! Images that will be lost next: their tag moved away, they are still there, and the repository's
//! lifecycle policy will take them.

use super::advice;
use super::index_tag::failures;
use super::same_tag::{gap, kind, lost_to_child, order, push_index_again, rivals, severity, takers};
use super::story::{evidence, immutability, place, settled};
use super::unexplained::{references, shown};
use super::usage::usage_of_displaced;
use super::{Detector, Subject, id};
use crate::model::{
    Finding, FindingKind, ImageState, KeptImage, LifecycleAction, LostImage, Severity, Timestamp,
};
use crate::policy::Rule;
use crate::timeline::{Displacement, PolicyInForce};

/// Reports every image that lost its last tag to another push, that no index holds, and that a rule in
/// force will expire.
pub struct DisplacedAlive;

impl Detector for DisplacedAlive {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let Some(displaced) = subject.image.displaced.as_deref() else { return };
        if let Some((policy, rule)) = rule_ahead(subject) {
            found.push(finding(subject, displaced, policy, &rule.in_words()));
        }
    }
}

/// The policy in force and the rule that will take the image; for images without a tag that no index holds.
pub fn rule_ahead<'h>(subject: Subject<'h>) -> Option<(PolicyInForce, &'h Rule)> {
    if subject.image.state != ImageState::Untagged || subject.repository.is_held(subject.image.digest) {
        return None;
    }
    let repository_forecast = subject.repository_forecast()?;
    let at = subject.repository.by_digest.get(&subject.image.digest);
    let image_forecast = at
        .and_then(|at| repository_forecast.images.get(*at).copied()?)
        .filter(|image_forecast| image_forecast.eligible_at.is_some());
    // Only expiry counts: a transition to the archive can be undone.
    let rule = image_forecast
        .and_then(|image_forecast| repository_forecast.rule(image_forecast))
        .filter(|rule| rule.action == LifecycleAction::Expire)?;
    Some((repository_forecast.in_force, rule))
}

fn finding(subject: Subject<'_>, displaced: &Displacement, policy: PolicyInForce, rule: &str) -> Finding {
    let (history, image) = (subject.history, subject.image);
    let mut harm = usage_of_displaced(history, image, displaced.step);
    // If the tag moved from an index to one of its images, users of other platforms fail already.
    let child = subject.repository.image(displaced.by).filter(|_| displaced.by_child);
    let failures = child.map(|child| failures(subject, displaced, child)).unwrap_or_default();
    if let Some(child) = child.filter(|_| !failures.is_empty()) {
        harm.severity = Some(Severity::Critical);
        harm.evidence.extend(shown(failures.iter().map(|step| step.event)));
        harm.usage.references = references(history, child, &failures);
    }
    let pair = kind(subject, displaced, image.pushed_at);
    let second_push = history.event(displaced.second_push);
    let mut events = vec![displaced.first_push, displaced.second_push, policy.event];
    events.extend(settled(subject.repository, [displaced.first_push, displaced.second_push]));
    events.extend(rivals(history, subject.repository, displaced).into_iter().map(|(_, push)| push));
    events.extend(&harm.evidence);
    let digest = history.digest_or_zero(image.digest);
    let advice = if displaced.by_child {
        push_index_again(history.text(displaced.tag))
    } else {
        [
            advice::of_displaced(subject, displaced, &harm),
            vec![immutability(history, subject.repository, history.text(displaced.tag))],
        ]
        .concat()
    };
    let repository = history.repository(subject.repository);
    Finding {
        id: id(subject),
        kind: FindingKind::DisplacedAlive,
        severity: severity(&harm, pair),
        tags: history.log_text(displaced.tag).into_iter().collect(),
        tag: history.log_text(displaced.tag),
        reasons: Vec::new(),
        lost: LostImage {
            digest: Some(digest),
            pushed_at: image.pushed_at.map(Timestamp::from_millis),
            untagged_at: image.untagged_at.map(Timestamp::from_millis),
            gone_at: None,
        },
        kept: KeptImage { digest: history.digest(displaced.by) },
        first_push: displaced.first_push.some().map(|event| history.event(event)),
        second_push,
        gap_seconds: gap(subject, displaced),
        order: order(subject, displaced),
        deletion: None,
        exposure_seconds: None,
        usage: harm.usage,
        summary: if displaced.by_child {
            format!(
                "In {}, {}; {rule} will take the index.",
                place(&repository),
                lost_to_child(subject, displaced)
            )
        } else {
            format!(
                "In {}, {} lost tag {} to {} and is still there; {rule} will take it.",
                place(&repository),
                digest.short(),
                history.text(displaced.tag),
                takers(history, subject.repository, displaced).join(" or "),
            )
        },
        advice,
        evidence: evidence(history, events),
        repository,
    }
}
