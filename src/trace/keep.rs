//! Accounts for the memory of everything that is kept, of all workers together.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A worker reports its memory in steps of this size.
const STEP_BYTES: u64 = 64 << 10;

/// The memory that all workers use.
pub(super) struct Kept {
    bytes: AtomicU64,
    bytes_max: u64,
}

/// The run needs more memory than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventMemoryExceeded {
    pub bytes_max: u64,
}

impl fmt::Display for EventMemoryExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what has to be kept of sessions takes more than {} bytes", self.bytes_max)
    }
}

impl std::error::Error for EventMemoryExceeded {}

impl Kept {
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self { bytes: AtomicU64::new(0), bytes_max }
    }

    pub(super) fn is_over(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.bytes_max
    }

    pub(super) fn check(&self) -> Result<(), EventMemoryExceeded> {
        if self.is_over() { Err(EventMemoryExceeded { bytes_max: self.bytes_max }) } else { Ok(()) }
    }
}

/// The memory that one worker uses.
pub(super) struct Share<'k> {
    kept: &'k Kept,
    /// Not reported yet.
    bytes: u64,
}

impl<'k> Share<'k> {
    pub(super) const fn new(kept: &'k Kept) -> Self {
        Self { kept, bytes: 0 }
    }

    /// Accounts for more memory.
    pub(super) fn take(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.bytes >= STEP_BYTES {
            self.kept.bytes.fetch_add(std::mem::take(&mut self.bytes), Ordering::Relaxed);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.kept.is_over()
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.kept.bytes.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
