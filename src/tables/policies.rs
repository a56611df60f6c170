//! `policies`: the lifecycle policy of each repository at the end of the logs, rule by rule, and what the
//! rules took.
//!
//! A policy is known from `PutLifecyclePolicy`, or else from lifecycle runs, which state their rules. The
//! two are worded differently; this table uses the words of the policy's JSON text.

use std::collections::HashMap;

use super::cells::{Cell, place, time};
use super::rows::Growing;
use super::{Rows, engine};
use crate::model::Timestamp;
use crate::policy::{Rule, Words};
use crate::timeline::{EventNo, History, KnownFrom, PolicyInForce, PolicyNo, RepositoryHistory};

/// Images that a rule took.
#[derive(Debug, Default, Clone, Copy)]
struct Taken {
    images: i64,
    span: Option<(i64, i64)>,
}

/// One row for each rule; a policy that cannot be parsed gets one row without a rule.
pub fn policies(history: &History) -> Rows {
    let mut rows = Growing::new(&engine::POLICIES);
    for repository in history.repositories() {
        let Some(in_force) = repository.policy else { continue };
        let policy = history.policy(in_force.policy);
        for rule in policy.rules() {
            push(&mut rows, history, repository, in_force, Some(rule), &rule.text.to_string());
        }
        if let Some(text) = policy.unreadable() {
            push(&mut rows, history, repository, in_force, None, text);
        }
    }
    rows.finish()
}

fn push(
    rows: &mut Growing,
    history: &History,
    repository: &RepositoryHistory,
    in_force: PolicyInForce,
    rule: Option<&Rule>,
    stands: &str,
) {
    let since = history.event(since(repository, in_force));
    let taken = rule.map(|rule| taken(history, repository, rule)).unwrap_or_default();
    let words = rule.map(|rule| rule.words.clone()).unwrap_or_default();
    let Words { description, action, tag_status, prefixes, patterns, count_type, count_number, count_unit } =
        words;
    let text = |text: Option<String>| text.map_or(Cell::Text(None), Cell::Owned);
    let name = history.repository(repository);
    let mut cells: Vec<Cell<'_>> = place(&name).into();
    cells.extend([
        time(Some(since.event_time)),
        Cell::Text(Some(since.event_id.raw())),
        Cell::Text(Some(since.event_name.raw())),
        Cell::Number(rule.map(|rule| rule.priority)),
        text(description),
        text(action),
        text(tag_status),
        Cell::Texts(prefixes),
        Cell::Texts(patterns),
        text(count_type),
        Cell::Number(count_number),
        text(count_unit),
        Cell::Number(Some(taken.images)),
        time(taken.span.map(|(first, _)| Timestamp::from_millis(first))),
        time(taken.span.map(|(_, last)| Timestamp::from_millis(last))),
        Cell::Text(Some(stands)),
    ]);
    rows.push(cells);
}

/// The event since which the policy is known; if only runs state it, the first run with the same rules.
fn since(repository: &RepositoryHistory, in_force: PolicyInForce) -> EventNo {
    if in_force.known_from == KnownFrom::Put {
        return in_force.event;
    }
    let before = repository.runs.iter().rev().skip_while(|(event, _)| *event != in_force.event);
    before
        .take_while(|(_, stated)| *stated == in_force.policy)
        .last()
        .map_or(in_force.event, |(event, _)| *event)
}

/// What a rule took in all of the logs. Another rule may have had its priority before.
fn taken(history: &History, repository: &RepositoryHistory, rule: &Rule) -> Taken {
    let mut known: HashMap<PolicyNo, bool> = HashMap::new();
    let mut taken = Taken::default();
    for loss in repository.images.iter().flat_map(|image| &image.losses) {
        let Some(run) = loss.run.as_ref().filter(|run| run.rule_priority == rule.priority) else { continue };
        let same = || {
            history.policy(run.policy).rule(run.rule_priority).is_some_and(|stated| stated.is_same_as(rule))
        };
        if *known.entry(run.policy).or_insert_with(same) {
            let (first, last) = taken.span.unwrap_or((loss.at, loss.at));
            taken = Taken { images: taken.images + 1, span: Some((first.min(loss.at), last.max(loss.at))) };
        }
    }
    taken
}
