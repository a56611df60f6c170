//! Groups of pieces, and their combination: counts are added, and the minimum of minima is the minimum.
//!
//! The result of a piece is a table of its groups: the keys, a column for each aggregate, and the position of
//! each group's first event. These tables are concatenated in the order of positions, and grouped again by
//! the keys.

use polars::prelude::Series;
use sqlparser::ast::{Expr, OrderBy, Select};

use crate::sql::bind::Bound;
use crate::sql::catalog::Counted;
use crate::sql::error::Result;
use crate::sql::memory::Limits;
use crate::sql::run::aggregate;
use crate::sql::run::aggregate::Merge;
use crate::sql::scope::Scope;
use crate::sql::syntax::calls::argument;
use crate::sql::syntax::{calls, grouping, names};
use crate::sql::types::compare::key_column;
use crate::sql::types::place;
use crate::sql::types::place::{NTH, OBJECT, RECORD, SIDE, is_place};
use crate::sql::types::relation::{Field, Groups, Relation};
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;

/// A `GROUP BY` whose aggregates can be computed from those of pieces.
#[derive(Debug, Clone)]
pub(super) struct Partial {
    keys: Vec<Expr>,
    aggregates: Vec<Aggregate>,
}

#[derive(Debug, Clone)]
struct Aggregate {
    call: Expr,
    merge: Merge,
    /// For `count(DISTINCT x)`, the argument: a piece returns the list of distinct values.
    of_distinct: Option<Expr>,
}

impl Partial {
    /// `None` if some aggregate cannot be combined.
    pub fn of(bound: &Bound, select: &Select, by: Option<&OrderBy>) -> Option<Self> {
        let (grouping, calls) = grouping::grouping(select, by).ok()?;
        if !calls.groupings.is_empty() {
            return None;
        }
        let keys = grouping?.only_keys()?.to_vec();
        let aggregate = |scope: &Scope<'_>| {
            calls.aggregates.iter().map(|call| Aggregate::of(scope, call)).collect::<Option<Vec<_>>>()
        };
        let aggregates = bound.typed(&bound.relation(&select.from)?, aggregate)?;
        Some(Self { keys, aggregates })
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
        for aggregate in &self.aggregates {
            let call = calls::as_call(&aggregate.call)?;
            let values = match &aggregate.of_distinct {
                Some(_) => aggregate::distinct_list(&scope, call, &groups)?,
                None => aggregate::evaluate(&scope, call, &groups)?,
            };
            table.push(Field::new("", values.kind), values.data);
        }
        for (at, field) in rows.fields.iter().enumerate().filter(|(_, field)| is_place(field)) {
            let values = rows.values(at)?.take(&groups.first)?;
            table.push(Field { hidden: true, ..Field::new(field.name.clone(), values.kind) }, values.data);
        }
        // One event may be the first of several groups.
        let nth = groups.first.iter().map(|row| row.map(i64::from)).collect();
        table.push(Field { hidden: true, ..Field::new(NTH, Kind::Bigint) }, i64::column(nth));
        Ok(table)
    }

    /// The keys of the groups, as columns.
    pub fn key_columns(&self, table: &Relation) -> Result<Vec<Series>> {
        (0..self.keys.len()).map(|at| key_column(&table.values(at)?, table.height)).collect()
    }

    /// Combines groups with equal keys. The tables have been concatenated in the order of positions.
    pub fn merged(&self, table: Relation, limits: &Limits) -> Result<Relation> {
        limits.fits(0, 0)?;
        let groups = Groups::by(&self.key_columns(&table)?, table.height)?;
        if groups.count() == table.height {
            return Ok(table);
        }
        let mut merged = Relation { height: groups.count(), ..Relation::default() };
        for (at, field) in table.fields.iter().enumerate() {
            let values = table.values(at)?;
            let values = match at.checked_sub(self.keys.len()).and_then(|at| self.aggregates.get(at)) {
                Some(aggregate) => aggregate::merged(&values, aggregate.merge, &groups)?,
                None => values.take(&groups.first)?,
            };
            merged.push(Field { kind: values.kind, ..field.clone() }, values.data);
        }
        Ok(merged)
    }

    /// The keys and aggregates of each group, as the query needs them.
    pub fn finished(&self, table: Relation) -> Result<Counted> {
        // Without GROUP BY there is one group even if there are no rows; it is added here.
        let table = if table.height == 0 { self.of_nothing(table)? } else { table };
        let mut known = Vec::new();
        for (at, key) in self.keys.iter().enumerate() {
            known.push((key.clone(), table.values(at)?));
        }
        for (at, aggregate) in self.aggregates.iter().enumerate() {
            let values = table.values(self.keys.len() + at)?;
            let values = if aggregate.of_distinct.is_some() { aggregate::lengths(&values)? } else { values };
            known.push((aggregate.call.clone(), values));
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

    /// The groups if there are no rows: none, or the single group of a query without GROUP BY.
    fn of_nothing(&self, table: Relation) -> Result<Relation> {
        if !self.keys.is_empty() || table.fields.is_empty() {
            return Ok(table);
        }
        let mut one = table.take(&[None])?;
        for (at, aggregate) in self.aggregates.iter().enumerate() {
            if let (Merge::Count, Some(column)) = (aggregate.merge, one.columns.get_mut(at)) {
                *column = Values::constant(Kind::Bigint, Some(0_i64)).data;
            }
        }
        Ok(one)
    }
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

impl Aggregate {
    fn of(scope: &Scope<'_>, call: &Expr) -> Option<Self> {
        let function = calls::as_call(call).ok()?;
        let name = names::of_function(function);
        let (argument, distinct) = argument(function)?;
        let kind =
            argument.map(|argument| scope.eval(argument).map(|values| values.kind)).transpose().ok()?;
        let of = |merge| Some(Self { call: call.clone(), merge, of_distinct: None });
        match (name.as_str(), argument) {
            ("count", Some(argument)) if distinct => {
                Some(Self { call: call.clone(), merge: Merge::Lists, of_distinct: Some(argument.clone()) })
            }
            ("approx_distinct" | "approx_count_distinct", Some(argument)) => {
                Some(Self { call: call.clone(), merge: Merge::Lists, of_distinct: Some(argument.clone()) })
            }
            ("count", _) => of(Merge::Count),
            ("count_if", Some(_)) if !distinct => of(Merge::Count),
            // The last digits of a sum of doubles depend on the order of addition.
            ("sum", Some(_)) if !distinct && matches!(kind, Some(Kind::Bigint | Kind::Decimal { .. })) => {
                of(Merge::Sum)
            }
            ("min" | "max", Some(_))
                if matches!(kind, Some(Kind::Array(_) | Kind::Row(_) | Kind::Map(..))) =>
            {
                None
            }
            ("min", Some(_)) => of(Merge::Least),
            ("max", Some(_)) => of(Merge::Greatest),
            ("bool_and" | "every", Some(_)) => of(Merge::Every),
            ("bool_or", Some(_)) => of(Merge::Any),
            _ => None,
        }
    }
}
