//! Simulates lifecycle runs beside those in the logs: works out what each run should take, by the rules in
//! force or by another policy.
//!
//! [`Ranks`] keeps the repository's images sorted for each rule. Images that the replay changes are noted,
//! and updated there before the next run; so a run costs as much as has changed since the last one, plus
//! what it takes.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Happening, Replay};
use crate::model::{
    DAY_MILLIS, Digest, ImageState, LifecycleAction, MINUTE_MILLIS, Order, StepKind, StorageClass,
};
use crate::policy::{Ranks, Seen, Taken, records_pull};
use crate::timeline::fact::{Fact, Noted, Run, What};
use crate::timeline::image::{End, RunFacts};
use crate::timeline::names::{DigestNo, EventNo, Map, PolicyNo, Sym};
use crate::timeline::simulation::{ExpectedRemoval, Scenario, Simulation};

/// Events of one run follow each other within this time.
const PARTS_MILLIS: i64 = 10 * MINUTE_MILLIS;
/// ECR runs policies every day. If the logs have no run for longer than this, there was none with anything
/// to log, and one run a day is simulated instead.
const SILENCE_MILLIS: i64 = 2 * DAY_MILLIS;

/// Sort key of an image, used where pushes have the same time: its digest, and its index.
type Key = (Digest, usize);

/// All events of a run, by its first event.
type Parts<'e> = Map<EventNo, Vec<(EventNo, &'e Run)>>;

/// What a run in the logs says about images.
#[derive(Default)]
struct LoggedRun {
    taken: HashSet<DigestNo>,
    /// Images that it could not take because of an index that is not in the logs.
    refused: HashSet<DigestNo>,
}

/// The simulator: the runs of the logs, and the images as the rules rank them.
pub(super) struct LifecycleSimulator<'e> {
    simulated: Simulation<'e>,
    /// The policy that the images are ranked by, and their ranking.
    ranks: Option<(PolicyNo, Ranks<Key>)>,
    touched: Vec<usize>,
    parts: Parts<'e>,
    /// Times of the runs in the logs, in order, and how many of them have been replayed.
    runs: Vec<i64>,
    over: usize,
    /// Times of the last run, and of the last run in the logs; at first, the time of the first event.
    last_run: i64,
    last_logged: i64,
    /// How many runs were simulated that are not in the logs.
    passed: u64,
    /// Last recorded pulls and restores, kept only for rules that go by them.
    pulled: Map<usize, i64>,
    restored: Map<usize, i64>,
    /// Artifacts whose subject was lost, with the time at which they are deleted; and those already
    /// deleted, which no run sees any more.
    doomed: Vec<(i64, usize)>,
    followed: HashSet<usize>,
    /// Images that a run should have taken by the policy in force, with their number of losses at that
    /// time: each is reported once.
    told: Map<usize, usize>,
}

impl<'e> LifecycleSimulator<'e> {
    pub(super) fn new(simulated: Simulation<'e>, happenings: &[Happening<'e>], events: &[Noted]) -> Self {
        let (mut parts, mut runs) = (Parts::default(), Vec::new());
        let mut latest: Option<(EventNo, i64, &Run)> = None;
        for happening in happenings {
            let Happening::Fact(Fact { event, what: What::Run(run), .. }) = happening else { continue };
            let now = events[event.index()].time;
            let goes_on =
                latest.filter(|(_, before, other)| now - before <= PARTS_MILLIS && run.goes_on_from(other));
            let first = goes_on.map_or(*event, |(first, ..)| first);
            parts.entry(first).or_default().push((*event, run));
            if goes_on.is_none() {
                runs.push(now);
            }
            latest = Some((first, now, run));
        }
        let begins = super::listing::log_begins(happenings, events).unwrap_or(0);
        Self {
            simulated,
            ranks: None,
            touched: Vec::new(),
            parts,
            runs,
            over: 0,
            last_run: begins,
            last_logged: begins,
            passed: 0,
            pulled: Map::default(),
            restored: Map::default(),
            doomed: Vec::new(),
            followed: HashSet::new(),
            told: Map::default(),
        }
    }

    /// When the runs in the logs began, and how many were simulated beside them.
    pub(super) fn into_runs(self) -> (Vec<i64>, u64) {
        (self.runs, self.passed)
    }

    pub(super) fn restored(&mut self, at: usize, now: i64) {
        self.restored.insert(at, now);
        self.touched.push(at);
    }

    /// Removes the artifacts whose time is over from what runs see.
    fn follow_subjects(&mut self, now: i64) {
        let due = self.doomed.extract_if(.., |(gone, _)| *gone <= now).map(|(_, at)| at);
        let due: Vec<usize> = due.collect();
        self.touched.extend(&due);
        self.followed.extend(due);
    }

    fn is_instead(&self) -> bool {
        matches!(self.simulated.scenario, Scenario::Instead(_))
    }

    /// If runs have to be simulated before `until`: until when.
    fn silent_until(&self, until: i64) -> Option<i64> {
        let Scenario::Instead(_) = self.simulated.scenario else { return None };
        let end = self.simulated.end.map_or(i64::MIN, |end| end.millis().saturating_add(1));
        let logged = self.runs.get(self.over).copied();
        let silent =
            self.runs.is_empty() || logged.unwrap_or(end).saturating_sub(self.last_logged) > SILENCE_MILLIS;
        let until = until.min(logged.unwrap_or(end));
        (silent && self.last_run.saturating_add(DAY_MILLIS) < until).then_some(until)
    }

    /// Skips the simulated runs that would take nothing, and returns the time of the next one that takes
    /// something before `until`.
    fn next_made_up(&mut self, until: i64) -> Option<i64> {
        let idle = self
            .ranks
            .as_ref()
            .and_then(|(_, ranks)| ranks.next_due())
            .unwrap_or(i64::MAX)
            .min(until.saturating_sub(1));
        let passed = idle.saturating_sub(self.last_run).div_euclid(DAY_MILLIS).max(0);
        self.last_run = self.last_run.saturating_add(passed * DAY_MILLIS);
        self.passed += passed.unsigned_abs();
        let next = self.last_run.saturating_add(DAY_MILLIS);
        (next < until).then_some(next)
    }
}

impl Run {
    /// Whether this is a further event of the same run as `other`.
    fn goes_on_from(&self, other: &Self) -> bool {
        let evaluated = [self.evaluated_before, other.evaluated_before];
        self.policy == other.policy && (evaluated[0] == evaluated[1] || evaluated.contains(&i64::MIN))
    }
}

impl<'e> Replay<'e> {
    /// Notes that an image has changed in a way that may matter to a rule.
    pub(super) fn touch(&mut self, at: usize) {
        if let Some(simulator) = &mut self.simulator {
            simulator.touched.push(at);
        }
    }

    pub(super) fn touch_all(&mut self) {
        if let Some(simulator) = &mut self.simulator {
            simulator.touched.extend(0..self.state.images.len());
        }
    }

    pub(super) fn touch_by_pull(&mut self, at: usize, now: i64) {
        let Some(simulator) = &mut self.simulator else { return };
        if records_pull(simulator.pulled.get(&at).copied(), now) {
            simulator.pulled.insert(at, now);
            simulator.touched.push(at);
        }
    }

    /// Whether runs take something else than what the logs say.
    pub(super) fn plays_another_policy(&self) -> bool {
        self.simulator.as_ref().is_some_and(|simulator| simulator.is_instead())
    }

    /// Simulates the runs that the logs do not have, up to `until`.
    pub(super) fn make_up_runs(&mut self, until: i64) {
        while let Some(until) = self.simulator.as_ref().and_then(|simulator| simulator.silent_until(until)) {
            let Some(mut simulator) = self.simulator.take() else { return };
            self.rank(&mut simulator, PolicyNo::NONE);
            let next = simulator.next_made_up(until);
            self.simulator = Some(simulator);
            let Some(now) = next else { break };
            self.expect_removals(now, EventNo::NONE, PolicyNo::NONE, LoggedRun::default());
            if let Some(simulator) = &mut self.simulator {
                (simulator.last_run, simulator.passed) = (now, simulator.passed + 1);
            }
        }
    }

    /// A run of the logs begins: what it says about images is applied first, then it is worked out what it
    /// should take.
    pub(super) fn begin_run(&mut self, event: EventNo, stated: PolicyNo) {
        let Some(parts) = self.simulator.as_mut().and_then(|simulator| simulator.parts.remove(&event)) else {
            return;
        };
        for image in parts.iter().flat_map(|(_, run)| run.images.iter().chain(&run.failures)) {
            self.known_from_run(event, image);
        }
        let failures = parts.iter().flat_map(|(_, run)| &run.failures).map(|image| image.digest);
        let refused: HashSet<DigestNo> =
            failures.filter(|digest| !self.state.parents.contains_key(digest)).collect();
        let now = self.time(event);
        let taken: HashSet<DigestNo> =
            parts.iter().flat_map(|(_, run)| &run.images).map(|image| image.digest).collect();
        self.expect_removals(now, event, stated, LoggedRun { taken, refused });
        if let Some(simulator) = &mut self.simulator {
            (simulator.last_run, simulator.last_logged, simulator.over) = (now, now, simulator.over + 1);
        }
    }

    /// Works out what a run at `now` should take.
    fn expect_removals(&mut self, now: i64, event: EventNo, stated: PolicyNo, said: LoggedRun) {
        let Some(mut simulator) = self.simulator.take() else { return };
        simulator.follow_subjects(now);
        self.rank(&mut simulator, stated);
        let in_force = !simulator.is_instead();
        let tied = |(_, at): Key| in_force && said.taken.contains(&self.state.images[at].digest);
        let due = simulator.ranks.as_ref().map(|(_, ranks)| ranks.due_or_tied(now, tied)).unwrap_or_default();
        for taken in due {
            let Some((policy, ranks)) = &mut simulator.ranks else { break };
            let Some(rule) = ranks.policy().rules().get(taken.rule) else { continue };
            let (policy, priority, action) = (*policy, rule.priority, rule.action);
            ranks.settle(taken.key);
            let (_, at) = taken.key;
            // What an unknown action does is not known.
            if action == LifecycleAction::Unknown || said.refused.contains(&self.state.images[at].digest) {
                continue;
            }
            self.state.expected.push(expected(
                self.state.images[at].digest,
                &taken,
                now,
                event,
                (policy, priority),
            ));
            if in_force {
                simulator.told.insert(at, self.state.images[at].losses.len());
            } else {
                self.take(at, now, event, action, (policy, priority));
                simulator.touched.push(at);
                self.take_artifacts(at, now, action, (policy, priority), &mut simulator);
            }
        }
        self.simulator = Some(simulator);
    }

    /// Updates the ranking for the images that have changed, or for all images if the policy is another.
    fn rank(&self, simulator: &mut LifecycleSimulator<'e>, stated: PolicyNo) {
        let wanted = match simulator.simulated.scenario {
            Scenario::Instead(_) => self.names.simulated_policy(),
            Scenario::InForce => self.stated(stated),
        };
        if simulator.ranks.as_ref().is_none_or(|(policy, _)| *policy != wanted) {
            simulator.ranks = Some((wanted, Ranks::new(Arc::clone(self.names.policy_of(wanted)))));
            simulator.touched = (0..self.state.images.len()).collect();
        }
        let mut touched = std::mem::take(&mut simulator.touched);
        let children = |at: &usize| {
            self.state.images[*at]
                .children
                .iter()
                .filter_map(|child| self.state.by_digest.get(child).copied())
        };
        let held: Vec<usize> = touched.iter().flat_map(children).collect();
        touched.extend(held);
        touched.sort_unstable();
        touched.dedup();
        let Some((_, mut ranks)) = simulator.ranks.take() else { return };
        for at in touched {
            self.place(&mut ranks, at, simulator);
        }
        simulator.ranks = Some((wanted, ranks));
    }

    /// The policy that a run states, or the known one if it states none.
    fn stated(&self, stated: PolicyNo) -> PolicyNo {
        let known = || self.state.policy.map_or(PolicyNo::NONE, |known| known.policy);
        if self.names.policy_of(stated).rules().is_empty() { known() } else { stated }
    }

    fn place(&self, ranks: &mut Ranks<Key>, at: usize, simulator: &LifecycleSimulator<'e>) {
        let image = &self.state.images[at];
        if simulator.followed.contains(&at) {
            return ranks.remove((self.names.digest_of(image.digest).unwrap_or(Digest::ZERO), at));
        }
        let key = (self.names.digest_of(image.digest).unwrap_or(Digest::ZERO), at);
        let class = match image.state {
            ImageState::Tagged | ImageState::Untagged => StorageClass::Standard,
            ImageState::Archived => StorageClass::Archive,
            _ => return ranks.remove(key),
        };
        let tags: Vec<&str> = image.tags.iter().map(|(tag, _)| self.names.text(*tag)).collect();
        let there_at = image
            .pushed_at
            .or_else(|| image.steps.get(image.life_start as usize).map(|step| self.time(step.event)));
        let of_this_life = |times: &Map<usize, i64>| {
            times.get(&at).copied().filter(|time| image.pushed_at.is_none_or(|pushed| pushed <= *time))
        };
        let seen = Seen {
            tags: &tags,
            class,
            pushed_at: image.pushed_at,
            there_at: there_at.unwrap_or(i64::MAX),
            pulled_at: of_this_life(&simulator.pulled),
            restored_at: of_this_life(&simulator.restored),
            archived_at: image.gone_at.filter(|_| class == StorageClass::Archive),
            held: simulator.told.get(&at) == Some(&image.losses.len())
                || self.state.is_held(image.digest)
                || self.state.is_held_unseen(image),
        };
        ranks.set(key, &seen);
    }

    /// Artifacts about an image that a simulated run took are deleted within a day after it.
    fn take_artifacts(
        &mut self,
        subject: usize,
        now: i64,
        action: LifecycleAction,
        by: (PolicyNo, i64),
        simulator: &mut LifecycleSimulator<'e>,
    ) {
        let after = now.saturating_add(DAY_MILLIS);
        for at in self.artifacts_of(subject) {
            let (digest, pushed_at) = (self.state.images[at].digest, self.state.images[at].pushed_at);
            let (policy, rule_priority) = by;
            self.state.expected.push(ExpectedRemoval {
                digest,
                pushed_at,
                event: EventNo::NONE,
                at: after,
                policy,
                rule_priority,
                ripe_at: None,
            });
            self.take(at, after, EventNo::NONE, action, by);
            simulator.touched.push(at);
        }
    }

    /// Indexes of the existing artifacts that are about the image at an index.
    pub(super) fn artifacts_of(&self, subject: usize) -> Vec<usize> {
        let artifacts = self.state.artifacts.get(&self.state.images[subject].digest);
        let places =
            artifacts.into_iter().flatten().filter_map(|digest| self.state.by_digest.get(digest).copied());
        places
            .filter(|at| matches!(self.state.images[*at].state, ImageState::Tagged | ImageState::Untagged))
            .collect()
    }

    /// The image at an index was lost: its artifacts will be deleted, too, without an event.
    pub(super) fn doom_artifacts(&mut self, subject: usize, now: i64) {
        if self.simulator.is_none() || self.state.artifacts.is_empty() {
            return;
        }
        let artifacts = self.artifacts_of(subject);
        if let Some(simulator) = &mut self.simulator {
            simulator.doomed.extend(artifacts.into_iter().map(|at| (now.saturating_add(DAY_MILLIS), at)));
        }
    }

    /// An event shows that the artifact exists, so it was not deleted with its subject. A list, taken at
    /// `listed`, may still show it until its time is over.
    pub(super) fn spare(&mut self, at: usize, listed: Option<i64>) {
        if let Some(simulator) = &mut self.simulator {
            simulator.followed.remove(&at);
            simulator.doomed.retain(|(due, doomed)| *doomed != at || listed.is_some_and(|now| now <= *due));
        }
    }

    /// A simulated run takes an image.
    fn take(
        &mut self,
        at: usize,
        now: i64,
        event: EventNo,
        action: LifecycleAction,
        (policy, rule_priority): (PolicyNo, i64),
    ) {
        let (kind, end) = if action == LifecycleAction::Transition {
            (StepKind::Archive, End::Archived)
        } else {
            (StepKind::Expire, End::Expired)
        };
        let image = &mut self.state.images[at];
        let tags: Box<[Sym]> = image.tags.iter().map(|(tag, _)| *tag).collect();
        if event.is_some() {
            image.step(
                event,
                kind,
                tags.first().copied().unwrap_or(Sym::NONE),
                DigestNo::NONE,
                Order::Observed,
            );
        }
        let facts = RunFacts { policy, rule_priority, tag_status: Sym::NONE, tags };
        self.end_at(at, now, event, end, Order::Observed, Some(facts));
    }
}

fn expected(
    digest: DigestNo,
    taken: &Taken<Key>,
    at: i64,
    event: EventNo,
    (policy, rule_priority): (PolicyNo, i64),
) -> ExpectedRemoval {
    ExpectedRemoval {
        digest,
        pushed_at: taken.pushed_at,
        event,
        at,
        policy,
        rule_priority,
        ripe_at: taken.ripe_at,
    }
}
