//! Which copies the deletions of an image reach, by the replication rules in force at that moment.

use crate::timeline::image::{End, Image, Loss};
use crate::timeline::names::{DigestNo, EventNo, Map, Names, Sym};
use crate::timeline::registry::Registries;
use crate::timeline::replay::RepositoryHistory;

/// Finds the copies of images in the repositories of the evidence.
pub(super) struct Copies<'r> {
    registries: &'r Registries,
    names: &'r Names,
    /// The index of each repository, by registry, region and name.
    places: Map<(Sym, Sym, Sym), usize>,
}

/// A copy, as indexes of its repository and of the image there.
pub(super) struct Copy {
    pub repository: usize,
    pub image: usize,
    /// The event that set up the replication of deletions to it.
    pub set_up: EventNo,
}

impl<'r> Copies<'r> {
    pub fn new(repositories: &[RepositoryHistory], registries: &'r Registries, names: &'r Names) -> Self {
        let place = |(number, repository): (usize, &RepositoryHistory)| {
            let key = names.repository_key(repository.repository)?;
            Some(((key.registry_id, key.region, key.name), number))
        };
        Self { registries, names, places: repositories.iter().enumerate().filter_map(place).collect() }
    }

    /// The copies that deletions of an image in `source` reach at that moment.
    pub fn of(
        &self,
        repositories: &[RepositoryHistory],
        source: &RepositoryHistory,
        digest: DigestNo,
        at: i64,
    ) -> Vec<Copy> {
        let Some(key) = self.names.repository_key(source.repository) else { return Vec::new() };
        let Some((set_up, destinations)) = self.registries.copies(source.repository, at, self.names) else {
            return Vec::new();
        };
        let copy = |(registry, region)| {
            let repository = *self.places.get(&(registry, region, key.name))?;
            let image = *repositories[repository].by_digest.get(&digest)?;
            Some(Copy { repository, image, set_up })
        };
        destinations
            .into_iter()
            .filter(|(_, deletes)| *deletes)
            .filter_map(|(place, _)| copy(place))
            .collect()
    }

    /// Every loss by a rule or a call in its source repository, with each copy that it reaches.
    pub fn of_losses<'h>(
        &self,
        repositories: &'h [RepositoryHistory],
    ) -> impl Iterator<Item = (&'h RepositoryHistory, &'h Loss, Copy)> {
        let by_rule_or_call =
            |loss: &&Loss| matches!(loss.end, End::Expired | End::DeletedByDigest | End::DeletedByLastTag);
        let losses = move |image: &'h Image| {
            image.losses.iter().filter(by_rule_or_call).map(|loss| (image.digest, loss))
        };
        let reached = move |source: &'h RepositoryHistory| {
            source.images.iter().flat_map(losses).flat_map(move |(digest, loss)| {
                let copies = self.of(repositories, source, digest, loss.at).into_iter();
                copies.map(move |copy| (source, loss, copy))
            })
        };
        repositories.iter().flat_map(reached)
    }
}
