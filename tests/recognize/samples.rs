//! The published and composed samples of the specification, one by one. Skipped with a message if they are
//! not available.

use std::path::PathBuf;

use serde_json::Value;
use tagfall::model::Digest;

use crate::outcome;

/// `(sample, its meaning)`: the beginning of the action as Rust prints it, `-` for nothing, `!` for an
/// unreadable record.
const SAMPLES: &[(&str, &str)] = &[
    ("AssumeRole-sharedEventID-1", "-"),
    ("BatchGetImage-1", r#"Pull { images: [ImageId { digest: None, tag: Some("latest") }], failed: false }"#),
    ("BatchGetImage-2", r#"Pull { images: [ImageId { digest: None, tag: Some("latest") }], failed: false }"#),
    (
        "BatchGetImage-3",
        "Pull { images: [ImageId { digest: Some(sha256:1cb4ab85a3480446f9243178395e6bee7350f0d71296daeb6a9fdd221e23aea6), tag: None }]",
    ),
    ("CreateCluster-1", "-"),
    (
        "CreateGrant-1",
        r#"Key(KeyEvent { key: "arn:aws:kms:us-west-2:123456789012:key/4b55e5bf-39c8-41ad-b589-18464af7758a", change: Granted, about: Some("3636af9adfee1accb67b83941087dcd45e7fadc4e74ff0103bb338422b5055f3") })"#,
    ),
    ("CreateRepository-1", "CreateRepository { mutability: None, made_by_ecr: None, key: None }"),
    ("CreateService-1", "-"),
    ("CreateService-2-partial", "! no eventTime"),
    ("DescribeRepositories-1", "-"),
    // Its digest, like that of the other EventBridge examples, is too short.
    ("EventBridge-ECRImageAction-ARCHIVE-1", "-"),
    ("EventBridge-ECRImageAction-DELETE-1", "-"),
    ("EventBridge-ECRImageAction-PUSH-1", "-"),
    // This one happened on 29 February 2023.
    ("EventBridge-ECRPullThroughCacheAction-1", "! no time"),
    ("EventBridge-ECRReplicationAction-1", "-"),
    ("GetAuthorizationToken-1", "Login"),
    (
        "ImageActivationEvent-1",
        "Restored { digest: sha256:98c8b060c21d9adbb6b8c41b916e95e6307102786973ab93a41e8b86d1fc6d3e }",
    ),
    ("ListImageReferrers-1", "-"),
    ("PolicyExecutionEvent-1", "PolicyRun(PolicyRun { rules: [LifecycleRule { priority: 1"),
    ("PolicyExecutionEvent-2", "PolicyRun(PolicyRun { rules: [LifecycleRule { priority: 1"),
    ("PolicyExecutionEvent-3", "PolicyRun(PolicyRun { rules: [LifecycleRule { priority: 1"),
    ("PutClusterCapacityProviders-1", "-"),
    (
        "PutImage-1",
        r#"Push(Push { digest: sha256:98c8b060c21d9adbb6b8c41b916e95e6307102786973ab93a41e8b86d1fc6d3e, tag: Some("latest"), origin: Client"#,
    ),
    (
        "PutImage-2",
        r#"Push(Push { digest: sha256:98c8b060c21d9adbb6b8c41b916e95e6307102786973ab93a41e8b86d1fc6d3e, tag: Some("latest"), origin: Client"#,
    ),
    (
        "PutImage-3-eventbridge",
        r#"Push(Push { digest: sha256:eaa261b73dcc87f1a1880a6320a06867fcb6db77b4bb6139cf9b9059c9af95eb, tag: Some("v1"), origin: Client"#,
    ),
    ("RegisterTaskDefinition-1-partial", "! no eventTime"),
    ("SetRepositoryPolicy-1", "AccessChanged"),
    ("StartSecretVersionDelete-AwsServiceEvent-1", "-"),
    (
        "UpdateImageStorageClass-1",
        "SetStorageClass { image: ImageId { digest: Some(sha256:98c8b060c21d9adbb6b8c41b916e95e6307102786973ab93a41e8b86d1fc6d3e), tag: None }, class: Archive }",
    ),
    (
        "UpdateImageStorageClass-2",
        "SetStorageClass { image: ImageId { digest: Some(sha256:98c8b060c21d9adbb6b8c41b916e95e6307102786973ab93a41e8b86d1fc6d3e), tag: None }, class: Standard }",
    ),
    (
        "composed/BatchDeleteImage-by-digest",
        "Delete { removed: [ImageId { digest: Some(sha256:65bc5c8130c5b852f6d1b2ad10376f2c70e6dba44971416de765da80fd003009), tag: Some(\"release-41\") }, ImageId",
    ),
    (
        "composed/BatchDeleteImage-by-tag",
        "Delete { removed: [ImageId { digest: Some(sha256:65bc5c8130c5b852f6d1b2ad10376f2c70e6dba44971416de765da80fd003009), tag: Some(\"release-41\") }]",
    ),
    ("composed/BatchDeleteImage-failure", "Delete { removed: []"),
    ("composed/BatchGetImage-fargate-by-digest", "Pull { images: [ImageId { digest: Some(sha256:65bc5c81"),
    ("composed/DeleteLifecyclePolicy", "DeleteLifecyclePolicy"),
    ("composed/DeleteRepository-force", "DeleteRepository"),
    ("composed/DryRunEvent", "PolicyPreview(PolicyRun { rules: [LifecycleRule { priority: 1"),
    (
        "composed/EventBridge-ECSTaskStateChange-stopped",
        "TaskState { task: \"arn:aws:ecs:us-east-1:111122223333:task/prod/0f9de17a6465404e8b1b2356dc13c2f8\", group: Some(\"service:api\")",
    ),
    (
        "composed/GetDownloadUrlForLayer",
        "PullLayer { layer: sha256:db1d8e6c26016c8d023f7b9b0c67256ba2c7627605a98909117ffa6f128e1bfa, failed: false }",
    ),
    ("composed/PolicyExecutionEvent-expire", "PolicyRun("),
    ("composed/PolicyExecutionEvent-split-1of2", "PolicyRun("),
    ("composed/PolicyExecutionEvent-split-2of2", "PolicyRun("),
    (
        "composed/PutImage-child-untagged",
        "Push(Push { digest: sha256:65bc5c8130c5b852f6d1b2ad10376f2c70e6dba44971416de765da80fd003009, tag: None",
    ),
    (
        "composed/PutImage-error-ImageAlreadyExists",
        "PushFailed(Refusal { code: \"ImageAlreadyExistsException\", digest: Some(sha256:65bc5c81",
    ),
    (
        "composed/PutImage-error-ImageTagAlreadyExists",
        "PushFailed(Refusal { code: \"ImageTagAlreadyExistsException\"",
    ),
    (
        "composed/PutImage-index",
        "Push(Push { digest: sha256:17cee7e0cad7335b8bb5da3c1366434b58b9456896fd6103757b7e5c6ed8501c, tag: Some(\"release-42\")",
    ),
    ("composed/PutImage-omitted", "Omitted"),
    (
        "composed/PutImage-tag-first",
        "Push(Push { digest: sha256:65bc5c8130c5b852f6d1b2ad10376f2c70e6dba44971416de765da80fd003009, tag: Some(\"release-42\")",
    ),
    (
        "composed/PutImage-tag-moved",
        "Push(Push { digest: sha256:798da610d8c950d2d49e7f8e759524a043e3ff47ee090ab02eb331ad6b62bdca, tag: Some(\"release-42\")",
    ),
    (
        "composed/PutImageTagMutability",
        "SetTagMutability { mutability: Mutability { setting: \"IMMUTABLE_WITH_EXCLUSION\"",
    ),
    ("composed/PutLifecyclePolicy", "PutLifecyclePolicy { text: \"{\\\"rules\\\""),
    (
        "composed/RegisterTaskDefinition",
        "Define { definition: \"arn:aws:ecs:us-east-1:111122223333:task-definition/api:42\", images: [TaskImage { reference: Some(",
    ),
    (
        "composed/SubmitTaskStateChange-pending-digest",
        "TaskState { task: \"arn:aws:ecs:us-east-1:111122223333:task/prod/0f9de17a6465404e8b1b2356dc13c2f8\"",
    ),
    (
        "composed/SubmitTaskStateChange-stopped",
        "TaskState { task: \"arn:aws:ecs:us-east-1:111122223333:task/prod/0f9de17a6465404e8b1b2356dc13c2f8\"",
    ),
    (
        "composed/UpdateService",
        "Run { runner: \"arn:aws:ecs:us-east-1:111122223333:service/prod/api\", definition: Some(\"arn:aws:ecs:us-east-1:111122223333:task-definition/api:42\"), images: [], deploys: true }",
    ),
];

/// Samples of containers and not of records, which are tested with the decoder.
const CONTAINERS: &[&str] = &[
    "Format-CloudTrail-Digest-1",
    "Format-CloudTrail-Insight-1",
    "Format-lookup-events-Event-1",
    "composed/Format-lookup-events",
];

fn samples() -> Option<PathBuf> {
    let shared = std::env::var_os("TAGFALL_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let found = Some(shared.join("spec/samples")).filter(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("SKIPPED: the samples are not beside this checkout, {} is no folder", shared.display());
    }
    found
}

fn meaning(sample: &Value) -> String {
    let native = sample.get("detail-type").is_some() && sample["detail"].get("eventName").is_none();
    let record = if sample.get("detail-type").is_some() && !native { &sample["detail"] } else { sample };
    match outcome(&record.to_string(), native, |found| format!("{:?}", found.action)) {
        Ok(Some(action)) => action,
        Ok(None) => "-".to_owned(),
        Err(reason) => format!("! {reason}"),
    }
}

#[test]
fn every_sample_means_what_it_says() {
    let Some(folder) = samples() else { return };
    for (name, expected) in SAMPLES {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let found = meaning(&serde_json::from_str(&text).unwrap());
        let exact = *expected == "-";
        assert!(
            if exact { found == *expected } else { found.starts_with(expected) },
            "{name}: expected {expected}, found {found}"
        );
    }
}

#[test]
fn no_sample_is_forgotten() {
    let Some(folder) = samples() else { return };
    for (prefix, folder) in [("", folder.clone()), ("composed/", folder.join("composed"))] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let name = format!("{prefix}{}", path.file_stem().unwrap().to_str().unwrap());
                assert!(
                    CONTAINERS.contains(&&*name) || SAMPLES.iter().any(|(known, _)| *known == name),
                    "{name} has no expectation"
                );
            }
        }
    }
}

/// AWS's own example proves that a digest is the SHA-256 of the manifest in the request.
#[test]
fn published_and_composed_manifests_hash_to_their_digests() {
    let Some(folder) = samples() else { return };
    for (name, expected) in SAMPLES.iter().filter(|(_, expected)| expected.starts_with("Push(")) {
        let sample: Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap())
                .unwrap();
        let elided = *name == "PutImage-3-eventbridge";
        let found = meaning(&sample);
        assert!(found.ends_with(&format!("digest_mismatch: {elided} }})")), "{name}: {found}");
        let manifest =
            sample.get("detail").unwrap_or(&sample)["requestParameters"]["imageManifest"].as_str().unwrap();
        assert_eq!(expected.contains(&Digest::of_manifest(manifest).to_string()), !elided);
    }
}
