//! CloudTrail events in the Elastic Common Schema, as Elastic's AWS integration stores them where it does not
//! keep the original text (`event.original`, which is read in its place where it is there).
//!
//! The schema has fields for most of a record. What it has no place for is lost, and the coverage says so.

use serde_json::{Map, Value};

use super::table::struct_as_json;

/// The record in CloudTrail's own form, if `json` is such an event.
pub(super) fn record(json: &[u8]) -> Option<String> {
    // Checked without parsing, because most objects are none.
    for sign in [&b"cloudtrail"[..], b"provider", b"action"] {
        memchr::memmem::find(json, sign)?;
    }
    let event: Value = serde_json::from_slice(json).ok()?;
    let holds_record = |text: &Value| text.as_str().is_some_and(|text| text.contains("eventName"));
    if ["event.original", "message"].iter().any(|name| said(&event, name).is_some_and(holds_record)) {
        return None;
    }
    said(&event, "aws.cloudtrail.event_version").or_else(|| said(&event, "aws.cloudtrail.event_type"))?;
    let first = |names: &[&str]| names.iter().find_map(|name| said(&event, name)).cloned();
    let mut record = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            record.insert(key.to_owned(), value);
        }
    };
    put("eventSource", Some(first(&["event.provider"])?));
    put("eventName", Some(first(&["event.action"])?));
    put("eventTime", first(&["@timestamp"]));
    put("eventID", first(&["event.id"]));
    put("awsRegion", first(&["cloud.region"]));
    put("sourceIPAddress", first(&["source.address", "source.ip"]));
    put("userAgent", first(&["user_agent.original"]));
    put("recipientAccountId", first(&["aws.cloudtrail.recipient_account_id", "cloud.account.id"]));
    for (key, name) in [
        ("eventVersion", "event_version"),
        ("eventType", "event_type"),
        ("eventCategory", "event_category"),
        ("apiVersion", "api_version"),
        ("errorMessage", "error_message"),
        ("requestID", "request_id"),
        ("readOnly", "read_only"),
        ("managementEvent", "management_event"),
        ("sharedEventID", "shared_event_id"),
        ("vpcEndpointId", "vpc_endpoint_id"),
        ("resources", "resources"),
    ] {
        put(key, first(&[&format!("aws.cloudtrail.{name}")]));
    }
    // A pipeline may have kept only that a call failed.
    let failed = said(&event, "event.outcome").and_then(Value::as_str) == Some("failure");
    put("errorCode", first(&["aws.cloudtrail.error_code"]).or_else(|| failed.then(|| "failure".into())));
    for (key, name) in [
        ("requestParameters", "request_parameters"),
        ("responseElements", "response_elements"),
        ("serviceEventDetails", "service_event_details"),
        ("additionalEventData", "additional_eventdata"),
    ] {
        let whole = first(&[&format!("aws.cloudtrail.flattened.{name}")]);
        put(key, whole.or_else(|| first(&[&format!("aws.cloudtrail.{name}")])).map(payload));
    }
    let members = [
        ("type", "aws.cloudtrail.user_identity.type"),
        ("arn", "aws.cloudtrail.user_identity.arn"),
        ("accessKeyId", "aws.cloudtrail.user_identity.access_key_id"),
        ("invokedBy", "aws.cloudtrail.user_identity.invoked_by"),
        ("accountId", "cloud.account.id"),
        ("principalId", "user.id"),
        ("userName", "user.name"),
    ];
    let caller = members.iter().filter_map(|(key, name)| Some(((*key).to_owned(), first(&[name])?)));
    put("userIdentity", Some(Value::Object(caller.collect())));
    serde_json::to_string(&Value::Object(record)).ok()
}

/// The value under a name with dots, whose parts may be members of one another or written beside one another. An
/// answer with `fields` has a list in place of each value.
fn said<'v>(event: &'v Value, name: &str) -> Option<&'v Value> {
    let found = event.get(name).or_else(|| {
        let ends = name.match_indices('.').map(|(at, _)| at);
        ends.filter_map(|at| said(event.get(&name[..at])?, &name[at + 1..])).next()
    });
    let one = match found? {
        Value::Array(elements) if elements.len() == 1 && !elements[0].is_object() => &elements[0],
        value => value,
    };
    (!one.is_null()).then_some(one)
}

/// What a call was asked, or answered: an object, one as JSON, or as Java prints a map (`{imageTag=v1}`).
fn payload(value: Value) -> Value {
    let Some(text) = value.as_str() else { return value };
    let parsed =
        serde_json::from_str::<Value>(text).ok().filter(|inner| inner.is_object() || inner.is_null());
    parsed.or_else(|| serde_json::from_str(&struct_as_json(text)?).ok()).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_record_however_its_names_stand_together() {
        let nested = json!({
            "@timestamp": "2026-03-02T10:00:00.000Z",
            "event": {"provider": "ecr.amazonaws.com", "action": "PutImage", "id": "e"},
            "aws": {"cloudtrail": {"event_version": "1.08", "request_parameters": "{repositoryName=app, imageIds=[{imageTag=v1}]}",
                "user_identity": {"arn": "arn:x"}}},
            "cloud": {"region": "eu-west-1", "account": {"id": "1"}},
        });
        let flat = json!({
            "@timestamp": ["2026-03-02T10:00:00.000Z"],
            "event.provider": ["ecr.amazonaws.com"], "event.action": ["PutImage"], "event.id": ["e"],
            "aws.cloudtrail.event_version": ["1.08"], "aws.cloudtrail.user_identity.arn": ["arn:x"],
            "aws.cloudtrail.request_parameters": ["{\"repositoryName\":\"app\",\"imageIds\":[{\"imageTag\":\"v1\"}]}"],
            "cloud.region": ["eu-west-1"], "cloud.account": {"id": ["1"]},
        });
        let read = |event: &Value| {
            serde_json::from_str::<Value>(&record(event.to_string().as_bytes()).unwrap()).unwrap()
        };
        assert_eq!(read(&nested), read(&flat));
        assert_eq!(
            read(&nested)["requestParameters"],
            json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]})
        );
        let mut failed = nested.clone();
        failed["event"]["outcome"] = "failure".into();
        assert_eq!(
            (&read(&nested)["errorCode"], &read(&failed)["errorCode"]),
            (&Value::Null, &json!("failure"))
        );
        assert_eq!(read(&nested)["userIdentity"], json!({"arn": "arn:x", "accountId": "1"}));
    }

    #[test]
    fn where_the_original_is_there_it_is_read() {
        let event = json!({
            "event": {"provider": "a", "action": "b", "original": "{\"eventName\":\"PutImage\"}"},
            "aws": {"cloudtrail": {"event_version": "1.08"}},
        });
        assert_eq!(record(event.to_string().as_bytes()), None);
    }
}
