//! The writer: takes records object by object, makes files of them, and commits.
//!
//! Objects are whole or not there: workers hand in an object's records piece by piece, and while a commit is made none is
//! half in. A commit comes after every [`Limits::commit_bytes`] of records and at the end; whatever stops the process, the lake
//! is as the last commit left it, and the next run reads only what that commit does not know.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::LakeError;
use super::buffer::{Buffers, unspill};
use super::frame::Frame;
use super::merge::{Merged, Present, Work};
use super::partition::Partition;
use super::record::Split;
use super::state::{self, Ending, KnownObjects, Manifest, ObjectState};
use crate::decode::{ObjectReport, Outcome, RawRecord};
use crate::model::Timestamp;
use crate::pipeline;
use crate::source::layout::Place;
use crate::source::{Delivery, Fetched, Known};

/// Bounds on memory and on what an interruption costs.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// JSON of the records in one file, about.
    pub file_bytes: u64,
    /// Records that wait in memory; more go to spill files.
    pub buffer_bytes: usize,
    /// Records between two commits.
    pub commit_bytes: u64,
    /// Files that are made at the same time; each takes about three times `file_bytes`.
    pub writers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 64 << 20, buffer_bytes: 64 << 20, commit_bytes: 2 << 30, writers: 2 }
    }
}

/// Pieces of an object that a worker hands in at once.
const PIECE_BYTES: usize = 4 << 20;

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
    objects_known: AtomicU64,
    objects_failed_before: AtomicU64,
    /// Held for its lock, which the system lets go of when the process ends in whatever way.
    _lock: File,
}

struct State {
    manifest: Manifest,
    buffers: Buffers,
    /// Files of each partition: those that count, and those that will with the next commit.
    files: HashMap<Partition, Vec<Present>>,
    /// Names of committed files that will not count any more.
    replaced: BTreeSet<String>,
    objects: Vec<ObjectState>,
    unread: BTreeMap<u128, ObjectState>,
    /// Bytes of records since the last commit.
    since_commit: u64,
    /// Second copies since the last commit.
    duplicates: u64,
    names: u64,
    /// Objects that are half in.
    open: usize,
    /// Nobody may begin an object: a commit is waiting, or under way.
    closing: bool,
    writing: usize,
    failure: Option<LakeError>,
    summary: Summary,
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
        let state = State {
            manifest,
            buffers: Buffers::default(),
            files,
            replaced: BTreeSet::new(),
            objects: Vec::new(),
            unread: BTreeMap::new(),
            since_commit: 0,
            duplicates: 0,
            names: 0,
            open: 0,
            closing: false,
            writing: 0,
            failure: None,
            summary: Summary::default(),
        };
        Ok(Self {
            lake: lake.to_path_buf(),
            limits,
            known,
            state: Mutex::new(state),
            changed: Condvar::new(),
            failed: AtomicBool::new(false),
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
        Collector { ingest: self, pieces: HashMap::new(), bytes: 0, inside: false, taken: 0 }
    }

    /// Commits what is left. `complete`: every source was read to its end, so that what could not be had before and was not
    /// met again is no longer there to be had.
    ///
    /// # Errors
    /// What stopped this run, if something did; what was committed before stands.
    pub fn finish(self, complete: bool) -> Result<Summary, LakeError> {
        let state = self.lock_state();
        let mut state = self.close(state);
        if !complete {
            for object in state.manifest.unread.clone() {
                state.unread.entry(object.key()).or_insert(object);
            }
        }
        let changed = state.since_commit > 0 || !state.objects.is_empty() || state.manifest.generation == 0;
        let unread: Vec<ObjectState> = state.unread.values().cloned().collect();
        if state.failure.is_none() && (changed || unread != state.manifest.unread) {
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

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an object: not while a commit is made.
    fn enter(&self) {
        let mut state = self.lock_state();
        while state.closing {
            state = self.wait(state);
        }
        state.open += 1;
    }

    /// Takes records of an object that was begun.
    fn add(&self, pieces: &mut HashMap<Partition, Vec<u8>>) {
        let mut ripe = Vec::new();
        {
            let mut state = self.lock_state();
            for (partition, bytes) in pieces.iter_mut().filter(|(_, bytes)| !bytes.is_empty()) {
                state.since_commit += bytes.len() as u64;
                state.buffers.add(partition, bytes);
                bytes.clear();
                if state.buffers.is_ripe(partition, self.limits.file_bytes) {
                    ripe.push(partition.clone());
                }
            }
            if let Err(failure) = state.buffers.spill(self.limits.buffer_bytes, &spill(&self.lake)) {
                self.fail(&mut state, failure);
            }
        }
        pieces.retain(|_, bytes| bytes.capacity() > 0 && bytes.capacity() <= PIECE_BYTES);
        for partition in ripe {
            self.write_if(&partition, |state| state.buffers.is_ripe(&partition, self.limits.file_bytes));
        }
    }

    /// An object is in: with all its records.
    fn leave(&self, object: Option<ObjectState>, had: bool) {
        let mut state = self.lock_state();
        if had {
            state.open -= 1;
        }
        if let Some(mut object) = object {
            if object.address.is_none() && object.stamp.is_some() && object.ending != Ending::Skipped {
                // Standard input is another object every time.
                object.address = Some(format!("-#{}.{}", state.manifest.generation + 1, state.objects.len()));
            }
            state.summary.objects_read += u64::from(object.ending != Ending::Skipped);
            if object.ending == Ending::Failed && object.stamp.is_none() {
                state.unread.insert(object.key(), object);
            } else if object.ending != Ending::Skipped || !self.known.has(&object) {
                state.objects.push(object);
            }
        }
        self.changed.notify_all();
        if state.since_commit >= self.limits.commit_bytes && !state.closing {
            let closed = self.close(state);
            drop(self.commit(closed));
        }
    }

    /// Waits until no object is half in; nobody begins one then.
    fn close<'s>(&self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        while state.closing {
            state = self.wait(state);
        }
        state.closing = true;
        while state.open > 0 || state.writing > 0 {
            state = self.wait(state);
        }
        state
    }

    fn fail(&self, state: &mut State, failure: LakeError) {
        self.failed.store(true, Ordering::Relaxed);
        state.failure.get_or_insert(failure);
    }

    /// Makes files of what waits in a partition, if `still` holds once it is this thread's turn.
    fn write_if(&self, partition: &Partition, still: impl Fn(&State) -> bool) {
        let mut state = self.lock_state();
        // Who fills a partition faster than its files can be made waits here: what waits to be written stays one file's worth.
        while state.writing >= self.limits.writers || state.buffers.is_busy(partition) {
            state = self.wait(state);
        }
        if state.failure.is_some() || !still(&state) {
            return;
        }
        state.writing += 1;
        let (memory, spilled) = state.buffers.take(partition);
        let present = state.files.get(partition).cloned().unwrap_or_default();
        drop(state);
        let done = self.merge(partition, memory, &spilled, present);
        let mut state = self.lock_state();
        state.writing -= 1;
        state.buffers.release(partition);
        match done {
            Ok(merged) => state.note(partition, merged),
            Err(failure) => self.fail(&mut state, failure),
        }
        self.changed.notify_all();
    }

    fn merge(&self, partition: &Partition, memory: Vec<u8>, spilled: &[PathBuf], present: Vec<Present>) -> Result<Merged, LakeError> {
        let mut fresh = unspill(spilled)?;
        fresh.push(memory);
        let staging = staging(&self.lake);
        let work = Work { partition, fresh, present, staging: &staging, file_bytes: self.limits.file_bytes };
        work.run(|| {
            let mut state = self.lock_state();
            state.names += 1;
            format!("{:06}-{:05}", state.manifest.generation + 1, state.names)
        })
    }

    /// Writes what waits, and makes it count. The lake is closed before, and open afterwards.
    fn commit<'s>(&'s self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let partitions = state.buffers.partitions();
        drop(state);
        let next = AtomicU64::new(0);
        let work = || {
            while let Some(partition) = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).ok().and_then(|at| partitions.get(at)) {
                self.write_if(partition, |_| true);
            }
        };
        std::thread::scope(|scope| {
            (1..self.limits.writers.min(partitions.len())).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        let mut state = self.lock_state();
        if state.failure.is_none()
            && let Err(failure) = state.publish(&self.lake)
        {
            self.fail(&mut state, failure);
        }
        state.closing = false;
        self.changed.notify_all();
        state
    }
}

impl State {
    /// Takes in files that were made.
    fn note(&mut self, partition: &Partition, merged: Merged) {
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

    /// Files into their places, then the objects, then the manifest: only with that it all counts.
    fn publish(&mut self, lake: &Path) -> Result<(), LakeError> {
        let mut manifest = self.manifest.clone();
        manifest.generation += 1;
        manifest.records_duplicate += std::mem::take(&mut self.duplicates);
        let staging = staging(lake);
        let mut folders = BTreeSet::new();
        for present in self.files.values_mut().flatten().filter(|present| present.path.starts_with(&staging)) {
            let folder = lake.join(present.entry.partition.folder());
            let path = folder.join(&present.entry.name);
            fs::create_dir_all(&folder).and_then(|()| fs::rename(&present.path, &path)).map_err(|error| LakeError::io(&path, error))?;
            present.path = path;
            folders.insert(folder);
        }
        for folder in &folders {
            sync_up(lake, folder).map_err(|error| LakeError::io(folder, error))?;
        }
        manifest.files = self.files.values().flatten().map(|present| present.entry.clone()).collect();
        manifest.files.sort_unstable_by(|a, b| (&a.partition, a.first, &a.name).cmp(&(&b.partition, b.first, &b.name)));
        manifest.add_objects(lake, &self.objects)?;
        manifest.unread = self.unread.values().cloned().collect();
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

/// One worker's part.
pub struct Collector<'i> {
    ingest: &'i Ingest,
    pieces: HashMap<Partition, Vec<u8>>,
    bytes: usize,
    /// The object at hand was begun.
    inside: bool,
    taken: u64,
}

impl Collector<'_> {
    fn hand_in(&mut self) {
        if self.bytes > 0 {
            self.ingest.add(&mut self.pieces);
            self.bytes = 0;
        }
    }
}

impl pipeline::Collector for Collector<'_> {
    fn record(&mut self, object: &str, record: RawRecord<'_>) -> Result<(), String> {
        let split = Split::of(record.json, record.native)?;
        let time = split.time();
        let account = split.text("recipientaccountid");
        let account = account.as_deref().filter(|account| !account.is_empty()).or_else(|| Place::of(object).account);
        let partition = Partition::new(record.native, account, split.text("awsregion").as_deref(), time);
        if !self.inside {
            self.ingest.enter();
            self.inside = true;
        }
        let piece = self.pieces.entry(partition).or_default();
        let before = piece.len();
        let id = split.identity();
        Frame { time: time.map_or(0, Timestamp::millis), id: &id, object, record: record.index, json: record.json }.write(piece);
        self.bytes += piece.len() - before;
        self.taken += 1;
        if self.bytes >= PIECE_BYTES {
            self.hand_in();
        }
        Ok(())
    }

    fn relevant(&self) -> u64 {
        self.taken
    }

    fn is_full(&self) -> bool {
        self.ingest.failed.load(Ordering::Relaxed)
    }

    fn finished(&mut self, delivery: &Delivery, report: Option<&ObjectReport>) {
        self.hand_in();
        let inside = std::mem::take(&mut self.inside);
        if delivery.outcome == Fetched::Known {
            self.ingest.objects_known.fetch_add(1, Ordering::Relaxed);
            if delivery.origin.as_ref().is_some_and(|origin| self.ingest.known.has_failed(origin)) {
                self.ingest.objects_failed_before.fetch_add(1, Ordering::Relaxed);
            }
            return self.ingest.leave(None, inside);
        }
        self.ingest.leave(Some(object_state(delivery, report)), inside);
    }
}

fn object_state(delivery: &Delivery, report: Option<&ObjectReport>) -> ObjectState {
    let transient = matches!(delivery.outcome, Fetched::Failed(_));
    let origin = delivery.origin.as_ref();
    let (ending, reason) = match (&delivery.outcome, report.map(|report| &report.outcome)) {
        (Fetched::Failed(reason), _) | (_, Some(Outcome::Failed(reason))) => (Ending::Failed, Some(reason.clone())),
        (Fetched::OtherKind, _) | (_, Some(Outcome::Skipped(_))) => (Ending::Skipped, None),
        _ => (Ending::Read, None),
    };
    let millis = |time: Option<Timestamp>| time.map(Timestamp::millis);
    ObjectState {
        object: delivery.object.raw().to_owned(),
        address: origin.map(|origin| origin.address.clone()),
        // Without a stamp it is tried again whether or not it has changed: it was the way that failed, not the object.
        stamp: if transient { None } else { Some(origin.map_or_else(String::new, |origin| origin.stamp.clone())) },
        ending,
        reason,
        bytes_compressed: delivery.size,
        bytes_decompressed: report.map_or(0, |report| report.bytes_decompressed),
        records: report.map_or(0, |report| report.records),
        failed: report.map_or_else(Vec::new, |report| report.failed.clone()),
        failed_total: report.map_or(0, |report| report.failed_total),
        first: report.and_then(|report| millis(report.first_event_time)),
        last: report.and_then(|report| millis(report.last_event_time)),
    }
}

fn staging(lake: &Path) -> PathBuf {
    state::own(lake).join("staging")
}

fn spill(lake: &Path) -> PathBuf {
    state::own(lake).join("spill")
}

/// A lake, an empty folder, or nothing yet.
fn check_folder(lake: &Path) -> Result<(), LakeError> {
    match fs::read_dir(lake).map(|mut entries| entries.next().is_some()) {
        Ok(true) if !state::own(lake).is_dir() => Err(LakeError::NotALake { folder: lake.to_path_buf() }),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LakeError::io(lake, error)),
        _ => Ok(()),
    }
}

fn lock(lake: &Path) -> Result<File, LakeError> {
    let path = state::own(lake).join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| LakeError::io(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LakeError::Busy { lake: lake.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(LakeError::io(&path, error)),
    }
}

/// Removes what does not count: files under work, and those that were put into their places by a commit that did not end.
fn clean(lake: &Path, manifest: &Manifest) -> Result<(), LakeError> {
    for folder in [staging(lake), spill(lake)] {
        for entry in fs::read_dir(&folder).map_err(|error| LakeError::io(&folder, error))?.flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }
    let counted: BTreeSet<PathBuf> = manifest.files.iter().map(|file| lake.join(file.path())).collect();
    for entry in walkdir::WalkDir::new(lake).min_depth(4).max_depth(6).into_iter().flatten() {
        let ours = entry.file_type().is_file() && entry.file_name().to_str().is_some_and(is_our_name);
        if ours && !counted.contains(entry.path()) {
            fs::remove_file(entry.path()).map_err(|error| LakeError::io(entry.path(), error))?;
        }
    }
    for entry in fs::read_dir(state::objects_folder(lake)).into_iter().flatten().flatten() {
        if !manifest.segments.iter().any(|name| entry.file_name() == name.as_str()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// `000001-00001.parquet`: nothing else in the folders is ever removed.
fn is_our_name(name: &str) -> bool {
    let Some((stem, "parquet" | "rows")) = name.rsplit_once('.') else { return false };
    let digits = |text: &str, least: usize| text.len() >= least && text.bytes().all(|byte| byte.is_ascii_digit());
    stem.split_once('-').is_some_and(|(generation, number)| digits(generation, 6) && digits(number, 5))
}

/// Makes names last, from a partition's folder up to the lake.
fn sync_up(lake: &Path, folder: &Path) -> std::io::Result<()> {
    folder.ancestors().take_while(|folder| folder.starts_with(lake)).try_for_each(state::sync_folder)
}
