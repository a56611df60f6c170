//! `array_sort(array, (a, b) -> …)`; the lambda returns a negative number if the first element comes first.

use std::cmp::Ordering;

use super::body::Lambda;
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::memory::cell_bytes;
use crate::sql::scope::Scope;
use crate::sql::types::nested_values::explode;
use crate::sql::types::values::Values;
use crate::tables::Kind;
use crate::tables::builder::lists;

/// Compares every element of an array with every other, all at once.
pub(super) fn sort(scope: &Scope<'_>, array: &Expression, compare: &Expression) -> Result<Values> {
    let compare = Lambda::of("array_sort", compare, 2)?;
    let array = scope.values(array)?;
    let (elements, lengths) = explode(&array)?;
    let pairs =
        lengths.iter().flatten().map(|length| length.saturating_mul(*length)).fold(0, usize::saturating_add);
    scope.session.limits().fits_rows(pairs, 2 * cell_bytes(&elements.data) + 16)?;
    let (mut rows, mut firsts, mut seconds) =
        (Vec::with_capacity(pairs), Vec::with_capacity(pairs), Vec::with_capacity(pairs));
    let mut start = 0;
    for (row, length) in (0_u32..).zip(&lengths) {
        let range = start..start + length.unwrap_or(0);
        for first in range.clone() {
            for second in range.clone() {
                rows.push(Some(row));
                firsts.push(u32::try_from(first).ok());
                seconds.push(u32::try_from(second).ok());
            }
        }
        start = range.end;
    }
    let results = compare.over(scope, &rows, &[&elements.take(&firsts)?, &elements.take(&seconds)?])?;
    if !matches!(results.kind, Kind::Bigint | Kind::Unknown) {
        return Err(SqlError::new("the lambda of array_sort must give -1, 0 or 1").at_span(compare.body.span));
    }
    let cells = results.wholes()?;
    let is_null = |pair: usize| cells.get(pair).is_none();
    if !scope.lenient && (0..rows.len()).any(is_null) {
        return Err(SqlError::value("the lambda of array_sort gave NULL"));
    }
    let (mut places, mut sorted, mut start, mut first_pair) =
        (Vec::with_capacity(elements.data.len()), Vec::new(), 0, 0);
    for length in &lengths {
        let is_known = length.is_some_and(|length| !(first_pair..first_pair + length * length).any(is_null));
        sorted.push(length.filter(|_| is_known));
        let length = length.unwrap_or(0);
        if !is_known {
            start += length;
            first_pair += length * length;
            continue;
        }
        let mut order: Vec<usize> = (0..length).collect();
        let between = |a: usize, b: usize| {
            cells.get(first_pair + a * length + b).map_or(Ordering::Equal, |whole| whole.cmp(&0))
        };
        merge_sort(&mut order, &between);
        places.extend(order.into_iter().map(|at| u32::try_from(start + at).ok()));
        start += length;
        first_pair += length * length;
    }
    let data = lists("", &elements.take(&places)?.data, &elements.kind, &sorted);
    Ok(Values::new(Kind::array(elements.kind), data))
}

/// A stable sort that terminates whatever the lambda returns.
fn merge_sort(order: &mut Vec<usize>, between: &impl Fn(usize, usize) -> Ordering) {
    if order.len() < 2 {
        return;
    }
    let mut right = order.split_off(order.len() / 2);
    merge_sort(order, between);
    merge_sort(&mut right, between);
    let left = std::mem::take(order);
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        order.extend(if between(*a, *b).is_gt() { right.next() } else { left.next() });
    }
    order.extend(left.chain(right));
}
