//! One record and the columns: which of its members they can hold, and what has to go along as JSON.
//!
//! A record comes back from the lake so that whoever reads it cannot tell. Members that a column cannot represent exactly
//! (unknown ones, other types, other members inside `userIdentity`) are kept as they stand in the column `extra`, a JSON object.
//! A record whose text as a whole matters is kept in `original`: one without an `eventID` (its id is made from its text),
//! one with a member that stands twice, and EventBridge's own events.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_128;

use super::row;
use super::shape::{Shape, position};
use crate::model::Timestamp;
use crate::tables::Kind;
use crate::tables::builder::text_of;
use crate::tables::cloudtrail::{JSON_COLUMNS, ORIGINS, Origin, TABLE};

/// A member of a record that has a column.
pub(super) struct Member {
    pub column: &'static str,
    /// Its name in JSON.
    pub name: &'static str,
    pub kind: Kind,
    pub shape: Shape,
    pub holds: Holds,
}

/// What the column holds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Text,
    /// `true` or `false`, as text.
    Truth,
    /// The JSON object as it stands.
    Json,
    /// Rows and lists of texts.
    Nested,
}

/// All of them, in the order of the columns.
pub(super) static MEMBERS: LazyLock<Vec<Member>> = LazyLock::new(|| {
    let member = |(column, origin): &(&'static str, Origin)| {
        let Origin::Field(name) = *origin else { return None };
        let kind = TABLE.kind_of(column).unwrap_or(Kind::Varchar);
        let holds = match *column {
            "readonly" | "managementevent" => Holds::Truth,
            "edgedevicedetails" => Holds::Json,
            column if JSON_COLUMNS.contains(&column) => Holds::Json,
            _ if kind.is_text() => Holds::Text,
            _ => Holds::Nested,
        };
        Some(Member { column, name, shape: Shape::of(column, &kind), kind, holds })
    };
    ORIGINS.iter().filter_map(member).collect()
});

/// Names of nested members, as CloudTrail writes them. Columns have them in lower case.
const NESTED: &[&str] = &[
    "type",
    "principalId",
    "arn",
    "accountId",
    "invokedBy",
    "accessKeyId",
    "userName",
    "identityProvider",
    "credentialId",
    "onBehalfOf",
    "userId",
    "identityStoreArn",
    "sessionContext",
    "attributes",
    "mfaAuthenticated",
    "creationDate",
    "sessionIssuer",
    "ec2RoleDelivery",
    "sourceIdentity",
    "assumedRoot",
    "webIdFederationData",
    "federatedProvider",
    "reason",
    "updatedFields",
    "originalRequestID",
    "originalEventID",
    "tlsVersion",
    "cipherSuite",
    "clientProvidedHostHeader",
];

/// The name in JSON of a field of a column. Only `resources` writes `ARN` in capitals.
pub(super) fn json_name<'f>(column: &str, field: &'f str) -> &'f str {
    if column == "resources" && field == "arn" {
        return "ARN";
    }
    NESTED.iter().copied().find(|name| name.eq_ignore_ascii_case(field)).unwrap_or(field)
}

/// A record, cut into its members.
pub(super) struct Split<'r> {
    json: &'r str,
    native: bool,
    /// By position in [`MEMBERS`].
    values: Vec<Option<&'r RawValue>>,
    others: Vec<(Cow<'r, str>, &'r RawValue)>,
    /// Where the next member is expected.
    next: usize,
    /// A member stands twice, or in another case: only the text itself says what it says.
    twisted: bool,
}

impl<'r> Split<'r> {
    /// # Errors
    /// The text is no JSON object.
    pub(super) fn of(json: &'r str, native: bool) -> Result<Self, String> {
        let mut reader = serde_json::Deserializer::from_str(json);
        let values = vec![None; MEMBERS.len()];
        let empty = Self { json, native, values, others: Vec::new(), next: 0, twisted: native };
        let mut split = reader.deserialize_map(Splitter(empty)).map_err(|error| error.to_string())?;
        reader.end().map_err(|error| error.to_string())?;
        split.twisted |= split.event_id().is_none();
        Ok(split)
    }

    fn take(&mut self, key: Cow<'r, str>, value: &'r RawValue) {
        let name = if self.native { native_name(&key) } else { &key };
        let exact = position(MEMBERS.len(), self.next, |at| MEMBERS.get(at).is_some_and(|member| member.name == name));
        let alike = || MEMBERS.iter().position(|member| member.name.eq_ignore_ascii_case(name));
        match exact.or_else(alike).and_then(|at| Some((at, self.values.get_mut(at)?))) {
            Some((at, slot)) => {
                self.twisted |= slot.is_some() || exact.is_none();
                self.next = at + 1;
                *slot = Some(value);
            }
            None => self.others.push((key, value)),
        }
    }

    /// The value of the member with this column.
    pub(super) fn value(&self, at: usize) -> Option<&'r RawValue> {
        self.values.get(at).copied().flatten()
    }

    pub(super) fn text(&self, column: &str) -> Option<Cow<'r, str>> {
        let at = MEMBERS.iter().position(|member| member.column == column)?;
        self.value(at).and_then(text_of)
    }

    pub(super) fn time(&self) -> Option<Timestamp> {
        time_of(&self.text("eventtime")?)
    }

    /// The `eventID`; a placeholder (`"..."`) is none, nor is what is no text.
    fn event_id(&self) -> Option<Cow<'r, str>> {
        let at = MEMBERS.iter().position(|member| member.column == "eventid")?;
        self.value(at).filter(|value| is_text(value)).and_then(text_of).filter(|id| is_id(id))
    }

    /// What two copies of one event have in common: its `eventID`, else a fingerprint of its text.
    pub(super) fn identity(&self) -> Cow<'r, str> {
        self.event_id().unwrap_or_else(|| Cow::Owned(fingerprint(self.json)))
    }

    /// The whole text, where it has to be kept.
    pub(super) fn original(&self) -> Option<&'r str> {
        self.twisted.then_some(self.json)
    }

    /// Appends the cells of the columns, in order: those of [`MEMBERS`], then what the columns cannot say and, where that
    /// would not do, the text itself.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let extra = self.put_members(out);
        row::put_text(extra.as_deref(), out);
        row::put_text(self.original(), out);
    }

    /// Appends the cells of [`MEMBERS`]; the members that they cannot represent, as a JSON object. `None` if there are none or
    /// `original` has it all.
    fn put_members(&self, out: &mut Vec<u8>) -> Option<String> {
        let mut extra = String::new();
        for (member, value) in MEMBERS.iter().zip(&self.values) {
            let held = member.put(*value, out);
            if let Some(value) = value.filter(|_| !held && !self.twisted) {
                add_member(&mut extra, member.name, value.get());
            }
        }
        if self.twisted {
            return None;
        }
        self.others.iter().for_each(|(name, value)| add_member(&mut extra, name, value.get()));
        if extra.is_empty() {
            return None;
        }
        extra.push('}');
        Some(extra)
    }
}

impl Member {
    /// Appends the cells of a value. Whether they say all that it says.
    fn put(&self, value: Option<&RawValue>, out: &mut Vec<u8>) -> bool {
        let held = self.shape.put(value, out);
        match (self.holds, value.map(RawValue::get)) {
            (Holds::Json, Some(json)) => json == "null" || json.starts_with('{'),
            (Holds::Truth, Some("true" | "false")) => true,
            // In the column a text that reads `true` looks like the truth value.
            (Holds::Truth, Some("\"true\"" | "\"false\"")) => false,
            _ => held,
        }
    }
}

/// A time as records have it, text or number.
pub(super) fn time_of(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|| text.parse().ok().and_then(Timestamp::from_epoch))
}

/// Whether a text can be an `eventID`.
pub(super) fn is_id(id: &str) -> bool {
    id.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Stands for the `eventID` of a record that has none. No eventID begins like this.
pub(super) fn fingerprint(json: &str) -> String {
    format!("#{:032x}", xxh3_128(json.as_bytes()))
}

/// Appends a member to a JSON object that is open, or opens it.
pub(super) fn add_member(object: &mut String, name: &str, json: &str) {
    object.push(if object.is_empty() { '{' } else { ',' });
    add_text(object, name);
    object.push(':');
    object.push_str(json);
}

/// Appends a JSON string.
pub(super) fn add_text(out: &mut String, text: &str) {
    // A string always serialises.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// What EventBridge calls the members that its own events share with CloudTrail's.
fn native_name(key: &str) -> &str {
    match key {
        "time" => "eventTime",
        "id" => "eventID",
        "detail-type" => "eventName",
        "source" => "eventSource",
        "region" => "awsRegion",
        "account" => "recipientAccountId",
        other => other,
    }
}

fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"') && text_of(value).is_some()
}

struct Splitter<'r>(Split<'r>);

impl<'r> Visitor<'r> for Splitter<'r> {
    type Value = Split<'r>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'r>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some((Key(key), value)) = map.next_entry::<Key<'r>, &'r RawValue>()? {
            self.0.take(key, value);
        }
        Ok(self.0)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
pub(super) struct Key<'r>(#[serde(borrow)] pub(super) Cow<'r, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(json: &str) -> Option<String> {
        Split::of(json, false).unwrap().put_members(&mut Vec::new())
    }

    #[test]
    fn every_nested_field_has_its_name_in_json() {
        fn names(kind: &Kind, found: &mut Vec<String>) {
            match kind {
                Kind::Row(fields) => fields.iter().for_each(|(name, kind)| {
                    found.push(name.clone());
                    names(kind, found);
                }),
                Kind::Array(element) => names(element, found),
                _ => {}
            }
        }
        let mut found = Vec::new();
        MEMBERS.iter().for_each(|member| names(&member.kind, &mut found));
        assert!(found.len() > 25);
        for name in found {
            assert!(NESTED.iter().any(|json| json.eq_ignore_ascii_case(&name)), "{name}");
        }
    }

    #[test]
    fn an_ordinary_record_is_held_by_its_columns() {
        let json = r#"{"eventID":"a-1","eventTime":"2026-03-02T10:00:00Z","readOnly":true,"requestParameters":{"b":[1]},"responseElements":null,
            "userIdentity":{"type":"AssumedRole","sessionContext":{"sessionIssuer":{"userName":"ci"},"attributes":{"mfaAuthenticated":"false"}}},
            "resources":[{"ARN":"arn:1","accountId":"2"}]}"#;
        assert_eq!(extra(json), None);
        assert_eq!(Split::of(json, false).unwrap().original(), None);
    }

    #[test]
    fn what_no_column_can_hold_goes_along() {
        assert_eq!(extra(r#"{"eventID":"a","eventContext":{"x":1},"apiVersion":7}"#).as_deref(), Some(r#"{"apiVersion":7,"eventContext":{"x":1}}"#));
        let identity = r#"{"userIdentity":{"type":"AWSService","inScopeOf":{"issuerType":"x"}}}"#;
        assert_eq!(extra(&identity.replace("}}}", r#"}},"eventID":"a"}"#)).as_deref(), Some(identity));
        assert_eq!(
            extra(r#"{"eventID":"a","resources":"","requestParameters":"x"}"#).as_deref(),
            Some(r#"{"requestParameters":"x","resources":""}"#)
        );
        assert_eq!(extra(r#"{"eventID":"a","resources":[{"arn":"lower"}]}"#).as_deref(), Some(r#"{"resources":[{"arn":"lower"}]}"#));
    }

    #[test]
    fn a_text_that_reads_true_is_no_truth_value() {
        assert_eq!(extra(r#"{"eventID":"a","readOnly":"true"}"#).as_deref(), Some(r#"{"readOnly":"true"}"#));
        assert_eq!(extra(r#"{"eventID":"a","readOnly":true,"managementEvent":"yes"}"#), None);
    }

    #[test]
    fn a_text_that_matters_as_a_whole_is_kept() {
        for json in
            [r#"{"eventName":"x"}"#, r#"{"eventID":"...","eventName":"x"}"#, r#"{"eventID":"a","eventID":"b"}"#, r#"{"eventid":"a","eventID":"b"}"#]
        {
            assert_eq!(Split::of(json, false).unwrap().original(), Some(json));
        }
        let native =
            r#"{"id":"n-1","time":"2026-03-02T10:00:00Z","detail-type":"ECS Task State Change","source":"aws.ecs","account":"1","detail":{}}"#;
        let split = Split::of(native, true).unwrap();
        assert_eq!((split.original(), split.identity().as_ref()), (Some(native), "n-1"));
        assert_eq!(split.text("recipientaccountid").as_deref(), Some("1"));
    }
}
