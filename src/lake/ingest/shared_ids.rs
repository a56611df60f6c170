//! How many events of a lake share their `eventID` with another event, whichever runs have brought them.
//!
//! A run knows this of what it has read itself. If there was something in the lake before, the ids of all of
//! its events are read from their column and compared when the run ends. Two events in the files are never
//! copies of one, so that equal ids alone show it.
//!
//! Of more than two million events the ids go to a spill file, divided by their first bits, and are compared
//! part by part: 8 bytes for each event.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::flow::side_by_side;
use super::merge::Present;
use super::publish::State;
use crate::decode::fingerprint;
use crate::decode::identity::is_word;
use crate::decode::seen::SeenEvents;
use crate::lake::LakeError;
use crate::lake::commit::manifest::Manifest;
use crate::lake::disk::Disk;
use crate::lake::file::Wanted;
use crate::lake::guard::guarded;
use crate::lake::layout::{SPILL, SPILLED_IDS};
use crate::lake::record::Split;

/// The columns that have the id: a record that cannot be made from columns is stored as a whole.
const ID_COLUMNS: [&str; 2] = ["eventid", "original"];
/// In S3 each file takes two requests or more, and each id some 36 bytes of traffic, at the end of every run that
/// adds something.
const REMOTE_FILES_MAX: usize = 256;
const REMOTE_EVENTS_MAX: u64 = 2_000_000;
/// Every run that adds something reads the ids of all events: of so many that takes ten processor seconds.
const LOCAL_EVENTS_MAX: u64 = 100_000_000;
/// As many ids are compared in memory.
const HELD_MAX: u64 = 2_000_000;
/// The parts of a spill file, told by as many of the first bits.
const PART_BITS: u32 = 6;
/// Ids of a part that are written together.
const BLOCK_IDS: usize = 8 << 10;

impl State {
    /// Writes to `manifest`, whose files are settled, how many events share their id, and whether that is the
    /// exact number.
    pub(super) fn count_shared_ids(&self, disk: &dyn Disk, manifest: &mut Manifest) {
        manifest.ids_counted = Some(false);
        if !self.ends {
            return;
        }
        // What one run has read it has compared, if that was not too much.
        let has_compared = !manifest.select.is_empty() || events(manifest) <= SeenEvents::EVENTS_MAX;
        if self.is_first_run && has_compared {
            manifest.ids_counted = Some(true);
        } else if self.manifest.ids_counted == Some(true) && self.manifest.files == manifest.files {
            // What this run has met, it has met before.
            manifest.events_sharing_an_id = self.manifest.events_sharing_an_id;
            manifest.ids_counted = Some(true);
        } else if manifest.select.is_empty()
            && let Some(shared) = self.shared_ids(disk)
        {
            manifest.events_sharing_an_id = shared;
            manifest.ids_counted = Some(true);
        }
    }

    /// Whether the lake lacks the number, and this run can tell it.
    pub(super) fn owes_shared_ids(&self, disk: &dyn Disk) -> bool {
        let manifest = &self.manifest;
        manifest.ids_counted == Some(false)
            && manifest.select.is_empty()
            && can_compare(disk, events(manifest), manifest.files.len())
    }

    /// The number of events whose id another event of the lake has; `None` if there is too much to compare, or
    /// a file cannot be read.
    fn shared_ids(&self, disk: &dyn Disk) -> Option<u64> {
        let files: Vec<&Present> = self.files.values().flatten().collect();
        let events = files.iter().map(|present| present.entry.rows).sum::<u64>();
        if !can_compare(disk, events, files.len()) {
            return None;
        }
        let ids = if events <= HELD_MAX { Ids::default() } else { Ids::on(disk).ok()? };
        let ids = Mutex::new(ids);
        let failed = AtomicBool::new(false);
        // Threads that begin now take over the memory that those of the run have freed; the pool's have memory of
        // their own, which they keep.
        side_by_side(rayon::current_num_threads(), &files, |present| {
            failed.fetch_or(add_ids(disk, present, &ids).is_err(), Ordering::Relaxed);
        });
        if failed.into_inner() {
            return None;
        }
        ids.into_inner().unwrap_or_else(PoisonError::into_inner).alike().ok()
    }
}

/// All events of a lake, native ones included.
fn events(manifest: &Manifest) -> u64 {
    manifest.files.iter().map(|file| file.rows).sum()
}

/// Whether the ids of so many events in so many files are compared.
fn can_compare(disk: &dyn Disk, events: u64, files: usize) -> bool {
    if disk.reads_by_requests() {
        files <= REMOTE_FILES_MAX && events <= REMOTE_EVENTS_MAX
    } else {
        events <= LOCAL_EVENTS_MAX
    }
}

/// The fingerprints of ids: in memory, or in a spill file.
#[derive(Default)]
struct Ids<'d> {
    held: Vec<u64>,
    spilled: Option<Parts<'d>>,
}

/// Ids in a spill file, divided by their first bits.
struct Parts<'d> {
    disk: &'d dyn Disk,
    path: PathBuf,
    out: Box<dyn Write + Send>,
    at: u64,
    parts: Vec<Part>,
}

#[derive(Default, Clone)]
struct Part {
    /// Those that have not been written.
    held: Vec<u64>,
    /// Where blocks of [`BLOCK_IDS`] begin in the file.
    blocks: Vec<u64>,
}

impl<'d> Ids<'d> {
    fn on(disk: &'d dyn Disk) -> io::Result<Self> {
        let path = Path::new(SPILL).join(SPILLED_IDS);
        let out = disk.create(&path)?;
        let parts = vec![Part::default(); 1 << PART_BITS];
        Ok(Self { held: Vec::new(), spilled: Some(Parts { disk, path, out, at: 0, parts }) })
    }

    fn add(&mut self, ids: Vec<u64>) -> io::Result<()> {
        match &mut self.spilled {
            None => self.held.extend(ids),
            Some(parts) => ids.into_iter().try_for_each(|id| parts.add(id))?,
        }
        Ok(())
    }

    /// How many of them occur more than once.
    fn alike(self) -> io::Result<u64> {
        match self.spilled {
            None => Ok(alike(self.held)),
            Some(parts) => parts.alike(),
        }
    }
}

impl Parts<'_> {
    fn add(&mut self, id: u64) -> io::Result<()> {
        let Some(part) = self.parts.get_mut((id >> (u64::BITS - PART_BITS)) as usize) else { return Ok(()) };
        part.held.push(id);
        if part.held.len() == BLOCK_IDS {
            let block: Vec<u8> = part.held.drain(..).flat_map(u64::to_le_bytes).collect();
            self.out.write_all(&block)?;
            part.blocks.push(self.at);
            self.at += block.len() as u64;
        }
        Ok(())
    }

    fn alike(mut self) -> io::Result<u64> {
        self.out.flush()?;
        let (file, mut count) = (self.disk.open(&self.path)?, 0);
        let mut block = vec![0; BLOCK_IDS * size_of::<u64>()];
        for Part { held: mut ids, blocks } in std::mem::take(&mut self.parts) {
            for at in blocks {
                file.read_at(at, &mut block)?;
                ids.extend(block.as_chunks().0.iter().map(|id| u64::from_le_bytes(*id)));
            }
            count += alike(ids);
        }
        Ok(count)
    }
}

impl Drop for Parts<'_> {
    fn drop(&mut self) {
        let _ = self.disk.remove(&self.path);
    }
}

/// How many of the ids occur more than once.
fn alike(mut ids: Vec<u64>) -> u64 {
    ids.par_sort_unstable();
    let alike = ids.chunk_by(|one, other| one == other).map(<[u64]>::len);
    alike.filter(|events| *events > 1).sum::<usize>() as u64
}

/// Adds the fingerprints of a file's ids. An event without an id shares none.
fn add_ids(disk: &dyn Disk, present: &Present, ids: &Mutex<Ids<'_>>) -> Result<(), LakeError> {
    let reader = present.reader(disk)?;
    let native = present.entry.partition.native;
    for group in reader.groups() {
        let rows = reader.read(group, Some(&ID_COLUMNS.map(Wanted::from)), None)?;
        let own = guarded(&present.path(), || {
            let [id, original] = ID_COLUMNS.map(|name| rows.column(name));
            let columns = id.and_then(|id| Ok((id.str()?, original?.str()?)));
            let (id, original) = columns.map_err(|error| reader.error(error))?;
            let of_row = |(id, original): (Option<&str>, Option<&str>)| match original {
                Some(original) => Split::of(original, native).ok().map(|split| split.identity().id),
                None => id.filter(|id| is_word(id.as_bytes())).map(|id| fingerprint(id.as_bytes())),
            };
            Ok(id.iter().zip(original.iter()).filter_map(of_row).collect::<Vec<u64>>())
        })?;
        let added = ids.lock().unwrap_or_else(PoisonError::into_inner).add(own);
        added.map_err(|error| LakeError::io(&Path::new(SPILL).join(SPILLED_IDS), error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::disk::LocalDisk;

    #[test]
    fn ids_in_a_spill_file_are_compared_as_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let disk = LocalDisk::open(folder.path()).unwrap();
        // Of every hundred one is there twice, and one three times.
        let id = |number: u64| fingerprint(&number.to_le_bytes());
        let numbers = (0..1_000_000).flat_map(|number| {
            std::iter::repeat_n(number, [2, 3].get(number as usize % 100).copied().unwrap_or(1))
        });
        let ids: Vec<u64> = numbers.map(id).collect();
        let (mut held, mut spilled) = (Ids::default(), Ids::on(&disk).unwrap());
        for some in ids.chunks(30_000) {
            held.add(some.to_vec()).unwrap();
            spilled.add(some.to_vec()).unwrap();
        }
        let file = folder.path().join(SPILL).join(SPILLED_IDS);
        assert!(file.metadata().unwrap().len() > 4 << 20, "most of them are in the file");
        assert_eq!((held.alike().unwrap(), spilled.alike().unwrap()), (50_000, 50_000));
        assert!(!file.exists());
    }
}
