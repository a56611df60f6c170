//! `GROUP BY`: determines the keys and groups the rows; `ROLLUP`, `CUBE` and `GROUPING SETS` group several
//! times.

use polars::prelude::Series;
use sqlparser::ast::{Expr, GroupByExpr, GroupByWithModifier, Select};

use super::aggregate;
use super::cast;
use super::error::{Result, SqlError};
use super::eval::Scope;
use super::functions::arguments;
use super::place::is_place;
use super::relation::{Groups, Relation};
use super::values::{Cell, Values, take};
use super::walk::Calls;
use crate::tables::Kind;

/// Maximum number of grouping sets: `CUBE` doubles them with each key.
const SETS_MAX: usize = 64;

/// A column by which rows can be grouped: nested values become JSON, which is equal if the values are.
pub(super) fn key_column(values: &Values, height: usize) -> Result<Series> {
    match values.kind {
        Kind::Array(_) | Kind::Row(_) | Kind::Map(..) => {
            Ok(String::column(cast::json_texts(values, height)?))
        }
        _ => Ok(values.spread(height)),
    }
}

/// The grouping of a `SELECT`.
pub(super) struct Grouping {
    /// The keys, each once.
    keys: Vec<Expr>,
    /// The grouping sets, as indexes of keys; mostly one, with all keys.
    sets: Vec<Vec<usize>>,
}

/// The grouping of a `SELECT`; `None` if there is none.
pub(super) fn grouping(select: &Select, calls: &Calls) -> Result<Option<Grouping>> {
    let (exprs, modifiers) = match &select.group_by {
        GroupByExpr::All(_) => return Err(SqlError::new("GROUP BY ALL is not supported")),
        GroupByExpr::Expressions(exprs, modifiers) => (exprs, modifiers.as_slice()),
    };
    if exprs.is_empty() && modifiers.is_empty() && calls.aggregates.is_empty() && select.having.is_none() {
        return Ok(None);
    }
    let mut grouping = Grouping { keys: Vec::new(), sets: vec![Vec::new()] };
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
    pub(super) fn only_keys(&self) -> Option<&[Expr]> {
        matches!(self.sets.as_slice(), [set] if set.len() == self.keys.len()).then_some(&self.keys)
    }

    fn place(&mut self, key: Expr) -> usize {
        self.keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }

    /// `grouping(a, b)` for the groups of a set: a bit for each argument, 1 if it is not in the set.
    fn bits(&self, set: &[usize], call: &Expr) -> Result<i64> {
        let mut bits = 0;
        for arg in arguments(aggregate::as_call(call)?)? {
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

/// Number of groups, and their keys and aggregates.
type Known = (usize, Vec<(Expr, Values)>);

/// Groups the scope's rows, and computes keys and aggregates. The groups of several sets are concatenated; a
/// key that is not in a set is NULL. The second result has the positions of the groups' first events, if rows
/// have positions.
pub(super) fn grouped(scope: &Scope<'_>, grouping: &Grouping, calls: &Calls) -> Result<(Known, Relation)> {
    let keys = grouping.keys.iter().map(|key| scope.column(key)).collect::<Result<Vec<_>>>()?;
    let columns = keys.iter().map(|values| key_column(values, scope.height())).collect::<Result<Vec<_>>>()?;
    let mut all: Option<Known> = None;
    let mut places = Relation::default();
    for set in &grouping.sets {
        let by: Vec<Series> = set.iter().filter_map(|at| columns.get(*at).cloned()).collect();
        let groups =
            if by.is_empty() { Groups::one(scope.height()) } else { Groups::by(&by, scope.height())? };
        let groups = match scope.relation.places() {
            Some(places) => groups.in_order(places)?,
            None => groups,
        };
        if grouping.sets.len() == 1 {
            places = places_of(scope.relation, &groups)?;
        }
        let mut known = Vec::new();
        for (at, (key, values)) in grouping.keys.iter().zip(&keys).enumerate() {
            let values = if set.contains(&at) {
                values.take(&groups.first)?
            } else {
                values.take(&vec![None; groups.count()])?
            };
            known.push((key.clone(), values));
        }
        for call in &calls.aggregates {
            let values = aggregate::evaluate(scope, aggregate::as_call(call)?, &groups)
                .map_err(|error| error.at(call))?;
            known.push((call.clone(), values));
        }
        for call in &calls.groupings {
            let bits = Values::constant(Kind::Bigint, Some(grouping.bits(set, call)?));
            known.push((call.clone(), Values::new(Kind::Bigint, bits.spread(groups.count()))));
        }
        all = Some(match all {
            None => (groups.count(), known),
            Some(before) => under_each_other(before, (groups.count(), known))?,
        });
    }
    Ok((all.unwrap_or_default(), places))
}

/// The positions of the first events of the groups, in the hidden columns for positions.
fn places_of(rows: &Relation, groups: &Groups) -> Result<Relation> {
    let mut places = Relation { height: groups.count(), ..Relation::default() };
    for (field, column) in rows.fields.iter().zip(&rows.columns).filter(|(field, _)| is_place(field)) {
        places.push(field.clone(), take(column, &groups.first)?);
    }
    Ok(places)
}

fn under_each_other((count, mut known): Known, (more, below): Known) -> Result<Known> {
    for ((_, values), (_, below)) in known.iter_mut().zip(below) {
        values.data.append_owned(below.data)?;
        values.data = values.data.rechunk();
    }
    Ok((count + more, known))
}
