//! Content that a tool has cut off or made illegible. CloudTrail itself leaves out whole payloads, and early versions of
//! it whole lists; but it never writes a text where an object or a list belongs, or a digest without its end.

use crate::decode::excerpt;
use crate::decode::spelling::is_placeholder;
use crate::model::Action;

use super::image::written_digest;
use super::json::Json;
use super::record::Record;

/// Members that are objects or lists of objects wherever records have them.
const OBJECTS: [&str; 14] = [
    "image",
    "imageId",
    "imageIds",
    "failures",
    "repository",
    "lifecycleEventImageActions",
    "lifecycleEventImage",
    "lifecycleEventPolicy",
    "lifecycleEventRules",
    "lifecycleEventSelection",
    "containerDefinitions",
    "containerProperties",
    "primaryContainer",
    "containers",
];
/// Deeper members are none of these.
const DEPTH_MAX: u8 = 6;

/// What is illegible in a record with this meaning, in words; `None` if it is whole, as far as it matters. A failed
/// call changed nothing.
pub(super) fn told(record: &Record<'_>, action: Option<&Action<'_>>) -> Option<String> {
    let payloads = [record.request, record.response, record.details];
    let is_lacking = match action {
        Some(Action::Omitted | Action::Delete { illegible: true, .. }) => true,
        Some(Action::PolicyRun(run)) => run.illegible,
        _ => false,
    };
    let first = |told: fn(&str, &str) -> Option<String>| {
        payloads.into_iter().find_map(|payload| find(payload, DEPTH_MAX, told))
    };
    if record.failed() {
        return None;
    }
    let lacking = || first(hidden).or_else(|| first(rest));
    first(cut).or_else(|| is_lacking.then(lacking).flatten())
}

/// The first member of which `told` says something, at any depth.
fn find(place: Json<'_>, depth: u8, told: fn(&str, &str) -> Option<String>) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let of_member = |(name, value): (&str, Json<'_>)| {
        value.as_text().and_then(|text| told(name, text)).or_else(|| find(value, depth, told))
    };
    place.entries().find_map(of_member).or_else(|| place.items().find_map(|item| find(item, depth, told)))
}

/// An object or a list that has become a text: `@{imageDigest=…}`, `System.Object[]`.
fn cut(name: &str, text: &str) -> Option<String> {
    let is_powershell = text.starts_with("@{") || text.starts_with("System.");
    (OBJECTS.contains(&name) && (is_powershell || is_placeholder(text))).then(|| {
        let advice = if is_powershell { ": write it with ConvertTo-Json -Depth 100" } else { "" };
        format!("{name} is a text ({}), so what was done is not known{advice}", excerpt(text.as_bytes()))
    })
}

/// A digest or a tag of which too little is left.
fn hidden(name: &str, text: &str) -> Option<String> {
    let is_hidden = match name {
        "imageDigest" | "digest" => written_digest(text).is_none(),
        "imageTag" => is_placeholder(text),
        _ => OBJECTS.contains(&name),
    };
    is_hidden.then(|| {
        format!(
            "{name} is cut off or made illegible ({}), so what was done is not known: export it as it is",
            excerpt(text.as_bytes())
        )
    })
}

/// The manifest, if nothing else names the image: the digest of the rest of a manifest is that of no image.
fn rest(name: &str, _text: &str) -> Option<String> {
    (name == "imageManifest").then(|| {
        "imageManifest is not whole, and nothing else tells the digest: export it as it is".to_owned()
    })
}
