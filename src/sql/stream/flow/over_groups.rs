//! A query over the groups of another one: it is evaluated in pieces of these, as they are put together. They are not
//! gathered for that, and not put in order either: each has the place of its first event.

use std::sync::{Mutex, PoisonError};

use polars::prelude::{NamedFrom, NamedFromOwned, Series};

use super::{Flow, Flowed, Room, Worker, in_order_of_events};
use crate::sql::answer::Answer;
use crate::sql::catalog::Counted;
use crate::sql::error::Result;
use crate::sql::run::select::Projected;
use crate::sql::types::place::{OBJECT, RECORD, RECORD_BITS};
use crate::sql::types::relation::{Field, Relation};
use crate::tables::Kind;

impl Flow {
    /// Whether its rows are groups, each of which is made by itself, in the order of their first events.
    pub fn are_groups_by_events(&self) -> bool {
        self.are_groups_alone() && !self.plan.is_sorted() && self.wanted == usize::MAX
    }

    /// The query `around` this one, for rows with the columns of this one.
    pub fn around(&self, around: &Self, room: &Room) -> Result<Option<Self>> {
        let Some(Projected { rows, .. }) = self.shown_groups(Relation::default(), &room.limits)? else {
            return Ok(None);
        };
        let columns = Answer::new(rows.seen().slice(0, 0))?.into_rows();
        around.clone().with_columns(&columns).map(Some)
    }
}

/// What came of the groups so far.
pub(in crate::sql) struct OverGroups<'f> {
    inner: &'f Flow,
    outer: &'f Flow,
    room: &'f Room,
    /// Those that have nothing to do.
    workers: Mutex<Vec<Worker<'f>>>,
}

impl<'f> OverGroups<'f> {
    pub fn new(inner: &'f Flow, outer: &'f Flow, room: &'f Room) -> Self {
        room.renew();
        Self { inner, outer, room, workers: Mutex::default() }
    }

    /// Evaluates the rows of some groups; `places` are those of their first events, with ranks instead of objects.
    pub fn add(&self, groups: &Counted, places: Series) -> Result<()> {
        let limits = &self.room.limits;
        limits.fits(0, 0)?;
        let rows = self.inner.rows_of_groups_at(groups, places, limits)?.rows;
        if rows.height == 0 {
            return Ok(());
        }
        // Of equal rows the first one is kept, and so of what is arbitrary.
        let rows = in_order_of_events(with_objects(rows)?)?;
        let workers = || self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = workers().pop();
        let mut worker = idle.unwrap_or_else(|| Worker::new(self.outer, self.room));
        worker.add_share(vec![rows], limits)?;
        workers().push(worker);
        Ok(())
    }

    /// The result.
    pub fn finish(self, jobs: usize) -> Result<Flowed> {
        let workers = self.workers.into_inner().unwrap_or_else(PoisonError::into_inner);
        let parts = workers.into_iter().flat_map(Worker::into_parts).collect();
        self.outer.finish(parts, self.room, jobs)
    }
}

/// Rows whose places are divided into names of objects, which sort like their ranks, and indexes of records.
fn with_objects(mut rows: Relation) -> Result<Relation> {
    let places = rows.named(RECORD)?;
    let at = rows.fields.iter().position(|field| field.name == RECORD);
    let (Some(places), Some(at)) = (places, at) else { return Ok(rows) };
    let places = places.wholes()?;
    let (mut names, mut records) = (Vec::with_capacity(rows.height), Vec::with_capacity(rows.height));
    for row in 0..rows.height {
        let place = places.get(row).unwrap_or_default();
        names.push(format!("{:08x}", place >> RECORD_BITS));
        records.push(place & ((1 << RECORD_BITS) - 1));
    }
    rows.fields.remove(at);
    drop(rows.columns.remove(at));
    rows.push(Field { hidden: true, ..Field::new(OBJECT, Kind::Varchar) }, Series::new("".into(), names));
    rows.push(
        Field { hidden: true, ..Field::new(RECORD, Kind::Bigint) },
        Series::from_vec("".into(), records),
    );
    Ok(rows)
}
