//! What is kept counts against the memory, all workers' together.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much a worker takes before it tells the others.
const STEP_BYTES: u64 = 64 << 10;

/// What all workers keep.
pub(super) struct Kept {
    bytes: AtomicU64,
    bytes_max: u64,
}

/// More than the run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overfull {
    pub bytes_max: u64,
}

impl fmt::Display for Overfull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what has to be kept of sessions takes more than {} bytes", self.bytes_max)
    }
}

impl std::error::Error for Overfull {}

impl Kept {
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self { bytes: AtomicU64::new(0), bytes_max }
    }

    pub(super) fn is_over(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.bytes_max
    }

    pub(super) fn check(&self) -> Result<(), Overfull> {
        if self.is_over() { Err(Overfull { bytes_max: self.bytes_max }) } else { Ok(()) }
    }
}

/// What one worker keeps.
pub(super) struct Share<'k> {
    kept: &'k Kept,
    /// Not told yet.
    bytes: u64,
}

impl<'k> Share<'k> {
    pub(super) const fn new(kept: &'k Kept) -> Self {
        Self { kept, bytes: 0 }
    }

    /// Takes note of more.
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
