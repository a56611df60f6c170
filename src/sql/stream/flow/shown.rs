//! Makes the rows of the result from finished groups: from all of them, or some at a time.

use std::sync::{Mutex, PoisonError};

use polars::prelude::Series;
use sqlparser::ast::OrderByOptions;

use super::aside::sorting;
use super::{Flow, Flowed, Part};
use crate::sql::catalog::Counted;
use crate::sql::error::Result;
use crate::sql::memory::Limits;
use crate::sql::run::select;
use crate::sql::run::select::Projected;
use crate::sql::stream::ordered::Ordered;
use crate::sql::stream::spill::Spill;
use crate::sql::stream::spill::sorted::Sorting;
use crate::sql::types::place::RECORD;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// The fraction of the memory that rows may take before they are sorted on disk.
const HELD_PART: u64 = 10;

impl Flow {
    /// The rows of the answer that groups make, whose first events are at `places`.
    pub(super) fn rows_of_groups(
        &self,
        groups: &Counted,
        places: Relation,
        limits: &Limits,
    ) -> Result<Projected> {
        self.over(self.nothing()?, limits, |like, select| {
            select::projected_groups(like, select, groups, places)
        })
    }

    /// The same where places are numbers.
    pub(super) fn rows_of_groups_at(
        &self,
        groups: &Counted,
        places: Series,
        limits: &Limits,
    ) -> Result<Projected> {
        let mut placed = Relation { height: groups.count, ..Relation::default() };
        placed.push(Field { hidden: true, ..Field::new(RECORD, Kind::Bigint) }, places);
        self.rows_of_groups(groups, placed, limits)
    }

    /// The rows that an answer stands for, before OFFSET and LIMIT, where groups have not been made rows of.
    pub fn shown(&self, flowed: Flowed, limits: &Limits) -> Result<Flowed> {
        let Flowed::Groups(groups) = flowed else { return Ok(flowed) };
        let places = Relation { height: groups.count, ..Relation::default() };
        let Projected { rows, keys, .. } = self.rows_of_groups(&groups, places, limits)?;
        let part = Part { rows, keys };
        let part = if self.plan.is_distinct() { part.distinct()? } else { part };
        Ok(Flowed::Rows(part.first(self.wanted)?.rows.seen()))
    }

    /// All rows of the answer.
    pub fn answer(&self, flowed: Flowed, limits: &Limits) -> Result<Relation> {
        Ok(match self.shown(flowed, limits)? {
            Flowed::Ordered(ordered) => ordered.whole(limits)?.into_rows(),
            Flowed::Rows(rows) => {
                let (offset, count) = self.cut(limits)?;
                if offset == 0 && count >= rows.height { rows } else { rows.slice(offset, count) }
            }
            Flowed::Whole(rows) => rows,
            Flowed::Groups(_) => Relation::default(),
        })
    }
}

/// The rows that all groups have left so far.
pub(in crate::sql) struct ShownGroups<'f> {
    flow: &'f Flow,
    limits: &'f Limits,
    spill: Option<&'f Spill>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    parts: Vec<Part>,
    bytes: u64,
    sorting: Option<std::sync::Arc<Sorting>>,
}

impl<'f> ShownGroups<'f> {
    /// `None` if some of the groups alone do not make rows of the answer.
    pub fn of(flow: &'f Flow, limits: &'f Limits, spill: Option<&'f Spill>) -> Option<Self> {
        flow.are_groups_alone().then(|| Self { flow, limits, spill, state: Mutex::default() })
    }

    /// Makes rows from groups; `places` are numbers in the order of the groups' first events.
    pub fn add(&self, groups: &Counted, places: Series) -> Result<()> {
        let Projected { rows, keys, .. } = self.flow.rows_of_groups_at(groups, places, self.limits)?;
        let part = in_order(Part { rows, keys }, self.flow.wanted)?;
        if part.rows.height > 0 { self.keep(part) } else { Ok(()) }
    }

    /// Keeps rows in memory, or sorts them on disk with those that were kept.
    fn keep(&self, part: Part) -> Result<()> {
        let most = self.limits.memory_bytes_max.map_or(u64::MAX, |bytes| bytes / HELD_PART);
        let (parts, sorting) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.bytes += part.bytes();
            state.parts.push(part);
            match (self.spill, state.bytes > most) {
                (Some(spill), true) => {
                    if state.sorting.is_none() {
                        state.sorting = Some(std::sync::Arc::new(sorting(spill, self.limits)?));
                    }
                    state.bytes = 0;
                    (std::mem::take(&mut state.parts), state.sorting.clone())
                }
                _ => return Ok(()),
            }
        };
        sorting.map_or(Ok(()), |sorting| run(&sorting, parts))
    }

    /// The result.
    pub fn finish(self) -> Result<Flowed> {
        let State { parts, sorting, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let nothing = || -> Result<Relation> {
            let columns = self.flow.shown_groups(Relation::default(), self.limits)?;
            Ok(columns.map(|Projected { rows, .. }| rows).unwrap_or_default())
        };
        let Some(sorting) = sorting.and_then(std::sync::Arc::into_inner) else {
            if parts.is_empty() {
                return Ok(Flowed::Rows(nothing()?.seen()));
            }
            return Ok(Flowed::Rows(in_order(Part::all(parts)?, self.flow.wanted)?.rows.seen()));
        };
        if !parts.is_empty() {
            run(&sorting, parts)?;
        }
        let ordered = Ordered::new(sorting.merged()?, nothing()?, self.flow.cut(self.limits)?)?;
        Ok(Flowed::Ordered(Box::new(ordered)))
    }
}

fn run(sorting: &Sorting, parts: Vec<Part>) -> Result<()> {
    sorting.run(parts.into_iter().map(|part| (part.rows, part.keys)).collect())
}

/// The first rows in order; rows with equal sort keys are in the order of their groups' first events.
fn in_order(part: Part, wanted: usize) -> Result<Part> {
    let Some(places) = part.rows.named(RECORD)? else { return Ok(part) };
    let Part { rows, mut keys } = part;
    keys.push((Values { kind: Kind::Bigint, ..places }, OrderByOptions { asc: None, nulls_first: None }));
    let mut part = Part { rows, keys }.first(wanted)?;
    part.keys.pop();
    Ok(part)
}
