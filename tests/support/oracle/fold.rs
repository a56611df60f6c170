//! Lives through all events in order, and remembers what became of every image.

use std::collections::BTreeMap;

use serde_json::Value;

use super::deployments::Deployments;
use super::meaning::{Act, Event, Repo, RunImage};

/// An event that did something to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub id: String,
    pub time: u64,
    pub order: &'static str,
}

/// How the last tag went to another push.
#[derive(Debug, Clone)]
pub struct Loss {
    pub tag: String,
    /// `None`: the tag was on it before the logs begin.
    pub first: Option<Cause>,
    pub second: Cause,
    pub kept: String,
}

#[derive(Debug, Clone)]
pub struct Gone {
    pub state: &'static str,
    pub cause: Cause,
    pub run: Option<RunImage>,
}

#[derive(Debug, Clone)]
pub struct Pull {
    pub time: u64,
    pub by_digest: bool,
    pub actor: Option<String>,
}

/// One life of an image.
#[derive(Debug, Clone, Default)]
pub struct Life {
    /// Something besides mere mentions is known of it.
    pub known: bool,
    /// `None`: it began before the logs.
    pub start: Option<u64>,
    pub pushed_at: Option<u64>,
    pub tags: BTreeMap<String, Option<Cause>>,
    pub loss: Option<Loss>,
    pub untagged_at: Option<u64>,
    pub untagged_by: Option<&'static str>,
    pub gone: Option<Gone>,
    pub tags_at_end: Vec<String>,
    pub archived: Option<Cause>,
    pub pulls: Vec<Pull>,
    pub stops: Vec<u64>,
}

#[derive(Debug, Clone, Default)]
pub struct Image {
    pub open_start: bool,
    pub lives: Vec<Life>,
    pub children: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Repository {
    pub images: BTreeMap<String, Image>,
    pub tags: BTreeMap<String, String>,
    pub policy: Option<Value>,
}

#[derive(Debug, Clone, Default)]
pub struct Folded {
    pub repositories: BTreeMap<Repo, Repository>,
    pub deployments: Deployments,
}

/// Folds events that are in order.
pub fn fold(events: &[Event]) -> Folded {
    let mut folded = Folded::default();
    for event in events {
        let cause = Cause { id: event.id.clone(), time: event.time, order: event.order };
        folded.absorb(event, cause);
    }
    folded
}

impl Folded {
    fn repository(&mut self, repo: &Repo) -> &mut Repository {
        self.repositories.entry(repo.clone()).or_default()
    }

    fn absorb(&mut self, event: &Event, cause: Cause) {
        match &event.act {
            Act::Push { repo, digest, tag, children } => self.repository(repo).push(digest, tag.as_deref(), children, &cause),
            Act::AlreadyThere { repo, digest, tag } => self.repository(repo).already_there(digest, tag),
            Act::Delete { repo, images, tags, .. } => self.repository(repo).delete(images, tags, &cause),
            Act::Run { repo, images, policy } => {
                self.repository(repo).policy = Some(policy.clone());
                for image in images {
                    self.repository(repo).run(image, &cause);
                }
            }
            Act::Preview { repo, digests } => {
                for digest in digests {
                    self.repository(repo).mention(digest);
                }
            }
            Act::DeleteRepository { repo } => self.repository(repo).delete_all(&cause),
            Act::Policy { repo, policy } => self.repository(repo).policy = policy.clone(),
            Act::Archived { repo, digest } => self.repository(repo).open(digest).archived = Some(cause),
            Act::Restored { repo, digest } => self.repository(repo).open(digest).archived = None,
            Act::Pull { repo, digest, tag } => {
                let pull = Pull { time: event.time, by_digest: digest.is_some(), actor: event.actor.clone() };
                self.repository(repo).pull(digest.as_deref(), tag.as_deref(), pull);
            }
            Act::TaskReason { digests } => {
                for (repo, digest) in digests {
                    self.repository(repo).mention(digest).stops.push(event.time);
                }
            }
            Act::Define { definition, family, images } => self.deployments.define(definition, family, images),
            Act::Deploy { service, definition } => self.deployments.deploy(service, definition.as_deref(), event.time, &self.repositories),
            Act::StopService { service } => self.deployments.stop(service, event.time),
        }
    }
}

impl Repository {
    /// The last life of a digest that some event speaks of; an open one when it is the first to do so.
    fn mention(&mut self, digest: &str) -> &mut Life {
        let image = self.images.entry(digest.to_owned()).or_default();
        if image.lives.is_empty() {
            image.open_start = true;
            image.lives.push(Life::default());
        }
        let last = image.lives.len() - 1;
        &mut image.lives[last]
    }

    /// The present life of a digest that an event shows to be there.
    fn open(&mut self, digest: &str) -> &mut Life {
        if self.mention(digest).gone.is_some() {
            let image = self.images.entry(digest.to_owned()).or_default();
            image.lives.push(Life::default());
        }
        let life = self.mention(digest);
        life.known = true;
        life
    }

    fn push(&mut self, digest: &str, tag: Option<&str>, children: &[String], cause: &Cause) {
        let image = self.images.entry(digest.to_owned()).or_default();
        if image.lives.last().is_none_or(|life| life.gone.is_some()) {
            image.lives.push(Life { start: Some(cause.time), ..Life::default() });
        }
        image.children = children.to_vec();
        let life = self.open(digest);
        if life.pushed_at.is_none() {
            life.pushed_at = Some(cause.time);
            life.untagged_at = Some(cause.time);
            life.untagged_by = Some("pushed_untagged");
        }
        for child in children {
            self.mention(child);
        }
        let Some(tag) = tag else { return };
        let former = self.tags.insert(tag.to_owned(), digest.to_owned());
        if former.as_deref() == Some(digest) {
            return;
        }
        let life = self.open(digest);
        life.tags.insert(tag.to_owned(), Some(cause.clone()));
        (life.loss, life.untagged_at, life.untagged_by) = (None, None, None);
        if let Some(former) = former {
            self.displace(&former, tag, digest, cause);
        }
    }

    fn displace(&mut self, former: &str, tag: &str, taker: &str, cause: &Cause) {
        let life = self.mention(former);
        let first = life.tags.remove(tag).flatten();
        if life.tags.is_empty() {
            life.untagged_at = Some(cause.time);
            life.untagged_by = Some("displaced");
            life.loss = Some(Loss { tag: tag.to_owned(), first, second: cause.clone(), kept: taker.to_owned() });
        }
    }

    /// Proves an old holder where none was known; moves nothing.
    fn already_there(&mut self, digest: &str, tag: &str) {
        let there = self.mention(digest).gone.is_none();
        if there && !self.tags.contains_key(tag) {
            self.tags.insert(tag.to_owned(), digest.to_owned());
            let life = self.open(digest);
            life.tags.insert(tag.to_owned(), None);
            (life.loss, life.untagged_at, life.untagged_by) = (None, None, None);
        }
    }

    fn delete(&mut self, images: &[String], tags: &[(String, String)], cause: &Cause) {
        for digest in images {
            self.remove(digest, "deleted", cause, None);
        }
        for (digest, tag) in tags {
            let others = self.open(digest).tags.keys().any(|held| held != tag);
            if others {
                self.open(digest).tags.remove(tag);
                if self.tags.get(tag) == Some(digest) {
                    self.tags.remove(tag);
                }
            } else {
                self.open(digest).tags.entry(tag.clone()).or_default();
                self.remove(digest, "deleted", cause, None);
            }
        }
    }

    fn run(&mut self, image: &RunImage, cause: &Cause) {
        let life = self.open(&image.digest);
        life.pushed_at = life.pushed_at.or(image.pushed_at);
        match image.action.as_str() {
            "expire" => self.remove(&image.digest, "expired", cause, Some(image.clone())),
            "transition" => life.archived = Some(cause.clone()),
            _ => {}
        }
    }

    fn remove(&mut self, digest: &str, state: &'static str, cause: &Cause, run: Option<RunImage>) {
        self.tags.retain(|_, holder| holder != digest);
        let life = self.open(digest);
        life.tags_at_end = run.as_ref().map_or_else(|| life.tags.keys().cloned().collect(), |run| run.tag_list.clone());
        life.gone = Some(Gone { state, cause: cause.clone(), run });
    }

    fn delete_all(&mut self, cause: &Cause) {
        let here = |image: &Image| image.lives.last().is_some_and(|life| life.known && life.gone.is_none());
        let living: Vec<String> = self.images.iter().filter(|(_, image)| here(image)).map(|(digest, _)| digest.clone()).collect();
        for digest in living {
            self.remove(&digest, "repository_deleted", cause, None);
        }
        self.tags.clear();
        self.policy = None;
    }

    fn pull(&mut self, digest: Option<&str>, tag: Option<&str>, pull: Pull) {
        let digest = digest.map(str::to_owned).or_else(|| self.tags.get(tag?).cloned());
        if let Some(digest) = digest {
            self.mention(&digest).pulls.push(pull);
        }
    }

    /// The digest is listed by an index that was pushed here: it stays and goes with that, and is no orphan.
    pub fn is_child(&self, digest: &str) -> bool {
        self.images.values().any(|parent| parent.children.iter().any(|child| child == digest))
    }
}

impl Image {
    /// The word of CONTRACT for what became of it.
    pub fn state(&self) -> &'static str {
        match self.lives.last() {
            Some(Life { gone: Some(gone), .. }) => gone.state,
            Some(life) if !life.known => "unknown",
            Some(life) if life.archived.is_some() => "archived",
            Some(life) if life.tags.is_empty() && life.untagged_by.is_some() => "untagged",
            Some(life) if life.tags.is_empty() => "unknown",
            Some(_) => "tagged",
            None => "unknown",
        }
    }

    /// Tags now, or at the end.
    pub fn tags(&self) -> Vec<String> {
        let Some(life) = self.lives.last() else { return Vec::new() };
        if life.gone.is_some() { life.tags_at_end.clone() } else { life.tags.keys().cloned().collect() }
    }
}
