//! What integrity checking found out about each object: CloudTrail's signed log digest files against everything they list.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::timeline::words;
use super::{LogText, Severity, Timestamp};

/// Everything that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    pub summary: VerificationSummary,
    pub chains: Vec<Chain>,
    /// Log digest files and log files, present or missing, by name.
    pub objects: Vec<CheckedObject>,
}

/// The numbers of a verification, and what it cannot say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerificationSummary {
    /// How far signatures could be checked.
    pub signatures: SignaturesChecked,
    pub log_files: Standings,
    pub log_digest_files: Standings,
    /// Log files that are valid were delivered between these times; gaps in them stand in the chains.
    pub proven_from: Option<Timestamp>,
    pub proven_to: Option<Timestamp>,
    /// Listed by a log digest file, and outside of the sources or of the filters: neither looked for nor judged.
    pub not_in_sources: u64,
    /// What this evidence cannot show, and what to do about it, a sentence each.
    pub warnings: Vec<String>,
}

words! {
    /// How many of the log digest files are vouched for by a signature.
    #[derive(Default)]
    SignaturesChecked {
        /// All that are here.
        All = "all",
        Some = "some",
        #[default]
        None = "none",
    }
}

/// How many objects stand how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings([u64; Standing::ALL.len()]);

impl Standings {
    pub fn add(&mut self, standing: Standing) {
        if let Some(count) = self.0.get_mut(standing as usize) {
            *count += 1;
        }
    }

    pub fn of(&self, standing: Standing) -> u64 {
        self.0.get(standing as usize).copied().unwrap_or_default()
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those that there are any of, in declared order.
    pub fn counted(&self) -> impl Iterator<Item = (Standing, u64)> + '_ {
        Standing::ALL.iter().map(|standing| (*standing, self.of(*standing))).filter(|(_, count)| *count > 0)
    }
}

impl Serialize for Standings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Standing::ALL.len() + 1))?;
        map.serialize_entry("total", &self.total())?;
        for standing in Standing::ALL {
            map.serialize_entry(standing.word(), &self.of(*standing))?;
        }
        map.end()
    }
}

words! {
    /// How one object stands. A log digest file, or a log file.
    Standing {
        /// As CloudTrail delivered it: its hash stands in a chain of log digest files that a signature of AWS ends.
        Valid = "valid",
        /// Everything fits together, and no signature was checked: whoever can write to the place could have made it so.
        SignatureNotChecked = "signature_not_checked",
        /// Its hash is the one that is listed, but the log digest file that lists it was altered itself.
        Unproven = "unproven",
        /// No log digest file speaks of the time in which it was delivered.
        NotCovered = "not_covered",
        /// Could not be read.
        Unreadable = "unreadable",
        /// It is not in the list of its time.
        Unlisted = "unlisted",
        /// Signed with a key that is not among those given, though others of its region are.
        UnknownKey = "unknown_key",
        /// Listed, and not there.
        Missing = "missing",
        /// A log digest file that stands where another one belongs.
        Misplaced = "misplaced",
        /// Not what CloudTrail delivered: altered, or damaged.
        HashMismatch = "hash_mismatch",
        /// A log digest file that was altered, or never came from CloudTrail.
        SignatureInvalid = "signature_invalid",
    }
}

impl Standing {
    /// How bad that is; `None` for what is no finding.
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Self::Valid | Self::Unreadable => None,
            Self::SignatureNotChecked | Self::Unproven | Self::NotCovered => Some(Severity::Low),
            Self::Unlisted | Self::UnknownKey => Some(Severity::Medium),
            Self::Missing => Some(Severity::High),
            Self::Misplaced | Self::HashMismatch | Self::SignatureInvalid => Some(Severity::Critical),
        }
    }
}

words! {
    CheckedKind {
        LogDigestFile = "log_digest_file",
        LogFile = "log_file",
    }
}

/// One object, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedObject {
    pub kind: CheckedKind,
    /// Its name in the source; of a missing one the key that it had.
    pub object: LogText,
    pub verdict: Standing,
    pub severity: Option<Severity>,
    pub reason: Option<LogText>,
    /// The log digest file that lists it, or names it as its predecessor.
    pub vouched_by: Option<LogText>,
    /// SHA-256 of the uncompressed content that is listed.
    pub expected_sha256: Option<Sha256>,
    /// SHA-256 of the uncompressed content that is there.
    pub actual_sha256: Option<Sha256>,
}

/// The log digest files of one trail, account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chain {
    pub account: LogText,
    pub trail: LogText,
    pub home_region: LogText,
    pub region: LogText,
    pub log_digest_files: Standings,
    /// Log files that its log digest files list.
    pub log_files: Standings,
    pub begins: Option<ChainBegin>,
    /// Deliveries of which log digest files tell, without a gap each.
    pub covered: Vec<CoveredTime>,
    pub gaps: Vec<ChainGap>,
}

words! {
    /// What stands before the first log digest file of a chain.
    ChainBegin {
        /// Nothing: validation was turned on then.
        StartingFile = "starting_file",
        /// Another one, which is not in the sources, or outside of the filters.
        NotInSources = "not_in_sources",
        /// Another one, which is not there.
        Missing = "missing",
        /// Another one, which was altered.
        Altered = "altered",
    }
}

/// A time without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoveredTime {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Every log digest file of it is vouched for by a signature.
    pub signed: bool,
}

/// A time of which no log digest file tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainGap {
    pub from: Timestamp,
    pub to: Timestamp,
    pub cause: GapCause,
    /// The log digest file that is not there, or was altered.
    pub object: Option<LogText>,
}

words! {
    GapCause {
        /// The chain began anew: validation or logging was off, or what stood before was removed with all that named it.
        StartedAnew = "started_anew",
        Missing = "missing",
        /// It is not in the sources, or outside of the filters.
        NotInSources = "not_in_sources",
        /// It is there, and cannot be believed.
        Altered = "altered",
    }
}

/// A SHA-256, shown as 64 hex digits. Container images have another type: `Digest`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Of 64 hex digits; `None` for anything else.
    pub fn parse(digits: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).ok().map(|()| Self(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
