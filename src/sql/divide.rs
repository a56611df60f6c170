//! Queries that look at events with equal keys together, and never at others: joins on equal columns, windows
//! by partition, groups.
//!
//! Such a query is answered share by share. Each place in its text that names the table of events gets a key;
//! a share has the events whose keys have one hash, at each of these places; and all rows of the answer come
//! from one share or the other. So shares are worked out side by side, and one after the other where they do
//! not fit into memory together.
//!
//! Whether a query is one of those is told from its text: what is asked of the rows of a query (`by` these
//! expressions, equal ones together) becomes what is asked of the tables that it is made of, down to the
//! events. [`inline`] writes common tables out first, so that each place stands for itself.

mod inline;
mod joined;
mod names;
mod sides;

use sqlparser::ast::{Expr, OrderBy, Query, Select, SetExpr, TableFactor};

pub(super) use inline::{inline as mentions, is_mention};
pub(super) use sides::as_select;

use super::bind::Bound;
use super::flow::top;
use super::relation::Relation;
use super::{aggregate, data_store, names as columns, select, walk};
use crate::tables::cloudtrail;

/// A query whose mentions of events have names of their own.
#[derive(Debug, Clone)]
pub(super) struct Divided {
    pub tree: Query,
    pub events_tables: Vec<EventsTable>,
    /// Each group is of one share. Else, groups of the shares have to be put together.
    pub whole: bool,
}

/// A place that names the table of events.
#[derive(Debug, Clone)]
pub(super) struct EventsTable {
    /// The name that it has been given.
    pub name: String,
    /// By which its columns are known there.
    pub alias: String,
    pub is_store: bool,
    /// Events in which these are equal must be looked at together.
    pub keys: Vec<Expr>,
}

impl Divided {
    /// `None` if the query cannot be answered share by share. `can_merge` says whether the groups of its
    /// SELECT can be put together.
    pub fn of(bound: &Bound, can_merge: impl FnOnce(&Query) -> bool) -> Option<Self> {
        if !matches!(bound.declared().as_slice(), [table] if table.name == cloudtrail::TABLE.name) {
            return None;
        }
        let mut tree = bound.tree().clone();
        let events_tables = inline::inline(&mut tree)?;
        let can_merge = can_merge(&tree);
        let mut divider = Divider { bound, events_tables };
        let whole = divider.top(&tree, can_merge)?;
        Some(Self { tree, events_tables: divider.events_tables, whole })
    }
}

impl EventsTable {
    /// The events as they are seen there.
    pub fn table(&self, events: Relation) -> super::error::Result<Relation> {
        if self.is_store { data_store::typed(events) } else { Ok(events) }
    }
}

/// Finds the keys of mentions.
struct Divider<'d> {
    bound: &'d Bound,
    events_tables: Vec<EventsTable>,
}

/// A SELECT that has been looked at.
struct Looked<'q> {
    select: &'q Select,
    /// What it is made of, without rows.
    rows: Relation,
    /// The keys of GROUP BY, if it is grouped.
    grouped: Option<Vec<Expr>>,
    /// By what its windows are partitioned, for each of them.
    windows: Vec<Vec<Expr>>,
}

impl Divider<'_> {
    /// Gives every mention its keys; whether each group is of one share.
    fn top(&mut self, query: &Query, can_merge: bool) -> Option<bool> {
        let looked = self.look(query)?;
        let is_grouped = looked.grouped.is_some();
        if is_grouped && can_merge && self.any_rows(&looked).is_some() {
            return Some(false);
        }
        match self.by_itself(&looked) {
            None if !is_grouped && looked.windows.is_empty() => self.any_rows(&looked).map(|()| true),
            divided => divided.map(|()| true),
        }
    }

    fn is_done(&self) -> bool {
        self.events_tables.iter().all(|events_table| !events_table.keys.is_empty())
    }

    fn reset(&mut self) {
        self.events_tables.iter_mut().for_each(|events_table| events_table.keys.clear());
    }

    /// Divides a derived table by whatever it can be divided by.
    fn any(&mut self, query: &Query) -> Option<()> {
        if query.order_by.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
            return None;
        }
        if query.with.is_none() && matches!(&*query.body, SetExpr::SetOperation { .. }) {
            return self.any_sides(&query.body);
        }
        let looked = self.look(query)?;
        if looked.select.distinct.is_some() {
            return None;
        }
        match self.by_itself(&looked) {
            None if looked.grouped.is_none() && looked.windows.is_empty() => self.any_rows(&looked),
            divided => divided,
        }
    }

    /// Divides a SELECT by its keys and the partitions of its windows.
    fn by_itself(&mut self, looked: &Looked<'_>) -> Option<()> {
        let mut candidates: Vec<Vec<Expr>> = Vec::new();
        for list in looked.grouped.iter().chain(looked.windows.first()).filter(|list| !list.is_empty()) {
            candidates.push(list.clone());
            candidates.extend(list.iter().map(|key| vec![key.clone()]));
        }
        for by in candidates {
            self.reset();
            if self.inside(looked, &by, true).is_some() && self.is_done() {
                return Some(());
            }
        }
        None
    }

    /// Divides what a SELECT is made of by whatever it can be divided by.
    fn any_rows(&mut self, looked: &Looked<'_>) -> Option<()> {
        for by in self.candidates(&looked.select.from, looked.select.selection.as_ref()) {
            self.reset();
            if self.rows(&looked.select.from, looked.select.selection.as_ref(), &by, false).is_some()
                && self.is_done()
            {
                return Some(());
            }
        }
        self.reset();
        let [table] = looked.select.from.as_slice() else { return None };
        match &table.relation {
            TableFactor::Derived { lateral: false, sample: None, subquery, .. }
                if !looked.select.selection.iter().any(inline::has_events_table)
                    && table.joins.iter().all(|join| joined::is_outward(&join.join_operator)) =>
            {
                // What is joined to each row by itself has no events.
                (!table.joins.iter().any(|join| inline::has_events_table(&join.relation))).then_some(())?;
                self.any(subquery)
            }
            _ => None,
        }
    }

    fn look<'q>(&self, query: &'q Query) -> Option<Looked<'q>> {
        let is_plain = query.with.is_none() && matches!(&*query.body, SetExpr::Select(_));
        self.look_at(top(query).filter(|_| is_plain)?, query.order_by.as_ref())
    }

    fn look_at<'q>(&self, select: &'q Select, by: Option<&OrderBy>) -> Option<Looked<'q>> {
        let rows = self.bound.relation(&select.from)?;
        let (grouping, calls) = select::grouping(select, by).ok()?;
        if !calls.groupings.is_empty() {
            return None;
        }
        let grouped = match grouping {
            None => None,
            Some(grouping) => Some(grouping.only_keys()?.to_vec()),
        };
        let mut windows = Vec::new();
        for call in &calls.windows {
            let sqlparser::ast::WindowType::WindowSpec(spec) =
                aggregate::as_call(call).ok()?.over.as_ref()?
            else {
                return None;
            };
            windows.push(spec.partition_by.clone());
        }
        Some(Looked { select, rows, grouped, windows })
    }

    /// Asks that rows of a query's with equal `by` come from one share; `exact`: and that no others do.
    fn query(&mut self, query: &Query, by: &[Expr], exact: bool) -> Option<()> {
        if query.order_by.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
            return None;
        }
        if query.with.is_none() && matches!(&*query.body, SetExpr::SetOperation { .. }) {
            return self.sides_by_name(&query.body, by);
        }
        let looked = self.look(query)?;
        let by = by
            .iter()
            .map(|expr| names::of_item(expr, looked.select, &looked.rows))
            .collect::<Option<Vec<_>>>()?;
        self.inside(&looked, &by, exact)
    }

    /// The same of the rows that it is made of: groups and windows must not tear them apart.
    fn inside(&mut self, looked: &Looked<'_>, by: &[Expr], exact: bool) -> Option<()> {
        let is_in = |list: &Vec<Expr>| by.iter().all(|expr| list.contains(expr));
        if by.is_empty() || !looked.grouped.iter().all(is_in) || !looked.windows.iter().all(is_in) {
            return None;
        }
        let exact = exact
            || looked.grouped.is_some()
            || !looked.windows.is_empty()
            || looked.select.distinct.is_some();
        self.rows(&looked.select.from, looked.select.selection.as_ref(), by, exact)
    }

    /// The kind of values of an expression over rows; `None` where it looks at something else, or at no
    /// column.
    fn kind(&self, rows: &Relation, expr: &Expr) -> Option<crate::tables::Kind> {
        if walk::has_subquery(expr) || !columns::are_of(expr, rows) {
            return None;
        }
        let values = self.bound.typed(rows, |scope| scope.eval(expr)).ok()?;
        (!values.constant).then_some(values.kind)
    }
}
