//! What counting may take, and why it ends early.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use foldhash::fast::RandomState;

use super::aside::Aside;
use crate::lake::LakeError;
use crate::sql::error::SqlError;
use crate::sql::memory::too_much;
use crate::sql::stream::spill::Spill;

/// Why a row group could not be counted.
pub(in crate::sql) enum Stop {
    /// It cannot be read.
    Damaged(LakeError),
    /// A temporary file cannot be used.
    Refused(SqlError),
    /// The query cannot be counted in this way.
    GivenUp,
}

impl From<LakeError> for Stop {
    fn from(error: LakeError) -> Self {
        Self::Damaged(error)
    }
}

/// If a value is invalid, the evaluation over rows finds it and reports the proper error.
impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        if error.of_disk { Self::Refused(error) } else { Self::GivenUp }
    }
}

/// The fraction of the memory that the groups of all workers may use before they are written to disk, and the
/// fraction of that from which one worker's groups are worth writing.
const HELD_PART: u64 = 5;

const WORTH_PART: u64 = 16;

/// The memory that all workers share.
#[derive(Debug)]
pub(in crate::sql) struct Room {
    pub(super) memory_bytes_max: u64,
    pub(super) held: AtomicU64,
    pub(super) workers: AtomicUsize,
    pub(super) hasher: RandomState,
    pub(super) aside: Aside,
}

impl Room {
    /// With `spill`, what does not fit goes to disk.
    pub fn new(memory_bytes_max: u64, spill: Option<Spill>) -> Self {
        Self {
            memory_bytes_max,
            held: AtomicU64::new(0),
            workers: AtomicUsize::new(0),
            hasher: RandomState::default(),
            aside: Aside::new(spill),
        }
    }

    /// In the place of `before` bytes, a worker holds `after`; whether that is too much.
    pub(super) fn exchange(&self, before: u64, after: u64) -> bool {
        self.held.fetch_add(after, Ordering::Relaxed);
        let held = self.held.fetch_sub(before, Ordering::Relaxed) - before;
        let most = self.memory_bytes_max / HELD_PART;
        held > most && after > most / WORTH_PART
    }

    pub(super) fn too_much(&self) -> SqlError {
        too_much(self.memory_bytes_max)
    }
}
