//! The forms in which people paste failures, each with the image that it is about. The wordings are those of
//! the tools; the names are made up.

use super::{HOST, Log, ask, digest};
use crate::explain::Question;
use crate::model::{Cause, Verdict};

/// What a text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// The digest that raced for the tag and was expired.
    Lost,
    /// The tag, which points to the other image.
    Tag,
    /// The repository, which exists.
    Repository,
    /// Something that these logs do not know, and that must not be confused with what they know.
    Stranger,
}
use Asks::{Lost, Repository, Stranger, Tag};

/// `{I}`: host and repository; `{H}`: the host; `{T}`: the tag; `{D}`: the lost digest, `{X}`: its hex
/// digits; `{L}`: a layer's digest.
const FORMS: &[(Asks, &str)] = &[
    // References, and hosts of every kind.
    (Lost, "{I}:{T}@{D}"),
    (Lost, "{I}@{D}"),
    (Tag, "{I}:{T}"),
    (Tag, "https://{I}:{T}"),
    (Tag, "docker://{I}:{T}"),
    (Tag, "oci://{I}:{T}"),
    (Lost, "{H}:443/shop/api@{D}"),
    (Tag, "111122223333.DKR.ECR.EU-CENTRAL-1.AMAZONAWS.COM/shop/api:{T}"),
    (Tag, "111122223333.dkr-ecr.eu-central-1.on.aws/shop/api:{T}"),
    (Tag, "111122223333.dkr.ecr-fips.eu-central-1.amazonaws.com/shop/api:{T}"),
    (Lost, "***.dkr.ecr.***.amazonaws.com/shop/api:{T}@{D}"),
    (Tag, "***.dkr.ecr.eu-central-1.amazonaws.com/shop/api:{T}"),
    (Tag, "xxxxxxxxxxxx.dkr.ecr.eu-central-1.amazonaws.com/shop/api:{T} not found"),
    (Tag, "1111xxxxxxxx.dkr.ecr.eu-central-1.amazonaws.com/shop/api:{T} not found"),
    (Tag, "<account-id>.dkr.ecr.<region>.amazonaws.com/shop/api:{T}: not found"),
    (Tag, "${AWS_ACCOUNT_ID}.dkr.ecr.${AWS_REGION}.amazonaws.com/shop/api:{T}"),
    (Tag, "manifest for ***/shop/api:{T} not found: manifest unknown: Requested image not found"),
    (Lost, "Error: ***/shop/api@{D}: not found"),
    (Tag, "$ECR_REGISTRY/shop/api:{T} does not exist"),
    (Lost, "localhost:5000/shop/api@{D}"),
    (Lost, "mirror.example.net/ecr/shop/api@{D}: not found"),
    (Lost, "public.ecr.aws/k1n1h4f5/shop/api@{D}"),
    (Lost, "{D}"),
    (Lost, "{X}"),
    (Lost, "digest {X} is gone"),
    (Lost, "shop/api@{D}"),
    (Lost, "shop/api:{T}@{D}: not found"),
    (Tag, "shop/api:{T}"),
    (Tag, "shop/api:{T}."),
    // ECS and Fargate.
    (
        Lost,
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {I}:{T}@{D}: {I}:{T}@{D}: not found",
    ),
    (
        Lost,
        "CannotPullImageManifestError: Error response from daemon: manifest for {I}@{D} not found: manifest unknown: Requested image not found",
    ),
    (
        Tag,
        "CannotPullContainerError: Error response from daemon: manifest for {I}:{T} not found: manifest unknown: Requested image not found",
    ),
    (
        Tag,
        "CannotPullContainerError: pull command failed: time=\"2026-03-24T09:15:00Z\" level=fatal msg=\"failed to resolve reference \\\"{I}:{T}\\\": {I}:{T}: not found\" host={H}",
    ),
    (
        Tag,
        "CannotPullContainerError: inspect image has been retried 5 time(s): failed to resolve ref \"{I}:{T}\": failed to do request: Head \"https://{H}/v2/shop/api/manifests/{T}\": dial tcp 10.0.0.1:443: i/o timeout",
    ),
    (Lost, "unexpected status from HEAD request to https://{H}/v2/shop/api/manifests/{D}: 403 Forbidden"),
    (
        Lost,
        "failed to resolve ref {I}:{T}@{D}: unexpected status from HEAD request to https://{H}/v2/shop/api/blobs/{D}: 403 Forbidden",
    ),
    (
        Tag,
        "Essential container in task exited; ResourceInitializationError: unable to pull {I}:{T}. Check your network configuration.",
    ),
    (Tag, "(service api) was unable to place a task. Reason: CannotPullContainerError: {I}:{T}: not found."),
    // docker and BuildKit.
    (
        Tag,
        "Error response from daemon: manifest for {I}:{T} not found: manifest unknown: Requested image not found",
    ),
    (
        Repository,
        "Error response from daemon: repository {I} not found: name unknown: The repository with name 'shop/api' does not exist in the registry with id '111122223333'",
    ),
    (Tag, "Error response from daemon: Get https://{H}/v2/shop/api/manifests/{T}: no basic auth credentials"),
    (
        Tag,
        "Unable to find image '{I}:{T}' locally\ndocker: Error response from daemon: manifest for {I}:{T} not found: manifest unknown.",
    ),
    (Lost, "ERROR: failed to solve: {I}@{D}: not found"),
    (
        Tag,
        "ERROR: failed to solve: {I}:{T}: failed to resolve source metadata for {I}:{T}: {I}:{T}: not found",
    ),
    (
        Tag,
        "#3 ERROR: {I}:{T}: not found\n------\n > [internal] load metadata for {I}:{T}:\n------\nDockerfile:1\n--------------------\n   1 | >>> FROM {I}:{T} AS base\n",
    ),
    (Tag, "failed to solve with frontend dockerfile.v0: failed to create LLB definition: {I}:{T}: not found"),
    (
        Tag,
        "pull access denied for {I}, repository does not exist or may require 'docker login': denied: requested access to tag {T} in {I} is denied",
    ),
    (Tag, "tag does not exist: {I}:{T}"),
    (Tag, "no such image: {I}:{T}"),
    (Tag, "invalid from flag value {I}:{T}: Error response from daemon: manifest unknown"),
    (Tag, "ERROR: for api  manifest for {I}:{T} not found: manifest unknown: Requested image not found"),
    // containerd, nerdctl, ctr, crictl.
    (
        Tag,
        "failed to pull and unpack image \"{I}:{T}\": failed to resolve reference \"{I}:{T}\": {I}:{T}: not found",
    ),
    (
        Lost,
        "failed to pull and unpack image \"{I}@{D}\": failed to resolve reference \"{I}@{D}\": {I}@{D}: not found",
    ),
    (Tag, "ctr: failed to resolve reference \"{I}:{T}\": {I}:{T}: not found"),
    (
        Tag,
        "time=\"2026-03-24T09:15:00Z\" level=error msg=\"PullImage \\\"{I}:{T}\\\" failed\" error=\"rpc error: code = NotFound desc = failed to pull and unpack image \\\"{I}:{T}\\\": not found\"",
    ),
    (
        Tag,
        "failed to pull and unpack image \"{I}:{T}\": failed to copy: httpReadSeeker: failed open: unexpected status code https://{H}/v2/shop/api/blobs/{L}: 404 Not Found",
    ),
    (
        Tag,
        "E0324 09:15:00.1 3267 remote_image.go:180] \"PullImage from image service failed\" err=\"rpc error: code = NotFound desc = {I}:{T}: not found\" image=\"{I}:{T}\"",
    ),
    // CRI-O, podman, skopeo, buildah.
    (
        Lost,
        "rpc error: code = Unknown desc = reading manifest {D} in {I}: manifest unknown: Requested image not found",
    ),
    (
        Tag,
        "Error: initializing source docker://{I}:{T}: reading manifest {T} in {I}: manifest unknown: Requested image not found",
    ),
    (Tag, "Error: initializing source: reading manifest {T} in {I}: manifest unknown"),
    (Tag, "Error reading manifest {T} in {I}: manifest unknown: Requested image not found"),
    (
        Tag,
        "FATA[0000] Error parsing image name \"docker://{I}:{T}\": reading manifest {T} in {I}: manifest unknown",
    ),
    (
        Tag,
        "error creating build container: Error determining manifest MIME type for docker://{I}:{T}: Error reading manifest {T} in {I}",
    ),
    (Lost, "copying image 1/2 from manifest list: reading manifest {D} in \"{I}\": manifest unknown"),
    (Tag, "unable to copy from source docker://{I}:{T}: initializing source docker://{I}:{T}"),
    // Kubernetes.
    (
        Tag,
        "Failed to pull image \"{I}:{T}\": rpc error: code = NotFound desc = failed to pull and unpack image \"{I}:{T}\": failed to resolve reference \"{I}:{T}\": {I}:{T}: not found",
    ),
    (
        Tag,
        "  Warning  Failed     12s (x4 over 2m)  kubelet            Failed to pull image \"{I}:{T}\": not found",
    ),
    (Tag, "Back-off pulling image \"{I}:{T}\""),
    (
        Tag,
        "{\"reason\":\"Failed\",\"message\":\"Failed to pull image \\\"{I}:{T}\\\": rpc error: code = NotFound\"}",
    ),
    (Tag, "message: 'Back-off pulling image \"{I}:{T}\": ErrImagePull: not found'\nreason: ImagePullBackOff"),
    (Tag, "- image: {I}:{T}\n  imageID: \"\"\n  state:\n    waiting:\n      reason: ImagePullBackOff"),
    (Lost, "imageID: {I}@{D}"),
    (Tag, "api-7d9f8-x2x1z 0/1 ErrImagePull: {I}:{T}"),
    (Tag, "message: \"Failed to pull image \\\"{I}:\\\n  {T}\\\": not found\""),
    (Tag, "{\"image\":\"111122223333.dkr.ecr.eu-central-1.amazonaws.com\\/shop\\/api:{T}\"}"),
    (Lost, "{\"m\":\"{\\\\\\\"image\\\\\\\":\\\\\\\"{I}@{D}\\\\\\\"}\"}"),
    (Tag, "{image: {I}:{T}}"),
    // ECR's API, the AWS CLI, SDKs, Terraform, CloudFormation.
    (
        Tag,
        "An error occurred (ImageNotFoundException) when calling the DescribeImages operation: The image with imageId {imageDigest:'null', imageTag:'{T}'} does not exist within the repository with name 'shop/api' in the registry with id '111122223333'",
    ),
    (
        Lost,
        "An error occurred (ImageNotFoundException) when calling the DescribeImages operation: The image with imageId {imageDigest:'{D}', imageTag:'null'} does not exist within the repository with name 'shop/api' in the registry with id '111122223333'",
    ),
    (
        Repository,
        "An error occurred (RepositoryNotFoundException) when calling the BatchGetImage operation: The repository with name 'shop/api' does not exist in the registry with id '111122223333'",
    ),
    (
        Repository,
        "RepositoryNotFoundException: The repository with name 'shop/api' does not exist in the registry with id '111122223333'\n\tstatus code: 400, request id: 9d9f",
    ),
    (Tag, "aws ecr describe-images --repository-name shop/api --image-ids imageTag={T}"),
    (
        Tag,
        "ImageTagAlreadyExistsException: The image tag '{T}' already exists in the 'shop/api' repository and cannot be overwritten because the repository is immutable.",
    ),
    (
        Tag,
        "tag invalid: The image tag '{T}' already exists in the 'shop/api' repository and cannot be overwritten because the tag is immutable.",
    ),
    (
        Tag,
        "{\"failures\":[{\"imageId\":{\"imageTag\":\"{T}\"},\"failureCode\":\"ImageNotFound\",\"failureReason\":\"Requested image not found\"}],\"repositoryName\":\"shop/api\"}",
    ),
    (
        Repository,
        "User: arn:aws:sts::111122223333:assumed-role/ci/build is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-central-1:111122223333:repository/shop/api because no identity-based policy allows the ecr:BatchGetImage action",
    ),
    (Repository, "arn:aws:ecr:eu-central-1:111122223333:repository/shop/api"),
    (Tag, "Error: reading ECR Image (shop/api:{T}): couldn't find resource"),
    (
        Repository,
        "LayersNotFoundException: the layer is not in the repository with name 'shop/api' in the registry with id '111122223333'",
    ),
    // Lambda, App Runner, Batch, CodeBuild, SageMaker.
    (
        Tag,
        "InvalidParameterValueException: Source image {I}:{T} does not exist. Provide a valid source image.",
    ),
    (
        Lost,
        "Resource handler returned message: \"Source image {I}@{D} is not valid. Provide a valid source image. (Service: Lambda, Status Code: 400)\"",
    ),
    (Tag, "[AppRunner] Failed to copy the image from ECR. Failure reason : Image not found: {I}:{T}"),
    (
        Tag,
        "CannotPullContainerError: Error response from daemon: manifest for {I}:{T} not found: manifest unknown - job 7f7f in queue main",
    ),
    (
        Tag,
        "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull customer's container image. CannotPullContainerError: Error response from daemon: manifest for {I}:{T} not found",
    ),
    (
        Tag,
        "Failed to pull model image '{I}:{T}'. Please check that the image exists and that the role may pull it.",
    ),
    // Wrapped by consoles, tables and quotations.
    (
        Lost,
        "failed to resolve ref 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:rel-20\n26.03.02@sha256:{X}: not found",
    ),
    (
        Tag,
        "failed to resolve ref 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:rel-20\n    26.03.02: not found",
    ),
    (Tag, "manifest for 111122223333.dkr.ecr.eu-cen\ntral-1.amazonaws.com/shop/api:{T} not found"),
    (
        Tag,
        "| failed to resolve ref 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop |\n| /api:{T}: not found |",
    ),
    (Tag, "> manifest for 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/a\n> pi:{T} not found"),
    (Tag, "{I}:{T}\nnot found"),
    (Tag, "Error: image shop/api:rel-2026\n.03.02 not found"),
    // Chats, mails, web pages, terminals.
    (Tag, "**{I}:{T}** not found"),
    (Tag, "`{I}:{T}` is gone"),
    (Tag, "_{I}:{T}_ not found"),
    (Tag, "<https://{I}:{T}|{I}:{T}> not found"),
    (Tag, "[{I}:{T}](https://console.example.net/x) not found"),
    (Tag, "Could not pull {I}:{T}."),
    (Tag, "Could not pull {I}:{T}, sorry"),
    (Tag, "(see {I}:{T})"),
    (Tag, "{I}:{T}|not found"),
    (Tag, "\u{201c}{I}:{T}\u{201d} not found"),
    (Tag, "&quot;{I}:{T}&quot; not found"),
    (Tag, "&#34;111122223333.dkr.ecr.eu-central-1.amazonaws.com&#x2F;shop&#x2F;api:{T}&#34;"),
    (Lost, "111122223333.dkr.ecr.eu-central-1.amazonaws.com%2Fshop%2Fapi%40sha256%3A{X}"),
    (Tag, "https://search.example.net/?q=111122223333.dkr.ecr.eu-central-1.amazonaws.com%2Fshop%2Fapi%3A{T}"),
    (Lost, "##[error]manifest for {I}:\u{1b}[1m{T}\u{1b}[0m@{D} not found"),
    (Tag, "\u{1b}[31mERROR\u{1b}[0m \\u001b[1m{I}:{T}\\u001b[0m not found"),
    (Tag, "Error: image shop/api:{T} not found"),
    (
        Tag,
        "the image 'shop/api:{T}' could not be pulled on ip-10-0-1-2.eu-central-1.compute.internal:10250 at 09:15:30",
    ),
    // Must not be confused with what the logs know.
    (Stranger, "docker.io/shop/api:{T} not found"),
    (Stranger, "public.ecr.aws/k1n1h4f5/shop/api:{T}"),
    (Stranger, "444455556666.dkr.ecr.eu-central-1.amazonaws.com/shop/api:{T}: not found"),
    (Stranger, "***.dkr.ecr.us-east-1.amazonaws.com/shop/api:{T}: not found"),
    (Stranger, "602401143452.dkr.ecr.eu-central-1.amazonaws.com/shop/api:{T}"),
    (Stranger, "{I}:{T}-arm64 not found, and {I}:{T} was pulled before"),
    (Stranger, "{I}:rel-2026.03.0 not found"),
    (Stranger, "ghcr.io/shop/api:{T}: denied"),
    (Stranger, "The repository with name 'shop/api' does not exist in the registry with id '444455556666'"),
];

const HEX_OF_A_LAYER: &str = "4660645c73f48eb8f67e661ea54842f9fabb1ae261238e0538d1b952b00863f9";
const TAG: &str = "rel-2026.03.02";

fn filled(form: &str) -> String {
    let lost = digest(1).to_string();
    let hex = lost.trim_start_matches("sha256:");
    let layer = format!("sha256:{HEX_OF_A_LAYER}");
    let values = [
        ("{I}", "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api"),
        ("{H}", "111122223333.dkr.ecr.eu-central-1.amazonaws.com"),
    ];
    let values = values.into_iter().chain([
        ("{T}", TAG),
        ("{D}", lost.as_str()),
        ("{X}", hex),
        ("{L}", layer.as_str()),
    ]);
    values.fold(form.to_owned(), |text, (name, value)| text.replace(name, value))
}

fn world() -> Log {
    let mut log = Log::default();
    log.push(1, TAG).push(2, TAG).push(3, "latest").at(90_000).expire(1, &[]).pull(Some(1), None);
    log
}

fn is_answered(asks: Asks, verdict: &Verdict) -> bool {
    match asks {
        Lost => verdict.cause == Cause::TagMovedThenExpired && verdict.gone.is_some(),
        Tag => {
            verdict.cause == Cause::StillThere
                && verdict.exists.tag_points_to == Some(digest(2))
                && verdict.reference.raw().contains(TAG)
        }
        Repository => {
            verdict.cause == Cause::StillThere
                && verdict.exists.tag_exists.is_none()
                && verdict.narrative[0].text.contains("Repository shop/api")
        }
        Stranger => {
            matches!(verdict.cause, Cause::Unknown | Cause::NeverPushedHere)
                && verdict.exists.tag_points_to.is_none()
        }
    }
}

#[test]
fn every_form_is_answered_for_what_it_asks() {
    assert!(FORMS.len() >= 105, "{} forms", FORMS.len());
    let log = world();
    let mut wrong = Vec::new();
    for (asks, form) in FORMS {
        let text = filled(form);
        match Question::parse(&text) {
            None => wrong.push(format!("{asks:?}: nothing understood in\n  {text}")),
            Some(_) => {
                let verdict = ask(&log, &text);
                if !is_answered(*asks, &verdict) {
                    wrong.push(format!(
                        "{asks:?}: {:?} {} ({})\n  {text}",
                        verdict.cause,
                        verdict.reference.raw(),
                        verdict.narrative[0].text
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} forms:\n{}", wrong.len(), FORMS.len(), wrong.join("\n"));
}

/// The same forms inside of JSON, after a prompt, and with colours.
#[test]
fn what_stands_around_a_form_changes_nothing() {
    let log = world();
    let mut wrong = Vec::new();
    for (asks, form) in FORMS.iter().filter(|(asks, _)| *asks != Stranger) {
        let text = filled(form);
        let json = serde_json::json!({ "log": text, "stream": "stderr" }).to_string();
        let around = [
            format!("$ deploy api\n{text}"),
            format!("\u{1b}[31m{text}\u{1b}[0m"),
            format!("2026-03-24T09:15:00.000Z {text}"),
            json,
        ];
        // A digest or name alone counts only if there is nothing else.
        let alone = !text.contains(' ') && !text.contains(".dkr");
        for text in around.iter().filter(|_| !alone) {
            if !Question::parse(text).is_some_and(|_| is_answered(*asks, &ask(&log, text))) {
                wrong.push(format!("{asks:?} {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_text_that_can_be_read_in_two_ways_says_so() {
    let mut log = world();
    log.push(4, "rel-2026.03.0");
    // Both tags are known: the answer is about the words as they are, and the other reading is mentioned.
    let verdict = ask(&log, &filled("{H}/shop/api:rel-2026.03.0\n2 tasks failed"));
    assert_eq!(verdict.exists.tag_points_to, Some(digest(4)));
    assert!(
        verdict.unknown.iter().any(|note| note.contains(TAG) && note.contains("in another way")),
        "{:?}",
        verdict.unknown
    );
}

#[test]
fn a_near_miss_is_suggested() {
    let told = |text: &str| ask(&world(), &filled(text)).narrative[0].text.clone();
    assert!(
        told("{I}:rel-2026.03.2").contains("Similar tags: rel-2026.03.02"),
        "{}",
        told("{I}:rel-2026.03.2")
    );
    assert!(told("{H}/shop/apl:{T}").contains("similar: shop/api"), "{}", told("{H}/shop/apl:{T}"));
    assert!(told("shpo/api:{T}").contains("similar: shop/api"));
    assert!(!told("{I}:nightly").contains("Similar"));
}

#[test]
fn registries_of_others_get_true_sentences() {
    let aws = ask(&world(), "602401143452.dkr.ecr.eu-central-1.amazonaws.com/eks/coredns:v1.11.1");
    assert!(
        aws.narrative[0].text.contains("AWS's own")
            && !aws.advice.iter().any(|advice| advice.contains("Read the trail")),
        "{aws:?}"
    );
    let public = ask(&world(), "public.ecr.aws/k1n1h4f5/shop/api:v1");
    assert!(
        public.narrative[0].text.contains("ecr-public.amazonaws.com")
            && public.narrative[0].text.contains("us-east-1"),
        "{public:?}"
    );
    let other = ask(&world(), "docker.io/library/nginx:1.25");
    assert!(other.narrative[0].text.contains("docker.io is no private registry of ECR"), "{other:?}");
    let mirror = ask(&world(), &filled("localhost:5000/shop/api@{D}"));
    assert!(mirror.unknown.iter().any(|note| note.contains("another registry")), "{:?}", mirror.unknown);
}

#[test]
fn a_layer_names_no_image() {
    let verdict = ask(&world(), &filled("GET https://{H}/v2/shop/api/blobs/{L}: 404 Not Found"));
    assert!(verdict.narrative[0].text.contains("Repository shop/api"), "{verdict:?}");
    assert!(verdict.unknown.iter().any(|note| note.contains("is a layer")), "{:?}", verdict.unknown);
    let verdict = ask(&world(), &filled("HEAD https://{H}/v2/shop/api/blobs/{D}: 404"));
    assert_eq!(
        verdict.cause,
        Cause::TagMovedThenExpired,
        "a runtime asks for a manifest at this address, too"
    );
}

/// Any text gets an answer or none, within a short time.
#[test]
fn no_text_is_too_strange() {
    let log = world();
    let mut state = 7_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..3_000 {
        let mut text: Vec<char> = filled(FORMS[round % FORMS.len()].1).chars().collect();
        for _ in 0..=next(4) {
            let at = next(text.len().max(1)).min(text.len());
            match next(4) {
                0 => text.truncate(at),
                1 => text.insert(at, ['\n', '\u{1b}', '%', '&', '\\', '@', ':', '/', 'ä', '*'][next(10)]),
                2 if at < text.len() => drop(text.remove(at)),
                _ => text.extend_from_within(at.min(text.len())..),
            }
        }
        let text: String = text.into_iter().collect();
        if Question::parse(&text).is_some() {
            ask(&log, &text);
        }
    }
}

#[test]
fn addresses_of_the_console_and_of_other_partitions() {
    let digest = digest(1);
    let image = format!(
        "https://eu-central-1.console.aws.amazon.com/ecr/repositories/private/111122223333/shop/api/_/image/{digest}/details?region=eu-central-1"
    );
    let question = Question::parse(&image).unwrap();
    assert_eq!(question.to_text(), format!("{HOST}/shop/api@{digest}"));
    let repository =
        Question::parse("https://eu-west-1.console.aws.amazon.com/ecr/repositories/private/111122223333/shop/api?region=eu-west-1").unwrap();
    assert!(
        repository.repository_only
            && repository.to_text() == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/api",
        "{}",
        repository.to_text()
    );
    let iso = "111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov/shop/api:v1";
    assert_eq!(Question::parse(&format!("failed to resolve ref {iso}: not found")).unwrap().to_text(), iso);
}

/// If a line names several images, the one that failed.
#[test]
fn the_failure_follows_the_image_that_it_is_about() {
    let text = format!("pulling {HOST}/other/app:latest ok; pulling {HOST}/shop/api:v1: not found");
    assert_eq!(Question::parse(&text).unwrap().to_text(), format!("{HOST}/shop/api:v1"));
    let both = format!(
        "Failed to pull image \"{HOST}/shop/api:v1\": failed to resolve reference \"{HOST}/shop/api:v1\": {HOST}/shop/api:v1: not found"
    );
    assert_eq!(Question::parse(&both).unwrap().to_text(), format!("{HOST}/shop/api:v1"));
}
