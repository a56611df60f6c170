//! Rows with their sort keys, as they are written to disk in sorted runs.

use sqlparser::ast::OrderByOptions;

use super::block_file::Block;
use super::keys::Keys;
use crate::sql::error::Result;
use crate::sql::types::place::is_place;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// Name of a key column; no query can contain such a name.
const KEY: &str = "\0key";

/// Rows and their sort keys, one column for each key.
pub(in crate::sql) type Keyed = (Relation, Vec<(Values, OrderByOptions)>);

/// The name of a key column says how it is sorted.
fn key_field(kind: &Kind, options: OrderByOptions) -> Field {
    let letter = |option: Option<bool>| option.map_or('-', |option| if option { 't' } else { 'f' });
    Field {
        hidden: true,
        ..Field::new(format!("{KEY}{}{}", letter(options.asc), letter(options.nulls_first)), kind.clone())
    }
}

/// Rows with their keys as additional columns.
pub(in crate::sql) fn widened(mut rows: Relation, keys: Vec<(Values, OrderByOptions)>) -> Relation {
    for (values, options) in keys {
        let data = values.spread(rows.height);
        rows.push(key_field(&values.kind, options), data);
    }
    rows
}

/// The same rows with the keys separated.
pub(in crate::sql) fn narrowed(wide: Relation) -> Keyed {
    let (mut rows, mut keys) = (Relation { height: wide.height, ..Relation::default() }, Vec::new());
    for (field, column) in wide.fields.into_iter().zip(wide.columns) {
        match field.name.strip_prefix(KEY) {
            None => rows.push(field, column),
            Some(said) => {
                let option = |at: usize| {
                    said.as_bytes().get(at).filter(|letter| **letter != b'-').map(|letter| *letter == b't')
                };
                keys.push((
                    Values::new(field.kind, column),
                    OrderByOptions { asc: option(0), nulls_first: option(1) },
                ));
            }
        }
    }
    (rows, keys)
}

/// Names and types of rows, followed by the keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    pub fields: Vec<Field>,
    options: Vec<OrderByOptions>,
}

impl Shape {
    pub fn of((rows, keys): &Keyed) -> Self {
        let fields = rows
            .fields
            .iter()
            .cloned()
            .chain(keys.iter().map(|(values, options)| key_field(&values.kind, *options)))
            .collect();
        Self { fields, options: keys.iter().map(|(_, options)| *options).collect() }
    }

    /// The number of columns with the first `count` keys.
    pub fn columns(&self, count: usize) -> usize {
        self.fields.len() - self.options.len() + count.min(self.options.len())
    }

    /// The sort keys of rows, followed by the positions of their events.
    pub fn keys(&self, rows: &Relation) -> Result<Keys> {
        let first = self.fields.len() - self.options.len();
        let mut keys = Vec::new();
        for (at, options) in self.options.iter().enumerate() {
            keys.push((rows.values(first + at)?, *options));
        }
        let places = self.fields.iter().enumerate().filter(|(_, field)| is_place(field));
        let places = places.map(|(at, _)| rows.values(at)).collect::<Result<Vec<_>>>()?;
        Keys::of(&keys, rows.height)?.with_places(&places, rows.height)
    }
}

/// A sorted part of the rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    /// Each with its first key.
    pub blocks: Vec<(Vec<u8>, Block)>,
    /// The last key.
    pub last: Vec<u8>,
}
