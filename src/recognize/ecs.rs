//! ECS: which definition names which image, what runs it, and the digests that tasks report.
//!
//! ECS does not log a digest when it deploys. The first task of a deployment resolves the tag; the digest
//! is seen when a task pulls, when an agent reports it (`SubmitTaskStateChange`), or in a task's stop
//! reason.

mod task_state;

use std::borrow::Cow;

use crate::model::{Action, TaskImage};

use super::Meaning;
use super::image::{digest, task_image};
use super::json::Json;
use super::record::Record;

pub(super) use task_state::native_task_state;

/// The meaning of an ECS record; a failed call means nothing.
pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() {
        return None;
    }
    let action = match record.name {
        "RegisterTaskDefinition" | "RegisterDaemonTaskDefinition" => define(record),
        "CreateService" | "UpdateService" | "CreateExpressGatewayService" | "UpdateExpressGatewayService" => {
            run_service(record)
        }
        "CreateTaskSet" => run_task_set(record),
        "CreateDaemon" | "UpdateDaemon" => run_daemon(record),
        "RunTask" | "StartTask" => run_task(record),
        "DeleteService" | "DeleteExpressGatewayService" => {
            service(record).map(|runner| Action::StopRunning { runner })
        }
        "DeleteDaemon" => daemon(record).map(|runner| Action::StopRunning { runner }),
        "SubmitTaskStateChange" | "SubmitContainerStateChange" => task_state::submitted(record),
        _ => None,
    };
    action.map(|action| (None, action))
}

/// `RegisterTaskDefinition`. Images outside of ECR are left out; but a definition without ECR images still
/// replaces an older one that has some.
fn define<'r>(record: &Record<'r>) -> Option<Action<'r>> {
    let answered = record.response.get("taskDefinition");
    let arn = answered.text("taskDefinitionArn").or_else(|| record.response.text("daemonTaskDefinitionArn"));
    let family = || record.request.text("family").or_else(|| answered.text("family"));
    let revision = || answered.get("revision").as_integer();
    let definition = arn.map(Cow::Borrowed).or_else(|| {
        let family = family()?;
        Some(revision().map_or(Cow::Borrowed(family), |revision| Cow::Owned(format!("{family}:{revision}"))))
    })?;
    let asked = record.request.get("containerDefinitions");
    let containers = if asked.is_array() { asked } else { answered.get("containerDefinitions") };
    Some(Action::Define { definition, images: containers.items().filter_map(container).collect() })
}

/// An entry of `containerDefinitions[]` or `containers[]`.
fn container(entry: Json<'_>) -> Option<TaskImage<'_>> {
    let name = entry.text("name").or_else(|| entry.text("containerName"));
    let image = task_image(name, entry.text("image"), digest(entry, "imageDigest"))?;
    Some(TaskImage { failed: entry.text("reason").is_some(), ..image })
}

/// The parameters of `UpdateService` that start a new deployment, according to its API reference.
const DEPLOYING: &[&str] = &[
    "taskDefinition",
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    // A parameter of `UpdateExpressGatewayService`.
    "primaryContainer",
];

fn run_service<'r>(record: &Record<'r>) -> Option<Action<'r>> {
    let request = record.request;
    let forced = request.get("forceNewDeployment").as_bool() == Some(true);
    let deploys = record.name.starts_with("Create")
        || forced
        || DEPLOYING.iter().any(|key| request.get(key).is_something());
    let answered = record.response.get("service").text("taskDefinition");
    Some(Action::Run {
        runner: service(record)?,
        definition: answered.or_else(|| request.text("taskDefinition")).map(Cow::Borrowed),
        images: container(request.get("primaryContainer")).into_iter().collect(),
        deploys,
    })
}

fn run_task_set<'r>(record: &Record<'r>) -> Option<Action<'r>> {
    let task_set = record.response.get("taskSet");
    let definition = task_set.text("taskDefinition").or_else(|| record.request.text("taskDefinition"));
    Some(Action::Run {
        runner: service(record)?,
        definition: definition.map(Cow::Borrowed),
        images: Vec::new(),
        deploys: true,
    })
}

fn run_daemon<'r>(record: &Record<'r>) -> Option<Action<'r>> {
    let definition = record.request.text("daemonTaskDefinitionArn").map(Cow::Borrowed);
    let deploys = definition.is_some() || record.name == "CreateDaemon";
    Some(Action::Run { runner: daemon(record)?, definition, images: Vec::new(), deploys })
}

fn daemon<'r>(record: &Record<'r>) -> Option<Cow<'r, str>> {
    record.response.text("daemonArn").or_else(|| record.request.text("daemonArn")).map(Cow::Borrowed)
}

/// `RunTask`, `StartTask`: a call may start several tasks of one definition; the first stands for all. A
/// call that placed no task ran nothing.
fn run_task<'r>(record: &Record<'r>) -> Option<Action<'r>> {
    let tasks = record.response.get("tasks");
    let first = tasks.items().next();
    if tasks.is_array() && first.is_none() {
        return None;
    }
    let first = first.unwrap_or(Json::NOTHING);
    let definition = first.text("taskDefinitionArn").or_else(|| record.request.text("taskDefinition"))?;
    let runner = first
        .text("taskArn")
        .or_else(|| first.text("group"))
        .or_else(|| record.request.text("group"))
        .unwrap_or(definition);
    Some(Action::Run {
        runner: Cow::Borrowed(runner),
        definition: Some(Cow::Borrowed(definition)),
        images: first.get("containers").items().filter_map(container).collect(),
        deploys: true,
    })
}

/// The service's ARN. If the response is missing (a service with a long event list is above 100 KB), it is
/// made from the request in the form that the response would have.
fn service<'r>(record: &Record<'r>) -> Option<Cow<'r, str>> {
    let answered = [record.response.get("service"), record.response.get("taskSet"), record.request];
    if let Some(arn) = answered.iter().find_map(|place| place.text("serviceArn")) {
        return Some(Cow::Borrowed(arn));
    }
    let name = record.request.text("service").or_else(|| record.request.text("serviceName"))?;
    if name.starts_with("arn:") {
        return Some(Cow::Borrowed(name));
    }
    let cluster = record.request.text("cluster").unwrap_or("default").rsplit('/').next().unwrap_or("default");
    let (region, account) = (record.region?, record.recipient_account?);
    Some(Cow::Owned(format!(
        "arn:{}:ecs:{region}:{account}:service/{cluster}/{name}",
        crate::model::partition(region)
    )))
}
