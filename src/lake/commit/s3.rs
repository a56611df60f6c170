//! The commit of a lake in S3. Objects are written completely or not at all, and only the manifest is ever
//! changed.
//!
//! 1. A journal names the objects that the commit adds and those that it replaces. Its name begins with the
//!    generation (number of the commit).
//! 2. The new objects are written under names that begin with the same generation. No reader looks for them
//!    yet.
//! 3. The manifest is replaced on the condition that it is still the one that this run has read (`If-Match`;
//!    for the first commit `If-None-Match: *`). From here on the change is in effect. If another run was
//!    faster, this step is refused, and nothing has changed: the run begins again at 1, on top of the other
//!    run's commit.
//! 4. The copy of the manifest and the lists for other tools are written, and the journal is rewritten as
//!    settled.
//!
//! A run that was killed cannot be told from one that is slow. But once the manifest has reached a
//! generation, no run can commit that generation any more. So objects that the journal of such a generation
//! adds, and that the manifest does not name, are left over and can be removed, whoever wrote them. Therefore
//! no lock is needed.
//!
//! Replaced objects are kept for readers that began before, for the time that the writer is configured with.
//! It is measured by the service's clock, from the time at which the commit's journal was settled to that of
//! the latest journal. Objects that the previous manifest names are always kept.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::manifest::{FileEntry, Manifest, Unusable, VERSION};
use super::{Journal, LakeError, Moving, moving, previous, sync_all};
use crate::lake::disk::{Disk, S3Disk};
use crate::lake::layout::{self, COMMITS, LISTS, MANIFESTS, OWN};
use crate::lake::partition::Partition;
use crate::source::store::{Condition, Put};

/// Objects that are written or removed at the same time. Each is held in memory while it is written.
const TOGETHER: usize = 4;
/// Writes of which a service that keeps to conditions must refuse one.
const WRITES_REFUSED: u32 = 4;
/// Objects that the service copies at the same time.
const COPIED_TOGETHER: usize = 32;

fn io_error(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> LakeError {
    move |error| LakeError::io(path.as_ref(), error)
}

/// Puts the manifest `next` into effect in place of `present`.
pub(in crate::lake) fn publish(
    disk: &S3Disk,
    present: &Manifest,
    next: &Manifest,
    keep: Duration,
) -> Result<(), LakeError> {
    let [first, _, before] = MANIFESTS;
    let standing = standing(disk, present)?;
    let journal = Journal::between(present, next);
    let (sum, text) = journal.text().map_err(io_error(COMMITS))?;
    let name = layout::commit(next.generation, &sum.to_string());
    disk.put(&name, text.clone().into_bytes(), Condition::Always).map_err(io_error(&name))?;
    // Once for each lake, before anything depends on it.
    if present.generation == 0 && !refuses(disk, &name, &text)? {
        let _ = disk.remove(&name);
        return Err(LakeError::Unconditional { lake: disk.address(Path::new("")).into() });
    }
    let (copied, sent): (Vec<_>, Vec<_>) =
        journal.arriving.iter().partition(|moving| disk.is_adopted(&moving.name));
    for (these, together) in [(copied, COPIED_TOGETHER), (sent, TOGETHER)] {
        let paths: Vec<PathBuf> = these.iter().map(|moving| moving.path()).collect();
        sync_all(&paths, together, |path| {
            disk.send(path.file_name().and_then(|name| name.to_str()).unwrap_or_default(), path)
        })?;
    }
    if present.generation > 0 {
        let text = present.text().map_err(|error| LakeError::io(before.as_ref(), error))?;
        disk.put(before.as_ref(), text.into_bytes(), Condition::Always).map_err(io_error(before))?;
    }
    let text = next.text().map_err(|error| LakeError::io(first.as_ref(), error))?;
    let condition = standing.as_deref().map_or(Condition::New, Condition::Still);
    let put = disk.put(first.as_ref(), text.clone().into_bytes(), condition).map_err(io_error(first))?;
    // If the request was retried, the first attempt may have succeeded although its answer was lost.
    let is_ours = put == Put::Done
        || disk
            .get(first.as_ref())
            .map_err(io_error(first))?
            .is_some_and(|(bytes, _)| bytes == text.as_bytes());
    if !is_ours {
        // Objects of the refused commit that the other run does not use as well are removed.
        let _ = settle(disk, keep).and_then(|()| discard(disk, &journal, keep));
        return Err(LakeError::Overtaken { lake: disk.address(Path::new("")).into() });
    }
    journal.arriving.iter().for_each(|moving| disk.drop_staged(&moving.name));
    // The change is in effect. If one of the remaining steps fails, the next writer to open the lake does it.
    let _ = finish(disk, next, journal, &name, &text, keep);
    Ok(())
}

/// Whether the service refuses to write a journal again on the condition that it is new. A copy of this run
/// has a journal with the same name, and removes it when it has committed; but not before each of these
/// writes.
fn refuses(disk: &S3Disk, name: &Path, text: &str) -> Result<bool, LakeError> {
    for _ in 0..WRITES_REFUSED {
        let put = disk.put(name, text.as_bytes().to_vec(), Condition::New).map_err(io_error(name))?;
        if put != Put::Done {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The ETag of the manifest in S3, after checking that it is `present`; `None` if there is none.
fn standing(disk: &S3Disk, present: &Manifest) -> Result<Option<String>, LakeError> {
    let [first, ..] = MANIFESTS;
    let Some((bytes, tag)) = disk.get(first.as_ref()).map_err(io_error(first))? else { return Ok(None) };
    match Manifest::parse(&bytes) {
        Ok(manifest)
            if (Manifest { version: VERSION, ..manifest.clone() })
                != (Manifest { version: VERSION, ..present.clone() }) =>
        {
            Err(LakeError::Overtaken { lake: disk.address(Path::new("")).into() })
        }
        Err(Unusable::Later(found)) => Err(LakeError::Version { found }),
        // A damaged manifest may be replaced.
        _ => Ok(Some(tag)),
    }
}

/// The steps after the new manifest is in effect.
fn finish(
    disk: &S3Disk,
    next: &Manifest,
    journal: Journal,
    name: &Path,
    text: &str,
    keep: Duration,
) -> io::Result<()> {
    disk.put(MANIFESTS[1].as_ref(), text.as_bytes().to_vec(), Condition::Always)?;
    write_lists(disk, next, &[&journal])?;
    let journal = note_settled(disk, name, journal)?;
    let written = written(disk)?;
    // Settled now: journals of other runs for the same generation, which can no longer be committed, and
    // those whose replaced objects have been kept long enough.
    let is_due = |other: &Written| {
        other.generation == next.generation
            || (other.generation < next.generation && other.is_old(&written, keep))
    };
    if written.iter().any(|other| other.path != name && is_due(other)) {
        settle(disk, keep)
    } else if journal.leaving.is_empty() {
        disk.remove(name)
    } else {
        Ok(())
    }
}

/// Rewrites a journal as settled.
fn note_settled(disk: &S3Disk, name: &Path, journal: Journal) -> io::Result<Journal> {
    let journal = Journal { arriving: Vec::new(), settled: true, ..journal };
    let (_, text) = journal.text()?;
    disk.put(name, text.into_bytes(), Condition::Always)?;
    Ok(journal)
}

/// Cleans up a lake that was just opened for writing.
pub(in crate::lake) fn recover(disk: &S3Disk, manifest: &Manifest, keep: Duration) -> Result<(), LakeError> {
    settle(disk, keep).map_err(io_error(OWN))?;
    let [first, copy, _] = MANIFESTS;
    let same = |name: &str| Manifest::at(disk, name).is_ok_and(|other| other == *manifest);
    if manifest.version == VERSION && manifest.generation > 0 && same(first) && !same(copy) {
        let text = manifest.text().map_err(|error| LakeError::io(copy.as_ref(), error))?;
        disk.put(copy.as_ref(), text.into_bytes(), Condition::Always).map_err(io_error(copy))?;
    }
    Ok(())
}

/// A journal as it was listed.
struct Written {
    path: PathBuf,
    generation: u64,
    modified: Option<i64>,
}

impl Written {
    /// Whether the latest journal was written more than `keep` after this one.
    fn is_old(&self, all: &[Self], keep: Duration) -> bool {
        let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let now = all.iter().filter_map(|other| other.modified).max();
        keep == 0 || now.zip(self.modified).is_some_and(|(now, then)| now.saturating_sub(then) >= keep)
    }
}

fn written(disk: &S3Disk) -> io::Result<Vec<Written>> {
    let of = |(name, modified): (String, Option<i64>)| {
        Some(Written {
            path: Path::new(COMMITS).join(&name),
            generation: layout::commit_generation(&name)?,
            modified,
        })
    };
    Ok(disk.listed(COMMITS.as_ref())?.into_iter().filter_map(of).collect())
}

/// The objects that must not be removed.
struct Staying {
    /// Those of the present manifest.
    counted: BTreeSet<PathBuf>,
    /// Those of the previous manifest, and those that readers may still need.
    replaced: BTreeSet<PathBuf>,
}

impl Staying {
    fn of(disk: &S3Disk, manifest: &Manifest, awaited: BTreeSet<PathBuf>) -> Self {
        let mut replaced = awaited;
        replaced.append(&mut paths(&previous(disk)));
        Self { counted: paths(manifest), replaced }
    }
}

/// Journals with their paths, and the objects that readers may still need.
type Journals = (Vec<(PathBuf, Journal)>, BTreeSet<PathBuf>);

/// The journals that can be settled with this manifest, and the replaced objects that readers may still
/// need.
fn journals(disk: &S3Disk, manifest: &Manifest, keep: Duration) -> io::Result<Journals> {
    let (written, mut journals, mut awaited) = (written(disk)?, Vec::new(), BTreeSet::new());
    for one in written.iter().filter(|one| one.generation <= manifest.generation) {
        let Some(journal) = read(disk, &one.path)? else { continue };
        if !one.is_old(&written, keep) {
            awaited.extend(journal.leaving.iter().map(Moving::path));
        }
        journals.push((one.path.clone(), journal));
    }
    Ok((journals, awaited))
}

/// Settles all journals whose commit is complete or can no longer happen, according to the manifest as it is
/// now.
fn settle(disk: &S3Disk, keep: Duration) -> io::Result<()> {
    // Without the manifest nothing is certain.
    let Ok(manifest) = Manifest::at(disk, MANIFESTS[0]) else { return Ok(()) };
    let (journals, awaited) = journals(disk, &manifest, keep)?;
    if journals.is_empty() {
        return Ok(());
    }
    let staying = Staying::of(disk, &manifest, awaited);
    let unsettled: Vec<&Journal> =
        journals.iter().map(|(_, journal)| journal).filter(|journal| !journal.settled).collect();
    write_lists(disk, &manifest, &unsettled)?;
    journals.into_iter().try_for_each(|(path, journal)| put_away(disk, &path, journal, &staying))
}

fn read(disk: &S3Disk, path: &Path) -> io::Result<Option<Journal>> {
    Ok(disk.get(path)?.and_then(|(bytes, _)| Journal::parse(&bytes)))
}

/// Removes the objects of a journal that need not be kept; then the journal itself, if it names no others.
fn put_away(disk: &S3Disk, path: &Path, journal: Journal, staying: &Staying) -> io::Result<()> {
    let names: BTreeSet<PathBuf> =
        journal.arriving.iter().chain(&journal.leaving).map(Moving::path).collect();
    let (later, now): (Vec<_>, Vec<_>) = names
        .into_iter()
        .filter(|path| !staying.counted.contains(path))
        .partition(|path| staying.replaced.contains(path));
    sync_all(&now, TOGETHER, |path| disk.remove(path)).map_err(|error| io::Error::other(error.reason()))?;
    if later.is_empty() {
        return disk.remove(path);
    }
    if journal.settled { Ok(()) } else { note_settled(disk, path, journal).map(drop) }
}

/// Removes the objects of a commit that was refused, except those that another journal names as well.
fn discard(disk: &S3Disk, journal: &Journal, keep: Duration) -> io::Result<()> {
    let Ok(manifest) = Manifest::at(disk, MANIFESTS[0]) else { return Ok(()) };
    let (_, awaited) = journals(disk, &manifest, keep)?;
    let Staying { counted, replaced } = Staying::of(disk, &manifest, awaited);
    let mut gone = journal
        .arriving
        .iter()
        .map(Moving::path)
        .filter(|path| !counted.contains(path) && !replaced.contains(path));
    gone.try_for_each(|path| disk.remove(&path))
}

fn paths(manifest: &Manifest) -> BTreeSet<PathBuf> {
    moving(manifest).iter().map(Moving::path).collect()
}

/// All objects that journals name.
pub(in crate::lake) fn journaled(disk: &S3Disk) -> BTreeSet<PathBuf> {
    let journals = disk.names(COMMITS.as_ref()).unwrap_or_default();
    let journals =
        journals.iter().filter_map(|name| read(disk, &Path::new(COMMITS).join(name)).ok().flatten());
    journals
        .flat_map(|journal| journal.arriving.into_iter().chain(journal.leaving))
        .map(|moving| moving.path())
        .collect()
}

/// Rewrites the lists of files (their addresses, one a line) of all partitions that these commits have
/// changed.
fn write_lists(disk: &S3Disk, manifest: &Manifest, journals: &[&Journal]) -> io::Result<()> {
    let moved = || journals.iter().flat_map(|journal| journal.arriving.iter().chain(&journal.leaving));
    let changed: BTreeSet<&Partition> = moved()
        .filter_map(|moving| moving.partition.as_ref())
        .filter(|partition| !partition.native)
        .collect();
    if !disk.is_listed() || changed.is_empty() {
        return Ok(());
    }
    let mut manifest = Cow::Borrowed(manifest);
    loop {
        let lists: BTreeMap<PathBuf, String> =
            changed.iter().map(|partition| list(disk, &manifest, partition)).collect();
        let write = |path: &Path| {
            let text = lists.get(path).map_or(&[][..], |text| text.as_bytes());
            if disk.get(path)?.is_some_and(|(bytes, _)| bytes == text) {
                return Ok(());
            }
            disk.put(path, text.to_vec(), Condition::Always).map(drop)
        };
        sync_all(&lists.keys().collect::<Vec<_>>(), TOGETHER, write)
            .map_err(|error| io::Error::other(error.reason()))?;
        // Another run may have committed meanwhile, and written its lists before these.
        match Manifest::at(disk, MANIFESTS[0]) {
            Ok(now) if now.generation > manifest.generation => manifest = Cow::Owned(now),
            _ => return Ok(()),
        }
    }
}

fn list(disk: &S3Disk, manifest: &Manifest, partition: &Partition) -> (PathBuf, String) {
    let files = manifest.files.iter().filter(|file| file.partition == *partition).map(FileEntry::path);
    let text: String = files.map(|path| format!("{}\n", disk.address(&path))).collect();
    (Path::new(LISTS).join(partition.folder()).join("files.txt"), text)
}
