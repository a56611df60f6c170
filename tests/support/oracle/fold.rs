//! Processes all events in order, and keeps the state of every image.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::deployments::Deployments;
use super::meaning::{Act, CopyRule, Event, Reference, Repo, RunImage, role};
use super::presumed::Presumed;
use super::tags::{self, Turn};

/// An event that changed an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub id: String,
    pub time: u64,
    pub order: &'static str,
}

/// How the last tag moved to another push.
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

/// A time in the archive, during which no pull finds the image.
#[derive(Debug, Clone)]
pub struct Archived {
    pub cause: Cause,
    pub rule_priority: Option<i64>,
    pub until: Option<u64>,
    pub tags: Vec<String>,
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
    /// Whether more than mentions is known about it.
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
    pub archives: Vec<Archived>,
    pub pulls: Vec<Pull>,
    /// Number of requests for its layers: parts of pulls, or all that is left of pulls whose manifest
    /// requests are not in the logs.
    pub layer_pulls: usize,
    /// Whether it was deleted with its last tag, as far as the tags are known.
    pub by_last_tag: bool,
    /// All tags that it had in this life.
    pub ever_tags: BTreeSet<String>,
    pub stops: Vec<u64>,
    /// Times at which jobs and builds were to run it.
    pub starts: Vec<u64>,
    /// Pulls by a tag that was lost with this life, after the digest had come back without it.
    pub asked_later: Vec<Pull>,
    /// Whether the repository was created again: then this life has ended at a time that is not in the logs.
    pub over: bool,
    /// Whether all its tags are known, because it began in the logs or a run has listed them.
    pub tags_known: bool,
    /// Whether a run could not take it, because an index (in the logs or not) lists it.
    pub is_held: bool,
    /// Whether a refused push proved that it existed before its first push in the logs.
    pub proven: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Image {
    pub open_start: bool,
    pub lives: Vec<Life>,
    pub children: Vec<String>,
    pub layers: Vec<String>,
    /// Tasks that stopped because they could not find it or were refused.
    pub failures: Vec<Failure>,
    /// Pulls that were refused for want of permission.
    pub refusals: Vec<(Cause, Option<String>)>,
    /// All pulls that were not refused, by any caller.
    pub answered: Vec<Asked>,
    pub subject: Option<String>,
    /// The last time at which any event other than a pull or refusal showed it.
    pub shown: u64,
    /// Its first push: the event, the caller, and whether it was known before.
    pub first_push: Option<(Cause, Option<String>, bool)>,
    /// Its refused pushes, with tag and caller.
    pub refused_pushes: Vec<(Cause, Option<String>, Option<String>)>,
    /// Whether its repository reported that it already exists.
    pub exists: bool,
    /// Set if it was most likely removed together with something else.
    pub presumed: Option<Presumed>,
}

/// A task that stopped because of a missing image.
#[derive(Debug, Clone)]
pub struct Failure {
    pub cause: Cause,
    pub tag: Option<String>,
    pub by_digest: bool,
    pub refused: bool,
}

/// A request for an image or a tag.
#[derive(Debug, Clone)]
pub struct Asked {
    pub cause: Cause,
    pub actor: Option<String>,
    pub needs: bool,
    pub is_task: bool,
    pub by_digest: bool,
    pub tag: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Repository {
    pub images: BTreeMap<String, Image>,
    pub tags: BTreeMap<String, String>,
    /// Tags that were lost with an image: its digest, and the number of its life.
    pub lost_tags: BTreeMap<String, (String, usize)>,
    pub turns: BTreeMap<String, Vec<Turn>>,
    /// Pushes of which only the repository is known.
    pub unknown_pushes: Vec<u64>,
    /// Times at which the repository was deleted and created.
    pub deletions: Vec<u64>,
    pub creations: Vec<u64>,
    pub access_changes: Vec<Cause>,
    /// Requests for each tag while no image had it.
    pub tag_asks: BTreeMap<String, Vec<Asked>>,
    /// Tags that already existed when somebody pushed them, and the first such time.
    pub taken: BTreeMap<String, u64>,
    /// Refused pushes by tag: event, digest and caller.
    pub refused_pushes: BTreeMap<String, Vec<(Cause, String, Option<String>)>>,
    pub policy: Option<Value>,
    /// The latest `imageTagMutability` and its exclusion filters.
    mutability: Value,
}

/// A time, and the replication rules of a registry from then on.
type Replication = (u64, Vec<CopyRule>);

#[derive(Debug, Clone, Default)]
pub struct Folded {
    pub repositories: BTreeMap<Repo, Repository>,
    pub deployments: Deployments,
    /// `account/role` → changes of its permissions.
    pub roles: BTreeMap<String, Vec<Cause>>,
    /// Replication configurations of each registry, in order of time.
    pub replication: BTreeMap<(String, String), Vec<Replication>>,
    /// Account and region of a registry, and a principal whose pulls are excluded there.
    excluded: BTreeSet<((String, String), String)>,
    /// Prefix and policy of each template, by account and region of its registry.
    templates: BTreeMap<(String, String), BTreeMap<String, Option<Value>>>,
}

/// Folds sorted events.
pub fn fold(events: &[Event]) -> Folded {
    let mut folded = Folded::default();
    // A principal that is removed from the list without having been added was on it before the logs.
    let mut told: BTreeSet<((String, String), String)> = BTreeSet::new();
    for event in events {
        if let Act::Exclude { registry, role, excluded } = &event.act
            && told.insert((registry.clone(), role.clone()))
            && !excluded
        {
            folded.excluded.insert((registry.clone(), role.clone()));
        }
    }
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

    /// Whether a registry replicates to this repository including deletions: then a tag there may be gone
    /// without an event.
    fn deletions_reach(&self, repo: &Repo, time: u64) -> bool {
        let reaches = |rule: &CopyRule| {
            rule.deletes
                && rule.is_for(repo)
                && rule.destinations.iter().any(|(account, region)| (account, region) == (&repo.0, &repo.1))
        };
        let in_force =
            self.replication.values().filter_map(|list| list.iter().rfind(|(since, _)| *since <= time));
        in_force.flat_map(|(_, rules)| rules).any(reaches)
    }

    /// The policy of the template with the longest prefix that the name has.
    fn template(&self, repo: &Repo) -> Option<Value> {
        let templates = self.templates.get(&(repo.0.clone(), repo.1.clone()))?;
        let fitting = templates
            .iter()
            .filter(|(prefix, _)| repo.2.starts_with(&format!("{prefix}/")) || *prefix == "ROOT");
        fitting.max_by_key(|(prefix, _)| if *prefix == "ROOT" { 0 } else { prefix.len() })?.1.clone()
    }

    /// Whether a caller's pulls show a need: not those of scanners and of principals that the registry
    /// excludes.
    fn needs(&self, repo: &Repo, actor: Option<&str>) -> bool {
        let Some(role) = actor.and_then(role) else { return true };
        let name = role.split('/').next_back().unwrap_or_default();
        let scans = ["AWSServiceRoleForAmazonInspector2", "SnykServiceRole"].contains(&name);
        !scans && !self.excluded.contains(&((repo.0.clone(), repo.1.clone()), role))
    }

    /// Tells the deployments which image has a tag that was unresolved so far.
    fn learn_tags(&mut self, act: &Act) {
        let known = |repo: &Repo, tag: &str| {
            self.repositories.get(repo).is_some_and(|repository| repository.tags.contains_key(tag))
        };
        match act {
            Act::Push { repo, tag: Some(tag), .. } => self.deployments.forget(repo, tag),
            Act::AlreadyThere { repo, digest, tag } if !known(repo, tag) => {
                self.deployments.prove(repo, tag, digest)
            }
            Act::Delete { repo, images, listed, .. } => {
                let gone = listed.iter().filter(|(digest, tag)| images.contains(digest) && !known(repo, tag));
                for (digest, tag) in gone.collect::<Vec<_>>() {
                    self.deployments.prove(repo, tag, digest);
                }
            }
            Act::Run { repo, images, .. } => {
                let listed = images
                    .iter()
                    .flat_map(|image| image.tag_list.iter().map(move |tag| (tag, &image.digest)));
                for (tag, digest) in listed.filter(|(tag, _)| !known(repo, tag)).collect::<Vec<_>>() {
                    self.deployments.prove(repo, tag, digest);
                }
            }
            _ => {}
        }
    }

    fn absorb(&mut self, event: &Event, cause: Cause) {
        let before = event.act.repo().map(|repo| self.repository(repo).tags.clone());
        self.change(event, &cause);
        if let (Some(repo), Some(before)) = (event.act.repo(), before) {
            tags::note(self.repository(repo), &before, event, &cause);
        }
    }

    fn change(&mut self, event: &Event, cause: &Cause) {
        let cause = cause.clone();
        self.learn_tags(&event.act);
        let named = match &event.act {
            Act::Define { images, .. } | Act::Offer { images, .. } | Act::TakeUp { images, .. } => {
                images.as_slice()
            }
            Act::Keep { image, .. } => std::slice::from_ref(image),
            _ => &[],
        };
        // Whoever names a digest before its push knows it from before the logs.
        for image in named {
            if let Some(digest) = &image.digest {
                self.repository(&image.repo).mention(digest);
            }
        }
        match &event.act {
            Act::Push { repo, digest, tag, children, layers, subject, replica } => {
                // Replication does not overwrite an immutable tag.
                let may_be_free = *replica && self.deletions_reach(repo, event.time);
                let tag = tag
                    .as_ref()
                    .filter(|tag| !*replica || may_be_free || !self.repository(repo).keeps(tag, digest));
                let shows = |image: &Image| image.shown > 0 || image.lives.iter().any(|life| life.known);
                let known = self.repository(repo).images.get(digest).is_some_and(shows);
                let image = self.repository(repo).images.entry(digest.clone()).or_default();
                image.first_push.get_or_insert_with(|| (cause.clone(), event.actor.clone(), known));
                (image.subject, image.shown) = (subject.clone(), event.time);
                self.repository(repo).push(digest, tag.map(String::as_str), children, &cause);
                self.repository(repo).images.entry(digest.clone()).or_default().layers = layers.clone();
            }
            Act::AlreadyThere { repo, digest, tag } => {
                self.repository(repo).already_there(digest, tag);
                self.repository(repo).images.entry(digest.clone()).or_default().exists = true;
            }
            Act::Delete { repo, images, tags, listed, held } => {
                for digest in images.iter().chain(tags.iter().map(|(digest, _)| digest)).chain(held) {
                    self.repository(repo).show(digest, event.time);
                }
                self.repository(repo).correct_holders(listed);
                self.repository(repo).learn_tags(images, listed);
                self.repository(repo).delete(images, tags, &cause);
            }
            Act::Run { repo, images, policy } => {
                self.repository(repo).policy = Some(policy.clone());
                for image in images {
                    self.repository(repo).show(&image.digest, event.time);
                    self.repository(repo).run(image, &cause);
                }
            }
            Act::Preview { repo, images } => {
                for (digest, pushed_at) in images {
                    self.repository(repo).preview(digest, *pushed_at);
                }
            }
            Act::Mutability { repo, setting } => self.repository(repo).mutability = setting.clone(),
            Act::CreateRepository { repo, on_push, mutability } => {
                let policy = on_push.then(|| self.template(repo)).flatten();
                self.repository(repo).begin_again(event.time);
                self.repository(repo).mutability = mutability.clone();
                self.repository(repo).policy = policy;
            }
            Act::Exclude { registry, role, excluded: true } => {
                _ = self.excluded.insert((registry.clone(), role.clone()))
            }
            Act::Exclude { registry, role, excluded: false } => {
                _ = self.excluded.remove(&(registry.clone(), role.clone()))
            }
            Act::Template { registry, prefix, policy } => {
                self.templates.entry(registry.clone()).or_default().insert(prefix.clone(), policy.clone());
            }
            Act::DeleteRepository { repo } => self.repository(repo).delete_all(&cause),
            Act::Policy { repo, policy } => self.repository(repo).policy = policy.clone(),
            Act::Archived { repo, digest } => {
                self.repository(repo).show(digest, event.time);
                self.repository(repo).archive(digest, &cause, None);
            }
            Act::Restored { repo, digest } => {
                self.repository(repo).show(digest, event.time);
                self.repository(repo).restore(digest, event.time);
            }
            Act::Pull { repo, digest, tag } => {
                let needs = self.needs(repo, event.actor.as_deref());
                let pull = Pull { time: event.time, by_digest: digest.is_some(), actor: event.actor.clone() };
                let asked = Asked {
                    cause: cause.clone(),
                    actor: event.actor.clone(),
                    needs,
                    is_task: false,
                    by_digest: digest.is_some(),
                    tag: tag.clone(),
                };
                self.repository(repo).ask(digest.as_deref(), tag.as_deref(), asked);
                self.repository(repo).pull(digest.as_deref(), tag.as_deref(), needs.then_some(pull));
            }
            Act::PullLayer { repo, layer } => self.repository(repo).pull_layer(layer),
            Act::Task { named, refused } => named.iter().for_each(|image| self.fail(image, *refused, &cause)),
            Act::RefusedPush { repo, digest, tag, is_taken } => {
                let pusher = event.actor.clone();
                let image = self.repository(repo).images.entry(digest.clone()).or_default();
                image.refused_pushes.push((cause.clone(), tag.clone(), pusher.clone()));
                if let (true, Some(tag)) = (*is_taken, tag) {
                    self.repository(repo).taken.entry(tag.clone()).or_insert(event.time);
                }
                if let Some(tag) = tag {
                    self.repository(repo).refused_pushes.entry(tag.clone()).or_default().push((
                        cause,
                        digest.clone(),
                        pusher,
                    ));
                }
            }
            Act::RefusedPull { repo, digest, tag } => {
                let held = |tag: &String| self.repositories.get(repo)?.tags.get(tag).cloned();
                if let Some(digest) = digest.clone().or_else(|| tag.as_ref().and_then(held)) {
                    self.repository(repo)
                        .images
                        .entry(digest)
                        .or_default()
                        .refusals
                        .push((cause, event.actor.clone()));
                }
            }
            Act::UnknownPush { repo } => self.repository(repo).unknown_pushes.push(event.time),
            Act::AccessChanged { repo } => self.repository(repo).access_changes.push(cause),
            Act::RoleChanged { role } => self.roles.entry(role.clone()).or_default().push(cause),
            Act::Replication { registry, rules } => {
                self.replication.entry(registry.clone()).or_default().push((event.time, rules.clone()))
            }
            Act::Offer { who, images, through } => self.deployments.offer(who, images, through, event.time),
            Act::TakeUp { who, images, through, asks } => {
                self.deployments.take_up(who, images, through, *asks, event.time, &self.repositories)
            }
            Act::Start { images, through, uses } => {
                for image in self.deployments.images_of(images, through) {
                    self.start(&image, event.time);
                }
                for definition in through.iter().filter(|_| *uses) {
                    self.deployments.use_definition(definition, event.time, &self.repositories);
                }
            }
            Act::Define { definition, family, images } => self.deployments.define(definition, family, images),
            Act::Deploy { service, definition } => {
                self.deployments.deploy(service, definition.as_deref(), event.time, &self.repositories)
            }
            Act::StopService { service } => {
                self.deployments.stop(service, event.time);
                self.deployments.forget_named(service, event.time);
            }
            Act::Keep { who, image, follows } => {
                self.deployments.keep(who, image, *follows, event.time, &self.repositories)
            }
            Act::Failed { who } => {
                for (repo, digest) in self.deployments.kept_by(who) {
                    self.repository(&repo).mention(&digest).stops.push(event.time);
                }
            }
        }
    }
}

impl Folded {
    /// A task failed to get an image: found by its digest, or by the tag of the image that has or had it.
    fn fail(&mut self, image: &Reference, refused: bool, cause: &Cause) {
        let repository = self.repository(&image.repo);
        let by_tag = |tag: &String| {
            repository.tags.get(tag).cloned().or_else(|| Some(repository.lost_tags.get(tag)?.0.clone()))
        };
        match image.digest.clone().or_else(|| image.tag.as_ref().and_then(by_tag)) {
            Some(digest) => {
                repository.mention(&digest).stops.push(cause.time);
                let failure = Failure {
                    cause: cause.clone(),
                    tag: image.tag.clone(),
                    by_digest: image.digest.is_some(),
                    refused,
                };
                repository.images.entry(digest).or_default().failures.push(failure);
            }
            None => {
                let Some(tag) = image.tag.clone() else { return };
                let asked = Asked {
                    cause: cause.clone(),
                    actor: None,
                    needs: true,
                    is_task: true,
                    by_digest: false,
                    tag: None,
                };
                repository.tag_asks.entry(tag).or_default().push(asked);
            }
        }
    }

    /// A job or a build runs an image: the one with the tag, or the one that was lost with it.
    fn start(&mut self, image: &Reference, time: u64) {
        let repository = self.repository(&image.repo);
        let lost = |tag: &String| {
            (!repository.tags.contains_key(tag)).then(|| repository.lost_tags.get(tag).cloned()).flatten()
        };
        match (&image.digest, &image.tag) {
            (Some(digest), _) => repository.mention(digest).starts.push(time),
            (None, Some(tag)) => {
                if let Some((digest, life)) = lost(tag)
                    && let Some(life) =
                        repository.images.get_mut(&digest).and_then(|image| image.lives.get_mut(life))
                {
                    life.starts.push(time);
                }
            }
            _ => {}
        }
    }
}

impl Repository {
    /// Whether the tag is on another image and immutable. In these worlds wildcards end in `*`.
    fn keeps(&self, tag: &str, digest: &str) -> bool {
        let filters = self.mutability["imageTagMutabilityExclusionFilters"].as_array().into_iter().flatten();
        let is_exempt = filters.filter_map(|filter| filter["filter"].as_str()).any(|filter| {
            match filter.strip_suffix('*') {
                Some(start) => tag.starts_with(start),
                None => tag == filter,
            }
        });
        let fixed = match self.mutability["imageTagMutability"].as_str() {
            Some("IMMUTABLE") => true,
            Some("IMMUTABLE_WITH_EXCLUSION") => !is_exempt,
            Some("MUTABLE_WITH_EXCLUSION") => is_exempt,
            _ => false,
        };
        fixed && self.tags.get(tag).is_some_and(|holder| holder != digest)
    }

    /// An event shows that the image exists or existed.
    fn show(&mut self, digest: &str, time: u64) {
        self.images.entry(digest.to_owned()).or_default().shown = time;
    }

    /// A request for an image: of a known digest, or else of the tag.
    fn ask(&mut self, digest: Option<&str>, tag: Option<&str>, asked: Asked) {
        if let Some(digest) = digest {
            return self.images.entry(digest.to_owned()).or_default().answered.push(asked);
        }
        let Some(tag) = tag else { return };
        if let Some(holder) = self.tags.get(tag).cloned() {
            return self.images.entry(holder).or_default().answered.push(asked);
        }
        if let Some((digest, _)) = self.lost_tags.get(tag).cloned().filter(|_| asked.needs) {
            let gone = self
                .images
                .get(&digest)
                .and_then(|image| image.lives.last())
                .is_some_and(|life| life.gone.is_some());
            if gone {
                self.images.entry(digest).or_default().answered.push(asked.clone());
            }
        }
        if asked.needs {
            self.tag_asks.entry(tag.to_owned()).or_default().push(asked);
        }
    }

    /// The last life of a digest that an event mentions; a new one with unknown beginning if it is the first
    /// mention.
    fn mention(&mut self, digest: &str) -> &mut Life {
        let image = self.images.entry(digest.to_owned()).or_default();
        if image.lives.is_empty() {
            image.open_start = true;
            image.lives.push(Life::default());
        }
        let last = image.lives.len() - 1;
        &mut image.lives[last]
    }

    /// A preview shows that it existed and when it was pushed; its tags may be those of a moment before or
    /// after.
    fn preview(&mut self, digest: &str, pushed_at: Option<u64>) {
        let life = self.mention(digest);
        if life.gone.is_some() {
            return;
        }
        life.known = true;
        if life.pushed_at.is_none_or(|known| pushed_at.is_some_and(|stated| stated < known)) {
            life.pushed_at = pushed_at;
            self.opened_before(digest);
        }
    }

    /// It existed before its first push in the logs. This concerns only the first life.
    fn opened_before(&mut self, digest: &str) {
        if let Some(image) = self.images.get_mut(digest) {
            image.open_start |= image.lives.len() == 1;
        }
    }

    /// The present life of a digest that an event shows to exist.
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
        if image.lives.last().is_none_or(|life| life.gone.is_some() || life.over) {
            image.lives.push(Life { start: Some(cause.time), tags_known: true, ..Life::default() });
        }
        image.children = children.to_vec();
        // A push also restores an archived image.
        self.restore(digest, cause.time);
        let life = self.open(digest);
        if life.pushed_at.is_none() && !life.proven {
            life.pushed_at = Some(cause.time);
            life.untagged_at = Some(cause.time);
            life.untagged_by = Some("pushed_untagged");
        }
        for child in children {
            self.mention(child);
        }
        let Some(tag) = tag else { return };
        self.lost_tags.remove(tag);
        let former = self.tags.insert(tag.to_owned(), digest.to_owned());
        if former.as_deref() == Some(digest) {
            return;
        }
        let life = self.open(digest);
        life.tags.insert(tag.to_owned(), Some(cause.clone()));
        life.ever_tags.insert(tag.to_owned());
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
            life.loss =
                Some(Loss { tag: tag.to_owned(), first, second: cause.clone(), kept: taker.to_owned() });
        }
    }

    /// Shows which image had a tag before, if none was known; does not move the tag.
    fn already_there(&mut self, digest: &str, tag: &str) {
        // The image exists, although no logged event brought it back.
        let life = self.mention(digest);
        life.known |= life.gone.is_none();
        if !self.tags.contains_key(tag) {
            self.tags.insert(tag.to_owned(), digest.to_owned());
            let life = self.open(digest);
            life.proven = life.start.is_none();
            life.tags.insert(tag.to_owned(), None);
            life.ever_tags.insert(tag.to_owned());
            (life.loss, life.untagged_at, life.untagged_by) = (None, None, None);
        }
    }

    /// A response shows which image had a tag, which may correct the state.
    fn correct_holders(&mut self, listed: &[(String, String)]) {
        for (digest, tag) in listed {
            if let Some(holder) = self.tags.get(tag).filter(|holder| *holder != digest).cloned() {
                self.mention(&holder).tags.remove(tag);
                self.tags.remove(tag);
            }
        }
    }

    /// Images deleted by digest had the tags that the response lists.
    fn learn_tags(&mut self, images: &[String], listed: &[(String, String)]) {
        for (digest, tag) in listed.iter().filter(|(digest, _)| images.contains(digest)) {
            let life = self.open(digest);
            life.ever_tags.insert(tag.clone());
            if life.tags.insert(tag.clone(), None).is_none() {
                (life.loss, life.untagged_at, life.untagged_by) = (None, None, None);
            }
        }
    }

    fn delete(&mut self, images: &[String], tags: &[(String, String)], cause: &Cause) {
        for digest in images {
            self.remove(digest, "deleted", cause, None);
        }
        for (digest, tag) in tags {
            // The tag was on this image last, whatever it was lost with before.
            self.lost_tags.remove(tag);
            let others = self.open(digest).tags.keys().any(|held| held != tag);
            if others {
                self.open(digest).tags.remove(tag);
                if self.tags.get(tag) == Some(digest) {
                    self.tags.remove(tag);
                }
            } else if !self.open(digest).tags_known {
                // Whether that was its last tag depends on what happened before the logs.
                let life = self.open(digest);
                life.tags.remove(tag);
                (life.known, life.proven) = (false, false);
                self.tags.remove(tag);
            } else {
                self.open(digest).tags.entry(tag.clone()).or_default();
                self.remove(digest, "deleted", cause, None);
                self.mention(digest).by_last_tag = true;
            }
        }
    }

    fn run(&mut self, image: &RunImage, cause: &Cause) {
        // It had another tag than the logs know, so it was not deleted with the last known one.
        let life = self.mention(&image.digest);
        let ended = life.gone.as_ref().map(|gone| gone.cause.time).filter(|_| life.by_last_tag);
        let came_later = |ended: u64| image.pushed_at.is_some_and(|pushed| pushed > ended);
        if let Some(ended) = ended.filter(|ended| cause.time > ended + 3600 && !came_later(*ended)) {
            self.lived_on(&image.digest, ended);
        }
        self.correct(image);
        let life = self.open(&image.digest);
        match image.action.as_str() {
            "expire" => self.remove(&image.digest, "expired", cause, Some(image.clone())),
            "transition" => {
                if life.start.is_none()
                    && life.tags.is_empty()
                    && image.tag_status.eq_ignore_ascii_case("untagged")
                {
                    life.untagged_by = life.untagged_by.or(Some("unknown"));
                }
                self.archive(&image.digest, cause, image.rule_priority);
            }
            "failed"
                if life.start.is_none()
                    && life.tags.is_empty()
                    && image.tag_status.eq_ignore_ascii_case("untagged") =>
            {
                life.is_held = true;
                life.untagged_by = life.untagged_by.or(Some("unknown"));
            }
            "failed" => life.is_held = true,
            // Nothing changes, but it is now known that the image exists, and of what kind it is.
            _ if life.start.is_none()
                && life.tags.is_empty()
                && image.tag_status.eq_ignore_ascii_case("untagged") =>
            {
                life.untagged_by = life.untagged_by.or(Some("unknown"));
            }
            _ => {}
        }
    }

    /// It did not end then: requests for the tag since then were for a missing tag, and not for this image.
    fn lived_on(&mut self, digest: &str, ended: u64) {
        self.lost_tags.retain(|_, (lost, _)| lost != digest);
        let turns = self.turns.values_mut().flatten();
        for turn in turns.filter(|turn| {
            turn.time == ended && turn.digest.is_none() && turn.was_on.as_deref() == Some(digest)
        }) {
            turn.how = "removed";
        }
        let Some(image) = self.images.get_mut(digest) else { return };
        let by_tag = |failure: &Failure| !failure.by_digest && failure.cause.time > ended;
        let told: Vec<u64> = image
            .failures
            .iter()
            .filter(|failure| by_tag(failure))
            .map(|failure| failure.cause.time)
            .collect();
        image.failures.retain(|failure| !by_tag(failure));
        image.answered.retain(|asked| asked.by_digest || asked.cause.time <= ended);
        let Some(life) = image.lives.last_mut() else { return };
        (life.gone, life.by_last_tag) = (None, false);
        life.tags.clear();
        life.pulls.retain(|pull| pull.by_digest || pull.time <= ended);
        life.stops.retain(|stop| !told.contains(stop));
        life.starts.retain(|start| *start <= ended);
    }

    fn remove(&mut self, digest: &str, state: &'static str, cause: &Cause, run: Option<RunImage>) {
        self.tags.retain(|_, holder| holder != digest);
        let held: Vec<String> = self.open(digest).tags.keys().cloned().collect();
        let life = self.images[digest].lives.len() - 1;
        self.lost_tags.extend(held.into_iter().map(|tag| (tag, (digest.to_owned(), life))));
        let life = self.open(digest);
        life.tags_at_end =
            run.as_ref().map_or_else(|| life.tags.keys().cloned().collect(), |run| run.tag_list.clone());
        life.gone = Some(Gone { state, cause: cause.clone(), run });
    }

    /// A run states when the image was pushed and which tags it has, which takes precedence over the folded
    /// state.
    fn correct(&mut self, image: &RunImage) {
        let life = self.open(&image.digest);
        let earlier =
            life.pushed_at.is_none_or(|pushed| image.pushed_at.is_some_and(|stated| stated < pushed));
        if earlier {
            life.pushed_at = image.pushed_at;
            self.opened_before(&image.digest);
        }
        let life = self.open(&image.digest);
        life.tags_known = true;
        life.tags.retain(|tag, _| image.tag_list.contains(tag));
        for tag in &image.tag_list {
            life.tags.entry(tag.clone()).or_default();
            life.ever_tags.insert(tag.clone());
            (life.loss, life.untagged_at, life.untagged_by) = (None, None, None);
        }
        self.tags.retain(|tag, holder| *holder != image.digest || image.tag_list.contains(tag));
        for tag in &image.tag_list {
            if let Some(former) =
                self.tags.insert(tag.clone(), image.digest.clone()).filter(|former| *former != image.digest)
            {
                self.mention(&former).tags.remove(tag);
            }
        }
    }

    fn archive(&mut self, digest: &str, cause: &Cause, rule_priority: Option<i64>) {
        let life = self.open(digest);
        if !life.is_archived() {
            let tags = life.tags.keys().cloned().collect();
            life.archives.push(Archived { cause: cause.clone(), rule_priority, until: None, tags });
        }
    }

    fn restore(&mut self, digest: &str, time: u64) {
        if let Some(stay) = self.open(digest).archives.last_mut() {
            stay.until.get_or_insert(time);
        }
    }

    fn delete_all(&mut self, cause: &Cause) {
        let here = |image: &Image| image.lives.last().is_some_and(|life| life.known && life.gone.is_none());
        let living: Vec<String> =
            self.images.iter().filter(|(_, image)| here(image)).map(|(digest, _)| digest.clone()).collect();
        for digest in living {
            self.remove(&digest, "repository_deleted", cause, None);
        }
        self.tags.clear();
        self.policy = None;
        self.deletions.push(cause.time);
    }

    /// A pull that shows no need counts only as a mention of the image, but still as a pull of the tag.
    fn pull(&mut self, digest: Option<&str>, tag: Option<&str>, pull: Option<Pull>) {
        if let Some(digest) = digest {
            return self.mention(digest).pulls.extend(pull);
        }
        let Some(tag) = tag else { return };
        if let Some(turn) = self.turns.get_mut(tag).and_then(|turns| turns.last_mut()) {
            // A caller without a need is not affected by a loss.
            turn.pulls += usize::from(pull.is_some());
        }
        if let Some(digest) = self.tags.get(tag).cloned() {
            return self.mention(&digest).pulls.extend(pull);
        }
        // A request for a tag that was lost with its image is a request for that image as it was.
        let Some((digest, life)) = self.lost_tags.get(tag).cloned() else { return };
        let Some(image) = self.images.get_mut(&digest) else { return };
        let is_last = life + 1 == image.lives.len();
        let life = &mut image.lives[life];
        if is_last && life.gone.is_some() { life.pulls.extend(pull) } else { life.asked_later.extend(pull) }
    }

    /// A request for a layer counts as part of a pull if only one image has the layer.
    fn pull_layer(&mut self, layer: &str) {
        let has = |image: &Image| image.layers.iter().any(|held| held == layer);
        let mut holders =
            self.images.iter().filter(|(_, image)| has(image)).map(|(digest, _)| digest.clone());
        if let (Some(digest), None) = (holders.next(), holders.next()) {
            self.mention(&digest).layer_pulls += 1;
        }
    }

    /// The repository is created: all images in it are gone, at an unknown time.
    fn begin_again(&mut self, time: u64) {
        for life in self
            .images
            .values_mut()
            .filter_map(|image| image.lives.last_mut())
            .filter(|life| life.gone.is_none())
        {
            life.over |= life.known;
            life.known = false;
            life.tags.clear();
            (life.loss, life.untagged_at, life.untagged_by) = (None, None, None);
            if let Some(stay) = life.archives.last_mut() {
                stay.until.get_or_insert(time);
            }
        }
        self.tags.clear();
        self.creations.push(time);
        self.policy = None;
    }

    /// Whether an index that existed at `time` or later lists the digest: then it is kept and removed with
    /// the index.
    pub fn is_child_since(&self, digest: &str, time: u64) -> bool {
        let lists = |parent: &&Image| parent.children.iter().any(|child| child == digest);
        let lasts = |life: &Life| life.gone.as_ref().is_none_or(|gone| gone.cause.time > time);
        self.images.values().filter(lists).any(|parent| parent.lives.iter().any(lasts))
    }
}

impl Life {
    pub fn is_archived(&self) -> bool {
        self.archives.last().is_some_and(|stay| stay.until.is_none())
    }
}

impl Image {
    /// The state in the words of CONTRACT.
    pub fn state(&self) -> &'static str {
        match self.lives.last() {
            Some(Life { gone: Some(gone), .. }) => gone.state,
            Some(_) if self.presumed.is_some() => "unknown",
            Some(life) if !life.known => "unknown",
            Some(life) if life.is_archived() => "archived",
            Some(life) if life.tags.is_empty() && life.start.is_none() && life.untagged_by.is_none() => {
                "unknown"
            }
            Some(life) if life.tags.is_empty() => "untagged",
            Some(_) => "tagged",
            None => "unknown",
        }
    }

    /// The tags now, or at the end.
    pub fn tags(&self) -> Vec<String> {
        let Some(life) = self.lives.last() else { return Vec::new() };
        if life.gone.is_some() { life.tags_at_end.clone() } else { life.tags.keys().cloned().collect() }
    }
}
