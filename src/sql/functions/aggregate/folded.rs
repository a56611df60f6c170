//! `reduce_agg(value, start, (state, value) -> …, (state, state) -> …)`.

use super::input::input;
use crate::sql::error::Result;
use crate::sql::expression::rows::{Aggregate, Fold};
use crate::sql::functions::lambda::fold;
use crate::sql::scope::Scope;
use crate::sql::types::relation::{Groups, Relation};
use crate::sql::types::values::Values;

/// Applies the function to the values of each group in the order of its rows, without NULLs.
pub(super) fn reduce(
    scope: &Scope<'_>,
    call: &Aggregate,
    Fold { start, step }: &Fold,
    groups: &Groups,
) -> Result<Values> {
    let input = input(scope, call, groups)?;
    let nulls = input.nulls(0)?;
    let arrays = input.list(|_, row| nulls.get(row) == Some(&false))?;
    let rows = Relation { height: groups.count(), ..Relation::default() };
    let over = Scope { relation: &rows, known: &[], ungrouped: None, ..*scope };
    let state = fold::folded(&over, &arrays, start, ("reduce_agg", step))?;
    let places: Vec<Option<u32>> = (0_u32..)
        .zip(super::input::predicate_nulls(&arrays)?)
        .map(|(row, null)| (!null).then_some(row))
        .collect();
    state.take(&places)
}
