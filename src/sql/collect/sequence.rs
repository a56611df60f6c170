//! Rows on disk that are numbered, or looked at in the order of a window over all of them.

use super::Gathering;
use super::disk_rows::Stored;
use crate::sql::error::{Result, SqlError};
use crate::sql::functions::window::carried::SoFar;
use crate::sql::memory::{Limits, held_bytes, too_much};
use crate::sql::panics::caught;
use crate::sql::stream::flow::sequence::Sequence;
use crate::sql::stream::flow::{Flow, Flowed, Worker, placed};
use crate::sql::stream::spill::keys::Keys;
use crate::sql::stream::spill::sorted::{Keyed, Sorting};
use crate::sql::types::relation::{Relation, under};
use crate::sql::types::values::Values;
use crate::tables::cloudtrail::TABLE;

/// Of the memory, the part that sorting takes, that of the rows which are looked at together, and the most of
/// rows with equal keys.
const SORTING_PART: u64 = 10;
const ROWS_PART: u64 = 16;
const PEERS_PART: u64 = 4;

impl Gathering<'_> {
    /// Works out rows that are on disk, whose windows are over all of them.
    pub(super) fn of_sequence_on_disk(
        &self,
        flow: &Flow,
        sequence: &Sequence,
        stored: &Stored,
    ) -> Result<Flowed> {
        let Some(spill) = self.flow_room.spill() else { return Err(too_much(self.memory_bytes_max)) };
        let limits = &self.flow_room.limits;
        let sorting = Sorting::new(spill, self.memory_bytes_max / SORTING_PART)?;
        self.side_by_side(
            &(0..stored.count()).collect::<Vec<_>>(),
            self.jobs,
            || (),
            |(), at| {
                limits.fits(0, 0)?;
                let events = placed(Relation::of_table(&TABLE, &stored.piece(at)?))?;
                sorting.run(vec![sequence.rows(events, limits)?])
            },
        )?;
        let (mut merged, mut worker) = (sorting.merged()?, Worker::new(flow, &self.flow_room));
        let mut ahead = Ahead::new(sequence, self.memory_bytes_max);
        caught(|| {
            loop {
                limits.fits(0, 0)?;
                let rows = merged.placed_rows()?;
                let is_end = rows.is_none();
                if let Some(rows) = rows {
                    ahead.push(rows)?;
                }
                if let Some(end) = ahead.end(is_end)? {
                    worker.add_share(vec![ahead.take(end, limits)?], limits)?;
                }
                if is_end {
                    return Ok(());
                }
            }
        })?;
        caught(|| flow.finish(worker.into_parts(), &self.flow_room, self.jobs))
    }
}

/// Rows that have come, in order, and have not been looked at; and what is known of those before them.
struct Ahead<'s> {
    sequence: &'s Sequence,
    memory_bytes_max: u64,
    /// The last of those that have been looked at, followed by those that have not.
    rows: Option<Keyed>,
    known: usize,
    /// The partition of the last row that has been looked at, and how many of its rows have been.
    partition: Option<Vec<u8>>,
    partition_rows: usize,
    /// For each window function, its value in the last row that has been looked at.
    last: Vec<Option<Values>>,
}

impl<'s> Ahead<'s> {
    fn new(sequence: &'s Sequence, memory_bytes_max: u64) -> Self {
        let last = vec![None; sequence.calls().len()];
        Self { sequence, memory_bytes_max, rows: None, known: 0, partition: None, partition_rows: 0, last }
    }

    fn push(&mut self, (rows, keys): Keyed) -> Result<()> {
        self.rows = Some(match self.rows.take() {
            None => (rows, keys),
            Some((before, mut before_keys)) => {
                for ((values, _), (more, _)) in before_keys.iter_mut().zip(keys) {
                    values.data.append_owned(more.data)?;
                }
                (under(before, rows)?, before_keys)
            }
        });
        Ok(())
    }

    /// Where the rows end that can be looked at now; `None` if more have to come first.
    fn end(&mut self, is_end: bool) -> Result<Option<usize>> {
        let Some((rows, keys)) = &mut self.rows else { return Ok(None) };
        if is_end {
            return Ok((rows.height > self.known).then_some(rows.height));
        }
        let bytes = rows.columns.iter().map(held_bytes).sum::<usize>() as u64;
        if bytes < self.memory_bytes_max / ROWS_PART {
            return Ok(None);
        }
        let (_, behind) = self.sequence.reach();
        let end = rows.height.saturating_sub(behind.max(1));
        let found = match self.sequence.looks_at_peers() {
            false => Some(end),
            true => {
                keys.iter_mut().for_each(|(values, _)| values.data = values.data.rechunk());
                let keys = Keys::of(keys, rows.height)?;
                (self.known + 1..=end).rev().find(|at| keys.get(at - 1) != keys.get(*at))
            }
        };
        match found.filter(|end| *end > self.known) {
            Some(end) => Ok(Some(end)),
            None if bytes > self.memory_bytes_max / PEERS_PART => Err(SqlError {
                of_memory: true,
                ..SqlError::new(format!(
                    "rows that are equal in a window's ORDER BY take {} MiB; more columns there tell them apart",
                    bytes >> 20
                ))
            }),
            None => Ok(None),
        }
    }

    /// Takes the rows up to there; what is shown of them.
    fn take(&mut self, end: usize, limits: &Limits) -> Result<Relation> {
        let Some((mut rows, keys)) = self.rows.take() else { return Ok(Relation::default()) };
        rows.columns.iter_mut().for_each(|column| *column = column.rechunk());
        let (reach, behind) = self.sequence.reach();
        let seen = rows.slice(0, end.saturating_add(behind));
        let own: Vec<Option<u32>> = (self.known..end).map(|row| u32::try_from(row).ok()).collect();
        let by = keys.get(..self.sequence.partition_keys()).unwrap_or_default();
        let by = Keys::of(by, rows.height)?;
        let partition = |row: usize| if row < rows.height { Some(by.get(row)) } else { None };
        let ends_at = |from: usize, of: Option<&[u8]>| {
            (from..rows.height).find(|row| partition(*row) != of).unwrap_or(rows.height)
        };
        let is_same = self.partition.is_some() && partition(0) == self.partition.as_deref();
        let so_far = SoFar {
            known: self.known,
            count: if is_same { self.partition_rows - self.known } else { 0 },
            count_end: ends_at(0, partition(0)),
            value_end: ends_at(self.known, self.partition.as_deref()),
        };
        let last = std::mem::take(&mut self.last);
        let mut next = last.clone();
        let made = self.sequence.shown(&seen, &own, limits, |at, values| {
            let carry = self.sequence.calls().get(at).map(|(_, carry)| *carry);
            let carry = carry.ok_or_else(|| SqlError::new("a window function is missing"))?;
            let values = carry.adjusted(values, &so_far, last.get(at).and_then(Option::as_ref))?;
            if let (Some(slot), true) = (next.get_mut(at), carry.is_value()) {
                *slot = Some(values.take(&[u32::try_from(end - 1).ok()])?);
            }
            Ok(values)
        })?;
        self.last = next;
        let begins =
            (0..end).rev().find(|row| partition(*row) != partition(end - 1)).map_or(0, |row| row + 1);
        self.partition_rows = end - begins + if begins == 0 { so_far.count } else { 0 };
        self.partition = partition(end - 1).map(<[u8]>::to_vec);
        let start = end.saturating_sub(reach);
        self.known = end - start;
        let rest = rows.slice(start, usize::MAX);
        let keys = keys
            .into_iter()
            .map(|(values, options)| {
                let data = values.data.slice(i64::try_from(start).unwrap_or(i64::MAX), rest.height);
                (Values { data, ..values }, options)
            })
            .collect();
        self.rows = Some((rest, keys));
        Ok(made)
    }
}
