//! What was read and what was not. Part of every result, not a log line.

use serde::{Deserialize, Serialize};

use super::{Contradiction, LogText, Repository, SnapshotRead, Timestamp};

/// Counts of a run. They balance: `objects_listed == objects_read + objects_skipped + objects_failed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Objects to be read, after pruning by key.
    pub objects_listed: u64,
    /// Objects of events that were read to their end, including those with empty `Records`.
    pub objects_read: u64,
    /// Objects of another kind: log digest files, Insights, NetworkActivity, Aggregated.
    pub objects_skipped: u64,
    /// Files, folders and keys left out because of their names, whatever the filters say; not counted in
    /// `objects_listed`.
    pub objects_left_out: u64,
    /// Objects that could not be read to their end. Records from before the damage are used and counted.
    pub objects_failed: u64,
    /// Bytes as stored, compressed.
    pub bytes_compressed: u64,
    /// Bytes after decompression (the same as stored for plain files).
    pub bytes_decompressed: u64,
    /// CloudTrail records, including second copies.
    pub records: u64,
    /// Records about images that the filters admit, including second copies.
    pub records_relevant: u64,
    /// Second copies: records of an event that had been read before.
    pub records_duplicate: u64,
    /// Records that could not be understood; each is listed in `failures`.
    pub records_failed: u64,
    /// Events of other kinds (Insights, NetworkActivity, Aggregated), not counted in `records`.
    pub records_skipped: u64,
    /// Lines and documents that are not events and contain none: action lines of a bulk file, control
    /// messages, a tool's header lines, EventBridge events of other services. Not counted in `records`.
    pub lines_skipped: u64,
    /// Records that another tool had rewritten, by kind of change; they are counted in `records`.
    pub records_repaired: Repairs,
    /// Objects in another schema, which may lack parts of a record. There is a warning about them.
    #[serde(skip)]
    pub objects_lossy: u64,
    /// Events whose `eventID` another event has, too. In a lake: the sum over the runs and shards that
    /// filled it.
    pub events_sharing_an_id: u64,
    pub first_event_time: Option<Timestamp>,
    pub last_event_time: Option<Timestamp>,
    /// The run was interrupted: the numbers are true, but not everything was read.
    pub partial: bool,
    pub failures: Vec<ReadFailure>,
    /// Records whose payload CloudTrail left out (above 100 KB), by repository.
    pub omitted: Vec<Gap>,
    /// Output of the AWS CLI and kubectl that was read in addition to the logs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SnapshotRead>,
    /// Where snapshots and logs disagree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Contradiction>,
    /// What this evidence cannot show, one sentence each.
    pub warnings: Vec<String>,
}

/// Records that were not in CloudTrail's form and were converted back to it. A record may count under
/// several kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Repairs {
    /// Records with at least one of the following.
    pub records: u64,
    /// Members whose JSON was stored as text, encoded once or twice.
    pub json_text: u64,
    /// Words for absent values (`None`, `nan`, `-`).
    pub null_word: u64,
    /// Times in other forms than `2026-03-02T10:00:00Z`.
    pub time: u64,
    /// Times without a time zone, taken as UTC.
    pub time_without_zone: u64,
    /// Member names in another case or spelling (`eventname`, `event_name`).
    pub key: u64,
    /// Numbers, `True` and `False` where CloudTrail writes text or `true`.
    pub value: u64,
    /// Values and objects written as lists (`[{…}]`, or a list of an object's members).
    pub list: u64,
    /// Texts cut in the middle of a character.
    pub character: u64,
    /// Records without an `eventID`, which are told apart by their content instead.
    pub event_id: u64,
}

impl Repairs {
    /// The name and count of each kind.
    pub const fn kinds(&self) -> [(&'static str, u64); 9] {
        [
            ("json_text", self.json_text),
            ("null_word", self.null_word),
            ("time", self.time),
            ("time_without_zone", self.time_without_zone),
            ("key", self.key),
            ("value", self.value),
            ("list", self.list),
            ("character", self.character),
            ("event_id", self.event_id),
        ]
    }

    /// Adds the counts of `other`.
    pub const fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.json_text += other.json_text;
        self.null_word += other.null_word;
        self.time += other.time;
        self.time_without_zone += other.time_without_zone;
        self.key += other.key;
        self.value += other.value;
        self.list += other.list;
        self.character += other.character;
        self.event_id += other.event_id;
    }
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ReadFailure {
    pub object: LogText,
    /// Index of the record in the object, if a single record failed.
    pub record: Option<u64>,
    pub reason: String,
}

/// Records about a repository whose content is missing from the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Gap {
    pub repository: Repository,
    pub records: u64,
}

impl Coverage {
    /// Whether the numbers of objects add up, which must hold for every run.
    pub fn balances(&self) -> bool {
        self.objects_listed == self.objects_read + self.objects_skipped + self.objects_failed
    }

    /// Whether all evidence was read. Skipped objects contain none.
    pub fn is_complete(&self) -> bool {
        self.objects_failed == 0 && self.records_failed == 0 && !self.partial
    }
}
