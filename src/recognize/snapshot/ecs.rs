//! ECS: what services and tasks run. Service revisions and tasks have digests; definitions have references
//! as somebody wrote them.

use std::borrow::Cow;

use super::{AccountRegion, Snapshot};
use crate::model::{Action, TaskImage};
use crate::recognize::image::{digest, task_image};
use crate::recognize::json::Json;

pub(super) fn read(root: Json<'_>, answer: &mut Snapshot) -> bool {
    let list = |key: &str, arn: &str| {
        Some(root.get(key)).filter(|list| list.is_array() && list.items().all(|one| one.text(arn).is_some()))
    };
    answer.left_out += root.get("failures").items().count() as u64;
    if let Some(services) = list("services", "serviceArn") {
        services.items().for_each(|one| service(one, answer));
        return answer.is("ecs describe-services");
    }
    if let Some(revisions) = list("serviceRevisions", "serviceArn") {
        revisions.items().for_each(|one| revision(one, answer));
        return answer.is("ecs describe-service-revisions");
    }
    if let Some(tasks) = list("tasks", "taskArn") {
        tasks.items().for_each(|one| task(one, answer));
        return answer.is("ecs describe-tasks");
    }
    if let Some(arn) = root.get("taskDefinition").text("taskDefinitionArn") {
        definition(root.get("taskDefinition"), arn, answer);
        return answer.is("ecs describe-task-definition");
    }
    answer.left_out = 0;
    let lists = [
        ("serviceArns", "ecs list-services"),
        ("taskArns", "ecs list-tasks"),
        ("taskDefinitionArns", "ecs list-task-definitions"),
        ("clusterArns", "ecs list-clusters"),
        ("serviceDeployments", "ecs list-service-deployments"),
    ];
    lists.iter().any(|(key, call)| root.get(key).is_array() && answer.names_only(call, root.get(key)))
}

/// A service runs the definition of its primary deployment, since that deployment began.
fn service(entry: Json<'_>, answer: &mut Snapshot) {
    answer.entries += 1;
    let Some(arn) = entry.text("serviceArn") else { return };
    let runner = || Cow::Owned(arn.to_owned());
    if matches!(entry.text("status"), Some("INACTIVE" | "DRAINING")) {
        return answer.say(AccountRegion::of_arn(arn), Action::StopRunning { runner: runner() });
    }
    let deployments = || entry.get("deployments").items().chain(entry.get("taskSets").items());
    let primary = deployments().find(|one| one.text("status") == Some("PRIMARY")).unwrap_or(Json::NOTHING);
    let since = answer.time(primary.get("createdAt"));
    let definition = primary.text("taskDefinition").or_else(|| entry.text("taskDefinition"));
    let action = Action::Run {
        runner: runner(),
        definition: definition.map(|text| Cow::Owned(text.to_owned())),
        images: Vec::new(),
        deploys: true,
    };
    answer.say_since(AccountRegion::of_arn(arn), since, action);
}

/// Tasks of the service are started with `containerImages[].imageDigest`.
fn revision(entry: Json<'_>, answer: &mut Snapshot) {
    answer.entries += 1;
    let Some(arn) = entry.text("serviceArn") else { return };
    let images: Vec<_> =
        entry.get("containerImages").items().filter_map(|one| container(one, "containerName")).collect();
    let definition = entry.text("taskDefinition").map(|text| Cow::Owned(text.to_owned()));
    let since = answer.time(entry.get("createdAt"));
    answer.say_since(
        AccountRegion::of_arn(arn),
        since,
        Action::Run { runner: Cow::Owned(arn.to_owned()), definition, images, deploys: true },
    );
}

fn task(entry: Json<'_>, answer: &mut Snapshot) {
    answer.entries += 1;
    let Some(arn) = entry.text("taskArn") else { return };
    let owned = |key: &str| entry.text(key).map(|text| Cow::Owned(text.to_owned()));
    let started = answer.time(entry.get("startedAt"));
    let stopped = answer.time(entry.get("stoppedAt"));
    let reasons = entry
        .get("containers")
        .items()
        .filter_map(|one| one.text("reason"))
        .chain(entry.text("stoppedReason"));
    let reason: Vec<&str> = reasons.collect();
    let images = entry.get("containers").items().filter_map(|one| {
        let failed = one.text("reason").is_some();
        container(one, "name").map(|image| TaskImage { failed, ..image })
    });
    let action = Action::TaskState {
        task: Cow::Owned(arn.to_owned()),
        group: owned("group"),
        definition: owned("taskDefinitionArn"),
        status: owned("lastStatus"),
        images: images.collect(),
        reason: (!reason.is_empty()).then(|| Cow::Owned(reason.join("\n"))),
    };
    let _ = started;
    answer.say_since(AccountRegion::of_arn(arn), stopped, action);
}

fn definition(entry: Json<'_>, arn: &str, answer: &mut Snapshot) {
    answer.entries += 1;
    let images = entry.get("containerDefinitions").items().filter_map(|one| container(one, "name")).collect();
    let since = answer.time(entry.get("registeredAt"));
    answer.say_since(
        AccountRegion::of_arn(arn),
        since,
        Action::Define { definition: Cow::Owned(arn.to_owned()), images },
    );
}

fn container(entry: Json<'_>, name: &str) -> Option<TaskImage<'static>> {
    let image = task_image(None, entry.text("image"), digest(entry, "imageDigest"))?;
    Some(TaskImage { container: entry.text(name).map(|text| Cow::Owned(text.to_owned())), ..image })
}
