//! Checks whether a lake is unchanged since it was written: compares every byte of every file in the manifest
//! with its checksum.

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;

use super::LakeError;
use super::commit::manifest::{Damage, FileEntry, Loaded, Manifest, Segment, VERSION};
use super::commit::objects;
use super::disk::Location;
use super::disk::{Disk, Lock, read};
use super::file::Reader;
use super::guard::guarded;
use super::layout::{self, MANIFESTS, OBJECTS, READERS};
use super::record::rebuild::Records;

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of commits.
    pub generation: u64,
    /// Data files, the events in them, and their size.
    pub files: u64,
    pub events: u64,
    pub bytes: u64,
    /// Files without checksums, written by an earlier version: it can only be checked that they are
    /// readable.
    pub without_checksums: u64,
    /// Number of events that a repair copied from such files unchecked: they may have been damaged before.
    pub taken_over: u64,
    /// What is damaged or missing.
    pub damaged: Vec<Damage>,
    /// Files with names like those of a lake's data files that are not in the manifest: `tagfall` ignores
    /// them, but other tools may read them.
    pub strays: Vec<String>,
}

/// The report together with what a repair needs.
pub(super) struct Examined {
    pub report: Report,
    pub files: Vec<FileEntry>,
    /// Files that are readable and have no checksums.
    pub unsealed: Vec<FileEntry>,
    pub segments: Vec<Segment>,
}

/// Reads and checks all of a lake.
///
/// # Errors
///
/// There is no lake, or none of its manifests can be read.
pub fn check(lake: impl Into<Location>) -> Result<Report, LakeError> {
    check_on(&*lake.into().disk_of_lake()?)
}

fn check_on(disk: &dyn Disk) -> Result<Report, LakeError> {
    let _reading = disk.lock(READERS.as_ref(), Lock::Shared).ok().flatten();
    let Loaded { manifest, damage } = Manifest::load(disk)?;
    let mut report = examine(disk, &manifest).report;
    report.damaged.splice(0..0, damage);
    report.damaged.extend(manifest.lost.iter().map(crate::lake::commit::manifest::Lost::damage));
    Ok(report)
}

pub(super) fn examine(disk: &dyn Disk, manifest: &Manifest) -> Examined {
    let looked: Vec<Result<bool, LakeError>> =
        manifest.files.par_iter().map(|entry| look(disk, entry)).collect();
    let rows = manifest.files.iter().filter(|entry| !entry.partition.native).map(|entry| entry.rows).sum();
    let mut report = Report {
        generation: manifest.generation,
        files: manifest.files.len() as u64,
        events: rows,
        bytes: manifest.files.iter().map(|entry| entry.bytes).sum(),
        strays: strays(disk, manifest),
        taken_over: manifest.events_taken_over(),
        ..Report::default()
    };
    let (mut files, mut unsealed) = (Vec::new(), Vec::new());
    for (entry, looked) in manifest.files.iter().zip(looked) {
        match looked {
            Ok(true) => {}
            Ok(false) => unsealed.push(entry.clone()),
            Err(error) => {
                report.damaged.push(Damage {
                    file: entry.path().to_string_lossy().into_owned(),
                    reason: error.reason(),
                });
                files.push(entry.clone());
            }
        }
    }
    let (sound, damaged) = objects::sound(disk, &manifest.segments);
    report.damaged.extend(damaged);
    report.damaged.extend(copies(disk, manifest));
    report.without_checksums = unsealed.len() as u64;
    let segments = manifest.segments.iter().filter(|segment| !sound.contains(segment)).cloned().collect();
    Examined { report, files, unsealed, segments }
}

/// Whether a file is intact: according to its checksums, or, if it has none, by being readable.
fn look(disk: &dyn Disk, entry: &FileEntry) -> Result<bool, LakeError> {
    let reader = Reader::of(disk, entry)?;
    if reader.check()? {
        return Ok(true);
    }
    for group in reader.groups() {
        let rows = reader.read(group, None, None)?;
        guarded(&entry.path(), || Records::of(&rows).map(drop).map_err(|error| reader.error(error)))?;
    }
    Ok(false)
}

/// The damage of the other manifest files.
fn copies(disk: &dyn Disk, manifest: &Manifest) -> Vec<Damage> {
    let [_, others @ ..] = MANIFESTS;
    let damaged = |name: &&str| read(disk, (*name).as_ref()).is_ok() && Manifest::at(disk, name).is_err();
    let others = others.iter().filter(|_| manifest.version >= VERSION).filter(|name| damaged(name));
    others
        .map(|name| Damage {
            file: (*name).to_owned(),
            reason: "damaged: the next commit writes it anew".to_owned(),
        })
        .collect()
}

/// Files that have a lake's names, in a lake's folders, but are not in the manifest.
fn strays(disk: &dyn Disk, manifest: &Manifest) -> Vec<String> {
    let mut named: BTreeSet<_> = manifest
        .files
        .iter()
        .map(FileEntry::path)
        .chain(manifest.segments.iter().map(|one| layout::objects(&one.name)))
        .collect();
    // Files that a commit replaced stay where they were for some time, and are expected.
    named.extend(disk.awaited());
    let folder = |entry: &FileEntry| entry.path().parent().map(Path::to_path_buf);
    let folders: BTreeSet<_> = manifest.files.iter().filter_map(folder).chain([OBJECTS.into()]).collect();
    let inside = |folder: &std::path::PathBuf| {
        let names = disk
            .names(folder)
            .unwrap_or_default()
            .into_iter()
            .filter(|name| layout::is_rows(name) || layout::is_segment(name));
        names.map(|name| folder.join(name)).collect::<Vec<_>>()
    };
    folders
        .iter()
        .flat_map(inside)
        .filter(|path| !named.contains(path))
        .map(|path| path.to_string_lossy().into_owned())
        .collect()
}
