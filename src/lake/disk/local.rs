//! A lake in a folder. Links inside of a lake are not followed: a lake contains none, and a link made by
//! somebody else must not make a writer change files outside of it.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Disk, Held, Lock, Stored};
use crate::lake::LakeError;
use crate::lake::commit::local;
use crate::lake::commit::manifest::Manifest;

/// A lake's folder.
#[derive(Debug)]
pub(in crate::lake) struct LocalDisk {
    root: PathBuf,
    #[cfg(unix)]
    open: File,
}

impl LocalDisk {
    /// The folder must exist.
    pub(in crate::lake) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            open: File::open(root)?,
            root: root.to_path_buf(),
        })
    }
}

impl Disk for LocalDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + Send>> {
        // The file may have another name elsewhere (hard link), so it is replaced and not overwritten.
        match self.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Box::new(BufWriter::new(self.new_file(path)?)))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.file(path, Access::Write)?.sync_all()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.sync_names(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename_file(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.remove_file(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = match self.list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names?,
        };
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Stored>> {
        let file = self.file(path, Access::Read)?;
        let size = file.metadata()?.len();
        Ok(Box::new(LocalFile { file, size }))
    }

    fn publish(&self, present: &Manifest, next: &Manifest, _keep: Duration) -> Result<(), LakeError> {
        local::publish(self, present, next)
    }

    fn recover(&self, manifest: &Manifest, _keep: Duration) -> Result<(), LakeError> {
        local::recover(self, manifest)
    }

    fn address(&self, path: &Path) -> String {
        self.root.join(path).to_string_lossy().into_owned()
    }

    fn has(&self, path: &Path) -> bool {
        fs::symlink_metadata(self.root.join(path)).is_ok()
    }

    fn lock(&self, path: &Path, lock: Lock) -> io::Result<Option<Held>> {
        let file = match lock {
            Lock::Shared => {
                let file = self.file(path, Access::Read)?;
                file.lock_shared()?;
                return Ok(Some(Box::new(file)));
            }
            Lock::Alone => match self.file(path, Access::Write) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.new_file(path).or_else(|_| self.file(path, Access::Write))?
                }
                file => file?,
            },
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

struct LocalFile {
    file: File,
    size: u64,
}

impl Stored for LocalFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, bytes, at)
    }
}

/// Fills `bytes` with the bytes of a file from position `at` on.
#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(not(unix))]
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

fn no_file() -> io::Error {
    io::Error::other("no regular file: a lake has no links, pipes or devices")
}

#[cfg(unix)]
mod by_folder {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Component;

    use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
    use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, mkdirat, openat, renameat, unlinkat};
    use rustix::io::Errno;

    use super::*;

    const FOLDER: OFlags =
        OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

    /// A folder of the lake, or the lake's folder itself.
    enum Folder<'d> {
        Root(BorrowedFd<'d>),
        Below(OwnedFd),
    }

    impl AsFd for Folder<'_> {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match self {
                Self::Root(folder) => *folder,
                Self::Below(folder) => folder.as_fd(),
            }
        }
    }

    impl LocalDisk {
        /// Opens a folder, part by part.
        fn folder(&self, path: &Path, make: bool) -> io::Result<Folder<'_>> {
            let mut at = Folder::Root(self.open.as_fd());
            for part in path.components() {
                let Component::Normal(name) = part else {
                    return Err(io::Error::other("a path that leads out of the lake"));
                };
                let below = match openat(&at, name, FOLDER, Mode::empty()) {
                    Err(Errno::NOENT) if make => {
                        match mkdirat(&at, name, Mode::from_raw_mode(0o777)) {
                            Err(error) if error != Errno::EXIST => return Err(error.into()),
                            _ => {}
                        }
                        openat(&at, name, FOLDER, Mode::empty())
                    }
                    opened => opened,
                };
                at = Folder::Below(below.map_err(|error| {
                    if matches!(error, Errno::LOOP | Errno::NOTDIR) { no_folder(name) } else { error.into() }
                })?);
            }
            Ok(at)
        }

        /// The folder of a file, and its name in it.
        fn place<'p>(&self, path: &'p Path, make: bool) -> io::Result<(Folder<'_>, &'p OsStr)> {
            let name = path.file_name().ok_or_else(no_file)?;
            Ok((self.folder(path.parent().unwrap_or_else(|| Path::new("")), make)?, name))
        }

        pub(super) fn new_file(&self, path: &Path) -> io::Result<File> {
            let (folder, name) = self.place(path, true)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(File::from(openat(folder, name, flags, Mode::from_raw_mode(0o666))?))
        }

        pub(super) fn file(&self, path: &Path, access: Access) -> io::Result<File> {
            let (folder, name) = self.place(path, false)?;
            let access = if access == Access::Read { OFlags::RDONLY } else { OFlags::WRONLY };
            // Opening a pipe would wait for its other end.
            let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let file = openat(folder, name, flags, Mode::empty())
                .map_err(|error| if error == Errno::LOOP { no_file() } else { error.into() })?;
            let kind = FileType::from_raw_mode(fstat(&file)?.st_mode);
            if kind == FileType::RegularFile { Ok(File::from(file)) } else { Err(no_file()) }
        }

        pub(super) fn sync_names(&self, folder: &Path) -> io::Result<()> {
            match self.folder(folder, false)? {
                Folder::Root(_) => self.open.sync_all(),
                Folder::Below(folder) => File::from(folder).sync_all(),
            }
        }

        pub(super) fn rename_file(&self, from: &Path, to: &Path) -> io::Result<()> {
            let ((from, old), (to, new)) = (self.place(from, false)?, self.place(to, true)?);
            Ok(renameat(from, old, to, new)?)
        }

        pub(super) fn remove_file(&self, path: &Path) -> io::Result<()> {
            let (folder, name) = self.place(path, false)?;
            Ok(unlinkat(folder, name, AtFlags::empty())?)
        }

        pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
            let folder = self.folder(folder, false)?;
            let mut names = Vec::new();
            for entry in Dir::read_from(&folder)? {
                let entry = entry?;
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                let is_file = match entry.file_type() {
                    FileType::Unknown => rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
                        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile),
                    kind => kind == FileType::RegularFile,
                };
                names.extend(name.to_str().filter(|_| is_file).map(str::to_owned));
            }
            Ok(names)
        }
    }

    fn no_folder(name: &OsStr) -> io::Error {
        io::Error::other(format!(
            "{} is no folder: links inside of a lake are not followed",
            name.to_string_lossy()
        ))
    }
}

#[cfg(not(unix))]
mod by_path {
    use std::fs::OpenOptions;

    use super::*;

    impl LocalDisk {
        /// The whole path, if no part of it is a link.
        fn place(&self, path: &Path) -> io::Result<PathBuf> {
            let mut at = self.root.clone();
            for part in path.components() {
                let std::path::Component::Normal(name) = part else { return Err(no_file()) };
                at.push(name);
                if fs::symlink_metadata(&at).is_ok_and(|found| found.is_symlink()) {
                    return Err(no_file());
                }
            }
            Ok(at)
        }

        pub(super) fn new_file(&self, path: &Path) -> io::Result<File> {
            let path = self.place(path)?;
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            OpenOptions::new().write(true).create_new(true).open(path)
        }

        pub(super) fn file(&self, path: &Path, access: Access) -> io::Result<File> {
            let file = OpenOptions::new()
                .read(access == Access::Read)
                .write(access == Access::Write)
                .open(self.place(path)?)?;
            if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
        }

        pub(super) fn sync_names(&self, _folder: &Path) -> io::Result<()> {
            // This system makes names durable in other ways.
            Ok(())
        }

        pub(super) fn rename_file(&self, from: &Path, to: &Path) -> io::Result<()> {
            let (from, to) = (self.place(from)?, self.place(to)?);
            to.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::rename(from, to)
        }

        pub(super) fn remove_file(&self, path: &Path) -> io::Result<()> {
            fs::remove_file(self.place(path)?)
        }

        pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
            let entries = fs::read_dir(self.place(folder)?)?.collect::<io::Result<Vec<_>>>()?;
            Ok(entries
                .into_iter()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect())
        }
    }
}
