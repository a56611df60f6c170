//! How a `SELECT` is grouped and sorted: which expressions are keys, which calls are in it; `ROLLUP`, `CUBE`
//! and `GROUPING SETS`.

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, GroupByWithModifier, LimitClause, OrderBy, OrderByKind, OrderByOptions,
    Query, Select,
};

use super::calls::{arguments, as_call};
use super::walk::{Calls, list_exprs};
use crate::sql::error::{Result, SqlError};

/// Maximum number of grouping sets: `CUBE` doubles them with each key.
const SETS_MAX: usize = 64;

/// The grouping of a `SELECT`.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Grouping {
    /// The keys, each once.
    pub keys: Vec<Expr>,
    /// The grouping sets, as indexes of keys; mostly one, with all keys.
    pub sets: Vec<Vec<usize>>,
}

/// The sets of `ROLLUP (a, b, c)`: `(a, b, c)`, `(a, b)`, `(a)`, `()`.
fn rollup(steps: &[Vec<Expr>]) -> Vec<Vec<Expr>> {
    (0..=steps.len()).rev().map(|count| steps.iter().take(count).flatten().cloned().collect()).collect()
}

/// The sets of `CUBE`: all subsets of the parts.
fn cube(parts: &[Vec<Expr>]) -> Result<Vec<Vec<Expr>>> {
    if 1 << parts.len().min(32) > SETS_MAX {
        return Err(SqlError::new(format!(
            "CUBE of {} keys would group more than {SETS_MAX} times",
            parts.len()
        )));
    }
    let chosen = |choice: usize| {
        let is_chosen = |at: usize| choice & (1 << (parts.len() - 1 - at)) != 0;
        parts.iter().enumerate().filter(|(at, _)| is_chosen(*at)).flat_map(|(_, part)| part.clone()).collect()
    };
    Ok((0..1_usize << parts.len()).rev().map(chosen).collect())
}

impl Grouping {
    /// The grouping of a `SELECT`; `None` if there is none.
    pub fn of(select: &Select, calls: &Calls) -> Result<Option<Self>> {
        let (exprs, modifiers) = match &select.group_by {
            GroupByExpr::All(_) => return Err(SqlError::new("GROUP BY ALL is not supported")),
            GroupByExpr::Expressions(exprs, modifiers) => (exprs, modifiers.as_slice()),
        };
        if exprs.is_empty() && modifiers.is_empty() && calls.aggregates.is_empty() && select.having.is_none()
        {
            return Ok(None);
        }
        let mut grouping = Self { keys: Vec::new(), sets: vec![Vec::new()] };
        for expr in exprs {
            let sets = match expr {
                Expr::GroupingSets(sets) => sets.clone(),
                Expr::Rollup(steps) => rollup(steps),
                Expr::Cube(parts) => cube(parts)?,
                Expr::Tuple(exprs) => vec![exprs.clone()],
                other => vec![vec![other.clone()]],
            };
            grouping.multiply(&sets)?;
        }
        for modifier in modifiers {
            match modifier {
                GroupByWithModifier::GroupingSets(Expr::GroupingSets(sets)) => grouping.multiply(sets)?,
                other => {
                    return Err(SqlError::new(format!(
                        "GROUP BY … {other} is not supported; write ROLLUP (…), CUBE (…) or GROUPING SETS (…)"
                    )));
                }
            }
        }
        Ok(Some(grouping))
    }

    /// Combines each existing set with each of `more`.
    fn multiply(&mut self, more: &[Vec<Expr>]) -> Result<()> {
        let mut added = Vec::new();
        for set in more {
            added.push(set.iter().map(|key| self.place(unwrapped(key).clone())).collect::<Vec<_>>());
        }
        if self.sets.len() * added.len() > SETS_MAX {
            return Err(SqlError::new(format!("GROUP BY would group more than {SETS_MAX} times")));
        }
        let joined = |before: &Vec<usize>, added: &Vec<usize>| {
            let new = added.iter().enumerate().filter(|(at, key)| {
                !before.contains(key) && added.iter().position(|other| other == *key) == Some(*at)
            });
            before.iter().copied().chain(new.map(|(_, key)| *key)).collect()
        };
        self.sets = self
            .sets
            .iter()
            .flat_map(|before| added.iter().map(move |added| joined(before, added)))
            .collect();
        Ok(())
    }

    /// The keys, if there is only one set, with all of them.
    pub fn only_keys(&self) -> Option<&[Expr]> {
        matches!(self.sets.as_slice(), [set] if set.len() == self.keys.len()).then_some(&self.keys)
    }

    fn place(&mut self, key: Expr) -> usize {
        self.keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }

    /// `grouping(a, b)` for the groups of a set: a bit for each argument, 1 if it is not in the set.
    pub fn bits(&self, set: &[usize], call: &Expr) -> Result<i64> {
        let mut bits = 0;
        for arg in arguments(as_call(call)?)? {
            let place = self.keys.iter().position(|key| key == unwrapped(arg));
            let place =
                place.ok_or_else(|| SqlError::new("grouping(…) asks for keys of GROUP BY").at(arg))?;
            bits = bits << 1 | i64::from(!set.contains(&place));
        }
        Ok(bits)
    }
}

fn unwrapped(expr: &Expr) -> &Expr {
    if let Expr::Nested(inner) = expr { unwrapped(inner) } else { expr }
}

/// Whether a `SELECT` has groups or aggregates.
pub(in crate::sql) fn is_grouped(select: &Select, by: Option<&OrderBy>) -> bool {
    let calls = calls(select, &by.and_then(|by| order_exprs(by).ok()).unwrap_or_default());
    has_keys(select) || !calls.aggregates.is_empty() || select.having.is_some()
}

/// Whether a `SELECT` has a GROUP BY.
pub(in crate::sql) fn has_keys(select: &Select) -> bool {
    !matches!(&select.group_by, GroupByExpr::Expressions(exprs, more) if exprs.is_empty() && more.is_empty())
}

pub(in crate::sql) fn order_exprs(by: &OrderBy) -> Result<Vec<(Expr, OrderByOptions)>> {
    match &by.kind {
        OrderByKind::Expressions(exprs) => {
            Ok(exprs.iter().map(|key| (key.expr.clone(), key.options)).collect())
        }
        OrderByKind::All(_) => Err(SqlError::new("ORDER BY ALL is not supported").at(by)),
    }
}

pub(in crate::sql) fn calls(select: &Select, orders: &[(Expr, OrderByOptions)]) -> Calls {
    Calls::of(list_exprs(select).chain(&select.having).chain(orders.iter().map(|(expr, _)| expr)))
}

pub(in crate::sql) fn refuse_unknown(select: &Select) -> Result<()> {
    let refused = [
        (select.top.is_some(), "TOP (use LIMIT)"),
        (select.into.is_some(), "INTO"),
        (select.qualify.is_some(), "QUALIFY (filter in an outer query)"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW (use CROSS JOIN UNNEST)"),
        (
            !select.sort_by.is_empty() || !select.cluster_by.is_empty() || !select.distribute_by.is_empty(),
            "SORT/CLUSTER/DISTRIBUTE BY",
        ),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (matches!(select.distinct, Some(Distinct::On(_))), "DISTINCT ON"),
    ];
    match refused.iter().find(|(found, _)| *found) {
        Some((_, what)) => Err(SqlError::new(format!("{what} is not supported")).at(select)),
        None => Ok(()),
    }
}

/// The grouping of a `SELECT`, and the aggregates and window functions in it and in `by`.
pub(in crate::sql) fn grouping(select: &Select, by: Option<&OrderBy>) -> Result<(Option<Grouping>, Calls)> {
    let calls = calls(select, &by.map(order_exprs).transpose()?.unwrap_or_default());
    Ok((Grouping::of(select, &calls)?, calls))
}

/// Whether the first rows are passed over.
pub(in crate::sql) fn has_offset(query: &Query) -> bool {
    match &query.limit_clause {
        None => false,
        Some(LimitClause::LimitOffset { offset, .. }) => offset.is_some(),
        Some(_) => true,
    }
}

/// Whether rows equal to the last one are included (`WITH TIES`).
pub(in crate::sql) fn has_ties(query: &Query) -> bool {
    query.fetch.as_ref().is_some_and(|fetch| fetch.with_ties)
}
