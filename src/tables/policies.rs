//! `policies`: the lifecycle policy that each repository has when the logs end, rule by rule, and what the rules took.
//!
//! A policy is known from `PutLifecyclePolicy`, or else from the lifecycle runs, which state their rules. Both word them
//! differently; here they have the words of the policy's text.

use std::collections::HashMap;

use serde_json::Value;

use super::rows::{Cell, Growing, place, time};
use super::{Rows, engine};
use crate::model::Timestamp;
use crate::timeline::{EventNo, History, PolicyInForce, PolicyText, RepositoryHistory, Sym};

/// A rule in the policy's own words.
#[derive(Debug, Default)]
struct Rule {
    priority: Option<i64>,
    description: Option<String>,
    action: Option<String>,
    tag_status: Option<String>,
    prefixes: Vec<String>,
    patterns: Vec<String>,
    count_type: Option<String>,
    count_number: Option<i64>,
    count_unit: Option<String>,
    /// As it stands.
    text: String,
}

/// Images that a rule took.
#[derive(Debug, Default, Clone, Copy)]
struct Taken {
    images: i64,
    span: Option<(i64, i64)>,
}

/// One row for each rule; a policy whose text cannot be read is one row without a rule.
pub fn policies(history: &History) -> Rows {
    let mut rows = Growing::new(&engine::POLICIES);
    for repository in history.repositories() {
        let Some(policy) = repository.policy else { continue };
        for rule in rules(history, policy.text) {
            push(&mut rows, history, repository, policy, &rule);
        }
    }
    rows.finish()
}

fn push(rows: &mut Growing, history: &History, repository: &RepositoryHistory, policy: PolicyInForce, rule: &Rule) {
    let since = history.event(since(repository, policy));
    let taken = taken(history, repository, rule);
    let text = |text: &Option<String>| text.clone().map_or(Cell::Text(None), Cell::Owned);
    let name = history.repository(repository);
    let mut cells: Vec<Cell<'_>> = place(&name).into();
    cells.extend([
        time(Some(since.event_time)),
        Cell::Text(Some(since.event_id.raw())),
        Cell::Text(Some(since.event_name.raw())),
        Cell::Number(rule.priority),
        text(&rule.description),
        text(&rule.action),
        text(&rule.tag_status),
        Cell::Texts(rule.prefixes.clone()),
        Cell::Texts(rule.patterns.clone()),
        text(&rule.count_type),
        Cell::Number(rule.count_number),
        text(&rule.count_unit),
        Cell::Number(Some(taken.images)),
        time(taken.span.map(|(first, _)| Timestamp::from_millis(first))),
        time(taken.span.map(|(_, last)| Timestamp::from_millis(last))),
        Cell::Text(Some(&rule.text)),
    ]);
    rows.push(cells);
}

/// The event since which the policy is known: where runs alone tell, the first of those that state the same rules.
fn since(repository: &RepositoryHistory, policy: PolicyInForce) -> EventNo {
    let PolicyText::Rules(rules) = policy.text else { return policy.event };
    let same = repository.runs.iter().rev().skip_while(|(event, _)| *event != policy.event).take_while(|(_, stated)| *stated == rules);
    same.last().map_or(policy.event, |(event, _)| *event)
}

fn rules(history: &History, text: PolicyText) -> Vec<Rule> {
    let (text, stated) = match text {
        PolicyText::Policy(text) => (history.text(text), false),
        PolicyText::Rules(rules) => (history.text(rules), true),
    };
    let document = serde_json::from_str::<Value>(text).ok();
    let list = document.as_ref().and_then(|document| if stated { document.as_array() } else { document.get("rules")?.as_array() });
    match list {
        Some(list) => list.iter().map(|rule| if stated { of_run(rule) } else { of_policy(rule) }).collect(),
        None => vec![Rule { text: text.to_owned(), ..Rule::default() }],
    }
}

/// A rule as it was put.
fn of_policy(rule: &Value) -> Rule {
    let selection = rule.get("selection").unwrap_or(&Value::Null);
    Rule {
        priority: rule.get("rulePriority").and_then(Value::as_i64),
        description: text(rule, "description"),
        action: rule.get("action").and_then(|action| text(action, "type")),
        tag_status: text(selection, "tagStatus"),
        prefixes: texts(selection, "tagPrefixList"),
        patterns: texts(selection, "tagPatternList"),
        count_type: text(selection, "countType"),
        count_number: selection.get("countNumber").and_then(Value::as_i64),
        count_unit: text(selection, "countUnit"),
        text: rule.to_string(),
    }
}

/// A rule as a run states it: `Untagged`, `Time since image pushed`, `Days`.
fn of_run(rule: &Value) -> Rule {
    let lower = |key| text(rule, key).map(|text: String| text.to_lowercase());
    Rule {
        priority: rule.get("priority").and_then(Value::as_i64),
        description: text(rule, "description"),
        action: text(rule, "action"),
        tag_status: lower("tag_status"),
        prefixes: texts(rule, "tag_prefix_list"),
        patterns: texts(rule, "tag_pattern_list"),
        count_type: text(rule, "count_type").map(count_type),
        count_number: rule.get("count_number").and_then(Value::as_i64),
        count_unit: lower("count_unit"),
        text: rule.to_string(),
    }
}

fn count_type(stated: String) -> String {
    let words = stated.to_lowercase();
    let name = match () {
        () if !words.contains(' ') => return stated,
        () if words.contains("count") => "imageCountMoreThan",
        () if words.contains("push") => "sinceImagePushed",
        () if words.contains("pull") => "sinceImagePulled",
        () if words.contains("transition") => "sinceImageTransitioned",
        () => return stated,
    };
    name.to_owned()
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Rule {
    /// Whether a run means this rule. Another rule may have had its priority before.
    fn is_same(&self, stated: &Rule) -> bool {
        let key = |rule: &Rule| {
            let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().to_lowercase();
            let lists = (rule.prefixes.clone(), rule.patterns.clone());
            (rule.priority, lower(&rule.action), lower(&rule.tag_status), lists, rule.count_number)
        };
        key(self) == key(stated)
    }
}

/// What a rule took, in all of the logs.
fn taken(history: &History, repository: &RepositoryHistory, rule: &Rule) -> Taken {
    let mut known: HashMap<Sym, bool> = HashMap::new();
    let mut taken = Taken::default();
    for loss in repository.images.iter().flat_map(|image| &image.losses) {
        let Some(run) = loss.run.as_ref().filter(|run| Some(run.rule_priority) == rule.priority) else { continue };
        let stated = || rules(history, PolicyText::Rules(run.rules)).iter().any(|stated| rule.is_same(stated));
        if *known.entry(run.rules).or_insert_with(stated) {
            let (first, last) = taken.span.unwrap_or((loss.at, loss.at));
            taken = Taken { images: taken.images + 1, span: Some((first.min(loss.at), last.max(loss.at))) };
        }
    }
    taken
}
