//! How records name images: `imageId` objects, digests inside sentences, references in container definitions.

use std::borrow::Cow;

use crate::model::{Digest, ImageId, ImageReference, TaskImage};

use super::json::Json;

/// The digest at `key`; `None` for a placeholder or a cut digest.
pub(super) fn digest(value: Json<'_>, key: &str) -> Option<Digest> {
    value.text(key).and_then(written_digest)
}

/// A digest as ECR writes it, or as tools do that shout (`SHA256:`) or shorten (the digits alone).
pub(super) fn written_digest(text: &str) -> Option<Digest> {
    Digest::parse(text)
        .or_else(|| Digest::parse_hex(text.strip_prefix("SHA256:").unwrap_or(text).trim_ascii().as_bytes()))
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

/// Whether a name is a word that redaction puts in the place of names: `***`, `[REDACTED]`, `XXXX`.
pub(super) fn is_placeholder(name: &str) -> bool {
    const WORDS: [&str; 11] = [
        "redacted",
        "removed",
        "masked",
        "hidden",
        "anonymized",
        "anonymised",
        "sanitized",
        "sanitised",
        "obfuscated",
        "confidential",
        "hidden_due_to_security_reasons",
    ];
    let bare = name.trim_matches(['<', '>', '[', ']', '(', ')', '{', '}', '*', '_', '-', '.', ' ']);
    bare.is_empty()
        || bare.len() > 3 && bare.bytes().all(|byte| matches!(byte, b'x' | b'X'))
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(bare))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_redaction_are_no_names() {
        for name in
            ["***", "[REDACTED]", "<redacted>", "XXXX", "xxxxxxxx", "...", "HIDDEN_DUE_TO_SECURITY_REASONS"]
        {
            assert!(is_placeholder(name), "{name}");
        }
        for name in ["v1", "latest", "x", "xx-1", "hidden-service", "release-2026.03.02", "\"><img src=x>"] {
            assert!(!is_placeholder(name), "{name}");
        }
    }
}
