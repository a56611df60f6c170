//! What needs the image: failed pulls, deployments, tasks; and from which address, if the registry's proxy
//! hides it.

use std::collections::{BTreeMap, HashMap};

use super::{Case, Known, sentence};
use crate::detect::asked as asked_in_vain;
use crate::model::{
    Caller, HOUR_MILLIS, Principal, Sentence, StepKind, folded, needing_first, plural, times,
};
use crate::timeline::{End, EventNo, Loss, Sym, TagLife, Use, UseKind};

/// A login counts for the pulls within this many milliseconds after it: an authorization token lives 12 hours.
const TOKEN_MILLIS: i64 = 12 * HOUR_MILLIS;
/// Principals that are named one by one.
const PRINCIPALS_MAX: usize = 20;
/// Events that one sentence shows.
const EVENTS_MAX: usize = 20;

pub fn sentences(case: Case<'_>, known: Known<'_>, loss: Option<&Loss>) -> Vec<Sentence> {
    let span = match loss {
        Some(loss) => {
            let when =
                if loss.end == End::Archived { " while it was archived" } else { " after it was gone" };
            Span { from: loss.end_step as usize + 1, until: loss.next_life_step as usize, when }
        }
        None => Span { from: 0, until: usize::MAX, when: "" },
    };
    let mut list = pulls(case, known, span);
    list.extend(uses(case, known));
    list
}

/// The same for an image that was requested before it was pushed, in the step with index `came`.
pub fn of_early(case: Case<'_>, known: Known<'_>, came: usize) -> Vec<Sentence> {
    let mut list = pulls(case, known, Span { from: 0, until: came, when: " before it was there" });
    list.extend(pulls(case, known, Span { from: came, until: usize::MAX, when: " when it was there" }));
    list.extend(uses(case, known));
    list
}

/// A range of steps, and how pulls in it are described.
#[derive(Clone, Copy)]
struct Span {
    from: usize,
    until: usize,
    when: &'static str,
}

/// One sentence for each that refers to it and how, in order of the first time: a service that cannot start
/// tries for ever.
fn uses(case: Case<'_>, known: Known<'_>) -> Vec<Sentence> {
    let gone = known.image.gone_at.unwrap_or(i64::MAX);
    let mut said: Vec<(Sym, UseKind, bool, Vec<EventNo>)> = Vec::new();
    let mut places: HashMap<(Sym, UseKind, bool), usize> = HashMap::new();
    for found in &known.image.uses {
        let again = |other: &Use| other.by == found.by && other.until == i64::MAX && other.kind.pins();
        let replaced = found.until != i64::MAX && !known.image.uses.iter().any(again);
        // What was to be deployed with an image that was gone by then has no copy of it.
        let kind =
            if found.kind == UseKind::Kept && found.from > gone { UseKind::Started } else { found.kind };
        let place = *places.entry((found.by, kind, replaced)).or_insert(said.len());
        match said.get_mut(place) {
            Some((.., events)) if events.last() == Some(&found.event) => {}
            Some((.., events)) => events.push(found.event),
            None => said.push((found.by, kind, replaced, vec![found.event])),
        }
    }
    let owner = case.history.repository(known.repository).registry_id;
    said.into_iter()
        .map(|(by, kind, replaced, events)| used(case, owner.raw(), by, kind, replaced, &events))
        .collect()
}

/// One sentence about a consumer of the image. Its evidence is the first events, and the last one.
fn used(case: Case<'_>, owner: &str, by: Sym, kind: UseKind, replaced: bool, events: &[EventNo]) -> Sentence {
    let verb = match kind {
        UseKind::Named => "names it",
        UseKind::DeployedByTag => "was deployed when its tag pointed to it",
        UseKind::DeployedByDigest => "is deployed with its digest",
        UseKind::ResolvedByTask => "resolved its tag to it",
        UseKind::TaskStopped if case.history.text(by).contains(":lambda:") => {
            "could not be updated or called for want of it"
        }
        UseKind::TaskStopped => "could not start because of it",
        UseKind::Kept => "runs a copy of it: its reference meant this image when it was deployed",
        UseKind::Asked => "asks for its tag whenever it runs",
        UseKind::Offered => "names it, and nothing is known to run it",
        UseKind::Started => "ran it, or was to",
    };
    let times = if events.len() > 1 { format!(", {} times", events.len()) } else { String::new() };
    let still = if replaced { " (replaced since)" } else { "" };
    let (first, rest) = events.split_at(events.len().min(EVENTS_MAX - 1));
    let shown = first.iter().chain(rest.last()).flat_map(|event| case.event(*event));
    sentence(
        format!("{} {verb}{times}{still}.", needing_first(case.history.text(by), owner)),
        shown.collect(),
    )
}

/// Pulls by the sessions of one role.
#[derive(Default)]
struct Pulls<'h> {
    times: u64,
    /// The last event of each session.
    sessions: BTreeMap<&'h str, EventNo>,
    last: Option<EventNo>,
}

/// One sentence for each principal that pulled in a range of steps, with its sessions together.
fn pulls(case: Case<'_>, known: Known<'_>, span: Span) -> Vec<Sentence> {
    let Span { from, until, when: after } = span;
    let mut by_principal: BTreeMap<(Principal<'_>, &str), Pulls<'_>> = BTreeMap::new();
    for step in known
        .image
        .steps
        .iter()
        .take(until)
        .skip(from)
        .filter(|step| matches!(step.kind, StepKind::Pull | StepKind::PullFailed))
    {
        let actor = case.history.text(case.history.noted(step.event).actor);
        let pulls = by_principal.entry((Principal::of(actor), standing(step.caller))).or_default();
        pulls.times += 1;
        pulls.sessions.insert(actor, step.event);
        pulls.last = Some(step.event);
    }
    let principals = by_principal.len();
    let times: u64 = by_principal.values().skip(PRINCIPALS_MAX).map(|pulls| pulls.times).sum();
    let shown = by_principal.into_iter().take(PRINCIPALS_MAX);
    let mut list: Vec<Sentence> =
        shown.map(|((_, standing), pulls)| asked(case, &pulls, after, standing, "it")).collect();
    if let Some(more) = principals.checked_sub(PRINCIPALS_MAX).filter(|more| *more > 0) {
        list.push(sentence(
            format!(
                "{} more asked for it {}{after}: `tagfall timeline` names them all.",
                plural(more, "principal"),
                plural(times, "time")
            ),
            Vec::new(),
        ));
    }
    list
}

/// Why a pull does not show a need.
fn standing(caller: Caller) -> &'static str {
    match caller {
        Caller::Client | Caller::Unnamed => "",
        Caller::Inspector | Caller::PerhapsInspector | Caller::Scanner => ": a scanner, which needs nothing",
        Caller::Excluded => ": it is on the registry's list of principals whose pulls do not count",
    }
}

/// Who asked for a tag while nothing had it.
pub fn of_tag(case: Case<'_>, life: Option<&TagLife>) -> Vec<Sentence> {
    of_tag_since(case, life, i64::MIN)
}

/// The same for requests at `from` or later, in milliseconds.
pub fn of_tag_since(case: Case<'_>, life: Option<&TagLife>, from: i64) -> Vec<Sentence> {
    let asks = || {
        life.into_iter()
            .flat_map(|life| &life.asks)
            .filter(move |ask| asked_in_vain(ask) && case.time(ask.event) >= from)
    };
    let mut tasks: BTreeMap<&str, (u64, EventNo)> = BTreeMap::new();
    for ask in asks().filter(|ask| ask.kind.is_a_task()) {
        let entry = tasks.entry(case.history.text(ask.by)).or_insert((0, ask.event));
        (entry.0, entry.1) = (entry.0 + 1, ask.event);
    }
    let mut pulls: BTreeMap<Principal<'_>, Pulls<'_>> = BTreeMap::new();
    for ask in asks().filter(|ask| !ask.kind.is_a_task()) {
        let actor = case.history.text(case.history.noted(ask.event).actor);
        let pulls = pulls.entry(Principal::of(actor)).or_default();
        pulls.times += 1;
        pulls.sessions.insert(actor, ask.event);
        pulls.last = Some(ask.event);
    }
    let task = |(name, (count, last)): (&str, (u64, EventNo))| {
        let name = if name.is_empty() { "Somebody".to_owned() } else { needing_first(name, "") };
        sentence(format!("{name} could not start a task because of it, {}.", times(count)), case.event(last))
    };
    let mut list: Vec<Sentence> = pulls
        .into_values()
        .take(PRINCIPALS_MAX)
        .map(|pulls| asked(case, &pulls, " in vain", "", "the tag"))
        .collect();
    list.extend(tasks.into_iter().take(PRINCIPALS_MAX).map(task));
    list
}

/// One sentence about the pulls by one role. Its evidence is the last event of each session; the very last
/// comes at the end.
fn asked(case: Case<'_>, pulls: &Pulls<'_>, after: &str, standing: &str, what: &str) -> Sentence {
    let last = pulls.last.unwrap_or(EventNo::NONE);
    let from = origin(case, last).map_or_else(String::new, |address| format!(", from {address}"));
    let who = folded(pulls.sessions.keys().copied().filter(|actor| !actor.is_empty()))
        .pop()
        .unwrap_or_else(|| "Somebody".to_owned());
    let mut events: Vec<EventNo> = pulls.sessions.values().copied().filter(|event| *event != last).collect();
    events.sort_by_key(|event| case.history.noted(*event).time);
    let shown = events.iter().rev().take(EVENTS_MAX - 1).rev().chain(&pulls.last);
    let text = format!("{who} asked for {what} {}{after}{from}{standing}.", times(pulls.times));
    sentence(text, shown.flat_map(|event| case.event(*event)).collect())
}

/// Where a pull came from: its own address, or that of the principal's last login before it.
fn origin(case: Case<'_>, pull: EventNo) -> Option<String> {
    let history = case.history;
    let own = history.noted(pull.some()?);
    let address = history.text(own.source_ip);
    let hidden = |address: &str| {
        address.is_empty() || address.starts_with("AWS Internal") || address.ends_with(".amazonaws.com")
    };
    if !hidden(address) {
        return Some(address.to_owned());
    }
    let logins = history.logins();
    let upto = logins.partition_point(|login| history.noted(*login).time <= own.time);
    let same = |login: &&EventNo| history.noted(**login).actor == own.actor && own.actor != Sym::NONE;
    let login = logins[..upto]
        .iter()
        .rev()
        .take_while(|login| own.time - history.noted(**login).time <= TOKEN_MILLIS)
        .find(same)?;
    let address = history.text(history.noted(*login).source_ip);
    (!hidden(address)).then(|| address.to_owned())
}
