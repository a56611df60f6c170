//! Lambda functions made from images. Their invocations never reach ECR: Lambda keeps a copy of its own, so a function
//! refers to an image when it is created or updated, and fails only then.

use std::borrow::Cow;

use crate::model::Action;

use super::Meaning;
use super::image::task_image;
use super::record::Record;

/// Lambda writes its API's version behind the name: `CreateFunction20150331`, `UpdateFunctionCode20150331v2`.
/// `CreateFunctionUrlConfig` is another call.
pub(super) fn is_known(name: &str) -> bool {
    let version = |suffix: &str| suffix.chars().all(|char| char.is_ascii_digit() || char == 'v');
    ["CreateFunction", "UpdateFunctionCode"].iter().any(|call| name.strip_prefix(call).is_some_and(version))
}

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    let request = record.request;
    if record.failed() || !is_known(record.name) || request.get("dryRun").as_bool() == Some(true) {
        return None;
    }
    let image = task_image(None, request.get("code").text("imageUri").or_else(|| request.text("imageUri")), None)?;
    let referrer = record.response.text("functionArn").or_else(|| request.text("functionName"))?;
    Some((None, Action::Refer { referrer: Cow::Borrowed(referrer), images: vec![image] }))
}
