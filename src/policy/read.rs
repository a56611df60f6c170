//! Policies as logs have them, in both wordings: the text that was put, and the prose of a run's event. Read leniently: a
//! word that is not known makes a rule that takes nothing, and still keeps its images from the rules below.

use serde_json::Value;

use super::Policy;
use super::rule::{Action, Clock, Count, Rule, Tags};
use crate::model::StorageClass;

/// A policy has at most 50 rules; what a log has beyond this is no policy of ECR's.
const RULES_MAX: usize = 64;

impl Policy {
    /// `lifecyclePolicyText`.
    pub fn from_text(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        Self::of(document["rules"].as_array().into_iter().flatten().filter_map(of_text))
    }

    /// Rules in the prose of a run's event, as JSON.
    pub fn from_rules(rules: &str) -> Self {
        let document: Value = serde_json::from_str(rules).unwrap_or_default();
        Self::of(document.as_array().into_iter().flatten().filter_map(of_run))
    }

    pub(super) fn of(rules: impl Iterator<Item = Rule>) -> Self {
        let mut rules: Vec<Rule> = rules.collect();
        // Stable: of two rules with one priority, which ECR refuses, the first is applied first.
        rules.sort_by_key(|rule| rule.priority);
        rules.truncate(RULES_MAX);
        Self { rules }
    }
}

/// A rule as it was put.
pub(super) fn of_text(rule: &Value) -> Option<Rule> {
    let selection = &rule["selection"];
    let lists = [&selection["tagPrefixList"], &selection["tagPatternList"]];
    Some(Rule {
        priority: rule["rulePriority"].as_i64()?,
        tags: tags(&selection["tagStatus"], lists),
        class: class(&selection["storageClass"]),
        count: count(&selection["countType"], &selection["countUnit"], &selection["countNumber"]),
        action: action(&rule["action"]["type"]),
        text: rule.clone(),
    })
}

/// A rule as a run states it.
fn of_run(rule: &Value) -> Option<Rule> {
    let action = action(&rule["action"]);
    let lists = [&rule["tag_prefix_list"], &rule["tag_pattern_list"]];
    Some(Rule {
        priority: rule["priority"].as_i64()?,
        tags: tags(&rule["tag_status"], lists),
        // Of a transition the class stands for where it leads to.
        class: if action == Action::Transition { StorageClass::Standard } else { class(&rule["storage_class"]) },
        count: count(&rule["count_type"], &rule["count_unit"], &rule["count_number"]),
        action,
        text: rule.clone(),
    })
}

fn tags(status: &Value, [prefixes, patterns]: [&Value; 2]) -> Tags {
    match lower(status).as_str() {
        "untagged" => Tags::Untagged,
        "any" => Tags::Any,
        "tagged" => Tags::Tagged { prefixes: texts(prefixes), patterns: texts(patterns) },
        _ => Tags::Unknown,
    }
}

fn class(name: &Value) -> StorageClass {
    if lower(name) == "archive" { StorageClass::Archive } else { StorageClass::Standard }
}

/// `imageCountMoreThan`, "Image count more than"; `sinceImagePushed`, "Time since image pushed".
fn count(kind: &Value, unit: &Value, number: &Value) -> Count {
    let (kind, Some(number)) = (lower(kind), number.as_i64().filter(|number| *number >= 0)) else { return Count::Unknown };
    if kind.contains("count") {
        return Count::MoreThan(number.unsigned_abs());
    }
    let clocks = [("push", Clock::Pushed), ("pull", Clock::Pulled), ("transition", Clock::Transitioned)];
    let clock = clocks.into_iter().find(|(word, _)| kind.contains("since") && kind.contains(word));
    // The one unit there is may be left out.
    let in_days = matches!(lower(unit).as_str(), "days" | "day" | "");
    clock.filter(|_| in_days).map_or(Count::Unknown, |(_, clock)| Count::Since(clock, number))
}

/// An event of a rule that states no action has the one that all rules had until there were archives.
fn action(word: &Value) -> Action {
    match lower(word).as_str() {
        "" | "expire" | "delete" => Action::Expire,
        other if other.contains("transition") || other.contains("archive") => Action::Transition,
        other if other.contains("expire") => Action::Expire,
        _ => Action::Unknown,
    }
}

fn lower(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_lowercase()
}

fn texts(value: &Value) -> Vec<String> {
    let mut texts: Vec<String> = value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    texts.sort_unstable();
    texts
}
