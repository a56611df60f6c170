//! Scenes that the main world lacks, each with a repository of its own: artifacts, replicas that are removed
//! with their sources, jobs and endpoints, broken indexes, permissions that are taken away, and failures
//! because something does not exist. They are simulated after the main world with random numbers of their
//! own, so that the main world of a seed does not change. The trail has logged them from their first event
//! on.

mod access;
mod artifacts;
mod copies;
mod failures;
mod indexes;
mod jobs;

use serde_json::{Value, json};

use super::clock::{HOUR, MINUTE};
use super::lifecycle::described;
use super::manifest;
use super::policy::{Count, Policy, Rule, TagStatus};
use super::record::{Call, Caller, RepoId};
use super::registry::Repo;
use super::rng::Rng;
use super::world::{Job, OWNER, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    Artifacts,
    Copies,
    Jobs,
    Indexes,
    Access,
    Failures,
}

/// A scene that is being simulated.
#[derive(Debug, Clone)]
pub struct Playing {
    pub scene: Scene,
    pub repo: usize,
    /// The repository that is a replica of it.
    pub copy: Option<usize>,
    /// Whether deletions are replicated now.
    pub deletes: bool,
    /// Number of builds so far.
    pub builds: u64,
    /// Number of revisions, models and the like so far.
    pub made: u64,
}

impl World {
    pub fn play_scenes(&mut self) {
        let mut own = Rng::new(self.seed.wrapping_mul(43).wrapping_add(29));
        std::mem::swap(&mut self.rng, &mut own);
        self.forget_jobs();
        for scene in
            [Scene::Artifacts, Scene::Copies, Scene::Jobs, Scene::Indexes, Scene::Access, Scene::Failures]
        {
            if self.rng.chance(35) {
                self.found_scene(scene);
            }
        }
        self.run();
        std::mem::swap(&mut self.rng, &mut own);
    }

    fn found_scene(&mut self, scene: Scene) {
        let name = match scene {
            Scene::Artifacts => "signed/app",
            Scene::Copies => "copied/app",
            Scene::Jobs => "jobs/app",
            Scene::Indexes => "indexes/app",
            Scene::Access => "access/app",
            Scene::Failures => "failures/app",
        };
        let begin = self.trail_start + self.rng.range(HOUR, 5 * HOUR);
        let repo = self.found_repository(name, "eu-central-1", OWNER, begin);
        let playing = Playing { scene, repo, copy: None, deletes: false, builds: 0, made: 0 };
        let number = self.scenes.len();
        self.scenes.push(playing);
        if scene == Scene::Copies {
            self.found_copy(number, begin);
        }
        let policy = self.scene_policy(scene);
        let second = self.tick(repo, begin + 5);
        self.put_this_policy(repo, policy, second);
        self.at(begin + 10, Job::Scene(number));
        let run = begin + self.rng.range(9 * HOUR, 20 * HOUR);
        self.at(run, Job::Policy(repo));
    }

    /// Creates a repository by a call.
    pub fn found_repository(&mut self, name: &str, region: &str, registry: &str, second: u64) -> usize {
        self.found_repository_as(name, region, registry, second, "MUTABLE")
    }

    /// The same with mutable or immutable tags.
    pub fn found_repository_as(
        &mut self,
        name: &str,
        region: &str,
        registry: &str,
        second: u64,
        mutability: &str,
    ) -> usize {
        self.repos.push(Repo::new(RepoId {
            registry: registry.into(),
            region: region.into(),
            name: name.into(),
        }));
        let repo = self.repos.len() - 1;
        let second = self.tick(repo, second);
        let id = self.repos[repo].id.clone();
        self.admin_call(
            repo,
            "CreateRepository",
            second,
            json!({"imageTagMutability": mutability}),
            json!({"repository": described(&id, second)}),
        );
        self.repos[repo].immutable = (mutability == "IMMUTABLE").then(String::new);
        self.repos[repo].exists = true;
        self.repos[repo].existence.push((second, true));
        repo
    }

    /// Rules that count leave artifacts out, because their removal is only known to the day.
    fn scene_policy(&mut self, scene: Scene) -> Policy {
        let keep = self.rng.range(2, 5);
        let days = self.rng.range(1, 3);
        let rule = |priority, status, prefixes: &[&str], count| Rule {
            priority,
            status,
            prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
            patterns: Vec::new(),
            count,
            transition: false,
        };
        match scene {
            Scene::Artifacts => {
                Policy { rules: vec![rule(1, TagStatus::Tagged, &["v-"], Count::MoreThan(keep))] }
            }
            Scene::Indexes => Policy {
                rules: vec![
                    rule(1, TagStatus::Tagged, &["v-"], Count::MoreThan(8)),
                    rule(9, TagStatus::Untagged, &[], Count::Days(1)),
                ],
            },
            Scene::Jobs => Policy { rules: vec![rule(1, TagStatus::Any, &[], Count::MoreThan(keep))] },
            _ => Policy {
                rules: vec![
                    rule(1, TagStatus::Untagged, &[], Count::Days(days)),
                    rule(2, TagStatus::Tagged, &["v-"], Count::MoreThan(keep + 2)),
                ],
            },
        }
    }

    /// The next action of a scene.
    pub fn scene(&mut self, number: usize, now: u64) {
        let again = now + self.rng.range(20 * MINUTE, 5 * HOUR);
        self.at(again, Job::Scene(number));
        match self.scenes[number].scene {
            Scene::Artifacts => self.play_artifacts(number, now),
            Scene::Copies => self.play_copies(number, now),
            Scene::Jobs => self.play_jobs(number, now),
            Scene::Indexes => self.play_indexes(number, now),
            Scene::Access => self.play_access(number, now),
            Scene::Failures => self.play_failures(number, now),
        }
    }

    /// Consequences that are not logged.
    pub fn settle_scenes(&mut self, now: u64) {
        for number in 0..self.scenes.len() {
            match self.scenes[number].scene {
                Scene::Artifacts => self.doom_artifacts(number, now),
                Scene::Copies => self.mirror_removals(number),
                _ => {}
            }
        }
    }

    pub fn pusher(&self, repo: usize) -> Caller {
        Caller::new(&self.repos[repo].id.registry, "ci-push", "GitHubActions", true)
    }

    /// A new image with a tag of its own, or with a moving one; returns its digest and tag.
    pub fn scene_build(&mut self, number: usize, now: u64) -> (String, String) {
        let repo = self.scenes[number].repo;
        self.scenes[number].builds += 1;
        let tag = if self.rng.chance(70) {
            format!("v-{}", self.scenes[number].builds)
        } else {
            "latest".to_owned()
        };
        let (image, caller) = (manifest::image(&mut self.rng), self.pusher(repo));
        let second = self.tick(repo, now);
        self.push(repo, &image, Some(&tag), &caller, second);
        (image.digest, tag)
    }

    /// A node requests a digest.
    pub fn node_pull(&mut self, repo: usize, image_id: Value, digest: &str, by_digest: bool, now: u64) {
        let caller =
            Caller::new(&self.repos[repo].id.registry.clone(), "KubernetesNode", "i-07b5e96ee6f17fb92", true);
        let second = self.tick(repo, now);
        self.batch_get(repo, &caller, image_id, second);
        self.note_pull(repo, digest, by_digest, second, &caller);
    }

    /// Some digest that exists or existed.
    pub fn some_digest(&mut self, repo: usize) -> Option<String> {
        let from = if self.rng.chance(40) { self.repos[repo].departed() } else { self.repos[repo].living() };
        (!from.is_empty()).then(|| self.rng.pick(&from).clone())
    }

    /// A call of another service.
    #[expect(clippy::too_many_arguments, reason = "a call has all of these parts")]
    pub fn service_call(
        &mut self,
        source: &str,
        name: &str,
        region: &str,
        second: u64,
        request: Value,
        response: Value,
        error: Option<(&str, String)>,
    ) {
        let caller = Caller::new(OWNER, "deployer", "pipeline", false);
        let call = Call {
            source,
            name,
            caller: &caller,
            region,
            second,
            request,
            response,
            repo: None,
            read_only: false,
            error,
        };
        self.log_call(&call);
    }

    /// The last stop was because of this missing image.
    pub fn note_stop(&mut self, repo: usize, digest: &str) {
        let second = self.repos[repo].last_second;
        if let Some(life) = self.repos[repo].last_life(digest) {
            life.stops.push(second);
        }
    }

    /// A task that could not start.
    pub fn scene_stop(&mut self, repo: usize, reason: &str, now: u64) {
        let second = self.tick(repo, now);
        let task = format!("arn:aws:ecs:eu-central-1:{OWNER}:task/prod/{}", self.rng.hex(32));
        let request = json!({"cluster": "prod", "task": task, "status": "STOPPED", "reason": reason,
                             "containers": [{"containerName": "app", "status": "STOPPED", "reason": "CannotPullContainerError: ..."}]});
        self.service_call(
            "ecs.amazonaws.com",
            "SubmitTaskStateChange",
            "eu-central-1",
            second,
            request,
            Value::Null,
            None,
        );
    }
}
