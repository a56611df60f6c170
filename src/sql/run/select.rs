//! Evaluates `SELECT` and the clauses around it: WITH, UNION, ORDER BY, LIMIT.

mod list;

use sqlparser::ast::{Distinct, Expr, OrderBy, OrderByOptions, Query, Select, SetExpr};

use super::sets::{combine, groups_of, value_rows};
use super::{from, group, recursive};
use crate::sql::catalog::Counted;
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::constants::{limits, wanted};
use crate::sql::eval::resolve;
use crate::sql::expression::rows::Window;
use crate::sql::functions::window::{self, Windows};
use crate::sql::scope::{Ctes, Scope, Session, Via, kept, mask};
use crate::sql::syntax::grouping::{Grouping, calls, has_ties, order_exprs, refuse_unknown};
use crate::sql::syntax::walk::{Calls, conjuncts};
use crate::sql::syntax::{calls, recursion};
use crate::sql::types::relation::{Groups, Relation};
use crate::sql::types::values::Values;
use crate::sql::types::{compare, order};

/// How many rows are used, from the first one on.
#[derive(Debug, Clone, Copy)]
struct First {
    rows: usize,
    /// Whether rows equal to the last one are included (`WITH TIES`).
    ties: bool,
}

impl First {
    const ALL: Self = Self { rows: usize::MAX, ties: false };

    /// The first rows in order.
    fn of(self, keys: &[(Values, OrderByOptions)], height: usize) -> Result<Vec<Option<u32>>> {
        if !self.ties || self.rows == 0 {
            return order::first_sorted(keys, height, self.rows);
        }
        let mut sorted = order::sorted(keys, height)?;
        let columns =
            keys.iter().map(|(values, _)| compare::key_column(values, height)).collect::<Result<Vec<_>>>()?;
        let groups = Groups::by(&columns, height)?;
        let alike = |row: Option<u32>| groups.of_row.get(row? as usize).copied();
        let last = sorted.get(self.rows - 1).copied().and_then(alike);
        let more =
            sorted.iter().skip(self.rows).take_while(|row| last.is_some() && alike(**row) == last).count();
        sorted.truncate(self.rows.saturating_add(more));
        Ok(sorted)
    }
}

/// Evaluates a query. `outer` is the scope of a correlated subquery.
pub(in crate::sql) fn query(
    session: &Session<'_>,
    ctes: &Ctes,
    outer: Option<(&Scope<'_>, Via<'_>)>,
    query: &Query,
) -> Result<Relation> {
    let ctes = with(session, ctes, outer, query)?;
    let empty = Relation::single_row();
    let like = Scope { outer, ..Scope::new(session, &ctes, &empty) };
    let rows = match &*query.body {
        SetExpr::Select(select) => {
            let first = First { rows: wanted(&like, query), ties: has_ties(query) };
            return limited(&like, query, self::select(&like, select, query.order_by.as_ref(), first)?);
        }
        other => set(&like, other)?,
    };
    let sorted = match &query.order_by {
        None => rows,
        Some(by) => {
            let scope = Scope { relation: &rows, ..like };
            let keys = sort_values(&scope, &order_exprs(by)?, &rows)?;
            let first = First { rows: wanted(&like, query), ties: has_ties(query) };
            rows.take(&first.of(&keys, rows.height)?)?
        }
    };
    limited(&like, query, sorted)
}

/// The common table expressions of `WITH`, added to `ctes`.
pub(in crate::sql) fn with(
    session: &Session<'_>,
    ctes: &Ctes,
    outer: Option<(&Scope<'_>, Via<'_>)>,
    query: &Query,
) -> Result<Ctes> {
    let mut ctes = ctes.clone();
    let Some(with) = &query.with else { return Ok(ctes) };
    for table in &with.cte_tables {
        let name = table.alias.name.value.to_lowercase();
        let columns: Vec<String> =
            table.alias.columns.iter().map(|column| column.name.value.clone()).collect();
        let rows = match recursion::halves(&table.query, &name).filter(|_| with.recursive) {
            Some((first, next, all)) => {
                let run = |ctes: &Ctes, body: &SetExpr| {
                    Ok(set(&Scope { outer, ..Scope::new(session, ctes, &Relation::single_row()) }, body)?
                        .seen())
                };
                recursive::rows(session.limits(), &ctes, &name, &columns, run, (first, next, all))
                    .map_err(|error| error.at_span(table.alias.name.span))?
            }
            None => self::query(session, &ctes, outer, &table.query)?.renamed(&name, &columns),
        };
        ctes = ctes.with(name, rows);
    }
    Ok(ctes)
}

/// Evaluates one `SELECT`, sorted by `by`; only the rows in `wanted` are needed.
fn select(like: &Scope<'_>, select: &Select, by: Option<&OrderBy>, wanted: First) -> Result<Relation> {
    let Projected { rows, keys, .. } = listed(like, select, by)?;
    if keys.is_empty() { Ok(rows) } else { rows.take(&wanted.of(&keys, rows.height)?) }
}

/// The unsorted rows of a `SELECT`, and its sort keys.
pub(in crate::sql) fn listed(like: &Scope<'_>, select: &Select, by: Option<&OrderBy>) -> Result<Projected> {
    let rows = rows(like, select, by)?;
    let scope = Scope { relation: &rows, ..*like };
    let orders = by.map(order_exprs).transpose()?.unwrap_or_default();
    let calls = calls(select, &orders);
    match Grouping::of(select, &calls)? {
        None => project(&scope, select, &calls, &orders),
        Some(grouping) => {
            let counted = like.session.catalog.counted();
            let is_of =
                |counted: &&Counted| counted.is_of(&grouping.keys, &calls.aggregates, &calls.groupings);
            let ((count, known), places) = match counted.filter(is_of) {
                Some(counted) => ((counted.count, counted.known.clone()), Relation::default()),
                None => group::grouped(&scope, &grouping, &calls)?,
            };
            let groups = Relation { height: count, ..places };
            let after = Scope { relation: &groups, known: &known, ungrouped: Some(&scope), ..*like };
            having(&after, select, |after| project(after, select, &calls, &orders))
        }
    }
}

/// Continues with the groups for which HAVING is true.
fn having<T>(after: &Scope<'_>, select: &Select, then: impl FnOnce(&Scope<'_>) -> Result<T>) -> Result<T> {
    let Some(having) = &select.having else { return then(after) };
    after.narrowed(&kept(&after.truth(having)?), then)
}

/// The rows of a `SELECT` over groups that have been computed. `places` are the positions of their first
/// events.
pub(in crate::sql) fn projected_groups(
    like: &Scope<'_>,
    select: &Select,
    by: Option<&OrderBy>,
    groups: &Counted,
    places: Relation,
) -> Result<Projected> {
    let rows = rows(like, select, by)?;
    let scope = Scope { relation: &rows, ..*like };
    let orders = by.map(order_exprs).transpose()?.unwrap_or_default();
    let calls = calls(select, &orders);
    let after = Scope { relation: &places, known: &groups.known, ungrouped: Some(&scope), ..*like };
    having(&after, select, |after| project(after, select, &calls, &orders))
}

/// The rows of FROM for which WHERE is true, with the columns that the SELECT and `by` use.
pub(in crate::sql) fn rows(like: &Scope<'_>, select: &Select, by: Option<&OrderBy>) -> Result<Relation> {
    refuse_unknown(select)?;
    filtered(like, from::used(like, select, by)?, select.selection.as_ref())
}

/// Applies OFFSET and LIMIT to the result of a query.
pub(in crate::sql) fn cut(session: &Session<'_>, query: &Query, rows: Relation) -> Result<Relation> {
    let (ctes, nothing) = (Ctes::default(), Relation::single_row());
    limited(&Scope::new(session, &ctes, &nothing), query, rows)
}

/// The columns of a `SELECT` list and its sort keys, unsorted.
pub(in crate::sql) struct Projected {
    pub rows: Relation,
    pub keys: Vec<(Values, OrderByOptions)>,
}

fn filtered(like: &Scope<'_>, mut rows: Relation, condition: Option<&Expr>) -> Result<Relation> {
    // One condition after another: later ones are evaluated for fewer rows, and never for rows that earlier
    // ones exclude.
    for condition in condition.map(conjuncts).unwrap_or_default() {
        let scope = Scope { relation: &rows, ..*like };
        let keep = scope.truth(condition)?;
        if keep.contains(&false) {
            rows = rows.filter(&mask(&keep))?;
        }
    }
    Ok(rows)
}

/// Evaluates window functions, the `SELECT` list, DISTINCT, and the sort keys.
fn project(
    scope: &Scope<'_>,
    select: &Select,
    calls: &Calls,
    orders: &[(Expr, OrderByOptions)],
) -> Result<Projected> {
    let (mut known, mut windows) = (scope.known.to_vec(), Windows::default());
    for call in &calls.windows {
        let scope = Scope { known: &known, ..*scope };
        let window = windowed_call(&scope, call)?;
        known.push((call.clone(), window::evaluate(&scope, &window, &mut windows)?));
    }
    let (rows, keys) = shown(&Scope { known: &known, ..*scope }, select, orders)?;
    if !matches!(select.distinct, Some(Distinct::Distinct)) {
        return Ok(Projected { rows, keys });
    }
    let first = groups_of(&rows)?.first;
    let keys = keys
        .iter()
        .map(|(values, options)| Ok((values.take(&first)?, *options)))
        .collect::<Result<Vec<_>>>()?;
    Ok(Projected { rows: rows.take(&first)?, keys })
}

fn windowed_call(scope: &Scope<'_>, call: &Expr) -> Result<Window> {
    resolve::rows::window(scope, calls::as_call(call)?).map_err(|error| error.at(call))
}

/// Evaluates the `SELECT` list for some of the scope's rows, the `own` ones. `adjust` gets the values of each
/// window function over the scope's rows, and returns those over all rows.
pub(in crate::sql) fn windowed(
    scope: &Scope<'_>,
    select: &Select,
    calls: &[&Expr],
    own: &[Option<u32>],
    mut adjust: impl FnMut(usize, Values) -> Result<Values>,
) -> Result<Relation> {
    let (mut known, mut windows) = (Vec::new(), Windows::default());
    for (at, call) in calls.iter().enumerate() {
        let window = windowed_call(scope, call)?;
        let values = window::evaluate(scope, &window, &mut windows)?;
        known.push(((*call).clone(), adjust(at, values)?));
    }
    Scope { known: &known, ..*scope }.narrowed(own, |own| Ok(shown(own, select, &[])?.0))
}

/// Evaluates the `SELECT` list and the sort keys.
fn shown(
    scope: &Scope<'_>,
    select: &Select,
    orders: &[(Expr, OrderByOptions)],
) -> Result<(Relation, Vec<(Values, OrderByOptions)>)> {
    let rows = list::rows(scope, &resolve::list::list(scope, select)?)?;
    let keys = sort_values(scope, orders, &rows)?;
    Ok((rows, keys))
}

/// Evaluates the sort keys for the rows of a SELECT list.
fn sort_values(
    scope: &Scope<'_>,
    orders: &[(Expr, OrderByOptions)],
    rows: &Relation,
) -> Result<Vec<(Values, OrderByOptions)>> {
    list::sort_values(scope, &resolve::list::sort_keys(scope, orders, &rows.fields)?, rows)
}

/// Applies OFFSET and LIMIT.
fn limited(like: &Scope<'_>, query: &Query, rows: Relation) -> Result<Relation> {
    let (offset, count) = limits(like, query)?;
    // Rows equal to the last one have been included when the rows were sorted.
    let count = if has_ties(query) { usize::MAX } else { count };
    Ok(if offset == 0 && count >= rows.height { rows } else { rows.slice(offset, count) })
}

pub(in crate::sql) fn set(like: &Scope<'_>, body: &SetExpr) -> Result<Relation> {
    match body {
        SetExpr::Select(select) => self::select(like, select, None, First::ALL),
        SetExpr::Query(inner) => query(like.session, like.ctes, like.outer, inner),
        SetExpr::Values(values) => value_rows(like, values),
        SetExpr::SetOperation { left, op, set_quantifier, right } => {
            combine(like.session.limits(), set(like, left)?, set(like, right)?, *op, *set_quantifier)
        }
        _ => Err(SqlError::new("only SELECT can be asked: logs are read, never written").at(body)),
    }
}
