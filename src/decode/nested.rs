//! Moves members that a tool has flattened (`requestParameters.imageTag`) back into their objects.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::names::{ANY_PLACE, is_list_of_texts, is_null_word};

/// Maximum length of a list: indexes in names may be arbitrary numbers.
const PLACES_MAX: usize = 10_000;
/// Maximum nesting.
const DEPTH_MAX: usize = 32;

/// The objects that are being restored.
#[derive(Default)]
pub(super) struct Nested {
    members: Map<String, Value>,
    /// Paths to members of list elements, each with its values in all elements, in order.
    of_elements: Vec<(Vec<String>, Vec<Value>)>,
}

impl Nested {
    /// Adds the value `raw`, whose path of names is `names`, outermost first.
    pub(super) fn put(&mut self, names: Vec<String>, raw: &str) {
        let Ok(value) = serde_json::from_str::<Value>(raw) else { return };
        let value = match value {
            // Empty values and words for null are left out. Numbers and objects may have become text in a
            // table.
            Value::String(text) if text.is_empty() || is_null_word(text.as_bytes()) && text != "-" => return,
            Value::String(text) => said(&text).unwrap_or(Value::String(text)),
            Value::Null => return,
            value => value,
        };
        if names.iter().any(|name| name == ANY_PLACE) {
            return self.of_elements.push((names, each(value)));
        }
        self.place(names, value);
    }

    fn place(&mut self, names: Vec<String>, value: Value) {
        // One element of a list of texts was a text for itself.
        let is_list = !value.is_object() && names.last().is_some_and(|last| is_list_of_texts(last));
        let mut names = names.into_iter().take(DEPTH_MAX);
        let Some(first) = names.next() else { return };
        let mut place = self.members.entry(first).or_insert(Value::Null);
        for name in names {
            let Some(inner) = inside(place, name) else { return };
            place = inner;
        }
        if place.is_null() {
            *place = if is_list && !value.is_array() { Value::Array(vec![value]) } else { value };
        }
    }

    /// Adds the members of list elements to the elements. Which element a value belongs to is only known if
    /// the member has a value for each element; in nested lists, if the outer one has one element. Other
    /// values are left out.
    fn place_elements(&mut self) {
        let all = std::mem::take(&mut self.of_elements);
        let lists = |names: &[String]| names.iter().filter(|name| *name == ANY_PLACE).count();
        let mut lengths: HashMap<&[String], usize> = HashMap::new();
        for (names, values) in all.iter().filter(|(names, _)| lists(names) == 1) {
            let length = lengths.entry(outer_list(names)).or_default();
            *length = values.len().max(*length);
        }
        for (names, values) in &all {
            let elements = lengths.get(outer_list(names)).copied().unwrap_or(1);
            let is_told = if lists(names) == 1 { values.len() == elements } else { elements == 1 };
            if !is_told {
                continue;
            }
            for (place, value) in values.iter().enumerate().take(PLACES_MAX) {
                self.place(in_element(names, place), value.clone());
            }
        }
    }

    /// Adds the objects to the members of the record, except where it already has a value. Returns whether
    /// there were any.
    pub(super) fn into_members(mut self, members: &mut Vec<(Cow<'_, str>, Cow<'_, str>)>) -> bool {
        self.place_elements();
        let any = !self.members.is_empty();
        for (name, value) in self.members {
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

/// The path of a member in one element: `place` in the innermost list, the first element in the lists around it.
fn in_element(names: &[String], place: usize) -> Vec<String> {
    let innermost = names.iter().rposition(|name| name == ANY_PLACE);
    let in_list = |at: usize| if Some(at) == innermost { place.to_string() } else { "0".to_owned() };
    let names = names.iter().enumerate();
    names.map(|(at, name)| if name == ANY_PLACE { in_list(at) } else { name.clone() }).collect()
}

/// The path to the outermost list in a path.
fn outer_list(names: &[String]) -> &[String] {
    names.split(|name| name == ANY_PLACE).next().unwrap_or_default()
}

/// The values of a member in several elements: a JSON list, or the lines of a cell.
fn each(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        Value::String(text) if text.contains('\n') => {
            text.lines().map(|line| said(line).unwrap_or_else(|| line.into())).collect()
        }
        one => vec![one],
    }
}

/// The member or element `name` of an object or list, created if needed.
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

/// The JSON value in a text that was not a string originally.
fn said(text: &str) -> Option<Value> {
    match text {
        "true" | "True" | "TRUE" => Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => Some(Value::Bool(false)),
        _ if text.starts_with(['{', '[']) => serde_json::from_str(text)
            .ok()
            .or_else(|| super::literal::json(text).and_then(|json| serde_json::from_str(&json).ok())),
        _ => None,
    }
}
