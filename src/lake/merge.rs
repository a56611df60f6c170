//! New records of one partition and the files that are there → files without second copies, sorted by time.
//!
//! An event has one account, one region and one time, so all copies of it meet in one partition: new records are compared with
//! the `eventid` column of those files whose times overlap theirs. No other state says what is in the lake, so none can
//! disagree with it. Of two copies the one in the object (and place) that sorts first is kept, as the engine does;
//! where that is the new one, the file with the other is written anew. So are small files, together with what is new.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::LakeError;
use super::frame::{Frame, frames};
use super::parquet::{Reader, write};
use super::partition::Partition;
use super::rebuild::Records;
use super::state::FileEntry;

/// A file that is there, and where it lies.
#[derive(Debug, Clone)]
pub(super) struct Present {
    pub entry: FileEntry,
    pub path: PathBuf,
}

/// What became of new records.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub files: Vec<Present>,
    /// Names of files that the new ones replace.
    pub replaced: Vec<String>,
    /// Second copies (of records with an eventID) that were left out.
    pub duplicates: u64,
    /// Rows that are new in the lake.
    pub added: u64,
}

/// One partition's work.
pub(super) struct Work<'w> {
    pub partition: &'w Partition,
    /// Frames, in pieces.
    pub fresh: Vec<Vec<u8>>,
    pub present: Vec<Present>,
    /// Where new files are written to.
    pub staging: &'w Path,
    /// JSON in a file, about.
    pub file_bytes: u64,
}

impl Work<'_> {
    /// `name` gives a new name for each file.
    pub(super) fn run(self, mut name: impl FnMut() -> String) -> Result<Merged, LakeError> {
        let mut merged = Merged::default();
        let mut all = Vec::new();
        for piece in &self.fresh {
            frames(piece, &mut all).ok_or_else(|| LakeError::io(self.staging, "a spill file is damaged"))?;
        }
        merged.duplicates += settle(&mut all);
        let taken = self.compare(&mut all, &mut merged)?;
        let mut old = Vec::new();
        for present in &taken {
            read_frames(&present.path, &mut old)?;
            merged.replaced.push(present.entry.name.clone());
        }
        if all.is_empty() {
            return Ok(Merged { replaced: Vec::new(), ..merged });
        }
        let before: u64 = taken.iter().map(|present| present.entry.rows).sum();
        frames(&old, &mut all).ok_or_else(|| LakeError::io(self.staging, "a file of the lake cannot be read back"))?;
        merged.duplicates += settle(&mut all);
        merged.added = (all.len() as u64).saturating_sub(before);
        for part in parts(&all, self.file_bytes) {
            let name = format!("{}.{}", name(), self.partition.extension());
            let path = self.staging.join(&name);
            let bytes = write(&path, part, self.partition.native)?;
            let json_bytes = part.iter().map(|frame| frame.json.len() as u64).sum();
            let (first, last) = (part.first().map_or(0, |frame| frame.time), part.last().map_or(0, |frame| frame.time));
            let entry = FileEntry { name, partition: self.partition.clone(), rows: part.len() as u64, bytes, json_bytes, first, last };
            merged.files.push(Present { entry, path });
        }
        Ok(merged)
    }

    /// Drops new records that are there already. The files that have to be written anew, and, if anything new is left, those
    /// that are small.
    fn compare(&self, all: &mut Vec<Frame<'_>>, merged: &mut Merged) -> Result<Vec<Present>, LakeError> {
        let (Some(first), Some(last)) = (all.first().map(|frame| frame.time), all.last().map(|frame| frame.time)) else { return Ok(Vec::new()) };
        let mut found = vec![Found::New; all.len()];
        let places: HashMap<&str, usize> = all.iter().enumerate().map(|(at, frame)| (frame.id, at)).collect();
        let (mut taken, mut others) = (Vec::new(), Vec::new());
        for present in &self.present {
            let overlaps = present.entry.first <= last && first <= present.entry.last;
            let moves = overlaps && find_copies(&present.path, self.partition.native, &places, all, &mut found)?;
            if moves { taken.push(present.clone()) } else { others.push(present) }
        }
        merged.duplicates += all.iter().zip(&found).filter(|(frame, found)| **found == Found::Copy && is_event_id(frame.id)).count() as u64;
        let mut found = found.iter();
        all.retain(|_| found.next() == Some(&Found::New));
        let mut room = self.file_bytes.saturating_sub(all.iter().map(|frame| frame.json.len() as u64).sum());
        for present in others.into_iter().filter(|present| present.entry.json_bytes < self.file_bytes / 2) {
            if !all.is_empty() && present.entry.json_bytes <= room {
                room -= present.entry.json_bytes;
                taken.push(present.clone());
            }
        }
        Ok(taken)
    }
}

/// What the files say of a new record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    New,
    /// The event is there, from another place.
    Copy,
    /// The very same record: its object was read again.
    Again,
}

/// Marks frames that the file has. True if one of them should stand in the file's place.
fn find_copies(path: &Path, native: bool, places: &HashMap<&str, usize>, all: &[Frame<'_>], found: &mut [Found]) -> Result<bool, LakeError> {
    let mut moves = false;
    let reader = Reader::open(path)?;
    for group in reader.groups() {
        let rows = reader.read(group, Some(&["eventid", "object", "record", "extra", "original"]))?;
        let records = Records::of(&rows).map_err(|error| LakeError::io(path, error))?;
        for row in 0..rows.height() {
            let Some(&at) = places.get(records.identity(row, native).as_str()) else { continue };
            let (Some(frame), Some(found)) = (all.get(at), found.get_mut(at)) else { continue };
            match (frame.object, frame.record).cmp(&(records.object(row), records.index(row))) {
                Ordering::Less => moves = true,
                Ordering::Equal => *found = Found::Again,
                Ordering::Greater => *found = Found::Copy,
            }
        }
    }
    Ok(moves)
}

/// Whether records with this identity have an `eventID`.
fn is_event_id(id: &str) -> bool {
    !id.starts_with('#')
}

/// All rows of a file, as frames.
fn read_frames(path: &Path, out: &mut Vec<u8>) -> Result<(), LakeError> {
    let reader = Reader::open(path)?;
    let native = path.extension().is_some_and(|extension| extension == "rows");
    let mut json = String::new();
    for group in reader.groups() {
        let rows = reader.read(group, None)?;
        let records = Records::of(&rows).map_err(|error| LakeError::io(path, error))?;
        for row in 0..rows.height() {
            records.write(row, &mut json);
            let split = super::record::Split::of(&json, native).map_err(|error| LakeError::io(path, error))?;
            let time = split.time().map_or(0, crate::model::Timestamp::millis);
            let (id, object, record) = (records.identity(row, native), records.object(row), records.index(row));
            Frame { time, id: &id, object, record, json: &json }.write(out);
        }
    }
    Ok(())
}

/// Sorts by time and id, and keeps the first of each. How many copies of events with an eventID were dropped.
fn settle(all: &mut Vec<Frame<'_>>) -> u64 {
    all.sort_unstable();
    let mut dropped = 0;
    all.dedup_by(|later, first| {
        let same = (later.time, later.id) == (first.time, first.id);
        let elsewhere = (later.object, later.record) != (first.object, first.record);
        dropped += u64::from(same && elsewhere && is_event_id(first.id));
        same
    });
    dropped
}

/// Cuts sorted frames into files. The last one is not left tiny.
fn parts<'f, 'b>(all: &'f [Frame<'b>], file_bytes: u64) -> Vec<&'f [Frame<'b>]> {
    let total: u64 = all.iter().map(|frame| frame.json.len() as u64).sum();
    let count = total.div_ceil(file_bytes.max(1) * 3 / 2).max(1);
    let each = total / count + 1;
    let (mut parts, mut rest) = (Vec::new(), all);
    while !rest.is_empty() {
        let mut bytes = 0;
        let rows = rest
            .iter()
            .take_while(|frame| {
                let fits = bytes < each;
                bytes += frame.json.len() as u64;
                fits
            })
            .count();
        let (part, after) = rest.split_at(rows.max(1));
        parts.push(part);
        rest = after;
    }
    parts
}
