//! The commands, quoted for a shell whatever names are in them.

use super::Missed;
use crate::detect::advice::{Shell, uri};
use crate::model::{Digest, ImageState, Repository};
use crate::timeline::Sym;

/// Maximum number of other tags that are named.
const TAGS_MAX: usize = 5;

/// The tag to bring it back with: one that it had and that no image has now, else a new one. Without a tag
/// the next run of a rule for untagged images would take it again.
pub(super) fn tag(missed: Missed<'_>) -> String {
    free_tags(missed)
        .into_iter()
        .next()
        .unwrap_or_else(|| format!("rescued-{}", &missed.digest.short()["sha256:".len()..]))
}

pub(super) fn other_tags(missed: Missed<'_>) -> Vec<String> {
    free_tags(missed).into_iter().skip(1).take(TAGS_MAX).collect()
}

/// Tags that it was lost with and that no image has now.
fn free_tags(missed: Missed<'_>) -> Vec<String> {
    let Some(image) = missed.image else { return Vec::new() };
    let displaced =
        image.losses.last().and_then(|loss| loss.displaced.as_ref()).map(|displaced| displaced.tag);
    let went = image
        .losses
        .last()
        .map(|loss| loss.tags.iter().map(|(tag, _)| *tag).collect::<Vec<Sym>>())
        .unwrap_or_default();
    let is_free = |tag: &Sym| missed.repository.tags.get(tag).is_none_or(|state| state.holder.is_none());
    let mut tags: Vec<String> = displaced
        .into_iter()
        .chain(went)
        .filter(is_free)
        .map(|tag| missed.history.text(tag).to_owned())
        .collect();
    tags.retain(|tag| is_tag(tag));
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Whether the distribution specification allows the text as a tag: logs may contain anything.
fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !text.is_empty() && text.len() <= 128 && text.bytes().all(word) && !text.starts_with(['.', '-'])
}

pub(super) fn host_of(repository: &Repository) -> String {
    uri_of(repository).split('/').next().unwrap_or_default().to_owned()
}

fn uri_of(repository: &Repository) -> String {
    uri(repository.registry_id.raw(), repository.region.raw(), repository.name.raw())
}

/// Commands to copy between repositories with each of the common tools. All keep the manifest unchanged,
/// and so the digest.
pub(super) fn copies(from: &Repository, digest: Digest, to: &Repository, tag: &str) -> Vec<String> {
    let (source, target) = (format!("{}@{digest}", uri_of(from)), format!("{}:{tag}", uri_of(to)));
    let skopeo = Shell::new("skopeo copy --all --preserve-digests");
    vec![
        skopeo.argument(&format!("docker://{source}")).argument(&format!("docker://{target}")).to_text(),
        Shell::new("crane copy").argument(&source).argument(&target).to_text(),
        // Without the flag a single-platform image would be wrapped into an index, which has another
        // digest.
        Shell::new("docker buildx imagetools create --prefer-index=false")
            .option("tag", &target)
            .argument(&source)
            .to_text(),
    ]
}

pub(super) fn logins(repositories: &[&Repository]) -> Vec<String> {
    let mut hosts: Vec<(String, &str)> =
        repositories.iter().map(|one| (host_of(one), one.region.raw())).collect();
    hosts.dedup();
    let login = |(host, region): &(String, &str)| {
        let password = Shell::new("aws ecr get-login-password").option("region", region).to_text();
        format!(
            "`{password} | {}`",
            Shell::new("skopeo login --username AWS --password-stdin").argument(host).to_text()
        )
    };
    hosts.iter().map(login).collect()
}

fn ecr(call: &str, of: &Repository) -> Shell {
    let shell = Shell::new(&format!("aws ecr {call}"))
        .option("region", of.region.raw())
        .option("registry-id", of.registry_id.raw());
    shell.option("repository-name", of.name.raw())
}

/// Puts the manifest of one repository into another of the same registry. It copies no layers, so those
/// have to exist there.
pub(super) fn put_manifest(from: &Repository, digest: Digest, to: &Repository, tag: &str) -> String {
    let get = ecr("batch-get-image", from).option("image-ids", &format!("imageDigest={digest}"));
    let get = get.raw(
        "--accepted-media-types application/vnd.oci.image.manifest.v1+json \
         application/vnd.oci.image.index.v1+json application/vnd.docker.distribution.manifest.v2+json \
         application/vnd.docker.distribution.manifest.list.v2+json",
    );
    let get = get.raw("--query 'images[0].imageManifest' --output text").to_text();
    let put = ecr("put-image", to).option("image-tag", tag).option("image-digest", &digest.to_string());
    put.raw(&format!("--image-manifest \"$({get})\"")).to_text()
}

pub(super) fn restore(of: &Repository, digest: Digest) -> String {
    let id = format!("imageDigest={digest}");
    ecr("update-image-storage-class", of)
        .option("image-id", &id)
        .option("target-storage-class", "STANDARD")
        .to_text()
}

pub(super) fn pull(of: &Repository, digest: Digest) -> String {
    Shell::new("docker pull").argument(&format!("{}@{digest}", uri_of(of))).to_text()
}

/// Commands that find a host whose pods run the image, and push it from there.
pub(super) fn from_node(digest: Digest, to: &Repository, tag: &str) -> Vec<String> {
    let list = r#"kubectl get pods --all-namespaces -o jsonpath='{range .items[*]}{.spec.nodeName}{"\t"}{.status.containerStatuses[*].imageID}{"\n"}{end}'"#;
    let name = Shell::new("ctr --namespace k8s.io images export image.tar")
        .argument(&format!("{}@{digest}", uri_of(to)))
        .to_text();
    let target = format!("docker://{}:{tag}", uri_of(to));
    let push =
        Shell::new("skopeo copy --all --preserve-digests oci-archive:image.tar").argument(&target).to_text();
    vec![format!("{list} | grep {digest}"), format!("{name} && {push}")]
}

pub(super) fn put_record(to: &Repository, digest: Digest, tag: &str) -> String {
    let put = ecr("put-image", to).option("image-tag", tag).option("image-digest", &digest.to_string());
    put.raw("--image-manifest file://manifest.json").to_text()
}

/// Whether an image in that state can be pulled.
pub(super) const fn can_be_pulled(state: ImageState) -> bool {
    matches!(state, ImageState::Tagged | ImageState::Untagged)
}
