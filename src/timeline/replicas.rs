//! Who copies from whom: replication by the rules of the registries, and pull-through caches.

use super::history::History;
use super::names::{EventNo, Sym};
use super::replay::RepositoryHistory;
use crate::model::Repository;

/// A place to which a repository is copied.
#[derive(Debug, Clone, Copy)]
pub struct Destination {
    pub registry: Sym,
    pub region: Sym,
    /// Deletions, expiries and removals of tags go along.
    pub deletes: bool,
    /// The event that set it up.
    pub set_by: EventNo,
}

/// The upstream of a pull-through cache repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Host of the registry; `NONE` if only the prefix of the names is known.
    pub host: Sym,
    /// The repository's name there.
    pub name: String,
    pub set_by: EventNo,
}

impl History {
    /// Where the images of a repository are replicated to at that time, in milliseconds; `None` if the
    /// replication rules of its registry are not known.
    pub fn destinations(&self, repository: &RepositoryHistory, at: i64) -> Option<Vec<Destination>> {
        let (set_by, places) = self.registries().copies(repository.repository, at, self.names())?;
        let destination = |((registry, region), deletes)| Destination { registry, region, deletes, set_by };
        let mut list: Vec<Destination> = places.into_iter().map(destination).collect();
        list.sort_by_key(|one| (self.text(one.registry), self.text(one.region)));
        Some(list)
    }

    /// The repository with the same name at that destination, if the evidence has it.
    pub fn copy_in(
        &self,
        repository: &RepositoryHistory,
        destination: Destination,
    ) -> Option<&RepositoryHistory> {
        self.find_repository(&self.place_in(repository, destination))
    }

    /// A copy keeps its repository's name.
    pub fn place_in(&self, repository: &RepositoryHistory, destination: Destination) -> Repository {
        let Repository { name, .. } = self.repository(repository);
        Repository {
            registry_id: self.text(destination.registry).into(),
            region: self.text(destination.region).into(),
            name,
        }
    }

    /// What the repository is a pull-through cache of at that time, if a rule says so.
    pub fn upstream(&self, repository: &RepositoryHistory, at: i64) -> Option<Upstream> {
        let (set_by, rule, rest) = self.registries().cache(repository.repository, at, self.names())?;
        let prefix = self.text(rule.upstream_prefix);
        let name = if prefix.is_empty() || prefix == "ROOT" {
            rest.to_owned()
        } else {
            format!("{}/{rest}", prefix.trim_end_matches('/'))
        };
        Some(Upstream { host: rule.upstream, name, set_by })
    }

    /// The repository of that place, if the evidence names it.
    pub fn find_repository(&self, place: &Repository) -> Option<&RepositoryHistory> {
        let at = self.repositories().binary_search_by(|other| self.repository(other).cmp(place)).ok()?;
        self.repositories().get(at)
    }
}
