//! Evaluates queries piece by piece while a lake is read: only the results of the pieces are kept in memory.
//!
//! A row group is filtered, joined with its own arrays, projected, and then reduced: to its first rows in the
//! requested order, to its distinct rows, or to its groups. Workers do that in parallel; the results of all
//! pieces are then sorted and reduced again. Columns are read when they are needed: first those of the
//! conditions, then those of the order, and the others only for the remaining rows.
//!
//! Pieces are evaluated like whole queries, over a table with the piece's rows. That is correct for queries
//! in which every row of the result depends on a single event, up to the reduction at the top (see
//! [`rowwise`]).
//!
//! Hidden columns contain the position of each row's event: object and index. It is the order of rows that
//! have no other order, so the answer does not depend on which worker read them.

mod aside;
pub(in crate::sql) mod export;
mod frontier;
mod operators;
pub(in crate::sql) mod over_groups;
pub(in crate::sql) mod over_rows;
mod part;
mod partial;
mod ranked;
mod read;
mod reduce;
pub(in crate::sql) mod rowwise;
pub(in crate::sql) mod sequence;
pub(in crate::sql) mod shown;
pub(in crate::sql) mod stages;
mod sure;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlparser::ast::Query;

use super::ordered::Ordered;
use super::spill::Spill;
use crate::lake::{Portion, Visit};
use crate::model::{Filter, Timestamp};
use crate::sql::bind::Bound;
use crate::sql::catalog;
use crate::sql::catalog::Catalog;
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::constants;
use crate::sql::expression::query::{self, Body};
use crate::sql::memory::{Limits, too_much};
use crate::sql::plan::divide::{Divided, EventsTable};
use crate::sql::plan::logical;
use crate::sql::plan::mention::Filters;
use crate::sql::plan::scan::Scan;
use crate::sql::plan::sought;
use crate::sql::run::engine;
use crate::sql::run::select;
use crate::sql::run::select::Projected;
use crate::sql::scope::{Ctes, Scope, mask};
use crate::sql::syntax::grouping;
use crate::sql::syntax::names::top;
use crate::sql::types::place;
use crate::sql::types::place::{OBJECT, RECORD};
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::values::Values;
use crate::tables::{Kind, Rows, cloudtrail};
use aside::Aside;
use frontier::{Frontier, Leading};
use operators::Operators;
pub(in crate::sql) use part::{Part, Stop};
use partial::Partial;
use ranked::Ranked;
pub(in crate::sql) use read::rows;
use sequence::Sequence;

/// Number of rows that a worker collects before it reduces them.
const GATHERED_ROWS: usize = 1 << 17;

/// Reducing early is useless if less than one row in this many is removed.
const USE: usize = 4;

/// How the rows of all pieces are combined.
#[derive(Debug, Clone)]
enum Reduction {
    /// Sorted; duplicates may be removed, and all rows but the first ones.
    Rows { distinct: bool },
    /// Combined to groups.
    Groups(Partial),
}

/// A query that can be evaluated piece by piece.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Flow {
    plan: Arc<logical::Plan>,
    now: Timestamp,
    scan: Scan,
    filters: Filters,
    is_store: bool,
    reduction: Reduction,
    /// Number of rows of the answer that are used, from the first one on.
    wanted: usize,
    /// Set if the sort keys can be computed from the events' columns before other columns are read.
    sorted_first: Option<read::SortedFirst>,
    /// For some columns, the texts that the query needs: row groups without them are skipped.
    sought: Vec<sought::Sought>,
    /// For a query that is evaluated by shares, its occurrences of the events table. Otherwise a piece can be
    /// any set of events.
    events_tables: Option<Vec<EventsTable>>,
    /// For each of these, whether its rows in a share can be looked at some at a time.
    separable: Vec<bool>,
    /// For such a query, which events of each partition it needs.
    ranked: Option<Ranked>,
    /// What numbers all rows, of a query over these.
    sequence: Option<Sequence>,
    /// For a query that is evaluated by shares, how it can be evaluated if a share does not fit into memory.
    in_sequence: Option<Box<Flow>>,
    /// Tables that are known before: the rows of stages that have been evaluated.
    tables: Ctes,
    /// For a query over the rows of another one, their columns.
    columns: Option<Relation>,
    operators: Operators,
}

impl Flow {
    /// `None` if the query cannot be evaluated in pieces.
    pub fn of(
        (bound, plan): (&Bound, &logical::Plan),
        scan: &Scan,
        filters: &Filters,
        is_store: bool,
    ) -> Option<Self> {
        let tree = bound.tree();
        if grouping::has_ties(tree) {
            return None;
        }
        if !rowwise::is_reduced(bound, plan) {
            let in_sequence = || Self::of_sequence(bound, scan, filters, is_store);
            return match Self::of_shares(bound, scan, filters, is_store) {
                Some(shares) => Some(Self { in_sequence: in_sequence().map(Box::new), ..shares }),
                None => in_sequence(),
            };
        }
        let select = top(tree)?;
        let reduction = match grouping::is_grouped(select, tree.order_by.as_ref()) {
            true => match Partial::of(bound, select, tree.order_by.as_ref()) {
                Some(partial) => Reduction::Groups(partial),
                // The groups of pieces cannot be combined, so each must be in one share.
                None => return Self::of_shares(bound, scan, filters, is_store),
            },
            false => Reduction::Rows { distinct: select.distinct.is_some() },
        };
        let flow = Self::new(bound, tree, (scan, filters, is_store), reduction);
        let sorted_first = match flow.reduction {
            Reduction::Rows { distinct: false } if flow.wanted < usize::MAX && !is_store => {
                read::SortedFirst::of(tree, select)
            }
            _ => None,
        };
        // In an event data store, times are not texts.
        let sought = if is_store { Vec::new() } else { sought::sought(filters) };
        Some(Self { sorted_first, sought, ..flow })
    }

    /// A query that is evaluated by shares; if one of them does not fit into memory, in the order of the windows
    /// of the same query as a SELECT of all its rows.
    pub fn or_in_sequence(
        self,
        as_select: &Bound,
        (scan, filters, is_store): (&Scan, &Filters, bool),
    ) -> Self {
        if self.events_tables.is_none() || self.sequence.is_some() || self.in_sequence.is_some() {
            return self;
        }
        let in_sequence = Self::of_sequence(as_select, scan, filters, is_store);
        Self { in_sequence: in_sequence.map(Box::new), ..self }
    }

    /// A query that is evaluated over all rows of its pieces, and any set of events as a piece.
    fn new(
        bound: &Bound,
        tree: &Query,
        (scan, filters, is_store): (&Scan, &Filters, bool),
        reduction: Reduction,
    ) -> Self {
        let plan = logical::Plan::of(&bound.with(tree.clone()));
        Self {
            now: bound.now(),
            scan: scan.clone(),
            filters: filters.clone(),
            is_store,
            reduction,
            wanted: bound.typed(&Relation::default(), |like| constants::wanted(like, plan.limits())),
            plan: Arc::new(plan),
            sorted_first: None,
            sought: Vec::new(),
            events_tables: None,
            separable: Vec::new(),
            ranked: None,
            sequence: None,
            in_sequence: None,
            tables: Ctes::default(),
            columns: None,
            operators: Operators::default(),
        }
    }

    /// The same for queries that compare several events.
    fn of_shares(bound: &Bound, scan: &Scan, filters: &Filters, is_store: bool) -> Option<Self> {
        let mut partial = None;
        let divided = Divided::of(bound, |tree| {
            let select = top(tree).filter(|select| grouping::is_grouped(select, tree.order_by.as_ref()));
            partial = select.and_then(|select| Partial::of(bound, select, tree.order_by.as_ref()));
            partial.as_ref().is_some_and(|partial| !partial.chooses_rows())
        })?;
        let Divided { tree, events_tables, whole, separable } = divided;
        let distinct = top(&tree)?.distinct.is_some();
        let reduction = if whole { Reduction::Rows { distinct } } else { Reduction::Groups(partial?) };
        let ranked = Ranked::of(&tree, &events_tables);
        let flow = Self::new(bound, &tree, (scan, filters, is_store), reduction);
        Some(Self { events_tables: Some(events_tables), separable, ranked, ..flow })
    }

    /// For each occurrence of the events table, whether its rows in a share can be looked at some at a time.
    pub fn separable(&self) -> &[bool] {
        &self.separable
    }

    /// The occurrences of the events table, if the query is evaluated by shares.
    pub fn events_tables(&self) -> Option<&[EventsTable]> {
        self.events_tables.as_deref()
    }

    /// How the query can be evaluated if a share does not fit into memory.
    pub fn in_sequence(&self) -> Option<(&Flow, &Sequence)> {
        let flow = self.in_sequence.as_deref()?;
        Some((flow, flow.sequence.as_ref()?))
    }

    /// The SELECT with windows over all rows, if the query is evaluated in their order.
    pub fn sequence(&self) -> Option<&Sequence> {
        self.sequence.as_ref()
    }

    /// Which events of each partition the query needs, if it only needs the first ones.
    pub fn ranked(&self) -> Option<&Ranked> {
        self.ranked.as_ref()
    }

    /// The kind of reduction, for explanations.
    pub fn said(&self) -> ReductionKind {
        match &self.reduction {
            Reduction::Groups(_) => ReductionKind::Groups,
            Reduction::Rows { distinct: true } => ReductionKind::Distinct,
            Reduction::Rows { .. } if self.wanted < usize::MAX => ReductionKind::First(self.wanted),
            Reduction::Rows { .. } if !self.plan.is_sorted() => ReductionKind::Export,
            Reduction::Rows { .. } => ReductionKind::Sorted,
        }
    }

    /// The leading sort key, if only the first rows are needed and that key is a text column.
    fn leading(&self) -> Option<&Leading> {
        self.sorted_first.as_ref()?.leading.as_ref()
    }

    /// The order in which the files of a lake are read: if the answer consists of the first or last events,
    /// these come first.
    pub fn visit(&self) -> Visit {
        match self.leading() {
            Some(leading) if leading.column == read::TIME && leading.descending => Visit::NewestFirst,
            Some(leading) if leading.column == read::TIME => Visit::OldestFirst,
            _ => Visit::AsTheyStand,
        }
    }

    /// The columns that decide which rows of a lake are needed, before others are read.
    pub fn first_columns(&self) -> Vec<&'static str> {
        let mut first = read::first_columns(self);
        if let Some(sorted) = &self.sorted_first {
            first.extend(sorted.first_columns());
        }
        first.into_iter().collect()
    }

    /// The columns whose smallest and greatest values decide whether a row group is skipped.
    pub fn sought_columns(&self) -> impl Iterator<Item = String> {
        self.sought.iter().map(|sought| {
            std::iter::once(sought.column)
                .chain(sought.fields.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(".")
        })
    }

    /// Whether the results of the pieces usually have few rows.
    pub fn is_small(&self) -> bool {
        !matches!(self.said(), ReductionKind::Export | ReductionKind::Sorted)
    }

    /// Whether rows are passed on as they come: neither sorted nor reduced.
    pub fn is_export(&self) -> bool {
        self.said() == ReductionKind::Export
    }

    /// Calls `work` with a scope in which the events table has these rows, and in which common table
    /// expressions are defined. With shares, there are rows for each occurrence of the table.
    fn over<T>(
        &self,
        events: Vec<Relation>,
        limits: &Limits,
        work: impl FnOnce(&Scope<'_>, &query::Select) -> Result<T>,
    ) -> Result<T> {
        let (mut catalog, mut ctes) = (Catalog::default(), self.tables.clone());
        catalog.limit(limits.clone());
        match &self.events_tables {
            None => {
                events.into_iter().for_each(|events| catalog.insert_relation(cloudtrail::TABLE.name, events))
            }
            Some(events_tables) => {
                for (events_table, events) in events_tables.iter().zip(events) {
                    ctes = ctes.with(events_table.name.clone(), events);
                }
            }
        }
        let (session, nothing) = (engine::session(&catalog, self.now.millis()), Relation::single_row());
        let operators = self.operators.of(&session, &ctes, &self.plan)?;
        let ctes = select::commons(&session, &ctes, None, &operators.commons)?;
        match &operators.body {
            Body::Select(select) => work(&Scope::new(&session, &ctes, &nothing), select),
            _ => Err(SqlError::new("a SELECT is needed here")),
        }
    }

    /// No events, for each occurrence of the table.
    fn nothing(&self) -> Result<Vec<Relation>> {
        if let Some(columns) = &self.columns {
            return Ok(vec![columns.clone()]);
        }
        let nothing = placed(Relation::of_table(&cloudtrail::TABLE, &cloudtrail::TABLE.empty()))?;
        if let Some(sequence) = &self.sequence {
            return Ok(vec![sequence.nothing(nothing, &Limits::default())?]);
        }
        match &self.events_tables {
            None => Ok(vec![nothing]),
            Some(events_tables) => {
                events_tables.iter().map(|events_table| events_table.table(nothing.clone())).collect()
            }
        }
    }

    /// Evaluates the rows of a piece.
    fn piece(&self, events: Relation, limits: &Limits) -> Result<Part> {
        self.share(vec![events], limits)
    }

    /// Evaluates the rows of a share, given for each occurrence of the table.
    pub fn share(&self, events: Vec<Relation>, limits: &Limits) -> Result<Part> {
        let events = self.of_occurrences(events)?;
        let part = self.over(events, limits, |like, select| match &self.reduction {
            Reduction::Groups(partial) => {
                let rows = select::rows(like, select)?;
                let of = rows.height;
                Ok(Part { rows: reduce::tightened(partial.of_rows(like, rows)?, of)?, keys: Vec::new() })
            }
            Reduction::Rows { .. } => {
                let Projected { rows, keys, .. } = select::listed(like, select)?;
                Ok(Part { rows: if select.is_distinct { aside::numbered(rows) } else { rows }, keys })
            }
        })?;
        // Groups have just been reduced.
        if matches!(self.reduction, Reduction::Groups(_)) { Ok(part) } else { self.reduced(part, limits) }
    }

    /// Of the rows for each occurrence of the table, those that this one needs. What is read is what any of
    /// them needs.
    pub fn of_occurrences(&self, mut events: Vec<Relation>) -> Result<Vec<Relation>> {
        let (Some(events_tables), Some(filters)) = (&self.events_tables, &self.filters) else {
            return Ok(events);
        };
        // What was read for a single one is what it needs.
        if events_tables.len() < 2 {
            return Ok(events);
        }
        let is_once = |alias: &str| {
            events_tables.iter().filter(|table| table.alias == alias).count() == 1
                && filters.iter().filter(|(of, _)| of == alias).count() == 1
        };
        let catalog = Catalog::default();
        let (session, ctes) = (engine::session(&catalog, self.now.millis()), Ctes::default());
        for (table, rows) in events_tables.iter().zip(&mut events).filter(|(table, _)| is_once(&table.alias))
        {
            let Some((alias, conditions)) = filters.iter().find(|(alias, _)| *alias == table.alias) else {
                continue;
            };
            let mut keep = vec![false; rows.height];
            let named = rows.clone().renamed(alias, &[]);
            // What is wrong with a value is said by the evaluation of the whole.
            let is_marked = Scope::new(&session, &ctes, &named).mark(conditions, &mut keep).is_ok();
            if is_marked && keep.contains(&false) {
                *rows = rows.filter(&mask(&keep))?;
            }
        }
        Ok(events)
    }

    /// Reduces the rows to those that are still needed.
    fn reduced(&self, part: Part, limits: &Limits) -> Result<Part> {
        match &self.reduction {
            Reduction::Groups(partial) => {
                Ok(Part { rows: partial.merged(part.rows, limits)?, keys: Vec::new() })
            }
            Reduction::Rows { distinct } => {
                let part = if *distinct { part.distinct()? } else { part };
                part.first(self.wanted)
            }
        }
    }

    /// Combines the results of all pieces to the answer, or to the groups that it is made from.
    pub fn finish(&self, mut parts: Vec<Part>, room: &Room, jobs: usize) -> Result<Flowed> {
        let Room { limits, aside, .. } = room;
        if let Some(ordered) = self.finish_aside(&mut parts, aside, limits, jobs)? {
            return Ok(Flowed::Ordered(Box::new(ordered)));
        }
        if parts.is_empty() {
            parts.push(self.share(self.nothing()?, limits)?);
        }
        let part = self.reduced(Part::all(parts)?.in_order()?, limits)?;
        Ok(match &self.reduction {
            Reduction::Groups(partial) => Flowed::Groups(partial.finished(part.rows)?),
            Reduction::Rows { .. } => Flowed::Rows(part.rows.seen()),
        })
    }
}

/// The kind of reduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum ReductionKind {
    Export,
    First(usize),
    Sorted,
    Distinct,
    Groups,
}

/// The result of a query that was evaluated in pieces.
#[derive(Debug)]
pub(in crate::sql) enum Flowed {
    /// The rows of the answer, before OFFSET and LIMIT.
    Rows(Relation),
    Groups(catalog::Counted),
    /// The answer, on disk.
    Ordered(Box<Ordered>),
    /// The answer, after OFFSET and LIMIT, of the query around this one, too.
    Whole(Relation),
}

/// The memory that all workers share.
#[derive(Debug)]
pub(in crate::sql) struct Room {
    pub limits: Limits,
    held: AtomicU64,
    aside: Aside,
    jobs: usize,
    /// The bound on the leading sort key, if the query needs only the first rows.
    frontier: Frontier,
}

/// The fraction of the memory that all parts may use, if they can be written to disk.
const HELD_PART: u64 = 10;
/// The fraction of the memory for rows that are being read.
const SLICE_PART: u64 = 15;
/// The fraction of that from which the rows of one worker are worth a run on disk.
const WORTH_PART: u64 = 16;

impl Room {
    /// With `spill`, what does not fit into memory is written to disk.
    pub fn new(limits: Limits, spill: Option<Spill>, jobs: usize) -> Self {
        Self {
            limits,
            held: AtomicU64::new(0),
            aside: Aside::new(spill),
            jobs: jobs.max(1),
            frontier: Frontier::default(),
        }
    }

    /// Forgets what was kept for a query that has been evaluated, or could not be.
    pub fn renew(&self) {
        self.held.store(0, Ordering::Relaxed);
        self.aside.renew();
    }

    /// Memory for the rows that one worker reads at once.
    fn slice_bytes(&self) -> u64 {
        let bytes = self.limits.memory_bytes_max.filter(|_| self.aside.spill.is_some());
        bytes.map_or(u64::MAX, |bytes| bytes / SLICE_PART / self.jobs as u64)
    }

    /// Where rows are written that do not fit into memory.
    pub fn spill(&self) -> Option<&Spill> {
        self.aside.spill.as_ref()
    }

    /// Records that a worker now holds `after` bytes instead of `before`; returns whether it should write
    /// them to disk.
    fn exchange(&self, before: u64, after: u64, flow: &Flow) -> Result<bool> {
        self.held.fetch_add(after, Ordering::Relaxed);
        let held = self.held.fetch_sub(before, Ordering::Relaxed) - before;
        let Some(most) = self.limits.memory_bytes_max else { return Ok(false) };
        let can_be = self.aside.spill.is_some() && flow.can_be_put_aside();
        if !can_be && held > most {
            return Err(too_much(most));
        }
        Ok(can_be && held > most / HELD_PART && after > most / HELD_PART / WORTH_PART)
    }
}

/// The results of one worker.
pub(in crate::sql) struct Worker<'q> {
    flow: &'q Flow,
    room: &'q Room,
    parts: Vec<Part>,
    /// Number of rows in them, and the number at which they are reduced.
    rows: usize,
    rows_max: usize,
    bytes: u64,
}

impl<'q> Worker<'q> {
    pub fn new(flow: &'q Flow, room: &'q Room) -> Self {
        Self { flow, room, parts: Vec::new(), rows: 0, rows_max: GATHERED_ROWS, bytes: 0 }
    }

    /// Evaluates a row group. Returns how many of its rows are of `sources` and within the times of `filter`.
    pub fn add(
        &mut self,
        portion: &Portion<'_>,
        sources: Option<&[&str]>,
        filter: &Filter,
    ) -> std::result::Result<u64, Stop> {
        let flow = self.flow;
        let slice_bytes = self.room.slice_bytes();
        read::events(flow, portion, (sources, filter), &self.room.frontier, slice_bytes, &mut |events| {
            let part = crate::sql::panics::caught(|| flow.piece(events, &self.room.limits))?;
            self.advance(&part)?;
            self.gather(part)
        })
    }

    /// Updates the bound on the leading sort key from the sorted rows of a piece.
    fn advance(&self, part: &Part) -> Result<()> {
        let (Some(leading), Some((first, _)), Some(last)) =
            (self.flow.leading(), part.keys.first(), self.flow.wanted.checked_sub(1))
        else {
            return Ok(());
        };
        if part.rows.height >= self.flow.wanted
            && let Some(text) = first.texts()?.get(last)
        {
            leading.advance(text, &self.room.frontier);
        }
        Ok(())
    }

    /// Adds what came of some rows.
    pub fn gather(&mut self, part: Part) -> Result<()> {
        if part.rows.height == 0 && !self.parts.is_empty() {
            return Ok(());
        }
        let bytes = self.bytes + part.bytes();
        self.rows += part.rows.height;
        self.parts.push(part);
        let mut is_too_much = self.room.exchange(self.bytes, bytes, self.flow)?;
        self.bytes = bytes;
        if self.flow.is_small() && (self.rows > self.rows_max || is_too_much && self.rows_max < usize::MAX) {
            let all = Part::all(std::mem::take(&mut self.parts))?.in_order()?;
            let few = self.flow.reduced(all, &self.room.limits)?;
            let bytes = few.bytes();
            is_too_much = self.room.exchange(self.bytes, bytes, self.flow)?;
            // If hardly any rows are removed, it is useless to try again and again.
            let is_of_use = few.rows.height < self.rows / USE * (USE - 1);
            (self.bytes, self.rows) = (bytes, few.rows.height);
            self.rows_max = if is_of_use { GATHERED_ROWS.max(2 * self.rows) } else { usize::MAX };
            self.parts.push(few);
        }
        if is_too_much {
            self.room.aside.put(self.flow, std::mem::take(&mut self.parts), &self.room.limits)?;
            self.room.exchange(self.bytes, 0, self.flow)?;
            (self.bytes, self.rows) = (0, 0);
        }
        Ok(())
    }

    /// Evaluates a share.
    pub fn add_share(&mut self, events: Vec<Relation>, limits: &Limits) -> Result<()> {
        let part = crate::sql::panics::caught(|| self.flow.share(events, limits))?;
        self.gather(part)
    }

    /// Evaluates rows that have been read, in any order.
    pub fn add_rows(&mut self, rows: &Rows) -> Result<()> {
        let events = placed(Relation::of_table(&cloudtrail::TABLE, rows))?;
        let part = crate::sql::panics::caught(|| self.flow.piece(events, &self.room.limits))?;
        self.gather(part)
    }

    pub fn flow(&self) -> &'q Flow {
        self.flow
    }

    pub fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}

/// The rows sorted by the positions of their events, which are in hidden columns.
pub(in crate::sql) fn in_order_of_events(events: Relation) -> Result<Relation> {
    match reduce::in_order(&events)? {
        Some(order) => events.take(&order),
        None => Ok(events),
    }
}

/// Events with their positions, which are added as hidden columns, and the order of these; `None`: they are in
/// it.
pub(in crate::sql) fn with_order(events: Relation) -> Result<(Relation, Option<Vec<Option<u32>>>)> {
    let (object, record) = place_of(&events)?;
    let order = place::order(&object, &record, events.height)?;
    Ok((with_places(events)?, order))
}

/// Events sorted by their positions, which are added as hidden columns.
pub(in crate::sql) fn placed(events: Relation) -> Result<Relation> {
    let (object, record) = place_of(&events)?;
    match place::order(&object, &record, events.height)? {
        Some(order) => with_places(events.take(&order)?),
        None => with_places(events),
    }
}

/// The same without sorting.
pub(in crate::sql) fn with_places(mut events: Relation) -> Result<Relation> {
    let (object, record) = place_of(&events)?;
    events.push(Field { hidden: true, ..Field::new(OBJECT, Kind::Varchar) }, object.data);
    events.push(Field { hidden: true, ..Field::new(RECORD, Kind::Bigint) }, record.data);
    Ok(events)
}

/// The position of each event: object and index.
fn place_of(events: &Relation) -> Result<(Values, Values)> {
    let place = events.named("object")?.zip(events.named("record")?);
    place.ok_or_else(|| SqlError::new("a column is missing"))
}
