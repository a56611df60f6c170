//! Rows that do not fit into memory are written to disk, and read back in order.
//!
//! - [`pack`]: columns → bytes, and back;
//! - [`block_file`]: a temporary file of compressed blocks;
//! - [`keys`]: sort keys: the order of rows, and bytes that sort the same as they do;
//! - [`runs`]: rows with their sort keys, as they are written;
//! - [`sorted`]: external sort: runs are sorted in memory, written, and merged;
//! - [`slices`]: sorted runs in parts that several threads can merge at once;
//! - [`spread`]: hash partitions: rows with equal keys are in one share, and shares are read one after
//!   another.
//!
//! The files are deleted as soon as they are open, so that nothing is left behind however the process ends.

pub(in crate::sql) mod block_file;
pub(in crate::sql) mod keys;
pub(in crate::sql) mod pack;
pub(in crate::sql) mod runs;
pub(in crate::sql) mod slices;
pub(in crate::sql) mod sorted;
pub(in crate::sql) mod spread;

use std::fs::File;
use std::io;
use std::path::PathBuf;

use crate::sql::error::{Result, SqlError};

/// Where rows that do not fit are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spill {
    /// The folder of the temporary files.
    pub folder: PathBuf,
}

impl Spill {
    /// A new temporary file.
    fn file(&self) -> Result<File> {
        tempfile::tempfile_in(&self.folder).map_err(|error| self.failed("made", &error))
    }

    /// The error if a temporary file cannot be made, written or read.
    pub(crate) fn failed(&self, what: &str, error: &io::Error) -> SqlError {
        let reason = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "there is no space left".to_owned(),
            _ => error.to_string(),
        };
        let message = format!(
            "a temporary file in {} for what does not fit into memory cannot be {what}: {reason}",
            self.folder.display()
        );
        SqlError { of_disk: true, ..SqlError::new(message) }
    }
}
