//! Evaluates collected rows by hash partitions (shares): rows with equal keys are in one share, and each
//! worker evaluates one share after another.

use std::sync::atomic::{AtomicUsize, Ordering};

use polars::prelude::Series;

use super::Gathering;
use super::disk_rows::Stored;
use crate::sql::catalog::Catalog;
use crate::sql::error::{Result, SqlError};
use crate::sql::memory::{Limits, too_much};
use crate::sql::panics::caught;
use crate::sql::plan::divide::EventsTable;
use crate::sql::run::engine;
use crate::sql::scope::{Ctes, Scope};
use crate::sql::stream::flow;
use crate::sql::stream::flow::{Flow, Flowed, Worker, placed};
use crate::sql::stream::spill::spread::{Spread, shares_of};
use crate::sql::types::compare::key_column;
use crate::sql::types::relation::{Relation, under};
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
        let mut events: Option<Relation> = None;
        for piece in pieces {
            let more = Relation::of_table(&TABLE, piece);
            events = Some(match events {
                None => more,
                Some(before) => under(before, more)?,
            });
        }
        let Some(mut events) = events else { return Ok(None) };
        events.columns.iter_mut().for_each(|column| *column = column.rechunk());
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
        self.share_by_share(flow, &(0..count).collect::<Vec<_>>(), &|_| false, &take).map(Some)
    }

    /// Evaluates rows on disk.
    pub(super) fn of_shares_on_disk(
        &self,
        flow: &Flow,
        events_tables: &[EventsTable],
        stored: &Stored,
    ) -> Result<Flowed> {
        let Some(spill) = self.flow_room.spill() else { return Err(too_much(self.memory_bytes_max)) };
        let (kinds, of_events_table) = kinds(events_tables);
        let share_bytes = (self.memory_bytes_max / EVENTS_PART / self.jobs as u64).max(1);
        let count = (stored.bytes().saturating_mul(of_events_table.len() as u64) / share_bytes)
            .clamp(SHARES_MIN, SHARES_MAX);
        let spreads = kinds
            .iter()
            .map(|_| Spread::new(spill, usize::try_from(count).unwrap_or(16), 0))
            .collect::<Result<Vec<_>>>()?;
        self.side_by_side(
            &(0..stored.count()).collect::<Vec<_>>(),
            self.jobs,
            || (),
            |(), at| {
                self.flow_room.limits.fits(0, 0)?;
                let events = placed(Relation::of_table(&TABLE, &stored.piece(at)?))?;
                for (events_table, spread) in kinds.iter().zip(&spreads) {
                    let table = events_table.table(events.clone())?;
                    spread.put(&table, &self.keys(events_table, &table)?)?;
                }
                Ok(())
            },
        )?;
        let bytes_of = |share: usize| {
            of_events_table
                .iter()
                .filter_map(|kind| spreads.get(*kind))
                .map(|spread| spread.bytes_of(share))
                .sum::<u64>()
        };
        let shares: Vec<usize> =
            (0..usize::try_from(count).unwrap_or(16)).filter(|share| bytes_of(*share) > 0).collect();
        // What is made of a share's rows takes several times as much as they do.
        let large = self.memory_bytes_max / LARGE_PART / self.jobs as u64;
        let has_large = shares.iter().any(|share| bytes_of(*share) > large);
        if let Some((flow, sequence)) = flow.in_sequence().filter(|_| has_large) {
            return self.of_sequence_on_disk(flow, sequence, stored);
        }
        if let Some(share) =
            shares.iter().find(|share| bytes_of(**share) > self.memory_bytes_max / SHARE_PART_MAX)
        {
            let said = format!(
                "one value of what is joined, grouped or partitioned by has {} MiB of rows",
                bytes_of(*share) >> 20
            );
            return Err(SqlError { of_memory: true, ..SqlError::new(said) });
        }
        let take = |share: usize| {
            let mut tables = Vec::new();
            for (events_table, spread) in kinds.iter().zip(&spreads) {
                let mut table: Option<Relation> = None;
                for rows in spread.share(share) {
                    table = Some(match table {
                        None => rows?,
                        Some(before) => under(before, rows?)?,
                    });
                }
                let table = match table {
                    Some(mut table) => {
                        table.columns.iter_mut().for_each(|column| *column = column.rechunk());
                        flow::in_order_of_events(table)?
                    }
                    None => events_table.table(placed(Relation::of_table(&TABLE, &stored.empty()?))?)?,
                };
                tables.push(table);
            }
            Ok(of_events_table.iter().filter_map(|kind| tables.get(*kind).cloned()).collect::<Vec<_>>())
        };
        self.share_by_share(flow, &shares, &|share| bytes_of(share) > large, &take)
    }

    fn share_by_share(
        &self,
        flow: &Flow,
        shares: &[usize],
        is_large: &dyn Fn(usize) -> bool,
        take: &(dyn Fn(usize) -> Result<Vec<Relation>> + Sync),
    ) -> Result<Flowed> {
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
            |worker, share| worker.add_share(take(share)?, &self.flow_room.limits),
        )?);
        let parts = workers.into_iter().flat_map(Worker::into_parts).collect();
        caught(|| flow.finish(parts, &self.flow_room, self.jobs))
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
