//! Conditions in three-valued logic: AND, OR, NOT, IN, BETWEEN, IS ….

use sqlparser::ast::BinaryOperator as Op;

use super::{other_types, partition};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::{Expression, Node};
use crate::sql::scope::Scope;
use crate::sql::types::compare;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// A chain of AND, or of OR. An operand with an invalid value is only evaluated for the rows that the
/// operands before it have not decided, so that `a <> 0 AND 10 / a > 1` works as expected.
fn chain(scope: &Scope<'_>, op: &Op, operands: &[Expression]) -> Result<Values> {
    // What decides the chain: one false for AND, one true for OR.
    let decisive = *op == Op::Or;
    let mut result: Option<Values> = None;
    for operand in operands {
        let next = match (scope.value(operand), &result) {
            (Err(error), Some(before)) if error.by_value => among_open(scope, operand, before, decisive)?,
            (next, _) => next?,
        };
        next.truths().map_err(|error| error.at_span(operand.span))?;
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

fn among_open(scope: &Scope<'_>, operand: &Expression, before: &Values, decisive: bool) -> Result<Values> {
    let decided = before.truths()?;
    let open: Vec<bool> = (0..scope.height()).map(|row| decided.get(row) != Some(decisive)).collect();
    scope.value_among(operand, &open)
}

pub(in crate::sql) fn not(values: &Values) -> Result<Values> {
    let truths = values.truths()?;
    Values::build(Kind::Boolean, values.data.len(), values.constant, |row| {
        Ok(truths.get(row).map(|value| !value))
    })
}

/// Evaluates all conditions that have no module of their own.
pub(in crate::sql) fn eval(scope: &Scope<'_>, node: &Node) -> Result<Values> {
    match node {
        Node::Not(of) => not(&scope.value(of)?),
        Node::Chain { operator, operands } => chain(scope, operator, operands),
        Node::IsNull { value, is_negated } => is_null(&scope.value(value)?, scope.height(), !is_negated),
        Node::IsTruth { value, truth, is_negated } => is(&scope.value(value)?, *truth, !is_negated),
        Node::IsDistinct { left, right, is_negated } => distinct(scope, left, right, !is_negated),
        Node::Between { value, low, high, is_negated } => between(scope, value, (low, high), *is_negated),
        Node::InList { value, list, is_negated } => in_list(scope, value, list, *is_negated),
        _ => Err(SqlError::new("this is no condition")),
    }
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

fn distinct(scope: &Scope<'_>, left: &Expression, right: &Expression, wanted: bool) -> Result<Values> {
    let (a, b) = (scope.value(left)?, scope.value(right)?);
    other_types::check_values(scope, "IS DISTINCT FROM", (left, &a), (right, &b))?;
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

fn between(
    scope: &Scope<'_>,
    expr: &Expression,
    (from, to): (&Expression, &Expression),
    negated: bool,
) -> Result<Values> {
    let (low, high) = (scope.value(from)?, scope.value(to)?);
    let value = partition::spelt(scope, expr, scope.value(expr)?, &low)?;
    for bound in [(from, &low), (to, &high)] {
        other_types::check_values(scope, "BETWEEN", (expr, &value), bound)?;
    }
    let above = compare::compare(&Op::GtEq, &value, &low, scope.height(), scope.lenient)?;
    let below = compare::compare(&Op::LtEq, &value, &high, scope.height(), scope.lenient)?;
    let both = combine(&above, &below, false, scope.height())?;
    if negated { not(&both) } else { Ok(both) }
}

fn in_list(scope: &Scope<'_>, expr: &Expression, list: &[Expression], negated: bool) -> Result<Values> {
    let mut value = scope.value(expr)?;
    let items = list.iter().map(|item| scope.value(item)).collect::<Result<Vec<_>>>()?;
    for (item, values) in list.iter().zip(&items) {
        other_types::check_values(scope, "IN", (expr, &value), (item, values))
            .map_err(|error| error.at_span(item.span))?;
    }
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
                    .map_err(|error| error.at_span(expr.span))?;
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
