//! What happens if another run has committed while this one was working: this run's files become part of a
//! commit on top of the other one.
//!
//! In partitions that the other run has not changed, this run's files are kept and renamed for the later
//! commit. In partitions that it has changed, the rows of this run's objects are merged again, with the
//! partition as it is now. So no event is lost or stored twice, even if both runs have read the same objects.
//! A repair is never committed on top of another run, because its conclusions hold only for the lake that it
//! has examined.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Limits;
use super::merge::{Present, read_group};
use super::publish::State;
use crate::lake::LakeError;
use crate::lake::commit::manifest::{FileEntry, Loaded, Manifest, Segment};
use crate::lake::commit::objects::{self, ObjectState};
use crate::lake::disk::Disk;
use crate::lake::partition::Partition;

impl State {
    /// Whether the files that were written can become part of a later commit.
    pub(super) fn can_go_on(&self, disk: &dyn Disk) -> bool {
        disk.can_be_overtaken() && self.broken.is_none() && self.taken_over.is_empty()
    }

    /// Turns what this run has written since its last commit, and could not commit, into a change of the lake
    /// as it is now. Rows that have to be merged again are put back into the buffers.
    pub(super) fn go_on(&mut self, disk: &dyn Disk, limits: Limits) -> Result<(), LakeError> {
        let Loaded { manifest: now, damage } = Manifest::load(disk)?;
        if now.select != self.manifest.select {
            return Err(LakeError::OtherSelection {
                kept: now.select.join(","),
                asked: self.manifest.select.join(","),
            });
        }
        if let Some(plan) = self.told.plans.iter().find(|plan| now.plans.contains(plan)) {
            return Err(LakeError::Published { plan: plan.clone() });
        }
        self.to_be_stored |= damage.is_some();
        self.summary.damaged.extend(damage);
        // Includes objects that were not read to their end: their rows so far are part of the commit.
        let ours: HashSet<String> =
            self.objects.iter().chain(self.unread.values()).map(|object| object.object.clone()).collect();
        self.take_in_objects(disk, &now)?;
        let before = std::mem::take(&mut self.manifest);
        self.take_in_files(disk, [&before, &now], &ours, limits)?;
        self.is_first_run = false;
        self.manifest = now;
        Ok(())
    }

    /// Takes over the results of objects from the other run's commits.
    fn take_in_objects(&mut self, disk: &dyn Disk, now: &Manifest) -> Result<(), LakeError> {
        let known: HashSet<&str> =
            self.manifest.segments.iter().map(|segment| segment.name.as_str()).collect();
        let fresh: Vec<Segment> =
            now.segments.iter().filter(|segment| !known.contains(segment.name.as_str())).cloned().collect();
        let (sound, broken) = objects::sound(disk, &fresh);
        self.all_known &= broken.is_empty();
        self.summary.damaged.extend(broken);
        // Of objects that both runs have met, this run's results are kept.
        let met: HashSet<u128> =
            self.objects.iter().map(ObjectState::key).chain(self.committed.iter().copied()).collect();
        let before: HashSet<u128> = self.manifest.unread.iter().map(ObjectState::key).collect();
        let is_left = |key: &u128| !(met.contains(key) || self.complete && before.contains(key));
        let unread = now.unread.iter().map(|object| (object.key(), object.clone()));
        self.unread_before = unread.filter(|(key, _)| is_left(key)).collect();
        for segment in &sound {
            objects::lines(disk, segment, &mut |object| {
                self.unread.remove(&object.key());
                self.committed.insert(object.key());
                Ok(())
            })?;
        }
        self.number_nameless(now.generation + 1);
        Ok(())
    }

    /// Objects without an address (standard input) are named after the commit that contains them.
    fn number_nameless(&mut self, generation: u64) {
        let before = format!("-#{}.", self.manifest.generation + 1);
        for address in self.objects.iter_mut().filter_map(|object| object.address.as_mut()) {
            if let Some(number) = address.strip_prefix(&before) {
                *address = format!("-#{generation}.{number}");
            }
        }
    }

    /// Takes over the files of the other run's commits; rows of this run's objects are buffered again where a
    /// partition has changed.
    fn take_in_files(
        &mut self,
        disk: &dyn Disk,
        [before, now]: [&Manifest; 2],
        objects: &HashSet<String>,
        limits: Limits,
    ) -> Result<(), LakeError> {
        let (before, now, generation) = (by_partition(before), by_partition(now), now.generation + 1);
        let mut ours = std::mem::take(&mut self.files);
        let partitions: BTreeSet<Partition> = before
            .keys()
            .chain(now.keys())
            .map(|partition| (*partition).clone())
            .chain(ours.keys().cloned())
            .collect();
        for partition in partitions {
            let (theirs, mine) = (now.get(&partition), ours.remove(&partition).unwrap_or_default());
            if theirs == before.get(&partition) {
                let files = mine
                    .into_iter()
                    .map(|present| restaged(disk, present, generation))
                    .collect::<Result<_, _>>()?;
                self.files.insert(partition, files);
                continue;
            }
            let theirs = theirs
                .into_iter()
                .flat_map(BTreeMap::values)
                .map(|entry| Present { entry: (*entry).clone(), staged: false });
            self.files.insert(partition.clone(), theirs.collect());
            self.write_again(disk, &partition, mine, objects, limits)?;
        }
        Ok(())
    }

    /// Buffers the rows of these objects again, from files written since the last commit, and removes the
    /// files.
    fn write_again(
        &mut self,
        disk: &dyn Disk,
        partition: &Partition,
        files: Vec<Present>,
        objects: &HashSet<String>,
        limits: Limits,
    ) -> Result<(), LakeError> {
        // They are counted again when they are merged.
        let since = self.since.remove(partition).unwrap_or_default();
        self.duplicates = self.duplicates.saturating_sub(since.moved);
        self.summary.events_duplicate = self.summary.events_duplicate.saturating_sub(since.moved);
        self.summary.events_added =
            self.summary.events_added.saturating_sub(if partition.native { 0 } else { since.added });
        let added = self.added.entry(partition.clone()).or_default();
        *added = added.saturating_sub(since.added);
        for present in files.into_iter().filter(|present| present.staged) {
            let reader = present.reader(disk)?;
            for group in reader.groups() {
                let piece = read_group(&reader, group, partition.native)?;
                let mut piece = piece.where_object(|object| {
                    std::str::from_utf8(object).is_ok_and(|object| objects.contains(object))
                });
                self.buffers.add(partition, &mut piece);
                self.buffers.spill(limits.buffer_bytes, disk)?;
            }
            drop(reader);
            disk.remove(&present.path()).map_err(|error| LakeError::io(&present.path(), error))?;
        }
        Ok(())
    }
}

/// The file renamed for a later commit.
fn restaged(disk: &dyn Disk, mut present: Present, generation: u64) -> Result<Present, LakeError> {
    if present.staged {
        present.entry.name = disk
            .restage(&present.entry.name, generation)
            .map_err(|error| LakeError::io(&present.path(), error))?;
    }
    Ok(present)
}

/// The files of each partition by name.
fn by_partition(manifest: &Manifest) -> HashMap<&Partition, BTreeMap<&str, &FileEntry>> {
    let mut partitions: HashMap<&Partition, BTreeMap<&str, &FileEntry>> = HashMap::new();
    for file in &manifest.files {
        partitions.entry(&file.partition).or_default().insert(&file.name, file);
    }
    partitions
}
