//! Queries that are answered in stages: what they ask of the events inside, such as `(SELECT max(eventtime) FROM
//! events)` or `WITH totals AS (SELECT …, count(*) FROM events GROUP BY …)`, is answered first, each by itself;
//! its rows are then tables of the query around it.
//!
//! That is for queries that cannot be evaluated in pieces as a whole, or not with the memory that there is.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Distinct, Expr, Function, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
    SetOperator, SetQuantifier, TableAlias, TableFactor, Visit, WindowType,
};
use sqlparser::tokenizer::{Location, Span};

use super::{Flow, Flowed, Part, Reduction};
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
use crate::sql::run::select;
use crate::sql::scope::Ctes;
use crate::sql::syntax::names::{self, is_events, top};
use crate::sql::syntax::visit::{VisitorMut, relations, visit_mut};
use crate::sql::syntax::{calls, data_store, dialect, grouping};
use crate::sql::types::relation::Relation;
use crate::tables::cloudtrail;

/// The names of the tables that inner queries become. No query can contain such a name.
const NAME: &str = "\0stage";

/// A query in stages.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Stages {
    stages: Vec<Stage>,
    /// The query around them.
    outer: Query,
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
        let mut finder = Finder { bound, reads, few, stages: Vec::new() };
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
        Some(Self { stages, outer: tree, flow, now: bound.now() })
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
        let whole = Query { limit_clause: None, fetch: None, ..self.outer.clone() };
        Ok(select::query(&session, tables, None, &whole)?.seen())
    }
}

impl Flow {
    /// The rows that an answer stands for, before OFFSET and LIMIT, where groups have not been made rows of.
    pub fn shown(&self, flowed: Flowed, limits: &Limits) -> Result<Flowed> {
        let Flowed::Groups(groups) = flowed else { return Ok(flowed) };
        let by = self.tree.order_by.as_ref();
        let places = Relation { height: groups.count, ..Relation::default() };
        let shown = self.over(self.nothing()?, limits, |like, select| {
            select::projected_groups(like, select, by, &groups, places)
        })?;
        let part = Part { rows: shown.rows, keys: shown.keys };
        let is_distinct = top(&self.tree).is_some_and(|select| select.distinct.is_some());
        let part = if is_distinct { part.distinct()? } else { part };
        Ok(Flowed::Rows(part.first(self.wanted)?.rows.seen()))
    }

    /// All rows of the answer.
    pub fn answer(&self, flowed: Flowed, limits: &Limits) -> Result<Relation> {
        Ok(match self.shown(flowed, limits)? {
            Flowed::Ordered(ordered) => ordered.whole(limits)?.into_rows(),
            Flowed::Rows(rows) => {
                let (offset, count) = self.cut(limits)?;
                if offset == 0 && count >= rows.height { rows } else { rows.slice(offset, count) }
            }
            Flowed::Whole(rows) => rows,
            Flowed::Groups(_) => Relation::default(),
        })
    }
}

fn flow_of(bound: &Bound, tree: &Query, (scan, filters, is_store): Reads<'_>) -> Option<Flow> {
    let bound = bound.with(tree.clone());
    let plan = logical::Plan::of(&bound);
    Flow::of((&bound, &plan), scan, filters, is_store)
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
            *name = ObjectName(vec![ObjectNamePart::Identifier(ident)]);
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
        if is_total
            && calls::is_aggregate(&names::of_function(function))
            && let Ok(like) = dialect::parse("SELECT 1")
        {
            let call = Expr::Function(Function { over: None, ..function.clone() });
            let select = Select { projection: vec![SelectItem::UnnamedExpr(call)], ..self.0.clone() };
            *expr =
                Expr::Subquery(Box::new(Query { body: Box::new(SetExpr::Select(Box::new(select))), ..like }));
        }
        ControlFlow::Continue(())
    }
}

/// Finds inner queries that can be answered by themselves, the outermost first, and puts tables in their places.
struct Finder<'b> {
    bound: &'b Bound,
    reads: Reads<'b>,
    /// Whether their answers have to have few rows.
    few: bool,
    stages: Vec<Stage>,
}

impl Finder<'_> {
    /// The name of the table that a query becomes, if it can be answered by itself.
    fn stage(&mut self, query: &Query) -> Option<String> {
        if !has_events(query) || !names::free(query).is_empty() {
            return None;
        }
        if let Some(known) = self.stages.iter().find(|known| known.tree == *query) {
            return Some(known.name.clone());
        }
        let flow = flow_of(self.bound, query, self.reads)?;
        let is_few = flow.is_small() || matches!(flow.reduction, Reduction::Groups(_));
        if self.few && !is_few {
            return None;
        }
        let name = format!("{NAME}{}", self.stages.len());
        self.stages.push(Stage { name: name.clone(), flow, tree: query.clone() });
        Some(name)
    }

    /// Looks inside of a query.
    fn inside(&mut self, query: &mut Query) {
        match &mut *query.body {
            SetExpr::Select(select) => self.select(select),
            body => self.side(body, false),
        }
    }

    fn select(&mut self, select: &mut Select) {
        for table in &mut select.from {
            self.factor(&mut table.relation);
            table.joins.iter_mut().for_each(|join| self.factor(&mut join.relation));
        }
        let _ = visit_mut(&mut select.projection, self);
        let _ = visit_mut(&mut select.selection, self);
        let _ = visit_mut(&mut select.having, self);
    }

    /// A side of UNION, INTERSECT or EXCEPT. `is_set`: rows that are equal make no difference.
    fn side(&mut self, body: &mut SetExpr, is_set: bool) {
        match body {
            SetExpr::SetOperation { left, right, op, set_quantifier } => {
                let is_all = matches!(set_quantifier, SetQuantifier::All);
                let is_set = !is_all || is_set && *op == SetOperator::Union;
                self.side(left, is_set);
                self.side(right, is_set);
            }
            SetExpr::Query(query) => match self.side_alone((**query).clone(), is_set) {
                Some(all) => **query = all,
                None => self.inside(query),
            },
            SetExpr::Select(select) => {
                let alone = dialect::parse("SELECT 1").ok();
                let alone =
                    alone.map(|like| Query { body: Box::new(SetExpr::Select(select.clone())), ..like });
                match alone.and_then(|alone| self.side_alone(alone, is_set)) {
                    Some(all) => *body = SetExpr::Query(Box::new(all)),
                    None => self.select(select),
                }
            }
            _ => {}
        }
    }

    /// All rows of the table that a side becomes.
    fn side_alone(&mut self, mut query: Query, is_set: bool) -> Option<Query> {
        if is_set {
            distinct(&mut query);
        }
        all_rows(&self.stage(&query)?)
    }

    fn factor(&mut self, factor: &mut TableFactor) {
        match factor {
            TableFactor::Derived { lateral: false, sample: None, subquery, alias } => {
                match self.stage(subquery) {
                    None => self.inside(subquery),
                    Some(name) => {
                        if let Some(table) = table(&name, alias.clone()) {
                            *factor = table;
                        }
                    }
                }
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                self.factor(&mut table_with_joins.relation);
                table_with_joins.joins.iter_mut().for_each(|join| self.factor(&mut join.relation));
            }
            _ => {}
        }
    }
}

impl VisitorMut for Finder<'_> {
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let is_search = matches!(expr, Expr::InSubquery { .. });
        let (Expr::Subquery(query)
        | Expr::Exists { subquery: query, .. }
        | Expr::InSubquery { subquery: query, .. }) = expr
        else {
            return ControlFlow::Continue(());
        };
        let known = query.clone();
        if is_search {
            distinct(query);
        }
        match self.stage(query).and_then(|name| all_rows(&name)) {
            Some(all) => {
                self.bound.has_shape_of(&all, &known);
                **query = all;
            }
            None => *query = known,
        }
        ControlFlow::Continue(())
    }
}

/// Leaves out rows that are equal to others, where these make no difference.
fn distinct(query: &mut Query) {
    if names::is_body_alone(query)
        && let SetExpr::Select(select) = &mut *query.body
        && select.distinct.is_none()
        && !grouping::is_grouped(select, None)
    {
        select.distinct = Some(Distinct::Distinct);
    }
}

/// `SELECT * FROM` the rows of a stage.
fn all_rows(name: &str) -> Option<Query> {
    let mut all = dialect::parse("SELECT * FROM events").ok()?;
    let SetExpr::Select(select) = &mut *all.body else { return None };
    let [from] = select.from.as_mut_slice() else { return None };
    let alias = TableAlias { explicit: false, name: Ident::new(name), columns: Vec::new(), at: None };
    from.relation = table(name, Some(alias))?;
    Some(all)
}

/// The table with the rows of a stage.
fn table(name: &str, alias: Option<TableAlias>) -> Option<TableFactor> {
    let all = dialect::parse("SELECT * FROM events").ok()?;
    let mut factor = top(&all)?.from.first()?.relation.clone();
    let TableFactor::Table { name: own, alias: given, .. } = &mut factor else { return None };
    *own = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]);
    *given = alias;
    Some(factor)
}
