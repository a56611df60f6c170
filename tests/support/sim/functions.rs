//! Services that run images without pulling them again: Lambda functions and App Runner services.

use serde_json::{Value, json};

use super::clock::{HOUR, MINUTE};
use super::ecs::Deployment;
use super::record::{Call, Caller};
use super::world::{Job, World};

/// A function or a service, and the image that it keeps.
#[derive(Debug, Clone)]
pub struct Function {
    pub repo: usize,
    pub name: String,
    pub account: String,
    pub region: String,
    /// Whether it is an App Runner service, and not a Lambda function.
    pub is_service: bool,
    /// Whether the service follows its tag automatically, and so keeps no image that has lost it.
    pub follows: bool,
    pub deployments: Vec<Deployment>,
}

impl World {
    /// Half of the repositories get one.
    pub fn found_functions(&mut self) {
        for repo in 0..self.repos.len() {
            if !self.rng.chance(50) {
                continue;
            }
            let id = self.repos[repo].id.clone();
            let (is_service, follows) = (self.rng.chance(40), self.rng.chance(50));
            let name = format!("fn-{}", id.name.replace('/', "-"));
            let function = Function {
                repo,
                name,
                account: id.registry,
                region: id.region,
                is_service,
                follows,
                deployments: Vec::new(),
            };
            let number = self.functions.len();
            self.functions.push(function);
            let delay = self.rng.range(9 * HOUR, 40 * HOUR);
            self.later(delay, Job::Function(number));
        }
    }

    fn function_call(
        &mut self,
        number: usize,
        name: &str,
        second: u64,
        request: Value,
        response: Value,
        error: Option<(&str, String)>,
    ) {
        let Function { account, region, is_service, .. } = self.functions[number].clone();
        let source = if is_service { "apprunner.amazonaws.com" } else { "lambda.amazonaws.com" };
        let caller = Caller::new(&account, "deployer", "pipeline", false);
        let call = Call {
            source,
            name,
            caller: &caller,
            region: &region,
            second,
            request,
            response,
            repo: None,
            read_only: false,
            error,
        };
        self.log_call(&call);
    }

    fn arn(&self, number: usize) -> String {
        let Function { name, account, region, is_service, .. } = &self.functions[number];
        if *is_service {
            format!("arn:aws:apprunner:{region}:{account}:service/{name}/8fe1e10304f84fd2b0df550fe98a71fa")
        } else {
            format!("arn:aws:lambda:{region}:{account}:function:{name}")
        }
    }

    /// An update with some existing tag; sometimes a failed call, or the deletion of the function.
    pub fn function(&mut self, number: usize, now: u64) {
        let again = now + self.rng.range(10 * HOUR, 50 * HOUR);
        self.at(again, Job::Function(number));
        let repo = self.functions[number].repo;
        let is_made = self.functions[number].deployments.last().is_some_and(|last| last.pins.is_some());
        match self.rng.range(0, 10) {
            0 if is_made => return self.delete_function(number, now),
            1 | 2 if is_made => return self.configure_function(number, now),
            _ => {}
        }
        let tags: Vec<(String, String)> = self.repos[repo].tags.clone().into_iter().collect();
        let pullable: Vec<_> =
            tags.into_iter().filter(|(_, digest)| self.repos[repo].pullable(digest)).collect();
        if pullable.is_empty() {
            return;
        }
        let (tag, digest) = self.rng.pick(&pullable).clone();
        let by_digest = self.rng.chance(20);
        let second = self.tick(repo, now);
        self.update_function(number, second, &tag, &digest, by_digest, is_made);
        let pins = (!self.functions[number].follows || by_digest || !self.functions[number].is_service)
            .then_some(digest);
        self.functions[number].deployments.push(Deployment { second, pins });
        let later = now + self.rng.range(30 * MINUTE, 60 * HOUR);
        self.at(later, Job::Configure(number));
    }

    fn update_function(
        &mut self,
        number: usize,
        second: u64,
        tag: &str,
        digest: &str,
        by_digest: bool,
        is_made: bool,
    ) {
        let (arn, Function { repo, name, is_service, follows, .. }) =
            (self.arn(number), self.functions[number].clone());
        let uri = self.repos[repo].id.uri();
        let image = if by_digest { format!("{uri}@{digest}") } else { format!("{uri}:{tag}") };
        if is_service {
            let source = json!({"autoDeploymentsEnabled": follows, "imageRepository": {"imageIdentifier": image, "imageRepositoryType": "ECR"}});
            let response = json!({"service": {"serviceName": name, "serviceArn": arn}});
            let request = json!({"serviceArn": arn, "sourceConfiguration": source});
            return self.function_call(number, "UpdateService", second, request, response, None);
        }
        let response = json!({"functionName": name, "functionArn": arn, "packageType": "Image"});
        if is_made {
            let request = json!({"functionName": name, "imageUri": image});
            self.function_call(number, "UpdateFunctionCode20150331v2", second, request, response, None);
        } else {
            let request = json!({"functionName": name, "packageType": "Image", "code": {"imageUri": image}});
            self.function_call(number, "CreateFunction20150331", second, request, response, None);
        }
    }

    fn delete_function(&mut self, number: usize, now: u64) {
        let second = self.tick(self.functions[number].repo, now);
        let (arn, name) = (self.arn(number), self.functions[number].name.clone());
        let is_service = self.functions[number].is_service;
        let (call, request) = if is_service {
            ("DeleteService", json!({"serviceArn": arn}))
        } else {
            ("DeleteFunction20150331", json!({"functionName": name}))
        };
        self.function_call(number, call, second, request, Value::Null, None);
        self.functions[number].deployments.push(Deployment { second, pins: None });
    }

    /// A change of its configuration, which fails if the image is gone.
    pub fn configure_function(&mut self, number: usize, now: u64) {
        let Function { repo, name, is_service, deployments, .. } = self.functions[number].clone();
        let Some(Deployment { second: deployed, pins: Some(digest) }) = deployments.last().cloned() else {
            return;
        };
        if is_service {
            return;
        }
        let second = self.tick(repo, now);
        let request = json!({"functionName": name, "memorySize": 512});
        if self.repos[repo].pullable(&digest) {
            return self.function_call(
                number,
                "UpdateFunctionConfiguration20150331v2",
                second,
                request,
                Value::Null,
                None,
            );
        }
        let error =
            ("InvalidParameterValueException", "The function is trying to use a deleted image.".to_owned());
        self.function_call(
            number,
            "UpdateFunctionConfiguration20150331v2",
            second,
            request,
            Value::Null,
            Some(error),
        );
        if second >= self.trail_start
            && deployed >= self.trail_start
            && let Some(life) = self.repos[repo].last_life(&digest)
        {
            life.stops.push(second);
        }
    }
}
