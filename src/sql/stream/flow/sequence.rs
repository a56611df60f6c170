//! Windows over all rows that do not fit into memory: rows are sorted on disk as the windows want them, and
//! gone through once. Of what came before, a window function needs a number or a few rows.
//!
//! That goes for `row_number`, `rank`, `dense_rank`, `lag`, `lead` and `first_value`; for counts, sums and averages of
//! whole numbers, `min` and `max`, from the first row to this one; and for frames of some rows. `count(*)` of whole
//! partitions, and with it `ntile`, `percent_rank` and `cume_dist`, takes a second pass, which counts them. What a query
//! makes of these rows is worked out like the rows of a table.
//!
//! What rows are sorted by is worked out once, and goes to disk with them; its columns do so only if the SELECT list
//! looks at them.

mod written;

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, OrderByOptions, Query, SelectItem, SetExpr, TableAlias,
    TableFactor, Value, WindowSpec, WindowType,
};

use super::operators::Made;
use super::{Flow, rowwise};
use crate::model::Timestamp;
use crate::sql::bind::Bound;
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::expression::query;
use crate::sql::expression::rows::SortKey;
use crate::sql::functions::window::carried::Carry;
use crate::sql::functions::window::{Windows, looks_at_peers};
use crate::sql::memory::Limits;
use crate::sql::plan::divide;
use crate::sql::plan::divide::EventsTable;
use crate::sql::plan::logical::Plan;
use crate::sql::plan::lower;
use crate::sql::plan::mention::Filters;
use crate::sql::plan::scan::Scan;
use crate::sql::run::engine;
use crate::sql::run::select;
use crate::sql::scope::{Ctes, Scope};
use crate::sql::stream::spill::keys::Keys;
use crate::sql::stream::spill::runs::Keyed;
use crate::sql::syntax::names::{self, is_body_alone, top};
use crate::sql::syntax::visit::{VisitorMut, visit_mut};
use crate::sql::syntax::{calls, grouping};
use crate::sql::types::columns::used;
use crate::sql::types::relation::Relation;
use crate::sql::types::values::Values;
use crate::tables::cloudtrail::TABLE;
use written::Written;

/// The name of the table that the windows' rows are to the rest of the query. Nobody can write it.
const NAME: &str = "\0windows";

/// A SELECT with windows over all its rows, inside of a query.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Sequence {
    /// Made of the events.
    plan: Arc<Plan>,
    /// The same where nobody looks at what the windows sort their rows by, which come sorted.
    list: Arc<Plan>,
    /// The columns that this one may look at; `None`: all.
    names: Option<BTreeSet<String>>,
    partition_by: Vec<Expr>,
    order_by: SortKeys,
    /// What its window functions carry from row to row.
    carries: Vec<Carry>,
    /// Whether one of these can look at which rows have equal keys.
    needs_peers: bool,
    /// The events that it is made of.
    events_table: EventsTable,
    now: Timestamp,
    operators: Made<query::Select>,
    keys: Made<Vec<SortKey>>,
    list_operators: Made<query::Select>,
}

type SortKeys = Vec<(Expr, OrderByOptions)>;

impl Flow {
    /// `None` if the windows of the query need more than can be carried from row to row.
    pub(super) fn of_sequence(bound: &Bound, scan: &Scan, filters: &Filters, is_store: bool) -> Option<Self> {
        if !matches!(bound.declared().as_slice(), [table] if table.name == TABLE.name) {
            return None;
        }
        let mut tree = bound.tree().clone();
        let mut events_tables = divide::mentions(&mut tree)?;
        let events_table = events_tables.pop().filter(|_| events_tables.is_empty())?;
        let mut finder = Finder { bound, events_table, found: None };
        let _ = visit_mut(&mut tree, &mut finder);
        let (sequence, alias) = finder.found?;
        if rowwise::has_windows(&tree) || !is_over_table(&tree, NAME) {
            return None;
        }
        let flow = Self::over_table(bound, tree, (scan, filters, is_store), (NAME, alias))?;
        Some(Self { sequence: Some(sequence), ..flow })
    }
}

/// Whether a query makes its rows, or groups, of the rows of one table alone.
pub(super) fn is_over_table(query: &Query, table_name: &str) -> bool {
    let Some(select) = top(query).filter(|_| query.with.is_none()) else { return false };
    let [table] = select.from.as_slice() else { return false };
    match &table.relation {
        TableFactor::Table { name, .. } => table.joins.is_empty() && is_called(name, table_name),
        TableFactor::Derived { lateral: false, sample: None, subquery, .. } => {
            // Without WITH, which the next step refuses as well.
            let is_plain = is_body_alone(subquery)
                && top(subquery)
                    .is_some_and(|select| select.distinct.is_none() && !grouping::is_grouped(select, None));
            table.joins.is_empty() && is_plain && is_over_table(subquery, table_name)
        }
        _ => false,
    }
}

fn is_called(name: &ObjectName, table_name: &str) -> bool {
    matches!(name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if ident.value == table_name)
}

/// Finds the SELECT with windows, and puts a table in its place.
struct Finder<'b> {
    bound: &'b Bound,
    events_table: EventsTable,
    found: Option<(Sequence, String)>,
}

impl VisitorMut for Finder<'_> {
    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Derived { lateral: false, sample: None, subquery, alias: Some(alias) } = factor
        else {
            return ControlFlow::Continue(());
        };
        let Some((sequence, table)) = self.sequence(subquery, alias) else {
            return ControlFlow::Continue(());
        };
        self.found = Some((sequence, alias.name.value.clone()));
        *factor = table;
        ControlFlow::Break(())
    }
}

impl Finder<'_> {
    fn sequence(&self, query: &Query, alias: &TableAlias) -> Option<(Sequence, TableFactor)> {
        let SetExpr::Select(select) = &*query.body else { return None };
        let [from] = select.from.as_slice() else { return None };
        if !is_body_alone(query)
            || grouping::is_grouped(select, None)
            || select.distinct.is_some()
            || select.qualify.is_some()
            || !from.joins.is_empty()
        {
            return None;
        }
        let mut table = from.relation.clone();
        let TableFactor::Table { name, alias: own, .. } = &mut table else { return None };
        if !divide::is_mention(name) {
            return None;
        }
        *name = ObjectName::from(Ident::new(NAME));
        *own = Some(alias.clone());
        let rows = self.bound.relation(&select.from)?;
        let mut select = (**select).clone();
        let mut written = Written { bound: self.bound, rows: &rows };
        let _ = visit_mut(&mut select.projection, &mut written);
        let (_, calls) = grouping::grouping(&select, None).ok()?;
        let (mut carries, mut needs_peers) = (Vec::new(), false);
        let (mut partition_by, mut order_by): (Option<Vec<Expr>>, Option<SortKeys>) = (None, None);
        for call in &calls.windows {
            let function = calls::as_call(call).ok()?;
            let Some(WindowType::WindowSpec(spec)) = &function.over else { return None };
            let carry = written.carry(function, spec)?;
            if *partition_by.get_or_insert_with(|| spec.partition_by.clone()) != spec.partition_by {
                return None;
            }
            // What all rows of a partition have in common is the same in any order.
            let keys = sort_keys(spec);
            if carry != Carry::Total && *order_by.get_or_insert_with(|| SortKeys::clone(&keys)) != keys {
                return None;
            }
            needs_peers |= looks_at_peers(&names::of_function(function));
            carries.push(carry);
        }
        let (partition_by, order_by) = (partition_by?, order_by.unwrap_or_default());
        let mut list = select.clone();
        let _ = visit_mut(&mut list.projection, &mut WithoutKeys(&order_by));
        let is_starred =
            |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        let names = (!list.projection.iter().any(is_starred)).then(|| names::parts_in(&list.projection));
        let plan = |select| {
            let body = Box::new(SetExpr::Select(Box::new(select)));
            Arc::new(Plan::of(&self.bound.with(Query { body, ..query.clone() })))
        };
        let sequence = Sequence {
            plan: plan(select),
            list: plan(list),
            names,
            partition_by,
            order_by,
            carries,
            needs_peers,
            events_table: self.events_table.clone(),
            now: self.bound.now(),
            operators: Made::default(),
            keys: Made::default(),
            list_operators: Made::default(),
        };
        Some((sequence, table))
    }
}

fn sort_keys(spec: &WindowSpec) -> SortKeys {
    spec.order_by.iter().map(|key| (key.expr.clone(), key.options)).collect()
}

/// Puts a constant in the place of each key of windows: their rows are known to be sorted by it. The windows of calls
/// that differ still do.
struct WithoutKeys<'k>(&'k SortKeys);

impl VisitorMut for WithoutKeys<'_> {
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let Some(WindowType::WindowSpec(spec)) = &mut function.over else {
            return ControlFlow::Continue(());
        };
        let nothing = || Expr::Value(Value::Boolean(true).into());
        let is_sorted = sort_keys(spec) == *self.0;
        spec.partition_by.iter_mut().for_each(|key| *key = nothing());
        spec.order_by.iter_mut().filter(|_| is_sorted).for_each(|key| key.expr = nothing());
        ControlFlow::Continue(())
    }
}

impl Sequence {
    /// Rows before and behind others that their windows look at.
    pub fn reach(&self) -> (usize, usize) {
        let reaches = || self.carries.iter().map(|carry| carry.reach());
        (
            reaches().map(|(before, _)| before).max().unwrap_or(0),
            reaches().map(|(_, behind)| behind).max().unwrap_or(0),
        )
    }

    /// Whether rows with equal keys have to be looked at together.
    pub fn looks_at_peers(&self) -> bool {
        self.carries.iter().any(|carry| carry.looks_at_peers())
    }

    /// Whether it has to be known how many rows each partition has.
    pub fn needs_totals(&self) -> bool {
        self.carries.contains(&Carry::Total)
    }

    /// Number of keys that tell partitions apart; they are the first ones.
    pub fn partition_keys(&self) -> usize {
        self.partition_by.len()
    }

    /// Number of keys that are looked at once rows are sorted; they are the first ones.
    pub fn keys_looked_at(&self) -> usize {
        let partition_keys = self.partition_keys();
        let looks_at_all = self.needs_peers || self.looks_at_peers();
        if looks_at_all { partition_keys + self.order_by.len() } else { partition_keys }
    }

    /// What each window function carries from row to row.
    pub fn carries(&self) -> &[Carry] {
        &self.carries
    }

    /// The windows over rows in their order, where partitions have these ends. `keys`: those that sort them.
    pub fn windows(&self, ends: &[usize], keys: &[(Values, OrderByOptions)]) -> Result<Windows> {
        let (height, ordered) = (ends.last().copied().unwrap_or(0), !self.order_by.is_empty());
        if !self.needs_peers || !ordered {
            return Ok(Windows::in_order(ends, ordered, None));
        }
        let keys = Keys::of(keys.get(self.partition_by.len()..).unwrap_or_default(), height)?;
        let mut peer = 0;
        let peers = (0..height).map(|row| {
            peer += u32::from(row > 0 && !keys.is_same(row - 1, row));
            peer
        });
        Ok(Windows::in_order(ends, ordered, Some(peers.collect())))
    }

    fn over<T>(
        &self,
        events: Relation,
        limits: &Limits,
        work: impl FnOnce(&Scope<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut catalog = Catalog::default();
        catalog.limit(limits.clone());
        let ctes = Ctes::default().with(self.events_table.name.clone(), events);
        let (session, nothing) = (engine::session(&catalog, self.now.millis()), Relation::single_row());
        work(&Scope::new(&session, &ctes, &nothing))
    }

    /// The rows of events that are numbered, and what sorts them. Columns that nobody looks at then are left out.
    pub fn rows(&self, events: Relation, limits: &Limits) -> Result<Keyed> {
        let events = self.events_table.table(events)?;
        let columns = events.fields.clone();
        self.over(events, limits, |like| {
            let select =
                self.operators.of(&columns, || lower::select(like.session, like.ctes, &self.plan))?;
            let rows = select::rows(like, &select)?;
            let scope = Scope { relation: &rows, ..*like };
            let keys = self.keys.of(&rows.fields, || self.keys(&scope))?;
            let keys = keys.iter().map(|(key, options)| Ok((scope.values(key)?, *options)));
            let keys = keys.collect::<Result<Vec<_>>>()?;
            Ok((self.looked_at(&rows), keys))
        })
    }

    fn keys(&self, scope: &Scope<'_>) -> Result<Vec<SortKey>> {
        let by = self.partition_by.iter().map(|key| (key, OrderByOptions { asc: None, nulls_first: None }));
        let keys = by.chain(self.order_by.iter().map(|(key, options)| (key, *options)));
        keys.map(|(key, options)| Ok((scope.resolve(key)?, options))).collect()
    }

    /// The columns that the list may look at.
    fn looked_at(&self, rows: &Relation) -> Relation {
        match &self.names {
            Some(names) => rows.with_columns(&used(rows, names)),
            None => rows.clone(),
        }
    }

    /// What the SELECT shows of some of the rows that it has numbered, which are in order. `adjust` says what
    /// the window functions are, given what they are over these rows alone.
    pub fn shown(
        &self,
        rows: &Relation,
        own: Range<usize>,
        windows: &mut Windows,
        limits: &Limits,
        adjust: impl FnMut(usize, Values) -> Result<Values>,
    ) -> Result<Relation> {
        self.over(Relation::default(), limits, |like| {
            let scope = Scope { relation: rows, ..*like };
            let list = self.list_operators.of(&rows.fields, || lower::listed(&scope, &self.list))?;
            select::windowed(&scope, &list, own, windows, adjust)
        })
    }

    /// The same where there are no events.
    pub fn nothing(&self, nothing: Relation, limits: &Limits) -> Result<Relation> {
        let (rows, keys) = self.rows(nothing, limits)?;
        self.shown(&rows, 0..0, &mut self.windows(&[], &keys)?, limits, |_, values| Ok(values))
    }
}
