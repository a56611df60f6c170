//! The order of events: by the object and index of their records, whatever the order of reading.
//!
//! There are few objects and their names are long, so names are sorted once, and rows by number.

use polars::prelude::{NamedFromOwned, Series};

use super::relation::{Field, Groups};
use super::values::Values;
use crate::sql::error::Result;

/// Hidden columns with the position of an event's record; queries cannot contain such names.
pub(in crate::sql) const OBJECT: &str = "\0object";
pub(in crate::sql) const RECORD: &str = "\0record";
/// The number of a row among those made from the same event.
pub(in crate::sql) const NTH: &str = "\0nth";
/// Of which side of a UNION rows are: 0 for the left, which comes first, and 1 for the right. Where a side is
/// a UNION itself, there is a column for each.
pub(in crate::sql) const SIDE: &str = "\0side";

/// Whether a column is one of the hidden columns with positions.
pub(in crate::sql) fn is_place(field: &Field) -> bool {
    matches!(field.name.as_str(), OBJECT | RECORD | NTH | SIDE)
}

/// The index of a record is in the lower bits of a position, so an object has at most 2 to this power
/// records.
pub(in crate::sql) const RECORD_BITS: u32 = 36;

/// The rows in order; `None` if they are in order already.
pub(in crate::sql) fn order(
    object: &Values,
    record: &Values,
    height: usize,
) -> Result<Option<Vec<Option<u32>>>> {
    let places = places(object, record, height)?;
    let mut keys: Vec<(i64, u32)> = places.i64()?.iter().map(Option::unwrap_or_default).zip(0..).collect();
    if keys.is_sorted() {
        return Ok(None);
    }
    keys.sort_unstable();
    Ok(Some(keys.into_iter().map(|(_, row)| Some(row)).collect()))
}

/// For each row a number that sorts like its object's name and then its index.
pub(in crate::sql) fn places(object: &Values, record: &Values, height: usize) -> Result<Series> {
    let (names, records) = (object.texts()?, record.wholes()?);
    let objects = [object.spread(height)];
    let groups = Groups::by(&objects, height)?;
    let name = |group: u32| {
        groups
            .first
            .get(group as usize)
            .copied()
            .flatten()
            .and_then(|row| names.get(row as usize))
            .unwrap_or_default()
    };
    let mut sorted: Vec<u32> = (0..).take(groups.count()).collect();
    sorted.sort_unstable_by(|a, b| name(*a).cmp(name(*b)));
    let mut ranks = vec![0_i64; sorted.len()];
    for (rank, group) in (0..).zip(sorted) {
        if let Some(slot) = ranks.get_mut(group as usize) {
            *slot = rank;
        }
    }
    let place = |(group, row): (&u32, usize)| {
        let rank = ranks.get(*group as usize).copied().unwrap_or_default();
        rank << RECORD_BITS | records.get(row).unwrap_or_default().clamp(0, (1 << RECORD_BITS) - 1)
    };
    Ok(Series::from_vec("".into(), groups.of_row.iter().zip(0..).map(place).collect::<Vec<i64>>()))
}
