//! What is kept of the events about images counts against the memory, all workers' together.
//!
//! Each worker collects by itself. Only when memory becomes scarce do workers pour what they have into one fold, where names and
//! second copies that several of them have stand once: what fits does not depend on their number.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::timeline::Fold;

/// From this part of the memory on, workers pour together what they have, each time that it is this part.
const SCARCE_PART: u64 = 2;
const POURED_PART: u64 = 32;
/// What was poured together is looked through for second copies each time that it has grown by this part.
const GROWN_PART: u64 = 8;

/// What all workers keep.
#[derive(Default)]
pub(super) struct Kept {
    bytes_max: u64,
    /// How often the events are played at the end.
    replays: u64,
    /// All workers' together, as it will be at the end.
    bytes: AtomicU64,
    over: AtomicBool,
    together: Mutex<Together>,
}

#[derive(Default)]
struct Together {
    fold: Fold,
    bytes: u64,
    /// What it took when it was looked through last.
    bytes_without_copies: u64,
}

/// More than the memory that the run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overfull {
    /// What is needed for what has been read so far, in bytes.
    pub bytes: u64,
    pub bytes_max: u64,
}

impl fmt::Display for Overfull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what the events about images need takes {} of {} bytes", self.bytes, self.bytes_max)
    }
}

impl std::error::Error for Overfull {}

impl Kept {
    pub(super) fn new(bytes_max: u64, replays: u64) -> Self {
        Self { bytes_max, replays, ..Self::default() }
    }

    /// Whether there is more than the run may take: nobody needs to go on.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Takes note of what a worker has now; `before` is what it had when this was last asked, and becomes what it has. Where
    /// memory is scarce, the worker has nothing any more.
    pub(super) fn note(&self, fold: &mut Fold, before: &mut u64) {
        let now = fold.bytes_at_the_end(self.replays);
        let all = self.bytes.fetch_add(now.wrapping_sub(*before), Ordering::Relaxed).wrapping_add(now.wrapping_sub(*before));
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
        if now > self.bytes_max || now > together.bytes_without_copies + together.bytes_without_copies / GROWN_PART {
            together.fold.drop_copies();
            now = together.fold.bytes_at_the_end(self.replays);
            together.bytes_without_copies = now;
            // Less room than this would be used up by copies at once, and each time all events are looked through.
            if now > self.bytes_max - self.bytes_max / POURED_PART {
                self.over.store(true, Ordering::Relaxed);
            }
        }
        self.bytes.fetch_add(now.wrapping_sub(together.bytes), Ordering::Relaxed);
        together.bytes = now;
    }

    /// What was poured together.
    pub(super) fn take(&self) -> Fold {
        std::mem::take(&mut self.together.lock().unwrap_or_else(PoisonError::into_inner).fold)
    }

    /// Whether everything was read, and fits.
    pub(super) fn check(&self, fold: &mut Fold) -> Result<(), Overfull> {
        if fold.bytes_at_the_end(self.replays) > self.bytes_max {
            fold.drop_copies();
        }
        let bytes = fold.bytes_at_the_end(self.replays);
        if self.is_over() || bytes > self.bytes_max { Err(Overfull { bytes, bytes_max: self.bytes_max }) } else { Ok(()) }
    }
}
