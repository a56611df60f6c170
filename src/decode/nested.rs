//! Members that a tool has written beside one another (`requestParameters.imageTag`), put back into the objects that they are of.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::names::is_null_word;

/// A list is no longer than this: its places are numbers that anybody may write.
const PLACES_MAX: usize = 10_000;
/// Objects in objects.
const DEPTH_MAX: usize = 32;

/// The objects that are being put together.
#[derive(Default)]
pub(super) struct Nested(Map<String, Value>);

impl Nested {
    /// The value `raw`, whose name is made of `names`, outermost first.
    pub(super) fn put(&mut self, names: Vec<String>, raw: &str) {
        let Ok(value) = serde_json::from_str::<Value>(raw) else { return };
        let value = match value {
            // Nothing, and the words for it; what was a number or an object is text in a table.
            Value::String(text) if text.is_empty() || is_null_word(text.as_bytes()) && text != "-" => return,
            Value::String(text) => said(&text).unwrap_or(Value::String(text)),
            Value::Null => return,
            value => value,
        };
        let mut names = names.into_iter().take(DEPTH_MAX);
        let Some(first) = names.next() else { return };
        let mut place = self.0.entry(first).or_insert(Value::Null);
        for name in names {
            let Some(inner) = inside(place, name) else { return };
            place = inner;
        }
        if place.is_null() {
            *place = value;
        }
    }

    /// Puts the objects among the members of the record, unless these are there already and say something. Whether there were any.
    pub(super) fn into_members(self, members: &mut Vec<(Cow<'_, str>, Cow<'_, str>)>) -> bool {
        let any = !self.0.is_empty();
        for (name, value) in self.0 {
            let json = Cow::Owned(value.to_string());
            match members.iter_mut().find(|(known, _)| *known == name) {
                Some(known) if matches!(&*known.1, "null" | "{}" | "\"\"") => known.1 = json,
                Some(_) => {}
                None => members.push((Cow::Owned(name), json)),
            }
        }
        any
    }
}

/// The member or the place `name` of what is being put together.
fn inside(place: &mut Value, name: String) -> Option<&mut Value> {
    let number = name.parse::<usize>().ok().filter(|&number| number < PLACES_MAX);
    if place.is_null() {
        *place = if number.is_some() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    }
    match place {
        Value::Object(members) => Some(members.entry(name).or_insert(Value::Null)),
        Value::Array(elements) => {
            let number = number?;
            if number >= elements.len() {
                elements.resize(number + 1, Value::Null);
            }
            elements.get_mut(number)
        }
        _ => None,
    }
}

/// What a text says that was no text before.
fn said(text: &str) -> Option<Value> {
    match text {
        "true" | "True" | "TRUE" => Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => Some(Value::Bool(false)),
        _ if text.starts_with(['{', '[']) => {
            serde_json::from_str(text).ok().or_else(|| super::literal::json(text).and_then(|json| serde_json::from_str(&json).ok()))
        }
        _ => None,
    }
}
