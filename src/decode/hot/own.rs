//! Reads a record's own keys if they are written as CloudTrail writes them; anything else is left to a full
//! parse.

use super::INSIDE;
use super::mark::Mark;
use super::sources::Sources;
use super::stretch::Block;
use crate::decode::blocks::Classify;
use crate::decode::identity::{hash_of_account, is_event_id, written};
use crate::decode::json::skip_space;
use crate::decode::names::ends_like_a_source;
use crate::model::{Identity, Timestamp};

/// The values of a record's own keys.
pub(super) struct Own<'t> {
    /// The text up to the end of the record.
    pub(super) record: &'t [u8],
    pub(super) values: [Option<&'t [u8]>; Mark::COUNT],
}

impl Own<'_> {
    /// Reads the keys marked in a block; `None` if a value is not a string, or the record ends right after
    /// a mark.
    #[inline(always)]
    pub(super) fn look(&mut self, block: &Block) -> Option<()> {
        let mut marks = block.marks;
        while marks != 0 {
            let bit = marks.trailing_zeros();
            marks &= marks - 1;
            // Marks after the record's end belong to the next record.
            let Some(key) = self.record.get((block.base + bit as usize).wrapping_sub(1)..) else { break };
            if let Some((mark, length)) = Mark::of(key.first_chunk()?)
                && block.depth_at(bit) == INSIDE
            {
                // A key that appears twice is left to a full parse.
                let slot = self.values.get_mut(mark as usize).filter(|slot| slot.is_none())?;
                *slot = Some(string(key.get(length..)?)?);
            }
        }
        Some(())
    }

    /// The record's fields, if all are present and written without escapes.
    #[inline(always)]
    pub(super) fn usual(
        &self,
        sources: &Sources<'_>,
        last: &mut Last,
        classify: &impl Classify,
    ) -> Option<Usual> {
        let [Some(time), Some(source), Some(name), Some(id), category, kind, _] = self.values else {
            return None;
        };
        match (category, kind) {
            (Some(category), _)
                if !category.starts_with(b"Management\"") && !category.starts_with(b"Data\"") =>
            {
                return None;
            }
            (None, Some(kind)) if kind.starts_with(b"AwsCloudTrailInsight\"") => return None,
            _ => {}
        }
        let (said, [b'"', ..]) = time.split_first_chunk::<20>()? else { return None };
        let (time, of, id) = (last.minute.read(said)?, plain(source, classify)?, uuid(id)?);
        // CloudTrail's sources are host names.
        if of.starts_with(b"aws:") {
            return None;
        }
        let place = self.place(source, of, name, classify)?;
        let account = last.account.read(account(kind?, classify)?)?;
        let identity = written(id, Some(time), place, account);
        Some(Usual { time, wanted: sources.want(of, name)?, identity })
    }

    /// The text from the source to the region, if source, name and region follow each other as CloudTrail
    /// writes them. `source` and `name` start at their values.
    #[inline(always)]
    fn place<'s>(
        &self,
        source: &'s [u8],
        of: &[u8],
        name: &[u8],
        classify: &impl Classify,
    ) -> Option<&'s [u8]> {
        let called = plain(name, classify)?;
        // What a tool has made of the names of a service and a call is read in full.
        if !of.first()?.is_ascii_lowercase()
            || !ends_like_a_source(of)
            || matches!(called, [..=b' ', ..] | [.., ..=b' '])
        {
            return None;
        }
        let start = self.record.len() - source.len();
        let behind = of.len() + NAME.len();
        let region = behind + called.len() + REGION.len();
        if self.record.len() - name.len() != start + behind
            || *source.get(region - REGION.len()..)?.first_chunk()? != REGION
        {
            return None;
        }
        source.get(..region + plain(source.get(region..)?, classify)?.len())
    }
}

const NAME: [u8; 15] = *b"\",\"eventName\":\"";
const REGION: [u8; 15] = *b"\",\"awsRegion\":\"";

/// The text in the place of the account's digits, if it follows the type as CloudTrail writes it; `behind`
/// starts at the type's value.
#[inline(always)]
fn account<'t>(behind: &'t [u8], classify: &impl Classify) -> Option<&'t [u8; 12]> {
    const ACCOUNT: &[u8; 22] = b"\"recipientAccountId\":\"";
    let behind = behind.get(plain(behind, classify)?.len()..)?.strip_prefix(b"\",")?;
    let behind = match behind.strip_prefix(b"\"managementEvent\":") {
        Some(management) => {
            management.strip_prefix(b"true,").or_else(|| management.strip_prefix(b"false,"))?
        }
        None => behind,
    };
    let (account, [b'"', ..]) = behind.strip_prefix(ACCOUNT)?.split_first_chunk::<12>()? else { return None };
    Some(account)
}

/// The fields that are read.
pub(super) struct Usual {
    pub(super) time: Timestamp,
    pub(super) wanted: bool,
    pub(super) identity: Identity,
}

/// What the record before had: neighbouring records mostly share their account and the minute of their time.
#[derive(Default)]
pub(super) struct Last {
    minute: Minute,
    account: Account,
}

/// The last account, and what it contributes to an identity.
struct Account {
    digits: [u8; 12],
    hash: u64,
}

impl Default for Account {
    fn default() -> Self {
        Self::of(*b"000000000000")
    }
}

impl Account {
    /// `None` if a byte is not a digit.
    #[inline(always)]
    fn read(&mut self, said: &[u8; 12]) -> Option<u64> {
        if self.digits != *said {
            if !said.iter().all(u8::is_ascii_digit) {
                return None;
            }
            *self = Self::of(*said);
        }
        Some(self.hash)
    }

    fn of(digits: [u8; 12]) -> Self {
        Self { digits, hash: hash_of_account(&digits) }
    }
}

/// The minute of the last time, so that only the seconds are parsed.
#[derive(Default)]
struct Minute {
    text: [u8; 17],
    starts: Option<Timestamp>,
}

impl Minute {
    /// Reads `YYYY-MM-DDTHH:MM:SSZ`.
    #[inline(always)]
    fn read(&mut self, said: &[u8; 20]) -> Option<Timestamp> {
        let (minute, [tens, ones, b'Z']) = said
            .split_first_chunk::<17>()
            .and_then(|(minute, rest)| Some((minute, rest.first_chunk::<3>()?)))?
        else {
            return None;
        };
        let starts = match self.starts {
            Some(starts) if self.text == *minute => starts,
            _ => self.begin(minute)?,
        };
        let (b'0'..=b'5', b'0'..=b'9') = (tens, ones) else { return None };
        Some(starts.plus_seconds(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')))
    }

    /// Reads another minute, `YYYY-MM-DDTHH:MM:`.
    fn begin(&mut self, minute: &[u8; 17]) -> Option<Timestamp> {
        let [.., b':'] = minute else { return None };
        let mut first = *b"YYYY-MM-DDTHH:MM:00Z";
        first.first_chunk_mut::<17>()?.copy_from_slice(minute);
        let starts = Timestamp::parse(std::str::from_utf8(&first).ok()?)?;
        (self.text, self.starts) = (*minute, Some(starts));
        Some(starts)
    }
}

/// The text after the opening quote of a key's value, if that is a string; `behind` is the text after the
/// key.
#[inline(always)]
fn string(behind: &[u8]) -> Option<&[u8]> {
    if let [b':', b'"', value @ ..] = behind {
        return Some(value);
    }
    let value = behind.get(skip_space(behind, 0)..)?.strip_prefix(b":")?;
    value.get(skip_space(value, 0)..)?.strip_prefix(b"\"")
}

/// The `eventID`, given the text from its beginning on; `None` if it is not a UUID.
#[inline(always)]
fn uuid(text: &[u8]) -> Option<&[u8]> {
    let (uuid, [b'"', ..]) = text.split_first_chunk::<36>()? else { return None };
    is_event_id(uuid).then_some(uuid)
}

/// The content of a string without escapes, given the text from its beginning on.
#[inline(always)]
fn plain<'t>(text: &'t [u8], classify: &impl Classify) -> Option<&'t [u8]> {
    // Nearly all of them end within 64 bytes. No closure here: it would not be compiled for the vectors of
    // `classify`.
    let ends = match text.first_chunk() {
        Some(block) => classify.equal_to(block, b'"') | classify.equal_to(block, b'\\'),
        None => 0,
    };
    let end = if ends == 0 { memchr::memchr2(b'"', b'\\', text)? } else { ends.trailing_zeros() as usize };
    text.get(..end).filter(|_| text.get(end) == Some(&b'"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Wanted;
    use crate::decode::blocks::Portable;
    use crate::decode::identity::EventKey;

    fn value<'t>(record: &'t [u8], key: &str) -> Option<&'t [u8]> {
        let key = format!("\"{key}\":\"");
        memchr::memmem::find(record, key.as_bytes()).map(|at| &record[at + key.len()..])
    }

    fn usual(record: &[u8]) -> Option<Usual> {
        let keys = [
            "eventTime",
            "eventSource",
            "eventName",
            "eventID",
            "eventCategory",
            "eventType",
            "eventVersion",
        ];
        Own { record, values: keys.map(|key| value(record, key)) }.usual(
            &Sources::of(Wanted::All),
            &mut Last::default(),
            &Portable,
        )
    }

    /// What CloudTrail writes, in its order: every such record must be read the quick way.
    const WRITTEN: &str = r#"{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole"},"eventTime":"2026-03-02T10:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","awsRegion":"eu-central-1","sourceIPAddress":"198.51.100.7","userAgent":"docker","requestParameters":{"a":"b"},"responseElements":null,"requestID":"r","eventID":"0828c0d2-3589-4390-b954-c78b4a7df44b","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}"#;

    #[test]
    fn what_cloudtrail_writes_is_told_apart_without_a_full_reading() {
        let told = EventKey {
            id: b"0828c0d2-3589-4390-b954-c78b4a7df44b",
            time: Timestamp::parse("2026-03-02T10:00:00Z"),
            source: b"ecr.amazonaws.com",
            name: b"PutImage",
            region: b"eu-central-1",
            account: b"111122223333",
        };
        for between in [r#""managementEvent":true,"#, r#""managementEvent":false,"#, ""] {
            let record = WRITTEN.replace(r#""managementEvent":true,"#, between);
            let identity = usual(record.as_bytes()).map(|usual| usual.identity);
            assert_eq!(identity, Some(told.identity(b"")), "{record}");
        }
    }

    #[test]
    fn what_stands_elsewhere_is_for_a_full_reading() {
        for (from, to) in [
            (r#""awsRegion":"eu-central-1","#, ""),
            (r#""recipientAccountId":"111122223333","#, ""),
            ("111122223333", "EXAMPLE"),
            ("0828c0d2", "EXAMPLE8"),
            ("ecr.amazonaws.com", "aws:s3"),
            (
                r#""eventName":"PutImage","awsRegion":"eu-central-1","#,
                r#""awsRegion":"eu-central-1","eventName":"PutImage","#,
            ),
        ] {
            assert!(usual(WRITTEN.replace(from, to).as_bytes()).is_none(), "{from} → {to}");
        }
    }
}
