//! `SELECT … FROM (SELECT …, row_number() OVER (PARTITION BY k ORDER BY t) AS n FROM events) WHERE n <= 3`
//! needs only the first three events of each partition; the others can be dropped before all have been read.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, OrderByOptions, Query, Select, SelectItem, SetExpr, TableFactor, Value, WindowType,
};

use super::sure::is_sure;
use crate::model::Timestamp;
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::plan::divide::EventsTable;
use crate::sql::plan::mention::is_early;
use crate::sql::run::engine;
use crate::sql::scope::{Ctes, Scope, mask};
use crate::sql::syntax::names::{is_body_alone, top};
use crate::sql::syntax::visit::{Visitor, visit};
use crate::sql::syntax::{grouping, names, walk};
use crate::sql::types::compare::key_column;
use crate::sql::types::order;
use crate::sql::types::place::places;
use crate::sql::types::relation::{Groups, Relation};
use crate::sql::types::values::Values;
use crate::tables::cloudtrail::TABLE;
use crate::tables::{Kind, Rows};

/// Which events of each partition are needed.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Ranked {
    alias: String,
    /// The condition for events that are numbered.
    condition: Option<Expr>,
    partition_by: Vec<Expr>,
    order_by: Vec<(Expr, OrderByOptions)>,
    first: usize,
}

impl Ranked {
    /// `None` if the query, in which the events table occurs once, may need more.
    pub fn of(tree: &Query, events_tables: &[EventsTable]) -> Option<Self> {
        struct Finder<'m>(&'m EventsTable, Option<Ranked>);
        impl Visitor for Finder<'_> {
            fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
                self.1 = top(query).and_then(|select| Ranked::of_select(select, self.0));
                if self.1.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }
        let [events_table] = events_tables else { return None };
        if events_table.is_store {
            return None;
        }
        let mut finder = Finder(events_table, None);
        let _ = visit(tree, &mut finder);
        finder.1
    }

    /// From a SELECT over numbered events only.
    fn of_select(select: &Select, events_table: &EventsTable) -> Option<Self> {
        let [table] = select.from.as_slice() else { return None };
        let TableFactor::Derived { lateral: false, sample: None, subquery, alias: Some(alias) } =
            &table.relation
        else {
            return None;
        };
        if !is_body_alone(subquery) || !table.joins.is_empty() || !alias.columns.is_empty() {
            return None;
        }
        let SetExpr::Select(inner) = &*subquery.body else { return None };
        let (number, rest) = numbered(inner)?;
        let first = walk::conjuncts(select.selection.as_ref()?)
            .into_iter()
            .find_map(|condition| limit(condition, &number.name, &alias.name.value))?;
        let events = Self::of_events(inner, events_table)?;
        let by = &number.spec.partition_by;
        let order_by: Vec<_> =
            number.spec.order_by.iter().map(|key| (key.expr.clone(), key.options)).collect();
        let is_told = |expr: &Expr| is_early(expr, &events) && is_sure(expr);
        let all = rest
            .iter()
            .copied()
            .chain(by)
            .chain(order_by.iter().map(|(expr, _)| expr))
            .chain(&inner.selection)
            .all(is_told);
        all.then(|| Self {
            alias: events,
            condition: inner.selection.clone(),
            partition_by: by.clone(),
            order_by,
            first,
        })
    }

    /// The alias of the events, if a SELECT reads them directly.
    fn of_events(select: &Select, events_table: &EventsTable) -> Option<String> {
        let [table] = select.from.as_slice() else { return None };
        let TableFactor::Table { name, sample: None, .. } = &table.relation else { return None };
        let is_plain = table.joins.is_empty()
            && !grouping::is_grouped(select, None)
            && select.distinct.is_none()
            && select.qualify.is_none();
        (is_plain && names::last(name) == events_table.name).then(|| events_table.alias.clone())
    }

    /// Keeps the events that are among the first ones of these.
    pub fn keep(&self, mut rows: Rows, now: Timestamp) -> Result<Rows> {
        let kept = match self.kept(&rows, now) {
            Ok(Some(kept)) => kept,
            // If a value is invalid, the evaluation of all events reports it.
            Ok(None) | Err(_) => return Ok(rows),
        };
        let mut mask = vec![false; rows.height];
        kept.iter().filter_map(|row| usize::try_from(*row).ok()).for_each(|row| {
            if let Some(slot) = mask.get_mut(row) {
                *slot = true;
            }
        });
        rows.retain(&mask)?;
        Ok(rows)
    }

    fn kept(&self, rows: &Rows, now: Timestamp) -> Result<Option<Vec<u32>>> {
        let mut relation = Relation::of_table(&TABLE, rows).renamed(&self.alias, &[]);
        let catalog = Catalog::default();
        let (session, ctes) = (engine::session(&catalog, now.millis()), Ctes::default());
        let mut numbered: Vec<u32> = (0_u32..).take(rows.height).collect();
        if let Some(condition) = &self.condition {
            let holds = Scope::new(&session, &ctes, &relation).truth(condition)?;
            if holds.contains(&false) {
                relation = relation.filter(&mask(&holds))?;
                numbered =
                    numbered.into_iter().zip(holds).filter(|(_, holds)| *holds).map(|(row, _)| row).collect();
            }
        }
        let (Some(object), Some(record)) = (relation.named("object")?, relation.named("record")?) else {
            return Ok(None);
        };
        let scope = Scope::new(&session, &ctes, &relation);
        let by = self
            .partition_by
            .iter()
            .map(|key| key_column(&scope.column(key)?, relation.height))
            .collect::<Result<Vec<_>>>()?;
        let mut keys = self
            .order_by
            .iter()
            .map(|(key, options)| Ok((scope.column(key)?, *options)))
            .collect::<Result<Vec<_>>>()?;
        // Events with equal keys are numbered in the order of their positions.
        let places = Values::new(Kind::Bigint, places(&object, &record, relation.height)?);
        keys.push((places, OrderByOptions { asc: None, nulls_first: None }));
        let first = order::first_of_each(&keys, &Groups::by(&by, relation.height)?, self.first);
        let row = |row: u32| numbered.get(row as usize).copied();
        Ok(first.map(|first| first.into_iter().filter_map(row).collect()))
    }
}

/// `row_number() OVER (…) AS n` in a SELECT list.
struct Number<'s> {
    name: String,
    spec: &'s sqlparser::ast::WindowSpec,
}

/// The only window function of a SELECT, and the other expressions of its list.
fn numbered(select: &Select) -> Option<(Number<'_>, Vec<&Expr>)> {
    let (mut number, mut rest) = (None, Vec::new());
    for item in &select.projection {
        match item {
            SelectItem::ExprWithAlias { expr: Expr::Function(function), alias }
                if function.over.is_some() =>
            {
                let Some(WindowType::WindowSpec(spec)) = &function.over else { return None };
                let is_it = names::of_function(function) == "row_number"
                    && spec.window_name.is_none()
                    && spec.window_frame.is_none();
                if !is_it || number.is_some() || function.filter.is_some() {
                    return None;
                }
                number = Some(Number { name: alias.value.to_lowercase(), spec });
            }
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => rest.push(expr),
            SelectItem::Wildcard(options) if options.to_string().is_empty() => {}
            _ => return None,
        }
    }
    let number = number?;
    // A column of the events with the same name would be ambiguous.
    let is_alone = crate::tables::cloudtrail::column_named(&number.name).is_none();
    is_alone.then_some((number, rest))
}

/// The upper bound that a condition sets for the number.
fn limit(condition: &Expr, name: &str, table: &str) -> Option<usize> {
    let is_name = |expr: &Expr| match expr {
        Expr::CompoundIdentifier(parts) => {
            matches!(parts.as_slice(), [first, second] if first.value == table && second.value == name)
        }
        _ => false,
    };
    let number = |expr: &Expr| match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse::<usize>().ok(),
            _ => None,
        },
        _ => None,
    };
    let Expr::BinaryOp { left, op, right } = condition else { return None };
    match (op, is_name(left), is_name(right)) {
        (BinaryOperator::Eq | BinaryOperator::LtEq, true, _) => number(right),
        (BinaryOperator::Lt, true, _) => number(right)?.checked_sub(1),
        (BinaryOperator::Eq | BinaryOperator::GtEq, _, true) => number(left),
        (BinaryOperator::Gt, _, true) => number(left)?.checked_sub(1),
        _ => None,
    }
}
