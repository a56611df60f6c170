//! The location of a lake, and the file operations that it needs. No other module of the lake calls the file
//! system or S3.
//!
//! Paths are relative to the lake. The order of operations that makes a commit durable depends on the kind of
//! disk, and is described in [`super::commit`]. Tests use a simulated disk that loses and tears writes and
//! fails calls (`sim`).

mod local;
mod location;
mod s3;
#[cfg(test)]
pub(super) mod sim;

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use local::LocalDisk;
pub use location::Location;
pub(super) use s3::S3Disk;
#[cfg(test)]
pub(super) use s3::sim as far_sim;

use super::LakeError;
use super::commit::manifest::Manifest;
use super::layout;

/// Bytes of a file that are copied at a time.
const ADOPTED_BYTES: u64 = 1 << 20;

/// Files in folders, written as a whole and renamed. A call that returns an error may or may not have had its
/// effect.
pub(super) trait Disk: Send + Sync + fmt::Debug {
    /// Creates or replaces a file, and creates its folders. It is durable only after [`Self::sync`].
    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + Send>>;

    /// Makes a file's content durable.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable: those added and those removed.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// How many syncs are made at the same time, because a disk can do several together.
    fn synced_together(&self) -> usize {
        32
    }

    /// Renames a file, completely or not at all, and creates its folders.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Sorted names of the files in a folder, without links; empty if there is no such folder.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;

    fn open(&self, path: &Path) -> io::Result<Box<dyn Stored>>;

    /// Opens a file whose size is known: asking for it could take a request.
    fn open_sized(&self, path: &Path, _bytes: u64) -> io::Result<Box<dyn Stored>> {
        self.open(path)
    }

    /// The final name of a finished file in the staging folder. It was written as `name`, and is in the
    /// staging folder under the returned name from now on.
    fn settled(&self, name: String) -> io::Result<String> {
        Ok(name)
    }

    /// Copies a file of a lake that is staged inside of this one, at `from` and called `its_name` there, into
    /// the staging folder as `name`. Returns its final name.
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

    /// Whether [`Self::adopt`] lets the service copy the file, so that its bytes are not read here: to check it, it
    /// has to be fetched.
    fn adopts_unread(&self) -> bool {
        false
    }

    /// Puts the manifest `next`, whose new files are in the staging folder, into effect in place of
    /// `present`, completely or not at all. Where readers take no locks, replaced files are kept for `keep`.
    fn publish(&self, present: &Manifest, next: &Manifest, keep: Duration) -> Result<(), LakeError>;

    /// Cleans up a lake that was just opened for writing: settles what an unfinished commit has left.
    fn recover(&self, manifest: &Manifest, keep: Duration) -> Result<(), LakeError>;

    /// Whether another run may commit while this one is working: then [`Self::publish`] reports that, and
    /// the staged files can become part of a later commit.
    fn can_be_overtaken(&self) -> bool {
        false
    }

    /// Renames a staged file for the commit that makes this generation; returns the name.
    fn restage(&self, _name: &str, _generation: u64) -> io::Result<String> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether opening and reading files takes requests to a server.
    fn reads_by_requests(&self) -> bool {
        false
    }

    /// Replaced files that are kept in place for readers that began before.
    fn awaited(&self) -> BTreeSet<PathBuf> {
        BTreeSet::new()
    }

    /// The address of a file for other tools.
    fn address(&self, path: &Path) -> String;

    /// Whether anything has this name, even a broken link.
    fn has(&self, path: &Path) -> bool;

    /// Takes a lock that the system releases when the process ends; `None` if another process has it. A
    /// shared lock waits.
    fn lock(&self, path: &Path, lock: Lock) -> io::Result<Option<Held>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// Exclusive.
    Alone,
    /// Shared; never creates the file.
    Shared,
}

/// A lock, held until it is dropped.
pub(super) type Held = Box<dyn Any + Send + Sync>;

/// A file that can be read.
pub(super) trait Stored: Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Fills `bytes` with those from position `at` on.
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Whether each read is a request to a server: then reads are announced by [`Self::expect`].
    fn is_remote(&self) -> bool {
        false
    }

    /// Announces that these ranges, in order, will be read next.
    fn expect(&self, _parts: &[Range<u64>]) {}
}

/// Files that are read as a whole are manifests, journals and results of objects, which are much smaller.
const WHOLE_BYTES_MAX: u64 = 4 << 30;

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than such a file of a lake can be")
}

/// Reads a whole file.
pub(super) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let size = usize::try_from(file.size())
        .ok()
        .filter(|size| *size as u64 <= WHOLE_BYTES_MAX)
        .ok_or_else(too_large)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| too_large())?;
    bytes.resize(size, 0);
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}
