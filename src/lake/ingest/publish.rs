//! The commit: files into their places, what is known of the objects, and last the manifest, with which it all counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use super::folder::{staging, sync_files, sync_up};
use super::{Limits, Summary};
use crate::lake::LakeError;
use crate::lake::buffer::Buffers;
use crate::lake::merge::{Merged, Present};
use crate::lake::partition::Partition;
use crate::lake::state::{self, Manifest, ObjectState};

/// What all workers of a run share.
pub(super) struct State {
    pub manifest: Manifest,
    pub buffers: Buffers,
    /// Files of each partition: those that count, and those that will with the next commit.
    pub files: HashMap<Partition, Vec<Present>>,
    /// Names of committed files that will not count any more.
    pub replaced: BTreeSet<String>,
    pub objects: Vec<ObjectState>,
    /// Objects that could not be had: in this run, and in earlier ones as far as they were not met again.
    pub unread: BTreeMap<u128, ObjectState>,
    pub unread_before: BTreeMap<u128, ObjectState>,
    /// Bytes of rows since the last commit.
    pub since_commit: u64,
    /// Second copies since the last commit.
    pub duplicates: u64,
    pub names: u64,
    /// Objects that are half in.
    pub open: usize,
    /// Nobody may begin an object: a commit is waiting, or under way.
    pub closing: bool,
    /// Partitions that are being written, and the bytes of their rows.
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
            replaced: BTreeSet::new(),
            objects: Vec::new(),
            unread: BTreeMap::new(),
            unread_before: manifest.unread.iter().map(|object| (object.key(), object.clone())).collect(),
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

    /// Whether another partition with so many bytes of rows can be written now. One can always, and small ones together.
    pub(super) fn has_room(&self, bytes: u64, limits: Limits) -> bool {
        self.writing == 0 || (self.writing < limits.writers && self.writing_bytes + bytes <= limits.file_bytes)
    }

    /// Takes in files that were made.
    pub(super) fn note(&mut self, partition: &Partition, merged: Merged) {
        let files = self.files.entry(partition.clone()).or_default();
        for name in merged.replaced {
            if let Some(at) = files.iter().position(|present| present.entry.name == name) {
                let old = files.swap_remove(at);
                if self.manifest.files.iter().any(|file| file.name == name) {
                    self.replaced.insert(name);
                } else {
                    let _ = fs::remove_file(old.path);
                }
            }
        }
        self.summary.files_written += merged.files.len() as u64;
        self.summary.bytes_written += merged.files.iter().map(|present| present.entry.bytes).sum::<u64>();
        self.summary.events_duplicate += merged.duplicates;
        self.duplicates += merged.duplicates;
        self.summary.events_added += if partition.native { 0 } else { merged.added };
        files.extend(merged.files);
    }

    /// Objects that are still to be had, in an order of their own.
    pub(super) fn all_unread(&self) -> Vec<ObjectState> {
        let all: BTreeMap<u128, &ObjectState> = self.unread_before.iter().chain(&self.unread).map(|(key, object)| (*key, object)).collect();
        all.into_values().cloned().collect()
    }

    /// Files into their places, then the objects, then the manifest: only with that it all counts.
    pub(super) fn publish(&mut self, lake: &Path) -> Result<(), LakeError> {
        let mut manifest = self.manifest.clone();
        manifest.generation += 1;
        manifest.records_duplicate += std::mem::take(&mut self.duplicates);
        // Readers that know no manifest see files as soon as they are in place: that comes last but one.
        manifest.add_objects(lake, &self.objects)?;
        let staging = staging(lake);
        let fresh = self.files.values().flatten().map(|present| &present.path).filter(|path| path.starts_with(&staging));
        sync_files(&fresh.cloned().collect::<Vec<_>>())?;
        let mut folders = BTreeSet::new();
        for present in self.files.values_mut().flatten().filter(|present| present.path.starts_with(&staging)) {
            let folder = lake.join(present.entry.partition.folder());
            let path = folder.join(&present.entry.name);
            fs::create_dir_all(&folder).and_then(|()| fs::rename(&present.path, &path)).map_err(|error| LakeError::io(&path, error))?;
            present.path = path;
            folders.insert(folder);
        }
        sync_up(lake, &folders)?;
        manifest.files = self.files.values().flatten().map(|present| present.entry.clone()).collect();
        manifest.files.sort_unstable_by(|a, b| (&a.partition, a.first, &a.name).cmp(&(&b.partition, b.first, &b.name)));
        manifest.unread = self.all_unread();
        manifest.store(lake)?;
        for file in self.manifest.files.iter().filter(|file| self.replaced.contains(&file.name)) {
            let _ = fs::remove_file(lake.join(file.path()));
        }
        for segment in self.manifest.segments.iter().filter(|segment| !manifest.segments.contains(segment)) {
            let _ = fs::remove_file(state::objects_folder(lake).join(segment));
        }
        self.manifest = manifest;
        self.objects.clear();
        self.replaced.clear();
        self.since_commit = 0;
        self.names = 0;
        Ok(())
    }
}
