//! Task definitions and services: which digest each deployment pins, and until when.

use std::collections::BTreeMap;

use super::fold::Repository;
use super::meaning::{Reference, Repo};

/// A deployment of a service; its digests are pinned until the next one.
#[derive(Debug, Clone)]
struct Deployment {
    time: u64,
    definition: Option<String>,
    pins: Vec<(Repo, String)>,
    /// Tags that no logged event had put on an image by then.
    unresolved: Vec<(Repo, String)>,
}

#[derive(Debug, Clone, Default)]
pub struct Deployments {
    definitions: BTreeMap<String, Vec<Reference>>,
    /// Family → its newest task definition.
    newest: BTreeMap<String, String>,
    services: BTreeMap<String, Vec<Deployment>>,
    /// The same for functions and other keepers of images.
    keepers: BTreeMap<String, Vec<Deployment>>,
    /// Followers of tags: who, repository, tag, from when, until when.
    followers: Vec<(String, Repo, String, u64, u64)>,
    /// The images that definitions, projects and services name.
    named: BTreeMap<String, Vec<Reference>>,
    /// Definitions offered for others to run, from when, until when.
    offers: Vec<Offer>,
}

#[derive(Debug, Clone)]
struct Offer {
    who: String,
    image: Reference,
    from: u64,
    until: u64,
}

impl Deployments {
    pub fn define(&mut self, definition: &str, family: &str, images: &[Reference]) {
        self.definitions.insert(definition.to_owned(), images.to_vec());
        self.newest.insert(family.to_owned(), definition.to_owned());
    }

    /// Deploys the named task definition, or the one in use. Tags are resolved now.
    pub fn deploy(
        &mut self,
        service: &str,
        named: Option<&str>,
        time: u64,
        repositories: &BTreeMap<Repo, Repository>,
    ) {
        let history = self.services.entry(service.to_owned()).or_default();
        let named = named.map(|name| self.newest.get(name).cloned().unwrap_or_else(|| name.to_owned()));
        let definition = named.or_else(|| history.last()?.definition.clone());
        let images = definition
            .as_ref()
            .and_then(|definition| self.definitions.get(definition))
            .cloned()
            .unwrap_or_default();
        let resolve = |image: Reference| {
            let digest =
                image.digest.or_else(|| repositories.get(&image.repo)?.tags.get(&image.tag?).cloned())?;
            Some((image.repo, digest))
        };
        let unknown = |image: &Reference| {
            let tag = image.tag.clone().filter(|_| image.digest.is_none())?;
            let known =
                repositories.get(&image.repo).is_some_and(|repository| repository.tags.contains_key(&tag));
            (!known).then(|| (image.repo.clone(), tag))
        };
        let unresolved = images.iter().filter_map(unknown).collect();
        history.push(Deployment {
            time,
            definition,
            pins: images.into_iter().filter_map(resolve).collect(),
            unresolved,
        });
    }

    /// A function or a similar service starts to keep an image. One that follows a tag keeps no image.
    pub fn keep(
        &mut self,
        who: &str,
        image: &Reference,
        follows: bool,
        time: u64,
        repositories: &BTreeMap<Repo, Repository>,
    ) {
        self.named.insert(who.to_owned(), vec![image.clone()]);
        self.unfollow(who, time);
        let tag = image.tag.clone().filter(|_| image.digest.is_none());
        if let Some(tag) = tag.clone().filter(|_| follows) {
            self.followers.push((who.to_owned(), image.repo.clone(), tag, time, u64::MAX));
        }
        let held = |tag: &String| repositories.get(&image.repo)?.tags.get(tag).cloned();
        let digest = image.digest.clone().or_else(|| held(tag.as_ref()?)).filter(|_| !follows);
        let unresolved = tag.filter(|_| digest.is_none() && !follows).map(|tag| (image.repo.clone(), tag));
        let pins = digest.map(|digest| (image.repo.clone(), digest)).into_iter().collect();
        let deployment =
            Deployment { time, definition: None, pins, unresolved: unresolved.into_iter().collect() };
        self.keepers.entry(who.to_owned()).or_default().push(deployment);
    }

    /// The newest revision of a family, or the name itself.
    fn newest_of(&self, name: &str) -> String {
        self.newest.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// All images, including those of task definitions.
    pub fn images_of(&self, images: &[Reference], through: &[String]) -> Vec<Reference> {
        let defined = through
            .iter()
            .flat_map(|name| self.named.get(&self.newest_of(name)).cloned().unwrap_or_default());
        images.iter().cloned().chain(defined).collect()
    }

    /// Registers a definition for others to run; its older revisions are not run any more.
    pub fn offer(&mut self, who: &str, images: &[Reference], through: &[String], time: u64) {
        let family = who.rsplit_once(':').map(|(family, _)| family.to_owned());
        let older = family.as_ref().and_then(|family| self.newest.get(family)).cloned();
        for former in older.into_iter().chain([who.to_owned()]) {
            self.end_offer(&former, time);
            self.stop(&former, time);
        }
        let images = self.images_of(images, through);
        self.offers.extend(images.iter().map(|image| Offer {
            who: who.to_owned(),
            image: image.clone(),
            from: time,
            until: u64::MAX,
        }));
        self.named.insert(who.to_owned(), images);
        if let Some(family) = family {
            self.newest.insert(family, who.to_owned());
        }
    }

    fn end_offer(&mut self, who: &str, time: u64) {
        for offer in self.offers.iter_mut().filter(|offer| offer.who == who && offer.until == u64::MAX) {
            offer.until = time;
        }
    }

    /// Somebody starts to keep the images that are named directly or by definitions.
    pub fn take_up(
        &mut self,
        who: &str,
        images: &[Reference],
        through: &[String],
        asks: bool,
        time: u64,
        repositories: &BTreeMap<Repo, Repository>,
    ) {
        let images = self.images_of(images, through);
        if !through.iter().any(|name| name == who) {
            self.named.insert(who.to_owned(), images.clone());
        }
        self.unfollow(who, time);
        let (mut pins, mut unresolved) = (Vec::new(), Vec::new());
        for image in images {
            match (image.digest, image.tag) {
                (Some(digest), _) => pins.push((image.repo, digest)),
                (None, Some(tag)) if asks => {
                    self.followers.push((who.to_owned(), image.repo, tag, time, u64::MAX))
                }
                (None, Some(tag)) => {
                    let repository = repositories.get(&image.repo);
                    let held = repository.and_then(|repository| {
                        repository.tags.get(&tag).or_else(|| Some(&repository.lost_tags.get(&tag)?.0))
                    });
                    match held {
                        Some(digest) => pins.push((image.repo.clone(), digest.clone())),
                        None => unresolved.push((image.repo, tag)),
                    }
                }
                _ => {}
            }
        }
        self.keepers.entry(who.to_owned()).or_default().push(Deployment {
            time,
            definition: None,
            pins,
            unresolved,
        });
    }

    /// A job runs a definition, which shows that it is in use: from now on its images are needed.
    pub fn use_definition(&mut self, name: &str, time: u64, repositories: &BTreeMap<Repo, Repository>) {
        let who = self.newest_of(name);
        let runs = self
            .keepers
            .get(&who)
            .and_then(|history| history.last())
            .is_some_and(|last| last.definition.is_some());
        if !runs && self.named.contains_key(&who) {
            self.take_up(&who, &[], std::slice::from_ref(&who), true, time, repositories);
            if let Some(last) = self.keepers.get_mut(&who).and_then(|history| history.last_mut()) {
                last.definition = Some(who);
            }
        }
    }

    /// Removes the images named by something that was deleted.
    pub fn forget_named(&mut self, who: &str, time: u64) {
        self.end_offer(who, time);
        self.named.remove(who);
    }

    /// Whether a definition offers the digest, or one of these tags, at `time`.
    pub fn offered_at<'t>(
        &self,
        repo: &Repo,
        digest: &str,
        tags: impl Iterator<Item = &'t String>,
        time: u64,
    ) -> bool {
        let tags: Vec<&String> = tags.collect();
        self.offers.iter().any(|offer| {
            let by_digest = offer.image.digest.as_deref() == Some(digest);
            let by_tag = offer.image.digest.is_none()
                && offer.image.tag.as_ref().is_some_and(|tag| tags.contains(&tag));
            offer.image.repo == *repo && (by_digest || by_tag) && offer.from <= time && time < offer.until
        })
    }

    fn unfollow(&mut self, who: &str, time: u64) {
        for (_, _, _, _, until) in
            self.followers.iter_mut().filter(|(other, .., until)| other == who && *until == u64::MAX)
        {
            *until = time;
        }
    }

    /// The images that somebody keeps now.
    pub fn kept_by(&self, who: &str) -> Vec<(Repo, String)> {
        self.keepers
            .get(who)
            .and_then(|history| history.last())
            .map(|last| last.pins.clone())
            .unwrap_or_default()
    }

    /// Whether anybody keeps the digest just before `time`.
    pub fn kept_at(&self, repo: &Repo, digest: &str, time: u64) -> bool {
        self.keepers.values().any(|history| pins(history, repo, digest, time))
    }

    /// Whether anybody follows one of these tags at `time`.
    pub fn followed_at<'t>(
        &self,
        repo: &Repo,
        mut tags: impl Iterator<Item = &'t String>,
        time: u64,
    ) -> bool {
        tags.any(|tag| {
            self.followers.iter().any(|(_, of, followed, from, until)| {
                of == repo && followed == tag && *from <= time && time < *until
            })
        })
    }

    /// An event shows that the tag has been on an image since before the logs, so deployments with this tag
    /// run that image.
    pub fn prove(&mut self, repo: &Repo, tag: &str, digest: &str) {
        for deployment in self.services.values_mut().chain(self.keepers.values_mut()).flatten() {
            if deployment.unresolved.iter().any(|(of, unresolved)| of == repo && unresolved == tag) {
                deployment.pins.push((repo.clone(), digest.to_owned()));
            }
        }
        self.forget(repo, tag);
    }

    /// The tag is pushed: which image had it before stays unknown.
    pub fn forget(&mut self, repo: &Repo, tag: &str) {
        for deployment in self.services.values_mut().chain(self.keepers.values_mut()).flatten() {
            deployment.unresolved.retain(|(of, unresolved)| of != repo || unresolved != tag);
        }
    }

    pub fn stop(&mut self, service: &str, time: u64) {
        self.unfollow(service, time);
        self.keepers.entry(service.to_owned()).or_default().push(Deployment {
            time,
            definition: None,
            pins: Vec::new(),
            unresolved: Vec::new(),
        });
        self.services.entry(service.to_owned()).or_default().push(Deployment {
            time,
            definition: None,
            pins: Vec::new(),
            unresolved: Vec::new(),
        });
    }

    /// Whether a service pins the digest at `time` or later.
    pub fn pinned_since(&self, repo: &Repo, digest: &str, time: u64) -> bool {
        let pins = |deployment: &Deployment| {
            deployment.pins.iter().any(|(of, pinned)| of == repo && pinned == digest)
        };
        let later = |history: &Vec<Deployment>| {
            history.iter().any(|deployment| deployment.time > time && pins(deployment))
        };
        self.pinned_at(repo, digest, time + 1) || self.services.values().any(later)
    }

    /// Whether the newest deployment of any service just before `time` pins the digest. Digests that only a
    /// task reports as resolved do not count, because no real record of that kind is known.
    pub fn pinned_at(&self, repo: &Repo, digest: &str, time: u64) -> bool {
        self.services.values().any(|history| pins(history, repo, digest, time))
    }
}

/// Whether the newest deployment just before `time` pins the digest.
fn pins(history: &[Deployment], repo: &Repo, digest: &str, time: u64) -> bool {
    let newest = history.iter().rfind(|deployment| deployment.time < time);
    newest.is_some_and(|newest| newest.pins.iter().any(|(of, pinned)| of == repo && pinned == digest))
}
