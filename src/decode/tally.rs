//! What one object held, while it is being read.

use super::{Limits, ObjectReport, OtherKind, Outcome};
use crate::model::Timestamp;

/// Counts, failures and the span of time of one object.
pub(super) struct Tally<'d> {
    limits: Limits,
    event_ids: &'d mut Vec<u64>,
    /// Position of the next element.
    index: u64,
    records: u64,
    failed: Vec<(u64, String)>,
    failed_total: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    other: Option<OtherKind>,
    /// Something in the object belongs to CloudTrail.
    recognised: bool,
    /// The first thing that does not.
    foreign: Option<String>,
    /// Where the part of the text that is being read begins; 0 if it is read as a whole.
    part: u64,
}

impl<'d> Tally<'d> {
    pub(super) fn new(limits: Limits, event_ids: &'d mut Vec<u64>) -> Self {
        event_ids.clear();
        Self {
            limits,
            event_ids,
            index: 0,
            records: 0,
            failed: Vec::new(),
            failed_total: 0,
            first: None,
            last: None,
            other: None,
            recognised: false,
            foreign: None,
            part: 0,
        }
    }

    /// A text that is read in parts: the next one begins at byte `at`.
    pub(super) const fn begin_part(&mut self, at: u64) {
        self.part = at;
    }

    /// Hands over the ids of the part that was read.
    pub(super) fn end_part<T>(&mut self, take: impl FnOnce(&[u64]) -> T) -> T {
        let taken = take(self.event_ids);
        self.event_ids.clear();
        taken
    }

    /// Forgets everything: a reading turned out to be the wrong one.
    pub(super) fn restart(&mut self) {
        self.event_ids.clear();
        self.failed.clear();
        (self.index, self.records, self.failed_total) = (0, 0, 0);
        (self.first, self.last, self.other, self.foreign) = (None, None, None, None);
        self.recognised = false;
    }

    /// There is a list of records, even if it is empty.
    pub(super) const fn recognise(&mut self) {
        self.recognised = true;
    }

    pub(super) const fn is_recognised(&self) -> bool {
        self.recognised
    }

    /// How many elements have been seen, of whatever kind.
    pub(super) const fn seen(&self) -> u64 {
        self.index
    }

    /// Counts a record that can be placed; its index.
    pub(super) fn count(&mut self, time: Option<Timestamp>, event_id: Option<u64>) -> u64 {
        if let Some(time) = time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
        self.event_ids.extend(event_id);
        self.recognised = true;
        self.records += 1;
        self.index += 1;
        self.index - 1
    }

    /// Counts a record that cannot be understood.
    pub(super) fn fail(&mut self, reason: String) {
        self.records += 1;
        self.index += 1;
        self.fail_counted(self.index - 1, reason);
    }

    /// The same for a record that has its index already.
    pub(super) fn fail_counted(&mut self, index: u64, reason: String) {
        self.failed_total += 1;
        if self.failed.len() < self.limits.failures_max {
            let place = if self.part == 0 { String::new() } else { format!(" (in the part from byte {} on)", self.part) };
            self.failed.push((index, reason + &place));
        }
    }

    /// An event of another kind: it has a place in the object, and no more.
    pub(super) fn skip(&mut self, kind: OtherKind) {
        self.recognised = true;
        self.other.get_or_insert(kind);
        self.index += 1;
    }

    /// Sound JSON that has nothing to do with CloudTrail, and may stand beside it (EventBridge events of other services).
    pub(super) fn pass_over(&mut self, what: String) {
        self.foreign.get_or_insert(what);
        self.index += 1;
    }

    /// Sound JSON where a record should stand.
    pub(super) fn fail_foreign(&mut self, what: String) {
        self.fail(format!("not a CloudTrail record: {what}"));
        self.foreign.get_or_insert(what);
    }

    /// The report on an object that was walked to its end, or up to `damage`.
    pub(super) fn finish(mut self, damage: Option<String>, bytes_decompressed: u64) -> ObjectReport {
        let outcome = self.outcome(damage);
        if !self.recognised {
            // One reason for the object says more than the same for each of its elements.
            (self.records, self.failed_total) = (0, 0);
            self.failed.clear();
        }
        ObjectReport {
            outcome,
            bytes_decompressed,
            records: self.records,
            failed: self.failed,
            failed_total: self.failed_total,
            first_event_time: self.first,
            last_event_time: self.last,
            lossy: false,
        }
    }

    fn outcome(&mut self, damage: Option<String>) -> Outcome {
        if let Some(reason) = damage {
            return Outcome::Failed(reason);
        }
        match (self.recognised, self.foreign.take(), self.other) {
            (false, Some(what), _) => Outcome::Failed(format!("JSON, but not CloudTrail: {what}")),
            (false, None, _) if self.failed_total > 0 => Outcome::Failed(self.failed.first().map(|(_, reason)| reason.clone()).unwrap_or_default()),
            (true, _, Some(kind)) if self.records == 0 => Outcome::Skipped(kind),
            _ => Outcome::Read,
        }
    }
}
