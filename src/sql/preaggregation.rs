//! Counts groups while a lake is read, without building rows.
//!
//! A lake stores text columns as numbers into their distinct texts. Expressions of single columns
//! (conditions, keys, arguments) are evaluated once for each distinct text, by the normal evaluator; for each
//! row only numbers have to be looked up and counted. Each worker has its own groups, which are merged at the
//! end.
//!
//! This is possible for queries that do not depend on the order of rows ([`super::order_insensitive`]) and
//! consist only of what [`plan`] supports. If it turns out to be useless (with nearly as many groups as rows)
//! or a value is invalid, everything is discarded, and the query is evaluated over rows.
//!
//! - [`plan`]: which queries can be counted, and what is counted;
//! - [`over`]: expressions over columns, evaluated for each of their texts; [`cell`]: one value;
//! - `rows`: the selected rows of a row group, as numbers;
//! - `groups`: the state of each group; `parts`: adds a row group to it.

mod cell;
mod groups;
mod over;
mod parts;
pub(super) mod plan;
mod rows;

use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;

use groups::Groups;
use plan::Plan;
use rows::Rows;

use super::error::SqlError;
use super::values::Values;
use crate::lake::{LakeError, Portion};
use crate::model::{Filter, Timestamp};
use sqlparser::ast::Expr;

/// Why a row group could not be counted.
pub(super) enum Stop {
    /// It cannot be read.
    Damaged(LakeError),
    /// The query cannot be counted in this way.
    GivenUp,
}

impl From<LakeError> for Stop {
    fn from(error: LakeError) -> Self {
        Self::Damaged(error)
    }
}

/// If a value is invalid, the evaluation over rows finds it and reports the proper error.
impl From<SqlError> for Stop {
    fn from(_: SqlError) -> Self {
        Self::GivenUp
    }
}

/// Groups with their keys and aggregates.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub count: usize,
    pub known: Vec<(Expr, Values)>,
}

/// Maximum number of groups and distinct values: beyond this, evaluation over rows is as fast.
const HELD_MAX: u64 = 1 << 20;
/// Approximate memory of one of them.
const HELD_BYTES: u64 = 256;

/// The memory that all workers share.
#[derive(Debug)]
pub(super) struct Room {
    held: AtomicU64,
    held_max: u64,
    hasher: RandomState,
}

impl Room {
    pub fn new(memory_bytes_max: u64) -> Self {
        Self {
            held: AtomicU64::new(0),
            held_max: (memory_bytes_max / HELD_BYTES).min(HELD_MAX),
            hasher: RandomState::default(),
        }
    }

    fn take(&self, more: u64) -> Result<(), Stop> {
        if self.held.fetch_add(more, Ordering::Relaxed) + more > self.held_max {
            Err(Stop::GivenUp)
        } else {
            Ok(())
        }
    }
}

/// One worker's groups.
pub(super) struct PreAggregation<'q> {
    plan: &'q Plan,
    room: &'q Room,
    groups: Groups,
}

impl<'q> PreAggregation<'q> {
    pub fn new(plan: &'q Plan, room: &'q Room) -> Self {
        Self { plan, room, groups: Groups::new(room.hasher.clone()) }
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
            let before = self.groups.held();
            parts::add(&mut rows, plan, &mut self.groups)?;
            self.room.take((self.groups.held() - before) as u64)?;
        }
        Ok(taken)
    }

    /// The groups of all workers, in the order of their first events.
    pub fn finish(plan: &Plan, tallies: impl IntoIterator<Item = Self>) -> Counted {
        let all =
            tallies.into_iter().map(|preaggregation| preaggregation.groups).reduce(|mut all, groups| {
                all.merge(groups, plan);
                all
            });
        all.unwrap_or_else(|| Groups::new(RandomState::default())).finish(plan)
    }
}
