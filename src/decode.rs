//! Bytes → records: gunzip, find the container's shape, hand out each CloudTrail record as a slice of JSON text.
//!
//! The hot path never builds a JSON tree for a record that nobody wants. See [`records`].

use crate::model::Timestamp;

/// Which records a sink wants to see. The others are counted, not parsed.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Every record.
    All,
    /// Records whose `eventSource` is one of these; all native EventBridge events, too.
    Sources(&'a [&'a str]),
}

/// One event as it stands in an object: JSON text of the record itself, whatever it was wrapped in.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'b> {
    /// Position in the object, from 0, counting every record of the object.
    pub index: u64,
    /// One JSON object, valid UTF-8; not yet known to be well formed inside.
    pub json: &'b str,
    /// A native EventBridge envelope (`ECS Task State Change`, `ECR Image Action`), not a CloudTrail record.
    pub native: bool,
}

/// Takes records as they are cut out. The slice lives in the decoder's buffer and is gone when `record` returns; sinks
/// copy what they keep. Records come in the order in which they stand in the object. An error is one record's failure:
/// it is counted and reported with its index, and decoding goes on.
pub trait RecordSink {
    fn record(&mut self, record: RawRecord<'_>) -> Result<(), String>;
}

/// Objects that hold no events of the kind we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherKind {
    LogDigestFile,
    Insight,
    NetworkActivity,
    Aggregated,
}

/// How reading one object ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Read,
    Skipped(OtherKind),
    /// Could not be read to its end; what came before the damage was handed out.
    Failed(String),
}

/// What one object held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectReport {
    pub outcome: Outcome,
    pub bytes_decompressed: u64,
    /// All records, wanted or not.
    pub records: u64,
    /// `(index, reason)` of records that could not be understood.
    pub failed: Vec<(u64, String)>,
    /// Over all records, wanted or not.
    pub first_event_time: Option<Timestamp>,
    pub last_event_time: Option<Timestamp>,
}
