//! The writer: takes records object by object, writes them to files, and commits.
//!
//! A commit contains an object completely or not at all: workers add an object's rows piece by piece, and a
//! commit waits until no object is half added. Commits are made after every [`Limits::commit_bytes`] of rows
//! and at the end. If the process stops, the lake is as the last commit left it, and the next run reads only
//! what that commit does not contain.
//!
//! - `limits`: memory of a run; `buffer`: rows that wait to be written; `merge`: new rows and the files of
//!   their partition become files without duplicates;
//! - `collector`: the part of a worker; `flow`: how workers take turns with a commit; `publish`: what a
//!   commit consists of; `repair`: reads damaged parts again; `overtaken`: what happens if another run has
//!   committed meanwhile; `shards`: lakes staged by several machines and published by one; `shared_ids`: how
//!   many events have an id in common.

mod buffer;
mod collector;
mod flow;
mod limits;
mod merge;
mod overtaken;
mod publish;
mod repair;
mod shards;
mod shared_ids;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use super::LakeError;
use super::commit;
use super::commit::manifest::{Damage, Loaded, Manifest};
use super::commit::objects::{self, KnownObjects};
use super::disk::Location;
use super::disk::{Disk, Held, Lock};
use super::layout::WRITER;
use super::partition::Partition;
use crate::model::Coverage;
use crate::source::Known;
use merge::Present;
use publish::State;

pub use collector::Collector;
pub use limits::{Limits, MEMORY_BYTES_DEFAULT};
pub use shards::{Attempt, Days, MergedDays, PlanName, Published, merge_days, publish_shards};

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects that were read.
    pub objects_read: u64,
    /// Objects that were skipped because the lake contains them already.
    pub objects_known: u64,
    /// Those of the skipped objects that are damaged: what could be read of them is in the lake.
    pub objects_failed_before: u64,
    /// Objects with records that could not be added because a file of their day is damaged; the next run
    /// tries again.
    pub objects_held_back: u64,
    /// Files of the lake that are damaged.
    pub damaged: Vec<Damage>,
    /// Events that a repair copied unchecked from files without checksums, because no archive had them.
    pub events_taken_over: u64,
    /// Files whose events, or objects, were restored completely by a repair.
    pub repaired: Vec<String>,
    /// Snapshots that were read.
    pub snapshots: u64,
    /// Events that the lake did not have before.
    pub events_added: u64,
    /// Duplicates that were left out.
    pub events_duplicate: u64,
    /// Files that were written, and their size.
    pub files_written: u64,
    pub bytes_written: u64,
    /// All events of the lake.
    pub events_total: u64,
    pub files_total: u64,
}

/// A lake that is open for writing. In a folder, no other process can write to it until this is dropped.
pub struct Ingest {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) limits: Limits,
    pub(super) known: Arc<KnownObjects>,
    state: Mutex<State>,
    changed: Condvar,
    failed: AtomicBool,
    /// Whether an event with `readOnly: true` was among the records.
    read_only: AtomicBool,
    objects_known: AtomicU64,
    objects_failed_before: AtomicU64,
    /// The writer's lock. The system releases it however the process ends.
    _lock: Held,
}

impl Ingest {
    /// Opens the lake at `lake` for writing, and removes what an interrupted run left. In an empty or new
    /// folder, or at an empty prefix in S3, a new lake is begun. `select` names the `eventSource`s to keep
    /// (none: all); they cannot be changed later. In S3 two runs may write at the same time: the one that
    /// commits second does so on top of the other.
    ///
    /// # Errors
    /// Another run has it open; the folder contains something else; it keeps other services; an operation of
    /// the disk or the service failed.
    pub fn open(lake: impl Into<Location>, select: &[String], limits: Limits) -> Result<Self, LakeError> {
        let place = lake.into();
        place.make()?;
        Self::open_at(&place, Some(select), limits)
    }

    fn open_at(place: &Location, select: Option<&[String]>, limits: Limits) -> Result<Self, LakeError> {
        Self::open_on(place.disk()?, &place.name(), select, limits)
    }

    /// Opens the lake on this disk. `lake` is the name for errors; `select` is `None` to keep the services of
    /// an existing lake.
    pub(super) fn open_on(
        disk: Arc<dyn Disk>,
        lake: &Path,
        select: Option<&[String]>,
        limits: Limits,
    ) -> Result<Self, LakeError> {
        let lock =
            disk.lock(WRITER.as_ref(), Lock::Alone).map_err(|error| LakeError::io(WRITER.as_ref(), error))?;
        let lock = lock.ok_or_else(|| LakeError::Busy { lake: lake.to_path_buf() })?;
        let Loaded { mut manifest, damage } = Manifest::load(&*disk)?;
        if let Some(select) = select {
            let mut select = select.to_vec();
            select.sort_unstable();
            select.dedup();
            if manifest.generation > 0 && manifest.select != select {
                return Err(LakeError::OtherSelection {
                    kept: manifest.select.join(","),
                    asked: select.join(","),
                });
            }
            disk.recover(&manifest, limits.keep_replaced)?;
            manifest.select = select;
        } else {
            disk.recover(&manifest, limits.keep_replaced)?;
        }
        let (sound, broken) = objects::sound(&*disk, &manifest.segments);
        let known = Arc::new(KnownObjects::load(&*disk, &sound)?);
        let mut files: HashMap<Partition, Vec<Present>> = HashMap::new();
        for entry in &manifest.files {
            files
                .entry(entry.partition.clone())
                .or_default()
                .push(Present { entry: entry.clone(), staged: false });
        }
        let mut state = State::new(manifest, files);
        state.to_be_stored = damage.is_some();
        state.all_known = broken.is_empty();
        state.summary.damaged = damage.into_iter().chain(broken).collect();
        Ok(Self {
            disk,
            limits,
            known,
            state: Mutex::new(state),
            changed: Condvar::new(),
            failed: AtomicBool::new(false),
            read_only: AtomicBool::new(false),
            objects_known: AtomicU64::new(0),
            objects_failed_before: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// Objects that need not be read again.
    pub fn known(&self) -> Arc<dyn Known> {
        Arc::clone(&self.known) as Arc<dyn Known>
    }

    /// The `eventSource`s that the lake keeps; empty for all.
    pub fn selected(&self) -> Vec<String> {
        self.lock_state().manifest.select.clone()
    }

    /// The part of one worker, which takes its records.
    pub fn collector(&self) -> Collector<'_> {
        Collector::new(self)
    }

    /// Stores counts of the coverage that belong to no object: objects left out because of their names, and
    /// events that share an id.
    pub fn note(&self, coverage: &Coverage) {
        let mut state = self.lock_state();
        state.told.objects_left_out = Some(coverage.objects_left_out);
        state.told.events_sharing_an_id += coverage.events_sharing_an_id;
    }

    /// Commits what is left. `complete`: every source was read to its end, so that objects that could not be
    /// read before and were not met again no longer exist.
    ///
    /// # Errors
    /// The first error of this run; earlier commits are not affected.
    pub fn finish(self, complete: bool) -> Result<Summary, LakeError> {
        let state = self.lock_state();
        let mut state = self.close(state);
        if state.failure.is_none()
            && let Err(failure) = state.take_over(&*self.disk, self.limits)
        {
            state.failure = Some(failure);
        }
        if complete {
            state.unread_before.clear();
            state.complete = true;
        }
        state.ends = true;
        let changed = state.since_commit > 0
            || !state.objects.is_empty()
            || state.manifest.generation == 0
            || state.to_be_stored
            || state.is_repair()
            || state.owes_shared_ids(&*self.disk);
        if state.failure.is_none() && (changed || state.all_unread() != state.manifest.unread) {
            state = self.commit(state);
        }
        if let Some(failure) = state.failure.take() {
            let _ = commit::sweep(&*self.disk);
            return Err(failure);
        }
        let mut summary = std::mem::take(&mut state.summary);
        let files = &state.manifest.files;
        summary.files_total = files.len() as u64;
        summary.objects_known = self.objects_known.load(Ordering::Relaxed);
        summary.objects_failed_before = self.objects_failed_before.load(Ordering::Relaxed);
        summary.events_total = files.iter().filter(|file| !file.partition.native).map(|file| file.rows).sum();
        Ok(summary)
    }
}
