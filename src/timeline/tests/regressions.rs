//! Cases that were once answered wrongly, each with its story.

use std::borrow::Cow;

use super::kinds;
use super::log::{Log, START, digest};
use crate::model::{
    Action, Addendum, FindingKind, ImageId, ImageReference, ImageState, Mutability, Order, PolicyRun,
    Recognized, Severity, StepKind, TaskImage, Timestamp,
};

pub(super) const DAY: i64 = 86_400;
const UNTAGGED_AFTER_A_DAY: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}"#;
const TAGGED_ONLY: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":9},"action":{"type":"expire"}}]}"#;

/// The last event once more, as the other account's trail has it.
fn twin(log: &mut Log, id: &'static str) -> usize {
    let mut copy = log.events[log.events.len() - 1].clone();
    let first = log.events.len() - 1;
    log.events[first].event.shared_id = Some(Cow::Borrowed("shared"));
    copy.event.shared_id = Some(Cow::Borrowed("shared"));
    copy.event.id = Cow::Borrowed(id);
    copy.event.identity = super::log::identity(id);
    copy.event.recipient_account = "444455556666".into();
    log.events.push(copy);
    first
}

fn run_of<'a>(recognized: &'a mut Recognized<'static>) -> &'a mut PolicyRun<'static> {
    match &mut recognized.action {
        Action::PolicyRun(run) => run,
        other => panic!("not a run: {other:?}"),
    }
}

pub(super) fn reference(tag: Option<&str>, image: Option<u8>) -> TaskImage<'static> {
    let reference = ImageReference {
        registry_id: "111122223333".into(),
        region: "eu-central-1".into(),
        repository: "shop/api".into(),
        tag: tag.map(str::to_owned),
        digest: image.map(digest),
    };
    TaskImage { reference: Some(reference), digest: None, container: None, failed: false }
}

pub(super) fn deploy(log: &mut Log, image: TaskImage<'static>) {
    log.add(
        "CreateService",
        Action::Run { runner: "service/web".into(), definition: None, images: vec![image], deploys: true },
    );
    log.events.last_mut().unwrap().repository = None;
}

#[test]
fn a_twin_without_its_payload_does_not_hide_the_one_that_has_it() {
    // The owner's copy was above 100 KB and lacked its content, but was preferred to the caller's all the
    // same: the push was lost.
    let mut log = Log::default();
    log.push(1, "v1").at(9).push(2, "v1");
    let first = twin(&mut log, "aaaa");
    log.events[first].action = Action::Omitted;
    log.at(2 * DAY).expire(1, &[]);
    assert_eq!(
        log.pairs(),
        vec![(FindingKind::SameTagRace, digest(1), Some(digest(2)), Some(8), Order::Observed)]
    );
    assert!(log.history().gaps().is_empty());
}

#[test]
fn a_correction_is_the_event_that_it_corrects() {
    // The addendum's own id and time used to replace those of the event.
    let mut log = Log::default();
    log.push(1, "v1").at(9).push(2, "v1");
    let mut correction = log.events[1].clone();
    correction.event.addendum =
        Some(Addendum { original_event_id: correction.event.id.clone(), corrects_time: false });
    correction.event.id = Cow::Borrowed("cccc");
    correction.event.identity = super::log::identity("cccc");
    correction.event.time = Timestamp::from_millis((START + 7200) * 1000);
    log.events.push(correction);
    log.at(2 * DAY).expire(1, &[]);
    let findings = log.findings();
    assert_eq!((findings.len(), findings[0].gap_seconds), (1, Some(8)));
    assert_eq!(findings[0].second_push.event_id, log.events[1].event.id.as_ref());
}

#[test]
fn a_finding_is_named_alike_whichever_twin_was_read() {
    let mut both = Log::default();
    both.push(1, "v1").at(9).push(2, "v1");
    let first = twin(&mut both, "aaaa");
    both.at(2 * DAY).expire(1, &[]);
    let name = both.findings()[0].id.clone();
    let mut one = Log::default();
    one.events.clone_from(&both.events);
    one.events.remove(first);
    assert_eq!(one.findings()[0].id, name);
    assert_ne!(one.findings()[0].second_push.event_id, both.findings()[0].second_push.event_id);
}

#[test]
fn a_run_that_lists_a_tag_came_before_the_push_that_takes_it() {
    // The run used to come last in its second, and took the tag back from the image that had just got it.
    let mut log = Log::default();
    log.push(1, "v1").at(DAY).expire(1, &["v1"]).same_second().push(2, "v1");
    assert_eq!((log.image(2).state, log.image(2).tags.len()), (ImageState::Tagged, 1));
    assert_eq!(kinds(&log.image(1)), vec![StepKind::Push, StepKind::Expire]);
    let mut untagged = Log::default();
    untagged.at(0).push(1, "v1").at(DAY).expire(1, &[]).same_second().push(2, "v1");
    let expected = (FindingKind::SameTagOverwrite, digest(1), Some(digest(2)), Some(DAY), Order::Inferred);
    assert_eq!(untagged.pairs(), vec![expected], "listed untagged: the push came first");
}

#[test]
fn a_tag_given_and_expired_within_a_second_is_gone() {
    let mut log = Log::default();
    log.push(1, "v1").at(5).push(2, "v1").at(DAY).expire(1, &["v2"]).same_second().push(1, "v2");
    assert_eq!((log.image(1).state, log.image(1).lives), (ImageState::Expired, 1));
    let mut deleted = Log::default();
    deleted.push(1, "v1").at(DAY).delete((None, Some("v2")), &[(1, Some("v2"))]).same_second().push(1, "v2");
    assert_eq!(deleted.image(1).tags, vec!["v1"]);
}

#[test]
fn whoever_lost_comes_before_those_who_may_have_won() {
    // By eventID the image that is known to have lost came last, and so seemed to have the tag although
    // nothing took it.
    let mut log = Log::default();
    log.push(2, "v1").same_second().push(3, "v1").same_second().push(1, "v1").at(2 * DAY).expire(1, &[]);
    let lost: Vec<_> = log.pairs().into_iter().filter(|pair| pair.0 == FindingKind::SameTagRace).collect();
    assert_eq!(lost, vec![(FindingKind::SameTagRace, digest(1), Some(digest(2)), Some(0), Order::Ambiguous)]);
}

#[test]
fn a_run_without_a_list_of_tags_says_nothing_about_them() {
    let mut log = Log::default();
    log.push(1, "v1").at(DAY).expire(1, &[]).pull(Some(1), None);
    let run = run_of(&mut log.events[1]);
    (run.rules[0].tag_status, run.images[0].tag_status, run.images[0].has_tag_list) =
        (Some("Any".into()), None, false);
    assert_eq!(log.findings()[0].kind, FindingKind::ExpiredWhileTagged);
    assert_eq!(log.image(1).tags, vec!["v1"]);
    run_of(&mut log.events[1]).images[0].has_tag_list = true;
    assert!(log.image(1).tags.is_empty(), "an empty list says that there were none");
}

#[test]
fn a_tag_that_a_run_does_not_list_is_elsewhere() {
    let mut log = Log::default();
    log.push(1, "v1").push(1, "v2").at(DAY).expire(1, &["v1"]);
    assert_eq!(log.image(1).tags, vec!["v1"]);
}

#[test]
fn an_action_that_no_rule_had_so_far_ends_nothing() {
    let mut log = Log::default();
    log.push(1, "v1").push(2, "v1").at(DAY).run(1, &[], "quarantine", None);
    assert_eq!(log.image(1).state, ImageState::Untagged);
    assert_eq!(log.image(1).gaps.len(), 1);
    log.events[2].action = Action::Omitted;
    assert_eq!(log.image(2).gaps.len(), 1, "a gap of every timeline of the repository");
}

#[test]
fn who_asks_for_a_removed_tag_does_not_ask_for_the_image_that_had_it() {
    let mut log = Log::default();
    log.push(1, "a").push(1, "b").delete((None, Some("a")), &[(1, Some("a"))]).pull(None, Some("a"));
    assert!(!kinds(&log.image(1)).contains(&StepKind::Pull));
    log.delete((None, Some("b")), &[(1, Some("b"))]).pull(None, Some("b"));
    assert_eq!(log.findings()[0].usage.pulls_after_gone, 1, "the tag went with the image");
}

#[test]
fn what_already_exists_was_not_pushed_later() {
    let mut log = Log::default();
    log.already_exists(1, "v1").at(50).push(1, "v2");
    let image = log.image(1);
    assert_eq!((image.open_start, image.pushed_at), (true, None));
    // A refusal that proves nothing must not change the first push.
    let mut refused = Log::default();
    refused.already_exists(1, "v1").at(50).push(1, "v2");
    if let Action::PushFailed(refusal) = &mut refused.events[0].action {
        refusal.proves = None;
    }
    assert_eq!((refused.image(1).open_start, refused.image(1).pushed_at.is_some()), (false, true));
}

#[test]
fn a_push_is_stored_a_moment_before_it_is_logged() {
    let mut log = Log::default();
    log.at(60).push(1, "v1").push(2, "v1").at(DAY).run(1, &[], "expire", Some(60));
    run_of(&mut log.events[2]).images[0].pushed_at = Some(Timestamp::from_millis((START + 60) * 1000 - 50));
    assert!(!log.image(1).open_start);
    let mut retagged = Log::default();
    retagged.at(60).push(1, "v1").push(2, "v1").at(DAY).run(1, &[], "expire", Some(-3600));
    assert!(retagged.image(1).open_start);
}

#[test]
fn a_repository_created_anew_begins_new_lives() {
    let mut log = Log::default();
    log.push(1, "v1")
        .push(2, "v2")
        .at(50)
        .add("CreateRepository", Action::CreateRepository { mutability: None, made_by_ecr: None, key: None })
        .at(60)
        .push(1, "v1");
    let image = log.image(1);
    assert_eq!((image.state, image.lives), (ImageState::Tagged, 2));
    assert_eq!(image.pushed_at, Some(Timestamp::from_millis((START + 60) * 1000)));
    assert_eq!(log.image(2).state, ImageState::Unknown);
}

#[test]
fn a_restored_image_whose_tags_are_not_known_is_not_called_untagged() {
    let mut log = Log::default();
    log.add("ImageActivationEvent", Action::Restored { digest: digest(1) });
    assert_eq!(log.image(1).state, ImageState::Unknown);
    log.add("DeleteRepository", Action::DeleteRepository);
    assert_eq!(log.image(1).state, ImageState::RepositoryDeleted, "it was there, under whatever tags");
    let mut listed = Log::default();
    listed
        .run(1, &[], "transition", None)
        .add("ImageActivationEvent", Action::Restored { digest: digest(1) });
    assert_eq!(listed.image(1).state, ImageState::Untagged, "the run said so");
}

#[test]
fn the_policy_in_force_is_the_newest_that_is_stated() {
    // A policy that was put long ago hid what every later run states.
    let mut log = Log::default();
    log.push(1, "v1")
        .push(2, "v1")
        .add("PutLifecyclePolicy", Action::PutLifecyclePolicy { text: TAGGED_ONLY.into() });
    log.at(DAY).expire(9, &[]);
    assert_eq!(log.pairs()[0].0, FindingKind::DisplacedAlive);
    let run = &mut log.events[3];
    run_of(run).rules.clear();
    assert_eq!(log.pairs(), vec![], "a run that states no rules changes nothing");
    log.add("PutLifecyclePolicy", Action::PutLifecyclePolicy { text: UNTAGGED_AFTER_A_DAY.into() })
        .expire(8, &[]);
    let finding = &log.findings()[0];
    assert!(
        finding.evidence.iter().any(|event| event.event_name == "PutLifecyclePolicy"),
        "the run agrees: the text stays"
    );
}

#[test]
fn a_service_deployed_with_what_is_gone_is_hurt() {
    let mut log = Log::default();
    log.push(1, "v1").push(2, "v1").at(DAY).expire(1, &[]);
    deploy(&mut log, reference(None, Some(1)));
    assert_eq!(log.findings()[0].severity, Severity::Critical);
    deploy(&mut log, reference(Some("v1"), None));
    assert_eq!(log.findings()[0].severity, Severity::Medium, "nobody runs it any more");
}

#[test]
fn an_archive_ends_where_the_image_goes_for_good() {
    let mut log = Log::default();
    log.push(1, "v1");
    deploy(&mut log, reference(Some("v1"), None));
    log.at(DAY).run(1, &["v1"], "transition", None);
    log.at(2 * DAY).delete((Some(1), None), &[(1, Some("v1"))]).push(2, "v1");
    deploy(&mut log, reference(Some("v1"), None));
    let severity = |kind| {
        log.findings().into_iter().find(|finding| finding.kind == kind).map(|finding| finding.severity)
    };
    assert_eq!(
        severity(FindingKind::Archived),
        Some(Severity::Critical),
        "pinned for as long as it lay there"
    );
    assert_eq!(severity(FindingKind::DeletedByCall), Some(Severity::High), "and replaced after it went");
}

#[test]
fn a_pull_by_tag_in_the_second_of_a_move_is_not_called_observed() {
    let mut log = Log::default();
    log.push(1, "v1").at(9).push(2, "v1").same_second().pull(None, Some("v1"));
    let order = |n| log.image(n).steps.iter().find(|step| step.kind == StepKind::Pull).map(|step| step.order);
    assert_eq!((order(1), order(2)), (None, Some(Order::Ambiguous)));
}

#[test]
fn a_definition_is_known_to_what_runs_it_within_the_second() {
    let mut log = Log::default();
    log.push(1, "v1");
    let definition = || Cow::Borrowed("arn:aws:ecs:eu-central-1:111122223333:task-definition/web:1");
    log.add(
        "CreateService",
        Action::Run {
            runner: "service/web".into(),
            definition: Some(definition()),
            images: Vec::new(),
            deploys: true,
        },
    );
    log.same_second().add(
        "RegisterTaskDefinition",
        Action::Define { definition: definition(), images: vec![reference(Some("v1"), None)] },
    );
    log.events.iter_mut().skip(1).for_each(|recognized| recognized.repository = None);
    log.push(2, "v1").at(DAY).expire(1, &[]);
    assert_eq!(log.findings()[0].severity, Severity::Critical);
    let steps = log.image(1).steps;
    assert!(steps.windows(2).all(|pair| pair[0].time <= pair[1].time), "{steps:?}");
}

#[test]
fn a_family_is_found_in_every_partition() {
    let mut log = Log::default();
    log.push(1, "v1");
    let definition = Cow::Borrowed("arn:aws-cn:ecs:cn-north-1:111122223333:task-definition/web:1");
    log.add(
        "RegisterTaskDefinition",
        Action::Define { definition, images: vec![reference(Some("v1"), None)] },
    );
    log.add(
        "CreateService",
        Action::Run {
            runner: "service/web".into(),
            definition: Some("web:1".into()),
            images: Vec::new(),
            deploys: true,
        },
    );
    for recognized in log.events.iter_mut().skip(1) {
        (recognized.repository, recognized.event.region) = (None, "cn-north-1".into());
    }
    log.push(2, "v1").at(DAY).expire(1, &[]);
    assert_eq!(log.findings()[0].severity, Severity::Critical);
}

#[test]
fn a_failed_pull_that_names_nothing_does_not_hide_its_twin() {
    let mut log = Log::default();
    log.push(1, "v1").push(2, "v1").at(DAY).expire(1, &[]).pull(Some(1), None);
    let first = twin(&mut log, "aaaa");
    log.events[first].action = Action::Pull { images: Vec::<ImageId<'_>>::new(), failed: true };
    assert_eq!(log.findings()[0].usage.pulls_after_gone, 1);
}

#[test]
fn a_life_that_began_unseen_ends_again() {
    // The second push was above 100 KB; the run that took the image again was mistaken for a repetition of
    // the first.
    let mut log = Log::default();
    log.push(1, "v1")
        .push(2, "v1")
        .at(DAY)
        .run(1, &[], "expire", Some(0))
        .at(2 * DAY)
        .add("PutImage", Action::Omitted);
    log.at(4 * DAY).run(1, &["v9"], "expire", Some(2 * DAY)).pull(Some(1), None);
    let image = log.image(1);
    assert_eq!((image.state, image.lives), (ImageState::Expired, 2));
    assert_eq!(image.gone_at, Some(Timestamp::from_millis((START + 4 * DAY) * 1000)));
    let kinds: Vec<_> =
        log.findings().into_iter().map(|finding| (finding.kind, finding.usage.pulls_after_gone)).collect();
    assert!(kinds.contains(&(FindingKind::ExpiredWhileTagged, 1)), "{kinds:?}");
    // Another part of the same run says nothing new.
    let mut parts = Log::default();
    parts.push(1, "v1").push(2, "v1").at(DAY).run(1, &[], "expire", Some(0)).run(1, &[], "expire", Some(0));
    assert_eq!(parts.image(1).lives, 1);
    // Several tags that went with one call are one end.
    let mut deleted = Log::default();
    deleted.push(1, "a").push(1, "b").delete((Some(1), None), &[(1, Some("a")), (1, Some("b"))]);
    assert_eq!((deleted.image(1).state, deleted.image(1).lives), (ImageState::Deleted, 1));
}

#[test]
fn a_service_deployed_long_before_a_tag_is_first_seen_does_not_run_it() {
    // What had the tag then was pushed before the logs; the first push in the logs was taken for it.
    let mut log = Log::default();
    deploy(&mut log, reference(Some("v1"), None));
    log.at(DAY).push(1, "v1").pull(None, Some("v1")).push(2, "v1").at(3 * DAY).expire(1, &[]);
    assert_eq!(log.findings()[0].severity, Severity::Medium, "no evidence of use");
    // Its first task resolves the tag just after the push: so it runs that image.
    let mut early = Log::default();
    deploy(&mut early, reference(Some("v1"), None));
    early.at(60).push(1, "v1").pull(None, Some("v1")).push(2, "v1").at(3 * DAY).expire(1, &[]);
    assert_eq!(early.findings()[0].severity, Severity::Critical);
}

#[test]
fn a_service_pinned_to_a_digest_needs_all_its_lives() {
    let mut log = Log::default();
    log.push(1, "v1");
    deploy(&mut log, reference(Some("v1"), None));
    log.delete((Some(1), None), &[(1, Some("v1"))])
        .at(DAY)
        .push(1, "v1")
        .push(2, "v1")
        .at(3 * DAY)
        .expire(1, &[]);
    let severity = log
        .findings()
        .iter()
        .find(|finding| finding.kind == FindingKind::SameTagRace)
        .map(|finding| finding.severity);
    assert_eq!(severity, Some(Severity::Critical));
}

#[test]
fn an_index_in_the_archive_still_holds_its_children() {
    let mut log = Log::default();
    log.push(1, "child")
        .push_image(3, Some("v1"), &[1])
        .at(DAY)
        .run(3, &["v1"], "transition", None)
        .at(2 * DAY)
        .push(2, "child");
    log.add("PutLifecyclePolicy", Action::PutLifecyclePolicy { text: UNTAGGED_AFTER_A_DAY.into() });
    assert_eq!(log.pairs(), vec![]);
}

#[test]
fn a_child_was_there_before_its_index() {
    let mut log = Log::default();
    log.push_image(3, Some("v1"), &[1]).at(DAY).push(1, "child");
    assert!(log.image(1).open_start);
    // Not by eventID: within one second the index comes last.
    let mut together = Log::default();
    together.push_image(3, Some("v1"), &[1]).same_second().push_image(1, None, &[]);
    assert!(!together.image(1).open_start);
}

#[test]
fn an_archived_image_gets_the_push_time_that_a_later_run_states() {
    let mut log = Log::default();
    let class = crate::model::StorageClass::Archive;
    log.pull(Some(1), None).add(
        "UpdateImageStorageClass",
        Action::SetStorageClass { image: ImageId { digest: Some(digest(1)), tag: None }, class },
    );
    log.pull(Some(1), None).at(DAY).run(1, &[], "expire", Some(-DAY));
    assert_eq!(log.findings()[0].kind, FindingKind::Archived);
    assert_eq!(log.findings()[0].lost.pushed_at, Some(Timestamp::from_millis((START - DAY) * 1000)));
}

#[test]
fn a_task_that_names_a_displaced_image_as_missing_is_hurt() {
    // The run that took it may not be in the logs.
    let mut log = Log::default();
    log.push(1, "v1")
        .push(2, "v1")
        .add("PutLifecyclePolicy", Action::PutLifecyclePolicy { text: UNTAGGED_AFTER_A_DAY.into() });
    let named = format!("111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:v1@{}", digest(1));
    let reason = Some(format!("CannotPullContainerError: failed to resolve ref {named}: not found").into());
    let state = Action::TaskState {
        task: "task/a".into(),
        group: None,
        definition: None,
        status: Some("STOPPED".into()),
        images: Vec::new(),
        reason,
    };
    log.add("SubmitTaskStateChange", state).events.last_mut().unwrap().repository = None;
    assert_eq!(
        (log.findings()[0].kind, log.findings()[0].severity),
        (FindingKind::DisplacedAlive, Severity::Critical)
    );
}

#[test]
fn an_image_seen_without_a_tag_was_not_displaced_later() {
    // A run had listed it as untagged hours before the push that was blamed.
    let mut log = Log::default();
    log.at(60).run(1, &[], "expire", Some(50));
    let run = run_of(&mut log.events[0]);
    let image = run.images.remove(0);
    run.failures.push(crate::model::RunFailure { image, code: None, parents: Vec::new() });
    log.at(90).push(2, "v1").at(2 * DAY).run(1, &[], "expire", Some(50));
    assert_eq!(log.pairs(), vec![]);
    log.events.remove(0);
    assert_eq!(log.pairs().len(), 1);
}

#[test]
fn the_order_of_a_response_does_not_matter() {
    let ask = |first: (Option<u8>, Option<&'static str>), second| vec![first, second];
    for asked in [ask((Some(1), None), (None, Some("v1"))), ask((None, Some("v1")), (Some(1), None))] {
        let mut log = Log::default();
        log.push(1, "v1").pull(Some(2), None);
        let id = |n: Option<u8>, tag: Option<&'static str>| ImageId {
            digest: n.map(digest),
            tag: tag.map(Cow::Borrowed),
        };
        let requested: Vec<_> = asked.iter().map(|(n, tag)| id(*n, *tag)).collect();
        // The tag was not on the image that the logs had last seen with it.
        let removed = asked.iter().map(|(n, tag)| id(Some(n.unwrap_or(2)), *tag)).collect();
        log.add(
            "BatchDeleteImage",
            Action::Delete { removed, requested, failures: Vec::new(), illegible: false },
        );
        assert!(log.image(1).tags.is_empty(), "{asked:?}");
    }
}

/// The reason of a task that could not start, as the agent reports it.
pub(super) fn stopped(log: &mut Log, image: &str) {
    let reason = Some(format!("CannotPullContainerError: failed to resolve ref 111122223333.dkr.ecr.eu-central-1.amazonaws.com/{image}").into());
    let state = Action::TaskState {
        task: "task/a".into(),
        group: None,
        definition: None,
        status: Some("STOPPED".into()),
        images: Vec::new(),
        reason,
    };
    log.add("SubmitTaskStateChange", state).events.last_mut().unwrap().repository = None;
}

#[test]
fn a_reason_cut_inside_its_digest_speaks_of_that_image_or_of_none() {
    // It was taken for a reference by tag, and attributed to the image that has the tag now, which can be
    // pulled.
    let whole = digest(1).to_string();
    let told = |image: String| {
        let mut log = Log::default();
        log.push(1, "v1").push(2, "v1").at(2 * DAY).expire(1, &[]);
        stopped(&mut log, &image);
        let stops =
            |n: u8| kinds(&log.image(n)).iter().filter(|kind| **kind == StepKind::TaskStopped).count();
        let lost = log.findings().into_iter().find(|finding| finding.lost.digest == Some(digest(1))).unwrap();
        (stops(1), stops(2), lost.severity)
    };
    let (critical, medium) = (Severity::Critical, Severity::Medium);
    assert_eq!(told(format!("shop/api:v1@{}", &whole[..30])), (1, 0, critical));
    assert_eq!(told(format!("shop/api:v1@{}...", &whole[..19])), (1, 0, critical));
    assert_eq!(told(format!("shop/api:v1@{whole}: shop/api:v1@{}", &whole[..40])), (1, 0, critical));
    assert_eq!(told(format!("shop/api@{}", &whole[..20])), (1, 0, critical));
    for unclear in [
        "shop/api:v1@sha256:",
        "shop/api:v1@sha2",
        "shop/api:v1@",
        "shop/api@sha256:0",
        "shop/api:v1@sha256:0000000000",
    ] {
        assert_eq!(told(unclear.to_owned()), (0, 0, medium), "{unclear}");
    }
    assert_eq!(told("shop/api:v1: not found".to_owned()), (0, 1, medium));
}

/// The service that ran it names it with a tag, which shows that it had the tag, but not that it had it
/// within the logs.
#[test]
fn a_tag_lost_before_the_logs_is_not_blamed_on_the_first_push_that_takes_it_again() {
    let mut named = Log::default();
    named.at(1).pull(Some(7), None).at(3600).push(2, "v1").at(DAY).run(1, &[], "expire", Some(-DAY / 2));
    stopped(&mut named, &format!("shop/api:v1@{}", digest(1)));
    let blamed = |log: &Log| log.pairs().into_iter().filter(|pair| pair.2.is_some()).collect::<Vec<_>>();
    assert_eq!(blamed(&named), vec![]);
    assert_eq!(
        named.findings()[0].kind,
        FindingKind::ExpiredUntagged,
        "a task missed it: how it lost its tag is not known"
    );
    // A reference by digest in a later life says nothing about this one.
    let mut later = Log::default();
    later
        .at(1)
        .pull(Some(7), None)
        .at(3600)
        .push(2, "v1")
        .at(DAY)
        .run(1, &[], "expire", Some(-DAY / 2))
        .at(2 * DAY)
        .push(1, "v1");
    deploy(&mut later, reference(Some("v1"), None));
    let lost: Vec<_> = later.pairs().into_iter().filter(|pair| pair.1 == digest(1)).collect();
    assert_eq!(lost, vec![]);
    // While it was archived no rule looked at it, tagged or not.
    let mut restored = Log::default();
    restored
        .at(60)
        .run(9, &[], "expire", Some(50))
        .at(90)
        .push(2, "v1")
        .at(100)
        .add("ImageActivationEvent", Action::Restored { digest: digest(1) });
    restored.at(DAY).run(1, &[], "expire", Some(-5 * DAY));
    assert_eq!(restored.pairs(), vec![]);
}

/// A run comes within a day of the moment from which an image may be taken: an image that was old enough
/// long before, and was taken only now, lost its tag in the last day.
#[test]
fn an_old_image_that_is_taken_at_last_lost_its_tag_the_day_before() {
    let told = |begins: i64, second: i64, named: bool| {
        let mut log = Log::default();
        log.at(begins).pull(Some(7), None).at(second).push(2, "v1").at(3 * DAY).run(
            1,
            &[],
            "expire",
            Some(-9 * DAY),
        );
        if named {
            stopped(&mut log, &format!("shop/api:v1@{}", digest(1)));
        }
        log.pairs().into_iter().filter(|pair| pair.2.is_some()).collect::<Vec<_>>()
    };
    let story = |begins: i64, second: i64| told(begins, second, true);
    assert_eq!(told(DAY, 3 * DAY - 7200, false), vec![], "an index from before the logs may have held it");
    let found = vec![(FindingKind::SameTagOverwrite, digest(1), Some(digest(2)), None, Order::Inferred)];
    assert_eq!(story(DAY, 3 * DAY - 7200), found);
    assert_eq!(story(DAY, DAY + 60), vec![], "by then it would have gone the day before");
    assert_eq!(story(3 * DAY - 9000, 3 * DAY - 7200), vec![], "it may have lost it before the logs begin");
}

#[test]
fn a_run_that_takes_an_image_shows_that_its_last_tag_was_not_its_last() {
    // A push of another tag was lost: the image was reported as deleted, and what had taken it was not
    // reported.
    let mut log = Log::default();
    log.push(1, "v1").at(DAY).delete((None, Some("v1")), &[(1, Some("v1"))]).at(3 * DAY).run(
        1,
        &[],
        "expire",
        Some(1),
    );
    let image = log.image(1);
    assert_eq!((image.state, image.lives, image.tags.len()), (ImageState::Expired, 1, 0));
    assert_eq!(image.gone_at, Some(Timestamp::from_millis((START + 3 * DAY) * 1000)));
    assert_eq!(kinds(&image), vec![StepKind::Push, StepKind::Untag, StepKind::Expire]);
    // A run's event may come a little after a call that deleted the image while the run was under way.
    let mut midst = Log::default();
    midst.push(1, "v1").at(DAY).delete((None, Some("v1")), &[(1, Some("v1"))]).at(DAY + 60).run(
        1,
        &[],
        "expire",
        Some(1),
    );
    assert_eq!(midst.image(1).state, ImageState::Deleted);
    let mut by_digest = Log::default();
    by_digest.push(1, "v1").at(DAY).delete((Some(1), None), &[(1, Some("v1"))]).at(3 * DAY).run(
        1,
        &[],
        "expire",
        Some(1),
    );
    assert_eq!(by_digest.image(1).state, ImageState::Deleted, "that was said, not inferred");
}

#[test]
fn what_exists_already_began_before_its_first_push_in_the_logs() {
    // The tag was thought to be on another image, and so the refusal counted for nothing.
    let mut log = Log::default();
    log.push(2, "v1").at(50).already_exists(1, "v1").at(90).push(1, "v2");
    assert!(log.image(1).open_start);
    let mut refused = Log::default();
    let refusal = crate::model::Refusal {
        code: "AccessDenied".into(),
        digest: Some(digest(1)),
        tag: Some("v1".into()),
        proves: None,
    };
    refused.add("PutImage", Action::PushFailed(refusal)).at(90).push(1, "v2");
    assert!(!refused.image(1).open_start, "a push that was refused shows nothing");
}

#[test]
fn who_won_a_second_does_not_tell_the_order_of_those_who_lost() {
    // The last of three pushes was known, and the first was said to have lost to the second because of
    // their ids.
    let mut log = Log::default();
    log.push(1, "v1")
        .same_second()
        .push(2, "v1")
        .same_second()
        .push(3, "v1")
        .at(50)
        .already_exists(3, "v1")
        .at(2 * DAY);
    log.expire(1, &[]).expire(2, &[]);
    assert_eq!(log.image(3).tags, vec!["v1"]);
    assert_eq!(log.image(3).steps[0].order, Order::Inferred, "that it came last is known");
    let mut orders: Vec<_> = log.pairs().iter().map(|pair| pair.4).collect();
    orders.dedup();
    assert_eq!(orders, [Order::Ambiguous]);
    // With two pushes that question does not arise.
    let mut two = Log::default();
    two.push(1, "v1").same_second().push(3, "v1").at(50).already_exists(3, "v1").at(2 * DAY).expire(1, &[]);
    assert_eq!(two.pairs()[0].4, Order::Inferred);
}

#[test]
fn what_settled_an_order_is_evidence_of_it() {
    let mut log = Log::default();
    log.push(1, "v1").same_second().push(2, "v1").at(50).already_exists(2, "v1").at(2 * DAY).expire(1, &[]);
    let finding = &log.findings()[0];
    assert_eq!((finding.order, finding.lost.digest), (Order::Inferred, Some(digest(1))));
    let ids: Vec<&str> = finding.evidence.iter().map(|event| event.event_id.raw()).collect();
    let expected: Vec<&str> = log.events.iter().map(|event| event.event.id.as_ref()).collect();
    assert_eq!(ids, expected);
    // A delete that lists the tag, and the first push being the contested one.
    let mut log = Log::default();
    log.push(1, "v1")
        .same_second()
        .push(2, "v1")
        .at(50)
        .already_exists(2, "v1")
        .at(60)
        .push(3, "v1")
        .at(2 * DAY)
        .expire(2, &[]);
    let findings = log.findings();
    let finding = findings.iter().find(|finding| finding.lost.digest == Some(digest(2))).unwrap();
    assert_eq!(finding.order, Order::Inferred);
    let ids: Vec<&str> = finding.evidence.iter().map(|event| event.event_id.raw()).collect();
    assert!(ids.contains(&log.events[2].event.id.as_ref()), "{ids:?}");
}

#[test]
fn of_several_corrections_the_last_one_holds() {
    // Which of them counted depended on their ids, and an addendum to an addendum counted as a second
    // action.
    for (chained, ids) in [
        (false, ["aaaa", "bbbb"]),
        (false, ["bbbb", "aaaa"]),
        (true, ["aaaa", "bbbb"]),
        (true, ["bbbb", "aaaa"]),
    ] {
        let mut log = Log::default();
        log.push(1, "v1").at(9).push(2, "v1").at(2 * DAY).expire(1, &[]);
        let mut corrected = log.events[1].event.id.to_string();
        for (n, id) in [(3, ids[0]), (4, ids[1])] {
            let mut other = Log::default();
            other.at(100 + i64::from(n)).push(n, "v1");
            let mut correction = other.events.remove(0);
            correction.event.addendum =
                Some(Addendum { original_event_id: corrected.clone().into(), corrects_time: false });
            correction.event.id = Cow::Borrowed(id);
            correction.event.identity = super::log::identity(id);
            log.events.insert(1, correction);
            if chained {
                corrected = id.to_owned();
            }
        }
        let expected = (FindingKind::SameTagRace, digest(1), Some(digest(4)), Some(8), Order::Observed);
        assert_eq!(log.pairs(), vec![expected], "chained: {chained}, {ids:?}");
        assert_eq!(log.history().pushes(), 2);
    }
}

#[test]
fn nobody_is_told_to_make_tags_immutable_that_are() {
    let advice = |mutability: Option<&'static str>| {
        let mut log = Log::default();
        log.push(1, "v1").push(2, "v1").at(2 * DAY).expire(1, &[]);
        if let Some(mutability) = mutability {
            log.add(
                "PutImageTagMutability",
                Action::SetTagMutability {
                    mutability: Mutability { setting: mutability.into(), exclusions: Vec::new() },
                },
            );
        }
        log.findings()[0].advice.join(" ")
    };
    for mutability in [None, Some("MUTABLE")] {
        assert!(advice(mutability).contains("Make the repository's tags immutable"), "{mutability:?}");
    }
    assert!(!advice(Some("IMMUTABLE")).contains("Make the repository's tags immutable"));
    assert!(advice(Some("IMMUTABLE")).contains("immutable since"));
    assert!(advice(Some("IMMUTABLE_WITH_EXCLUSION")).contains("exclu"));
}

/// Two pushes of one second took a tag from an image whose own push is before the logs: either may have
/// been first.
#[test]
fn which_push_of_one_second_took_the_tag_is_not_made_up() {
    let story = |settled: bool| {
        let mut log = Log::default();
        log.at(DAY).pull(Some(7), None).at(3 * DAY - 7200).push(2, "v1").same_second().push(3, "v1");
        if settled {
            log.already_exists(3, "v1");
        }
        log.at(3 * DAY).run(1, &[], "expire", Some(-9 * DAY));
        stopped(&mut log, &format!("shop/api:v1@{}", digest(1)));
        let found = log.findings();
        let lost = found.iter().find(|finding| finding.lost.digest == Some(digest(1))).unwrap();
        (lost.kept.digest, lost.order, lost.summary.clone(), lost.advice.join(" "), lost.evidence.len())
    };
    let (kept, order, summary, advice, events) = story(false);
    assert_eq!((kept, order), (None, Order::Ambiguous));
    let both = [digest(2), digest(3)].map(|digest| digest.short());
    assert!(both.iter().all(|short| summary.contains(short) && advice.contains(short)), "{summary} {advice}");
    assert!(
        summary.contains("in one second in an order that nothing tells")
            && !advice.contains("the other way round"),
        "{summary} {advice}"
    );
    let (kept, order, summary, ..) = story(true);
    assert_eq!((kept, order), (Some(digest(2)), Order::Inferred), "{summary}");
    assert!(events >= 3);
    // Where its own push is in the logs, the tie is broken by eventID as everywhere, and the sentence names
    // both.
    let mut seen = Log::default();
    seen.push(1, "v1").at(DAY).push(2, "v1").same_second().push(3, "v1").at(3 * DAY).expire(1, &[]);
    let found = seen.findings();
    let lost = found.iter().find(|finding| finding.lost.digest == Some(digest(1))).unwrap();
    assert_eq!((lost.kept.digest, lost.order), (Some(digest(2)), Order::Ambiguous));
    assert!(both.iter().all(|short| lost.summary.contains(short)), "{}", lost.summary);
}
