//! OCSF: CloudTrail events as Amazon Security Lake and other collectors write them.
//!
//! The schema has fields for most of a record; the rest is in `unmapped`, flattened, with dots in its keys.
//! Members that the conversion has dropped are unknown, and the coverage reports that.

use serde_json::{Map, Value};

/// The record in CloudTrail's own form, if `json` is an OCSF event that was made from one.
pub(super) fn record(json: &[u8]) -> Option<String> {
    // Checked without parsing, because most objects are not OCSF.
    for key in [&b"\"class_uid\""[..], b"\"metadata\"", b"\"api\""] {
        memchr::memmem::find(json, key)?;
    }
    let event: Value = serde_json::from_slice(json).ok()?;
    let said = |pointer: &str| event.pointer(pointer).filter(|value| !value.is_null());
    if let Some(raw) = said("/raw_data").and_then(Value::as_str).filter(|raw| raw.contains("\"eventName\"")) {
        return Some(raw.to_owned());
    }
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| said(pointer)).cloned();
    let mut record = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            record.insert(key.to_owned(), value);
        }
    };
    put("eventVersion", first(&["/metadata/product/version"]));
    put("eventTime", first(&["/time_dt", "/time"]));
    put("eventSource", Some(first(&["/api/service/name"])?));
    put("eventName", Some(first(&["/api/operation"])?));
    put("awsRegion", first(&["/cloud/region"]));
    put("sourceIPAddress", first(&["/src_endpoint/ip", "/src_endpoint/domain"]));
    put("userAgent", first(&["/http_request/user_agent"]));
    // Some collectors keep only that a call failed.
    let failed = said("/status_id").and_then(Value::as_i64) == Some(2)
        || said("/status")
            .and_then(Value::as_str)
            .is_some_and(|status| status.eq_ignore_ascii_case("failure"));
    let outcome = || first(&["/status_code", "/status_detail", "/status"]).or(Some("Failure".into()));
    put("errorCode", first(&["/api/response/error"]).or_else(|| outcome().filter(|_| failed)));
    put("errorMessage", first(&["/api/response/message", "/api/response/error_message"]));
    put("requestID", first(&["/api/request/uid"]));
    put("eventID", first(&["/metadata/uid", "/metadata/original_event_uid"]));
    put("eventType", first(&["/metadata/event_code"]));
    put("recipientAccountId", first(&["/cloud/account/uid", "/cloud/account_uid"]));
    put("requestParameters", first(&["/api/request/data"]).map(parsed));
    put("responseElements", first(&["/api/response/data"]).map(parsed));
    put("userIdentity", identity(&event));
    for (key, value) in said("/unmapped").map(pairs).unwrap_or_default() {
        unflatten(&mut record, &key, parsed(value));
    }
    serde_json::to_string(&Value::Object(record)).ok()
}

/// The members of `unmapped`: from an object, an object as a string, or, in tables, a map as a list of keys
/// and values.
fn pairs(unmapped: &Value) -> Vec<(String, Value)> {
    let pair = |element: &Value| match element {
        Value::Array(pair) => Some((pair.first()?.as_str()?.to_owned(), pair.get(1)?.clone())),
        Value::Object(pair) => {
            let name = ["key", "name"].iter().find_map(|name| pair.get(*name)?.as_str())?;
            Some((name.to_owned(), pair.get("value")?.clone()))
        }
        _ => None,
    };
    let all: Vec<(String, Value)> = match unmapped {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        Value::Array(elements) => elements.iter().filter_map(pair).collect(),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => return pairs(&inner),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    all.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

fn identity(event: &Value) -> Option<Value> {
    // Its name before version 1.0.
    let actor = event.get("actor").or_else(|| event.get("identity"))?;
    let user = actor.get("user")?;
    let mut identity = Map::new();
    let members: [(&str, &[&str]); 6] = [
        ("type", &["/type"]),
        ("principalId", &["/uid_alt", "/credential_uid"]),
        ("arn", &["/uid"]),
        ("accountId", &["/account/uid", "/account_uid", "/org_uid"]),
        ("userName", &["/name"]),
        ("accessKeyId", &["/credential_uid"]),
    ];
    for (key, pointers) in members {
        if let Some(value) =
            pointers.iter().find_map(|pointer| user.pointer(pointer)).filter(|value| !value.is_null())
        {
            identity.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(by) = actor.get("invoked_by").filter(|value| !value.is_null()) {
        identity.insert("invokedBy".to_owned(), by.clone());
    }
    if let Some(issuer) = actor.pointer("/session/issuer").filter(|value| !value.is_null()) {
        identity
            .insert("sessionContext".to_owned(), serde_json::json!({ "sessionIssuer": { "arn": issuer } }));
    }
    (!identity.is_empty()).then_some(Value::Object(identity))
}

/// Parses a string that contains JSON: maps of the schema contain only strings.
fn parsed(value: Value) -> Value {
    match &value {
        Value::String(text)
            if matches!(text.as_str(), "true" | "false" | "null") || text.starts_with(['{', '[']) =>
        {
            serde_json::from_str(text).unwrap_or(value)
        }
        _ => value,
    }
}

/// Moves `requestParameters.repositoryName` back into its object, unless the schema has a field for it.
fn unflatten(record: &mut Map<String, Value>, key: &str, value: Value) {
    const PARTS_MAX: usize = 8;
    let mut parts = key.splitn(PARTS_MAX, '.');
    let Some(first) = parts.next() else { return };
    let mut place = record.entry(first).or_insert(Value::Null);
    for part in parts {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(inner) = place else { return };
        place = inner.entry(part).or_insert(Value::Null);
    }
    if place.is_null() {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_that_failed_has_an_error_whatever_is_left_of_it() {
        let code = |response: Value, status: Value| {
            let mut event = json!({
                "class_uid": 6003, "metadata": {"uid": "e"}, "time": 1,
                "api": {"operation": "PutImage", "service": {"name": "ecr.amazonaws.com"}, "response": response},
            });
            event.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
            let record: Value = serde_json::from_str(&record(event.to_string().as_bytes()).unwrap()).unwrap();
            record["errorCode"].clone()
        };
        assert_eq!(code(json!({"error": "AccessDenied"}), json!({"status_id": 2})), "AccessDenied");
        assert_eq!(code(Value::Null, json!({"status": "Failure", "status_id": 2})), "Failure");
        assert_eq!(code(json!({}), json!({"status": "Failure", "status_code": "Denied"})), "Denied");
        assert_eq!(code(json!({}), json!({"status": "Success", "status_id": 1})), Value::Null);
    }
}
