//! Each cause told from the others.

use super::{Question, explain};
use crate::detect::{Settings, findings};
use crate::model::{Action, Cause, Coverage, Verdict};
use crate::timeline::tests::log::{Log, digest};

const HOST: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";

fn ask(log: &Log, text: &str) -> Verdict {
    let history = log.history();
    let found = findings(&history, Settings { race_window_seconds: 600 });
    explain(&Question::parse(text).unwrap(), &history, &found, &Coverage::default())
}

fn pinned(n: u8) -> String {
    format!("failed to resolve ref {HOST}/shop/api:v1@{}: not found", digest(n))
}

fn story() -> Log {
    let mut log = Log::default();
    log.push(1, "v1").push(2, "v1").at(90_000).expire(1, &[]).pull(Some(1), None);
    log
}

#[test]
fn the_story_in_three_steps() {
    let verdict = ask(&story(), &pinned(1));
    assert_eq!(verdict.cause, Cause::TagMovedThenExpired);
    assert_eq!((verdict.exists.tag_exists, verdict.exists.digest_exists), (Some(true), Some(false)));
    assert_eq!(verdict.exists.tag_points_to, Some(digest(2)));
    assert_eq!(verdict.narrative.len(), 3);
    assert!(verdict.narrative.iter().all(|sentence| !sentence.evidence.is_empty()));
    assert_eq!(verdict.gone.unwrap().event.event_name, "PolicyExecutionEvent");
    assert!(verdict.why.is_some(), "the finding that tells the same story");
    assert!(verdict.used_by[0].text.contains("1 time(s) after it was gone"));
    assert!(verdict.not_this.len() >= 4);
}

#[test]
fn a_digest_alone_and_a_name_alone_find_it_too() {
    assert_eq!(ask(&story(), &digest(1).to_string()).cause, Cause::TagMovedThenExpired);
    assert_eq!(ask(&story(), &format!("shop/api@{}", digest(1))).cause, Cause::TagMovedThenExpired);
    let by_tag = ask(&story(), "shop/api:v1");
    assert_eq!((by_tag.cause, by_tag.exists.tag_points_to), (Cause::StillThere, Some(digest(2))));
}

#[test]
fn the_wrong_place_is_said_as_such() {
    let told = |text: &str| ask(&story(), text).narrative[0].text.clone();
    let image = format!("shop/api:v1@{}", digest(1));
    assert!(told(&format!("444455556666.dkr.ecr.eu-central-1.amazonaws.com/{image}")).starts_with("Wrong account"));
    assert!(told(&format!("111122223333.dkr.ecr.us-east-1.amazonaws.com/{image}")).starts_with("Wrong region"));
    let verdict = ask(&story(), &format!("{HOST}/shop/web:v1@{}", digest(1)));
    assert!(verdict.narrative[0].text.starts_with("Wrong repository"));
    assert_eq!(verdict.cause, Cause::NeverPushedHere, "the digest was pushed elsewhere, and that is said with its event");
    assert!(verdict.narrative[1].text.contains("was pushed to shop/api"));
}

#[test]
fn calls_archives_and_deleted_repositories() {
    let mut log = Log::default();
    log.push(1, "v1").delete((Some(1), None), &[(1, Some("v1"))]);
    assert_eq!(ask(&log, &pinned(1)).cause, Cause::DeletedByDigest);
    let mut log = Log::default();
    log.push(1, "v1").delete((None, Some("v1")), &[(1, Some("v1"))]);
    assert_eq!(ask(&log, &pinned(1)).cause, Cause::DeletedByLastTag);
    let mut log = Log::default();
    log.push(1, "v1").run(1, &["v1"], "transition", None);
    assert_eq!(ask(&log, &pinned(1)).cause, Cause::Archived);
    let mut log = Log::default();
    log.push(1, "v1").add("DeleteRepository", Action::DeleteRepository);
    assert_eq!(ask(&log, &pinned(1)).cause, Cause::RepositoryDeleted);
}

#[test]
fn expiries_of_tagged_images() {
    let mut log = Log::default();
    log.push(1, "v1").run(1, &["v1"], "expire", None);
    assert_eq!(ask(&log, &pinned(1)).cause, Cause::ExpiredWhileTagged);
}

#[test]
fn still_there_but_not_for_long_or_not_for_you() {
    let mut log = Log::default();
    log.push(1, "v1").push(2, "v1");
    assert_eq!(ask(&log, &pinned(1)).cause, Cause::TagMovedStillThere);
    assert_eq!(ask(&log, &pinned(2)).cause, Cause::StillThere);
    log.add("SetRepositoryPolicy", Action::AccessChanged);
    assert_eq!(ask(&log, &format!("{}: 403 Forbidden", pinned(2))).cause, Cause::AccessTaken);
    assert_eq!(ask(&log, &pinned(2)).cause, Cause::StillThere, "nothing speaks of access");
}

#[test]
fn an_index_without_its_child() {
    let mut log = Log::default();
    log.push_image(1, None, &[]).push_image(3, Some("v1"), &[1]).at(90_000).expire(1, &[]);
    assert_eq!(ask(&log, &pinned(3)).cause, Cause::IndexOrChildGone);
    assert_eq!(ask(&log, &pinned(1)).cause, Cause::IndexOrChildGone);
}

#[test]
fn what_the_logs_cannot_tell() {
    let verdict = ask(&story(), &pinned(9));
    assert_eq!((verdict.cause, verdict.exists.digest_exists), (Cause::Unknown, None));
    assert!(!verdict.unknown.is_empty());
}
