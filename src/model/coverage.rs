//! What was read, and what was not: a result, not a log line.

use serde::{Deserialize, Serialize};

use super::{Contradiction, LogText, Repository, SnapshotRead, Timestamp};

/// What a run has seen. It balances: `objects_listed == objects_read + objects_skipped + objects_failed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Objects that were to be read, after pruning by key.
    pub objects_listed: u64,
    /// Whole objects of events; an empty `Records` too.
    pub objects_read: u64,
    /// Objects of another kind: log digest files, Insights, NetworkActivity, Aggregated.
    pub objects_skipped: u64,
    /// Files, folders and keys that are left out by their names, whatever the filters say: they are not among the listed ones.
    pub objects_left_out: u64,
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
    /// Second copies: records of an event that had been read already.
    pub records_duplicate: u64,
    /// Records that could not be understood; each stands in `failures`.
    pub records_failed: u64,
    /// Events of another kind beside the records: Insights, NetworkActivity, Aggregated. They are not among `records`.
    pub records_skipped: u64,
    /// Lines and documents that are no events and lose nothing: action lines of a bulk file, control messages, the head lines
    /// of a tool, EventBridge events of other services. They are not among `records`.
    pub lines_skipped: u64,
    /// Records that another tool had written in another form, and how many of each; they are among `records`.
    pub records_repaired: Repairs,
    /// Events whose `eventID` stands on another event, too. Of a lake: the sum over the runs and shards that have filled it.
    pub events_sharing_an_id: u64,
    pub first_event_time: Option<Timestamp>,
    pub last_event_time: Option<Timestamp>,
    /// The run was interrupted: what stands here is true, and not all.
    pub partial: bool,
    pub failures: Vec<ReadFailure>,
    /// Records whose payload CloudTrail left out (over 100 KB), by repository.
    pub omitted: Vec<Gap>,
    /// Answers of the AWS CLI and of kubectl that were read beside the logs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SnapshotRead>,
    /// Where they say otherwise than the logs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Contradiction>,
    /// What this evidence cannot show, a sentence each.
    pub warnings: Vec<String>,
}

/// Records whose form was not CloudTrail's, and was brought back to it. A record may count under several kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Repairs {
    /// Records with anything of the following.
    pub records: u64,
    /// Members that held their JSON as text, once or twice encoded.
    pub json_text: u64,
    /// Words for what is absent (`None`, `nan`, `-`).
    pub null_word: u64,
    /// Times in another form than `2026-03-02T10:00:00Z`.
    pub time: u64,
    /// Times without a zone, taken as UTC.
    pub time_without_zone: u64,
    /// Names of members in another case or spelling (`eventname`, `event_name`).
    pub key: u64,
    /// Numbers, `True` and `False` where CloudTrail writes text or `true`.
    pub value: u64,
    /// Texts that were cut in the middle of a character.
    pub character: u64,
    /// Records without an `eventID` of their own: what they say tells them apart instead.
    pub event_id: u64,
}

impl Repairs {
    /// Name and number of each kind.
    pub const fn kinds(&self) -> [(&'static str, u64); 8] {
        [
            ("json_text", self.json_text),
            ("null_word", self.null_word),
            ("time", self.time),
            ("time_without_zone", self.time_without_zone),
            ("key", self.key),
            ("value", self.value),
            ("character", self.character),
            ("event_id", self.event_id),
        ]
    }

    /// Adds what `other` has counted.
    pub const fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.json_text += other.json_text;
        self.null_word += other.null_word;
        self.time += other.time;
        self.time_without_zone += other.time_without_zone;
        self.key += other.key;
        self.value += other.value;
        self.character += other.character;
        self.event_id += other.event_id;
    }
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
