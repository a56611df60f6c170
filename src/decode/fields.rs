//! The few top-level fields of an object that tell what it is and when it happened; the rest is skipped over.

use std::borrow::Cow;
use std::ops::Range;

use super::OtherKind;
use super::json::{Fault, Members, skip_value, unescape};
use crate::model::Timestamp;

/// Top-level keys that decide anything here. The first of two equal keys counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    EventVersion,
    EventTime,
    EventSource,
    EventName,
    EventId,
    EventCategory,
    EventType,
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
    LogFiles,
}

const KEYS: usize = Key::LogFiles as usize + 1;

impl Key {
    fn of(key: &[u8]) -> Option<Self> {
        Some(match key {
            b"eventVersion" => Self::EventVersion,
            b"eventTime" => Self::EventTime,
            b"eventSource" => Self::EventSource,
            b"eventName" => Self::EventName,
            b"eventID" => Self::EventId,
            b"eventCategory" => Self::EventCategory,
            b"eventType" => Self::EventType,
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
            b"logFiles" => Self::LogFiles,
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
    Foreign,
}

/// Where the fields stand in the text.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    spans: [(usize, usize); KEYS],
}

impl Fields {
    pub(super) const fn none() -> Self {
        Self { spans: [(0, 0); KEYS] }
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
        let Some(key) = Key::of(&plain(raw)) else { return };
        if let Some(span @ (0, 0)) = self.spans.get_mut(key as usize) {
            *span = (value.start, value.end);
        }
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

    /// What this object is. A category decides where there is one; then what makes a record complete; then the rest.
    pub(super) fn shape(&self, text: &[u8]) -> Shape {
        let has = |key| self.span(key).is_some();
        let category = self.text(text, Key::EventCategory);
        match category.as_deref() {
            Some(b"Insight") => return Shape::Other(OtherKind::Insight),
            Some(b"NetworkActivity") => return Shape::Other(OtherKind::NetworkActivity),
            Some(b"Aggregated") => return Shape::Other(OtherKind::Aggregated),
            None if self.is(text, Key::EventType, b"AwsCloudTrailInsight") => return Shape::Other(OtherKind::Insight),
            _ => {}
        }
        if has(Key::EventTime) && has(Key::EventSource) && has(Key::EventName) {
            Shape::Record
        } else if has(Key::AggregateId) && (has(Key::TimeWindow) || has(Key::Summary)) {
            Shape::Other(OtherKind::Aggregated)
        } else if has(Key::LogFiles) && (has(Key::DigestObject) || has(Key::DigestStart)) {
            Shape::Other(OtherKind::LogDigestFile)
        } else if has(Key::EventVersion) || has(Key::EventName) && (has(Key::EventTime) || has(Key::EventSource)) {
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

    /// Checks that this is a record that can be placed: a time that is one, a source, a name. Its time, or what is wrong.
    pub(super) fn check(&self, text: &[u8]) -> Result<Timestamp, String> {
        let time = self.time(text)?;
        for (key, name) in [(Key::EventSource, "eventSource"), (Key::EventName, "eventName")] {
            if !self.is_string(text, key) {
                return Err(if self.span(key).is_some() { format!("{name} is no string") } else { format!("no {name}") });
            }
        }
        Ok(time)
    }

    /// When a native EventBridge event happened, if it says so.
    pub(super) fn native_time(&self, text: &[u8]) -> Option<Timestamp> {
        std::str::from_utf8(&self.text(text, Key::Time)?).ok().and_then(Timestamp::parse)
    }

    /// A string in one of the spellings that [`Timestamp::parse`] knows, or a number since the epoch.
    fn time(&self, text: &[u8]) -> Result<Timestamp, String> {
        let Some(raw) = self.raw(text, Key::EventTime) else { return Err("no eventTime".to_owned()) };
        let time = match self.text(text, Key::EventTime) {
            Some(said) => std::str::from_utf8(&said).ok().and_then(Timestamp::parse),
            None => std::str::from_utf8(raw).ok().and_then(|number| number.parse().ok()).and_then(Timestamp::from_epoch),
        };
        time.ok_or_else(|| format!("eventTime is no time: {}", excerpt(raw)))
    }
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
