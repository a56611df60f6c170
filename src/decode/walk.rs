//! The full path: recognises each element of a text, and passes on the records one by one. `steps` leads from
//! one element to the next.

use std::ops::Range;

use super::counts::ObjectCounts;
use super::fields::{Fields, Key, Shape, excerpt};
use super::hot::Piece;
use super::identity::is_event_id;
use super::json::{Members, skip_value};
use super::lines::json_start;
use super::repair::{may_have_half_a_character, repair};
use super::steps::REACH_BYTES;
use super::wrapping::is_control;
use super::{Document, RawRecord, RecordSink, Wanted};
use crate::model::Repairs;

/// The full path through one object.
pub(super) struct Walk<'w, 'd, S: ?Sized> {
    pub wanted: Wanted<'w>,
    pub sink: &'w mut S,
    pub counts: ObjectCounts<'d>,
    /// Number of wrappers around what is being read.
    pub depth: u8,
    /// How far ahead the end of something is searched for.
    pub reach_bytes: usize,
}

impl<'w, 'd, S: RecordSink + ?Sized> Walk<'w, 'd, S> {
    pub(super) const fn new(wanted: Wanted<'w>, sink: &'w mut S, counts: ObjectCounts<'d>) -> Self {
        Self { wanted, sink, counts, depth: 0, reach_bytes: REACH_BYTES }
    }
}

impl<S: RecordSink + ?Sized> Walk<'_, '_, S> {
    /// Passes on records whose ends are known and that are UTF-8.
    pub(super) fn cut(&mut self, text: &[u8], pieces: &[Piece]) {
        self.counts.recognise();
        for piece in pieces {
            let handed = utf8(text, piece.start..piece.end)
                // A record that was found by its brackets may be invalid JSON: the full path gives the
                // reason.
                .and_then(|json| {
                    self.sink
                        .record(RawRecord { index: piece.index, json, native: false })
                        .map_err(|reason| broken(text, piece).unwrap_or(reason))
                });
            if let Err(reason) = handed {
                self.counts.fail_counted(piece.index, reason);
            }
        }
    }

    /// An event, possibly in a wrapper.
    pub(super) fn event(&mut self, text: &[u8], span: Range<usize>, fields: &Fields) {
        match fields.shape(text) {
            Shape::Record => self.record(text, span, fields),
            Shape::Other(kind) => self.counts.skip(kind),
            Shape::Envelope => self.envelope(text, span, fields),
            Shape::Lookup => self.embedded(&fields.text(text, Key::CloudTrailEvent).unwrap_or_default()),
            Shape::LogLine => {
                let message = fields.text(text, Key::Message).unwrap_or_default();
                // Some tools write a message for people there, and the event in another member.
                if json_start(&message).is_some() || is_control(&message) || !self.unwrap(text, span) {
                    self.embedded(&message);
                }
            }
            Shape::Notification(what) => {
                if !self.unwrap(text, span) {
                    self.counts.refuse(what);
                }
            }
            Shape::Foreign if is_bulk_action(text, span.start) => {
                self.counts.pass_over("an action line of a bulk file".to_owned())
            }
            // A page token is a string that may look like a wrapped event.
            Shape::Foreign if is_answer(text, span.start) => self.foreign(text, span),
            Shape::Foreign if self.unwrap(text, span.clone()) => {}
            Shape::Foreign => self.foreign(text, span),
        }
    }

    /// A document that is not an event: other evidence, or nothing known.
    fn foreign(&mut self, text: &[u8], span: Range<usize>) {
        let (start, whole) = (span.start, span.clone());
        let taken =
            utf8(text, span).map_or(Document::Unknown, |json| self.sink.document(json, self.counts.seen()));
        match taken {
            Document::Taken => self.counts.take_document(),
            Document::Refused(reason) => self.counts.fail_foreign(reason),
            Document::Unknown if is_answer(text, start) && self.unwrap(text, whole) => {}
            Document::Unknown => self.counts.fail_foreign(describe(text, start)),
        }
    }

    fn record(&mut self, text: &[u8], span: Range<usize>, fields: &Fields) {
        // Whatever else is wrong, it is a CloudTrail record and shows what the object contains.
        self.counts.recognise();
        let json = match utf8(text, span.clone()) {
            Ok(json) => json,
            Err(reason) => return self.counts.fail(reason),
        };
        if !fields.has_drifted(text) && !may_have_half_a_character(json.as_bytes()) {
            return self.repaired_record(text, span, fields, json, &Repairs::default());
        }
        match repair(json) {
            Ok(None) => self.repaired_record(text, span, fields, json, &Repairs::default()),
            Ok(Some(repaired)) => match Fields::read(repaired.json.as_bytes(), 0) {
                Ok((fields, end)) => {
                    if repaired.by_columns {
                        self.counts.lossy();
                    }
                    self.repaired_record(
                        repaired.json.as_bytes(),
                        0..end,
                        &fields,
                        &repaired.json,
                        &repaired.repairs,
                    );
                }
                Err(fault) => self.counts.fail(fault.into()),
            },
            Err(reason) => self.counts.fail(reason),
        }
    }

    /// Passes on a record in CloudTrail's own form.
    fn repaired_record(
        &mut self,
        text: &[u8],
        span: Range<usize>,
        fields: &Fields,
        json: &str,
        repairs: &Repairs,
    ) {
        let time = match fields.check(text) {
            Ok(time) => time,
            Err(reason) => return self.counts.fail(reason),
        };
        let index = self.counts.count(Some(time), fields.identity(text, span));
        let own_id = fields.text(text, Key::EventId).is_some_and(|id| is_event_id(&id));
        if !own_id || *repairs != Repairs::default() {
            self.counts.repaired(&Repairs { records: 1, event_id: u64::from(!own_id), ..*repairs });
        }
        if fields.text(text, Key::EventSource).is_some_and(|source| self.wanted.source(&source)) {
            self.hand_out(RawRecord { index, json, native: false });
        }
    }

    fn hand_out(&mut self, record: RawRecord<'_>) {
        if let Err(reason) = self.sink.record(record) {
            self.counts.fail_counted(record.index, reason);
        }
    }

    /// EventBridge: a CloudTrail record in `detail`, or one of EventBridge's own events about ECR or ECS,
    /// passed on as a whole.
    fn envelope(&mut self, text: &[u8], span: Range<usize>, fields: &Fields) {
        let inner = fields
            .span(Key::Detail)
            .and_then(|detail| Fields::read(text, detail.start).ok().map(|(inner, _)| (inner, detail)));
        let Some((inner, detail)) = inner else { return };
        match inner.shape(text) {
            Shape::Record => return self.record(text, detail, &inner),
            Shape::Other(kind) => return self.counts.skip(kind),
            _ => {}
        }
        let source = fields.text(text, Key::Source).unwrap_or_default();
        if !matches!(&*source, b"aws.ecr" | b"aws.ecs") {
            let kind = fields.text(text, Key::DetailType).unwrap_or_default();
            return self.counts.pass_over(format!(
                "an EventBridge event '{}' from '{}'",
                excerpt(&kind),
                excerpt(&source)
            ));
        }
        match utf8(text, span.clone()) {
            Ok(json) => {
                let index = self.counts.count(fields.native_time(text), fields.native_identity(text, span));
                self.hand_out(RawRecord { index, json, native: true });
            }
            Err(reason) => self.counts.fail(reason),
        }
    }
}

/// Members by which output of the AWS CLI and kubectl is recognised.
const ANSWERS: &[&[u8]] = &[
    b"tagfall",
    b"imageDetails",
    b"imageDigest",
    b"repositories",
    b"lifecyclePolicyText",
    b"replicationConfiguration",
    b"pullTimeUpdateExclusions",
    b"repositoryCreationTemplates",
    b"images",
    b"services",
    b"serviceRevisions",
    b"tasks",
    b"taskDefinition",
    b"Functions",
    b"Configuration",
    b"Service",
    b"jobDefinitions",
    b"coveredResources",
    b"ModelArn",
    b"EndpointConfigArn",
    b"EndpointArn",
    b"apiVersion",
];

/// Whether the object at `at` may be such output, by the names of its members.
fn is_answer(text: &[u8], at: usize) -> bool {
    let mut members = Members::of(text, at);
    while let Ok(Some(member)) = members.next() {
        if text.get(member.key).is_some_and(|key| ANSWERS.contains(&key)) {
            return true;
        }
        let Ok(end) = skip_value(text, member.value) else { return false };
        members.go_on(end);
    }
    false
}

/// Where a record stops being valid JSON, if it does.
fn broken(text: &[u8], piece: &Piece) -> Option<String> {
    skip_value(text.get(..piece.end)?, piece.start).err().map(String::from)
}

/// Whether the string at `at` begins like an object.
pub(super) fn is_encoded(text: &[u8], at: usize) -> bool {
    let begins = text.get(at + 1..).unwrap_or_default().trim_ascii_start();
    [&b"{\\\""[..], b"[{\\\"", b"[\\\"", b"\\\"{", b"\\\"["].iter().any(|start| begins.starts_with(start))
}

/// Whether this is the action line before each document in a file for Elasticsearch's bulk API.
fn is_bulk_action(text: &[u8], at: usize) -> bool {
    let mut members = Members::of(text, at);
    let Ok(Some(action)) = members.next() else { return false };
    let is_action = matches!(text.get(action.key), Some(b"index" | b"create" | b"update" | b"delete"))
        && text.get(action.value) == Some(&b'{');
    let Ok(end) = skip_value(text, action.value) else { return false };
    members.go_on(end);
    is_action && matches!(members.next(), Ok(None))
}

/// The text of a record, if it is UTF-8.
fn utf8(text: &[u8], span: Range<usize>) -> Result<&str, String> {
    let start = span.start;
    let bytes = text.get(span).unwrap_or_default();
    simdutf8::compat::from_utf8(bytes)
        .map_err(|error| format!("not UTF-8 at byte {}", start + error.valid_up_to()))
}

pub(super) fn kind_of(value: &[u8]) -> &'static str {
    match value.first() {
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        _ => "a number",
    }
}

/// Describes an object by its first keys, for people.
fn describe(text: &[u8], at: usize) -> String {
    let mut members = Members::of(text, at);
    let mut keys = Vec::new();
    while let Ok(Some(member)) = members.next() {
        if keys.len() == 4 {
            keys.push("…".to_owned());
            break;
        }
        keys.push(excerpt(text.get(member.key).unwrap_or_default()));
        let Ok(end) = skip_value(text, member.value) else { break };
        members.go_on(end);
    }
    match keys.join(", ").as_str() {
        "" => "an empty object".to_owned(),
        "columns, index, data" | "columns, data, index" => {
            "a table as pandas splits it: write it with orient='records', lines=True".to_owned()
        }
        keys => format!("an object with {keys}"),
    }
}
