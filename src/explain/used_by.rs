//! Who needs the image: pulls that found nothing, deployments, tasks; and from where, when the registry's proxy hides it.

use std::collections::BTreeMap;

use super::{Case, Known, sentence};
use crate::model::{Sentence, StepKind};
use crate::timeline::{EventNo, Loss, Sym, UseKind};

/// A login counts for the pulls within so many milliseconds after it: an authorization token lives 12 hours.
const TOKEN_MILLIS: i64 = 12 * 3_600_000;
/// Principals that are named one by one.
const PRINCIPALS_MAX: usize = 20;

pub fn sentences(case: Case<'_>, known: Known<'_>, loss: Option<&Loss>) -> Vec<Sentence> {
    let mut list = pulls(case, known, loss);
    for found in &known.image.uses {
        let verb = match found.kind {
            UseKind::Named => "names it",
            UseKind::DeployedByTag => "was deployed when its tag pointed to it",
            UseKind::DeployedByDigest => "is deployed with its digest",
            UseKind::ResolvedByTask => "resolved its tag to it",
            UseKind::TaskStopped => "could not start a task because of it",
        };
        let still = if found.until == i64::MAX { "" } else { " (replaced since)" };
        list.push(sentence(format!("{} {verb}{still}.", case.history.text(found.by)), case.event(found.event)));
    }
    list
}

/// One sentence per principal that pulled after the end (or at all, if it is still there).
fn pulls(case: Case<'_>, known: Known<'_>, loss: Option<&Loss>) -> Vec<Sentence> {
    let from = loss.map_or(0, |loss| loss.end_step as usize + 1);
    let mut by_actor: BTreeMap<&str, (u64, EventNo)> = BTreeMap::new();
    for step in known.image.steps.iter().skip(from).filter(|step| matches!(step.kind, StepKind::Pull | StepKind::PullFailed)) {
        let entry = by_actor.entry(case.history.text(case.history.noted(step.event).actor)).or_insert((0, step.event));
        entry.0 += 1;
        entry.1 = step.event;
    }
    let after = if loss.is_some() { " after it was gone" } else { "" };
    let say = |(actor, (count, last)): (&str, (u64, EventNo))| {
        let from = origin(case, last).map_or_else(String::new, |address| format!(", from {address}"));
        sentence(format!("{actor} asked for it {count} time(s){after}{from}."), case.event(last))
    };
    by_actor.into_iter().take(PRINCIPALS_MAX).map(say).collect()
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
