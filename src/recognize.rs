//! CloudTrail record → what it means for images.

use crate::decode::RawRecord;
use crate::model::Recognized;

/// `eventSource`s that can say something about images: what the detectors' scan asks the decoder for.
pub const SOURCES: &[&str] = &["ecr.amazonaws.com", "ecs.amazonaws.com"];

/// Buffers reused from record to record.
#[derive(Default)]
pub struct Recognizer {}

impl Recognizer {
    /// What `record` means, handed to `then`; `Ok(None)` if it means nothing for images. An error says why the record
    /// cannot be understood (not an object, no `eventTime` …).
    pub fn recognize<R>(&mut self, record: RawRecord<'_>, then: impl FnOnce(Recognized<'_>) -> R) -> Result<Option<R>, String> {
        let _ = (record, then);
        Err(String::new())
    }
}
