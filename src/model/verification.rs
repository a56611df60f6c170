//! Results of integrity checking: CloudTrail's signed log digest files, and the log files that they list.

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

/// The totals of a verification, and what it cannot show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerificationSummary {
    /// How far signatures could be checked.
    pub signatures: SignaturesChecked,
    pub log_files: Standings,
    pub log_digest_files: Standings,
    /// Valid log files were delivered between these times; gaps between them are listed in the chains.
    pub proven_from: Option<Timestamp>,
    pub proven_to: Option<Timestamp>,
    /// Log files that a log digest file lists but that are outside of the sources or filters: neither
    /// looked for nor judged.
    pub not_in_sources: u64,
    /// What this evidence cannot show and what to do about it, one sentence each.
    pub warnings: Vec<String>,
}

words! {
    /// How many of the log digest files are covered by a signature.
    #[derive(Default)]
    SignaturesChecked {
        /// All that were read.
        All = "all",
        Some = "some",
        #[default]
        None = "none",
    }
}

/// The number of objects of each standing.
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

    /// The standings that occur, in declared order.
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
    /// The result for one object, a log digest file or a log file.
    Standing {
        /// As CloudTrail delivered it: its hash is in a chain of log digest files that ends with a
        /// signature of AWS.
        Valid = "valid",
        /// All hashes match, but no signature was checked: anybody who can write to the bucket could have
        /// made it so.
        SignatureNotChecked = "signature_not_checked",
        /// Its hash is the one listed, but the log digest file that lists it was altered.
        Unproven = "unproven",
        /// No log digest file covers the time of its delivery.
        NotCovered = "not_covered",
        /// Could not be read.
        Unreadable = "unreadable",
        /// The log digest file of its time does not list it.
        Unlisted = "unlisted",
        /// Signed with a key that is not among those given, although other keys of its region are.
        UnknownKey = "unknown_key",
        /// Listed, but not there.
        Missing = "missing",
        /// A log digest file in the place of another one.
        Misplaced = "misplaced",
        /// Not what CloudTrail delivered: altered, or damaged.
        HashMismatch = "hash_mismatch",
        /// A log digest file that was altered, or did not come from CloudTrail.
        SignatureInvalid = "signature_invalid",
    }
}

impl Standing {
    /// How severe that is; `None` if it is not a finding.
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

/// One object, and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedObject {
    pub kind: CheckedKind,
    /// Its name in the source; for a missing one, the key that it had.
    pub object: LogText,
    pub verdict: Standing,
    pub severity: Option<Severity>,
    pub reason: Option<LogText>,
    /// The log digest file that lists it, or names it as its predecessor.
    pub vouched_by: Option<LogText>,
    /// SHA-256 of the uncompressed content, as listed.
    pub expected_sha256: Option<Sha256>,
    /// SHA-256 of the uncompressed content, as found.
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
    /// Times that log digest files cover, each without a gap.
    pub covered: Vec<CoveredTime>,
    pub gaps: Vec<ChainGap>,
}

words! {
    /// What comes before the first log digest file of a chain.
    ChainBegin {
        /// Nothing: validation was turned on at that time.
        StartingFile = "starting_file",
        /// A file that is outside of the sources or filters.
        NotInSources = "not_in_sources",
        /// A file that is missing.
        Missing = "missing",
        /// A file that was altered.
        Altered = "altered",
    }
}

/// A span of time without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoveredTime {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Every log digest file of it is covered by a signature.
    pub signed: bool,
}

/// A span of time that no log digest file covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainGap {
    pub from: Timestamp,
    pub to: Timestamp,
    pub cause: GapCause,
    /// The log digest file that is missing or was altered.
    pub object: Option<LogText>,
}

words! {
    GapCause {
        /// The chain began anew: validation or logging was off, or everything that named the earlier files
        /// was removed.
        StartedAnew = "started_anew",
        Missing = "missing",
        /// It is not in the sources, or outside of the filters.
        NotInSources = "not_in_sources",
        /// It exists, but was altered.
        Altered = "altered",
    }
}

/// A SHA-256, shown as 64 hex digits. Digests of container images have another type:
/// [`Digest`](super::Digest).
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
