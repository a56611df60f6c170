//! Archiving and restoring: `UpdateImageStorageClass` asks for either, `ImageActivationEvent` reports that
//! a restore is done.

use crate::model::{Action, ImageId, StorageClass};
use crate::recognize::image;
use crate::recognize::json::Json;
use crate::recognize::record::Record;

/// The logged response nests the image (`responseElements.image`), while the API documents it flat; both
/// are read. For a call by tag, the tag is in the request and its digest in the response.
pub(super) fn update<'r>(record: &Record<'r>) -> Action<'r> {
    let places = [record.response.get("image"), record.response, record.request];
    let ids = places.map(|place| place.get("imageId"));
    let digest = ids.iter().find_map(|id| image::digest(*id, "imageDigest"));
    let tag = ids.iter().rev().find_map(|id| id.text("imageTag")).map(Into::into);
    let class = class(record.request, &places);
    match class {
        Some(class) if digest.is_some() || tag.is_some() => {
            Action::SetStorageClass { image: ImageId { digest, tag }, class }
        }
        _ => Action::Omitted,
    }
}

/// The class that was asked for; if the request is missing, the class that the response states.
fn class(request: Json<'_>, places: &[Json<'_>]) -> Option<StorageClass> {
    let asked = request.text("targetStorageClass");
    match asked.or_else(|| places.iter().find_map(|place| place.text("imageStatus")))? {
        "ARCHIVE" | "ARCHIVED" => Some(StorageClass::Archive),
        "STANDARD" | "ACTIVATING" | "ACTIVE" => Some(StorageClass::Standard),
        _ => None,
    }
}

/// A restore that failed, or of an image that is not named, changes nothing that is known.
pub(super) fn activation<'r>(record: &Record<'r>) -> Option<Action<'r>> {
    let details = record.details;
    if !details.is_object() {
        return Some(Action::Omitted);
    }
    details.text("result").filter(|result| result.eq_ignore_ascii_case("SUCCESS"))?;
    let digest = image::digest(details, "imageDigest")
        .or_else(|| image::digest(details.get("imageId"), "imageDigest"));
    Some(digest.map_or(Action::Omitted, |digest| Action::Restored { digest }))
}
