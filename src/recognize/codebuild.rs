//! CodeBuild: a build pulls the image of its project's environment, unless it names another one itself.

use std::borrow::Cow;

use crate::model::{Action, Need, NeedKind};

use super::image::task_image;
use super::record::Record;
use super::{Meaning, names};

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() {
        return None;
    }
    let need = match record.name {
        "CreateProject" | "UpdateProject" => project(record)?,
        "DeleteProject" => {
            Need::new(NeedKind::Ends, named(record, record.request.text("name")?)?, Vec::new())
        }
        "StartBuild" | "StartBuildBatch" | "RetryBuild" | "RetryBuildBatch" => build(record)?,
        _ => return None,
    };
    Some((None, Action::Needs(vec![need])))
}

fn named<'r>(record: &Record<'r>, name: &'r str) -> Option<Cow<'r, str>> {
    names::arn(record, "codebuild", "project/", name)
}

/// `None` for an update that does not change the environment.
fn project<'r>(record: &Record<'r>) -> Option<Need<'r>> {
    let (request, answered) = (record.request, record.response.get("project"));
    let environment = request.get("environment");
    if !environment.is_object() {
        return None;
    }
    let who = answered.text("arn").map(Cow::Borrowed).or_else(|| named(record, request.text("name")?))?;
    let images: Vec<_> = task_image(None, environment.text("image"), None).into_iter().collect();
    let kind = if images.is_empty() { NeedKind::Ends } else { NeedKind::Asks };
    Some(Need::new(kind, who, images))
}

/// What a build pulls: the image that it names, else the project's.
fn build<'r>(record: &Record<'r>) -> Option<Need<'r>> {
    let (request, response) = (record.request, record.response);
    let answered =
        if response.get("build").is_object() { response.get("build") } else { response.get("buildBatch") };
    let project = request
        .text("projectName")
        .or_else(|| answered.text("projectName"))
        .and_then(|name| named(record, name));
    let who = answered.text("arn").map(Cow::Borrowed).or_else(|| project.clone())?;
    let given = request.text("imageOverride").or_else(|| answered.get("environment").text("image"));
    let images: Vec<_> = task_image(None, given, None).into_iter().collect();
    // The build names an image of another registry instead of the project's.
    let through = project.filter(|_| images.is_empty() && given.is_none());
    let source = [answered, request]
        .iter()
        .find_map(|place| place.text("resolvedSourceVersion").or_else(|| place.text("sourceVersion")));
    Some(Need {
        source: source.map(Cow::Borrowed),
        ..Need::new(NeedKind::Once, who, images).through(through)
    })
}
