//! Who needs the image: pulls that found nothing, deployments, tasks; and from where, when the registry's proxy hides it.

use std::collections::{BTreeMap, HashMap};

use super::{Case, Known, sentence};
use crate::detect::asked;
use crate::model::{Sentence, StepKind};
use crate::timeline::{EventNo, Loss, Sym, TagLife, UseKind};

/// A login counts for the pulls within so many milliseconds after it: an authorization token lives 12 hours.
const TOKEN_MILLIS: i64 = 12 * 3_600_000;
/// Principals that are named one by one.
const PRINCIPALS_MAX: usize = 20;
/// Events that one sentence shows.
const EVENTS_MAX: usize = 20;

pub fn sentences(case: Case<'_>, known: Known<'_>, loss: Option<&Loss>) -> Vec<Sentence> {
    let mut list = pulls(case, known, loss);
    list.extend(uses(case, known));
    list
}

/// One sentence for each that refers to it and how, in order of the first time: a service that cannot start tries for ever.
fn uses(case: Case<'_>, known: Known<'_>) -> Vec<Sentence> {
    let mut said: Vec<(Sym, UseKind, bool, Vec<EventNo>)> = Vec::new();
    let mut places: HashMap<(Sym, UseKind, bool), usize> = HashMap::new();
    for found in &known.image.uses {
        let replaced = found.until != i64::MAX;
        let place = *places.entry((found.by, found.kind, replaced)).or_insert(said.len());
        match said.get_mut(place) {
            Some((.., events)) => events.push(found.event),
            None => said.push((found.by, found.kind, replaced, vec![found.event])),
        }
    }
    said.into_iter().map(|(by, kind, replaced, events)| used(case, by, kind, replaced, &events)).collect()
}

/// With the first events of it, and the last.
fn used(case: Case<'_>, by: Sym, kind: UseKind, replaced: bool, events: &[EventNo]) -> Sentence {
    let verb = match kind {
        UseKind::Named => "names it",
        UseKind::DeployedByTag => "was deployed when its tag pointed to it",
        UseKind::DeployedByDigest => "is deployed with its digest",
        UseKind::ResolvedByTask => "resolved its tag to it",
        UseKind::TaskStopped => "could not start a task because of it",
    };
    let times = if events.len() > 1 { format!(", {} times", events.len()) } else { String::new() };
    let still = if replaced { " (replaced since)" } else { "" };
    let (first, rest) = events.split_at(events.len().min(EVENTS_MAX - 1));
    let shown = first.iter().chain(rest.last()).flat_map(|event| case.event(*event));
    sentence(format!("{} {verb}{times}{still}.", case.history.text(by)), shown.collect())
}

/// One sentence per principal that pulled after the end (or at all, if it is still there).
fn pulls(case: Case<'_>, known: Known<'_>, loss: Option<&Loss>) -> Vec<Sentence> {
    let from = loss.map_or(0, |loss| loss.end_step as usize + 1);
    let mut by_actor: BTreeMap<&str, (u64, EventNo)> = BTreeMap::new();
    let until = loss.map_or(usize::MAX, |loss| loss.next_life_step as usize);
    for step in known.image.steps.iter().take(until).skip(from).filter(|step| matches!(step.kind, StepKind::Pull | StepKind::PullFailed)) {
        let entry = by_actor.entry(case.history.text(case.history.noted(step.event).actor)).or_insert((0, step.event));
        entry.0 += 1;
        entry.1 = step.event;
    }
    let after = if loss.is_some() { " after it was gone" } else { "" };
    let say = |(actor, (count, last)): (&str, (u64, EventNo))| {
        let from = origin(case, last).map_or_else(String::new, |address| format!(", from {address}"));
        let actor = if actor.is_empty() { "Somebody" } else { actor };
        sentence(format!("{actor} asked for it {count} time(s){after}{from}."), case.event(last))
    };
    let principals = by_actor.len();
    let times: u64 = by_actor.values().skip(PRINCIPALS_MAX).map(|(count, _)| count).sum();
    let mut list: Vec<Sentence> = by_actor.into_iter().take(PRINCIPALS_MAX).map(say).collect();
    if let Some(more) = principals.checked_sub(PRINCIPALS_MAX).filter(|more| *more > 0) {
        list.push(sentence(format!("{more} more principals asked for it {times} time(s){after}: `tagfall timeline` names them all."), Vec::new()));
    }
    list
}

/// Who asked for a tag while nothing had it.
pub fn of_tag(case: Case<'_>, life: Option<&TagLife>) -> Vec<Sentence> {
    let mut by: BTreeMap<(bool, &str), (u64, EventNo)> = BTreeMap::new();
    for ask in life.into_iter().flat_map(|life| &life.asks).filter(|ask| asked(ask)) {
        let is_task = ask.kind.is_a_task();
        let name = if is_task { ask.by } else { case.history.noted(ask.event).actor };
        let entry = by.entry((is_task, case.history.text(name))).or_insert((0, ask.event));
        (entry.0, entry.1) = (entry.0 + 1, ask.event);
    }
    let say = |((is_task, name), (count, last)): ((bool, &str), (u64, EventNo))| {
        let name = if name.is_empty() { "Somebody" } else { name };
        let what = if is_task { "could not start a task because of it" } else { "asked for the tag in vain" };
        sentence(format!("{name} {what}, {count} time(s)."), case.event(last))
    };
    by.into_iter().take(PRINCIPALS_MAX).map(say).collect()
}

/// Where a pull came from: its own address, or that of the principal's last login before it.
fn origin(case: Case<'_>, pull: EventNo) -> Option<String> {
    let history = case.history;
    let own = history.noted(pull);
    let address = history.text(own.source_ip);
    let hidden = |address: &str| address.is_empty() || address.starts_with("AWS Internal") || address.ends_with(".amazonaws.com");
    if !hidden(address) {
        return Some(address.to_owned());
    }
    let logins = history.logins();
    let upto = logins.partition_point(|login| history.noted(*login).time <= own.time);
    let same = |login: &&EventNo| history.noted(**login).actor == own.actor && own.actor != Sym::NONE;
    let login = logins[..upto].iter().rev().take_while(|login| own.time - history.noted(**login).time <= TOKEN_MILLIS).find(same)?;
    let address = history.text(history.noted(*login).source_ip);
    (!hidden(address)).then(|| address.to_owned())
}
