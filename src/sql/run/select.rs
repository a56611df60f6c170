//! Runs queries: SELECT and what stands around it, WITH, UNION, ORDER BY, LIMIT.

mod list;

use sqlparser::ast::{Expr, OrderByOptions};

use super::sets::{combine, groups_of, value_rows};
use super::{from, group, recursive};
use crate::sql::catalog::Counted;
use crate::sql::error::Result;
use crate::sql::eval::constants::limits_of;
use crate::sql::expression::query::{Body, Common, CommonRows, Query, Select};
use crate::sql::functions::window::{self, Windows};
use crate::sql::scope::{Ctes, Scope, Session, Via, kept, mask};
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

/// The rows of a query. `outer` is the scope of a correlated subquery.
pub(in crate::sql) fn query(
    session: &Session<'_>,
    ctes: &Ctes,
    outer: Option<(&Scope<'_>, Via<'_>)>,
    query: &Query,
) -> Result<Relation> {
    let ctes = commons(session, ctes, outer, &query.commons)?;
    let empty = Relation::single_row();
    let like = Scope { outer, ..Scope::new(session, &ctes, &empty) };
    let limit = limits_of(&like, &query.limit);
    let wanted = limit.as_ref().map_or(usize::MAX, |(offset, count)| offset.saturating_add(*count));
    let first = First { rows: wanted, ties: query.limit.has_ties };
    let rows = match &query.body {
        Body::Select(select) => self::select(&like, select, first)?,
        other => {
            let rows = body(&like, other)?;
            let scope = Scope { relation: &rows, ..like };
            match list::sort_values(&scope, &query.order_by, &rows)?.as_slice() {
                [] => rows,
                keys => rows.take(&first.of(keys, rows.height)?)?,
            }
        }
    };
    Ok(limited(limit?, query.limit.has_ties, rows))
}

/// The common table expressions of `WITH`, added to `ctes`.
pub(in crate::sql) fn commons(
    session: &Session<'_>,
    ctes: &Ctes,
    outer: Option<(&Scope<'_>, Via<'_>)>,
    commons: &[Common],
) -> Result<Ctes> {
    let mut ctes = ctes.clone();
    for Common { name, columns, rows, span } in commons {
        let rows = match rows {
            CommonRows::Query(query) => self::query(session, &ctes, outer, query)?.renamed(name, columns),
            CommonRows::Recursive { first, next, all } => {
                let run = |ctes: &Ctes, body: &Body| {
                    let row = Relation::single_row();
                    let like = Scope { outer, ..Scope::new(session, ctes, &row) };
                    Ok(self::body(&like, body)?.seen())
                };
                recursive::rows(session.limits(), &ctes, name, columns, run, (first, next, *all))
                    .map_err(|error| error.at_span(*span))?
            }
        };
        ctes = ctes.with(name.clone(), rows);
    }
    Ok(ctes)
}

/// The rows of a SELECT in order; only the rows in `wanted` are needed.
fn select(like: &Scope<'_>, select: &Select, wanted: First) -> Result<Relation> {
    let Projected { rows, keys, .. } = listed(like, select)?;
    if keys.is_empty() { Ok(rows) } else { rows.take(&wanted.of(&keys, rows.height)?) }
}

/// The unsorted rows of a `SELECT`, and its sort keys.
pub(in crate::sql) fn listed(like: &Scope<'_>, select: &Select) -> Result<Projected> {
    let rows = rows(like, select)?;
    let scope = Scope { relation: &rows, ..*like };
    let Some(groups) = &select.groups else { return project(&scope, select) };
    let counted = like.session.catalog.counted().and_then(|counted| counted.of(groups));
    let ((count, known), places) = match counted {
        Some(counted) => ((counted.count, counted.known), Relation::default()),
        None => group::grouped(&scope, groups)?,
    };
    let groups = Relation { height: count, ..places };
    let after = Scope { relation: &groups, known: &known, ungrouped: Some(&scope), ..*like };
    having(&after, select, |after| project(after, select))
}

/// Continues with the groups for which HAVING is true.
fn having<T>(after: &Scope<'_>, select: &Select, then: impl FnOnce(&Scope<'_>) -> Result<T>) -> Result<T> {
    let Some(having) = &select.having else { return then(after) };
    after.narrowed(&kept(&after.holds(having)?), then)
}

/// The rows of a `SELECT` over groups that have been computed. `places` are the positions of their first
/// events.
pub(in crate::sql) fn projected_groups(
    like: &Scope<'_>,
    select: &Select,
    counted: &Counted,
    places: Relation,
) -> Result<Projected> {
    let rows = rows(like, select)?;
    let scope = Scope { relation: &rows, ..*like };
    let known = select.groups.as_ref().and_then(|groups| counted.of(groups)).map(|counted| counted.known);
    let known = known.unwrap_or_default();
    let after = Scope { relation: &places, known: &known, ungrouped: Some(&scope), ..*like };
    having(&after, select, |after| project(after, select))
}

/// The rows of FROM for which WHERE is true, with the columns that the SELECT uses.
pub(in crate::sql) fn rows(like: &Scope<'_>, select: &Select) -> Result<Relation> {
    let mut rows = from::tables(like, &select.from)?;
    // One condition after another: later ones are evaluated for fewer rows, and never for rows that earlier
    // ones exclude.
    for condition in &select.conditions {
        let scope = Scope { relation: &rows, ..*like };
        let keep = scope.holds(condition)?;
        if keep.contains(&false) {
            rows = rows.filter(&mask(&keep))?;
        }
    }
    Ok(rows)
}

/// The rows that OFFSET and LIMIT leave.
pub(super) fn limited((offset, count): (usize, usize), has_ties: bool, rows: Relation) -> Relation {
    // Rows equal to the last one have been included when the rows were sorted.
    let count = if has_ties { usize::MAX } else { count };
    if offset == 0 && count >= rows.height { rows } else { rows.slice(offset, count) }
}

/// The columns of a `SELECT` list and its sort keys, unsorted.
pub(in crate::sql) struct Projected {
    pub rows: Relation,
    pub keys: Vec<(Values, OrderByOptions)>,
}

/// Evaluates window functions, the `SELECT` list, DISTINCT, and the sort keys.
fn project(scope: &Scope<'_>, select: &Select) -> Result<Projected> {
    let (mut known, mut windows) = (scope.known.to_vec(), Windows::default());
    for (call, window) in &select.windows {
        let scope = Scope { known: &known, ..*scope };
        known.push((call.clone(), window::evaluate(&scope, window, &mut windows)?));
    }
    let scope = Scope { known: &known, ..*scope };
    let rows = list::rows(&scope, &select.list)?;
    let keys = list::sort_values(&scope, &select.order_by, &rows)?;
    if !select.is_distinct {
        return Ok(Projected { rows, keys });
    }
    let first = groups_of(&rows)?.first;
    let keys = keys
        .iter()
        .map(|(values, options)| Ok((values.take(&first)?, *options)))
        .collect::<Result<Vec<_>>>()?;
    Ok(Projected { rows: rows.take(&first)?, keys })
}

/// Evaluates the `SELECT` list for some of the scope's rows, the `own` ones. `adjust` gets the values of each
/// window function over the scope's rows, and returns those over all rows.
pub(in crate::sql) fn windowed(
    scope: &Scope<'_>,
    select: &Select,
    own: &[Option<u32>],
    mut adjust: impl FnMut(usize, Values) -> Result<Values>,
) -> Result<Relation> {
    let (mut known, mut windows): (Vec<(Expr, Values)>, _) = (Vec::new(), Windows::default());
    for (at, (call, window)) in select.windows.iter().enumerate() {
        let values = window::evaluate(scope, window, &mut windows)?;
        known.push((call.clone(), adjust(at, values)?));
    }
    Scope { known: &known, ..*scope }.narrowed(own, |own| list::rows(own, &select.list))
}

/// The rows of a side of a set operation.
pub(in crate::sql) fn body(like: &Scope<'_>, body: &Body) -> Result<Relation> {
    match body {
        Body::Select(select) => self::select(like, select, First::ALL),
        Body::Query(inner) => query(like.session, like.ctes, like.outer, inner),
        Body::Values(rows) => value_rows(like, rows),
        Body::Set { operator, all, left, right } => {
            let (left, right) = (self::body(like, left)?, self::body(like, right)?);
            combine(like.session.limits(), left, right, *operator, *all)
        }
    }
}
