//! How much memory a run takes, and what an interruption costs.

use std::time::Duration;

/// Bounds on memory and on what an interruption costs.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of rows in one file, about: beyond half as much again, a partition has another file.
    pub file_bytes: u64,
    /// Rows that wait in memory, in bytes; more go to spill files.
    pub buffer_bytes: usize,
    /// Rows between two commits, in bytes.
    pub commit_bytes: u64,
    /// Objects between two commits.
    pub commit_objects: usize,
    /// Files that are made at the same time, where they are small; those of whole size are made one after
    /// another.
    pub writers: usize,
    /// In S3, where readers take no lock: how long files that a commit has replaced stay, for readers that
    /// began before.
    pub keep_replaced: Duration,
}

/// What a process has beside rows: its code, and objects that are being read.
const REST_BYTES: u64 = 128 << 20;
/// The least that rows get.
const ROWS_BYTES_MIN: u64 = 12 << 20;
/// More rows in a file make it no better to read.
const FILE_BYTES_MAX: u64 = 128 << 20;
/// `--max-memory` where it is not given.
pub const MEMORY_BYTES_DEFAULT: u64 = 512 << 20;
/// No question takes longer than a day.
const KEEP_REPLACED_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);

impl Limits {
    /// Limits with which a run takes about `memory_bytes`, reading included. Files of whole size need 256 MiB
    /// and more.
    #[must_use]
    pub fn within(memory_bytes: u64) -> Self {
        let rows = memory_bytes.saturating_sub(REST_BYTES).max(ROWS_BYTES_MIN);
        // A file that is made takes its rows and half as much again for its columns; meanwhile the next one's
        // rows wait.
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
