//! The columns of a file as trees of texts: what of a record goes into them, value by value, and whether that is all of it.
//!
//! Whatever does not fit its column becomes NULL there, as in Athena; what a column cannot say goes along elsewhere
//! (see [`super::record`]).

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::record::{Key, json_name};
use super::row;
use crate::tables::Kind;
use crate::tables::builder::{elements_of, members_of, text_of};

/// Most fields that a row of texts has.
const FIELDS_MAX: usize = 16;

/// What a column looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Row(Vec<Field>),
    List(Box<Shape>),
    /// A list of keys and values, both texts.
    Map,
}

/// A field of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub name: String,
    /// Its name in JSON.
    pub json: String,
    pub shape: Shape,
}

impl Shape {
    pub(super) fn of(column: &str, kind: &Kind) -> Self {
        match kind {
            Kind::Row(fields) => {
                let field = |(name, kind): &(String, Kind)| {
                    let json = json_name(column, name).to_owned();
                    Field { name: name.clone(), json, shape: Self::of(column, kind) }
                };
                Self::Row(fields.iter().map(field).collect())
            }
            Kind::Array(element) => Self::List(Box::new(Self::of(column, element))),
            Kind::Map(..) => Self::Map,
            _ => Self::Text,
        }
    }

    /// Appends the cells of a value. Whether they say all that the value says: an absent one and `null` say the same.
    pub(super) fn put(&self, value: Option<&RawValue>, out: &mut Vec<u8>) -> bool {
        let value = value.filter(|value| value.get() != "null");
        match self {
            Self::Text => put_text(value, out),
            Self::Row(fields) => put_row(fields, value, out),
            Self::List(element) => {
                let elements = value.and_then(elements_of);
                row::put_count(elements.as_ref().map(Vec::len), out);
                let whole = elements.is_some() || value.is_none();
                elements.into_iter().flatten().fold(whole, |whole, value| element.put(Some(value), out) && value.get() != "null" && whole)
            }
            Self::Map => put_map(value, out),
        }
    }
}

fn put_text(value: Option<&RawValue>, out: &mut Vec<u8>) -> bool {
    let text = value.and_then(text_of);
    row::put_text(text.as_deref(), out);
    value.is_none_or(|value| value.get().starts_with('"') && text.is_some())
}

fn put_map(value: Option<&RawValue>, out: &mut Vec<u8>) -> bool {
    let members = value.and_then(members_of);
    row::put_count(members.as_ref().map(Vec::len), out);
    let whole = members.is_some() || value.is_none();
    members.into_iter().flatten().fold(whole, |whole, (key, value)| {
        row::put_text(Some(&key), out);
        let null = value.get() == "null";
        put_text(Some(value).filter(|_| !null), out) && !null && whole
    })
}

fn put_row(fields: &[Field], value: Option<&RawValue>, out: &mut Vec<u8>) -> bool {
    let found = value.and_then(|value| serde_json::Deserializer::from_str(value.get()).deserialize_map(Picker::new(fields)).ok());
    let Picker { values, mut whole, .. } = found.unwrap_or_else(|| Picker { whole: value.is_none(), ..Picker::new(fields) });
    for (at, field) in fields.iter().enumerate() {
        whole &= field.shape.put(values.get(at).copied().flatten(), out);
    }
    whole
}

/// Picks the values of a row's fields out of a JSON object. Names are compared without case, and the last of two counts, as
/// Athena's reader does it; then the row does not say all.
struct Picker<'f, 'r> {
    fields: &'f [Field],
    values: [Option<&'r RawValue>; FIELDS_MAX],
    whole: bool,
    /// Where the next field is expected.
    next: usize,
}

impl<'f, 'r> Picker<'f, 'r> {
    const fn new(fields: &'f [Field]) -> Self {
        Self { fields, values: [None; FIELDS_MAX], whole: true, next: 0 }
    }

    fn take(&mut self, key: &str, value: &'r RawValue) {
        let exact = position(self.fields.len(), self.next, |at| self.fields.get(at).is_some_and(|field| field.json == key));
        let alike = || self.fields.iter().position(|field| field.name.eq_ignore_ascii_case(key));
        let Some((at, slot)) = exact.or_else(alike).and_then(|at| Some((at, self.values.get_mut(at)?))) else {
            self.whole = false;
            return;
        };
        self.whole &= exact.is_some() && slot.is_none();
        self.next = at + 1;
        *slot = Some(value);
    }
}

impl<'r> Visitor<'r> for Picker<'_, 'r> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'r>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((Key(key), value)) = map.next_entry::<Key<'r>, &'r RawValue>()? {
            let key: Cow<'r, str> = key;
            self.take(&key, value);
        }
        Ok(self)
    }
}

/// The first index that `is_it` from `start` on and around: members mostly stand in the order in which they stood before.
pub(super) fn position(count: usize, start: usize, is_it: impl Fn(usize) -> bool) -> Option<usize> {
    (start..count).chain(0..start.min(count)).find(|at| is_it(*at))
}
