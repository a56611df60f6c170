//! The commit of a lake in a folder.
//!
//! 1. New files are written into the staging folder and synced to the disk.
//! 2. The journal names the files that are about to be added and replaced.
//! 3. The new files are renamed to their final paths, and the folders are synced.
//! 4. The present manifest becomes the previous one, and the new manifest replaces it: from here on the
//!    change is in effect.
//! 5. Replaced files are moved aside, for readers that began before; the journal is removed.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::manifest::{Manifest, VERSION};
use super::{Journal, LakeError, Moving, moving, previous, sweep, sync_all};
use crate::lake::disk::{Disk, Lock, read};
use crate::lake::layout::{self, JOURNAL, MANIFESTS, OWN, REPLACED};

impl Journal {
    fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        let (_, text) = self.text()?;
        replace(disk, JOURNAL.as_ref(), text.as_bytes())?;
        disk.sync_folder(OWN.as_ref())
    }

    /// Reads the journal of an unfinished commit. `None` also if it is damaged: then the commit stopped while
    /// writing it, and nothing has been moved.
    fn read(disk: &dyn Disk) -> io::Result<Option<Self>> {
        let bytes = match read(disk, JOURNAL.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        Ok(Self::parse(&bytes))
    }
}

/// Puts the manifest `next`, whose new files are in the staging folder, into effect in place of `present`.
pub(in crate::lake) fn publish(
    disk: &dyn Disk,
    present: &Manifest,
    next: &Manifest,
) -> Result<(), LakeError> {
    if disk.has(JOURNAL.as_ref()) {
        settle(disk, present)?;
    }
    let journal = Journal::between(present, next);
    let staged: Vec<PathBuf> = journal.arriving.iter().map(|moving| layout::staged(&moving.name)).collect();
    sync_all(&staged, disk.synced_together(), |path| disk.sync(path))?;
    journal.write(disk).map_err(|error| LakeError::io(JOURNAL.as_ref(), error))?;
    let mut folders = BTreeSet::new();
    for moving in &journal.arriving {
        let path = moving.path();
        disk.rename(&layout::staged(&moving.name), &path).map_err(|error| LakeError::io(&path, error))?;
        folders.extend(path.parent().map(Path::to_path_buf));
    }
    sync_up(disk, &folders)?;
    store(disk, present, next).map_err(|error| LakeError::io(MANIFESTS[0].as_ref(), error))?;
    // The change is in effect. If one of the remaining steps fails, the next writer to open the lake does it.
    let _ = finish(disk, present, next, &journal);
    Ok(())
}

/// Replaces the manifest by `next`, completely or not at all, and keeps the previous one.
fn store(disk: &dyn Disk, present: &Manifest, next: &Manifest) -> io::Result<()> {
    if present.generation > 0 {
        replace(disk, MANIFESTS[2].as_ref(), present.text()?.as_bytes())?;
    }
    replace(disk, MANIFESTS[0].as_ref(), next.text()?.as_bytes())?;
    disk.sync_folder(OWN.as_ref())
}

/// Writes a temporary file, syncs it to disk, and renames it.
fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = disk.create(&beside)?;
    file.write_all(bytes)?;
    file.flush()?;
    drop(file);
    disk.sync(&beside)?;
    disk.rename(&beside, path)
}

/// The steps after the new manifest is in effect.
fn finish(disk: &dyn Disk, present: &Manifest, next: &Manifest, journal: &Journal) -> io::Result<()> {
    replace(disk, MANIFESTS[1].as_ref(), next.text()?.as_bytes())?;
    put_away(disk, journal, next, present)?;
    drop_replaced(disk, next, present)?;
    disk.remove(JOURNAL.as_ref())
}

/// Completes or undoes an unfinished commit. `manifest` is the one in effect.
fn settle(disk: &dyn Disk, manifest: &Manifest) -> Result<(), LakeError> {
    let io = |error| LakeError::io(OWN.as_ref(), error);
    let Some(journal) = Journal::read(disk).map_err(io)? else { return Ok(()) };
    if manifest.generation > 0 {
        // The manifest can be read, but may not be on disk yet: nothing that an older manifest names may be
        // removed before that.
        unless_missing(disk.sync(MANIFESTS[0].as_ref()))
            .and_then(|()| disk.sync_folder(OWN.as_ref()))
            .map_err(io)?;
    }
    put_away(disk, &journal, manifest, &previous(disk)).map_err(io)?;
    disk.remove(JOURNAL.as_ref()).map_err(io)
}

/// Removes the journal's files that `manifest` does not name; those that `previous` names are kept for
/// readers.
fn put_away(disk: &dyn Disk, journal: &Journal, manifest: &Manifest, previous: &Manifest) -> io::Result<()> {
    let paths = |manifest: &Manifest| moving(manifest).iter().map(Moving::path).collect::<BTreeSet<_>>();
    let (counted, kept) = (paths(manifest), paths(previous));
    let mut folders = BTreeSet::new();
    for moving in journal.arriving.iter().chain(&journal.leaving) {
        let path = moving.path();
        if counted.contains(&path) {
            continue;
        }
        let gone = if kept.contains(&path) {
            disk.rename(&path, &layout::replaced(&moving.name))
        } else {
            disk.remove(&path)
        };
        unless_missing(gone)?;
        // Synced even if the file is gone already: an earlier attempt may have moved it and stopped before
        // syncing.
        folders.extend(path.parent().map(Path::to_path_buf));
    }
    // First the folder that files were moved to, then the folders that they came from.
    [REPLACED.into()].iter().chain(&folders).try_for_each(|folder| unless_missing(disk.sync_folder(folder)))
}

/// Counts a file that does not exist as removed.
fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Removes replaced files that no manifest names any more, unless there are readers.
fn drop_replaced(disk: &dyn Disk, manifest: &Manifest, previous: &Manifest) -> io::Result<()> {
    let Some(_alone) = disk.lock(layout::READERS.as_ref(), Lock::Alone)? else { return Ok(()) };
    let named: BTreeSet<String> =
        [manifest, previous].into_iter().flat_map(moving).map(|moving| moving.name).collect();
    for replaced in disk.names(REPLACED.as_ref())? {
        if layout::name_before(&replaced).is_some_and(|name| !named.contains(name)) {
            disk.remove(&Path::new(REPLACED).join(&replaced))?;
        }
    }
    Ok(())
}

/// Cleans up a lake that was just opened for writing: settles an unfinished commit, removes unfinished files,
/// moves back replaced files that the manifest names, and renews the manifest's copy.
pub(in crate::lake) fn recover(disk: &dyn Disk, manifest: &Manifest) -> Result<(), LakeError> {
    settle(disk, manifest)?;
    let io = |error| LakeError::io(OWN.as_ref(), error);
    sweep(disk).map_err(io)?;
    take_back(disk, manifest).map_err(io)?;
    drop_replaced(disk, manifest, &previous(disk)).map_err(io)?;
    let same = |name: &str| Manifest::at(disk, name).is_ok_and(|other| other == *manifest);
    if manifest.version == VERSION && manifest.generation > 0 && same(MANIFESTS[0]) && !same(MANIFESTS[1]) {
        replace(disk, MANIFESTS[1].as_ref(), manifest.text().map_err(|error| io(error.into()))?.as_bytes())
            .map_err(io)?;
    }
    Ok(())
}

/// Moves replaced files back that the manifest names, which happens if an earlier manifest is in use.
fn take_back(disk: &dyn Disk, manifest: &Manifest) -> io::Result<()> {
    if disk.names(REPLACED.as_ref())?.is_empty() {
        return Ok(());
    }
    let mut folders = BTreeSet::new();
    for moving in moving(manifest) {
        let (path, aside) = (moving.path(), layout::replaced(&moving.name));
        if !disk.has(&path) && disk.has(&aside) {
            disk.rename(&aside, &path)?;
            folders.extend(path.parent().map(Path::to_path_buf));
        }
    }
    folders.iter().try_for_each(|folder| disk.sync_folder(folder))
}

/// Syncs these folders and those above them up to the lake.
fn sync_up(disk: &dyn Disk, folders: &BTreeSet<PathBuf>) -> Result<(), LakeError> {
    let all: BTreeSet<&Path> = folders.iter().flat_map(|folder| folder.ancestors()).collect();
    sync_all(&Vec::from_iter(all), disk.synced_together(), |folder| disk.sync_folder(folder))
}
