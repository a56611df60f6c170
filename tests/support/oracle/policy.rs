//! Whether the policy in force will ever take an untagged image: age always comes, and pushes to come may exceed any count.

use serde_json::Value;

use super::fold::Repository;

/// A rule, from the policy's own words or from the prose of an event.
struct Rule {
    priority: i64,
    status: String,
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
    let selection = if value["selection"].is_object() { &value["selection"] } else { &value["lifecycleEventSelection"] };
    let action = if value["action"].is_object() { &value["action"]["type"] } else { &value["action"] };
    Rule { priority: value["rulePriority"].as_i64().unwrap_or(i64::MAX), status: lower(&selection["tagStatus"]), expires: lower(action) == "expire" }
}

/// The first rule whose tag requirement an untagged image meets decides about it; the rules below cannot reach it.
pub fn will_take_untagged(repository: &Repository) -> bool {
    let Some(policy) = &repository.policy else { return false };
    let deciding = rules(policy).into_iter().find(|rule| rule.status == "untagged" || rule.status == "any");
    deciding.is_some_and(|rule| rule.expires)
}
