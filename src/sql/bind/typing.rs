//! The types of expressions, and of what a SELECT computes.
//!
//! Each function and operator defines itself what it accepts and returns, by what it makes of columns without
//! rows; subqueries are not evaluated, because their columns are known.

use polars::prelude::Series;
use sqlparser::ast::{Expr, OrderBy, OrderByOptions, Query, Select};

use super::{Binder, Selected, found};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::{self, resolve};
use crate::sql::expression::{Expression, Node};
use crate::sql::functions::other_types::{Side, check_rows};
use crate::sql::functions::window::{self, Windows};
use crate::sql::functions::{self, aggregate, quantified};
use crate::sql::scope::{Ctes, Evaluator, Scope, Session, Via};
use crate::sql::syntax::grouping::{Grouping, calls, order_exprs};
use crate::sql::syntax::walk::Calls;
use crate::sql::syntax::{calls, names};
use crate::sql::types::relation::{Field, Groups, Relation};
use crate::sql::types::schema::only_column;
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
            Node::Scalar(query) => {
                let columns = self.columns(scope, query)?;
                Ok(nulls(scope, only_column(&columns.fields)?.kind.clone()))
            }
            Node::InQuery { value, query, .. } => {
                let values = scope.value(value)?;
                check_rows("IN", Side::of(scope, value, &values.kind), &self.columns(scope, query)?)?;
                Ok(nulls(scope, Kind::Boolean))
            }
            Node::Quantified { value, operator, query, is_any } => {
                let columns = [self.columns(scope, query)?];
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

/// Expressions that are computed before others, and columns of their types.
type Known = Vec<(Expr, Values)>;

impl Binder {
    /// The types of what a SELECT computes, and of its list, which `by` sorts.
    pub(super) fn select_types(
        &self,
        scope: &Scope<'_>,
        select: &Select,
        by: Option<&OrderBy>,
    ) -> Result<Selected> {
        let orders = by.map(order_exprs).transpose()?.unwrap_or_default();
        let calls = calls(select, &orders);
        let Some(grouping) = Grouping::of(select, &calls)? else {
            return self.listed(scope, select, &calls, &orders);
        };
        let (known, groups) = (grouped(scope, &grouping, &calls)?, Relation::default());
        let after = Scope { relation: &groups, known: &known, ungrouped: Some(scope), ..*scope };
        if let Some(having) = &select.having {
            after.truth(having)?;
        }
        self.listed(&after, select, &calls, &orders)
    }

    /// The same over the rows of FROM, or over groups.
    fn listed(
        &self,
        scope: &Scope<'_>,
        select: &Select,
        calls: &Calls,
        orders: &[(Expr, OrderByOptions)],
    ) -> Result<Selected> {
        let (mut known, mut windows) = (scope.known.to_vec(), Windows::default());
        for call in &calls.windows {
            let scope = Scope { known: &known, ..*scope };
            let window =
                resolve::rows::window(&scope, calls::as_call(call)?).map_err(|error| error.at(call))?;
            let values = window::evaluate(&scope, &window, &mut windows)?;
            known.push((call.clone(), values));
        }
        let scope = Scope { known: &known, ..*scope };
        let list = resolve::list::list(&scope, select)?;
        let columns = list.fields(|expression| Ok(scope.value(expression)?.kind))?;
        self.sorted(&scope, orders, &columns)?;
        let computed = known.into_iter().map(|(expr, values)| (expr, values.kind)).collect();
        Ok(Selected { computed, columns })
    }

    /// Checks what the rows of a list are sorted by.
    pub(super) fn sorted(
        &self,
        scope: &Scope<'_>,
        orders: &[(Expr, OrderByOptions)],
        fields: &[Field],
    ) -> Result<()> {
        let keys = resolve::list::sort_keys(scope, orders, fields)?;
        let columns =
            fields.iter().map(|field| (resolve::list::called(field), nulls(scope, field.kind.clone())));
        let known: Known = columns.chain(scope.known.iter().cloned()).collect();
        let over = Scope { known: &known, ..*scope };
        keys.iter().try_for_each(|(key, _)| over.value(key).map(|_| ()))
    }
}

/// The keys and aggregates of groups.
fn grouped(scope: &Scope<'_>, grouping: &Grouping, made: &Calls) -> Result<Known> {
    let mut known = Known::new();
    for key in &grouping.keys {
        known.push((key.clone(), scope.column(key)?));
    }
    let groups = Groups { of_row: Vec::new(), first: Vec::new() };
    for call in &made.aggregates {
        let aggregate = resolve::rows::aggregate(scope, calls::as_call(call)?)?;
        known.push((call.clone(), aggregate::evaluate(scope, &aggregate, &groups)?));
    }
    for call in &made.groupings {
        grouping.bits(&[], call)?;
        known.push((call.clone(), nulls(scope, Kind::Bigint)));
    }
    Ok(known)
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
