//! What a commit consists of: files, the results of objects, and the manifest that names both.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::buffer::Buffers;
use super::merge::{Merged, Present};
use super::repair::Broken;
use super::{Limits, Summary};
use crate::lake::LakeError;
use crate::lake::commit::manifest::{Manifest, TakenOver};
use crate::lake::commit::objects::{self, Ending, KnownObjects, ObjectState};
use crate::lake::disk::Disk;
use crate::lake::layout;
use crate::lake::partition::Partition;

/// Number of published plans that a manifest lists.
const PLANS_MAX: usize = 16;

/// Counts and notes for the next commit that do not depend on files.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// `None` if unchanged.
    pub objects_left_out: Option<u64>,
    pub events_sharing_an_id: u64,
    pub read_only: bool,
    /// Plans that are published by the next commit.
    pub plans: Vec<String>,
}

impl Told {
    fn add_to(&self, manifest: &mut Manifest) {
        manifest.objects_left_out = self.objects_left_out.unwrap_or(manifest.objects_left_out);
        manifest.events_sharing_an_id += self.events_sharing_an_id;
        manifest.read_only |= self.read_only;
        manifest.plans.extend_from_slice(&self.plans);
        let more = manifest.plans.len().saturating_sub(PLANS_MAX);
        manifest.plans.drain(..more);
    }
}

/// Counts of a partition since the last commit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Since {
    /// Rows that are new in the lake.
    pub added: u64,
    /// Rows that replaced a duplicate from an object that sorts later.
    pub moved: u64,
}

/// The state that all workers of a run share.
pub(super) struct State {
    /// The manifest in effect: that of the last commit, by this run or another one.
    pub manifest: Manifest,
    /// What the next commit records besides files.
    pub told: Told,
    pub buffers: Buffers,
    /// The files of each partition: those in effect, and those that will be with the next commit.
    pub files: HashMap<Partition, Vec<Present>>,
    /// For each object, the number of rows since the last commit that could not be added because a file of
    /// their day is damaged.
    pub held_back: HashMap<String, u64>,
    /// Number of rows that this run has added to each partition.
    pub added: HashMap<Partition, u64>,
    /// Counts of each partition since the last commit.
    pub since: HashMap<Partition, Since>,
    /// In a repair: what is damaged.
    pub broken: Option<Broken>,
    /// Events that a repair has copied unchecked.
    pub taken_over: Vec<TakenOver>,
    /// Whether the manifest has to be written even if nothing was added, because the one on disk is damaged.
    pub to_be_stored: bool,
    pub objects: Vec<ObjectState>,
    /// Fingerprints of the objects in this run's earlier commits.
    pub committed: HashSet<u128>,
    /// Whether no segment was damaged when the lake was opened.
    pub all_known: bool,
    /// Objects that could not be read: in this run, and in earlier ones unless they were met again.
    pub unread: BTreeMap<u128, ObjectState>,
    pub unread_before: BTreeMap<u128, ObjectState>,
    /// Whether all sources were read to their end, so that objects that failed in earlier runs and were not
    /// met again no longer exist.
    pub complete: bool,
    /// Whether the next commit is the run's last.
    pub ends: bool,
    /// Whether the lake has only what this run has brought.
    pub is_first_run: bool,
    /// Bytes of rows since the last commit.
    pub since_commit: u64,
    /// Duplicates since the last commit.
    pub duplicates: u64,
    pub names: u64,
    /// Number of objects that have been begun and not ended.
    pub open: usize,
    /// Whether a commit is waiting or being made; no object may be begun.
    pub closing: bool,
    /// Number of partitions that are being written, and the bytes of their rows.
    pub writing: usize,
    pub writing_bytes: u64,
    pub failure: Option<LakeError>,
    pub summary: Summary,
}

impl State {
    pub(super) fn new(manifest: Manifest, files: HashMap<Partition, Vec<Present>>) -> Self {
        Self {
            buffers: Buffers::default(),
            files,
            held_back: HashMap::new(),
            added: HashMap::new(),
            since: HashMap::new(),
            told: Told::default(),
            complete: false,
            broken: None,
            taken_over: Vec::new(),
            to_be_stored: false,
            objects: Vec::new(),
            committed: HashSet::new(),
            all_known: true,
            unread: BTreeMap::new(),
            unread_before: manifest.unread.iter().map(|object| (object.key(), object.clone())).collect(),
            ends: false,
            is_first_run: manifest.generation == 0,
            manifest,
            since_commit: 0,
            duplicates: 0,
            names: 0,
            open: 0,
            closing: false,
            writing: 0,
            writing_bytes: 0,
            failure: None,
            summary: Summary::default(),
        }
    }

    /// Whether another partition with `bytes` of rows can be written now: if no other is being written, or
    /// all of them are small.
    pub(super) fn has_room(&self, bytes: u64, limits: Limits) -> bool {
        self.writing == 0
            || (self.writing < limits.writers && self.writing_bytes + bytes <= limits.file_bytes)
    }

    /// Takes over the files that a merge has written.
    pub(super) fn note(&mut self, disk: &dyn Disk, partition: &Partition, merged: Merged) {
        let files = self.files.entry(partition.clone()).or_default();
        for name in merged.replaced {
            if let Some(at) = files.iter().position(|present| present.entry.name == name) {
                let old = files.swap_remove(at);
                if old.staged {
                    let _ = disk.remove(&old.path());
                }
            }
        }
        self.summary.files_written += merged.files.len() as u64;
        self.summary.bytes_written += merged.files.iter().map(|present| present.entry.bytes).sum::<u64>();
        self.summary.events_duplicate += merged.duplicates;
        self.duplicates += merged.duplicates;
        self.summary.events_added += if partition.native { 0 } else { merged.added };
        *self.added.entry(partition.clone()).or_default() += merged.added;
        let since = self.since.entry(partition.clone()).or_default();
        since.added += merged.added;
        since.moved += merged.moved;
        files.extend(merged.files);
        for (object, rows) in merged.held_back {
            *self.held_back.entry(object).or_default() += rows;
        }
        let known = &mut self.summary.damaged;
        for damage in merged.damaged {
            if !known.contains(&damage) {
                known.push(damage);
            }
        }
    }

    /// Objects whose rows could not be added count as unreadable, so that the next run tries again.
    fn hold_back(&mut self) {
        let held = std::mem::take(&mut self.held_back);
        let (back, objects) = std::mem::take(&mut self.objects)
            .into_iter()
            .partition(|object: &ObjectState| held.contains_key(&object.object));
        self.objects = objects;
        self.summary.objects_held_back += back.len() as u64;
        for mut object in back {
            let rows = held.get(&object.object).copied().unwrap_or_default();
            object.records = object.records.saturating_sub(rows);
            object.stamp = None;
            object.ending = Ending::Failed;
            object.reason = Some(format!(
                "{rows} of its events belong to a day of which a file of the lake is damaged: run tagfall \
                 lake repair"
            ));
            self.unread.insert(object.key(), object);
        }
    }

    /// Number of objects in the next commit that were in no earlier one; `None` if that is not known.
    fn fresh(&self, known: &KnownObjects) -> Option<u64> {
        let keys: HashSet<u128> = self.objects.iter().map(ObjectState::key).collect();
        let before = self.broken.as_ref().map_or(known, |broken| &broken.known);
        let fresh =
            keys.iter().filter(|key| !before.contains(**key) && !self.committed.contains(key)).count();
        self.all_known.then_some(fresh as u64)
    }

    /// An unused name for the segment of the next commit.
    fn segment_name(&self, disk: &dyn Disk) -> String {
        let generation = self.manifest.generation + 1;
        let names =
            (0..).map(|try_again| if try_again == 0 { generation } else { generation * 1_000 + try_again });
        let mut names = names.map(|number| format!("{number:06}.ndjson.gz"));
        names.find(|name| !disk.has(&layout::objects(name))).unwrap_or_default()
    }

    /// All objects that could not be read, sorted.
    pub(super) fn all_unread(&self) -> Vec<ObjectState> {
        let all: BTreeMap<u128, &ObjectState> =
            self.unread_before.iter().chain(&self.unread).map(|(key, object)| (*key, object)).collect();
        all.into_values().cloned().collect()
    }

    /// Commits everything that was written.
    pub(super) fn publish(
        &mut self,
        disk: &dyn Disk,
        known: &KnownObjects,
        limits: Limits,
    ) -> Result<(), LakeError> {
        self.hold_back();
        // Sorted, so that the order of reading does not matter. Of an object that was read twice the last
        // line counts.
        self.objects.sort_by(|one, other| one.object.cmp(&other.object));
        let mut manifest = self.manifest.clone();
        manifest.generation += 1;
        manifest.records_duplicate += self.duplicates;
        self.told.add_to(&mut manifest);
        manifest.answers |=
            self.objects.iter().chain(self.unread.values()).any(|object| !object.answers.is_empty());
        manifest.segments =
            objects::add(disk, &self.manifest, self.segment_name(disk), &self.objects, self.fresh(known))?;
        self.judge(&mut manifest);
        manifest.files = self.files.values().flatten().map(|present| present.entry.clone()).collect();
        manifest
            .files
            .sort_unstable_by(|a, b| (&a.partition, a.first, &a.name).cmp(&(&b.partition, b.first, &b.name)));
        manifest.unread = self.all_unread();
        self.count_shared_ids(disk, &mut manifest);
        disk.publish(&self.manifest, &manifest, limits.keep_replaced)?;
        self.files.values_mut().flatten().for_each(|present| present.staged = false);
        self.manifest = manifest;
        self.committed.extend(self.objects.drain(..).map(|object| object.key()));
        self.since.clear();
        self.told = Told::default();
        (self.duplicates, self.since_commit, self.names) = (0, 0, 0);
        self.to_be_stored = false;
        Ok(())
    }
}
