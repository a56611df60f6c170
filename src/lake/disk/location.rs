//! Where a lake is: a folder of this machine, or a prefix of a bucket; also small lakes that are staged
//! inside of another one. No other module distinguishes them.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::lake::LakeError;
use crate::lake::commit::sync_all;
use crate::lake::disk::{Disk, LocalDisk, S3Disk};
use crate::lake::layout::{MANIFESTS, OWN};
use crate::source::store::{Condition, Entry, Got, ObjectStore, Put, StoreError};

/// Objects that are removed at the same time.
const REMOVED_TOGETHER: usize = 32;

/// The place of a lake, whether or not one exists there.
#[derive(Debug, Clone)]
pub enum Location {
    Folder(PathBuf),
    Store(Arc<dyn ObjectStore>),
    /// A lake that is staged inside of one in S3.
    Staged(Arc<dyn ObjectStore>),
}

impl From<&Path> for Location {
    fn from(folder: &Path) -> Self {
        Self::Folder(folder.to_path_buf())
    }
}

impl From<&PathBuf> for Location {
    fn from(folder: &PathBuf) -> Self {
        Self::Folder(folder.clone())
    }
}

impl From<Arc<dyn ObjectStore>> for Location {
    fn from(store: Arc<dyn ObjectStore>) -> Self {
        Self::Store(store)
    }
}

impl Location {
    /// Its name in messages.
    pub fn name(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.clone(),
            Self::Store(store) | Self::Staged(store) => store.address("").into(),
        }
    }

    /// The place of a lake inside of this one.
    pub(in crate::lake) fn below(&self, path: &str) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(folder.join(path)),
            Self::Store(store) | Self::Staged(store) => {
                Self::Staged(Arc::new(Below { store: Arc::clone(store), prefix: format!("{path}/") }))
            }
        }
    }

    /// Whether there is a lake.
    ///
    /// # Errors
    /// The folder or the prefix cannot be listed.
    pub fn is_lake(&self) -> Result<bool, StoreError> {
        match self {
            Self::Folder(folder) => Ok(MANIFESTS.iter().any(|name| folder.join(name).is_file())),
            Self::Store(store) | Self::Staged(store) => Ok(store
                .list("_tagfall/manifest")?
                .iter()
                .any(|entry| MANIFESTS.contains(&entry.key.as_str()))),
        }
    }

    /// The same with the error type of lakes.
    pub(in crate::lake) fn has_lake(&self) -> Result<bool, LakeError> {
        self.is_lake().map_err(|error| LakeError::io(&self.name(), error))
    }

    /// The files of a lake; an error if there is none.
    pub(in crate::lake) fn disk_of_lake(&self) -> Result<Arc<dyn Disk>, LakeError> {
        if self.has_lake()? { self.disk() } else { Err(LakeError::NotALake { folder: self.name() }) }
    }

    /// Creates the folder if needed; an error if it contains something other than a lake.
    pub(in crate::lake) fn make(&self) -> Result<(), LakeError> {
        let Self::Folder(folder) = self else { return Ok(()) };
        let is_lake = || fs::symlink_metadata(folder.join(OWN)).is_ok_and(|found| found.is_dir());
        match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
            Ok(true) if !is_lake() => return Err(LakeError::NotALake { folder: folder.clone() }),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LakeError::io(folder, error));
            }
            _ => {}
        }
        fs::create_dir_all(folder).map_err(|error| LakeError::io(folder, error))
    }

    /// The files of a lake that may not exist yet.
    pub(in crate::lake) fn disk(&self) -> Result<Arc<dyn Disk>, LakeError> {
        match self {
            Self::Folder(folder) => {
                Ok(Arc::new(LocalDisk::open(folder).map_err(|error| LakeError::io(folder, error))?))
            }
            Self::Store(store) => Ok(Arc::new(S3Disk::new(Arc::clone(store)))),
            Self::Staged(store) => Ok(Arc::new(S3Disk::staged(Arc::clone(store)))),
        }
    }

    /// Names directly below a folder: those of folders, or of keys up to the next `/`.
    pub(in crate::lake) fn folders(&self, path: &str) -> Result<Vec<String>, LakeError> {
        let mut names: Vec<String> = match self {
            Self::Folder(folder) => match fs::read_dir(folder.join(path)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(LakeError::io(&folder.join(path), error)),
                Ok(entries) => {
                    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
                }
            },
            Self::Store(store) | Self::Staged(store) => {
                let prefix = format!("{path}/");
                let keys = store.list(&prefix).map_err(|error| LakeError::io(Path::new(path), error))?;
                keys.iter()
                    .filter_map(|Entry { key, .. }| {
                        Some(key.strip_prefix(&prefix)?.split('/').next()?.to_owned())
                    })
                    .collect()
            }
        };
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Removes a folder with everything in it.
    pub(in crate::lake) fn remove(&self, path: &str) -> Result<(), LakeError> {
        match self {
            Self::Folder(folder) => match fs::remove_dir_all(folder.join(path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(LakeError::io(&folder.join(path), error))
                }
                _ => Ok(()),
            },
            Self::Store(store) | Self::Staged(store) => {
                let failed = |error| LakeError::io(Path::new(path), error);
                let keys: Vec<String> = store
                    .list(&format!("{path}/"))
                    .map_err(failed)?
                    .into_iter()
                    .map(|entry| entry.key)
                    .collect();
                // The manifest of a staged lake is removed first: without it, what is left is not a lake.
                let (manifests, others): (Vec<_>, Vec<_>) =
                    keys.iter().partition(|key| key.contains("/_tagfall/manifest"));
                let remove = |key: &Path| Ok(store.delete(&key.to_string_lossy())?);
                sync_all(&manifests, REMOVED_TOGETHER, remove)
                    .and_then(|()| sync_all(&others, REMOVED_TOGETHER, remove))
            }
        }
    }
}

/// A prefix inside of another one.
#[derive(Debug)]
struct Below {
    store: Arc<dyn ObjectStore>,
    prefix: String,
}

impl Below {
    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

impl ObjectStore for Below {
    fn get(&self, key: &str, part: Option<Range<u64>>) -> Result<Option<Got>, StoreError> {
        self.store.get(&self.key(key), part)
    }

    fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition<'_>) -> Result<Put, StoreError> {
        self.store.put(&self.key(key), bytes, condition)
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.store.copy(&self.key(from), &self.key(to))
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.store.delete(&self.key(key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let below =
            |entry: Entry| Some(Entry { key: entry.key.strip_prefix(&self.prefix)?.to_owned(), ..entry });
        Ok(self.store.list(&self.key(prefix))?.into_iter().filter_map(below).collect())
    }

    fn address(&self, key: &str) -> String {
        self.store.address(&self.key(key))
    }
}
