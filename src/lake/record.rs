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

use crate::model::Timestamp;
use crate::tables::Kind;
use crate::tables::builder::{elements_of, members_of, text_of};
use crate::tables::cloudtrail::{JSON_COLUMNS, ORIGINS, Origin, TABLE};

/// A member of a record that has a column.
pub(super) struct Member {
    pub column: &'static str,
    /// Its name in JSON.
    pub name: &'static str,
    pub kind: Kind,
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
        Some(Member { column, name, kind, holds })
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
    /// A member stands twice, or in another case: only the text itself says what it says.
    twisted: bool,
}

impl<'r> Split<'r> {
    /// # Errors
    /// The text is no JSON object.
    pub(super) fn of(json: &'r str, native: bool) -> Result<Self, String> {
        let mut reader = serde_json::Deserializer::from_str(json);
        let values = vec![None; MEMBERS.len()];
        let mut split =
            reader.deserialize_map(Splitter(Self { json, native, values, others: Vec::new(), twisted: native })).map_err(|e| e.to_string())?;
        reader.end().map_err(|error| error.to_string())?;
        split.twisted |= split.event_id().is_none();
        Ok(split)
    }

    fn take(&mut self, key: Cow<'r, str>, value: &'r RawValue) {
        let name = if self.native { native_name(&key) } else { &key };
        match MEMBERS.iter().position(|member| member.name.eq_ignore_ascii_case(name)) {
            Some(at) => {
                let slot = self.values.get_mut(at);
                self.twisted |= slot.as_ref().is_some_and(|slot| slot.is_some()) || MEMBERS.get(at).is_some_and(|member| member.name != name);
                if let Some(slot) = slot {
                    *slot = Some(value);
                }
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
        let text = self.text("eventtime")?;
        Timestamp::parse(&text).or_else(|| text.parse().ok().and_then(Timestamp::from_epoch))
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

    /// The members that columns cannot represent, as a JSON object; `None` if there are none or `original` has it all.
    pub(super) fn extra(&self) -> Option<String> {
        if self.twisted {
            return None;
        }
        let mut extra = String::new();
        for (member, value) in MEMBERS.iter().zip(&self.values) {
            if let Some(value) = value.filter(|value| !is_held(member, value)) {
                add_member(&mut extra, member.name, value.get());
            }
        }
        self.others.iter().for_each(|(name, value)| add_member(&mut extra, name, value.get()));
        if extra.is_empty() {
            return None;
        }
        extra.push('}');
        Some(extra)
    }
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

/// Whether the member's column says all that `value` says.
fn is_held(member: &Member, value: &RawValue) -> bool {
    let json = value.get();
    match member.holds {
        _ if json == "null" => true,
        Holds::Json => json.starts_with('{'),
        Holds::Truth if matches!(json, "true" | "false") => true,
        Holds::Text | Holds::Truth => is_text(value),
        Holds::Nested => fits(member.column, &member.kind, value),
    }
}

fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"') && text_of(value).is_some()
}

fn fits(column: &str, kind: &Kind, value: &RawValue) -> bool {
    match kind {
        Kind::Row(fields) => members_of(value).is_some_and(|members| {
            let mut seen = Vec::with_capacity(members.len());
            members.iter().all(|(key, value)| {
                let Some((field, kind)) = fields.iter().find(|(field, _)| json_name(column, field) == key) else { return false };
                let once = !seen.contains(&field);
                seen.push(field);
                once && (value.get() == "null" || fits(column, kind, value))
            })
        }),
        Kind::Map(..) => members_of(value).is_some_and(|members| members.iter().all(|(_, value)| is_text(value))),
        Kind::Array(element) => elements_of(value).is_some_and(|elements| elements.iter().all(|value| fits(column, element, value))),
        _ => is_text(value),
    }
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
struct Key<'r>(#[serde(borrow)] Cow<'r, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(json: &str) -> Option<String> {
        Split::of(json, false).unwrap().extra()
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
