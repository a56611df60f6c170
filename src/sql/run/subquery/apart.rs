//! Subqueries whose rows are made once for all rows around them, and put together with these as in a join
//! ([`Apart`]), and not once for each of them.

use sqlparser::ast::Expr;

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::expression::query::{Answer, Apart, Subquery};
use crate::sql::expression::rows::Aggregate;
use crate::sql::functions::{aggregate, predicate};
use crate::sql::run::join::Matched;
use crate::sql::run::{from, join};
use crate::sql::scope::{Scope, mask};
use crate::sql::types::compare::comparable;
use crate::sql::types::relation::{Field, Groups, Relation};
use crate::sql::types::schema::only_column;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// The scope without its outer scopes.
fn own<'s>(scope: &Scope<'s>) -> Scope<'s> {
    Scope { outer: None, known: &[], ungrouped: None, ..*scope }
}

/// The rows of the subquery's tables for which its own conditions are true.
fn rows(scope: &Scope<'_>, apart: &Apart) -> Result<Relation> {
    let like = own(scope);
    let mut rows = from::tables(&like, &apart.from)?;
    for condition in &apart.conditions {
        let keep = (Scope { relation: &rows, ..like }).holds(condition)?;
        rows = rows.filter(&mask(&keep))?;
    }
    Ok(rows)
}

/// `EXISTS`: for each outer row, whether the subquery has a row; `None` if it has to be run for each of them.
pub(super) fn exists(scope: &Scope<'_>, subquery: &Subquery) -> Result<Option<Vec<bool>>> {
    let Some(apart) = &subquery.apart else { return Ok(None) };
    let Answer::Matches { condition, .. } = &apart.answer else { return Ok(None) };
    let scope = Scope { known: &[], ..*scope };
    join::found(&scope, scope.relation, &rows(&scope, apart)?, condition).map(Some)
}

/// `value IN (…)` for each outer row; unknown if a NULL leaves it open.
pub(super) fn contains(
    scope: &Scope<'_>,
    value: &Values,
    subquery: &Subquery,
) -> Result<Option<Vec<Option<bool>>>> {
    let Some(apart) = subquery.apart.as_ref().filter(|_| !matches!(value.kind, Kind::Row(_))) else {
        return Ok(None);
    };
    let Answer::Matches { condition, search: Some(search) } = &apart.answer else { return Ok(None) };
    let inner = rows(scope, apart)?;
    let kind = &only_column(&subquery.fields)?.kind;
    comparable(&value.kind, kind)
        .map_err(|_| SqlError::new(format!("{} and {kind} cannot be compared with IN", value.kind)))?;
    let mut outer = scope.relation.clone();
    outer.push(Field::new("", value.kind.clone()), scope.spread(value)?);
    let plain = Scope { known: &[], ..*scope };
    let is_in = join::found(&plain, &outer, &inner, &search.is_equal)?;
    let has_null = join::found(&plain, scope.relation, &inner, &search.is_null)?;
    let has_any = join::found(&plain, scope.relation, &inner, condition)?;
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
    let Some(apart) = &subquery.apart else { return Ok(None) };
    let Answer::Aggregated { equal, aggregates, value } = &apart.answer else { return Ok(None) };
    let inner = rows(scope, apart)?;
    match by_group(scope, &inner, equal, (aggregates, value)) {
        // The invalid value may be in a group that no outer row needs.
        Err(error) if error.by_value => Ok(None),
        values => values.map(Some),
    }
}

fn by_group(
    scope: &Scope<'_>,
    inner: &Relation,
    equal: &[(Expression, Expression)],
    (aggregates, value): (&[(Expr, Aggregate)], &Expression),
) -> Result<Values> {
    let (height, inside) = (scope.height(), Scope { relation: inner, ..own(scope) });
    let keys = equal.iter().map(|(first, second)| {
        join::unified(&inside.value(first)?, &scope.value(second)?, inner.height, height)
    });
    let matched = match keys.collect::<Result<Vec<_>>>()?.as_slice() {
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
    let mut known = Vec::new();
    for (call, aggregate) in aggregates {
        known.push((call.clone(), aggregate::evaluate(&inside, aggregate, &groups)?));
    }
    let rows = Relation { height: groups.count(), ..Relation::default() };
    let after = Scope { relation: &rows, known: &known, ungrouped: Some(&inside), ..inside };
    let values = after.values(value)?;
    values.take(&(inner.height..inner.height + height).map(|row| Some(group(row, count))).collect::<Vec<_>>())
}
