//! Failures because something does not exist: requested before its push, or after its push was refused.

use serde_json::{Value, json};

use crate::sim::clock::MINUTE;
use crate::sim::manifest;
use crate::sim::record::Caller;
use crate::sim::world::{Job, OWNER, World};

impl World {
    pub fn play_failures(&mut self, number: usize, now: u64) {
        let repo = self.scenes[number].repo;
        match self.rng.range(0, 8) {
            0..3 => _ = self.scene_build(number, now),
            3 | 4 => self.ask_too_early(number, now),
            5 | 6 => self.deploy_what_was_refused(number, now),
            _ => {
                if let Some(digest) = self.some_digest(repo) {
                    self.node_pull(repo, json!({"imageDigest": digest}), &digest, true, now);
                }
            }
        }
    }

    fn task_pull_of(&mut self, repo: usize, image_id: Value, now: u64) {
        let session = self.rng.hex(32);
        let caller = Caller::new(OWNER, "task-exec", &session, true);
        let second = self.tick(repo, now);
        self.batch_get(repo, &caller, image_id, second);
    }

    /// By tag or digest, reported by a task or seen only as a pull; and pushed minutes later.
    fn ask_too_early(&mut self, number: usize, now: u64) {
        let repo = self.scenes[number].repo;
        self.scenes[number].builds += 1;
        let tag = format!("e-{}", self.scenes[number].builds);
        let image = manifest::image(&mut self.rng);
        let uri = self.repos[repo].id.uri();
        let by_digest = self.rng.chance(30);
        let reference = if by_digest { format!("{uri}@{}", image.digest) } else { format!("{uri}:{tag}") };
        let id = if by_digest { json!({"imageDigest": image.digest}) } else { json!({"imageTag": tag}) };
        if self.rng.chance(70) {
            self.task_pull_of(repo, id, now);
        }
        if self.rng.chance(60) {
            self.scene_stop(
                repo,
                &format!(
                    "CannotPullContainerError: failed to resolve ref {reference}: {reference}: not found"
                ),
                now + 9,
            );
        }
        let caller = self.pusher(repo);
        let later = now + self.rng.range(30, 20 * MINUTE);
        self.at(later, Job::Push { repo, manifest: image, tag, caller });
    }

    fn deploy_what_was_refused(&mut self, number: usize, now: u64) {
        let repo = self.scenes[number].repo;
        self.scenes[number].builds += 1;
        let tag = format!("r-{}", self.scenes[number].builds);
        let (image, caller, uri) =
            (manifest::image(&mut self.rng), self.pusher(repo), self.repos[repo].id.uri());
        let code = *self.rng.pick(&["LayersNotFoundException", "LimitExceededException"]);
        let second = self.tick(repo, now);
        self.refuse(repo, &image, Some(&tag), &caller, second, code, "refused".to_owned());
        let by_digest = self.rng.chance(50);
        let reference = if by_digest { format!("{uri}@{}", image.digest) } else { format!("{uri}:{tag}") };
        if self.rng.chance(60) {
            let id = if by_digest { json!({"imageDigest": image.digest}) } else { json!({"imageTag": tag}) };
            self.task_pull_of(repo, id, now + 60);
        }
        if self.rng.chance(60) {
            self.scene_stop(
                repo,
                &format!(
                    "CannotPullContainerError: failed to resolve ref {reference}: {reference}: not found"
                ),
                now + 90,
            );
        }
    }
}
