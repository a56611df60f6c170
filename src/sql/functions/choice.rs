//! Values that are chosen row by row: `CASE`, `if`, `coalesce`, `nullif`, `try`.

use polars::prelude::Series;

use super::predicate;
use crate::sql::error::Result;
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::cast;
use crate::sql::types::compare::common;
use crate::sql::types::values::{Values, take};
use crate::tables::Kind;

/// The result of the first branch whose condition is true; each branch is evaluated for its own rows only if it
/// cannot be evaluated for all.
pub(in crate::sql) fn choose(
    scope: &Scope<'_>,
    branches: &[(Expression, Expression)],
    otherwise: Option<&Expression>,
) -> Result<Values> {
    let height = scope.height();
    let mut open = vec![true; height];
    let mut chosen: Vec<Option<usize>> = vec![None; height];
    let mut results: Vec<Values> = Vec::new();
    for (condition, result) in branches {
        let holds = scope.holds_among(condition, &open)?;
        let rows: Vec<bool> = open.iter().zip(&holds).map(|(open, holds)| *open && *holds).collect();
        results.push(branch(scope, result, &rows)?);
        for (row, taken) in rows.iter().enumerate() {
            if let (true, Some(slot), Some(open)) = (*taken, chosen.get_mut(row), open.get_mut(row)) {
                *slot = Some(results.len() - 1);
                *open = false;
            }
        }
    }
    if let Some(otherwise) = otherwise {
        results.push(branch(scope, otherwise, &open)?);
        let last = results.len() - 1;
        chosen.iter_mut().for_each(|slot| *slot = slot.or(Some(last)));
    }
    merge(&results, &chosen, scope)
}

fn branch(scope: &Scope<'_>, result: &Expression, rows: &[bool]) -> Result<Values> {
    match scope.value(result) {
        Err(error) if error.by_value => scope.value_among(result, rows),
        values => values,
    }
}

/// The first value that is not NULL. Later arguments are evaluated even if they are not needed; an error in
/// them is ignored then.
pub(in crate::sql) fn coalesce(scope: &Scope<'_>, arguments: &[Expression]) -> Result<Values> {
    let mut chosen: Vec<Option<usize>> = vec![None; scope.height()];
    let mut results: Vec<Values> = Vec::new();
    for argument in arguments {
        let values = match scope.value(argument) {
            Err(error) if error.by_value && chosen.iter().all(Option::is_some) => continue,
            values => values?,
        };
        let nulls = predicate::nulls(&values)?;
        for (row, slot) in chosen.iter_mut().enumerate().filter(|(_, slot)| slot.is_none()) {
            let row = if values.constant { 0 } else { row };
            *slot = (!nulls.get(row).copied().unwrap_or(true)).then_some(results.len());
        }
        results.push(values);
    }
    merge(&results, &chosen, scope)
}

/// NULL where two values are equal, else the first one.
pub(in crate::sql) fn null_if(
    scope: &Scope<'_>,
    value: &Expression,
    is_equal: &Expression,
) -> Result<Values> {
    let equal = scope.value(is_equal)?;
    let (equal, value) = (equal.truths()?, scope.value(value)?);
    let chosen: Vec<Option<usize>> =
        (0..scope.height()).map(|row| (equal.get(row) != Some(true)).then_some(0)).collect();
    merge(&[value], &chosen, scope)
}

/// `try(…)`: NULL for the rows in which any part of the expression is invalid.
pub(in crate::sql) fn tried(scope: &Scope<'_>, expr: &Expression, may_hide_null: bool) -> Result<Values> {
    let forgiving = || Scope { lenient: true, ..*scope }.value(expr);
    match scope.value(expr) {
        Err(error) if error.by_value && !scope.lenient && may_hide_null => {
            // With the invalid part as NULL, the whole could be something else: `coalesce(CAST('x' AS
            // bigint), 5)`.
            let kind = forgiving()?.kind;
            let mut all = Series::new_empty("".into(), &kind.dtype());
            let rows: Vec<Option<u32>> = (0_u32..).take(scope.height()).map(Some).collect();
            tried_among(scope, expr, &rows, &kind, &mut all)?;
            Ok(Values::new(kind, all.rechunk()))
        }
        Err(error) if error.by_value => forgiving(),
        result => result,
    }
}

/// Evaluates halves of the rows, down to the rows with invalid values.
fn tried_among(
    scope: &Scope<'_>,
    expr: &Expression,
    rows: &[Option<u32>],
    kind: &Kind,
    all: &mut Series,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    match scope.narrowed(rows, |scope| cast::cast(&scope.values(expr)?, kind, scope.height(), false)) {
        Ok(values) => all.append_owned(values.data)?,
        Err(error) if !error.by_value => return Err(error),
        Err(_) if rows.len() == 1 => all.append_owned(Series::full_null("".into(), 1, &kind.dtype()))?,
        Err(_) => {
            let (first, second) = rows.split_at(rows.len() / 2);
            tried_among(scope, expr, first, kind, all)?;
            return tried_among(scope, expr, second, kind, all);
        }
    };
    Ok(())
}

/// Combines several columns: for each row, the value of the column that `chosen` selects.
pub(in crate::sql) fn merge(
    results: &[Values],
    chosen: &[Option<usize>],
    scope: &Scope<'_>,
) -> Result<Values> {
    let height = scope.height();
    let mut kind = Kind::Unknown;
    for result in results {
        kind = common(&kind, &result.kind)?;
    }
    // All results concatenated, and for each row the position of its value.
    let mut all = Series::new_empty("".into(), &kind.dtype());
    let mut starts = Vec::with_capacity(results.len());
    for result in results {
        starts.push((all.len(), result.constant));
        all.append_owned(cast::cast(result, &kind, height, scope.lenient)?.data)?;
    }
    let place = |row: usize, result: usize| {
        let (start, constant) = *starts.get(result)?;
        u32::try_from(start + if constant { 0 } else { row }).ok()
    };
    let rows: Vec<Option<u32>> =
        chosen.iter().enumerate().map(|(row, result)| result.and_then(|result| place(row, result))).collect();
    Ok(Values::new(kind, take(&all.rechunk(), &rows)?))
}
