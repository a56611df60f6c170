//! The full path: walks any text of JSON documents, finds the containers that CloudTrail records come in, and hands the
//! records out one by one. Everything before damage is kept, and one bad element costs only itself.

use std::ops::Range;

use super::fields::{Fields, Key, Shape, excerpt, plain};
use super::hot::Piece;
use super::identity::is_event_id;
use super::json::{Elements, Fault, Members, Strings, skip_between, skip_brackets, skip_space, skip_value};
use super::repair::{may_have_half_a_character, repair};
use super::tally::Tally;
use super::{Document, RawRecord, RecordSink, Wanted};
use crate::model::Repairs;

/// How deep records may be wrapped in strings or envelopes: a log line that holds an EventBridge envelope is two.
const WRAPS_MAX: u8 = 3;

/// One object's walk.
pub(super) struct Walk<'w, 'd, S: ?Sized> {
    pub wanted: Wanted<'w>,
    pub sink: &'w mut S,
    pub tally: Tally<'d>,
}

/// Which elements an array may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Anything that may be a document of its own.
    Top,
    /// Inside a top-level array: containers, but no further arrays.
    Listed,
    /// Inside `Records`, `Events`, `logEvents`: events.
    Contained,
}

impl<S: RecordSink + ?Sized> Walk<'_, '_, S> {
    /// Hands out records that were cut before, and are UTF-8.
    pub(super) fn cut(&mut self, text: &[u8], pieces: &[Piece]) {
        self.tally.recognise();
        for piece in pieces {
            let handed = utf8(text, piece.start..piece.end)
                // A record that was cut out by its brackets may be no JSON: that is said as the full path says it.
                .and_then(|json| {
                    self.sink.record(RawRecord { index: piece.index, json, native: false }).map_err(|reason| broken(text, piece).unwrap_or(reason))
                });
            if let Err(reason) = handed {
                self.tally.fail_counted(piece.index, reason);
            }
        }
    }

    /// JSON documents one after another, with or without white space, commas or byte order marks between them. Goes on behind
    /// damage where another one begins; the first damage is the fault.
    pub(super) fn documents(&mut self, text: &[u8]) -> Result<(), Fault> {
        let mut at = skip_between(text, 0);
        while at < text.len() {
            at = match self.document(text, at) {
                Ok(end) => skip_between(text, end),
                Err(fault) => {
                    self.go_on_behind(text, fault);
                    return Err(fault);
                }
            };
        }
        Ok(())
    }

    /// Reads what still stands behind damage, unless nothing of CloudTrail's stood before it.
    fn go_on_behind(&mut self, text: &[u8], fault: Fault) {
        if self.tally.is_recognised() && !fault.is_cut() {
            self.search(text, fault.offset);
        }
    }

    /// Reads every whole document from `at` on, whatever stands between them.
    pub(super) fn search(&mut self, text: &[u8], at: usize) {
        // Each search for a document tries what may be one; in hostile texts that could be the same bytes again and again.
        let mut tries_bytes = text.len().saturating_mul(4);
        let mut next = find_document(text, at, &mut tries_bytes);
        while let Some(at) = next {
            next = match self.document(text, at) {
                Ok(end) => find_document(text, end, &mut tries_bytes),
                Err(fault) => find_document(text, fault.offset.max(at + 1), &mut tries_bytes),
            };
        }
    }

    /// The document at `at`; its end.
    pub(super) fn document(&mut self, text: &[u8], at: usize) -> Result<usize, Fault> {
        self.element(text, at, Place::Top)
    }

    fn element(&mut self, text: &[u8], at: usize, place: Place) -> Result<usize, Fault> {
        match text.get(at) {
            Some(b'{') => self.object(text, at, place),
            Some(b'[') if place == Place::Top => self.array(text, at, Place::Listed),
            Some(b'"') if is_encoded(text, at) => self.encoded(text, at),
            _ => {
                let end = skip_value(text, at)?;
                let value = text.get(at..end).unwrap_or_default();
                self.tally.fail_foreign(format!("{} where an event should stand: {}", kind_of(value), excerpt(value)));
                Ok(end)
            }
        }
    }

    /// An event that was made a string of; its end.
    fn encoded(&mut self, text: &[u8], at: usize) -> Result<usize, Fault> {
        let end = skip_value(text, at)?;
        let inner = plain(text.get(at + 1..end - 1).unwrap_or_default());
        self.embedded(&inner, 0);
        Ok(end)
    }

    fn array(&mut self, text: &[u8], at: usize, place: Place) -> Result<usize, Fault> {
        let mut elements = Elements::of(text, at);
        while let Some(at) = elements.next()? {
            let end = match self.element(text, at, place) {
                Ok(end) => end,
                Err(fault) => self.pass_broken(text, at, fault)?,
            };
            elements.go_on(end);
        }
        Ok(elements.end())
    }

    /// Goes past an element that is no JSON if its brackets still say where it ends and the array goes on behind it.
    fn pass_broken(&mut self, text: &[u8], at: usize, fault: Fault) -> Result<usize, Fault> {
        if fault.is_cut() {
            return Err(fault);
        }
        let within_lines = skip_brackets(text, at, Strings::WithinLines).filter(|&end| matches!(text.get(skip_space(text, end)), Some(b',' | b']')));
        let end = within_lines.or_else(|| skip_brackets(text, at, Strings::OverLines).filter(|&end| goes_on(text, end))).ok_or(fault)?;
        self.tally.fail(fault.into());
        Ok(end)
    }

    /// An object: a container, whose events are handed out as they come, or an event itself.
    fn object(&mut self, text: &[u8], at: usize, place: Place) -> Result<usize, Fault> {
        let mut fields = Fields::none();
        let mut members = Members::of(text, at);
        let mut contained = false;
        while let Some(member) = members.next()? {
            let end = if place != Place::Contained && is_container(text, &member.key, member.value) {
                contained = true;
                self.tally.list();
                self.array(text, member.value, Place::Contained)?
            } else {
                skip_value(text, member.value)?
            };
            fields.note(text, member.key, member.value..end);
            members.go_on(end);
        }
        if !contained {
            self.event(text, at..members.end(), &fields, 0);
        }
        Ok(members.end())
    }

    /// Something that is an event, or an event in wrapping paper.
    pub(super) fn event(&mut self, text: &[u8], span: Range<usize>, fields: &Fields, wraps: u8) {
        match fields.shape(text) {
            Shape::Record => self.record(text, span, fields),
            Shape::Other(kind) => self.tally.skip(kind),
            Shape::Envelope => self.envelope(text, span, fields),
            Shape::Lookup => self.embedded(&fields.text(text, Key::CloudTrailEvent).unwrap_or_default(), wraps),
            Shape::LogLine => self.embedded(&fields.text(text, Key::Message).unwrap_or_default(), wraps),
            Shape::Notification(what) => self.tally.refuse(what),
            Shape::Foreign if is_bulk_action(text, span.start) => self.tally.pass_over("an action line of a bulk file".to_owned()),
            Shape::Foreign if self.unwrap(text, span.clone(), wraps) => {}
            Shape::Foreign => self.foreign(text, span),
        }
    }

    /// A document that is no event: evidence of another kind, or nothing of ours.
    fn foreign(&mut self, text: &[u8], span: Range<usize>) {
        let start = span.start;
        let taken = utf8(text, span).map_or(Document::Unknown, |json| self.sink.document(json, self.tally.seen()));
        match taken {
            Document::Taken => self.tally.take_document(),
            Document::Refused(reason) => self.tally.fail_foreign(reason),
            Document::Unknown => self.tally.fail_foreign(describe(text, start)),
        }
    }

    fn record(&mut self, text: &[u8], span: Range<usize>, fields: &Fields) {
        // Whatever else is wrong with it, this is a record of CloudTrail's and says what the object is.
        self.tally.recognise();
        let json = match utf8(text, span.clone()) {
            Ok(json) => json,
            Err(reason) => return self.tally.fail(reason),
        };
        if !fields.has_drifted() && !may_have_half_a_character(json.as_bytes()) {
            return self.repaired_record(text, span, fields, json, &Repairs::default());
        }
        match repair(json) {
            Ok(None) => self.repaired_record(text, span, fields, json, &Repairs::default()),
            Ok(Some(repaired)) => match Fields::read(repaired.json.as_bytes(), 0) {
                Ok((fields, end)) => self.repaired_record(repaired.json.as_bytes(), 0..end, &fields, &repaired.json, &repaired.repairs),
                Err(fault) => self.tally.fail(fault.into()),
            },
            Err(reason) => self.tally.fail(reason),
        }
    }

    /// A record in CloudTrail's own form.
    fn repaired_record(&mut self, text: &[u8], span: Range<usize>, fields: &Fields, json: &str, repairs: &Repairs) {
        let time = match fields.check(text) {
            Ok(time) => time,
            Err(reason) => return self.tally.fail(reason),
        };
        let index = self.tally.count(Some(time), fields.identity(text, span));
        let own_id = fields.text(text, Key::EventId).is_some_and(|id| is_event_id(&id));
        if !own_id || *repairs != Repairs::default() {
            self.tally.repaired(&Repairs { records: 1, event_id: u64::from(!own_id), ..*repairs });
        }
        if fields.text(text, Key::EventSource).is_some_and(|source| self.wanted.source(&source)) {
            self.hand_out(RawRecord { index, json, native: false });
        }
    }

    fn hand_out(&mut self, record: RawRecord<'_>) {
        if let Err(reason) = self.sink.record(record) {
            self.tally.fail_counted(record.index, reason);
        }
    }

    /// EventBridge: a CloudTrail record in `detail`, or a native event of ECR's or ECS's, handed out whole.
    fn envelope(&mut self, text: &[u8], span: Range<usize>, fields: &Fields) {
        let inner = fields.span(Key::Detail).and_then(|detail| Fields::read(text, detail.start).ok().map(|(inner, _)| (inner, detail)));
        let Some((inner, detail)) = inner else { return };
        match inner.shape(text) {
            Shape::Record => return self.record(text, detail, &inner),
            Shape::Other(kind) => return self.tally.skip(kind),
            _ => {}
        }
        let source = fields.text(text, Key::Source).unwrap_or_default();
        if !matches!(&*source, b"aws.ecr" | b"aws.ecs") {
            let kind = fields.text(text, Key::DetailType).unwrap_or_default();
            return self.tally.pass_over(format!("an EventBridge event '{}' from '{}'", excerpt(&kind), excerpt(&source)));
        }
        match utf8(text, span.clone()) {
            Ok(json) => {
                let index = self.tally.count(fields.native_time(text), fields.native_identity(text, span));
                self.hand_out(RawRecord { index, json, native: true });
            }
            Err(reason) => self.tally.fail(reason),
        }
    }

    /// An event that is written as a string inside another.
    fn embedded(&mut self, inner: &[u8], wraps: u8) {
        if inner.starts_with(b"CWL CONTROL MESSAGE") {
            return self.tally.pass_over("a control message of CloudWatch Logs".to_owned());
        }
        let at = skip_between(inner, 0);
        if inner.get(at) != Some(&b'{') || wraps >= WRAPS_MAX {
            return self.tally.fail_foreign(format!("the text inside is no event: {}", excerpt(inner)));
        }
        match Fields::read(inner, at) {
            Ok((fields, end)) if skip_space(inner, end) == inner.len() => self.event(inner, at..end, &fields, wraps + 1),
            Ok((_, end)) => self.tally.fail(format!("the event inside is followed by something at byte {end} of it")),
            Err(fault) => self.tally.fail(format!("the event inside is not JSON: {} at byte {} of it", fault.reason, fault.offset)),
        }
    }
}

/// Where a record that was cut out stops being JSON, if it does.
fn broken(text: &[u8], piece: &Piece) -> Option<String> {
    skip_value(text.get(..piece.end)?, piece.start).err().map(String::from)
}

/// Whether the array really ends behind `end`, or goes on with an object: a string that runs over a line's end may as well
/// be one that lost a quote, and then a bracket may be anything.
fn goes_on(text: &[u8], end: usize) -> bool {
    let at = skip_space(text, end);
    let next = skip_space(text, at + 1);
    match text.get(at) {
        Some(b']') => true,
        Some(b',') => text.get(next) == Some(&b'{') && matches!(Members::of(text, next).next(), Ok(Some(_))),
        _ => false,
    }
}

/// Whether this member is the list of a container.
pub(super) fn is_container(text: &[u8], key: &Range<usize>, value: usize) -> bool {
    let key = plain(text.get(key.clone()).unwrap_or_default());
    matches!(&*key, b"Records" | b"records" | b"Events" | b"events" | b"logEvents") && text.get(value) == Some(&b'[')
}

/// Whether the string at `at` begins as an object does.
fn is_encoded(text: &[u8], at: usize) -> bool {
    text.get(at + 1..).unwrap_or_default().trim_ascii_start().starts_with(b"{\\\"")
}

/// Whether this is what stands before each document in a file for Elasticsearch's bulk interface.
fn is_bulk_action(text: &[u8], at: usize) -> bool {
    let mut members = Members::of(text, at);
    let Ok(Some(action)) = members.next() else { return false };
    let is_action = matches!(text.get(action.key), Some(b"index" | b"create" | b"update" | b"delete")) && text.get(action.value) == Some(&b'{');
    let Ok(end) = skip_value(text, action.value) else { return false };
    members.go_on(end);
    is_action && matches!(members.next(), Ok(None))
}

/// Where the next document of CloudTrail's begins, from `at` on; `None` if there is none, or trying has taken too much.
fn find_document(text: &[u8], mut at: usize, tries_bytes: &mut usize) -> Option<usize> {
    while let Some(found) = memchr::memchr(b'{', text.get(at..)?) {
        let start = at + found;
        at = start + 1;
        if text.get(skip_space(text, at)) != Some(&b'"') {
            continue;
        }
        match Fields::read(text, start) {
            Ok((fields, end)) => {
                *tries_bytes = tries_bytes.checked_sub(end - start)?;
                let first_key = Members::of(text, start).next().ok().flatten();
                if fields.shape(text) != Shape::Foreign || first_key.is_some_and(|member| is_container(text, &member.key, member.value)) {
                    return Some(start);
                }
            }
            Err(fault) => *tries_bytes = tries_bytes.checked_sub(fault.offset.saturating_sub(start))?,
        }
    }
    None
}

/// The text of a record, if it is UTF-8.
fn utf8(text: &[u8], span: Range<usize>) -> Result<&str, String> {
    let start = span.start;
    let bytes = text.get(span).unwrap_or_default();
    simdutf8::compat::from_utf8(bytes).map_err(|error| format!("not UTF-8 at byte {}", start + error.valid_up_to()))
}

fn kind_of(value: &[u8]) -> &'static str {
    match value.first() {
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        _ => "a number",
    }
}

/// An object by its first keys, for people.
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
    if keys.is_empty() { "an empty object".to_owned() } else { format!("an object with {}", keys.join(", ")) }
}
