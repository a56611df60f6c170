//! How workers, writers of partitions, and commits wait for each other.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{MutexGuard, PoisonError};

use super::Ingest;
use super::buffer::Waiting;
use super::merge::{Merged, Present, Work};
use super::publish::State;
use crate::lake::LakeError;
use crate::lake::commit::objects::{Ending, ObjectState};
use crate::lake::partition::Partition;
use crate::lake::record::rows::Piece;

/// A run that was overtaken this often gives up.
const OVERTAKEN_MAX: u32 = 20;

impl Ingest {
    pub(super) fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an object; waits while a commit is being made.
    pub(super) fn enter(&self) {
        let mut state = self.lock_state();
        while state.closing {
            state = self.wait(state);
        }
        state.open += 1;
    }

    /// Adds rows of an object that was begun.
    pub(super) fn add<'p>(&self, pieces: impl Iterator<Item = (&'p Partition, &'p mut Piece)>) {
        let mut ripe = Vec::new();
        {
            let mut state = self.lock_state();
            for (partition, rows) in pieces {
                state.since_commit += rows.bytes().len() as u64;
                state.buffers.add(partition, rows);
                if state.buffers.is_ripe(partition, self.limits.file_bytes) {
                    ripe.push(partition.clone());
                }
            }
            if let Err(failure) = state.buffers.spill(self.limits.buffer_bytes, &*self.disk) {
                self.fail(&mut state, failure);
            }
        }
        for partition in ripe {
            self.write_if(&partition, |state| state.buffers.is_ripe(&partition, self.limits.file_bytes));
        }
    }

    /// Ends an object. `object` is its result; `had`: whether [`Self::enter`] was called for it.
    pub(super) fn leave(&self, object: Option<ObjectState>, had: bool) {
        let mut state = self.lock_state();
        if had {
            state.open -= 1;
        }
        state.told.read_only |= self.read_only.load(Ordering::Relaxed);
        if let Some(mut object) = object {
            if object.address.is_none() && object.stamp.is_some() && object.ending != Ending::Skipped {
                // Each run's standard input is a different object.
                object.address = Some(format!("-#{}.{}", state.manifest.generation + 1, state.objects.len()));
            }
            state.since_commit += object.answers.iter().map(|answer| answer.json.len() as u64).sum::<u64>();
            state.summary.snapshots += object.answers.len() as u64;
            state.unread_before.remove(&object.key());
            state.summary.objects_read += u64::from(object.ending != Ending::Skipped);
            if object.ending == Ending::Failed && object.stamp.is_none() {
                state.unread.insert(object.key(), object);
            } else if object.ending != Ending::Skipped || !self.known.has(&object) {
                state.objects.push(object);
            }
        }
        self.changed.notify_all();
        let due = state.since_commit >= self.limits.commit_bytes
            || state.objects.len() >= self.limits.commit_objects;
        if due && !state.closing {
            let closed = self.close(state);
            drop(self.commit(closed));
        }
    }

    /// Keeps workers from beginning objects, and waits until all that were begun have ended.
    pub(super) fn close<'s>(&self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
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

    /// Writes the rows that wait in a partition to files, if `still` holds once no other thread writes to it.
    fn write_if(&self, partition: &Partition, still: impl Fn(&State) -> bool) {
        let mut state = self.lock_state();
        // A worker that produces rows of a partition faster than they can be written waits here, so that no
        // more than one file's rows wait in memory.
        while state.buffers.is_busy(partition)
            || !state.has_room(state.buffers.waiting(partition), self.limits)
        {
            state = self.wait(state);
        }
        if state.failure.is_some() || !still(&state) {
            return;
        }
        let bytes = state.buffers.waiting(partition);
        state.writing += 1;
        state.writing_bytes += bytes;
        let waiting = state.buffers.take(partition);
        let present = state.files.get(partition).cloned().unwrap_or_default();
        drop(state);
        // After a panic the other threads must not wait for this one.
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| self.merge(partition, waiting, present)))
            .unwrap_or_else(|_| {
                Err(LakeError::io(&partition.folder(), "a file of it could not be made: the writer panicked"))
            });
        let mut state = self.lock_state();
        state.writing -= 1;
        state.writing_bytes -= bytes;
        state.buffers.release(partition);
        match done {
            Ok(merged) => state.note(&*self.disk, partition, merged),
            Err(failure) => self.fail(&mut state, failure),
        }
        self.changed.notify_all();
    }

    fn merge(
        &self,
        partition: &Partition,
        waiting: Waiting,
        present: Vec<Present>,
    ) -> Result<Merged, LakeError> {
        let disk = &*self.disk;
        let work =
            Work { disk, partition, fresh: waiting.read(disk)?, present, file_bytes: self.limits.file_bytes };
        let folder = partition.folder();
        work.run(|| {
            loop {
                let mut state = self.lock_state();
                state.names += 1;
                let name = format!("{:06}-{:05}", state.manifest.generation + 1, state.names);
                // A file with this name may exist that is not the lake's; it must not be replaced.
                if !disk.has(&folder.join(format!("{name}.{}", partition.extension()))) {
                    return name;
                }
            }
        })
    }

    /// Writes all waiting rows and commits. Called after [`Self::close`]; lets workers begin objects again.
    pub(super) fn commit<'s>(&'s self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let mut state = self.write_waiting(state);
        // Determined first, because publishing takes the list of what a repair is about.
        let (can_go_on, mut overtaken) = (state.can_go_on(&*self.disk), 0);
        while state.failure.is_none() {
            match state.publish(&*self.disk, &self.known, self.limits) {
                Ok(()) => break,
                Err(LakeError::Overtaken { .. }) if overtaken < OVERTAKEN_MAX && can_go_on => {
                    overtaken += 1;
                    match state.go_on(&*self.disk, self.limits) {
                        Ok(()) => state = self.write_waiting(state),
                        Err(failure) => self.fail(&mut state, failure),
                    }
                }
                Err(failure) => self.fail(&mut state, failure),
            }
        }
        state.closing = false;
        self.changed.notify_all();
        state
    }

    /// Writes the waiting rows of all partitions to files.
    fn write_waiting<'s>(&'s self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let partitions = state.buffers.partitions();
        drop(state);
        side_by_side(self.limits.writers, &partitions, |partition| self.write_if(partition, |_| true));
        self.lock_state()
    }
}

/// Calls `work` with each of `items`, on this thread and new ones, `threads` together.
pub(super) fn side_by_side<T: Sync>(threads: usize, items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item);
        }
    };
    // Files are written and read with tasks of the global thread pool. If that has only the main thread, which
    // waits here, nothing would execute them for another thread.
    let helper = || {
        if rayon::current_num_threads() > 1 {
            work();
        }
    };
    std::thread::scope(|scope| {
        // If the system allows no more threads, the existing ones do all the work.
        (1..threads.min(items.len()))
            .for_each(|_| drop(std::thread::Builder::new().spawn_scoped(scope, helper)));
        work();
    });
}
