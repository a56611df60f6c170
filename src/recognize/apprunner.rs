//! App Runner services. Two calls have the same names as calls of ECS: `CreateService` and `UpdateService`.
//!
//! A service runs the image that it was deployed with. With automatic deployments, the default for images
//! of the same account, it is deployed again whenever its tag moves. A paused service runs nothing, but
//! needs its image when it resumes.

use std::borrow::Cow;

use crate::decode::calls::APPRUNNER;
use crate::model::{Action, ImageReference, Need, NeedKind};

use super::image::task_image;
use super::json::Json;
use super::record::Record;
use super::{Meaning, names};

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() || !APPRUNNER.contains(&record.name) {
        return None;
    }
    let who = service(record)?;
    let needs = match record.name {
        "DeleteService" => vec![Need::new(NeedKind::Ends, who, Vec::new())],
        // It resolves the image once, and keeps the result.
        "StartDeployment" => [NeedKind::Once, NeedKind::Keeps]
            .map(|kind| Need::new(kind, who.clone(), Vec::new()).through([who.clone()]))
            .into(),
        _ => vec![source(record, who)?],
    };
    Some((None, Action::Needs(needs)))
}

fn service<'r>(record: &Record<'r>) -> Option<Cow<'r, str>> {
    let (request, answered) = (record.request, record.response.get("service"));
    let arn = answered.text("serviceArn").or_else(|| request.text("serviceArn"));
    arn.map_or_else(
        || names::arn(record, "apprunner", "service/", request.text("serviceName")?),
        |arn| Some(Cow::Borrowed(arn)),
    )
}

/// The image that the service is to run; `None` for an update of something else.
fn source<'r>(record: &Record<'r>, who: Cow<'r, str>) -> Option<Need<'r>> {
    let asked = record.request.get("sourceConfiguration");
    let source =
        if asked.is_object() { asked } else { record.response.get("service").get("sourceConfiguration") };
    if !asked.is_object() && record.name == "UpdateService" || !source.is_object() {
        return None;
    }
    let Some(image) = task_image(None, source.get("imageRepository").text("imageIdentifier"), None) else {
        return Some(Need::new(NeedKind::Ends, who, Vec::new()));
    };
    let kind = if deploys_by_itself(source, image.reference.as_ref(), &who) {
        NeedKind::Asks
    } else {
        NeedKind::Keeps
    };
    Some(Need::new(kind, who, vec![image]))
}

fn deploys_by_itself(source: Json<'_>, image: Option<&ImageReference>, who: &str) -> bool {
    let own = || image.is_some_and(|image| who.split(':').nth(4) == Some(image.registry_id.as_str()));
    source.get("autoDeploymentsEnabled").as_bool().unwrap_or_else(own)
}
