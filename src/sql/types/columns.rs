//! Which column a name means.

use std::collections::BTreeSet;

use sqlparser::ast::{BinaryOperator, Expr, Ident, TableAlias, Visit};

use super::place::is_place;
use super::relation::{Field, PLACE, Relation};
use crate::sql::error::{Result, SqlError};
use crate::sql::syntax::names::{free, written};

/// Finds the column that a dotted name refers to, and how many parts name it; the rest are fields. A name
/// that begins with a table takes precedence over a column with the same name as a table.
pub(in crate::sql) fn find(fields: &[Field], parts: &[Ident]) -> Result<Option<(usize, usize)>> {
    for (qualifier, name, used) in spellings(parts) {
        let matches = || {
            fields.iter().enumerate().filter(|(_, field)| {
                field.name.eq_ignore_ascii_case(name)
                    && qualifier.is_none_or(|asked| {
                        field.qualifier.as_deref().is_some_and(|own| is_called(own, asked))
                    })
            })
        };
        match (one(matches()), one(matches().filter(|(_, field)| !field.is_added))) {
            (Found::Nothing, _) => {}
            (Found::One(index), _) | (Found::Several, Found::One(index)) => return Ok(Some((index, used))),
            _ => {
                return Err(SqlError::new(format!("column {name} is ambiguous: more than one table has it")));
            }
        }
    }
    Ok(None)
}

enum Found {
    Nothing,
    One(usize),
    Several,
}

fn one<'a>(mut matches: impl Iterator<Item = (usize, &'a Field)>) -> Found {
    match (matches.next(), matches.next()) {
        (None, _) => Found::Nothing,
        (Some((index, _)), None) => Found::One(index),
        _ => Found::Several,
    }
}

/// Whether a table has this name: its unique name, or the name in the query.
fn is_called(own: &str, asked: &str) -> bool {
    own == asked || written(own).eq_ignore_ascii_case(asked)
}

/// The possible readings as `db.table.column`, `table.column` and `column`.
fn spellings(parts: &[Ident]) -> impl Iterator<Item = (Option<&str>, &str, usize)> {
    let at = |index: usize| parts.get(index).map(|ident| ident.value.as_str());
    let three = at(1).zip(at(2)).map(|(table, column)| (Some(table), column, 3));
    let two = at(0).zip(at(1)).map(|(table, column)| (Some(table), column, 2));
    let one = at(0).map(|column| (None, column, 1));
    // `a.b.c` is first read as `table.column.field`, because names with a database are rarer.
    [two, three, one].into_iter().flatten()
}

/// Whether a part of a bound query uses only these rows, and no surrounding query.
pub(in crate::sql) fn are_of(part: &impl Visit, rows: &Relation) -> bool {
    free(part).iter().all(|parts| parts.first().is_some_and(|first| rows.knows(&first.value)))
}

/// The places of the columns with one of these names, and of those with positions and dates of partitions.
pub(in crate::sql) fn used(rows: &Relation, names: &BTreeSet<String>) -> Vec<usize> {
    let is_used = |field: &Field| {
        field.is_date || is_place(field) || field.name == PLACE || names.contains(&field.name.to_lowercase())
    };
    let fields = rows.fields.iter().enumerate();
    fields.filter(|(_, field)| is_used(field)).map(|(index, _)| index).collect()
}

pub(in crate::sql) fn column_names(alias: &TableAlias) -> Vec<String> {
    alias.columns.iter().map(|column| column.name.value.clone()).collect()
}

/// The conditions that USING stands for.
pub(in crate::sql) fn equal_columns(
    left: &[Field],
    right: &[Field],
    columns: &[String],
) -> Result<Vec<Expr>> {
    let side = |fields: &[Field], name: &str| {
        let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        let field =
            field.ok_or_else(|| SqlError::new(format!("USING: there is no column {name} on both sides")))?;
        let qualifier = field.qualifier.iter().map(Ident::new);
        Ok::<_, SqlError>(Expr::CompoundIdentifier(qualifier.chain([Ident::new(&field.name)]).collect()))
    };
    let equal = |name: &String| {
        let (left, right) = (Box::new(side(left, name)?), Box::new(side(right, name)?));
        Ok(Expr::BinaryOp { left, op: BinaryOperator::Eq, right })
    };
    columns.iter().map(equal).collect()
}
