//! App Runner services. The calls have the names of ECS's, `CreateService` and `UpdateService`.

use std::borrow::Cow;

use crate::model::Action;

use super::Meaning;
use super::image::task_image;
use super::record::Record;

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() || !matches!(record.name, "CreateService" | "UpdateService") {
        return None;
    }
    let repository = record.request.get("sourceConfiguration").get("imageRepository");
    let image = task_image(None, repository.text("imageIdentifier"), None)?;
    let request = record.request;
    let referrer =
        record.response.get("service").text("serviceArn").or_else(|| request.text("serviceArn")).or_else(|| request.text("serviceName"))?;
    Some((None, Action::Refer { referrer: Cow::Borrowed(referrer), images: vec![image] }))
}
