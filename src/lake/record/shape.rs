//! The columns of a file as trees of text columns. Every value that a record may have for them has a number,
//! its slot (see [`super::value_slots`]).

use std::ops::Range;

use super::members::json_name;
use crate::tables::Kind;

/// The structure of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lake) enum Shape {
    Text,
    Row(Vec<Field>),
    /// The elements have slots of their own, numbered from 0.
    List(Box<Field>),
    /// A list of key/value pairs of texts.
    Map,
}

/// A column, a field of a struct, or an element of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lake) struct Field {
    pub name: String,
    /// Its name in JSON.
    pub json: String,
    pub shape: Shape,
    /// Its own slot, followed by those of the fields inside it.
    pub slots: Range<usize>,
    /// How many cells it has when it is NULL.
    pub cells: usize,
}

impl Field {
    /// `name`, called `json` in JSON, in the column `column`; `next` is the next free slot.
    pub(in crate::lake) fn of(column: &str, name: &str, json: &str, kind: &Kind, next: &mut usize) -> Self {
        let start = *next;
        *next += 1;
        let shape = match kind {
            Kind::Row(fields) => {
                let field = |(name, kind): &(String, Kind)| {
                    Self::of(column, name, json_name(column, name), kind, next)
                };
                Shape::Row(fields.iter().map(field).collect())
            }
            Kind::Array(element) => Shape::List(Box::new(Self::of(column, "", "", element, &mut 0))),
            Kind::Map(..) => Shape::Map,
            _ => Shape::Text,
        };
        let cells = match &shape {
            Shape::Row(fields) => fields.iter().map(|field| field.cells).sum(),
            _ => 1,
        };
        Self { name: name.to_owned(), json: json.to_owned(), shape, slots: start..*next, cells }
    }
}

/// The first index for which `is_it` is true, searched from `start` on and then from the beginning: members
/// mostly come in the same order as before.
pub(in crate::lake) fn position(count: usize, start: usize, is_it: impl Fn(usize) -> bool) -> Option<usize> {
    (start..count).chain(0..start.min(count)).find(|at| is_it(*at))
}
