//! The types of expressions: what they make of columns without rows.
//!
//! Each function and operator defines itself what it accepts and returns. Subqueries are not run, because their columns
//! are known.

use polars::prelude::Series;

use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::eval;
use crate::sql::expression::{Expression, Node};
use crate::sql::functions::other_types::{Side, check_rows};
use crate::sql::functions::{self, quantified};
use crate::sql::scope::{Evaluator, Resolver, Scope, Session};
use crate::sql::types::relation::{Groups, Relation};
use crate::sql::types::schema::only_column;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// What determines types.
struct Types;

/// A session over columns without rows, in which values are columns of their types.
pub(in crate::sql) fn session<'s>(catalog: &'s Catalog, now: i64, resolver: &'s dyn Resolver) -> Session<'s> {
    Session { catalog, now, lenient: true, resolver, evaluator: &Types }
}

impl Evaluator for Types {
    fn value(&self, scope: &Scope<'_>, expression: &Expression) -> Result<Values> {
        match &expression.node {
            Node::Call { name, arguments } => call(scope, name, arguments),
            Node::Exists { .. } => Ok(nulls(scope, Kind::Boolean)),
            Node::Scalar(query) => Ok(nulls(scope, only_column(&query.fields)?.kind.clone())),
            Node::InQuery { value, query, .. } => {
                let values = scope.value(value)?;
                check_rows("IN", Side::of(scope, value, &values.kind), &query.fields)?;
                Ok(nulls(scope, Kind::Boolean))
            }
            Node::Quantified { value, operator, query, is_any } => {
                let columns = [Relation::without_rows(query.fields.clone())];
                quantified::compared(
                    scope,
                    value,
                    (operator, *is_any),
                    &Groups::one(scope.height()),
                    &columns,
                )
            }
            node => eval::value(scope, node),
        }
    }
}

/// A constant that is invalid, or too large, has a type all the same.
fn call(scope: &Scope<'_>, name: &str, arguments: &[Expression]) -> Result<Values> {
    let args = arguments.iter().map(|argument| scope.value(argument)).collect::<Result<Vec<_>>>()?;
    match functions::made(scope, name, args.clone(), scope.height()) {
        Err(error) if error.by_value || error.is_of_memory() => {
            let empty = |arg: Values| Values::new(arg.kind, arg.data.slice(0, 0));
            functions::made(scope, name, args.into_iter().map(empty).collect(), 0)
        }
        made => made,
    }
}

/// A column of a type.
pub(in crate::sql) fn nulls(scope: &Scope<'_>, kind: Kind) -> Values {
    let data = Series::full_null("".into(), scope.height(), &kind.dtype());
    Values::new(kind, data)
}
