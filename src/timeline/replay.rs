//! One repository's events, in order → the lives of its images.
//!
//! The rules are ECR's: a tag points to one digest, and a push moves it; the image that had the tag stays,
//! untagged if that was its last tag. No event says so: it shows only in the difference between two pushes.

mod listing;
mod lives;
mod push;
mod removal;
mod run;
mod simulator;
mod state;
mod tags;
mod usage;

use super::fact::{Fact, Noted, What};
use super::image::Image;
use super::names::{DigestNo, EventNo, Map, Names, PolicyNo, RepositoryNo, Sym};
use super::order;
use super::policy::{Agreement, KnownFrom, PolicyInForce};
use super::references::Mention;
use super::registry::Registries;
use super::simulation::Simulation;
use crate::model::{ImageState, Order};

pub use listing::WholeListing;
use simulator::LifecycleSimulator;
pub(super) use state::Opening;
pub use state::{RefusedPush, RepositoryHistory, TagState};
use usage::{Digests, Layers, Unconfirmed};

/// Something that happens to a repository: an event of its own, or a mention by something that runs images.
pub enum Happening<'f> {
    Fact(&'f Fact),
    Mention(&'f Mention),
}

impl Happening<'_> {
    pub fn event(&self) -> EventNo {
        match self {
            Self::Fact(fact) => fact.event,
            Self::Mention(mention) => mention.event,
        }
    }
}

/// Replays `happenings`, sorted by time and `eventID`; in a simulation, also works out what the runs should
/// take.
pub fn replay<'e>(
    repository: RepositoryNo,
    happenings: &[Happening<'e>],
    events: &'e [Noted],
    names: &'e Names,
    registries: &'e Registries,
    simulated: Option<Simulation<'e>>,
) -> RepositoryHistory {
    let mut replay = Replay {
        events,
        names,
        registries,
        state: RepositoryHistory::new(repository),
        layers: Layers::new(happenings),
        digests: Digests::default(),
        waiting: Map::default(),
        held: Map::default(),
        asking: Map::default(),
        unconfirmed: Vec::new(),
        agrees: Agreement::default(),
        simulator: simulated
            .map(|simulated| Box::new(LifecycleSimulator::new(simulated, happenings, events))),
    };
    replay.know_before(happenings);
    let mut evidence = None;
    let second = |happening: &Happening<'_>| events[happening.event().index()].time.div_euclid(1000);
    let mut start = 0;
    while start < happenings.len() {
        let length = happenings[start..]
            .iter()
            .take_while(|other| second(other) == second(&happenings[start]))
            .count();
        let group = start..start + length;
        replay.make_up_runs(second(&happenings[start]) * 1000);
        if length == 1 {
            replay.apply(&happenings[start], Order::Observed);
        } else {
            for (index, order) in order::arrange(happenings, group, &mut replay.state, &mut evidence) {
                replay.apply(&happenings[index], order);
            }
        }
        start += length;
    }
    replay.make_up_runs(i64::MAX);
    replay.settle_mentioned();
    let begins = listing::log_begins(happenings, events).unwrap_or(i64::MAX);
    for at in 0..replay.state.images.len() {
        if replay.state.images[at].is_alive() {
            replay.asked_for_at_the_end(at, i64::MAX - 1);
        }
    }
    if !replay.plays_another_policy() {
        super::openings::match_openings(&mut replay.state, begins, events, names);
    }
    if let Some(simulator) = replay.simulator.take() {
        (replay.state.run_starts, replay.state.runs_made_up) = simulator.into_runs();
    }
    replay.state.finish()
}

struct Replay<'e> {
    events: &'e [Noted],
    names: &'e Names,
    registries: &'e Registries,
    state: RepositoryHistory,
    layers: Layers,
    /// Used only to find an image by the first digits of its digest.
    digests: Digests,
    /// Mentions of tags that no image has yet: a pipeline may deploy before it pushes.
    waiting: Map<Sym, Vec<Mention>>,
    /// What functions and the like keep: the images, and the event since which they are kept.
    held: Map<Sym, (EventNo, Vec<usize>)>,
    /// Mentions that resolve a tag each time they run, by tag.
    asking: Map<Sym, Vec<Mention>>,
    /// Deployments whose first task has not resolved the tag yet.
    unconfirmed: Vec<Unconfirmed>,
    agrees: Agreement,
    /// The simulated lifecycle runs, if a simulation was asked for.
    simulator: Option<Box<LifecycleSimulator<'e>>>,
}

impl<'e> Replay<'e> {
    fn time(&self, event: EventNo) -> i64 {
        self.events[event.index()].time
    }

    fn apply(&mut self, happening: &Happening<'e>, order: Order) {
        match happening {
            Happening::Fact(fact) => self.fact(fact, order),
            Happening::Mention(mention) => self.mention(mention, order),
        }
    }

    fn fact(&mut self, fact: &'e Fact, order: Order) {
        self.state.logged = true;
        let event = fact.event;
        match &fact.what {
            What::Push { image, origin, manifest, .. } => {
                self.push(event, *image, *origin, manifest.as_deref(), order)
            }
            What::PushFailed { image, proves, why } => {
                self.state.refuse_push(event, image.tag, image.digest, *why);
                self.push_failed(event, *image, *proves, order);
            }
            What::Delete(deleted) => self.delete(event, deleted, order),
            What::Run(run) => self.run(event, run, order),
            What::Preview(images) => self.preview(images),
            What::CreateRepository { mutability, made_by_ecr, .. } => {
                self.create_repository(event, mutability, *made_by_ecr)
            }
            What::DeleteRepository => self.delete_repository(event, order),
            What::SetPolicy { policy } => self.set_policy(event, *policy),
            What::DeletePolicy => {
                self.state.change_policy(event, None);
                self.state.policy_deleted = Some(event);
            }
            What::SetMutability { mutability } => {
                self.state.mutability.clone_from(mutability);
                self.state.mutability_set_by = Some(event);
            }
            What::Archive { image } => self.archive(event, *image, order),
            What::RestoreRequested { image } => self.request_restore(event, *image, order),
            What::Restored { image } => self.restore(event, image.digest, order),
            What::Pull { image, outcome, caller } => self.pull(event, *image, *outcome, *caller, order),
            What::PullLayer { layer, outcome, caller } => {
                self.pull_layer(event, *layer, *outcome, *caller, order)
            }
            What::AccessChanged => self.state.access_changes.push(event),
            What::Omitted => self.state.note_gap(event),
            What::Listed(listing) => self.listed(event, listing, order),
            What::PolicyShown { policy } => self.policy_shown(event, *policy),
            What::RepositoryShown { mutability, created_at } => {
                self.repository_shown(event, mutability, *created_at)
            }
            What::ManifestShown { digest, manifest } => self.manifest_shown(*digest, manifest),
            What::Define { .. }
            | What::Deploy { .. }
            | What::StopRunning { .. }
            | What::Task(_)
            | What::Need(_)
            | What::Key(_)
            | What::GrantsChanged { .. }
            | What::Login
            | What::Registry(_) => {}
        }
    }

    fn set_policy(&mut self, event: EventNo, policy: PolicyNo) {
        let same = self.state.policy.filter(|known| known.policy == policy).map(|known| known.since);
        let put = PolicyInForce { event, policy, known_from: KnownFrom::Put, since: same.unwrap_or(event) };
        self.state.change_policy(event, Some(put));
        self.state.policy_deleted = None;
    }

    /// The index of the image with `digest`. A new image has an open beginning until a push says otherwise.
    fn at(&mut self, digest: DigestNo) -> usize {
        let images = &mut self.state.images;
        *self.state.by_digest.entry(digest).or_insert_with(|| {
            images.push(Image::new(digest));
            images.len() - 1
        })
    }

    /// The same for an event that shows that the image exists: if it was gone, a push that is not in the
    /// logs brought it back.
    fn there(&mut self, digest: DigestNo, event: EventNo) -> usize {
        let (at, now) = (self.at(digest), self.time(event));
        let image = &self.state.images[at];
        let gone_before = image.is_gone() && image.losses.last().is_none_or(|loss| loss.event != event);
        // What only the simulated policy took still exists in the logs.
        let only_supposed =
            self.plays_another_policy() && image.losses.last().is_some_and(|loss| loss.run.is_some());
        if gone_before && !only_supposed {
            self.come_back_unseen(at, now);
        }
        at
    }

    /// The image was pushed again by a push that is not in the logs.
    fn come_back_unseen(&mut self, at: usize, now: i64) {
        let image = &mut self.state.images[at];
        image.revive(now);
        image.lives += 1;
        image.pushed_at = None;
        image.tags_known = false;
        image.state = ImageState::Unknown;
        self.touch(at);
    }
}
