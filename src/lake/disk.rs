//! What a lake asks of the place that keeps its files, and nothing else of this module asks the system for files.
//!
//! Paths are relative to the lake. What makes a commit last, and in which order, is said in [`super::commit`]; here stands only
//! what each call does. Tests put a disk in its place that forgets, tears and refuses (`sim`).

mod local;
#[cfg(test)]
pub(super) mod sim;

use std::any::Any;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

pub(super) use local::LocalDisk;

/// Files in folders, written whole and renamed. Every call may fail; what it did until then may be done or not.
pub(super) trait Disk: Send + Sync + fmt::Debug {
    /// Begins a file, in the place of one that is there, and makes the folders above it. The disk has it only after [`Self::sync`].
    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + Send>>;

    /// Makes what was written to a file last.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder last: those that came, and those that went.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// How many of these are asked for at the same time: a disk writes what many ask for together.
    fn synced_together(&self) -> usize {
        32
    }

    /// Gives a file another name, at once or not at all, and makes the folders above it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Names of the files in a folder, without links, in order; none where there is no such folder.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;

    fn open(&self, path: &Path) -> io::Result<Box<dyn Stored>>;

    /// Whether anything has this name, even a link to nowhere.
    fn has(&self, path: &Path) -> bool;

    /// Takes a lock that the system lets go of when the process ends; `None` where another process has it. A shared one waits
    /// for its turn.
    fn lock(&self, path: &Path, lock: Lock) -> io::Result<Option<Held>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// For one alone.
    Alone,
    /// For many; never makes the file.
    Shared,
}

/// A lock, until it is dropped.
pub(super) type Held = Box<dyn Any + Send + Sync>;

/// A file that is there to be read.
pub(super) trait Stored: Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Fills `bytes` with those that begin at `at`.
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()>;
}

/// What is read as a whole is a manifest, a journal, or what became of objects, and never nearly as large.
const WHOLE_BYTES_MAX: u64 = 4 << 30;

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than such a file of a lake can be")
}

/// All of a file.
pub(super) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let size = usize::try_from(file.size()).ok().filter(|size| *size as u64 <= WHOLE_BYTES_MAX).ok_or_else(too_large)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| too_large())?;
    bytes.resize(size, 0);
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}
