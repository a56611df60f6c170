//! Signatures, and signatures of signatures: each is removed a day after its subject, without an event.

use serde_json::json;

use crate::sim::clock::DAY;
use crate::sim::manifest;
use crate::sim::world::{Job, World};

impl World {
    pub fn play_artifacts(&mut self, number: usize, now: u64) {
        let repo = self.scenes[number].repo;
        match self.rng.range(0, 10) {
            0..5 => {
                let (digest, _) = self.scene_build(number, now);
                self.sign(repo, &digest, now + 30);
            }
            5 => {
                let living = self.repos[repo].living();
                let subjects: Vec<String> = living
                    .into_iter()
                    .filter(|digest| self.repos[repo].manifests[digest].subject.is_none())
                    .collect();
                if !subjects.is_empty() {
                    let digest = self.rng.pick(&subjects).clone();
                    let second = self.tick(repo, now);
                    self.delete(repo, &[json!({"imageDigest": digest})], second);
                }
            }
            _ => {
                if let Some(digest) = self.some_digest(repo) {
                    self.node_pull(repo, json!({"imageDigest": digest}), &digest, true, now);
                }
            }
        }
    }

    fn sign(&mut self, repo: usize, subject: &str, now: u64) {
        let (artifact, caller) = (manifest::artifact(&mut self.rng, subject), self.pusher(repo));
        let tag = self.rng.chance(40).then(|| format!("sha256-{}.sig", &subject["sha256:".len()..]));
        let second = self.tick(repo, now);
        self.push(repo, &artifact, tag.as_deref(), &caller, second);
        if self.rng.chance(25) {
            self.sign(repo, &artifact.digest, now + 60);
        }
    }

    /// Schedules the removal of artifacts whose subjects are gone.
    pub fn doom_artifacts(&mut self, number: usize, _now: u64) {
        let repo = self.scenes[number].repo;
        for digest in self.repos[repo].living() {
            let Some(subject) = self.repos[repo].manifests[&digest].subject.clone() else { continue };
            let last = self.repos[repo].lives.get(&subject).and_then(|lives| lives.last()).cloned();
            // An artifact of an artifact follows as well.
            let follows =
                last.as_ref().is_some_and(|life| (life.silent || life.is_told) && life.gone.is_none());
            if follows && let Some(life) = self.repos[repo].last_life(&digest) {
                life.is_told = true;
            }
            let Some(gone) = last.and_then(|life| life.gone) else { continue };
            let Some(life) = self.repos[repo].last_life(&digest).filter(|life| !life.silent) else {
                continue;
            };
            life.silent = true;
            self.at(gone.at.second + DAY, Job::Follow { repo, digest, archives: false });
        }
    }

    pub fn follow(&mut self, repo: usize, digest: &str, archives: bool, now: u64) {
        if archives {
            if let Some(life) = self.repos[repo].last_life(digest) {
                life.archived = true;
            }
            return;
        }
        let at = crate::sim::registry::Stamp { event: String::new(), second: now };
        if self.repos[repo].alive(digest).is_some() {
            self.repos[repo].remove(digest, "expired", &at);
        }
    }
}
