//! The full path: walks any text of JSON documents, finds the containers that CloudTrail records come in, and hands the
//! records out one by one. Everything before damage is kept, and one bad element costs only itself.

use std::ops::Range;

use super::fields::{Fields, Key, Shape, excerpt, plain};
use super::fingerprint::fingerprint;
use super::hot::Piece;
use super::json::{Elements, Fault, Members, Strings, skip_brackets, skip_space, skip_value};
use super::tally::Tally;
use super::{RawRecord, RecordSink, Wanted};

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

    /// JSON documents one after another, with or without white space between them.
    pub(super) fn documents(&mut self, text: &[u8]) -> Result<(), Fault> {
        let mut at = skip_space(text, 0);
        while at < text.len() {
            at = skip_space(text, self.document(text, at)?);
        }
        Ok(())
    }

    /// The document at `at`; its end.
    pub(super) fn document(&mut self, text: &[u8], at: usize) -> Result<usize, Fault> {
        self.element(text, at, Place::Top)
    }

    fn element(&mut self, text: &[u8], at: usize, place: Place) -> Result<usize, Fault> {
        match text.get(at) {
            Some(b'{') => self.object(text, at, place),
            Some(b'[') if place == Place::Top => self.array(text, at, Place::Listed),
            _ => {
                let end = skip_value(text, at)?;
                let value = text.get(at..end).unwrap_or_default();
                self.tally.fail_foreign(format!("{} where an event should stand: {}", kind_of(value), excerpt(value)));
                Ok(end)
            }
        }
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
                self.tally.recognise();
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
    fn event(&mut self, text: &[u8], span: Range<usize>, fields: &Fields, wraps: u8) {
        match fields.shape(text) {
            Shape::Record => self.record(text, span, fields),
            Shape::Other(kind) => self.tally.skip(kind),
            Shape::Envelope => self.envelope(text, span, fields),
            Shape::Lookup => self.embedded(text, fields, Key::CloudTrailEvent, wraps),
            Shape::LogLine => self.embedded(text, fields, Key::Message, wraps),
            Shape::Foreign => self.tally.fail_foreign(describe(text, span.start)),
        }
    }

    fn record(&mut self, text: &[u8], span: Range<usize>, fields: &Fields) {
        // Whatever else is wrong with it, this is a record of CloudTrail's and says what the object is.
        self.tally.recognise();
        let json = match utf8(text, span) {
            Ok(json) => json,
            Err(reason) => return self.tally.fail(reason),
        };
        let time = match fields.check(text) {
            Ok(time) => time,
            Err(reason) => return self.tally.fail(reason),
        };
        let index = self.tally.count(Some(time), fields.text(text, Key::EventId).map(|id| fingerprint(&id)));
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
        match utf8(text, span) {
            Ok(json) => {
                let index = self.tally.count(fields.native_time(text), fields.text(text, Key::Id).map(|id| fingerprint(&id)));
                self.hand_out(RawRecord { index, json, native: true });
            }
            Err(reason) => self.tally.fail(reason),
        }
    }

    /// An event that is written as a string inside another.
    fn embedded(&mut self, text: &[u8], fields: &Fields, key: Key, wraps: u8) {
        let inner = fields.text(text, key).unwrap_or_default();
        if inner.starts_with(b"CWL CONTROL MESSAGE") {
            return self.tally.pass_over("a control message of CloudWatch Logs".to_owned());
        }
        let at = skip_space(&inner, 0);
        if inner.get(at) != Some(&b'{') || wraps >= WRAPS_MAX {
            return self.tally.fail_foreign(format!("the text inside is no event: {}", excerpt(&inner)));
        }
        match Fields::read(&inner, at) {
            Ok((fields, end)) if skip_space(&inner, end) == inner.len() => self.event(&inner, at..end, &fields, wraps + 1),
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
    matches!(&*key, b"Records" | b"Events" | b"events" | b"logEvents") && text.get(value) == Some(&b'[')
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
