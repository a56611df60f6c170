//! The results of reading objects: lines in segments, one segment for each commit, which are merged when
//! there are many. Of an object that was read several times the last line counts.
//!
//! A segment is only used after its checksum was verified. A damaged one is reported and left out.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::manifest::{Damage, Manifest, Seal, Segment};
use crate::lake::LakeError;
use crate::lake::checksum::{Cuts, Summing};
use crate::lake::disk::{Disk, Stored};
use crate::lake::layout;
use crate::model::Repairs;
use crate::source::{Known, Origin};

/// If there are more segments than this, they are merged into one.
const SEGMENTS_MAX: usize = 32;

/// How reading an object ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::lake) enum Ending {
    Read,
    Skipped,
    Failed,
}

/// The result of reading one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct ObjectState {
    /// Its name in evidence.
    pub object: String,
    pub address: Option<String>,
    pub stamp: Option<String>,
    pub ending: Ending,
    pub reason: Option<String>,
    pub bytes_compressed: u64,
    pub bytes_decompressed: u64,
    pub records: u64,
    /// Number of values that are not records, and of records in other forms than CloudTrail's; 0 in lakes
    /// that were made before these were counted.
    #[serde(default)]
    pub records_skipped: u64,
    #[serde(default)]
    pub lines_skipped: u64,
    #[serde(default)]
    pub repaired: Repairs,
    /// Whether it was in another schema, which may lack parts of a record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lossy: bool,
    /// Records that could not be decoded: index and reason.
    pub failed: Vec<(u64, String)>,
    /// Number of such records, whether or not they are listed.
    pub failed_total: u64,
    pub first: Option<i64>,
    pub last: Option<i64>,
    /// Snapshots that it contained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<KeptAnswer>,
}

/// A snapshot as its object contained it: an answer of the AWS CLI or of kubectl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct KeptAnswer {
    /// The object, or the member of an archive.
    pub object: String,
    /// Number of the document in it.
    pub document: u64,
    /// When the object was last changed, in milliseconds.
    pub modified: Option<i64>,
    pub json: String,
}

impl ObjectState {
    /// The fingerprint of its name, equal for two readings of one object.
    pub(in crate::lake) fn key(&self) -> u128 {
        xxh3_128(self.address.as_deref().unwrap_or(&self.object).as_bytes())
    }

    fn version(&self) -> u128 {
        xxh3_128(self.stamp.as_deref().unwrap_or_default().as_bytes())
    }
}

/// Writes `objects` as a new segment called `name` into the staging folder. Returns the segments of the next
/// manifest: those of `manifest`, merged if there are many, and the new one. `fresh`: how many of the objects
/// are in no other segment.
pub(in crate::lake) fn add(
    disk: &dyn Disk,
    manifest: &Manifest,
    name: String,
    objects: &[ObjectState],
    fresh: Option<u64>,
) -> Result<Vec<Segment>, LakeError> {
    let mut segments = manifest.segments.clone();
    if objects.is_empty() {
        return Ok(segments);
    }
    let last = if segments.len() < SEGMENTS_MAX { None } else { latest(disk, &segments) };
    let (name, mut seal) = match &last {
        None => write_segment(disk, name, |add| objects.iter().try_for_each(add))?,
        Some(last) => {
            let fresh: HashSet<u128> = objects.iter().map(ObjectState::key).collect();
            let stands = |at: u64, object: &ObjectState| {
                last.get(&object.key()) == Some(&at) && !fresh.contains(&object.key())
            };
            write_segment(disk, name, |add| {
                each_line(disk, &segments, &mut |at, object| {
                    if stands(at, &object) { add(&object) } else { Ok(()) }
                })?;
                objects.iter().try_for_each(add)
            })?
        }
    };
    seal.fresh = if last.is_some() { Some(seal.objects) } else { fresh };
    if last.is_some() {
        segments.clear();
    }
    segments.push(Segment { name, seal: Some(seal) });
    Ok(segments)
}

type Add<'a> = dyn FnMut(&ObjectState) -> Result<(), LakeError> + 'a;

/// Writes a segment into the staging folder. Returns its final name and its checksum.
fn write_segment(
    disk: &dyn Disk,
    name: String,
    fill: impl FnOnce(&mut Add<'_>) -> Result<(), LakeError>,
) -> Result<(String, Seal), LakeError> {
    let path = layout::staged(&name);
    let io = |error: io::Error| LakeError::io(&path, error);
    let (cuts, mut objects) = (Cuts::default(), 0);
    let mut out = GzEncoder::new(Summing::new(disk.create(&path).map_err(io)?, &cuts), Compression::fast());
    fill(&mut |object| {
        objects += 1;
        serde_json::to_writer(&mut out, object).map_err(|error| LakeError::io(&path, error))?;
        out.write_all(b"\n").map_err(io)
    })?;
    out.finish().and_then(|mut file| file.flush()).map_err(io)?;
    cuts.cut();
    let whole = cuts.take().pop().ok_or_else(|| LakeError::io(&path, "nothing was written"))?;
    let name = disk.settled(name).map_err(io)?;
    Ok((name, Seal { bytes: whole.bytes, objects, fresh: None, checksum: whole.sum }))
}

/// Opens a segment after verifying its checksum.
fn open(disk: &dyn Disk, segment: &Segment) -> Result<Box<dyn Stored>, LakeError> {
    let path = layout::objects(&segment.name);
    let failed = |reason: &dyn std::fmt::Display| LakeError::io(&path, reason);
    let file = open_kept(disk, &path, &segment.name, None).map_err(|error| failed(&error))?;
    let Some(seal) = segment.seal else { return Ok(file) };
    if file.size() != seal.bytes {
        return Err(failed(&format!("damaged: it has {} bytes, and had {}", file.size(), seal.bytes)));
    }
    let cuts = Cuts::default();
    io::copy(&mut Reading { file: &*file, at: 0 }, &mut Summing::new(io::sink(), &cuts))
        .map_err(|error| failed(&error))?;
    cuts.cut();
    if cuts.take().first().is_some_and(|stretch| stretch.sum == seal.checksum) {
        Ok(file)
    } else {
        Err(failed(&"damaged: its checksum does not fit"))
    }
}

/// Opens a file (of `bytes` size, if known), or, if a commit has replaced it meanwhile, the replaced file
/// that is kept for readers.
pub(in crate::lake) fn open_kept(
    disk: &dyn Disk,
    path: &Path,
    name: &str,
    bytes: Option<u64>,
) -> io::Result<Box<dyn Stored>> {
    match bytes.map_or_else(|| disk.open(path), |bytes| disk.open_sized(path, bytes)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk.open(&layout::replaced(name)).map_err(|_| error)
        }
        opened => opened,
    }
}

/// Reads a file from its beginning to its end.
struct Reading<'f> {
    file: &'f dyn Stored,
    at: u64,
}

impl Read for Reading<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.file.size() - self.at).unwrap_or(usize::MAX).min(bytes.len());
        let bytes = bytes.get_mut(..left).unwrap_or_default();
        self.file.read_at(self.at, bytes)?;
        self.at += left as u64;
        Ok(left)
    }
}

/// Calls `each` for every line of a segment.
pub(in crate::lake) fn lines(
    disk: &dyn Disk,
    segment: &Segment,
    each: &mut dyn FnMut(ObjectState) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let path = layout::objects(&segment.name);
    let file = open(disk, segment)?;
    let reading = BufReader::with_capacity(1 << 16, Reading { file: &*file, at: 0 });
    let (mut reading, mut line) = (BufReader::new(MultiGzDecoder::new(reading)), String::new());
    while reading.read_line(&mut line).map_err(|error| LakeError::io(&path, error))? > 0 {
        each(serde_json::from_str(&line).map_err(|error| LakeError::io(&path, error))?)?;
        line.clear();
    }
    Ok(())
}

/// Calls `each` for every line of all segments, with its number from 0 on.
fn each_line(
    disk: &dyn Disk,
    segments: &[Segment],
    each: &mut dyn FnMut(u64, ObjectState) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let mut at = 0;
    segments.iter().try_for_each(|segment| {
        lines(disk, segment, &mut |object| {
            at += 1;
            each(at - 1, object)
        })
    })
}

/// The number of each object's last line; `None` if a segment is damaged.
fn latest(disk: &dyn Disk, segments: &[Segment]) -> Option<HashMap<u128, u64>> {
    let mut last = HashMap::new();
    let read = each_line(disk, segments, &mut |at, object| {
        last.insert(object.key(), at);
        Ok(())
    });
    read.is_ok().then_some(last)
}

/// Whether the segments show that they contain no object twice.
fn stand_once(segments: &[Segment]) -> bool {
    segments.iter().all(|segment| segment.seal.is_some_and(|seal| seal.fresh == Some(seal.objects)))
}

/// The intact segments, and the damage of the others.
pub(in crate::lake) fn sound(disk: &dyn Disk, segments: &[Segment]) -> (Vec<Segment>, Vec<Damage>) {
    let (mut sound, mut damaged) = (Vec::new(), Vec::new());
    for segment in segments {
        // A segment without a checksum is read completely.
        let read = if segment.seal.is_some() {
            open(disk, segment).map(drop)
        } else {
            lines(disk, segment, &mut |_| Ok(()))
        };
        match read {
            Ok(()) => sound.push(segment.clone()),
            Err(error) => damaged.push(Damage {
                file: layout::objects(&segment.name).to_string_lossy().into_owned(),
                reason: error.reason(),
            }),
        }
    }
    (sound, damaged)
}

/// Calls `each` once for every object: with the last successful result, or the failure of its present
/// version. Returns the damage of segments.
pub(in crate::lake) fn for_each_object(
    disk: &dyn Disk,
    manifest: &Manifest,
    mut each: impl FnMut(ObjectState),
) -> Vec<Damage> {
    let (sound, mut damaged) = sound(disk, &manifest.segments);
    let unread: HashSet<u128> = manifest.unread.iter().map(ObjectState::key).collect();
    // Where every line is of another object, none is looked for, and nothing is kept in memory.
    let last = (!stand_once(&sound)).then(|| latest(disk, &sound).unwrap_or_default());
    let read = each_line(disk, &sound, &mut |at, object| {
        let key = object.key();
        if last.as_ref().is_none_or(|last| last.get(&key) == Some(&at)) && !unread.contains(&key) {
            each(object);
        }
        Ok(())
    });
    if let Err(error) = read {
        damaged.push(Damage { file: layout::OBJECTS.to_owned(), reason: error.reason() });
    }
    manifest.unread.iter().cloned().for_each(each);
    damaged
}

/// The versions of objects that are in the lake.
#[derive(Debug, Default)]
pub(in crate::lake) struct KnownObjects {
    /// Object → version, both as fingerprints: 32 bytes for each object.
    versions: HashMap<u128, u128>,
    failed: HashSet<u128>,
    /// If set, only these objects have to be read at all.
    pub only: Option<HashSet<u128>>,
}

impl KnownObjects {
    /// Loads the objects of intact segments.
    pub(in crate::lake) fn load(disk: &dyn Disk, sound: &[Segment]) -> Result<Self, LakeError> {
        let mut known = Self::default();
        each_line(disk, sound, &mut |_, object| {
            known.versions.insert(object.key(), object.version());
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
    pub(in crate::lake) fn has_failed(&self, origin: &Origin) -> bool {
        self.failed.contains(&xxh3_128(origin.address.as_bytes()))
    }

    /// Whether there is a result for this version of the object.
    pub(in crate::lake) fn has(&self, object: &ObjectState) -> bool {
        self.versions.get(&object.key()) == Some(&object.version())
    }

    pub(in crate::lake) fn len(&self) -> u64 {
        self.versions.len() as u64
    }

    pub(in crate::lake) fn contains(&self, key: u128) -> bool {
        self.versions.contains_key(&key)
    }

    /// Forgets an object, so that it is read again.
    pub(in crate::lake) fn forget(&mut self, object: &ObjectState) {
        self.versions.remove(&object.key());
    }
}

impl Known for KnownObjects {
    fn knows(&self, origin: &Origin) -> bool {
        let key = xxh3_128(origin.address.as_bytes());
        let is_needed = self.only.as_ref().is_none_or(|only| only.contains(&key));
        !is_needed || self.versions.get(&key) == Some(&xxh3_128(origin.stamp.as_bytes()))
    }
}
