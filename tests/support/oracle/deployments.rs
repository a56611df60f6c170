//! Task definitions and services: which digest a deployment pinned, and until when.

use std::collections::BTreeMap;

use super::fold::Repository;
use super::meaning::{Reference, Repo};

/// A service got a new deployment; its digests stay until the next.
#[derive(Debug, Clone)]
struct Deployment {
    time: u64,
    definition: Option<String>,
    pins: Vec<(Repo, String)>,
    /// Tags that nothing in the logs had put on any image by then.
    unresolved: Vec<(Repo, String)>,
}

#[derive(Debug, Clone, Default)]
pub struct Deployments {
    definitions: BTreeMap<String, Vec<Reference>>,
    /// Family → its newest definition.
    newest: BTreeMap<String, String>,
    services: BTreeMap<String, Vec<Deployment>>,
}

impl Deployments {
    pub fn define(&mut self, definition: &str, family: &str, images: &[Reference]) {
        self.definitions.insert(definition.to_owned(), images.to_vec());
        self.newest.insert(family.to_owned(), definition.to_owned());
    }

    /// A deployment of a named definition, or of the one in use. A tag is resolved as it stands now.
    pub fn deploy(&mut self, service: &str, named: Option<&str>, time: u64, repositories: &BTreeMap<Repo, Repository>) {
        let history = self.services.entry(service.to_owned()).or_default();
        let named = named.map(|name| self.newest.get(name).cloned().unwrap_or_else(|| name.to_owned()));
        let definition = named.or_else(|| history.last()?.definition.clone());
        let images = definition.as_ref().and_then(|definition| self.definitions.get(definition)).cloned().unwrap_or_default();
        let resolve = |image: Reference| {
            let digest = image.digest.or_else(|| repositories.get(&image.repo)?.tags.get(&image.tag?).cloned())?;
            Some((image.repo, digest))
        };
        let unknown = |image: &Reference| {
            let tag = image.tag.clone().filter(|_| image.digest.is_none())?;
            let known = repositories.get(&image.repo).is_some_and(|repository| repository.tags.contains_key(&tag));
            (!known).then(|| (image.repo.clone(), tag))
        };
        let unresolved = images.iter().filter_map(unknown).collect();
        history.push(Deployment { time, definition, pins: images.into_iter().filter_map(resolve).collect(), unresolved });
    }

    /// A tag is shown to have been on an image since before the logs: what was deployed with it runs that image.
    pub fn prove(&mut self, repo: &Repo, tag: &str, digest: &str) {
        for deployment in self.services.values_mut().flatten() {
            if deployment.unresolved.iter().any(|(of, unresolved)| of == repo && unresolved == tag) {
                deployment.pins.push((repo.clone(), digest.to_owned()));
            }
        }
        self.forget(repo, tag);
    }

    /// The tag is pushed: what had it before stays unknown.
    pub fn forget(&mut self, repo: &Repo, tag: &str) {
        for deployment in self.services.values_mut().flatten() {
            deployment.unresolved.retain(|(of, unresolved)| of != repo || unresolved != tag);
        }
    }

    pub fn stop(&mut self, service: &str, time: u64) {
        self.services.entry(service.to_owned()).or_default().push(Deployment { time, definition: None, pins: Vec::new(), unresolved: Vec::new() });
    }

    /// Whether some service is deployed with the digest at `time`, or comes to be so later.
    pub fn pinned_since(&self, repo: &Repo, digest: &str, time: u64) -> bool {
        let pins = |deployment: &Deployment| deployment.pins.iter().any(|(of, pinned)| of == repo && pinned == digest);
        let later = |history: &Vec<Deployment>| history.iter().any(|deployment| deployment.time > time && pins(deployment));
        self.pinned_at(repo, digest, time + 1) || self.services.values().any(later)
    }

    /// Whether some service's newest deployment just before `time` pins the digest. What a task alone says it resolved is no
    /// base for a verdict: nobody has seen a real record of it.
    pub fn pinned_at(&self, repo: &Repo, digest: &str, time: u64) -> bool {
        self.services.values().any(|history| {
            let newest = history.iter().rfind(|deployment| deployment.time < time);
            newest.is_some_and(|newest| newest.pins.iter().any(|(of, pinned)| of == repo && pinned == digest))
        })
    }
}
