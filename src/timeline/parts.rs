//! What happened to each repository.

use std::ops::Range;

use rayon::prelude::*;

use super::event_order::EventOrder;
use super::fact::Fact;
use super::names::{Names, RepositoryNo};
use super::references::Mention;
use super::replay::Happening;

/// A repository, and the range of its entries in the list of all.
pub(super) struct Part {
    pub(super) repository: RepositoryNo,
    pub(super) happenings: Range<usize>,
}

/// The facts and mentions of each repository, sorted; repositories are ordered by registry, region and
/// name. Each repository's own are a range of the list. `facts` are sorted.
pub(super) fn by_repository<'f>(
    facts: &'f [Fact],
    mentions: &'f [Mention],
    order: &EventOrder,
    names: &Names,
) -> (Vec<Happening<'f>>, Vec<Part>) {
    let repositories: Vec<RepositoryNo> = facts
        .iter()
        .map(|fact| fact.repository)
        .chain(mentions.iter().map(|mention| mention.repository))
        .collect();
    let (entries, mut parts) = distributed(&repositories, names.repositories());
    let happening = |entry: usize| match entry.checked_sub(facts.len()) {
        None => Happening::Fact(&facts[entry]),
        Some(mention) => Happening::Mention(&mentions[mention]),
    };
    let mut happenings: Vec<Happening<'f>> = entries.into_iter().map(happening).collect();
    let mut rest = happenings.as_mut_slice();
    let mut each = Vec::with_capacity(parts.len());
    for part in &parts {
        let (own, others) = rest.split_at_mut(part.happenings.len());
        each.push(own);
        rest = others;
    }
    // A stable sort: facts of one event stay in their order.
    each.into_par_iter().for_each(|own| own.sort_by_key(|happening| order.place(happening.event())));
    parts.par_sort_unstable_by(|a, b| {
        names.repository_texts(a.repository).cmp(&names.repository_texts(b.repository))
    });
    (happenings, parts)
}

/// The indexes of a list's entries, grouped by the repository of each, and which of them are whose. `count` is the
/// number of repositories that there are.
fn distributed(repositories: &[RepositoryNo], count: usize) -> (Vec<usize>, Vec<Part>) {
    let mut parts: Vec<Part> = (0..count)
        .map(RepositoryNo::from_index)
        .chain([RepositoryNo::NONE])
        .map(|repository| Part { repository, happenings: 0..0 })
        .collect();
    let place = |repository: &RepositoryNo| repository.index().min(count);
    for repository in repositories {
        parts[place(repository)].happenings.end += 1;
    }
    let mut start = 0;
    for Part { happenings, .. } in &mut parts {
        let next = start + happenings.end;
        *happenings = start..start;
        start = next;
    }
    let mut entries = vec![0; repositories.len()];
    for (entry, repository) in repositories.iter().enumerate() {
        let end = &mut parts[place(repository)].happenings.end;
        entries[*end] = entry;
        *end += 1;
    }
    parts.retain(|part| !part.happenings.is_empty());
    (entries, parts)
}
