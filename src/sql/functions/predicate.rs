//! Conditions in three-valued logic: AND, OR, NOT, IN, BETWEEN, IS …, and CASE.

use sqlparser::ast::{BinaryOperator as Op, CaseWhen, Expr};

use super::partition;
use crate::sql::error::{Result, SqlError};
use crate::sql::scope::Scope;
use crate::sql::syntax::{names, walk};
use crate::sql::types::compare::common;
use crate::sql::types::values::Values;
use crate::sql::types::{cast, compare};
use crate::tables::Kind;

/// A chain of AND, or of OR. An operand with an invalid value is only evaluated for the rows that the
/// operands before it have not decided, so that `a <> 0 AND 10 / a > 1` works as expected.
pub(in crate::sql) fn chain(scope: &Scope<'_>, whole: &Expr, op: &Op) -> Result<Values> {
    // What decides the chain: one false for AND, one true for OR.
    let decisive = *op == Op::Or;
    let operands = walk::chain(whole, op);
    let mut result: Option<Values> = None;
    for operand in operands {
        let next = match (scope.eval(operand), &result) {
            (Err(error), Some(before)) if error.by_value => among_open(scope, operand, before, decisive)?,
            (next, _) => next?,
        };
        next.truths().map_err(|error| error.at(operand))?;
        result = Some(match result {
            None => next,
            Some(before) => combine(&before, &next, decisive, scope.height())?,
        });
    }
    let result = result.ok_or_else(|| SqlError::new("a condition is missing"))?;
    Ok(Values { kind: Kind::Boolean, ..result })
}

fn combine(a: &Values, b: &Values, decisive: bool, height: usize) -> Result<Values> {
    let (left, right) = (a.truths()?, b.truths()?);
    Values::build(Kind::Boolean, height, a.constant && b.constant, |row| {
        Ok(match (left.get(row), right.get(row)) {
            (a, b) if a == Some(decisive) || b == Some(decisive) => Some(decisive),
            (Some(_), Some(_)) => Some(!decisive),
            _ => None,
        })
    })
}

fn among_open(scope: &Scope<'_>, operand: &Expr, before: &Values, decisive: bool) -> Result<Values> {
    let decided = before.truths()?;
    let open: Vec<bool> = (0..scope.height()).map(|row| decided.get(row) != Some(decisive)).collect();
    scatter(scope, operand, &open)
}

/// `expr` for the rows of `among`, and NULL for the others.
fn scatter(scope: &Scope<'_>, expr: &Expr, among: &[bool]) -> Result<Values> {
    let rows: Vec<Option<u32>> =
        (0_u32..).zip(among).filter(|(_, keep)| **keep).map(|(row, _)| Some(row)).collect();
    let some = scope.narrowed(&rows, |scope| scope.column(expr))?;
    let mut next = 0_u32;
    let back: Vec<Option<u32>> = among
        .iter()
        .map(|keep| {
            keep.then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    some.take(&back)
}

pub(in crate::sql) fn not(values: &Values) -> Result<Values> {
    let truths = values.truths()?;
    Values::build(Kind::Boolean, values.data.len(), values.constant, |row| {
        Ok(truths.get(row).map(|value| !value))
    })
}

/// Evaluates all conditions that have no module of their own.
pub(in crate::sql) fn eval(scope: &Scope<'_>, expr: &Expr) -> Result<Values> {
    let height = scope.height();
    match expr {
        Expr::IsNull(inner) => is_null(&scope.eval(inner)?, height, true),
        Expr::IsNotNull(inner) => is_null(&scope.eval(inner)?, height, false),
        Expr::IsTrue(inner) => is(&scope.eval(inner)?, Some(true), true),
        Expr::IsNotTrue(inner) => is(&scope.eval(inner)?, Some(true), false),
        Expr::IsFalse(inner) => is(&scope.eval(inner)?, Some(false), true),
        Expr::IsNotFalse(inner) => is(&scope.eval(inner)?, Some(false), false),
        Expr::IsUnknown(inner) => is(&scope.eval(inner)?, None, true),
        Expr::IsNotUnknown(inner) => is(&scope.eval(inner)?, None, false),
        Expr::IsDistinctFrom(a, b) => distinct(scope, a, b, true),
        Expr::IsNotDistinctFrom(a, b) => distinct(scope, a, b, false),
        Expr::Between { expr, negated, low, high } => between(scope, expr, low, high, *negated),
        Expr::InList { expr, list, negated } => in_list(scope, expr, list, *negated),
        Expr::InUnnest { array_expr, .. } => {
            Err(SqlError::new("IN UNNEST is not supported; use contains(array, value)").at(&**array_expr))
        }
        other => Err(SqlError::new(format!("this is not supported: {}", shortened(other)))),
    }
}

/// The beginning of an expression, for error messages.
pub(in crate::sql) fn shortened(expr: &Expr) -> String {
    let text: String = names::as_written(expr).to_string().chars().take(60).collect();
    text
}

/// Which rows are NULL. A row value is NULL if all its fields are, because an absent JSON object looks like
/// that.
pub(in crate::sql) fn nulls(values: &Values) -> Result<Vec<bool>> {
    if let Kind::Row(members) = &values.kind {
        let mut all = vec![true; values.data.len()];
        for (field, (_, kind)) in values.data.struct_()?.fields_as_series().into_iter().zip(members) {
            let field = nulls(&Values { kind: kind.clone(), data: field, constant: values.constant })?;
            all.iter_mut().zip(field).for_each(|(slot, null)| *slot = *slot && null);
        }
        return Ok(all);
    }
    Ok(values.data.is_null().iter().map(|null| null == Some(true)).collect())
}

fn is_null(values: &Values, height: usize, wanted: bool) -> Result<Values> {
    let nulls = nulls(values)?;
    Values::build(Kind::Boolean, height, values.constant, |row| {
        Ok(nulls.get(row).map(|null| *null == wanted))
    })
}

fn is(values: &Values, asked: Option<bool>, wanted: bool) -> Result<Values> {
    let truths = values.truths()?;
    Values::build(Kind::Boolean, values.data.len(), values.constant, |row| {
        Ok(Some((truths.get(row) == asked) == wanted))
    })
}

fn distinct(scope: &Scope<'_>, a: &Expr, b: &Expr, wanted: bool) -> Result<Values> {
    let (a, b) = (scope.eval(a)?, scope.eval(b)?);
    let height = scope.height();
    let equal = compare::same(&a, &b, height, scope.lenient)?;
    let (equal, a_null, b_null) = (equal.truths()?, nulls(&a)?, nulls(&b)?);
    let null = |nulls: &[bool], constant: bool, row: usize| {
        nulls.get(if constant { 0 } else { row }).copied().unwrap_or(true)
    };
    Values::build(Kind::Boolean, height, a.constant && b.constant, |row| {
        let same = match (null(&a_null, a.constant, row), null(&b_null, b.constant, row)) {
            (true, true) => true,
            (false, false) => equal.get(row) == Some(true),
            _ => false,
        };
        Ok(Some(same != wanted))
    })
}

fn between(scope: &Scope<'_>, expr: &Expr, low: &Expr, high: &Expr, negated: bool) -> Result<Values> {
    let low = scope.eval(low)?;
    let value = partition::spelt(scope, expr, scope.eval(expr)?, &low)?;
    let above = compare::compare(&Op::GtEq, &value, &low, scope.height(), scope.lenient)?;
    let below = compare::compare(&Op::LtEq, &value, &scope.eval(high)?, scope.height(), scope.lenient)?;
    let both = combine(&above, &below, false, scope.height())?;
    if negated { not(&both) } else { Ok(both) }
}

fn in_list(scope: &Scope<'_>, expr: &Expr, list: &[Expr], negated: bool) -> Result<Values> {
    let mut value = scope.eval(expr)?;
    let items = list.iter().map(|item| scope.eval(item)).collect::<Result<Vec<_>>>()?;
    if let Some(first) = items.first() {
        value = partition::spelt(scope, expr, value, first)?;
    }
    let any = match constant_texts(&value, &items) {
        Some(set) => {
            let texts = value.texts()?;
            Values::build(Kind::Boolean, scope.height(), value.constant, |row| {
                Ok(texts.get(row).map(|text| set.contains(text)))
            })?
        }
        None => {
            let mut any = Values::constant(Kind::Boolean, Some(false));
            for (item, expr) in items.iter().zip(list) {
                let equal = compare::compare(&Op::Eq, &value, item, scope.height(), scope.lenient)
                    .map_err(|error| error.at(expr))?;
                any = combine(&any, &equal, true, scope.height())?;
            }
            any
        }
    };
    if negated { not(&any) } else { Ok(any) }
}

/// The texts of the list in the common case, a text column in a list of literals.
fn constant_texts(value: &Values, items: &[Values]) -> Option<std::collections::HashSet<String>> {
    if value.kind != Kind::Varchar {
        return None;
    }
    items.iter().map(Values::constant_text).collect()
}

/// `CASE`; each branch is evaluated for its own rows only if it cannot be evaluated for all.
pub(in crate::sql) fn case(
    scope: &Scope<'_>,
    operand: Option<&Expr>,
    whens: &[CaseWhen],
    otherwise: Option<&Expr>,
) -> Result<Values> {
    let conditions: Vec<Expr> = whens
        .iter()
        .map(|when| match operand {
            Some(operand) => Expr::BinaryOp {
                left: Box::new(operand.clone()),
                op: Op::Eq,
                right: Box::new(when.condition.clone()),
            },
            None => when.condition.clone(),
        })
        .collect();
    let branches: Vec<(&Expr, &Expr)> =
        conditions.iter().zip(whens.iter().map(|when| &when.result)).collect();
    choose(scope, &branches, otherwise)
}

/// The result of the first branch whose condition is true.
pub(in crate::sql) fn choose(
    scope: &Scope<'_>,
    branches: &[(&Expr, &Expr)],
    otherwise: Option<&Expr>,
) -> Result<Values> {
    let height = scope.height();
    let mut open = vec![true; height];
    let mut chosen: Vec<Option<usize>> = vec![None; height];
    let mut results: Vec<Values> = Vec::new();
    for (condition, result) in branches {
        let holds = scope.truth_among(condition, &open)?;
        let rows: Vec<bool> = open.iter().zip(&holds).map(|(open, holds)| *open && *holds).collect();
        results.push(value_among(scope, result, &rows)?);
        for (row, taken) in rows.iter().enumerate() {
            if let (true, Some(slot), Some(open)) = (*taken, chosen.get_mut(row), open.get_mut(row)) {
                *slot = Some(results.len() - 1);
                *open = false;
            }
        }
    }
    if let Some(otherwise) = otherwise {
        results.push(value_among(scope, otherwise, &open)?);
        let last = results.len() - 1;
        chosen.iter_mut().for_each(|slot| *slot = slot.or(Some(last)));
    }
    merge(&results, &chosen, scope)
}

fn value_among(scope: &Scope<'_>, expr: &Expr, rows: &[bool]) -> Result<Values> {
    match scope.eval(expr) {
        Err(error) if error.by_value => scatter(scope, expr, rows),
        result => result,
    }
}

/// `try(…)`: NULL for the rows in which any part of the expression is invalid.
pub(in crate::sql) fn tried(scope: &Scope<'_>, expr: &Expr) -> Result<Values> {
    let forgiving = || Scope { lenient: true, ..*scope }.eval(expr);
    match scope.eval(expr) {
        Err(error) if error.by_value && !scope.lenient && walk::may_hide_null(expr) => {
            // With the invalid part as NULL, the whole could be something else: `coalesce(CAST('x' AS
            // bigint), 5)`.
            let kind = forgiving()?.kind;
            let mut all = polars::prelude::Series::new_empty("".into(), &kind.dtype());
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
    expr: &Expr,
    rows: &[Option<u32>],
    kind: &Kind,
    all: &mut polars::prelude::Series,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    match scope.narrowed(rows, |scope| cast::cast(&scope.column(expr)?, kind, scope.height(), false)) {
        Ok(values) => all.append_owned(values.data)?,
        Err(error) if !error.by_value => return Err(error),
        Err(_) if rows.len() == 1 => {
            all.append_owned(polars::prelude::Series::full_null("".into(), 1, &kind.dtype()))?
        }
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
    let mut all = polars::prelude::Series::new_empty("".into(), &kind.dtype());
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
    Ok(Values::new(kind, crate::sql::types::values::take(&all.rechunk(), &rows)?))
}
