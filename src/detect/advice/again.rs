//! For each party that needs the image: how it gets one that exists. Nothing is advised that would fail
//! again.

use super::{Needed, Pin, Shell, Situation, TagNow, Who};

/// Maximum number of parties that get advice of their own.
const NEEDED_MAX: usize = 5;

/// What the reference that somebody uses resolves to now.
enum Asks {
    /// A tag that points to another image now: deploying again is enough.
    Resolves(String),
    /// A tag that no longer exists.
    Dead(String),
    /// The lost digest itself.
    Digest,
    /// The lost digest, perhaps only because a tag was resolved to it; with the tag, if that points to
    /// another image now.
    Perhaps(Option<String>),
}

impl Situation {
    /// A sentence with a command for each party that needs the image.
    pub(super) fn deploy_anew(&self) -> Vec<String> {
        let mut all = self.needed.clone();
        all.sort();
        all.dedup();
        let mut list: Vec<String> = Vec::new();
        for needed in &all {
            let told = self.again(needed);
            if !list.contains(&told) {
                list.push(told);
            }
        }
        if let Some(more) = list.len().checked_sub(NEEDED_MAX).filter(|more| *more > 0) {
            list.truncate(NEEDED_MAX);
            list.push(format!("Likewise for {more} more that need it."));
        }
        list
    }

    fn asks(&self, pin: &Pin) -> Asks {
        let resolves =
            |asked: &String| self.tags.iter().any(|(tag, now)| tag == asked && matches!(now, TagNow::On(_)));
        match pin {
            Pin::Digest => Asks::Digest,
            Pin::Unknown => Asks::Perhaps(self.successor().map(|(tag, _)| tag.to_owned())),
            Pin::Tag(asked) if resolves(asked) => Asks::Resolves(asked.clone()),
            Pin::Tag(asked) => Asks::Dead(asked.clone()),
        }
    }

    /// Whether all parties ask by tags that point to other images by now.
    pub(super) fn all_resolve(&self) -> bool {
        self.needed.iter().all(|needed| matches!(self.asks(&needed.pin), Asks::Resolves(_)))
    }

    /// What to name instead of the lost digest.
    fn another(&self) -> String {
        self.successor().map_or_else(
            || "an image that is there".to_owned(),
            |(tag, digest)| format!("{}@{digest} (what {tag} is on now)", self.uri()),
        )
    }

    /// How to create a tag again that is gone.
    fn push_tag(&self, tag: &str) -> String {
        format!(
            "push {tag} again (`{}`)",
            Shell::new("docker push").argument(&format!("{}:{tag}", self.uri())).to_text()
        )
    }

    fn again(&self, needed: &Needed) -> String {
        let asks = self.asks(&needed.pin);
        match &needed.who {
            Who::EcsService { region, cluster, service, definition } => self.service(&asks, region, cluster, service, definition.as_deref()),
            Who::EcsTask { .. } => match asks {
                Asks::Resolves(tag) => format!("Start the tasks anew: {tag} is on another image by now."),
                Asks::Dead(tag) => format!("Before tasks can start again, {}, or register a task definition \
                    with another tag.", self.push_tag(&tag)),
                Asks::Digest => format!("Register a task definition that names {}, and deploy what runs these \
                    tasks with it.", self.another()),
                Asks::Perhaps(Some(tag)) => format!(
                    "The tasks ask for the digest. If their task definition names {tag}, deploy their service \
                     anew, which takes what {tag} is on now: `aws ecs update-service --cluster CLUSTER \
                     --service SERVICE --force-new-deployment`; if it names the digest itself, that fails \
                     again: register a revision that names {}.",
                    self.another()
                ),
                Asks::Perhaps(None) => {
                    "The tasks ask for the digest, and no tag of it is left: a new deployment finds something \
                     only with a task definition that names another image.".to_owned()
                }
            },
            Who::Function { region, name } => self.function(&asks, region, name),
            Who::FunctionVersion { region, name, version } => {
                let lambda = |call: &str| Shell::new(&format!("aws lambda {call}")).option("region", region).option("function-name", name);
                let (publish, alias) = (lambda("publish-version").to_text(), lambda("update-alias").raw("--name \
                    ALIAS --function-version NEW").to_text());
                format!(
                    "Version {version} of function {name} cannot be changed: give the function an image that \
                     is there, publish a version of that (`{publish}`), and point the aliases of {version} to \
                     it (`{alias}`)."
                )
            }
            Who::AppRunner { region, arn } => self.app_runner(&asks, region, arn),
            Who::CodeBuild { region, project } => {
                let show = Shell::new("aws codebuild batch-get-projects").option("region", region).option("names", project).to_text();
                match asks {
                    Asks::Resolves(tag) => format!("Project {project} asks for {tag} at each build, and that \
                        is on another image by now: nothing to do but to build again."),
                    Asks::Dead(tag) => format!("Project {project} asks for {tag} at each build: {}, or give \
                        its environment another image (`{show}` shows it).", self.push_tag(&tag)),
                    Asks::Digest | Asks::Perhaps(_) => format!("Project {project} names the lost digest: give \
                        its environment {} (`{show}` shows it).", self.another()),
                }
            }
            Who::Batch { region, definition } => {
                let show = Shell::new("aws batch describe-job-definitions").option("region", region).option("job-definitions", definition).to_text();
                match asks {
                    Asks::Resolves(tag) => format!("Jobs of {definition} ask for {tag} anew, and that is on \
                        another image by now: submit again what failed."),
                    Asks::Dead(tag) => format!("Jobs of {definition} ask for {tag}: {}, or register a \
                        revision with another image (`{show}` shows it).", self.push_tag(&tag)),
                    Asks::Digest | Asks::Perhaps(_) => format!("Job definition {definition} names the lost \
                        digest: register a revision that names {} (`{show}` shows it).", self.another()),
                }
            }
            Who::Endpoint { region, name } => {
                let update = Shell::new("aws sagemaker update-endpoint").option("region", region).option("endpoint-name", name);
                let update = update.raw("--endpoint-config-name NEW-CONFIG").to_text();
                let first = if let Asks::Dead(tag) = &asks { format!("{}, or ", self.push_tag(tag)) } else { String::new() };
                format!("Endpoint {name} cannot scale out or be repaired: {first}make a model of an image \
                    that is there and a configuration with it, then `{update}`.")
            }
            Who::EndpointConfig { name, .. } => match asks {
                Asks::Resolves(tag) => format!("Endpoint configuration {name} has a model of {tag}, which is \
                    on another image by now: an endpoint made of it gets that."),
                Asks::Dead(tag) => format!("Endpoint configuration {name} has a model of {tag}: {}, or make a \
                    configuration with a model of another image.", self.push_tag(&tag)),
                Asks::Digest | Asks::Perhaps(_) => format!("Endpoint configuration {name} has a model of the \
                    lost digest: make one with a model of {}.", self.another()),
            },
            Who::Model { name, .. } => match asks {
                Asks::Resolves(tag) => format!("Model {name} names {tag}, which is on another image by now: \
                    what is made of it gets that."),
                Asks::Dead(tag) => format!("Model {name} names {tag}: {}, or make a model of another image.", self.push_tag(&tag)),
                Asks::Digest | Asks::Perhaps(_) => format!("Model {name} names the lost digest: make another \
                    of {}.", self.another()),
            },
            Who::Schedule { name, definition } => {
                let definition = definition.as_deref().unwrap_or("its definition");
                match asks {
                    Asks::Resolves(tag) => format!("{name} runs {definition}, which asks for {tag} anew, and \
                        that is on another image by now."),
                    Asks::Dead(tag) => format!("{name} runs {definition}, which asks for {tag}: {}, or point \
                        it to a revision with another image.", self.push_tag(&tag)),
                    Asks::Digest | Asks::Perhaps(_) => format!("{name} runs {definition}, which names the \
                        lost digest: register a revision that names {}, and point it there.", self.another()),
                }
            }
            Who::Node => match asks {
                Asks::Resolves(tag) => format!("Pods that name {tag}: restart them (`kubectl rollout \
                    restart`), and they get what it is on now."),
                Asks::Dead(tag) => format!("Pods that name {tag}: {}, or point their workload to another tag \
                    (`kubectl set image`).", self.push_tag(&tag)),
                Asks::Digest | Asks::Perhaps(_) => format!("Pods that name the digest: point their workload \
                    to {} (`kubectl set image`).", self.another()),
            },
            Who::Other => match asks {
                Asks::Resolves(tag) => format!("Whoever asks for {tag} gets another image by now: start anew \
                    what still runs the lost one."),
                Asks::Dead(tag) => format!("Whoever asks for {tag} needs it pushed again, or another tag: {}.", self.push_tag(&tag)),
                Asks::Digest | Asks::Perhaps(_) => format!("Whoever asks for the lost digest needs {} in its \
                    place.", self.another()),
            },
        }
    }

    fn service(
        &self,
        asks: &Asks,
        region: &str,
        cluster: &str,
        service: &str,
        definition: Option<&str>,
    ) -> String {
        let update = || {
            Shell::new("aws ecs update-service")
                .option("region", region)
                .option("cluster", cluster)
                .option("service", service)
        };
        let named = definition.map_or_else(
            || "Its task definition".to_owned(),
            |definition| format!("Task definition {definition}"),
        );
        let family =
            definition.map(|definition| definition.rsplit_once(':').map_or(definition, |(family, _)| family));
        match asks {
            Asks::Resolves(tag) => {
                format!(
                    "Deploy service {service} anew, so that it takes what {tag} is on now: `{}`.",
                    update().flag("force-new-deployment").to_text()
                )
            }
            Asks::Dead(tag) => format!(
                "Tag {tag} is gone, too, so that a new deployment of service {service} would find nothing: \
                 {}, then `{}`; or register a revision with another tag and deploy that.",
                self.push_tag(tag),
                update().flag("force-new-deployment").to_text()
            ),
            Asks::Perhaps(Some(tag)) => format!(
                "If the task definition of service {service} names {tag}, deploy it anew, which takes what \
                 {tag} is on now: `{}`; if it names the digest itself, that fails again: register a revision \
                 that names {}.",
                update().flag("force-new-deployment").to_text(),
                self.another()
            ),
            Asks::Digest | Asks::Perhaps(None) => format!(
                "{named} of service {service} names the lost digest itself, so that a forced deployment of it \
                 fails again: register a revision that names {}, and deploy it: `{}`.",
                self.another(),
                update().option("task-definition", family.unwrap_or("FAMILY")).to_text()
            ),
        }
    }

    fn function(&self, asks: &Asks, region: &str, name: &str) -> String {
        let update = |image: &str| {
            Shell::new("aws lambda update-function-code")
                .option("region", region)
                .option("function-name", name)
                .option("image-uri", image)
        };
        let tagged = |tag: &str| update(&format!("{}:{tag}", self.uri())).to_text();
        let why = format!(
            "Function {name} runs on from a copy of its own until it is updated, or was idle for long"
        );
        match (asks, self.successor().map(|(_, digest)| digest)) {
            (Asks::Resolves(tag), _) => format!("{why}: give it what {tag} is on now, `{}`.", tagged(tag)),
            (Asks::Dead(tag), _) => {
                format!("{why}: {}, then `{}`; or give it another tag.", self.push_tag(tag), tagged(tag))
            }
            (Asks::Digest | Asks::Perhaps(_), Some(digest)) => {
                format!(
                    "{why}: give it an image that is there, `{}`.",
                    update(&format!("{}@{digest}", self.uri())).to_text()
                )
            }
            (Asks::Digest | Asks::Perhaps(_), None) => {
                format!("{why}: push an image, and give it that, `{}`.", tagged("TAG"))
            }
        }
    }

    fn app_runner(&self, asks: &Asks, region: &str, arn: &str) -> String {
        let call = |call: &str| {
            Shell::new(&format!("aws apprunner {call}")).option("region", region).option("service-arn", arn)
        };
        let name = arn.split('/').nth(1).unwrap_or(arn);
        match asks {
            Asks::Resolves(tag) => {
                format!(
                    "Deploy App Runner service {name} anew, so that it takes what {tag} is on now: `{}`.",
                    call("start-deployment").to_text()
                )
            }
            Asks::Dead(tag) => {
                format!(
                    "App Runner service {name} asks for {tag}: {}, then `{}`.",
                    self.push_tag(tag),
                    call("start-deployment").to_text()
                )
            }
            Asks::Digest | Asks::Perhaps(_) => {
                let image = self.successor().map_or_else(
                    || format!("{}:TAG", self.uri()),
                    |(_, digest)| format!("{}@{digest}", self.uri()),
                );
                let source = format!("ImageRepository={{ImageIdentifier={image},ImageRepositoryType=ECR}}");
                format!(
                    "App Runner service {name} names the lost digest: point it to an image that is there, \
                     `{}`.",
                    call("update-service").option("source-configuration", &source).to_text()
                )
            }
        }
    }
}
