//! No log makes the recogniser panic, and a wrong type affects only its field, not the record.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{ecr, look, manifest, outcome};

/// Names that the recogniser uses, so that random documents reach all of its code.
const KEYS: &[&str] = &[
    "eventTime",
    "eventName",
    "eventSource",
    "eventID",
    "userIdentity",
    "requestParameters",
    "responseElements",
    "serviceEventDetails",
    "resources",
    "errorCode",
    "errorMessage",
    "addendum",
    "reason",
    "omitted",
    "image",
    "imageId",
    "imageIds",
    "imageDigest",
    "imageTag",
    "imageManifest",
    "failures",
    "failureReason",
    "repositoryName",
    "registryId",
    "lifecycleEventPolicy",
    "lifecycleEventRules",
    "lifecycleEventSelection",
    "rulePriority",
    "lifecycleEventImageActions",
    "lifecycleEventImage",
    "lifecycleEventFailureDetails",
    "digest",
    "tagList",
    "pushedAt",
    "containers",
    "task",
    "taskDefinition",
    "service",
    "tasks",
    "detail",
    "detail-type",
    "time",
    "ARN",
    "code",
    "imageUri",
    "manifests",
    "layers",
    "config",
];

const TEXTS: &[&str] = &[
    "PutImage",
    "BatchDeleteImage",
    "PolicyExecutionEvent",
    "UpdateImageStorageClass",
    "ReplicateImage",
    "RegisterTaskDefinition",
    "UpdateService",
    "RunTask",
    "SubmitTaskStateChange",
    "ECS Task State Change",
    "ecr.amazonaws.com",
    "ecs.amazonaws.com",
    "lambda.amazonaws.com",
    "2026-03-02T10:00:00Z",
    "ImageAlreadyExistsException",
    "digest 'sha256:' and tag '",
    "arn:aws:ecr:eu-central-1:111122223333:repository/a",
    "arn:aws:ecr:::repository/",
    "sha256:65bc5c8130c5b852f6d1b2ad10376f2c70e6dba44971416de765da80fd003009",
    "sha256:ä",
    "{\"manifests\":[{}]}",
    "",
    "\u{202e}\u{0}",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(TEXTS).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 60, 6, |inner| {
        let entry = (proptest::sample::select(KEYS), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner, 0..5).prop_map(Value::from),
            proptest::collection::vec(entry, 0..8).prop_map(|entries| entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

/// A valid record with some of its fields replaced.
fn damaged() -> impl Strategy<Value = Value> {
    let name = proptest::sample::select(&TEXTS[..9]);
    let source = proptest::sample::select(&["ecr.amazonaws.com", "ecs.amazonaws.com"][..]);
    let damage = proptest::collection::vec((proptest::sample::select(KEYS), document()), 0..6);
    (name, source, damage).prop_map(|(name, source, damage)| {
        let mut record = ecr(name, json!({"eventSource": source}));
        for (key, value) in damage {
            record[key] = value;
        }
        record
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_document_is_read_without_a_panic(document in document(), native in any::<bool>()) {
        let _ = outcome(&document.to_string(), native, |found| format!("{found:?}"));
    }

    #[test]
    fn any_damage_to_a_record_is_borne(record in damaged(), native in any::<bool>()) {
        let _ = outcome(&record.to_string(), native, |found| format!("{found:?}"));
    }

    #[test]
    fn any_cut_of_a_record_is_borne(record in damaged(), at in 0.0..1.0_f64) {
        let text = record.to_string();
        let at = (text.len() as f64 * at) as usize;
        if let Some(cut) = text.get(..at) {
            prop_assert!(!matches!(outcome(cut, false, |_| ()), Ok(Some(()))));
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
        let _ = outcome(&text, false, |_| ());
    }
}

#[test]
fn a_field_of_a_wrong_type_is_a_field_that_is_absent() {
    let text = manifest("one");
    let record = ecr(
        "PutImage",
        json!({
            "requestParameters": {"imageManifest": text, "imageTag": 7, "registryId": ["x"], "imageManifestMediaType": {}},
            "responseElements": "", "resources": "", "userIdentity": "nobody", "addendum": [1], "readOnly": "false", "sourceIPAddress": 4,
        }),
    );
    // Without `resources` nothing names the repository.
    assert_eq!(outcome(&record.to_string(), false, |_| ()), Err("PutImage names no repository".to_owned()));
    let mut record = record;
    record["requestParameters"]["repositoryName"] = json!("shop/api");
    look(&record, |found| {
        assert_eq!(&*found.repository.as_ref().unwrap().registry_id, "111122223333");
        assert_eq!(
            (found.event.actor.as_deref(), found.event.source_ip.as_deref(), found.event.read_only),
            (None, None, Some(false))
        );
        assert!(format!("{:?}", found.action).contains("tag: None"));
    });
}

#[test]
fn depth_is_limited_and_no_stack_overflows() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let text = ecr("PutImage", json!({}))
        .to_string()
        .replace("\"requestParameters\":null", &format!("\"requestParameters\":{deep}"));
    assert!(text.contains("[[["));
    assert!(outcome(&text, false, |_| ()).unwrap_err().contains("not JSON"));
}
