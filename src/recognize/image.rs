//! How records name images: `imageId` objects, digests inside sentences, references in container definitions.

use std::borrow::Cow;

use crate::decode::spelling::is_placeholder;
use crate::model::{Digest, ImageId, ImageReference, TaskImage};

use super::json::Json;

/// The digest at `key`; `None` for a placeholder or a cut digest.
pub(super) fn digest(value: Json<'_>, key: &str) -> Option<Digest> {
    value.text(key).and_then(written_digest)
}

/// A digest as ECR writes it, or as tools do that shout (`SHA256:`), shorten (the digits alone), or take it from a
/// reference or a file's name (`@sha256:…`, `sha256-…`).
pub(super) fn written_digest(text: &str) -> Option<Digest> {
    Digest::parse(text).or_else(|| {
        let said = text.trim_ascii().trim_start_matches('@');
        let digits = match said.split_at_checked(6) {
            Some((algorithm, rest)) if algorithm.eq_ignore_ascii_case("sha256") => {
                rest.strip_prefix([':', '-', '_', '='])?
            }
            _ => said,
        };
        Digest::parse_hex(digits.as_bytes())
    })
}

/// `{"imageDigest": …, "imageTag": …}`; `None` if it names neither.
pub(super) fn image_id(value: Json<'_>) -> Option<ImageId<'_>> {
    let (digest, tag) = (digest(value, "imageDigest"), tag(value).map(Cow::Borrowed));
    (digest.is_some() || tag.is_some()).then_some(ImageId { digest, tag })
}

/// The `imageTag`, unless somebody has made it illegible: under one word for all of them, every push would take the
/// tag of the one before.
pub(super) fn tag(value: Json<'_>) -> Option<&str> {
    value.text("imageTag").filter(|tag| !is_placeholder(tag))
}

/// A list of `imageId`s.
pub(super) fn image_ids(list: Json<'_>) -> Vec<ImageId<'_>> {
    list.items().filter_map(image_id).collect()
}

/// The image of a container; `None` unless it is a reference to an ECR registry or has a resolved digest.
pub(super) fn task_image<'r>(
    container: Option<&'r str>,
    image: Option<&str>,
    resolved: Option<Digest>,
) -> Option<TaskImage<'r>> {
    let reference = image.and_then(ImageReference::parse);
    let digest = resolved;
    (reference.is_some() || digest.is_some()).then_some(TaskImage {
        reference,
        digest,
        container: container.map(Cow::Borrowed),
        failed: false,
    })
}
