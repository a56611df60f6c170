//! Who refers to which image: task definitions, services, tasks, functions → mentions in the repositories they name.
//!
//! A service keeps what it was deployed with until a newer deployment replaces it: ECS resolves a tag at the first task of
//! a deployment and starts every later task with that digest (ECS Developer Guide, "container image resolution").

use std::collections::HashSet;

use super::fact::{Fact, Named, Noted, Reference, StopReason, Task, What};
use super::names::{DigestNo, EventNo, Map, Names, RepositoryNo, Sym};

/// One image named by somebody, in the repository it lies in.
#[derive(Debug, Clone)]
pub struct Mention {
    pub repository: RepositoryNo,
    pub image: Named,
    /// The first hex digits of a digest of which no more is known.
    pub cut: Sym,
    pub event: EventNo,
    /// Task definition, service, task or function.
    pub by: Sym,
    pub kind: MentionKind,
    /// For what a task could not have.
    pub reason: StopReason,
    /// When something newer replaced it, in milliseconds; `i64::MAX` if nothing did.
    pub until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MentionKind {
    Named,
    Deployed,
    Resolved,
    Missing,
}

/// Reads facts that name no repository of their own, sorted by time.
pub fn mentions(facts: &[Fact], others: &[Fact], events: &[Noted], names: &Names) -> Vec<Mention> {
    let mut reader = Reader { events, names: Some(names), homes: homes(facts, others), ..Reader::default() };
    let second = |fact: &&Fact| events[fact.event.index()].time.div_euclid(1000);
    let mut ordered: Vec<&Fact> = facts.iter().collect();
    // A definition is registered before anything runs it, whatever the order within a second looks like.
    ordered.sort_by_key(|fact| (second(fact), !matches!(fact.what, What::Define { .. })));
    for fact in ordered {
        reader.read(fact);
    }
    reader.mentions
}

/// Repositories in which a digest was pushed, pulled or expired, for digests that somebody names without saying where.
fn homes(facts: &[Fact], others: &[Fact]) -> Map<DigestNo, Vec<RepositoryNo>> {
    let mut wanted: HashSet<DigestNo> = HashSet::new();
    for fact in facts {
        if let What::Task(task) = &fact.what {
            wanted.extend(task.images.iter().filter(|image| image.repository.is_none()).map(|image| image.image.digest));
        }
    }
    let mut homes: Map<DigestNo, Vec<RepositoryNo>> = Map::default();
    if wanted.is_empty() {
        return homes;
    }
    for fact in others {
        for digest in digests(&fact.what).filter(|digest| wanted.contains(digest)) {
            let list = homes.entry(digest).or_default();
            if !list.contains(&fact.repository) {
                list.push(fact.repository);
            }
        }
    }
    homes
}

/// Digests that an event shows to be, or to have been, in its repository.
fn digests(what: &What) -> impl Iterator<Item = DigestNo> + '_ {
    let one = match what {
        What::Push { image, .. } | What::Pull { image, .. } => image.digest.some(),
        _ => None,
    };
    let listed = match what {
        What::Run(run) => &run.images[..],
        _ => &[],
    };
    one.into_iter().chain(listed.iter().map(|image| image.digest))
}

#[derive(Default)]
struct Reader<'f> {
    events: &'f [Noted],
    names: Option<&'f Names>,
    homes: Map<DigestNo, Vec<RepositoryNo>>,
    mentions: Vec<Mention>,
    definitions: Map<Sym, &'f [Reference]>,
    /// Newest definition of a family, `arn:…:task-definition/family`.
    families: Map<&'f str, Sym>,
    runners: Map<Sym, Runner>,
}

/// A service, and what it is deployed with.
#[derive(Default)]
struct Runner {
    definition: Option<Sym>,
    open: Vec<usize>,
}

impl<'f> Reader<'f> {
    fn read(&mut self, fact: &'f Fact) {
        match &fact.what {
            What::Define { definition, images } => {
                self.define(*definition, images);
                self.mention_all(images, fact.event, *definition, MentionKind::Named);
            }
            What::Deploy { runner, definition, images, replaces } => self.deploy(fact.event, *runner, *definition, images, *replaces),
            What::StopRunning { runner } => {
                let open = self.runners.remove(runner).map(|runner| runner.open).unwrap_or_default();
                self.close(&open, fact.event);
            }
            What::Task(task) => self.task(fact.event, task),
            What::Refer { referrer, images } => {
                self.mention_all(images, fact.event, *referrer, MentionKind::Named);
            }
            _ => {}
        }
    }

    fn define(&mut self, definition: Sym, images: &'f [Reference]) {
        self.definitions.insert(definition, images);
        if let Some((family, _)) = self.text(definition).rsplit_once(':') {
            self.families.insert(family, definition);
        }
    }

    fn text(&self, sym: Sym) -> &'f str {
        self.names.map_or("", |names| names.text(sym))
    }

    fn deploy(&mut self, event: EventNo, runner: Sym, definition: Sym, images: &[Reference], replaces: bool) {
        if !replaces {
            return;
        }
        if self.text(runner).contains(":task/") {
            // A task of its own runs once and is never redeployed: it names an image, and pins nothing.
            let defined = definition.some().and_then(|definition| self.definitions.get(&definition).copied()).unwrap_or_default();
            self.mention_all(defined, event, runner, MentionKind::Named);
            self.mention_all(images, event, runner, MentionKind::Named);
            return;
        }
        let before = self.runners.remove(&runner).unwrap_or_default();
        self.close(&before.open, event);
        let definition = definition.some().map(|given| self.families.get(self.text(given)).copied().unwrap_or(given)).or(before.definition);
        let mut open = Vec::new();
        if let Some(defined) = definition.and_then(|definition| self.definitions.get(&definition).copied()) {
            open.extend(self.mention_all(defined, event, runner, MentionKind::Deployed));
        }
        open.extend(self.mention_all(images, event, runner, MentionKind::Deployed));
        self.runners.insert(runner, Runner { definition, open });
    }

    fn task(&mut self, event: EventNo, task: &Task) {
        let by = task.group.some().or(task.definition.some()).unwrap_or(task.task);
        if task.missing.is_empty() && !task.stopped {
            let made = self.mention_all(&task.images, event, by, MentionKind::Resolved);
            // The pin outlives the task: it ends when the service is deployed anew. A task of no known service pins nothing.
            match self.service_of(task).and_then(|runner| self.runners.get_mut(&runner)) {
                Some(runner) => runner.open.extend(made),
                None => self.close(&made, event),
            }
        }
        let missing = self.mention_all(&task.missing, event, by, MentionKind::Missing);
        missing.into_iter().for_each(|at| self.mentions[at].reason = task.reason);
    }

    /// The service that a task runs for: one that is deployed with its definition, by name if several are.
    fn service_of(&self, task: &Task) -> Option<Sym> {
        let definition = task.definition.some()?;
        let name = self.text(task.group).strip_prefix("service:").unwrap_or_default();
        let named = |runner: Sym| !name.is_empty() && self.text(runner).rsplit('/').next() == Some(name);
        let deployed = self.runners.iter().filter(|(_, runner)| runner.definition == Some(definition)).map(|(runner, _)| *runner);
        // Texts, not numbers: which service it is must not depend on who read what first.
        deployed.min_by_key(|runner| (!named(*runner), self.text(*runner)))
    }

    fn close(&mut self, open: &[usize], event: EventNo) {
        let now = self.events[event.index()].time;
        for &index in open {
            self.mentions[index].until = now;
        }
    }

    fn mention_all(&mut self, images: &[Reference], event: EventNo, by: Sym, kind: MentionKind) -> Vec<usize> {
        let first = self.mentions.len();
        for image in images {
            let homes =
                if image.repository.is_some() { vec![image.repository] } else { self.homes.get(&image.image.digest).cloned().unwrap_or_default() };
            for repository in homes {
                self.mentions.push(Mention {
                    repository,
                    image: image.image,
                    cut: image.cut,
                    event,
                    by,
                    kind,
                    reason: StopReason::Other,
                    until: i64::MAX,
                });
            }
        }
        (first..self.mentions.len()).collect()
    }
}
