//! How events become timelines, row by row of the table in docs/SEMANTICS.md; and that the result does not
//! depend on which worker read which event, or when.

use std::borrow::Cow;

use super::Fold;
use crate::detect::{Settings, findings};
use crate::model::{
    Action, Addendum, Filter, FindingKind, ImageId, ImageState, Order, Severity, StepKind, Timeline,
    UntaggedBy,
};
use log::{Log, digest};

mod evidence;
mod lists;
pub mod log;
mod needs;
mod regressions;
mod settings;

fn kinds(timeline: &Timeline) -> Vec<StepKind> {
    timeline.steps.iter().map(|step| step.kind).collect()
}

#[test]
fn a_moved_tag_then_an_expiry_is_the_incident() {
    let mut log = Log::default();
    log.at(0).push(1, "v1").at(9).push(2, "v1").at(90_000).expire(1, &[]).at(100_000).pull(Some(1), None);
    assert_eq!(
        log.pairs(),
        vec![(FindingKind::SameTagRace, digest(1), Some(digest(2)), Some(9), Order::Observed)]
    );
    let finding = &log.findings()[0];
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(finding.usage.pulls_after_gone, 1);
    assert_eq!(finding.exposure_seconds, Some(90_000 - 9));
    assert!(finding.advice.iter().any(|advice| advice.contains("immutable")));
    let lost = log.image(1);
    assert_eq!(
        (lost.state, lost.untagged_by, lost.lives),
        (ImageState::Expired, Some(UntaggedBy::Displaced), 1)
    );
    assert_eq!(kinds(&lost), vec![StepKind::Push, StepKind::TagLost, StepKind::Expire, StepKind::Pull]);
}

#[test]
fn three_pushes_in_a_row_give_two_findings() {
    let mut log = Log::default();
    log.push(1, "v1").push(2, "v1").push(3, "v1").at(90_000).expire(1, &[]).expire(2, &[]);
    let pairs: Vec<_> = log.pairs().into_iter().map(|pair| (pair.1, pair.2)).collect();
    let mut expected = vec![(digest(1), Some(digest(2))), (digest(2), Some(digest(3)))];
    expected.sort();
    assert_eq!(pairs, expected);
}

#[test]
fn a_tag_that_comes_back_voids_the_displacement() {
    let mut log = Log::default();
    log.push(1, "v1").push(2, "v1").push(1, "v1").at(90_000).expire(2, &[]);
    assert_eq!(log.image(1).state, ImageState::Tagged);
    assert_eq!(log.pairs().len(), 1, "only the reverted image was lost");
    let mut kept_by_other_tag = Log::default();
    kept_by_other_tag.push(1, "v1").push(1, "v1-keep").push(2, "v1").at(90_000).expire(1, &["v1-keep"]);
    assert_eq!(kept_by_other_tag.pairs(), vec![]);
}

#[test]
fn old_buildkit_orphans_nobody() {
    // Children and index under one tag: the first child loses the tag to the second, and that one to the
    // index.
    let mut log = Log::default();
    log.push(1, "v1")
        .push(2, "v1")
        .push_image(3, Some("v1"), &[1, 2])
        .at(90_000)
        .expire(1, &[])
        .expire(2, &[]);
    assert_eq!(log.pairs(), vec![]);
    assert_eq!((log.image(1).untagged_by, log.image(2).untagged_by), (Some(UntaggedBy::Displaced), None));
    assert_eq!(log.image(1).parents, vec![digest(3)]);
}

#[test]
fn old_buildkit_within_one_second_is_settled_by_the_manifest() {
    // By eventID the index would come first and be orphaned by its own child.
    let mut log = Log::default();
    log.push_image(3, Some("v1"), &[1]).same_second().push(1, "v1").at(90_000).expire(1, &[]);
    assert_eq!(log.image(3).state, ImageState::Tagged);
    assert_eq!(log.pairs(), vec![]);
}

#[test]
fn one_second_is_settled_by_what_comes_later() {
    let mut by_expiry = Log::default();
    by_expiry.push(1, "v1").same_second().push(2, "v1").at(90_000).expire(2, &[]);
    assert_eq!(
        by_expiry.pairs(),
        vec![(FindingKind::SameTagRace, digest(2), Some(digest(1)), Some(0), Order::Inferred)]
    );

    let mut by_refusal = Log::default();
    by_refusal.push(1, "v1").same_second().push(2, "v1").already_exists(1, "v1").at(90_000).expire(2, &[]);
    assert_eq!(by_refusal.image(1).state, ImageState::Tagged);
    assert_eq!(by_refusal.pairs()[0].4, Order::Inferred);

    let mut by_delete = Log::default();
    by_delete.push(2, "v1").same_second().push(1, "v1").delete((None, Some("v1")), &[(2, Some("v1"))]);
    assert_eq!(by_delete.image(2).state, ImageState::Deleted);
    assert_eq!(by_delete.image(1).state, ImageState::Untagged);
}

#[test]
fn one_second_that_nothing_settles_is_ambiguous() {
    let mut log = Log::default();
    log.push(1, "v1").same_second().push(2, "v1").push(3, "v1").at(90_000).expire(1, &[]).expire(2, &[]);
    // The next push ends the evidence: after it both are untagged, whichever had the tag before.
    assert!(log.pairs().iter().all(|pair| pair.4 == Order::Ambiguous), "{:?}", log.pairs());
}

#[test]
fn the_last_tag_takes_the_image_with_it() {
    let mut log = Log::default();
    log.push(1, "a").push(1, "b").delete((None, Some("a")), &[(1, Some("a"))]);
    assert_eq!(log.image(1).state, ImageState::Tagged);
    log.delete((None, Some("b")), &[(1, Some("b"))]);
    let image = log.image(1);
    assert_eq!(image.state, ImageState::Deleted);
    assert_eq!(kinds(&image)[2..], [StepKind::Untag, StepKind::Untag, StepKind::Delete]);
    let mut by_digest = Log::default();
    by_digest.push(1, "a").push(1, "b").delete((Some(1), None), &[(1, Some("a")), (1, Some("b"))]);
    assert_eq!(kinds(&by_digest.image(1)), vec![StepKind::Push, StepKind::Push, StepKind::Delete]);
}

#[test]
fn a_last_tag_is_not_known_to_be_the_last_before_the_logs() {
    let mut log = Log::default();
    log.delete((None, Some("a")), &[(1, Some("a"))]);
    let image = log.image(1);
    assert_eq!((image.state, image.open_start), (ImageState::Unknown, true));
}

#[test]
fn a_digest_pushed_again_lives_again() {
    let mut log = Log::default();
    log.push(1, "v1").delete((Some(1), None), &[(1, Some("v1"))]).push(1, "v2");
    let image = log.image(1);
    assert_eq!((image.state, image.lives, image.gone_at), (ImageState::Tagged, 2, None));
    assert_eq!(image.tags, vec!["v2"]);
}

#[test]
fn archived_is_not_expired() {
    let mut log = Log::default();
    log.push(1, "v1").push(2, "v1").at(90_000).run(1, &[], "transition", None);
    assert_eq!(log.image(1).state, ImageState::Archived);
    assert_eq!(log.pairs(), vec![], "nobody needs it");
    log.pull(Some(1), None);
    assert_eq!(log.pairs()[0].0, FindingKind::Archived);
    log.add("ImageActivationEvent", Action::Restored { digest: digest(1) });
    assert_eq!(log.image(1).state, ImageState::Untagged);
}

#[test]
fn a_push_before_the_logs_still_gives_a_finding() {
    let mut log = Log::default();
    log.push(2, "v1").at(90_000).run(1, &[], "expire", Some(-30));
    let finding = &log.findings()[0];
    assert_eq!((finding.lost.digest, finding.kept.digest), (Some(digest(1)), Some(digest(2))));
    assert_eq!(
        (finding.first_push.is_none(), finding.gap_seconds, finding.order),
        (true, None, Order::Inferred)
    );
    assert!(finding.advice.iter().any(|advice| advice.contains("--since")));
    // A push displaces at most one image: with two that fit, nothing is concluded.
    log.run(3, &[], "expire", Some(-40));
    assert_eq!(log.pairs(), vec![]);
}

#[test]
fn copies_twins_and_corrections_count_once() {
    let mut log = Log::default();
    log.push(1, "v1").pull(Some(1), None);
    let mut copy = log.events[1].clone();
    log.events.push(copy.clone());
    // The same call in the caller's account, under an eventID of its own.
    for (event, id) in [(&mut log.events[2].event, "aaaa"), (&mut copy.event, "bbbb")] {
        event.id = Cow::Borrowed(id);
        event.identity = log::identity(id);
        event.shared_id = Some(Cow::Borrowed("shared"));
    }
    copy.event.recipient_account = "444455556666".into();
    log.events.push(copy);
    let mut correction = log.events[1].clone();
    correction.event.addendum =
        Some(Addendum { original_event_id: correction.event.id.clone(), corrects_time: false });
    correction.event.id = Cow::Borrowed("cccc");
    correction.event.identity = log::identity("cccc");
    correction.action =
        Action::Pull { images: vec![ImageId { digest: Some(digest(1)), tag: None }], failed: true };
    log.events.push(correction);
    let image = log.image(1);
    assert_eq!(kinds(&image), vec![StepKind::Push, StepKind::PullFailed, StepKind::Pull]);
    assert_eq!(image.steps[2].event.event_id, "aaaa", "the copy in the trail of the registry's owner");
}

#[test]
fn a_deleted_repository_takes_everything() {
    let mut log = Log::default();
    log.push(1, "v1")
        .add("DeleteRepository", Action::DeleteRepository)
        .add("CreateRepository", Action::CreateRepository { mutability: None, made_by_ecr: None, key: None });
    log.push(2, "v1");
    assert_eq!(log.image(1).state, ImageState::RepositoryDeleted);
    assert_eq!(log.image(2).state, ImageState::Tagged);
    assert_eq!(log.image(2).steps[0].other_digest, None, "the new repository's tag displaced nobody");
}

#[test]
fn the_next_victim_is_known_before_it_goes() {
    const POLICY: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}"#;
    let mut log = Log::default();
    log.push(1, "v1").push(2, "v1");
    assert_eq!(log.pairs(), vec![], "without a policy nothing takes it");
    log.add("PutLifecyclePolicy", Action::PutLifecyclePolicy { text: POLICY.into() });
    assert_eq!(
        log.pairs(),
        vec![(FindingKind::DisplacedAlive, digest(1), Some(digest(2)), Some(1), Order::Observed)]
    );
    log.add("DeleteLifecyclePolicy", Action::DeleteLifecyclePolicy);
    assert_eq!(log.pairs(), vec![]);
}

#[test]
fn a_digest_that_is_not_its_manifests_is_told() {
    let mut log = Log::default();
    log.push(1, "v1").push(2, "v1");
    assert!(log.history().mismatched().is_empty());
    if let Action::Push(push) = &mut log.events[1].action {
        push.digest_mismatch = true;
    }
    let history = log.history();
    let told: Vec<_> = history.mismatched().iter().map(|event| history.event(*event).record).collect();
    assert_eq!(told, vec![1]);
}

/// Everything that a user would see, from events read by several workers in any order.
fn shown(log: &Log, split: &[usize], reverse: bool) -> String {
    let mut folds: Vec<Fold> = split.iter().map(|_| Fold::default()).collect();
    for (index, recognized) in log.events.iter().enumerate() {
        let worker = split[index % split.len()] % folds.len();
        folds[worker].absorb(recognized, "object", index as u64);
    }
    if reverse {
        folds.reverse();
    }
    let fold = folds.into_iter().fold(Fold::default(), |mut all, one| {
        all.merge(one);
        all
    });
    let history = fold.finish(&Filter::default());
    let timelines: Vec<Timeline> = history.timelines().collect();
    let found = findings(&history, Settings { race_window_seconds: 600 });
    serde_json::to_string_pretty(&(timelines, found)).unwrap()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn who_read_what_when_does_not_matter(
        steps in proptest::collection::vec((0_u8..6, 1_u8..6, 0_usize..3, proptest::bool::ANY), 1..40),
        split in proptest::collection::vec(0_usize..5, 1..5),
        reverse in proptest::bool::ANY,
    ) {
        let tags = ["a", "b", "c"];
        let mut log = Log::default();
        for (what, n, tag, together) in steps {
            if together {
                log.same_second();
            }
            match what {
                0 | 1 => log.push(n, tags[tag]),
                2 => log.expire(n, &[]),
                3 => log.pull(Some(n), None),
                4 => log.already_exists(n, tags[tag]),
                _ => log.delete((None, Some(tags[tag])), &[(n, Some(tags[tag]))]),
            };
        }
        proptest::prop_assert_eq!(shown(&log, &split, reverse), shown(&log, &[0], false));
    }
}
