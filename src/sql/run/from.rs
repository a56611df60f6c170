//! `FROM`: tables, subqueries, joins, `UNNEST`.

mod sample;
mod unused;

use std::collections::BTreeSet;

use polars::prelude::StructChunked;
use sqlparser::ast::{
    Join, JoinConstraint, JoinOperator, OrderBy, Select, Spanned, TableFactor, TableSampleKind,
    TableWithJoins,
};

use super::join::Keeps;
use super::{join, lateral};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::resolve::join::condition;
use crate::sql::functions::{choice, predicate};
use crate::sql::memory::{INDEX_BYTES, cell_bytes, row_bytes};
use crate::sql::scope::Scope;
use crate::sql::syntax::names::is_always;
use crate::sql::syntax::{data_store, names};
use crate::sql::types::columns::{aliased, column_names, equal_columns};
use crate::sql::types::event_data_store;
use crate::sql::types::nested_values::explode;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::schema::{are_whole, unnested, unnested_fields};
use crate::sql::types::values::{Cell, Values};
use crate::tables::{self, Kind};

/// The rows of a `FROM` clause. Session, common table expressions and outer scopes are those of `like`.
pub(in crate::sql) fn from(like: &Scope<'_>, tables: &[TableWithJoins]) -> Result<Relation> {
    from_with(like, tables, None)
}

/// The rows of the FROM of a SELECT, whose query is sorted by `by`. Columns that neither uses may be missing.
pub(in crate::sql) fn used(like: &Scope<'_>, select: &Select, by: Option<&OrderBy>) -> Result<Relation> {
    from_with(like, &select.from, unused::names(select, by).as_ref())
}

/// `names`: the column names that are used after an UNNEST; `None`: all.
fn from_with(
    like: &Scope<'_>,
    tables: &[TableWithJoins],
    names: Option<&BTreeSet<String>>,
) -> Result<Relation> {
    let mut all: Option<Relation> = None;
    for table in tables {
        let mut rows = match all.take() {
            None => factor(like, &table.relation)?,
            Some(left) => cross(like, left, &table.relation, names)?,
        };
        for join in &table.joins {
            rows = joined(like, rows, join, names)?;
        }
        all = Some(rows);
    }
    Ok(all.unwrap_or_else(Relation::single_row))
}

fn cross(
    like: &Scope<'_>,
    left: Relation,
    right: &TableFactor,
    names: Option<&BTreeSet<String>>,
) -> Result<Relation> {
    match right {
        TableFactor::UNNEST { .. } => unnest(like, &left, right, false, names),
        TableFactor::Derived { lateral: true, subquery, alias, .. } => {
            lateral::join(like, &left, subquery, alias.as_ref(), false)
        }
        other => join::join(like, &left, &factor(like, other)?, &[], Keeps { left: false, right: false }),
    }
}

fn joined(
    like: &Scope<'_>,
    left: Relation,
    join: &Join,
    names: Option<&BTreeSet<String>>,
) -> Result<Relation> {
    use JoinOperator as Op;
    let keeps = |left, right| Keeps { left, right };
    let (constraint, keeps) = match &join.join_operator {
        Op::CrossJoin(JoinConstraint::None) => return cross(like, left, &join.relation, names),
        Op::Join(constraint) | Op::Inner(constraint) => (constraint, keeps(false, false)),
        Op::Left(constraint) | Op::LeftOuter(constraint) => (constraint, keeps(true, false)),
        Op::Right(constraint) | Op::RightOuter(constraint) => (constraint, keeps(false, true)),
        Op::FullOuter(constraint) => (constraint, keeps(true, true)),
        Op::Semi(JoinConstraint::On(on)) | Op::LeftSemi(JoinConstraint::On(on)) => {
            let right = factor(like, &join.relation)?;
            return join::semi(like, &left, &right, &condition(like, &left, &right, Some(on))?, false);
        }
        Op::Anti(JoinConstraint::On(on)) | Op::LeftAnti(JoinConstraint::On(on)) => {
            let right = factor(like, &join.relation)?;
            return join::semi(like, &left, &right, &condition(like, &left, &right, Some(on))?, true);
        }
        _ => return Err(SqlError::new("this kind of join is not supported").at(&join.relation)),
    };
    if matches!(join.relation, TableFactor::UNNEST { .. }) {
        return unnest(like, &left, &join.relation, keeps.left, names);
    }
    if let (TableFactor::Derived { lateral: true, subquery, alias, .. }, true) =
        (&join.relation, is_always(constraint))
    {
        return lateral::join(like, &left, subquery, alias.as_ref(), keeps.left);
    }
    let right = factor(like, &join.relation)?;
    match constraint {
        JoinConstraint::On(on) => {
            join::join(like, &left, &right, &condition(like, &left, &right, Some(on))?, keeps)
        }
        JoinConstraint::None => join::join(like, &left, &right, &[], keeps),
        JoinConstraint::Using(columns) => {
            using(like, &left, &right, columns.iter().map(names::last).collect(), keeps)
        }
        // The binder has replaced it by the common columns.
        JoinConstraint::Natural => {
            Err(SqlError::new("NATURAL JOIN has not been written out").at(&join.relation))
        }
    }
}

/// `USING (a, b)`: the columns occur once in the result, before all others, with the value of the side that
/// is not NULL.
fn using(
    like: &Scope<'_>,
    left: &Relation,
    right: &Relation,
    columns: Vec<String>,
    keeps: Keeps,
) -> Result<Relation> {
    let equal = equal_columns(&left.fields, &right.fields, &columns)?;
    let condition = condition(like, left, right, equal.as_ref())?;
    merged(like, &join::join(like, left, right, &condition, keeps)?, left.fields.len(), &columns)
}

/// The rows of both sides, with each of these columns once. The first `lefts` columns of `rows` belong to the
/// left side.
fn merged(like: &Scope<'_>, rows: &Relation, lefts: usize, columns: &[String]) -> Result<Relation> {
    let is = |at: usize, name: &str| {
        rows.fields.get(at).is_some_and(|field| field.name.eq_ignore_ascii_case(name))
    };
    let mut merged = Relation { height: rows.height, ..Relation::default() };
    for name in columns {
        let places =
            [(0..lefts).find(|at| is(*at, name)), (lefts..rows.fields.len()).find(|at| is(*at, name))];
        let [Some(first), Some(second)] = places else {
            return Err(SqlError::new(format!("USING: there is no column {name} on both sides")));
        };
        let values = either(&Scope { relation: rows, ..*like }, rows.values(first)?, rows.values(second)?)?;
        let field =
            rows.fields.get(first).cloned().unwrap_or_else(|| Field::new(name.clone(), values.kind.clone()));
        merged.push(Field { kind: values.kind, ..field }, values.data);
    }
    for (at, (field, column)) in rows.fields.iter().zip(&rows.columns).enumerate() {
        if !columns.iter().any(|name| is(at, name)) {
            merged.push(field.clone(), column.clone());
        }
    }
    Ok(merged)
}

/// The first value, or the second if that is NULL.
fn either(scope: &Scope<'_>, first: Values, second: Values) -> Result<Values> {
    let chosen: Vec<Option<usize>> =
        predicate::nulls(&first)?.into_iter().map(|null| Some(usize::from(null))).collect();
    choice::merge(&[first, second], &chosen, scope)
}

pub(in crate::sql) fn factor(like: &Scope<'_>, factor: &TableFactor) -> Result<Relation> {
    sampled(like, factor, whole(like, factor)?)
}

/// The rows of a table that TABLESAMPLE selects.
pub(in crate::sql) fn sampled(like: &Scope<'_>, factor: &TableFactor, rows: Relation) -> Result<Relation> {
    let (TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. }) = factor else {
        return Ok(rows);
    };
    match sample {
        Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) => {
            sample::sampled(like, rows, sample)
        }
        None => Ok(rows),
    }
}

/// The rows of a table without TABLESAMPLE.
fn whole(like: &Scope<'_>, factor: &TableFactor) -> Result<Relation> {
    match factor {
        TableFactor::Table { version: Some(_), .. } => {
            Err(SqlError::new("a log has one version: leave FOR … AS OF out").at_span(factor.span()))
        }
        TableFactor::Table { name, alias, args: None, .. } => {
            let table = names::last(name);
            let rows = match (like.ctes.get(&table), tables::find(&table)) {
                (Some(rows), _) => (*rows).clone(),
                (None, Some(declared)) => match like.session.catalog.get(declared.name) {
                    Some(rows) if table == data_store::TABLE => event_data_store::typed((*rows).clone())?,
                    Some(rows) => (*rows).clone(),
                    None => {
                        return Err(
                            SqlError::new(format!("table {} has not been loaded", declared.name)).at(name)
                        );
                    }
                },
                (None, None) => {
                    let known: Vec<&str> = tables::ALL.iter().map(|table| table.name).collect();
                    return Err(SqlError::new(format!(
                        "there is no table {table}; there are {}",
                        known.join(", ")
                    ))
                    .at(name));
                }
            };
            Ok(aliased(rows, alias.as_ref(), Some(&table)))
        }
        TableFactor::Derived { subquery, alias, .. } => {
            let rows = like.session.query(like.ctes, like.outer, subquery)?;
            Ok(aliased(rows, alias.as_ref(), None))
        }
        TableFactor::UNNEST { .. } => unnest(like, &Relation::single_row(), factor, false, None),
        TableFactor::NestedJoin { table_with_joins, alias } => {
            let rows = from(like, std::slice::from_ref(table_with_joins))?;
            Ok(match alias {
                Some(_) => aliased(rows, alias.as_ref(), None),
                None => rows,
            })
        }
        other => Err(SqlError::new("this is not supported in FROM").at_span(other.span())),
    }
}

/// `left CROSS JOIN UNNEST(array, …) [WITH ORDINALITY] AS t(x, …)`: one row for each element. Shorter arrays
/// are filled with NULL. `keep` keeps rows of `left` whose arrays are empty.
pub(in crate::sql) fn unnest(
    like: &Scope<'_>,
    left: &Relation,
    factor: &TableFactor,
    keep: bool,
    names: Option<&BTreeSet<String>>,
) -> Result<Relation> {
    let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = factor else {
        return Err(SqlError::new("UNNEST is needed here").at(factor));
    };
    let scope = Scope { relation: left, known: &[], ungrouped: None, ..*like };
    let mut arrays = Vec::new();
    for expr in array_exprs {
        let (elements, lengths) = explode(&scope.column(expr)?).map_err(|error| error.at(expr))?;
        arrays.push((elements, lengths));
    }
    // Without rows, only the columns are asked for.
    let left = &unused::left_out(left, names.filter(|_| left.height > 0));
    let longest = |row: usize| {
        arrays.iter().filter_map(|(_, lengths)| lengths.get(row).copied().flatten()).max().unwrap_or(0)
    };
    let count =
        (0..left.height).map(|row| longest(row).max(usize::from(keep))).fold(0, usize::saturating_add);
    let elements: usize = arrays.iter().map(|(elements, _)| cell_bytes(&elements.data) + INDEX_BYTES).sum();
    like.session.limits().fits_rows(count, row_bytes(left) + elements)?;
    // For each new row, its row of `left`; and for each array, the position of the element.
    let mut rows: Vec<Option<u32>> = Vec::new();
    let mut places: Vec<Vec<Option<u32>>> = vec![Vec::new(); arrays.len()];
    let mut ordinals: Vec<Option<i64>> = Vec::new();
    let mut starts = vec![0_u32; arrays.len()];
    let mut of_row = vec![0_u32; arrays.len()];
    for row in 0..left.height {
        for (slot, (_, lengths)) in of_row.iter_mut().zip(&arrays) {
            *slot = lengths.get(row).copied().flatten().unwrap_or(0) as u32;
        }
        let longest = of_row.iter().copied().max().unwrap_or(0);
        let count = if longest == 0 && keep { 1 } else { longest };
        rows.extend(std::iter::repeat_n(u32::try_from(row).ok(), count as usize));
        if *with_ordinality {
            ordinals.extend((0..count).map(|at| (longest > 0).then_some(i64::from(at) + 1)));
        }
        for ((place, start), length) in places.iter_mut().zip(&mut starts).zip(&of_row) {
            place.extend((0..count).map(|at| (at < *length).then_some(*start + at)));
            *start += length;
        }
    }
    let alias_names = alias.as_ref().map(column_names).unwrap_or_default();
    let whole = are_whole(alias_names.len(), arrays.len(), *with_ordinality);
    let mut right = Relation { height: rows.len(), ..Relation::default() };
    for (at, ((elements, _), places)) in arrays.iter().zip(&places).enumerate() {
        // Of a single array, all elements are taken in their order, mostly.
        let is_whole = elements.data.len() == places.len()
            && places.iter().zip(0..).all(|(place, at)| *place == Some(at));
        let elements = if is_whole { elements.clone() } else { elements.take(places)? };
        let columns = match unnested_fields(&elements.kind, whole) {
            Some(_) => elements.data.struct_().map(StructChunked::fields_as_series)?,
            None => vec![elements.data.clone()],
        };
        for (field, column) in unnested(&elements.kind, whole, at).into_iter().zip(columns) {
            right.push(field, column);
        }
    }
    if *with_ordinality {
        right.push(Field::new("ordinality", Kind::Bigint), i64::column(ordinals));
    }
    let right = aliased(right, alias.as_ref(), None);
    Ok(left.take(&rows)?.beside(right))
}
