//! CI: builds, races, multi-architecture pushes of both kinds, repeats, refusals, and clean-up jobs.

use serde_json::{Value, json};

use super::clock::{HOUR, MINUTE};
use super::manifest::{self, Manifest};
use super::record::{self, Call, Caller};
use super::registry::{Repo, Stamp};
use super::world::{Job, OTHER, OWNER, SameSecond, World};

impl World {
    /// One run of a pipeline of this repository; schedules the next one.
    pub fn pipeline(&mut self, repo: usize, now: u64) {
        let again = now + self.rng.range(20 * MINUTE, 14 * HOUR);
        self.at(again, Job::Pipeline(repo));
        let caller = self.ci(repo);
        let tag = self.some_tag(repo);
        match self.rng.range(0, 100) {
            0..20 => self.build(repo, &tag, &caller, now),
            20..45 => self.race(repo, &tag, &caller, now),
            45..52 => self.same_second_race(repo, &tag, now),
            52..62 => self.modern_multi_arch(repo, &tag, &caller, now),
            62..70 => self.old_multi_arch(repo, &tag, &caller, now),
            70..78 => self.push_known(repo, &tag, &caller, now),
            78..82 => self.denied(repo, &tag, &caller, now),
            82..86 => self.push_untagged(repo, &caller, now),
            86..88 => self.omitted(repo, &tag, &caller, now),
            88..94 => self.revert(repo, &tag, &caller, now),
            _ => self.second_tag(repo, &tag, &caller, now),
        }
    }

    fn ci(&mut self, repo: usize) -> Caller {
        let registry = self.repos[repo].id.registry.clone();
        let (role, session) = *self.rng.pick(&[
            ("ci-push", "GitHubActions"),
            ("codebuild-a", "AWSCodeBuild-1f"),
            ("codebuild-b", "AWSCodeBuild-2e"),
        ]);
        let account =
            if self.rng.chance(12) { if registry == OWNER { OTHER } else { OWNER } } else { &registry };
        let through_proxy = self.rng.chance(80);
        Caller::new(account, role, session, through_proxy)
    }

    fn some_tag(&mut self, repo: usize) -> String {
        let repo = &mut self.repos[repo];
        if self.rng.chance(45) {
            return (*self.rng.pick(&["latest", "main", "release-current"])).to_owned();
        }
        if self.rng.chance(60) {
            repo.releases += 1;
        }
        format!("release-{}", repo.releases)
    }

    fn build(&mut self, repo: usize, tag: &str, caller: &Caller, now: u64) {
        let image = manifest::image(&mut self.rng);
        let second = self.tick(repo, now);
        self.push(repo, &image, Some(tag), caller, second);
    }

    /// Two runs for one commit: two digests, one tag, and often a deployment in between.
    fn race(&mut self, repo: usize, tag: &str, caller: &Caller, now: u64) {
        self.build(repo, tag, caller, now);
        let gap = if self.rng.chance(80) { self.rng.range(1, 590) } else { self.rng.range(550, 660) };
        let manifest = manifest::image(&mut self.rng);
        let other = self.ci(repo);
        self.at(now + gap, Job::Push { repo, manifest, tag: tag.to_owned(), caller: other });
        let served: Vec<usize> =
            (0..self.services.len()).filter(|service| self.services[*service].repo == repo).collect();
        if let Some(service) = served.first().copied()
            && self.rng.chance(60)
        {
            self.services[service].tag = tag.to_owned();
            let between = now + self.rng.range(0, gap + 30);
            self.at(between, Job::Deploy(service));
        }
    }

    fn same_second_race(&mut self, repo: usize, tag: &str, now: u64) {
        let caller = Caller::new(&self.repos[repo].id.registry.clone(), "ci-push", "GitHubActions", true);
        let images = [manifest::image(&mut self.rng), manifest::image(&mut self.rng)];
        if self.repos[repo].immutable.is_some() {
            return;
        }
        self.push_together(repo, &images, tag, &caller, now);
        if self.rng.chance(30) {
            // The build that was last is pushed again, and the refusal proves that it was.
            let second = self.tick(repo, now + 30);
            self.push(repo, &images[1], Some(tag), &caller, second);
        }
    }

    /// Pushes in this order within one second.
    fn push_together(&mut self, repo: usize, images: &[Manifest], tag: &str, caller: &Caller, now: u64) {
        let second = self.tick(repo, now);
        let mut involved: Vec<String> = images.iter().map(|image| image.digest.clone()).collect();
        involved.extend(self.repos[repo].tags.get(tag).cloned());
        for image in images {
            self.push(repo, image, Some(tag), caller, second);
        }
        if let Some(winner) = self.repos[repo].tags.get(tag).cloned() {
            let repo = self.repos[repo].id.clone();
            self.same_second.push(SameSecond { repo, tag: tag.to_owned(), second, involved, winner });
        }
    }

    /// Children by digest, then the index with the tag.
    fn modern_multi_arch(&mut self, repo: usize, tag: &str, caller: &Caller, now: u64) {
        let children: Vec<Manifest> =
            (0..self.rng.range(2, 4)).map(|_| manifest::image(&mut self.rng)).collect();
        let second = self.tick(repo, now);
        for child in &children {
            self.push(repo, child, None, caller, second);
        }
        let later = now + self.rng.range(0, 4);
        let second = self.tick(repo, later);
        self.push(repo, &manifest::index(&children), Some(tag), caller, second);
    }

    /// Children and index under one tag, seconds apart or in one second.
    fn old_multi_arch(&mut self, repo: usize, tag: &str, caller: &Caller, now: u64) {
        if self.repos[repo].immutable.is_some() {
            return;
        }
        let mut images: Vec<Manifest> = (0..2).map(|_| manifest::image(&mut self.rng)).collect();
        images.push(manifest::index(&images));
        if self.rng.chance(30) {
            let caller = Caller::new(&self.repos[repo].id.registry.clone(), "ci-push", "GitHubActions", true);
            return self.push_together(repo, &images[1..], tag, &caller, now);
        }
        for image in &images {
            let second = self.tick(repo, now);
            self.push(repo, image, Some(tag), caller, second);
        }
    }

    /// A manifest that was pushed before, existing or gone: a repeat, a second tag, or a new life.
    fn push_known(&mut self, repo: usize, tag: &str, caller: &Caller, now: u64) {
        let gone = self.repos[repo].departed();
        let from = if gone.is_empty() || self.rng.chance(40) { self.repos[repo].living() } else { gone };
        if from.is_empty() {
            return;
        }
        let digest = self.rng.pick(&from).clone();
        let held = self.repos[repo].alive(&digest).and_then(|life| life.tags.keys().next().cloned());
        let tag = held.filter(|_| self.rng.chance(60)).unwrap_or_else(|| tag.to_owned());
        let second = self.tick(repo, now);
        self.push_again(repo, &digest, &tag, caller, second);
    }

    fn push_again(&mut self, repo: usize, digest: &str, tag: &str, caller: &Caller, second: u64) {
        let Some(manifest) = self.repos[repo].manifests.get(digest).cloned() else { return };
        let archived = self.repos[repo].alive(digest).is_some_and(|life| life.archived);
        let missing_child = manifest.children.iter().any(|child| self.repos[repo].alive(child).is_none());
        if !archived && !missing_child {
            self.push(repo, &manifest, Some(tag), caller, second);
        }
    }

    /// The tag moves to a new build and back to the old one.
    fn revert(&mut self, repo: usize, tag: &str, caller: &Caller, now: u64) {
        let Some(former) = self.repos[repo].tags.get(tag).cloned() else {
            return self.build(repo, tag, caller, now);
        };
        self.build(repo, tag, caller, now);
        let second = self.tick(repo, now + 120);
        self.push_again(repo, &former, tag, caller, second);
    }

    /// One image with two tags, one of which moves on.
    fn second_tag(&mut self, repo: usize, tag: &str, caller: &Caller, now: u64) {
        let image = manifest::image(&mut self.rng);
        for tag in [tag, "stable"] {
            let second = self.tick(repo, now);
            self.push(repo, &image, Some(tag), caller, second);
        }
    }

    fn push_untagged(&mut self, repo: usize, caller: &Caller, now: u64) {
        let image = manifest::image(&mut self.rng);
        let second = self.tick(repo, now);
        self.push(repo, &image, None, caller, second);
    }

    fn denied(&mut self, repo: usize, tag: &str, caller: &Caller, now: u64) {
        let image = manifest::image(&mut self.rng);
        let second = self.tick(repo, now);
        let message = format!("User: {} is not authorized to perform: ecr:PutImage", caller.arn());
        let error = *self.rng.pick(&["AccessDenied", "AccessDeniedException"]);
        self.refuse(repo, &image, Some(tag), caller, second, error, message);
    }

    /// A push whose payload CloudTrail leaves out.
    fn omitted(&mut self, repo: usize, tag: &str, caller: &Caller, now: u64) {
        if !self.repos[repo].exists || self.repos[repo].refuses(tag) {
            return;
        }
        let image = manifest::image(&mut self.rng);
        let second = self.tick(repo, now);
        let only_response = self.rng.chance(40);
        let id = self.repos[repo].id.clone();
        let (request, response) = put_image(&id, &image, Some(tag));
        let call = put_call(&id, caller, second, request, response, None);
        let stamp = self.log_call_with(&call, |rng, record| {
            record::omit(rng, record, "responseElements");
            if !only_response {
                record::omit(rng, record, "requestParameters");
            }
        });
        self.repos[repo].certain &= only_response || second < self.trail_start;
        self.repos[repo].put(&image, Some(tag), &stamp);
    }

    /// `PutImage`, with ECR's answer.
    pub fn push(&mut self, repo: usize, image: &Manifest, tag: Option<&str>, caller: &Caller, second: u64) {
        let id = self.repos[repo].id.clone();
        if !self.repos[repo].exists {
            let message = format!(
                "The repository with name '{}' does not exist in the registry with id '{}'",
                id.name, id.registry
            );
            return self.refuse(repo, image, tag, caller, second, "RepositoryNotFoundException", message);
        }
        if let Some(tag) = tag.filter(|tag| self.repos[repo].refuses(tag)) {
            let message = format!(
                "The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the tag is immutable.",
                id.name
            );
            return self.refuse(
                repo,
                image,
                Some(tag),
                caller,
                second,
                "ImageTagAlreadyExistsException",
                message,
            );
        }
        if let Some(tag) = tag.filter(|tag| self.repos[repo].tags.get(*tag) == Some(&image.digest)) {
            let message = format!(
                "Image with digest '{}' and tag '{tag}' already exists in the repository with name '{}' in registry with id '{}'",
                image.digest, id.name, id.registry
            );
            return self.refuse(
                repo,
                image,
                Some(tag),
                caller,
                second,
                "ImageAlreadyExistsException",
                message,
            );
        }
        let (request, response) = put_image(&id, image, tag);
        let stamp = self.log_call(&put_call(&id, caller, second, request, response, None));
        self.repos[repo].put(image, tag, &stamp);
    }

    #[expect(clippy::too_many_arguments, reason = "a refused call has all of these parts")]
    pub fn refuse(
        &mut self,
        repo: usize,
        image: &Manifest,
        tag: Option<&str>,
        caller: &Caller,
        second: u64,
        code: &str,
        message: String,
    ) {
        let id = self.repos[repo].id.clone();
        let (request, _) = put_image(&id, image, tag);
        self.log_call(&put_call(&id, caller, second, request, Value::Null, Some((code, message))));
    }

    /// A clean-up job or a person deletes by tag, by digest, or by both, including some ids that cannot be
    /// deleted.
    pub fn clean(&mut self, repo: usize, now: u64) {
        let again = now + self.rng.range(10 * HOUR, 40 * HOUR);
        self.at(again, Job::Clean(repo));
        let living = self.repos[repo].living();
        if living.is_empty() || !self.repos[repo].exists {
            return;
        }
        let second = self.tick(repo, now);
        let mut ids = Vec::new();
        let mut chosen = living.clone();
        self.rng.shuffle(&mut chosen);
        for digest in chosen.into_iter().take(self.rng.range(1, 4) as usize) {
            let tag = self.repos[repo].alive(&digest).and_then(|life| life.tags.keys().next().cloned());
            match tag {
                Some(tag) if self.rng.chance(40) => ids.push(json!({"imageTag": tag})),
                Some(tag) if self.rng.chance(20) => ids.push(json!({"imageDigest": digest, "imageTag": tag})),
                _ => ids.push(json!({"imageDigest": digest})),
            }
        }
        if self.rng.chance(20) {
            ids.push(json!({"imageTag": "no-such-tag"}));
        }
        self.delete(repo, &ids, second);
    }

    pub fn delete(&mut self, repo: usize, ids: &[Value], second: u64) {
        let id = self.repos[repo].id.clone();
        let caller = Caller::new(&id.registry, "cleaner", "nightly", false);
        // The answer is computed on a copy, because the event must exist before the registry can refer to it.
        let mut after = self.repos[repo].clone();
        let stamp = Stamp { event: String::new(), second };
        let (removed, failures) = delete_answer(&mut after, ids, &stamp);
        let request = json!({"registryId": id.registry, "repositoryName": id.name, "imageIds": ids});
        let response = json!({"imageIds": removed, "failures": failures});
        let call = Call {
            source: "ecr.amazonaws.com",
            name: "BatchDeleteImage",
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
        delete_answer(&mut self.repos[repo], ids, &stamp);
    }
}

/// Deletes what can be deleted; returns what was deleted and what failed.
fn delete_answer(repo: &mut Repo, ids: &[Value], at: &Stamp) -> (Vec<Value>, Vec<Value>) {
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    for id in ids {
        let tag = id["imageTag"].as_str();
        let digest = id["imageDigest"].as_str().map(str::to_owned).or_else(|| repo.tags.get(tag?).cloned());
        let Some(digest) = digest.filter(|digest| repo.alive(digest).is_some()) else {
            failures.push(json!({"imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}));
            continue;
        };
        let tags: Vec<String> =
            repo.alive(&digest).map(|life| life.tags.keys().cloned().collect()).unwrap_or_default();
        if let Some(tag) = tag
            && !tags.iter().any(|held| held == tag)
        {
            failures.push(json!({"imageId": id, "failureCode": "ImageTagDoesNotMatchDigest", "failureReason": "Image tag does not match"}));
            continue;
        }
        let parents = repo.parents(&digest);
        let takes_image = tag.is_none() || tags.len() == 1;
        if takes_image && !parents.is_empty() {
            let reason = format!("Requested image referenced by manifest list: [{}]", parents.join(", "));
            failures.push(json!({"imageId": id, "failureCode": "ImageReferencedByManifestList", "failureReason": reason}));
            continue;
        }
        match tag {
            Some(tag) => {
                removed.push(json!({"imageDigest": digest, "imageTag": tag}));
                repo.untag(tag, at);
            }
            None => {
                removed.extend(tags.iter().map(|tag| json!({"imageDigest": digest, "imageTag": tag})));
                if tags.is_empty() {
                    removed.push(json!({"imageDigest": digest}));
                }
                repo.remove(&digest, "deleted", at);
            }
        }
    }
    (removed, failures)
}

/// Request and response of a PutImage.
fn put_image(id: &record::RepoId, image: &Manifest, tag: Option<&str>) -> (Value, Value) {
    let mut request = json!({"registryId": id.registry, "repositoryName": id.name, "imageManifest": image.text, "imageManifestMediaType": image.media_type});
    let mut image_id = json!({"imageDigest": image.digest});
    if let Some(tag) = tag {
        request["imageTag"] = json!(tag);
        image_id["imageTag"] = json!(tag);
    }
    let response = json!({"image": {"registryId": id.registry, "repositoryName": id.name, "imageId": image_id,
                                    "imageManifest": image.text, "imageManifestMediaType": image.media_type}});
    (request, response)
}

fn put_call<'a>(
    id: &'a record::RepoId,
    caller: &'a Caller,
    second: u64,
    request: Value,
    response: Value,
    error: Option<(&'a str, String)>,
) -> Call<'a> {
    Call {
        source: "ecr.amazonaws.com",
        name: "PutImage",
        caller,
        region: &id.region,
        second,
        request,
        response,
        repo: Some(id),
        read_only: false,
        error,
    }
}
