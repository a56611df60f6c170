//! How many rows each partition of a window has, where rows are looked at in slices of their order. Most partitions are
//! in one slice; those that are in several are counted in a pass over all slices, before the first one is looked at.

use std::collections::HashMap;

use super::Gathering;
use crate::sql::error::Result;
use crate::sql::stream::flow::sequence::Sequence;
use crate::sql::stream::spill::keys::Keys;
use crate::sql::stream::spill::slices::Slices;

/// The rows of each partition that is in several slices, by its key; `None` if nobody asks.
#[derive(Debug, Default)]
pub(super) struct Totals(Option<HashMap<Vec<u8>, usize>>);

/// The key of a partition, and how many rows it has in a slice.
type Count = (Vec<u8>, usize);

impl Gathering<'_> {
    /// Counts the rows of partitions.
    pub(super) fn totals(&self, sequence: &Sequence, slices: &Slices) -> Result<Totals> {
        if !sequence.needs_totals() {
            return Ok(Totals::default());
        }
        let keys = sequence.partition_keys();
        if keys == 0 {
            return Ok(Totals(Some(HashMap::from([(Vec::new(), slices.height())]))));
        }
        let counts = self.side_by_side(
            &(0..slices.count()).collect::<Vec<_>>(),
            self.jobs,
            Vec::new,
            |counts: &mut Vec<Count>, at| {
                self.flow_room.limits.fits(0, 0)?;
                counts.extend(at_the_ends(slices, at, keys)?);
                Ok(())
            },
        )?;
        Ok(Totals::of(counts.into_iter().flatten()))
    }
}

/// Of the partitions in a slice, the first and the last one: only these can be in others, too.
fn at_the_ends(slices: &Slices, at: usize, keys: usize) -> Result<Vec<Count>> {
    let (mut first, mut last): (Option<Count>, Option<Count>) = (None, None);
    slices.each_key(at, keys, |key, rows| {
        count(&mut first, (key, rows), |key, known| key < known);
        count(&mut last, (key, rows), |key, known| key > known);
    })?;
    last = last.filter(|(key, _)| first.as_ref().is_some_and(|(first, _)| first != key));
    Ok(first.into_iter().chain(last).collect())
}

/// Counts rows, if they have the same key, or one that is `wanted` in its place.
fn count(known: &mut Option<Count>, (key, more): (&[u8], usize), wanted: impl Fn(&[u8], &[u8]) -> bool) {
    match known {
        Some((same, rows)) if same.as_slice() == key => *rows += more,
        Some((other, _)) if !wanted(key, other) => {}
        _ => *known = Some((key.to_vec(), more)),
    }
}

impl Totals {
    /// The counts of partitions at the ends of all slices.
    fn of(counts: impl Iterator<Item = Count>) -> Self {
        let mut totals: HashMap<Vec<u8>, (usize, usize)> = HashMap::new();
        for (key, rows) in counts {
            let (slices, total) = totals.entry(key).or_default();
            (*slices, *total) = (*slices + 1, *total + rows);
        }
        totals.retain(|_, (slices, _)| *slices > 1);
        Self(Some(totals.into_iter().map(|(key, (_, total))| (key, total)).collect()))
    }

    /// Where the partitions end of rows which are whole slices, apart from the first ones of these; and how many rows
    /// each partition has in all. `by`: their keys; `before`: how many rows of the first one have come before.
    pub fn of_partitions(&self, by: &Keys, height: usize, before: usize) -> Vec<(usize, usize)> {
        let Some(longer) = &self.0 else { return Vec::new() };
        let is_end = |row: &usize| *row == height || !by.is_same(row - 1, *row);
        let (mut found, mut start, mut before) = (Vec::new(), 0, before);
        for end in (1..=height).filter(is_end) {
            let own = before + end - start;
            found.push((end, longer.get(&by.get(start)).copied().unwrap_or(own)));
            (start, before) = (end, 0);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use sqlparser::ast::OrderByOptions;

    use super::*;
    use crate::sql::stream::spill::Spill;
    use crate::sql::stream::spill::sorted::Sorting;
    use crate::sql::types::relation::{Field, Relation};
    use crate::sql::types::values::{Cell, Values};
    use crate::tables::Kind;

    #[test]
    fn each_partition_has_its_rows_of_all_slices() {
        let options = OrderByOptions { asc: None, nulls_first: None };
        // Of the number NULL, and of 20, there are many rows.
        let number =
            |row: i64| Some(if row % 3 == 0 { 20 } else { row * 7_919 % 1_013 }).filter(|n| n % 5 != 1);
        let sorting = Sorting::in_slices(&Spill { folder: std::env::temp_dir() }, 1).unwrap();
        let mut expected: HashMap<Option<i64>, usize> = HashMap::new();
        for start in (0..6_000).step_by(1_000) {
            let numbers: Vec<Option<i64>> = (start..start + 1_000).map(number).collect();
            numbers.iter().for_each(|number| *expected.entry(*number).or_default() += 1);
            let mut rows = Relation { height: 1_000, ..Relation::default() };
            rows.push(Field::new("n", Kind::Bigint), i64::column(numbers));
            let then = i64::column((start..start + 1_000).map(Some).collect());
            let keys =
                [rows.columns[0].clone(), then].map(|column| (Values::new(Kind::Bigint, column), options));
            sorting.run(vec![(rows, keys.to_vec())]).unwrap();
        }
        let slices = sorting.slices(4_000);
        assert!(slices.count() > 3);
        assert_eq!(slices.height(), 6_000);
        let ends = (0..slices.count()).flat_map(|at| at_the_ends(&slices, at, 1).unwrap());
        let totals = Totals::of(ends);
        assert!(totals.0.as_ref().unwrap().len() >= 2, "NULL and 20 are in several slices");
        let (mut seen, mut last, mut before) = (0, None, 0);
        for at in 0..slices.count() {
            let Some((rows, keys)) = slices.rows(at, 2).unwrap() else { continue };
            let numbers = rows.columns[0].i64().unwrap();
            let by = Keys::of(&keys[..1], rows.height).unwrap();
            let same = Some(numbers.get(0)) == last;
            let mut start = 0;
            for (end, total) in totals.of_partitions(&by, rows.height, if same { before } else { 0 }) {
                assert_eq!(Some(&total), expected.get(&numbers.get(start)), "{:?}", numbers.get(start));
                before = end - start + if start == 0 && same { before } else { 0 };
                start = end;
            }
            assert_eq!(start, rows.height);
            (seen, last) = (seen + rows.height, Some(numbers.get(rows.height - 1)));
        }
        assert_eq!(seen, 6_000);
    }
}
