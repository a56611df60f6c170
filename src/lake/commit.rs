//! The commit: a change of a lake takes effect completely or not at all, even if the process or the machine
//! stops at any point.
//!
//! Opening a lake for writing first settles what the journals of unfinished commits name; no other file in
//! the partitions' folders is ever moved or removed. Only these modules know the order of the steps: `local`
//! for a folder, and `s3` for S3, where files cannot be renamed. A commit publishes a `manifest`, which names
//! the files in effect and the results of reading `objects`.

pub(super) mod local;
pub(super) mod manifest;
pub(super) mod objects;
pub(super) mod s3;
#[cfg(test)]
mod worlds;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use super::LakeError;
use super::checksum::Sum;
use super::disk::Disk;
use super::layout::{self, MANIFESTS, SPILL, STAGING};
use super::partition::Partition;
use manifest::{FileEntry, Manifest, Segment};

/// A file that a commit moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Moving {
    name: String,
    /// `None` for a segment, which belongs to no partition.
    partition: Option<Partition>,
}

impl Moving {
    fn of(file: &FileEntry) -> Self {
        Self { name: file.name.clone(), partition: Some(file.partition.clone()) }
    }

    fn of_segment(segment: &Segment) -> Self {
        Self { name: segment.name.clone(), partition: None }
    }

    fn path(&self) -> PathBuf {
        self.partition.as_ref().map_or_else(
            || layout::objects(&self.name),
            |partition| layout::rows(partition.folder(), &self.name),
        )
    }

    fn is_ours(&self) -> bool {
        if self.partition.is_some() { layout::is_rows(&self.name) } else { layout::is_segment(&self.name) }
    }
}

/// The files that a commit adds and replaces.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Journal {
    arriving: Vec<Moving>,
    leaving: Vec<Moving>,
    /// In S3: the commit is complete, and replaced files are kept only until their time is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    settled: bool,
}

impl Journal {
    /// The files that are only in `next`, and those that are only in `present`.
    fn between(present: &Manifest, next: &Manifest) -> Self {
        let (before, after) = (moving(present), moving(next));
        let lacks = |names: &[Moving]| names.iter().map(|moving| moving.path()).collect::<BTreeSet<_>>();
        let (had, has) = (lacks(&before), lacks(&after));
        let arriving = after.into_iter().filter(|moving| !had.contains(&moving.path())).collect();
        let leaving = before.into_iter().filter(|moving| !has.contains(&moving.path())).collect();
        Self { arriving, leaving, settled: false }
    }

    /// The text of the journal, and its checksum, which is stored before it.
    fn text(&self) -> io::Result<(Sum, String)> {
        let text = serde_json::to_string(self)?;
        let sum = Sum::of(text.as_bytes());
        Ok((sum, format!("{sum}\n{text}")))
    }

    /// Reads a journal; `None` if it is damaged.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (sum, text) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        let journal: Self =
            serde_json::from_str(text).ok().filter(|_| Sum::parse(sum) == Some(Sum::of(text.as_bytes())))?;
        Some(journal).filter(|journal| journal.arriving.iter().chain(&journal.leaving).all(Moving::is_ours))
    }
}

/// All files that a manifest names.
fn moving(manifest: &Manifest) -> Vec<Moving> {
    manifest.files.iter().map(Moving::of).chain(manifest.segments.iter().map(Moving::of_segment)).collect()
}

/// The previous manifest; an empty one if there is none.
pub(super) fn previous(disk: &dyn Disk) -> Manifest {
    Manifest::at(disk, MANIFESTS[2]).unwrap_or_else(|_| Manifest::new())
}

/// Removes unfinished files of runs that have ended.
pub(super) fn sweep(disk: &dyn Disk) -> io::Result<()> {
    for (folder, is_ours) in [(STAGING, is_staged as fn(&str) -> bool), (SPILL, layout::is_spill)] {
        for name in disk.names(folder.as_ref())?.iter().filter(|name| is_ours(name)) {
            disk.remove(&Path::new(folder).join(name))?;
        }
    }
    Ok(())
}

fn is_staged(name: &str) -> bool {
    layout::is_rows(name) || layout::is_segment(name)
}

/// Calls `sync` for many files, for up to `together` of them at the same time.
pub(super) fn sync_all<P: AsRef<Path> + Sync>(
    paths: &[P],
    together: usize,
    sync: impl Fn(&Path) -> io::Result<()> + Sync,
) -> Result<(), LakeError> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)).map(AsRef::as_ref) {
            sync(path).map_err(|error| LakeError::io(path, error))?;
        }
        Ok(())
    };
    let together = together.min(paths.len());
    if together < 2 {
        return work();
    }
    std::thread::scope(|scope| {
        let others: Vec<_> =
            (1..together).map_while(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let lost =
            || Err(LakeError::io(Path::new("the lake"), "a thread that was to bring files there ended"));
        others.into_iter().map(|other| other.join().unwrap_or_else(|_| lost())).fold(work(), Result::and)
    })
}
