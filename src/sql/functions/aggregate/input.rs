//! What an aggregate call works on.

use polars::prelude::Series;

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::rows::Aggregate;
use crate::sql::functions::predicate;
use crate::sql::scope::Scope;
use crate::sql::types::compare::key_column;
use crate::sql::types::group_ids::GroupIds;
use crate::sql::types::order;
use crate::sql::types::relation::Groups;
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;

/// A prepared aggregate call: its rows in order, and the values of its arguments.
pub(super) struct Input<'a> {
    pub groups: &'a Groups,
    /// The rows that are aggregated.
    pub rows: Vec<u32>,
    pub args: Vec<Values>,
}

pub(super) fn input<'a>(scope: &Scope<'_>, call: &Aggregate, groups: &'a Groups) -> Result<Input<'a>> {
    let args = call.arguments.iter().map(|argument| scope.values(argument)).collect::<Result<_>>()?;
    let mut rows: Vec<u32> =
        (0..u32::try_from(scope.height()).map_err(|_| SqlError::new("too many rows"))?).collect();
    if let Some(filter) = &call.filter {
        let holds = scope.holds(filter)?;
        rows.retain(|row| holds.get(*row as usize) == Some(&true));
    }
    if !call.order_by.is_empty() {
        let keys = call.order_by.iter().map(|(key, options)| Ok((scope.values(key)?, *options)));
        let rank = order::ranks(&keys.collect::<Result<Vec<_>>>()?, scope.height())?;
        rows.sort_by_key(|row| rank.get(*row as usize).copied());
    }
    let input = Input { groups, rows, args };
    if call.is_distinct { input.distinct() } else { Ok(input) }
}

impl Input<'_> {
    pub(super) fn arg(&self, at: usize) -> Result<&Values> {
        self.args.get(at).ok_or_else(|| SqlError::new("an argument is missing"))
    }

    /// `(group, row)` for each aggregated row, in order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.rows
            .iter()
            .filter_map(|row| Some((*self.groups.of_row.get(*row as usize)? as usize, *row as usize)))
    }

    /// A state for each group, initially `start`.
    pub(super) fn slots<T: Clone>(&self, start: T) -> Vec<T> {
        vec![start; self.groups.count()]
    }

    pub(super) fn first_only(mut self) -> Self {
        self.args.truncate(1);
        self
    }

    /// Keeps the first of equal rows in each group.
    pub(super) fn distinct(mut self) -> Result<Self> {
        let height = self.groups.of_row.len();
        let args = self.args.iter().map(|arg| key_column(arg, height)).collect::<Result<Vec<Series>>>()?;
        let args = match GroupIds::of(&args) {
            Some(numbers) => numbers,
            None => Groups::by(&args, height)?.into(),
        };
        let same = GroupIds { of_row: self.groups.of_row.clone(), count: self.groups.count() }.with(&args);
        let mut seen = vec![false; same.count];
        self.rows.retain(|row| {
            match same.of_row.get(*row as usize).and_then(|group| seen.get_mut(*group as usize)) {
                Some(seen) => !std::mem::replace(seen, true),
                None => false,
            }
        });
        Ok(self)
    }

    pub(super) fn nulls(&self, at: usize) -> Result<Vec<bool>> {
        predicate::nulls(self.arg(at)?)
    }

    pub(super) fn count(&self) -> Result<Values> {
        let nulls = (0..self.args.len()).map(|at| self.nulls(at)).collect::<Result<Vec<_>>>()?;
        let mut counts = self.slots(0_i64);
        for (group, row) in self.pairs() {
            let counted = nulls.iter().all(|nulls| nulls.get(row) == Some(&false));
            if let Some(count) = counts.get_mut(group) {
                *count += i64::from(counted);
            }
        }
        Ok(Values::new(Kind::Bigint, i64::column(counts.into_iter().map(Some).collect())))
    }

    pub(super) fn count_if(&self) -> Result<Values> {
        let truths = self.arg(0)?.truths()?;
        let mut counts = self.slots(0_i64);
        for (group, row) in self.pairs() {
            if let Some(count) = counts.get_mut(group) {
                *count += i64::from(truths.get(row) == Some(true));
            }
        }
        Ok(Values::new(Kind::Bigint, i64::column(counts.into_iter().map(Some).collect())))
    }

    /// For each group, the rows for which `keep` is true.
    pub(super) fn rows_by_group(&self, keep: impl Fn(usize) -> bool) -> Vec<Vec<u32>> {
        let mut rows: Vec<Vec<u32>> = self.slots(Vec::new());
        for (group, row) in self.pairs().filter(|(_, row)| keep(*row)) {
            if let (Some(list), Ok(row)) = (rows.get_mut(group), u32::try_from(row)) {
                list.push(row);
            }
        }
        rows
    }

    pub(super) fn truth(&self, all: bool) -> Result<Values> {
        let truths = self.arg(0)?.truths()?;
        let mut results: Vec<Option<bool>> = self.slots(None);
        for (group, row) in self.pairs() {
            if let (Some(value), Some(slot)) = (truths.get(row), results.get_mut(group)) {
                *slot = Some(slot.map_or(value, |known| if all { known && value } else { known || value }));
            }
        }
        Ok(Values::new(Kind::Boolean, bool::column(results)))
    }
}

pub(super) fn predicate_nulls(values: &Values) -> Result<Vec<bool>> {
    predicate::nulls(values)
}
