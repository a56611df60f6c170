//! What an event shows in addition to its main content: which tags an image had, that it existed, and which
//! callers do not count.

use std::borrow::Cow;

use super::kinds;
use super::log::{Log, START};
use super::regressions::{DAY, reference};
use crate::model::{
    Action, FindingKind, ImageState, Need, NeedKind, Refusal, RunFailure, Severity, StepKind, Timestamp,
    UntaggedBy,
};

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:111122223333:function:orders";

fn need(log: &mut Log, kind: NeedKind, tag: Option<&'static str>, image: Option<u8>) {
    let images = (tag.is_some() || image.is_some()).then(|| reference(tag, image)).into_iter().collect();
    log.add("Need", Action::Needs(vec![Need::new(kind, FUNCTION, images)]));
    log.events.last_mut().unwrap().repository = None;
}

fn instance_pulls(log: &mut Log, tag: &'static str) {
    log.pull(None, Some(tag));
    log.events.last_mut().unwrap().event.actor =
        Some(Cow::Borrowed("arn:aws:sts::111122223333:assumed-role/node/i-07b5e96ee6f17fb92"));
}

fn found(log: &Log) -> Vec<FindingKind> {
    let mut kinds: Vec<FindingKind> = log.findings().iter().map(|finding| finding.kind).collect();
    kinds.sort();
    kinds
}

/// Once, one platform's image of an index whose push is not in the logs was reported as the loser of a race
/// with the other platform's image.
#[test]
fn what_a_run_could_not_take_was_not_displaced() {
    let story = |refused: bool| {
        let mut log = Log::default();
        log.at(60).push(2, "v1").at(DAY).run(1, &[], "expire", Some(59));
        if refused {
            let Action::PolicyRun(run) = &mut log.events[1].action else { panic!("a run") };
            let image = run.images.remove(0);
            run.failures.push(RunFailure {
                image,
                code: Some("ImageReferencedByManifestList".into()),
                parents: Vec::new(),
            });
        }
        log.at(2 * DAY).run(1, &[], "expire", Some(59));
        (log.image(1).untagged_by, found(&log))
    };
    assert_eq!(
        story(false),
        (Some(UntaggedBy::Displaced), vec![FindingKind::SameTagRace]),
        "pushed a second before"
    );
    assert_eq!(story(true), (None, vec![]));
}

/// The image was thought to have gone with the tag, until a run took it: pulls by the tag were counted as
/// pulls of the image.
#[test]
fn who_asks_for_a_tag_that_was_not_the_last_one_does_not_ask_for_its_image() {
    let mut log = Log::default();
    log.push(1, "v1").at(DAY).delete((None, Some("v1")), &[(1, Some("v1"))]).pull(None, Some("v1"));
    log.at(3 * DAY).run(1, &["stable"], "expire", Some(1)).pull(None, Some("v1")).pull(Some(1), None);
    assert_eq!(kinds(&log.image(1)), [StepKind::Push, StepKind::Untag, StepKind::Expire, StepKind::Pull]);
    let findings = log.findings();
    let usage = |kind| {
        findings
            .iter()
            .find(|finding| finding.kind == kind)
            .map(|finding| (finding.usage.pulls_before, finding.usage.pulls_after_gone))
    };
    assert_eq!(usage(FindingKind::ExpiredWhileTagged), Some((0, 1)));
    assert_eq!(usage(FindingKind::TagRemoved), Some((0, 2)), "{findings:?}");
}

/// A function was updated to a tag that the logs had not seen yet, and what failed then was blamed on the
/// image before.
#[test]
fn what_takes_up_an_unknown_image_keeps_the_one_before_no_more() {
    let story = |updated: bool| {
        let mut log = Log::default();
        log.push(1, "v1");
        need(&mut log, NeedKind::Keeps, None, Some(1));
        if updated {
            need(&mut log, NeedKind::Keeps, Some("v2"), None);
        }
        log.at(DAY).delete((Some(1), None), &[(1, Some("v1"))]).pull(Some(1), None).at(2 * DAY);
        log.events.last_mut().unwrap().event.time = Timestamp::from_millis((START + DAY - 60) * 1000);
        need(&mut log, NeedKind::Fails, None, None);
        log.findings().first().map(|finding| finding.severity)
    };
    assert_eq!(story(false), Some(Severity::Critical));
    assert_eq!(story(true), None);
}

/// A push before the logs had set the tag. Once, later requests for it were reported as requests for a tag
/// that never existed.
#[test]
fn an_image_that_goes_by_its_digest_takes_the_tags_along_that_the_answer_lists() {
    let mut log = Log::default();
    log.pull(Some(1), None)
        .at(DAY)
        .delete((Some(1), None), &[(1, Some("v1")), (1, Some("v2"))])
        .pull(None, Some("v2"));
    let image = log.image(1);
    assert_eq!((image.state, image.tags.len()), (ImageState::Deleted, 2));
    let finding = &log.findings()[0];
    assert_eq!(
        (finding.kind, finding.severity, finding.usage.pulls_after_gone),
        (FindingKind::DeletedByCall, Severity::Critical, 1)
    );
}

/// The tag was on an image whose push is not in the logs: a delete lists it, or a push is refused because
/// something has it.
#[test]
fn a_tag_that_something_had_was_not_asked_for_before_it_was_pushed() {
    let story = |between: fn(&mut Log)| {
        let mut log = Log::default();
        log.add(
            "CreateRepository",
            Action::CreateRepository { mutability: None, made_by_ecr: None, key: None },
        );
        instance_pulls(&mut log, "v1");
        between(&mut log);
        log.at(DAY).push(2, "v1");
        found(&log)
    };
    assert_eq!(story(|_| {}), [FindingKind::AskedBeforePushed]);
    let deleted = story(|log| _ = log.at(900).delete((Some(1), None), &[(1, Some("v1"))]));
    assert_eq!(deleted, []);
    let refused = story(|log| {
        let refusal = Refusal {
            code: "ImageTagAlreadyExistsException".into(),
            digest: None,
            tag: Some("v1".into()),
            proves: None,
        };
        log.at(900).add("PutImage", Action::PushFailed(refusal));
    });
    assert_eq!(refused, []);
}

/// A preview before its first push in the logs, which was a retag, was passed over: the image seemed two days
/// younger.
#[test]
fn what_a_preview_names_was_there_and_since_when_it_says() {
    let mut log = Log::default();
    log.at(DAY).run(1, &["v1"], "expire", Some(-2 * DAY));
    let Action::PolicyRun(run) = log.events.remove(0).action else { panic!("a run") };
    log.at(DAY).add("DryRunEvent", Action::PolicyPreview(run)).at(DAY + 60).push(1, "v2");
    let image = log.image(1);
    assert_eq!((image.state, image.open_start, image.lives), (ImageState::Tagged, true, 1));
    assert_eq!(image.pushed_at, Some(Timestamp::from_millis((START - 2 * DAY) * 1000)));
    assert_eq!(image.tags, ["v2"], "a preview tells no order of tags within its second");
    assert_eq!(kinds(&image), [StepKind::Push], "and takes nothing");
    log.at(2 * DAY).delete((Some(1), None), &[(1, Some("v2"))]).at(3 * DAY);
    let preview = log.events[0].clone();
    log.add("DryRunEvent", preview.action);
    assert_eq!(log.image(1).state, ImageState::Deleted, "what is gone does not come back by it");
}

/// A run says when the image was pushed; where it had been gone before, the first push in the logs of its
/// second life may be a retag.
#[test]
fn a_later_life_began_when_a_run_says_so() {
    let mut log = Log::default();
    log.push(1, "v1")
        .at(60)
        .delete((None, Some("v1")), &[(1, Some("v1"))])
        .at(2 * DAY)
        .push(1, "v2")
        .at(3 * DAY)
        .run(1, &["v2"], "expire", Some(DAY));
    let image = log.image(1);
    assert_eq!((image.lives, image.open_start), (2, false));
    assert_eq!(image.pushed_at, Some(Timestamp::from_millis((START + DAY) * 1000)));
}

/// A call took a tag off it in the archive, where its other tags are not known: a restore or a push ends the
/// stay all the same.
#[test]
fn what_comes_out_of_the_archive_is_missed_no_more() {
    let story = |back: fn(&mut Log)| {
        let mut log = Log::default();
        log.pull(Some(1), None).at(100).run(1, &["v1"], "transition", None);
        let Action::PolicyRun(run) = &mut log.events[1].action else { panic!("a run") };
        // It says nothing of its tags.
        (run.images[0].has_tag_list, run.images[0].tag_status) = (false, None);
        run.images[0].tags.clear();
        run.rules[0].tag_status = Some("Any".into());
        log.at(200).pull(Some(1), None).at(300).delete((None, Some("v2")), &[(1, Some("v2"))]).at(400);
        back(&mut log);
        log.at(900).pull(Some(1), None);
        let found = log.findings();
        found
            .iter()
            .find(|finding| finding.kind == FindingKind::Archived)
            .map(|finding| finding.usage.pulls_after_gone)
    };
    assert_eq!(
        story(|log| _ = log.add("ImageActivationEvent", Action::Restored { digest: super::log::digest(1) })),
        Some(1)
    );
    assert_eq!(story(|log| _ = log.push(1, "v3")), Some(1));
}

/// Somebody follows a tag that the image got in its second life: nobody needed the first life, with another
/// tag.
#[test]
fn who_follows_a_tag_needs_no_life_that_did_not_have_it() {
    let mut log = Log::default();
    log.push(1, "v1").at(9_000).push(2, "v1").at(2 * DAY).expire(1, &[]).at(2 * DAY + 60);
    need(&mut log, NeedKind::Asks, Some("latest"), None);
    log.at(2 * DAY + 900).push(1, "latest").at(3 * DAY).delete((Some(1), None), &[(1, Some("latest"))]);
    let found = log.findings();
    let severity = |kind| found.iter().find(|finding| finding.kind == kind).map(|finding| finding.severity);
    assert_eq!(severity(FindingKind::SameTagOverwrite), Some(Severity::Low), "{found:?}");
    assert_eq!(severity(FindingKind::DeletedByCall), Some(Severity::High));
}

/// CloudTrail left out the content of a push: it may have been the push of the tag that is requested next.
#[test]
fn nothing_is_asked_for_too_early_after_a_push_of_which_nothing_is_known() {
    let story = |unknown: bool| {
        let mut log = Log::default();
        log.add(
            "CreateRepository",
            Action::CreateRepository { mutability: None, made_by_ecr: None, key: None },
        );
        if unknown {
            log.add("PutImage", Action::Omitted);
        }
        instance_pulls(&mut log, "v1");
        log.at(DAY).push(2, "v1");
        found(&log)
    };
    assert_eq!(story(false), [FindingKind::AskedBeforePushed]);
    assert_eq!(story(true), []);
}
