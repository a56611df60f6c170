//! Changes of pull permissions, by a repository's policy or a role's permissions. Some callers are refused
//! then, and some were refused before.

use serde_json::{Value, json};

use crate::sim::record::{Call, Caller};
use crate::sim::world::{OTHER, OWNER, World};

/// Account, role, session.
const CALLERS: &[(&str, &str, &str)] = &[
    (OWNER, "task-exec", "0123456789abcdef0123456789abcdef"),
    (OWNER, "web-node", "i-07b5e96ee6f17fb92"),
    (OTHER, "their-node", "i-0a1b2c3d4e5f60718"),
    (OTHER, "their-deployer", "deploy"),
];

impl World {
    pub fn play_access(&mut self, number: usize, now: u64) {
        let repo = self.scenes[number].repo;
        match self.rng.range(0, 16) {
            0..3 => _ = self.scene_build(number, now),
            3 => {
                let name = *self.rng.pick(&["SetRepositoryPolicy", "DeleteRepositoryPolicy"]);
                let second = self.tick(repo, now);
                self.admin_call(
                    repo,
                    name,
                    second,
                    json!({"policyText": "{\"Version\":\"2012-10-17\"}"}),
                    json!({}),
                );
            }
            4 => {
                let (name, request) = match self.rng.range(0, 3) {
                    0 => (
                        "DetachRolePolicy",
                        json!({"roleName": "task-exec", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
                    ),
                    1 => (
                        "PutRolePolicy",
                        json!({"roleName": "web-node", "policyName": "pull", "policyDocument": "{}"}),
                    ),
                    _ => ("DeleteRolePolicy", json!({"roleName": "somebody-else", "policyName": "pull"})),
                };
                let second = self.tick(repo, now);
                self.service_call("iam.amazonaws.com", name, "us-east-1", second, request, Value::Null, None);
            }
            5..10 => self.call_of_somebody(repo, now, false),
            10..14 => self.call_of_somebody(repo, now, true),
            _ => self.refused_task(repo, now),
        }
    }

    fn call_of_somebody(&mut self, repo: usize, now: u64, refused: bool) {
        let living = self.repos[repo].living();
        if living.is_empty() {
            return;
        }
        // Few images, so that some are requested more than once.
        let digest = living[self.rng.index(living.len().min(2))].clone();
        let (account, role, session) = *self.rng.pick(CALLERS);
        let caller = Caller::new(account, role, session, true);
        let second = self.tick(repo, now);
        if !refused {
            self.batch_get(repo, &caller, json!({"imageDigest": digest}), second);
            return self.note_pull(repo, &digest, true, second, &caller);
        }
        let id = self.repos[repo].id.clone();
        let message = format!("User: {} is not authorized to perform: ecr:BatchGetImage", caller.arn());
        let request = json!({"registryId": id.registry, "repositoryName": id.name, "imageIds": [{"imageDigest": digest}]});
        let call = Call {
            source: "ecr.amazonaws.com",
            name: "BatchGetImage",
            caller: &caller,
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

    fn refused_task(&mut self, repo: usize, now: u64) {
        let living = self.repos[repo].living();
        if living.is_empty() {
            return;
        }
        let digest = living[self.rng.index(living.len().min(2))].clone();
        let uri = self.repos[repo].id.uri();
        let reason = format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {uri}@{digest}: unexpected status from HEAD request: 403 Forbidden"
        );
        self.scene_stop(repo, &reason, now);
        self.note_stop(repo, &digest);
    }
}
