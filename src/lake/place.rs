//! Where a lake is: a folder of this machine, or a prefix of a bucket; and small lakes that are staged inside of one.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::LakeError;
use super::commit::sync_all;
use super::disk::{Disk, FarDisk, LocalDisk};
use super::read::{is_lake, is_lake_in};
use crate::source::store::{Condition, Got, ObjectStore, Put, StoreError};

/// Objects that are removed at the same time.
const REMOVED_TOGETHER: usize = 32;

/// A lake's place, whether or not one is there.
#[derive(Debug, Clone)]
pub enum Place {
    Folder(PathBuf),
    Store(Arc<dyn ObjectStore>),
    /// A lake that is staged in one in S3.
    Staged(Arc<dyn ObjectStore>),
}

impl Place {
    /// What people call it.
    pub fn name(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.clone(),
            Self::Store(store) | Self::Staged(store) => store.address("").into(),
        }
    }

    /// The place of a lake inside of this one.
    pub(super) fn below(&self, path: &str) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(folder.join(path)),
            Self::Store(store) | Self::Staged(store) => Self::Staged(Arc::new(Below { store: Arc::clone(store), prefix: format!("{path}/") })),
        }
    }

    /// Whether a lake is there.
    pub(super) fn has_lake(&self) -> Result<bool, LakeError> {
        match self {
            Self::Folder(folder) => Ok(is_lake(folder)),
            Self::Store(store) | Self::Staged(store) => is_lake_in(&**store).map_err(|error| LakeError::io(&self.name(), error)),
        }
    }

    /// The files of a lake that is there.
    pub(super) fn disk(&self) -> Result<Arc<dyn Disk>, LakeError> {
        match self {
            Self::Folder(folder) => Ok(Arc::new(LocalDisk::open(folder).map_err(|error| LakeError::io(folder, error))?)),
            Self::Store(store) => Ok(Arc::new(FarDisk::new(Arc::clone(store)))),
            Self::Staged(store) => Ok(Arc::new(FarDisk::staged(Arc::clone(store)))),
        }
    }

    /// Names of what lies right below a folder of this place: of folders, and of keys up to the next `/`.
    pub(super) fn folders(&self, path: &str) -> Result<Vec<String>, LakeError> {
        let mut names: Vec<String> = match self {
            Self::Folder(folder) => match fs::read_dir(folder.join(path)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(LakeError::io(&folder.join(path), error)),
                Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect(),
            },
            Self::Store(store) | Self::Staged(store) => {
                let prefix = format!("{path}/");
                let keys = store.list(&prefix).map_err(|error| LakeError::io(Path::new(path), error))?;
                keys.iter().filter_map(|key| Some(key.strip_prefix(&prefix)?.split('/').next()?.to_owned())).collect()
            }
        };
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Removes a folder of this place with all that is in it.
    pub(super) fn remove(&self, path: &str) -> Result<(), LakeError> {
        match self {
            Self::Folder(folder) => match fs::remove_dir_all(folder.join(path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LakeError::io(&folder.join(path), error)),
                _ => Ok(()),
            },
            Self::Store(store) | Self::Staged(store) => {
                let failed = |error| LakeError::io(Path::new(path), error);
                let keys = store.list(&format!("{path}/")).map_err(failed)?;
                // The manifest of a staged lake goes first: what is left of it is none any more.
                let (manifests, others): (Vec<_>, Vec<_>) = keys.iter().partition(|key| key.contains("/_tagfall/manifest"));
                let remove = |key: &Path| Ok(store.delete(&key.to_string_lossy())?);
                sync_all(&manifests, REMOVED_TOGETHER, remove).and_then(|()| sync_all(&others, REMOVED_TOGETHER, remove))
            }
        }
    }
}

/// A prefix below another one.
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

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let keys = self.store.list(&self.key(prefix))?;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned)).collect())
    }

    fn address(&self, key: &str) -> String {
        self.store.address(&self.key(key))
    }
}
