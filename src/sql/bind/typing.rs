//! The types of expressions, and of what a SELECT computes.
//!
//! Each function and operator defines itself what it accepts and returns, by what it makes of columns without
//! rows; subqueries are not evaluated, because their columns are known.

use std::sync::Arc;

use polars::prelude::Series;
use sqlparser::ast::{Distinct, Expr, OrderBy, OrderByOptions, Query, Select};

use super::{Binder, Selected, found};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::{self, resolve};
use crate::sql::expression::query::{self, Groups, Subquery};
use crate::sql::expression::rows::SortKey;
use crate::sql::expression::{Expression, Node};
use crate::sql::functions::other_types::{Side, check_rows};
use crate::sql::functions::window::{self, Windows};
use crate::sql::functions::{self, aggregate, quantified};
use crate::sql::scope::{Evaluator, Scope, Via};
use crate::sql::syntax::grouping::{Grouping, calls, order_exprs};
use crate::sql::syntax::walk::Calls;
use crate::sql::syntax::{calls, names};
use crate::sql::types::place::is_place;
use crate::sql::types::relation::{self, Field, Relation};
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
                    &relation::Groups::one(scope.height()),
                    &columns,
                )
            }
            node => eval::value(scope, node),
        }
    }

    fn subquery(&self, scope: &Scope<'_>, query: &Query) -> Result<Arc<Subquery>> {
        self.planned(scope, query).map(Arc::new)
    }
}

impl Binder {
    /// A query in an expression. While names are resolved, only its columns are asked for, which are known.
    pub(super) fn planned(&self, scope: &Scope<'_>, query: &Query) -> Result<Subquery> {
        let outside = outside(scope, query)?;
        let (query, fields, tree) = if self.is_named {
            let mut tree = query.clone();
            let (query, rows) = self.query(scope.ctes, Some((scope, Via::Rows(&[]))), &mut tree)?;
            (Some(query), rows.seen().fields, tree)
        } else {
            let columns = found(&self.subqueries, query);
            let missing = || SqlError::new("a subquery cannot stand here").at(query);
            (None, columns.ok_or_else(missing)?.fields, query.clone())
        };
        Ok(Subquery { tree, fields, outside, query })
    }
}

/// The values of the rows of `scope`, and of those around them, that a query uses. After grouping, not every column
/// can be used.
pub(super) fn outside(scope: &Scope<'_>, query: &Query) -> Result<Vec<Expression>> {
    names::free(query).into_iter().map(|parts| scope.resolve(&names::named(parts))).collect()
}

/// Expressions that are computed before others, and columns of their types.
type Known = Vec<(Expr, Values)>;

impl Binder {
    /// What a SELECT computes of the rows of `scope`, and its list, which `by` sorts; and their types.
    pub(super) fn listed(
        &self,
        scope: &Scope<'_>,
        select: &Select,
        by: Option<&OrderBy>,
    ) -> Result<(query::Select, Selected)> {
        let orders = by.map(order_exprs).transpose()?.unwrap_or_default();
        let calls = calls(select, &orders);
        let Some(grouping) = Grouping::of(select, &calls)? else {
            return self.listed_over(scope, select, &calls, &orders);
        };
        let (groups, known) = grouped(scope, grouping, &calls)?;
        // Groups keep the positions of their first events, if they are all by the same keys.
        let places = scope.relation.fields.iter().filter(|field| groups.sets.len() == 1 && is_place(field));
        let rows = Relation::without_rows(places.cloned().collect());
        let after = Scope { relation: &rows, known: &known, ungrouped: Some(scope), ..*scope };
        let having = select.having.as_ref().map(|having| after.resolve(having)).transpose()?;
        if let Some(having) = &having {
            after.holds(having)?;
        }
        let (listed, selected) = self.listed_over(&after, select, &calls, &orders)?;
        Ok((query::Select { groups: Some(groups), having, ..listed }, selected))
    }

    /// The same over rows, or over groups.
    fn listed_over(
        &self,
        scope: &Scope<'_>,
        select: &Select,
        calls: &Calls,
        orders: &[(Expr, OrderByOptions)],
    ) -> Result<(query::Select, Selected)> {
        let (mut known, mut shared, mut windows) = (scope.known.to_vec(), Windows::default(), Vec::new());
        for call in &calls.windows {
            let scope = Scope { known: &known, ..*scope };
            let window =
                resolve::rows::window(&scope, calls::as_call(call)?).map_err(|error| error.at(call))?;
            let values = window::evaluate(&scope, &window, &mut shared)?;
            known.push((call.clone(), values));
            windows.push((call.clone(), window));
        }
        let scope = Scope { known: &known, ..*scope };
        let list = resolve::list::list(&scope, select)?;
        let columns = list.fields(scope.relation, |expression| Ok(scope.value(expression)?.kind))?;
        let order_by = self.sorted(&scope, orders, &columns)?;
        let computed = known.into_iter().map(|(expr, values)| (expr, values.kind)).collect();
        let listed = query::Select {
            from: query::Tables::Row,
            conditions: Vec::new(),
            groups: None,
            having: None,
            windows,
            list,
            is_distinct: matches!(select.distinct, Some(Distinct::Distinct)),
            order_by,
        };
        Ok((listed, Selected { computed, columns }))
    }

    /// What the rows of a list are sorted by.
    pub(super) fn sorted(
        &self,
        scope: &Scope<'_>,
        orders: &[(Expr, OrderByOptions)],
        fields: &[Field],
    ) -> Result<Vec<SortKey>> {
        let keys = resolve::list::sort_keys(scope, orders, fields)?;
        if !self.is_named {
            let columns = fields.iter().filter(|field| !is_place(field));
            let columns =
                columns.map(|field| (resolve::list::called(field), nulls(scope, field.kind.clone())));
            let known: Known = columns.chain(scope.known.iter().cloned()).collect();
            let over = Scope { known: &known, ..*scope };
            keys.iter().try_for_each(|(key, _)| over.value(key).map(|_| ()))?;
        }
        Ok(keys)
    }
}

/// The keys and aggregates of groups, and columns of their types.
fn grouped(scope: &Scope<'_>, grouping: Grouping, made: &Calls) -> Result<(Groups, Known)> {
    let (mut known, mut keys, mut aggregates, mut groupings) =
        (Known::new(), Vec::new(), Vec::new(), Vec::new());
    for key in &grouping.keys {
        let expression = scope.resolve(key)?;
        known.push((key.clone(), scope.values(&expression)?));
        keys.push((key.clone(), expression));
    }
    let nothing = relation::Groups { of_row: Vec::new(), first: Vec::new() };
    for call in &made.aggregates {
        let aggregate = resolve::rows::aggregate(scope, calls::as_call(call)?)?;
        known.push((call.clone(), aggregate::evaluate(scope, &aggregate, &nothing)?));
        aggregates.push((call.clone(), aggregate));
    }
    for call in &made.groupings {
        let bits = grouping.sets.iter().map(|set| grouping.bits(set, call)).collect::<Result<_>>()?;
        known.push((call.clone(), nulls(scope, Kind::Bigint)));
        groupings.push((call.clone(), bits));
    }
    Ok((Groups { keys, sets: grouping.sets, aggregates, groupings }, known))
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
