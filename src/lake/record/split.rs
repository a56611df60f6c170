//! A record divided into its members: the cells that the columns represent, and the rest as JSON.

use std::borrow::Cow;

use super::leaves::{EXTRA, ORIGINAL, SLOT_TARGETS};
use super::members::{KNOWN, MEMBERS, Member};
use super::row;
use super::shape::position;
use super::value_slots::{Slots, said};
use crate::decode::identity::{EventKey, is_event_id};
use crate::decode::json::{Members, skip_space, skip_value};
use crate::model::{Identity, Timestamp};

/// A record divided into its members.
pub(in crate::lake) struct Split<'r> {
    json: &'r str,
    native: bool,
    values: Slots<'r>,
    /// Members that their columns cannot represent completely, as indexes into [`MEMBERS`].
    torn: Vec<usize>,
    others: Vec<(Cow<'r, str>, &'r str)>,
    /// Whether a member appears twice or in another case, so that only the text itself is exact.
    twisted: bool,
}

impl<'r> Split<'r> {
    /// # Errors
    ///
    /// The text is not a JSON object.
    pub(in crate::lake) fn of(json: &'r str, native: bool) -> Result<Self, String> {
        let values = Slots::new(json, KNOWN.count);
        let mut split = Self { json, native, values, torn: Vec::new(), others: Vec::new(), twisted: native };
        split.read()?;
        split.twisted |= !is_event_id(split.string(KNOWN.id).as_bytes());
        // In an event's identity a value that is not a string counts as missing, which the columns could not
        // distinguish from an empty string.
        let is_odd = |slot: usize| {
            split.values.json(slot).is_some_and(|json| !json.starts_with('"') && json != "null")
        };
        split.twisted |= is_odd(KNOWN.region) || is_odd(KNOWN.account);
        Ok(split)
    }

    fn read(&mut self) -> Result<(), String> {
        let text = self.json.as_bytes();
        let start = skip_space(text, 0);
        if text.get(start) != Some(&b'{') {
            return Err("not a JSON object".to_owned());
        }
        let (mut members, mut next) = (Members::of(text, start), 0);
        while let Some(member) = members.next()? {
            let key = self.json.get(member.key).unwrap_or_default();
            let end = self.take(key, member.value, &mut next)?;
            members.go_on(end);
        }
        if skip_space(text, members.end()) < text.len() {
            return Err(format!("something follows the record at byte {} of it", members.end()));
        }
        Ok(())
    }

    /// Takes the member with this key (as written), whose value is at `at`; returns the value's end. `next`
    /// is the expected index of the next member.
    fn take(&mut self, key: &'r str, at: usize, next: &mut usize) -> Result<usize, String> {
        let members = MEMBERS.as_slice();
        let name = if self.native { native_name(key) } else { key };
        let exact =
            position(members.len(), *next, |at| members.get(at).is_some_and(|member| member.name == name));
        let Some((place, member)) = exact.and_then(|place| Some((place, members.get(place)?))) else {
            return self.take_other(key, at);
        };
        *next = place + 1;
        self.note(place, member, at)
    }

    /// Takes a member whose key is not spelt exactly as CloudTrail spells it.
    fn take_other(&mut self, key: &'r str, at: usize) -> Result<usize, String> {
        let key = said(key).ok_or("a key has half a character")?;
        let name = if self.native { native_name(&key) } else { &key };
        if let Some((place, member)) =
            MEMBERS.iter().enumerate().find(|(_, member)| member.name.eq_ignore_ascii_case(name))
        {
            // With escapes removed it may be the exact name.
            self.twisted |= member.name != name;
            return self.note(place, member, at);
        }
        let end = skip_value(self.json.as_bytes(), at)?;
        self.others.push((key, self.json.get(at..end).unwrap_or_default()));
        Ok(end)
    }

    /// Notes the value at `at` for the member at index `place` in [`MEMBERS`]; returns the value's end.
    fn note(&mut self, place: usize, member: &Member, at: usize) -> Result<usize, String> {
        self.twisted |= self.values.has(member.field.slots.start);
        let noted = self.values.note(&member.field, at)?;
        if !noted.whole {
            self.torn.push(place);
        }
        Ok(noted.end)
    }

    pub(in crate::lake) fn time(&self) -> Option<Timestamp> {
        time_of(&self.values.text(KNOWN.time)?)
    }

    /// Whether it has `readOnly: true`, as a boolean or a string.
    pub(in crate::lake) fn is_read_only(&self) -> bool {
        self.values.json(KNOWN.read_only).is_some_and(|json| matches!(json, "true" | "\"true\""))
    }

    /// `recipientAccountId`.
    pub(in crate::lake) fn account(&self) -> Option<Cow<'r, str>> {
        self.values.text(KNOWN.account)
    }

    /// `awsRegion`.
    pub(in crate::lake) fn region(&self) -> Option<Cow<'r, str>> {
        self.values.text(KNOWN.region)
    }

    /// The content of a string; empty if there is none.
    fn string(&self, slot: usize) -> Cow<'r, str> {
        let is_string = self.values.json(slot).is_some_and(|json| json.starts_with('"'));
        self.values.text(slot).filter(|_| is_string).unwrap_or_default()
    }

    /// The identity that two copies of one event share.
    pub(in crate::lake) fn identity(&self) -> Identity {
        let [id, source, name, region, account] =
            [KNOWN.id, KNOWN.source, KNOWN.name, KNOWN.region, KNOWN.account].map(|slot| self.string(slot));
        told(&id, self.time(), &source, &name, &region, &account).identity(self.json.as_bytes())
    }

    /// The whole text, if it must be stored.
    pub(in crate::lake) fn original(&self) -> Option<&'r str> {
        self.twisted.then_some(self.json)
    }

    /// Appends the cells in the order of the columns: those of [`MEMBERS`], then `extra`, and `original`
    /// where that is needed.
    pub(in crate::lake) fn put(&self, out: &mut Vec<u8>) {
        let extra = self.put_members(out);
        for (leaf, text) in [(*EXTRA, extra.as_deref()), (*ORIGINAL, self.original())] {
            if text.is_some() {
                row::put_leaf(leaf, out);
                row::put_text(text, out);
            }
        }
    }

    /// Appends the cells of [`MEMBERS`]. Returns the members that they cannot represent, as a JSON object;
    /// `None` if there are none or `original` contains everything.
    fn put_members(&self, out: &mut Vec<u8>) -> Option<String> {
        let mut extra = String::new();
        let mut slots = self.values.noted().peekable();
        while let Some(slot) = slots.next() {
            // The slot of a member comes before those of its fields.
            let Some(place) = SLOT_TARGETS.get(slot).map(|place| place.member) else { continue };
            let Some((member, value)) = MEMBERS.get(place).zip(self.values.json(slot)) else { continue };
            let mut held = self.values.put_slot(slot, out);
            while let Some(slot) = slots.next_if(|slot| *slot < member.field.slots.end) {
                held &= self.values.put_slot(slot, out);
            }
            if !self.twisted && (!member.says(value, held) || self.torn.contains(&place)) {
                add_member(&mut extra, member.name, value);
            }
        }
        if self.twisted {
            return None;
        }
        self.others.iter().for_each(|(name, value)| add_member(&mut extra, name, value));
        if extra.is_empty() {
            return None;
        }
        extra.push('}');
        Some(extra)
    }
}

/// The time of a record, from a string or a number.
pub(super) fn time_of(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|| text.parse().ok().and_then(Timestamp::from_epoch))
}

/// The identity of an event, from its fields.
pub(super) fn told<'r>(
    id: &'r str,
    time: Option<Timestamp>,
    source: &'r str,
    name: &'r str,
    region: &'r str,
    account: &'r str,
) -> EventKey<'r> {
    EventKey {
        id: id.as_bytes(),
        time,
        source: source.as_bytes(),
        name: name.as_bytes(),
        region: region.as_bytes(),
        account: account.as_bytes(),
    }
}

/// Appends a member to an open JSON object, or begins one.
pub(super) fn add_member(object: &mut String, name: &str, json: &str) {
    object.push(if object.is_empty() { '{' } else { ',' });
    add_text(object, name);
    object.push(':');
    object.push_str(json);
}

/// Appends a JSON string.
pub(super) fn add_text(out: &mut String, text: &str) {
    // Serialising a string cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// CloudTrail's name for a member that EventBridge's own events call differently.
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

#[cfg(test)]
mod tests {
    use crate::decode::fingerprint;

    use super::*;

    fn extra(json: &str) -> Option<String> {
        Split::of(json, false).unwrap().put_members(&mut Vec::new())
    }

    #[test]
    fn an_ordinary_record_is_held_by_its_columns() {
        let json = r#"{"eventID":"0828c0d2-3589-4390-b954-c78b4a7df44b","eventTime":"2026-03-02T10:00:00Z","readOnly":true,"requestParameters":{"b":[1]},"responseElements":null,
            "userIdentity":{"type":"AssumedRole","sessionContext":{"sessionIssuer":{"userName":"ci"},"attributes":{"mfaAuthenticated":"false"}}},
            "resources":[{"ARN":"arn:1","accountId":"2"}]}"#;
        assert_eq!(extra(json), None);
        assert_eq!(Split::of(json, false).unwrap().original(), None);
    }

    #[test]
    fn what_no_column_can_hold_goes_along() {
        assert_eq!(
            extra(
                r#"{"eventID":"0828c0d2-3589-4390-b954-c78b4a7df44b","eventContext":{"x":1},"apiVersion":7}"#
            )
            .as_deref(),
            Some(r#"{"apiVersion":7,"eventContext":{"x":1}}"#)
        );
        let identity = r#"{"userIdentity":{"type":"AWSService","inScopeOf":{"issuerType":"x"}}}"#;
        assert_eq!(
            extra(&identity.replace("}}}", r#"}},"eventID":"0828c0d2-3589-4390-b954-c78b4a7df44b"}"#))
                .as_deref(),
            Some(identity)
        );
        assert_eq!(
            extra(
                r#"{"eventID":"0828c0d2-3589-4390-b954-c78b4a7df44b","resources":"","requestParameters":"x"}"#
            )
            .as_deref(),
            Some(r#"{"requestParameters":"x","resources":""}"#)
        );
        assert_eq!(
            extra(r#"{"eventID":"0828c0d2-3589-4390-b954-c78b4a7df44b","resources":[{"arn":"lower"}]}"#)
                .as_deref(),
            Some(r#"{"resources":[{"arn":"lower"}]}"#)
        );
    }

    #[test]
    fn a_text_that_reads_true_is_no_truth_value() {
        assert_eq!(
            extra(r#"{"eventID":"0828c0d2-3589-4390-b954-c78b4a7df44b","readOnly":"true"}"#).as_deref(),
            Some(r#"{"readOnly":"true"}"#)
        );
        assert_eq!(
            extra(
                r#"{"eventID":"0828c0d2-3589-4390-b954-c78b4a7df44b","readOnly":true,"managementEvent":"yes"}"#
            ),
            None
        );
    }

    #[test]
    fn a_text_that_matters_as_a_whole_is_kept() {
        for json in [
            r#"{"eventName":"x"}"#,
            r#"{"eventID":"...","eventName":"x"}"#,
            r#"{"eventID":"a","eventID":"b"}"#,
            r#"{"eventid":"a","eventID":"b"}"#,
        ] {
            assert_eq!(Split::of(json, false).unwrap().original(), Some(json));
        }
        let native = r#"{"id":"n-1","time":"2026-03-02T10:00:00Z","detail-type":"ECS Task State Change","source":"aws.ecs","account":"1","detail":{}}"#;
        let split = Split::of(native, true).unwrap();
        assert_eq!((split.original(), split.identity().id), (Some(native), fingerprint(b"n-1")));
        assert_eq!(split.account().as_deref(), Some("1"));
    }
}
