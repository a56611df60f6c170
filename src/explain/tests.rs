//! Each cause is distinguished from the others.

mod pasted;

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
    assert!(verdict.used_by[0].text.contains("once after it was gone"));
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
    assert!(
        told(&format!("444455556666.dkr.ecr.eu-central-1.amazonaws.com/{image}"))
            .starts_with("Wrong account")
    );
    assert!(
        told(&format!("111122223333.dkr.ecr.us-east-1.amazonaws.com/{image}")).starts_with("Wrong region")
    );
    let verdict = ask(&story(), &format!("{HOST}/shop/web:v1@{}", digest(1)));
    assert!(verdict.narrative[0].text.starts_with("Wrong repository"));
    assert_eq!(
        verdict.cause,
        Cause::NeverPushedHere,
        "the digest was pushed elsewhere, and that is said with its event"
    );
    assert!(verdict.narrative[2].text.contains("was pushed elsewhere: to shop/api"));
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

#[test]
fn every_verdict_has_three_steps_and_advice() {
    let host_of_others = "444455556666.dkr.ecr.eu-central-1.amazonaws.com/shop/api:v1";
    let web = format!("{HOST}/shop/web");
    let questions = [
        &pinned(1),
        &pinned(2),
        &pinned(9),
        host_of_others,
        "shop/api",
        "shop/api:v2",
        "nginx",
        "sha256:0123456789ab",
        &web,
        "docker.io/library/nginx:1",
    ];
    for text in questions {
        let verdict = ask(&story(), text);
        assert_eq!(verdict.narrative.len(), 3, "{text}: {:?}", verdict.narrative);
        assert!(!verdict.advice.is_empty(), "{text}");
    }
}

/// Fargate cuts long messages: without the cut digest, the answer used to be about the tag, which exists.
#[test]
fn a_digest_that_is_cut_off_still_tells_its_image() {
    let whole = digest(1).to_string();
    for cut in [
        format!("failed to resolve ref {HOST}/shop/api:v1@{}...", &whole[..30]),
        whole[..19].to_owned(),
        whole[7..19].to_owned(),
    ] {
        let verdict = ask(&story(), &cut);
        assert_eq!(verdict.cause, Cause::TagMovedThenExpired, "{cut}");
        assert!(verdict.reference.raw().ends_with(&whole), "{cut}");
        assert!(verdict.unknown.iter().any(|text| text.contains("cut off")), "{cut}");
    }
    let verdict = ask(&story(), &format!("{HOST}/shop/api:v1@sha256:0123456789"));
    assert_eq!((verdict.cause, verdict.exists.tag_exists), (Cause::Unknown, None));
    assert!(verdict.narrative[0].text.starts_with("No image in these logs"));
}

/// The first step of its life was the task definition that names it, and used to be shown as evidence of
/// its push.
#[test]
fn the_push_is_the_evidence_of_the_push() {
    let mut log = Log::default();
    log.pull(Some(1), None).push(1, "v1").push(2, "v1").at(90_000).expire(1, &[]);
    let verdict = ask(&log, &pinned(1));
    let events: Vec<&str> =
        verdict.narrative[0].evidence.iter().map(|event| event.event_name.raw()).collect();
    assert_eq!(events, ["PolicyExecutionEvent", "PutImage"]);
}

/// A service that cannot start keeps trying, and each Fargate task calls under a session of its own.
#[test]
fn those_who_need_it_are_named_once_and_none_is_dropped() {
    let mut log = story();
    let image = format!("{HOST}/shop/api:v1@{}", digest(1));
    for _ in 0..25 {
        let reason =
            Some(format!("CannotPullContainerError: failed to resolve ref {image}: not found").into());
        let (task, group) = ("task".into(), Some("service:shop".into()));
        log.add(
            "SubmitTaskStateChange",
            Action::TaskState {
                task,
                group,
                definition: None,
                status: Some("STOPPED".into()),
                images: Vec::new(),
                reason,
            },
        );
        log.events.last_mut().unwrap().repository = None;
        let number = log.events.len();
        for session in [format!("execution/{number:032x}"), format!("role-{number}/x")] {
            log.pull(Some(1), None);
            log.events.last_mut().unwrap().event.actor =
                Some(format!("arn:aws:sts::111122223333:assumed-role/{session}").into());
        }
    }
    let used = ask(&log, &pinned(1)).used_by;
    let stopped: Vec<_> = used.iter().filter(|sentence| sentence.text.contains("could not start")).collect();
    assert_eq!(stopped.len(), 1, "{used:?}");
    assert!(stopped[0].text.ends_with(", 25 times.") && stopped[0].evidence.len() == 20, "{stopped:?}");
    let tasks: Vec<_> = used
        .iter()
        .filter(|sentence| {
            sentence.text.starts_with("execution of 111122223333, 25 tasks asked for it 25 times")
        })
        .collect();
    assert_eq!((tasks.len(), tasks[0].evidence.len()), (1, 20));
    assert!(
        used.iter().any(|sentence| sentence
            .text
            .starts_with("7 principals more asked for it 7 times after it was gone")),
        "{used:?}"
    );
}

#[test]
fn an_archived_image_exists() {
    let mut log = Log::default();
    log.push(1, "v1").run(1, &["v1"], "transition", None);
    let verdict = ask(&log, &pinned(1));
    assert_eq!(
        (verdict.exists.tag_exists, verdict.exists.digest_exists, verdict.exists.tag_points_to),
        (Some(true), Some(true), Some(digest(1)))
    );
    assert!(verdict.gone.is_some());
    let denied = |sentence: &crate::model::Sentence| sentence.text.contains("no lifecycle run took it");
    assert!(!verdict.not_this.iter().any(denied), "a run took it: into the archive");
}

/// "No lifecycle run lists it as taken" used to be said of an image that a run had taken before it was
/// pushed again.
#[test]
fn an_image_that_came_back_was_gone_for_a_while() {
    let mut log = story();
    log.push(1, "v1");
    let verdict = ask(&log, &pinned(1));
    assert_eq!(
        (verdict.cause, verdict.exists.digest_exists),
        (Cause::TagMovedThenExpired, Some(true)),
        "the pull failed while it was gone"
    );
    assert!(verdict.gone.as_ref().unwrap().back_at.is_some());
    assert_eq!(
        (verdict.moment.basis, verdict.moment.digest_existed),
        (crate::model::Basis::FailedPull, Some(false))
    );
    assert!(verdict.narrative[1].text.contains("It came back at "), "{}", verdict.narrative[1].text);
    assert_eq!(verdict.narrative[1].evidence[0].event_name, "PolicyExecutionEvent");
    assert!(
        verdict.narrative[2].text.contains("fell into that time, and that explains it"),
        "{}",
        verdict.narrative[2].text
    );
    let at_end = ask(&log, &format!("shop/api@{}", digest(1)));
    assert_eq!((at_end.cause, at_end.gone), (Cause::StillThere, None));
    assert!(at_end.narrative[1].text.starts_with("It was gone from "), "{}", at_end.narrative[1].text);
    assert!(at_end.not_this.iter().any(|sentence| sentence.text.contains("it came back at")));
    assert_eq!(
        verdict.why.as_deref(),
        Some(log_finding(&log).as_str()),
        "the finding tells of the time when it was gone"
    );
}

fn log_finding(log: &Log) -> String {
    let finding = log
        .findings()
        .into_iter()
        .find(|finding| finding.lost.digest == Some(digest(1)) && finding.lost.gone_at.is_some());
    finding.map(|finding| finding.id).unwrap()
}

/// A whole log was pasted: the answer was about one image, and nothing said that there were more.
#[test]
fn other_images_in_the_text_are_not_passed_over_in_silence() {
    let text = format!("{}\n{}\n{}", pinned(1), pinned(2), pinned(1));
    let verdict = ask(&story(), &text);
    assert!(verdict.reference.raw().ends_with(&digest(1).to_string()));
    let said =
        |verdict: &Verdict, n: u8| verdict.unknown.iter().any(|text| text.contains(&digest(n).to_string()));
    assert!(said(&verdict, 2), "{:?}", verdict.unknown);
    assert!(!said(&verdict, 1), "{:?}", verdict.unknown);
    assert!(!said(&ask(&story(), &pinned(1)), 1));
    let bare = ask(&story(), &format!("{} or {}, or {}", digest(1), digest(2), digest(3)));
    assert!(said(&bare, 2) && said(&bare, 3), "{:?}", bare.unknown);
}

#[test]
fn a_tag_that_resolves_tells_what_was_pinned_before() {
    let verdict = ask(&story(), "shop/api:v1");
    assert!(verdict.narrative[2].text.contains(&digest(1).to_string()), "{}", verdict.narrative[2].text);
    assert_eq!(verdict.narrative[2].evidence.len(), 1);
}

/// A refused pull is evidence in itself: the policy or the key may have been changed before the logs.
#[test]
fn a_refused_pull_tells_that_access_was_taken() {
    for code in ["AccessDenied", "KmsException"] {
        let mut log = Log::default();
        log.push(1, "v1").pull(Some(1), None).at(50);
        let image = crate::model::ImageId { digest: Some(digest(1)), tag: None };
        log.add("BatchGetImage", Action::Pull { images: vec![image], failed: true });
        log.events.last_mut().unwrap().event.error_code = Some(code.into());
        let verdict = ask(&log, &pinned(1));
        assert_eq!(verdict.cause, Cause::AccessTaken, "{code}");
        assert_eq!(verdict.narrative[2].evidence[0].event_name, "BatchGetImage");
        log.pull(Some(1), None);
        assert_eq!(ask(&log, &pinned(1)).cause, Cause::StillThere, "{code}, and it was answered again");
    }
}

#[test]
fn a_child_whose_index_is_gone() {
    let mut log = Log::default();
    log.push_image(1, None, &[]).push_image(3, Some("v1"), &[1]).at(90_000).run(3, &["v1"], "expire", None);
    let verdict = ask(&log, &pinned(1));
    assert_eq!((verdict.cause, verdict.exists.digest_exists), (Cause::IndexOrChildGone, Some(true)));
    assert!(verdict.narrative[2].text.contains(&digest(3).to_string()));
}

/// Every cause is either the answer, or ruled out with a reason, or cannot be ruled out.
#[test]
fn the_other_causes_are_told_apart() {
    let verdict = ask(&story(), &pinned(1));
    let told: Vec<&str> =
        verdict.not_this.iter().map(|sentence| sentence.text.split(':').next().unwrap()).collect();
    let expected = [
        "Not expired-while-tagged",
        "Not expired-by-other-tag",
        "Not deleted-by-digest",
        "Not deleted-by-last-tag",
        "Not repository-deleted",
        "Not archived",
        "Not never-pushed-here",
        "Not replica-missing",
        "Not pull-through-cache-expired",
        "Not index-or-child-gone",
        "Not access-taken",
        "Not tag-moved-still-there",
    ];
    assert_eq!(told, expected);
    assert!(ask(&story(), &pinned(2)).not_this.len() > 8, "of what is there, too");
    assert!(!ask(&story(), &pinned(9)).not_this.is_empty(), "and of what is not known");
}
