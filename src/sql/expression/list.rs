//! The list of a SELECT, with resolved names.

use super::Expression;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::place::is_place;
use crate::sql::types::relation::{Field, Relation};
use crate::tables::Kind;

/// What a SELECT shows of its rows.
#[derive(Debug, Clone)]
pub(in crate::sql) struct List {
    pub items: Vec<Item>,
    /// Other names of the columns under `*`, which are kept without being shown.
    pub hidden: Vec<Shown>,
}

#[derive(Debug, Clone)]
pub(in crate::sql) enum Item {
    /// `name`: its alias, or that of the column that it is.
    Value { name: Option<String>, value: Expression },
    /// `*`
    Columns(Vec<Shown>),
    /// `(row).*`: a column for each field.
    Fields(Expression),
}

/// A column of the rows, and what it is in the list.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Shown {
    pub index: usize,
    pub field: Field,
}

/// The column that an expression makes, of which `at` others stand before it.
pub(in crate::sql) fn named(name: Option<&str>, at: usize, kind: Kind) -> Field {
    let name = name.map_or_else(|| format!("_col{at}"), str::to_owned);
    Field::new(name, kind)
}

/// The fields of `(row).*`.
pub(in crate::sql) fn fields_of<'k>(kind: &'k Kind, row: &Expression) -> Result<&'k [(String, Kind)]> {
    match kind {
        Kind::Row(fields) => Ok(fields),
        kind => Err(SqlError::new(format!("only a row has fields that * can show, and this is {kind}"))
            .at_span(row.span)),
    }
}

impl List {
    /// Its columns, given the types of expressions. The hidden columns of `rows` with positions come last.
    pub fn fields(&self, rows: &Relation, kind: impl Fn(&Expression) -> Result<Kind>) -> Result<Vec<Field>> {
        let mut fields: Vec<Field> = Vec::new();
        for item in &self.items {
            match item {
                Item::Value { name, value } => {
                    fields.push(named(name.as_deref(), fields.len(), kind(value)?))
                }
                Item::Columns(columns) => fields.extend(columns.iter().map(|shown| shown.field.clone())),
                Item::Fields(row) => {
                    let kind = kind(row)?;
                    let made = fields_of(&kind, row)?.iter();
                    fields.extend(made.map(|(name, kind)| Field::new(name.clone(), kind.clone())));
                }
            }
        }
        fields.extend(self.hidden.iter().chain(&places(rows)).map(|shown| shown.field.clone()));
        Ok(fields)
    }
}

/// The hidden columns with positions, which a list passes on.
pub(in crate::sql) fn places(rows: &Relation) -> Vec<Shown> {
    let places = rows.fields.iter().enumerate().filter(|(_, field)| is_place(field));
    let place =
        |(index, field): (usize, &Field)| Shown { index, field: Field { qualifier: None, ..field.clone() } };
    places.map(place).collect()
}
