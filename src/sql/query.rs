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

/// A parsed and checked query.
#[derive(Debug, Clone)]
pub struct Query {
    /// The bound syntax tree.
    tree: ast::Query,
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
    /// How it is answered by counting, if that is possible.
    plan: Option<Plan>,
    /// How it is evaluated piece by piece, if that is possible.
    flow: Option<Flow>,
}

/// The tables that a query runs over, by name.
#[derive(Debug, Default)]
pub struct Catalog {
    tables: HashMap<&'static str, Arc<Relation>>,
    /// Whether the events are unsorted, with a column of positions instead.
    unordered: bool,
    /// Groups that replace the events, if a query has been answered by counting.
    counted: Option<Counted>,
    /// Rows that replace all others, if a query has been evaluated in pieces.
    flowed: Option<Relation>,
    limits: Limits,
}

impl Catalog {
    /// A catalog for binding a query or evaluating a part of it, with little memory.
    pub(super) fn trial() -> Self {
        Self {
            limits: Limits { memory_bytes_max: Some(TRIAL_BYTES_MAX), cancelled: None },
            ..Self::default()
        }
    }

    /// Sets the limits for the evaluation.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Inserts a table, replacing one with the same name.
    pub fn insert(&mut self, table: &'static Table, rows: &Rows) {
        self.tables.insert(table.name, Arc::new(Relation::of_table(table, rows)));
    }

    /// Inserts a table in pieces, which must have the same columns.
    ///
    /// # Errors
    /// The columns of the pieces differ.
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

    /// Inserts the result of collecting `cloudtrail_logs` for `query`: its rows, or only the groups that it
    /// needs.
    ///
    /// # Errors
    /// The columns of the pieces differ.
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

    /// The same tables with the events sorted.
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

/// Memory for evaluating expressions without rows.
const TRIAL_BYTES_MAX: u64 = 16 << 20;

/// What is constant while a query is evaluated.
pub(super) struct Session<'a> {
    pub catalog: &'a Catalog,
    /// `current_timestamp`, in milliseconds.
    pub now: i64,
    /// While names are bound, and expressions are evaluated without rows to determine their types: the
    /// columns of subqueries.
    pub shapes: Option<&'a Shapes>,
}

/// The columns of the subqueries that have been bound, without rows.
#[derive(Debug, Default)]
pub(super) struct Shapes(RefCell<Vec<(ast::Query, Relation)>>);

impl Shapes {
    pub fn add(&self, query: ast::Query, columns: Relation) {
        self.0.borrow_mut().push((query, columns));
    }

    /// Equal bound queries have equal columns, because every table in them has a unique name.
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

    /// Whether only types are determined.
    pub fn is_typing(&self) -> bool {
        self.shapes.is_some()
    }
}

/// The common table expressions, innermost last.
#[derive(Debug, Clone, Default)]
pub(super) struct Ctes(Vec<(String, Arc<Relation>)>);

impl Ctes {
    pub fn with(&self, name: String, relation: Relation) -> Self {
        let mut all = self.0.clone();
        all.push((name, Arc::new(relation)));
        Self(all)
    }

    /// The unique name of the table that a query calls `written`.
    pub fn called(&self, written: &str) -> Option<&str> {
        self.0.iter().rev().map(|(known, _)| known.as_str()).find(|known| names::written(known) == written)
    }

    pub fn get(&self, name: &str) -> Option<Arc<Relation>> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, relation)| relation.clone())
    }
}

/// Stack for parsing, which recurses as deep as the query's parentheses, independent of the calling thread's.
const STACK_BYTES: usize = 16 << 20;

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

    /// The plan for evaluating a lake piece by piece; `None` if only a few of its rows are needed.
    pub(super) fn flow(&self) -> Option<&Flow> {
        self.flow.as_ref().filter(|flow| self.scan.limit.is_none() && flow.events_tables().is_none())
    }

    /// The plan for evaluating collected rows piece by piece.
    pub(super) fn flow_of_rows(&self) -> Option<&Flow> {
        self.flow.as_ref()
    }

    pub(super) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// `current_timestamp`, in milliseconds.
    pub(super) fn now(&self) -> i64 {
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
    pub(super) fn tells_copies_apart(&self) -> bool {
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

    /// Evaluates the query over `catalog`.
    ///
    /// # Errors
    /// A value is invalid (a cast that fails, a division by zero), or a table is missing.
    pub fn run(&self, catalog: &Catalog) -> std::result::Result<Answer, SqlError> {
        let session = Session { catalog, now: self.now.millis(), shapes: None };
        if let Some(rows) = &catalog.flowed {
            return Answer::new(select::cut(&session, &self.tree, rows.clone())?);
        }
        match panics::caught(|| select::query(&session, &Ctes::default(), None, &self.tree)) {
            // Which invalid value an error names must not depend on the order of reading.
            Err(_) if catalog.unordered => self.run(&catalog.ordered()?),
            relation => Answer::new(relation?.seen()),
        }
    }
}
