//! An independent way to connect calls to sessions: compares every call with every other one, without
//! indexes, with its own implementation of the rules.

use serde_json::Value;

/// The result for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub event: String,
    /// `eventID` of the call that began its session.
    pub began: Option<String>,
    pub joined: &'static str,
}

fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    path.iter().fold(value, |value, key| &value[*key]).as_str()
}

fn seconds(time: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| time[range].parse::<i64>().expect("a number");
    number(8..10) * 86_400 + number(11..13) * 3600 + number(14..16) * 60 + number(17..19)
}

/// Each call once: copies in other accounts' trails are left out if the caller's own trail has the call.
pub fn calls(records: &[Value]) -> Vec<&Value> {
    let is_copy = |record: &&Value| text(record, &["userIdentity", "type"]) == Some("AWSAccount");
    records.iter().filter(|record| !is_copy(record)).collect()
}

/// Whether a call begins a session; returns its key and owner.
fn begun(call: &Value) -> Option<(Option<&str>, Option<&str>)> {
    if text(call, &["responseElements", "ConsoleLogin"]) == Some("Success") {
        return Some((None, text(call, &["userIdentity", "principalId"])));
    }
    let key = text(call, &["responseElements", "credentials", "accessKeyId"])?;
    Some((Some(key), text(call, &["responseElements", "assumedRoleUser", "assumedRoleId"])))
}

/// Every call that was made in a session begun by another call.
pub fn joined(calls: &[&Value]) -> Vec<Told> {
    let event = |call: &Value| text(call, &["eventID"]).expect("an id").to_owned();
    let mut told = Vec::new();
    for call in calls.iter().filter(|call| {
        !matches!(text(call, &["userIdentity", "type"]), Some("AWSService" | "WebIdentityUser" | "SAMLUser"))
    }) {
        let in_console = text(call, &["eventName"]) == Some("ConsoleLogin");
        if in_console {
            continue;
        }
        let caller = &call["userIdentity"];
        let by_key: Vec<&&Value> = calls
            .iter()
            .filter(|other| {
                begun(other).is_some_and(|(key, _)| key.is_some() && key == text(caller, &["accessKeyId"]))
            })
            .collect();
        if let [one] = by_key.as_slice() {
            told.push(Told { event: event(call), began: Some(event(one)), joined: "certain" });
            continue;
        }
        let Some(created) = text(caller, &["sessionContext", "attributes", "creationDate"]) else { continue };
        let near = |apart: i64| -> Vec<String> {
            let fits = |other: &&&Value| {
                begun(other)
                    .is_some_and(|(_, owner)| owner.is_some() && owner == text(caller, &["principalId"]))
                    && (seconds(text(other, &["eventTime"]).expect("a time")) - seconds(created)).abs()
                        <= apart
            };
            calls.iter().filter(fits).map(|other| event(other)).collect()
        };
        let exact = near(0);
        let fitting = if exact.is_empty() { near(1) } else { exact };
        if let [one] = fitting.as_slice() {
            told.push(Told { event: event(call), began: Some(one.clone()), joined: "inferred" });
        }
    }
    told
}
