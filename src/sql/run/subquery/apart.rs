//! Decorrelates subqueries: separates the rows of their own tables from the conditions that use the outer
//! row.
//!
//! Both sides are then evaluated once, as in a join, and not once for each outer row.

use sqlparser::ast::{BinaryOperator, Expr, Ident, Query, Select, SelectItem, SetExpr};

use crate::sql::error::{Result, SqlError};
use crate::sql::eval::resolve;
use crate::sql::expression::query::{Body, Subquery};
use crate::sql::functions::{aggregate, predicate};
use crate::sql::run::correlated::operators;
use crate::sql::run::join::Matched;
use crate::sql::run::{from, join};
use crate::sql::scope::{Scope, mask};
use crate::sql::syntax::{calls, grouping, names, walk};
use crate::sql::types::columns;
use crate::sql::types::compare::comparable;
use crate::sql::types::relation::{Field, Groups, Relation};
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// A hidden name for the value on the left side of `IN`.
const VALUE: &str = "\0value";

/// A subquery that consists of FROM and WHERE.
struct Apart<'q> {
    /// Its rows, with its own conditions applied.
    inner: Relation,
    /// Conditions that use the outer row.
    outward: Vec<Expr>,
    item: &'q SelectItem,
    calls: walk::Calls,
}

impl<'q> Apart<'q> {
    /// `None` if it cannot be decorrelated.
    fn of(scope: &Scope<'_>, subquery: &'q Subquery) -> Result<Option<Self>> {
        let Some(select) = plain(&subquery.tree) else { return Ok(None) };
        let calls = walk::Calls::of(walk::list_exprs(select));
        let Some(item) = select.projection.first() else { return Ok(None) };
        let like = own(scope);
        if !names::free(&select.from).is_empty() {
            return Ok(None);
        }
        let Body::Select(operators) = &operators(subquery)?.body else { return Ok(None) };
        let mut inner = from::tables(&like, &operators.from)?;
        let mut outward = Vec::new();
        for conjunct in select.selection.iter().flat_map(walk::conjuncts) {
            if columns::are_of(conjunct, &inner) {
                let keep = (Scope { relation: &inner, ..like }).truth(conjunct)?;
                inner = inner.filter(&mask(&keep))?;
            } else if walk::has_subquery(conjunct) {
                return Ok(None);
            } else {
                outward.push(conjunct.clone());
            }
        }
        Ok(Some(Self { inner, outward, item, calls }))
    }

    /// For each row of `outer`, whether there is an inner row for which the conditions and `more` are true.
    fn found(&self, scope: &Scope<'_>, outer: &Relation, more: Option<Expr>) -> Result<Vec<bool>> {
        let condition = self.outward.iter().cloned().chain(more).reduce(|before, next| Expr::BinaryOp {
            left: Box::new(before),
            op: BinaryOperator::And,
            right: Box::new(next),
        });
        let scope = Scope { known: &[], ..*scope };
        let condition = resolve::join::condition(&scope, outer, &self.inner, condition.as_ref())?;
        join::found(&scope, outer, &self.inner, &condition)
    }

    /// The selected expression, if it uses only inner tables.
    fn selected(&self, scope: &Scope<'_>) -> Result<Option<(Expr, Kind)>> {
        match self.item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }
                if columns::are_of(expr, &self.inner) =>
            {
                let values = (Scope { relation: &self.inner, ..own(scope) }).eval(expr)?;
                Ok(Some((expr.clone(), values.kind)))
            }
            _ => Ok(None),
        }
    }
}

/// The scope without its outer scopes.
fn own<'s>(scope: &Scope<'s>) -> Scope<'s> {
    Scope { outer: None, known: &[], ungrouped: None, ..*scope }
}

/// The SELECT of a query that consists only of FROM and WHERE.
fn plain(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let whole = query.with.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    (whole && !grouping::has_keys(select) && select.having.is_none()).then_some(select)
}

/// `EXISTS`: for each outer row, whether the subquery has a row; `None` if it cannot be decorrelated.
pub(super) fn exists(scope: &Scope<'_>, subquery: &Subquery) -> Result<Option<Vec<bool>>> {
    if scope.ungrouped.is_some() {
        return Ok(None);
    }
    match Apart::of(scope, subquery)? {
        Some(apart) if apart.calls.aggregates.is_empty() => {
            apart.found(scope, scope.relation, None).map(Some)
        }
        _ => Ok(None),
    }
}

/// `value IN (…)` for each outer row; unknown if a NULL leaves it open.
pub(super) fn contains(
    scope: &Scope<'_>,
    value: &Values,
    subquery: &Subquery,
) -> Result<Option<Vec<Option<bool>>>> {
    let one_column = plain(&subquery.tree).is_some_and(|select| select.projection.len() == 1);
    if scope.ungrouped.is_some() || !one_column || matches!(value.kind, Kind::Row(_)) {
        return Ok(None);
    }
    let Some(apart) = Apart::of(scope, subquery)?
        .filter(|apart| apart.calls.aggregates.is_empty() && apart.calls.windows.is_empty())
    else {
        return Ok(None);
    };
    let Some((item, kind)) = apart.selected(scope)? else { return Ok(None) };
    comparable(&value.kind, &kind)
        .map_err(|_| SqlError::new(format!("{} and {kind} cannot be compared with IN", value.kind)))?;
    let mut outer = scope.relation.clone();
    outer.push(Field::new(VALUE, value.kind.clone()), scope.spread(value)?);
    let equal = Expr::BinaryOp {
        left: Box::new(Expr::Identifier(Ident::new(VALUE))),
        op: BinaryOperator::Eq,
        right: Box::new(item.clone()),
    };
    let is_in = apart.found(scope, &outer, Some(equal))?;
    let has_null = apart.found(scope, scope.relation, Some(Expr::IsNull(Box::new(item))))?;
    let has_any = apart.found(scope, scope.relation, None)?;
    let nulls = predicate::nulls(value)?;
    let is_null = |row: usize| nulls.get(if value.constant { 0 } else { row }) == Some(&true);
    let answer = |row: usize| match (is_in.get(row), has_any.get(row)) {
        (Some(true), _) => Some(true),
        (_, Some(true)) if is_null(row) || has_null.get(row) == Some(&true) => None,
        _ => Some(false),
    };
    Ok(Some((0..scope.height()).map(answer).collect()))
}

/// `(SELECT max(x) … WHERE inner = outer)`: computed for all groups of the equal columns at once.
pub(super) fn aggregated(scope: &Scope<'_>, subquery: &Subquery) -> Result<Option<Values>> {
    let is_one = |select: &&Select| select.projection.len() == 1 && select.distinct.is_none();
    if plain(&subquery.tree).filter(is_one).is_none() {
        return Ok(None);
    }
    let Some(apart) = Apart::of(scope, subquery)? else { return Ok(None) };
    let (SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }) = apart.item else {
        return Ok(None);
    };
    let is_own = columns::are_of(item, &apart.inner);
    if apart.calls.aggregates.is_empty()
        || !apart.calls.windows.is_empty()
        || walk::has_subquery(item)
        || !is_own
    {
        return Ok(None);
    }
    let mut keys = Vec::new();
    for condition in &apart.outward {
        match equal_sides(scope, &apart.inner, condition)? {
            Some(pair) => keys.push(pair),
            None => return Ok(None),
        }
    }
    match by_group(scope, &apart, item, &keys) {
        // The invalid value may be in a group that no outer row needs.
        Err(error) if error.by_value => Ok(None),
        values => values.map(Some),
    }
}

/// The columns of `inner = outer`, the inner one first.
fn equal_sides(scope: &Scope<'_>, inner: &Relation, condition: &Expr) -> Result<Option<(Values, Values)>> {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else { return Ok(None) };
    let inside = Scope { relation: inner, ..own(scope) };
    for (first, second) in [(left, right), (right, left)] {
        let is_inner = |parts: &Vec<Ident>| parts.first().is_some_and(|name| inner.knows(&name.value));
        if columns::are_of(&**first, inner) && !names::free(&**second).iter().any(is_inner) {
            return match (inside.eval(first), scope.eval(second)) {
                (Ok(x), Ok(y)) => join::unified(&x, &y, inner.height, scope.height()).map(Some),
                (Err(error), _) | (_, Err(error)) if error.by_value => Ok(None),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
        }
    }
    Ok(None)
}

fn by_group(scope: &Scope<'_>, apart: &Apart<'_>, item: &Expr, keys: &[(Values, Values)]) -> Result<Values> {
    let (height, inner) = (scope.height(), &apart.inner);
    let matched = match keys {
        [] => Matched {
            groups: vec![0; inner.height + height],
            count: 1,
            null: vec![false; inner.height + height],
        },
        keys => Matched::of(keys, inner.height, height)?,
    };
    // Two more groups: for outer rows without a match, and for inner rows without a match.
    let count = u32::try_from(matched.count).map_err(|_| SqlError::new("too many groups"))?;
    let group = |row: usize, other: u32| match matched.null.get(row) {
        Some(false) => matched.groups.get(row).copied().unwrap_or(other),
        _ => other,
    };
    let of_row = (0..inner.height).map(|row| group(row, count + 1)).collect();
    let groups = Groups { of_row, first: vec![None; matched.count + 2] };
    let inside = Scope { relation: inner, ..own(scope) };
    let mut known = Vec::new();
    for call in &apart.calls.aggregates {
        let aggregate = resolve::rows::aggregate(&inside, calls::as_call(call)?)?;
        known.push((call.clone(), aggregate::evaluate(&inside, &aggregate, &groups)?));
    }
    let rows = Relation { height: groups.count(), ..Relation::default() };
    let after = Scope { relation: &rows, known: &known, ungrouped: Some(&inside), ..inside };
    let values = after.column(item)?;
    values.take(&(inner.height..inner.height + height).map(|row| Some(group(row, count))).collect::<Vec<_>>())
}
