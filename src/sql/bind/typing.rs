//! The types of expressions: what they make of columns without rows.
//!
//! Each function and operator defines itself what it accepts and returns, by what it makes of no rows;
//! subqueries are not evaluated, because their columns are known.

use polars::prelude::Series;
use sqlparser::ast::{Expr, Query};

use super::{Binder, found};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::{self, resolve};
use crate::sql::expression::{Expression, Node};
use crate::sql::functions;
use crate::sql::functions::other_types::{Side, check_rows};
use crate::sql::run::subquery::{extremes, single};
use crate::sql::scope::{Ctes, Evaluator, Scope, Session, Via};
use crate::sql::syntax::names;
use crate::sql::types::relation::{Groups, Relation};
use crate::sql::types::values::Values;
use crate::tables::Kind;

impl Evaluator for Binder {
    fn resolve(&self, scope: &Scope<'_>, expr: &Expr) -> Result<Expression> {
        resolve::expression(scope, expr)
    }

    fn value(&self, scope: &Scope<'_>, expression: &Expression) -> Result<Values> {
        match &expression.node {
            Node::Call { name, arguments } => call(scope, name, arguments),
            Node::Exists { query, .. } => self.columns(scope, query).map(|_| nulls(scope, Kind::Boolean)),
            Node::Scalar(query) => Ok(nulls(scope, single(&self.columns(scope, query)?)?.kind)),
            Node::InQuery { value, query, .. } => {
                let values = scope.value(value)?;
                check_rows("IN", Side::of(scope, value, &values.kind), &self.columns(scope, query)?)?;
                Ok(nulls(scope, Kind::Boolean))
            }
            Node::Quantified { value, operator, query, is_any } => {
                let columns = [self.columns(scope, query)?];
                extremes::compared(scope, value, (operator, *is_any), &Groups::one(scope.height()), &columns)
            }
            node => eval::value(scope, node),
        }
    }

    /// Subqueries in FROM are bound where they stand.
    fn query(
        &self,
        _session: &Session<'_>,
        _ctes: &Ctes,
        _outer: Option<(&Scope<'_>, Via<'_>)>,
        query: &Query,
    ) -> Result<Relation> {
        Err(SqlError::new("a subquery cannot stand here").at(query))
    }
}

impl Binder {
    /// The columns of a subquery, which has been bound.
    fn columns(&self, scope: &Scope<'_>, query: &Query) -> Result<Relation> {
        for parts in names::free(query) {
            // After grouping, not every column can be used.
            scope.resolve(&names::named(parts))?;
        }
        found(&self.subqueries, query).ok_or_else(|| SqlError::new("a subquery cannot stand here").at(query))
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

fn nulls(scope: &Scope<'_>, kind: Kind) -> Values {
    let data = Series::full_null("".into(), scope.height(), &kind.dtype());
    Values::new(kind, data)
}
