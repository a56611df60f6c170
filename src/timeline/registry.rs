//! Settings of whole registries, over time: whose pulls are not recorded, where images are replicated to,
//! and the templates for repositories that ECR creates itself.
//!
//! A setting holds for one registry in one region. The logs are finite: what was set before them shows only
//! when it changes.

mod caches;

use std::collections::BTreeMap;

use super::fact::{Fact, Noted, What};
use super::names::{EventNo, Map, Names, PolicyNo, RepositoryNo, Sym};
use crate::model::{IamPrincipal, PushOrigin};
use caches::Cache;
pub use caches::CacheFact;

/// A change of a setting, as the fold keeps it.
#[derive(Debug, Clone, PartialEq)]
pub enum RegistryFact {
    Exclusion { principal: Sym, excluded: bool },
    Replication(Box<[CopyRule]>),
    Template(TemplateFact),
    TemplateDeleted { prefix: Sym },
    Cache(CacheFact),
    CacheDeleted { prefix: Sym },
}

/// A rule of a replication configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyRule {
    /// Region and registry of each destination.
    pub destinations: Box<[(Sym, Sym)]>,
    /// Repository name prefixes; empty if the rule applies to all repositories.
    pub prefixes: Box<[Sym]>,
    pub deletes: bool,
}

/// A repository creation template, or a change of one. Fields that are `None` are not changed, unless the
/// template is whole.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateFact {
    pub prefix: Sym,
    pub whole: bool,
    pub applied_for: Option<Box<[Sym]>>,
    /// [`PolicyNo::NONE`] for a template without a lifecycle policy.
    pub policy: Option<PolicyNo>,
    pub mutability: Option<Sym>,
    pub exclusions: Option<Box<[Sym]>>,
}

impl CopyRule {
    /// Whether it is for a repository of that name.
    fn is_for(&self, name: &str, names: &Names) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| name.starts_with(names.text(*prefix)))
    }
}

impl RegistryFact {
    /// Bytes of memory that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let beside = match self {
            Self::Replication(rules) => {
                let rule = |rule: &CopyRule| {
                    size_of_val(rule) + size_of_val(&*rule.destinations) + size_of_val(&*rule.prefixes)
                };
                rules.iter().map(rule).sum()
            }
            Self::Template(template) => {
                let words =
                    |words: &Option<Box<[Sym]>>| words.as_ref().map_or(0, |words| size_of_val(&**words));
                words(&template.applied_for) + words(&template.exclusions)
            }
            Self::Exclusion { .. }
            | Self::TemplateDeleted { .. }
            | Self::Cache(_)
            | Self::CacheDeleted { .. } => 0,
        };
        size_of_val(self) + beside
    }
}

/// A registry in a region.
type RegistryRegion = (Sym, Sym);

/// All settings, in order of time.
#[derive(Debug, Default)]
pub struct Registries {
    exclusions: Vec<Exclusion>,
    /// Callers whose principal is on an exclusion list at some time, each with the indexes of those
    /// exclusions.
    excluded_callers: Map<Sym, Vec<usize>>,
    replication: Map<RegistryRegion, Vec<Configuration>>,
    templates: Map<RegistryRegion, Vec<Template>>,
    caches: Map<RegistryRegion, Vec<Cache>>,
}

/// A replication configuration: its time, the event that put it, and its rules.
type Configuration = (i64, EventNo, Box<[CopyRule]>);

/// When each principal was put on the exclusion list of a registry or taken off it, with the event and the
/// ARN.
type Listed<'n> = BTreeMap<(RegistryRegion, IamPrincipal<'n>), Vec<(i64, (EventNo, Sym), bool)>>;

/// A principal on the exclusion list, from when until when (exclusive), in milliseconds.
#[derive(Debug)]
struct Exclusion {
    place: RegistryRegion,
    from: i64,
    until: i64,
    /// The event that put it there (or took it off, where it was put there before the logs), and the ARN in
    /// that event.
    listed: (EventNo, Sym),
}

/// A template as it was for some time.
#[derive(Debug, PartialEq)]
pub struct Template {
    prefix: Sym,
    from: i64,
    until: i64,
    /// The event that gave it this form.
    pub event: EventNo,
    applied_for: Box<[Sym]>,
    pub policy: PolicyNo,
    pub mutability: Sym,
    pub exclusions: Box<[Sym]>,
}

impl Registries {
    /// Collects settings from `facts`, which are sorted by time.
    pub fn of(facts: &[Fact], events: &[Noted], names: &Names) -> Self {
        let mut registries = Self::default();
        let mut listed = Listed::new();
        for fact in facts {
            let What::Registry(change) = &fact.what else { continue };
            let noted = &events[fact.event.index()];
            let place = (noted.recipient, noted.region);
            match &**change {
                RegistryFact::Exclusion { principal, excluded } => {
                    let Some(known) = IamPrincipal::of(names.text(*principal)) else { continue };
                    let changes = listed.entry((place, known)).or_default();
                    changes.push((since(noted, changes.is_empty()), (fact.event, *principal), *excluded));
                }
                RegistryFact::Replication(rules) => {
                    let list = registries.replication.entry(place).or_default();
                    if !(noted.snapshot && list.last().is_some_and(|(.., known)| known == rules)) {
                        list.push((since(noted, list.is_empty()), fact.event, rules.clone()));
                    }
                }
                RegistryFact::Template(template)
                    if noted.snapshot && registries.has_template(place, template) => {}
                RegistryFact::Template(template) => {
                    let is_first = !registries
                        .templates
                        .get(&place)
                        .is_some_and(|list| list.iter().any(|known| known.prefix == template.prefix));
                    registries.put_template(place, template, since(noted, is_first), fact.event);
                }
                RegistryFact::TemplateDeleted { prefix } => {
                    registries.end_template(place, *prefix, noted.time)
                }
                RegistryFact::Cache(rule) => registries.put_cache(place, *rule, noted, fact.event),
                RegistryFact::CacheDeleted { prefix } => {
                    registries.caches.entry(place).or_default().push((noted.time, fact.event, *prefix, None));
                }
            }
        }
        registries.exclude(listed, events, names);
        registries
    }

    fn exclude(&mut self, listed: Listed<'_>, events: &[Noted], names: &Names) {
        let mut by_principal: BTreeMap<IamPrincipal<'_>, Vec<usize>> = BTreeMap::new();
        for ((place, principal), changes) in listed {
            let mut since =
                changes.first().filter(|(.., excluded)| !excluded).map(|(_, event, _)| (i64::MIN, *event));
            let mut spans = Vec::new();
            for (time, event, excluded) in changes {
                match (since, excluded) {
                    (None, true) => since = Some((time, event)),
                    (Some((from, by)), false) => {
                        spans.push((from, time, by));
                        since = None;
                    }
                    _ => {}
                }
            }
            spans.extend(since.map(|(from, by)| (from, i64::MAX, by)));
            for (from, until, listed) in spans {
                by_principal.entry(principal).or_default().push(self.exclusions.len());
                self.exclusions.push(Exclusion { place, from, until, listed });
            }
        }
        if by_principal.is_empty() {
            return;
        }
        for caller in events.iter().map(|event| event.actor) {
            if let Some(known) =
                IamPrincipal::of(names.text(caller)).and_then(|principal| by_principal.get(&principal))
            {
                self.excluded_callers.entry(caller).or_insert_with(|| known.clone());
            }
        }
    }

    fn put_template(&mut self, place: RegistryRegion, fact: &TemplateFact, now: i64, event: EventNo) {
        let before = self.end_template_at(place, fact.prefix, now);
        let list = self.templates.entry(place).or_default();
        let kept = before.and_then(|index| list.get(index)).filter(|_| !fact.whole);
        let template = Template {
            prefix: fact.prefix,
            from: now,
            until: i64::MAX,
            event,
            applied_for: fact
                .applied_for
                .clone()
                .or_else(|| Some(kept?.applied_for.clone()))
                .unwrap_or_default(),
            policy: fact.policy.or_else(|| Some(kept?.policy)).unwrap_or(PolicyNo::NONE),
            mutability: fact.mutability.or_else(|| Some(kept?.mutability)).unwrap_or(Sym::NONE),
            exclusions: fact
                .exclusions
                .clone()
                .or_else(|| Some(kept?.exclusions.clone()))
                .unwrap_or_default(),
        };
        list.push(template);
    }

    /// Whether this is the template that is in force already.
    fn has_template(&self, place: RegistryRegion, fact: &TemplateFact) -> bool {
        let same = |known: &&Template| {
            let lists = [(&known.applied_for, &fact.applied_for), (&known.exclusions, &fact.exclusions)];
            let settings = known.mutability == fact.mutability.unwrap_or(Sym::NONE)
                && known.policy == fact.policy.unwrap_or(PolicyNo::NONE);
            settings && lists.iter().all(|(known, stated)| **known == (*stated).clone().unwrap_or_default())
        };
        let holds = |known: &&Template| known.prefix == fact.prefix && known.until == i64::MAX;
        self.templates.get(&place).is_some_and(|list| list.iter().rfind(holds).filter(same).is_some())
    }

    fn end_template(&mut self, place: RegistryRegion, prefix: Sym, now: i64) {
        self.end_template_at(place, prefix, now);
    }

    /// Ends the template in force, and returns its index.
    fn end_template_at(&mut self, place: RegistryRegion, prefix: Sym, now: i64) -> Option<usize> {
        let list = self.templates.entry(place).or_default();
        let index =
            list.iter().rposition(|template| template.prefix == prefix && template.until == i64::MAX)?;
        list[index].until = now;
        Some(index)
    }

    /// Why a pull by `caller` was not recorded in that repository: the event that put its principal on the
    /// list, and the ARN there.
    pub fn exclusion(
        &self,
        repository: RepositoryNo,
        caller: Sym,
        at: i64,
        names: &Names,
    ) -> Option<(EventNo, Sym)> {
        let known = self.excluded_callers.get(&caller)?;
        let place = place(repository, names)?;
        let holds =
            |exclusion: &&Exclusion| exclusion.place == place && exclusion.from <= at && at < exclusion.until;
        known
            .iter()
            .filter_map(|index| self.exclusions.get(*index))
            .find(holds)
            .map(|exclusion| exclusion.listed)
    }

    /// The template for a repository that ECR creates at that time: the one with the longest matching
    /// prefix.
    pub fn template(
        &self,
        repository: RepositoryNo,
        made: PushOrigin,
        at: i64,
        names: &Names,
    ) -> Option<&Template> {
        let name = names.text(names.repository_key(repository)?.name);
        let scenario = match made {
            PushOrigin::Client => "CREATE_ON_PUSH",
            PushOrigin::Replication => "REPLICATION",
            PushOrigin::PullThroughCache => "PULL_THROUGH_CACHE",
        };
        let length = |template: &Template| {
            rest_below(names.text(template.prefix), name).map(|rest| name.len() - rest.len())
        };
        let holds = |template: &&Template| {
            template.from <= at
                && at < template.until
                && template.applied_for.iter().any(|word| names.text(*word) == scenario)
        };
        let fitting = self.templates.get(&place(repository, names)?)?.iter().filter(holds);
        fitting
            .filter_map(|template| Some((length(template)?, template)))
            .max_by_key(|(length, _)| *length)
            .map(|(_, template)| template)
    }

    /// The replication configuration of a registry at that time, and the event that put it.
    fn replication(&self, place: RegistryRegion, at: i64) -> Option<(EventNo, &[CopyRule])> {
        let list = self.replication.get(&place)?;
        list.iter().rev().find(|(time, ..)| *time <= at).map(|(_, event, rules)| (*event, &**rules))
    }

    /// Everywhere a repository is copied to at that time, whether deletions go along, and the event that set
    /// it up.
    pub fn copies(
        &self,
        source: RepositoryNo,
        at: i64,
        names: &Names,
    ) -> Option<(EventNo, Vec<(RegistryRegion, bool)>)> {
        let own = place(source, names)?;
        let (event, rules) = self.replication(own, at)?;
        let name = names.text(names.repository_key(source)?.name);
        let mut places: Vec<(RegistryRegion, bool)> = Vec::new();
        for rule in rules.iter().filter(|rule| rule.is_for(name, names)) {
            for &(region, registry) in
                rule.destinations.iter().filter(|(region, registry)| (*registry, *region) != own)
            {
                match places.iter_mut().find(|(place, _)| *place == (registry, region)) {
                    Some((_, deletes)) => *deletes |= rule.deletes,
                    None => places.push(((registry, region), rule.deletes)),
                }
            }
        }
        Some((event, places))
    }

    /// The event that set up that deletions elsewhere are replicated to this repository, if they are at
    /// that time.
    pub fn deletions_reach(&self, copy: RepositoryNo, at: i64, names: &Names) -> Option<EventNo> {
        let (own, name) = (place(copy, names)?, names.text(names.repository_key(copy)?.name));
        let reaches = |rule: &CopyRule| {
            rule.deletes
                && rule.is_for(name, names)
                && rule.destinations.iter().any(|(region, registry)| (*registry, *region) == own)
        };
        let of = |place: &RegistryRegion| {
            self.replication(*place, at)
                .filter(|(_, rules)| rules.iter().any(reaches))
                .map(|(event, _)| (*place, event))
        };
        // If there are several sources any will do, as long as it is always the same one.
        let sources = self.replication.keys().filter_map(of);
        sources
            .min_by_key(|((registry, region), _)| (names.text(*registry), names.text(*region)))
            .map(|(_, event)| event)
    }

    /// Whether any replication rule ever replicates deletions.
    pub fn deletes_any_copies(&self) -> bool {
        self.replication.values().flatten().any(|(.., rules)| rules.iter().any(|rule| rule.deletes))
    }
}

/// The part of a repository's name after a prefix, which ends with a slash; `ROOT` is the prefix of every
/// name.
fn rest_below<'n>(prefix: &str, name: &'n str) -> Option<&'n str> {
    if prefix == "ROOT" {
        Some(name)
    } else {
        name.strip_prefix(prefix.trim_end_matches('/'))?.strip_prefix('/')
    }
}

/// Since when a setting is in force. If a snapshot shows one that no event in the logs has set, it was set
/// before the logs.
fn since(noted: &Noted, is_first: bool) -> i64 {
    if noted.snapshot && is_first { i64::MIN } else { noted.time }
}

/// Registry and region of a repository.
fn place(repository: RepositoryNo, names: &Names) -> Option<RegistryRegion> {
    names.repository_key(repository).map(|key| (key.registry_id, key.region))
}

impl RegistryFact {
    pub(super) fn translate(&mut self, table: &super::names::Translation) {
        let string = |sym: &mut Sym| *sym = sym.translated(&table.strings);
        match self {
            Self::Exclusion { principal: sym, .. }
            | Self::TemplateDeleted { prefix: sym }
            | Self::CacheDeleted { prefix: sym } => string(sym),
            Self::Cache(rule) => {
                [&mut rule.prefix, &mut rule.upstream, &mut rule.upstream_prefix].into_iter().for_each(string)
            }
            Self::Replication(rules) => {
                for rule in rules {
                    rule.prefixes.iter_mut().for_each(string);
                    for (region, registry) in &mut rule.destinations {
                        string(region);
                        string(registry);
                    }
                }
            }
            Self::Template(template) => {
                string(&mut template.prefix);
                template.mutability.iter_mut().for_each(string);
                template
                    .applied_for
                    .iter_mut()
                    .chain(&mut template.exclusions)
                    .flat_map(|list| list.iter_mut())
                    .for_each(string);
                if let Some(policy) = &mut template.policy {
                    *policy = policy.translated(&table.policies);
                }
            }
        }
    }
}
