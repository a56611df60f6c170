//! The memory that all workers together may use for texts.
//!
//! Each worker has a share of its own, into which most objects fit. A larger text that is read as a whole
//! takes its size from a pool shared by all workers, and waits until that has enough. A text that is larger
//! still is read piece by piece, and only one worker at a time may hold a record larger than its share.
//! There can be no deadlock: a worker that waits holds nothing that another one waits for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lower and upper limits of a worker's share.
const SHARE_BYTES_MIN: u64 = 128 << 10;
const SHARE_BYTES_MAX: u64 = 64 << 20;
/// Texts are read in pieces of at most this size.
const PIECE_BYTES_MAX: u64 = 4 << 20;
/// What another thread has unpacked is handed over in chunks of at most this size, which fit into a processor's cache.
const CHUNK_BYTES_MAX: u64 = 256 << 10;

/// The limits, and what is left of the pool.
#[derive(Debug)]
pub struct TextMemory {
    share_bytes: u64,
    pool_bytes: u64,
    record_bytes: u64,
    /// Whether a worker may have a second thread unpack what it scans.
    has_threads: bool,
    free: Mutex<u64>,
    given_back: Condvar,
    large: Mutex<()>,
}

/// A part of the pool; it is given back when dropped.
#[derive(Debug)]
pub(super) struct MemoryShare<'r> {
    room: &'r TextMemory,
    bytes: u64,
}

impl Default for TextMemory {
    /// For one worker with 1 GiB.
    fn default() -> Self {
        Self::new(1 << 30, 1)
    }
}

impl TextMemory {
    /// For `workers` that may hold `bytes` of text together.
    pub fn new(bytes: u64, workers: usize) -> Self {
        let share = (bytes / 8 / workers.max(1) as u64).clamp(SHARE_BYTES_MIN, SHARE_BYTES_MAX);
        let room = Self::of(share, bytes / 4, (bytes / 4).max(SHARE_BYTES_MIN));
        Self { has_threads: workers > 1, ..room }
    }

    /// A worker's share, the pool, and the largest record, in bytes.
    pub fn of(share_bytes: u64, pool_bytes: u64, record_bytes: u64) -> Self {
        Self {
            share_bytes,
            pool_bytes,
            record_bytes,
            has_threads: true,
            free: Mutex::new(pool_bytes),
            given_back: Condvar::new(),
            large: Mutex::new(()),
        }
    }

    /// How much a worker may hold of an object's stored bytes, and of its text, without asking.
    pub const fn share_bytes(&self) -> u64 {
        self.share_bytes
    }

    /// The largest record, or other part of a text that only makes sense as a whole.
    pub const fn record_bytes(&self) -> u64 {
        self.record_bytes
    }

    /// The size of the pieces in which a long text is read.
    pub(super) fn piece_bytes(&self) -> usize {
        usize::try_from(self.share_bytes.min(PIECE_BYTES_MAX)).unwrap_or(usize::MAX)
    }

    /// The size of the chunks in which another thread hands over a text.
    pub(super) fn chunk_bytes(&self) -> usize {
        usize::try_from((self.share_bytes / 16).clamp(1, CHUNK_BYTES_MAX)).unwrap_or(usize::MAX)
    }

    /// Whether a worker may have a second thread unpack what it scans.
    pub(super) const fn has_threads(&self) -> bool {
        self.has_threads
    }

    /// Memory for a text of `bytes` as a whole: takes nothing from the pool if a share is enough; `None` if
    /// the text has to be read in pieces.
    pub(super) fn whole(&self, bytes: u64) -> Option<MemoryShare<'_>> {
        if bytes <= self.share_bytes {
            return Some(MemoryShare { room: self, bytes: 0 });
        }
        // At most half of the pool, so that a single object does not make all others wait.
        (bytes <= self.pool_bytes / 2).then(|| self.take(bytes))
    }

    fn take(&self, bytes: u64) -> MemoryShare<'_> {
        let mut free = lock(&self.free);
        while *free < bytes {
            free = self.given_back.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= bytes;
        MemoryShare { room: self, bytes }
    }

    /// The right to hold a record larger than a share: one worker at a time has it.
    pub(crate) fn large(&self) -> MutexGuard<'_, ()> {
        lock(&self.large)
    }
}

impl Drop for MemoryShare<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            *lock(&self.room.free) += self.bytes;
            self.room.given_back.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn the_pool_is_never_overdrawn_and_everybody_gets_a_turn() {
        let room = TextMemory::of(10, 100, 100);
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let (room, held, most) = (&room, &held, &most);
                scope.spawn(move || {
                    for turn in 0..200 {
                        let bytes = 11 + (worker * 7 + turn) % 40;
                        let taken = room.whole(bytes).unwrap();
                        most.fetch_max(held.fetch_add(bytes, Ordering::SeqCst) + bytes, Ordering::SeqCst);
                        held.fetch_sub(bytes, Ordering::SeqCst);
                        drop(taken);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 100);
        assert!(room.whole(51).is_none(), "too large for the pool");
    }

    #[test]
    fn what_all_workers_may_hold_does_not_grow_with_their_number() {
        for bytes in [64_u64 << 20, 512 << 20, 8 << 30] {
            for workers in [1_usize, 2, 8, 64] {
                let room = TextMemory::new(bytes, workers);
                // Stored bytes, two texts on the way, a piece; the pool; one large record that is growing.
                let all = workers as u64 * 3 * room.share_bytes() + room.pool_bytes + 2 * room.record_bytes();
                assert!(all <= bytes + bytes / 4, "{workers} workers may take {all} of {bytes}");
            }
        }
    }
}
