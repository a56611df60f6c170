//! `PutImage`, and pushes that ECR makes itself: replication and pull-through cache.

use std::borrow::Cow;

use crate::model::{Action, AlreadyExists, Digest, Push, PushOrigin, Refusal};
use crate::recognize::image;
use crate::recognize::json::Json;
use crate::recognize::manifest::Manifests;
use crate::recognize::record::Record;

/// `PutImage`: a push, a refused push, or a push whose content is not in the record.
pub(super) fn put_image<'r>(record: &Record<'r>, manifests: &mut Manifests<'r>) -> Action<'r> {
    let stored = record.response.get("image");
    let parts = Parts {
        answered: image::digest(stored.get("imageId"), "imageDigest"),
        unreadable: stored
            .get("imageId")
            .text("imageDigest")
            .is_some_and(|said| image::written_digest(said).is_none()),
        asked: image::digest(record.request, "imageDigest"),
        tag: image::tag(record.request).or_else(|| image::tag(stored.get("imageId"))),
        manifest: manifests.text(record.request).or_else(|| manifests.text(stored)),
        media_type: record
            .request
            .text("imageManifestMediaType")
            .or_else(|| stored.text("imageManifestMediaType")),
    };
    if record.failed() {
        return Action::PushFailed(refusal(record, &parts));
    }
    // It took a tag, and somebody has made illegible which.
    let asked_for_a_tag =
        [record.request, stored.get("imageId")].iter().any(|place| place.text("imageTag").is_some());
    if asked_for_a_tag && parts.tag.is_none() {
        return Action::Omitted;
    }
    parts.push(origin(record), manifests)
}

/// `ReplicateImage` is logged in the destination account (the ECR User Guide names the event). Its fields
/// are not documented, so the image is looked for wherever other ECR events have it.
pub(super) fn replicate_image<'r>(record: &Record<'r>, manifests: &mut Manifests<'r>) -> Action<'r> {
    let parts = Parts::anywhere(record, manifests);
    if record.failed() {
        return Action::PushFailed(refusal(record, &parts));
    }
    parts.push(PushOrigin::Replication, manifests)
}

/// `BatchImportUpstreamImage` is a permission of the pull-through cache's role. Whether it is logged with
/// digests is not known; without one it only shows that the cache contacted the upstream registry.
pub(super) fn import_upstream<'r>(record: &Record<'r>, manifests: &mut Manifests<'r>) -> Option<Action<'r>> {
    let action = Parts::anywhere(record, manifests).push(PushOrigin::PullThroughCache, manifests);
    (!record.failed() && matches!(action, Action::Push(_))).then_some(action)
}

/// What a record says about the pushed image.
struct Parts<'r> {
    /// The digest in the response.
    answered: Option<Digest>,
    /// Whether there is a manifest that was made unreadable: then it may also have been changed.
    unreadable: bool,
    /// The digest in the request.
    asked: Option<Digest>,
    tag: Option<&'r str>,
    manifest: Option<&'r str>,
    media_type: Option<&'r str>,
}

impl<'r> Parts<'r> {
    /// Looks in all places where ECR events name images.
    fn anywhere(record: &Record<'r>, manifests: &Manifests<'r>) -> Self {
        let places = [record.response, record.request, record.details].map(within);
        let text = |keys: &[&str]| {
            places.iter().flatten().find_map(|place| keys.iter().find_map(|key| place.text(key)))
        };
        Self {
            answered: text(&["imageDigest", "image-digest", "digest"]).and_then(image::written_digest),
            unreadable: false,
            asked: None,
            tag: text(&["imageTag", "image-tag", "tag"]),
            manifest: places.iter().flatten().find_map(|place| manifests.text(*place)),
            media_type: text(&["imageManifestMediaType", "manifest-media-type"]),
        }
    }

    fn computed(&self) -> Option<Digest> {
        self.manifest.map(Digest::of_manifest)
    }

    fn push(&self, origin: PushOrigin, manifests: &mut Manifests<'r>) -> Action<'r> {
        // The manifest is hashed even if the response has the digest: that both agree is what makes the log
        // trustworthy.
        let computed = self.computed();
        let claimed = self.answered.or(self.asked);
        let Some(digest) = self.answered.or(computed).or(self.asked) else { return Action::Omitted };
        // The hash of a shortened manifest is not the digest of any image.
        let is_of_a_rest =
            self.answered.is_none() && self.manifest.is_some_and(|text| !manifests.is_whole(text));
        if self.unreadable || is_of_a_rest {
            return Action::Omitted;
        }
        Action::Push(Push {
            digest,
            tag: self.tag.map(Cow::Borrowed),
            origin,
            manifest: manifests.describe(self.manifest, self.media_type),
            digest_mismatch: matches!((claimed, computed), (Some(claimed), Some(computed)) if claimed != computed),
        })
    }
}

/// A payload, and the objects inside it that may name an image.
fn within(payload: Json<'_>) -> [Json<'_>; 5] {
    let first = payload.get("imageIds").items().next().unwrap_or(Json::NOTHING);
    [payload, payload.get("image"), payload.get("imageId"), payload.get("image").get("imageId"), first]
}

fn refusal<'r>(record: &Record<'r>, parts: &Parts<'r>) -> Refusal<'r> {
    let exists = record.error_code.is_some_and(|code| code.ends_with("ImageAlreadyExistsException"));
    let stated = || already_exists(record.error_message?).filter(|proof| agrees(proof, record, parts));
    let proves = exists.then(|| stated().or_else(|| asked_for(parts))).flatten();
    Refusal {
        code: Cow::Borrowed(record.error_code.unwrap_or_default()),
        digest: parts
            .asked
            .or_else(|| parts.computed())
            .or_else(|| proves.as_ref().map(|proof| proof.digest)),
        tag: parts.tag.map(Cow::Borrowed).or_else(|| proves.as_ref().map(|proof| proof.tag.clone())),
        proves,
    }
}

/// "Already exists" refers to what the request asked for; the message may be missing, cut off, or worded
/// differently.
fn asked_for<'r>(parts: &Parts<'r>) -> Option<AlreadyExists<'r>> {
    let digest = parts.asked.or_else(|| parts.computed())?;
    Some(AlreadyExists { digest, tag: Cow::Borrowed(parts.tag?) })
}

/// Parses the message of `ImageAlreadyExistsException`, which says which digest had the tag: `Image with
/// digest 'sha256:…' and tag 'T' already exists in the repository with name …`.
fn already_exists(message: &str) -> Option<AlreadyExists<'_>> {
    let digest = Digest::parse(quoted_after(message, "digest '")?)?;
    let tag = quoted_after(message, "tag '")?;
    (!tag.is_empty()).then_some(AlreadyExists { digest, tag: Cow::Borrowed(tag) })
}

/// Whether the proof names the tag of the request. For a push without a tag the message would say `tag
/// 'null'`.
fn agrees(proof: &AlreadyExists<'_>, record: &Record<'_>, parts: &Parts<'_>) -> bool {
    !record.request.is_object() || parts.tag == Some(&*proof.tag)
}

fn quoted_after<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once('\'')?.0)
}

/// How the push came about: told by a role that only ECR can assume, or by the service that ECR calls for.
/// A session's name is free text, so only the role in the ARN counts.
fn origin(record: &Record<'_>) -> PushOrigin {
    let identity = record.identity;
    let invoked_by = identity.text("invokedBy").unwrap_or_default();
    let issuer = identity.get("sessionContext").get("sessionIssuer").text("arn");
    let roles = [identity.text("arn").and_then(assumed_role), issuer.and_then(|arn| arn.rsplit('/').next())];
    let is = |role: &str, service: &str| invoked_by == service || roles.contains(&Some(role));
    if is("AWSServiceRoleForECRReplication", "replication.ecr.amazonaws.com") {
        PushOrigin::Replication
    } else if is("AWSServiceRoleForECRPullThroughCache", "pullthroughcache.ecr.amazonaws.com") {
        PushOrigin::PullThroughCache
    } else {
        PushOrigin::Client
    }
}

/// For a repository that ECR created itself, the kind of push that caused it: a template may apply.
pub(super) fn made_by_ecr(record: &Record<'_>) -> Option<PushOrigin> {
    match origin(record) {
        // No client calls `CreateRepository` through the registry, which only serves pushes and pulls.
        PushOrigin::Client => {
            let by_ecr = |name: Option<&str>| name == Some("ecr.amazonaws.com");
            (by_ecr(record.identity.text("invokedBy")) || by_ecr(record.source_ip))
                .then_some(PushOrigin::Client)
        }
        other => Some(other),
    }
}

/// `ROLE` in `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
fn assumed_role(arn: &str) -> Option<&str> {
    let (_, rest) = arn.split_once(":assumed-role/")?;
    rest.split('/').next()
}
