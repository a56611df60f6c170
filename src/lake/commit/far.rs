//! The commit of a lake in S3: an object is there as a whole under its name, and only the manifest is ever changed.
//!
//! 1. A journal says which objects the commit brings, and which it replaces. Its name begins with the generation that it makes.
//! 2. The new objects are written under their own names, which begin with that generation, too. No reader looks for them yet.
//! 3. The manifest is replaced, on the condition that it is still the one that this run has read (`If-Match`; the first one:
//!    `If-None-Match: *`). From here on the change counts; a run that comes second is refused here, and has changed nothing.
//! 4. The copy of the manifest and the lists for other tools are written.
//!
//! Nobody can tell a run that was killed from one that is slow. But no run can bring in a generation any more that the manifest
//! has reached: what the journal of such a one names, and the manifest does not, is left over, and removed, whoever wrote it. So
//! no lock is needed, and no clock. Objects that the manifest before the present one names stay, for readers that began with it.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::{Journal, LakeError, Moving, moving, previous, sync_all};
use crate::lake::disk::{Disk, FarDisk};
use crate::lake::layout::{self, COMMITS, LISTS, MANIFESTS, OWN};
use crate::lake::manifest::{FileEntry, Manifest, Unusable, VERSION};
use crate::lake::partition::Partition;
use crate::source::store::{Condition, Put};

/// Objects that are written, or removed, at the same time. Each is in memory as a whole while it is written.
const TOGETHER: usize = 4;
/// Objects that the service copies at the same time.
const COPIED_TOGETHER: usize = 32;

fn io_error(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> LakeError {
    move |error| LakeError::io(path.as_ref(), error)
}

/// Makes `next` the lake in the place of `present`.
pub(super) fn publish(disk: &FarDisk, present: &Manifest, next: &Manifest) -> Result<(), LakeError> {
    let [first, _, before] = MANIFESTS;
    let standing = standing(disk, present)?;
    let journal = Journal::between(present, next);
    let (sum, text) = journal.text().map_err(io_error(COMMITS))?;
    let name = layout::commit(next.generation, &sum.to_string());
    disk.put(&name, text.clone().into_bytes(), Condition::Always).map_err(io_error(&name))?;
    // Once in a lake's life: what is there is to be refused, before anything depends on it.
    if present.generation == 0 && disk.put(&name, text.into_bytes(), Condition::New).map_err(io_error(&name))? == Put::Done {
        let _ = disk.remove(&name);
        return Err(LakeError::Unconditional { lake: disk.address(Path::new("")).into() });
    }
    let (copied, sent): (Vec<_>, Vec<_>) = journal.arriving.iter().partition(|moving| disk.is_adopted(&moving.name));
    for (these, together) in [(copied, COPIED_TOGETHER), (sent, TOGETHER)] {
        let paths: Vec<PathBuf> = these.iter().map(|moving| moving.path()).collect();
        sync_all(&paths, together, |path| disk.send(path.file_name().and_then(|name| name.to_str()).unwrap_or_default(), path))?;
    }
    if present.generation > 0 {
        let text = present.text().map_err(|error| LakeError::io(before.as_ref(), error))?;
        disk.put(before.as_ref(), text.into_bytes(), Condition::Always).map_err(io_error(before))?;
    }
    let text = next.text().map_err(|error| LakeError::io(first.as_ref(), error))?;
    let condition = standing.as_deref().map_or(Condition::New, Condition::Still);
    let put = disk.put(first.as_ref(), text.clone().into_bytes(), condition).map_err(io_error(first))?;
    // Of two tries, the first may have changed it, and its answer was lost.
    let is_ours = put == Put::Done || disk.get(first.as_ref()).map_err(io_error(first))?.is_some_and(|(bytes, _)| bytes == text.as_bytes());
    if !is_ours {
        // What the other run has not written, too, is of no use to anybody.
        let _ = settle(disk).and_then(|()| discard(disk, &journal));
        return Err(LakeError::Overtaken { lake: disk.address(Path::new("")).into() });
    }
    journal.arriving.iter().for_each(|moving| disk.drop_staged(&moving.name));
    // The change counts. What comes now is done again by whoever opens the lake next, where it fails.
    let _ = finish(disk, next, &journal, &name, &text);
    Ok(())
}

/// The ETag of the manifest, which is to be `present`; `None` where there is none.
fn standing(disk: &FarDisk, present: &Manifest) -> Result<Option<String>, LakeError> {
    let [first, ..] = MANIFESTS;
    let Some((bytes, tag)) = disk.get(first.as_ref()).map_err(io_error(first))? else { return Ok(None) };
    match Manifest::parse(&bytes) {
        Ok(manifest) if (Manifest { version: VERSION, ..manifest.clone() }) != (Manifest { version: VERSION, ..present.clone() }) => {
            Err(LakeError::Overtaken { lake: disk.address(Path::new("")).into() })
        }
        Err(Unusable::Later(found)) => Err(LakeError::Version { found }),
        // A damaged one is replaced.
        _ => Ok(Some(tag)),
    }
}

/// What is left to do once the manifest is in its place.
fn finish(disk: &FarDisk, next: &Manifest, journal: &Journal, name: &Path, text: &str) -> io::Result<()> {
    disk.put(MANIFESTS[1].as_ref(), text.as_bytes().to_vec(), Condition::Always)?;
    write_lists(disk, next, journal)?;
    // Whoever wanted to make this generation, too, cannot any more.
    for other in disk.names(COMMITS.as_ref())?.iter().filter(|other| layout::commit_generation(other) == Some(next.generation)) {
        let path = Path::new(COMMITS).join(other);
        if path != name {
            put_away(disk, &path, next, &previous(disk))?;
        }
    }
    Ok(())
}

/// Brings a lake that was just opened for writing into order.
pub(super) fn recover(disk: &FarDisk, manifest: &Manifest) -> Result<(), LakeError> {
    settle(disk).map_err(io_error(OWN))?;
    let [first, copy, _] = MANIFESTS;
    let same = |name: &str| Manifest::at(disk, name).is_ok_and(|other| other == *manifest);
    if manifest.version == VERSION && manifest.generation > 0 && same(first) && !same(copy) {
        let text = manifest.text().map_err(|error| LakeError::io(copy.as_ref(), error))?;
        disk.put(copy.as_ref(), text.into_bytes(), Condition::Always).map_err(io_error(copy))?;
    }
    Ok(())
}

/// Settles what commits have left that are done, or can be done no more, by the manifest as it is now.
fn settle(disk: &FarDisk) -> io::Result<()> {
    // Without it nothing is certain.
    let Ok(manifest) = Manifest::at(disk, MANIFESTS[0]) else { return Ok(()) };
    let before = previous(disk);
    for name in disk.names(COMMITS.as_ref())? {
        if layout::commit_generation(&name).is_some_and(|generation| generation <= manifest.generation) {
            let path = Path::new(COMMITS).join(&name);
            if let Some(journal) = read(disk, &path)? {
                write_lists(disk, &manifest, &journal)?;
            }
            put_away(disk, &path, &manifest, &before)?;
        }
    }
    Ok(())
}

fn read(disk: &FarDisk, path: &Path) -> io::Result<Option<Journal>> {
    Ok(disk.get(path)?.and_then(|(bytes, _)| Journal::parse(&bytes)))
}

/// Removes what a journal names and no manifest does; and the journal, where it names nothing any more that will have to go.
fn put_away(disk: &FarDisk, path: &Path, manifest: &Manifest, previous: &Manifest) -> io::Result<()> {
    let Some(journal) = read(disk, path)? else { return Ok(()) };
    let (counted, kept) = (paths(manifest), paths(previous));
    let names: BTreeSet<PathBuf> = journal.arriving.iter().chain(&journal.leaving).map(Moving::path).filter(|path| !counted.contains(path)).collect();
    let (later, now): (Vec<_>, Vec<_>) = names.into_iter().partition(|path| kept.contains(path));
    sync_all(&now, TOGETHER, |path| disk.remove(path)).map_err(|error| io::Error::other(error.reason()))?;
    if later.is_empty() { disk.remove(path) } else { Ok(()) }
}

/// Removes what a run that was overtaken has written, and nobody names.
fn discard(disk: &FarDisk, journal: &Journal) -> io::Result<()> {
    let Ok(manifest) = Manifest::at(disk, MANIFESTS[0]) else { return Ok(()) };
    let (counted, kept) = (paths(&manifest), paths(&previous(disk)));
    let mut gone = journal.arriving.iter().map(Moving::path).filter(|path| !counted.contains(path) && !kept.contains(path));
    gone.try_for_each(|path| disk.remove(&path))
}

fn paths(manifest: &Manifest) -> BTreeSet<PathBuf> {
    moving(manifest).iter().map(Moving::path).collect()
}

/// The objects that journals name, whether they count or not: nobody else's.
pub(in crate::lake) fn journaled(disk: &FarDisk) -> BTreeSet<PathBuf> {
    let journals = disk.names(COMMITS.as_ref()).unwrap_or_default();
    let journals = journals.iter().filter_map(|name| read(disk, &Path::new(COMMITS).join(name)).ok().flatten());
    journals.flat_map(|journal| journal.arriving.into_iter().chain(journal.leaving)).map(|moving| moving.path()).collect()
}

/// Brings the lists of those partitions that a commit has changed up to the manifest: for each, the addresses of its files.
fn write_lists(disk: &FarDisk, manifest: &Manifest, journal: &Journal) -> io::Result<()> {
    if !disk.is_listed() {
        return Ok(());
    }
    let changed: BTreeSet<&Partition> = journal.arriving.iter().chain(&journal.leaving).filter_map(|moving| moving.partition.as_ref()).collect();
    let lists: Vec<(PathBuf, String)> =
        changed.into_iter().filter(|partition| !partition.native).map(|partition| list(disk, manifest, partition)).collect();
    let paths: Vec<&PathBuf> = lists.iter().map(|(path, _)| path).collect();
    let text = |path: &Path| lists.iter().find(|(other, _)| other == path).map(|(_, text)| text.as_bytes()).unwrap_or_default();
    let write = |path: &Path| {
        if disk.get(path)?.is_some_and(|(bytes, _)| bytes == text(path)) {
            return Ok(());
        }
        disk.put(path, text(path).to_vec(), Condition::Always).map(drop)
    };
    sync_all(&paths, TOGETHER, write).map_err(|error| io::Error::other(error.reason()))
}

fn list(disk: &FarDisk, manifest: &Manifest, partition: &Partition) -> (PathBuf, String) {
    let files = manifest.files.iter().filter(|file| file.partition == *partition).map(FileEntry::path);
    let text: String = files.map(|path| format!("{}\n", disk.address(&path))).collect();
    (Path::new(LISTS).join(partition.folder()).join("files.txt"), text)
}
