//! Reads the few top-level fields of an object that show what kind of object it is and when it happened.

use std::borrow::Cow;
use std::ops::Range;

use super::OtherKind;
use super::identity::EventKey;
use super::json::{Fault, Members, skip_value, unescape};
use super::names::{Kind, ends_like_a_source, flattened, is_null_word, is_success_word, named, respelled};
use super::payload;
use super::repair::account_written_so;
use super::spelling::{
    call_written_so, hides_its_service, is_of_images, is_undecided_code, is_usual_source, source_written_so,
};
use crate::model::{Exported, Identity, Timestamp};

/// The top-level keys that are read. Of two equal keys the last one counts, as in every parser that builds a
/// map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    EventVersion,
    EventTime,
    EventSource,
    EventName,
    EventId,
    EventCategory,
    EventType,
    AwsRegion,
    RecipientAccount,
    /// lookup-events: the record itself, as a string.
    CloudTrailEvent,
    Detail,
    DetailType,
    /// EventBridge's `source`.
    Source,
    /// CloudWatch Logs: one log line.
    Message,
    /// Aggregated events write `eventId` with a small d.
    AggregateId,
    TimeWindow,
    Summary,
    DigestObject,
    DigestStart,
    /// Time and id of an EventBridge event of its own.
    Time,
    Id,
    Region,
    Account,
    LogFiles,
    /// Logstash moves the time of an event into this field; Microsoft Sentinel has another name for it.
    Timestamp,
    UserIdentity,
    Request,
    Response,
    Details,
}

const KEYS: usize = Key::Details as usize + 1;
/// The members of a record that say what was done, with their names.
const PAYLOADS: [Key; 3] = [Key::Request, Key::Response, Key::Details];

impl Key {
    /// Keys that wrappers have, and records do not.
    fn around(key: &[u8]) -> Option<Self> {
        Some(match key {
            b"CloudTrailEvent" => Self::CloudTrailEvent,
            b"detail" => Self::Detail,
            b"detail-type" => Self::DetailType,
            b"source" => Self::Source,
            b"message" => Self::Message,
            b"eventId" => Self::AggregateId,
            b"timeWindow" => Self::TimeWindow,
            b"summary" => Self::Summary,
            b"digestS3Object" => Self::DigestObject,
            b"digestStartTime" => Self::DigestStart,
            b"time" => Self::Time,
            b"id" => Self::Id,
            b"region" => Self::Region,
            b"account" => Self::Account,
            b"logFiles" => Self::LogFiles,
            b"@timestamp" | b"TimeGenerated" => Self::Timestamp,
            _ => return None,
        })
    }
}

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Record,
    Other(OtherKind),
    /// An element in the output of `aws cloudtrail lookup-events`.
    Lookup,
    /// An EventBridge envelope.
    Envelope,
    /// A log line of CloudWatch Logs.
    LogLine,
    /// A notification of another AWS service to a queue or a function, which looks like a record.
    Notification(&'static str),
    Foreign,
}

/// The positions of the fields in the text.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    spans: [(usize, usize); KEYS],
    /// Whether any member of the record is not in CloudTrail's own form.
    drifted: bool,
}

impl Fields {
    pub(super) const fn none() -> Self {
        Self { spans: [(0, 0); KEYS], drifted: false }
    }

    /// Reads the fields of the object at `at`; also returns its end.
    pub(super) fn read(text: &[u8], at: usize) -> Result<(Self, usize), Fault> {
        let mut fields = Self::none();
        let mut members = Members::of(text, at);
        while let Some(member) = members.next()? {
            let end = skip_value(text, member.value)?;
            fields.note(text, member.key, member.value..end);
            members.go_on(end);
        }
        Ok((fields, members.end()))
    }

    /// Notes one member.
    pub(super) fn note(&mut self, text: &[u8], key: Range<usize>, value: Range<usize>) {
        let Some(raw) = text.get(key) else { return };
        let name = plain(raw);
        if let Some((kind, key)) = named(&name) {
            self.drifted |= drifts(kind, text.get(value.clone()).unwrap_or_default());
            return self.put(key, value);
        }
        let around = Key::around(&name);
        self.put(around, value.clone());
        if let Some((_, key)) = respelled(&name).and_then(|name| named(name.as_bytes())) {
            self.drifted = true;
            // Beside a member under CloudTrail's own name it is somebody's addition.
            if key.is_none_or(|key| self.span(key).is_none()) {
                self.put(key, value);
            }
        } else if !self.drifted && flattened(&name).is_some() {
            self.drifted = true;
        }
    }

    fn put(&mut self, key: Option<Key>, value: Range<usize>) {
        if let Some(span) = key.and_then(|key| self.spans.get_mut(key as usize)) {
            *span = (value.start, value.end);
        }
    }

    /// Whether the record has to be converted to CloudTrail's own form.
    pub(super) fn has_drifted(&self, text: &[u8]) -> bool {
        self.drifted
            || (self.span(Key::EventTime).is_none() && self.span(Key::Timestamp).is_some())
            || self.spells_call_otherwise(text)
            || self.has_odd_payload(text)
    }

    /// Whether a payload of a service of images has other names or other kinds of values inside than CloudTrail's.
    fn has_odd_payload(&self, text: &[u8]) -> bool {
        let is_of_images = || self.text(text, Key::EventSource).is_some_and(|source| is_of_images(&source));
        let payloads =
            || PAYLOADS.iter().filter_map(|key| self.raw(text, *key)).filter(|raw| raw.starts_with(b"{"));
        payloads().next().is_some()
            && is_of_images()
            && payloads().any(|raw| std::str::from_utf8(raw).is_ok_and(payload::is_odd))
    }

    /// Whether it can be a record of CloudTrail's, and not an event of somebody's own with a name, a source and a
    /// time.
    fn may_be_cloudtrails(&self, text: &[u8]) -> bool {
        let own = [
            Key::EventVersion,
            Key::EventId,
            Key::AwsRegion,
            Key::RecipientAccount,
            Key::EventCategory,
            Key::EventType,
            Key::UserIdentity,
            Key::Request,
            Key::Response,
            Key::Details,
        ];
        let is_service = |source: &[u8]| {
            ends_like_a_source(source)
                || std::str::from_utf8(source).is_ok_and(|source| {
                    source_written_so(source).is_some_and(|source| is_of_images(source.as_bytes()))
                })
        };
        own.iter().any(|key| self.span(*key).is_some())
            || self.text(text, Key::EventSource).is_some_and(|source| is_service(&source))
    }

    fn spells_call_otherwise(&self, text: &[u8]) -> bool {
        let [Some(source), Some(name)] = [Key::EventSource, Key::EventName].map(|key| self.text(text, key))
        else {
            return false;
        };
        std::str::from_utf8(&name).is_ok_and(|name| call_written_so(&source, name).is_some())
    }

    /// The key with the time of a record: its own name or Logstash's.
    fn time_key(&self) -> Key {
        if self.span(Key::EventTime).is_some() { Key::EventTime } else { Key::Timestamp }
    }

    /// The position of the value of `key`.
    pub(super) fn span(&self, key: Key) -> Option<Range<usize>> {
        self.spans.get(key as usize).filter(|&&(_, end)| end > 0).map(|&(start, end)| start..end)
    }

    fn raw<'t>(&self, text: &'t [u8], key: Key) -> Option<&'t [u8]> {
        text.get(self.span(key)?)
    }

    /// The content of a string; `None` if there is none or it is not a string.
    pub(super) fn text<'t>(&self, text: &'t [u8], key: Key) -> Option<Cow<'t, [u8]>> {
        self.raw(text, key)?.strip_prefix(b"\"")?.strip_suffix(b"\"").map(plain)
    }

    fn is(&self, text: &[u8], key: Key, value: &[u8]) -> bool {
        self.text(text, key).as_deref() == Some(value)
    }

    pub(super) fn is_object(&self, text: &[u8], key: Key) -> bool {
        self.raw(text, key).is_some_and(|raw| raw.starts_with(b"{"))
    }

    pub(super) fn is_string(&self, text: &[u8], key: Key) -> bool {
        self.raw(text, key).is_some_and(|raw| raw.starts_with(b"\""))
    }

    /// The kind of this object: by its category if it has one, then by the fields that every record has, then
    /// by those of wrappers.
    pub(super) fn shape(&self, text: &[u8]) -> Shape {
        let has = |key| self.span(key).is_some();
        // In other case, the member `CloudTrailEvent` may look like a record's own.
        if self.drifted && self.is_string(text, Key::CloudTrailEvent) {
            return Shape::Lookup;
        }
        if let Some(what) = self.text(text, Key::EventSource).as_deref().and_then(notification) {
            return Shape::Notification(what);
        }
        let category = self.text(text, Key::EventCategory);
        match category.as_deref() {
            Some(b"Insight") => return Shape::Other(OtherKind::Insight),
            Some(b"NetworkActivity") => return Shape::Other(OtherKind::NetworkActivity),
            Some(b"Aggregated") => return Shape::Other(OtherKind::Aggregated),
            None if self.is(text, Key::EventType, b"AwsCloudTrailInsight") => {
                return Shape::Other(OtherKind::Insight);
            }
            _ => {}
        }
        let has_time = has(self.time_key());
        if has(Key::EventName) && !self.may_be_cloudtrails(text) {
            self.wrapping(text)
        } else if has_time && has(Key::EventSource) && has(Key::EventName) {
            Shape::Record
        } else if has(Key::AggregateId) && (has(Key::TimeWindow) || has(Key::Summary)) {
            Shape::Other(OtherKind::Aggregated)
        } else if has(Key::LogFiles) && (has(Key::DigestObject) || has(Key::DigestStart)) {
            Shape::Other(OtherKind::LogDigestFile)
        } else if has(Key::EventVersion) || has(Key::EventName) && (has_time || has(Key::EventSource)) {
            Shape::Record
        } else {
            self.wrapping(text)
        }
    }

    fn wrapping(&self, text: &[u8]) -> Shape {
        if self.is_string(text, Key::CloudTrailEvent) {
            Shape::Lookup
        } else if self.span(Key::DetailType).is_some() && self.is_object(text, Key::Detail) {
            Shape::Envelope
        } else if self.is_string(text, Key::Message) {
            Shape::LogLine
        } else {
            Shape::Foreign
        }
    }

    /// Whether it has a valid time, and the source and name of an event.
    pub(super) fn has_place(&self, text: &[u8]) -> bool {
        self.check(text).is_ok() || self.drifted && self.has_listed_place(text)
    }

    /// The same, where a tool has made a list of each value.
    fn has_listed_place(&self, text: &[u8]) -> bool {
        let one = |key| {
            let raw = std::str::from_utf8(self.raw(text, key)?).ok()?;
            if raw.starts_with('[') { super::listed::scalar(raw, false) } else { Some(raw) }
        };
        one(self.time_key()).is_some_and(|time| exported(time.as_bytes()).is_some())
            && [Key::EventSource, Key::EventName]
                .iter()
                .all(|key| one(*key).is_some_and(|name| name.starts_with('"')))
    }

    /// Checks that this record has a valid time, a source and a name. Returns the time, or what is wrong.
    pub(super) fn check(&self, text: &[u8]) -> Result<Timestamp, String> {
        let time = self.time(text)?;
        for (key, name) in [(Key::EventSource, "eventSource"), (Key::EventName, "eventName")] {
            if !self.is_string(text, key) {
                return Err(if self.span(key).is_some() {
                    format!("{name} is no string")
                } else {
                    format!("no {name}")
                });
            }
        }
        let [source, name] =
            [Key::EventSource, Key::EventName].map(|key| self.text(text, key).unwrap_or_default());
        if !ends_like_a_source(&source) {
            let [source, name] = [source, name].map(|said| String::from_utf8_lossy(&said).into_owned());
            if hides_its_service(&source, &name) {
                return Err(format!(
                    "eventSource names no service ({}), and {} may be about images",
                    excerpt(source.as_bytes()),
                    excerpt(name.as_bytes())
                ));
            }
        }
        Ok(time)
    }

    /// The time of an EventBridge event of its own, if it has one.
    pub(super) fn native_time(&self, text: &[u8]) -> Option<Timestamp> {
        let said = self.text(text, Key::Time).or_else(|| self.raw(text, Key::Time).map(Cow::Borrowed))?;
        let said = std::str::from_utf8(&said).ok()?;
        Timestamp::parse(said).or_else(|| said.parse().ok().and_then(Timestamp::from_epoch))
    }

    /// Parses a time in any of the formats of exporters.
    fn time(&self, text: &[u8]) -> Result<Timestamp, String> {
        let Some(raw) = self.raw(text, self.time_key()) else { return Err("no eventTime".to_owned()) };
        exported(raw).map(|read| read.time).ok_or_else(|| {
            let advice = match raw.starts_with(b"{\"0\"") {
                true => " (columns instead of records, as pandas writes them: use orient='records')",
                false if raw.starts_with(b"\"") && raw.get(1).is_some_and(u8::is_ascii_digit) => {
                    " (export it as 2026-03-02T10:00:00Z)"
                }
                false => "",
            };
            format!("eventTime is no time: {}{advice}", excerpt(raw))
        })
    }

    /// The identity of this record, whose text is at `span`.
    pub(super) fn identity(&self, text: &[u8], span: Range<usize>) -> Identity {
        self.identity_by(
            text,
            span,
            [Key::EventId, Key::EventSource, Key::EventName, Key::AwsRegion, Key::RecipientAccount],
            self.time(text).ok(),
        )
    }

    /// The identity of an EventBridge event of its own.
    pub(super) fn native_identity(&self, text: &[u8], span: Range<usize>) -> Identity {
        self.identity_by(
            text,
            span,
            [Key::Id, Key::Source, Key::DetailType, Key::Region, Key::Account],
            self.native_time(text),
        )
    }

    fn identity_by(
        &self,
        text: &[u8],
        span: Range<usize>,
        keys: [Key; 5],
        time: Option<Timestamp>,
    ) -> Identity {
        let [id, source, name, region, account] = keys.map(|key| self.text(text, key).unwrap_or_default());
        let told =
            EventKey { id: &id, time, source: &source, name: &name, region: &region, account: &account };
        told.identity(text.get(span).unwrap_or_default())
    }
}

/// The service that sends notifications with this source to queues or functions; CloudTrail's sources are
/// host names.
fn notification(source: &[u8]) -> Option<&'static str> {
    Some(match source.strip_prefix(b"aws:")? {
        b"s3" => "an S3 event notification, not CloudTrail",
        b"sqs" => "a message of SQS as Lambda gets it, not CloudTrail",
        b"sns" => "a message of SNS as Lambda gets it, not CloudTrail",
        b"kinesis" => "a record of Kinesis as Lambda gets it, not CloudTrail",
        b"dynamodb" => "a change of a DynamoDB table as Lambda gets it, not CloudTrail",
        // A tool may write a service so, too.
        _ if std::str::from_utf8(source).is_ok_and(|source| source_written_so(source).is_some()) => {
            return None;
        }
        _ => "an event for Lambda, not CloudTrail",
    })
}

/// Whether `raw` differs from what CloudTrail writes as a value of this kind.
pub(super) fn drifts(kind: Kind, raw: &[u8]) -> bool {
    let text = || raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    if is_list(kind, raw) {
        return true;
    }
    match kind {
        Kind::Any => false,
        Kind::Json => raw.starts_with(b"\"") || raw.starts_with(b"{"),
        Kind::Object | Kind::Payload => raw.starts_with(b"\""),
        // A space may be written as an escape.
        Kind::Name => text().map(plain).is_some_and(|text| text.trim_ascii().len() < text.len()),
        Kind::Source => text().map(plain).is_some_and(|text| {
            !is_usual_source(&text)
                && std::str::from_utf8(&text).is_ok_and(|text| source_written_so(text).is_some())
        }),
        // Empty text is left as it is.
        Kind::Word => text().is_some_and(|text| !text.is_empty() && is_null_word(text)),
        Kind::Region => text().is_some_and(|text| {
            !text.is_empty() && (is_null_word(text) || text.iter().any(u8::is_ascii_uppercase))
        }),
        Kind::Code => match text() {
            Some(text) => {
                !text.is_empty()
                    && (is_null_word(text)
                        || is_success_word(text)
                        || std::str::from_utf8(text).is_ok_and(is_undecided_code))
            }
            None => raw != b"null",
        },
        Kind::Flag => !matches!(raw, b"true" | b"false" | b"null" | b"\"true\"" | b"\"false\""),
        Kind::Account => {
            raw != b"null"
                && text().is_none_or(|text| {
                    is_null_word(text) && !text.is_empty()
                        || std::str::from_utf8(text).is_ok_and(|text| account_written_so(text).is_some())
                })
        }
        Kind::Time => {
            !(raw.ends_with(b"Z\"")
                && std::str::from_utf8(raw).is_ok_and(|raw| {
                    raw.get(11..12) == Some("T") && Timestamp::parse(raw.trim_matches('"')).is_some()
                }))
        }
    }
}

/// Whether there is a list where CloudTrail writes none.
pub(super) fn is_list(kind: Kind, raw: &[u8]) -> bool {
    raw.starts_with(b"[") && kind != Kind::Json
}

/// A time as exporters write it: a string, a number, or MongoDB's `{"$date": …}` around either.
pub(super) fn exported(raw: &[u8]) -> Option<Exported> {
    if raw.first() == Some(&b'{') {
        let mut members = Members::of(raw, 0);
        while let Ok(Some(member)) = members.next() {
            let end = skip_value(raw, member.value).ok()?;
            if matches!(raw.get(member.key)?, b"$date" | b"$numberLong" | b"value") {
                return exported(raw.get(member.value..end)?);
            }
            members.go_on(end);
        }
        return None;
    }
    let text =
        raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).map_or(Cow::Borrowed(raw), plain);
    std::str::from_utf8(&text).ok().and_then(Exported::read)
}

/// The content of a string, given the text between its quotes. If that contains half of a surrogate pair, it
/// is returned with its escapes.
pub(super) fn plain(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    match unescape(raw, &mut out) {
        Some(()) => Cow::Owned(out),
        None => Cow::Borrowed(raw),
    }
}

/// The beginning of a value, for error messages.
pub(crate) fn excerpt(raw: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text = String::from_utf8_lossy(raw.get(..SHOWN).unwrap_or(raw));
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if raw.len() > SHOWN { format!("{text}…") } else { text }
}
