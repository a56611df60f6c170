//! Queries that are answered in stages: what they ask of the events inside, such as `(SELECT max(eventtime) FROM
//! events)` or `WITH totals AS (SELECT …, count(*) FROM events GROUP BY …)`, is answered first, each by itself;
//! its rows are then tables of the query around it.
//!
//! That is for queries that cannot be evaluated in pieces as a whole, or not with the memory that there is.

mod inner;

use std::ops::ControlFlow;
use std::sync::Arc;

use sqlparser::ast::{
    Expr, Function, Ident, ObjectName, Query, Select, SelectItem, SetExpr, Visit, WindowType,
};
use sqlparser::tokenizer::{Location, Span};

use super::{Flow, Reduction};
use crate::model::Timestamp;
use crate::sql::bind::Bound;
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::memory::Limits;
use crate::sql::plan::divide;
use crate::sql::plan::divide::EventsTable;
use crate::sql::plan::logical;
use crate::sql::plan::mention::Filters;
use crate::sql::plan::scan::Scan;
use crate::sql::run::engine;
use crate::sql::scope::Ctes;
use crate::sql::syntax::names::{self, is_events};
use crate::sql::syntax::visit::{VisitorMut, relations, visit_mut};
use crate::sql::syntax::{calls, data_store, dialect, grouping};
use crate::sql::types::relation::Relation;
use crate::tables::cloudtrail;
use inner::Finder;

/// A query in stages.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Stages {
    stages: Vec<Stage>,
    /// The query around them.
    outer: Arc<logical::Plan>,
    /// How that is evaluated, if it reads events itself.
    flow: Option<Flow>,
    now: Timestamp,
}

/// An inner query that is answered by itself.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Stage {
    /// The name of the table with its rows.
    pub name: String,
    pub flow: Flow,
    tree: Query,
}

/// What all stages read.
type Reads<'r> = (&'r Scan, &'r Filters, bool);

impl Stages {
    /// `None` if the query is not made of others that can be evaluated in pieces.
    pub fn of(bound: &Bound, reads: Reads<'_>) -> Option<Self> {
        let is_alone = matches!(bound.declared().as_slice(), [table] if table.name == cloudtrail::TABLE.name);
        if !is_alone || grouping::has_ties(bound.tree()) {
            return None;
        }
        let mut tree = bound.tree().clone();
        let events_tables = divide::mentions(&mut tree)?;
        let _ = visit_mut(&mut tree, &mut Restore(&events_tables));
        let _ = visit_mut(&mut tree, &mut Totals);
        // Few rows first: of the others, it is better to make no table.
        [true, false].into_iter().find_map(|few| Self::of_tree(bound, tree.clone(), reads, few))
    }

    fn of_tree(bound: &Bound, mut tree: Query, reads: Reads<'_>, few: bool) -> Option<Self> {
        let mut finder = Finder::new(bound, reads, few);
        finder.inside(&mut tree);
        let stages = finder.stages;
        // Other names of columns, which `*` does not show, do not leave a stage.
        if stages.is_empty() || names::has_other_names(&tree) {
            return None;
        }
        let flow = match has_events(&tree) {
            false => None,
            true => Some(flow_of(bound, &tree, reads).filter(|flow| flow.sequence.is_none())?),
        };
        let flow = flow.map(|flow| Flow { in_sequence: None, ..flow });
        let outer = Arc::new(logical::Plan::of(&bound.with(tree)));
        Some(Self { stages, outer, flow, now: bound.now() })
    }

    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Whether the events are only grouped, in any pieces: then it is better to do that first, because there are
    /// fewer groups than events.
    pub fn are_groups(&self) -> bool {
        let is_grouped = |stage: &Stage| {
            stage.flow.events_tables.is_none() && matches!(stage.flow.reduction, Reduction::Groups(_))
        };
        self.flow.is_none() && self.stages.iter().all(is_grouped)
    }

    /// How the query around the stages is evaluated, if it reads events, given their rows.
    pub fn outer_flow(&self, tables: &Ctes) -> Option<Flow> {
        self.flow.as_ref().map(|flow| Flow { tables: tables.clone(), ..flow.clone() })
    }

    /// The rows of the query around the stages, if it reads no events; before OFFSET and LIMIT.
    pub fn outer_rows(&self, tables: &Ctes, limits: &Limits) -> Result<Relation> {
        let mut catalog = Catalog::default();
        catalog.limit(limits.clone());
        let session = engine::session(&catalog, self.now.millis());
        Ok(engine::all_rows(&session, tables, &self.outer)?.seen())
    }
}

fn flow_of(bound: &Bound, tree: &Query, (scan, filters, is_store): Reads<'_>) -> Option<Flow> {
    let bound = bound.with(tree.clone());
    let plan = logical::Plan::of(&bound);
    Flow::of((&bound, &plan), scan, filters, is_store)
}

/// A query that is a SELECT alone.
fn query_of(select: Select) -> Option<Query> {
    let like = dialect::parse("SELECT 1").ok()?;
    Some(Query { body: Box::new(SetExpr::Select(Box::new(select))), ..like })
}

fn has_events(part: &impl Visit) -> bool {
    relations(part, &mut |name| match is_events(&names::last(name)) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Gives the occurrences of the events table their own name again.
struct Restore<'t>(&'t [EventsTable]);

impl VisitorMut for Restore<'_> {
    fn post_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        let own = names::last(name);
        if let Some((at, table)) = (1..).zip(self.0).find(|(_, table)| table.name == own) {
            let declared = if table.is_store { data_store::TABLE } else { cloudtrail::TABLE.name };
            // Each has a place of its own, by which it is told from the others.
            let place = Location { line: u64::MAX, column: at };
            let ident = Ident::with_span(Span::new(place, place), declared);
            *name = ObjectName::from(ident);
        }
        ControlFlow::Continue(())
    }
}

/// Writes `count(*) OVER ()` and its like, which is the same in all rows, as `(SELECT count(*) FROM … WHERE …)`.
struct Totals;

impl VisitorMut for Totals {
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let by = query.order_by.as_ref();
        if let SetExpr::Select(select) = &mut *query.body
            && has_events(&select.from)
            && select.distinct.is_none()
            && !grouping::is_grouped(select, by)
        {
            let rows = Select { projection: Vec::new(), ..(**select).clone() };
            let _ = visit_mut(&mut select.projection, &mut TotalsOf(&rows));
        }
        ControlFlow::Continue(())
    }
}

struct TotalsOf<'s>(&'s Select);

impl VisitorMut for TotalsOf<'_> {
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(function) = &*expr else { return ControlFlow::Continue(()) };
        let Some(WindowType::WindowSpec(spec)) = &function.over else { return ControlFlow::Continue(()) };
        let is_total =
            spec.partition_by.is_empty() && spec.order_by.is_empty() && spec.window_frame.is_none();
        if is_total && calls::is_aggregate(&names::of_function(function)) {
            let call = Expr::Function(Function { over: None, ..function.clone() });
            let select = Select { projection: vec![SelectItem::UnnamedExpr(call)], ..self.0.clone() };
            if let Some(query) = query_of(select) {
                *expr = Expr::Subquery(Box::new(query));
            }
        }
        ControlFlow::Continue(())
    }
}
