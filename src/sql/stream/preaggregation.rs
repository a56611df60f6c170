//! Counts groups while a lake is read, without building rows.
//!
//! A lake stores text columns as numbers into their distinct texts. Expressions of single columns
//! (conditions, keys, arguments) are evaluated once for each distinct text, by the normal evaluator; for each
//! row only numbers have to be looked up and counted. A column whose texts hardly repeat has no dictionary:
//! there, each row has a number of its own. Each worker has its own groups, in hash partitions, which are
//! merged at the end, partition by partition on all threads. If they do not fit into memory, they are written
//! to disk in the same partitions.
//!
//! This is possible for queries that do not depend on the order of rows (`plan::order_insensitive`) and
//! consist only of what [`plan`] supports. If a value is invalid, everything is discarded, and the query is
//! evaluated over rows.
//!
//! - [`plan`]: which queries can be counted, and what is counted;
//! - [`over`]: expressions over columns, evaluated for each of their texts; [`cell`]: one value;
//! - `rows`: the selected rows of a row group, as numbers;
//! - `groups`: the state of each group of a worker, in a [`text_set`]; `parts`: adds a row group to it;
//! - `aside`: groups on disk; [`merge`]: merges the groups of all workers.

mod aside;
mod cell;
mod groups;
mod held;
mod merge;
mod over;
mod parts;
pub(in crate::sql) mod plan;
pub(in crate::sql) mod room;
mod rows;
mod text_set;

use std::sync::atomic::Ordering;

use crate::sql::catalog::Counted;
use groups::Groups;
pub(in crate::sql) use merge::Show;
use plan::Plan;
use room::{Room, Stop};
use rows::Rows;

use crate::lake::Portion;
use crate::model::{Filter, Timestamp};

/// One worker's groups.
pub(in crate::sql) struct PreAggregation<'q> {
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

    /// Counts the rows of a row group that are of `sources`, within the times of `filter`, and meet the
    /// conditions of the query. Returns their number before the conditions were applied.
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
        if !self.is_too_much() {
            return Ok(());
        }
        // Groups that are there several times, until they are put together.
        self.groups.settle(self.plan, true, |_, _| {});
        self.groups.settle_values(true);
        if !self.is_too_much() {
            return Ok(());
        }
        if !self.room.aside.is_possible() {
            return Err(Stop::GivenUp);
        }
        self.room.aside.put_all(&mut self.groups)?;
        // The groups themselves stay where they have distinct values.
        if self.is_too_much() { Err(Stop::GivenUp) } else { Ok(()) }
    }

    /// Records what the groups take now; returns whether all workers hold too much.
    fn is_too_much(&mut self) -> bool {
        let (groups, values) = self.groups.bytes();
        let before = std::mem::replace(&mut self.bytes, (groups + values) as u64);
        self.room.exchange(before, self.bytes)
    }

    /// The groups of all workers, in the order of their first events. Where they are many, they are given to
    /// `show`, and there are none here.
    pub fn finish(
        plan: &Plan,
        room: &Room,
        workers: impl IntoIterator<Item = Self>,
        jobs: usize,
        show: Option<Show<'_>>,
    ) -> crate::sql::error::Result<Option<Counted>> {
        let workers = workers.into_iter().map(|worker| worker.groups).collect();
        merge::finish(plan, room, workers, jobs, show)
    }
}
