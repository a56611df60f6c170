//! The lifecycle policy of a repository, and whether a run speaks of the same one.

use serde_json::Value;

use super::names::{EventNo, Names, Sym};

/// The lifecycle policy, from the last event that tells.
#[derive(Debug, Clone, Copy)]
pub struct PolicyInForce {
    pub event: EventNo,
    pub text: PolicyText,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyText {
    /// `lifecyclePolicyText`.
    Policy(Sym),
    /// Rules in the prose of a lifecycle event, as JSON.
    Rules(Sym),
}

/// Remembers the last answer: runs come every day, and say the same for months.
#[derive(Default)]
pub(super) struct Agreement(Option<(PolicyText, PolicyText, bool)>);

impl Agreement {
    /// Whether `stated`, by a run, is the policy `known`.
    pub fn with(&mut self, known: PolicyText, stated: PolicyText, names: &Names) -> bool {
        match self.0 {
            Some((first, second, answer)) if (first, second) == (known, stated) => answer,
            _ => {
                let answer = known == stated || rules(known, names) == rules(stated, names);
                self.0 = Some((known, stated, answer));
                answer
            }
        }
    }
}

/// Whether the event that should state a policy states no rule.
pub(super) fn is_empty(stated: PolicyText, names: &Names) -> bool {
    rules(stated, names).is_empty()
}

/// The part of a rule that both wordings have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    priority: Option<i64>,
    action: String,
    tag_status: String,
    tags: [Vec<String>; 2],
    count: (bool, Option<i64>),
}

fn rules(text: PolicyText, names: &Names) -> Vec<Rule> {
    let (text, prose) = match text {
        PolicyText::Policy(text) => (text, false),
        PolicyText::Rules(rules) => (rules, true),
    };
    let document: Value = serde_json::from_str(names.text(text)).unwrap_or_default();
    let list = if prose { document.as_array() } else { document["rules"].as_array() };
    let mut rules: Vec<Rule> = list.into_iter().flatten().map(|rule| if prose { of_run(rule) } else { of_policy(rule) }).collect();
    rules.sort_unstable();
    rules
}

fn of_policy(rule: &Value) -> Rule {
    let selection = &rule["selection"];
    Rule {
        priority: rule["rulePriority"].as_i64(),
        action: lower(&rule["action"]["type"]),
        tag_status: lower(&selection["tagStatus"]),
        tags: [texts(&selection["tagPrefixList"]), texts(&selection["tagPatternList"])],
        count: (by_count(&selection["countType"]), selection["countNumber"].as_i64()),
    }
}

fn of_run(rule: &Value) -> Rule {
    Rule {
        priority: rule["priority"].as_i64(),
        action: lower(&rule["action"]),
        tag_status: lower(&rule["tag_status"]),
        tags: [texts(&rule["tag_prefix_list"]), texts(&rule["tag_pattern_list"])],
        count: (by_count(&rule["count_type"]), rule["count_number"].as_i64()),
    }
}

/// `imageCountMoreThan`, "Image count more than".
fn by_count(count_type: &Value) -> bool {
    lower(count_type).contains("count")
}

fn lower(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_lowercase()
}

fn texts(value: &Value) -> Vec<String> {
    let mut texts: Vec<String> = value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    texts.sort_unstable();
    texts
}
