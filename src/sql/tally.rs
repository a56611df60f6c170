//! Groups that are counted while a lake is read, and no row is ever made.
//!
//! A lake holds a column as numbers into its distinct texts. What a query asks of single columns (a condition, a key, an
//! argument) is worked out once for each distinct text, by the same evaluator as everywhere; for each row there are numbers to
//! look up and to count. Each worker has groups of its own, of the whole files that it has read, and they are merged at the end.
//!
//! That goes for queries that cannot tell the order of their rows ([`super::blind`]) and ask nothing but what is in [`plan`]. Where
//! it turns out to be no help (there are as many groups as rows) or a value is at fault, all is given up, and the query takes
//! the way over rows.
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

/// One worker's groups.
pub(super) struct Tally<'q> {
    plan: &'q Plan,
    groups: Groups,
}

impl<'q> Tally<'q> {
    pub fn new(plan: &'q Plan) -> Self {
        Self { plan, groups: Groups::default() }
    }

    /// Counts the rows of a portion that are of `sources` and within the times of `filter`, as far as the query admits them;
    /// how many they are before it is asked.
    pub fn add(&mut self, portion: &Portion<'_>, sources: Option<&[&str]>, filter: &Filter) -> Result<u64, Stop> {
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
        for condition in &plan.conditions {
            if rows.height() == 0 {
                return Ok(taken);
            }
            rows.keep(condition)?;
        }
        if rows.height() > 0 {
            parts::add(&mut rows, plan, &mut self.groups)?;
        }
        Ok(taken)
    }

    /// The groups of all workers, in the order of their first events.
    pub fn finish(plan: &Plan, tallies: impl IntoIterator<Item = Self>) -> Counted {
        let mut all = Groups::default();
        for tally in tallies {
            all.merge(tally.groups, plan);
        }
        all.finish(plan)
    }
}
