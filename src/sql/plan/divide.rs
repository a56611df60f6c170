//! Queries that only compare events with equal keys: joins on equal columns, windows with partitions, groups.
//!
//! Such a query can be evaluated by hash partitions (shares). Each occurrence of the events table in the
//! query gets a key; a share consists of the events whose keys have the same hash, for each occurrence; and
//! every row of the answer depends on one share only. So shares can be evaluated in parallel, and one after
//! another if they do not fit into memory together.
//!
//! Whether a query can be divided is determined from its syntax tree: a requirement on the rows of a query
//! (rows with equal `by` expressions must be in one share) becomes a requirement on its tables, down to the
//! events. Before that, [`inline`] replaces common table expressions by their definitions, so that each
//! occurrence of the events table can have its own key.

mod asked;
mod events_table;
mod inline;
mod joined;
mod names;
mod separable;
mod sides;

pub(in crate::sql) use events_table::EventsTable;
use sqlparser::ast::{Expr, OrderBy, Query, Select, SetExpr, TableFactor};

pub(in crate::sql) use inline::{inline as mentions, is_mention, write_out_with};
pub(in crate::sql) use sides::as_select;

use crate::sql::bind::Bound;
use crate::sql::syntax::names::top;
use crate::sql::syntax::{calls, grouping, walk};
use crate::sql::types::columns;
use crate::sql::types::relation::Relation;
use crate::tables::cloudtrail;

/// A query in which every occurrence of the events table has a unique name.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Divided {
    pub tree: Query,
    pub events_tables: Vec<EventsTable>,
    /// Whether each group is in one share. Otherwise, groups of different shares have to be combined.
    pub whole: bool,
    /// For each occurrence, whether its rows in a share can be looked at some at a time.
    pub separable: Vec<bool>,
}

impl Divided {
    /// `None` if the query cannot be divided. `can_merge`: whether the groups of its SELECT can be combined.
    pub fn of(bound: &Bound, can_merge: impl FnOnce(&Query) -> bool) -> Option<Self> {
        if !matches!(bound.declared().as_slice(), [table] if table.name == cloudtrail::TABLE.name) {
            return None;
        }
        let mut tree = bound.tree().clone();
        let events_tables = inline::inline(&mut tree)?;
        let can_merge = can_merge(&tree);
        let mut divider = Divider { bound, events_tables };
        let whole = divider.top(&tree, can_merge)?;
        let separable = separable::separable(&tree, &divider.events_tables, whole);
        Some(Self { tree, events_tables: divider.events_tables, whole, separable })
    }
}

/// Determines the keys of all occurrences.
struct Divider<'d> {
    bound: &'d Bound,
    events_tables: Vec<EventsTable>,
}

/// An analysed SELECT.
struct Looked<'q> {
    select: &'q Select,
    /// The rows of its FROM clause; they are empty.
    rows: Relation,
    /// The keys of GROUP BY, if there are any.
    grouped: Option<Vec<Expr>>,
    /// For each of its windows, the PARTITION BY expressions.
    windows: Vec<Vec<Expr>>,
}

impl Divider<'_> {
    /// Determines the keys of all occurrences. Returns whether each group is in one share.
    fn top(&mut self, query: &Query, can_merge: bool) -> Option<bool> {
        let looked = self.look(query)?;
        let is_grouped = looked.grouped.is_some();
        // What stands in the list and in HAVING is worked out when the groups of all shares are together, where
        // there are no events.
        let is_of_groups = !inline::has_events_table(&looked.select.projection)
            && !looked.select.having.iter().any(inline::has_events_table);
        if is_grouped && can_merge && is_of_groups && self.any_rows(&looked).is_some() {
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

    /// Divides a derived table by any possible key.
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

    /// Divides a SELECT by its GROUP BY keys and the partitions of its windows.
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

    /// Divides the FROM clause of a SELECT by any possible key.
    fn any_rows(&mut self, looked: &Looked<'_>) -> Option<()> {
        let joined = self.candidates(&looked.select.from, looked.select.selection.as_ref());
        for by in joined.into_iter().chain(self.asked_candidates(looked)) {
            self.reset();
            let rows = self.rows(&looked.select.from, looked.select.selection.as_ref(), &by, false);
            if rows.and_then(|()| self.asked(looked.select, &looked.rows, &by)).is_some() && self.is_done() {
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
                // Tables that are joined to each row separately must not contain events.
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
        let (grouping, calls) = grouping::grouping(select, by).ok()?;
        if !calls.groupings.is_empty() {
            return None;
        }
        let grouped = match grouping {
            None => None,
            Some(grouping) => Some(grouping.only_keys()?.to_vec()),
        };
        let mut windows = Vec::new();
        for call in &calls.windows {
            let sqlparser::ast::WindowType::WindowSpec(spec) = calls::as_call(call).ok()?.over.as_ref()?
            else {
                return None;
            };
            windows.push(spec.partition_by.clone());
        }
        Some(Looked { select, rows, grouped, windows })
    }

    /// Requires that rows of a query with equal `by` are in one share; `exact`: no other rows may be in
    /// between.
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

    /// The same for the rows that the query is made from: groups and windows must not be divided.
    fn inside(&mut self, looked: &Looked<'_>, by: &[Expr], exact: bool) -> Option<()> {
        let is_in = |list: &Vec<Expr>| by.iter().all(|expr| list.contains(expr));
        if by.is_empty() || !looked.grouped.iter().all(is_in) || !looked.windows.iter().all(is_in) {
            return None;
        }
        let exact = exact
            || looked.grouped.is_some()
            || !looked.windows.is_empty()
            || looked.select.distinct.is_some();
        self.rows(&looked.select.from, looked.select.selection.as_ref(), by, exact)?;
        self.asked(looked.select, &looked.rows, by)
    }

    /// The type of an expression over rows; `None` if it uses anything else, or no column.
    fn kind(&self, rows: &Relation, expr: &Expr) -> Option<crate::tables::Kind> {
        if walk::has_subquery(expr) || !columns::are_of(expr, rows) {
            return None;
        }
        let values = self.bound.typed(rows, |scope| scope.eval(expr)).ok()?;
        (!values.constant).then_some(values.kind)
    }
}
