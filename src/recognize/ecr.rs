//! ECR: pushes, deletes, lifecycle runs, archiving and restoring, pulls, and the settings of a repository.
//!
//! A call with an `errorCode` changed nothing. A call that succeeded but whose effect cannot be read
//! (payload above 100 KB, or lists that an old record lacks) becomes [`Action::Omitted`], so that it is
//! never passed over silently.

mod delete;
mod lifecycle;
mod push;
mod registry;
mod storage;

use std::borrow::Cow;

use crate::model::{Action, Mutability};

use super::json::Json;
use super::manifest::Manifests;
use super::record::Record;
use super::{Meaning, identity, image, kms};

/// The meaning of an ECR record. It is an error if a call changed a repository that the record does not
/// name.
pub(super) fn recognize<'r>(
    record: &Record<'r>,
    manifests: &mut Manifests<'r>,
) -> Result<Option<Meaning<'r>>, String> {
    if record.name == "GetAuthorizationToken" {
        return Ok((!record.failed()).then_some((None, Action::Login)));
    }
    if let Some(change) = registry::change(record) {
        return Ok((!record.failed()).then_some((None, Action::Registry(change))));
    }
    let Some(action) = action(record, manifests) else { return Ok(None) };
    match identity::repository(record) {
        Some(repository) => Ok(Some((Some(repository), action))),
        None if record.failed() || !names_a_repository(record, &action) => Ok(None),
        None => Err(format!("{} names no repository", record.name)),
    }
}

fn action<'r>(record: &Record<'r>, manifests: &mut Manifests<'r>) -> Option<Action<'r>> {
    match record.name {
        "PutImage" => Some(push::put_image(record, manifests)),
        "ReplicateImage" => Some(push::replicate_image(record, manifests)),
        "BatchImportUpstreamImage" => push::import_upstream(record, manifests),
        "BatchDeleteImage" => Some(delete::batch_delete_image(record)),
        "BatchGetImage" => pull(record),
        "GetDownloadUrlForLayer" => pull_layer(record),
        _ if record.failed() => None,
        "PolicyExecutionEvent" => Some(lifecycle::execution(record)),
        "DryRunEvent" => lifecycle::preview(record),
        "CreateRepository" => Some(Action::CreateRepository {
            mutability: mutability(record),
            made_by_ecr: push::made_by_ecr(record),
            key: kms::of_repository(record),
        }),
        "DeleteRepository" => Some(Action::DeleteRepository),
        "PutLifecyclePolicy" => Some(put_lifecycle_policy(record)),
        "DeleteLifecyclePolicy" => Some(Action::DeleteLifecyclePolicy),
        "PutImageTagMutability" => Some(
            mutability(record).map_or(Action::Omitted, |mutability| Action::SetTagMutability { mutability }),
        ),
        "UpdateImageStorageClass" => Some(storage::update(record)),
        "ImageActivationEvent" => storage::activation(record),
        "SetRepositoryPolicy" | "DeleteRepositoryPolicy" => Some(Action::AccessChanged),
        _ => None,
    }
}

/// Whether a timeline would be wrong without this action. CloudTrail names the repository in each such record, so
/// one without it was changed by somebody. Pulls count, because they show who needs an image.
fn names_a_repository(record: &Record<'_>, action: &Action<'_>) -> bool {
    record.name == "BatchGetImage"
        || !matches!(action, Action::PullLayer { .. } | Action::AccessChanged | Action::PolicyPreview(_))
}

/// `BatchGetImage`. A call that failed as a whole often has no request; the failure is kept all the same.
fn pull<'r>(record: &Record<'r>) -> Option<Action<'r>> {
    let asked = record.request.get("imageIds");
    let images = image::image_ids(asked);
    let failed = record.failed();
    // A pull without an image id is one whose request parameters were removed.
    let illegible = images.is_empty() && (asked.items().next().is_some() || is_no_list(asked));
    if !failed && (record.request_left_out || !record.request.is_object() || illegible) {
        return Some(Action::Omitted);
    }
    (failed || !images.is_empty()).then_some(Action::Pull { images, failed })
}

/// Whether there is something else where a list belongs.
fn is_no_list(value: Json<'_>) -> bool {
    value.is_something() && !value.is_array()
}

fn pull_layer<'r>(record: &Record<'r>) -> Option<Action<'r>> {
    let layer = image::digest(record.request, "layerDigest")?;
    Some(Action::PullLayer { layer, failed: record.failed() })
}

fn put_lifecycle_policy<'r>(record: &Record<'r>) -> Action<'r> {
    let text =
        record.request.text("lifecyclePolicyText").or_else(|| record.response.text("lifecyclePolicyText"));
    text.map_or(Action::Omitted, |text| Action::PutLifecyclePolicy { text: Cow::Borrowed(text) })
}

fn mutability<'r>(record: &Record<'r>) -> Option<Mutability<'r>> {
    let response = record.response;
    [record.request, response, response.get("repository")].into_iter().find_map(registry::mutability)
}
