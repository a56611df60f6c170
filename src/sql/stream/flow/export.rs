//! Passes rows on as they come: a query that only shows rows, without sorting or counting, keeps few of them
//! in memory.
//!
//! The lake is read twice. First, the [`Survey`] finds the rows that meet the conditions, and the object of
//! each. The objects are sorted by name and divided into sections of some thousands of rows; each section is
//! then read, evaluated and written by itself, by all workers in parallel, and the sections are passed on in
//! order. So rows are in the order of their events' positions, as everywhere, without sorting all of them.

mod numbered_rows;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::AtomicBool;

use foldhash::fast::RandomState;

use super::{Flow, Part, Stop, placed, read};
use crate::lake::portion::Address;
use crate::lake::{LakeFeed, Portion};
use crate::model::Filter;
use crate::sql::answer::Answer;
use crate::sql::error::Result;
use crate::sql::memory::Limits;
use crate::sql::panics::caught;
use crate::sql::stream::line::{Interrupted, in_order};
use crate::sql::types::relation::{Relation, under};
use crate::tables::cloudtrail::TABLE;
use numbered_rows::NumberedRows;

/// Maximum number of rows in a section; fewer if they would use more than a sixteenth of the memory.
const STRETCH_ROWS_MAX: u64 = 16_384;
const ROW_BYTES: u64 = 4_096;

/// The rows of a row group that meet the conditions.
#[derive(Debug)]
struct Found {
    address: Address,
    /// Each row with the index of its object in `names`.
    rows: NumberedRows,
    names: Vec<String>,
}

/// The rows found by one worker.
#[derive(Debug, Default)]
pub(in crate::sql) struct Survey(Vec<Found>);

impl Survey {
    /// Searches a row group. Returns how many of its rows are of `sources` and within the times of `filter`.
    pub fn add(
        &mut self,
        flow: &Flow,
        portion: &Portion<'_>,
        sources: Option<&[&str]>,
        filter: &Filter,
    ) -> std::result::Result<u64, Stop> {
        let (taken, rows) = read::left(flow, portion, (sources, filter))?;
        if rows.is_empty() {
            return Ok(taken);
        }
        let codes = portion.codes("object", &[], Some(&rows), false)?.ok_or(Stop::GivenUp)?;
        let (mut names, mut numbers): (Vec<String>, HashMap<u32, u32, RandomState>) =
            (Vec::new(), HashMap::default());
        let mut by_name: HashMap<String, u32, RandomState> = HashMap::default();
        let mut found = NumberedRows::default();
        for (row, code) in rows.iter().zip(&codes.of_row) {
            let number = *numbers.entry(*code).or_insert_with(|| {
                let name = codes.texts.get(*code).unwrap_or_default();
                *by_name.entry(name.to_owned()).or_insert_with(|| {
                    names.push(name.to_owned());
                    u32::try_from(names.len() - 1).unwrap_or(u32::MAX)
                })
            });
            found.push(*row, 1, number);
        }
        found.shrink();
        self.0.push(Found { address: portion.address(), rows: found, names });
        Ok(taken)
    }
}

/// The rows of one row group in one section.
type Share = (Address, NumberedRows);

/// All rows to be passed on, in sections.
#[derive(Debug)]
pub struct Export {
    flow: Flow,
    stretches: Vec<Vec<Share>>,
    limits: Limits,
    /// The columns of the answer, without rows.
    empty: Answer,
}

impl Export {
    pub(in crate::sql) fn of(
        flow: &Flow,
        surveys: impl IntoIterator<Item = Survey>,
        limits: Limits,
    ) -> Result<Self> {
        let found: Vec<Found> = surveys.into_iter().flat_map(|survey| survey.0).collect();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for found in &found {
            for (_, count, object) in found.rows.iter() {
                if let Some(name) = found.names.get(object as usize) {
                    *counts.entry(name).or_default() += u64::from(count);
                }
            }
        }
        let rows_max = limits
            .memory_bytes_max
            .map_or(STRETCH_ROWS_MAX, |bytes| (bytes / 16 / ROW_BYTES).clamp(256, STRETCH_ROWS_MAX));
        let (mut stretch_of, mut stretch, mut rows): (HashMap<&str, usize, RandomState>, usize, u64) =
            (HashMap::default(), 0, 0);
        for (name, count) in counts {
            if rows > 0 && rows + count > rows_max {
                (stretch, rows) = (stretch + 1, 0);
            }
            rows += count;
            stretch_of.insert(name, stretch);
        }
        let mut stretches: Vec<Vec<Share>> =
            vec![Vec::new(); if stretch_of.is_empty() { 0 } else { stretch + 1 }];
        for found in &found {
            let of_object: Vec<usize> =
                found.names.iter().map(|name| stretch_of.get(name.as_str()).copied().unwrap_or(0)).collect();
            let mut shares: BTreeMap<usize, NumberedRows> = BTreeMap::new();
            for (row, count, object) in found.rows.iter() {
                let stretch = of_object.get(object as usize).copied().unwrap_or(0);
                shares.entry(stretch).or_default().push(row, count, 0);
            }
            for (stretch, mut rows) in shares {
                rows.shrink();
                if let Some(stretch) = stretches.get_mut(stretch) {
                    stretch.push((found.address, rows));
                }
            }
        }
        let none = flow.share(flow.nothing()?, &limits)?;
        Ok(Self { flow: flow.clone(), stretches, limits, empty: Answer::new(none.rows.seen())? })
    }

    /// The columns of the answer, without rows.
    pub fn columns(&self) -> &Answer {
        &self.empty
    }

    /// Evaluates all rows on `jobs` threads. `render` is called with some of the rows at a time, in any
    /// order, and `take` with its results, in order. Ends early when `cancelled` becomes true. Returns the
    /// number of rows. Errors in reading are recorded in the lake's coverage.
    ///
    /// # Errors
    /// A value is invalid, or there is not enough memory; the errors of `render` and `take`.
    pub fn each<T: Send>(
        &self,
        lake: &LakeFeed,
        jobs: usize,
        cancelled: &AtomicBool,
        render: impl Fn(&Answer) -> io::Result<T> + Sync,
        take: impl FnMut(T) -> io::Result<()>,
    ) -> std::result::Result<u64, Interrupted> {
        let next = |at: usize| Ok((at < self.stretches.len()).then_some(at));
        let work = |at: usize| {
            let answer = self.stretch(lake, at)?;
            Ok((answer.height() as u64, render(&answer)?))
        };
        in_order(jobs, cancelled, next, work, take)
    }

    fn stretch(&self, lake: &LakeFeed, at: usize) -> std::result::Result<Answer, Interrupted> {
        let asked = read::all_columns(&self.flow);
        let mut events: Option<Relation> = None;
        let mut failure = None;
        for (address, rows) in self.stretches.get(at).into_iter().flatten() {
            lake.at(*address, &mut |portion| {
                let mut mask = vec![false; portion.height()];
                for (row, count, _) in rows.iter() {
                    let of_run = mask.iter_mut().skip(row as usize).take(count as usize);
                    of_run.for_each(|slot| *slot = true);
                }
                let more = Relation::of_table(&TABLE, &portion.rows(&asked, Some(&mask))?);
                match events.take() {
                    None => events = Some(more),
                    Some(before) => match under(before, more) {
                        Ok(both) => events = Some(both),
                        Err(error) => failure = Some(error),
                    },
                }
                Ok(())
            });
        }
        if let Some(error) = failure {
            return Err(error.into());
        }
        let Some(mut events) = events else { return Ok(self.empty.clone()) };
        events.columns.iter_mut().for_each(|column| *column = column.rechunk());
        let part: Part = caught(|| self.flow.piece(placed(events)?, &self.limits))?;
        Ok(Answer::new(part.rows.seen())?)
    }
}
