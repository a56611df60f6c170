//! What a list of the repository confirms and what it ends, in addition to complete logs.

use super::kinds;
use super::log::{Log, START, digest};
use super::regressions::{DAY, deploy, reference, stopped};
use crate::model::{
    Action, Finding, FindingKind, ImageState, ListedImage, Listing, Order, Refusal, Severity, StepKind,
    Timestamp,
};

/// A list of the whole repository.
fn list(log: &mut Log, images: &[u8]) {
    list_with(log, images, false);
}

fn list_with(log: &mut Log, images: &[u8], archived: bool) {
    let listed = |n: &u8| ListedImage {
        digest: digest(*n),
        tags: Vec::new(),
        pushed_at: None,
        pulled_at: None,
        archived: Some(archived),
        archived_at: None,
        media_type: None,
        subject: None,
        size_bytes: None,
    };
    let images = images.iter().map(listed).collect();
    log.add(
        "describe-images",
        Action::Listed(Listing { images, whole: true, with_archived: true, dated: true }),
    );
    log.events.last_mut().unwrap().event.snapshot = true;
}

fn refused(log: &mut Log, n: u8) {
    let refusal = Refusal {
        code: "LayersNotFoundException".into(),
        digest: Some(digest(n)),
        tag: Some("v1".into()),
        proves: None,
    };
    log.add("PutImage", Action::PushFailed(refusal));
}

fn one(log: &Log) -> Finding {
    let mut found = log.findings();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// The list was taken for the image's end, and the finding went with it.
#[test]
fn a_list_that_lacks_what_was_never_pushed_takes_no_finding_away() {
    let story = |listed: Option<i64>| {
        let mut log = Log::default();
        log.at(0).push_image(2, None, &[]).at(60);
        refused(&mut log, 1);
        log.at(120);
        stopped(&mut log, &format!("shop/api@{}: not found", digest(1)));
        if let Some(at) = listed {
            log.at(at);
            list(&mut log, &[2]);
        }
        log
    };
    let alone = one(&story(None));
    assert_eq!((alone.kind, alone.severity), (FindingKind::NeverPushedHere, Severity::Critical));
    for at in [30, 90, DAY] {
        let log = story(Some(at));
        let found = one(&log);
        assert_eq!((found.kind, found.severity), (alone.kind, alone.severity), "{found:?}");
        assert_eq!((&found.id, &found.lost), (&alone.id, &alone.lost));
        assert!(found.summary.contains("does not list it, either"), "{}", found.summary);
        assert!(found.evidence.iter().any(|event| event.event_name.raw() == "describe-images"));
        let image = log.image(1);
        assert_eq!((image.state, image.gone_at), (ImageState::Unknown, None));
        assert!(kinds(&image).contains(&StepKind::NotSeen), "{image:?}");
        assert_eq!(log.history().contradictions(), []);
    }
}

/// A pull of a digest that may be older than the logs says nothing, until a list shows that it is not there.
#[test]
fn a_list_makes_sure_that_a_pull_of_what_was_refused_was_in_vain() {
    let story = |listed: bool| {
        let mut log = Log::default();
        log.at(0).push_image(2, None, &[]).at(60);
        refused(&mut log, 1);
        if listed {
            list(&mut log, &[2]);
        }
        log.at(DAY).pull(Some(1), None);
        let actor = "arn:aws:sts::111122223333:assumed-role/node/i-07b5e96ee6f17fb92";
        log.events.last_mut().unwrap().event.actor = Some(actor.into());
        log.findings().iter().map(|finding| finding.kind).collect::<Vec<_>>()
    };
    assert_eq!(story(false), []);
    assert_eq!(story(true), [FindingKind::NeverPushedHere]);
}

/// Nothing has failed yet: only a list shows that a deployed image does not exist.
#[test]
fn what_is_deployed_and_was_never_pushed_is_found_by_a_list() {
    let mut log = Log::default();
    log.at(0).push_image(2, None, &[]).at(60);
    refused(&mut log, 1);
    deploy(&mut log, reference(None, Some(1)));
    assert_eq!(log.findings(), []);
    list(&mut log, &[2]);
    let found = one(&log);
    assert_eq!((found.kind, found.severity), (FindingKind::NeverPushedHere, Severity::Critical));
    assert!(found.summary.contains("web still needs it"), "{}", found.summary);
}

/// An image that a list or run shows existed before its push was refused, and ends when a later list lacks
/// it.
#[test]
fn what_was_shown_before_its_push_was_refused_ends_with_the_list_that_lacks_it() {
    let mut log = Log::default();
    log.at(0).push_image(2, None, &[]);
    list(&mut log, &[1, 2]);
    log.at(60);
    refused(&mut log, 1);
    log.at(DAY);
    list(&mut log, &[2]);
    assert_eq!(log.image(1).state, ImageState::Gone);
}

/// An image and its signature, both pulled; the image is deleted after a day.
fn signed() -> Log {
    let mut log = Log::default();
    log.at(0).push_image(3, None, &[]).push(1, "v1").push_image(2, None, &[]);
    let Action::Push(push) = &mut log.events[2].action else { panic!("a push") };
    push.manifest.as_mut().unwrap().subject = Some(digest(1));
    log.at(3_600).pull(Some(2), None).at(DAY).delete((Some(1), None), &[(1, Some("v1"))]);
    log
}

fn at(second: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis((START + second) * 1000))
}

/// A list that still showed it was taken for proof that it stays.
#[test]
fn an_artifact_that_is_listed_within_its_day_goes_all_the_same() {
    for listed in [None, Some(DAY + 60), Some(2 * DAY)] {
        let mut log = signed();
        if let Some(second) = listed {
            log.at(second);
            list(&mut log, &[2, 3]);
        }
        log.at(3 * DAY).push(4, "v2");
        assert_eq!(log.image(2).gone_at, at(2 * DAY), "{listed:?}");
        let found = one(&log);
        assert_eq!((found.kind, found.lost.digest), (FindingKind::DeletedByCall, Some(digest(2))));
        assert_eq!((found.lost.gone_at, found.severity), (at(2 * DAY), Severity::High));
    }
}

/// Events after the day show that it is kept; if the evidence ends within the day, it still exists.
#[test]
fn an_artifact_that_is_listed_last_is_there() {
    for second in [DAY + 60, 2 * DAY - 1, 2 * DAY + 1, 3 * DAY] {
        let mut log = signed();
        log.at(second);
        list(&mut log, &[2, 3]);
        assert_eq!((log.image(2).state, log.findings()), (ImageState::Untagged, vec![]), "{second}");
    }
}

/// Two lists, of which the first one shows it within its day: it was called missing without a reason.
#[test]
fn an_artifact_that_a_list_shows_and_the_next_one_lacks_went_with_its_subject() {
    for (second, gone) in [(DAY + 7_200, DAY + 7_200), (3 * DAY, 2 * DAY)] {
        let mut log = signed();
        log.at(DAY + 60);
        list(&mut log, &[2, 3]);
        log.at(second);
        list(&mut log, &[3]);
        log.at(4 * DAY).push(4, "v2");
        assert_eq!(log.history().contradictions(), [], "{second}");
        let found = one(&log);
        assert_eq!((found.kind, found.lost.gone_at), (FindingKind::DeletedByCall, at(gone)), "{found:?}");
    }
}

/// It was archived before the logs begin, of which they cannot say anything; that was told as a contradiction.
#[test]
fn what_was_never_seen_outside_of_the_archive_contradicts_nothing() {
    let restore = |log: &mut Log| {
        let image = crate::model::ImageId { digest: Some(digest(1)), tag: None };
        let class = crate::model::StorageClass::Standard;
        log.add("UpdateImageStorageClass", Action::SetStorageClass { image, class });
    };
    let contradicts = |before: &dyn Fn(&mut Log)| {
        let mut log = Log::default();
        log.push(2, "v2").at(60);
        before(&mut log);
        log.at(DAY);
        list_with(&mut log, &[1], true);
        log.at(2 * DAY).pull(Some(2), None);
        let all = log.history().contradictions();
        all.iter().any(|found| found.text.contains("was archived"))
    };
    assert!(!contradicts(&|_| {}));
    assert!(!contradicts(&restore));
    assert!(!contradicts(&|log| _ = log.pull(Some(1), None)));
    assert!(contradicts(&|log| _ = log.push(1, "v1")));
    assert!(contradicts(&|log| list(log, &[1, 2])));
}

/// Which of two pushes in one second came last was taken from their ids, and a list that shows the other one's tag was
/// told as a contradiction.
#[test]
fn a_list_that_tells_which_of_two_pushes_in_one_second_came_last_contradicts_nothing() {
    let contradicts = |apart: bool, shown: u8| {
        let mut log = Log::default();
        log.push(1, "v1");
        if !apart {
            log.same_second();
        }
        log.push(2, "v1").at(DAY);
        list(&mut log, &[1, 2]);
        if let Some(Action::Listed(listing)) = log.events.last_mut().map(|listed| &mut listed.action) {
            listing.images[usize::from(shown) - 1].tags = vec!["v1".into()];
        }
        log.at(2 * DAY).pull(Some(2), None);
        !log.history().contradictions().is_empty()
    };
    assert!(!contradicts(false, 1) && !contradicts(false, 2));
    assert!(contradicts(true, 1) && !contradicts(true, 2));
}

/// An archive by a call after two pushes of one tag in one second, and a list that shows the tag on the first image.
fn archived_after_a_race(is_dated: bool) -> Log {
    let mut log = Log::default();
    log.push(1, "v1").same_second().push(2, "v1").at(DAY);
    let image = crate::model::ImageId { digest: Some(digest(1)), tag: None };
    let class = crate::model::StorageClass::Archive;
    log.add("UpdateImageStorageClass", Action::SetStorageClass { image, class }).at(2 * DAY);
    list(&mut log, &[1, 2]);
    if let Some(Action::Listed(listing)) = log.events.last_mut().map(|listed| &mut listed.action) {
        listing.dated = is_dated;
        listing.images[0].tags = vec!["v1".into()];
        listing.images[0].archived = Some(true);
    }
    log
}

/// A list that gave an archived image a tag took it out of the archive, and told as a contradiction that it is there.
#[test]
fn an_archived_image_on_which_a_list_shows_a_tag_stays_in_the_archive() {
    for is_dated in [true, false] {
        let log = archived_after_a_race(is_dated);
        assert_eq!(log.history().contradictions(), [], "{is_dated}");
        let image = log.image(1);
        assert_eq!((image.state, image.gone_at), (ImageState::Archived, at(DAY)), "{is_dated}");
        assert_eq!(image.tags, ["v1"], "{is_dated}");
        assert_eq!(log.image(2).state, ImageState::Untagged, "{is_dated}");
    }
}

/// The same by a run that could not take it: it moved a tag that the logs have on another image.
#[test]
fn an_archived_image_on_which_a_run_shows_a_tag_stays_in_the_archive() {
    let mut log = Log::default();
    log.push(1, "v1").at(DAY).run(1, &["v1"], "transition", None).at(2 * DAY).push(2, "v2").at(3 * DAY);
    let Some(Action::PolicyRun(run)) = log.events.get(1).map(|run| &run.action) else { panic!("a run") };
    let rule = run.rules[0].clone();
    log.whole_run(rule, &[], &[(1, &["v1", "v2"])]);
    let image = log.image(1);
    assert_eq!((image.state, image.gone_at), (ImageState::Archived, at(DAY)));
    assert_eq!(image.tags.len(), 2, "{image:?}");
}

/// That the list shows which push came last was used for the tags, and not for the order of the pushes. A list of which
/// nobody knows when it was taken tells nothing of it.
#[test]
fn a_list_tells_which_of_two_pushes_in_one_second_came_last() {
    let orders = |holder: u8, is_dated: bool| {
        let mut log = Log::default();
        log.push(1, "v1").same_second().push(2, "v1").at(3_600);
        list(&mut log, &[1, 2]);
        if let Some(Action::Listed(listing)) = log.events.last_mut().map(|listed| &mut listed.action) {
            listing.dated = is_dated;
            listing.images[usize::from(holder) - 1].tags = vec!["v1".into()];
        }
        log.at(2 * DAY).push(3, "v1").at(3 * DAY).expire(3 - holder, &[]);
        let pairs = log.pairs().into_iter().filter(|pair| pair.0 == FindingKind::SameTagRace);
        pairs.collect::<Vec<_>>()
    };
    for holder in [1, 2] {
        let lost =
            |order| (FindingKind::SameTagRace, digest(3 - holder), Some(digest(holder)), Some(0), order);
        assert_eq!(orders(holder, true), [lost(Order::Inferred)], "{holder}");
        assert!(orders(holder, false).iter().all(|pair| pair.4 == Order::Ambiguous), "{holder}");
    }
}
