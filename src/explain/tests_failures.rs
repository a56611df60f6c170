//! Something failed because it needed an image that nothing had taken: asked for too early, never pushed,
//! one platform of an index, refused.

use super::tests_tags::{ask, by, failed, found, kinds, said, stopped};
use crate::model::{Action, Cause, FindingKind, ImageId, KeyChange, KeyEvent, Refusal, Severity};
use crate::timeline::tests::log::{Log, digest};

const TASK: &str = "arn:aws:sts::111122223333:assumed-role/task-exec/0123456789abcdef0123456789abcdef";
const DAY: i64 = 86_400;
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn created() -> Log {
    let mut log = Log::default();
    log.add(
        "CreateRepository",
        Action::CreateRepository { mutability: None, made_by_ecr: None, key: Some(KEY.into()) },
    );
    log
}

fn refused_push(log: &mut Log, n: u8, tag: Option<&'static str>, code: &'static str) {
    let refusal =
        Refusal { code: code.into(), digest: Some(digest(n)), tag: tag.map(Into::into), proves: None };
    log.add("PutImage", Action::PushFailed(refusal));
}

fn refused_pull(log: &mut Log, actor: &'static str, code: &'static str) {
    log.add(
        "BatchGetImage",
        Action::Pull { images: vec![ImageId { digest: None, tag: Some("v1".into()) }], failed: true },
    );
    log.events.last_mut().unwrap().event.error_code = Some(code.into());
    by(log, actor);
}

fn pull(log: &mut Log, n: Option<u8>, tag: Option<&'static str>, actor: &'static str) {
    log.pull(n, tag);
    by(log, actor);
}

fn one(log: &Log) -> (FindingKind, Severity, String) {
    let findings = found(log);
    assert_eq!(findings.len(), 1, "{findings:?}");
    (findings[0].kind, findings[0].severity, findings[0].summary.clone())
}

#[test]
fn a_task_that_asked_for_a_tag_too_early() {
    let mut log = created();
    log.push(1, "v1").at(100);
    pull(&mut log, None, Some("v2"), TASK);
    log.at(200).push(2, "v2");
    let (kind, severity, summary) = one(&log);
    assert_eq!((kind, severity), (FindingKind::AskedBeforePushed, Severity::High));
    assert!(summary.contains("ci/build pushed it only 100 s later"), "{summary}");
    let verdict = ask(&log, &failed(":v2"));
    assert_eq!(
        (verdict.cause, verdict.why.as_deref()),
        (Cause::AskedBeforePushed, Some(found(&log)[0].id.as_str()))
    );
}

/// Clients check whether the image exists before they push it, and pipelines poll for it.
#[test]
fn whoever_looks_whether_it_is_there_is_not_hurt() {
    let mut log = created();
    log.at(100).pull(None, Some("v2"));
    pull(&mut log, None, Some("v2"), "arn:aws:sts::111122223333:assumed-role/deployer/wait");
    log.at(200).push(2, "v2");
    assert_eq!(kinds(&log), []);
    // The logs begin in the middle: the tag may have been on an image that they do not know.
    let mut log = Log::default();
    pull(&mut log, None, Some("latest"), TASK);
    log.at(200).push(2, "latest");
    assert_eq!(kinds(&log), []);
}

#[test]
fn a_task_that_asked_for_a_digest_too_early() {
    let mut log = Log::default();
    log.push(1, "v1");
    stopped(&mut log, format!("CannotPullContainerError: {}", failed(&format!("@{}", digest(2)))));
    log.at(300).push(2, "v2");
    let (kind, severity, _) = one(&log);
    assert_eq!((kind, severity), (FindingKind::AskedBeforePushed, Severity::Critical));
}

#[test]
fn a_digest_whose_push_was_refused() {
    let mut log = created();
    log.push(1, "v1").at(100);
    refused_push(&mut log, 2, Some("v1"), "ImageTagAlreadyExistsException");
    log.at(200);
    pull(&mut log, Some(2), None, TASK);
    let (kind, severity, summary) = one(&log);
    assert_eq!((kind, severity), (FindingKind::NeverPushedHere, Severity::High));
    assert!(
        summary.contains("ImageTagAlreadyExistsException") && summary.contains(&digest(1).short()),
        "{summary}"
    );
    let verdict = ask(&log, &failed(&format!("@{}", digest(2))));
    assert_eq!(
        (verdict.cause, verdict.why.as_deref()),
        (Cause::NeverPushedHere, Some(found(&log)[0].id.as_str()))
    );
    assert!(said(&verdict).contains("Push it under a tag of its own"), "{}", said(&verdict));
    // It may have been pushed under another tag before the logs.
    let mut log = Log::default();
    log.push(1, "v1").at(100);
    refused_push(&mut log, 2, Some("v1"), "ImageTagAlreadyExistsException");
    pull(&mut log, Some(2), None, TASK);
    assert_eq!(kinds(&log), []);
    stopped(&mut log, format!("CannotPullContainerError: {}", failed(&format!("@{}", digest(2)))));
    assert_eq!(one(&log).0, FindingKind::NeverPushedHere);
}

#[test]
fn a_tag_whose_push_was_refused() {
    let mut log = created();
    log.push(1, "v1").at(100);
    refused_push(&mut log, 2, Some("v2"), "LayersNotFoundException");
    stopped(&mut log, format!("CannotPullContainerError: {}", failed(":v2")));
    let (kind, severity, summary) = one(&log);
    assert_eq!((kind, severity), (FindingKind::NeverPushedHere, Severity::Critical));
    assert!(summary.contains("LayersNotFoundException"), "{summary}");
    let verdict = ask(&log, &failed(":v2"));
    assert_eq!(
        (verdict.cause, verdict.why.as_deref()),
        (Cause::NeverPushedHere, Some(found(&log)[0].id.as_str()))
    );
    // It was pushed in the end: the task had asked too early.
    log.at(900).push(2, "v2");
    assert_eq!(one(&log).0, FindingKind::AskedBeforePushed);
}

#[test]
fn an_index_that_lost_its_tag_to_its_child_and_lives() {
    let mut log = Log::default();
    log.push_image(1, None, &[]).push_image(2, None, &[]).push_image(3, Some("multi"), &[1, 2]).push_image(
        1,
        Some("multi"),
        &[],
    );
    assert_eq!(kinds(&log), [], "nothing failed");
    log.at(100);
    stopped(
        &mut log,
        format!("CannotPullContainerError: {}: no match for platform in manifest", failed(":multi")),
    );
    let (kind, severity, summary) = one(&log);
    assert_eq!((kind, severity), (FindingKind::IndexLostToItsChild, Severity::Critical));
    assert!(summary.contains("linux/amd64 only") && summary.contains("1 task could not start"), "{summary}");
    let verdict = ask(&log, &failed(":multi"));
    assert_eq!(
        (verdict.cause, verdict.why.as_deref()),
        (Cause::IndexLostToItsChild, Some(found(&log)[0].id.as_str()))
    );
}

/// A grant of the repository's key, the caller's permissions, the policy of the repository.
#[test]
fn what_takes_access_is_told_whatever_it_is() {
    let grant = |log: &mut Log, change, about: &'static str| {
        log.add("Grant", Action::Key(KeyEvent { key: KEY.into(), change, about: Some(about.into()) }));
    };
    let mut log = created();
    grant(&mut log, KeyChange::Granted, "g1");
    log.push(1, "v1").at(100);
    pull(&mut log, None, Some("v1"), TASK);
    log.at(200);
    grant(&mut log, KeyChange::GrantEnded, "g1");
    log.events.last_mut().unwrap().repository = None;
    pull(&mut log, None, Some("v1"), TASK);
    assert_eq!(kinds(&log), [], "a pull that KMS refuses looks like any other, and this is no lock");
    refused_pull(&mut log, TASK, "KmsException");
    let (kind, severity, summary) = one(&log);
    assert_eq!((kind, severity), (FindingKind::AccessTaken, Severity::Critical));
    assert!(summary.contains("lost a grant"), "{summary}");

    let mut log = Log::default();
    log.push(1, "v1").at(100);
    pull(&mut log, None, Some("v1"), TASK);
    log.at(200)
        .add("DetachRolePolicy", Action::GrantsChanged { principal: "111122223333:role/task-exec".into() });
    log.events.last_mut().unwrap().repository = None;
    log.at(300);
    refused_pull(&mut log, TASK, "AccessDenied");
    let (kind, severity, summary) = one(&log);
    assert_eq!((kind, severity), (FindingKind::AccessTaken, Severity::Critical));
    assert!(
        summary.contains("changed what task-exec may do") && summary.contains("DetachRolePolicy"),
        "{summary}"
    );
    let verdict = ask(&log, &format!("{}: 403 Forbidden", failed(":v1")));
    assert_eq!(verdict.cause, Cause::AccessTaken);
    assert!(said(&verdict).contains("Give task-exec back what a pull needs"), "{}", said(&verdict));
}

#[test]
fn who_could_pull_and_is_refused_without_a_change_in_the_logs() {
    let mut log = Log::default();
    log.push(1, "v1").at(100);
    pull(&mut log, None, Some("v1"), TASK);
    log.at(DAY);
    refused_pull(&mut log, TASK, "AccessDenied");
    let (kind, severity, summary) = one(&log);
    assert_eq!((kind, severity), (FindingKind::Unexplained, Severity::High));
    assert!(summary.contains("the same caller could pull it before"), "{summary}");
    // Most refusals are attempts without a permission.
    let mut stranger = Log::default();
    stranger.push(1, "v1").at(DAY);
    refused_pull(&mut stranger, TASK, "AccessDenied");
    assert_eq!(kinds(&stranger), []);
}

#[test]
fn another_account_lost_access() {
    let (old, new) =
        ("arn:aws:sts::444455556666:assumed-role/old/x", "arn:aws:sts::444455556666:assumed-role/new/y");
    let mut log = Log::default();
    log.push(1, "v1").at(100);
    pull(&mut log, None, Some("v1"), old);
    log.at(200).add("DeleteRepositoryPolicy", Action::AccessChanged).at(60 * DAY);
    refused_pull(&mut log, new, "AccessDenied");
    assert_eq!((one(&log).0, one(&log).1), (FindingKind::AccessTaken, Severity::High));
    // Set up with the repository: nobody lost access.
    let mut log = created();
    log.add("SetRepositoryPolicy", Action::AccessChanged).push(1, "v1").at(DAY);
    refused_pull(&mut log, new, "AccessDenied");
    assert_eq!(kinds(&log), []);
}

/// The answer is what to build, and not where to look.
#[test]
fn an_image_that_is_not_for_the_platform() {
    let mut log = Log::default();
    log.push(1, "v1").at(100);
    stopped(
        &mut log,
        format!("CannotPullContainerError: {}: no match for platform in manifest", failed(":v1")),
    );
    let verdict = ask(
        &log,
        &format!("Failed to pull image {}: no match for platform in manifest: not found", failed(":v1")),
    );
    let told = said(&verdict);
    assert!(
        told.contains("a single image, and no index") && told.contains("--platform linux/amd64,linux/arm64"),
        "{told}"
    );
    assert!(!told.contains("Look at access"), "{told}");
}

#[test]
fn the_same_name_in_another_region_is_told() {
    let mut log = Log::default();
    log.push(1, "v1").at(100);
    let elsewhere = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/api:v1: not found";
    stopped(&mut log, format!("CannotPullContainerError: failed to resolve ref {elsewhere}"));
    let verdict = ask(&log, elsewhere);
    let told = said(&verdict);
    assert!(told.contains("a repository of that name is in eu-central-1 of 111122223333"), "{told}");
    assert_eq!(verdict.why.as_deref(), found(&log).first().map(|finding| finding.id.as_str()));
}

/// A refused push that says that the tag exists shows that some image has it.
#[test]
fn a_taken_tag_is_there() {
    let mut log = created();
    refused_push(&mut log, 2, Some("v1"), "ImageTagAlreadyExistsException");
    log.at(100);
    pull(&mut log, None, Some("v1"), TASK);
    assert_eq!(kinds(&log), []);
}
