//! Opens the files of a folder one after another.
//!
//! To open a path the operating system looks up each of its parts, and objects are ten folders deep; for a
//! small file that is most of the work. So the folder is opened once, and its files are opened relative to
//! it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

const SEPARATOR: &[u8; 1] = &[std::path::MAIN_SEPARATOR as u8];

/// A folder shared by workers; it is closed when the last of its files has been taken.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    #[cfg(unix)]
    open: opened::Opened,
}

impl Folder {
    pub fn of(file: &Path) -> Self {
        Self {
            path: file.parent().unwrap_or_else(|| Path::new("")).to_owned(),
            #[cfg(unix)]
            open: opened::Opened::default(),
        }
    }

    /// The file's own name, which is the end of its path as the walk wrote it. Comparing paths part by part
    /// would be slow.
    pub fn name_of<'f>(&self, file: &'f Path) -> Option<&'f [u8]> {
        let (folder, file) = (self.path.as_os_str().as_encoded_bytes(), file.as_os_str().as_encoded_bytes());
        let name = file.strip_prefix(folder)?.strip_prefix(SEPARATOR)?;
        memchr::memchr(SEPARATOR[0], name).is_none().then_some(name)
    }

    /// Opens one of its files.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub fn file(&self, path: &Path) -> io::Result<File> {
        #[cfg(unix)]
        if let Some(file) = self.name_of(path).and_then(|name| self.open.file(&self.path, name)) {
            return file;
        }
        File::open(path)
    }
}

#[cfg(unix)]
mod opened {
    use std::fs::File;
    use std::io;
    use std::path::Path;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fd::OwnedFd;
    use rustix::fs::{CWD, Mode, OFlags, openat};

    /// The open folder. It is opened when a second file is asked for, as that is not worth it for a single
    /// one.
    #[derive(Debug, Default)]
    pub struct Opened {
        asked: AtomicBool,
        folder: OnceLock<Option<OwnedFd>>,
    }

    impl Opened {
        /// `None` if the folder cannot be opened: opening the file by its whole path then shows what is
        /// wrong.
        pub fn file(&self, folder: &Path, name: &[u8]) -> Option<io::Result<File>> {
            if !self.asked.swap(true, Ordering::Relaxed) {
                return None;
            }
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let folder = self
                .folder
                .get_or_init(|| openat(CWD, folder, flags | OFlags::DIRECTORY, Mode::empty()).ok())
                .as_ref()?;
            loop {
                match openat(folder, name, flags, Mode::empty()) {
                    Err(rustix::io::Errno::INTR) => {}
                    opened => return Some(opened.map(File::from).map_err(io::Error::from)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn read(folder: &Folder, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        folder.file(path)?.read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn files_are_those_that_their_paths_name() {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("a/b");
        std::fs::create_dir_all(&inside).unwrap();
        let paths: Vec<PathBuf> = ["1", "2", "3"].iter().map(|name| inside.join(name)).collect();
        for path in &paths {
            std::fs::write(path, path.as_os_str().as_encoded_bytes()).unwrap();
        }
        let folder = Folder::of(&paths[0]);
        assert_eq!(folder.name_of(&paths[2]), Some(b"3".as_slice()));
        for other in ["a/1", "a/b/c/1", "a/bc", "a/b"] {
            assert_eq!(folder.name_of(&root.path().join(other)), None, "{other}");
        }
        for path in paths.iter().chain(&paths) {
            assert_eq!(read(&folder, path).unwrap(), path.to_str().unwrap());
        }
        let missing = inside.join("4");
        assert_eq!(read(&folder, &missing).unwrap_err().kind(), File::open(&missing).unwrap_err().kind());
    }

    #[test]
    fn a_folder_that_is_gone_is_told_by_the_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("gone/1");
        let folder = Folder::of(&path);
        for _ in 0..3 {
            assert_eq!(read(&folder, &path).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_file_without_a_folder_is_in_the_current_one() {
        let folder = Folder::of(Path::new("Cargo.toml"));
        for _ in 0..3 {
            assert!(read(&folder, Path::new("Cargo.toml")).unwrap().contains("tagfall"));
        }
    }
}
