//! Everything known after the last event: repositories and their images in a compact form, and how to turn
//! them into what users see.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::calls::one_of_each;
use super::event_order::EventOrder;
use super::fact::{Fact, Noted, What};
use super::fold::{Fold, id_text};
use super::grants::Grants;
use super::image::{Image, Loss};
use super::keys;
use super::materials::Materials;
use super::names::{DigestNo, EventNo, Names, PolicyNo, RepositoryNo, Sym};
use super::parts::{Part, by_repository};
use super::presumed::{Because, presume};
use super::references::mentions;
use super::registry::Registries;
use super::replay::{RepositoryHistory, replay};
use super::simulation::{Scenario, Simulation};
use crate::model::{
    Digest, EventRef, Filter, Gap, LogText, Repository, StepKind, TagSpan, TagTimeline, Timeline,
    TimelineStep, Timestamp,
};
use crate::policy::Policy;

/// What the logs say about every image, sorted by repository and digest.
#[derive(Default)]
pub struct History {
    names: Names,
    events: Vec<Noted>,
    registries: Registries,
    grants: Grants,
    repositories: Vec<RepositoryHistory>,
    logins: Vec<EventNo>,
    pushes: u64,
    mismatched: Vec<EventNo>,
    read_only_events: u64,
    /// Builds, by the id that appears in the names of their sessions.
    builds: BTreeMap<String, Build>,
    /// All repositories in the logs, including those that the filter left out.
    seen: Vec<RepositoryNo>,
    /// The repositories as another policy would have left them, if a simulation was asked for.
    simulated: Vec<RepositoryHistory>,
}

impl Fold {
    /// Drops second copies, sorts events, and replays each repository that `filter` admits.
    pub fn finish(self, filter: &Filter) -> History {
        self.finish_simulating(filter, None)
    }

    /// The same, and replays the events once more in a simulation.
    pub fn finish_simulating(self, filter: &Filter, simulated: Option<Simulation<'_>>) -> History {
        self.finish_keeping(filter, simulated, None).0
    }

    /// The same, and also returns the facts that the history was made from. The evidence ends at `end`, with
    /// the last event of any service or snapshot; `None` if that is the last event collected.
    pub fn finish_keeping(
        mut self,
        filter: &Filter,
        simulated: Option<Simulation<'_>>,
        end: Option<Timestamp>,
    ) -> (History, Materials) {
        self.drop_silenced();
        let Self {
            mut names,
            mut events,
            mut facts,
            passed_over,
            pushes_passed_over,
            read_only_passed_over,
            ..
        } = self;
        if let Some(Simulation { scenario: Scenario::Instead(policy), .. }) = simulated {
            names.set_simulated_policy(policy);
        }
        let kept = one_of_each(&mut events, &facts, &names);
        facts.retain(|fact| kept[fact.event.index()]);
        // A stable sort: facts of one event stay in their order.
        let foreign = |fact: &Fact| fact.repository.is_none();
        let order = EventOrder::of(&events, &names);
        facts.par_sort_by_key(|fact| (foreign(fact), order.place(fact.event)));
        let read_only_events =
            events.iter().zip(&kept).filter(|(event, kept)| **kept && event.read_only).count() as u64;
        let read_only_events = read_only_events + read_only_passed_over;
        let pushes = pushes_passed_over
            + facts.iter().filter(|fact| matches!(fact.what, What::Push { .. })).count() as u64;
        let mismatched = facts
            .iter()
            .filter(|fact| matches!(fact.what, What::Push { mismatch: true, .. }))
            .map(|fact| fact.event)
            .collect();
        let logins =
            facts.iter().filter(|fact| matches!(fact.what, What::Login)).map(|fact| fact.event).collect();

        let foreign = facts.split_off(facts.partition_point(|fact| fact.repository.is_some()));
        let own = facts;
        let builds = builds(&foreign, &names);
        let keys = keys::steps(&own, &foreign, &events, &names);
        let mentions = mentions(&foreign, &own, &events, &names);
        let registries = Registries::of(&foreign, &events, &names);
        let grants = Grants::of(&foreign);
        let (happenings, work) = by_repository(&own, &mentions, &order, &names);
        let admitted = |number: RepositoryNo| {
            let name = names.repository_key(number).map_or(Sym::NONE, |key| key.name);
            filter.admits_repository(names.text(name))
        };
        let mut seen: Vec<RepositoryNo> =
            work.iter().map(|work| work.repository).chain(passed_over).collect();
        seen.par_sort_unstable_by_key(|number| names.repository_texts(*number));
        seen.dedup();
        let instead = simulated.filter(|simulated| matches!(simulated.scenario, Scenario::Instead(_)));
        let in_force = simulated.filter(|_| instead.is_none());
        let play = |work: &Part, simulated| {
            let own = happenings.get(work.happenings.clone()).unwrap_or_default();
            let mut history = replay(work.repository, own, &events, &names, &registries, simulated);
            history.key_steps = keys.get(&work.repository).cloned().unwrap_or_default();
            sorted(history, &names)
        };
        // Filtered first, so that the list has a known length and is filled in place.
        let work: Vec<Part> = work.into_iter().filter(|work| admitted(work.repository)).collect();
        let work = work.par_iter();
        let (mut repositories, simulated): (Vec<RepositoryHistory>, _) = match instead {
            None => (work.map(|work| play(work, in_force)).collect(), Vec::new()),
            Some(_) => work.map(|work| (play(work, None), play(work, instead))).unzip(),
        };
        let last = || events.iter().map(|event| event.time).max().unwrap_or(i64::MIN);
        let evidence_ends = end.map_or_else(last, Timestamp::millis);
        presume(&mut repositories, &registries, &events, &names, evidence_ends);
        let history = History {
            builds,
            registries,
            grants,
            names,
            events,
            repositories,
            logins,
            pushes,
            mismatched,
            read_only_events,
            seen,
            simulated,
        };
        (history, Materials { own, mentions, order })
    }
}

/// A build by CodeBuild.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// The event that started it.
    pub event: EventNo,
    /// Its ARN.
    pub who: Sym,
    /// The version of its source; [`Sym::NONE`] where it is not known.
    pub source: Sym,
}

/// Builds by the last part of their ARN, `…:build/PROJECT:ID`. If a build has several start events, the
/// first counts; facts are sorted.
fn builds(facts: &[Fact], names: &Names) -> BTreeMap<String, Build> {
    let mut builds = BTreeMap::new();
    for fact in facts {
        let What::Need(need) = &fact.what else { continue };
        let Some((_, name)) = names.text(need.who).split_once(":build/") else { continue };
        if let Some((_, id)) = name.rsplit_once(':') {
            builds.entry(id.to_owned()).or_insert(Build {
                event: fact.event,
                who: need.who,
                source: need.source,
            });
        }
    }
    builds
}

/// Sorts images by digest, so that nothing depends on the order in which workers met them.
pub(super) fn sorted(mut history: RepositoryHistory, names: &Names) -> RepositoryHistory {
    let mut order: Vec<usize> = (0..history.images.len()).collect();
    order.sort_by_cached_key(|&at| names.digest_of(history.images[at].digest));
    let mut place = vec![0; order.len()];
    for (new, &old) in order.iter().enumerate() {
        place[old] = new;
    }
    history.by_digest.values_mut().for_each(|at| *at = place[*at]);
    for tag in history.tags.values_mut() {
        tag.holder = tag.holder.map(|at| place[at]);
        tag.last_holder = tag.last_holder.map(|at| place[at]);
    }
    // In place: a second list of all images would take as much memory as the first.
    for at in 0..place.len() {
        while place[at] != at {
            let new = place[at];
            history.images.swap(at, new);
            place.swap(at, new);
        }
    }
    history
}

impl History {
    /// All repositories, sorted by registry, region and name.
    pub fn repositories(&self) -> &[RepositoryHistory] {
        &self.repositories
    }

    /// The repository with that number, if the history has it.
    pub fn numbered(&self, number: RepositoryNo) -> Option<&RepositoryHistory> {
        self.repositories.iter().find(|repository| repository.repository == number)
    }

    /// Repositories of that name in other registries and regions, where copies of its images may be.
    pub fn namesakes<'h>(
        &'h self,
        repository: &'h RepositoryHistory,
    ) -> impl Iterator<Item = &'h RepositoryHistory> {
        let name = |one: &RepositoryHistory| self.names.repository_key(one.repository).map(|key| key.name);
        let own = name(repository);
        self.repositories.iter().filter(move |other| !std::ptr::eq(*other, repository) && name(other) == own)
    }

    /// The same repositories in the same order as another policy would have left them; empty unless a
    /// simulation was asked for.
    pub fn simulated(&self) -> &[RepositoryHistory] {
        &self.simulated
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// A lifecycle policy by its number; an empty one for [`PolicyNo::NONE`].
    pub fn policy(&self, number: PolicyNo) -> &Arc<Policy> {
        self.names.policy_of(number)
    }

    /// Every repository in the logs, also those that the filter leaves out, sorted.
    pub fn repositories_seen(&self) -> Vec<Repository> {
        self.seen.iter().map(|number| self.names.repository_of(*number)).collect()
    }

    /// Timelines by repository and digest, built one at a time.
    pub fn timelines(&self) -> impl Iterator<Item = Timeline> + '_ {
        self.repositories
            .iter()
            .flat_map(move |history| history.images.iter().map(move |image| self.timeline(history, image)))
    }

    /// The timeline of one image, if the logs have it.
    pub fn timeline_of(&self, repository: &Repository, digest: &Digest) -> Option<Timeline> {
        let at =
            self.repositories.binary_search_by(|history| self.repository(history).cmp(repository)).ok()?;
        let history = self.repositories.get(at)?;
        let image = history.images.get(*history.by_digest.get(&self.find_digest(digest)?)?)?;
        Some(self.timeline(history, image))
    }

    /// The timeline of one image as it is shown.
    pub fn timeline(&self, history: &RepositoryHistory, image: &Image) -> Timeline {
        let mut tags: Vec<LogText> = image.tags.iter().filter_map(|(tag, _)| self.log_text(*tag)).collect();
        tags.sort_unstable();
        let mut parents: Vec<Digest> = history
            .parents
            .get(&image.digest)
            .into_iter()
            .flatten()
            .filter_map(|digest| self.digest(*digest))
            .collect();
        parents.sort_unstable();
        // A stable sort. References from before it was known which image they mean were added late.
        let mut steps: Vec<TimelineStep> = image.steps.iter().map(|step| self.step(step)).collect();
        steps.sort_by_key(|step| step.time);
        Timeline {
            repository: self.names.repository_of(history.repository),
            digest: self.digest_or_zero(image.digest),
            state: image.state,
            tags,
            pushed_at: image.pushed_at.map(Timestamp::from_millis),
            untagged_at: image.untagged_at.map(Timestamp::from_millis),
            untagged_by: image.untagged_by,
            gone_at: image.gone_at.map(Timestamp::from_millis),
            open_start: image.open_start,
            lives: image.lives,
            parents,
            children: image.children.iter().filter_map(|digest| self.digest(*digest)).collect(),
            media_type: self.log_text(image.media_type),
            steps,
            gaps: history.gaps.iter().map(|event| self.event(*event)).collect(),
        }
    }

    /// The lives of all tags by repository and tag, built one at a time.
    pub fn tags(&self) -> impl Iterator<Item = TagTimeline> + '_ {
        self.repositories.iter().flat_map(move |history| {
            let mut tags: Vec<Sym> = history.tag_lives.keys().copied().collect();
            tags.sort_unstable_by_key(|tag| self.text(*tag));
            tags.into_iter().filter_map(move |tag| self.tag(history, tag))
        })
    }

    /// The life of one tag as it is shown; `None` where the logs say nothing certain about it.
    pub fn tag(&self, history: &RepositoryHistory, tag: Sym) -> Option<TagTimeline> {
        let life = history.tag_lives.get(&tag)?;
        let vain: Vec<EventRef> =
            life.asks.iter().filter(|ask| ask.in_vain).map(|ask| self.event(ask.event)).collect();
        (!life.spans.is_empty() || !vain.is_empty()).then(|| TagTimeline {
            repository: self.repository(history),
            tag: LogText::from(self.text(tag)),
            points_to: life.open().and_then(|span| self.digest(span.digest)),
            spans: life.spans.iter().map(|span| self.span(span)).collect(),
            asked_in_vain: vain,
        })
    }

    fn span(&self, span: &super::tags::TagSpan) -> TagSpan {
        let known = |event: EventNo| event.some().map(|event| self.event(event));
        TagSpan {
            digest: self.digest_or_zero(span.digest),
            since: span.since.some().map(|event| self.time(event)),
            given_by: known(span.since),
            until: span.end.map(|_| Timestamp::from_millis(span.until)),
            end: span.end,
            ended_by: known(span.ended_by),
            moved_to: self.digest(span.moved_to),
            pulls: u64::from(span.pulls),
            order: span.order,
        }
    }

    fn step(&self, step: &super::image::Step) -> TimelineStep {
        TimelineStep {
            time: self.time(step.event),
            kind: step.kind,
            tag: self.log_text(step.tag),
            other_digest: self.digest(step.other),
            order: step.order,
            event: self.event(step.event),
        }
    }

    /// Repositories with indexes that are known only from a list, and how many: which images those indexes
    /// hold is not known.
    pub fn indexes_unread(&self) -> Vec<(Repository, u64)> {
        let unread = |image: &&Image| {
            let is_index = ["image.index", "manifest.list"]
                .iter()
                .any(|word| self.text(image.media_type).contains(word));
            is_index && image.children.is_empty() && !image.is_gone()
        };
        let listed = self.repositories.iter().filter(|repository| repository.listing.is_some());
        let counted = listed.map(|repository| {
            (self.repository(repository), repository.images.iter().filter(unread).count() as u64)
        });
        counted.filter(|(_, indexes)| *indexes > 0).collect()
    }

    /// The build with that id, if its start is in the logs.
    pub fn build(&self, id: &str) -> Option<Build> {
        self.builds.get(id).copied()
    }

    /// Whether the last list of the repository includes archived images.
    pub fn list_has_archived(&self, history: &RepositoryHistory) -> bool {
        history.listing.as_ref().is_some_and(|listing| listing.with_archived)
    }

    pub fn repository(&self, history: &RepositoryHistory) -> Repository {
        self.names.repository_of(history.repository)
    }

    pub fn log_text(&self, sym: Sym) -> Option<LogText> {
        self.names.log_text(sym)
    }

    pub fn text(&self, sym: Sym) -> &str {
        self.names.text(sym)
    }

    pub fn find_string(&self, text: &str) -> Option<Sym> {
        self.names.find_string(text)
    }

    pub fn find_digest(&self, digest: &Digest) -> Option<DigestNo> {
        self.names.find_digest(digest)
    }

    pub fn digest(&self, number: DigestNo) -> Option<Digest> {
        self.names.digest_of(number)
    }

    /// For numbers that are known to stand for a digest.
    pub fn digest_or_zero(&self, number: DigestNo) -> Digest {
        self.names.digest_of(number).unwrap_or(Digest::ZERO)
    }

    pub(super) fn registries(&self) -> &Registries {
        &self.registries
    }

    /// Sets the policy of the simulation.
    pub(super) fn set_simulated_policy(&mut self, policy: &Arc<Policy>) {
        self.names.set_simulated_policy(policy);
    }

    pub(super) fn events(&self) -> &[Noted] {
        &self.events
    }

    pub fn noted(&self, event: EventNo) -> &Noted {
        &self.events[event.index()]
    }

    pub fn time(&self, event: EventNo) -> Timestamp {
        Timestamp::from_millis(self.events[event.index()].time)
    }

    pub fn event(&self, event: EventNo) -> EventRef {
        let noted = &self.events[event.index()];
        EventRef {
            event_id: id_text(noted.id, &self.names).into(),
            event_name: self.names.text(noted.name).into(),
            event_time: Timestamp::from_millis(noted.time),
            actor: self.names.log_text(noted.actor),
            source_ip: self.names.log_text(noted.source_ip),
            user_agent: self.names.log_text(noted.user_agent),
            object: self.names.text(noted.object).into(),
            record: u64::from(noted.record),
        }
    }

    /// The id of the call behind an event, whichever of its events was read.
    pub fn call_id(&self, event: EventNo) -> String {
        let noted = &self.events[event.index()];
        match noted.shared {
            Sym::NONE => id_text(noted.order_id(), &self.names),
            shared => self.names.text(shared).to_owned(),
        }
    }

    /// Whether any event of the repository comes from the trail of the account that owns it.
    pub fn has_owners_trail(&self, history: &RepositoryHistory) -> bool {
        let Some(key) = self.names.repository_key(history.repository) else { return false };
        let owned =
            |event: &EventNo| !self.noted(*event).snapshot && self.noted(*event).recipient == key.registry_id;
        let speaks = |kind: StepKind| !matches!(kind, StepKind::Referenced | StepKind::TaskStopped);
        let steps = history
            .images
            .iter()
            .flat_map(|image| &image.steps)
            .filter(|step| speaks(step.kind))
            .map(|step| step.event);
        let pulls = history
            .tag_lives
            .values()
            .flat_map(|life| &life.asks)
            .filter(|ask| !ask.kind.is_a_task())
            .map(|ask| ask.event);
        let others = history
            .runs
            .iter()
            .map(|(event, _)| *event)
            .chain(history.creations.iter().copied())
            .chain(history.deletions.iter().copied());
        let settings =
            history.policy.map(|policy| policy.event).into_iter().chain(history.gaps.iter().copied());
        steps.chain(pulls).chain(others).chain(settings).any(|event| owned(&event))
    }

    /// Number of successful pushes; for repositories that a filter leaves out, second copies included.
    pub fn pushes(&self) -> u64 {
        self.pushes
    }

    /// Pushes whose response has another digest than the SHA-256 of their manifest, which cannot be in a
    /// true log.
    pub fn mismatched(&self) -> &[EventNo] {
        &self.mismatched
    }

    /// Number of events with `readOnly: true`: if there is none, the trail logs only write events.
    pub fn read_only_events(&self) -> u64 {
        self.read_only_events
    }

    /// Why ECR did not count a pull as use: the event that put its principal on the list of pull time
    /// exclusions, and the ARN there.
    pub fn exclusion(&self, repository: &RepositoryHistory, pull: EventNo) -> Option<(EventNo, Sym)> {
        let noted = self.noted(pull);
        self.registries.exclusion(repository.repository, noted.actor, noted.time, &self.names)
    }

    /// IAM's changes of the permissions of whoever made the call `event`, in order of time.
    pub fn grants_of_caller(&self, event: EventNo) -> &[EventNo] {
        self.grants.changes_of(self.text(self.noted(event).actor), &self.names)
    }

    /// For an end that was concluded from another image's: the loss of that image (the source of a copy, or
    /// the subject of an artifact).
    pub fn behind<'h>(
        &'h self,
        repository: &'h RepositoryHistory,
        image: &Image,
        loss: &Loss,
    ) -> Option<(&'h RepositoryHistory, &'h Image, &'h Loss)> {
        let (repository, digest) = match loss.presumed? {
            Because::Subject(subject) => (repository, subject),
            Because::Source { repository, .. } => (self.numbered(repository)?, image.digest),
        };
        let image = repository.image(digest)?;
        let loss = image.losses.iter().rfind(|other| other.event == loss.event)?;
        // A signature of a signature went with the image that the first signature is about.
        self.behind(repository, image, loss).or(Some((repository, image, loss)))
    }

    /// The event that set up the replication of deletions to this repository, if it was in force at that
    /// time.
    pub fn deletions_reach(&self, repository: &RepositoryHistory, at: i64) -> Option<EventNo> {
        self.registries.deletions_reach(repository.repository, at, &self.names)
    }

    /// Whether all pushes to the repository until `at`, in milliseconds, are known.
    pub fn knows_all_pushes(&self, repository: &RepositoryHistory, at: i64) -> bool {
        repository.knows_all_pushes(at, &self.events, &self.names)
    }

    /// `GetAuthorizationToken` calls, in order of time.
    pub fn logins(&self) -> &[EventNo] {
        &self.logins
    }

    /// Records that do not say what was done, by repository: because CloudTrail left out the content, or
    /// for other reasons.
    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps_where(|_| true)
    }

    /// The gaps whose content CloudTrail itself left out.
    pub fn left_out(&self) -> Vec<Gap> {
        self.gaps_where(|noted| noted.left_out)
    }

    fn gaps_where(&self, counts: impl Fn(&Noted) -> bool) -> Vec<Gap> {
        let records = |history: &RepositoryHistory| {
            history.gaps.iter().filter(|event| counts(&self.events[event.index()])).count() as u64
        };
        let gap = |history: &RepositoryHistory| Gap {
            repository: self.repository(history),
            records: records(history),
        };
        self.repositories.iter().map(gap).filter(|gap| gap.records > 0).collect()
    }
}
