//! Events in other people's wrapping paper: what search engines, queues and log shippers put around a record.
//!
//! An object that is no event of CloudTrail's may have one in a member that is known for it, as an object or as text, or a list of
//! such objects. Whatever is found is read as if it stood there alone; so a queue's message may hold a topic's, and that a whole
//! `{"Records":[…]}`.

use std::ops::Range;

use super::RecordSink;
use super::fields::{Fields, plain};
use super::json::{Elements, Members, skip_between, skip_space, skip_value};
use super::ocsf;
use super::walk::Walk;

/// Members that events are wrapped in, and who does it.
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
/// Wrappings inside of one another.
const DEPTH_MAX: u8 = 12;

impl<S: RecordSink + ?Sized> Walk<'_, '_, S> {
    /// Reads what is wrapped in the object at `span`; says whether there was anything.
    pub(super) fn unwrap(&mut self, text: &[u8], span: Range<usize>, depth: u8) -> bool {
        if let Some(record) = ocsf::record(text.get(span.clone()).unwrap_or_default()) {
            self.tally.lossy();
            let record = record.as_bytes();
            return Fields::read(record, 0).is_ok_and(|(fields, end)| {
                self.event(record, 0..end, &fields, depth + 1);
                true
            });
        }
        depth < DEPTH_MAX && wrapped(text, span.start).is_some_and(|value| self.value(text, value, depth + 1))
    }

    fn value(&mut self, text: &[u8], value: Range<usize>, depth: u8) -> bool {
        match text.get(value.start) {
            Some(b'"') => {
                let inner = plain(text.get(value.start + 1..value.end - 1).unwrap_or_default());
                let at = skip_between(&inner, 0);
                let is_whole = |end: usize| skip_space(&inner, end) == inner.len();
                if !matches!(inner.get(at), Some(b'{')) || !skip_value(&inner, at).is_ok_and(is_whole) {
                    return false;
                }
                self.document(&inner, at).is_ok()
            }
            Some(b'{') => Fields::read(text, value.start).is_ok_and(|(fields, end)| {
                self.event(text, value.start..end, &fields, depth);
                true
            }),
            Some(b'[') if depth < DEPTH_MAX => self.list(text, value.start, depth),
            _ => false,
        }
    }

    /// A list of wrapped events, or of lists of fields of which one is the event.
    fn list(&mut self, text: &[u8], at: usize, depth: u8) -> bool {
        let mut elements = Elements::of(text, at);
        let mut any = false;
        while let Ok(Some(at)) = elements.next() {
            let Ok(end) = skip_value(text, at) else { break };
            any |= match text.get(at) {
                Some(b'[') => message_field(text, at).is_some_and(|field| self.value(text, field, depth + 1)),
                _ => self.value(text, at..end, depth + 1),
            };
            elements.go_on(end);
        }
        any
    }
}

/// The value of the member that is known for holding events: of those that are there the first of the list.
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
        if memchr::memmem::find(text.get(field..end)?, b"\"@message\"").is_some() && text.get(field) == Some(&b'{') {
            return wrapped(text, field);
        }
        fields.go_on(end);
    }
    None
}
