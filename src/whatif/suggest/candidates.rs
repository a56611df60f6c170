//! The changes to try: other numbers, another clock, and a rule that protects tags by a prefix that they
//! really have.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::describe::describe_anew;
use super::{Candidate, Number};
use crate::policy::{Rule, Words};
use crate::timeline::{History, Image, UseKind};

/// Numbers of days that people use, in order.
const DAYS: &[i64] = &[1, 3, 7, 14, 30, 60, 90, 180, 365, 730];
const COUNTS: &[i64] = &[3, 5, 10, 20, 30, 50, 100, 200, 500, 1000];
/// How many beginnings of tags are tried, and how many ends.
const MARKS_MAX: usize = 6;

/// What tags have in common, by which a rule can select them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Begins(String),
    Ends(String),
}

impl Mark {
    /// The images that a rule selects by it.
    fn selection(&self) -> (&'static str, String) {
        match self {
            Self::Begins(text) => ("tagPrefixList", text.clone()),
            Self::Ends(text) => ("tagPatternList", format!("*{text}")),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Begins(text) => format!("begin with {text}"),
            Self::Ends(text) => format!("end with {text}"),
        }
    }
}

/// The rules in force, in the words of a policy's JSON text; `None` if the evidence does not have them. A
/// repository that is known to have no policy has no rules.
pub(super) fn in_force(history: &History, number: usize) -> Option<Vec<Value>> {
    let repository = history.repositories().get(number)?;
    match repository.policy {
        Some(in_force) => Some(history.policy(in_force.policy).rules().iter().map(as_put).collect()),
        None => (repository.policy_deleted.is_some() || !repository.creations.is_empty()).then(Vec::new),
    }
}

/// A rule as `PutLifecyclePolicy` takes it; a run words it differently.
fn as_put(rule: &Rule) -> Value {
    if rule.text.get("selection").is_some() {
        return rule.text.clone();
    }
    let Words { description, action, tag_status, prefixes, patterns, count_type, count_number, count_unit } =
        &rule.words;
    let mut selection =
        json!({ "tagStatus": tag_status, "countType": count_type, "countNumber": count_number });
    if count_type.as_deref().is_some_and(|kind| kind.starts_with("since")) {
        selection["countUnit"] = json!(count_unit.as_deref().unwrap_or("days"));
    }
    for (key, list) in [("tagPrefixList", prefixes), ("tagPatternList", patterns)] {
        if !list.is_empty() {
            selection[key] = json!(list);
        }
    }
    let mut put = json!({ "rulePriority": rule.priority, "selection": selection, "action": { "type": action.as_deref().unwrap_or("expire") } });
    if let Some(description) = description {
        put["description"] = json!(description);
    }
    put
}

/// Changes of the rule with that priority, the smallest first.
pub(super) fn changes(of: &Candidate, priority: i64, needed_tags: &[Mark]) -> Vec<Candidate> {
    let Some(at) = of.rules.iter().position(|rule| rule["rulePriority"].as_i64() == Some(priority)) else {
        return Vec::new();
    };
    let with = |rule: Value, above: i64, number: i64, words: String| {
        let mut rules = of.rules.clone();
        rules[at] = rule;
        let change = words.replace("{number}", &number.to_string());
        let changes = of.changes.iter().cloned().chain([change]).collect();
        Candidate { rules, changes, number: Some(Number { rule: at, above, words }) }
    };
    let rule = &of.rules[at];
    let (kind, known) = (
        rule["selection"]["countType"].as_str().unwrap_or_default(),
        rule["selection"]["countNumber"].as_i64().unwrap_or(0),
    );
    let (steps, unit) = if kind == "imageCountMoreThan" { (COUNTS, "images") } else { (DAYS, "days") };
    let mut list = Vec::new();
    for &number in steps.iter().filter(|number| **number > known) {
        let mut changed = rule.clone();
        changed["selection"]["countNumber"] = json!(number);
        describe_anew(&mut changed);
        let below = steps.iter().rev().find(|step| **step < number).copied().unwrap_or(0).max(known);
        list.push(with(
            changed,
            below,
            number,
            format!("rule {priority}: {{number}} {unit} instead of {known}"),
        ));
    }
    if kind == "sinceImagePushed" {
        for &days in DAYS.iter().filter(|days| **days >= known) {
            let mut changed = rule.clone();
            changed["selection"]["countType"] = json!("sinceImagePulled");
            changed["selection"]["countNumber"] = json!(days);
            describe_anew(&mut changed);
            let below = DAYS.iter().rev().find(|step| **step < days).copied().unwrap_or(0);
            list.push(with(
                changed,
                below,
                days,
                format!(
                    "rule {priority}: {{number}} days since the last pull instead of {known} since the push"
                ),
            ));
        }
    }
    list.extend(needed_tags.iter().flat_map(|mark| protected(of, mark)));
    if of.rules.len() > 1 {
        let rules = of
            .rules
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at)
            .map(|(_, rule)| rule.clone())
            .collect();
        list.push(Candidate {
            rules,
            changes: of.changes.iter().cloned().chain([format!("rule {priority}: left out")]).collect(),
            number: None,
        });
    }
    list
}

/// A rule of its own, above all others, for tags with that beginning or end.
fn protected(of: &Candidate, mark: &Mark) -> Vec<Candidate> {
    let ((key, value), in_words) = (mark.selection(), mark.in_words());
    let shifted: Vec<Value> = of
        .rules
        .iter()
        .map(|rule| {
            let mut rule = rule.clone();
            rule["rulePriority"] = json!(rule["rulePriority"].as_i64().unwrap_or(0) + 1);
            rule
        })
        .collect();
    let first = of.rules.iter().filter_map(|rule| rule["rulePriority"].as_i64()).min().unwrap_or(1);
    let with = |number: &i64| {
        let mut rule = json!({
            "rulePriority": first, "description": "",
            "selection": { "tagStatus": "tagged", key: [value], "countType": "imageCountMoreThan", "countNumber": number },
            "action": { "type": "expire" },
        });
        describe_anew(&mut rule);
        let words =
            format!("a rule of its own above the others: of tags that {in_words} the newest {{number}} stay");
        let change = words.replace("{number}", &number.to_string());
        Candidate {
            rules: std::iter::once(rule).chain(shifted.iter().cloned()).collect(),
            changes: of.changes.iter().cloned().chain([change]).collect(),
            number: Some(Number { rule: 0, above: below(*number), words }),
        }
    };
    COUNTS.iter().map(with).collect()
}

/// A suggestion to keep the newest images keeps at least this many.
const NEWEST_MIN: i64 = 10;
const NEWEST: &str = "one rule in the place of all: the newest {number} images stay";

/// The next smaller number in the list, which was tried or cannot be.
fn below(number: i64) -> i64 {
    COUNTS.iter().rev().find(|count| **count < number).copied().unwrap_or(0)
}

/// Keep the N newest images, whatever tags they have. Smaller numbers than people would choose might fit
/// the history, but not what comes after it.
pub(super) fn newest() -> Vec<Candidate> {
    let with = |number: &i64| Candidate {
        rules: vec![json!({
            "rulePriority": 1,
            "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": number }, "action": { "type": "expire" },
        })],
        changes: vec![NEWEST.replace("{number}", &number.to_string())],
        number: None,
    };
    COUNTS.iter().filter(|number| **number >= NEWEST_MIN).map(with).collect()
}

/// Beginnings and ends of the tags of images that somebody needs or needed, each the most frequent first.
pub(super) fn needed_tags(history: &History, number: usize) -> Vec<Mark> {
    let Some(repository) = history.repositories().get(number) else { return Vec::new() };
    let needed = |image: &&Image| {
        image.uses.iter().any(|found| found.kind.pins() || found.kind == UseKind::TaskStopped)
    };
    let (mut begins, mut ends): (BTreeMap<Mark, usize>, BTreeMap<Mark, usize>) = Default::default();
    for image in repository.images.iter().filter(needed) {
        let went = image.losses.iter().flat_map(|loss| loss.tags.iter().map(|(tag, _)| *tag));
        for tag in image.tags.iter().map(|(tag, _)| *tag).chain(went).map(|tag| history.text(tag)) {
            beginning(tag).into_iter().for_each(|text| *begins.entry(Mark::Begins(text)).or_default() += 1);
            ending(tag).into_iter().for_each(|text| *ends.entry(Mark::Ends(text)).or_default() += 1);
        }
    }
    let most_frequent = |marks: BTreeMap<Mark, usize>| {
        let mut list: Vec<(Mark, usize)> = marks.into_iter().collect();
        list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        list.into_iter().take(MARKS_MAX).map(|(mark, _)| mark)
    };
    most_frequent(begins).chain(most_frequent(ends)).collect()
}

/// `-prod` for `1.4.2-prod`: the letters after the last separator, if there are digits before it.
fn ending(tag: &str) -> Option<String> {
    let at = tag.rfind(['-', '_', '.'])?;
    let (before, end) = tag.split_at(at);
    let letters = end.len() > 2 && end.bytes().skip(1).all(|byte| byte.is_ascii_alphabetic());
    (letters && is_tag(tag) && before.bytes().any(|byte| byte.is_ascii_digit())).then(|| end.to_owned())
}

/// `v` of `v1.2`, `prod-` of `prod-2026`: the tag up to its first digit, or all of it. `None` if the text
/// is not a tag.
fn beginning(tag: &str) -> Option<String> {
    let end = tag.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tag.len());
    (end > 0 && is_tag(tag)).then(|| tag[..end].to_owned())
}

/// Logs may say anything.
fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    text.len() <= 128 && text.bytes().all(word)
}
