//! Sorted rows in slices, each of which can be made without the others: of every run, a slice has the blocks
//! between two keys.

use super::block_file::{Block, BlockFile};
use super::sorted::{Keyed, Run, Shape, narrowed};
use crate::sql::error::Result;
use crate::sql::types::relation::Relation;

/// Rows in sorted runs on disk.
#[derive(Debug)]
pub(in crate::sql) struct Slices {
    block_file: BlockFile,
    shape: Shape,
    runs: Vec<Run>,
    /// The keys at which the second and later slices begin.
    bounds: Vec<Vec<u8>>,
}

impl Slices {
    /// `bytes`: what the rows of a slice take, about.
    pub(super) fn of(block_file: BlockFile, shape: Shape, runs: Vec<Run>, bytes: u64) -> Self {
        let mut blocks: Vec<&(Vec<u8>, Block)> = runs.iter().flat_map(|run| &run.blocks).collect();
        blocks.sort_by(|(a, _), (b, _)| a.cmp(b));
        let (mut bounds, mut taken) = (Vec::new(), 0);
        for (first, block) in blocks {
            if taken >= bytes && bounds.last() != Some(first) {
                bounds.push(first.clone());
                taken = 0;
            }
            taken += block.bytes();
        }
        Self { block_file, shape, runs, bounds }
    }

    /// The number of slices, at least one.
    pub fn count(&self) -> usize {
        self.bounds.len() + 1
    }

    /// The rows of a slice in order, with the places of their events, and their keys; `None` if there are none.
    pub fn rows(&self, at: usize) -> Result<Option<Keyed>> {
        let begin = at.checked_sub(1).and_then(|before| self.bounds.get(before)).map(Vec::as_slice);
        let end = self.bounds.get(at).map(Vec::as_slice);
        let mut all = Vec::new();
        for run in &self.runs {
            let blocks = within(run, begin, end);
            for (nth, (_, block)) in blocks.iter().enumerate() {
                let rows = self.block_file.get(block, &self.shape.fields)?;
                // Only the first and the last ones may have other rows, too.
                let rows = match nth == 0 || nth + 1 == blocks.len() {
                    true => self.between(rows, begin, end)?,
                    false => rows,
                };
                if rows.height > 0 {
                    all.push(rows);
                }
            }
        }
        let Some(all) = Relation::stacked(all)? else { return Ok(None) };
        let order = self.shape.keys(&all)?.order();
        all.take(&order).map(|rows| Some(narrowed(rows)))
    }

    /// Of rows in order, those of a slice.
    fn between(&self, rows: Relation, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<Relation> {
        let keys = self.shape.keys(&rows)?;
        let start = begin.map_or(0, |begin| keys.first_from(begin));
        let end = end.map_or(rows.height, |end| keys.first_from(end));
        Ok(if end - start == rows.height { rows } else { rows.slice(start, end.saturating_sub(start)) })
    }
}

/// The blocks of a run which may have rows between two keys.
fn within<'r>(run: &'r Run, begin: Option<&[u8]>, end: Option<&[u8]>) -> &'r [(Vec<u8>, Block)] {
    if begin.is_some_and(|begin| run.last.as_slice() < begin) {
        return &[];
    }
    let until = |key: &[u8]| run.blocks.partition_point(|(first, _)| first.as_slice() < key);
    // The block before the first one that begins behind a key may have it inside.
    let start = begin.map_or(0, |begin| until(begin).saturating_sub(1));
    run.blocks.get(start..end.map_or(run.blocks.len(), until)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NamedFrom, Series};
    use sqlparser::ast::OrderByOptions;

    use super::super::Spill;
    use super::super::sorted::Sorting;
    use super::*;
    use crate::sql::types::relation::Field;
    use crate::sql::types::values::{Cell, Values};
    use crate::tables::Kind;

    #[test]
    fn slices_one_behind_the_other_are_all_rows_in_order() {
        let spill = Spill { folder: std::env::temp_dir() };
        let key = |row: i64| (row * row % 97 != 5).then(|| format!("key {}", row * 7_919 % 1_013 / 3));
        for (rows_each, bytes) in [(50, 1), (100, 1_000), (1_000, 4_000), (1_000, u64::MAX)] {
            let sorting = Sorting::in_slices(&spill, 1).unwrap();
            let mut expected: Vec<(Option<String>, i64)> = Vec::new();
            for start in (0..3_000).step_by(rows_each) {
                let numbers = start..start + rows_each as i64;
                let keys: Vec<Option<String>> = numbers.clone().map(key).collect();
                expected.extend(keys.iter().cloned().zip(numbers.clone()));
                let mut rows = Relation { height: rows_each, ..Relation::default() };
                rows.push(Field::new("n", Kind::Bigint), i64::column(numbers.clone().map(Some).collect()));
                rows.push(Field::new("k", Kind::Varchar), Series::new("k".into(), keys));
                // The first key is a column of the rows, too.
                let by = |column: &Series, kind| {
                    (Values::new(kind, column.clone()), OrderByOptions { asc: None, nulls_first: None })
                };
                let keys = vec![by(&rows.columns[1], Kind::Varchar), by(&rows.columns[0], Kind::Bigint)];
                sorting.run(vec![(rows, keys)]).unwrap();
            }
            // NULL comes last.
            expected.sort_by_key(|(key, number)| (key.is_none(), key.clone(), *number));
            let slices = sorting.slices(bytes);
            assert_eq!(slices.count() > 1, bytes < u64::MAX, "{rows_each} {bytes}");
            let mut found = Vec::new();
            for at in 0..slices.count() {
                let Some((rows, keys)) = slices.rows(at).unwrap() else { continue };
                assert_eq!(keys.len(), 2);
                let (numbers, texts) = (rows.columns[0].i64().unwrap(), rows.columns[1].str().unwrap());
                found.extend(
                    texts.iter().zip(numbers.iter()).map(|(k, n)| (k.map(str::to_owned), n.unwrap())),
                );
            }
            assert_eq!(found, expected, "{rows_each} {bytes}");
        }
    }
}
