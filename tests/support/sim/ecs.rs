//! Users of images: ECS services that pin digests, their tasks, people, and unrelated calls of an account.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::clock::{HOUR, MINUTE};
use super::record::{Call, Caller, RepoId};
use super::registry::Pull;
use super::rng::Rng;
use super::world::{Job, OTHER, OWNER, TagAsk, World};

/// A deployment, and the digest that its tasks request from then on.
#[derive(Debug, Clone)]
pub struct Deployment {
    pub second: u64,
    /// `None` if the tag was on no image.
    pub pins: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Service {
    pub repo: usize,
    pub name: String,
    pub account: String,
    pub region: String,
    /// The tag in its task definition.
    pub tag: String,
    /// Whether it runs on EC2, where the agent reports digests and stop reasons. Otherwise it runs on
    /// Fargate, where the session name is the task's id.
    pub on_ec2: bool,
    pub revision: u64,
    pub deployments: Vec<Deployment>,
    /// ARNs of the running EC2 tasks.
    pub tasks: Vec<String>,
}

impl Service {
    pub fn new(rng: &mut Rng, repo: usize, id: &RepoId, number: u64) -> Self {
        let account = if rng.chance(75) { id.registry.clone() } else { other(&id.registry).to_owned() };
        let name = format!("svc-{}-{number}", id.name.replace('/', "-"));
        let tag = (*rng.pick(&["latest", "main", "release-1", "stable"])).to_owned();
        Self {
            repo,
            name,
            account,
            region: id.region.clone(),
            tag,
            on_ec2: rng.chance(50),
            revision: rng.range(0, 40),
            deployments: Vec::new(),
            tasks: Vec::new(),
        }
    }

    fn pinned(&self) -> Option<&String> {
        self.deployments.last()?.pins.as_ref()
    }
}

fn other(account: &str) -> &'static str {
    if account == OWNER { OTHER } else { OWNER }
}

/// Roles that only scan images.
const SCANNERS: &[&str] = &["AWSServiceRoleForAmazonInspector2", "SnykServiceRole"];

impl World {
    fn ecs_call(&mut self, service: usize, name: &str, second: u64, request: Value, response: Value) {
        let Service { account, region, .. } = self.services[service].clone();
        let caller = Caller::new(&account, "deployer", "pipeline", false);
        let call = Call {
            source: "ecs.amazonaws.com",
            name,
            caller: &caller,
            region: &region,
            second,
            request,
            response,
            repo: None,
            read_only: false,
            error: None,
        };
        self.log_call(&call);
    }

    /// A new task definition and deployment: the tag is resolved now, and the digest stays pinned.
    pub fn deploy(&mut self, service: usize, now: u64) {
        let again = now + self.rng.range(8 * HOUR, 60 * HOUR);
        self.at(again, Job::Deploy(service));
        let repo = self.services[service].repo;
        let tag = self.services[service].tag.clone();
        let Some(digest) = self.repos[repo].tags.get(&tag).cloned() else { return self.retarget(service) };
        let registered = self.tick(repo, now);
        self.register(service, registered, &tag, &digest);
        let updated = self.tick(repo, now + 1);
        self.update_service(service, updated);
        self.services[service].deployments.push(Deployment { second: updated, pins: Some(digest.clone()) });
        let first_task = self.tick(repo, updated + 1);
        if self.repos[repo].pullable(&digest) {
            self.task_pull(service, json!({"imageTag": tag}), &digest, false, first_task);
        }
        if self.services[service].on_ec2 {
            self.stop_tasks(service, now);
            let task = self.new_task(service);
            self.task_state(service, &task, &digest, "PENDING", None, now);
            self.services[service].tasks.push(task);
        }
        let next = now + self.rng.range(HOUR, 20 * HOUR);
        self.at(next, Job::ScaleOut(service));
    }

    /// No image has the service's tag, so it will use another one.
    fn retarget(&mut self, service: usize) {
        let tags: Vec<String> = self.repos[self.services[service].repo].tags.keys().cloned().collect();
        if !tags.is_empty() {
            self.services[service].tag = self.rng.pick(&tags).clone();
        }
    }

    fn register(&mut self, service: usize, second: u64, tag: &str, digest: &str) {
        self.services[service].revision += 1;
        let Service { repo, name, account, region, revision, .. } = self.services[service].clone();
        let uri = self.repos[repo].id.uri();
        let image = match self.rng.range(0, 10) {
            0 => format!("{uri}@{digest}"),
            1 => format!("{uri}:{tag}@{digest}"),
            _ => format!("{uri}:{tag}"),
        };
        let containers = json!([{"name": "app", "image": image, "essential": true}, {"name": "proxy", "image": "public.ecr.aws/nginx/nginx:latest"}]);
        let arn = format!("arn:aws:ecs:{region}:{account}:task-definition/{name}:{revision}");
        let request = json!({"family": name, "containerDefinitions": containers, "cpu": "256", "memory": "512", "networkMode": "awsvpc"});
        let response = json!({"taskDefinition": {"taskDefinitionArn": arn, "family": name, "revision": revision, "status": "ACTIVE", "containerDefinitions": containers}});
        self.ecs_call(service, "RegisterTaskDefinition", second, request, response);
    }

    fn update_service(&mut self, service: usize, second: u64) {
        let Service { name, account, region, revision, deployments, .. } = self.services[service].clone();
        let arn = format!("arn:aws:ecs:{region}:{account}:task-definition/{name}:{revision}");
        let definition = match self.rng.range(0, 3) {
            0 => arn.clone(),
            1 => name.clone(),
            _ => format!("{name}:{revision}"),
        };
        let response = json!({"service": {"serviceArn": format!("arn:aws:ecs:{region}:{account}:service/prod/{name}"), "serviceName": name, "taskDefinition": arn,
                              "deployments": [{"id": "ecs-svc/123", "status": "PRIMARY", "taskDefinition": arn}]}});
        if deployments.is_empty() {
            let request = json!({"cluster": "prod", "serviceName": name, "taskDefinition": definition, "desiredCount": 2});
            return self.ecs_call(service, "CreateService", second, request, response);
        }
        let request = json!({"cluster": "prod", "service": name, "taskDefinition": definition, "forceNewDeployment": true});
        self.ecs_call(service, "UpdateService", second, request, response);
    }

    /// A task requests the image: by tag the first time, by digest afterwards.
    fn task_pull(&mut self, service: usize, image_id: Value, digest: &str, by_digest: bool, second: u64) {
        let Service { repo, account, on_ec2, .. } = self.services[service].clone();
        let session = if on_ec2 { format!("i-{}", self.rng.hex(17)) } else { self.rng.hex(32) };
        let role = if on_ec2 { "ecsInstanceRole" } else { "ecsTaskExecutionRole" };
        let caller = Caller::new(&account, role, &session, true);
        self.batch_get(repo, &caller, image_id, second);
        self.note_pull(repo, digest, by_digest, second, &caller);
        if by_digest && self.repos[repo].pullable(digest) && self.rng.chance(40) {
            self.download_layer(repo, &caller, digest, second);
        }
    }

    pub fn batch_get(&mut self, repo: usize, caller: &Caller, image_id: Value, second: u64) {
        let id = self.repos[repo].id.clone();
        let request = json!({"registryId": id.registry, "repositoryName": id.name, "imageIds": [image_id], "acceptedMediaTypes": ["application/vnd.oci.image.index.v1+json"]});
        let call = Call {
            source: "ecr.amazonaws.com",
            name: "BatchGetImage",
            caller,
            region: &id.region,
            second,
            request,
            response: Value::Null,
            repo: Some(&id),
            read_only: true,
            error: None,
        };
        self.log_call(&call);
    }

    fn download_layer(&mut self, repo: usize, caller: &Caller, digest: &str, second: u64) {
        let id = self.repos[repo].id.clone();
        let Some(layer) =
            self.repos[repo].manifests.get(digest).and_then(|manifest| manifest.layers.first().cloned())
        else {
            return;
        };
        let request = json!({"registryId": id.registry, "repositoryName": id.name, "layerDigest": layer});
        let call = Call {
            source: "ecr.amazonaws.com",
            name: "GetDownloadUrlForLayer",
            caller,
            region: &id.region,
            second,
            request,
            response: Value::Null,
            repo: Some(&id),
            read_only: true,
            error: None,
        };
        self.log_call(&call);
    }

    /// Pulls by scanners and excluded principals do not show a need.
    pub fn note_pull(&mut self, repo: usize, digest: &str, by_digest: bool, second: u64, caller: &Caller) {
        let id = &self.repos[repo].id;
        let own = |(registry, region, role, from, until): &(String, String, String, u64, u64)| {
            *registry == id.registry
                && *region == id.region
                && caller.account == *registry
                && *role == caller.role
                && (*from..*until).contains(&second)
        };
        let idle = SCANNERS.contains(&caller.role.as_str()) || self.excluded.iter().any(own);
        if second >= self.trail_start
            && !idle
            && let Some(life) = self.repos[repo].last_life(digest)
        {
            life.pulls.push(Pull { second, by_digest });
        }
    }

    fn new_task(&mut self, service: usize) -> String {
        let Service { account, region, .. } = self.services[service].clone();
        format!("arn:aws:ecs:{region}:{account}:task/prod/{}", self.rng.hex(32))
    }

    /// The tasks of the previous deployment stop.
    fn stop_tasks(&mut self, service: usize, now: u64) {
        for task in std::mem::take(&mut self.services[service].tasks) {
            let second = self.tick(self.services[service].repo, now);
            let request = json!({"cluster": "prod", "task": task, "status": "STOPPED", "reason": "Scaling activity initiated by (deployment ecs-svc/123)"});
            self.ecs_call(service, "SubmitTaskStateChange", second, request, Value::Null);
        }
    }

    /// The agent of an EC2 task reports its state.
    fn task_state(
        &mut self,
        service: usize,
        task: &str,
        digest: &str,
        status: &str,
        reason: Option<String>,
        now: u64,
    ) {
        let repo = self.services[service].repo;
        let second = self.tick(repo, now);
        let container = match &reason {
            Some(_) => {
                json!({"containerName": "app", "status": status, "reason": "CannotPullContainerError: ..."})
            }
            None => json!({"containerName": "app", "imageDigest": digest, "status": status}),
        };
        let mut request =
            json!({"cluster": "prod", "task": task, "status": status, "containers": [container]});
        if let Some(reason) = &reason {
            request["reason"] = json!(reason);
            if second >= self.trail_start
                && let Some(life) = self.repos[repo].last_life(digest)
            {
                life.stops.push(second);
            }
        }
        self.ecs_call(service, "SubmitTaskStateChange", second, request, Value::Null);
    }

    /// A new task of the same deployment requests the pinned digest, whether or not it still exists.
    pub fn scale_out(&mut self, service: usize, now: u64) {
        let again = now + self.rng.range(4 * HOUR, 24 * HOUR);
        if self.rng.chance(70) {
            self.at(again, Job::ScaleOut(service));
        }
        let repo = self.services[service].repo;
        let Some(digest) = self.services[service].pinned().cloned().filter(|_| self.repos[repo].exists)
        else {
            return;
        };
        let second = self.tick(repo, now);
        self.task_pull(service, json!({"imageDigest": digest}), &digest, true, second);
        if self.repos[repo].pullable(&digest) {
            let child = self.repos[repo]
                .manifests
                .get(&digest)
                .and_then(|manifest| manifest.children.first().cloned());
            if let Some(child) = child {
                let second = self.tick(repo, second + 1);
                self.task_pull(service, json!({"imageDigest": child}), &child, true, second);
            }
        } else if self.services[service].on_ec2 {
            let reference = format!("{}:{}@{digest}", self.repos[repo].id.uri(), self.services[service].tag);
            let reason = format!(
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: {reference}: not found"
            );
            let task = self.new_task(service);
            self.task_state(service, &task, &digest, "STOPPED", Some(reason), second + 20);
        }
    }

    /// A node, a scanner or a person pulls something, by tag or digest, existing or not.
    pub fn casual_pull(&mut self, repo: usize, now: u64) {
        let again = now + self.rng.range(30 * MINUTE, 10 * HOUR);
        self.at(again, Job::Pull(repo));
        if !self.repos[repo].exists {
            return;
        }
        let registry = self.repos[repo].id.registry.clone();
        let account = if self.rng.chance(25) { other(&registry) } else { &registry };
        let scanner = self.rng.chance(15);
        let caller = match scanner {
            true => Caller::new(
                &registry,
                SCANNERS[self.rng.range(0, SCANNERS.len() as u64) as usize],
                "scan",
                false,
            ),
            false => Caller::new(account, "NodeInstanceRole", "i-07b5e96ee6f17fb92", true),
        };
        let tags: Vec<(String, String)> = self.repos[repo].tags.clone().into_iter().collect();
        let departed = self.repos[repo].departed();
        let living = self.repos[repo].living();
        match self.rng.range(0, 10) {
            0..4 if !tags.is_empty() => {
                let (tag, digest) = self.rng.pick(&tags).clone();
                let second = self.tick(repo, now);
                self.batch_get(repo, &caller, json!({"imageTag": tag}), second);
                self.note_pull(repo, &digest, false, second, &caller);
            }
            4 if !departed.is_empty() => self.pull_by_digest(repo, &caller, &departed, now),
            5 if !living.is_empty() => self.denied_pull(repo, &caller, &living, now),
            _ if !living.is_empty() => self.pull_by_digest(repo, &caller, &living, now),
            _ => {}
        }
    }

    /// Nodes that still use a tag request it when no image has it any more. Added at the end with random
    /// numbers of its own, so that earlier events of a seed do not change.
    pub fn ask_for_departed_tags(&mut self) {
        let mut own = Rng::new(self.seed.wrapping_mul(31).wrapping_add(17));
        let mut taken: BTreeSet<u64> = self.logged.iter().map(|logged| logged.second).collect();
        let mut chosen: Vec<(usize, String, u64)> = Vec::new();
        for (index, repo) in self.repos.iter().enumerate() {
            for span in &repo.spans {
                let Some((from, how)) = span.until.filter(|(_, how)| *how != "moved") else { continue };
                let next = repo
                    .spans
                    .iter()
                    .filter(|other| other.tag == span.tag && other.from >= from)
                    .map(|other| other.from)
                    .min();
                let from = from.max(self.trail_start);
                let second = own.range(from + 1, next.unwrap_or(self.end));
                let is_free = second > from
                    && second < next.unwrap_or(self.end)
                    && repo.existed(second)
                    && !taken.contains(&second);
                if is_free && own.chance(if how == "removed" { 80 } else { 15 }) {
                    taken.insert(second);
                    chosen.push((index, span.tag.clone(), second));
                }
            }
        }
        std::mem::swap(&mut self.rng, &mut own);
        for (repo, tag, second) in chosen {
            // A role that no registry excludes.
            let caller = Caller::new(
                &self.repos[repo].id.registry.clone(),
                "KubernetesNode",
                "i-07b5e96ee6f17fb92",
                true,
            );
            self.batch_get(repo, &caller, json!({"imageTag": tag}), second);
            self.tag_asks.push(TagAsk { repo, tag, second });
        }
        std::mem::swap(&mut self.rng, &mut own);
    }

    fn pull_by_digest(&mut self, repo: usize, caller: &Caller, from: &[String], now: u64) {
        let digest = self.rng.pick(from).clone();
        let second = self.tick(repo, now);
        self.batch_get(repo, caller, json!({"imageDigest": digest}), second);
        self.note_pull(repo, &digest, true, second, caller);
    }

    /// A pull is refused, whether or not the image exists.
    fn denied_pull(&mut self, repo: usize, caller: &Caller, from: &[String], now: u64) {
        let digest = self.rng.pick(from).clone();
        let second = self.tick(repo, now);
        let id = self.repos[repo].id.clone();
        let message = format!("User: {} is not authorized to perform: ecr:BatchGetImage", caller.arn());
        let request = json!({"registryId": id.registry, "repositoryName": id.name, "imageIds": [{"imageDigest": digest}]});
        let call = Call {
            source: "ecr.amazonaws.com",
            name: "BatchGetImage",
            caller,
            region: &id.region,
            second,
            request,
            response: Value::Null,
            repo: Some(&id),
            read_only: true,
            error: Some(("AccessDenied", message)),
        };
        self.log_call(&call);
    }

    /// Unrelated calls, which are most of a real trail.
    pub fn noise(&mut self, now: u64) {
        const CALLS: &[(&str, &str)] = &[
            ("ec2.amazonaws.com", "DescribeInstances"),
            ("sts.amazonaws.com", "AssumeRole"),
            ("kms.amazonaws.com", "Decrypt"),
            ("s3.amazonaws.com", "PutBucketPolicy"),
            ("ecr.amazonaws.com", "GetAuthorizationToken"),
            ("ecr.amazonaws.com", "DescribeRepositories"),
            ("ecr.amazonaws.com", "InitiateLayerUpload"),
            ("ecs.amazonaws.com", "DescribeServices"),
        ];
        let again = now + self.rng.range(10 * MINUTE, 8 * HOUR);
        self.at(again, Job::Noise);
        let (source, name) = *self.rng.pick(CALLS);
        let account = if self.rng.chance(70) { OWNER } else { OTHER };
        let region = if self.rng.chance(70) { "eu-central-1" } else { "us-east-1" };
        let caller = Caller::new(account, "engineer", "someone", self.rng.chance(30));
        let request = json!({"nested": {"text": "{\"Records\":[{\"eventName\":\"PutImage\"}]}", "braces": "}]{["}, "repositoryName": "not-a-repository"});
        let call = Call {
            source,
            name,
            caller: &caller,
            region,
            second: now,
            request,
            response: Value::Null,
            repo: None,
            read_only: true,
            error: None,
        };
        self.log_call(&call);
    }
}
