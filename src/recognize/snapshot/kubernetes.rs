//! kubectl: pods have digests (`imageID`); all other kinds have references as somebody wrote them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{AccountRegion, Snapshot};
use crate::model::{Action, ImageReference, Need, NeedKind, TaskImage};
use crate::recognize::image::task_image;
use crate::recognize::json::Json;

/// Kinds of objects that run pods, and pods.
const KINDS: &[&str] = &[
    "Pod",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "ReplicationController",
];

/// What each owner needs, by name: pods of one owner count once.
type Needs = BTreeMap<(String, u8), Vec<TaskImage<'static>>>;

pub(super) fn read(root: Json<'_>, answer: &mut Snapshot) -> bool {
    let (Some(kind), Some(_)) = (root.text("kind"), root.text("apiVersion")) else { return false };
    let items = root.get("items");
    let mut needs = Needs::new();
    if items.is_array() && kind.ends_with("List") {
        let named = kind.strip_suffix("List").filter(|kind| !kind.is_empty());
        items.items().for_each(|item| object(item, item.text("kind").or(named), answer, &mut needs));
    } else if KINDS.contains(&kind) {
        object(root, Some(kind), answer, &mut needs);
    } else {
        return false;
    }
    let kinds = [NeedKind::Keeps, NeedKind::Asks, NeedKind::Fails];
    let needs = needs
        .into_iter()
        .map(|((who, kind), images)| Need::new(kinds[usize::from(kind.min(2))], who, images));
    let needs: Vec<Need<'static>> = needs.collect();
    if !needs.is_empty() {
        answer.say(
            AccountRegion {
                account: answer.envelope.account.clone(),
                region: answer.envelope.region.clone(),
                repository: None,
            },
            Action::Needs(needs),
        );
    }
    answer.is("kubectl get")
}

const KEEPS: u8 = 0;
const ASKS: u8 = 1;
const FAILS: u8 = 2;

fn object(item: Json<'_>, kind: Option<&str>, answer: &mut Snapshot, needs: &mut Needs) {
    answer.entries += 1;
    answer.time(item.get("metadata").get("creationTimestamp"));
    let before = needs.values().map(Vec::len).sum::<usize>();
    let spec = item.get("spec");
    match kind {
        Some("Pod") => pod(item, answer, needs),
        Some("CronJob") => template(item, "cronjob", spec.get("jobTemplate").get("spec"), answer, needs),
        Some("Job") if item.get("status").get("completionTime").is_something() => {}
        // Its owner is in the list, too, or needs the same.
        Some("ReplicaSet") if owner(item).is_some() => {}
        Some(kind) if KINDS.contains(&kind) && spec.get("replicas").as_integer() != Some(0) => {
            template(item, &kind.to_ascii_lowercase(), spec, answer, needs);
        }
        _ => {}
    }
    answer.left_out +=
        u64::from(needs.values().map(Vec::len).sum::<usize>() == before && owner(item).is_none());
}

/// The containers of a template resolve their images each time a pod starts.
fn template(item: Json<'_>, kind: &str, spec: Json<'_>, answer: &Snapshot, needs: &mut Needs) {
    let who = name(answer, kind, item.get("metadata"), item.get("metadata").text("name").unwrap_or_default());
    for container in containers(spec.get("template").get("spec")) {
        if let Some(image) = task_image(None, container.text("image"), None) {
            add(needs, (who.clone(), ASKS), image);
        }
    }
}

fn pod(item: Json<'_>, answer: &mut Snapshot, needs: &mut Needs) {
    if matches!(item.get("status").text("phase"), Some("Succeeded")) {
        return;
    }
    let metadata = item.get("metadata");
    let who = match owner(item) {
        Some((kind, owner)) => name(answer, &kind.to_ascii_lowercase(), metadata, owner),
        None => name(answer, "pod", metadata, metadata.text("name").unwrap_or_default()),
    };
    for container in containers(item.get("spec")) {
        let status = statuses(item.get("status"))
            .find(|status| status.text("name") == container.text("name"))
            .unwrap_or(Json::NOTHING);
        answer.time(status.get("state").get("running").get("startedAt"));
        let resolved = status.text("imageID").and_then(resolved);
        let reference = container.text("image").and_then(ImageReference::parse).or_else(|| resolved.clone());
        let Some(reference) = reference else { continue };
        let digest = resolved.and_then(|resolved| resolved.digest);
        let waiting = status.get("state").get("waiting");
        let cannot_pull = matches!(waiting.text("reason"), Some("ErrImagePull" | "ImagePullBackOff"));
        let kind = match digest {
            _ if cannot_pull => FAILS,
            Some(_) => KEEPS,
            None => ASKS,
        };
        let container = container.text("name").map(|text| Cow::Owned(text.to_owned()));
        add(
            needs,
            (who.clone(), kind),
            TaskImage {
                reference: Some(reference),
                digest: digest.filter(|_| kind != FAILS),
                container,
                failed: kind == FAILS,
            },
        );
    }
}

/// `…/shop/api@sha256:…`, with or without `docker-pullable://`; a bare `sha256:…` is the digest of a config
/// and not of a manifest.
fn resolved(image_id: &str) -> Option<ImageReference> {
    let text = image_id.split_once("://").map_or(image_id, |(_, rest)| rest);
    ImageReference::parse(text).filter(|reference| reference.digest.is_some())
}

fn add(needs: &mut Needs, who: (String, u8), image: TaskImage<'static>) {
    let images = needs.entry(who).or_default();
    let same = |known: &TaskImage<'_>| known.reference == image.reference && known.digest == image.digest;
    if !images.iter().any(same) {
        images.push(image);
    }
}

fn containers<'r>(spec: Json<'r>) -> impl Iterator<Item = Json<'r>> {
    ["containers", "initContainers", "ephemeralContainers"]
        .into_iter()
        .flat_map(move |key| spec.get(key).items())
}

fn statuses<'r>(status: Json<'r>) -> impl Iterator<Item = Json<'r>> {
    ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        .into_iter()
        .flat_map(move |key| status.get(key).items())
}

/// Kind and name of an object's owner.
fn owner(item: Json<'_>) -> Option<(&str, &str)> {
    let owners = item.get("metadata").get("ownerReferences");
    owners.items().find_map(|owner| Some((owner.text("kind")?, owner.text("name")?)))
}

/// `kubernetes deployment shop/api`, with the cluster if it is known.
fn name(answer: &Snapshot, kind: &str, metadata: Json<'_>, name: &str) -> String {
    let cluster = answer.envelope.context.as_deref().map(|context| format!("{context} ")).unwrap_or_default();
    format!("kubernetes {cluster}{kind} {}/{name}", metadata.text("namespace").unwrap_or("default"))
}
