//! New rows of one partition and the files that are there → files without second copies, sorted by time.
//!
//! An event has one account, one region and one time (they are parts of its identity), so all copies of it meet in one
//! partition: new rows are compared with those files whose times overlap theirs. No other state says what is in the lake, so none can
//! disagree with it. Of two copies the one in the object (and place) that sorts first is kept, as the engine does;
//! where that is the new one, the file with the other is written anew. So are small files, together with what is new.
//!
//! Memory: the new rows, and beside them one file of the lake at a time.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;

use super::LakeError;
use super::parquet::{Reader, Wanted};
use super::partition::Partition;
use super::rebuild::Records;
use super::record::Split;
use super::row::Head;
use super::rows::{Piece, Rows};
use super::state::FileEntry;
use super::write::write;

/// Columns that tell which event a row is, and where it stood.
const IDENTITY: [&str; 10] =
    ["eventid", "eventtime", "eventsource", "eventname", "awsregion", "recipientaccountid", "object", "record", "extra", "original"];

/// A file that is there, and where it lies.
#[derive(Debug, Clone)]
pub(super) struct Present {
    pub entry: FileEntry,
    pub path: PathBuf,
}

/// What became of new rows.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub files: Vec<Present>,
    /// Names of files that the new ones replace.
    pub replaced: Vec<String>,
    /// Second copies that were left out.
    pub duplicates: u64,
    /// Rows that are new in the lake.
    pub added: u64,
}

/// One partition's work.
pub(super) struct Work<'w> {
    pub partition: &'w Partition,
    pub fresh: Vec<Piece>,
    pub present: Vec<Present>,
    /// Where new files are written to.
    pub staging: &'w Path,
    /// Bytes of rows in a file, about.
    pub file_bytes: u64,
}

/// Where a new row stands to those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    New,
    /// The event is there, from another place.
    Copy,
    /// The very same record: its object was read again.
    Again,
    /// It is there from a place that sorts later, and takes that one's.
    Moved,
}

impl Work<'_> {
    /// `name` gives a new name for each file.
    pub(super) fn run(mut self, mut name: impl FnMut() -> String) -> Result<Merged, LakeError> {
        let mut merged = Merged::default();
        let mut rows = Rows::of(std::mem::take(&mut self.fresh));
        rows.settle(|_| merged.duplicates += 1);
        let others = self.compare(&mut rows, &mut merged, &mut name)?;
        if rows.is_empty() {
            return Ok(merged);
        }
        merged.added = rows.len() as u64;
        let (mut room, mut joined) = (self.file_bytes.saturating_sub(rows.total()), false);
        for present in others.iter().filter(|present| present.entry.row_bytes < self.file_bytes / 2) {
            if present.entry.row_bytes <= room {
                room -= present.entry.row_bytes;
                read_rows(&present.path, self.partition.native, &mut rows)?;
                merged.replaced.push(present.entry.name.clone());
                joined = true;
            }
        }
        if joined {
            rows.settle(|_| merged.duplicates += 1);
        }
        self.write(&rows, &mut merged, &mut name)?;
        Ok(merged)
    }

    fn write(&self, rows: &Rows, merged: &mut Merged, name: &mut impl FnMut() -> String) -> Result<(), LakeError> {
        let parts = parts(rows, self.file_bytes);
        for part in parts {
            let name = format!("{}.{}", name(), self.partition.extension());
            let path = self.staging.join(&name);
            let bytes = write(&path, rows, part.clone())?;
            let time = |row| rows.time(row).unwrap_or(0);
            let entry = FileEntry {
                name,
                partition: self.partition.clone(),
                rows: part.len() as u64,
                bytes,
                row_bytes: part.clone().map(|row| rows.size(row)).sum(),
                first: time(part.start),
                last: time(part.end.saturating_sub(1)),
            };
            merged.files.push(Present { entry, path });
        }
        Ok(())
    }

    /// Drops new rows that are there already, and writes those files anew whose rows have to make way. The other files.
    fn compare(&self, rows: &mut Rows, merged: &mut Merged, name: &mut impl FnMut() -> String) -> Result<Vec<&Present>, LakeError> {
        let Some((first, last)) = rows.times() else { return Ok(Vec::new()) };
        let (near, mut others): (Vec<&Present>, Vec<&Present>) =
            self.present.iter().partition(|present| present.entry.first <= last && first <= present.entry.last);
        let (Some(first), Some(last)) = (near.iter().map(|present| present.entry.first).min(), near.iter().map(|present| present.entry.last).max())
        else {
            return Ok(others);
        };
        let mut found = vec![Found::New; rows.len()];
        // Rows of other times than those files have cannot be among theirs.
        let heads = rows.heads().enumerate().filter(|(_, head)| first <= head.time && head.time <= last);
        let places: Places<'_> = heads.map(|(row, head)| ((head.time, head.id), (row, head))).collect();
        for present in near {
            let moved = find_copies(&present.path, self.partition.native, &places, &mut found)?;
            if moved.is_empty() {
                others.push(present);
            } else {
                self.replace(present, rows, &moved, merged, name)?;
            }
        }
        drop(places);
        merged.duplicates += found.iter().filter(|found| **found == Found::Copy).count() as u64;
        rows.retain(|row| found.get(row) == Some(&Found::New));
        Ok(others)
    }

    /// Writes a file anew, with the rows that take the places of theirs.
    fn replace(
        &self,
        present: &Present,
        rows: &Rows,
        moved: &[usize],
        merged: &mut Merged,
        name: &mut impl FnMut() -> String,
    ) -> Result<(), LakeError> {
        let taken = moved.iter().filter_map(|row| rows.row(*row)).flatten().copied().collect();
        let taken = Piece::of(taken).ok_or_else(|| LakeError::io(&present.path, "a waiting row is damaged"))?;
        let mut anew = Rows::of(vec![taken]);
        read_rows(&present.path, self.partition.native, &mut anew)?;
        anew.settle(|_| merged.duplicates += 1);
        merged.replaced.push(present.entry.name.clone());
        self.write(&anew, merged, name)
    }
}

/// New rows by their times and ids.
type Places<'r> = HashMap<(i64, &'r [u8]), (usize, Head<'r>), RandomState>;

/// Marks rows that the file has. Those that should stand in the file in place of theirs.
fn find_copies(path: &Path, native: bool, places: &Places<'_>, found: &mut [Found]) -> Result<Vec<usize>, LakeError> {
    let mut moved = Vec::new();
    let reader = Reader::open(path)?;
    for group in reader.groups() {
        let there = reader.read(group, Some(&IDENTITY.map(Wanted::from)), None)?;
        let records = Records::of(&there).map_err(|error| LakeError::io(path, error))?;
        for row in 0..there.height() {
            let id = records.identity(row, native).to_bytes();
            let Some((at, head)) = places.get(&(records.time(row, native), &id[..])) else { continue };
            let Some(found) = found.get_mut(*at) else { continue };
            *found = match head.place().cmp(&(records.object(row).as_bytes(), records.index(row))) {
                Ordering::Less => Found::Moved,
                Ordering::Equal => Found::Again,
                Ordering::Greater => Found::Copy,
            };
            if *found == Found::Moved {
                moved.push(*at);
            }
        }
    }
    Ok(moved)
}

/// Adds all rows of a file.
fn read_rows(path: &Path, native: bool, rows: &mut Rows) -> Result<(), LakeError> {
    let reader = Reader::open(path)?;
    let mut json = String::new();
    for group in reader.groups() {
        let there = reader.read(group, None, None)?;
        let records = Records::of(&there).map_err(|error| LakeError::io(path, error))?;
        let mut piece = Piece::default();
        for row in 0..there.height() {
            records.write(row, &mut json);
            let split = Split::of(&json, native).map_err(|error| LakeError::io(path, error))?;
            let id = records.identity(row, native).to_bytes();
            let head = Head { time: records.time(row, native), record: records.index(row), id: &id, object: records.object(row).as_bytes() };
            piece.write(&head, |out| split.put(out));
        }
        rows.add(piece);
    }
    Ok(())
}

/// Cuts sorted rows into files. The last one is not left tiny.
fn parts(rows: &Rows, file_bytes: u64) -> Vec<Range<usize>> {
    let total = rows.total();
    let count = total.div_ceil(file_bytes.max(1) * 3 / 2).max(1);
    let each = total / count + 1;
    let (mut parts, mut start, mut bytes) = (Vec::new(), 0, 0);
    for row in 0..rows.len() {
        if bytes >= each {
            parts.push(start..row);
            (start, bytes) = (row, 0);
        }
        bytes += rows.size(row);
    }
    parts.push(start..rows.len());
    parts
}
