//! Counts what one object contains while it is being read.

use super::{Limits, ObjectReport, OtherKind, Outcome};
use crate::model::{Identity, Repairs, Timestamp};

/// Counts, failures and time span of one object.
pub(super) struct ObjectCounts<'d> {
    limits: Limits,
    identities: &'d mut Vec<Identity>,
    /// Position of the next element.
    index: u64,
    records: u64,
    skipped: u64,
    passed_over: u64,
    repaired: Repairs,
    failed: Vec<(u64, String)>,
    failed_total: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    other: Option<OtherKind>,
    /// Something in the object belongs to CloudTrail.
    recognised: bool,
    /// There is a list that may contain records.
    listed: bool,
    /// The first thing that does not belong to CloudTrail.
    foreign: Option<String>,
    /// Where the part of the text that is being read begins; 0 if it is read as a whole.
    part: u64,
    /// The same, if it looks like CloudTrail's own: a notification of another AWS service.
    notification: Option<&'static str>,
    /// The first damage after which reading went on.
    damage: Option<String>,
    /// Records were made from another schema, which may lack something.
    lossy: bool,
}

impl<'d> ObjectCounts<'d> {
    pub(super) fn new(limits: Limits, identities: &'d mut Vec<Identity>) -> Self {
        identities.clear();
        Self {
            limits,
            identities,
            index: 0,
            records: 0,
            skipped: 0,
            passed_over: 0,
            repaired: Repairs::default(),
            failed: Vec::new(),
            failed_total: 0,
            first: None,
            last: None,
            other: None,
            recognised: false,
            listed: false,
            foreign: None,
            part: 0,
            notification: None,
            damage: None,
            lossy: false,
        }
    }

    /// For a text that is read in parts: the next part begins at byte `at`.
    pub(super) const fn begin_part(&mut self, at: u64) {
        self.part = at;
    }

    /// Passes on the identities of the part that was read.
    pub(super) fn end_part<T>(&mut self, take: impl FnOnce(&[Identity]) -> T) -> T {
        let taken = take(self.identities);
        self.identities.clear();
        taken
    }

    /// Resets everything, because the text was read in the wrong way.
    pub(super) fn restart(&mut self) {
        self.identities.clear();
        self.failed.clear();
        (self.index, self.records, self.skipped, self.passed_over, self.failed_total) = (0, 0, 0, 0, 0);
        (self.first, self.last, self.other, self.foreign, self.notification, self.damage) =
            (None, None, None, None, None, None);
        (self.recognised, self.listed, self.repaired) = (false, false, Repairs::default());
    }

    /// Something belongs to CloudTrail.
    pub(super) const fn recognise(&mut self) {
        self.recognised = true;
    }

    /// There is a list of records, even if it is empty.
    pub(super) const fn list(&mut self) {
        self.listed = true;
    }

    pub(super) const fn is_recognised(&self) -> bool {
        self.recognised || self.listed && self.notification.is_none()
    }

    /// Number of elements so far, of all kinds.
    pub(super) const fn seen(&self) -> u64 {
        self.index
    }

    /// Number of records that were understood.
    pub(super) const fn records(&self) -> u64 {
        self.records.saturating_sub(self.failed_total)
    }

    /// Counts a valid record; returns its index.
    #[inline(always)]
    pub(super) fn count(&mut self, time: Option<Timestamp>, identity: Identity) -> u64 {
        if let Some(time) = time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
        self.identities.push(identity);
        self.recognised = true;
        self.records += 1;
        self.index += 1;
        self.index - 1
    }

    /// Counts a record that could not be understood.
    pub(super) fn fail(&mut self, reason: String) {
        self.records += 1;
        self.index += 1;
        self.fail_counted(self.index - 1, reason);
    }

    /// The same for a record that has its index already.
    pub(super) fn fail_counted(&mut self, index: u64, reason: String) {
        self.failed_total += 1;
        if self.failed.len() < self.limits.failures_max {
            let place = if self.part == 0 {
                String::new()
            } else {
                format!(" (in the part from byte {} on)", self.part)
            };
            self.failed.push((index, reason + &place));
        }
    }

    /// Counts an event of another kind: it has a position in the object, and that is all.
    pub(super) fn skip(&mut self, kind: OtherKind) {
        self.recognised = true;
        self.other.get_or_insert(kind);
        self.skipped += 1;
        self.index += 1;
    }

    /// Counts what was repaired in the last record.
    pub(super) const fn repaired(&mut self, repairs: &Repairs) {
        self.repaired.add(repairs);
    }

    /// A record was made from another schema.
    pub(super) const fn lossy(&mut self) {
        self.lossy = true;
    }

    /// Notes damage after which reading goes on.
    pub(super) fn damaged(&mut self, reason: String) {
        self.damage.get_or_insert(reason);
    }

    /// Notes something that looks like a record but is not CloudTrail's.
    pub(super) fn refuse(&mut self, what: &'static str) {
        self.notification.get_or_insert(what);
        self.passed_over += 1;
        self.index += 1;
    }

    /// Counts a document that is other evidence: it has a position in the object, but is not a record.
    pub(super) const fn take_document(&mut self) {
        self.recognised = true;
        self.index += 1;
    }

    /// Counts valid JSON that has nothing to do with CloudTrail and may be beside it (EventBridge events of
    /// other services).
    pub(super) fn pass_over(&mut self, what: String) {
        self.foreign.get_or_insert(what);
        self.pass_line();
    }

    /// Counts a line that is only part of how the records were transported.
    pub(super) const fn pass_line(&mut self) {
        self.passed_over += 1;
        self.index += 1;
    }

    /// Counts valid JSON in the place of a record.
    pub(super) fn fail_foreign(&mut self, what: String) {
        self.fail(format!("not a CloudTrail record: {what}"));
        self.foreign.get_or_insert(what);
    }

    /// The report on an object that was read to its end, or up to `damage`.
    pub(super) fn finish(mut self, damage: Option<String>, bytes_decompressed: u64) -> ObjectReport {
        let damage = damage.or_else(|| self.damage.take());
        let recognised = self.is_recognised();
        let outcome = self.outcome(damage, recognised);
        if !recognised {
            // One reason for the whole object says more than the same reason for each element.
            (self.records, self.failed_total, self.passed_over) = (0, 0, 0);
            self.failed.clear();
        }
        if matches!(outcome, Outcome::Skipped(_)) {
            // The object counts as a whole.
            (self.skipped, self.passed_over) = (0, 0);
        }
        ObjectReport {
            outcome,
            bytes_decompressed,
            records: self.records,
            records_skipped: self.skipped,
            lines_skipped: self.passed_over,
            repaired: self.repaired,
            failed: self.failed,
            failed_total: self.failed_total,
            first_event_time: self.first,
            last_event_time: self.last,
            lossy: self.lossy,
        }
    }

    fn outcome(&mut self, damage: Option<String>, recognised: bool) -> Outcome {
        if let Some(reason) = damage {
            return Outcome::Failed(reason);
        }
        if let (false, Some(what)) = (recognised, self.notification) {
            return Outcome::Failed(what.to_owned());
        }
        match (recognised, self.foreign.take(), self.other) {
            (false, Some(what), _) => Outcome::Failed(format!("JSON, but not CloudTrail: {what}")),
            (false, None, _) if self.failed_total > 0 => {
                Outcome::Failed(self.failed.first().map(|(_, reason)| reason.clone()).unwrap_or_default())
            }
            (true, _, Some(kind)) if self.records == 0 => Outcome::Skipped(kind),
            _ => Outcome::Read,
        }
    }
}
