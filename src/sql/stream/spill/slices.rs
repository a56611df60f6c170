//! Sorted rows in slices, each of which can be made without the others: of every run, a slice has the blocks
//! between two keys.

use super::block_file::{Block, BlockFile};
use super::keys::Keys;
use super::runs::{Keyed, Run, Shape, narrowed};
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

    /// The number of rows in all of them.
    pub fn height(&self) -> usize {
        self.runs.iter().flat_map(|run| &run.blocks).map(|(_, block)| block.height).sum()
    }

    /// The rows of a slice in order, with the places of their events, and the first `count` of their keys; `None` if
    /// there are none.
    pub fn rows(&self, at: usize, count: usize) -> Result<Option<Keyed>> {
        let mut all = Vec::new();
        self.each_piece(at, |rows| {
            all.push(rows);
            Ok(())
        })?;
        let Some(all) = Relation::stacked(all)? else { return Ok(None) };
        let order = self.shape.keys(&all)?.order();
        let wanted: Vec<usize> = (0..self.shape.columns(count)).collect();
        all.with_columns(&wanted).take(&order).map(|rows| Some(narrowed(rows)))
    }

    /// Gives the first `count` keys of the rows of a slice, in no order, and how many rows with equal ones follow each
    /// other.
    pub fn each_key(&self, at: usize, count: usize, mut give: impl FnMut(&[u8], usize)) -> Result<()> {
        self.each_piece(at, |rows| {
            let (rows, keys) = narrowed(rows);
            let keys = Keys::of(keys.get(..count).unwrap_or_default(), rows.height)?;
            let mut start = 0;
            for end in (1..=rows.height).filter(|row| *row == rows.height || !keys.is_same(row - 1, *row)) {
                give(&keys.get(start), end - start);
                start = end;
            }
            Ok(())
        })
    }

    /// Gives the rows of a slice, those of each run in order.
    fn each_piece(&self, at: usize, mut give: impl FnMut(Relation) -> Result<()>) -> Result<()> {
        let begin = at.checked_sub(1).and_then(|before| self.bounds.get(before)).map(Vec::as_slice);
        let end = self.bounds.get(at).map(Vec::as_slice);
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
                    give(rows)?;
                }
            }
        }
        Ok(())
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
