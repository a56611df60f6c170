//! SageMaker models: an endpoint that scales out pulls the image its model names.

use std::borrow::Cow;

use crate::model::{Action, TaskImage};

use super::Meaning;
use super::image::task_image;
use super::json::Json;
use super::record::Record;

/// The `eventName`s that mean something.
pub(super) const EVENTS: &[&str] = &["CreateModel"];

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() || !EVENTS.contains(&record.name) {
        return None;
    }
    let request = record.request;
    let containers = request.get("containers").items().chain([request.get("primaryContainer")]);
    let images: Vec<TaskImage<'r>> = containers.filter_map(container).collect();
    let referrer = record.response.text("modelArn").or_else(|| request.text("modelName"))?;
    (!images.is_empty()).then_some((None, Action::Refer { referrer: Cow::Borrowed(referrer), images }))
}

fn container(entry: Json<'_>) -> Option<TaskImage<'_>> {
    task_image(entry.text("containerHostname"), entry.text("image"), None)
}
