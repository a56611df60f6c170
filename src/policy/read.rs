//! Parses policies as logs have them, in both wordings: the text of `PutLifecyclePolicy`, and the prose of
//! a lifecycle run's event. Lenient: a rule with an unknown word takes nothing, but still keeps its images
//! from the rules below.

use serde_json::Value;

use super::Policy;
use super::rule::{Clock, Count, Rule, Tags, Words};
use crate::model::{LifecycleAction, StorageClass};

/// ECR allows 50 rules in a policy. What a log has beyond this limit is not a policy of ECR's.
const RULES_MAX: usize = 64;

impl Policy {
    /// From the JSON in `lifecyclePolicyText`.
    pub fn from_text(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        match document["rules"].as_array() {
            Some(rules) => Self::of(rules.iter().filter_map(of_text)),
            None => Self { rules: Vec::new(), unreadable: Some(text.into()) },
        }
    }

    /// From the JSON list of rules in a run's event, which words them in prose.
    pub fn from_rules(rules: &str) -> Self {
        let document: Value = serde_json::from_str(rules).unwrap_or_default();
        Self::of(document.as_array().into_iter().flatten().filter_map(of_run))
    }

    pub(super) fn of(rules: impl Iterator<Item = Rule>) -> Self {
        let mut rules: Vec<Rule> = rules.collect();
        // A stable sort: of two rules with one priority (which ECR refuses), the first stays first.
        rules.sort_by_key(|rule| rule.priority);
        rules.truncate(RULES_MAX);
        Self { rules, unreadable: None }
    }
}

/// A rule as `PutLifecyclePolicy` has it.
pub(super) fn of_text(rule: &Value) -> Option<Rule> {
    let selection = &rule["selection"];
    let words = Words {
        description: text(&rule["description"]),
        action: text(&rule["action"]["type"]),
        tag_status: text(&selection["tagStatus"]),
        prefixes: texts(&selection["tagPrefixList"]),
        patterns: texts(&selection["tagPatternList"]),
        count_type: text(&selection["countType"]),
        count_number: selection["countNumber"].as_i64(),
        count_unit: text(&selection["countUnit"]),
    };
    Some(of_words(rule["rulePriority"].as_i64()?, words, &selection["storageClass"], rule))
}

/// A rule as a run's event has it: `Untagged`, `Time since image pushed`, `Days`.
fn of_run(rule: &Value) -> Option<Rule> {
    let lower = |key: &str| text(&rule[key]).map(|text| text.to_lowercase());
    let words = Words {
        description: text(&rule["description"]),
        action: text(&rule["action"]),
        tag_status: lower("tag_status"),
        prefixes: texts(&rule["tag_prefix_list"]),
        patterns: texts(&rule["tag_pattern_list"]),
        count_type: text(&rule["count_type"]).map(count_type),
        count_number: rule["count_number"].as_i64(),
        count_unit: lower("count_unit"),
    };
    let mut read = of_words(rule["priority"].as_i64()?, words, &rule["storage_class"], rule);
    if read.action == LifecycleAction::Transition {
        // In a run's event, the storage class of a transition is the one that images move to.
        read.class = StorageClass::Standard;
    }
    Some(read)
}

fn of_words(priority: i64, words: Words, class: &Value, stands: &Value) -> Rule {
    Rule {
        priority,
        tags: tags(&words),
        class: if class.as_str().is_some_and(|class| class.eq_ignore_ascii_case("archive")) {
            StorageClass::Archive
        } else {
            StorageClass::Standard
        },
        count: count(&words),
        action: action(&words),
        words,
        text: stands.clone(),
    }
}

fn tags(words: &Words) -> Tags {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list
    };
    match lower(&words.tag_status).as_str() {
        "untagged" => Tags::Untagged,
        "any" => Tags::Any,
        "tagged" => Tags::Tagged { prefixes: sorted(&words.prefixes), patterns: sorted(&words.patterns) },
        _ => Tags::Unknown,
    }
}

/// The policy text's word for a count type in the prose of a run.
fn count_type(stated: String) -> String {
    let words = stated.to_lowercase();
    let since = |clock: &str| words.contains("since") && words.contains(clock);
    let name = match () {
        () if !words.contains(' ') => return stated,
        () if words.contains("count") => "imageCountMoreThan",
        () if since("push") => "sinceImagePushed",
        () if since("pull") => "sinceImagePulled",
        () if since("transition") => "sinceImageTransitioned",
        () => return stated,
    };
    name.to_owned()
}

fn count(words: &Words) -> Count {
    let Some(number) = words.count_number.filter(|number| *number >= 0) else { return Count::Unknown };
    let kind = lower(&words.count_type);
    if kind.contains("count") {
        return Count::MoreThan(number.unsigned_abs());
    }
    let clocks = [("push", Clock::Pushed), ("pull", Clock::Pulled), ("transition", Clock::Transitioned)];
    let clock = clocks.into_iter().find(|(word, _)| kind.contains("since") && kind.contains(word));
    // `days` is the only unit, so it may be left out.
    let in_days = matches!(lower(&words.count_unit).as_str(), "days" | "day" | "");
    clock.filter(|_| in_days).map_or(Count::Unknown, |(_, clock)| Count::Since(clock, number))
}

/// The action of a rule. Events that state none are from the time before archiving, when all rules expired
/// images.
fn action(words: &Words) -> LifecycleAction {
    match lower(&words.action).as_str() {
        "" | "expire" | "delete" => LifecycleAction::Expire,
        other if other.contains("transition") || other.contains("archive") => LifecycleAction::Transition,
        other if other.contains("expire") || other.contains("delete") => LifecycleAction::Expire,
        _ => LifecycleAction::Unknown,
    }
}

fn lower(word: &Option<String>) -> String {
    word.as_deref().unwrap_or_default().to_lowercase()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
