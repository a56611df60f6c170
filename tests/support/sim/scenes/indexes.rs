//! Indexes that lose their tag to one of their own images, and images that a run takes although their index lives.

use serde_json::json;

use crate::sim::manifest::{self, Manifest};
use crate::sim::world::World;

impl World {
    pub fn play_indexes(&mut self, number: usize, now: u64) {
        let repo = self.scenes[number].repo;
        match self.rng.range(0, 10) {
            0..4 => self.push_index(number, now),
            4 => self.take_child(repo, now),
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

    /// A run that users tell of, and ECR's documentation does not.
    fn take_child(&mut self, repo: usize, now: u64) {
        let children: Vec<String> = self.repos[repo]
            .living()
            .into_iter()
            .filter(|digest| self.repos[repo].alive(digest).is_some_and(|life| life.tags.is_empty()) && !self.repos[repo].parents(digest).is_empty())
            .collect();
        if children.is_empty() {
            return;
        }
        let digest = self.rng.pick(&children).clone();
        let second = self.tick(repo, now);
        let pushed = self.repos[repo].alive(&digest).map_or(0, |life| life.start);
        let rule = json!({"rulePriority": 9, "description": "untagged", "lifecycleEventSelection": {"tagStatus": "Untagged", "tagPrefixList": [],
            "tagPatternList": [], "countType": "Time since image pushed", "countUnit": "Days", "countNumber": 1}, "action": "expire"});
        let image =
            json!({"lifecycleEventImage": {"digest": digest, "tagStatus": "Untagged", "tagList": [], "pushedAt": pushed * 1_000}, "rulePriority": 9});
        let details = json!({"repositoryName": self.repos[repo].id.name, "lifecycleEventPolicy": {"lifecycleEventRules": [rule], "lastEvaluatedAt": 0,
            "policyVersion": 1, "policyId": self.repos[repo].policy_id}, "lifecycleEventImageActions": [image], "lifecycleEventFailureDetails": []});
        let stamp = self.log_service_event("PolicyExecutionEvent", repo, second, details);
        self.repos[repo].remove(&digest, "expired", &stamp);
    }

    fn stop_for_platform(&mut self, repo: usize, now: u64) {
        let tags: Vec<String> = self.repos[repo].tags.keys().cloned().collect();
        if tags.is_empty() {
            return;
        }
        let reference = format!("{}:{}", self.repos[repo].id.uri(), self.rng.pick(&tags));
        let reason = format!("CannotPullContainerError: failed to resolve ref {reference}: no match for platform in manifest: not found");
        self.scene_stop(repo, &reason, now);
    }
}
