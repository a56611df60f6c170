//! The worked example of docs/ARCHITECTURE.md, a detector: images that were deleted within an hour of their
//! push. It is compiled and run by the tests, and not one of [`ALL`](super::ALL).

// ANCHOR: detector
use crate::model::{Finding, FindingKind, HOUR_MILLIS};
use crate::timeline::{End, Loss};

use super::loss::report;
use super::{Detector, Subject};

/// A call deleted an image within an hour of its push, and somebody needed it: a pipeline cleans up too
/// early.
pub struct DeletedSoon;

impl Detector for DeletedSoon {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let called = |loss: &Loss| matches!(loss.end, End::DeletedByDigest | End::DeletedByLastTag);
        let soon = |loss: &Loss| loss.pushed_at.is_some_and(|pushed| loss.at - pushed < HOUR_MILLIS);
        // Who needed it, how severe that is, what to do, and the evidence are the same for every loss. Losses
        // that affect nobody are not reported.
        report(subject, FindingKind::DeletedByCall, |loss| called(loss) && soon(loss), found);
    }
}
// ANCHOR_END: detector

#[test]
fn what_is_deleted_within_an_hour_and_missed_is_found_and_what_is_older_is_not() {
    let found = |deleted_after: i64| {
        let mut log = crate::timeline::tests::log::Log::default();
        log.at(0).push(1, "v1").at(deleted_after).delete((Some(1), None), &[(1, None)]).pull(Some(1), None);
        let history = log.history();
        let repository = &history.repositories()[0];
        let mut found = Vec::new();
        for image in &repository.images {
            DeletedSoon.detect(Subject::of_the_past(&history, repository, image), &mut found);
        }
        found.iter().map(|finding| finding.kind).collect::<Vec<_>>()
    };
    assert_eq!(found(600), [FindingKind::DeletedByCall]);
    assert_eq!(found(7_200), []);
}
