//! What each worker has read, added up to the coverage.

use crate::decode::seen::SeenEvents;
use crate::decode::{ObjectReport, Outcome};
use crate::model::{Coverage, LogText, ReadFailure, Timestamp, plural, plural_verb};
use crate::source::{Delivery, Fetched};
use crate::timeline::History;

/// Maximum number of failures that are listed; more are only counted, which the coverage says.
const FAILURES_LISTED_MAX: usize = 10_000;

/// One worker's counts.
#[derive(Default)]
pub struct WorkerCounts {
    coverage: Coverage,
    /// Failed records that the report of their object only counts.
    failures_unlisted: u64,
    /// Whether any record was that of a read-only event.
    pub read_only: bool,
}

impl WorkerCounts {
    /// Counts that were made elsewhere.
    pub fn of(coverage: Coverage, read_only: bool) -> Self {
        Self { coverage, read_only, ..Self::default() }
    }

    /// Notes a record of a lake file that could not be understood. It has been counted as a record already.
    pub fn fail_record(&mut self, object: &str, record: u64, reason: String) {
        self.coverage.records_failed += 1;
        self.coverage.failures.push(ReadFailure { object: object.into(), record: Some(record), reason });
    }

    /// Adds one object; `report` is `None` if nothing of it could be decoded.
    pub fn add(&mut self, delivery: Delivery, report: Option<ObjectReport>) {
        let coverage = &mut self.coverage;
        coverage.objects_listed += 1;
        let Delivery { object, size, outcome, .. } = delivery;
        let mut decoded = Outcome::Read;
        coverage.bytes_compressed += size;
        if let Some(report) = report {
            coverage.bytes_decompressed += report.bytes_decompressed;
            coverage.records += report.records;
            coverage.records_failed += report.failed_total;
            coverage.records_skipped += report.records_skipped;
            coverage.lines_skipped += report.lines_skipped;
            coverage.records_repaired.add(&report.repaired);
            self.failures_unlisted += report.failed_total - report.failed.len() as u64;
            coverage.objects_lossy += u64::from(report.lossy);
            coverage.widen(report.first_event_time);
            coverage.widen(report.last_event_time);
            for (record, reason) in report.failed {
                coverage.failures.push(ReadFailure { object: object.clone(), record: Some(record), reason });
            }
            decoded = report.outcome;
        }
        match (outcome, decoded) {
            (Fetched::Failed(reason), _) | (Fetched::Whole, Outcome::Failed(reason)) => {
                coverage.fail(object, reason)
            }
            (Fetched::OtherKind | Fetched::Known, _) | (Fetched::Whole, Outcome::Skipped(_)) => {
                coverage.objects_skipped += 1
            }
            (Fetched::Whole, Outcome::Read) => coverage.objects_read += 1,
        }
        self.bound_failures();
    }
}

impl WorkerCounts {
    /// Drops failures that will not be listed, once there are several times too many.
    fn bound_failures(&mut self) {
        let failures = &mut self.coverage.failures;
        if failures.len() > 4 * FAILURES_LISTED_MAX {
            failures.sort_unstable();
            self.failures_unlisted += (failures.len() - FAILURES_LISTED_MAX) as u64;
            failures.truncate(FAILURES_LISTED_MAX);
        }
    }
}

impl Coverage {
    pub(crate) fn fail(&mut self, object: LogText, reason: String) {
        self.objects_failed += 1;
        self.failures.push(ReadFailure { object, record: None, reason });
    }

    /// Adds events that were read and could not be understood, each once, however often it was delivered.
    pub(crate) fn fail_events(&mut self, failures: Vec<ReadFailure>) {
        self.records_failed += failures.len() as u64;
        self.failures.extend(failures);
    }

    fn widen(&mut self, time: Option<Timestamp>) {
        let Some(time) = time else { return };
        self.first_event_time = Some(self.first_event_time.map_or(time, |first| first.min(time)));
        self.last_event_time = Some(self.last_event_time.map_or(time, |last| last.max(time)));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.objects_listed += other.objects_listed;
        self.objects_read += other.objects_read;
        self.objects_skipped += other.objects_skipped;
        self.objects_left_out += other.objects_left_out;
        self.objects_failed += other.objects_failed;
        self.bytes_compressed += other.bytes_compressed;
        self.bytes_decompressed += other.bytes_decompressed;
        self.records += other.records;
        self.records_duplicate += other.records_duplicate;
        self.records_failed += other.records_failed;
        self.records_skipped += other.records_skipped;
        self.lines_skipped += other.lines_skipped;
        self.records_repaired.add(&other.records_repaired);
        self.objects_lossy += other.objects_lossy;
        self.events_sharing_an_id += other.events_sharing_an_id;
        self.widen(other.first_event_time);
        self.widen(other.last_event_time);
        self.snapshots.extend(other.snapshots);
        self.contradictions.extend(other.contradictions);
        self.failures.extend(other.failures);
        self.warnings.extend(other.warnings);
    }

    /// Adds warnings about odd records, and how they were interpreted.
    fn warn_of_odd_records(&mut self) {
        if self.events_sharing_an_id > 0 {
            self.warnings.push(format!(
                "{} with another event (a placeholder, or records that were changed): each of them counts, \
                 and only what has the same id, time, source, name, region and account is a second copy.",
                plural_verb(
                    self.events_sharing_an_id,
                    "event",
                    ["shares its eventID", "share their eventID"]
                )
            ));
        }
        if self.records_repaired.event_id > 0 {
            self.warnings.push(format!(
                "{}: a second copy of one is told by its whole text.",
                plural_verb(
                    self.records_repaired.event_id,
                    "record",
                    ["has no eventID of its own", "have no eventID of their own"]
                )
            ));
        }
        if self.records_repaired.time_without_zone > 0 {
            self.warnings.push(format!(
                "{} no time zone, and UTC was taken.",
                plural_verb(self.records_repaired.time_without_zone, "record", ["says", "say"])
            ));
        }
    }

    /// Sorts the failures, keeps as many as are listed, and says how many are not, including the `left_out`
    /// ones from before.
    pub(crate) fn bound_failures(&mut self, left_out: u64) {
        self.failures.sort_unstable();
        let left_out = left_out + self.failures.len().saturating_sub(FAILURES_LISTED_MAX) as u64;
        self.failures.truncate(FAILURES_LISTED_MAX);
        if left_out > 0 {
            self.warnings.push(format!("{left_out} more failures are counted and not listed."));
        }
    }
}

/// What all workers have counted.
pub struct Counted {
    /// Failures are in no order yet.
    pub coverage: Coverage,
    /// Failed records that are not among them.
    pub failures_unlisted: u64,
    /// Whether any event was read-only.
    pub read_only: bool,
}

/// All workers' counts together.
pub fn all(all_counts: Vec<WorkerCounts>, relevant: u64, seen: &SeenEvents, partial: bool) -> Counted {
    let mut coverage = Coverage { partial, records_relevant: relevant, ..Coverage::default() };
    let (mut failures_unlisted, mut read_only) = (0, false);
    for counts in all_counts {
        failures_unlisted += counts.failures_unlisted;
        read_only |= counts.read_only;
        coverage.merge(counts.coverage);
    }
    match seen.duplicates() {
        Some(duplicates) => coverage.records_duplicate += duplicates,
        None => coverage.warnings.push(
            "More records than the set of events can hold: records_duplicate is not known. No event counts \
             twice for an image all the same."
                .to_owned(),
        ),
    }
    let lossy = coverage.objects_lossy;
    if lossy > 0 {
        coverage.warnings.push(format!(
            "{} records in another schema (OCSF, a table with CloudTrail's columns): what it has no place for \
             is lost, and how much that is cannot be told.",
            plural_verb(lossy, "object", ["holds", "hold"])
        ));
    }
    coverage.events_sharing_an_id += seen.sharing_an_id();
    coverage.warn_of_odd_records();
    Counted { coverage, failures_unlisted, read_only }
}

/// Adds what the history shows: content that CloudTrail left out, and what such logs cannot show.
pub fn describe(coverage: &mut Coverage, history: &History, read_only: bool) {
    coverage.contradictions = history.contradictions();
    for (repository, indexes) in history.indexes_unread() {
        let many = if indexes == 1 { "1 index".to_owned() } else { format!("{indexes} indexes") };
        coverage.warnings.push(format!(
            "A snapshot of {} lists {many} of which nothing tells what they hold (ecr batch-get-image would): \
             images without a tag may be parts of them, which no rule takes.",
            repository.name.raw()
        ));
    }
    coverage.omitted = history.left_out();
    let omitted: u64 = coverage.omitted.iter().map(|gap| gap.records).sum();
    if omitted > 0 {
        coverage.warnings.push(format!(
            "CloudTrail left out the content of {} of {} (over 100 KB): something was done there, and what is \
             unknown.",
            plural(omitted, "record"),
            if coverage.omitted.len() == 1 { "1 repository".to_owned() } else { format!("{} repositories", coverage.omitted.len()) }
        ));
    }
    let unclear = history.gaps().iter().map(|gap| gap.records).sum::<u64>() - omitted;
    if unclear > 0 {
        coverage.warnings.push(format!(
            "{} not say what was done in a repository, as such a call does: it was changed, or is of an early \
             version. Something was done there, and what is unknown.",
            plural_verb(unclear, "record", ["does", "do"])
        ));
    }
    for &push in history.mismatched() {
        let event = history.event(push);
        coverage.warnings.push(format!(
            "The digest in the response of {} is not the SHA-256 of the pushed manifest ({}, record {}): the \
             record was changed, or is not ECR's.",
            event.event_id.raw(),
            event.object.raw(),
            event.record
        ));
    }
    if history.pushes() > 0 && !read_only && history.read_only_events() == 0 {
        coverage.warnings.push(
            "Blind trail: pushes, and not a single read-only event. PolicyExecutionEvent and BatchGetImage \
             are read-only events, so a trail of write events alone shows neither expiries nor pulls: no \
             finding here is not a clean bill."
                .to_owned(),
        );
    }
}
