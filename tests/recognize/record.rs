//! What all records share: identity, time, corrections, and errors.

use serde_json::{Value, json};

use crate::{arn, digest, ecr, look, manifest, means_nothing, outcome, record};

fn repository(record: &Value) -> String {
    look(record, |found| {
        let repository = found.repository.as_ref().unwrap();
        format!("{} {} {}", repository.registry_id, repository.region, repository.name)
    })
}

fn push(more: Value) -> Value {
    let mut record = record(
        "ecr.amazonaws.com",
        "PutImage",
        json!({"requestParameters": {"repositoryName": "a", "imageManifest": manifest("m")}}),
    );
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

#[test]
fn the_owner_of_a_repository_is_looked_for_in_a_fixed_order() {
    let mut record = push(json!({}));
    assert_eq!(repository(&record), "111122223333 eu-central-1 a");
    record["resources"] = json!([arn("444455556666", "eu-central-1", "a")]);
    assert_eq!(repository(&record), "444455556666 eu-central-1 a");
    record["responseElements"] = json!({"image": {"registryId": "555566667777", "imageId": {"imageDigest": digest(&manifest("m")).to_string()}}});
    assert_eq!(repository(&record), "555566667777 eu-central-1 a");
    record["requestParameters"]["registryId"] = json!("666677778888");
    assert_eq!(repository(&record), "666677778888 eu-central-1 a");
}

#[test]
fn the_region_of_the_repository_wins_over_that_of_the_record() {
    assert_eq!(
        repository(&push(json!({"resources": [arn("111122223333", "eu-west-1", "a")]}))),
        "111122223333 eu-west-1 a"
    );
}

#[test]
fn other_partitions_and_other_spellings_of_an_arn() {
    for (key, partition, region) in [
        ("ARN", "aws-cn", "cn-north-1"),
        ("arn", "aws-us-gov", "us-gov-west-1"),
        ("Arn", "aws", "eu-central-1"),
    ] {
        let text = format!("arn:{partition}:ecr:{region}:444455556666:repository/team/a");
        let found = repository(&push(
            json!({"resources": [{"type": "x"}, {key: text}], "requestParameters": {"imageManifest": "{}"}}),
        ));
        assert_eq!(found, format!("444455556666 {region} team/a"));
    }
}

/// Ignoring such a record would leave an unnoticed gap.
#[test]
fn a_change_to_a_repository_that_is_not_named_is_an_error() {
    let text = record("ecr.amazonaws.com", "PutImage", json!({})).to_string();
    assert_eq!(outcome(&text, false, |_| ()), Err("PutImage names no repository".to_owned()));
    assert!(means_nothing(&record("ecr.amazonaws.com", "PutImage", json!({"errorCode": "AccessDenied"}))));
    assert!(means_nothing(&record("ecr.amazonaws.com", "SetRepositoryPolicy", json!({}))));
}

#[test]
fn required_fields() {
    for field in ["eventTime", "eventName", "eventSource"] {
        let mut record = push(json!({}));
        record.as_object_mut().unwrap().remove(field);
        let error = outcome(&record.to_string(), false, |_| ()).unwrap_err();
        assert!(error.contains(field), "{error}");
    }
    for (text, reason) in [
        ("[1]", "not a JSON object"),
        ("\"PutImage\"", "not a JSON object"),
        ("{\"eventName\": \"PutImage\"", "not JSON"),
    ] {
        assert!(outcome(text, false, |_| ()).unwrap_err().contains(reason), "{text}");
    }
}

#[test]
fn other_spellings_of_time() {
    for time in [
        json!("2026-03-02T10:00:00Z"),
        json!("2026-03-02 10:00:00.000"),
        json!(1_772_445_600),
        json!(1_772_445_600_000_i64),
    ] {
        assert_eq!(
            look(&push(json!({"eventTime": time})), |found| found.event.time.to_string()),
            "2026-03-02T10:00:00Z"
        );
    }
    assert!(
        outcome(&push(json!({"eventTime": "Mar 2, 2026 10:00:00 AM"})).to_string(), false, |_| ()).is_err()
    );
}

#[test]
fn a_missing_or_redacted_event_id_is_made_from_the_text() {
    let id = |record: &Value| look(record, |found| found.event.id.to_string());
    let (one, other) =
        (push(json!({"eventID": null})), push(json!({"eventID": "...", "awsRegion": "eu-west-1"})));
    assert_eq!(id(&one), digest(&one.to_string()).to_string());
    assert_eq!(id(&one), id(&one));
    assert_ne!(id(&one), id(&other));
    assert_eq!(id(&push(json!({"eventID": "2bfd4ee2-EXAMPLE"}))), "2bfd4ee2-EXAMPLE");
}

#[test]
fn the_caller_in_the_clearest_form_there_is() {
    let actor = |identity: Value| {
        look(&push(json!({"userIdentity": identity})), |found| {
            found.event.actor.as_deref().map(str::to_owned)
        })
    };
    let mut identity = json!({"arn": "arn:aws:iam::111122223333:user/u", "principalId": "AIDA", "invokedBy": "AWS Internal", "accountId": "111122223333"});
    for (key, expected) in [
        ("arn", "arn:aws:iam::111122223333:user/u"),
        ("principalId", "AIDA (account 111122223333)"),
        ("invokedBy", "AWS Internal"),
        ("accountId", "111122223333"),
    ] {
        assert_eq!(actor(identity.clone()).as_deref(), Some(expected));
        identity[key] = json!("");
    }
    assert_eq!(actor(json!(null)), None);
}

#[test]
fn only_updated_data_corrects_another_record() {
    let corrected = |reason: &str| {
        let addendum = json!({"reason": reason, "originalEventID": "11111111-2222"});
        look(&push(json!({"addendum": addendum})), |found| {
            found.event.addendum.as_ref().map(|addendum| addendum.original_event_id.to_string())
        })
    };
    assert_eq!(corrected("UPDATED_DATA").as_deref(), Some("11111111-2222"));
    assert_eq!(corrected("DELIVERY_DELAY"), None);
}

#[test]
fn twins_in_two_accounts_share_an_id() {
    let shared = |more: Value| look(&push(more), |found| found.event.shared_id.as_deref().map(str::to_owned));
    assert_eq!(shared(json!({"sharedEventID": "s-1"})).as_deref(), Some("s-1"));
    assert_eq!(shared(json!({})), None);
}

#[test]
fn what_is_not_about_private_images_means_nothing() {
    assert!(means_nothing(&record(
        "ecr-public.amazonaws.com",
        "PutImage",
        json!({"requestParameters": {"repositoryName": "a"}})
    )));
    assert!(means_nothing(&ecr("UploadLayerPart", json!({}))));
    assert!(means_nothing(&ecr("DescribeImages", json!({"requestParameters": {"eventName": "PutImage"}}))));
    assert!(means_nothing(&record("s3.amazonaws.com", "CreateService", json!({}))));
}

/// The name is searched for in the text before parsing; escapes in it or in its key must not hide a push.
#[test]
fn an_escaped_event_name_is_not_overlooked() {
    let text = push(json!({})).to_string();
    for spelt in
        [r#""eventName":"Put\u0049mage""#, r#""event\u004eame":"PutImage""#, "\"eventName\" :\n \"PutImage\""]
    {
        let text = text.replace(r#""eventName":"PutImage""#, spelt);
        assert!(text.contains(spelt));
        assert_eq!(
            outcome(&text, false, |found| found.event.name.to_string()),
            Ok(Some("PutImage".to_owned()))
        );
    }
}
