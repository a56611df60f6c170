//! Groups of pieces, and their combination: counts are added, and the minimum of minima is the minimum.
//!
//! The result of a piece is a table of its groups: the keys, a column for each aggregate, and the position of
//! each group's first event. These tables are concatenated in the order of positions, and grouped again by
//! the keys.

mod elements;
mod made;

use polars::prelude::Series;
use sqlparser::ast::{Expr, OrderBy, Select};

use crate::sql::bind::Bound;
use crate::sql::catalog::Counted;
use crate::sql::error::Result;
use crate::sql::eval::resolve;
use crate::sql::functions::aggregate;
use crate::sql::functions::aggregate::Merge;
use crate::sql::memory::Limits;
use crate::sql::scope::Scope;
use crate::sql::syntax::{calls, grouping};
use crate::sql::types::compare::key_column;
use crate::sql::types::place;
use crate::sql::types::place::{NTH, OBJECT, RECORD, SIDE, is_place};
use crate::sql::types::relation::{Field, Groups, Relation, under};
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;
use made::Made;

/// A `GROUP BY` whose aggregates can be computed from those of pieces.
#[derive(Debug, Clone)]
pub(super) struct Partial {
    keys: Vec<Expr>,
    /// The grouping sets, as indexes of keys: mostly one, with all keys.
    sets: Vec<Vec<usize>>,
    /// For each call of `grouping`, its value in each set.
    groupings: Vec<(Expr, Vec<i64>)>,
    /// The columns that are kept for each group.
    columns: Vec<Column>,
    /// The calls, and what they are made of.
    calls: Vec<(Expr, Made)>,
}

/// A column of partial values.
#[derive(Debug, Clone)]
struct Column {
    call: Expr,
    merge: Merge,
}

impl Partial {
    /// `None` if some aggregate cannot be combined.
    pub fn of(bound: &Bound, select: &Select, by: Option<&OrderBy>) -> Option<Self> {
        let (grouping, calls) = grouping::grouping(select, by).ok()?;
        let grouping = grouping?;
        let bits = |call: &Expr| {
            let bits = grouping.sets.iter().map(|set| grouping.bits(set, call)).collect::<Result<_>>();
            Some((call.clone(), bits.ok()?))
        };
        let groupings = calls.groupings.iter().map(bits).collect::<Option<Vec<_>>>()?;
        let mut partial = Self {
            keys: grouping.keys,
            sets: grouping.sets,
            groupings,
            columns: Vec::new(),
            calls: Vec::new(),
        };
        bound.typed(&bound.relation(&select.from)?, |scope| {
            calls.aggregates.iter().try_for_each(|call| {
                let made = partial.made(scope, call)?;
                partial.calls.push((call.clone(), made));
                Some(())
            })
        })?;
        Some(partial)
    }

    /// Whether rows are chosen by their places, so that each has to be made of one event.
    pub fn chooses_rows(&self) -> bool {
        self.columns.iter().any(|column| matches!(column.merge, Merge::Kept(_)))
    }

    /// The groups of a piece's rows, in the order of their first events.
    pub fn of_rows(&self, like: &Scope<'_>, rows: Relation) -> Result<Relation> {
        let scope = Scope { relation: &rows, ..*like };
        let keys = self.keys.iter().map(|key| scope.column(key)).collect::<Result<Vec<_>>>()?;
        let columns =
            keys.iter().map(|values| key_column(values, rows.height)).collect::<Result<Vec<_>>>()?;
        let groups = in_order(Groups::by(&columns, rows.height)?, &rows)?;
        let mut table = Relation { height: groups.count(), ..Relation::default() };
        for values in keys {
            let values = values.take(&groups.first)?;
            table.push(Field::new("", values.kind), values.data);
        }
        for Column { call, merge } in &self.columns {
            let call = resolve::rows::aggregate(&scope, calls::as_call(call)?)?;
            let values = match merge {
                Merge::Lists => aggregate::list(&scope, &call, &groups, true)?,
                Merge::All => aggregate::list(&scope, &call, &groups, false)?,
                Merge::Kept(wanted) => aggregate::kept::rows(&scope, &call, *wanted, &groups)?,
                _ => aggregate::evaluate(&scope, &call, &groups)?,
            };
            table.push(Field::new("", values.kind), values.data);
        }
        let mut places = Relation { height: groups.count(), ..Relation::default() };
        for (at, field) in rows.fields.iter().enumerate().filter(|(_, field)| is_place(field)) {
            let values = rows.values(at)?.take(&groups.first)?;
            places.push(Field { hidden: true, ..Field::new(field.name.clone(), values.kind) }, values.data);
        }
        // One event may be the first of several groups.
        let nth = groups.first.iter().map(|row| row.map(i64::from)).collect();
        places.push(Field { hidden: true, ..Field::new(NTH, Kind::Bigint) }, i64::column(nth));
        if self.sets.len() == 1 {
            return Ok(beside(table, places));
        }
        let each = self.sets.iter().zip(0..).map(|(set, number)| self.of_set(&table, &places, set, number));
        let each = each.collect::<Result<Vec<_>>>()?;
        each.into_iter().map(Ok).reduce(|above, below| under(above?, below?)).unwrap_or(Ok(table))
    }

    /// The groups of a grouping set, made of those by all keys. The number of the set comes first in the order
    /// of groups.
    fn of_set(&self, table: &Relation, places: &Relation, set: &[usize], number: i64) -> Result<Relation> {
        let mut table = table.clone();
        for at in (0..self.keys.len()).filter(|at| !set.contains(at)) {
            if let Some(column) = table.columns.get_mut(at) {
                *column = Series::full_null(column.name().clone(), table.height, column.dtype());
            }
        }
        let side = Field { hidden: true, ..Field::new(SIDE, Kind::Bigint) };
        table.push(side, i64::column(vec![Some(number); table.height]));
        self.together(beside(table, places.clone()))
    }

    /// The keys of the groups, as columns.
    pub fn key_columns(&self, table: &Relation) -> Result<Vec<Series>> {
        let number = if self.sets.len() == 1 { None } else { table.named(SIDE)? };
        let keys = (0..self.keys.len()).map(|at| key_column(&table.values(at)?, table.height));
        keys.chain(number.map(|values| Ok(values.data))).collect()
    }

    /// Combines groups with equal keys. The tables have been concatenated in the order of positions.
    pub fn merged(&self, table: Relation, limits: &Limits) -> Result<Relation> {
        limits.fits(0, 0)?;
        self.together(table)
    }

    fn together(&self, table: Relation) -> Result<Relation> {
        let groups = Groups::by(&self.key_columns(&table)?, table.height)?;
        if groups.count() == table.height {
            return Ok(table);
        }
        let mut merged = Relation { height: groups.count(), ..Relation::default() };
        for (at, field) in table.fields.iter().enumerate() {
            let values = table.values(at)?;
            let values = match at.checked_sub(self.keys.len()).and_then(|at| self.columns.get(at)) {
                Some(column) => aggregate::merged(&values, column.merge, &groups)?,
                None => values.take(&groups.first)?,
            };
            merged.push(Field { kind: values.kind, ..field.clone() }, values.data);
        }
        Ok(merged)
    }

    /// The keys and aggregates of each group, as the query needs them.
    pub fn finished(&self, table: Relation) -> Result<Counted> {
        // A grouping set without keys has one group even if there are no rows; it is added here.
        let table = if table.height == 0 { self.of_nothing(table)? } else { table };
        let mut known = Vec::new();
        for (at, key) in self.keys.iter().enumerate() {
            known.push((key.clone(), table.values(at)?));
        }
        let column = |at: usize| table.values(self.keys.len() + at);
        for (call, made) in &self.calls {
            let values = match made {
                Made::Column(at) => column(*at)?,
                Made::Length(at) => aggregate::lengths(&column(*at)?)?,
                Made::Mean(sum, count) => mean(&column(*sum)?, &column(*count)?, table.height)?,
                Made::Kept(at) => aggregate::kept::shown(&column(*at)?)?,
                Made::OfAll { column: at, name, more } => {
                    aggregate::of_lists(&column(*at)?, name, more, table.height)?
                }
            };
            known.push((call.clone(), values));
        }
        let number = table.named(SIDE)?.filter(|_| self.sets.len() > 1);
        let numbers = number.as_ref().map(Values::wholes).transpose()?;
        for (call, bits) in &self.groupings {
            let set = |row: usize| numbers.as_ref().and_then(|numbers| numbers.get(row)).unwrap_or(0);
            let bits = |row: usize| bits.get(usize::try_from(set(row)).unwrap_or(0)).copied();
            let values = i64::column((0..table.height).map(bits).collect());
            known.push((call.clone(), Values::new(Kind::Bigint, values)));
        }
        Ok(Counted { count: table.height, known })
    }

    /// The position of the first event of each group.
    pub fn places(&self, table: &Relation) -> Relation {
        let mut places = Relation { height: table.height, ..Relation::default() };
        for (field, column) in table.fields.iter().zip(&table.columns).filter(|(field, _)| is_place(field)) {
            places.push(field.clone(), column.clone());
        }
        places
    }

    /// The groups if there are no rows: one for each grouping set without keys.
    fn of_nothing(&self, table: Relation) -> Result<Relation> {
        let numbers: Vec<i64> =
            self.sets.iter().zip(0..).filter(|(set, _)| set.is_empty()).map(|(_, number)| number).collect();
        if numbers.is_empty() || table.fields.is_empty() {
            return Ok(table);
        }
        let mut all = table.take(&vec![None; numbers.len()])?;
        for (at, column) in self.columns.iter().enumerate() {
            if let (Merge::Count, Some(slot)) = (column.merge, all.columns.get_mut(self.keys.len() + at)) {
                *slot = i64::column(vec![Some(0); numbers.len()]);
            }
        }
        for (field, slot) in all.fields.iter().zip(&mut all.columns).filter(|(field, _)| field.name == SIDE) {
            *slot = i64::column(numbers.iter().copied().map(Some).collect())
                .with_name(field.name.as_str().into());
        }
        Ok(all)
    }
}

/// The columns of both, which have the same rows.
fn beside(mut table: Relation, more: Relation) -> Relation {
    more.fields.into_iter().zip(more.columns).for_each(|(field, column)| table.push(field, column));
    table
}

/// Means of whole numbers.
fn mean(sums: &Values, counts: &Values, height: usize) -> Result<Values> {
    let (sums, counts) = (sums.doubles()?, counts.doubles()?);
    Values::build(Kind::Double, height, false, |group| {
        Ok(sums.get(group).zip(counts.get(group)).map(|(sum, count)| sum / count))
    })
}

/// Sorts groups by their first events. Rows that are made from several events, or come from several sides of
/// a UNION, are already in order.
fn in_order(groups: Groups, rows: &Relation) -> Result<Groups> {
    let events = rows.fields.iter().filter(|field| field.name == OBJECT).count();
    match (rows.named(OBJECT)?, rows.named(RECORD)?) {
        (Some(object), Some(record)) if events == 1 && groups.count() > 0 && rows.named(SIDE)?.is_none() => {
            groups.in_order(&place::places(&object, &record, rows.height)?)
        }
        _ => Ok(groups),
    }
}
