//! Unwraps events: from search engines, queues and log shippers, which put records into objects of their own.
//!
//! An object that is not an event may contain one in a well-known member, as an object, as text, or in a
//! list. If it has none of these members, all members are searched, whatever their names. What is found is
//! read like a document of its own, so a queue's message may contain a topic's, and that a whole
//! `{"Records":[…]}`.

use std::ops::Range;

use super::RecordSink;
use super::base64;
use super::elastic;
use super::fields::{Fields, Shape, excerpt, plain};
use super::json::{Elements, Members, skip_between, skip_space, skip_value};
use super::lines::json_start;
use super::ocsf;
use super::rows;
use super::walk::Walk;

/// Members that contain wrapped events, by the tools that write them.
const WRAPPERS: &[&[u8]] = &[
    b"_raw",           // Splunk, Cribl
    b"result",         // Splunk's export around it
    b"@message",       // CloudWatch Logs Insights
    b"_source",        // Elasticsearch, OpenSearch
    b"event",          // Elastic Common Schema, Splunk's HTTP collector
    b"original",       // … inside `event`
    b"event.original", // the same, flat
    b"hits",           // an answer of Elasticsearch's
    b"results",        // an answer of CloudWatch Logs Insights
    b"value",          // … one of its fields
    b"Sns",            // a topic's notification as Lambda gets it
    b"Message",        // SNS
    b"Messages",       // an answer of SQS
    b"Body",           // SQS
    b"body",           // SQS as Lambda gets it
    b"raw_data",       // OCSF
];
/// Maximum nesting of wrappers.
const DEPTH_MAX: u8 = 24;

impl<S: RecordSink + ?Sized> Walk<'_, '_, S> {
    /// Reads the events in the object at `span`; returns whether there were any.
    pub(super) fn unwrap(&mut self, text: &[u8], span: Range<usize>) -> bool {
        if self.depth >= DEPTH_MAX {
            return false;
        }
        self.depth += 1;
        let found = self.unwrapped(text, span);
        self.depth -= 1;
        found
    }

    fn unwrapped(&mut self, text: &[u8], span: Range<usize>) -> bool {
        if let Some(record) = ocsf::record(text.get(span.clone()).unwrap_or_default()) {
            self.counts.lossy();
            let record = record.as_bytes();
            return Fields::read(record, 0).is_ok_and(|(fields, end)| {
                self.event(record, 0..end, &fields);
                true
            });
        }
        if let Some(record) = elastic::record(text.get(span.clone()).unwrap_or_default()) {
            self.counts.lossy();
            let record = record.as_bytes();
            return Fields::read(record, 0).is_ok_and(|(fields, end)| {
                self.event(record, 0..end, &fields);
                true
            });
        }
        let json = text.get(span.clone()).unwrap_or_default();
        if let Some(rows::Made { lines, lossy }) = rows::of_athena(json).or_else(|| rows::of_columns(json)) {
            if lossy {
                self.counts.lossy();
            }
            let mut at = skip_between(&lines, 0);
            while at < lines.len() {
                let Ok(end) = self.document(&lines, at) else { break };
                at = skip_between(&lines, end);
            }
            return true;
        }
        wrapped(text, span.start).is_some_and(|value| self.value(text, value)) || self.anywhere(text, span)
    }

    /// Reads the value of a well-known member.
    fn value(&mut self, text: &[u8], value: Range<usize>) -> bool {
        match text.get(value.start) {
            Some(b'"') => {
                let inner = plain(text.get(value.start + 1..value.end - 1).unwrap_or_default());
                let is_whole = |at: usize| {
                    skip_value(&inner, at).is_ok_and(|end| skip_space(&inner, end) == inner.len())
                };
                let at = skip_between(&inner, 0);
                if inner.get(at) == Some(&b'{') && is_whole(at) {
                    self.document(&inner, at).is_ok()
                } else {
                    self.said(&inner)
                }
            }
            Some(b'{') => Fields::read(text, value.start).is_ok_and(|(fields, end)| {
                self.event(text, value.start..end, &fields);
                true
            }),
            Some(b'[') => self.list(text, value.start),
            _ => false,
        }
    }

    /// Reads a list of wrapped events, or a list of lists of fields, one of which is the event.
    fn list(&mut self, text: &[u8], at: usize) -> bool {
        let mut elements = Elements::of(text, at);
        let mut any = false;
        while let Ok(Some(at)) = elements.next() {
            let Ok(end) = skip_value(text, at) else { break };
            any |= match text.get(at) {
                Some(b'[') => {
                    message_field(text, at).is_some_and(|field| self.value(text, field)) || self.row(text, at)
                }
                _ => self.value(text, at..end),
            };
            elements.go_on(end);
        }
        any
    }

    /// Reads a table row with an object for each cell.
    fn row(&mut self, text: &[u8], at: usize) -> bool {
        let Some(row) = rows::merged(text, at) else { return false };
        self.counts.lossy();
        self.document(row.as_bytes(), 0).is_ok()
    }

    /// Searches all members of the object or list at `span` for events. Other elements of a list with events
    /// are counted as passed over. An event that occurs twice is counted as a duplicate, as everywhere.
    pub(super) fn anywhere(&mut self, text: &[u8], span: Range<usize>) -> bool {
        let near = text.get(span.clone()).unwrap_or_default();
        if self.depth >= DEPTH_MAX || !may_hold_events(near) {
            return false;
        }
        self.depth += 1;
        let found = match near.first() {
            Some(b'{') => self.any_member(text, span.start),
            Some(b'[') => self.any_element(text, span.start),
            Some(b'"') => {
                near.len() > 1 && self.said(&plain(near.get(1..near.len() - 1).unwrap_or_default()))
            }
            _ => false,
        };
        self.depth -= 1;
        found
    }

    fn any_member(&mut self, text: &[u8], at: usize) -> bool {
        let (mut members, mut found) = (Members::of(text, at), false);
        while let Ok(Some(member)) = members.next() {
            let Ok(end) = skip_value(text, member.value) else { break };
            found |= self.any_value(text, member.value..end);
            members.go_on(end);
        }
        found
    }

    fn any_element(&mut self, text: &[u8], at: usize) -> bool {
        if self.row(text, at) {
            return true;
        }
        let mut elements = Elements::of(text, at);
        let (mut found, mut others) = (false, 0_u64);
        while let Ok(Some(at)) = elements.next() {
            let Ok(end) = skip_value(text, at) else { break };
            match self.any_value(text, at..end) {
                true => found = true,
                false => others += u64::from(matches!(text.get(at), Some(b'{' | b'['))),
            }
            elements.go_on(end);
        }
        if found {
            (0..others).for_each(|_| self.counts.pass_line());
        }
        found
    }

    fn any_value(&mut self, text: &[u8], value: Range<usize>) -> bool {
        if text.get(value.start) != Some(&b'{') {
            return self.anywhere(text, value);
        }
        let Ok((fields, end)) = Fields::read(text, value.start) else { return false };
        match fields.shape(text) {
            Shape::Foreign | Shape::LogLine | Shape::Notification(_) => self.unwrap(text, value),
            Shape::Record if !fields.has_place(text) => self.anywhere(text, value),
            _ => {
                self.event(text, value.start..end, &fields);
                true
            }
        }
    }

    /// Reads a text that contains events: as JSON, possibly after other text, or in base64.
    fn said(&mut self, inner: &[u8]) -> bool {
        if base64::may_hold(inner) {
            let text = base64::text(inner)
                .filter(|text| matches!(text.get(skip_between(text, 0)), Some(b'{' | b'[')));
            return text.is_some_and(|text| {
                self.embedded(&text);
                true
            });
        }
        let holds = may_hold_events(inner)
            && json_start(inner).is_some_and(|start| skip_value(inner, start.at).is_ok());
        if holds {
            self.embedded(inner);
        }
        holds
    }

    /// Reads events in a string.
    pub(super) fn embedded(&mut self, inner: &[u8]) {
        if is_control(inner) {
            return self.counts.pass_over("a control message of CloudWatch Logs".to_owned());
        }
        let Some(start) = json_start(inner).filter(|_| self.depth < DEPTH_MAX) else {
            return self.counts.fail_foreign(format!("the text inside is no event: {}", excerpt(inner)));
        };
        self.depth += 1;
        let mut at = start.at;
        while at < inner.len() {
            match self.document(inner, at) {
                Ok(end) => at = skip_between(inner, end),
                Err(fault) => {
                    self.counts.fail(format!(
                        "the event inside is not JSON: {} at byte {} of it",
                        fault.reason, fault.offset
                    ));
                    break;
                }
            }
        }
        self.depth -= 1;
    }
}

/// Whether this is the test message that CloudWatch Logs sends to a new subscription.
pub(super) fn is_control(message: &[u8]) -> bool {
    message.starts_with(b"CWL CONTROL MESSAGE")
}

/// Whether the text may contain events at all; checked without parsing.
fn may_hold_events(text: &[u8]) -> bool {
    [&b"eventName"[..], b"eventname", b"EventName", b"\"H4sI", b"\"eyJ", b"\"ewo"]
        .iter()
        .any(|sign| memchr::memmem::find(text, sign).is_some())
}

/// The value of the well-known member; if there are several, of the first one in [`WRAPPERS`].
fn wrapped(text: &[u8], at: usize) -> Option<Range<usize>> {
    let mut members = Members::of(text, at);
    let mut best: Option<(usize, Range<usize>)> = None;
    while let Ok(Some(member)) = members.next() {
        let end = skip_value(text, member.value).ok()?;
        let key = plain(text.get(member.key).unwrap_or_default());
        let holds = matches!(text.get(member.value), Some(b'"' | b'{' | b'['));
        if let Some(rank) = WRAPPERS.iter().position(|wrapper| *wrapper == &*key)
            && holds
            && best.as_ref().is_none_or(|(known, _)| rank < *known)
        {
            best = Some((rank, member.value..end));
        }
        members.go_on(end);
    }
    best.map(|(_, value)| value)
}

/// The field `@message` of a row of CloudWatch Logs Insights: `[{"field":"@message","value":"…"}]`.
fn message_field(text: &[u8], at: usize) -> Option<Range<usize>> {
    let mut fields = Elements::of(text, at);
    while let Ok(Some(field)) = fields.next() {
        let end = skip_value(text, field).ok()?;
        if memchr::memmem::find(text.get(field..end)?, b"\"@message\"").is_some()
            && text.get(field) == Some(&b'{')
        {
            return wrapped(text, field);
        }
        fields.go_on(end);
    }
    None
}
