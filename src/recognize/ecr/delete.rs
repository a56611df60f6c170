//! `BatchDeleteImage`: what was deleted is told by the response, not by the request.

use std::borrow::Cow;

use crate::model::{Action, Deletion, Digest};
use crate::recognize::image;
use crate::recognize::json::Json;
use crate::recognize::record::Record;

/// What was deleted and what stayed. A partial failure has no `errorCode`; so without the response it is
/// not known what was deleted, even if the request is complete.
pub(super) fn batch_delete_image<'r>(record: &Record<'r>) -> Action<'r> {
    let requested = image::image_ids(record.request.get("imageIds"));
    if record.failed() {
        return Action::DeleteFailed { requested };
    }
    let removed = record.response.get("imageIds");
    let failures = record.response.get("failures");
    if !removed.is_array() && !failures.is_array() || super::is_no_list(removed) {
        return Action::Omitted;
    }
    let legible = image::image_ids(removed);
    // Something was deleted, and somebody has made illegible what.
    if legible.is_empty() && removed.items().next().is_some() {
        return Action::Omitted;
    }
    let illegible = legible.len() < removed.items().count();
    let failures = failures.items().filter_map(failure).collect();
    Action::Delete { removed: legible, requested, failures, illegible }
}

fn failure(entry: Json<'_>) -> Option<Deletion<'_>> {
    let image = image::image_id(entry.get("imageId"))?;
    let code = Cow::Borrowed(entry.text("failureCode").unwrap_or_default());
    Some(Deletion {
        image,
        code,
        parents: Digest::all_in(entry.text("failureReason").unwrap_or_default()).collect(),
    })
}
