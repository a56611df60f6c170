//! Builds the rows of `cloudtrail_logs` that a query needs while records are read.
//!
//! Each worker builds rows in chunks, and drops the rows that the query does not need before the next chunk
//! begins. So memory holds the rows that are kept, and not all that were read. If a query over a lake only
//! needs groups, no rows are built.

mod begun;
mod copies;
mod counted;
mod differing_copies;
mod disk_rows;
mod enormous;
mod refused;
mod sequence;
mod shares;
mod stages;
mod totals;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::sql::catalog::{Catalog, Counted};
use crate::sql::error::{Result, SqlError};
use crate::sql::memory::{self, Limits, too_much};
use crate::sql::panics;
use crate::sql::query::Query;
use crate::sql::stream::flow;
use crate::sql::stream::flow::export::{Export, Survey};
use crate::sql::stream::flow::stages::Stages;
use crate::sql::stream::flow::{Flow, Flowed, Worker};
use crate::sql::stream::ordered::Ordered;
use crate::sql::stream::preaggregation::PreAggregation;
use crate::sql::stream::preaggregation::plan::Plan;
use crate::sql::stream::preaggregation::room::{Room, Stop};
use crate::sql::stream::prefilter::Prefilter;
use crate::sql::stream::spill::Spill;
use crate::sql::stream::spill::sorted::Sorting;
use begun::Begun;
use copies::CHUNK_ROWS;
use disk_rows::{DiskRows, Stored};
use refused::Refused;
use shares::Shared;

use crate::decode::RawRecord;
use crate::lake::{LakeFeed, Visit};
use crate::model::Filter;
use crate::pipeline;
use crate::tables::events::IDENTITY;
use crate::tables::{self, Asked, EventRows, Rows};
pub use differing_copies::{Doubtful, Places, Settled};
pub use refused::First;

const CHUNK_ROWS_WITH_LIMIT: usize = 256;

/// The fraction of the memory that the rows under construction may use.
const CHUNK_PART: u64 = 40;
/// If rows can be written to disk, the fraction of the memory that kept rows may use (a sixth: evaluating
/// them takes as much again), and the fraction of that from which one worker's rows are worth writing.
const KEPT_PART: u64 = 6;
const WORTH_PART: u64 = 16;

/// Columns that define the order of rows, read for every query.
const ALWAYS: &[&str] = &["object", "record"];

/// The state that all workers of one scan share.
pub struct Gathering<'q> {
    query: &'q Query,
    filter: &'q Filter,
    /// Whether there are no duplicates among the records, because they come from one lake.
    lake: Option<Arc<LakeFeed>>,
    /// Rules out records by their text.
    prefilter: Option<Prefilter>,
    /// Bytes of memory that the kept rows may use.
    memory_bytes_max: u64,
    kept_bytes: AtomicU64,
    /// With a LIMIT: the events that were kept, if there may be duplicates; otherwise only their number.
    events: Mutex<HashSet<i64>>,
    rows: AtomicU64,
    full: AtomicBool,
    /// The plan for counting groups, if rows are not needed.
    plan: Option<&'q Plan>,
    room: Room,
    /// The plan for evaluating pieces while the lake is read.
    flow: Option<&'q Flow>,
    flow_room: flow::Room,
    /// The plan for evaluating pieces of rows that have been collected.
    flow_of_rows: Option<&'q Flow>,
    /// Rows that do not fit into memory, if they may be written to disk.
    disk_rows: Option<DiskRows>,
    /// Whether these are sorted, or divided, at once.
    at_once: bool,
    /// The rows of a lake that do not fit into memory while they are gathered: sorted as a window wants them, or
    /// divided into shares.
    sorted_rows: Begun<Sorting>,
    shared_rows: Begun<Shared>,
    jobs: usize,
    /// Whether rows are to be passed on as they come.
    exports: bool,
    /// Set if neither counting nor evaluating pieces turned out to work.
    given_up: AtomicBool,
    /// Number of rows after which reading may stop.
    limit: Option<u64>,
    /// Events of which one copy was not kept, if copies may differ in what the query asks.
    refused: Option<Refused>,
}

/// The result of collecting.
#[derive(Debug)]
pub enum Gathered {
    /// Rows in pieces, without duplicates.
    Rows { pieces: Vec<Rows> },
    /// The groups of the query, without rows.
    Counted(Groups),
    /// The combined results of all pieces.
    Flowed(Worked),
    /// The answer, on disk because it did not fit into memory.
    Ordered(Box<Ordered>),
    /// Rows some of which may be of copies that do not count.
    Doubtful(Doubtful),
    /// No rows yet, but which rows are to be passed on.
    Surveyed(Box<Export>),
    /// Nothing: the records have to be read again, [over rows](Gathering::over_rows).
    GivenUp,
}

/// The groups of `cloudtrail_logs` for one query.
#[derive(Debug)]
pub struct Groups(pub(in crate::sql) Counted);

/// The result of evaluating `cloudtrail_logs` piece by piece.
#[derive(Debug)]
pub struct Worked(pub(in crate::sql) Flowed);

impl Catalog {
    /// Inserts the result of collecting `cloudtrail_logs` for `query`: its rows, or only the groups that it
    /// needs.
    ///
    /// # Errors
    /// The columns of the pieces differ.
    pub fn insert_gathered(
        &mut self,
        query: &Query,
        gathered: Gathered,
    ) -> std::result::Result<(), SqlError> {
        let table = &tables::cloudtrail::TABLE;
        self.insert(table, &table.empty());
        match gathered {
            Gathered::Rows { pieces } if pieces.is_empty() => Ok(()),
            Gathered::Rows { pieces } => self.insert_events(query, pieces),
            Gathered::Counted(counted) => {
                self.counted = Some(counted.0);
                Ok(())
            }
            Gathered::Flowed(Worked(Flowed::Groups(counted))) => {
                self.counted = Some(counted);
                Ok(())
            }
            Gathered::Flowed(Worked(Flowed::Rows(rows))) => {
                self.flowed = Some(rows);
                Ok(())
            }
            Gathered::Flowed(Worked(Flowed::Whole(rows))) => {
                self.answer = Some(rows);
                Ok(())
            }
            Gathered::Flowed(Worked(Flowed::Ordered(_)))
            | Gathered::Surveyed(_)
            | Gathered::Doubtful(_)
            | Gathered::Ordered(_)
            | Gathered::GivenUp => Err(SqlError::new("the rows have not been read")),
        }
    }
}

impl<'q> Gathering<'q> {
    /// Collects rows for `query` from the events that `filter` admits, in at most `memory_bytes_max`.
    /// `distinct`: there are no duplicates among the records.
    pub fn new(
        query: &'q Query,
        filter: &'q Filter,
        lake: Option<Arc<LakeFeed>>,
        memory_bytes_max: u64,
    ) -> Self {
        let (kept_bytes, events, full) =
            (AtomicU64::new(0), Mutex::default(), AtomicBool::new(query.scan().is_nothing()));
        let prefilter = Prefilter::at(query.scan().names.as_deref());
        // The account and region in a record may differ from those of its partition.
        let may_repeat = lake.is_none();
        let is_lake = !may_repeat && has_every_place(filter);
        let plan = query.plan().filter(|_| is_lake);
        let flow = query.flow().filter(|_| is_lake && plan.is_none());
        let limits = Limits { memory_bytes_max: Some(memory_bytes_max), cancelled: None };
        Self {
            query,
            filter,
            lake,
            prefilter,
            memory_bytes_max,
            kept_bytes,
            events,
            rows: AtomicU64::new(0),
            full,
            plan,
            room: Room::new(memory_bytes_max, None),
            flow,
            flow_room: flow::Room::new(limits, None, 1),
            flow_of_rows: query.flow_of_rows().filter(|_| plan.is_none() && flow.is_none()),
            disk_rows: None,
            at_once: true,
            sorted_rows: Begun::default(),
            shared_rows: Begun::default(),
            jobs: 1,
            exports: false,
            given_up: AtomicBool::new(false),
            limit: query.scan().limit,
            refused: (may_repeat && query.tells_copies_apart()).then(|| Refused::within(memory_bytes_max)),
        }
    }

    /// Writes rows that do not fit into memory to disk, and evaluates collected rows with `jobs` threads.
    pub fn spilling(self, spill: &Spill, jobs: usize) -> Self {
        let limits = self.flow_room.limits.clone();
        let disk_rows = Some(DiskRows::new(spill.clone(), self.memory_bytes_max, jobs));
        Self {
            flow_room: flow::Room::new(limits, Some(spill.clone()), jobs),
            room: Room::new(self.memory_bytes_max, Some(spill.clone())),
            disk_rows,
            jobs: jobs.max(1),
            ..self
        }
    }

    /// Reads everything, even if the query would stop early.
    pub fn to_the_end(self) -> Self {
        Self { limit: None, ..self }
    }

    /// Does not count groups. Rows that do not fit into memory are kept as they are, so that parts of the query
    /// can be answered one after another.
    pub fn without_counting(self) -> Self {
        let flow = self.query.flow().filter(|_| self.lake.is_some() && has_every_place(self.filter));
        Self { plan: None, flow, at_once: false, ..self }
    }

    /// Passes rows on as they come, if possible.
    pub fn exporting(self) -> Self {
        Self { exports: self.flow.is_some_and(Flow::is_export), ..self }
    }

    /// Always collects rows.
    pub fn over_rows(self) -> Self {
        Self { plan: None, flow: None, flow_of_rows: None, exports: false, ..self }
    }

    /// The columns to build; `None`: all.
    fn columns(&self) -> Option<Vec<Asked>> {
        let always = ALWAYS.iter().copied().map(Asked::whole);
        self.query.scan().asked().map(|asked| asked.into_iter().chain(always).collect())
    }

    /// A collector for one worker.
    pub fn collector(&self) -> Collector<'_> {
        let columns = self.columns();
        let rows = EventRows::new(columns.as_deref()).within(self.filter.clone());
        let rows = if self.lake.is_some() { rows } else { rows.with_identities() };
        let preaggregation = self.plan.map(|plan| PreAggregation::new(plan, &self.room));
        let worker = self.flow.map(|flow| Worker::new(flow, &self.flow_room));
        let survey = self.exports.then(Survey::default);
        Collector {
            shared: self,
            rows,
            text_bytes: 0,
            pieces: Vec::new(),
            pieces_bytes: 0,
            preaggregation,
            worker,
            survey,
            taken: 0,
            failure: None,
        }
    }

    /// Combines the results of all workers.
    ///
    /// # Errors
    /// A condition could not be evaluated, or the rows do not fit into memory.
    pub fn finish(&self, collectors: Vec<Collector<'_>>) -> Result<Gathered> {
        if let Some(plan) = self.plan {
            let mut workers = Vec::new();
            for collector in collectors {
                match collector.failure {
                    Some(failure) => return Err(failure),
                    None => workers.extend(collector.preaggregation),
                }
            }
            return match self.given_up.load(Ordering::Relaxed) {
                true => Ok(Gathered::GivenUp),
                false => self.counted(plan, workers),
            };
        }
        if let Some(flow) = self.flow {
            return self.flowed(flow, collectors);
        }
        if self.given_up.load(Ordering::Relaxed) {
            return Ok(Gathered::GivenUp);
        }
        let mut collectors = collectors;
        collectors.iter_mut().for_each(Collector::flush);
        let is_aside = self.sorted_rows.is_there()
            || self.shared_rows.is_there()
            || self.disk_rows.as_ref().is_some_and(DiskRows::is_used);
        let mut pieces = Vec::new();
        for mut collector in collectors {
            if is_aside {
                collector.put_aside();
            }
            match collector.failure {
                Some(failure) => return Err(failure),
                None => pieces.append(&mut collector.pieces),
            }
        }
        let flowed = self.of_sorted_rows().transpose().or_else(|| self.of_shared_rows().transpose());
        match flowed {
            Some(Ok(flowed)) => return self.flowed_as(flowed),
            // What is too large as a whole may not be so in stages.
            Some(Err(error)) if error.of_memory && self.query.stages().is_some() => {
                return Ok(Gathered::GivenUp);
            }
            Some(Err(error)) => return Err(error),
            None => {}
        }
        let mut suspects = HashSet::new();
        let stored = match &self.disk_rows {
            Some(disk_rows) => disk_rows.stored(self.refused.as_ref(), &mut suspects)?,
            None => None,
        };
        if let (None, Some(refused)) = (&stored, &self.refused) {
            suspects = refused.suspects(&pieces)?;
        }
        match (stored, suspects.is_empty()) {
            (stored, false) => Ok(Gathered::Doubtful(Doubtful { pieces, stored, suspects })),
            (None, true) if self.lake.is_some() => self.of_pieces(pieces),
            (stored, true) => self.settled(Settled { pieces: copies::first_of_each(pieces)?, stored }),
        }
    }

    /// The result for rows without duplicates.
    ///
    /// # Errors
    /// A value is invalid, or there is not enough memory.
    pub fn settled(&self, settled: Settled) -> Result<Gathered> {
        match &settled.stored {
            Some(stored) => self.of_stored(stored),
            None => self.of_pieces(settled.pieces),
        }
    }

    /// The result for rows that fit into memory.
    fn of_pieces(&self, pieces: Vec<Rows>) -> Result<Gathered> {
        let Some(flow) = self.flow_of_rows.filter(|_| self.limit.is_none() && !pieces.is_empty()) else {
            return Ok(Gathered::Rows { pieces });
        };
        let piece = |at: usize| Ok(pieces.get(at).cloned());
        if flow.sequence().is_some() {
            return Ok(Gathered::Rows { pieces });
        }
        if let Some(events_tables) = flow.events_tables() {
            return match self.of_shares_in_memory(flow, events_tables, &pieces) {
                Ok(Some(flowed)) => self.flowed_as(flowed),
                Err(error) if error.of_disk => Err(error),
                Ok(None) | Err(_) => Ok(Gathered::Rows { pieces }),
            };
        }
        match self.worked_out(flow, pieces.len(), &piece) {
            Ok(flowed) => self.flowed_as(flowed),
            Err(error) if error.is_of_room() => Err(error),
            Err(_) => Ok(Gathered::Rows { pieces }),
        }
    }

    /// The result for rows that do not fit into memory.
    fn of_stored(&self, stored: &Stored) -> Result<Gathered> {
        let stages = self.query.stages();
        let in_stages = || match stages {
            Some(stages) => self.of_stages_on_disk(stages, stored),
            None => Err(too_much(self.memory_bytes_max)),
        };
        let whole = || match self.flow_of_rows {
            Some(flow) => self.of_flow_on_disk(flow, stored).and_then(|flowed| self.flowed_as(flowed)),
            None => Err(too_much(self.memory_bytes_max)),
        };
        let ways: [&dyn Fn() -> Result<Gathered>; 2] =
            if stages.is_some_and(Stages::are_groups) { [&in_stages, &whole] } else { [&whole, &in_stages] };
        let [first, second] = ways;
        // What is too large in one way may not be so in the other.
        first().or_else(|error| match error.of_memory {
            true => second().map_err(|second| if second.of_memory { error } else { second }),
            false => Err(error),
        })
    }

    fn flowed_as(&self, flowed: Flowed) -> Result<Gathered> {
        Ok(match flowed {
            Flowed::Ordered(ordered) if self.query.has_outer() => match self.query.outer_flow() {
                Some(flow) => self.over_rows_on_disk(flow, &ordered)?,
                // The query around this one runs over rows in memory.
                None => {
                    let rows = ordered.whole(&self.flow_room.limits)?.into_rows();
                    Gathered::Flowed(Worked(Flowed::Rows(rows)))
                }
            },
            Flowed::Ordered(ordered) => Gathered::Ordered(ordered),
            flowed => Gathered::Flowed(Worked(flowed)),
        })
    }

    /// Evaluates `count` pieces on all threads.
    fn worked_out(
        &self,
        flow: &Flow,
        count: usize,
        piece: &(dyn Fn(usize) -> Result<Option<Rows>> + Sync),
    ) -> Result<Flowed> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut worker = Worker::new(flow, &self.flow_room);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(rows) = (if at < count { piece(at)? } else { None }) else {
                    return Ok(worker.into_parts());
                };
                worker.add_rows(&rows)?;
            }
        };
        let done: Vec<Result<Vec<flow::Part>>> =
            match rayon::ThreadPoolBuilder::new().num_threads(self.jobs).build() {
                Ok(pool) => pool.broadcast(|_| panics::caught(work)),
                Err(_) => vec![panics::caught(work)],
            };
        let parts = done.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        panics::caught(|| flow.finish(parts, &self.flow_room, self.jobs))
    }

    fn flowed(&self, flow: &Flow, collectors: Vec<Collector<'_>>) -> Result<Gathered> {
        let (mut parts, mut surveys) = (Vec::new(), Vec::new());
        for collector in collectors {
            if let Some(failure) = collector.failure {
                return Err(failure);
            }
            parts.extend(collector.worker.into_iter().flat_map(Worker::into_parts));
            surveys.extend(collector.survey);
        }
        if self.given_up.load(Ordering::Relaxed) {
            return Ok(Gathered::GivenUp);
        }
        if self.exports {
            return Ok(match panics::caught(|| Export::of(flow, surveys, self.flow_room.limits.clone())) {
                Ok(export) => Gathered::Surveyed(Box::new(export)),
                Err(_) => Gathered::GivenUp,
            });
        }
        match panics::caught(|| flow.finish(parts, &self.flow_room, self.jobs)) {
            Ok(flowed) => self.flowed_as(flowed),
            Err(error) if error.is_of_room() => Err(error),
            Err(_) => Ok(Gathered::GivenUp),
        }
    }

    fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.full.store(true, Ordering::Relaxed);
    }
}

fn has_every_place(filter: &Filter) -> bool {
    filter.accounts.is_empty() && filter.regions.is_empty()
}

/// One worker's rows.
pub struct Collector<'g> {
    shared: &'g Gathering<'g>,
    rows: EventRows,
    /// Bytes of the records that these rows were built from.
    text_bytes: usize,
    pieces: Vec<Rows>,
    pieces_bytes: u64,
    preaggregation: Option<PreAggregation<'g>>,
    worker: Option<Worker<'g>>,
    survey: Option<Survey>,
    taken: u64,
    failure: Option<SqlError>,
}

impl Collector<'_> {
    fn chunk(&self) -> usize {
        if self.shared.limit.is_some() { CHUNK_ROWS_WITH_LIMIT } else { CHUNK_ROWS }
    }

    /// Whether the rows under construction are a full chunk.
    fn is_chunk(&self) -> bool {
        let bytes_max = self.shared.memory_bytes_max / CHUNK_PART / self.shared.jobs as u64;
        self.rows.height() >= self.chunk()
            || self.shared.disk_rows.is_some() && self.text_bytes as u64 > bytes_max
    }

    fn flush(&mut self) {
        self.text_bytes = 0;
        if self.rows.height() == 0 || self.failure.is_some() {
            return;
        }
        let rows = self.rows.take();
        let all = if self.shared.refused.is_some() { refused::identities(&rows) } else { Vec::new() };
        let kept = self.shared.query.keep(rows).and_then(|kept| {
            self.shared.refused.as_ref().map_or(Ok(()), |refused| refused.note(&all, &kept))?;
            Ok(kept)
        });
        self.keep(kept);
    }

    /// Adds rows that were kept, or stops because of what was wrong with them.
    fn keep(&mut self, kept: Result<Rows>) {
        match kept {
            Ok(kept) if kept.height == 0 => {}
            Ok(kept) => self.add(kept),
            Err(failure) => self.stop(failure),
        }
    }

    fn add(&mut self, kept: Rows) {
        let bytes = kept.columns.iter().map(|(_, column)| memory::stored_bytes(column)).sum::<usize>() as u64;
        let all = self.shared.kept_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let can_go = self.shared.disk_rows.is_some();
        let kept_bytes_max = self.shared.memory_bytes_max / KEPT_PART;
        if all > self.shared.memory_bytes_max && !can_go {
            return self.stop(too_much(self.shared.memory_bytes_max));
        }
        if self.shared.limit.is_some_and(|limit| self.events_with(&kept) >= limit) {
            self.shared.full.store(true, Ordering::Relaxed);
        }
        self.pieces.push(kept);
        self.pieces_bytes += bytes;
        if can_go && all > kept_bytes_max && self.pieces_bytes > kept_bytes_max / WORTH_PART {
            self.put_aside();
        }
    }

    /// Writes the kept rows to disk.
    fn put_aside(&mut self) {
        let Some(disk_rows) = &self.shared.disk_rows else { return };
        let pieces = &mut self.pieces;
        let done = panics::caught(|| match self.shared.sequence_at_once() {
            Some((_, sequence)) => self.shared.put_in_sequence(sequence, pieces),
            None => match self.shared.shares_at_once() {
                Some((_, events_tables)) => self.shared.put_in_shares(events_tables, pieces),
                None => pieces.drain(..).try_for_each(|piece| disk_rows.put(&piece)),
            },
        });
        self.shared.kept_bytes.fetch_sub(self.pieces_bytes, Ordering::Relaxed);
        self.pieces_bytes = 0;
        if let Err(failure) = done {
            self.stop(failure);
        }
    }

    /// Number of events that were kept, including these.
    fn events_with(&self, kept: &Rows) -> u64 {
        let identities =
            kept.columns.iter().find(|(name, _)| *name == IDENTITY).and_then(|(_, column)| column.i64().ok());
        let (Some(identities), Ok(mut events)) = (identities, self.shared.events.lock()) else {
            return self.shared.rows.fetch_add(kept.height as u64, Ordering::Relaxed) + kept.height as u64;
        };
        events.extend(identities.iter().flatten());
        events.len() as u64
    }

    fn stop(&mut self, failure: SqlError) {
        self.failure = Some(failure);
        self.shared.full.store(true, Ordering::Relaxed);
    }

    /// Takes the rows of the next file of a lake: first the columns of the conditions, and the others of the rows
    /// that meet them.
    fn rows_of_portions(
        &mut self,
        lake: &LakeFeed,
        flow: &Flow,
        (sources, filter): (Option<&[&str]>, &Filter),
    ) -> bool {
        lake.next_portions(flow.visit(), &mut |portion| {
            let read = panics::caught(|| Ok(flow::rows(flow, portion, (sources, filter))));
            match read.map_err(flow::Stop::from).and_then(|rows| rows) {
                Ok((taken, rows)) => {
                    self.taken += taken;
                    self.keep(self.shared.query.ranked(rows));
                }
                Err(flow::Stop::Damaged(error)) => return Err(error),
                Err(flow::Stop::Refused(error)) => self.stop(error),
                Err(flow::Stop::GivenUp) => self.shared.give_up(),
            }
            Ok(())
        })
    }
}

impl pipeline::Collector for Collector<'_> {
    fn record(&mut self, object: &str, record: RawRecord<'_>) -> std::result::Result<(), String> {
        if self.is_full() {
            return Ok(());
        }
        if self.preaggregation.is_some() || self.worker.is_some() {
            self.shared.give_up();
            return Ok(());
        }
        if self.shared.prefilter.as_ref().is_some_and(|prefilter| !prefilter.admits(record.json)) {
            return Ok(());
        }
        self.taken += u64::from(self.rows.push(object, record)?);
        self.text_bytes += record.json.len();
        if self.is_chunk() {
            self.flush();
        }
        Ok(())
    }

    /// Takes rows from a lake, whose columns are stored as they are needed; only the identity for comparing
    /// several sources is missing. If the user asks for accounts or regions, records are read one by one
    /// instead, because a record's own values may differ from those of its partition.
    fn portion(&mut self, sources: Option<&[&str]>) -> Option<bool> {
        let (lake, filter) = (self.shared.lake.as_deref()?, self.shared.filter);
        if !has_every_place(filter) {
            return None;
        }
        if let Some(preaggregation) = &mut self.preaggregation {
            let mut failure = None;
            let more = lake.next_portions(Visit::AsTheyStand, &mut |portion| {
                match preaggregation.add(portion, sources, filter) {
                    Ok(taken) => self.taken += taken,
                    Err(Stop::Damaged(error)) => return Err(error),
                    Err(Stop::Refused(error)) => failure = Some(error),
                    Err(Stop::GivenUp) => self.shared.give_up(),
                }
                Ok(())
            });
            if let Some(failure) = failure {
                self.stop(failure);
            }
            return Some(more);
        }
        if let Some(worker) = &mut self.worker {
            let (mut taken, mut failure) = (0, None);
            let more = lake.next_portions(worker.flow().visit(), &mut |portion| {
                let added = match &mut self.survey {
                    Some(survey) => survey.add(worker.flow(), portion, sources, filter),
                    None => worker.add(portion, sources, filter),
                };
                match added {
                    Ok(rows) => taken += rows,
                    Err(flow::Stop::Damaged(error)) => return Err(error),
                    Err(flow::Stop::Refused(error)) => failure = Some(error),
                    Err(flow::Stop::GivenUp) => self.shared.give_up(),
                }
                Ok(())
            });
            self.taken += taken;
            if let Some(failure) = failure {
                self.stop(failure);
            }
            return Some(more);
        }
        if let Some(flow) = self.shared.flow_of_rows.filter(|flow| flow.events_tables().is_some()) {
            return Some(self.rows_of_portions(lake, flow, (sources, filter)));
        }
        let columns = self.shared.columns();
        Some(lake.next_rows(filter, sources, columns.as_deref(), &mut |rows| {
            self.taken += rows.height as u64;
            self.keep(self.shared.query.keep_distinct(rows));
        }))
    }

    fn relevant(&self) -> u64 {
        self.taken
    }

    fn is_full(&self) -> bool {
        self.shared.full.load(Ordering::Relaxed)
    }
}
