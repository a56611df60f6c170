//! A lake in S3. Its files are objects, written once and never changed, except for manifests. Unfinished
//! files are on the local disk, in a folder that is deleted at the end of the run.
//!
//! Of a data file only the needed parts are fetched: its footer, then column chunks, neighbouring ones
//! together. All other files are small, and are fetched once and as a whole.

mod part;
#[cfg(test)]
pub(in crate::lake) mod sim;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use xxhash_rust::xxh3::Xxh3;

use super::{Disk, Held, LocalDisk, Lock, Stored};
use crate::lake::LakeError;
use crate::lake::commit::manifest::Manifest;
use crate::lake::commit::s3;
use crate::lake::layout::{self, SPILL, STAGING};
use crate::source::store::{Condition, ObjectStore, Put};
use part::Part;

/// A file that was fetched as a whole is kept in memory up to this size; a larger one is stored on the local
/// disk.
const HELD_BYTES_MAX: usize = 1 << 20;
/// Bytes of a file that are processed at a time.
const STRETCH_BYTES: u64 = 1 << 20;

/// A prefix in S3, and a local folder for unfinished files.
#[derive(Debug)]
pub(in crate::lake) struct S3Disk {
    store: Arc<dyn ObjectStore>,
    /// Whether to write lists of files for other tools.
    is_listed: bool,
    /// Created at the first write.
    scratch: OnceLock<Scratch>,
    /// Immutable files that were fetched as a whole.
    fetched: Mutex<HashMap<PathBuf, Arc<Fetched>>>,
    /// Objects of lakes staged inside of this one, by the names that they will have.
    adopted: Mutex<HashMap<String, String>>,
}

#[derive(Debug)]
struct Scratch {
    disk: LocalDisk,
    _folder: tempfile::TempDir,
}

#[derive(Debug)]
enum Fetched {
    Held(Vec<u8>),
    Laid(File, u64),
}

impl S3Disk {
    pub(in crate::lake) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            is_listed: true,
            scratch: OnceLock::new(),
            fetched: Mutex::default(),
            adopted: Mutex::default(),
        }
    }

    /// A lake inside of another one, for which no lists for other tools are written.
    pub(in crate::lake) fn staged(store: Arc<dyn ObjectStore>) -> Self {
        Self { is_listed: false, ..Self::new(store) }
    }

    pub(in crate::lake) const fn is_listed(&self) -> bool {
        self.is_listed
    }

    fn scratch(&self) -> io::Result<&LocalDisk> {
        if self.scratch.get().is_none() {
            let folder = tempfile::Builder::new().prefix("tagfall-").tempdir()?;
            let _ = self.scratch.set(Scratch { disk: LocalDisk::open(folder.path())?, _folder: folder });
        }
        self.scratch
            .get()
            .map(|scratch| &scratch.disk)
            .ok_or_else(|| io::Error::other("no folder for files under work"))
    }

    /// An object and its ETag; `None` if it does not exist.
    pub(in crate::lake) fn get(&self, path: &Path) -> io::Result<Option<(Vec<u8>, String)>> {
        Ok(self.store.get(&key(path), None)?.map(|got| (got.bytes, got.tag)))
    }

    pub(in crate::lake) fn put(
        &self,
        path: &Path,
        bytes: Vec<u8>,
        condition: Condition<'_>,
    ) -> io::Result<Put> {
        Ok(self.store.put(&key(path), bytes, condition)?)
    }

    /// Names in a folder of the lake, and when each was written.
    pub(in crate::lake) fn listed(&self, folder: &Path) -> io::Result<Vec<(String, Option<i64>)>> {
        let prefix = format!("{}/", key(folder));
        let name = |key: &str| {
            key.strip_prefix(&prefix)
                .filter(|name| !name.is_empty() && !name.contains('/'))
                .map(str::to_owned)
        };
        Ok(self
            .store
            .list(&prefix)?
            .into_iter()
            .filter_map(|entry| Some((name(&entry.key)?, entry.modified)))
            .collect())
    }

    fn adopted(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a file is an object of another lake, which the service will copy.
    pub(in crate::lake) fn is_adopted(&self, name: &str) -> bool {
        self.adopted().contains_key(name)
    }

    /// The key of such an object, for a file in the staging folder.
    fn adopted_from(&self, path: &Path) -> Option<String> {
        let name = path.strip_prefix(STAGING).ok()?.to_str()?;
        self.adopted().get(name).cloned()
    }

    /// Uploads a finished file.
    pub(in crate::lake) fn send(&self, name: &str, path: &Path) -> io::Result<()> {
        let adopted = self.adopted().get(name).cloned();
        if let Some(from) = adopted {
            return Ok(self.store.copy(&from, &key(path))?);
        }
        let bytes = super::read(self.scratch()?, &layout::staged(name))?;
        self.put(path, bytes, Condition::Always).map(drop)
    }

    /// Deletes unfinished files that have been uploaded.
    pub(in crate::lake) fn drop_staged(&self, name: &str) {
        let _ = self.scratch().and_then(|scratch| scratch.remove(&layout::staged(name)));
    }

    fn fetched(&self, path: &Path) -> io::Result<Arc<Fetched>> {
        let lock = || self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fetched) = lock().get(path) {
            return Ok(Arc::clone(fetched));
        }
        let got = self.store.get(&self.adopted_from(path).unwrap_or_else(|| key(path)), None)?;
        let bytes = got.ok_or(io::ErrorKind::NotFound)?.bytes;
        let size = bytes.len() as u64;
        let fetched = if bytes.len() <= HELD_BYTES_MAX {
            Fetched::Held(bytes)
        } else {
            let mut file = tempfile::tempfile()?;
            file.write_all(&bytes)?;
            Fetched::Laid(file, size)
        };
        let fetched = Arc::new(fetched);
        if layout::is_part(path.file_name().and_then(|name| name.to_str()).unwrap_or_default()) {
            lock().insert(path.to_path_buf(), Arc::clone(&fetched));
        }
        Ok(fetched)
    }
}

/// The key for a path in the lake.
fn key(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn nameless() -> io::Error {
    io::Error::other("its name does not tell what is in it")
}

/// Whether a file is unfinished, and therefore on the local disk.
fn is_here(path: &Path) -> bool {
    path.starts_with(STAGING) || path.starts_with(SPILL)
}

impl Disk for S3Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + Send>> {
        if is_here(path) {
            self.scratch()?.create(path)
        } else {
            Err(io::Error::other("a file in S3 is written as a whole"))
        }
    }

    /// An object is durable once it was written.
    fn sync(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if is_here(from) && is_here(to) {
            self.scratch()?.rename(from, to)
        } else {
            Err(io::Error::other("an object in S3 keeps its name"))
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.adopted_from(path).is_some() {
            // An object of a staged lake, which stays there until it is published.
            return Ok(());
        }
        if is_here(path) { self.scratch()?.remove(path) } else { Ok(self.store.delete(&key(path))?) }
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        if is_here(folder) {
            return self.scratch.get().map_or(Ok(Vec::new()), |scratch| scratch.disk.names(folder));
        }
        Ok(self.listed(folder)?.into_iter().map(|(name, _)| name).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Stored>> {
        if is_here(path) && self.adopted_from(path).is_none() {
            self.scratch()?.open(path)
        } else {
            Ok(Box::new(self.fetched(path)?))
        }
    }

    fn open_sized(&self, path: &Path, bytes: u64) -> io::Result<Box<dyn Stored>> {
        if is_here(path) {
            self.scratch()?.open(path)
        } else {
            Ok(Box::new(Part::new(Arc::clone(&self.store), key(path), bytes)))
        }
    }

    /// `000007-0123….parquet`: the generation of the commit, and a hash of the content. Two runs that make
    /// the same file for the same commit write the same object.
    fn settled(&self, name: String) -> io::Result<String> {
        let (scratch, path) = (self.scratch()?, layout::staged(&name));
        let (file, mut hash, mut at) = (scratch.open(&path)?, Xxh3::new(), 0);
        let mut stretch = Vec::new();
        while at < file.size() {
            let length = STRETCH_BYTES.min(file.size() - at);
            stretch.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
            file.read_at(at, &mut stretch)?;
            hash.update(&stretch);
            at += length;
        }
        let settled = layout::part_name(&name, hash.digest128())
            .ok_or_else(|| io::Error::other("no name of a lake's"))?;
        scratch.rename(&path, &layout::staged(&settled))?;
        Ok(settled)
    }

    /// The file is only noted; the service copies it when the commit is published.
    fn adopt(&self, from: &Path, its_name: &str, name: String) -> io::Result<String> {
        let settled = layout::content(its_name).and_then(|content| layout::part_name(&name, content));
        let settled = settled.ok_or_else(nameless)?;
        self.adopted().insert(settled.clone(), key(from));
        Ok(settled)
    }

    fn adopts_unread(&self) -> bool {
        true
    }

    fn publish(&self, present: &Manifest, next: &Manifest, keep: Duration) -> Result<(), LakeError> {
        s3::publish(self, present, next, keep)
    }

    fn recover(&self, manifest: &Manifest, keep: Duration) -> Result<(), LakeError> {
        s3::recover(self, manifest, keep)
    }

    fn reads_by_requests(&self) -> bool {
        true
    }

    /// All runs that stage a shard make the same lake, so none of them can overtake another.
    fn can_be_overtaken(&self) -> bool {
        self.is_listed
    }

    fn restage(&self, name: &str, generation: u64) -> io::Result<String> {
        let anew = layout::renumbered(name, generation).ok_or_else(nameless)?;
        let adopted = self.adopted().remove(name);
        match adopted {
            Some(from) => drop(self.adopted().insert(anew.clone(), from)),
            None => self.scratch()?.rename(&layout::staged(name), &layout::staged(&anew))?,
        }
        Ok(anew)
    }

    fn awaited(&self) -> BTreeSet<PathBuf> {
        s3::journaled(self)
    }

    fn address(&self, path: &Path) -> String {
        self.store.address(&key(path))
    }

    /// Names contain a hash of the content, so different files have different names.
    fn has(&self, path: &Path) -> bool {
        is_here(path) && self.scratch.get().is_some_and(|scratch| scratch.disk.has(path))
    }

    /// No lock is needed: a run that was overtaken is refused when it replaces the manifest.
    fn lock(&self, _path: &Path, _lock: Lock) -> io::Result<Option<Held>> {
        Ok(Some(Box::new(())))
    }
}

impl Stored for Arc<Fetched> {
    fn size(&self) -> u64 {
        match &**self {
            Fetched::Held(bytes) => bytes.len() as u64,
            Fetched::Laid(_, size) => *size,
        }
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        match &**self {
            Fetched::Held(held) => {
                let start = usize::try_from(at).map_err(io::Error::other)?;
                let from = start
                    .checked_add(bytes.len())
                    .and_then(|end| held.get(start..end))
                    .ok_or(io::ErrorKind::UnexpectedEof)?;
                bytes.copy_from_slice(from);
                Ok(())
            }
            Fetched::Laid(file, _) => super::local::read_exact_at(file, bytes, at),
        }
    }
}
