//! The few top-level fields of an object that tell what it is and when it happened; the rest is skipped over.

use std::borrow::Cow;
use std::ops::Range;

use super::OtherKind;
use super::identity::EventKey;
use super::json::{Fault, Members, skip_value, unescape};
use super::names::{
    Kind, ends_like_a_source, flattened, is_null_word, is_success_word, named, respelled, source_written_so,
};
use crate::model::{Exported, Identity, Timestamp};

/// Top-level keys that decide anything here. The last of two equal keys counts, as with every reader that
/// builds a map.
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
    /// EventBridge's time and id of a native event.
    Time,
    Id,
    Region,
    Account,
    LogFiles,
    /// Logstash moves the time of an event into a field of its own; Microsoft Sentinel has another name for
    /// it.
    Timestamp,
}

const KEYS: usize = Key::Timestamp as usize + 1;

impl Key {
    /// Keys that are not a record's own.
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

/// What an object turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Record,
    Other(OtherKind),
    /// An element of lookup-events.
    Lookup,
    /// An EventBridge envelope.
    Envelope,
    /// A log line of CloudWatch Logs.
    LogLine,
    /// What a service of AWS tells a queue or a function; it looks like a record.
    Notification(&'static str),
    Foreign,
}

/// Where the fields stand in the text.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    spans: [(usize, usize); KEYS],
    /// Something of the record is not written as CloudTrail writes it.
    drifted: bool,
}

impl Fields {
    pub(super) const fn none() -> Self {
        Self { spans: [(0, 0); KEYS], drifted: false }
    }

    /// The fields of the object at `at`, and its end.
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

    /// Takes in one member.
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
            self.put(key, value);
        } else if !self.drifted && flattened(&name).is_some() {
            self.drifted = true;
        }
    }

    fn put(&mut self, key: Option<Key>, value: Range<usize>) {
        if let Some(span) = key.and_then(|key| self.spans.get_mut(key as usize)) {
            *span = (value.start, value.end);
        }
    }

    /// Whether the record is to be brought into CloudTrail's own form.
    pub(super) fn has_drifted(&self) -> bool {
        self.drifted || (self.span(Key::EventTime).is_none() && self.span(Key::Timestamp).is_some())
    }

    /// The time of a record, under its own name or under Logstash's.
    fn time_key(&self) -> Key {
        if self.span(Key::EventTime).is_some() { Key::EventTime } else { Key::Timestamp }
    }

    /// Where the value of `key` stands.
    pub(super) fn span(&self, key: Key) -> Option<Range<usize>> {
        self.spans.get(key as usize).filter(|&&(_, end)| end > 0).map(|&(start, end)| start..end)
    }

    fn raw<'t>(&self, text: &'t [u8], key: Key) -> Option<&'t [u8]> {
        text.get(self.span(key)?)
    }

    /// What a string says; `None` where it is missing or no string.
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

    /// What this object is. A category decides where there is one; then what makes a record complete; then
    /// the rest.
    pub(super) fn shape(&self, text: &[u8]) -> Shape {
        let has = |key| self.span(key).is_some();
        // An element of lookup-events has a record's names in other case.
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
        if has_time && has(Key::EventSource) && has(Key::EventName) {
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

    /// Whether this says when something happened and what, in a form that can be told from a word.
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

    /// Checks that this is a record that can be placed: a time that is one, a source, a name. Its time, or
    /// what is wrong.
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
        Ok(time)
    }

    /// When a native EventBridge event happened, if it says so.
    pub(super) fn native_time(&self, text: &[u8]) -> Option<Timestamp> {
        let said = self.text(text, Key::Time).or_else(|| self.raw(text, Key::Time).map(Cow::Borrowed))?;
        let said = std::str::from_utf8(&said).ok()?;
        Timestamp::parse(said).or_else(|| said.parse().ok().and_then(Timestamp::from_epoch))
    }

    /// A time in any of the forms that exporters have for it.
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

    /// What tells this record apart from others; `span` is where it stands.
    pub(super) fn identity(&self, text: &[u8], span: Range<usize>) -> Identity {
        self.identity_by(
            text,
            span,
            [Key::EventId, Key::EventSource, Key::EventName, Key::AwsRegion, Key::RecipientAccount],
            self.time(text).ok(),
        )
    }

    /// The same of a native EventBridge event.
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

/// What tells a queue or a function that something happened; sources of CloudTrail are names of hosts.
fn notification(source: &[u8]) -> Option<&'static str> {
    Some(match source.strip_prefix(b"aws:")? {
        b"s3" => "an S3 event notification, not CloudTrail",
        b"sqs" => "a message of SQS as Lambda gets it, not CloudTrail",
        b"sns" => "a message of SNS as Lambda gets it, not CloudTrail",
        b"kinesis" => "a record of Kinesis as Lambda gets it, not CloudTrail",
        b"dynamodb" => "a change of a DynamoDB table as Lambda gets it, not CloudTrail",
        _ => "an event for Lambda, not CloudTrail",
    })
}

/// Whether `raw` is not what CloudTrail writes where a value of this kind stands.
pub(super) fn drifts(kind: Kind, raw: &[u8]) -> bool {
    let text = || raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    if is_list(kind, raw) {
        return true;
    }
    match kind {
        Kind::Any => false,
        Kind::Json | Kind::Object | Kind::Payload => raw.starts_with(b"\""),
        // A space may be written as an escape.
        Kind::Name => text().map(plain).is_some_and(|text| text.trim_ascii().len() < text.len()),
        Kind::Source => text().map(plain).is_some_and(|text| {
            !(ends_like_a_source(&text) && text.first().is_some_and(u8::is_ascii_lowercase))
                && std::str::from_utf8(&text).is_ok_and(|text| source_written_so(text).is_some())
        }),
        // Empty text is no text to anybody.
        Kind::Word => text().is_some_and(|text| !text.is_empty() && is_null_word(text)),
        Kind::Code => {
            text().is_some_and(|text| !text.is_empty() && (is_null_word(text) || is_success_word(text)))
        }
        Kind::Flag => !matches!(raw, b"true" | b"false" | b"null" | b"\"true\"" | b"\"false\""),
        Kind::Account => raw != b"null" && text().is_none_or(|text| !text.is_empty() && is_null_word(text)),
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

/// A time as exporters write it: a text, a number, or MongoDB's `{"$date": …}` around either.
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

/// What a string says, given what stands between its quotes; half a surrogate pair stays as it is written.
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

/// The beginning of something that is shown in a reason.
pub(super) fn excerpt(raw: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text = String::from_utf8_lossy(raw.get(..SHOWN).unwrap_or(raw));
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if raw.len() > SHOWN { format!("{text}…") } else { text }
}
