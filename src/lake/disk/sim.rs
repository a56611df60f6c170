//! A simulated disk that loses and tears writes that were not synced, forgets changed names in any order, and
//! can fail at any call.
//!
//! Every folder and every file's content exists twice: as programs see it, and as it is stored durably. A
//! crash keeps what is durable, and any part of the rest.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::{Disk, Held, Lock, Stored};
use crate::lake::LakeError;
use crate::lake::commit::local;
use crate::lake::commit::manifest::Manifest;

/// Pseudo-random numbers from a seed.
#[derive(Debug, Clone)]
pub(in crate::lake) struct Random(pub u64);

impl Random {
    pub(in crate::lake) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

/// A file's content: as programs read it, and as it is stored durably.
#[derive(Debug, Clone, Default)]
struct Content {
    seen: Vec<u8>,
    kept: Vec<u8>,
    /// Whether it was written to since the last sync.
    changed: bool,
}

/// A change of a folder that may not be durable yet.
#[derive(Debug, Clone)]
enum Change {
    Comes(PathBuf, usize),
    Goes(PathBuf),
    /// Both names change together, within one folder.
    Renamed(PathBuf, PathBuf, usize),
}

impl Change {
    fn folder(&self) -> &Path {
        let (Self::Comes(path, _) | Self::Goes(path) | Self::Renamed(_, path, _)) = self;
        path.parent().unwrap_or(Path::new(""))
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Comes(path, content) => drop(names.insert(path.clone(), *content)),
            Self::Goes(path) => drop(names.remove(path)),
            Self::Renamed(from, to, content) => {
                names.remove(from);
                names.insert(to.clone(), *content);
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    contents: Vec<Content>,
    seen: BTreeMap<PathBuf, usize>,
    kept: BTreeMap<PathBuf, usize>,
    changes: Vec<Change>,
    /// Number of calls until the fault occurs.
    calls_left: Option<u64>,
    fault: Option<Fault>,
    calls: u64,
}

/// What happens when the allowed calls are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lake) enum Fault {
    /// One call fails, and later ones work again.
    Once(io::ErrorKind),
    /// The machine stops: every call fails until [`SimDisk::crash`].
    Stop,
}

#[derive(Debug, Clone, Default)]
pub(in crate::lake) struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// How many calls were made.
    pub(in crate::lake) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Allows `calls` more calls before `fault`.
    pub(in crate::lake) fn fail_after(&self, calls: u64, fault: Fault) {
        let mut state = self.state();
        (state.calls_left, state.fault) = (Some(calls), Some(fault));
    }

    /// Stops the machine and starts it again.
    pub(in crate::lake) fn crash(&self, random: &mut Random) {
        let mut state = self.state();
        (state.calls_left, state.fault) = (None, None);
        let changes = std::mem::take(&mut state.changes);
        // Any subset of the changes may have become durable, in any order, except that changes of one name
        // keep theirs.
        let mut names = state.kept.clone();
        changes.iter().filter(|_| random.below(2) == 0).for_each(|change| change.apply(&mut names));
        for content in state.contents.iter_mut().filter(|content| content.changed) {
            content.kept = torn(content, random);
            content.seen = content.kept.clone();
            content.changed = false;
        }
        state.seen = names.clone();
        state.kept = names;
    }

    /// A call that only reads: a full disk does not make it fail, but the next one that writes.
    fn reading(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if (state.calls_left, state.fault) == (Some(0), Some(Fault::Once(io::ErrorKind::StorageFull))) {
            state.calls += 1;
            return Ok(state);
        }
        drop(state);
        self.call()
    }

    fn call(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.calls += 1;
        match state.calls_left {
            Some(0) => {
                let fault = state.fault;
                if let Some(Fault::Once(kind)) = fault {
                    (state.calls_left, state.fault) = (None, None);
                    return Err(kind.into());
                }
                Err(io::Error::other("the machine has stopped"))
            }
            left => {
                state.calls_left = left.map(|left| left - 1);
                Ok(state)
            }
        }
    }
}

/// What a crash leaves of a content: what was synced, a part of what was not, or zeros in its place.
fn torn(content: &Content, random: &mut Random) -> Vec<u8> {
    let length = usize::try_from(random.below(content.seen.len() as u64 + 1)).unwrap();
    match random.below(4) {
        0 => content.kept.clone(),
        1 => content.seen.clone(),
        2 => content.seen[..length].to_vec(),
        _ => content.seen.iter().enumerate().map(|(at, byte)| if at < length { *byte } else { 0 }).collect(),
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Write + Send>> {
        let mut state = self.call()?;
        let content = state.contents.len();
        state.contents.push(Content::default());
        if state.seen.contains_key(path) {
            state.changes.push(Change::Goes(path.to_path_buf()));
        }
        state.seen.insert(path.to_path_buf(), content);
        state.changes.push(Change::Comes(path.to_path_buf(), content));
        Ok(Box::new(SimWriter { disk: self.clone(), content }))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call()?;
        let content = *state.seen.get(path).ok_or_else(missing)?;
        let content = &mut state.contents[content];
        content.kept = content.seen.clone();
        content.changed = false;
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.call()?;
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.changes).into_iter().partition(|change| change.folder() == folder);
        state.changes = later;
        let mut kept = std::mem::take(&mut state.kept);
        now.iter().for_each(|change| change.apply(&mut kept));
        state.kept = kept;
        Ok(())
    }

    /// One after another, so that a seed always gives the same sequence of calls.
    fn synced_together(&self) -> usize {
        1
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.call()?;
        let content = state.seen.remove(from).ok_or_else(missing)?;
        state.seen.insert(to.to_path_buf(), content);
        if from.parent() == to.parent() {
            // Syncing a file also makes the creation of its name durable.
            state.changes.push(Change::Renamed(from.to_path_buf(), to.to_path_buf(), content));
        } else {
            state.changes.push(Change::Comes(to.to_path_buf(), content));
            state.changes.push(Change::Goes(from.to_path_buf()));
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call()?;
        state.seen.remove(path).ok_or_else(missing)?;
        state.changes.push(Change::Goes(path.to_path_buf()));
        Ok(())
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.reading()?;
        let inside = state.seen.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Stored>> {
        let state = self.reading()?;
        let content = *state.seen.get(path).ok_or_else(missing)?;
        Ok(Box::new(state.contents[content].seen.clone()))
    }

    fn publish(&self, present: &Manifest, next: &Manifest, _keep: Duration) -> Result<(), LakeError> {
        local::publish(self, present, next)
    }

    fn recover(&self, manifest: &Manifest, _keep: Duration) -> Result<(), LakeError> {
        local::recover(self, manifest)
    }

    fn address(&self, path: &Path) -> String {
        path.to_string_lossy().into_owned()
    }

    fn has(&self, path: &Path) -> bool {
        let state = self.state();
        state.seen.contains_key(path) || state.seen.keys().any(|name| name.starts_with(path))
    }

    fn lock(&self, _path: &Path, _lock: Lock) -> io::Result<Option<Held>> {
        Ok(Some(Box::new(())))
    }
}

impl Stored for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(at).unwrap();
        let from = self
            .get(start..start + bytes.len())
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        bytes.copy_from_slice(from);
        Ok(())
    }
}

struct SimWriter {
    disk: SimDisk,
    content: usize,
}

impl Write for SimWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.call()?;
        let content = &mut state.contents[self.content];
        content.seen.extend_from_slice(bytes);
        content.changed = true;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
