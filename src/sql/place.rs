//! The order of events: by object and record, whatever the order in which they were read; and of two copies, the first.
//!
//! Objects are few and their names long, so names are put in order once and rows by number.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::error::Result;
use super::relation::Groups;
use super::values::Values;

/// The rows in order; `None` where they stand in order already.
pub(super) fn order(object: &Values, record: &Values, height: usize) -> Result<Option<Vec<Option<u32>>>> {
    let (objects, records) = (object.texts()?, record.wholes()?);
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut of_row = Vec::with_capacity(height);
    let mut last = ("", None);
    for row in 0..height {
        let name = objects.get(row).unwrap_or_default();
        let number = match last {
            (known, Some(number)) if known == name => number,
            _ => {
                let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                *numbers.entry(name).or_insert(next)
            }
        };
        last = (name, Some(number));
        of_row.push(number);
    }
    let mut names: Vec<(&str, u32)> = numbers.into_iter().collect();
    names.sort_unstable();
    let mut ranks = vec![0_u32; names.len()];
    for (rank, (_, number)) in (0..).zip(&names) {
        if let Some(slot) = ranks.get_mut(*number as usize) {
            *slot = rank;
        }
    }
    let rank = |number: &u32| ranks.get(*number as usize).copied().unwrap_or_default();
    let mut keys: Vec<(u32, i64, u32)> =
        (0..).zip(&of_row).map(|(row, number): (u32, _)| (rank(number), records.get(row as usize).unwrap_or_default(), row)).collect();
    if keys.is_sorted() {
        return Ok(None);
    }
    keys.sort_unstable();
    Ok(Some(keys.into_iter().map(|(_, _, row)| Some(row)).collect()))
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
