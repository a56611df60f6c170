//! Lambda functions made from images. Lambda resolves a tag to a digest when a function is created or
//! updated, and keeps its own copy. Invocations do not pull from ECR, so a function whose image is gone
//! fails only at its next update, or after weeks without use.

use std::borrow::Cow;

use crate::decode::calls::LAMBDA;
use crate::model::{Action, ImageReference, Need, NeedKind, TaskImage};

use super::image::task_image;
use super::record::Record;
use super::{Meaning, names};

/// Calls that change which image a function keeps.
const CHANGES: &[&str] = LAMBDA.split_at(4).0;
/// Calls that matter only if they fail.
const ATTEMPTS: &[&str] = LAMBDA.split_at(4).1;

/// Whether `name` is one of `calls`. Lambda appends its API's version: `CreateFunction20150331`,
/// `UpdateFunctionCode20150331v2`. `CreateFunctionUrlConfig` is a different call.
fn is_call(name: &str, calls: &[&str]) -> bool {
    let version = |suffix: &str| suffix.chars().all(|char| char.is_ascii_digit() || char == 'v');
    calls.iter().any(|call| name.strip_prefix(call).is_some_and(version))
}

pub(super) fn is_known(name: &str) -> bool {
    is_call(name, CHANGES)
}

/// Whether a call with this name matters only if it fails.
pub(super) fn is_attempt(name: &str) -> bool {
    is_call(name, ATTEMPTS)
}

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    let (request, function) = (record.request, function(record)?);
    if request.get("dryRun").as_bool() == Some(true) {
        return None;
    }
    let needs = match record.name {
        _ if record.failed() => failure(record, function.arn)?,
        name if name.starts_with("CreateFunction") || name.starts_with("UpdateFunctionCode") => {
            code(record, function)?
        }
        name if name.starts_with("PublishVersion") => vec![version(record, &function)?],
        name if name.starts_with("DeleteFunction") => {
            vec![Need::new(NeedKind::Ends, function.qualified(request.text("qualifier")), Vec::new())]
        }
        _ => return None,
    };
    Some((None, Action::Needs(needs)))
}

/// A function, and the version that follows its name, if any.
struct Function<'r> {
    arn: Cow<'r, str>,
    qualifier: Option<&'r str>,
}

impl<'r> Function<'r> {
    /// The ARN of one version of the function, or of the function itself.
    fn qualified(self, qualifier: Option<&str>) -> Cow<'r, str> {
        match qualifier.or(self.qualifier).filter(|qualifier| *qualifier != "$LATEST") {
            Some(qualifier) => Cow::Owned(format!("{}:{qualifier}", self.arn)),
            None => self.arn,
        }
    }
}

/// Parses `orders`, `orders:7`, `111122223333:function:orders`, or an ARN, with or without a version.
fn function<'r>(record: &Record<'r>) -> Option<Function<'r>> {
    let named = record.response.text("functionArn").or_else(|| record.request.text("functionName"))?;
    let tail = named.rsplit_once("function:").map_or(named, |(_, tail)| tail);
    let (name, qualifier) =
        tail.split_once(':').map_or((tail, None), |(name, qualifier)| (name, Some(qualifier)));
    let arn = match named.starts_with("arn:") {
        true => Cow::Borrowed(named.get(..named.len() - tail.len() + name.len())?),
        false => names::arn(record, "lambda", "function:", name)?,
    };
    Some(Function { arn, qualifier })
}

/// The function gets a new image; with `publish` it also publishes a version. `None` for a function made
/// from a ZIP file.
fn code<'r>(record: &Record<'r>, function: Function<'r>) -> Option<Vec<Need<'r>>> {
    let image = image(record)?;
    let published = record.request.get("publish").as_bool() == Some(true);
    let version = if published { version(record, &function) } else { None };
    let own = Need::new(NeedKind::Keeps, function.arn, vec![image]);
    Some(std::iter::once(own).chain(version).collect())
}

/// The image: if the response has the resolved digest, that is used.
fn image<'r>(record: &Record<'r>) -> Option<TaskImage<'r>> {
    let (request, response) = (record.request, record.response);
    let places = [response.get("code"), response, request.get("code"), request];
    let resolved =
        places.iter().find_map(|place| place.text("resolvedImageUri")).and_then(ImageReference::parse);
    let image = task_image(
        None,
        places.iter().find_map(|place| place.text("imageUri")),
        resolved.as_ref().and_then(|found| found.digest),
    );
    image.or_else(|| task_image(None, places.iter().find_map(|place| place.text("resolvedImageUri")), None))
}

/// A published version keeps what the function has at that moment.
fn version<'r>(record: &Record<'r>, function: &Function<'r>) -> Option<Need<'r>> {
    let number =
        record.response.text("version").or(function.qualifier).filter(|version| *version != "$LATEST")?;
    let who = format!("{}:{number}", function.arn);
    Some(Need::new(NeedKind::Copies, who, Vec::new()).through([function.arn.clone()]))
}

/// Failures that say that an image is gone: "The function is trying to use a deleted image", "Source image
/// … does not exist", and others.
fn failure<'r>(record: &Record<'r>, function: Cow<'r, str>) -> Option<Vec<Need<'r>>> {
    let message = record.error_message.unwrap_or_default();
    let speaks_of = |words: &[&str], text: &str| words.iter().any(|word| text.contains(word));
    let lower = message.to_ascii_lowercase();
    let gone = [
        "deleted",
        "does not exist",
        "doesn't exist",
        "not found",
        "no longer",
        "missing",
        "cannot be found",
    ];
    let missing = lower.contains("image") && speaks_of(&gone, &lower);
    if !missing && !record.error_code.is_some_and(|code| code.contains("ImageDeleted")) {
        return None;
    }
    let image =
        |reference| TaskImage { reference: Some(reference), digest: None, container: None, failed: false };
    Some(vec![Need::new(
        NeedKind::Fails,
        function,
        ImageReference::find_all(message).into_iter().map(image).collect(),
    )])
}
