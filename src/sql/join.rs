//! Joins: equal columns are matched by grouping both sides at once; what is left of the condition is tried on the pairs.

use polars::prelude::Series;
use sqlparser::ast::{BinaryOperator, Expr};

use super::compare;
use super::error::{Result, SqlError};
use super::eval::{Scope, mask};
use super::group::key_column;
use super::relation::{Groups, Relation};
use super::values::Values;
use super::walk;

/// Pairs that a join may look at; a join without an equality can make very many.
const PAIRS_MAX: usize = 50_000_000;

/// Which rows without a partner stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keeps {
    pub left: bool,
    pub right: bool,
}

/// Pairs of rows, by index, of which the condition is true.
pub(super) struct Pairs {
    pub left: Vec<u32>,
    pub right: Vec<u32>,
}

/// Matches `left` and `right` by `condition`; `like` lends its session and outer scopes.
pub(super) fn pairs(like: &Scope<'_>, left: &Relation, right: &Relation, condition: Option<&Expr>) -> Result<Pairs> {
    let conjuncts = condition.map(walk::conjuncts).unwrap_or_default();
    let (mut keys, mut rest) = (Vec::new(), Vec::new());
    for conjunct in conjuncts {
        match equality(like, left, right, conjunct)? {
            Some(pair) => keys.push(pair),
            None => rest.push(conjunct),
        }
    }
    let pairs = if keys.is_empty() { all(left.height, right.height)? } else { equal(&keys, left.height, right.height)? };
    restrict(like, left, right, pairs, &rest)
}

/// `a.x = b.y` as the two columns, left one first.
fn equality(like: &Scope<'_>, left: &Relation, right: &Relation, condition: &Expr) -> Result<Option<(Values, Values)>> {
    let Expr::BinaryOp { left: a, op: BinaryOperator::Eq, right: b } = condition else { return Ok(None) };
    if walk::has_subquery(condition) {
        return Ok(None);
    }
    // Only this side: a name of the other one must not be found further out.
    let inner = |relation: &Relation, expr: &Expr| Scope::new(like.session, like.ctes, relation).eval(expr);
    for (first, second) in [(a, b), (b, a)] {
        // A column that only one side has decides which side an expression belongs to.
        if let (Ok(x), Ok(y)) = (inner(left, first), inner(right, second))
            && (inner(right, first).is_err() || inner(left, second).is_err() || x.constant || y.constant)
        {
            let (x, y) = compare::unify(&x, &y, left.height.max(right.height), true)?;
            let spread = |values: Values, height: usize| Values::new(values.kind.clone(), values.spread(height));
            return Ok(Some((spread(x, left.height), spread(y, right.height))));
        }
    }
    Ok(None)
}

fn all(left: usize, right: usize) -> Result<Pairs> {
    match left.checked_mul(right) {
        Some(count) if count <= PAIRS_MAX => {}
        _ => return Err(SqlError::new(format!("joining {left} with {right} rows without an equality would make too many pairs"))),
    }
    let (left_rows, right_rows) = (u32::try_from(left).unwrap_or(0), u32::try_from(right).unwrap_or(0));
    let left = (0..left_rows).flat_map(|row| std::iter::repeat_n(row, right)).collect();
    let right = (0..left_rows).flat_map(|_| 0..right_rows).collect();
    Ok(Pairs { left, right })
}

fn equal(keys: &[(Values, Values)], left: usize, right: usize) -> Result<Pairs> {
    let mut columns: Vec<Series> = Vec::new();
    let mut null = vec![false; left + right];
    for (a, b) in keys {
        let mut column = key_column(a, left)?;
        column.append_owned(key_column(b, right)?)?;
        null.iter_mut().zip(column.is_null().iter()).for_each(|(slot, is)| *slot = *slot || is == Some(true));
        columns.push(column.rechunk());
    }
    let groups = Groups::by(&columns, left + right)?;
    let mut partners: Vec<Vec<u32>> = vec![Vec::new(); groups.count()];
    let group = |row: usize| groups.of_row.get(row).map(|group| *group as usize).filter(|_| null.get(row) == Some(&false));
    for row in 0..right {
        if let Some(list) = group(left + row).and_then(|group| partners.get_mut(group)) {
            list.extend(u32::try_from(row).ok());
        }
    }
    let mut pairs = Pairs { left: Vec::new(), right: Vec::new() };
    for row in 0..left {
        let Some(list) = group(row).and_then(|group| partners.get(group)) else { continue };
        if pairs.left.len().saturating_add(list.len()) > PAIRS_MAX {
            return Err(SqlError::new("the join makes too many pairs of rows"));
        }
        pairs.left.extend(std::iter::repeat_n(u32::try_from(row).unwrap_or(u32::MAX), list.len()));
        pairs.right.extend(list);
    }
    Ok(pairs)
}

fn restrict(like: &Scope<'_>, left: &Relation, right: &Relation, pairs: Pairs, rest: &[&Expr]) -> Result<Pairs> {
    if rest.is_empty() {
        return Ok(pairs);
    }
    let joined = joined(left, right, &pairs)?;
    let scope = Scope { relation: &joined, known: &[], ungrouped: None, ..*like };
    let mut keep = vec![true; joined.height];
    for condition in rest {
        let holds = scope.truth_among(condition, &keep)?;
        keep.iter_mut().zip(holds).for_each(|(slot, holds)| *slot = *slot && holds);
    }
    let keep_of = |rows: Vec<u32>| rows.into_iter().zip(&keep).filter(|(_, keep)| **keep).map(|(row, _)| row).collect();
    Ok(Pairs { left: keep_of(pairs.left), right: keep_of(pairs.right) })
}

fn joined(left: &Relation, right: &Relation, pairs: &Pairs) -> Result<Relation> {
    let some = |rows: &[u32]| rows.iter().copied().map(Some).collect::<Vec<_>>();
    Ok(left.take(&some(&pairs.left))?.beside(right.take(&some(&pairs.right))?))
}

/// The joined rows.
pub(super) fn join(like: &Scope<'_>, left: &Relation, right: &Relation, condition: Option<&Expr>, keeps: Keeps) -> Result<Relation> {
    let pairs = pairs(like, left, right, condition)?;
    let mut lefts: Vec<Option<u32>> = pairs.left.iter().copied().map(Some).collect();
    let mut rights: Vec<Option<u32>> = pairs.right.iter().copied().map(Some).collect();
    if keeps.left {
        let alone = alone(&pairs.left, left.height);
        rights.extend(std::iter::repeat_n(None, alone.len()));
        lefts.extend(alone);
        // Rows stay in the order of the left side.
        let mut order: Vec<usize> = (0..lefts.len()).collect();
        order.sort_by_key(|at| lefts.get(*at).copied().flatten());
        lefts = order.iter().map(|at| lefts.get(*at).copied().flatten()).collect();
        rights = order.iter().map(|at| rights.get(*at).copied().flatten()).collect();
    }
    if keeps.right {
        let alone = alone(&pairs.right, right.height);
        lefts.extend(std::iter::repeat_n(None, alone.len()));
        rights.extend(alone);
    }
    Ok(left.take(&lefts)?.beside(right.take(&rights)?))
}

fn alone(matched: &[u32], height: usize) -> Vec<Option<u32>> {
    let mut has = vec![false; height];
    for row in matched {
        if let Some(slot) = has.get_mut(*row as usize) {
            *slot = true;
        }
    }
    (0_u32..).zip(has).filter(|(_, has)| !has).map(|(row, _)| Some(row)).collect()
}

/// The rows of `left` that have a partner (or none, if `negated`).
pub(super) fn semi(like: &Scope<'_>, left: &Relation, right: &Relation, condition: Option<&Expr>, negated: bool) -> Result<Relation> {
    let pairs = pairs(like, left, right, condition)?;
    let mut keep = vec![negated; left.height];
    for row in pairs.left {
        if let Some(slot) = keep.get_mut(row as usize) {
            *slot = !negated;
        }
    }
    left.filter(&mask(&keep))
}
