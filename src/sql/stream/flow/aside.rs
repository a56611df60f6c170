//! What does not fit into memory while a query is evaluated in pieces.
//!
//! Rows that have an order are written as sorted runs. Groups and distinct rows are divided into hash
//! partitions (shares) by their keys, so that equal ones are in one share; the results of the shares are then
//! sorted like other rows. If groups have long lists of distinct values, these are divided first, each by itself.

use std::sync::{Arc, Mutex, PoisonError};

use polars::prelude::Series;
use rayon::prelude::*;

use super::partial::Partial;
use super::{Flow, Part, Reduction};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::constants;
use crate::sql::memory::{Limits, too_much};
use crate::sql::panics::caught;
use crate::sql::run::select::Projected;
use crate::sql::stream::ordered::Ordered;
use crate::sql::stream::spill::Spill;
use crate::sql::stream::spill::runs::{narrowed, widened};
use crate::sql::stream::spill::sorted::Sorting;
use crate::sql::stream::spill::spread::Spread;
use crate::sql::types::compare::key_column;
use crate::sql::types::place::NTH;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::values::Cell;
use crate::tables::Kind;

/// Number of shares, and of the parts into which a share is divided again if it is too large.
const SHARES: usize = 64;
const SHARES_MORE: usize = 16;
/// Maximum number of divisions; a share that is still too large has too many rows with one key.
const DEPTH_MAX: u64 = 4;
/// The fraction of the memory for all shares that are loaded at the same time.
const SHARE_PART: u64 = 10;

/// The rows that the workers of a flow have written to disk.
#[derive(Debug, Default)]
pub(super) struct Aside {
    pub spill: Option<Spill>,
    place: Mutex<Option<Arc<SpilledParts>>>,
}

#[derive(Debug)]
enum SpilledParts {
    Sorted(Sorting),
    Spread(Spread),
    /// Groups, and the values of their lists.
    Values(Spread),
}

impl Aside {
    pub fn new(spill: Option<Spill>) -> Self {
        Self { spill, place: Mutex::default() }
    }

    fn place(&self, flow: &Flow, parts: &[Part], limits: &Limits) -> Result<Arc<SpilledParts>> {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = &*place {
            return Ok(Arc::clone(place));
        }
        let Some(spill) = &self.spill else {
            return Err(too_much(limits.memory_bytes_max.unwrap_or(u64::MAX)));
        };
        let has_long_lists = |partial: &Partial| -> Result<bool> {
            parts.iter().try_fold(false, |known, part| Ok(known || partial.has_long_lists(&part.rows)?))
        };
        let made = Arc::new(match &flow.reduction {
            Reduction::Rows { distinct: false } => SpilledParts::Sorted(sorting(spill, limits)?),
            Reduction::Groups(partial) if has_long_lists(partial)? => {
                SpilledParts::Values(Spread::new(spill, SHARES, 0)?)
            }
            _ => SpilledParts::Spread(Spread::new(spill, SHARES, 0)?),
        });
        *place = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Writes parts of one worker to disk.
    pub fn put(&self, flow: &Flow, parts: Vec<Part>, limits: &Limits) -> Result<()> {
        match &*self.place(flow, &parts, limits)? {
            SpilledParts::Sorted(sorting) => {
                sorting.run(parts.into_iter().map(|part| (part.rows, part.keys)).collect())
            }
            SpilledParts::Spread(spread) => {
                let part = Part::all(parts)?;
                let keys = flow.told_by(&part.rows)?;
                spread.put(&widened(part.rows, part.keys), &keys)
            }
            SpilledParts::Values(spread) => {
                let partial = flow.groups()?;
                let part = Part::all(parts)?;
                partial.each_value(&part.rows, |rows| spread.put(&rows, &partial.value_columns(&rows)?))
            }
        }
    }

    /// Forgets the rows on disk.
    pub fn renew(&self) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The rows on disk, if there are any.
    fn take(&self) -> Result<Option<SpilledParts>> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        place
            .map(|place| Arc::try_unwrap(place).map_err(|_| SqlError::new("a worker is still at work")))
            .transpose()
    }
}

pub(super) fn sorting(spill: &Spill, limits: &Limits) -> Result<Sorting> {
    Sorting::new(spill, limits.memory_bytes_max.map_or(1 << 30, |bytes| bytes / SHARE_PART))
}

impl Flow {
    /// The keys by which groups or distinct rows are divided.
    fn told_by(&self, rows: &Relation) -> Result<Vec<Series>> {
        match &self.reduction {
            Reduction::Groups(partial) => partial.key_columns(rows),
            Reduction::Rows { .. } => {
                let seen = rows.fields.iter().enumerate().filter(|(_, field)| !field.hidden);
                seen.map(|(at, _)| key_column(&rows.values(at)?, rows.height)).collect()
            }
        }
    }

    /// Combines `parts` and the rows in `aside` to the answer, which is read from disk in order; `None` if
    /// nothing was written to disk.
    pub(super) fn finish_aside(
        &self,
        parts: &mut Vec<Part>,
        aside: &Aside,
        limits: &Limits,
        jobs: usize,
    ) -> Result<Option<Ordered>> {
        if aside.place.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Ok(None);
        }
        for part in std::mem::take(parts) {
            aside.put(self, vec![part], limits)?;
        }
        let Some(spill) = aside.spill.clone() else { return Ok(None) };
        let sorting = match aside.take()? {
            None => return Ok(None),
            Some(SpilledParts::Sorted(sorting)) => sorting,
            Some(SpilledParts::Spread(spread)) => self.finish_shares(&spread, &spill, limits, jobs)?,
            Some(SpilledParts::Values(spread)) => {
                let groups = Spread::new(&spill, SHARES, 0)?;
                let values = Values { flow: self, spill: &spill, groups: &groups, limits, jobs };
                each_share(&spread, jobs, |share| values.finish(&spread, share, 0))?;
                drop(spread);
                let reduction = Reduction::Groups(self.groups()?.of_lengths());
                Self { reduction, ..self.clone() }.finish_shares(&groups, &spill, limits, jobs)?
            }
        };
        let columns = self.shown_groups(Relation::default(), limits)?;
        let columns = match columns {
            Some(Projected { rows, .. }) => rows,
            None => self.share(self.nothing()?, limits)?.rows,
        };
        Ordered::new(sorting.merged()?, columns, self.cut(limits)?).map(Some)
    }

    /// Combines groups or distinct rows of all shares.
    fn finish_shares(&self, spread: &Spread, spill: &Spill, limits: &Limits, jobs: usize) -> Result<Sorting> {
        let sorting = sorting(spill, limits)?;
        let share_bytes_max = share_bytes_max(limits, jobs);
        let shares = Shares { flow: self, spill, sorting: &sorting, limits, share_bytes_max };
        each_share(spread, jobs, |share| shares.finish(spread, share, 0))?;
        Ok(sorting)
    }

    fn groups(&self) -> Result<&Partial> {
        match &self.reduction {
            Reduction::Groups(partial) => Ok(partial),
            Reduction::Rows { .. } => Err(SqlError::new("groups are needed here")),
        }
    }

    /// The rows of the answer for a table of groups; `None` if there is no grouping.
    pub(super) fn shown_groups(&self, table: Relation, limits: &Limits) -> Result<Option<Projected>> {
        let Reduction::Groups(partial) = &self.reduction else { return Ok(None) };
        let table = if table.fields.is_empty() { self.share(self.nothing()?, limits)?.rows } else { table };
        let (places, counted) = (partial.places(&table), partial.finished(table)?);
        self.rows_of_groups(&counted, places, limits).map(Some)
    }

    /// OFFSET and LIMIT.
    pub(super) fn cut(&self, limits: &Limits) -> Result<(usize, usize)> {
        self.over(self.nothing()?, limits, |like, _| {
            constants::limits_of(like, &constants::limit(like, self.plan.limits())?)
        })
    }

    /// Whether its rows are groups, each of which is made by itself.
    pub fn are_groups_alone(&self) -> bool {
        matches!(self.reduction, Reduction::Groups(_)) && self.can_be_put_aside()
    }

    /// Whether groups can be processed share by share, because no expression uses several of them.
    pub(super) fn can_be_put_aside(&self) -> bool {
        let is_of_several = || self.plan.is_distinct() || self.plan.has_windows();
        !(matches!(self.reduction, Reduction::Groups(_)) && is_of_several())
    }
}

fn share_bytes_max(limits: &Limits, jobs: usize) -> u64 {
    limits.memory_bytes_max.map_or(u64::MAX, |bytes| bytes / SHARE_PART / 2 / jobs.max(1) as u64)
}

/// Works on all shares, on `jobs` threads.
fn each_share(spread: &Spread, jobs: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    let pool = pool.map_err(|error| SqlError::new(error.to_string()))?;
    pool.install(|| (0..spread.count()).into_par_iter().try_for_each(|share| caught(|| work(share))))
}

/// A share that is too large, divided again by the same keys.
fn divided(
    spread: &Spread,
    share: usize,
    spill: &Spill,
    keys: impl Fn(&Relation) -> Result<Vec<Series>>,
) -> Result<Spread> {
    let finer = Spread::new(spill, SHARES_MORE, spread.seed() + 1)?;
    for rows in spread.share(share) {
        let rows = rows?;
        finer.put(&rows, &keys(&rows)?)?;
    }
    Ok(finer)
}

/// Counts the distinct values of groups share by share.
struct Values<'f> {
    flow: &'f Flow,
    spill: &'f Spill,
    /// Where the groups of each share are put, with the numbers of their values in it.
    groups: &'f Spread,
    limits: &'f Limits,
    jobs: usize,
}

impl Values<'_> {
    fn finish(&self, spread: &Spread, share: usize, depth: u64) -> Result<()> {
        self.limits.fits(0, 0)?;
        let partial = self.flow.groups()?;
        if spread.bytes_of(share) > share_bytes_max(self.limits, self.jobs) && depth < DEPTH_MAX {
            let finer = divided(spread, share, self.spill, |rows| partial.value_columns(rows))?;
            return (0..finer.count()).try_for_each(|share| self.finish(&finer, share, depth + 1));
        }
        let parts = spread.share(share).map(|rows| Ok(Part { rows: rows?, keys: Vec::new() }));
        let parts = parts.collect::<Result<Vec<_>>>()?;
        if parts.is_empty() {
            return Ok(());
        }
        let part = self.flow.reduced(Part::all(parts)?.in_order()?, self.limits)?;
        let rows = partial.with_lengths(part.rows)?;
        let keys = partial.key_columns(&rows)?;
        self.groups.put(&widened(rows, Vec::new()), &keys)
    }
}

/// Processes groups or distinct rows share by share.
struct Shares<'f> {
    flow: &'f Flow,
    spill: &'f Spill,
    sorting: &'f Sorting,
    limits: &'f Limits,
    share_bytes_max: u64,
}

impl Shares<'_> {
    fn finish(&self, spread: &Spread, share: usize, depth: u64) -> Result<()> {
        self.limits.fits(0, 0)?;
        if spread.bytes_of(share) > self.share_bytes_max && depth < DEPTH_MAX {
            let finer = divided(spread, share, self.spill, |rows| self.flow.told_by(rows))?;
            return (0..finer.count()).try_for_each(|share| self.finish(&finer, share, depth + 1));
        }
        let parts = spread
            .share(share)
            .map(|rows| rows.map(narrowed).map(|(rows, keys)| Part { rows, keys }))
            .collect::<Result<Vec<_>>>()?;
        if parts.is_empty() {
            return Ok(());
        }
        let part = self.flow.reduced(Part::all(parts)?.in_order()?, self.limits)?;
        let part = match self.flow.shown_groups(part.rows.clone(), self.limits)? {
            Some(Projected { rows, keys, .. }) => Part { rows, keys }.first(self.flow.wanted)?,
            None => part,
        };
        self.sorting.run(vec![(part.rows, part.keys)])
    }
}

/// Numbers the rows, so that those of one event keep their order.
pub(super) fn numbered(mut rows: Relation) -> Relation {
    let numbers = i64::column((0..).take(rows.height).map(Some).collect());
    rows.push(Field { hidden: true, ..Field::new(NTH, Kind::Bigint) }, numbers);
    rows
}
