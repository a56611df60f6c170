//! A repository that is replicated to another region, of the same account or another one, with or without its
//! deletions.

use serde_json::{Value, json};

use crate::sim::clock::MINUTE;
use crate::sim::record::{Call, Caller};
use crate::sim::registry::{Life, Stamp};
use crate::sim::world::{Job, OTHER, OWNER, World};

impl World {
    pub fn found_copy(&mut self, number: usize, begin: u64) {
        let registry = if self.rng.chance(60) { OWNER } else { OTHER };
        // In every third world the replica's tags are immutable. No random number is drawn for it, so that
        // other worlds do not change.
        let immutable = self.seed % 3 == 1;
        let copy = self.found_repository_as(
            "copied/app",
            "us-east-1",
            registry,
            begin,
            if immutable { "IMMUTABLE" } else { "MUTABLE" },
        );
        self.scenes[number].copy = Some(copy);
        let deletes = self.rng.chance(80);
        self.set_replication(number, deletes, begin + 2);
    }

    fn set_replication(&mut self, number: usize, deletes: bool, now: u64) {
        let repo = self.scenes[number].repo;
        let Some(copy) = self.scenes[number].copy else { return };
        let (id, copy) = (self.repos[repo].id.clone(), self.repos[copy].id.clone());
        let filters = if self.rng.chance(50) {
            json!([{"filter": "copied/", "filterType": "PREFIX_MATCH"}])
        } else {
            json!([])
        };
        let rule = json!({"destinations": [{"region": copy.region, "registryId": copy.registry}], "repositoryFilters": filters,
                          "deleteReplication": {"enabled": deletes}});
        let request = json!({"replicationConfiguration": {"rules": [rule]}});
        let second = self.tick(repo, now);
        self.registry_call(&id, "PutReplicationConfiguration", second, request.clone(), request);
        self.scenes[number].deletes = deletes;
    }

    pub fn play_copies(&mut self, number: usize, now: u64) {
        let repo = self.scenes[number].repo;
        let Some(copy) = self.scenes[number].copy else { return };
        match self.rng.range(0, 12) {
            0..5 => {
                let (digest, tag) = self.scene_build(number, now);
                let arrives = now + self.rng.range(20, 15 * MINUTE);
                self.at(arrives, Job::Replicate { scene: number, digest, tag: Some(tag) });
            }
            5 | 6 => self.clean_source(repo, copy, now),
            7 => {
                let deletes = self.rng.chance(60);
                self.set_replication(number, deletes, now);
            }
            _ => {
                if let Some(digest) = self.some_digest(copy) {
                    self.node_pull(copy, json!({"imageDigest": digest}), &digest, true, now);
                }
            }
        }
    }

    /// Deletes by digest, or by a tag that source and replica have in common.
    fn clean_source(&mut self, repo: usize, copy: usize, now: u64) {
        let living = self.repos[repo].living();
        if living.is_empty() {
            return;
        }
        let digest = self.rng.pick(&living).clone();
        let tags = |world: &Self, repo: usize| -> Vec<String> {
            world.repos[repo]
                .alive(&digest)
                .map(|life| life.tags.keys().cloned().collect())
                .unwrap_or_default()
        };
        let alike = tags(self, repo) == tags(self, copy);
        let id = match tags(self, repo).first() {
            Some(tag) if alike && self.rng.chance(40) => json!({"imageTag": tag}),
            _ => json!({"imageDigest": digest}),
        };
        let second = self.tick(repo, now);
        self.delete(repo, &[id], second);
    }

    /// Replicates what was pushed, if it still exists and still has the tag.
    pub fn replicate(&mut self, number: usize, digest: &str, tag: Option<&str>, now: u64) {
        let repo = self.scenes[number].repo;
        let Some(copy) = self.scenes[number].copy else { return };
        let holds =
            tag.is_none_or(|tag| self.repos[repo].tags.get(tag).is_some_and(|holder| holder == digest));
        if self.repos[repo].alive(digest).is_none() || !holds {
            return;
        }
        let Some(manifest) = self.repos[repo].manifests.get(digest).cloned() else { return };
        let id = self.repos[copy].id.clone();
        let caller = Caller::new(&id.registry, "AWSServiceRoleForECRReplication", "ecr-replication", true);
        // An immutable tag is not moved; whether the event names it anyway is not known.
        let kept = tag.filter(|tag| {
            self.repos[copy].refuses(tag)
                && self.repos[copy].tags.get(*tag).is_none_or(|holder| holder != digest)
        });
        if let Some(kept) = kept {
            self.born_untagged.push((copy, digest.to_owned(), kept.to_owned()));
        }
        // If deletions are replicated, the logs do not show whether the tag was free: then the event does not
        // name a tag that was not moved.
        let tag = tag.filter(|_| kept.is_none() || (self.seed % 2 == 1 && !self.scenes[number].deletes));
        let had = |life: &Life| life.silent && tag.is_some_and(|tag| life.tags.contains_key(tag));
        if self.repos[copy].immutable.is_some() && self.repos[copy].lives.values().flatten().any(had) {
            self.repos[copy].certain = false;
        }
        let mut image_id = json!({"imageDigest": digest});
        let mut request = json!({"registryId": id.registry, "repositoryName": id.name, "imageManifest": manifest.text, "imageManifestMediaType": manifest.media_type});
        if let Some(tag) = tag {
            request["imageTag"] = json!(tag);
            image_id["imageTag"] = json!(tag);
        }
        let response = json!({"image": {"registryId": id.registry, "repositoryName": id.name, "imageId": image_id, "imageManifest": manifest.text}});
        let second = self.tick(copy, now);
        let call = Call {
            source: "ecr.amazonaws.com",
            name: "ReplicateImage",
            caller: &caller,
            region: &id.region,
            second,
            request,
            response,
            repo: Some(&id),
            read_only: false,
            error: None,
        };
        let stamp = self.log_call(&call);
        self.repos[copy].put(&manifest, tag.filter(|_| kept.is_none()), &stamp);
    }

    /// Removes at once from the replica what was removed from the source, before anybody requests it.
    pub fn mirror_removals(&mut self, number: usize) {
        let repo = self.scenes[number].repo;
        let Some(copy) = self.scenes[number].copy.filter(|_| self.scenes[number].deletes) else { return };
        for digest in self.repos[copy].living() {
            let Some(source) = self.repos[repo].lives.get(&digest).and_then(|lives| lives.last()).cloned()
            else {
                continue;
            };
            let Some(own) = self.repos[copy].alive(&digest).cloned() else { continue };
            if let Some(gone) = source.gone.filter(|gone| {
                gone.at.second >= own.start && gone.state != "repository_deleted" && !own.silent
            }) {
                let at = Stamp { event: String::new(), second: gone.at.second };
                if let Some(life) = self.repos[copy].last_life(&digest) {
                    life.silent = true;
                }
                // What was removed while deletions were not replicated stays.
                if gone.at.second + 1 >= self.repos[repo].last_second {
                    self.repos[copy].remove(&digest, "deleted", &at);
                }
                continue;
            }
        }
        let removed: Vec<(String, u64)> = self.repos[repo]
            .spans
            .iter()
            .filter_map(|span| {
                span.until
                    .filter(|(second, how)| *how == "removed" && *second >= self.repos[repo].last_second)
                    .map(|(second, _)| (span.tag.clone(), second))
            })
            .collect();
        for (tag, second) in removed {
            if self.repos[copy].tags.contains_key(&tag) {
                self.repos[copy].untag(&tag, &Stamp { event: String::new(), second });
                self.repos[copy].certain = false;
            }
        }
        let _: Value = Value::Null;
    }
}
