//! What a lake asks of the place that keeps its files, and nothing else of this module asks the system for files.
//!
//! Paths are relative to the lake. What makes a commit last, and in which order, differs from place to place, and is said in
//! [`super::commit`]; here stands what each call does. Tests put a disk in its place that forgets, tears and refuses (`sim`).

mod far;
mod local;
#[cfg(test)]
pub(super) mod sim;

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use far::FarDisk;
#[cfg(test)]
pub(super) use far::sim as far_sim;
pub(super) use local::LocalDisk;

use super::LakeError;
use super::layout;
use super::manifest::Manifest;

/// Bytes of a file that are copied at a time.
const ADOPTED_BYTES: u64 = 1 << 20;

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

    /// Opens a file that has, or is to have, so many bytes: where asking for its size is a request, it is not asked for.
    fn open_sized(&self, path: &Path, _bytes: u64) -> io::Result<Box<dyn Stored>> {
        self.open(path)
    }

    /// The name that a new file keeps, now that it is whole. It lies in the staging folder under `name`, and then under this one.
    fn settled(&self, name: String) -> io::Result<String> {
        Ok(name)
    }

    /// Brings a file of another lake, which lies in this one at `from` and is called `its_name` there, into the staging folder, for
    /// `name`; the name that it keeps.
    fn adopt(&self, from: &Path, _its_name: &str, name: String) -> io::Result<String> {
        let (file, mut out) = (self.open(from)?, self.create(&layout::staged(&name))?);
        let (mut at, mut stretch) = (0, Vec::new());
        while at < file.size() {
            let length = ADOPTED_BYTES.min(file.size() - at);
            stretch.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
            file.read_at(at, &mut stretch)?;
            out.write_all(&stretch)?;
            at += length;
        }
        out.flush()?;
        Ok(name)
    }

    /// Makes `next`, whose new files lie in the staging folder, the lake in the place of `present`: at once or not at all. Where
    /// readers take no lock, what it replaces stays for so long.
    fn publish(&self, present: &Manifest, next: &Manifest, keep: Duration) -> Result<(), LakeError>;

    /// Brings a lake that was just opened for writing into order: what a commit that did not end has left.
    fn recover(&self, manifest: &Manifest, keep: Duration) -> Result<(), LakeError>;

    /// Whether another run may commit while this one is at work: then [`Self::publish`] says so, and the files that are staged
    /// can be made part of a later commit.
    fn can_be_overtaken(&self) -> bool {
        false
    }

    /// Gives a staged file the name that it has as part of the commit that makes this generation; the name.
    fn restage(&self, _name: &str, _generation: u64) -> io::Result<String> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Files that count no more, and stay where they were for readers that began before.
    fn awaited(&self) -> BTreeSet<PathBuf> {
        BTreeSet::new()
    }

    /// What other tools call a file of the lake.
    fn address(&self, path: &Path) -> String;

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

    /// Whether each reading is a request to somewhere else: what is to be read is told before, by [`Self::expect`].
    fn is_far(&self) -> bool {
        false
    }

    /// These parts, in order, are read next.
    fn expect(&self, _parts: &[Range<u64>]) {}
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
