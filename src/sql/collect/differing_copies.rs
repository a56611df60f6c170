//! Copies of one event that differ. As in the engine and in a lake, the copy that comes first by object and
//! index counts; whether the event meets the conditions of a query is decided by that copy alone.
//!
//! While records are read, the conditions are applied to each record, so a later copy may be kept although
//! the first one was not. Events for which that may have happened are noted in a Bloom filter of fixed
//! size, which may suspect too many, but never too few. If there are suspects and any second copies at all,
//! the positions of these events are determined by reading once more. That is rare, as copies are mostly
//! identical.

use std::collections::{HashMap, HashSet};

use super::copies::{CHUNK_ROWS, Told, first_of_each};
use super::disk_rows::Stored;
use super::refused::First;
use crate::decode::RawRecord;
use crate::model::Filter;
use crate::pipeline;
use crate::sql::error::{Result, SqlError};
use crate::tables::{Asked, EventRows, Rows};

/// Kept rows, some of which may be of copies that do not count.
#[derive(Debug)]
pub struct Doubtful {
    pub(super) pieces: Vec<Rows>,
    /// Instead of the rows, if they did not fit into memory.
    pub(super) stored: Option<Stored>,
    pub(super) suspects: HashSet<i64>,
}

/// Rows without second copies.
#[derive(Debug)]
pub struct Settled {
    pub(super) pieces: Vec<Rows>,
    pub(super) stored: Option<Stored>,
}

impl Doubtful {
    /// The kept rows, if there are no second copies at all.
    ///
    /// # Errors
    ///
    /// A column is missing.
    pub fn as_they_are(self) -> Result<Settled> {
        Ok(Settled { pieces: first_of_each(self.pieces)?, stored: self.stored })
    }

    /// Determines positions, for one worker that reads the same records again.
    pub fn collector(&self, filter: &Filter) -> Places<'_> {
        let columns = ["object", "record"].map(Asked::whole);
        let rows = EventRows::new(Some(&columns)).within(filter.clone()).with_identities();
        Places { suspects: &self.suspects, rows, first: HashMap::new(), failure: None }
    }

    /// The rows of the copies that count, and how many others were dropped.
    ///
    /// # Errors
    ///
    /// A column is missing.
    pub fn settle(mut self, places: Vec<First>) -> Result<(Settled, usize)> {
        let mut first: First = HashMap::new();
        for places in places {
            for (identity, place) in places {
                note(&mut first, identity, place);
            }
        }
        let mut dropped = 0;
        for piece in &mut self.pieces {
            let told = Told::of(piece)?;
            let stands = |row: u32| {
                let identity = told.identities.get(row as usize)?;
                let (object, record) = told.place(row);
                let (first_object, first_record) = first.get(&identity)?;
                Some(object == Some(first_object) && record == Some(*first_record))
            };
            let keep: Vec<bool> = (0..u32::try_from(piece.height).unwrap_or(u32::MAX))
                .map(|row| stands(row).unwrap_or(true))
                .collect();
            let gone = keep.iter().filter(|keep| !**keep).count();
            if gone == 0 {
                continue;
            }
            piece.retain(&keep)?;
            dropped += gone;
        }
        if let Some(stored) = &mut self.stored {
            dropped += stored.keep_first(&first)?;
        }
        Ok((Settled { pieces: first_of_each(self.pieces)?, stored: self.stored }, dropped))
    }
}

fn note(first: &mut First, identity: i64, place: (String, i64)) {
    match first.get_mut(&identity) {
        Some(known) if *known <= place => {}
        Some(known) => *known = place,
        None => drop(first.insert(identity, place)),
    }
}

/// The positions that one worker has found.
pub struct Places<'d> {
    suspects: &'d HashSet<i64>,
    rows: EventRows,
    first: First,
    failure: Option<SqlError>,
}

impl Places<'_> {
    /// What was found.
    ///
    /// # Errors
    ///
    /// A column is missing.
    pub fn finish(mut self) -> Result<First> {
        self.flush();
        self.failure.map_or(Ok(self.first), Err)
    }

    fn flush(&mut self) {
        let rows = self.rows.take();
        match Told::of(&rows) {
            Err(failure) => self.failure = Some(failure),
            Ok(told) => {
                for (identity, row) in told.identities.iter().zip(0_u32..) {
                    if let Some(identity) = identity.filter(|identity| self.suspects.contains(identity))
                        && let (Some(object), Some(record)) = told.place(row)
                    {
                        note(&mut self.first, identity, (object.to_owned(), record));
                    }
                }
            }
        }
    }
}

impl pipeline::Collector for Places<'_> {
    fn record(&mut self, object: &str, record: RawRecord<'_>) -> std::result::Result<(), String> {
        self.rows.push(object, record)?;
        if self.rows.height() >= CHUNK_ROWS {
            self.flush();
        }
        Ok(())
    }

    fn relevant(&self) -> u64 {
        0
    }
}
