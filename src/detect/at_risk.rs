//! The next victims: displaced, still there, and the repository's lifecycle policy will take them.

use serde_json::Value;

use super::same_tag::{gap, kind, order, severity};
use super::story::{evidence, immutability, place, settled};
use super::usage::usage_of_displaced;
use super::{Detector, Subject, id};
use crate::model::{Finding, FindingKind, ImageState, KeptImage, LostImage, Timestamp};
use crate::timeline::{Displacement, History, Image, PolicyInForce, PolicyText};

/// Every image that lost its last tag to another push, is held by no index, and matches a rule in force.
pub struct DisplacedAlive;

impl Detector for DisplacedAlive {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let Some(displaced) = subject.image.displaced.as_deref() else { return };
        if subject.image.state != ImageState::Untagged || subject.repository.is_held(subject.image.digest) {
            return;
        }
        let Some(policy) = subject.repository.policy else { return };
        // An image that matches one rule is out of reach for those of lower priority, even where that rule leaves it alone.
        let rule = rules_for_untagged(subject.history, policy).into_iter().min_by_key(|rule| rule.priority);
        if let Some(rule) = rule.filter(|rule| rule.expires && rule.takes(subject)) {
            found.push(finding(subject, displaced, policy, &rule.words));
        }
    }
}

/// A rule that untagged images match.
struct Rule {
    priority: i64,
    expires: bool,
    /// `Some(n)`: all but the newest `n` go. `None`: it goes by age.
    keeps: Option<usize>,
    /// Tagged images match, too.
    any: bool,
    words: String,
}

impl Rule {
    /// By age, every untagged image goes in the end; by count, the ones beyond the count go, as things stand.
    fn takes(&self, subject: Subject<'_>) -> bool {
        let Some(keeps) = self.keeps else { return true };
        let matches = |image: &&Image| image.state == ImageState::Untagged || (self.any && image.state == ImageState::Tagged);
        let newer = |image: &&Image| {
            (image.pushed_at, subject.history.digest(image.digest)) > (subject.image.pushed_at, subject.history.digest(subject.image.digest))
        };
        subject.repository.images.iter().filter(matches).filter(newer).count() >= keeps
    }
}

/// The rules that untagged images match.
fn rules_for_untagged(history: &History, policy: PolicyInForce) -> Vec<Rule> {
    let (text, prose) = match policy.text {
        PolicyText::Policy(text) => (text, false),
        PolicyText::Rules(rules) => (rules, true),
    };
    let Ok(document) = serde_json::from_str::<Value>(history.text(text)) else { return Vec::new() };
    let rules = if prose { &document } else { &document["rules"] };
    rules.as_array().into_iter().flatten().filter_map(|rule| rule_for_untagged(rule, prose)).collect()
}

/// A rule of a policy as it was put, or in the prose of a run's event.
fn rule_for_untagged(rule: &Value, prose: bool) -> Option<Rule> {
    let selection = if prose { rule } else { &rule["selection"] };
    let name = |policy: &'static str, event: &'static str| if prose { event } else { policy };
    let status = selection[name("tagStatus", "tag_status")].as_str()?;
    let action = if prose { rule["action"].as_str() } else { rule["action"]["type"].as_str() }?;
    let any = status.eq_ignore_ascii_case("any");
    // A rule for archived images leaves those in standard storage alone.
    let archived = selection[name("storageClass", "storage_class")].as_str().is_some_and(|class| class.eq_ignore_ascii_case("archive"));
    // A transition can be undone, and is told apart from an end.
    if !(any || status.eq_ignore_ascii_case("untagged")) || archived {
        return None;
    }
    let priority = rule[name("rulePriority", "priority")].as_i64()?;
    let expires = action.eq_ignore_ascii_case("expire");
    let count = selection[name("countNumber", "count_number")].as_u64()?;
    let count_type = selection[name("countType", "count_type")].as_str().unwrap_or_default();
    let unit = selection[name("countUnit", "count_unit")].as_str().unwrap_or_default();
    let by_count = count_type.to_ascii_lowercase().contains("count");
    let words = format!("lifecycle rule {priority} ({})", format!("{status}, {count_type} {count} {unit}").trim_end());
    Some(Rule { priority, expires, keeps: by_count.then(|| usize::try_from(count).unwrap_or(usize::MAX)), any, words })
}

fn finding(subject: Subject<'_>, displaced: &Displacement, policy: PolicyInForce, rule: &str) -> Finding {
    let (history, image) = (subject.history, subject.image);
    let harm = usage_of_displaced(history, image, displaced.step);
    let pair = kind(subject, displaced, image.pushed_at);
    let second_push = history.event(displaced.second_push);
    let mut events = vec![displaced.first_push, displaced.second_push, policy.event];
    events.extend(settled(subject.repository, [displaced.first_push, displaced.second_push]));
    events.extend(&harm.evidence);
    let digest = history.digest_or_zero(image.digest);
    let repository = history.repository(subject.repository);
    Finding {
        id: id(subject, &history.call_id(displaced.second_push), ""),
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
            "Then deploy anew what still runs it.".to_owned(),
            immutability(history, subject.repository, history.text(displaced.tag)),
        ],
        evidence: evidence(history, events),
        repository,
    }
}
