//! `reduce(array, start, (state, x) -> …, state -> …)`, and `zip_with`.

use super::body::{Lambda, rows_of};
use crate::sql::error::Result;
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::cast::cast;
use crate::sql::types::compare::common;
use crate::sql::types::nested_values::explode;
use crate::sql::types::values::Values;
use crate::tables::Kind;
use crate::tables::builder::lists;

/// Processes the first elements of all rows together, then the second ones, and so on.
pub(super) fn reduce(
    scope: &Scope<'_>,
    array: &Expression,
    start: &Expression,
    step: &Expression,
    finish: &Expression,
) -> Result<Values> {
    let finish = Lambda::of("reduce", finish, 1)?;
    let array = scope.values(array)?;
    let state = folded(scope, &array, start, ("reduce", step))?;
    let (_, lengths) = explode(&array)?;
    let all: Vec<Option<u32>> = (0_u32..).zip(&lengths).map(|(row, _)| Some(row)).collect();
    let results = finish.over(scope, &all, &[&state])?;
    let known: Vec<Option<u32>> = (0_u32..).zip(&lengths).map(|(row, length)| length.map(|_| row)).collect();
    results.take(&known)
}

/// Applies the function to the elements of each array one after another, beginning with the start value.
pub(in crate::sql) fn folded(
    scope: &Scope<'_>,
    array: &Values,
    start: &Expression,
    (name, step): (&str, &Expression),
) -> Result<Values> {
    let step = Lambda::of(name, step, 2)?;
    let (elements, lengths) = explode(array)?;
    let starts = starts(&lengths);
    let mut state = scope.values(start)?;
    // First over no rows, so that the state has the type that all later states have.
    state = replaced(&state, &step.over(scope, &[], &[&state.take(&[])?, &elements.take(&[])?])?, &[])?;
    for at in 0..lengths.iter().flatten().copied().max().unwrap_or(0) {
        let rows: Vec<Option<u32>> = (0_u32..)
            .zip(&lengths)
            .filter(|(_, length)| length.is_some_and(|length| length > at))
            .map(|(row, _)| Some(row))
            .collect();
        let places: Vec<Option<u32>> = rows
            .iter()
            .map(|row| {
                starts.get(row.map(|row| row as usize)?).and_then(|start| u32::try_from(start + at).ok())
            })
            .collect();
        let next = step.over(scope, &rows, &[&state.take(&rows)?, &elements.take(&places)?])?;
        state = replaced(&state, &next, &rows)?;
    }
    Ok(state)
}

fn starts(lengths: &[Option<usize>]) -> Vec<usize> {
    let mut start = 0;
    let mut next = |length: &Option<usize>| {
        let own = start;
        start += length.unwrap_or(0);
        own
    };
    lengths.iter().map(&mut next).collect()
}

/// `values` with those of `rows` replaced.
fn replaced(values: &Values, new: &Values, rows: &[Option<u32>]) -> Result<Values> {
    let kind = common(&values.kind, &new.kind)?;
    let height = values.data.len();
    let mut data = cast(values, &kind, height, false)?.data;
    data.append_owned(cast(new, &kind, new.data.len(), false)?.data)?;
    let mut places: Vec<Option<u32>> = (0..height).map(|row| u32::try_from(row).ok()).collect();
    for (at, row) in rows.iter().enumerate() {
        if let Some(slot) = row.and_then(|row| places.get_mut(row as usize)) {
            *slot = u32::try_from(height + at).ok();
        }
    }
    Values::new(kind, data.rechunk()).take(&places)
}

/// The lambda's value for each pair of elements; the shorter array is filled with NULL.
pub(super) fn zip_with(
    scope: &Scope<'_>,
    first: &Expression,
    second: &Expression,
    body: &Expression,
) -> Result<Values> {
    let body = Lambda::of("zip_with", body, 2)?;
    let (first, first_lengths) = explode(&scope.values(first)?)?;
    let (second, second_lengths) = explode(&scope.values(second)?)?;
    let lengths: Vec<Option<usize>> =
        first_lengths.iter().zip(&second_lengths).map(|(a, b)| Some((*a)?.max((*b)?))).collect();
    let places = |own: &[Option<usize>]| {
        let starts = starts(own);
        let of_row = |(row, length): (usize, &Option<usize>)| {
            let (start, own) =
                (starts.get(row).copied().unwrap_or(0), own.get(row).copied().flatten().unwrap_or(0));
            (0..length.unwrap_or(0)).map(move |at| u32::try_from(start + at).ok().filter(|_| at < own))
        };
        lengths.iter().enumerate().flat_map(of_row).collect::<Vec<_>>()
    };
    let (first, second) = (first.take(&places(&first_lengths))?, second.take(&places(&second_lengths))?);
    let results = body.over(scope, &rows_of(&lengths), &[&first, &second])?;
    let data = lists("", &results.data, &results.kind, &lengths);
    Ok(Values::new(Kind::array(results.kind), data))
}
