//! What the forms of expressions have in common: their parts are expressions.

use sqlparser::ast::{BinaryOperator, Expr, Spanned};

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::{Expression, Node};
use crate::sql::scope::Scope;
use crate::sql::syntax::names;

pub(super) fn all<'e>(
    scope: &Scope<'_>,
    exprs: impl IntoIterator<Item = &'e Expr>,
) -> Result<Vec<Expression>> {
    exprs.into_iter().map(|expr| scope.resolve(expr)).collect()
}

pub(super) fn boxed(scope: &Scope<'_>, expr: &Expr) -> Result<Box<Expression>> {
    scope.resolve(expr).map(Box::new)
}

/// `left = right`, where the query does not say so itself.
pub(super) fn equal(scope: &Scope<'_>, left: &Expr, right: &Expr) -> Result<Expression> {
    let span = left.span().union(&right.span());
    let node = Node::Compare {
        operator: BinaryOperator::Eq,
        left: boxed(scope, left)?,
        right: boxed(scope, right)?,
    };
    Ok(Expression { node, span, date: None })
}

pub(super) fn unsupported(expr: &Expr) -> SqlError {
    let beginning: String = names::as_written(expr).to_string().chars().take(60).collect();
    SqlError::new(format!("this is not supported: {beginning}"))
}
