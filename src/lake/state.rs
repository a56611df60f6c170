//! What a lake knows of itself: the manifest, which says what counts, and what became of every object.
//!
//! The manifest is replaced as a whole: written beside, flushed, renamed. Objects stand in segments, one for each commit, which
//! are merged when there are many. Of an object that was read again the last line counts.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::LakeError;
use super::partition::Partition;
use crate::model::Repairs;
use crate::source::{Known, Origin};

/// The version of the layout that this code writes, and the latest that it reads.
const VERSION: u32 = 1;
/// More segments than this are merged into one.
const SEGMENTS_MAX: usize = 32;

/// The lake's own folder; its name keeps readers of Hive partitions out.
const OWN: &str = "_tagfall";
const MANIFEST: &str = "manifest.json";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub version: u32,
    /// Commits so far.
    pub generation: u64,
    /// `eventSource`s that are kept, sorted; empty for all.
    pub select: Vec<String>,
    /// Second copies that were left out.
    pub records_duplicate: u64,
    /// Events that share their `eventID` with another event that was read in the same run.
    #[serde(default)]
    pub events_sharing_an_id: u64,
    /// Files, folders and keys that the last run left out by name.
    #[serde(default)]
    pub objects_left_out: u64,
    /// Whether an event with `readOnly: true` is among the events.
    #[serde(default)]
    pub read_only: bool,
    pub files: Vec<FileEntry>,
    /// Names of the objects' segments, oldest first.
    pub segments: Vec<String>,
    /// Objects that could not be had in the last run; they are tried again in the next one.
    pub unread: Vec<ObjectState>,
}

/// A file that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    pub name: String,
    #[serde(flatten)]
    pub partition: Partition,
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Size of its rows before they became columns. Lakes know it under the name that it had when rows were JSON.
    #[serde(rename = "json_bytes")]
    pub row_bytes: u64,
    /// Times of its first and last row, in milliseconds since the epoch.
    pub first: i64,
    pub last: i64,
}

impl FileEntry {
    /// Relative to the lake.
    pub(super) fn path(&self) -> PathBuf {
        self.partition.folder().join(&self.name)
    }
}

/// How reading an object ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ending {
    Read,
    Skipped,
    Failed,
}

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ObjectState {
    /// Its name as evidence gives it.
    pub object: String,
    pub address: Option<String>,
    pub stamp: Option<String>,
    pub ending: Ending,
    pub reason: Option<String>,
    pub bytes_compressed: u64,
    pub bytes_decompressed: u64,
    pub records: u64,
    /// Lakes of earlier versions do not know of the next three.
    #[serde(default)]
    pub records_skipped: u64,
    #[serde(default)]
    pub lines_skipped: u64,
    #[serde(default)]
    pub repaired: Repairs,
    /// Records that could not be understood: index and reason.
    pub failed: Vec<(u64, String)>,
    /// How many there are, listed or not.
    pub failed_total: u64,
    pub first: Option<i64>,
    pub last: Option<i64>,
}

impl ObjectState {
    /// The same for two readings of one object.
    pub(super) fn key(&self) -> u128 {
        xxh3_128(self.address.as_deref().unwrap_or(&self.object).as_bytes())
    }
}

pub(super) fn own(lake: &Path) -> PathBuf {
    lake.join(OWN)
}

pub(super) fn objects_folder(lake: &Path) -> PathBuf {
    own(lake).join("objects")
}

pub(super) fn manifest_path(lake: &Path) -> PathBuf {
    own(lake).join(MANIFEST)
}

impl Manifest {
    /// The manifest of `lake`; an empty one where nothing was committed yet.
    pub(super) fn load(lake: &Path) -> Result<Self, LakeError> {
        let path = manifest_path(lake);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self { version: VERSION, ..Self::default() }),
            Err(error) => return Err(LakeError::io(&path, error)),
        };
        let manifest: Self = serde_json::from_str(&text).map_err(|error| LakeError::io(&path, error))?;
        if manifest.version > VERSION {
            return Err(LakeError::Version { found: manifest.version });
        }
        Ok(manifest)
    }

    /// Makes this the manifest, at once or not at all.
    pub(super) fn store(&self, lake: &Path) -> Result<(), LakeError> {
        let path = manifest_path(lake);
        let beside = path.with_extension("json.new");
        let write = || -> std::io::Result<()> {
            let mut out = BufWriter::new(File::create(&beside)?);
            serde_json::to_writer(&mut out, self)?;
            out.flush()?;
            out.get_ref().sync_all()?;
            fs::rename(&beside, &path)?;
            sync_folder(&own(lake))
        };
        write().map_err(|error| LakeError::io(&path, error))
    }

    /// Adds `objects` as a new segment, merging the segments when there are many. To be stored afterwards.
    pub(super) fn add_objects(&mut self, lake: &Path, objects: &[ObjectState]) -> Result<(), LakeError> {
        if objects.is_empty() {
            return Ok(());
        }
        let name = format!("{:06}.ndjson.gz", self.generation);
        let path = objects_folder(lake).join(&name);
        if self.segments.len() < SEGMENTS_MAX {
            write_segment(&path, |add| objects.iter().try_for_each(add))?;
            self.segments.push(name);
        } else {
            let last = latest(lake, self)?;
            let fresh: HashSet<u128> = objects.iter().map(ObjectState::key).collect();
            let stands = |at: u64, object: &ObjectState| last.get(&object.key()) == Some(&at) && !fresh.contains(&object.key());
            write_segment(&path, |add| {
                for_each_line(lake, self, |at, object| if stands(at, &object) { add(&object) } else { Ok(()) })?;
                objects.iter().try_for_each(add)
            })?;
            self.segments = vec![name];
        }
        sync_folder(&objects_folder(lake)).map_err(|error| LakeError::io(&path, error))
    }
}

fn write_segment(
    path: &Path,
    fill: impl FnOnce(&mut dyn FnMut(&ObjectState) -> Result<(), LakeError>) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let io = |error: std::io::Error| LakeError::io(path, error);
    let mut out = GzEncoder::new(BufWriter::new(File::create(path).map_err(io)?), Compression::fast());
    fill(&mut |object| {
        serde_json::to_writer(&mut out, object).map_err(|error| LakeError::io(path, error))?;
        out.write_all(b"\n").map_err(io)
    })?;
    let mut file = out.finish().map_err(io)?;
    file.flush().map_err(io)?;
    file.get_ref().sync_all().map_err(io)
}

/// Every line of every segment, numbered from 0.
fn for_each_line(lake: &Path, manifest: &Manifest, mut each: impl FnMut(u64, ObjectState) -> Result<(), LakeError>) -> Result<(), LakeError> {
    let mut at = 0;
    for name in &manifest.segments {
        let path = objects_folder(lake).join(name);
        let file = File::open(&path).map_err(|error| LakeError::io(&path, error))?;
        for line in BufReader::new(MultiGzDecoder::new(BufReader::new(file))).lines() {
            let line = line.map_err(|error| LakeError::io(&path, error))?;
            each(at, serde_json::from_str(&line).map_err(|error| LakeError::io(&path, error))?)?;
            at += 1;
        }
    }
    Ok(())
}

/// The number of the last line of each object.
fn latest(lake: &Path, manifest: &Manifest) -> Result<HashMap<u128, u64>, LakeError> {
    let mut last = HashMap::new();
    for_each_line(lake, manifest, |at, object| {
        last.insert(object.key(), at);
        Ok(())
    })?;
    Ok(last)
}

/// Every object once: as it was read last, or as one that could not be had, where its present version could not.
pub(super) fn for_each_object(lake: &Path, manifest: &Manifest, mut each: impl FnMut(ObjectState)) -> Result<(), LakeError> {
    let last = latest(lake, manifest)?;
    let unread: HashSet<u128> = manifest.unread.iter().map(ObjectState::key).collect();
    for_each_line(lake, manifest, |at, object| {
        let key = object.key();
        if last.get(&key) == Some(&at) && !unread.contains(&key) {
            each(object);
        }
        Ok(())
    })?;
    manifest.unread.iter().cloned().for_each(each);
    Ok(())
}

/// Versions of objects that are in the lake.
#[derive(Debug, Default)]
pub(super) struct KnownObjects {
    /// Object → version, as fingerprints: 32 bytes an object.
    versions: HashMap<u128, u128>,
    failed: HashSet<u128>,
}

impl KnownObjects {
    pub(super) fn load(lake: &Path, manifest: &Manifest) -> Result<Self, LakeError> {
        let mut known = Self::default();
        for_each_line(lake, manifest, |_, object| {
            known.versions.insert(object.key(), xxh3_128(object.stamp.as_deref().unwrap_or_default().as_bytes()));
            if object.ending == Ending::Failed {
                known.failed.insert(object.key())
            } else {
                known.failed.remove(&object.key())
            };
            Ok(())
        })?;
        Ok(known)
    }

    /// Whether the object could not be read to its end.
    pub(super) fn has_failed(&self, origin: &Origin) -> bool {
        self.failed.contains(&xxh3_128(origin.address.as_bytes()))
    }

    /// Whether there is anything about this object already, in this version.
    pub(super) fn has(&self, object: &ObjectState) -> bool {
        self.versions.get(&object.key()) == Some(&xxh3_128(object.stamp.as_deref().unwrap_or_default().as_bytes()))
    }
}

impl Known for KnownObjects {
    fn knows(&self, origin: &Origin) -> bool {
        self.versions.get(&xxh3_128(origin.address.as_bytes())) == Some(&xxh3_128(origin.stamp.as_bytes()))
    }
}

/// Makes the names in a folder last. Where a folder cannot be opened as a file, the system keeps names by other means.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
