//! Which images are referred to: task definitions, services, tasks and functions → mentions in the
//! repositories that they name.
//!
//! A service keeps what it was deployed with until a newer deployment replaces it: ECS resolves a tag when
//! the first task of a deployment starts, and starts every later task with that digest (ECS Developer
//! Guide, "container image resolution"). [`needs`] has the other services.

mod needs;

use std::collections::HashSet;

use super::fact::{Fact, Named, Noted, Reference, StopReason, Task, What};
use super::names::{DigestNo, EventNo, Map, Names, RepositoryNo, Sym};

/// One reference to an image, in the repository that it names.
#[derive(Debug, Clone)]
pub struct Mention {
    pub repository: RepositoryNo,
    pub image: Named,
    /// The first hex digits of a digest that a message cut off.
    pub cut: Sym,
    pub event: EventNo,
    /// The task definition, service, task or function that refers to the image.
    pub by: Sym,
    /// The definition that names the image, if the reference goes through one.
    pub through: Sym,
    /// If set, the image is the one that this party holds, whatever the tag points to by now.
    pub of: Sym,
    pub kind: MentionKind,
    /// For a task that could not pull the image, why.
    pub reason: StopReason,
    /// When something newer replaced the reference, in milliseconds; `i64::MAX` if nothing did.
    pub until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MentionKind {
    Named,
    Deployed,
    Resolved,
    Missing,
    /// Keeps the image that the reference meant at the time of the call.
    Kept,
    /// Resolves the tag again each time it runs.
    Asked,
    /// Named by a definition that jobs or endpoints may use; none of them is known to run.
    Offered,
    /// Ran once.
    Started,
}

/// Collects mentions from facts that name no repository of their own, sorted by time.
pub fn mentions(facts: &[Fact], others: &[Fact], events: &[Noted], names: &Names) -> Vec<Mention> {
    let mut reader = Reader { events, names: Some(names), homes: homes(facts, others), ..Reader::default() };
    let second = |fact: &&Fact| events[fact.event.index()].time.div_euclid(1000);
    let mut ordered: Vec<&Fact> = facts.iter().collect();
    // A definition is registered before anything runs it, however the events of one second are sorted.
    ordered.sort_by_key(|fact| (second(fact), !defines(&fact.what)));
    for fact in ordered {
        reader.read(fact);
    }
    reader.mentions
}

fn defines(what: &What) -> bool {
    match what {
        What::Define { .. } => true,
        What::Need(need) => need.kind == crate::model::NeedKind::Defines,
        _ => false,
    }
}

/// The repositories in which each digest was seen, for references by digest that name no repository.
fn homes(facts: &[Fact], others: &[Fact]) -> Map<DigestNo, Vec<RepositoryNo>> {
    let mut wanted: HashSet<DigestNo> = HashSet::new();
    for fact in facts {
        let images = match &fact.what {
            What::Task(task) => &task.images,
            What::Need(need) => &need.images,
            _ => continue,
        };
        wanted
            .extend(images.iter().filter(|image| image.repository.is_none()).map(|image| image.image.digest));
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
    let shown = if let What::Listed(listing) = what { &listing.images[..] } else { &[] };
    one.into_iter()
        .chain(listed.iter().map(|image| image.digest))
        .chain(shown.iter().map(|image| image.seen.digest))
}

#[derive(Default)]
struct Reader<'f> {
    events: &'f [Noted],
    names: Option<&'f Names>,
    homes: Map<DigestNo, Vec<RepositoryNo>>,
    mentions: Vec<Mention>,
    definitions: Map<Sym, Definition>,
    /// The newest definition of each family, by `arn:…:task-definition/family`.
    families: Map<&'f str, Sym>,
    runners: Map<Sym, Runner>,
    /// Published versions of each function.
    versions: Map<Sym, Vec<Sym>>,
}

/// A named list of images, each with the definition that names it in the end.
#[derive(Default, Clone)]
struct Definition {
    images: Vec<(Reference, Sym)>,
    /// Mentions by the definition itself, while it is the newest of its family.
    open: Vec<usize>,
}

/// A service, and what it is deployed with.
#[derive(Default)]
struct Runner {
    definition: Option<Sym>,
    open: Vec<usize>,
}

/// Who refers to images, how, and when.
#[derive(Clone, Copy)]
struct Naming {
    event: EventNo,
    by: Sym,
    kind: MentionKind,
}

impl<'f> Reader<'f> {
    fn read(&mut self, fact: &'f Fact) {
        match &fact.what {
            What::Define { definition, images } => {
                self.define(*definition, direct(images).collect());
                self.mention_all(
                    direct(images),
                    Naming { event: fact.event, by: *definition, kind: MentionKind::Named },
                );
            }
            What::Deploy { runner, definition, images, replaces } => {
                self.deploy(fact.event, *runner, *definition, images, *replaces)
            }
            What::StopRunning { runner } => self.stop(*runner, fact.event),
            What::Task(task) => self.task(fact.event, task),
            What::Need(need) => self.need(fact.event, need),
            _ => {}
        }
    }

    fn define(&mut self, definition: Sym, images: Vec<(Reference, Sym)>) {
        self.definitions.insert(definition, Definition { images, open: Vec::new() });
        if let Some((family, _)) = self.text(definition).rsplit_once(':') {
            self.families.insert(family, definition);
        }
    }

    fn text(&self, sym: Sym) -> &'f str {
        self.names.map_or("", |names| names.text(sym))
    }

    /// The definition that a name refers to now: for a family, its newest.
    fn newest(&self, named: Sym) -> Sym {
        self.families.get(self.text(named)).copied().unwrap_or(named)
    }

    /// The images of a definition, each with the definition that names it.
    fn defined(&self, definition: Sym) -> Vec<(Reference, Sym)> {
        let images =
            self.definitions.get(&definition).map(|known| known.images.as_slice()).unwrap_or_default();
        images.iter().map(|(image, through)| (*image, through.some().unwrap_or(definition))).collect()
    }

    fn deploy(&mut self, event: EventNo, runner: Sym, definition: Sym, images: &[Reference], replaces: bool) {
        if !replaces {
            return;
        }
        // What a snapshot shows is known already, unless it resolves the images to digests.
        let resolves = images.iter().any(|image| image.image.digest.is_some());
        let known = |runner: &Runner| {
            definition.some().map(|given| self.newest(given)) == runner.definition && !runner.open.is_empty()
        };
        if self.events[event.index()].snapshot && !resolves && self.runners.get(&runner).is_some_and(known) {
            return;
        }
        if self.text(runner).contains(":task/") {
            // A standalone task runs once and is never redeployed: it pins nothing.
            let naming = Naming { event, by: runner, kind: MentionKind::Started };
            let defined =
                definition.some().map(|definition| self.defined(self.newest(definition))).unwrap_or_default();
            self.mention_all(defined.into_iter().chain(direct(images)), naming);
            return;
        }
        let naming = Naming { event, by: runner, kind: MentionKind::Deployed };
        let before = self.runners.remove(&runner).unwrap_or_default();
        self.close(&before.open, event);
        let definition = definition.some().map(|given| self.newest(given)).or(before.definition);
        let defined = definition.map(|definition| self.defined(definition)).unwrap_or_default();
        let open = self.mention_all(defined.into_iter().chain(direct(images)), naming);
        self.runners.insert(runner, Runner { definition, open });
    }

    fn stop(&mut self, runner: Sym, event: EventNo) {
        let open = self.runners.remove(&runner).map(|runner| runner.open).unwrap_or_default();
        self.close(&open, event);
    }

    fn task(&mut self, event: EventNo, task: &Task) {
        let by = task.group.some().or(task.definition.some()).unwrap_or(task.task);
        if task.missing.is_empty() && !task.stopped {
            let made =
                self.mention_all(direct(&task.images), Naming { event, by, kind: MentionKind::Resolved });
            // The pin outlives the task: it ends when the service is deployed again. A task of no known
            // service pins nothing.
            match self.service_of(task).and_then(|runner| self.runners.get_mut(&runner)) {
                Some(runner) => runner.open.extend(made),
                None => self.close(&made, event),
            }
        }
        let missing =
            self.mention_all(direct(&task.missing), Naming { event, by, kind: MentionKind::Missing });
        missing.into_iter().for_each(|at| self.mentions[at].reason = task.reason);
    }

    /// The service that a task belongs to: one deployed with the task's definition; if there are several,
    /// the one that the task names.
    fn service_of(&self, task: &Task) -> Option<Sym> {
        let definition = task.definition.some()?;
        let name = self.text(task.group).strip_prefix("service:").unwrap_or_default();
        let named = |runner: Sym| !name.is_empty() && self.text(runner).rsplit('/').next() == Some(name);
        let deployed = self
            .runners
            .iter()
            .filter(|(_, runner)| runner.definition == Some(definition))
            .map(|(runner, _)| *runner);
        // By text and not by number: the choice must not depend on who read what first.
        deployed.min_by_key(|runner| (!named(*runner), self.text(*runner)))
    }

    fn close(&mut self, open: &[usize], event: EventNo) {
        let now = self.events[event.index()].time;
        for &index in open {
            self.mentions[index].until = now;
        }
    }

    /// Repositories that have the digest. For a function in a snapshot, the repository in the function's
    /// own region, if there is one.
    fn homes_of(&self, digest: DigestNo, event: EventNo) -> Vec<RepositoryNo> {
        let all = self.homes.get(&digest).cloned().unwrap_or_default();
        let noted = &self.events[event.index()];
        let is_near = |home: &&RepositoryNo| {
            self.names
                .and_then(|names| names.repository_key(**home))
                .is_some_and(|key| key.region == noted.region)
        };
        let near: Vec<RepositoryNo> = all.iter().filter(is_near).copied().collect();
        if noted.snapshot && !near.is_empty() { near } else { all }
    }

    fn mention_all(
        &mut self,
        images: impl IntoIterator<Item = (Reference, Sym)>,
        naming: Naming,
    ) -> Vec<usize> {
        let Naming { event, by, kind } = naming;
        let first = self.mentions.len();
        for (image, through) in images {
            let homes = if image.repository.is_some() {
                vec![image.repository]
            } else {
                self.homes_of(image.image.digest, event)
            };
            for repository in homes {
                let Reference { image, cut, .. } = image;
                let reason = StopReason::Other;
                self.mentions.push(Mention {
                    repository,
                    image,
                    cut,
                    event,
                    by,
                    through,
                    of: Sym::NONE,
                    kind,
                    reason,
                    until: i64::MAX,
                });
            }
        }
        (first..self.mentions.len()).collect()
    }
}

/// Images that are named directly, without a definition.
fn direct(images: &[Reference]) -> impl Iterator<Item = (Reference, Sym)> + '_ {
    images.iter().map(|image| (*image, Sym::NONE))
}
