//! The next victims: displaced, still there, and the repository's lifecycle policy will take them.

use serde_json::Value;

use super::same_tag::{gap, kind, order, severity};
use super::story::{evidence, place};
use super::usage::usage_of_displaced;
use super::{Detector, Subject, id};
use crate::model::{Finding, FindingKind, ImageState, KeptImage, LostImage, Timestamp};
use crate::timeline::{Displacement, History, PolicyInForce, PolicyText};

/// Every image that lost its last tag to another push, is held by no index, and matches a rule in force.
pub struct DisplacedAlive;

impl Detector for DisplacedAlive {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let Some(displaced) = subject.image.displaced.as_deref() else { return };
        if subject.image.state != ImageState::Untagged || subject.repository.is_held(subject.image.digest) {
            return;
        }
        let Some(policy) = subject.repository.policy else { return };
        if let Some(rule) = rule_for_untagged(subject.history, policy) {
            found.push(finding(subject, displaced, policy, &rule));
        }
    }
}

/// The first rule, by priority, that takes untagged images, in words.
fn rule_for_untagged(history: &History, policy: PolicyInForce) -> Option<String> {
    let (rules, prose) = match policy.text {
        PolicyText::Policy(text) => (serde_json::from_str::<Value>(history.text(text)).ok()?["rules"].take(), false),
        PolicyText::Rules(rules) => (serde_json::from_str::<Value>(history.text(rules)).ok()?, true),
    };
    let mut matching: Vec<(i64, String)> = rules.as_array()?.iter().filter_map(|rule| takes_untagged(rule, prose)).collect();
    matching.sort();
    matching.into_iter().next().map(|(_, words)| words)
}

/// Priority and words of a rule that takes untagged images: of a policy as it was put, or in the prose of a run's event.
fn takes_untagged(rule: &Value, prose: bool) -> Option<(i64, String)> {
    let selection = if prose { rule } else { &rule["selection"] };
    let name = |policy: &str, event: &str| if prose { event.to_owned() } else { policy.to_owned() };
    let status = selection[name("tagStatus", "tag_status").as_str()].as_str()?;
    let action = if prose { rule["action"].as_str() } else { rule["action"]["type"].as_str() }?;
    let takes = (status.eq_ignore_ascii_case("untagged") || status.eq_ignore_ascii_case("any")) && !action.is_empty();
    // A rule for archived images leaves those in standard storage alone.
    let archived = selection[name("storageClass", "storage_class").as_str()].as_str().is_some_and(|class| class.eq_ignore_ascii_case("archive"));
    let priority = rule[name("rulePriority", "priority").as_str()].as_i64()?;
    let count = &selection[name("countNumber", "count_number").as_str()];
    let count_type = selection[name("countType", "count_type").as_str()].as_str().unwrap_or_default();
    let unit = selection[name("countUnit", "count_unit").as_str()].as_str().unwrap_or_default();
    (takes && !archived).then(|| (priority, format!("lifecycle rule {priority} ({status}, {count_type} {count} {unit}").trim_end().to_owned() + ")"))
}

fn finding(subject: Subject<'_>, displaced: &Displacement, policy: PolicyInForce, rule: &str) -> Finding {
    let (history, image) = (subject.history, subject.image);
    let harm = usage_of_displaced(history, image, displaced.step);
    let pair = kind(subject, displaced, image.pushed_at);
    let second_push = history.event(displaced.second_push);
    let mut events = vec![displaced.first_push, displaced.second_push, policy.event];
    events.extend(&harm.evidence);
    let digest = history.digest_or_zero(image.digest);
    let repository = history.repository(subject.repository);
    Finding {
        id: id(subject, second_push.event_id.raw(), ""),
        kind: FindingKind::DisplacedAlive,
        severity: severity(&harm, pair),
        tag: history.log_text(displaced.tag),
        lost: LostImage {
            digest,
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
        summary: format!(
            "In {}, {} lost tag {} to {} and is still there; {rule} will take it.",
            place(&repository),
            digest.short(),
            history.text(displaced.tag),
            history.digest_or_zero(displaced.by).short(),
        ),
        advice: vec![
            "Give it a tag now (`aws ecr put-image` with its manifest and a new tag) if anything refers to it.".to_owned(),
            "Then deploy anew what still runs it, and make the repository's tags immutable.".to_owned(),
        ],
        evidence: evidence(history, events),
        repository,
    }
}
