//! Where a run's data goes: never in the place of its evidence.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::options::Show;
use crate::decode::{Decoder, Limits, Outcome, RawRecord, RecordSink, Wanted};
use crate::failure::Failure;
use crate::ui::output::Destination;

/// How much of a file is looked at to tell whether it holds records. The first one is enough.
const LOOKED_AT_BYTES_MAX: u64 = 4 << 20;

/// The place that `-o` names. A file with log records in it is not replaced: there may be no second copy.
pub fn prepare(show: &Show) -> Result<Destination, Failure> {
    let destination = Destination::prepare(show.output.as_deref())?;
    match &destination {
        Destination::File(path) if holds_records(path) => {
            let failure = Failure::new(format!("will not write to {}", path.display())).because("the file holds CloudTrail records");
            Err(failure.advise("name another file with -o, or remove this one first"))
        }
        _ => Ok(destination),
    }
}

fn holds_records(path: &Path) -> bool {
    let mut stored = Vec::new();
    let Ok(_) = File::open(path).and_then(|file| file.take(LOOKED_AT_BYTES_MAX).read_to_end(&mut stored)) else { return false };
    let report = Decoder::new().object(&stored, Wanted::Sources(&[]), Limits::default(), &mut Unread);
    report.records > report.failed_total || matches!(report.outcome, Outcome::Skipped(_))
}

/// Takes no records: that there are some is all that is asked.
struct Unread;

impl RecordSink for Unread {
    fn record(&mut self, _record: RawRecord<'_>) -> Result<(), String> {
        Ok(())
    }
}
