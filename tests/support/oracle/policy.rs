//! Whether the policy in force will expire an untagged image: rules by age always do, rules by count only if
//! the count is exceeded now.

use serde_json::Value;

use super::fold::{Image, Life, Repository};

/// A rule, from a policy's text or from the description in an event.
struct Rule {
    priority: i64,
    status: String,
    by_count: bool,
    number: u64,
    expires: bool,
}

fn lower(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_lowercase()
}

fn rules(policy: &Value) -> Vec<Rule> {
    let own = policy["rules"].as_array();
    let prose = policy["lifecycleEventRules"].as_array();
    let mut rules: Vec<Rule> = own.or(prose).into_iter().flatten().map(rule).collect();
    rules.sort_by_key(|rule| rule.priority);
    rules
}

fn rule(value: &Value) -> Rule {
    let selection =
        if value["selection"].is_object() { &value["selection"] } else { &value["lifecycleEventSelection"] };
    let action = if value["action"].is_object() { &value["action"]["type"] } else { &value["action"] };
    Rule {
        priority: value["rulePriority"].as_i64().unwrap_or(i64::MAX),
        status: lower(&selection["tagStatus"]),
        by_count: lower(&selection["countType"]).contains("count"),
        number: selection["countNumber"].as_u64().unwrap_or_default(),
        expires: lower(action) == "expire",
    }
}

/// The first rule whose tag requirement an untagged image meets decides; rules below it do not apply.
pub fn will_take_untagged(repository: &Repository, digest: &str) -> bool {
    let Some(policy) = &repository.policy else { return false };
    let Some(rule) = rules(policy).into_iter().find(|rule| rule.status == "untagged" || rule.status == "any")
    else {
        return false;
    };
    rule.expires && (!rule.by_count || newer(repository, digest, rule.status == "any") >= rule.number)
}

/// Number of newer images that the rule counts.
fn newer(repository: &Repository, digest: &str, counts_tagged: bool) -> u64 {
    // For images with unknown tags nothing can be predicted.
    let sure = |image: &Image| image.state() != "unknown";
    let here = |image: &Image| {
        image.lives.last().filter(|life| sure(image) && life.gone.is_none() && !life.is_archived()).cloned()
    };
    // A restored image counts as new for rules by count.
    let restored = |life: &Life| life.archives.last().and_then(|stay| stay.until);
    let age = |digest: &str, life: &Life| (life.pushed_at.max(restored(life)), digest.to_owned());
    let Some(own) = repository.images.get(digest).and_then(here) else { return 0 };
    let living = repository.images.iter().filter_map(|(digest, image)| Some((digest, here(image)?)));
    let counted = living.filter(|(_, life)| counts_tagged || life.tags.is_empty());
    counted.filter(|(other, life)| age(other, life) > age(digest, &own)).count() as u64
}
