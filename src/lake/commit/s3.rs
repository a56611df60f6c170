//! The commit of a lake in S3: an object is there as a whole under its name, and only the manifest is ever
//! changed.
//!
//! 1. A journal says which objects the commit brings, and which it replaces. Its name begins with the
//!    generation that it makes.
//! 2. The new objects are written under their own names, which begin with that generation, too. No reader
//!    looks for them yet.
//! 3. The manifest is replaced, on the condition that it is still the one that this run has read (`If-Match`;
//!    the first one: `If-None-Match: *`). From here on the change counts; a run that comes second is refused
//!    here, and has changed nothing: it begins again at 1, on top of the other one.
//! 4. The copy of the manifest and the lists for other tools are written, and the journal again, as settled.
//!
//! Nobody can tell a run that was killed from one that is slow. But no run can bring in a generation any more
//! that the manifest has reached: what the journal of such a one would have brought, and the manifest does
//! not name, is left over, and removed, whoever wrote it. So no lock is needed.
//!
//! What a commit has replaced stays for readers that began before, for as long as the one who writes says:
//! from the time when its journal was settled, by the service's clock, to that of the last journal. What the
//! manifest before the present one names stays in any case.

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

/// Objects written or removed at the same time. Each is held in memory while it is written.
const TOGETHER: usize = 4;
/// Objects that the service copies at the same time.
const COPIED_TOGETHER: usize = 32;

fn io_error(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> LakeError {
    move |error| LakeError::io(path.as_ref(), error)
}

/// Makes `next` the lake's manifest in place of `present`.
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
    // Once for each lake: tests that a condition that does not hold is refused, before anything depends on
    // it.
    if present.generation == 0
        && disk.put(&name, text.into_bytes(), Condition::New).map_err(io_error(&name))? == Put::Done
    {
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
    // Of two tries, the first may have succeeded although its answer was lost.
    let is_ours = put == Put::Done
        || disk
            .get(first.as_ref())
            .map_err(io_error(first))?
            .is_some_and(|(bytes, _)| bytes == text.as_bytes());
    if !is_ours {
        // What the other run has not written as well is of no use.
        let _ = settle(disk, keep).and_then(|()| discard(disk, &journal, keep));
        return Err(LakeError::Overtaken { lake: disk.address(Path::new("")).into() });
    }
    journal.arriving.iter().for_each(|moving| disk.drop_staged(&moving.name));
    // The change is in effect. If what follows fails, whoever opens the lake next will do it.
    let _ = finish(disk, next, journal, &name, &text, keep);
    Ok(())
}

/// The ETag of the manifest, which must be `present`; `None` if there is none.
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
        // A damaged manifest is replaced.
        _ => Ok(Some(tag)),
    }
}

/// What is left to do once the new manifest is in place.
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
    // No other run can make this generation any more; and what was replaced long ago need not be kept.
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

/// A journal in the listing.
struct Written {
    path: PathBuf,
    generation: u64,
    modified: Option<i64>,
}

impl Written {
    /// Whether the last journal was written so much later.
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

/// Which objects are kept.
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

/// Settles commits that are done or that can no longer be made, according to the manifest as it is now.
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

/// Removes what a journal names and that need not be kept; and the journal, once it names nothing to be
/// removed.
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

/// Removes what a run has written that was overtaken, and nobody else names.
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

/// Updates the lists of files for the partitions that commits have changed: for each, the addresses of its
/// files.
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
        // If another run has committed meanwhile, its lists may have been written first.
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
