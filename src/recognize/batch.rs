//! AWS Batch: job definitions, in all the forms in which they name containers, and jobs.

use std::borrow::Cow;

use crate::model::{Action, Need, NeedKind, TaskImage};

use super::image::task_image;
use super::json::Json;
use super::record::Record;
use super::{Meaning, names};

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() {
        return None;
    }
    let (request, response) = (record.request, record.response);
    let need = match record.name {
        "RegisterJobDefinition" => {
            let images = images(request);
            Need::new(NeedKind::Defines, registered(record)?, images)
        }
        "DeregisterJobDefinition" => {
            Need::new(NeedKind::Ends, definition(record, request.text("jobDefinition")?)?, Vec::new())
        }
        "SubmitJob" => {
            let job = response
                .text("jobArn")
                .map(Cow::Borrowed)
                .or_else(|| names::arn(record, "batch", "job/", response.text("jobId")?));
            let who = job.or_else(|| names::arn(record, "batch", "job/", request.text("jobName")?))?;
            Need::new(NeedKind::Once, who, overridden(request))
                .through(definition(record, request.text("jobDefinition")?))
        }
        _ => return None,
    };
    Some((None, Action::Needs(vec![need])))
}

/// The registered definition: its ARN in the response has the revision.
fn registered<'r>(record: &Record<'r>) -> Option<Cow<'r, str>> {
    if let Some(arn) = record.response.text("jobDefinitionArn") {
        return Some(Cow::Borrowed(arn));
    }
    definition(
        record,
        record.response.text("jobDefinitionName").or_else(|| record.request.text("jobDefinitionName"))?,
    )
}

fn definition<'r>(record: &Record<'r>, name: &'r str) -> Option<Cow<'r, str>> {
    names::arn(record, "batch", "job-definition/", name)
}

pub(super) fn images<'r>(job: Json<'r>) -> Vec<TaskImage<'r>> {
    let mut images = Vec::new();
    collect(job, &mut images);
    for node in job.get("nodeProperties").get("nodeRangeProperties").items() {
        images.extend(container(node.get("container")));
        collect(node, &mut images);
    }
    images
}

/// Adds the containers of a job, or of a range of nodes of a multi-node job.
fn collect<'r>(job: Json<'r>, images: &mut Vec<TaskImage<'r>>) {
    images.extend(container(job.get("containerProperties")));
    let pod = job.get("eksProperties").get("podProperties");
    let tasks = job.get("ecsProperties").get("taskProperties").items().map(|task| task.get("containers"));
    for list in tasks.chain([pod.get("containers"), pod.get("initContainers")]) {
        images.extend(list.items().filter_map(container));
    }
}

/// A job on EKS may override the images of its definition.
fn overridden<'r>(request: Json<'r>) -> Vec<TaskImage<'r>> {
    let pod = request.get("eksPropertiesOverride").get("podProperties");
    [pod.get("containers"), pod.get("initContainers")]
        .into_iter()
        .flat_map(Json::items)
        .filter_map(container)
        .collect()
}

fn container(entry: Json<'_>) -> Option<TaskImage<'_>> {
    task_image(entry.text("name"), entry.text("image"), None)
}
