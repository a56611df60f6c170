//! What does not fit into memory goes to disk, and comes back in order.
//!
//! - [`pack`]: columns → bytes, and back; [`pile`]: a temporary file of such blocks, compressed;
//! - [`keys`]: what sorts rows, as bytes that sort the same;
//! - [`sorted`]: rows in order, of any number: runs are sorted in memory, written, and merged;
//! - [`spread`]: rows with equal keys in one share, the shares one after the other.
//!
//! The files have no name once they are open: whatever ends the process, nothing is left behind.

pub(super) mod keys;
mod pack;
pub(super) mod pile;
pub(super) mod sorted;
pub(super) mod spread;

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::error::{Result, SqlError};

/// Where rows go that do not fit.
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

    fn failed(&self, what: &str, error: &io::Error) -> SqlError {
        let reason = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "there is no space left".to_owned(),
            _ => error.to_string(),
        };
        let message = format!("a temporary file in {} for what does not fit into memory cannot be {what}: {reason}", self.folder.display());
        SqlError { of_disk: true, ..SqlError::new(message) }
    }
}
