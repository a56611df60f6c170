//! KMS keys and the repositories that they encrypt: what was done to the key of each repository, in order.
//!
//! `CreateRepository` names the key by ARN, id or alias. The grants that ECR gets at that moment name both
//! the key and the repository. Later events about the key name no repository.

use super::fact::{Fact, KeyFact, Noted, What};
use super::names::{EventNo, Map, Names, RepositoryNo, Sym};
use crate::decode::fingerprint;
use crate::model::{KeyChange, MINUTE_MILLIS};

/// A change of the key of a repository.
#[derive(Debug, Clone, Copy)]
pub struct KeyStep {
    pub event: EventNo,
    pub key: Sym,
    pub change: KeyChange,
    /// It certainly affects ECR's use of the key; a grant whose purpose is unknown may not.
    pub is_certain: bool,
}

/// The short key by which grants and aliases are kept.
pub fn key_name(text: &str) -> u64 {
    fingerprint(text.as_bytes())
}

/// The changes of each repository's key, in order of time. `own` and `foreign` are sorted.
pub fn steps(
    own: &[Fact],
    foreign: &[Fact],
    events: &[Noted],
    names: &Names,
) -> Map<RepositoryNo, Vec<KeyStep>> {
    let changes: Vec<(EventNo, &KeyFact)> =
        foreign.iter().filter_map(|fact| Some((fact.event, key_fact(&fact.what)?))).collect();
    let mut steps: Map<RepositoryNo, Vec<KeyStep>> = Map::default();
    if changes.is_empty() {
        return steps;
    }
    let keys = keys_of(own, &changes, events, names);
    let mut users: Map<Sym, Vec<RepositoryNo>> = Map::default();
    for (repository, key) in &keys {
        users.entry(*key).or_default().push(*repository);
    }
    let grants: Map<u64, RepositoryNo> = own
        .iter()
        .filter_map(|fact| Some((key_fact(&fact.what)?.about, fact.repository)))
        .filter(|(grant, _)| *grant != 0)
        .collect();
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

/// The last known key of each repository.
fn keys_of(
    own: &[Fact],
    changes: &[(EventNo, &KeyFact)],
    events: &[Noted],
    names: &Names,
) -> Map<RepositoryNo, Sym> {
    let mut keys: Map<RepositoryNo, Sym> = Map::default();
    let mut granted: Map<RepositoryNo, EventNo> = Map::default();
    for fact in own {
        match &fact.what {
            What::CreateRepository { key, .. } if key.is_some() => {
                // The grant made for the same repository names the key itself, and may be logged first.
                let near = |grant: &EventNo| {
                    (events[grant.index()].time - events[fact.event.index()].time).abs() < MINUTE_MILLIS
                };
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

/// The key that an alias pointed to at `event`, as far as the logs show; anything but an alias is returned
/// as it is.
fn behind(key: Sym, event: EventNo, changes: &[(EventNo, &KeyFact)], events: &[Noted], names: &Names) -> Sym {
    let alias = key_name(names.text(key));
    let now = events[event.index()].time;
    let pointed =
        || changes.iter().filter(|(_, fact)| fact.change == KeyChange::Aliased && fact.about == alias);
    let before = pointed().rfind(|(at, _)| events[at.index()].time <= now);
    before.or_else(|| pointed().next()).map_or(key, |(_, fact)| fact.key)
}
