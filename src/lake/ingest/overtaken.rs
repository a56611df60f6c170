//! Another run has committed while this one was at work: what this one has written becomes a commit on top of
//! that.
//!
//! Where the other run has left a partition as it was, our files of it stand as they are, under the names of
//! the later commit. Where it has changed one, the rows of our objects come in again, as new rows of the
//! partition as it is now: so no event is lost, and none is there twice, even where both runs have read the
//! same objects. A repair is never made on top of another run, for it has judged what it found.

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
    /// Whether what was written can become a later commit.
    pub(super) fn can_go_on(&self, disk: &dyn Disk) -> bool {
        disk.can_be_overtaken() && self.broken.is_none() && self.taken_over.is_empty()
    }

    /// Makes what this run has written since its last commit, and could not commit, a change of the lake as
    /// it is now. What has to be written anew waits in the buffers then.
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
        // Of an object that could not be had to its end, what came is there, too.
        let ours: HashSet<String> =
            self.objects.iter().chain(self.unread.values()).map(|object| object.object.clone()).collect();
        self.take_in_objects(disk, &now)?;
        let before = std::mem::take(&mut self.manifest);
        self.take_in_files(disk, [&before, &now], &ours, limits)?;
        self.manifest = now;
        Ok(())
    }

    /// What became of objects in the other run.
    fn take_in_objects(&mut self, disk: &dyn Disk, now: &Manifest) -> Result<(), LakeError> {
        let known: HashSet<&str> =
            self.manifest.segments.iter().map(|segment| segment.name.as_str()).collect();
        let fresh: Vec<Segment> =
            now.segments.iter().filter(|segment| !known.contains(segment.name.as_str())).cloned().collect();
        let (sound, broken) = objects::sound(disk, &fresh);
        self.all_known &= broken.is_empty();
        self.summary.damaged.extend(broken);
        // What this run has met is as this run has met it.
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

    /// Objects without an address of their own are called by the commit that has them.
    fn number_nameless(&mut self, generation: u64) {
        let before = format!("-#{}.", self.manifest.generation + 1);
        for address in self.objects.iter_mut().filter_map(|object| object.address.as_mut()) {
            if let Some(number) = address.strip_prefix(&before) {
                *address = format!("-#{generation}.{number}");
            }
        }
    }

    /// Which files there are; rows of our objects wait where they have to be written anew.
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

    /// The rows of these objects in files that were made since the last commit wait again, and the files go.
    fn write_again(
        &mut self,
        disk: &dyn Disk,
        partition: &Partition,
        files: Vec<Present>,
        objects: &HashSet<String>,
        limits: Limits,
    ) -> Result<(), LakeError> {
        // They are counted when they come in again.
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

/// A file of ours under the name that it has as part of a later commit.
fn restaged(disk: &dyn Disk, mut present: Present, generation: u64) -> Result<Present, LakeError> {
    if present.staged {
        present.entry.name = disk
            .restage(&present.entry.name, generation)
            .map_err(|error| LakeError::io(&present.path(), error))?;
    }
    Ok(present)
}

/// The files of each partition, by their names.
fn by_partition(manifest: &Manifest) -> HashMap<&Partition, BTreeMap<&str, &FileEntry>> {
    let mut partitions: HashMap<&Partition, BTreeMap<&str, &FileEntry>> = HashMap::new();
    for file in &manifest.files {
        partitions.entry(&file.partition).or_default().insert(&file.name, file);
    }
    partitions
}
