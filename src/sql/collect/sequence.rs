//! Rows on disk that are numbered, or looked at in the order of a window over all of them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Gathering;
use super::disk_rows::Stored;
use super::totals::Totals;
use crate::sql::error::{Result, SqlError};
use crate::sql::functions::window::carried::SoFar;
use crate::sql::memory::{Limits, held_bytes, too_much};
use crate::sql::panics::caught;
use crate::sql::stream::flow::sequence::Sequence;
use crate::sql::stream::flow::stages::Stages;
use crate::sql::stream::flow::{Flow, Flowed, Worker, with_places};
use crate::sql::stream::line::{Interrupted, in_order};
use crate::sql::stream::spill::keys::Keys;
use crate::sql::stream::spill::runs::Keyed;
use crate::sql::stream::spill::sorted::Sorting;
use crate::sql::types::relation::{Relation, under};
use crate::sql::types::values::Values;
use crate::tables::Rows;
use crate::tables::cloudtrail::TABLE;

/// Of the memory, the part that the rows of a slice take, which are looked at together; those of all runs that are
/// being sorted; and the most of rows with equal keys.
const SLICE_PART: u64 = 56;
const RUNS_PART: u64 = 12;
const PEERS_PART: u64 = 4;

impl Gathering<'_> {
    /// The query, if rows of a lake that do not fit into memory need no other look before they are sorted or
    /// divided as it wants them.
    pub(super) fn flow_at_once(&self) -> Option<&Flow> {
        let is_in_stages = self.query.stages().is_some_and(Stages::are_groups);
        let is_possible = self.at_once && self.lake.is_some() && self.limit.is_none() && !is_in_stages;
        self.flow_of_rows.filter(|_| is_possible && self.flow_room.spill().is_some())
    }

    /// The order in which rows are sorted that do not fit into memory, if they need no other look before.
    pub(super) fn sequence_at_once(&self) -> Option<(&Flow, &Sequence)> {
        let flow = self.flow_at_once()?;
        flow.sequence().map(|sequence| (flow, sequence)).or_else(|| flow.in_sequence())
    }

    fn slice_bytes(&self) -> u64 {
        self.memory_bytes_max / SLICE_PART
    }

    fn sorting(&self) -> Result<Sorting> {
        let spill = self.flow_room.spill().ok_or_else(|| too_much(self.memory_bytes_max))?;
        Sorting::in_slices(spill, self.slice_bytes())
    }

    /// Sorts rows of a lake, and writes them to disk.
    pub(super) fn put_in_sequence(&self, sequence: &Sequence, pieces: &mut Vec<Rows>) -> Result<()> {
        let sorting = self.sorted_rows.get(|| self.sorting())?;
        let limits = &self.flow_room.limits;
        let keyed = |piece: Rows| sequence.rows(with_places(Relation::of_table(&TABLE, &piece))?, limits);
        sorting.run(pieces.drain(..).map(keyed).collect::<Result<Vec<_>>>()?)
    }

    /// The result for these rows.
    pub(super) fn of_sorted_rows(&self) -> Result<Option<Flowed>> {
        let sorting = self.sorted_rows.take().zip(self.sequence_at_once());
        let Some((sorting, (flow, sequence))) = sorting else { return Ok(None) };
        let sorting = Arc::into_inner(sorting).ok_or_else(|| SqlError::new("a worker is still at work"))?;
        self.of_sequence(flow, sequence, sorting).map(Some)
    }

    /// Works out rows that are on disk, whose windows are over all of them.
    pub(super) fn of_sequence_on_disk(
        &self,
        flow: &Flow,
        sequence: &Sequence,
        stored: &Stored,
    ) -> Result<Flowed> {
        let limits = &self.flow_room.limits;
        let sorting = self.sorting()?;
        let run_bytes = self.memory_bytes_max / RUNS_PART / self.jobs as u64;
        let rest = self.side_by_side(
            &(0..stored.count()).collect::<Vec<_>>(),
            self.jobs,
            || (Vec::new(), 0),
            |(parts, bytes): &mut (Vec<Keyed>, u64), at| {
                limits.fits(0, 0)?;
                let events = with_places(Relation::of_table(&TABLE, &stored.piece(at)?))?;
                parts.push(sequence.rows(events, limits)?);
                *bytes += stored.bytes_of(at);
                if *bytes > run_bytes {
                    sorting.run(std::mem::take(parts))?;
                    *bytes = 0;
                }
                Ok(())
            },
        )?;
        for (parts, _) in rest {
            caught(|| sorting.run(parts))?;
        }
        self.of_sequence(flow, sequence, sorting)
    }

    fn of_sequence(&self, flow: &Flow, sequence: &Sequence, sorting: Sorting) -> Result<Flowed> {
        let limits = &self.flow_room.limits;
        self.flow_room.renew();
        let (slices, mut worker) = (sorting.slices(self.slice_bytes()), Worker::new(flow, &self.flow_room));
        let totals = self.totals(sequence, &slices)?;
        let mut ahead = Ahead::new(sequence, totals, self.memory_bytes_max);
        let mut look = |rows: Option<Keyed>| {
            limits.fits(0, 0)?;
            let is_end = rows.is_none();
            if let Some(rows) = rows {
                ahead.push(rows)?;
            }
            match ahead.end(is_end)? {
                Some(end) => worker.add_share(vec![ahead.take(end, limits)?], limits),
                None => Ok(()),
            }
        };
        let (never, mut failed) = (AtomicBool::new(false), None);
        let done = in_order(
            self.jobs,
            limits.cancelled.as_deref().unwrap_or(&never),
            |at| Ok((at < slices.count()).then_some(at)),
            |at| Ok((0, caught(|| slices.rows(at, sequence.keys_looked_at()))?)),
            |rows| match rows.map_or(Ok(()), |rows| caught(|| look(Some(rows)))) {
                Ok(()) => Ok(()),
                Err(error) => {
                    failed = Some(error);
                    Err(io::ErrorKind::Interrupted.into())
                }
            },
        );
        match (failed, done) {
            (Some(error), _) | (None, Err(Interrupted::Query(error))) => return Err(error),
            (None, Err(Interrupted::Output(error))) => return Err(SqlError::new(error.to_string())),
            (None, Ok(_)) => caught(|| look(None))?,
        }
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
    /// How many rows each partition has, if somebody asks.
    totals: Totals,
}

impl<'s> Ahead<'s> {
    fn new(sequence: &'s Sequence, totals: Totals, memory_bytes_max: u64) -> Self {
        let last = vec![None; sequence.carries().len()];
        Self {
            sequence,
            memory_bytes_max,
            rows: None,
            known: 0,
            partition: None,
            partition_rows: 0,
            last,
            totals,
        }
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
        let (_, behind) = self.sequence.reach();
        let end = rows.height.saturating_sub(behind.max(1));
        if !self.sequence.looks_at_peers() {
            return Ok(Some(end).filter(|end| *end > self.known));
        }
        keys.iter_mut().for_each(|(values, _)| values.data = values.data.rechunk());
        let keys = Keys::of(keys, rows.height)?;
        let found = (self.known + 1..=end).rev().find(|at| !keys.is_same(at - 1, *at));
        if found.is_none() {
            let bytes = rows.columns.iter().map(held_bytes).sum::<usize>() as u64;
            if bytes > self.memory_bytes_max / PEERS_PART {
                let said = format!(
                    "rows that are equal in a window's ORDER BY take {} MiB; more columns there tell them apart",
                    bytes >> 20
                );
                return Err(SqlError { of_memory: true, ..SqlError::new(said) });
            }
        }
        Ok(found)
    }

    /// Takes the rows up to there; what is shown of them.
    fn take(&mut self, end: usize, limits: &Limits) -> Result<Relation> {
        let Some((mut rows, keys)) = self.rows.take() else { return Ok(Relation::default()) };
        rows = rows.in_one_piece();
        let (reach, behind) = self.sequence.reach();
        let seen = rows.slice(0, end.saturating_add(behind));
        let by = Keys::of(keys.get(..self.sequence.partition_keys()).unwrap_or_default(), rows.height)?;
        let ends = (1..=rows.height).filter(|row| *row == rows.height || !by.is_same(row - 1, *row));
        let ends: Vec<usize> = ends.collect();
        let end_from = |row: usize| ends.iter().copied().find(|end| *end >= row).unwrap_or(rows.height);
        let is_same = self.partition.as_ref().is_some_and(|partition| *partition == by.get(0));
        let count = if is_same { self.partition_rows - self.known } else { 0 };
        let count_end = end_from(1);
        let so_far = SoFar {
            known: self.known,
            count,
            count_end,
            value_end: match self.known {
                0 if is_same => count_end,
                0 => 0,
                known => end_from(known),
            },
            totals: self.totals.of_partitions(&by, rows.height, count),
        };
        let last = std::mem::take(&mut self.last);
        let mut next = last.clone();
        let of_seen = ends.iter().map(|end| *end.min(&seen.height)).collect::<Vec<_>>();
        let mut windows = self.sequence.windows(&distinct(of_seen), &keys)?;
        let made = self.sequence.shown(&seen, self.known..end, &mut windows, limits, |at, values| {
            let carry = self.sequence.carries().get(at).copied();
            let carry = carry.ok_or_else(|| SqlError::new("a window function is missing"))?;
            let values = carry.adjusted(values, &so_far, last.get(at).and_then(Option::as_ref))?;
            if let (Some(slot), true) = (next.get_mut(at), carry.is_value()) {
                *slot = Some(values.take(&[u32::try_from(end - 1).ok()])?);
            }
            Ok(values)
        })?;
        self.last = next;
        let begins = ends.iter().copied().rev().find(|begins| *begins < end).unwrap_or(0);
        self.partition_rows = end - begins + if begins == 0 { so_far.count } else { 0 };
        self.partition = Some(by.get(end - 1));
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

/// Numbers in order, each once.
fn distinct(mut numbers: Vec<usize>) -> Vec<usize> {
    numbers.dedup();
    numbers
}
