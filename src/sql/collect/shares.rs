//! Evaluates collected rows by hash partitions (shares): rows with equal keys are in one share, and each
//! worker evaluates one share after another.

use std::sync::atomic::{AtomicUsize, Ordering};

use polars::prelude::Series;

use super::Gathering;
use super::disk_rows::Stored;
use super::enormous::Enormous;
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::memory::{Limits, stored_bytes, too_much};
use crate::sql::panics::caught;
use crate::sql::plan::divide::EventsTable;
use crate::sql::run::engine;
use crate::sql::scope::{Ctes, Scope};
use crate::sql::stream::flow;
use crate::sql::stream::flow::{Flow, Flowed, Part, Worker, with_places};
use crate::sql::stream::spill::spread::{Spread, shares_of};
use crate::sql::types::compare::key_column;
use crate::sql::types::relation::Relation;
use crate::tables::Rows;
use crate::tables::cloudtrail::TABLE;

/// Fewer rows than this are evaluated at once.
const ROWS_MIN: usize = 1 << 11;
/// Number of shares for each worker: they differ in size.
const SHARES_EACH: usize = 8;
/// Maximum number of shares on disk: each has blocks of its own.
const SHARES_MAX: u64 = 512;
const SHARES_MIN: u64 = 16;
/// The fraction of the memory for the events of all shares that are evaluated at the same time; the results
/// need more.
const EVENTS_PART: u64 = 16;
/// The fraction of the memory above which a share is not evaluated.
const SHARE_PART_MAX: u64 = 3;
/// A share that takes more than this part of one worker's memory is evaluated alone.
const LARGE_PART: u64 = 6;

/// Rows that are divided into shares.
#[derive(Debug)]
pub(super) struct Shared {
    /// For each events table with other keys.
    spreads: Vec<Spread>,
    /// No rows, with the columns of all.
    empty: Rows,
}

impl Gathering<'_> {
    /// Evaluates rows in memory; `None` if it is better to evaluate them all at once.
    pub(super) fn of_shares_in_memory(
        &self,
        flow: &Flow,
        events_tables: &[EventsTable],
        pieces: &[Rows],
    ) -> Result<Option<Flowed>> {
        if self.jobs < 2 || pieces.iter().map(|piece| piece.height).sum::<usize>() < ROWS_MIN {
            return Ok(None);
        }
        let parts = pieces.iter().map(|piece| Relation::of_table(&TABLE, piece)).collect();
        let Some(events) = Relation::stacked(parts)? else { return Ok(None) };
        // Only the rows of a share are put in order.
        let (events, order) = flow::with_order(events)?;
        let (kinds, of_events_table) = kinds(events_tables);
        let count = self.jobs * SHARES_EACH;
        let mut tables = Vec::new();
        for events_table in &kinds {
            let table = events_table.table(events.clone())?;
            let shares =
                shares_of(&self.keys(events_table, &table)?, table.height, order.as_deref(), 0, count)?;
            tables.push((table, shares));
        }
        let take = |share: usize| {
            let of = |(table, shares): &(Relation, Vec<Vec<Option<u32>>>)| {
                table.take(shares.get(share).map_or(&[][..], Vec::as_slice))
            };
            let tables = tables.iter().map(of).collect::<Result<Vec<_>>>()?;
            Ok(of_events_table.iter().filter_map(|kind| tables.get(*kind).cloned()).collect::<Vec<_>>())
        };
        let parts = self.of_shares(flow, &(0..count).collect::<Vec<_>>(), &|_| false, &take)?;
        caught(|| flow.finish(parts, &self.flow_room, self.jobs)).map(Some)
    }

    /// Evaluates rows on disk.
    pub(super) fn of_shares_on_disk(
        &self,
        flow: &Flow,
        events_tables: &[EventsTable],
        stored: &Stored,
    ) -> Result<Flowed> {
        let (kinds, _) = kinds(events_tables);
        let count = self.shares_for(stored.bytes(), events_tables.len());
        let spreads = self.spreads(kinds.len(), count)?;
        self.side_by_side(
            &(0..stored.count()).collect::<Vec<_>>(),
            self.jobs,
            || (),
            |(), at| {
                self.flow_room.limits.fits(0, 0)?;
                let events = with_places(Relation::of_table(&TABLE, &stored.piece(at)?))?;
                self.divide(&kinds, events, &spreads)
            },
        )?;
        let large = self.large_share();
        let has_large =
            spreads.iter().any(|spread| (0..spread.count()).any(|share| spread.bytes_of(share) > large));
        if let Some((flow, sequence)) = flow.in_sequence().filter(|_| has_large) {
            return self.of_sequence_on_disk(flow, sequence, stored);
        }
        self.of_spreads(flow, events_tables, &spreads, &stored.empty()?)
    }

    /// What is made of a share's rows takes several times as much as they do.
    fn large_share(&self) -> u64 {
        self.memory_bytes_max / LARGE_PART / self.jobs as u64
    }

    fn spreads(&self, kinds: usize, shares: u64) -> Result<Vec<Spread>> {
        let spill = self.flow_room.spill().ok_or_else(|| too_much(self.memory_bytes_max))?;
        (0..kinds).map(|_| Spread::new(spill, usize::try_from(shares).unwrap_or(16), 0)).collect()
    }

    fn divide(&self, kinds: &[&EventsTable], events: Relation, spreads: &[Spread]) -> Result<()> {
        for (events_table, spread) in kinds.iter().zip(spreads) {
            let table = events_table.table(events.clone())?;
            spread.put(&table, &self.keys(events_table, &table)?)?;
        }
        Ok(())
    }

    /// Whether rows that do not fit into memory can be divided into shares without being looked at before.
    pub(super) fn shares_at_once(&self) -> Option<(&Flow, &[EventsTable])> {
        let flow = self.flow_at_once()?;
        let is_in_sequence = flow.sequence().is_some() || flow.in_sequence().is_some();
        flow.events_tables().filter(|_| !is_in_sequence).map(|events_tables| (flow, events_tables))
    }

    /// Divides rows of a lake into shares, and writes them to disk.
    pub(super) fn put_in_shares(&self, events_tables: &[EventsTable], pieces: &mut Vec<Rows>) -> Result<()> {
        let (kinds, _) = kinds(events_tables);
        let Some(first) = pieces.first() else { return Ok(()) };
        let shared = self.shared_rows.get(|| {
            let spreads = self.spreads(kinds.len(), self.shares_of(pieces, events_tables.len()))?;
            let columns = first.columns.iter().map(|(name, column)| (*name, column.slice(0, 0)));
            Ok(Shared { spreads, empty: Rows { columns: columns.collect(), height: 0 } })
        })?;
        let parts = pieces.drain(..).map(|piece| Relation::of_table(&TABLE, &piece)).collect();
        let Some(events) = Relation::stacked(parts)? else { return Ok(()) };
        self.divide(&kinds, with_places(events)?, &shared.spreads)
    }

    /// The number of shares for a whole lake with rows like these, on all of its events at most.
    fn shares_of(&self, pieces: &[Rows], events_tables: usize) -> u64 {
        let height = pieces.iter().map(|piece| piece.height).sum::<usize>().max(1) as u64;
        let columns = pieces.iter().flat_map(|piece| &piece.columns);
        let bytes = columns.map(|(_, column)| stored_bytes(column)).sum::<usize>() as u64;
        let all = self.lake.as_ref().map_or(0, |lake| lake.rows()).saturating_mul(bytes / height + 1);
        self.shares_for(all, events_tables)
    }

    /// The number of shares for rows that take so many bytes in each occurrence of the events table.
    fn shares_for(&self, bytes: u64, events_tables: usize) -> u64 {
        let share_bytes = (self.memory_bytes_max / EVENTS_PART / self.jobs as u64).max(1);
        (bytes.saturating_mul(events_tables as u64) / share_bytes).clamp(SHARES_MIN, SHARES_MAX)
    }

    /// The result for these rows.
    pub(super) fn of_shared_rows(&self) -> Result<Option<Flowed>> {
        let shared = self.shared_rows.take().zip(self.shares_at_once());
        let Some((shared, (flow, events_tables))) = shared else { return Ok(None) };
        self.flow_room.renew();
        self.of_spreads(flow, events_tables, &shared.spreads, &shared.empty).map(Some)
    }

    /// Evaluates rows that have been divided into shares. `empty`: no rows, with the columns of all.
    fn of_spreads(
        &self,
        flow: &Flow,
        events_tables: &[EventsTable],
        spreads: &[Spread],
        empty: &Rows,
    ) -> Result<Flowed> {
        let (kinds, of_events_table) = kinds(events_tables);
        let count = spreads.first().map_or(0, Spread::count);
        let bytes_of = |share: usize| {
            of_events_table
                .iter()
                .filter_map(|kind| spreads.get(*kind))
                .map(|spread| spread.bytes_of(share))
                .sum::<u64>()
        };
        let shares: Vec<usize> = (0..count).filter(|share| bytes_of(*share) > 0).collect();
        let large = self.large_share();
        let nothing =
            |events_table: &EventsTable| events_table.table(with_places(Relation::of_table(&TABLE, empty))?);
        let take = |share: usize| {
            let mut tables = Vec::new();
            for (events_table, spread) in kinds.iter().zip(spreads) {
                let table = Relation::stacked(spread.share(share).collect::<Result<Vec<_>>>()?)?;
                let table = match table {
                    Some(table) => flow::in_order_of_events(table)?,
                    None => nothing(events_table)?,
                };
                tables.push(table);
            }
            Ok(of_events_table.iter().filter_map(|kind| tables.get(*kind).cloned()).collect::<Vec<_>>())
        };
        let too_large = self.memory_bytes_max / SHARE_PART_MAX;
        let (enormous, shares): (Vec<usize>, Vec<usize>) =
            shares.into_iter().partition(|share| bytes_of(*share) > too_large);
        let mut parts = self.of_shares(flow, &shares, &|share| bytes_of(share) > large, &take)?;
        let mut worker = Worker::new(flow, &self.flow_room);
        for share in enormous {
            let spreads = of_events_table.iter().filter_map(|kind| spreads.get(*kind)).collect();
            let empty = events_tables.iter().map(nothing).collect::<Result<_>>()?;
            Enormous { flow, spreads, empty, share, rows_bytes: large, bytes_max: too_large }
                .each(&mut |tables| self.add_share(&mut worker, tables))?;
        }
        parts.extend(worker.into_parts());
        caught(|| flow.finish(parts, &self.flow_room, self.jobs))
    }

    fn of_shares(
        &self,
        flow: &Flow,
        shares: &[usize],
        is_large: &dyn Fn(usize) -> bool,
        take: &(dyn Fn(usize) -> Result<Vec<Relation>> + Sync),
    ) -> Result<Vec<Part>> {
        // Each share that is being evaluated has a part of the memory. Those that need more are evaluated
        // later, with all of it.
        let part = self.flow_room.limits.memory_bytes_max.map(|bytes| bytes / self.jobs as u64);
        let limits = Limits { memory_bytes_max: part, ..self.flow_room.limits.clone() };
        let (large, shares): (Vec<usize>, Vec<usize>) = shares.iter().partition(|share| is_large(**share));
        let large = std::sync::Mutex::new(large);
        let work = |worker: &mut Worker<'_>, share: usize| match worker.add_share(take(share)?, &limits) {
            Err(error) if error.of_memory => {
                large.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(share);
                Ok(())
            }
            done => done,
        };
        let mut workers =
            self.side_by_side(&shares, self.jobs, || Worker::new(flow, &self.flow_room), work)?;
        let mut large = large.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        large.sort_unstable();
        workers.extend(self.side_by_side(
            &large,
            1,
            || Worker::new(flow, &self.flow_room),
            |worker, share| self.add_share(worker, take(share)?),
        )?);
        Ok(workers.into_iter().flat_map(Worker::into_parts).collect())
    }

    /// Calls `work` for each of `things` on several threads, each with a state of its own.
    pub(super) fn side_by_side<S: Send>(
        &self,
        things: &[usize],
        jobs: usize,
        begin: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, usize) -> Result<()> + Sync,
    ) -> Result<Vec<S>> {
        let next = AtomicUsize::new(0);
        let each = || {
            let mut state = begin();
            while let Some(thing) = things.get(next.fetch_add(1, Ordering::Relaxed)) {
                work(&mut state, *thing)?;
            }
            Ok(state)
        };
        let done: Vec<Result<S>> = match rayon::ThreadPoolBuilder::new().num_threads(jobs).build() {
            Ok(pool) => pool.broadcast(|_| caught(each)),
            Err(_) => vec![caught(each)],
        };
        done.into_iter().collect()
    }

    /// The columns by which events are divided into shares.
    fn keys(&self, events_table: &EventsTable, table: &Relation) -> Result<Vec<Series>> {
        let catalog = Catalog::default();
        let (session, ctes) = (engine::session(&catalog, self.query.now()), Ctes::default());
        let scope = Scope::new(&session, &ctes, table);
        events_table.keys.iter().map(|key| key_column(&scope.column(key)?, table.height)).collect()
    }
}

/// The events tables with different keys, and for each table which of those has its keys.
fn kinds(events_tables: &[EventsTable]) -> (Vec<&EventsTable>, Vec<usize>) {
    let (mut kinds, mut of_events_table): (Vec<&EventsTable>, Vec<usize>) = (Vec::new(), Vec::new());
    for events_table in events_tables {
        let known = kinds
            .iter()
            .position(|known| known.keys == events_table.keys && known.is_store == events_table.is_store);
        of_events_table.push(known.unwrap_or_else(|| {
            kinds.push(events_table);
            kinds.len() - 1
        }));
    }
    (kinds, of_events_table)
}
