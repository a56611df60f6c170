//! The world: a clock, a queue of actions, repositories, services, and the resulting log.

use std::collections::BTreeMap;

use serde_json::Value;

use super::clock::{BEGIN, DAY, HOUR, MINUTE};
use super::ecs::Service;
use super::functions::Function;
use super::manifest::Manifest;
use super::record::{self, Call, Caller, RepoId};
use super::registry::{Repo, Stamp};
use super::rng::Rng;
use super::scenes::Playing;

pub const OWNER: &str = "111122223333";
pub const OTHER: &str = "444455556666";

/// A record, and the account and region whose trail delivers it.
#[derive(Debug, Clone)]
pub struct Logged {
    pub account: String,
    pub region: String,
    pub second: u64,
    pub record: Value,
}

/// Pushes of one tag within one second.
#[derive(Debug, Clone)]
pub struct SameSecond {
    pub repo: RepoId,
    pub tag: String,
    pub second: u64,
    /// All images whose history depends on the order: the pushed ones, and the one that had the tag before.
    pub involved: Vec<String>,
    pub winner: String,
}

/// A request for a tag while no image had it.
#[derive(Debug, Clone)]
pub struct TagAsk {
    pub repo: usize,
    pub tag: String,
    pub second: u64,
}

/// Scheduled actions.
#[derive(Debug, Clone)]
pub enum Job {
    Pipeline(usize),
    Push {
        repo: usize,
        manifest: Manifest,
        tag: String,
        caller: Caller,
    },
    Policy(usize),
    Deploy(usize),
    ScaleOut(usize),
    Function(usize),
    Configure(usize),
    Pull(usize),
    Clean(usize),
    Admin(usize),
    Recreate(usize),
    Activated {
        repo: usize,
        digest: String,
    },
    Scene(usize),
    Replicate {
        scene: usize,
        digest: String,
        tag: Option<String>,
    },
    /// An artifact is removed after its subject.
    Follow {
        repo: usize,
        digest: String,
        archives: bool,
    },
    Noise,
}

/// Everything that happens from the first to the last second.
pub struct World {
    pub seed: u64,
    pub rng: Rng,
    /// The trail did not exist before this second.
    pub trail_start: u64,
    pub end: u64,
    pub repos: Vec<Repo>,
    pub services: Vec<Service>,
    pub functions: Vec<Function>,
    pub scenes: Vec<Playing>,
    pub logged: Vec<Logged>,
    pub same_second: Vec<SameSecond>,
    pub tag_asks: Vec<TagAsk>,
    /// eventIDs of copies and corrections → the eventID of the call.
    pub same_call: BTreeMap<String, String>,
    /// Registry, region and role, and the period during which its pulls are excluded.
    pub excluded: Vec<(String, String, String, u64, u64)>,
    /// Replicas that were created without the tag because another image had it: repository, digest and tag.
    pub born_untagged: Vec<(usize, String, String)>,
    /// A time at which the registries are asked for their contents, determined without a random number.
    pub asked_at: u64,
    /// Their contents then, by the index of the repository, with the exact time.
    pub asked: BTreeMap<usize, (u64, Repo)>,
    queue: BTreeMap<(u64, u64), Job>,
    queued: u64,
}

impl World {
    /// Simulates the world of a seed to its end.
    pub fn generate(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let trail_start = if rng.chance(65) { BEGIN } else { BEGIN + DAY + rng.range(0, DAY) };
        let end = BEGIN + rng.range(4, 8) * DAY;
        let mut world = Self {
            seed,
            rng,
            trail_start,
            end,
            repos: Vec::new(),
            services: Vec::new(),
            functions: Vec::new(),
            scenes: Vec::new(),
            logged: Vec::new(),
            same_second: Vec::new(),
            tag_asks: Vec::new(),
            same_call: BTreeMap::new(),
            excluded: Vec::new(),
            born_untagged: Vec::new(),
            asked_at: trail_start + seed.wrapping_mul(2_654_435_761) % (end - trail_start),
            asked: BTreeMap::new(),
            queue: BTreeMap::new(),
            queued: 0,
        };
        world.found();
        world.run();
        world.ask_for_departed_tags();
        world.play_scenes();
        world
    }

    /// Creates repositories and services, and the first action of each actor.
    fn found(&mut self) {
        let names = ["team/api", "web", "batch-worker", "shop/cart_v2"];
        for name in names.iter().take(self.rng.range(2, 5) as usize) {
            let registry = if self.rng.chance(75) { OWNER } else { OTHER };
            let region = if self.rng.chance(70) { "eu-central-1" } else { "us-east-1" };
            self.repos.push(Repo::new(RepoId {
                registry: registry.into(),
                region: region.into(),
                name: (*name).into(),
            }));
        }
        for repo in 0..self.repos.len() {
            self.later(repo as u64 * 7, Job::Recreate(repo));
            for service in 0..self.rng.range(0, 3) {
                self.services.push(Service::new(&mut self.rng, repo, &self.repos[repo].id, service));
            }
            for job in
                [Job::Pipeline(repo), Job::Pull(repo), Job::Clean(repo), Job::Admin(repo), Job::Policy(repo)]
            {
                let delay = self.rng.range(10 * MINUTE, 6 * HOUR);
                self.later(delay, job);
            }
        }
        for service in 0..self.services.len() {
            let delay = self.rng.range(8 * HOUR, 30 * HOUR);
            self.later(delay, Job::Deploy(service));
        }
        self.later(60, Job::Noise);
        self.found_functions();
    }

    pub fn run(&mut self) {
        while let Some(((second, _), job)) = self.queue.pop_first() {
            if second >= self.end {
                break;
            }
            if second > self.asked_at {
                self.ask_registries();
            }
            self.work(second, job);
        }
        self.ask_registries();
    }

    /// Records the contents of the registries that have not been asked yet.
    fn ask_registries(&mut self) {
        for (number, repo) in self.repos.iter().enumerate().skip(self.asked.len()) {
            self.asked.insert(number, (repo.last_second.max(self.asked_at), repo.clone()));
        }
    }

    fn work(&mut self, now: u64, job: Job) {
        match job {
            Job::Pipeline(repo) => self.pipeline(repo, now),
            Job::Push { repo, manifest, tag, caller } => {
                let second = self.tick(repo, now);
                self.push(repo, &manifest, Some(&tag), &caller, second);
            }
            Job::Policy(repo) => self.policy_run(repo, now),
            Job::Deploy(service) => self.deploy(service, now),
            Job::ScaleOut(service) => self.scale_out(service, now),
            Job::Function(number) => self.function(number, now),
            Job::Configure(number) => self.configure_function(number, now),
            Job::Pull(repo) => self.casual_pull(repo, now),
            Job::Clean(repo) => self.clean(repo, now),
            Job::Admin(repo) => self.admin(repo, now),
            Job::Recreate(repo) => self.create_repository(repo, now),
            Job::Activated { repo, digest } => self.activated(repo, &digest, now),
            Job::Noise => self.noise(now),
            Job::Scene(number) => self.scene(number, now),
            Job::Replicate { scene, digest, tag } => self.replicate(scene, &digest, tag.as_deref(), now),
            Job::Follow { repo, digest, archives } => self.follow(repo, &digest, archives, now),
        }
        self.settle_scenes(now);
    }

    /// Discards all scheduled actions.
    pub fn forget_jobs(&mut self) {
        self.queue.clear();
    }

    /// Schedules an action `delay` seconds after the beginning of the world.
    pub fn later(&mut self, delay: u64, job: Job) {
        self.at(BEGIN + delay, job);
    }

    pub fn at(&mut self, second: u64, job: Job) {
        self.queued += 1;
        self.queue.insert((second, self.queued), job);
    }

    /// A second in which nothing has happened in the repository yet: only races share a second,
    /// intentionally.
    pub fn tick(&mut self, repo: usize, wanted: u64) -> u64 {
        let repo = &mut self.repos[repo];
        repo.last_second = wanted.max(repo.last_second + 1);
        repo.last_second
    }

    /// Logs a call in the trail of the caller's account and, for calls to another account, also in the
    /// owner's.
    pub fn log_call(&mut self, call: &Call) -> Stamp {
        self.log_call_with(call, |_, _| {})
    }

    /// The same, with a change to the record before it is delivered.
    pub fn log_call_with(&mut self, call: &Call, change: impl FnOnce(&mut Rng, &mut Value)) -> Stamp {
        let mut record = call.to_record(&mut self.rng);
        change(&mut self.rng, &mut record);
        let stamp = Stamp { event: text(&record["eventID"]), second: call.second };
        let owner = call.repo.map(|repo| repo.registry.clone()).filter(|owner| *owner != call.caller.account);
        if let Some(owner) = owner {
            let twin = record::owner_twin(&mut self.rng, &mut record, &owner);
            self.same_call.insert(text(&twin["eventID"]), stamp.event.clone());
            self.log(&owner, call.region, call.second, twin);
        }
        if self.rng.chance(1) && record.get("sharedEventID").is_none() {
            let addendum = record::updated_data(&mut self.rng, &record);
            self.same_call.insert(text(&addendum["eventID"]), stamp.event.clone());
            self.log(&call.caller.account, call.region, call.second, addendum);
        }
        self.log(&call.caller.account, call.region, call.second, record);
        stamp
    }

    /// Logs an event of ECR itself.
    pub fn log_service_event(&mut self, name: &str, repo: usize, second: u64, details: Value) -> Stamp {
        let id = self.repos[repo].id.clone();
        let mut event = record::service_event(&mut self.rng, name, &id, second, details);
        if name == "PolicyExecutionEvent" && self.rng.chance(1) {
            record::omit(&mut self.rng, &mut event, "serviceEventDetails");
            self.repos[repo].certain &= second < self.trail_start;
        }
        let stamp = Stamp { event: text(&event["eventID"]), second };
        self.log(&id.registry, &id.region, second, event);
        stamp
    }

    pub fn log(&mut self, account: &str, region: &str, second: u64, record: Value) {
        if second >= self.trail_start {
            self.logged.push(Logged { account: account.into(), region: region.into(), second, record });
        }
    }
}

/// A string member that always exists.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
