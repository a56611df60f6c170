//! A record's JSON text → cells of columns. The text is scanned once and notes the position of each value
//! for which there is a column (its slot); then the cells are written in the order of the columns.
//!
//! A value that does not fit its column becomes NULL there, as in Athena; what a column cannot represent is
//! stored elsewhere (see [`crate::lake::record`]).

use std::borrow::Cow;

use super::leaves::SLOT_TARGETS;
use super::row;
use super::shape::{Field, Shape, position};
use crate::decode::json::{Elements, Fault, Members, skip_value, string_end, unescape};

/// The position of a value in its text.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
    /// A string without escapes.
    plain: bool,
}

const NOWHERE: Span = Span { start: 0, end: 0, plain: false };

/// Maximum number of slots.
pub(super) const SLOTS_MAX: usize = 128;

/// The values of a text, by slot.
#[derive(Debug)]
pub(super) struct Slots<'r> {
    json: &'r str,
    spans: Vec<Span>,
    /// A bit for each slot that has a value.
    noted: u128,
}

/// A value as JSON.
#[derive(Debug, Clone, Copy)]
struct Value<'r> {
    json: &'r str,
    plain: bool,
}

/// What was learnt about a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted {
    /// Position of its end.
    pub end: usize,
    /// The column can represent all of it.
    pub whole: bool,
}

impl<'r> Slots<'r> {
    pub(in crate::lake) fn new(json: &'r str, count: usize) -> Self {
        Self { json, spans: vec![NOWHERE; count], noted: 0 }
    }

    /// Notes the value at `at`, and those of the fields inside it. If a slot gets two values the last one
    /// counts, as in Athena, and the row does not represent everything.
    pub(in crate::lake) fn note(&mut self, field: &Field, at: usize) -> Result<Noted, Fault> {
        let again = self.has(field.slots.start);
        if again {
            field.slots.clone().for_each(|slot| self.noted &= !bit(slot));
        }
        let text = self.json.as_bytes();
        let (mut plain, mut whole) = (false, true);
        let end = match (&field.shape, text.get(at)) {
            (Shape::Row(fields), Some(b'{')) => {
                let noted = self.note_fields(fields, at)?;
                whole = noted.whole;
                noted.end
            }
            (Shape::Text, Some(b'"')) => {
                let (end, is_plain) = string_end(text, at)?;
                plain = is_plain;
                end
            }
            (shape, first) => {
                whole = !matches!(shape, Shape::Row(_)) || first == Some(&b'n');
                skip_value(text, at)?
            }
        };
        let place = u32::try_from(at).ok().zip(u32::try_from(end).ok());
        if let (Some((start, end)), Some(span)) = (place, self.spans.get_mut(field.slots.start)) {
            *span = Span { start, end, plain };
            self.noted |= bit(field.slots.start);
        }
        Ok(Noted { end, whole: whole && !again })
    }

    /// Notes the fields of the object at `at`. Names are compared ignoring case.
    fn note_fields(&mut self, fields: &[Field], at: usize) -> Result<Noted, Fault> {
        let text = self.json.as_bytes();
        let (mut members, mut next, mut whole) = (Members::of(text, at), 0, true);
        while let Some(member) = members.next()? {
            let key = text.get(member.key).unwrap_or_default();
            let exact = position(fields.len(), next, |at| {
                fields.get(at).is_some_and(|field| field.json.as_bytes() == key)
            });
            let found = exact.or_else(|| alike(fields, key));
            whole &= exact.is_some();
            let end = match found.and_then(|at| Some((at, fields.get(at)?))) {
                Some((at, field)) => {
                    next = at + 1;
                    let noted = self.note(field, member.value)?;
                    whole &= noted.whole;
                    noted.end
                }
                None => skip_value(text, member.value)?,
            };
            members.go_on(end);
        }
        Ok(Noted { end: members.end(), whole })
    }

    pub(in crate::lake) fn has(&self, slot: usize) -> bool {
        self.noted & bit(slot) != 0
    }

    fn value(&self, slot: usize) -> Option<Value<'r>> {
        let span = self.spans.get(slot).filter(|_| self.has(slot))?;
        Some(Value { json: self.json.get(span.start as usize..span.end as usize)?, plain: span.plain })
    }

    /// The slots that have a value, in order.
    pub(in crate::lake) fn noted(&self) -> impl Iterator<Item = usize> {
        let mut rest = self.noted;
        std::iter::from_fn(move || {
            let slot = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(slot)
        })
    }

    /// The value of a slot, as JSON.
    pub(in crate::lake) fn json(&self, slot: usize) -> Option<&'r str> {
        self.value(slot).map(|value| value.json)
    }

    /// The value of a slot, as the text for a text column.
    pub(in crate::lake) fn text(&self, slot: usize) -> Option<Cow<'r, str>> {
        self.value(slot)?.text()
    }

    /// Appends the cell of a slot, if the slot has one. Returns whether the cell represents all of the
    /// value; absent and `null` count as the same.
    pub(super) fn put_slot(&self, slot: usize, out: &mut Vec<u8>) -> bool {
        let Some((place, value)) = SLOT_TARGETS.get(slot).zip(self.value(slot)) else { return true };
        // Fields of a struct have slots of their own.
        let Some(leaf) = place.leaf.filter(|_| value.json != "null") else { return true };
        row::put_leaf(leaf, out);
        self.put(place.field, out)
    }

    /// Appends the cells of a field of a list element.
    fn put(&self, field: &Field, out: &mut Vec<u8>) -> bool {
        let Some(value) = self.value(field.slots.start) else {
            row::put_nulls(field.cells, out);
            return true;
        };
        match &field.shape {
            Shape::Text => put_text(value, out),
            Shape::Row(fields) => {
                let mut whole = true;
                for field in fields {
                    whole &= self.put(field, out);
                }
                whole
            }
            Shape::List(element) => put_list(element, value, out),
            Shape::Map => put_map(value, out),
        }
    }
}

const fn bit(slot: usize) -> u128 {
    // There are at most `SLOTS_MAX` slots; a test of `leaves` checks that.
    1 << (slot % SLOTS_MAX)
}

impl<'r> Value<'r> {
    /// A string without quotes and escapes, anything else as it is; `None` for `null` and for half of a
    /// surrogate pair.
    fn text(self) -> Option<Cow<'r, str>> {
        match self.json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(inner) if self.plain => Some(Cow::Borrowed(inner)),
            Some(inner) => said(inner),
            None => (self.json != "null").then_some(Cow::Borrowed(self.json)),
        }
    }
}

/// The content of a string, given without its quotes.
pub(super) fn said(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('\\') {
        return Some(Cow::Borrowed(raw));
    }
    let mut text = Vec::with_capacity(raw.len());
    unescape(raw.as_bytes(), &mut text)?;
    String::from_utf8(text).ok().map(Cow::Owned)
}

/// The field for a key that differs from its name in case or by escapes.
fn alike(fields: &[Field], key: &[u8]) -> Option<usize> {
    let key = said(std::str::from_utf8(key).ok()?)?;
    fields.iter().position(|field| field.name.eq_ignore_ascii_case(&key))
}

fn put_text(value: Value<'_>, out: &mut Vec<u8>) -> bool {
    let text = value.text();
    row::put_text(text.as_deref(), out);
    value.json == "null" || (value.json.starts_with('"') && text.is_some())
}

fn put_list(element: &Field, value: Value<'_>, out: &mut Vec<u8>) -> bool {
    let Some(starts) = elements(value.json) else {
        row::put_nulls(1, out);
        return value.json == "null";
    };
    row::put_count(starts.len(), out);
    let (mut slots, mut whole) = (Slots::new(value.json, element.slots.end), true);
    for start in starts {
        slots.noted = 0;
        // The text was checked before, so this cannot fail.
        whole &= slots.note(element, start).is_ok_and(|noted| noted.whole) && slots.json(0) != Some("null");
        whole &= slots.put(element, out);
    }
    whole
}

/// Positions of the elements of a JSON array; `None` for any other value.
fn elements(json: &str) -> Option<Vec<usize>> {
    let text = json.as_bytes();
    let mut starts = Vec::new();
    let mut elements = Elements::of(text, json.starts_with('[').then_some(0)?);
    while let Some(at) = elements.next().ok()? {
        starts.push(at);
        elements.go_on(skip_value(text, at).ok()?);
    }
    Some(starts)
}

fn put_map(value: Value<'_>, out: &mut Vec<u8>) -> bool {
    let Some(members) = members(value.json) else {
        row::put_nulls(1, out);
        return value.json == "null";
    };
    row::put_count(members.len(), out);
    members.iter().fold(true, |whole, (key, value)| {
        row::put_text(Some(key), out);
        put_text(*value, out) && value.json != "null" && whole
    })
}

/// The members of a JSON object, in order; `None` for any other value.
fn members(json: &str) -> Option<Vec<(Cow<'_, str>, Value<'_>)>> {
    let text = json.as_bytes();
    let mut found = Vec::new();
    let mut members = Members::of(text, json.starts_with('{').then_some(0)?);
    while let Some(member) = members.next().ok()? {
        let end = skip_value(text, member.value).ok()?;
        found
            .push((said(json.get(member.key)?)?, Value { json: json.get(member.value..end)?, plain: false }));
        members.go_on(end);
    }
    Some(found)
}
