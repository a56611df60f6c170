//! Small lakes for tests of commits: expected contents, random next commits, and checks.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::manifest::{FileEntry, Loaded, Manifest, Seal, Segment, Tail};
use super::objects::open_kept;
use crate::lake::checksum::Sum;
use crate::lake::disk::Disk;
use crate::lake::disk::sim::Random;
use crate::lake::layout;
use crate::lake::partition::Partition;

/// What a lake should contain.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub manifest: Manifest,
    /// Files by path, with their content.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

pub(super) fn empty() -> Model {
    Model { manifest: Manifest::new(), files: BTreeMap::new() }
}

/// Of four partitions, the last one is for EventBridge's own events.
pub(super) fn partition(day: u64) -> Partition {
    Partition {
        native: day == 3,
        account: Some("1".to_owned()),
        region: None,
        date: Some(format!("2026-03-{:02}", day + 1)),
    }
}

/// Stages a file; returns the name that it keeps.
fn stage(disk: &dyn Disk, name: String, bytes: &[u8]) -> io::Result<String> {
    let mut file = disk.create(&layout::staged(&name))?;
    // In two pieces, so that a crash can tear it.
    let (one, other) = bytes.split_at(bytes.len() / 2);
    file.write_all(one)?;
    file.write_all(other)?;
    file.flush()?;
    drop(file);
    disk.settled(name)
}

/// A random next commit: adds some files, replaces some, adds a segment, and sometimes merges all segments.
/// `content` makes the content of each data file.
pub(super) fn next(
    disk: &dyn Disk,
    model: &Model,
    random: &mut Random,
    content: impl Fn(&mut Random) -> Vec<u8>,
) -> io::Result<Model> {
    let mut next = model.clone();
    next.manifest.generation += 1;
    let generation = next.manifest.generation;
    for _ in 0..random.below(3) {
        if !next.manifest.files.is_empty() {
            let at = usize::try_from(random.below(next.manifest.files.len() as u64)).unwrap();
            next.files.remove(&next.manifest.files.remove(at).path());
        }
    }
    for number in 0..=random.below(3) {
        let (partition, bytes) = (partition(random.below(4)), content(random));
        let mut name = format!("{generation:06}-{number:05}.{}", partition.extension());
        if disk.has(&partition.folder().join(&name)) {
            name = format!("{generation:06}-9{number:04}.{}", partition.extension());
        }
        let name = stage(disk, name, &bytes)?;
        let tail = Some(Tail { bytes: bytes.len() as u64, checksum: Sum::of(&bytes) });
        let entry = FileEntry {
            name,
            partition,
            rows: 1,
            bytes: bytes.len() as u64,
            row_bytes: 1,
            first: 0,
            last: 0,
            tail,
        };
        if next.files.insert(entry.path(), bytes).is_none() {
            next.manifest.files.push(entry);
        }
    }
    let bytes = [generation, random.below(3)].map(u64::to_le_bytes).concat();
    let name = stage(disk, format!("{generation:06}.ndjson.gz"), &bytes)?;
    if random.below(5) == 0 {
        next.manifest
            .segments
            .drain(..)
            .for_each(|segment| drop(next.files.remove(&layout::objects(&segment.name))));
    }
    next.files.insert(layout::objects(&name), bytes.clone());
    let seal = Some(Seal { bytes: bytes.len() as u64, objects: 1, fresh: None, checksum: Sum::of(&bytes) });
    next.manifest.segments.push(Segment { name, seal });
    Ok(next)
}

/// Checks that this is the manifest in effect, and that all of its files are there.
pub(super) fn holds(disk: &dyn Disk, model: &Model, kept: bool, what: &str) {
    let Loaded { manifest, damage } = Manifest::load(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!((damage, manifest.generation), (None, model.manifest.generation), "{what}");
    assert_eq!(
        (&manifest.files, &manifest.segments),
        (&model.manifest.files, &model.manifest.segments),
        "{what}"
    );
    has_all(disk, model, kept, what);
}

/// Checks that all files have their expected content. With `kept`, a file may also be among those that were
/// replaced and kept for readers.
pub(super) fn has_all(disk: &dyn Disk, model: &Model, kept: bool, what: &str) {
    for (path, bytes) in &model.files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let file = if kept { open_kept(disk, path, name, None) } else { disk.open(path) };
        let file = file.unwrap_or_else(|error| panic!("{what}: {}: {error}", path.display()));
        let mut there = vec![0; usize::try_from(file.size()).unwrap()];
        file.read_at(0, &mut there).unwrap();
        assert_eq!(&there, bytes, "{what}: {}", path.display());
    }
}

/// A number in the environment: `SEED`, `SEEDS`.
pub(super) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}
