//! How many events of a lake share their `eventID` with another event, whichever runs have brought them.
//!
//! A run knows this of what it has read itself. If there was something in the lake before, the ids of all of
//! its events are read from their column and compared when the run ends. Two events in the files are never
//! copies of one, so that equal ids alone show it.
//!
//! Memory: 8 bytes for each event, in the memory that the run's rows no longer need.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::Limits;
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
use crate::lake::record::Split;

/// The columns that have the id: a record that cannot be made from columns is stored as a whole.
const ID_COLUMNS: [&str; 2] = ["eventid", "original"];
/// In S3 each file takes two requests or more, and each id some 36 bytes of traffic, at the end of every run that
/// adds something.
const REMOTE_FILES_MAX: usize = 256;
const REMOTE_EVENTS_MAX: u64 = 2_000_000;

impl State {
    /// Writes to `manifest`, whose files are settled, how many events share their id, and whether that is the
    /// exact number.
    pub(super) fn count_shared_ids(&self, disk: &dyn Disk, limits: Limits, manifest: &mut Manifest) {
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
            && let Some(shared) = self.shared_ids(disk, limits)
        {
            manifest.events_sharing_an_id = shared;
            manifest.ids_counted = Some(true);
        }
    }

    /// Whether the lake lacks the number, and this run can tell it.
    pub(super) fn owes_shared_ids(&self, disk: &dyn Disk, limits: Limits) -> bool {
        let manifest = &self.manifest;
        manifest.ids_counted == Some(false)
            && manifest.select.is_empty()
            && room(disk, limits, events(manifest), manifest.files.len()).is_some()
    }

    /// The number of events whose id another event of the lake has; `None` if there is too much to compare, or
    /// a file cannot be read.
    fn shared_ids(&self, disk: &dyn Disk, limits: Limits) -> Option<u64> {
        let files: Vec<&Present> = self.files.values().flatten().collect();
        let events = files.iter().map(|present| present.entry.rows).sum::<u64>();
        let ids = Mutex::new(Vec::with_capacity(room(disk, limits, events, files.len())?));
        files.par_iter().try_for_each(|present| add_ids(disk, present, &ids)).ok()?;
        let mut ids = ids.into_inner().unwrap_or_else(PoisonError::into_inner);
        ids.par_sort_unstable();
        let alike = ids.chunk_by(|one, other| one == other).map(<[u64]>::len);
        Some(alike.filter(|events| *events > 1).sum::<usize>() as u64)
    }
}

/// All events of a lake, native ones included.
fn events(manifest: &Manifest) -> u64 {
    manifest.files.iter().map(|file| file.rows).sum()
}

/// How many ids there are; `None` if they are too many for the memory, or in too many files.
fn room(disk: &dyn Disk, limits: Limits, events: u64, files: usize) -> Option<usize> {
    let is_little = files <= REMOTE_FILES_MAX && events <= REMOTE_EVENTS_MAX;
    let fits = is_little || !disk.reads_by_requests();
    usize::try_from(events).ok().filter(|events| fits && *events <= limits.buffer_bytes / size_of::<u64>())
}

/// Adds the fingerprints of a file's ids. An event without an id shares none.
fn add_ids(disk: &dyn Disk, present: &Present, ids: &Mutex<Vec<u64>>) -> Result<(), LakeError> {
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
        ids.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
    }
    Ok(())
}
