//! Accounts for the memory that all workers together keep for events about images.
//!
//! Each worker collects on its own. Only when memory becomes scarce do workers merge what they have into
//! one fold, in which shared names and second copies are stored once. So how much fits does not depend on
//! the number of workers.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::timeline::Fold;

/// Once 1/`SCARCE_PART` of the memory is used, a worker merges its fold into the common one whenever that
/// has grown to 1/`POURED_PART` of the memory.
const SCARCE_PART: u64 = 2;
const POURED_PART: u64 = 32;
/// The common fold is searched for second copies whenever it has grown by 1/`GROWN_PART`.
const GROWN_PART: u64 = 8;

/// What all workers keep.
#[derive(Default)]
pub(super) struct EventMemory {
    bytes_max: u64,
    /// How often the events are replayed at the end.
    replays: u64,
    /// Bytes that all workers will need at the end.
    bytes: AtomicU64,
    over: AtomicBool,
    together: Mutex<Together>,
}

#[derive(Default)]
struct Together {
    fold: Fold,
    bytes: u64,
    /// Bytes of the merged fold after copies were last dropped.
    bytes_without_copies: u64,
}

/// The run needs more memory than it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventMemoryExceeded {
    /// Bytes needed for what has been read so far.
    pub bytes: u64,
    pub bytes_max: u64,
}

impl fmt::Display for EventMemoryExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what the events about images need takes {} of {} bytes", self.bytes, self.bytes_max)
    }
}

impl std::error::Error for EventMemoryExceeded {}

impl EventMemory {
    pub(super) fn new(bytes_max: u64, replays: u64) -> Self {
        Self { bytes_max, replays, ..Self::default() }
    }

    /// Whether more is kept than allowed, so that workers can stop.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Accounts for what a worker's fold has now; `before` is its size at the last call, and is updated. If
    /// memory is scarce, the fold is merged and emptied.
    pub(super) fn note(&self, fold: &mut Fold, before: &mut u64) {
        let now = fold.bytes_at_the_end(self.replays);
        let all = self
            .bytes
            .fetch_add(now.wrapping_sub(*before), Ordering::Relaxed)
            .wrapping_add(now.wrapping_sub(*before));
        *before = now;
        let scarce = all > self.bytes_max / SCARCE_PART && now > self.bytes_max / POURED_PART;
        if scarce || all > self.bytes_max {
            self.pour(fold.take());
            self.bytes.fetch_sub(std::mem::take(before), Ordering::Relaxed);
        }
    }

    fn pour(&self, fold: Fold) {
        let mut together = self.together.lock().unwrap_or_else(PoisonError::into_inner);
        together.fold.merge(fold);
        let mut now = together.fold.bytes_at_the_end(self.replays);
        if now > self.bytes_max
            || now > together.bytes_without_copies + together.bytes_without_copies / GROWN_PART
        {
            together.fold.drop_copies();
            now = together.fold.bytes_at_the_end(self.replays);
            together.bytes_without_copies = now;
            // With less memory left than this, copies would soon use it up, and dropping them goes through
            // all events each time.
            if now > self.bytes_max - self.bytes_max / POURED_PART {
                self.over.store(true, Ordering::Relaxed);
            }
        }
        self.bytes.fetch_add(now.wrapping_sub(together.bytes), Ordering::Relaxed);
        together.bytes = now;
    }

    /// The merged fold.
    pub(super) fn take(&self) -> Fold {
        std::mem::take(&mut self.together.lock().unwrap_or_else(PoisonError::into_inner).fold)
    }

    /// Checks that everything was read and fits.
    pub(super) fn check(&self, fold: &mut Fold) -> Result<(), EventMemoryExceeded> {
        if fold.bytes_at_the_end(self.replays) > self.bytes_max {
            fold.drop_copies();
        }
        let bytes = fold.bytes_at_the_end(self.replays);
        if self.is_over() || bytes > self.bytes_max {
            Err(EventMemoryExceeded { bytes, bytes_max: self.bytes_max })
        } else {
            Ok(())
        }
    }
}
