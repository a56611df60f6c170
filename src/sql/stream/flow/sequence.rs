//! Windows over all rows that do not fit into memory: rows are sorted on disk as the windows want them, and
//! gone through once. Of what came before, a window function needs a number or a few rows.
//!
//! That goes for `row_number`, `rank`, `dense_rank`, `lag`, `lead` and `first_value`; for counts, sums and averages of
//! whole numbers, `min` and `max`, from the first row to this one; and for frames of some rows. What a query makes of
//! these rows is worked out like the rows of a table.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, Ident, ObjectName, ObjectNamePart, OrderByOptions, Query, Select, SelectItem, SetExpr,
    TableAlias, TableFactor, WindowSpec, WindowType,
};

use super::{Flow, rowwise};
use crate::model::Timestamp;
use crate::sql::bind::{self, Bound};
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::expression::query;
use crate::sql::functions::window::carried::Carry;
use crate::sql::memory::Limits;
use crate::sql::plan::divide;
use crate::sql::plan::divide::EventsTable;
use crate::sql::plan::mention::Filters;
use crate::sql::plan::scan::Scan;
use crate::sql::run::engine;
use crate::sql::run::select;
use crate::sql::scope::{Ctes, Scope};
use crate::sql::stream::spill::runs::Keyed;
use crate::sql::syntax::names::{self, is_body_alone, top};
use crate::sql::syntax::visit::{VisitorMut, visit_mut};
use crate::sql::syntax::{calls, dialect, grouping};
use crate::sql::types::relation::Relation;
use crate::sql::types::values::Values;
use crate::tables::Kind;
use crate::tables::cloudtrail::TABLE;

/// The name of the table that the windows' rows are to the rest of the query. Nobody can write it.
const NAME: &str = "\0windows";

/// A SELECT with windows over all its rows, inside of a query.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Sequence {
    select: Select,
    partition_by: Vec<Expr>,
    order_by: Vec<(Expr, OrderByOptions)>,
    /// Its window functions.
    calls: Vec<(Expr, Carry)>,
    /// The events that it is made of.
    events_table: EventsTable,
    now: Timestamp,
}

/// `PARTITION BY` and `ORDER BY` of a window.
type WindowKeys = (Vec<Expr>, Vec<(Expr, OrderByOptions)>);

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
        let _ = visit_mut(&mut select.projection, &mut Means { bound: self.bound, rows: &rows });
        let (_, calls) = grouping::grouping(&select, None).ok()?;
        let mut windows = Vec::new();
        let mut order_by: Option<WindowKeys> = None;
        for call in &calls.windows {
            let function = calls::as_call(call).ok()?;
            let Some(WindowType::WindowSpec(spec)) = &function.over else { return None };
            let keys = spec.order_by.iter().map(|key| (key.expr.clone(), key.options)).collect::<Vec<_>>();
            let keys = (spec.partition_by.clone(), keys);
            if order_by.as_ref().is_some_and(|known| *known != keys) {
                return None;
            }
            order_by = Some(keys);
            windows.push((call.clone(), self.carry(function, spec, &rows)?));
        }
        let (partition_by, order_by) = order_by?;
        let sequence = Sequence {
            select,
            partition_by,
            order_by,
            calls: windows,
            events_table: self.events_table.clone(),
            now: self.bound.now(),
        };
        Some((sequence, table))
    }
}

impl Finder<'_> {
    /// Only sums of whole numbers are the same whatever they are made of.
    fn carry(&self, function: &Function, spec: &WindowSpec, rows: &Relation) -> Option<Carry> {
        let carry = Carry::of(function, spec)?;
        if carry != Carry::Sum || names::of_function(function) != "sum" {
            return Some(carry);
        }
        (kind_of_argument(self.bound, rows, function)?.0 == Kind::Bigint).then_some(carry)
    }
}

/// The type of the argument of a window function, and whether it is DISTINCT.
fn kind_of_argument(bound: &Bound, rows: &Relation, function: &Function) -> Option<(Kind, bool)> {
    let call = Function { over: None, ..function.clone() };
    let (argument, is_distinct) = calls::argument(&call)?;
    let kind = bound.typed(rows, |scope| scope.eval(argument?).ok().map(|values| values.kind))?;
    Some((kind, is_distinct))
}

/// Writes averages of whole numbers so far as sums divided by counts.
struct Means<'b> {
    bound: &'b Bound,
    rows: &'b Relation,
}

impl VisitorMut for Means<'_> {
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(mean) = self.mean(expr) {
            *expr = mean;
        }
        ControlFlow::Continue(())
    }
}

impl Means<'_> {
    fn mean(&self, expr: &Expr) -> Option<Expr> {
        let Expr::Function(function) = expr else { return None };
        let Some(WindowType::WindowSpec(spec)) = &function.over else { return None };
        if names::of_function(function) != "avg"
            || kind_of_argument(self.bound, self.rows, function)? != (Kind::Bigint, false)
        {
            return None;
        }
        // Where sums can be carried on, these can be; the average over a few rows is one as it stands.
        if Carry::of(&calls::renamed(function, "sum"), spec) != Some(Carry::Sum) {
            return None;
        }
        let like = dialect::parse("SELECT CAST(a AS double) / CAST(b AS double)").ok()?;
        let SelectItem::UnnamedExpr(mut mean) = top(&like)?.projection.first()?.clone() else { return None };
        let Expr::BinaryOp { left, right, .. } = &mut mean else { return None };
        for (side, name) in [(left, "sum"), (right, "count")] {
            let Expr::Cast { expr, .. } = &mut **side else { return None };
            **expr = Expr::Function(calls::renamed(function, name));
        }
        Some(mean)
    }
}

impl Sequence {
    /// Rows before and behind others that their windows look at.
    pub fn reach(&self) -> (usize, usize) {
        let reaches = || self.calls.iter().map(|(_, carry)| carry.reach());
        (
            reaches().map(|(before, _)| before).max().unwrap_or(0),
            reaches().map(|(_, behind)| behind).max().unwrap_or(0),
        )
    }

    /// Whether rows with equal keys have to be looked at together.
    pub fn looks_at_peers(&self) -> bool {
        self.calls.iter().any(|(_, carry)| carry.looks_at_peers())
    }

    /// Number of keys that tell partitions apart; they are the first ones.
    pub fn partition_keys(&self) -> usize {
        self.partition_by.len()
    }

    pub fn calls(&self) -> &[(Expr, Carry)] {
        &self.calls
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

    /// The SELECT over the events.
    fn operators(&self, like: &Scope<'_>) -> Result<query::Select> {
        bind::select(like, &self.select)
    }

    /// The rows of events that are numbered, and what sorts them.
    pub fn rows(&self, events: Relation, limits: &Limits) -> Result<Keyed> {
        self.over(self.events_table.table(events)?, limits, |like| {
            let rows = select::rows(like, &self.operators(like)?)?;
            let scope = Scope { relation: &rows, ..*like };
            let by =
                self.partition_by.iter().map(|key| (key, OrderByOptions { asc: None, nulls_first: None }));
            let keys = by.chain(self.order_by.iter().map(|(key, options)| (key, *options)));
            let keys = keys.map(|(key, options)| Ok((scope.column(key)?, options)));
            let keys = keys.collect::<Result<Vec<_>>>()?;
            Ok((rows, keys))
        })
    }

    /// What the SELECT shows of some of the rows that it has numbered, which are in order. `adjust` says what
    /// the window functions are, given what they are over these rows alone.
    pub fn shown(
        &self,
        rows: &Relation,
        own: &[Option<u32>],
        limits: &Limits,
        adjust: impl FnMut(usize, Values) -> Result<Values>,
    ) -> Result<Relation> {
        self.over(Relation::default(), limits, |like| {
            let scope = Scope { relation: rows, ..*like };
            select::windowed(&scope, &bind::listed(&scope, &self.select)?, own, adjust)
        })
    }

    /// The same where there are no events.
    pub fn nothing(&self, nothing: Relation, limits: &Limits) -> Result<Relation> {
        let (rows, _) = self.rows(nothing, limits)?;
        self.shown(&rows, &[], limits, |_, values| Ok(values))
    }
}
