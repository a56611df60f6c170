//! Reduces the records of one call to one: duplicates, copies in another account's trail, and late
//! corrections.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::read::Record;

pub struct Calls {
    pub kept: Vec<Record>,
    /// eventID → the eventID that represents its call.
    pub names: BTreeMap<String, String>,
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// The identity of an event: equal for two copies, and different for any two events.
pub fn event(value: &Value) -> [String; 6] {
    ["eventID", "eventTime", "eventSource", "eventName", "awsRegion", "recipientAccountId"]
        .map(|name| text(value, name).to_owned())
}

/// Keeps one record of each call.
pub fn distinct(records: Vec<Record>) -> Calls {
    let mut by_event: BTreeMap<[String; 6], Record> = BTreeMap::new();
    for record in records {
        by_event.entry(event(&record.value)).or_insert(record);
    }
    let mut names = BTreeMap::new();
    let originals: BTreeSet<String> = by_event.keys().map(|[id, ..]| id.clone()).collect();
    by_event.retain(|[id, ..], record| {
        let addendum = &record.value["addendum"];
        let original = text(addendum, "originalEventID");
        let corrects = text(addendum, "reason") == "UPDATED_DATA" && originals.contains(original);
        if corrects {
            names.insert(id.clone(), original.to_owned());
        }
        !corrects
    });
    let mut by_call: BTreeMap<String, Record> = BTreeMap::new();
    for ([id, ..], record) in by_event {
        let shared = text(&record.value, "sharedEventID").to_owned();
        let call = if shared.is_empty() { id.clone() } else { shared };
        names.insert(id, call.clone());
        // The copy in the caller's own account identifies the caller.
        let knows_caller = record.value["userIdentity"]["arn"].is_string();
        if knows_caller || !by_call.contains_key(&call) {
            by_call.insert(call, record);
        }
    }
    for name in names.clone().keys() {
        // A correction points to its original, which points to its call.
        if let Some(call) = names.get(&names[name]).cloned() {
            names.insert(name.clone(), call);
        }
    }
    Calls { kept: by_call.into_values().collect(), names }
}
