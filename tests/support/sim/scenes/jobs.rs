//! Batch, SageMaker, CodeBuild, and App Runner services with manual deployments: each names images, and needs
//! them until it is deleted.

use serde_json::{Value, json};

use crate::sim::world::{OWNER, World};

const REGION: &str = "eu-central-1";

impl World {
    pub fn play_jobs(&mut self, number: usize, now: u64) {
        let repo = self.scenes[number].repo;
        let kind = self.rng.range(0, 14);
        match kind {
            0..4 => _ = self.scene_build(number, now),
            4 | 5 => self.batch(number, now),
            6 | 7 => self.code_build(number, now),
            8 | 9 => self.endpoint(number, now),
            10 | 11 => self.app_runner(number, now),
            _ => {
                if let Some(digest) = self.some_digest(repo) {
                    self.node_pull(repo, json!({"imageDigest": digest}), &digest, true, now);
                }
            }
        }
    }

    /// Some existing image, by one of its tags or its digest.
    fn some_image(&mut self, number: usize) -> Option<String> {
        let repo = self.scenes[number].repo;
        let tags: Vec<(String, String)> = self.repos[repo].tags.clone().into_iter().collect();
        if tags.is_empty() {
            return None;
        }
        let (tag, digest) = self.rng.pick(&tags).clone();
        let uri = self.repos[repo].id.uri();
        Some(if self.rng.chance(30) { format!("{uri}@{digest}") } else { format!("{uri}:{tag}") })
    }

    fn batch(&mut self, number: usize, now: u64) {
        let second = self.tick(self.scenes[number].repo, now);
        let family = *self.rng.pick(&["nightly", "hourly"]);
        let arn =
            |revision: u64| format!("arn:aws:batch:{REGION}:{OWNER}:job-definition/{family}:{revision}");
        let made = self.scenes[number].made;
        match self.rng.range(0, 5) {
            0 | 1 => {
                let Some(image) = self.some_image(number) else { return };
                self.scenes[number].made += 1;
                let request = json!({"jobDefinitionName": family, "type": "container", "containerProperties": {"image": image, "vcpus": 1}});
                let response = json!({"jobDefinitionName": family, "jobDefinitionArn": arn(made + 1), "revision": made + 1});
                self.service_call(
                    "batch.amazonaws.com",
                    "RegisterJobDefinition",
                    REGION,
                    second,
                    request,
                    response,
                    None,
                );
            }
            2 | 3 => {
                let id = self.rng.uuid();
                let request = json!({"jobName": "job", "jobDefinition": family, "jobQueue": "queue"});
                let response = json!({"jobName": "job", "jobId": id, "jobArn": format!("arn:aws:batch:{REGION}:{OWNER}:job/{id}")});
                self.service_call(
                    "batch.amazonaws.com",
                    "SubmitJob",
                    REGION,
                    second,
                    request,
                    response,
                    None,
                );
            }
            _ if made > 0 => {
                let request = json!({"jobDefinition": arn(made)});
                self.service_call(
                    "batch.amazonaws.com",
                    "DeregisterJobDefinition",
                    REGION,
                    second,
                    request,
                    Value::Null,
                    None,
                );
            }
            _ => {}
        }
    }

    fn code_build(&mut self, number: usize, now: u64) {
        let second = self.tick(self.scenes[number].repo, now);
        let arn = format!("arn:aws:codebuild:{REGION}:{OWNER}:project/build");
        match self.rng.range(0, 6) {
            choice @ 0..3 => {
                let Some(image) = self.some_image(number) else { return };
                let name = if choice == 0 { "CreateProject" } else { "UpdateProject" };
                let request =
                    json!({"name": "build", "environment": {"image": image, "type": "LINUX_CONTAINER"}});
                self.service_call(
                    "codebuild.amazonaws.com",
                    name,
                    REGION,
                    second,
                    request,
                    json!({"project": {"name": "build", "arn": arn}}),
                    None,
                );
            }
            3 | 4 => {
                let build = format!("arn:aws:codebuild:{REGION}:{OWNER}:build/build:{}", self.rng.uuid());
                let response = json!({"build": {"arn": build, "projectName": "build"}});
                self.service_call(
                    "codebuild.amazonaws.com",
                    "StartBuild",
                    REGION,
                    second,
                    json!({"projectName": "build"}),
                    response,
                    None,
                );
            }
            _ => self.service_call(
                "codebuild.amazonaws.com",
                "DeleteProject",
                REGION,
                second,
                json!({"name": "build"}),
                Value::Null,
                None,
            ),
        }
    }

    fn endpoint(&mut self, number: usize, now: u64) {
        let repo = self.scenes[number].repo;
        let call = |world: &mut Self, name: &str, request: Value, at: u64| {
            let second = world.tick(repo, at);
            world.service_call("sagemaker.amazonaws.com", name, REGION, second, request, json!({}), None);
        };
        if self.rng.chance(20) {
            return call(self, "DeleteEndpoint", json!({"endpointName": "endpoint"}), now);
        }
        let Some(image) = self.some_image(number) else { return };
        self.scenes[number].made += 1;
        let made = self.scenes[number].made;
        call(
            self,
            "CreateModel",
            json!({"modelName": format!("model-{made}"), "primaryContainer": {"image": image}}),
            now,
        );
        let variants = json!([{"variantName": "all", "modelName": format!("model-{made}")}]);
        call(
            self,
            "CreateEndpointConfig",
            json!({"endpointConfigName": format!("config-{made}"), "productionVariants": variants}),
            now + 2,
        );
        let name = if self.rng.chance(50) { "CreateEndpoint" } else { "UpdateEndpoint" };
        call(
            self,
            name,
            json!({"endpointName": "endpoint", "endpointConfigName": format!("config-{made}")}),
            now + 4,
        );
    }

    /// A service that does not follow its tag, and is deployed by calls.
    fn app_runner(&mut self, number: usize, now: u64) {
        let second = self.tick(self.scenes[number].repo, now);
        let arn = format!("arn:aws:apprunner:{REGION}:{OWNER}:service/told/8fe1e10304f84fd2b0df550fe98a71fb");
        match self.rng.range(0, 5) {
            0 | 1 => {
                let Some(image) = self.some_image(number) else { return };
                let source = json!({"autoDeploymentsEnabled": false, "imageRepository": {"imageIdentifier": image, "imageRepositoryType": "ECR"}});
                let request = json!({"serviceArn": arn, "sourceConfiguration": source});
                let response = json!({"service": {"serviceName": "told", "serviceArn": arn}});
                self.service_call(
                    "apprunner.amazonaws.com",
                    "UpdateService",
                    REGION,
                    second,
                    request,
                    response,
                    None,
                );
            }
            2 | 3 => {
                let response = json!({"operationId": self.rng.uuid()});
                self.service_call(
                    "apprunner.amazonaws.com",
                    "StartDeployment",
                    REGION,
                    second,
                    json!({"serviceArn": arn}),
                    response,
                    None,
                );
            }
            _ => self.service_call(
                "apprunner.amazonaws.com",
                "DeleteService",
                REGION,
                second,
                json!({"serviceArn": arn}),
                Value::Null,
                None,
            ),
        }
    }
}
