//! Why a lake cannot be written or read.

use std::fmt;
use std::path::{Path, PathBuf};

/// Maximum number of missing shards that a message names.
const SHARDS_NAMED_MAX: usize = 20;

/// Why an operation on a lake failed. Earlier commits are not affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LakeError {
    /// Another run is writing to it.
    Busy {
        lake: PathBuf,
    },
    /// Another run has committed since this one began; a lake in S3 has no lock.
    Overtaken {
        lake: PathBuf,
    },
    /// Another run has published this plan meanwhile.
    Published {
        plan: String,
    },
    /// The server ignores conditions on writes, so that two runs could overwrite each other's commits.
    Unconditional {
        lake: PathBuf,
    },
    /// No shard of any plan is staged in it.
    NothingStaged {
        lake: PathBuf,
    },
    /// Shards of several plans are staged, and the caller named none.
    SeveralPlans {
        plans: Vec<String>,
    },
    /// Not all shards of the plan are staged.
    ShardsMissing {
        missing: Vec<u32>,
        shards: u32,
    },
    /// What a shard or a merge has staged cannot be read.
    Staged {
        place: PathBuf,
        file: PathBuf,
        reason: String,
    },
    /// A folder that contains something else.
    NotALake {
        folder: PathBuf,
    },
    /// The lake keeps other services than those that were asked for. Comma-separated; empty for all.
    OtherSelection {
        kept: String,
        asked: String,
    },
    /// Written by a later version of this program.
    Version {
        found: u32,
    },
    Io {
        path: PathBuf,
        reason: String,
    },
}

impl LakeError {
    pub(super) fn io(path: &Path, reason: impl fmt::Display) -> Self {
        Self::Io { path: path.to_path_buf(), reason: reason.to_string() }
    }

    /// The cause alone, for messages that name the file themselves.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Io { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for LakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { lake } => write!(f, "{}: another run is writing to this lake", lake.display()),
            Self::Overtaken { lake } => {
                write!(f, "{}: another run has committed to this lake since this one began", lake.display())
            }
            Self::Published { plan } => {
                write!(f, "the plan {plan} was published by another run in the meantime")
            }
            Self::Unconditional { lake } => {
                write!(
                    f,
                    "{}: this S3 server does not keep to If-None-Match and If-Match: two runs would overwrite \
                     each other",
                    lake.display()
                )
            }
            Self::NothingStaged { lake } => {
                write!(f, "{}: no shard of a plan is staged there", lake.display())
            }
            Self::SeveralPlans { plans } => {
                write!(f, "shards of {} plans are staged: {}", plans.len(), plans.join(", "))
            }
            Self::ShardsMissing { missing, shards } => {
                let named: Vec<String> = missing.iter().take(SHARDS_NAMED_MAX).map(u32::to_string).collect();
                let more = if missing.len() > SHARDS_NAMED_MAX { ", …" } else { "" };
                write!(f, "{} of {shards} shards are missing: {}{more}", missing.len(), named.join(", "))
            }
            Self::Staged { place, file, reason } => {
                write!(
                    f,
                    "what is staged at {} cannot be read: {}: {reason}",
                    place.display(),
                    file.display()
                )
            }
            Self::NotALake { folder } => {
                write!(f, "{}: the folder is not empty, and is not a lake", folder.display())
            }
            Self::OtherSelection { kept, asked } => {
                write!(f, "the lake keeps {}, not {}", services(kept), services(asked))
            }
            Self::Version { found } => write!(f, "the lake was written by a later version (format {found})"),
            Self::Io { path, reason } => write!(f, "{}: {reason}", path.display()),
        }
    }
}

impl std::error::Error for LakeError {}

fn services(list: &str) -> &str {
    if list.is_empty() { "every service" } else { list }
}
