//! A query from its text to its answer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use sqlparser::ast;

use super::answer::Answer;
use super::bind::Bound;
use super::collect::{Gathered, Worked};
use super::error::{Result, SqlError};
use super::eval::Scope;
use super::flow::{Flow, Flowed};
use super::memory::Limits;
use super::preaggregation::Counted;
use super::preaggregation::plan::Plan;
use super::relation::{Field, PLACE, Relation};
use super::scan::{Filters, Scan};
use super::{
    data_store, dialect, divide, flow, names, order_insensitive, panics, params, place, scan, select, walk,
    window,
};
use crate::model::Timestamp;
use crate::tables::{self, Kind, Rows, Table, cloudtrail};

/// A query that has been read and checked.
#[derive(Debug, Clone)]
pub struct Query {
    /// Its names are bound.
    tree: ast::Query,
    params: Vec<(String, String)>,
    now: Timestamp,
    scan: Scan,
    /// The table is that of an event data store.
    lake: bool,
    /// What a record alone must meet.
    filters: Filters,
    tables: Vec<&'static Table>,
    /// Nothing in it can tell in which order the events stand.
    order_insensitive: bool,
    /// How it is answered by counting alone, if it can be.
    plan: Option<Plan>,
    /// How it is worked out piece by piece, if it can be.
    flow: Option<Flow>,
}

/// The tables that a query runs over, by name.
#[derive(Debug, Default)]
pub struct Catalog {
    tables: HashMap<&'static str, Arc<Relation>>,
    /// The events are not in order, but have a column of places.
    unordered: bool,
    /// What stands in the place of events, where a query has been answered by counting.
    counted: Option<Counted>,
    /// What stands in the place of all rows but the answer's, where a query has been worked out in pieces.
    flowed: Option<Relation>,
    limits: Limits,
}

impl Catalog {
    /// One for trying a query out, or a part of it, which is not worth much memory.
    pub(super) fn trial() -> Self {
        Self {
            limits: Limits { memory_bytes_max: Some(TRIAL_BYTES_MAX), cancelled: None },
            ..Self::default()
        }
    }

    /// What a query makes of the tables stays within `limits`.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Puts a table in, in place of what was there under its name.
    pub fn insert(&mut self, table: &'static Table, rows: &Rows) {
        self.tables.insert(table.name, Arc::new(Relation::of_table(table, rows)));
    }

    /// Puts a table in piece by piece: the pieces have the same columns.
    ///
    /// # Errors
    /// The pieces do not fit together.
    pub fn insert_pieces(
        &mut self,
        table: &'static Table,
        pieces: Vec<Rows>,
    ) -> std::result::Result<(), SqlError> {
        let mut pieces = pieces.into_iter();
        let Some(mut whole) = pieces.next() else { return Ok(()) };
        for mut piece in pieces {
            for (name, column) in &mut whole.columns {
                let more = piece
                    .columns
                    .iter()
                    .position(|(own, _)| own == name)
                    .map(|at| piece.columns.swap_remove(at).1);
                column.append_owned(more.ok_or_else(|| SqlError::new("a column is missing"))?)?;
            }
            whole.height += piece.height;
        }
        whole.columns.iter_mut().for_each(|(_, column)| *column = column.rechunk());
        self.insert(table, &whole);
        Ok(())
    }

    /// Puts `cloudtrail_logs` in for `query`, from pieces in any order: rows are put in order of object and
    /// record, unless the query cannot tell. The pieces need the columns `object` and `record` for that.
    ///
    /// # Errors
    /// The pieces do not fit together.
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

    /// Puts in what was gathered of `cloudtrail_logs` for `query`: its rows, or the groups alone that it asks
    /// for.
    ///
    /// # Errors
    /// The pieces do not fit together.
    pub fn insert_gathered(
        &mut self,
        query: &Query,
        gathered: Gathered,
    ) -> std::result::Result<(), SqlError> {
        let table = &tables::cloudtrail::TABLE;
        self.insert(table, &table.empty());
        match gathered {
            Gathered::Rows { pieces } if pieces.is_empty() => Ok(()),
            Gathered::Rows { pieces } => self.insert_events(query, pieces),
            Gathered::Counted(counted) => {
                self.counted = Some(counted.0);
                Ok(())
            }
            Gathered::Flowed(Worked(Flowed::Groups(counted))) => {
                self.counted = Some(counted);
                Ok(())
            }
            Gathered::Flowed(Worked(Flowed::Rows(rows))) => {
                self.flowed = Some(rows);
                Ok(())
            }
            Gathered::Flowed(Worked(Flowed::Ordered(_)))
            | Gathered::Surveyed(_)
            | Gathered::Doubtful(_)
            | Gathered::Ordered(_)
            | Gathered::GivenUp => Err(SqlError::new("the rows have not been read")),
        }
    }

    pub(super) fn insert_relation(&mut self, name: &'static str, rows: Relation) {
        self.tables.insert(name, Arc::new(rows));
    }

    pub(super) fn counted(&self) -> Option<&Counted> {
        self.counted.as_ref()
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Relation>> {
        self.tables.get(name).cloned()
    }

    /// The same with the events in order.
    fn ordered(&self) -> Result<Self> {
        let mut tables = self.tables.clone();
        for relation in tables.values_mut() {
            if let Some(places) = relation.places() {
                let mut keys: Vec<(Option<i64>, u32)> = places.i64()?.iter().zip(0..).collect();
                keys.sort_unstable();
                let order: Vec<Option<u32>> = keys.into_iter().map(|(_, row)| Some(row)).collect();
                *relation = Arc::new(relation.take(&order)?);
            }
        }
        Ok(Self { tables, unordered: false, counted: None, flowed: None, limits: self.limits.clone() })
    }
}

/// What a query may take that runs over nothing.
const TRIAL_BYTES_MAX: u64 = 16 << 20;

/// What does not change while a query runs.
pub(super) struct Session<'a> {
    pub catalog: &'a Catalog,
    /// `current_timestamp`, milliseconds.
    pub now: i64,
    /// While names are bound, and expressions over no rows are asked for their types alone: the columns of
    /// the subqueries in them.
    pub shapes: Option<&'a Shapes>,
}

/// The columns of the subqueries that have been bound, without rows.
#[derive(Debug, Default)]
pub(super) struct Shapes(RefCell<Vec<(ast::Query, Relation)>>);

impl Shapes {
    pub fn add(&self, query: ast::Query, columns: Relation) {
        self.0.borrow_mut().push((query, columns));
    }

    /// Bound queries that are equal have equal columns: every table in them has a name that nothing else has.
    pub fn of(&self, query: &ast::Query) -> Result<Relation> {
        let shapes = self.0.borrow();
        let found = shapes.iter().find(|(known, _)| known == query).map(|(_, columns)| columns.clone());
        found.ok_or_else(|| SqlError::new("a subquery cannot stand here").at(query))
    }
}

impl Session<'_> {
    pub fn limits(&self) -> &Limits {
        &self.catalog.limits
    }

    /// Nothing but types is asked for.
    pub fn is_typing(&self) -> bool {
        self.shapes.is_some()
    }
}

/// The tables that `WITH` names, innermost last.
#[derive(Debug, Clone, Default)]
pub(super) struct Ctes(Vec<(String, Arc<Relation>)>);

impl Ctes {
    pub fn with(&self, name: String, relation: Relation) -> Self {
        let mut all = self.0.clone();
        all.push((name, Arc::new(relation)));
        Self(all)
    }

    /// The name of the table that a query calls so.
    pub fn called(&self, written: &str) -> Option<&str> {
        self.0.iter().rev().map(|(known, _)| known.as_str()).find(|known| names::written(known) == written)
    }

    pub fn get(&self, name: &str) -> Option<Arc<Relation>> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, relation)| relation.clone())
    }
}

/// Reading a query goes as deep as its parentheses: it has a stack of its own, whichever thread asks.
const STACK_BYTES: usize = 16 << 20;

impl Query {
    /// Reads and checks a query. `params` replace the values of the columns of that name in the query's
    /// `params` table; `now` is what `current_timestamp` says.
    ///
    /// # Errors
    /// The text is not SQL, or asks for what is not there or not supported; the error says where.
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
                // No thread is to be had: on this one's stack, then.
                Err(_) => read(),
            }
        })
    }

    fn parsed(text: &str, params: &[(String, String)], now: Timestamp) -> Result<Self> {
        let mut tree = dialect::parse(text)?;
        names::lower(&mut tree);
        window::named::write_out(&mut tree);
        params::set(&mut tree, params)?;
        let params = params::list(&tree);
        let (lake, order_insensitive) =
            (data_store::is_meant(&tree), order_insensitive::is_order_insensitive(&tree));
        let as_select = divide::as_select(&tree);
        let bound = Bound::of(tree, now)?;
        let (scan, filters) = scan::scan(&bound);
        let plan = (order_insensitive && !lake)
            .then(|| Plan::of(&bound, scan.columns.as_deref(), flow::sought(&filters)))
            .flatten();
        let flow = match as_select.and_then(|tree| Bound::of(tree, now).ok()) {
            None => Flow::of(&bound, &scan, &filters, lake),
            Some(bound) => {
                let (scan, filters) = scan::scan(&bound);
                Flow::of(&bound, &scan, &filters, lake)
            }
        };
        let tables = bound.declared();
        Ok(Self {
            tree: bound.into_tree(),
            params,
            now,
            scan,
            lake,
            filters,
            tables,
            order_insensitive,
            plan,
            flow,
        })
    }

    /// How a lake is gone through for it; not where a few rows of it are enough.
    pub(super) fn flow(&self) -> Option<&Flow> {
        self.flow.as_ref().filter(|flow| self.scan.limit.is_none() && flow.events_tables().is_none())
    }

    /// How rows are gone through for it that have been gathered.
    pub(super) fn flow_of_rows(&self) -> Option<&Flow> {
        self.flow.as_ref()
    }

    pub(super) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// `current_timestamp`, milliseconds.
    pub(super) fn now(&self) -> i64 {
        self.now.millis()
    }

    /// What the query needs of `cloudtrail_logs`.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    /// Names and values of its parameters.
    pub fn params(&self) -> Vec<(String, String)> {
        self.params.clone()
    }

    /// The tables that the query names.
    pub fn tables(&self) -> &[&'static Table] {
        &self.tables
    }

    /// Whether copies of one event may differ in what the conditions on single records ask: these name
    /// something else than what makes them copies.
    pub(super) fn tells_copies_apart(&self) -> bool {
        self.filters.as_ref().is_some_and(|filters| {
            filters
                .iter()
                .flat_map(|(_, conditions)| conditions)
                .any(walk::names_more_than(cloudtrail::OF_IDENTITY))
        })
    }

    /// Of a piece of `cloudtrail_logs`, the rows that the query may need: conditions of its own on single
    /// records are applied early. To be called on each piece as it comes in; [`run`](Self::run) applies every
    /// condition again.
    ///
    /// # Errors
    /// A condition cannot be evaluated on these rows.
    pub fn keep(&self, rows: Rows) -> std::result::Result<Rows, SqlError> {
        match &self.filters {
            Some(filters) => panics::caught(|| self.kept(filters, rows)),
            None => Ok(rows),
        }
    }

    /// The same for events of which there are no second copies: of those that are numbered, the first ones
    /// are enough.
    pub(super) fn keep_distinct(&self, rows: Rows) -> std::result::Result<Rows, SqlError> {
        let kept = self.keep(rows)?;
        match self.flow.as_ref().and_then(Flow::ranked) {
            Some(ranked) => panics::caught(|| ranked.keep(kept, self.now)),
            None => Ok(kept),
        }
    }

    fn kept(&self, filters: &[(String, Vec<ast::Expr>)], mut rows: Rows) -> Result<Rows> {
        let relation = Relation::of_table(&tables::cloudtrail::TABLE, &rows);
        let relation = if self.lake { data_store::typed(relation)? } else { relation };
        let catalog = Catalog::default();
        let session = Session { catalog: &catalog, now: self.now.millis(), shapes: None };
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

    /// Answers the query over `catalog`.
    ///
    /// # Errors
    /// A value cannot be worked with (a cast that fails, a division by zero), or a table is missing.
    pub fn run(&self, catalog: &Catalog) -> std::result::Result<Answer, SqlError> {
        let session = Session { catalog, now: self.now.millis(), shapes: None };
        if let Some(rows) = &catalog.flowed {
            return Answer::new(select::cut(&session, &self.tree, rows.clone())?);
        }
        match panics::caught(|| select::query(&session, &Ctes::default(), None, &self.tree)) {
            // Which of several values an error names must not depend on chance.
            Err(_) if catalog.unordered => self.run(&catalog.ordered()?),
            relation => Answer::new(relation?.seen()),
        }
    }
}
