//! Records as JSON → their meaning for images.

mod ecr;
mod record;
mod samples;
mod services;
mod tolerance;

use serde_json::{Value, json};
use tagfall::decode::RawRecord;
use tagfall::model::{Digest, Recognized};
use tagfall::recognize::Recognizer;

/// A valid digest derived from a name.
fn digest(name: &str) -> Digest {
    Digest::of_manifest(name)
}

/// A manifest with one layer, as a client would push it.
fn manifest(name: &str) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest("config").to_string(), "size": 7},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(name).to_string(), "size": 9}],
    })
    .to_string()
}

/// A record of `source` and `name` with typical other fields; `more` replaces or adds top-level members.
fn record(source: &str, name: &str, more: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/ci-push/build-7",
            "accountId": "111122223333",
            "principalId": "AROAEXAMPLE:build-7",
            "invokedBy": "ecr.amazonaws.com",
        },
        "eventTime": "2026-03-02T10:00:00Z",
        "eventSource": source,
        "eventName": name,
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "ecr.amazonaws.com",
        "userAgent": "ecr.amazonaws.com",
        "requestParameters": null,
        "responseElements": null,
        "eventID": "0b6f0a3e-3c6e-4a54-9d5c-0a7f7d3c1c11",
        "readOnly": false,
        "recipientAccountId": "111122223333",
    });
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

/// An ECR record with a repository in `resources`.
fn ecr(name: &str, more: Value) -> Value {
    let mut record = record(
        "ecr.amazonaws.com",
        name,
        json!({"resources": [arn("111122223333", "eu-central-1", "shop/api")]}),
    );
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

fn arn(account: &str, region: &str, name: &str) -> Value {
    json!({"ARN": format!("arn:aws:ecr:{region}:{account}:repository/{name}"), "accountId": account})
}

fn omitted(what: &str) -> Value {
    json!({"reason": format!("{what} too large"), "omitted": true, "originalSize": 149_893})
}

/// Recognises `record` and passes the result to `look`; fails if it has no meaning.
fn look<R>(record: &Value, look: impl FnOnce(&Recognized<'_>) -> R) -> R {
    outcome(&record.to_string(), false, look).unwrap().expect("the record means something")
}

/// Whether `record` is read without an error but has no meaning.
fn means_nothing(record: &Value) -> bool {
    outcome(&record.to_string(), false, |_| ()).unwrap().is_none()
}

fn outcome<R>(
    json: &str,
    native: bool,
    look: impl FnOnce(&Recognized<'_>) -> R,
) -> Result<Option<R>, String> {
    Recognizer::default().recognize(RawRecord { index: 0, json, native }, |recognized| look(&recognized))
}
