//! Indexes that lose their tag to one of their own images, and images that a run takes although their index
//! exists.

use serde_json::json;

use crate::sim::manifest::{self, Manifest};
use crate::sim::world::World;

impl World {
    pub fn play_indexes(&mut self, number: usize, now: u64) {
        let repo = self.scenes[number].repo;
        match self.rng.range(0, 10) {
            0..4 => self.push_index(number, now),
            4 => self.unguard_child(repo),
            5 | 6 => self.stop_for_platform(repo, now),
            _ => {
                if let Some(digest) = self.some_digest(repo) {
                    self.node_pull(repo, json!({"imageDigest": digest}), &digest, true, now);
                }
            }
        }
    }

    fn push_index(&mut self, number: usize, now: u64) {
        let (repo, caller) = (self.scenes[number].repo, self.pusher(self.scenes[number].repo));
        self.scenes[number].builds += 1;
        let tag = format!("v-{}", self.scenes[number].builds);
        let children: Vec<Manifest> = (0..2).map(|_| manifest::image(&mut self.rng)).collect();
        for child in &children {
            let second = self.tick(repo, now);
            self.push(repo, child, None, &caller, second);
        }
        let second = self.tick(repo, now + 4);
        self.push(repo, &manifest::index(&children), Some(&tag), &caller, second);
        if self.rng.chance(40) {
            let second = self.tick(repo, now + 6);
            self.push(repo, &children[0], Some(&tag), &caller, second);
        }
    }

    /// The next run takes an image although its index exists, which users have reported and ECR's
    /// documentation does not mention.
    fn unguard_child(&mut self, repo: usize) {
        let children: Vec<String> = self.repos[repo]
            .living()
            .into_iter()
            .filter(|digest| {
                self.repos[repo].alive(digest).is_some_and(|life| life.tags.is_empty())
                    && !self.repos[repo].parents(digest).is_empty()
            })
            .collect();
        if children.is_empty() {
            return;
        }
        let digest = self.rng.pick(&children).clone();
        // The rules of the policy do not predict this.
        if let Some(life) = self.repos[repo].last_life(&digest) {
            life.silent = true;
        }
        self.repos[repo].unguarded.insert(digest);
    }

    fn stop_for_platform(&mut self, repo: usize, now: u64) {
        let tags: Vec<String> = self.repos[repo].tags.keys().cloned().collect();
        if tags.is_empty() {
            return;
        }
        let tag = self.rng.pick(&tags).clone();
        let digest = self.repos[repo].tags[&tag].clone();
        let reference = format!("{}:{tag}", self.repos[repo].id.uri());
        let reason = format!(
            "CannotPullContainerError: failed to resolve ref {reference}: no match for platform in manifest: not found"
        );
        self.scene_stop(repo, &reason, now);
        self.note_stop(repo, &digest);
    }
}
