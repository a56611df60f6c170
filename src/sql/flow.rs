//! Queries that are worked out piece by piece while a lake is read: nothing is held but what each piece
//! leaves.
//!
//! A row group is filtered, joined with its own arrays, projected, and then reduced: to its first rows in the
//! order that is asked for, to its distinct rows, to its groups. Workers do that side by side; what is left
//! of all pieces is put in order, and reduced once more. Columns are read when they are needed: those of the
//! conditions first, those that sort next, the others for the rows that are left alone.
//!
//! The pieces are run by the same evaluator as whole queries, over a table that has the piece's rows. That is
//! right for a query in which each event makes its rows by itself, up to the reduction at its top
//! ([`rowwise`] says which those are).
//!
//! Every row carries the place of its event, object and record, in columns that nobody can name: what has no
//! other order has that one, whoever read what.

mod aside;
pub(super) mod export;
mod frontier;
mod partial;
mod ranked;
mod read;
mod reduce;
pub(super) mod rowwise;
pub(super) mod sequence;
pub(super) mod shown;
mod sure;

pub(super) use read::{Sought, sought};

use std::sync::atomic::{AtomicU64, Ordering};

use sqlparser::ast::{OrderByOptions, Query, Select, SetExpr};

use super::bind::Bound;
use super::divide::{Divided, EventsTable};
use super::error::{Result, SqlError};
use super::eval::Scope;
use super::memory::{Limits, too_much};
use super::ordered::Ordered;
use super::place::{self, OBJECT, RECORD};
use super::preaggregation;
use super::query::{Catalog, Ctes, Session};
use super::relation::{Field, Relation};
use super::scan::{Filters, Scan};
use super::select::{self, Projected};
use super::spill::Spill;
use super::values::Values;
use crate::lake::{LakeError, Portion, Visit};
use crate::model::{Filter, Timestamp};
use crate::tables::{Kind, Rows, cloudtrail};
use aside::Aside;
use frontier::{Frontier, Leading};
use partial::Partial;
use ranked::Ranked;
use sequence::Sequence;

/// Rows that a worker gathers before it reduces them.
const GATHERED_ROWS: usize = 1 << 17;

/// Less than one row in so many has to go, that it is of use to reduce them before all are there.
const USE: usize = 4;

/// What is done with the rows of all pieces.
#[derive(Debug, Clone)]
enum Reduction {
    /// Put in order; equal ones may go, and all but the first.
    Rows { distinct: bool },
    /// Grouped.
    Groups(Partial),
}

/// A query that is worked out piece by piece.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    tree: Query,
    now: Timestamp,
    scan: Scan,
    filters: Filters,
    is_store: bool,
    reduction: Reduction,
    /// Rows of the answer, from the first on, that anybody sees.
    wanted: usize,
    /// What sorts them can be told from the events' own columns, before others are read.
    sorted_first: Option<read::SortedFirst>,
    /// Texts without which a portion has no rows for it, by column.
    sought: Vec<read::Sought>,
    /// Of a query that is worked out share by share, where it names the events. Else, a piece is any events.
    events_tables: Option<Vec<EventsTable>>,
    /// Of such a query, which events of each partition it wants.
    ranked: Option<Ranked>,
    /// What numbers all rows, of a query over these.
    sequence: Option<Sequence>,
}

/// What came of one piece, or of several.
#[derive(Debug, Default)]
pub(super) struct Part {
    rows: Relation,
    /// What sorts the rows, one column for each key.
    keys: Vec<(Values, OrderByOptions)>,
}

/// Why a piece is not worked out.
pub(super) enum Stop {
    Damaged(LakeError),
    /// No room, or nobody waits.
    Refused(SqlError),
    /// This way does not lead there; that over rows does, or has words for what is wrong.
    GivenUp,
}

impl From<LakeError> for Stop {
    fn from(error: LakeError) -> Self {
        Self::Damaged(error)
    }
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        if error.is_of_room() { Self::Refused(error) } else { Self::GivenUp }
    }
}

impl Flow {
    /// `None` if the query cannot be worked out in pieces.
    pub fn of(bound: &Bound, scan: &Scan, filters: &Filters, is_store: bool) -> Option<Self> {
        let tree = bound.tree();
        if select::has_ties(tree) {
            return None;
        }
        if !rowwise::is_reduced(bound) {
            return Self::of_shares(bound, scan, filters, is_store)
                .or_else(|| Self::of_sequence(bound, scan, filters, is_store));
        }
        let select = top(tree)?;
        let wanted = bound.typed(&Relation::default(), |like| select::wanted(like, tree));
        let reduction = match select::is_grouped(select, tree.order_by.as_ref()) {
            true => match Partial::of(bound, select, tree.order_by.as_ref()) {
                Some(partial) => Reduction::Groups(partial),
                // Groups of pieces cannot be put together: each has to be in one share.
                None => return Self::of_shares(bound, scan, filters, is_store),
            },
            false => Reduction::Rows { distinct: select.distinct.is_some() },
        };
        let sorted_first = match reduction {
            Reduction::Rows { distinct: false } if wanted < usize::MAX && !is_store => {
                read::SortedFirst::of(tree, select)
            }
            _ => None,
        };
        // There, a time is no text.
        let sought = if is_store { Vec::new() } else { read::sought(filters) };
        Some(Self {
            tree: tree.clone(),
            now: bound.now(),
            scan: scan.clone(),
            filters: filters.clone(),
            is_store,
            reduction,
            wanted,
            sorted_first,
            sought,
            events_tables: None,
            ranked: None,
            sequence: None,
        })
    }

    /// The same of a query that looks at several events together.
    fn of_shares(bound: &Bound, scan: &Scan, filters: &Filters, is_store: bool) -> Option<Self> {
        let mut partial = None;
        let divided = Divided::of(bound, |tree| {
            let select = top(tree).filter(|select| select::is_grouped(select, tree.order_by.as_ref()));
            partial = select.and_then(|select| Partial::of(bound, select, tree.order_by.as_ref()));
            partial.is_some()
        })?;
        let Divided { tree, events_tables, whole } = divided;
        let wanted = bound.typed(&Relation::default(), |like| select::wanted(like, &tree));
        let distinct = top(&tree)?.distinct.is_some();
        let reduction = if whole { Reduction::Rows { distinct } } else { Reduction::Groups(partial?) };
        let ranked = Ranked::of(&tree, &events_tables);
        Some(Self {
            tree,
            now: bound.now(),
            scan: scan.clone(),
            filters: filters.clone(),
            is_store,
            reduction,
            wanted,
            sorted_first: None,
            sought: Vec::new(),
            events_tables: Some(events_tables),
            ranked,
            sequence: None,
        })
    }

    /// Where the query names the events, if it is worked out share by share.
    pub fn events_tables(&self) -> Option<&[EventsTable]> {
        self.events_tables.as_deref()
    }

    /// What numbers all rows, if the query is worked out in their order.
    pub fn sequence(&self) -> Option<&Sequence> {
        self.sequence.as_ref()
    }

    /// Which events of each partition the query wants, if it wants the first ones alone.
    pub fn ranked(&self) -> Option<&Ranked> {
        self.ranked.as_ref()
    }

    /// What is done with the rows, for whoever asks.
    pub fn said(&self) -> ReductionKind {
        match &self.reduction {
            Reduction::Groups(_) => ReductionKind::Groups,
            Reduction::Rows { distinct: true } => ReductionKind::Distinct,
            Reduction::Rows { .. } if self.wanted < usize::MAX => ReductionKind::First(self.wanted),
            Reduction::Rows { .. } if self.tree.order_by.is_none() => ReductionKind::Export,
            Reduction::Rows { .. } => ReductionKind::Sorted,
        }
    }

    /// What comes first in the order of its rows, where the first rows are asked for by a column of texts.
    fn leading(&self) -> Option<&Leading> {
        self.sorted_first.as_ref()?.leading.as_ref()
    }

    /// In which order a lake's files are gone through: where the answer is the first or the last events, it
    /// is soon there.
    pub fn visit(&self) -> Visit {
        match self.leading() {
            Some(leading) if leading.column == read::TIME && leading.descending => Visit::NewestFirst,
            Some(leading) if leading.column == read::TIME => Visit::OldestFirst,
            _ => Visit::AsTheyStand,
        }
    }

    /// The columns by which rows of a lake are left out before others are read.
    pub fn first_columns(&self) -> Vec<&'static str> {
        let mut first = read::first_columns(self);
        if let Some(sorted) = &self.sorted_first {
            first.extend(sorted.first_columns());
        }
        first.into_iter().collect()
    }

    /// The columns by whose least and greatest values row groups of a lake are passed over.
    pub fn sought_columns(&self) -> impl Iterator<Item = String> {
        self.sought.iter().map(|sought| {
            std::iter::once(sought.column)
                .chain(sought.fields.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(".")
        })
    }

    /// Whether what is left of the pieces is few rows, mostly.
    pub fn is_small(&self) -> bool {
        !matches!(self.said(), ReductionKind::Export | ReductionKind::Sorted)
    }

    /// Whether rows are shown as they come: neither put in another order nor reduced.
    pub fn is_export(&self) -> bool {
        self.said() == ReductionKind::Export
    }

    /// Does `work` over a table of events that has these rows, where the query's common tables are there.
    /// Share by share, there are rows for each mention of it.
    fn over<T>(
        &self,
        events: Vec<Relation>,
        limits: &Limits,
        work: impl FnOnce(&Scope<'_>, &Select) -> Result<T>,
    ) -> Result<T> {
        let (mut catalog, mut ctes) = (Catalog::default(), Ctes::default());
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
        let (session, nothing) =
            (Session { catalog: &catalog, now: self.now.millis(), shapes: None }, Relation::single_row());
        let ctes = select::with(&session, &ctes, None, &self.tree)?;
        let select = top(&self.tree).ok_or_else(|| SqlError::new("a SELECT is needed here"))?;
        work(&Scope::new(&session, &ctes, &nothing), select)
    }

    /// No events, as often as the query names them.
    fn nothing(&self) -> Result<Vec<Relation>> {
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

    /// What the rows of a piece leave.
    fn piece(&self, events: Relation, limits: &Limits) -> Result<Part> {
        self.share(vec![events], limits)
    }

    /// What the rows of a share leave, which has events for each mention of them.
    fn share(&self, events: Vec<Relation>, limits: &Limits) -> Result<Part> {
        let by = self.tree.order_by.as_ref();
        let part = self.over(events, limits, |like, select| match &self.reduction {
            Reduction::Groups(partial) => {
                Ok(Part { rows: partial.of_rows(like, select::rows(like, select, by)?)?, keys: Vec::new() })
            }
            Reduction::Rows { .. } => {
                let Projected { rows, keys } = select::listed(like, select, by)?;
                Ok(Part { rows: if select.distinct.is_some() { aside::numbered(rows) } else { rows }, keys })
            }
        })?;
        // Groups have just been made.
        if matches!(self.reduction, Reduction::Groups(_)) { Ok(part) } else { self.reduced(part, limits) }
    }

    /// The same rows, as few as are still needed.
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

    /// The answer to the query, or the groups of which it is made, from what came of all pieces.
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

/// What is done with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReductionKind {
    Export,
    First(usize),
    Sorted,
    Distinct,
    Groups,
}

/// What a flow gives.
#[derive(Debug)]
pub(super) enum Flowed {
    /// The rows of the answer, before OFFSET and LIMIT.
    Rows(Relation),
    Groups(preaggregation::Counted),
    /// The answer, on disk.
    Ordered(Box<Ordered>),
}

/// The `SELECT` whose rows the query gives.
pub(super) fn top(tree: &Query) -> Option<&Select> {
    match &*tree.body {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// What all workers hold together.
#[derive(Debug)]
pub(super) struct Room {
    pub limits: Limits,
    held: AtomicU64,
    aside: Aside,
    jobs: usize,
    /// How far the first rows reach, where a query wants those alone.
    frontier: Frontier,
}

/// Where parts can be put aside, all of them together hold this part of the memory.
const HELD_PART: u64 = 8;
/// And those that are being read this one.
const SLICE_PART: u64 = 12;
/// Of which one worker's are worth a run where they are more than this part.
const WORTH_PART: u64 = 16;

impl Room {
    /// With `spill`, what does not fit goes to disk.
    pub fn new(limits: Limits, spill: Option<Spill>, jobs: usize) -> Self {
        Self {
            limits,
            held: AtomicU64::new(0),
            aside: Aside::new(spill),
            jobs: jobs.max(1),
            frontier: Frontier::default(),
        }
    }

    /// What the rows may take that one worker reads at once.
    fn slice_bytes(&self) -> u64 {
        let bytes = self.limits.memory_bytes_max.filter(|_| self.aside.spill.is_some());
        bytes.map_or(u64::MAX, |bytes| bytes / SLICE_PART / self.jobs as u64)
    }

    /// Where what does not fit goes.
    pub fn spill(&self) -> Option<&Spill> {
        self.aside.spill.as_ref()
    }

    /// In the place of `before` bytes, a worker holds `after`; whether they are to be put aside.
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

/// One worker's parts.
pub(super) struct Worker<'q> {
    flow: &'q Flow,
    room: &'q Room,
    parts: Vec<Part>,
    /// Rows in them, and how many there may be before they are reduced.
    rows: usize,
    rows_max: usize,
    bytes: u64,
}

impl<'q> Worker<'q> {
    pub fn new(flow: &'q Flow, room: &'q Room) -> Self {
        Self { flow, room, parts: Vec::new(), rows: 0, rows_max: GATHERED_ROWS, bytes: 0 }
    }

    /// Works out a portion; how many of its rows are of `sources` and within the times of `filter`.
    pub fn add(
        &mut self,
        portion: &Portion<'_>,
        sources: Option<&[&str]>,
        filter: &Filter,
    ) -> std::result::Result<u64, Stop> {
        let flow = self.flow;
        let slice_bytes = self.room.slice_bytes();
        read::events(flow, portion, (sources, filter), &self.room.frontier, slice_bytes, &mut |events| {
            let part = super::panics::caught(|| flow.piece(events, &self.room.limits))?;
            self.advance(&part)?;
            self.gather(part)
        })
    }

    /// Takes note of how far the first rows reach, by those of a piece, which are in order.
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

    fn gather(&mut self, part: Part) -> Result<()> {
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
            // Where hardly any rows are equal, it is of no use to look for such again and again.
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

    /// Works out a share.
    pub fn add_share(&mut self, events: Vec<Relation>, limits: &Limits) -> Result<()> {
        let part = super::panics::caught(|| self.flow.share(events, limits))?;
        self.gather(part)
    }

    /// Works out rows that have been read, in the order of nothing.
    pub fn add_rows(&mut self, rows: &Rows) -> Result<()> {
        let events = placed(Relation::of_table(&cloudtrail::TABLE, rows))?;
        let part = super::panics::caught(|| self.flow.piece(events, &self.room.limits))?;
        self.gather(part)
    }

    pub fn flow(&self) -> &'q Flow {
        self.flow
    }

    pub fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}

/// The same rows in the order of their events' places, which they have.
pub(super) fn in_order_of_events(events: Relation) -> Result<Relation> {
    match reduce::in_order(&events)? {
        Some(order) => events.take(&order),
        None => Ok(events),
    }
}

/// Events in the order of their places, with columns of these.
pub(super) fn placed(events: Relation) -> Result<Relation> {
    let (object, record) = place_of(&events)?;
    match place::order(&object, &record, events.height)? {
        Some(order) => with_places(events.take(&order)?),
        None => with_places(events),
    }
}

/// The same in the order in which they stand.
fn with_places(mut events: Relation) -> Result<Relation> {
    let (object, record) = place_of(&events)?;
    events.push(Field { hidden: true, ..Field::new(OBJECT, Kind::Varchar) }, object.data);
    events.push(Field { hidden: true, ..Field::new(RECORD, Kind::Bigint) }, record.data);
    Ok(events)
}

/// The object and the record of each event.
fn place_of(events: &Relation) -> Result<(Values, Values)> {
    let place = events.named("object")?.zip(events.named("record")?);
    place.ok_or_else(|| SqlError::new("a column is missing"))
}
