//! Sorts any number of rows: what fits into memory is sorted and written as a run, and the runs are merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};
use std::vec;

use super::Spill;
use super::block_file::{Block, BlockFile, rows_of};
use super::keys::Keys;
use super::runs::{Keyed, Run, Shape, widened};
use super::slices::Slices;
use crate::sql::error::{Result, SqlError};
use crate::sql::memory::held_bytes;
use crate::sql::types::relation::{Relation, under};

/// Memory of a block of a run, about, and the minimum.
const BLOCK_BYTES: u64 = 512 << 10;
const BLOCK_BYTES_MIN: u64 = 32 << 10;
/// A slice has about so many blocks of all runs.
const BLOCKS_EACH: u64 = 64;
/// Number of runs that are merged at once.
const RUNS_MAX: u64 = 128;
const RUNS_MIN: u64 = 4;
/// The external sort that all workers add rows to.
#[derive(Debug)]
pub(in crate::sql) struct Sorting {
    block_file: BlockFile,
    runs: Mutex<(Option<Shape>, Vec<Run>)>,
    /// Memory of a block, and how many runs are merged at once.
    block_bytes: u64,
    runs_max: usize,
}

impl Sorting {
    /// The merge takes at most `bytes_max`.
    pub fn new(spill: &Spill, bytes_max: u64) -> Result<Self> {
        let runs_max = (bytes_max / BLOCK_BYTES / 2).clamp(RUNS_MIN, RUNS_MAX);
        let block_bytes = (bytes_max / runs_max / 2).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES);
        Ok(Self {
            block_file: BlockFile::new(spill)?,
            runs: Mutex::default(),
            block_bytes,
            runs_max: usize::try_from(runs_max).unwrap_or(4),
        })
    }

    /// The same for rows that are read in [`Slices`] of about so many bytes.
    pub fn in_slices(spill: &Spill, slice_bytes: u64) -> Result<Self> {
        let block_bytes = (slice_bytes / BLOCKS_EACH).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES);
        Ok(Self { block_bytes, ..Self::new(spill, 0)? })
    }

    /// Sorts rows and writes them as a run; rows of one event are in one run, in their order.
    pub fn run(&self, parts: Vec<Keyed>) -> Result<()> {
        let Some(shape) = parts.first().map(Shape::of) else { return Ok(()) };
        let parts = parts.into_iter().map(|(rows, keys)| widened(rows, keys)).collect();
        let Some(whole) = Relation::stacked(parts)? else { return Ok(()) };
        let keys = shape.keys(&whole)?;
        let order = keys.order();
        let bytes = whole.columns.iter().map(held_bytes).sum::<usize>() as u64;
        let key = |row: Option<&Option<u32>>| {
            row.copied().flatten().map_or(Vec::new(), |row| keys.whole(row as usize))
        };
        let mut run = Run { blocks: Vec::new(), last: key(order.last()) };
        for rows in order.chunks(rows_of(bytes, whole.height, self.block_bytes)) {
            run.blocks.push((key(rows.first()), self.block_file.put(&whole.take(rows)?)?));
        }
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |known: &Shape| {
            known.fields.iter().map(|field| &field.kind).eq(shape.fields.iter().map(|field| &field.kind))
        };
        if !runs.0.get_or_insert_with(|| shape.clone()).fields.is_empty()
            && !runs.0.as_ref().is_some_and(is_same)
        {
            return Err(SqlError::new("pieces of one column are of several types"));
        }
        runs.1.push(run);
        Ok(())
    }

    /// All rows, in parts which take about `bytes` each, one behind the other.
    pub fn slices(self, bytes: u64) -> Slices {
        let (shape, runs) = self.runs.into_inner().unwrap_or_else(PoisonError::into_inner);
        Slices::of(self.block_file, shape.unwrap_or_default(), runs, bytes)
    }

    /// All rows, sorted.
    pub fn merged(self) -> Result<Merged> {
        let (shape, mut runs) = self.runs.into_inner().unwrap_or_else(PoisonError::into_inner);
        let shape = shape.unwrap_or_default();
        let mut block_file = self.block_file;
        while runs.len() > self.runs_max {
            // Merges neighbouring runs, so that the order of runs stays the same.
            let mut fewer = Vec::new();
            for some in runs.chunks(self.runs_max) {
                let mut merged = Merged::new(block_file, shape.clone(), some.to_vec())?;
                let mut run = Run::default();
                while let Some(rows) = merged.wide(self.block_bytes)? {
                    let key = |row| Ok::<_, SqlError>(shape.keys(&rows.slice(row, 1))?.whole(0));
                    run.last = key(rows.height.saturating_sub(1))?;
                    run.blocks.push((key(0)?, merged.block_file.put(&rows)?));
                }
                block_file = merged.block_file;
                fewer.push(run);
            }
            runs = fewer;
        }
        Merged::new(block_file, shape, runs)
    }
}

/// The next rows of a run.
#[derive(Debug)]
struct Head {
    blocks: vec::IntoIter<(Vec<u8>, Block)>,
    rows: Relation,
    keys: Keys,
    at: usize,
}

impl Head {
    /// Reads the next block; false if there is none.
    fn load(&mut self, block_file: &BlockFile, shape: &Shape) -> Result<bool> {
        let Some((_, block)) = self.blocks.next() else { return Ok(false) };
        self.rows = block_file.get(&block, &shape.fields)?;
        self.keys = shape.keys(&self.rows)?;
        self.at = 0;
        Ok(true)
    }
}

/// Sorted rows.
#[derive(Debug)]
pub(in crate::sql) struct Merged {
    block_file: BlockFile,
    shape: Shape,
    heads: Vec<Head>,
    /// The smallest key of each run.
    next: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
}

impl Merged {
    fn new(block_file: BlockFile, shape: Shape, runs: Vec<Run>) -> Result<Self> {
        let (mut heads, mut next) = (Vec::new(), BinaryHeap::new());
        for (at, run) in runs.into_iter().enumerate() {
            let mut head = Head {
                blocks: run.blocks.into_iter(),
                rows: Relation::default(),
                keys: Keys::default(),
                at: 0,
            };
            if head.load(&block_file, &shape)? {
                next.push(Reverse((head.keys.whole(0), at)));
            }
            heads.push(head);
        }
        Ok(Self { block_file, shape, heads, next })
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.block_file.bytes()
    }

    /// The next rows, about `bytes` of them, with their keys; `None` at the end.
    fn wide(&mut self, bytes: u64) -> Result<Option<Relation>> {
        // For each block, the rows that come next; and for each new row, where it is.
        let mut sources: Vec<(Relation, Vec<Option<u32>>)> = Vec::new();
        let mut source_of: Vec<Option<usize>> = vec![None; self.heads.len()];
        let mut order: Vec<(usize, usize)> = Vec::new();
        let mut taken = 0_u64;
        while taken < bytes && sources.len() <= 2 * self.heads.len() {
            let Some(Reverse((mut key, run))) = self.next.pop() else { break };
            let (Some(head), Some(source)) = (self.heads.get_mut(run), source_of.get_mut(run)) else { break };
            let number = *source.get_or_insert_with(|| {
                sources.push((head.rows.clone(), Vec::new()));
                sources.len() - 1
            });
            if let Some((rows, picked)) = sources.get_mut(number) {
                order.push((number, picked.len()));
                picked.push(u32::try_from(head.at).ok());
                taken += row_bytes(rows);
            }
            head.at += 1;
            if head.at == head.rows.height {
                *source = None;
                if !head.load(&self.block_file, &self.shape)? {
                    continue;
                }
            }
            head.keys.whole_into(head.at, &mut key);
            self.next.push(Reverse((key, run)));
        }
        if order.is_empty() {
            return Ok(None);
        }
        let (mut all, mut starts) = (None, Vec::new());
        let mut start = 0;
        for (rows, picked) in sources {
            starts.push(start);
            start += picked.len();
            let rows = rows.take(&picked)?;
            all = Some(match all {
                None => rows,
                Some(before) => under(before, rows)?,
            });
        }
        let Some(all) = all.map(Relation::in_one_piece) else { return Ok(None) };
        let place = |(source, nth): (usize, usize)| {
            u32::try_from(starts.get(source).copied().unwrap_or(0) + nth).ok()
        };
        Ok(Some(all.take(&order.into_iter().map(place).collect::<Vec<_>>())?))
    }

    /// The next rows without their keys.
    pub fn rows(&mut self) -> Result<Option<Relation>> {
        Ok(self.wide(2 * BLOCK_BYTES)?.map(Relation::seen))
    }
}

/// Memory of a row of a block, about.
fn row_bytes(rows: &Relation) -> u64 {
    // Blocks have about the same size, so the number of rows is enough.
    (BLOCK_BYTES / rows.height.max(1) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NamedFrom, Series};
    use sqlparser::ast::OrderByOptions;

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
                let Some((rows, keys)) = slices.rows(at, 2).unwrap() else { continue };
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
