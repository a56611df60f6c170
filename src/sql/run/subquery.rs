//! Subqueries inside expressions: `EXISTS (…)`, `x IN (…)`, `(SELECT …)`.
//!
//! An uncorrelated subquery is evaluated once. A correlated one is decorrelated if possible ([`apart`]):
//! `EXISTS` and `IN` become semi joins, and an aggregate is computed for all groups at once. Otherwise the
//! subquery is evaluated once for each different combination of the outer values that it uses.

mod apart;

use std::collections::HashSet;

use sqlparser::ast::BinaryOperator;

use super::correlated::{alone, each};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::expression::query::Subquery;
use crate::sql::functions::quantified::compared;
use crate::sql::scope::Scope;
use crate::sql::types::cast;
use crate::sql::types::compare::comparable;
use crate::sql::types::relation::{Groups, Relation};
use crate::sql::types::schema::only_column;
use crate::sql::types::values::{Values, take};
use crate::tables::Kind;

/// `EXISTS (query)`
pub(super) fn exists(scope: &Scope<'_>, query: &Subquery, negated: bool) -> Result<Values> {
    match alone(scope, query)? {
        Some(rows) => return Ok(Values::constant(Kind::Boolean, Some((rows.height > 0) != negated))),
        None => {
            if let Some(found) = apart::exists(scope, query)? {
                return Values::build(Kind::Boolean, scope.height(), false, |row| {
                    Ok(found.get(row).map(|found| *found != negated))
                });
            }
        }
    }
    let (groups, results) = each(scope, query)?;
    Values::build(Kind::Boolean, scope.height(), false, |row| {
        Ok(result(&groups, &results, row).map(|rows| (rows.height > 0) != negated))
    })
}

/// A query used as a value.
pub(super) fn scalar(scope: &Scope<'_>, query: &Subquery) -> Result<Values> {
    if let Some(rows) = alone(scope, query)? {
        return single(&rows);
    }
    if let Some(values) = apart::aggregated(scope, query)? {
        return Ok(values);
    }
    let (groups, results) = each(scope, query)?;
    let singles = results.iter().map(single).collect::<Result<Vec<_>>>()?;
    let kind = match singles.first() {
        Some(first) => first.kind.clone(),
        None => query.fields.first().map_or(Kind::Unknown, |field| field.kind.clone()),
    };
    let mut all = polars::prelude::Series::new_empty("".into(), &kind.dtype());
    for single in singles {
        all.append_owned(single.data)?;
    }
    let rows: Vec<Option<u32>> = groups.of_row.iter().copied().map(Some).collect();
    Ok(Values::new(kind, take(&all.rechunk(), &rows)?))
}

/// `value IN (query)`
pub(super) fn contains(
    scope: &Scope<'_>,
    value: &Expression,
    query: &Subquery,
    negated: bool,
) -> Result<Values> {
    let value = scope.value(value)?;
    if let Some(rows) = alone(scope, query)? {
        let set = Set::of(&value, &rows)?;
        let keys = set.keys(&value, scope.height())?;
        return Values::build(Kind::Boolean, scope.height(), false, |row| {
            Ok(set.has(keys.get(row).cloned().flatten()).map(|has| has != negated))
        });
    }
    if let Some(found) = apart::contains(scope, &value, query)? {
        return Values::build(Kind::Boolean, scope.height(), false, |row| {
            Ok(found.get(row).copied().flatten().map(|has| has != negated))
        });
    }
    let (groups, results) = each(scope, query)?;
    let sets = results.iter().map(|rows| Set::of(&value, rows)).collect::<Result<Vec<_>>>()?;
    let keys = match sets.first() {
        Some(set) => set.keys(&value, scope.height())?,
        None => Vec::new(),
    };
    Values::build(Kind::Boolean, scope.height(), false, |row| {
        let set = groups.of_row.get(row).and_then(|group| sets.get(*group as usize));
        Ok(set.and_then(|set| set.has(keys.get(row).cloned().flatten())).map(|has| has != negated))
    })
}

/// `left op ANY (query)`, or ALL.
pub(super) fn quantified(
    scope: &Scope<'_>,
    left: &Expression,
    op: &BinaryOperator,
    query: &Subquery,
    is_any: bool,
) -> Result<Values> {
    let (groups, results) = match alone(scope, query)? {
        Some(rows) => (Groups::one(scope.height()), vec![rows]),
        None => each(scope, query)?,
    };
    compared(scope, left, (op, is_any), &groups, &results)
}

/// The result of a subquery with one column (or several, for row values), in which values are searched.
struct Set {
    kind: Kind,
    keys: HashSet<String>,
    has_null: bool,
    is_empty: bool,
}

impl Set {
    fn of(value: &Values, rows: &Relation) -> Result<Self> {
        let column = match rows.fields.len() {
            1 => rows.values(0)?,
            _ => {
                let fields: Vec<_> = rows
                    .columns
                    .iter()
                    .enumerate()
                    .map(|(at, column)| column.clone().with_name(format!("field{at}").into()))
                    .collect();
                let data =
                    polars::prelude::StructChunked::from_series("".into(), rows.height, fields.iter())?;
                let kinds = rows
                    .fields
                    .iter()
                    .enumerate()
                    .map(|(at, field)| (format!("field{at}"), field.kind.clone()))
                    .collect();
                Values::new(Kind::Row(kinds), polars::prelude::IntoSeries::into_series(data))
            }
        };
        let kind = comparable(&value.kind, &column.kind).map_err(|_| {
            SqlError::new(format!("{} and {} cannot be compared with IN", value.kind, column.kind))
        })?;
        let keys = cast::json_texts(&cast::cast(&column, &kind, rows.height, true)?, rows.height)?;
        let has_null = keys.iter().any(Option::is_none);
        Ok(Self { kind, keys: keys.into_iter().flatten().collect(), has_null, is_empty: rows.height == 0 })
    }

    fn keys(&self, value: &Values, height: usize) -> Result<Vec<Option<String>>> {
        cast::json_texts(&cast::cast(value, &self.kind, height, true)?, height)
    }

    /// Three-valued: if the set contains NULL, "not found" is unknown.
    fn has(&self, key: Option<String>) -> Option<bool> {
        match key {
            _ if self.is_empty => Some(false),
            Some(key) if self.keys.contains(&key) => Some(true),
            Some(_) if !self.has_null => Some(false),
            _ => None,
        }
    }
}

/// The value of a subquery with one column and at most one row.
fn single(rows: &Relation) -> Result<Values> {
    only_column(&rows.fields)?;
    match rows.height {
        0 => Ok(Values::null(rows.values(0)?.kind)),
        1 => Ok(Values { constant: true, ..rows.values(0)? }),
        count => Err(SqlError::value(format!("a subquery used as a value gave {count} rows"))),
    }
}

fn result<'r>(groups: &Groups, results: &'r [Relation], row: usize) -> Option<&'r Relation> {
    groups.of_row.get(row).and_then(|group| results.get(*group as usize))
}
