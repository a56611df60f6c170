//! A query from its text to its answer.

use std::sync::Arc;

use sqlparser::ast;

use crate::model::Timestamp;
use crate::sql::answer::Answer;
use crate::sql::bind::Bound;
use crate::sql::catalog::Catalog;
use crate::sql::error::{Result, SqlError};
use crate::sql::panics;
use crate::sql::plan::around;
use crate::sql::plan::mention::Filters;
use crate::sql::plan::scan::Scan;
use crate::sql::plan::{divide, logical, order_insensitive, reading, sought};
use crate::sql::run::engine;
use crate::sql::scope::{Ctes, Scope};
use crate::sql::stream::flow::Flow;
use crate::sql::stream::flow::stages::Stages;
use crate::sql::stream::preaggregation::plan::Plan;
use crate::sql::syntax::{data_store, dialect, grouping, named_windows, names, params, walk};
use crate::sql::types::relation::{Field, PLACE, Relation};
use crate::sql::types::{event_data_store, place};
use crate::tables::{self, Kind, Rows, Table, cloudtrail};

/// A parsed and checked query.
#[derive(Debug, Clone)]
pub struct Query {
    /// What is run over the events.
    run: Arc<logical::Plan>,
    params: Vec<(String, String)>,
    now: Timestamp,
    scan: Scan,
    /// Whether the table is that of an event data store.
    lake: bool,
    /// Conditions that can be evaluated for single records.
    filters: Filters,
    tables: Vec<&'static Table>,
    /// Whether the answer does not depend on the order of events.
    order_insensitive: bool,
    logical: Arc<logical::Plan>,
    /// How it is answered by counting, if that is possible.
    plan: Option<Plan>,
    /// If that is the inner query of another one: that one.
    outer: Option<Arc<logical::Plan>>,
    /// How it is evaluated piece by piece, if that is possible.
    flow: Option<Flow>,
    /// How it is evaluated in stages, if that is possible.
    stages: Option<Stages>,
    /// If there is one, how the one around it is evaluated in pieces of its rows.
    outer_flow: Option<Flow>,
}

impl Catalog {
    /// Inserts `cloudtrail_logs` for `query`, from pieces in any order. Rows are sorted by object and index
    /// (columns `object` and `record`), unless the order does not matter.
    ///
    /// # Errors
    /// The columns of the pieces differ.
    pub fn insert_events(&mut self, query: &Query, pieces: Vec<Rows>) -> std::result::Result<(), SqlError> {
        let table = &tables::cloudtrail::TABLE;
        self.insert_pieces(table, pieces)?;
        let Some(rows) = self.get(table.name) else { return Ok(()) };
        let (Some(object), Some(record)) = (rows.named("object")?, rows.named("record")?) else {
            return Ok(());
        };
        if query.order_insensitive {
            let places = place::places(&object, &record, rows.height)?;
            let mut placed = (*rows).clone();
            placed.push(Field { hidden: true, ..Field::new(PLACE, Kind::Bigint) }, places);
            self.tables.insert(table.name, Arc::new(placed));
            self.unordered = true;
            return Ok(());
        }
        if let Some(order) = place::order(&object, &record, rows.height)? {
            self.tables.insert(table.name, Arc::new(rows.take(&order)?));
        }
        Ok(())
    }
}

/// Stack for parsing, which recurses as deep as the query's parentheses, independent of the calling thread's.
const STACK_BYTES: usize = 16 << 20;

/// What a query needs of the events, and how it can be evaluated over them.
struct Ways {
    scan: Scan,
    filters: Filters,
    order_insensitive: bool,
    plan: Option<Plan>,
    flow: Option<Flow>,
}

impl Ways {
    /// `as_select` is the same query as a SELECT, if it is none.
    fn of(planned: (&Bound, &logical::Plan), as_select: Option<Bound>, lake: bool) -> Self {
        let (bound, logical) = planned;
        let (scan, filters) = reading::scan(logical, bound.now());
        let flow = Flow::of(planned, &scan, &filters, lake);
        let flow = match as_select {
            None => flow,
            Some(bound) => {
                let logical = logical::Plan::of(&bound);
                let (scan, filters) = reading::scan(&logical, bound.now());
                match flow {
                    Some(flow) => Some(flow.or_in_sequence(&bound, (&scan, &filters, lake))),
                    None => Flow::of((&bound, &logical), &scan, &filters, lake),
                }
            }
        };
        let (order_insensitive, plan) = Self::counting(planned, &scan, &filters, lake);
        Self { scan, filters, order_insensitive, plan, flow }
    }

    /// The same for an inner query, which needs no more than the whole one.
    fn of_inner(&self, planned: (&Bound, &logical::Plan), lake: bool) -> Self {
        let (scan, filters) = (self.scan.clone(), self.filters.clone());
        let (order_insensitive, plan) = Self::counting(planned, &scan, &filters, lake);
        let flow = Flow::of(planned, &scan, &filters, lake);
        Self { scan, filters, order_insensitive, plan, flow }
    }

    fn counting(
        (bound, logical): (&Bound, &logical::Plan),
        scan: &Scan,
        filters: &Filters,
        lake: bool,
    ) -> (bool, Option<Plan>) {
        let order_insensitive = order_insensitive::is_order_insensitive(logical);
        let plan = (order_insensitive && !lake)
            .then(|| Plan::of(bound, logical, scan.columns.as_deref(), sought::sought(filters)))
            .flatten();
        (order_insensitive, plan)
    }
}

impl Query {
    /// Parses and checks a query. `params` replace the values of the columns with these names in the query's
    /// `params` table; `now` is the value of `current_timestamp`.
    ///
    /// # Errors
    /// The text is not valid SQL, or uses something that does not exist or is not supported; the error has
    /// the position.
    pub fn parse(
        text: &str,
        params: &[(String, String)],
        now: Timestamp,
    ) -> std::result::Result<Self, SqlError> {
        let read = || panics::caught(|| Self::parsed(text, params, now));
        std::thread::scope(|scope| {
            match std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, read) {
                Ok(reading) => reading.join().unwrap_or_else(|_| {
                    Err(SqlError::new("the query could not be read: a fault of the program's own"))
                }),
                // If no thread can be started, the stack of this one has to do.
                Err(_) => read(),
            }
        })
    }

    fn parsed(text: &str, params: &[(String, String)], now: Timestamp) -> Result<Self> {
        let mut tree = dialect::parse(text)?;
        names::lower(&mut tree);
        named_windows::write_out(&mut tree);
        params::set(&mut tree, params)?;
        let params = params::list(&tree);
        let lake = data_store::is_meant(&tree);
        let as_select = divide::as_select(&tree);
        let bound = Bound::of(tree, now)?;
        let logical = Arc::new(logical::Plan::of(&bound));
        let ways = Ways::of((&bound, &logical), as_select.and_then(|tree| Bound::of(tree, now).ok()), lake);
        let (tables, mut query) = (bound.declared(), None);
        if ways.plan.is_none() && ways.flow.is_none() {
            let mut found = None;
            let split = around::split(bound.tree(), |inner| {
                let bound = bound.with(inner.clone());
                let plan = logical::Plan::of(&bound);
                let ways = ways.of_inner((&bound, &plan), lake);
                let is_good = !grouping::has_offset(inner)
                    && (ways.plan.is_some() || ways.flow.as_ref().is_some_and(Flow::is_small));
                found = is_good.then_some((plan, ways));
                is_good
            });
            query = split.zip(found);
        }
        let is_by_piece = |ways: &Ways| {
            ways.plan.is_some() || ways.flow.as_ref().is_some_and(|flow| flow.events_tables().is_none())
        };
        let stages = match query.is_some() || is_by_piece(&ways) {
            true => None,
            false => Stages::of(&bound, (&ways.scan, &ways.filters, lake)),
        };
        let outer_flow = query.as_ref().and_then(|(outer, _)| {
            Flow::over_rows(&bound, outer, around::NAME, (&ways.scan, &ways.filters, lake))
        });
        let (run, outer, Ways { scan, filters, plan, flow, order_insensitive }) = match query {
            Some((outer, (plan, ways))) => {
                (Arc::new(plan), Some(Arc::new(logical::Plan::of(&bound.with(outer)))), ways)
            }
            None => (Arc::clone(&logical), None, ways),
        };
        Ok(Self {
            run,
            params,
            now,
            scan,
            lake,
            filters,
            tables,
            order_insensitive,
            logical,
            plan,
            outer,
            flow,
            stages,
            outer_flow,
        })
    }

    /// Whether the rows that it is evaluated to are not the answer yet.
    pub(super) fn has_outer(&self) -> bool {
        self.outer.is_some()
    }

    /// The plan for evaluating a lake piece by piece; `None` if only a few of its rows are needed.
    pub(in crate::sql) fn flow(&self) -> Option<&Flow> {
        self.flow.as_ref().filter(|flow| self.scan.limit.is_none() && flow.events_tables().is_none())
    }

    /// The plan for evaluating collected rows piece by piece.
    pub(in crate::sql) fn flow_of_rows(&self) -> Option<&Flow> {
        self.flow.as_ref()
    }

    /// The plan for evaluating the query around this one in pieces.
    pub(in crate::sql) fn outer_flow(&self) -> Option<&Flow> {
        self.outer_flow.as_ref()
    }

    /// The plan for evaluating collected rows in stages.
    pub(in crate::sql) fn stages(&self) -> Option<&Stages> {
        self.stages.as_ref()
    }

    pub(in crate::sql) fn logical(&self) -> &logical::Plan {
        &self.logical
    }

    pub(in crate::sql) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// `current_timestamp`, in milliseconds.
    pub(in crate::sql) fn now(&self) -> i64 {
        self.now.millis()
    }

    /// The part of `cloudtrail_logs` that the query needs.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    /// Names and values of its parameters.
    pub fn params(&self) -> Vec<(String, String)> {
        self.params.clone()
    }

    /// The tables that the query uses.
    pub fn tables(&self) -> &[&'static Table] {
        &self.tables
    }

    /// Whether the conditions on single records may differ between copies of one event, because they use more
    /// than the columns that identify the event.
    pub(in crate::sql) fn tells_copies_apart(&self) -> bool {
        self.filters.as_ref().is_some_and(|filters| {
            filters
                .iter()
                .flat_map(|(_, conditions)| conditions)
                .any(walk::names_more_than(cloudtrail::OF_IDENTITY))
        })
    }

    /// The rows of a piece of `cloudtrail_logs` that the query may need, according to its conditions on
    /// single records. Call it for each piece as it is read; [`run`](Self::run) applies every condition
    /// again.
    ///
    /// # Errors
    /// A condition cannot be evaluated for these rows.
    pub fn keep(&self, rows: Rows) -> std::result::Result<Rows, SqlError> {
        match &self.filters {
            Some(filters) => panics::caught(|| self.kept(filters, rows)),
            None => Ok(rows),
        }
    }

    /// The same for events without duplicates: if the query numbers events, only the first ones may be kept.
    pub(in crate::sql) fn keep_distinct(&self, rows: Rows) -> std::result::Result<Rows, SqlError> {
        self.ranked(self.keep(rows)?)
    }

    /// If the query numbers events, only the first of these.
    pub(in crate::sql) fn ranked(&self, rows: Rows) -> std::result::Result<Rows, SqlError> {
        match self.flow.as_ref().and_then(Flow::ranked) {
            Some(ranked) => panics::caught(|| ranked.keep(rows, self.now)),
            None => Ok(rows),
        }
    }

    fn kept(&self, filters: &[(String, Vec<ast::Expr>)], mut rows: Rows) -> Result<Rows> {
        let relation = Relation::of_table(&tables::cloudtrail::TABLE, &rows);
        let relation = if self.lake { event_data_store::typed(relation)? } else { relation };
        let catalog = Catalog::default();
        let session = engine::session(&catalog, self.now.millis());
        let ctes = Ctes::default();
        let mut keep = vec![false; relation.height];
        for (qualifiers, conditions) in filters {
            let relation = relation.clone().renamed(qualifiers, &[]);
            let scope = Scope::new(&session, &ctes, &relation);
            scope.mark(conditions, &mut keep)?;
        }
        rows.retain(&keep)?;
        Ok(rows)
    }

    /// Evaluates the query over `catalog`.
    ///
    /// # Errors
    /// A value is invalid (a cast that fails, a division by zero), or a table is missing.
    pub fn run(&self, catalog: &Catalog) -> std::result::Result<Answer, SqlError> {
        if let Some(rows) = &catalog.answer {
            return Answer::new(rows.clone().seen());
        }
        let session = engine::session(catalog, self.now.millis());
        let rows = match &catalog.flowed {
            Some(rows) => engine::cut(&session, &self.run, rows.clone())?,
            None => match panics::caught(|| engine::rows(&session, &Ctes::default(), &self.run)) {
                // Which invalid value an error names must not depend on the order of reading.
                Err(_) if catalog.unordered => return self.run(&catalog.ordered()?),
                rows => rows?,
            },
        };
        let Some(outer) = &self.outer else { return Answer::new(rows.seen()) };
        let tables = catalog.tables.clone();
        let catalog = Catalog { tables, limits: catalog.limits.clone(), ..Catalog::default() };
        let session = engine::session(&catalog, self.now.millis());
        let rows = panics::caught(|| engine::rows(&session, &around::tables(rows.seen()), outer))?;
        Answer::new(rows.seen())
    }
}
