//! When two records are copies of one event: the only rule for it, used by the coverage, SQL, the engine
//! and the lake.
//!
//! They are if they have the same `eventID`, `eventTime`, `eventSource` and `eventName`, and are for the
//! same region and account. (CloudTrail logs a call once more, under another id, for every account that it
//! concerns; in one region only.) All values are taken as delivered: an addendum has an id of its own.
//!
//! An id that is not a UUID does not count: redacted and documented logs have one word on many events
//! (`EXAMPLE`, `...`, `1`). Such records are compared by their whole content: a copy has the same text
//! apart from white space.

use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use crate::model::{Identity, Timestamp};

/// A stable 64-bit fingerprint of a text, the same on all machines and in all runs; never zero.
///
/// Two different texts have the same one with odds of 1 : 2⁶⁴. The hash (XXH3 without a seed) does not
/// withstand an attacker who chooses texts; but ids, names and sources of events are chosen by AWS.
pub fn fingerprint(text: &[u8]) -> u64 {
    xxh3_64(text).max(1)
}

/// The fields that identify an event; empty where the record has none.
#[derive(Debug, Clone, Copy)]
pub struct EventKey<'r> {
    /// `eventID`, if it is a string.
    pub id: &'r [u8],
    pub time: Option<Timestamp>,
    pub source: &'r [u8],
    pub name: &'r [u8],
    pub region: &'r [u8],
    pub account: &'r [u8],
}

impl EventKey<'_> {
    /// The identity of the record whose text is `json`.
    pub fn identity(&self, json: &[u8]) -> Identity {
        if is_event_id(self.id) {
            // In the form in which CloudTrail writes them: see `written`.
            let place = [self.source, b"\",\"eventName\":\"", self.name, b"\",\"awsRegion\":\"", self.region]
                .concat();
            return written(self.id, self.time, &place, hash_of_account(self.account));
        }
        let (high, low) = fingerprint_of_record(json);
        Identity { id: if is_word(self.id) { fingerprint(self.id) } else { high }, rest: low }
    }
}

/// The same for a record that has an [`eventID`](is_event_id); `place` is its text from the source to the
/// region: `SOURCE","eventName":"NAME","awsRegion":"REGION`, and `account` the [hash](hash_of_account) of its
/// account.
#[inline]
pub(super) fn written(id: &[u8], time: Option<Timestamp>, place: &[u8], account: u64) -> Identity {
    let millis = time.map_or(u64::MAX, |time| time.millis().cast_unsigned());
    Identity { id: fingerprint(id), rest: mixed(mixed(xxh3_64(place), millis), account) }
}

/// What an account contributes to an identity; 0 if the record has none.
pub(super) fn hash_of_account(account: &[u8]) -> u64 {
    if account.is_empty() { 0 } else { xxh3_64(account) }
}

/// Mixes two numbers so that every bit of both matters.
fn mixed(one: u64, other: u64) -> u64 {
    let product = u128::from(one ^ 0x9e37_79b9_7f4a_7c15) * u128::from(other ^ 0xc2b2_ae3d_27d4_eb4f | 1);
    (product as u64) ^ ((product >> 64) as u64) ^ one.rotate_left(23)
}

/// Whether a text is a UUID, and not one that somebody typed: its first eight digits are neither all the
/// same nor counted up.
#[inline]
pub fn is_event_id(id: &[u8]) -> bool {
    let Some(id) = id.first_chunk::<36>().filter(|_| id.len() == 36) else { return false };
    let [a, b, c, d, e, f, g, h, ..] = *id;
    let first = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    // The halves have bytes in common, so that each can be compared at once and nothing is left over.
    let is_uuid = |at: usize| match (id[at..].first_chunk::<32>(), UUID[at..].first_chunk::<32>()) {
        (Some(part), Some(form)) => part.iter().zip(form).fold(true, |fits, (byte, form)| {
            fits & if *form == b'-' { *byte == b'-' } else { byte.is_ascii_hexdigit() }
        }),
        _ => false,
    };
    is_uuid(0)
        && is_uuid(4)
        && first != first.rotate_left(8)
        && first != u64::from_be_bytes(*b"12345678")
        && first != u64::from_be_bytes(*b"01234567")
}

const UUID: [u8; 36] = *b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

/// Whether a text can be a name at all; `***` and `...` cannot.
pub fn is_word(id: &[u8]) -> bool {
    id.iter().any(u8::is_ascii_alphanumeric)
}

/// 128 bits for the content of a record, ignoring white space. Collision-resistant: such texts may come
/// from anybody.
fn fingerprint_of_record(json: &[u8]) -> (u64, u64) {
    let hash: [u8; 32] = Sha256::digest(without_space(json)).into();
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = hash;
    (u64::from_be_bytes([a, b, c, d, e, f, g, h]).max(1), u64::from_be_bytes([i, j, k, l, m, n, o, p]))
}

/// JSON text without white space outside of strings.
pub(crate) fn without_space(json: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::with_capacity(json.len()), 0);
    while let Some(&byte) = json.get(at) {
        let end = match byte {
            b'"' => super::json::skip_string(json, at).unwrap_or(json.len()),
            _ => at + 1,
        };
        if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            out.extend_from_slice(json.get(at..end).unwrap_or_default());
        }
        at = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &[u8] = b"0828c0d2-3589-4390-b954-c78b4a7df44b";

    fn told(id: &[u8]) -> EventKey<'_> {
        EventKey {
            id,
            time: Timestamp::parse("2026-03-02T10:00:00Z"),
            source: b"ecr.amazonaws.com",
            name: b"PutImage",
            region: b"eu-central-1",
            account: b"111122223333",
        }
    }

    #[test]
    fn fingerprints_stay_what_they_were() {
        // XXH3's published value for the empty text.
        assert_eq!(fingerprint(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(
            told(ID).identity(b"{}"),
            told(ID).identity(b"{\"other\": 1}"),
            "with an id the text does not matter"
        );
    }

    #[test]
    fn what_differs_in_one_of_them_is_another_event() {
        let event = told(ID);
        let other = Timestamp::parse("2026-03-02T10:00:01Z");
        for another in [
            told(b"0828c0d2-3589-4390-b954-c78b4a7df44c"),
            EventKey { time: other, ..event },
            EventKey { source: b"ecs.amazonaws.com", ..event },
            EventKey { name: b"PutImages", ..event },
            EventKey { region: b"us-east-1", ..event },
            EventKey { region: b"", ..event },
            EventKey { account: b"444455556666", ..event },
            EventKey { account: b"", ..event },
        ] {
            assert_ne!(another.identity(b"{}"), event.identity(b"{}"), "{another:?}");
        }
    }

    #[test]
    fn the_text_as_cloudtrail_writes_it_gives_the_same() {
        let place = b"ecr.amazonaws.com\",\"eventName\":\"PutImage\",\"awsRegion\":\"eu-central-1";
        assert_eq!(
            written(ID, told(ID).time, place, hash_of_account(b"111122223333")),
            told(ID).identity(b"{}")
        );
    }

    #[test]
    fn placeholders_are_no_ids() {
        for id in [
            "EXAMPLE",
            "1",
            "",
            "...",
            "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
            "00000000-0000-4000-8000-000000000000",
            "EXAMPLE8-9621-4d00-b913-beca2EXAMPLE",
            "12345678-1234-1234-1234-123456789012",
        ] {
            assert!(!is_event_id(id.as_bytes()), "{id}");
            let at = |json: &str| told(id.as_bytes()).identity(json.as_bytes());
            assert_ne!(at(r#"{"a":"1 2"}"#), at(r#"{"a":"12"}"#), "{id}");
            assert_eq!(at(r#"{"a": "1 2",  "b":[1, 2]}"#), at(r#"{"a":"1 2","b":[1,2]}"#), "{id}");
        }
        assert!(is_event_id(ID) && is_event_id(b"2c347d35-fff1-53e7-abb0-7c40513bea04"));
        assert_eq!(
            told(b"EXAMPLE").identity(b"{}").id,
            told(b"EXAMPLE").identity(b"[]").id,
            "a word is still seen to be shared"
        );
    }
}
