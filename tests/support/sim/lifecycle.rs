//! ECR and its administrators: lifecycle runs, previews, the archive, policies, mutability, and creation and
//! deletion of repositories.

use serde_json::{Value, json};

use super::clock::{self, DAY, HOUR, MINUTE};
use super::policy::{Policy, Rule};
use super::record::{Call, Caller, RepoId};
use super::registry::{Life, Repo};
use super::world::{Job, World};

/// An image taken by a run: its entry in the event, its digest, and whether it is archived.
struct Taken {
    entry: Value,
    digest: String,
    transition: bool,
}

impl World {
    /// One run of the repository's policy; the next one follows within a day.
    pub fn policy_run(&mut self, repo: usize, now: u64) {
        let again = now + self.rng.range(9 * HOUR, 24 * HOUR);
        self.at(again, Job::Policy(repo));
        let Some(policy) = self.repos[repo].policy.clone().filter(|_| self.repos[repo].exists) else {
            return;
        };
        let second = self.tick(repo, now);
        let (taken, failures) = evaluate(&self.repos[repo], &policy, second);
        let chunk = if taken.len() < 10 { taken.len().max(1) } else { self.rng.range(4, 9) as usize };
        let mut chunks: Vec<&[Taken]> = taken.chunks(chunk).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let policy_part = self.policy_part(repo, &policy);
        for (number, part) in chunks.into_iter().enumerate() {
            let second = if number == 0 { second } else { self.tick(repo, second) };
            let entries: Vec<&Value> = part.iter().map(|taken| &taken.entry).collect();
            let mut details = json!({"repositoryName": self.repos[repo].id.name, "lifecycleEventPolicy": policy_part, "lifecycleEventImageActions": entries});
            if number == 0 {
                details["lifecycleEventFailureDetails"] = json!(failures);
            }
            let stamp = self.log_service_event("PolicyExecutionEvent", repo, second, details);
            for taken in part {
                if taken.transition {
                    if let Some(life) = self.repos[repo].last_life(&taken.digest) {
                        life.archived = true;
                    }
                } else {
                    self.repos[repo].remove(&taken.digest, "expired", &stamp);
                }
            }
        }
        self.repos[repo].evaluated_at_ms = second * 1_000 + 108;
    }

    pub fn policy_part(&self, repo: usize, policy: &Policy) -> Value {
        let rules: Vec<Value> = policy.rules.iter().map(Rule::to_event).collect();
        let repo = &self.repos[repo];
        json!({"lifecycleEventRules": rules, "lastEvaluatedAt": repo.evaluated_at_ms, "policyVersion": repo.policy_version, "policyId": repo.policy_id})
    }

    /// A preview of some policy, which removes nothing.
    fn dry_run(&mut self, repo: usize, second: u64) {
        let policy = Policy::any(&mut self.rng);
        let (taken, _) = evaluate(&self.repos[repo], &policy, second + DAY);
        let entries: Vec<&Value> = taken.iter().map(|taken| &taken.entry).collect();
        let details = json!({"repositoryName": self.repos[repo].id.name, "lifecycleEventPolicy": self.policy_part(repo, &policy),
                             "lifecycleEventImageActions": entries, "lifecycleEventFailureDetails": []});
        self.log_service_event("DryRunEvent", repo, second, details);
    }

    /// An occasional action of an administrator.
    pub fn admin(&mut self, repo: usize, now: u64) {
        let again = now + self.rng.range(8 * HOUR, 36 * HOUR);
        self.at(again, Job::Admin(repo));
        if !self.repos[repo].exists {
            return;
        }
        let second = self.tick(repo, now);
        match self.rng.range(0, 100) {
            0..20 => self.put_policy(repo, second),
            20..25 => self.delete_policy(repo, second),
            25..40 => self.dry_run(repo, second),
            40..55 => self.set_mutability(repo, second),
            55..75 => self.archive(repo, second),
            75..85 => self.restore(repo, second),
            85..90 => self.delete_repository(repo, second),
            90..96 => self.exclude(repo, second),
            _ => self.admin_call(
                repo,
                "SetRepositoryPolicy",
                second,
                json!({"policyText": "{\"Version\":\"2012-10-17\"}"}),
                json!({}),
            ),
        }
    }

    /// A call of the administrator; `request` gets the repository's name.
    pub fn admin_call(&mut self, repo: usize, name: &str, second: u64, mut request: Value, response: Value) {
        let id = self.repos[repo].id.clone();
        let caller = Caller::new(&id.registry, "Admin", "mary_major", false);
        request["repositoryName"] = json!(id.name);
        let call = Call {
            source: "ecr.amazonaws.com",
            name,
            caller: &caller,
            region: &id.region,
            second,
            request,
            response,
            repo: Some(&id),
            read_only: false,
            error: None,
        };
        self.log_call(&call);
    }

    /// Adds a role to the registry's list of excluded principals, or removes it.
    fn exclude(&mut self, repo: usize, second: u64) {
        if second < self.trail_start {
            return;
        }
        let id = self.repos[repo].id.clone();
        let role = *self.rng.pick(&["NodeInstanceRole", "ecsTaskExecutionRole"]);
        let own = |(registry, region, excluded, _, until): &&mut (String, String, String, u64, u64)| {
            *registry == id.registry && *region == id.region && excluded == role && *until == u64::MAX
        };
        let name = match self.excluded.iter_mut().find(own) {
            Some(span) => {
                span.4 = second;
                "DeregisterPullTimeUpdateExclusion"
            }
            None => {
                self.excluded.push((
                    id.registry.clone(),
                    id.region.clone(),
                    role.to_owned(),
                    second,
                    u64::MAX,
                ));
                "RegisterPullTimeUpdateExclusion"
            }
        };
        let principal = json!({"principalArn": format!("arn:aws:iam::{}:role/service/{role}", id.registry)});
        self.registry_call(&id, name, second, principal.clone(), principal);
    }

    /// A call of the administrator about the registry.
    pub fn registry_call(&mut self, id: &RepoId, name: &str, second: u64, request: Value, response: Value) {
        let caller = Caller::new(&id.registry, "Admin", "mary_major", false);
        let call = Call {
            source: "ecr.amazonaws.com",
            name,
            caller: &caller,
            region: &id.region,
            second,
            request,
            response,
            repo: None,
            read_only: false,
            error: None,
        };
        self.log_call(&call);
    }

    /// The settings for repositories that ECR creates on a push, if this is the only one with the prefix.
    fn put_template(&mut self, repo: usize, second: u64) -> Policy {
        let id = self.repos[repo].id.clone();
        let policy = Policy::any(&mut self.rng);
        let prefix = id.name.split_once('/').map_or("ROOT", |(prefix, _)| prefix);
        let template =
            json!({"prefix": prefix, "appliedFor": ["CREATE_ON_PUSH"], "lifecyclePolicy": policy.to_text()});
        let response = json!({"registryId": id.registry, "repositoryCreationTemplate": template});
        self.registry_call(&id, "CreateRepositoryCreationTemplate", second, template, response);
        policy
    }

    pub fn put_policy(&mut self, repo: usize, second: u64) {
        let policy = Policy::any(&mut self.rng);
        self.put_this_policy(repo, policy, second);
    }

    pub fn put_this_policy(&mut self, repo: usize, policy: Policy, second: u64) {
        let id = self.repos[repo].id.clone();
        let text = policy.to_text();
        let response =
            json!({"registryId": id.registry, "repositoryName": id.name, "lifecyclePolicyText": text});
        self.admin_call(repo, "PutLifecyclePolicy", second, json!({"lifecyclePolicyText": text}), response);
        self.repos[repo].policy = Some(policy);
        self.repos[repo].policy_version += 1;
        self.repos[repo].policy_id = self.rng.uuid();
    }

    fn delete_policy(&mut self, repo: usize, second: u64) {
        let Some(policy) = self.repos[repo].policy.take() else { return };
        let id = self.repos[repo].id.clone();
        let response = json!({"registryId": id.registry, "repositoryName": id.name, "lifecyclePolicyText": policy.to_text(), "lastEvaluatedAt": clock::java_locale(second)});
        self.admin_call(repo, "DeleteLifecyclePolicy", second, json!({}), response);
    }

    fn set_mutability(&mut self, repo: usize, second: u64) {
        let (word, excluded) = *self.rng.pick(&[
            ("MUTABLE", None),
            ("MUTABLE", None),
            ("IMMUTABLE", Some("")),
            ("IMMUTABLE_WITH_EXCLUSION", Some("latest")),
        ]);
        let mut request = json!({"imageTagMutability": word});
        if word == "IMMUTABLE_WITH_EXCLUSION" {
            request["imageTagMutabilityExclusionFilters"] =
                json!([{"filterType": "WILDCARD", "filter": "latest*"}]);
        }
        self.admin_call(repo, "PutImageTagMutability", second, request.clone(), request);
        self.repos[repo].immutable = excluded.map(str::to_owned);
    }

    /// An image is archived by a call, but never a child of an index.
    fn archive(&mut self, repo: usize, second: u64) {
        let free = |digest: &String| {
            self.repos[repo].pullable(digest) && self.repos[repo].parents(digest).is_empty()
        };
        let living: Vec<String> = self.repos[repo].living().into_iter().filter(free).collect();
        if living.is_empty() {
            return;
        }
        let digest = self.rng.pick(&living).clone();
        self.storage_class(repo, &digest, "ARCHIVE", "ARCHIVED", second);
        if let Some(life) = self.repos[repo].last_life(&digest) {
            life.archived = true;
        }
    }

    fn restore(&mut self, repo: usize, second: u64) {
        let archived: Vec<String> = self.repos[repo]
            .living()
            .into_iter()
            .filter(|digest| !self.repos[repo].pullable(digest))
            .collect();
        if archived.is_empty() {
            return;
        }
        let digest = self.rng.pick(&archived).clone();
        self.storage_class(repo, &digest, "STANDARD", "ACTIVATING", second);
        let done = second + self.rng.range(MINUTE, 20 * MINUTE);
        self.at(done, Job::Activated { repo, digest });
    }

    fn storage_class(&mut self, repo: usize, digest: &str, target: &str, status: &str, second: u64) {
        let id = self.repos[repo].id.clone();
        let image_id = json!({"imageDigest": digest});
        let request = json!({"imageId": image_id, "targetStorageClass": target, "registryId": id.registry});
        let flat = json!({"registryId": id.registry, "repositoryName": id.name, "imageId": image_id, "imageStatus": status});
        let response = if self.rng.chance(50) { flat } else { json!({"image": flat}) };
        self.admin_call(repo, "UpdateImageStorageClass", second, request, response);
    }

    pub fn activated(&mut self, repo: usize, digest: &str, now: u64) {
        if self.repos[repo].alive(digest).is_none_or(|life| !life.archived) {
            return;
        }
        let second = self.tick(repo, now);
        let details = json!({"repositoryName": self.repos[repo].id.name, "imageDigest": digest, "targetStorageClass": "STANDARD", "result": "SUCCESS", "imageStatus": "ACTIVE"});
        self.log_service_event("ImageActivationEvent", repo, second, details);
        if let Some(life) = self.repos[repo].last_life(digest) {
            life.archived = false;
            life.activated_at = Some(second);
        }
    }

    fn delete_repository(&mut self, repo: usize, second: u64) {
        let id = self.repos[repo].id.clone();
        let caller = Caller::new(&id.registry, "Admin", "mary_major", false);
        let request = json!({"repositoryName": id.name, "force": true});
        let response = json!({"repository": described(&id, second)});
        let call = Call {
            source: "ecr.amazonaws.com",
            name: "DeleteRepository",
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
        self.repos[repo].delete_all(&stamp);
        let back = second + self.rng.range(HOUR, 20 * HOUR);
        self.at(back, Job::Recreate(repo));
    }

    /// The repository is created, mostly with a policy.
    pub fn create_repository(&mut self, repo: usize, now: u64) {
        let second = self.tick(repo, now);
        let id = self.repos[repo].id.clone();
        if self.rng.chance(20) && second > self.trail_start {
            return self.create_on_push(repo, second);
        }
        self.admin_call(
            repo,
            "CreateRepository",
            second,
            json!({"imageTagMutability": "MUTABLE"}),
            json!({"repository": described(&id, second)}),
        );
        self.repos[repo].exists = true;
        self.repos[repo].existence.push((second, true));
        if self.rng.chance(90) {
            let second = self.tick(repo, now + 2);
            self.put_policy(repo, second);
        }
    }
}

impl World {
    /// ECR creates the repository on a push, and no event shows its policy.
    fn create_on_push(&mut self, repo: usize, second: u64) {
        let policy = self.put_template(repo, second);
        let second = self.tick(repo, second + 1);
        let id = self.repos[repo].id.clone();
        let caller = Caller::new(&id.registry, "ci-push", "GitHubActions", true);
        let call = Call {
            source: "ecr.amazonaws.com",
            name: "CreateRepository",
            caller: &caller,
            region: &id.region,
            second,
            request: json!({"repositoryName": id.name}),
            response: json!({"repository": described(&id, second)}),
            repo: Some(&id),
            read_only: false,
            error: None,
        };
        self.log_call(&call);
        self.repos[repo].exists = true;
        self.repos[repo].policy = Some(policy);
        self.repos[repo].policy_version += 1;
        self.repos[repo].policy_id = self.rng.uuid();
    }
}

pub fn described(id: &RepoId, second: u64) -> Value {
    json!({"repositoryArn": id.arn(), "repositoryName": id.name, "repositoryUri": id.uri(), "registryId": id.registry, "createdAt": clock::java_locale(second)})
}

/// The images that a run takes, and those that it cannot take because an index lists them.
fn evaluate(repo: &Repo, policy: &Policy, second: u64) -> (Vec<Taken>, Vec<Value>) {
    let (mut taken, mut failures) = (Vec::new(), Vec::new());
    for (digest, rule) in policy.evaluate(&repo.candidates(), second) {
        let Some(life) = repo.alive(&digest) else { continue };
        let mut entry = entry(&digest, life, &rule);
        let parents = repo.parents(&digest);
        if parents.is_empty() || repo.unguarded.contains(&digest) {
            taken.push(Taken { entry, digest, transition: rule.transition });
        } else {
            entry["failureCode"] = json!("ImageReferencedByManifestList");
            entry["failureReason"] =
                json!(format!("Requested image referenced by manifest list: [{}]", parents.join(", ")));
            failures.push(entry);
        }
    }
    (taken, failures)
}

fn entry(digest: &str, life: &Life, rule: &Rule) -> Value {
    let tags: Vec<&String> = life.tags.keys().collect();
    let status = if tags.is_empty() { "Untagged" } else { "Tagged" };
    json!({"lifecycleEventImage": {"digest": digest, "tagStatus": status, "tagList": tags, "pushedAt": life.start * 1_000}, "rulePriority": rule.priority})
}
