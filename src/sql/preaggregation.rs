//! Groups that are counted while a lake is read, and no row is ever made.
//!
//! A lake holds a column as numbers into its distinct texts. What a query asks of single columns (a
//! condition, a key, an argument) is worked out once for each distinct text, by the same evaluator as
//! everywhere; for each row there are numbers to look up and to count. Each worker has groups of its own, of
//! the whole files that it has read, and they are merged at the end.
//!
//! That goes for queries that cannot tell the order of their rows ([`super::order_insensitive`]) and ask
//! nothing but what is in [`plan`]. Where it turns out to be no help (there are as many groups as rows) or a
//! value is at fault, all is given up, and the query takes the way over rows.
//!
//! - [`plan`]: what a query asks of which leaves;
//! - [`over`]: an expression over leaves, for each of their texts; [`cell`]: one value;
//! - `rows`: the rows of a portion that count, as numbers;
//! - `groups`: what is known of each group; `parts`: what one portion adds to that.

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

/// Why a portion is not counted.
pub(super) enum Stop {
    /// It cannot be read.
    Damaged(LakeError),
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

/// Groups, and different values in them, at most: with more of them, the way over rows is as quick.
const HELD_MAX: u64 = 1 << 20;
/// What one of them takes in memory, about.
const HELD_BYTES: u64 = 256;

/// What all workers hold together.
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
