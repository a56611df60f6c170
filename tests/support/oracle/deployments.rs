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
    /// What functions and the like keep, likewise.
    keepers: BTreeMap<String, Vec<Deployment>>,
    /// Who follows which tag, from when, until when.
    followers: Vec<(String, Repo, String, u64, u64)>,
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

    /// A function or the like takes an image up. One that follows a tag has no image of its own.
    pub fn keep(&mut self, who: &str, image: &Reference, follows: bool, time: u64, repositories: &BTreeMap<Repo, Repository>) {
        self.unfollow(who, time);
        let tag = image.tag.clone().filter(|_| image.digest.is_none());
        if let Some(tag) = tag.clone().filter(|_| follows) {
            self.followers.push((who.to_owned(), image.repo.clone(), tag, time, u64::MAX));
        }
        let held = |tag: &String| repositories.get(&image.repo)?.tags.get(tag).cloned();
        let digest = image.digest.clone().or_else(|| held(tag.as_ref()?)).filter(|_| !follows);
        let unresolved = tag.filter(|_| digest.is_none() && !follows).map(|tag| (image.repo.clone(), tag));
        let pins = digest.map(|digest| (image.repo.clone(), digest)).into_iter().collect();
        let deployment = Deployment { time, definition: None, pins, unresolved: unresolved.into_iter().collect() };
        self.keepers.entry(who.to_owned()).or_default().push(deployment);
    }

    fn unfollow(&mut self, who: &str, time: u64) {
        for (_, _, _, _, until) in self.followers.iter_mut().filter(|(other, .., until)| other == who && *until == u64::MAX) {
            *until = time;
        }
    }

    /// What somebody keeps now.
    pub fn kept_by(&self, who: &str) -> Vec<(Repo, String)> {
        self.keepers.get(who).and_then(|history| history.last()).map(|last| last.pins.clone()).unwrap_or_default()
    }

    /// Whether somebody keeps the digest just before `time`.
    pub fn kept_at(&self, repo: &Repo, digest: &str, time: u64) -> bool {
        self.keepers.values().any(|history| pins(history, repo, digest, time))
    }

    /// Whether somebody follows one of these tags at `time`.
    pub fn followed_at<'t>(&self, repo: &Repo, mut tags: impl Iterator<Item = &'t String>, time: u64) -> bool {
        tags.any(|tag| self.followers.iter().any(|(_, of, followed, from, until)| of == repo && followed == tag && *from <= time && time < *until))
    }

    /// A tag is shown to have been on an image since before the logs: what was deployed with it runs that image.
    pub fn prove(&mut self, repo: &Repo, tag: &str, digest: &str) {
        for deployment in self.services.values_mut().chain(self.keepers.values_mut()).flatten() {
            if deployment.unresolved.iter().any(|(of, unresolved)| of == repo && unresolved == tag) {
                deployment.pins.push((repo.clone(), digest.to_owned()));
            }
        }
        self.forget(repo, tag);
    }

    /// The tag is pushed: what had it before stays unknown.
    pub fn forget(&mut self, repo: &Repo, tag: &str) {
        for deployment in self.services.values_mut().chain(self.keepers.values_mut()).flatten() {
            deployment.unresolved.retain(|(of, unresolved)| of != repo || unresolved != tag);
        }
    }

    pub fn stop(&mut self, service: &str, time: u64) {
        self.unfollow(service, time);
        self.keepers.entry(service.to_owned()).or_default().push(Deployment { time, definition: None, pins: Vec::new(), unresolved: Vec::new() });
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
        self.services.values().any(|history| pins(history, repo, digest, time))
    }
}

/// Whether the newest deployment just before `time` pins the digest.
fn pins(history: &[Deployment], repo: &Repo, digest: &str, time: u64) -> bool {
    let newest = history.iter().rfind(|deployment| deployment.time < time);
    newest.is_some_and(|newest| newest.pins.iter().any(|(of, pinned)| of == repo && pinned == digest))
}
