//! The data path, on one screen: list → fetch → gunzip → records → recognise → fold → timelines + coverage.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::model::{Coverage, Filter, Seen};
use crate::source::Feed;
use crate::timeline::History;

/// A limit on everything.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Worker threads.
    pub jobs: NonZeroUsize,
    /// Largest size that one object may inflate to, in bytes.
    pub object_bytes_max: u64,
}

/// Counters that a progress display may read while a run goes on.
#[derive(Debug, Default)]
pub struct Progress {
    pub objects: AtomicU64,
    pub bytes_compressed: AtomicU64,
    pub bytes_decompressed: AtomicU64,
    pub records: AtomicU64,
}

/// What a run has found out.
pub struct Evidence {
    pub coverage: Coverage,
    pub history: History,
    /// Accounts, regions and repositories before the filters.
    pub seen: Seen,
}

/// Reads everything that `feeds` have, with `budget.jobs` workers. `cancelled` is looked at between objects: when it
/// turns true, what is in flight is finished and the result is marked partial.
pub fn read(feeds: &[Box<dyn Feed>], filter: &Filter, budget: Budget, progress: &Progress, cancelled: &AtomicBool) -> Evidence {
    let _ = (feeds, filter, budget, progress, cancelled);
    Evidence { coverage: Coverage::default(), history: History::default(), seen: Seen::default() }
}
