//! What a task reports: the digests that it resolved, and why it stopped.

use std::borrow::Cow;

use crate::model::{Action, TaskImage};
use crate::recognize::image::{digest, task_image};
use crate::recognize::json::Json;
use crate::recognize::record::Record;

use super::container;

/// Longest text of stop reasons that is kept, in bytes; a single reason of ECS has 255 to 1024.
const REASON_BYTES_MAX: usize = 16 * 1024;

/// `SubmitTaskStateChange` (a list of containers) and `SubmitContainerStateChange` (one container). Reports
/// without a digest and without a reason are dropped.
pub(super) fn submitted<'r>(record: &Record<'r>) -> Option<Action<'r>> {
    let request = record.request;
    let containers = request.get("containers");
    let mut images: Vec<TaskImage<'r>> = containers.items().filter_map(container).collect();
    images.extend(task_image(request.text("containerName"), None, digest(request, "imageDigest")));
    let reason = reasons(request.text("reason"), containers);
    if images.is_empty() && reason.is_none() {
        return None;
    }
    Some(Action::TaskState {
        task: Cow::Borrowed(request.text("task")?),
        group: None,
        definition: None,
        status: request.text("status").map(Cow::Borrowed),
        images,
        reason,
    })
}

/// The `detail` object of EventBridge's *ECS Task State Change*.
pub(in crate::recognize) fn native_task_state(detail: Json<'_>) -> Option<Action<'_>> {
    let containers = detail.get("containers");
    let images: Vec<TaskImage<'_>> = containers.items().filter_map(container).collect();
    let reason = reasons(detail.text("stoppedReason"), containers);
    if images.is_empty() && reason.is_none() {
        return None;
    }
    Some(Action::TaskState {
        task: Cow::Borrowed(detail.text("taskArn")?),
        group: detail.text("group").map(Cow::Borrowed),
        definition: detail.text("taskDefinitionArn").map(Cow::Borrowed),
        status: detail.text("lastStatus").map(Cow::Borrowed),
        images,
        reason,
    })
}

/// The stop reasons of the task and its containers, each once, one on each line.
fn reasons<'r>(first: Option<&'r str>, containers: Json<'r>) -> Option<Cow<'r, str>> {
    let mut all: Vec<&str> = Vec::new();
    for reason in first.into_iter().chain(containers.items().filter_map(|container| container.text("reason")))
    {
        let used: usize = all.iter().map(|reason| reason.len() + 1).sum();
        if !all.contains(&reason) && used + reason.len() <= REASON_BYTES_MAX {
            all.push(reason);
        }
    }
    match *all {
        [] => None,
        [only] => Some(Cow::Borrowed(only)),
        _ => Some(Cow::Owned(all.join("\n"))),
    }
}
