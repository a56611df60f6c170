//! Functions that make arrays of parts of an array.

use super::columns::Ranges;
use super::made::gather;
use crate::sql::error::{Result, SqlError};
use crate::sql::functions::call::Call;
use crate::sql::memory::cell_bytes;
use crate::sql::types::nested_values::explode;
use crate::sql::types::values::Values;
use crate::tables::Kind;
use crate::tables::builder::lists;

/// Maximum number of combinations of one array, as in Trino.
const COMBINATIONS_MAX: usize = 100_000;
/// Maximum number of elements of a combination, as in Trino.
const CHOSEN_MAX: i64 = 5;

/// `ngrams(array, n)`: all runs of n neighbours; the array itself if it is shorter.
pub(super) fn ngrams(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let sizes = call.wholes(1)?;
    several(call, |row, range| {
        let Some(size) = sizes.get(row) else { return Ok(None) };
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size > 0)
            .ok_or_else(|| SqlError::value("n must be positive"))?;
        let all: Vec<u32> = range.filter_map(|at| u32::try_from(at).ok()).collect();
        Ok(Some(if all.len() <= size { vec![all] } else { all.windows(size).map(<[u32]>::to_vec).collect() }))
    })
}

/// `combinations(array, n)`: every choice of n elements, in Trino's order.
pub(super) fn combinations(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let sizes = call.wholes(1)?;
    several(call, |row, range| {
        let Some(size) = sizes.get(row) else { return Ok(None) };
        if !(0..=CHOSEN_MAX).contains(&size) {
            return Err(SqlError::value(format!("a combination has 0 to {CHOSEN_MAX} elements")));
        }
        let all: Vec<u32> = range.filter_map(|at| u32::try_from(at).ok()).collect();
        let mut chosen: Vec<usize> = (0..usize::try_from(size).unwrap_or(0)).collect();
        let mut made = Vec::new();
        while chosen.last().is_none_or(|last| *last < all.len()) {
            made.push(chosen.iter().filter_map(|at| all.get(*at).copied()).collect());
            if made.len() > COMBINATIONS_MAX {
                return Err(SqlError::value(format!("more than {COMBINATIONS_MAX} combinations")));
            }
            if !advance(&mut chosen, all.len()) {
                break;
            }
        }
        Ok(Some(made))
    })
}

/// The next combination: advances the first index that can be, and resets those before it.
fn advance(chosen: &mut [usize], count: usize) -> bool {
    for at in 0..chosen.len() {
        let limit = chosen.get(at + 1).copied().unwrap_or(count);
        let Some(slot) = chosen.get_mut(at) else { return false };
        if *slot + 1 < limit {
            *slot += 1;
            chosen.iter_mut().take(at).enumerate().for_each(|(first, slot)| *slot = first);
            return true;
        }
    }
    false
}

/// `trim_array(array, n)`: without the last n elements.
pub(super) fn trim_array(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (elements, lengths) = explode(call.arg(0)?)?;
    let (ranges, counts) = (Ranges::of(&lengths), call.wholes(1)?);
    let wrong = |row: usize| {
        let length = ranges.get(row, call.arg(0).is_ok_and(|arg| arg.constant)).map(|range| range.len());
        counts
            .get(row)
            .zip(length)
            .is_some_and(|(count, length)| usize::try_from(count).map_or(true, |count| count > length))
    };
    if !call.lenient && (0..if call.constant() { 1 } else { call.height }).any(wrong) {
        return Err(SqlError::value("as many elements as are trimmed must be there"));
    }
    gather(call, &elements, |row, constant| {
        let (range, count) = ranges.get(row, constant).zip(counts.get(row))?;
        Some(range.clone().take(range.len().checked_sub(usize::try_from(count).ok()?)?).collect())
    })
}

/// Arrays of arrays, from indexes of an array's elements.
fn several(
    call: &Call<'_>,
    mut make: impl FnMut(usize, std::ops::Range<usize>) -> Result<Option<Vec<Vec<u32>>>>,
) -> Result<Values> {
    let (elements, lengths) = explode(call.arg(0)?)?;
    let (ranges, first_constant) = (Ranges::of(&lengths), call.arg(0)?.constant);
    let constant = call.constant();
    let each = cell_bytes(&elements.data);
    let (mut places, mut inner, mut outer) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..if constant { 1 } else { call.height } {
        let made = match ranges.get(row, first_constant).map(|range| make(row, range)) {
            Some(Err(error)) if error.by_value && call.lenient => None,
            made => made.transpose()?.flatten(),
        };
        outer.push(made.as_ref().map(Vec::len));
        for list in made.into_iter().flatten() {
            inner.push(Some(list.len()));
            places.extend(list.into_iter().map(Some));
            call.limits.fits_rows(places.len(), each)?;
        }
    }
    let kind = Kind::array(elements.kind.clone());
    let data = lists("", &elements.take(&places)?.data, &elements.kind, &inner);
    Ok(Values { data: lists("", &data, &kind, &outer), kind: Kind::array(kind), constant })
}
