//! Merges new rows of one partition with its files: the result has no duplicates, and is sorted by time.
//!
//! An event has one account, one region and one time (they are part of its identity), so all copies of it are
//! in one partition, and new rows only have to be compared with the files whose times overlap theirs. There
//! is no other index of the lake's events that could disagree with the files. Of two copies the one whose
//! object (and position in it) sorts first is kept, as in the engine. If that is the new one, the file with
//! the other copy is rewritten. Small files are rewritten together with the new rows.
//!
//! Memory: the new rows, and one file of the lake at a time.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use foldhash::fast::RandomState;

use crate::lake::LakeError;
use crate::lake::commit::manifest::{Damage, FileEntry};
use crate::lake::disk::Disk;
use crate::lake::file::write;
use crate::lake::file::{Reader, Wanted};
use crate::lake::layout;
use crate::lake::partition::Partition;
use crate::lake::record::Split;
use crate::lake::record::rebuild::Records;
use crate::lake::record::row::Head;
use crate::lake::record::rows::{Piece, Rows};

/// The columns that identify an event, and say where its record was.
const IDENTITY: [&str; 10] = [
    "eventid",
    "eventtime",
    "eventsource",
    "eventname",
    "awsregion",
    "recipientaccountid",
    "object",
    "record",
    "extra",
    "original",
];

/// A file of the partition.
#[derive(Debug, Clone)]
pub(super) struct Present {
    pub entry: FileEntry,
    /// Whether it is in the staging folder until the next commit.
    pub staged: bool,
}

impl Present {
    pub(in crate::lake) fn path(&self) -> PathBuf {
        if self.staged { layout::staged(&self.entry.name) } else { self.entry.path() }
    }

    pub(in crate::lake) fn reader(&self, disk: &dyn Disk) -> Result<Reader, LakeError> {
        if !self.staged {
            return Reader::of(disk, &self.entry);
        }
        let path = self.path();
        Reader::open(disk.open(&path).map_err(|error| LakeError::io(&path, error))?, &path, &self.entry)
    }
}

/// The result of merging new rows.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub files: Vec<Present>,
    /// Names of files that are replaced by new ones.
    pub replaced: Vec<String>,
    /// Duplicates that were left out.
    pub duplicates: u64,
    /// Those of them that replaced a copy in the lake, because their object sorts first.
    pub moved: u64,
    /// Rows that the lake did not have before.
    pub added: u64,
    /// Files that cannot be read.
    pub damaged: Vec<Damage>,
    /// For each object, the number of rows that could not be compared with such a file, and are not added.
    pub held_back: HashMap<String, u64>,
}

/// The merge of one partition.
pub(super) struct Work<'w> {
    pub disk: &'w dyn Disk,
    pub partition: &'w Partition,
    pub fresh: Vec<Piece>,
    pub present: Vec<Present>,
    /// Approximate bytes of rows in a file.
    pub file_bytes: u64,
}

/// How a new row compares with the rows in the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    New,
    /// The event is there, from another record.
    Copy,
    /// The very same record is there: its object was read again.
    Again,
    /// The event is there, from a record that sorts later and is replaced by this one.
    Moved,
}

/// Why the new rows are not added.
enum Stop {
    /// A file of this partition cannot be read; other partitions are not affected.
    Damaged(Damage),
    Failed(LakeError),
}

impl Work<'_> {
    /// `name` gives a new name for each file.
    pub(in crate::lake) fn run(mut self, mut name: impl FnMut() -> String) -> Result<Merged, LakeError> {
        let mut merged = Merged::default();
        let mut rows = Rows::of(std::mem::take(&mut self.fresh));
        rows.settle(|_| merged.duplicates += 1);
        let others = match self.compare(&mut rows, &mut merged, &mut name) {
            Ok(others) => others,
            Err(Stop::Failed(failure)) => return Err(failure),
            Err(Stop::Damaged(damage)) => {
                merged.damaged.push(damage);
                for head in rows.heads() {
                    *merged
                        .held_back
                        .entry(String::from_utf8_lossy(head.object).into_owned())
                        .or_default() += 1;
                }
                return Ok(merged);
            }
        };
        if rows.is_empty() {
            return Ok(merged);
        }
        merged.added = rows.len() as u64;
        self.join(&others, &mut rows, &mut merged);
        self.write(&rows, &mut merged, &mut name)?;
        Ok(merged)
    }

    /// Adds the rows of small files while the total fits into one file.
    fn join(&self, others: &[&Present], rows: &mut Rows, merged: &mut Merged) {
        let (mut room, mut joined) = (self.file_bytes.saturating_sub(rows.total()), false);
        for present in others.iter().filter(|present| present.entry.row_bytes < self.file_bytes / 2) {
            if present.entry.row_bytes <= room {
                match read_rows(self.disk, present) {
                    Ok(pieces) => pieces.into_iter().for_each(|piece| rows.add(piece)),
                    Err(error) => {
                        merged.damaged.push(damage(present, &error));
                        continue;
                    }
                }
                room -= present.entry.row_bytes;
                merged.replaced.push(present.entry.name.clone());
                joined = true;
            }
        }
        if joined {
            rows.settle(|_| merged.duplicates += 1);
        }
    }

    fn write(
        &self,
        rows: &Rows,
        merged: &mut Merged,
        name: &mut impl FnMut() -> String,
    ) -> Result<(), LakeError> {
        let parts = parts(rows, self.file_bytes);
        for part in parts {
            let name = format!("{}.{}", name(), self.partition.extension());
            let path = layout::staged(&name);
            let out = self.disk.create(&path).map_err(|error| LakeError::io(&path, error))?;
            let written = write(out, &path, rows, part.clone())?;
            let name = self.disk.settled(name).map_err(|error| LakeError::io(&path, error))?;
            let time = |row| rows.time(row).unwrap_or(0);
            let entry = FileEntry {
                name,
                partition: self.partition.clone(),
                rows: part.len() as u64,
                bytes: written.bytes,
                row_bytes: part.clone().map(|row| rows.size(row)).sum(),
                first: time(part.start),
                last: time(part.end.saturating_sub(1)),
                tail: Some(written.tail),
            };
            merged.files.push(Present { entry, staged: true });
        }
        Ok(())
    }

    /// Removes new rows that are in the files already, and rewrites files with rows that are replaced.
    /// Returns the files that need not be rewritten.
    fn compare(
        &self,
        rows: &mut Rows,
        merged: &mut Merged,
        name: &mut impl FnMut() -> String,
    ) -> Result<Vec<&Present>, Stop> {
        let Some((first, last)) = rows.times() else { return Ok(Vec::new()) };
        let (near, mut others): (Vec<&Present>, Vec<&Present>) = self
            .present
            .iter()
            .partition(|present| present.entry.first <= last && first <= present.entry.last);
        let (Some(first), Some(last)) = (
            near.iter().map(|present| present.entry.first).min(),
            near.iter().map(|present| present.entry.last).max(),
        ) else {
            return Ok(others);
        };
        let mut found = vec![Found::New; rows.len()];
        // Rows outside of the files' times cannot be in them.
        let heads = rows.heads().enumerate().filter(|(_, head)| first <= head.time && head.time <= last);
        let places: Places<'_> = heads.map(|(row, head)| ((head.time, head.id), (row, head))).collect();
        for present in near {
            let moved = find_copies(self.disk, present, &places, &mut found)
                .map_err(|error| Stop::Damaged(damage(present, &error)))?;
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

    /// Rewrites a file with the new rows that replace some of its rows.
    fn replace(
        &self,
        present: &Present,
        rows: &Rows,
        moved: &[usize],
        merged: &mut Merged,
        name: &mut impl FnMut() -> String,
    ) -> Result<(), Stop> {
        let there = read_rows(self.disk, present).map_err(|error| Stop::Damaged(damage(present, &error)))?;
        let taken = moved.iter().filter_map(|row| rows.row(*row)).flatten().copied().collect();
        let taken = Piece::of(taken)
            .ok_or_else(|| Stop::Failed(LakeError::io(&present.path(), "a waiting row is damaged")))?;
        let mut anew = Rows::of(vec![taken]);
        there.into_iter().for_each(|piece| anew.add(piece));
        let before = merged.duplicates;
        anew.settle(|_| merged.duplicates += 1);
        merged.moved += merged.duplicates - before;
        merged.replaced.push(present.entry.name.clone());
        self.write(&anew, merged, name).map_err(Stop::Failed)
    }
}

fn damage(present: &Present, error: &LakeError) -> Damage {
    Damage { file: present.entry.path().to_string_lossy().into_owned(), reason: error.reason() }
}

/// New rows by time and identity.
type Places<'r> = HashMap<(i64, &'r [u8]), (usize, Head<'r>), RandomState>;

/// Marks the new rows that the file contains. Returns those that replace a row of the file.
fn find_copies(
    disk: &dyn Disk,
    present: &Present,
    places: &Places<'_>,
    found: &mut [Found],
) -> Result<Vec<usize>, LakeError> {
    let (mut moved, native) = (Vec::new(), present.entry.partition.native);
    let reader = present.reader(disk)?;
    for group in reader.groups() {
        let there = reader.read(group, Some(&IDENTITY.map(Wanted::from)), None)?;
        let records = Records::of(&there).map_err(|error| reader.error(error))?;
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

/// All rows of a file.
fn read_rows(disk: &dyn Disk, present: &Present) -> Result<Vec<Piece>, LakeError> {
    let reader = present.reader(disk)?;
    reader.groups().map(|group| read_group(&reader, group, present.entry.partition.native)).collect()
}

/// The rows of a row group.
pub(super) fn read_group(reader: &Reader, group: usize, native: bool) -> Result<Piece, LakeError> {
    let mut json = String::new();
    let there = reader.read(group, None, None)?;
    let records = Records::of(&there).map_err(|error| reader.error(error))?;
    let mut piece = Piece::default();
    for row in 0..there.height() {
        records.write(row, &mut json);
        let split = Split::of(&json, native).map_err(|error| reader.error(error))?;
        let id = records.identity(row, native).to_bytes();
        let head = Head {
            time: records.time(row, native),
            record: records.index(row),
            id: &id,
            object: records.object(row).as_bytes(),
        };
        piece.write(&head, |out| split.put(out));
    }
    Ok(piece)
}

/// Divides sorted rows into files. The last one is not left very small.
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
