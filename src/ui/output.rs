//! Where data goes: stdout, or the one file that the user named.

use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::escape::TerminalText;
use crate::failure::Failure;

/// Size of the output buffer.
const BUFFER_BYTES: usize = 64 * 1024;
/// Maximum number of symbolic links that are followed, as many as Linux follows.
const LINKS_MAX: usize = 40;

/// Set while output is being written.
static WRITING: AtomicBool = AtomicBool::new(false);
/// The file that is being written.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Whether everything has been read and computed, and output is being written.
pub fn is_writing() -> bool {
    WRITING.load(Ordering::Relaxed)
}

/// Removes an unfinished file when the process ends early.
pub fn discard() {
    if let Some(path) = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = fs::remove_file(path);
    }
}

/// Where output goes; it was checked for being writable before the work started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    Stdout,
    /// A regular file, new or existing: it is replaced as a whole or not at all.
    File(PathBuf),
    /// A pipe or device that the user named: written to directly, never replaced.
    Special(PathBuf),
}

impl Destination {
    /// `path` as given with `-o`; without it, or with `-`, stdout. An error if it cannot be written to.
    pub fn prepare(path: Option<&Path>) -> Result<Self, Failure> {
        match path {
            None => Ok(Self::Stdout),
            Some(path) if path == Path::new("-") => Ok(Self::Stdout),
            Some(path) => Self::file(path).map_err(|error| cannot_write(path, &error)),
        }
    }

    fn file(path: &Path) -> io::Result<Self> {
        // `/dev/stdout` and `/dev/fd/3` are links whose targets have no path.
        if fs::metadata(path).is_ok_and(|found| !found.is_dir() && !found.is_file()) {
            return Ok(Self::Special(path.to_owned()));
        }
        // A symbolic link stays one: the file that it points to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| followed(path));
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            // Tried out now: an hour of reading must not end with "permission denied".
            _ => temporary(&path).map(|_| Self::File(path)),
        }
    }

    /// Removes the output of an earlier run if this run failed, so that nobody takes yesterday's result for
    /// today's. Returns whether there was any.
    pub fn withdraw(&self) -> bool {
        matches!(self, Self::File(path) if fs::remove_file(path).is_ok())
    }

    /// The width of the terminal, if output goes to one.
    pub fn columns(&self) -> Option<usize> {
        let terminal = *self == Self::Stdout && io::stdout().is_terminal();
        terminal
            .then(|| terminal_size::terminal_size_of(io::stdout()).map_or(80, |(width, _)| width.0.into()))
    }

    /// Calls `render` to write the output. `None` if the reader of stdout closed it early (`| head`), which
    /// is not an error.
    pub fn write<T>(
        &self,
        render: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<Option<T>, Failure> {
        WRITING.store(true, Ordering::Relaxed);
        let written = self.write_out(render);
        WRITING.store(false, Ordering::Relaxed);
        written
    }

    fn write_out<T>(
        &self,
        render: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<Option<T>, Failure> {
        match self {
            Self::Stdout => to_stdout(render),
            Self::File(path) => to_file(path, render).map(Some).map_err(|error| cannot_write(path, &error)),
            Self::Special(path) => {
                let open = fs::OpenOptions::new().write(true).open(path);
                open.and_then(|file| buffered(file, render))
                    .map(|(written, _)| Some(written))
                    .map_err(|error| cannot_write(path, &error))
            }
        }
    }
}

/// The path that a link to a missing file points to.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target));
    }
    path
}

fn to_stdout<T>(render: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> Result<Option<T>, Failure> {
    let stdout = io::stdout().lock();
    let written = if stdout.is_terminal() {
        buffered(TerminalText(stdout), render).map(|(written, _)| written)
    } else {
        buffered(stdout, render).map(|(written, _)| written)
    };
    match written {
        Ok(written) => Ok(Some(written)),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
        Err(error) => Err(Failure::new("cannot write to stdout").because(error)),
    }
}

/// Writes a temporary file beside the target and then renames it: readers see the old content or the new,
/// never half of it.
fn to_file<T>(path: &Path, render: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
    let file = temporary(path)?;
    let unfinished = |path| *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = path;
    unfinished(Some(file.path().to_path_buf()));
    let written = finish(path, file, render);
    unfinished(None);
    written
}

fn finish<T>(
    path: &Path,
    file: tempfile::NamedTempFile,
    render: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let (written, file) = buffered(file, render)?;
    if let Ok(old) = fs::metadata(path) {
        fs::set_permissions(file.path(), old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(written)
}

fn buffered<W: Write, T>(
    inner: W,
    render: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<(T, W)> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, inner);
    let written = render(&mut out)?;
    let inner = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok((written, inner))
}

/// A temporary file in the same folder, with the permissions of a new file; it is deleted unless it is
/// kept.
fn temporary(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tagfall-").suffix(".partial");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    // Only the kind of the error: its message would name the temporary file.
    let failure = Failure::new(format!("cannot write to {}", path.display())).because(error.kind());
    match error.kind() {
        io::ErrorKind::NotFound => failure.advise("create the folder first, or name another file with -o"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            failure.advise("make room there, or name a file on another disk with -o")
        }
        io::ErrorKind::IsADirectory => failure.advise("name a file in it: -o FOLDER/findings.json"),
        _ => failure.advise("name a file in a folder that you may write to"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn of_a_process_that_ends_in_the_middle_nothing_stays_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings.json");
        let destination = Destination::prepare(Some(&path)).unwrap();
        let mut there = (0, 1);
        let _ = destination.write(|out| {
            out.write_all(b"half")?;
            there.0 = files(folder.path()).len();
            discard();
            there.1 = files(folder.path()).len();
            Err::<(), _>(io::Error::other("the end"))
        });
        assert_eq!(there, (1, 0));
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings.json");
        let destination = Destination::prepare(Some(&path)).unwrap();
        assert_eq!(files(folder.path()), Vec::<String>::new());

        let failed = destination
            .write(|out| out.write_all(b"half").and_then(|()| Err::<(), _>(io::Error::other("disk full"))));
        assert!(failed.is_err());
        assert_eq!(files(folder.path()), Vec::<String>::new());

        assert_eq!(destination.write(|out| out.write_all(b"whole\n")), Ok(Some(())));
        assert_eq!(
            (files(folder.path()), fs::read_to_string(&path).unwrap()),
            (vec!["findings.json".to_owned()], "whole\n".to_owned())
        );
    }

    #[cfg(unix)]
    #[test]
    fn an_existing_file_keeps_its_permissions_and_a_link_stays_a_link() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, PermissionsExt::from_mode(0o600)).unwrap();
        symlink(&real, &link).unwrap();
        Destination::prepare(Some(&link)).unwrap().write(|out| out.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        let (later, to_later) = (folder.path().join("later"), folder.path().join("to-later"));
        symlink("later", &to_later).unwrap();
        Destination::prepare(Some(&to_later)).unwrap().write(|out| out.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&to_later).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&later).unwrap(), "new");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_never_replaced() {
        let destination = Destination::prepare(Some(Path::new("/dev/null"))).unwrap();
        assert_eq!(destination, Destination::Special(PathBuf::from("/dev/null")));
        assert_eq!(destination.write(|out| out.write_all(b"gone")), Ok(Some(())));
    }

    #[test]
    fn a_place_that_cannot_be_written_fails_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Destination::prepare(Some(folder.path())).is_err());
        assert!(Destination::prepare(Some(&folder.path().join("no/such/file"))).is_err());
        assert_eq!(Destination::prepare(Some(Path::new("-"))), Ok(Destination::Stdout));
    }
}
