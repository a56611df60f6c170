//! The memory of a run, and how much work an interruption can lose.

use std::time::Duration;

/// Bounds on memory, and on the work that an interruption can lose.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Approximate bytes of rows in one file: a partition with more than 1.5 times as many gets another file.
    pub file_bytes: u64,
    /// Bytes of rows that wait in memory; more are written to spill files.
    pub buffer_bytes: usize,
    /// Bytes of rows between two commits.
    pub commit_bytes: u64,
    /// Objects between two commits.
    pub commit_objects: usize,
    /// Number of small files that are written at the same time; files of full size are written one after
    /// another.
    pub writers: usize,
    /// In S3, where readers take no lock: how long replaced files are kept for readers that began before.
    pub keep_replaced: Duration,
}

/// Memory that a process needs besides rows: its code, and the objects that are being read.
const REST_BYTES: u64 = 128 << 20;
/// The part of the rest that rows take: the allocator keeps some of what was freed.
const ROWS_PART: (u64, u64) = (7, 8);
/// Minimum memory for rows.
const ROWS_BYTES_MIN: u64 = 12 << 20;
/// Larger files are no better for readers.
const FILE_BYTES_MAX: u64 = 128 << 20;
/// Default of `--max-memory`.
pub const MEMORY_BYTES_DEFAULT: u64 = 512 << 20;
/// No query is expected to take longer than a day.
const KEEP_REPLACED_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);

impl Limits {
    /// Limits for a run in about `memory_bytes`, including reading. Files of full size need at least 256 MiB.
    #[must_use]
    pub fn within(memory_bytes: u64) -> Self {
        let (part, of) = ROWS_PART;
        let rows = (memory_bytes.saturating_sub(REST_BYTES) / of * part).max(ROWS_BYTES_MIN);
        // Writing a file needs its rows and half as much again for the columns, while the rows of the next
        // one wait.
        let file_bytes = (rows / 5).min(FILE_BYTES_MAX);
        let waiting = rows - file_bytes * 3 / 2;
        let buffer_bytes = usize::try_from(waiting * 3 / 4).unwrap_or(usize::MAX);
        Self {
            file_bytes,
            buffer_bytes,
            commit_bytes: 2 << 30,
            commit_objects: 200_000,
            writers: 2,
            keep_replaced: KEEP_REPLACED_DEFAULT,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::within(MEMORY_BYTES_DEFAULT)
    }
}
