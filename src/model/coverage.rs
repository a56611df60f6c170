//! What was read, and what was not: a result, not a log line.

use serde::Serialize;

use super::{LogText, Repository, Timestamp};

/// What a run has seen. It balances: `objects_listed == objects_read + objects_skipped + objects_failed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Objects that were to be read, after pruning by key.
    pub objects_listed: u64,
    /// Whole objects of events; an empty `Records` too.
    pub objects_read: u64,
    /// Objects of another kind: log digest files, Insights, NetworkActivity, Aggregated.
    pub objects_skipped: u64,
    /// Objects that could not be read to their end. What was read before the damage counts and stays.
    pub objects_failed: u64,
    /// Bytes as stored.
    pub bytes_compressed: u64,
    /// Bytes after gunzip (the same as stored for plain files).
    pub bytes_decompressed: u64,
    /// CloudTrail records, second copies included.
    pub records: u64,
    /// Records that say something about images, inside the filters; second copies included.
    pub records_relevant: u64,
    /// Second copies: records whose `eventID` had been read already.
    pub records_duplicate: u64,
    /// Records that could not be understood; each stands in `failures`.
    pub records_failed: u64,
    pub first_event_time: Option<Timestamp>,
    pub last_event_time: Option<Timestamp>,
    /// The run was interrupted: what stands here is true, and not all.
    pub partial: bool,
    pub failures: Vec<ReadFailure>,
    /// Records whose payload CloudTrail left out (over 100 KB), by repository.
    pub omitted: Vec<Gap>,
    /// What this evidence cannot show, a sentence each.
    pub warnings: Vec<String>,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ReadFailure {
    pub object: LogText,
    /// Index in the object, when a single record failed.
    pub record: Option<u64>,
    pub reason: String,
}

/// Records about a repository whose content is not in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Gap {
    pub repository: Repository,
    pub records: u64,
}

impl Coverage {
    /// The identity that must hold for every run.
    pub fn balances(&self) -> bool {
        self.objects_listed == self.objects_read + self.objects_skipped + self.objects_failed
    }

    /// Whether all of the evidence was read. Skipped objects hold none.
    pub fn is_complete(&self) -> bool {
        self.objects_failed == 0 && self.records_failed == 0 && !self.partial
    }
}
