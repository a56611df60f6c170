//! Pull-through cache rules over time.

use std::collections::BTreeMap;

use super::{Registries, RegistryRegion, place, rest_below, since};
use crate::timeline::fact::Noted;
use crate::timeline::names::{EventNo, Names, RepositoryNo, Sym};

/// A pull-through cache rule. Members that an update leaves out are unchanged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CacheFact {
    pub prefix: Sym,
    /// Host of the registry that is copied.
    pub upstream: Sym,
    /// The upstream prefix that replaces the own one.
    pub upstream_prefix: Sym,
}

/// A pull-through cache rule since a given time, and the event that created or changed it; `None` after it
/// was deleted.
pub(super) type Cache = (i64, EventNo, Sym, Option<CacheFact>);

impl Registries {
    pub(super) fn put_cache(
        &mut self,
        place: RegistryRegion,
        fact: CacheFact,
        noted: &Noted,
        event: EventNo,
    ) {
        let list = self.caches.entry(place).or_default();
        let before = list.iter().rev().find(|(.., prefix, _)| *prefix == fact.prefix);
        let kept = before.and_then(|(.., rule)| *rule).unwrap_or(fact);
        let or_kept = |new: Sym, kept: Sym| if new.is_some() { new } else { kept };
        let rule = CacheFact {
            upstream: or_kept(fact.upstream, kept.upstream),
            upstream_prefix: or_kept(fact.upstream_prefix, kept.upstream_prefix),
            ..fact
        };
        // What an answer shows again was so before.
        if !(noted.snapshot && before.is_some_and(|(.., known)| *known == Some(rule))) {
            let is_first = before.is_none();
            list.push((since(noted, is_first), event, fact.prefix, Some(rule)));
        }
    }

    /// The pull-through cache rule for a repository at that time: the one with the longest prefix. Also
    /// returns the rest of the repository's name.
    pub fn cache<'n>(
        &self,
        repository: RepositoryNo,
        at: i64,
        names: &'n Names,
    ) -> Option<(EventNo, CacheFact, &'n str)> {
        let name = names.text(names.repository_key(repository)?.name);
        let list = self.caches.get(&place(repository, names)?)?;
        let mut latest: BTreeMap<&str, &Cache> = BTreeMap::new();
        for rule in list.iter().filter(|(since, ..)| *since <= at) {
            latest.insert(names.text(rule.2), rule);
        }
        let fitting = latest
            .into_iter()
            .filter_map(|(prefix, (_, event, _, rule))| Some((*event, (*rule)?, rest_below(prefix, name)?)));
        fitting.min_by_key(|(.., rest)| rest.len())
    }
}
