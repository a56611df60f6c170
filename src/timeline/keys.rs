//! KMS keys and the repositories that are encrypted with them: what was done to a repository's key, in order.
//!
//! `CreateRepository` names the key by ARN, id or alias; the grants that ECR gets at that moment name it, too, and the repository
//! with it. What happens to the key later names no repository.

use super::fact::{Fact, KeyFact, Noted, What};
use super::names::{EventNo, Map, Names, RepositoryNo, Sym};
use crate::decode::fingerprint;
use crate::model::KeyChange;

/// Something was done to a repository's key.
#[derive(Debug, Clone, Copy)]
pub struct KeyStep {
    pub event: EventNo,
    pub key: Sym,
    pub change: KeyChange,
    /// It concerns ECR's use of the key beyond doubt: a grant of unknown purpose may not.
    pub is_certain: bool,
}

/// The short name under which grants and aliases are kept.
pub fn key_name(text: &str) -> u64 {
    fingerprint(text.as_bytes())
}

/// Changes of each repository's key, in order of time. `own` and `foreign` are sorted.
pub fn steps(own: &[Fact], foreign: &[Fact], events: &[Noted], names: &Names) -> Map<RepositoryNo, Vec<KeyStep>> {
    let changes: Vec<(EventNo, &KeyFact)> = foreign.iter().filter_map(|fact| Some((fact.event, key_fact(&fact.what)?))).collect();
    let mut steps: Map<RepositoryNo, Vec<KeyStep>> = Map::default();
    if changes.is_empty() {
        return steps;
    }
    let keys = keys_of(own, &changes, events, names);
    let mut users: Map<Sym, Vec<RepositoryNo>> = Map::default();
    for (repository, key) in &keys {
        users.entry(*key).or_default().push(*repository);
    }
    let grants: Map<u64, RepositoryNo> =
        own.iter().filter_map(|fact| Some((key_fact(&fact.what)?.about, fact.repository))).filter(|(grant, _)| *grant != 0).collect();
    for (event, fact) in changes {
        let KeyFact { key, change, about } = *fact;
        let granted = grants.get(&about).copied().filter(|_| change == KeyChange::GrantEnded);
        let concerned = match granted {
            Some(repository) => vec![repository],
            None => users.get(&key).cloned().unwrap_or_default(),
        };
        for repository in concerned.into_iter().filter(|_| change != KeyChange::Aliased) {
            let is_certain = change.locks() || granted.is_some();
            steps.entry(repository).or_default().push(KeyStep { event, key, change, is_certain });
        }
    }
    steps
}

fn key_fact(what: &What) -> Option<&KeyFact> {
    match what {
        What::Key(fact) => Some(fact),
        _ => None,
    }
}

/// The last key known of each repository.
fn keys_of(own: &[Fact], changes: &[(EventNo, &KeyFact)], events: &[Noted], names: &Names) -> Map<RepositoryNo, Sym> {
    let mut keys: Map<RepositoryNo, Sym> = Map::default();
    let mut granted: Map<RepositoryNo, EventNo> = Map::default();
    for fact in own {
        match &fact.what {
            What::CreateRepository { key, .. } if key.is_some() => {
                // The grant of the same creation names the key itself, and may be logged before it.
                let near = |grant: &EventNo| (events[grant.index()].time - events[fact.event.index()].time).abs() < 60_000;
                if !names.text(*key).contains(":alias/") || !granted.get(&fact.repository).is_some_and(near) {
                    keys.insert(fact.repository, behind(*key, fact.event, changes, events, names));
                }
            }
            What::Key(fact_of_key) => {
                keys.insert(fact.repository, fact_of_key.key);
                granted.insert(fact.repository, fact.event);
            }
            _ => {}
        }
    }
    keys
}

/// The key that an alias pointed to at `event`, as far as the logs tell; anything else is itself.
fn behind(key: Sym, event: EventNo, changes: &[(EventNo, &KeyFact)], events: &[Noted], names: &Names) -> Sym {
    let alias = key_name(names.text(key));
    let now = events[event.index()].time;
    let pointed = || changes.iter().filter(|(_, fact)| fact.change == KeyChange::Aliased && fact.about == alias);
    let before = pointed().rfind(|(at, _)| events[at.index()].time <= now);
    before.or_else(|| pointed().next()).map_or(key, |(_, fact)| fact.key)
}
