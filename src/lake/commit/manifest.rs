//! The manifest: which files belong to a lake.
//!
//! It is replaced as a whole, and its last member is a checksum of everything before it. There are a copy of
//! it and the previous manifest. If the manifest is damaged, the most recent of the others is used, and the
//! damage is reported.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::objects::ObjectState;
use crate::lake::LakeError;
use crate::lake::checksum::Sum;
use crate::lake::disk::{Disk, read};
use crate::lake::layout::{self, MANIFESTS};
use crate::lake::partition::Partition;

/// The version of the format that this code writes, and the latest that it can read. Version 1 has no
/// checksums.
pub(in crate::lake) const VERSION: u32 = 2;

/// The text before the checksum. After the checksum comes only `"}`.
const MARK: &str = ",\"checksum\":\"";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct Manifest {
    pub version: u32,
    /// Number of commits so far.
    pub generation: u64,
    /// The `eventSource`s that the lake keeps, sorted; empty for all.
    pub select: Vec<String>,
    /// Number of duplicates that were left out.
    pub records_duplicate: u64,
    /// Number of events that share their `eventID` with another event: of all events of the lake if
    /// `ids_counted`, and otherwise the sum of what each run has met.
    #[serde(default)]
    pub events_sharing_an_id: u64,
    /// Whether the ids of all events were compared; `None` in lakes of earlier versions, which never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids_counted: Option<bool>,
    /// Files, folders and keys that the last run left out because of their names.
    #[serde(default)]
    pub objects_left_out: u64,
    /// Whether any of the events has `readOnly: true`.
    #[serde(default)]
    pub read_only: bool,
    /// Whether snapshots were stored with any object: if not, readers need not look for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answers: bool,
    pub files: Vec<FileEntry>,
    /// The segments with the objects' results, oldest first.
    pub segments: Vec<Segment>,
    /// Objects that could not be read in the last run; the next run tries again.
    pub unread: Vec<ObjectState>,
    /// What was damaged and could not be restored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
    /// Events copied from files without checksums that were not read again: they may have been damaged
    /// before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_over: Vec<TakenOver>,
    /// Plans that were published recently.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<String>,
}

/// Number of events of a partition that were copied unchecked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct TakenOver {
    #[serde(flatten)]
    pub partition: Partition,
    pub events: u64,
}

impl Manifest {
    pub(in crate::lake) fn events_taken_over(&self) -> u64 {
        self.taken_over.iter().map(|taken| taken.events).sum()
    }
}

/// A data file of the lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct FileEntry {
    pub name: String,
    #[serde(flatten)]
    pub partition: Partition,
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Size of its rows before they became columns. The name in JSON is from a version in which rows were
    /// JSON.
    #[serde(rename = "json_bytes")]
    pub row_bytes: u64,
    /// Time of its first row (and of its last one, below), in milliseconds since 1970.
    pub first: i64,
    pub last: i64,
    /// The end of the file, which contains the checksums of everything else; `None` in files of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
}

/// The end of a file, after its last column chunk: size and checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct Tail {
    pub bytes: u64,
    pub checksum: Sum,
}

impl FileEntry {
    /// Its path in the lake.
    pub(in crate::lake) fn path(&self) -> PathBuf {
        layout::rows(self.partition.folder(), &self.name)
    }
}

/// A file with the results of objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub(in crate::lake) struct Segment {
    pub name: String,
    #[serde(flatten)]
    pub seal: Option<Seal>,
}

/// The expected content of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct Seal {
    pub bytes: u64,
    pub objects: u64,
    /// How many of its objects are in no earlier segment; `None` if an earlier one was damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<u64>,
    pub checksum: Sum,
}

/// A segment in JSON: in version 1, only its name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Name(String),
    Entry {
        name: String,
        #[serde(flatten)]
        seal: Option<Seal>,
    },
}

impl From<Written> for Segment {
    fn from(written: Written) -> Self {
        match written {
            Written::Name(name) => Self { name, seal: None },
            Written::Entry { name, seal } => Self { name, seal },
        }
    }
}

/// A part of a lake that was damaged and could not be restored from any archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::lake) struct Lost {
    /// The file that contained it, relative to the lake.
    pub file: String,
    /// The partition of a data file; `None` for results of objects.
    pub partition: Option<Partition>,
    /// Number of events, or of objects.
    pub count: u64,
    /// Times of the file's first and last event, in milliseconds since 1970.
    pub first: i64,
    pub last: i64,
}

impl Lost {
    pub(in crate::lake) fn damage(&self) -> Damage {
        let what = if self.partition.is_some() { "events" } else { "objects" };
        let reason = format!(
            "damaged, and {} {what} of it could not be had again: run tagfall lake repair with an archive \
             that has them",
            self.count
        );
        Damage { file: self.file.clone(), reason }
    }
}

/// A manifest, and the damage of those that should have been used instead.
#[derive(Debug)]
pub(in crate::lake) struct Loaded {
    pub manifest: Manifest,
    pub damage: Option<Damage>,
}

/// Which file is damaged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Relative to the lake.
    pub file: String,
    pub reason: String,
}

/// Why a manifest cannot be used.
pub(in crate::lake) enum Unusable {
    Missing,
    Later(u32),
    Damaged(String),
}

impl Manifest {
    pub(in crate::lake) fn new() -> Self {
        Self { version: VERSION, ..Self::default() }
    }

    /// Reads the manifest of a lake; an empty one if nothing was committed yet.
    pub(in crate::lake) fn load(disk: &dyn Disk) -> Result<Loaded, LakeError> {
        let [first, others @ ..] = MANIFESTS;
        let reason = match Self::at(disk, first) {
            Ok(manifest) => return Ok(Loaded { manifest, damage: None }),
            Err(Unusable::Later(found)) => return Err(LakeError::Version { found }),
            Err(Unusable::Missing) => None,
            Err(Unusable::Damaged(reason)) => Some(reason),
        };
        let best = others
            .iter()
            .filter_map(|name| Some((Self::at(disk, name).ok()?, *name)))
            .max_by_key(|(manifest, _)| manifest.generation);
        let why = reason.as_deref().unwrap_or("it is missing");
        match (best, &reason) {
            (Some((manifest, name)), _) => {
                let reason = format!(
                    "{why}; the lake is read as of its commit {} ({name}): run tagfall lake repair",
                    manifest.generation
                );
                Ok(Loaded { manifest, damage: Some(Damage { file: first.to_owned(), reason }) })
            }
            (None, Some(reason)) => Err(LakeError::io(first.as_ref(), reason)),
            (None, None) => Ok(Loaded { manifest: Self::new(), damage: None }),
        }
    }

    pub(in crate::lake) fn at(disk: &dyn Disk, name: &str) -> Result<Self, Unusable> {
        match read(disk, name.as_ref()) {
            Ok(bytes) => Self::parse(&bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Unusable::Missing),
            Err(error) => Err(Unusable::Damaged(error.to_string())),
        }
    }

    pub(in crate::lake) fn parse(bytes: &[u8]) -> Result<Self, Unusable> {
        let damaged = |reason: &str| Unusable::Damaged(reason.to_owned());
        let text =
            std::str::from_utf8(bytes).map_err(|_| damaged("the manifest is damaged: it is no text"))?;
        let sealed = sealed(text);
        if let Some((content, sum)) = sealed
            && Sum::of(content.as_bytes()) != sum
        {
            return Err(damaged("the manifest is damaged: its checksum does not fit"));
        }
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        match serde_json::from_str::<Version>(text) {
            Ok(Version { version }) if version > VERSION => return Err(Unusable::Later(version)),
            Ok(Version { version }) if version > 1 && sealed.is_none() => {
                return Err(damaged("the manifest is damaged: it was changed by somebody"));
            }
            Ok(_) => {}
            Err(error) => return Err(Unusable::Damaged(format!("the manifest is damaged: {error}"))),
        }
        let manifest: Self = serde_json::from_str(text)
            .map_err(|error| Unusable::Damaged(format!("the manifest is damaged: {error}")))?;
        manifest
            .names_are_ours()
            .then_some(manifest)
            .ok_or_else(|| damaged("the manifest names files that are none of a lake's"))
    }

    /// Whether all file names in it are a lake's own, which cannot lead out of the lake.
    fn names_are_ours(&self) -> bool {
        self.files.iter().all(|file| layout::is_rows(&file.name))
            && self.segments.iter().all(|segment| layout::is_segment(&segment.name))
    }

    /// The text to be written.
    pub(in crate::lake) fn text(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string(&Self { version: VERSION, ..self.clone() })?;
        text.pop();
        let sum = Sum::of(text.as_bytes());
        Ok(format!("{text}{MARK}{sum}\"}}"))
    }
}

/// Splits a text into what the checksum covers and the checksum; `None` if it does not end with one.
fn sealed(text: &str) -> Option<(&str, Sum)> {
    let rest = text.trim_end().strip_suffix("\"}")?;
    let (before, digits) = rest.split_at_checked(rest.len().checked_sub(Sum::DIGITS)?)?;
    Some((before.strip_suffix(MARK)?, Sum::parse(digits)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let partition = Partition::new(false, Some("111122223333"), Some("eu-central-1"), None);
        let tail = Some(Tail { bytes: 7, checksum: Sum::of(b"x") });
        let file = FileEntry {
            name: "000001-00001.parquet".to_owned(),
            partition,
            rows: 3,
            bytes: 900,
            row_bytes: 1000,
            first: -5,
            last: 7,
            tail,
        };
        let seal = Some(Seal { bytes: 5, objects: 2, fresh: Some(1), checksum: Sum::of(b"y") });
        Manifest {
            generation: 4,
            files: vec![file],
            segments: vec![Segment { name: "000004.ndjson.gz".to_owned(), seal }],
            ..Manifest::new()
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed_and_what_is_whole_comes_back() {
        let text = manifest().text().unwrap();
        assert!(Manifest::parse(text.as_bytes()).is_ok_and(|read| read == manifest()));
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Manifest::parse(&bytes), Err(Unusable::Damaged(_))), "bit {bit}");
        }
    }

    #[test]
    fn an_edited_manifest_is_damaged_one_of_version_1_is_read_and_a_later_one_refused() {
        let mut value: serde_json::Value = serde_json::from_str(&manifest().text().unwrap()).unwrap();
        value["files"] = serde_json::json!([]);
        assert!(matches!(Manifest::parse(value.to_string().as_bytes()), Err(Unusable::Damaged(_))));
        value["version"] = 9.into();
        assert!(matches!(Manifest::parse(value.to_string().as_bytes()), Err(Unusable::Later(9))));
        let old = r#"{"version":1,"generation":1,"select":[],"records_duplicate":0,"files":[{"name":"NAME","native":false,"account":"1","region":null,"date":"2026-03-02","rows":1,"bytes":2,"json_bytes":3,"first":4,"last":5}],"segments":["000001.ndjson.gz"],"unread":[]}"#;
        let read =
            Manifest::parse(old.replace("NAME", "000001-00001.parquet").as_bytes()).unwrap_or_default();
        assert_eq!((read.files.len(), read.files[0].tail, read.segments[0].seal), (1, None, None));
        for name in ["../../../../victim/000001-00001.parquet", "x.parquet", ""] {
            assert!(
                matches!(Manifest::parse(old.replace("NAME", name).as_bytes()), Err(Unusable::Damaged(_))),
                "{name}"
            );
        }
    }
}
