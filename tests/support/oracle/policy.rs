//! Whether the policy in force will take an untagged image as it lies there: age always comes, a count only
//! when it is exceeded now.

use serde_json::Value;

use super::fold::{Image, Life, Repository};

/// A rule, from the policy's own words or from the prose of an event.
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

/// The first rule whose tag requirement an untagged image meets decides about it; the rules below cannot
/// reach it.
pub fn will_take_untagged(repository: &Repository, digest: &str) -> bool {
    let Some(policy) = &repository.policy else { return false };
    let Some(rule) = rules(policy).into_iter().find(|rule| rule.status == "untagged" || rule.status == "any")
    else {
        return false;
    };
    rule.expires && (!rule.by_count || newer(repository, digest, rule.status == "any") >= rule.number)
}

/// How many images that the rule counts are younger.
fn newer(repository: &Repository, digest: &str, counts_tagged: bool) -> u64 {
    // Of what is there under tags that nobody knows, no rule can be foretold.
    let sure = |image: &Image| image.state() != "unknown";
    let here = |image: &Image| {
        image.lives.last().filter(|life| sure(image) && life.gone.is_none() && !life.is_archived()).cloned()
    };
    // A restore makes an image new again for those who count.
    let restored = |life: &Life| life.archives.last().and_then(|stay| stay.until);
    let age = |digest: &str, life: &Life| (life.pushed_at.max(restored(life)), digest.to_owned());
    let Some(own) = repository.images.get(digest).and_then(here) else { return 0 };
    let living = repository.images.iter().filter_map(|(digest, image)| Some((digest, here(image)?)));
    let counted = living.filter(|(_, life)| counts_tagged || life.tags.is_empty());
    counted.filter(|(other, life)| age(other, life) > age(digest, &own)).count() as u64
}
