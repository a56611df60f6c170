//! Copies of one event that differ. As in the engine and in a lake, the copy that comes first by object and
//! index counts; whether the event meets the conditions of a query is decided by that copy alone.
//!
//! While records are read, the conditions are applied to each record, so a later copy may be kept although
//! the first one was not. Events for which that may have happened are noted in a Bloom filter of fixed
//! size, which may suspect too many, but never too few. If there are suspects and any second copies at all,
//! the positions of these events are determined by reading once more. That is rare, as copies are mostly
//! identical.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::error::{Result, SqlError};
use super::CHUNK_ROWS;
use super::copies::{Told, first_of_each};
use super::disk_rows::Stored;
use crate::decode::RawRecord;
use crate::model::Filter;
use crate::pipeline;
use crate::tables::events::IDENTITY;
use crate::tables::{Asked, EventRows, Rows};

/// Maximum size of the filter in bytes.
const BYTES_MAX: u64 = 64 << 20;
const BYTES_MIN: u64 = 1 << 20;
/// Number of bits set for an event.
const BITS: u32 = 4;

/// Events with a record that did not meet the conditions.
pub(super) struct Refused {
    words: OnceLock<Box<[AtomicU64]>>,
    length: usize,
}

impl Refused {
    pub(super) fn within(memory_bytes_max: u64) -> Self {
        let bytes = (memory_bytes_max / 16).clamp(BYTES_MIN, BYTES_MAX);
        Self { words: OnceLock::new(), length: usize::try_from(bytes / 8).unwrap_or(1) }
    }

    /// Notes the events in `all` that are not in `kept`, which is in the same order.
    pub(super) fn note(&self, all: &[i64], kept: &Rows) -> Result<()> {
        let kept = Told::of(kept)?;
        let mut kept = kept.identities.iter().flatten().peekable();
        for identity in all {
            match kept.next_if_eq(identity) {
                Some(_) => {}
                None => self.insert(*identity),
            }
        }
        Ok(())
    }

    fn insert(&self, identity: i64) {
        let words = self.words.get_or_init(|| bytemuck::zeroed_slice_box(self.length));
        for (word, bit) in places(identity, words.len()) {
            if let Some(word) = words.get(word) {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn may_hold(&self, identity: i64) -> bool {
        let Some(words) = self.words.get() else { return false };
        places(identity, words.len())
            .all(|(word, bit)| words.get(word).is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0))
    }

    /// The kept events that may have such a record.
    pub(super) fn suspects(&self, pieces: &[Rows]) -> Result<HashSet<i64>> {
        let mut suspects = HashSet::new();
        for piece in pieces {
            suspects.extend(
                Told::of(piece)?.identities.iter().flatten().filter(|identity| self.may_hold(*identity)),
            );
        }
        Ok(suspects)
    }
}

/// The filter's words and bits for an event.
fn places(identity: i64, words: usize) -> impl Iterator<Item = (usize, u64)> {
    let mut state = identity.cast_unsigned();
    (0..BITS).map(move |_| {
        state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ 0xd1b5_4a32_d192_ed03;
        let mixed = (state ^ (state >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed >> 6) as usize % words.max(1), 1_u64 << (mixed & 63))
    })
}

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

/// For each event, where its first copy is.
pub type First = HashMap<i64, (String, i64)>;

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

/// The identities of a piece, before the conditions are applied.
pub(super) fn identities(rows: &Rows) -> Vec<i64> {
    let column =
        rows.columns.iter().find(|(name, _)| *name == IDENTITY).and_then(|(_, column)| column.i64().ok());
    column.map(|column| column.iter().map(Option::unwrap_or_default).collect()).unwrap_or_default()
}
