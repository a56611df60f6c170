//! The order of events: by object and record, whatever the order in which they were read; and of two copies, the first.
//!
//! Objects are few and their names long, so names are put in order once and rows by number.

use polars::prelude::{NamedFromOwned, Series};
use xxhash_rust::xxh3::xxh3_64;

use super::error::Result;
use super::relation::Groups;
use super::values::Values;

/// Records of one object, at most: their numbers stand in the lower bits of a place.
pub(super) const RECORD_BITS: u32 = 36;

/// The rows in order; `None` where they stand in order already.
pub(super) fn order(object: &Values, record: &Values, height: usize) -> Result<Option<Vec<Option<u32>>>> {
    let places = places(object, record, height)?;
    let mut keys: Vec<(i64, u32)> = places.i64()?.iter().map(Option::unwrap_or_default).zip(0..).collect();
    if keys.is_sorted() {
        return Ok(None);
    }
    keys.sort_unstable();
    Ok(Some(keys.into_iter().map(|(_, row)| Some(row)).collect()))
}

/// For each row a number that says where it stands: by its object's name, and then by its number there.
pub(super) fn places(object: &Values, record: &Values, height: usize) -> Result<Series> {
    let (names, records) = (object.texts()?, record.wholes()?);
    let objects = [object.spread(height)];
    let groups = Groups::by(&objects, height)?;
    let name = |group: u32| groups.first.get(group as usize).copied().flatten().and_then(|row| names.get(row as usize)).unwrap_or_default();
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

/// The rows without second copies of an id; `None` where there are none. Rows without an id are no copies.
pub(super) fn first_copies(ids: &Values, height: usize) -> Result<Option<Vec<Option<u32>>>> {
    let texts = ids.texts()?;
    let mut prints: Vec<u64> = (0..height).filter_map(|row| texts.get(row)).map(|id| xxh3_64(id.as_bytes())).collect();
    prints.sort_unstable();
    // Mostly no two are alike, and that is soon seen.
    if prints.is_sorted_by(|a, b| a < b) {
        return Ok(None);
    }
    let groups = Groups::by(&[ids.spread(height)], height)?;
    let is_first = |row: usize| {
        let group = groups.of_row.get(row).and_then(|group| groups.first.get(*group as usize)).copied().flatten();
        texts.get(row).is_none() || group.is_some_and(|first| first as usize == row)
    };
    Ok(Some((0_u32..).take(height).filter(|row| is_first(*row as usize)).map(Some).collect()))
}
