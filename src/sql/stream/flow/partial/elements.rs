//! Groups with long lists of distinct values, on their way to disk: each value is a row of its own. So the values of
//! one group are divided, too; equal ones are in one share, and the numbers of different ones are added.

use polars::prelude::Series;

use super::made::Made;
use super::{Column, Partial};
use crate::sql::error::Result;
use crate::sql::functions::aggregate::{self, Merge};
use crate::sql::types::compare::key_column;
use crate::sql::types::nested_values::{element, explode};
use crate::sql::types::relation::{Field, Relation};
use crate::tables::Kind;
use crate::tables::builder::lists;

/// Lists of so many values, on average, are long.
const LONG: usize = 64;
/// As many values are divided at a time.
const VALUES: usize = 1 << 16;

impl Partial {
    /// The columns with lists of distinct values, by their places in a table of groups.
    fn distinct_lists(&self) -> impl Iterator<Item = usize> {
        let is_list = |(_, column): &(usize, &Column)| column.merge == Merge::Lists;
        self.columns.iter().enumerate().filter(is_list).map(|(at, _)| self.keys.len() + at)
    }

    /// Whether the groups of a table have long lists.
    pub fn has_long_lists(&self, table: &Relation) -> Result<bool> {
        let mut values = 0;
        for at in self.distinct_lists() {
            values += explode(&table.values(at)?)?.0.data.len();
        }
        Ok(values > LONG * table.height)
    }

    /// Calls `put` with the groups without their lists, and then with the values of these, some at a time.
    pub fn each_value(&self, table: &Relation, mut put: impl FnMut(Relation) -> Result<()>) -> Result<()> {
        let mut without = table.clone();
        for at in self.distinct_lists() {
            if let Some(column) = without.columns.get_mut(at) {
                *column = nothing(column, table.height);
            }
        }
        put(without)?;
        for at in self.distinct_lists() {
            let list = table.values(at)?;
            let kind = element(&list.kind)?;
            let (values, lengths) = explode(&list)?;
            let of_group =
                |(row, length): (u32, &Option<usize>)| std::iter::repeat_n(Some(row), length.unwrap_or(0));
            let rows: Vec<Option<u32>> = (0_u32..).zip(&lengths).flat_map(of_group).collect();
            for (nth, rows) in rows.chunks(VALUES).enumerate() {
                let start = i64::try_from(nth * VALUES).unwrap_or(i64::MAX);
                let values = values.data.slice(start, rows.len());
                let single = lists("", &values, &kind, &vec![Some(1); rows.len()]);
                put(self.of_values(table, rows, (at, single))?)?;
            }
        }
        Ok(())
    }

    /// A row for each value of a list: with the keys and the place of its group, and without its other aggregates.
    fn of_values(
        &self,
        table: &Relation,
        rows: &[Option<u32>],
        (list_at, list): (usize, Series),
    ) -> Result<Relation> {
        let aggregates = self.keys.len()..self.keys.len() + self.columns.len();
        let mut out = Relation { height: rows.len(), ..Relation::default() };
        for (at, field) in table.fields.iter().enumerate() {
            let column = match table.columns.get(at) {
                _ if at == list_at => list.clone(),
                Some(column) if aggregates.contains(&at) => nothing(column, rows.len()),
                _ => table.values(at)?.take(rows)?.data,
            };
            out.push(field.clone(), column.with_name(field.name.as_str().into()));
        }
        Ok(out)
    }

    /// What such rows are divided by: the keys of their groups, and their values.
    pub fn value_columns(&self, table: &Relation) -> Result<Vec<Series>> {
        let mut columns = self.key_columns(table)?;
        for at in self.distinct_lists() {
            let (values, lengths) = explode(&table.values(at)?)?;
            let mut start = 0_usize;
            let first = |length: &Option<usize>| {
                let place = u32::try_from(start).ok().filter(|_| length.is_some_and(|length| length > 0));
                start += length.unwrap_or(0);
                place
            };
            let places: Vec<Option<u32>> = lengths.iter().map(first).collect();
            columns.push(key_column(&values.take(&places)?, table.height)?);
        }
        Ok(columns)
    }

    /// The same groups with the lengths of their lists, for [`Self::of_lengths`].
    pub fn with_lengths(&self, mut table: Relation) -> Result<Relation> {
        for at in self.distinct_lists() {
            let lengths = aggregate::lengths(&table.values(at)?)?;
            if let (Some(field), Some(column)) = (table.fields.get_mut(at), table.columns.get_mut(at)) {
                *field = Field { kind: Kind::Bigint, ..field.clone() };
                *column = lengths.data.with_name(field.name.as_str().into());
            }
        }
        Ok(table)
    }

    /// For groups with the lengths of lists: these are added.
    pub fn of_lengths(&self) -> Self {
        let mut partial = self.clone();
        for column in &mut partial.columns {
            if column.merge == Merge::Lists {
                column.merge = Merge::Count;
            }
        }
        for (_, made) in &mut partial.calls {
            if let Made::Length(at) = made {
                *made = Made::Column(*at);
            }
        }
        partial
    }
}

fn nothing(column: &Series, height: usize) -> Series {
    Series::full_null(column.name().clone(), height, column.dtype())
}
