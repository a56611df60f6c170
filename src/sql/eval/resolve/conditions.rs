//! Conditions, and comparisons with subqueries.

use sqlparser::ast::{BinaryOperator as Op, Expr, Query, ValueWithSpan};

use super::parts::{all, boxed, unsupported};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Node;
use crate::sql::scope::Scope;

pub(super) fn condition(scope: &Scope<'_>, expr: &Expr) -> Result<Node> {
    let one = |expr: &Expr| boxed(scope, expr);
    let is_null = |expr, is_negated| Ok(Node::IsNull { value: one(expr)?, is_negated });
    let is = |expr, truth, is_negated| Ok(Node::IsTruth { value: one(expr)?, truth, is_negated });
    let is_distinct =
        |left, right, is_negated| Ok(Node::IsDistinct { left: one(left)?, right: one(right)?, is_negated });
    match expr {
        Expr::IsNull(inner) => is_null(inner, false),
        Expr::IsNotNull(inner) => is_null(inner, true),
        Expr::IsTrue(inner) => is(inner, Some(true), false),
        Expr::IsNotTrue(inner) => is(inner, Some(true), true),
        Expr::IsFalse(inner) => is(inner, Some(false), false),
        Expr::IsNotFalse(inner) => is(inner, Some(false), true),
        Expr::IsUnknown(inner) => is(inner, None, false),
        Expr::IsNotUnknown(inner) => is(inner, None, true),
        Expr::IsDistinctFrom(a, b) => is_distinct(a, b, false),
        Expr::IsNotDistinctFrom(a, b) => is_distinct(a, b, true),
        Expr::Like { negated, any: false, expr, pattern, escape_char } => {
            like(scope, (expr, pattern), escape_char.as_ref(), *negated, false)
        }
        Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
            like(scope, (expr, pattern), escape_char.as_ref(), *negated, true)
        }
        Expr::RLike { negated, expr, pattern, .. } => {
            Ok(Node::RLike { value: one(expr)?, pattern: one(pattern)?, is_negated: *negated })
        }
        Expr::Between { expr, negated, low, high } => {
            Ok(Node::Between { value: one(expr)?, low: one(low)?, high: one(high)?, is_negated: *negated })
        }
        Expr::InList { expr, list, negated } => {
            Ok(Node::InList { value: one(expr)?, list: all(scope, list)?, is_negated: *negated })
        }
        Expr::InUnnest { array_expr, .. } => {
            Err(SqlError::new("IN UNNEST is not supported; use contains(array, value)").at(&**array_expr))
        }
        other => subquery(scope, other),
    }
}

fn subquery(scope: &Scope<'_>, expr: &Expr) -> Result<Node> {
    let query = |query: &Query| scope.session.resolver.subquery(scope, query);
    Ok(match expr {
        Expr::Exists { subquery, negated } => Node::Exists { query: query(subquery)?, is_negated: *negated },
        Expr::Subquery(subquery) => Node::Scalar(query(subquery)?),
        Expr::InSubquery { expr, subquery, negated } => {
            Node::InQuery { value: boxed(scope, expr)?, query: query(subquery)?, is_negated: *negated }
        }
        Expr::AnyOp { left, compare_op, right, .. } => quantified(scope, left, compare_op, right, true)?,
        Expr::AllOp { left, compare_op, right } => quantified(scope, left, compare_op, right, false)?,
        other => return Err(unsupported(other)),
    })
}

/// `= ANY (SELECT …)` is IN, `<> ALL (SELECT …)` is NOT IN.
fn quantified(scope: &Scope<'_>, left: &Expr, operator: &Op, right: &Expr, is_any: bool) -> Result<Node> {
    let Some(query) = as_query(right) else {
        return Err(SqlError::new("ANY and ALL compare with a subquery, as in = ANY (SELECT …)").at(right));
    };
    let value = boxed(scope, left)?;
    let query = scope.session.resolver.subquery(scope, query)?;
    Ok(match (operator, is_any) {
        (Op::Eq, true) => Node::InQuery { value, query, is_negated: false },
        (Op::NotEq, false) => Node::InQuery { value, query, is_negated: true },
        _ => Node::Quantified { value, operator: operator.clone(), query, is_any },
    })
}

fn as_query(expr: &Expr) -> Option<&Query> {
    match expr {
        Expr::Subquery(query) => Some(query),
        Expr::Nested(inner) => as_query(inner),
        _ => None,
    }
}

fn like(
    scope: &Scope<'_>,
    (value, pattern): (&Expr, &Expr),
    escape: Option<&ValueWithSpan>,
    is_negated: bool,
    any_case: bool,
) -> Result<Node> {
    let single = |escape: &ValueWithSpan| {
        let text = escape.value.clone().into_string().unwrap_or_default();
        let mut chars = text.chars();
        chars
            .next()
            .filter(|_| chars.next().is_none())
            .ok_or_else(|| SqlError::new("ESCAPE needs a single character"))
    };
    Ok(Node::Like {
        escape: escape.map(single).transpose()?,
        value: boxed(scope, value)?,
        pattern: boxed(scope, pattern)?,
        is_negated,
        any_case,
    })
}
