//! The rows of tables in FROM: declared ones, those of WITH, subqueries, joins, `UNNEST`.

mod sample;

use polars::prelude::StructChunked;

use super::join::Keeps;
use super::{join, lateral};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::query::{Join, JoinKind, Tables, Unnest, Using};
use crate::sql::functions::{choice, predicate};
use crate::sql::memory::{INDEX_BYTES, cell_bytes, row_bytes};
use crate::sql::scope::Scope;
use crate::sql::types::event_data_store;
use crate::sql::types::nested_values::explode;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::schema::{unnested, unnested_fields};
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;
use sample::sampled;

/// The rows of tables. Session, common table expressions and outer scopes are those of `like`.
pub(in crate::sql) fn tables(like: &Scope<'_>, from: &Tables) -> Result<Relation> {
    match from {
        Tables::Row => Ok(Relation::single_row()),
        Tables::Common { name, naming, sample } => {
            let rows = like.ctes.get(name).ok_or_else(|| SqlError::new(format!("there is no table {name}")));
            sampled(naming.named((*rows?).clone()), *sample)
        }
        Tables::Table { table, is_store, naming, sample, span } => {
            let Some(rows) = like.session.catalog.get(table.name) else {
                let missing = format!("table {} has not been loaded", table.name);
                return Err(SqlError::new(missing).at_span(*span));
            };
            let rows = (*rows).clone();
            let rows = if *is_store { event_data_store::typed(rows)? } else { rows };
            sampled(naming.named(rows), *sample)
        }
        Tables::Derived { query, naming, sample } => {
            let rows = like.session.query(like.ctes, like.outer, query)?;
            sampled(naming.named(rows), *sample)
        }
        Tables::Parentheses { tables, naming } => Ok(naming.named(self::tables(like, tables)?)),
        Tables::Unnest(unnest) => self::unnest(like, &tables(like, &unnest.input)?, unnest),
        Tables::Lateral { input, query, keeps_rows, naming } => {
            lateral::join(like, &tables(like, input)?, query, naming, *keeps_rows)
        }
        Tables::Join(join) => joined(like, join),
    }
}

fn joined(like: &Scope<'_>, join: &Join) -> Result<Relation> {
    let (left, right) = (tables(like, &join.left)?, tables(like, &join.right)?);
    let rows = match join.kind {
        JoinKind::Semi { is_negated } => join::semi(like, &left, &right, &join.condition, is_negated)?,
        JoinKind::Pairs { keeps_left, keeps_right } => {
            let keeps = Keeps { left: keeps_left, right: keeps_right };
            join::join(like, &left, &right, &join.condition, keeps)?
        }
    };
    match &join.using {
        Some(using) => merged(like, &rows, using),
        None => Ok(rows),
    }
}

/// The rows of both sides, with each of the columns of USING once: with the value of the side that is not NULL.
fn merged(like: &Scope<'_>, rows: &Relation, using: &Using) -> Result<Relation> {
    let mut merged = Relation { height: rows.height, ..Relation::default() };
    for (first, second) in &using.equal {
        let scope = Scope { relation: rows, ..*like };
        let values = either(&scope, rows.values(*first)?, rows.values(*second)?)?;
        if let Some(field) = rows.fields.get(*first).cloned() {
            merged.push(Field { kind: values.kind, ..field }, values.data);
        }
    }
    Ok(merged.beside(rows.with_columns(&using.others)))
}

/// The first value, or the second if that is NULL.
fn either(scope: &Scope<'_>, first: Values, second: Values) -> Result<Values> {
    let chosen: Vec<Option<usize>> =
        predicate::nulls(&first)?.into_iter().map(|null| Some(usize::from(null))).collect();
    choice::merge(&[first, second], &chosen, scope)
}

/// `left CROSS JOIN UNNEST(array, …) [WITH ORDINALITY] AS t(x, …)`: one row for each element. Shorter arrays
/// are filled with NULL.
fn unnest(like: &Scope<'_>, left: &Relation, unnest: &Unnest) -> Result<Relation> {
    let scope = Scope { relation: left, known: &[], ungrouped: None, ..*like };
    let mut arrays = Vec::new();
    for array in &unnest.arrays {
        arrays.push(explode(&scope.values(array)?).map_err(|error| error.at_span(array.span))?);
    }
    let left = &match &unnest.used {
        Some(used) => left.with_columns(used),
        None => left.clone(),
    };
    let keep = unnest.keeps_rows;
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
        if unnest.has_ordinals {
            ordinals.extend((0..count).map(|at| (longest > 0).then_some(i64::from(at) + 1)));
        }
        for ((place, start), length) in places.iter_mut().zip(&mut starts).zip(&of_row) {
            place.extend((0..count).map(|at| (at < *length).then_some(*start + at)));
            *start += length;
        }
    }
    let mut right = Relation { height: rows.len(), ..Relation::default() };
    for (at, ((elements, _), places)) in arrays.iter().zip(&places).enumerate() {
        // Of a single array, all elements are taken in their order, mostly.
        let is_whole = elements.data.len() == places.len()
            && places.iter().zip(0..).all(|(place, at)| *place == Some(at));
        let elements = if is_whole { elements.clone() } else { elements.take(places)? };
        let columns = match unnested_fields(&elements.kind, unnest.is_whole) {
            Some(_) => elements.data.struct_().map(StructChunked::fields_as_series)?,
            None => vec![elements.data.clone()],
        };
        for (field, column) in unnested(&elements.kind, unnest.is_whole, at).into_iter().zip(columns) {
            right.push(field, column);
        }
    }
    if unnest.has_ordinals {
        right.push(Field::new("ordinality", Kind::Bigint), i64::column(ordinals));
    }
    Ok(left.take(&rows)?.beside(unnest.naming.named(right)))
}
