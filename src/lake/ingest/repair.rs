//! Repairs a lake: what is damaged or missing is read again from the archives.
//!
//! A damaged file is taken out of its partition, its intact row groups are merged again as new rows, and all
//! objects that may have contributed to it count as unknown, so that they are read again. The number of
//! events that were added in its place shows whether everything was restored. A file for which nothing was
//! found is kept as it is. What could not be restored is recorded in the manifest and reported by every
//! reader, until another repair finds it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use super::merge::{Present, read_group};
use super::publish::State;
use super::{Ingest, Limits};
use crate::lake::LakeError;
use crate::lake::check::{Examined, Report, examine};
use crate::lake::commit::manifest::{Damage, FileEntry, Lost, Manifest, Segment, TakenOver};
use crate::lake::commit::objects::{self, Ending, KnownObjects, ObjectState};
use crate::lake::disk::Disk;
use crate::lake::disk::Location;
use crate::lake::file::Reader;
use crate::lake::partition::Partition;

/// What a repair has to restore.
#[derive(Default)]
pub(super) struct Broken {
    /// Files that were taken out because they are damaged or have no checksums.
    files: Vec<FileEntry>,
    /// Readable files among them without checksums. What is not read again from archives is copied from them
    /// at the end.
    unsealed: Vec<FileEntry>,
    segments: Vec<Segment>,
    lost: Vec<Lost>,
    /// Objects in intact segments.
    pub known: KnownObjects,
}

impl Ingest {
    /// Opens the lake at `lake` for a repair, and examines all of it. `archives`: objects will be read again;
    /// [`Self::known`] then contains all objects except those that are needed.
    ///
    /// # Errors
    /// There is no lake, another run has it open, or none of its manifests can be read.
    pub fn open_to_repair(
        lake: impl Into<Location>,
        limits: Limits,
        archives: bool,
    ) -> Result<(Self, Report), LakeError> {
        let place = lake.into();
        // One commit, so that the damaged files stay in effect until everything is restored.
        let limits = Limits { commit_bytes: u64::MAX, commit_objects: usize::MAX, ..limits };
        let mut ingest = Self::open_on(place.disk_of_lake()?, &place.name(), None, limits)?;
        let disk = Arc::clone(&ingest.disk);
        let state = ingest.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Examined { mut report, files, unsealed, segments } = examine(&*disk, &state.manifest);
        state.summary.damaged.retain(|damage| !report.damaged.contains(damage));
        report.damaged.splice(0..0, std::mem::take(&mut state.summary.damaged));
        report.damaged.extend(state.manifest.lost.iter().map(Lost::damage));
        // Files without checksums are always written again. If there are archives, so are the partitions to
        // which an earlier repair has copied unchecked events.
        let taken_over = |entry: &&FileEntry| {
            state.manifest.taken_over.iter().any(|taken| taken.partition == entry.partition)
        };
        let again = state.manifest.files.iter().filter(|_| archives).filter(taken_over);
        let again = again
            .filter(|entry| !unsealed.contains(entry) && !files.contains(entry))
            .cloned()
            .collect::<Vec<_>>();
        let unsealed: Vec<FileEntry> = unsealed.into_iter().chain(again).collect();
        let taken: Vec<FileEntry> =
            unsealed.iter().chain(files.iter().filter(|_| archives)).cloned().collect();
        for entry in &taken {
            state.take_out(entry);
            if !unsealed.contains(entry) {
                state.put_back(&*disk, entry, limits, &HashSet::new())?;
            }
        }
        let (sound, _) = objects::sound(&*disk, &state.manifest.segments);
        let mut known = KnownObjects::load(&*disk, &sound)?;
        let before = KnownObjects::load(&*disk, &sound)?;
        let mut needed = HashSet::new();
        objects::for_each_object(&*disk, &state.manifest, |object| {
            let damaged =
                files.iter().chain(&unsealed).any(|file| may_have_filled(&object, file.first, file.last));
            if damaged
                || state.manifest.lost.iter().any(|lost| may_have_filled(&object, lost.first, lost.last))
            {
                known.forget(&object);
                needed.insert(object.key());
            }
        });
        // If the results of some objects are lost, all objects without a known result are read.
        let some_unknown =
            !segments.is_empty() || state.manifest.lost.iter().any(|lost| lost.partition.is_none());
        known.only = if some_unknown { None } else { Some(needed) };
        let lost = state.manifest.lost.clone();
        let left_in = files
            .into_iter()
            .filter(|_| !archives)
            .map(|file| file.path().to_string_lossy().into_owned())
            .collect::<HashSet<_>>();
        let left = report.damaged.iter().filter(|damage| left_in.contains(&damage.file)).cloned().collect();
        state.summary.damaged = left;
        state.to_be_stored |=
            report.damaged.iter().any(|damage| damage.file.starts_with("_tagfall/manifest"));
        state.broken = Some(Broken { files: taken, unsealed, segments, lost, known: before });
        ingest.known = Arc::new(known);
        Ok((ingest, report))
    }
}

/// Whether events between these times may come from an object; true if its times are not known.
fn may_have_filled(object: &ObjectState, first: i64, last: i64) -> bool {
    object.first.is_none_or(|time| time <= last) && object.last.is_none_or(|time| first <= time)
}

impl State {
    /// Removes a file from its partition.
    fn take_out(&mut self, entry: &FileEntry) {
        if let Some(files) = self.files.get_mut(&entry.partition) {
            files.retain(|present| present.entry.name != entry.name);
        }
    }

    /// Buffers the readable rows of a file that was taken out, except those of objects that were read again.
    /// Returns how many there are.
    fn put_back(
        &mut self,
        disk: &dyn Disk,
        entry: &FileEntry,
        limits: Limits,
        read_again: &HashSet<String>,
    ) -> Result<u64, LakeError> {
        let Ok(reader) = Reader::of(disk, entry) else { return Ok(0) };
        let mut events = 0;
        for group in reader.groups() {
            let Ok(piece) = read_group(&reader, group, entry.partition.native) else { continue };
            let mut piece = piece.where_object(|object| {
                std::str::from_utf8(object).map_or(true, |object| !read_again.contains(object))
            });
            events += piece.len();
            self.since_commit += piece.bytes().len() as u64;
            self.buffers.add(&entry.partition, &mut piece);
            self.buffers.spill(limits.buffer_bytes, disk)?;
        }
        Ok(events)
    }

    /// Buffers the rows of files without checksums that were not read again. Called when all archives have
    /// been read.
    pub(super) fn take_over(&mut self, disk: &dyn Disk, limits: Limits) -> Result<(), LakeError> {
        let unsealed =
            self.broken.as_mut().map(|broken| std::mem::take(&mut broken.unsealed)).unwrap_or_default();
        let whole = |object: &&ObjectState| object.ending == Ending::Read && object.failed_total == 0;
        let keys: HashSet<u128> = self.objects.iter().filter(whole).map(ObjectState::key).collect();
        // Object names as they were when the rows were written: a source has another name when it is read
        // beside others.
        let mut read_again: HashSet<String> =
            self.objects.iter().filter(whole).map(|object| object.object.clone()).collect();
        if !unsealed.is_empty() {
            objects::for_each_object(disk, &self.manifest, |object| {
                if keys.contains(&object.key()) {
                    read_again.insert(object.object);
                }
            });
        }
        let partitions: HashSet<&Partition> = unsealed.iter().map(|entry| &entry.partition).collect();
        self.taken_over.extend(
            self.manifest.taken_over.iter().filter(|taken| !partitions.contains(&taken.partition)).cloned(),
        );
        for entry in &unsealed {
            let events = self.put_back(disk, entry, limits, &read_again)?;
            self.summary.events_taken_over += events;
            if events > 0 {
                self.taken_over.push(TakenOver { partition: entry.partition.clone(), events });
            }
        }
        Ok(())
    }

    /// Whether a commit is needed even if nothing was read.
    pub(super) fn is_repair(&self) -> bool {
        self.broken.as_ref().is_some_and(|broken| !broken.files.is_empty() || !broken.segments.is_empty())
    }

    /// Determines for everything that was damaged whether it is restored, and updates `manifest`. Called when
    /// all rows have been written to files.
    pub(super) fn judge(&mut self, manifest: &mut Manifest) {
        let Some(broken) = self.broken.take() else { return };
        let mut came: HashMap<Partition, u64> = std::mem::take(&mut self.added);
        let mut take = |partition: &Partition, most: u64| {
            let left = came.entry(partition.clone()).or_default();
            let taken = most.min(*left);
            *left -= taken;
            taken
        };
        manifest.lost.clear();
        manifest.taken_over = std::mem::take(&mut self.taken_over);
        for entry in broken.files {
            let file = entry.path().to_string_lossy().into_owned();
            match take(&entry.partition, entry.rows) {
                all if all == entry.rows => self.summary.repaired.push(file),
                0 => {
                    let reason = "damaged, and nothing of it could be had again".to_owned();
                    self.summary.damaged.push(Damage { file, reason });
                    self.files
                        .entry(entry.partition.clone())
                        .or_default()
                        .push(Present { entry, staged: false });
                }
                some => {
                    let (first, last) = (entry.first, entry.last);
                    let count = entry.rows - some;
                    manifest.lost.push(Lost { file, partition: Some(entry.partition), count, first, last });
                }
            }
        }
        let fresh = self.judge_segments(manifest, &broken.segments, &broken.known);
        for lost in broken.lost {
            let again = match &lost.partition {
                Some(partition) => take(partition, lost.count),
                None => fresh.min(lost.count),
            };
            if again < lost.count {
                manifest.lost.push(Lost { count: lost.count - again, ..lost });
            } else {
                self.summary.repaired.push(lost.file);
            }
        }
        self.summary.damaged.extend(manifest.lost.iter().map(Lost::damage));
    }

    /// Does the same for damaged segments. Returns how many objects have a result again.
    fn judge_segments(&mut self, manifest: &mut Manifest, damaged: &[Segment], known: &KnownObjects) -> u64 {
        let read_now: HashSet<u128> = self.objects.iter().map(ObjectState::key).collect();
        let fresh = read_now.iter().filter(|key| !known.contains(**key)).count() as u64;
        let files = damaged
            .iter()
            .map(|segment| crate::lake::layout::objects(&segment.name).to_string_lossy().into_owned());
        if fresh == 0 {
            let reason = "damaged, and none of its objects could be had again".to_owned();
            self.summary.damaged.extend(files.map(|file| Damage { file, reason: reason.clone() }));
            return 0;
        }
        // Restored if as many objects have results as all segments together had.
        let expected: u64 = self.manifest.segments.iter().filter_map(|segment| segment.seal?.fresh).sum();
        let lost = expected.saturating_sub(known.len() + fresh);
        manifest.segments.retain(|segment| damaged.iter().all(|other| other.name != segment.name));
        for file in files {
            if lost > 0 && manifest.lost.iter().all(|lost| lost.partition.is_some()) {
                manifest.lost.push(Lost {
                    file,
                    partition: None,
                    count: lost,
                    first: i64::MAX,
                    last: i64::MIN,
                });
            } else {
                self.summary.repaired.push(file);
            }
        }
        fresh
    }
}
