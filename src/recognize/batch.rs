//! AWS Batch job definitions, in each of the forms in which one may name containers.

use std::borrow::Cow;

use crate::model::{Action, TaskImage};

use super::Meaning;
use super::image::task_image;
use super::json::Json;
use super::record::Record;

/// The `eventName`s that mean something.
pub(super) const EVENTS: &[&str] = &["RegisterJobDefinition"];

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() || !EVENTS.contains(&record.name) {
        return None;
    }
    let mut images = Vec::new();
    collect(record.request, &mut images);
    for node in record.request.get("nodeProperties").get("nodeRangeProperties").items() {
        images.extend(container(node.get("container")));
        collect(node, &mut images);
    }
    let referrer = record.response.text("jobDefinitionArn").or_else(|| record.request.text("jobDefinitionName"))?;
    (!images.is_empty()).then_some((None, Action::Refer { referrer: Cow::Borrowed(referrer), images }))
}

/// The containers of a job, or of a range of nodes of a parallel job.
fn collect<'r>(job: Json<'r>, images: &mut Vec<TaskImage<'r>>) {
    images.extend(container(job.get("containerProperties")));
    let pod = job.get("eksProperties").get("podProperties");
    let tasks = job.get("ecsProperties").get("taskProperties").items().map(|task| task.get("containers"));
    for list in tasks.chain([pod.get("containers"), pod.get("initContainers")]) {
        images.extend(list.items().filter_map(container));
    }
}

fn container(entry: Json<'_>) -> Option<TaskImage<'_>> {
    task_image(entry.text("name"), entry.text("image"), None)
}
