//! The writer: takes records object by object, makes files of them, and commits.
//!
//! Objects are whole or not there: workers hand in an object's rows piece by piece, and while a commit is made none is
//! half in. A commit comes after every [`Limits::commit_bytes`] of rows and at the end; whatever stops the process, the lake
//! is as the last commit left it, and the next run reads only what that commit does not know.
//!
//! - `limits`: how much memory a run takes; `folder`: what lies where, and the lock;
//! - `collector`: a worker's part; `flow`: whose turn it is; `publish`: the commit itself.

mod collector;
mod flow;
mod folder;
mod limits;
mod publish;

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use super::LakeError;
use super::merge::Present;
use super::partition::Partition;
use super::state::{self, KnownObjects, Manifest};
use crate::model::Coverage;
use crate::source::Known;
use folder::{check_folder, clean, lock, spill, staging};
use publish::State;

pub use collector::Collector;
pub use limits::{Limits, MEMORY_BYTES_DEFAULT};

/// What a run has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects that were read.
    pub objects_read: u64,
    /// Objects that the lake had already.
    pub objects_known: u64,
    /// Those of them that are damaged: what could be read of them is in the lake.
    pub objects_failed_before: u64,
    /// Events that are new in the lake.
    pub events_added: u64,
    /// Second copies that were left out.
    pub events_duplicate: u64,
    /// Files that were written, and their size.
    pub files_written: u64,
    pub bytes_written: u64,
    /// Everything that is in the lake now.
    pub events_total: u64,
    pub files_total: u64,
}

/// A lake that is being extended. Nobody else can, until this is dropped.
pub struct Ingest {
    lake: PathBuf,
    limits: Limits,
    known: Arc<KnownObjects>,
    state: Mutex<State>,
    changed: Condvar,
    failed: AtomicBool,
    /// An event with `readOnly: true` was among the records.
    read_only: AtomicBool,
    objects_known: AtomicU64,
    objects_failed_before: AtomicU64,
    /// Held for its lock, which the system lets go of when the process ends in whatever way.
    _lock: File,
}

impl Ingest {
    /// Opens the lake at `lake`, or begins one in an empty or new folder, and removes what an interrupted run left.
    /// `select` names the `eventSource`s to keep (none: all); a lake keeps the same ones all its life.
    ///
    /// # Errors
    /// Another run has it open; the folder holds something else; it keeps other services; the disk refuses.
    pub fn open(lake: &Path, select: &[String], limits: Limits) -> Result<Self, LakeError> {
        check_folder(lake)?;
        for folder in [staging(lake), spill(lake), state::objects_folder(lake)] {
            fs::create_dir_all(&folder).map_err(|error| LakeError::io(&folder, error))?;
        }
        let lock = lock(lake)?;
        let mut manifest = Manifest::load(lake)?;
        let mut select = select.to_vec();
        select.sort_unstable();
        select.dedup();
        if manifest.generation > 0 && manifest.select != select {
            return Err(LakeError::OtherSelection { kept: manifest.select.join(","), asked: select.join(",") });
        }
        manifest.select = select;
        clean(lake, &manifest)?;
        let known = Arc::new(KnownObjects::load(lake, &manifest)?);
        let mut files: HashMap<Partition, Vec<Present>> = HashMap::new();
        for entry in &manifest.files {
            files.entry(entry.partition.clone()).or_default().push(Present { path: lake.join(entry.path()), entry: entry.clone() });
        }
        let state = State::new(manifest, files);
        Ok(Self {
            lake: lake.to_path_buf(),
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

    /// Takes the records of one worker.
    pub fn collector(&self) -> Collector<'_> {
        Collector::new(self)
    }

    /// Keeps what a run tells beside its objects: what was left out by name, and events that share an id.
    pub fn note(&self, coverage: &Coverage) {
        let mut state = self.lock_state();
        state.manifest.objects_left_out = coverage.objects_left_out;
        state.manifest.events_sharing_an_id += coverage.events_sharing_an_id;
    }

    /// Commits what is left. `complete`: every source was read to its end, so that what could not be had before and was not
    /// met again is no longer there to be had.
    ///
    /// # Errors
    /// What stopped this run, if something did; what was committed before stands.
    pub fn finish(self, complete: bool) -> Result<Summary, LakeError> {
        let state = self.lock_state();
        let mut state = self.close(state);
        if complete {
            state.unread_before.clear();
        }
        let changed = state.since_commit > 0 || !state.objects.is_empty() || state.manifest.generation == 0;
        if state.failure.is_none() && (changed || state.all_unread() != state.manifest.unread) {
            state = self.commit(state);
        }
        if let Some(failure) = state.failure.take() {
            let _ = clean(&self.lake, &state.manifest);
            return Err(failure);
        }
        let files = &state.manifest.files;
        let mut summary = Summary { files_total: files.len() as u64, ..state.summary };
        summary.objects_known = self.objects_known.load(Ordering::Relaxed);
        summary.objects_failed_before = self.objects_failed_before.load(Ordering::Relaxed);
        summary.events_total = files.iter().filter(|file| !file.partition.native).map(|file| file.rows).sum();
        Ok(summary)
    }
}
