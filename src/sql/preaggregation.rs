//! Groups that are counted while a lake is read, and no row is ever made.
//!
//! A lake holds a column as numbers into its distinct texts. What a query asks of single columns (a
//! condition, a key, an argument) is worked out once for each distinct text, by the same evaluator as
//! everywhere; for each row there are numbers to look up and to count. Where texts hardly repeat there is no
//! dictionary, and each row has a number of its own. Each worker has groups of its own, of the whole files
//! that it has read; they are divided by their hashes, and put together part by part on all threads. What
//! does not fit into memory goes to disk in the same parts.
//!
//! That goes for queries that cannot tell the order of their rows ([`super::order_insensitive`]) and ask
//! nothing but what is in [`plan`]. Where a value is at fault, all is given up, and the query takes the way
//! over rows.
//!
//! - [`plan`]: what a query asks of which leaves;
//! - [`over`]: an expression over leaves, for each of their texts; [`cell`]: one value;
//! - `rows`: the rows of a portion that count, as numbers;
//! - `groups`: what a worker knows of each group, in a [`text_set`]; `parts`: what one portion adds to that;
//! - `aside`: groups on disk; [`merge`]: the groups of all workers.

mod aside;
mod cell;
mod groups;
mod merge;
mod over;
mod parts;
pub(super) mod plan;
mod rows;
mod text_set;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use foldhash::fast::RandomState;

use aside::Aside;
use groups::Groups;
pub(super) use merge::Show;
use plan::Plan;
use rows::Rows;

use super::error::SqlError;
use super::memory::too_much;
use super::spill::Spill;
use super::values::Values;
use crate::lake::{LakeError, Portion};
use crate::model::{Filter, Timestamp};
use sqlparser::ast::Expr;

/// Why a portion is not counted.
pub(super) enum Stop {
    /// It cannot be read.
    Damaged(LakeError),
    /// A temporary file cannot be used.
    Refused(SqlError),
    /// This is no way for this query.
    GivenUp,
}

impl From<LakeError> for Stop {
    fn from(error: LakeError) -> Self {
        Self::Damaged(error)
    }
}

/// Whatever is wrong with a value, the way over rows finds it, and the words for it.
impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        if error.of_disk { Self::Refused(error) } else { Self::GivenUp }
    }
}

/// Groups with their keys and aggregates.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub count: usize,
    pub known: Vec<(Expr, Values)>,
}

/// Of the memory, the part that the groups of all workers may take before they go to disk, and of that, the
/// part from which on one worker's are worth it.
const HELD_PART: u64 = 5;
const WORTH_PART: u64 = 16;

/// What all workers hold together.
#[derive(Debug)]
pub(super) struct Room {
    memory_bytes_max: u64,
    held: AtomicU64,
    workers: AtomicUsize,
    hasher: RandomState,
    aside: Aside,
}

impl Room {
    /// With `spill`, what does not fit goes to disk.
    pub fn new(memory_bytes_max: u64, spill: Option<Spill>) -> Self {
        Self {
            memory_bytes_max,
            held: AtomicU64::new(0),
            workers: AtomicUsize::new(0),
            hasher: RandomState::default(),
            aside: Aside::new(spill),
        }
    }

    /// In the place of `before` bytes, a worker holds `after`; whether that is too much.
    fn exchange(&self, before: u64, after: u64) -> bool {
        self.held.fetch_add(after, Ordering::Relaxed);
        let held = self.held.fetch_sub(before, Ordering::Relaxed) - before;
        let most = self.memory_bytes_max / HELD_PART;
        held > most && after > most / WORTH_PART
    }

    fn too_much(&self) -> SqlError {
        too_much(self.memory_bytes_max)
    }
}

/// One worker's groups.
pub(super) struct PreAggregation<'q> {
    plan: &'q Plan,
    room: &'q Room,
    groups: Groups,
    bytes: u64,
}

impl<'q> PreAggregation<'q> {
    pub fn new(plan: &'q Plan, room: &'q Room) -> Self {
        let worker = room.workers.fetch_add(1, Ordering::Relaxed);
        Self { plan, room, groups: Groups::new(plan, worker, room.hasher.clone()), bytes: 0 }
    }

    /// Counts the rows of a portion that are of `sources` and within the times of `filter`, as far as the
    /// query admits them; how many they are before it is asked.
    pub fn add(
        &mut self,
        portion: &Portion<'_>,
        sources: Option<&[&str]>,
        filter: &Filter,
    ) -> Result<u64, Stop> {
        let plan = self.plan;
        let mut rows = Rows::new(portion, plan);
        if let Some(sources) = sources {
            rows.keep_texts(plan::SOURCE, |text| text.is_some_and(|text| sources.contains(&text)))?;
        }
        if rows.height() == 0 {
            return Ok(0);
        }
        if !portion.is_within(filter) {
            let admits = |time: &str| Timestamp::parse(time).is_none_or(|time| filter.admits_time(time));
            rows.keep_texts(plan::TIME, |time| time.is_none_or(admits))?;
        }
        let taken = rows.height() as u64;
        if !plan.sought.iter().all(|sought| sought.may_be_in(portion)) {
            return Ok(taken);
        }
        for condition in &plan.conditions {
            if rows.height() == 0 {
                return Ok(taken);
            }
            rows.keep(condition)?;
        }
        if rows.height() > 0 {
            parts::add(&mut rows, plan, &mut self.groups)?;
            self.make_room()?;
        }
        Ok(taken)
    }

    /// Puts groups aside where all workers hold too much.
    fn make_room(&mut self) -> Result<(), Stop> {
        let bytes = |groups: &Groups| groups.bytes().0 as u64 + groups.bytes().1 as u64;
        let before = std::mem::replace(&mut self.bytes, bytes(&self.groups));
        if !self.room.exchange(before, self.bytes) {
            return Ok(());
        }
        if !self.room.aside.is_possible() {
            return Err(Stop::GivenUp);
        }
        self.room.aside.put_all(&mut self.groups, self.plan)?;
        let before = std::mem::replace(&mut self.bytes, bytes(&self.groups));
        // The groups themselves stay where they have distinct values.
        if self.room.exchange(before, self.bytes) { Err(Stop::GivenUp) } else { Ok(()) }
    }

    /// The groups of all workers, in the order of their first events. Where they are many, they are given to
    /// `show`, and there are none here.
    pub fn finish(
        plan: &Plan,
        room: &Room,
        workers: impl IntoIterator<Item = Self>,
        jobs: usize,
        show: Option<Show<'_>>,
    ) -> super::error::Result<Option<Counted>> {
        let workers = workers.into_iter().map(|worker| worker.groups).collect();
        merge::finish(plan, room, workers, jobs, show)
    }
}
