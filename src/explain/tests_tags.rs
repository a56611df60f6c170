//! Histories of tags, and moments at which something did or did not exist.

use super::{Question, explain};
use crate::detect::{Settings, findings};
use crate::model::{
    Action, Basis, Cause, Coverage, Finding, FindingKind, PushOrigin, Severity, Timestamp, Verdict,
};
use crate::timeline::tests::log::{Log, START, digest};

const HOST: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";
const DAY: i64 = 86_400;

pub(super) fn found(log: &Log) -> Vec<Finding> {
    findings(&log.history(), Settings { race_window_seconds: 600 })
}

pub(super) fn ask(log: &Log, text: &str) -> Verdict {
    explain(&Question::parse(text).unwrap(), &log.history(), &found(log), &Coverage::default())
}

fn ask_at(log: &Log, text: &str, second: i64) -> Verdict {
    let mut question = Question::parse(text).unwrap();
    question.at = Some(Timestamp::from_millis((START + second) * 1000));
    explain(&question, &log.history(), &found(log), &Coverage::default())
}

pub(super) fn failed(image: &str) -> String {
    format!("failed to resolve ref {HOST}/shop/api{image}: not found")
}

pub(super) fn said(verdict: &Verdict) -> String {
    let sentences = verdict
        .narrative
        .iter()
        .chain(&verdict.not_this)
        .chain(&verdict.used_by)
        .map(|sentence| sentence.text.as_str());
    sentences.chain(verdict.advice.iter().map(String::as_str)).collect::<Vec<_>>().join("\n")
}

pub(super) fn kinds(log: &Log) -> Vec<FindingKind> {
    let mut kinds: Vec<FindingKind> = found(log).iter().map(|finding| finding.kind).collect();
    kinds.sort_unstable();
    kinds
}

pub(super) fn by(log: &mut Log, actor: &'static str) {
    log.events.last_mut().unwrap().event.actor = Some(actor.into());
}

pub(super) fn stopped(log: &mut Log, reason: String) {
    let (task, group) = ("task/a".into(), Some("service:shop".into()));
    let images = Vec::new();
    log.add(
        "ECS Task State Change",
        Action::TaskState {
            task,
            group,
            definition: None,
            status: Some("STOPPED".into()),
            images,
            reason: Some(reason.into()),
        },
    );
    log.events.last_mut().unwrap().repository = None;
}

fn untag(log: &mut Log, n: u8, tag: &'static str) {
    log.delete((None, Some(tag)), &[(n, Some(tag))]);
}

#[test]
fn a_tag_that_was_removed_and_pushed_again() {
    let mut log = Log::default();
    log.push(1, "v1").push(1, "stable").at(100);
    untag(&mut log, 1, "stable");
    log.at(200).pull(None, Some("stable")).at(300).push(2, "stable");
    let verdict = ask(&log, &failed(":stable"));
    assert_eq!(
        (verdict.cause, verdict.moment.basis, verdict.moment.tag_existed),
        (Cause::TagRemoved, Basis::FailedPull, Some(false))
    );
    assert_eq!((verdict.exists.tag_exists, verdict.exists.tag_points_to), (Some(true), Some(digest(2))));
    assert!(verdict.gone.as_ref().unwrap().back_at.is_some());
    assert!(
        said(&verdict).contains("there again since") && said(&verdict).contains("start anew what stopped"),
        "{}",
        said(&verdict)
    );
    assert!(!said(&verdict).contains("Tag stable does not exist"), "{}", said(&verdict));
    assert_eq!(kinds(&log), [FindingKind::TagRemoved]);
    // Nobody asked in between: nothing is wrong.
    let mut quiet = Log::default();
    quiet.push(1, "v1").push(1, "stable").at(100);
    untag(&mut quiet, 1, "stable");
    quiet.at(300).push(2, "stable").pull(None, Some("stable"));
    assert_eq!(kinds(&quiet), []);
}

#[test]
fn a_tag_that_goes_to_and_fro() {
    let story = |other: Option<&'static str>, pulled: bool| {
        let mut log = Log::default();
        log.push(1, "build-1").push(1, "prod").at(60).push(2, "build-2").push(2, "prod");
        if pulled {
            log.pull(None, Some("prod"));
        }
        log.at(120).push(1, "prod");
        if let Some(other) = other {
            by(&mut log, other);
        }
        log
    };
    let (same, another) =
        (story(None, true), story(Some("arn:aws:sts::111122223333:assumed-role/ci-b/agent"), true));
    let told = |log: &Log| {
        found(log)
            .iter()
            .map(|finding| (finding.kind, finding.severity, finding.lost.digest))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&same), [(FindingKind::TagMovedBack, Severity::Low, Some(digest(2)))]);
    assert_eq!(told(&another), [(FindingKind::TagMovedBack, Severity::Medium, Some(digest(2)))]);
    assert_eq!(told(&story(None, false)), [], "nobody got the one or the other");
    let session = story(Some("arn:aws:sts::111122223333:assumed-role/ci/other-session"), true);
    assert_eq!(told(&session)[0].1, Severity::Low, "another session of the same role is no other pusher");
    let verdict = ask(&another, "shop/api:prod");
    assert!(
        said(&verdict).contains("went back to an older image") && said(&verdict).contains("ci-b/agent"),
        "{}",
        said(&verdict)
    );
}

#[test]
fn an_index_and_its_images_take_a_tag_from_each_other_without_going_back() {
    let mut log = Log::default();
    log.push(1, "v1")
        .push_image(3, Some("v1"), &[1])
        .pull(None, Some("v1"))
        .push(1, "v1")
        .push_image(3, Some("v1"), &[1])
        .pull(None, Some("v1"));
    assert!(!kinds(&log).contains(&FindingKind::TagMovedBack), "{:?}", kinds(&log));
}

#[test]
fn two_lives_of_a_repository_with_one_tag() {
    let mut log = Log::default();
    log.push(1, "v1").at(100).add("DeleteRepository", Action::DeleteRepository);
    log.at(110)
        .add("CreateRepository", Action::CreateRepository { mutability: None, made_by_ecr: None, key: None });
    log.at(120).pull(None, Some("v1")).at(200).push(2, "v1");
    let verdict = ask(&log, &failed(":v1"));
    assert_eq!((verdict.cause, verdict.exists.tag_points_to), (Cause::RepositoryDeleted, Some(digest(2))));
    assert!(!said(&verdict).contains("never pushed in the second"), "{}", said(&verdict));
    assert_eq!(kinds(&log), [FindingKind::RepositoryDeleted]);
    let after = ask_at(&log, "shop/api:v1", 300);
    assert_eq!((after.cause, after.moment.tag_existed), (Cause::StillThere, Some(true)));
    let early = ask_at(&log, "shop/api:v1", 50);
    assert_eq!((early.cause, early.moment.digest_existed), (Cause::StillThere, Some(true)));
}

/// A name that can be created is free: the deletion need not be in the logs.
#[test]
fn a_repository_created_anew_had_been_deleted() {
    let mut log = Log::default();
    log.push(1, "v1")
        .at(100)
        .add("CreateRepository", Action::CreateRepository { mutability: None, made_by_ecr: None, key: None });
    log.at(200).pull(None, Some("v1"));
    for text in [failed(":v1"), failed(&format!(":v1@{}", digest(1)))] {
        let verdict = ask(&log, &text);
        assert_eq!(
            (verdict.cause, verdict.exists.digest_exists),
            (Cause::RepositoryDeleted, Some(false)),
            "{text}"
        );
        assert!(!said(&verdict).contains("no DeleteRepository was logged"), "{}", said(&verdict));
        assert!(verdict.unknown.iter().any(|text| text.contains("DeleteRepository is not in these logs")));
    }
}

#[test]
fn a_digest_that_was_asked_for_before_it_came() {
    let mut log = Log::default();
    log.push(9, "v0").at(100).pull(Some(1), None).at(160).push(1, "v1");
    let verdict = ask(&log, &failed(&format!("@{}", digest(1))));
    assert_eq!(
        (verdict.cause, verdict.moment.digest_existed, verdict.exists.digest_exists),
        (Cause::AskedBeforePushed, Some(false), Some(true))
    );
    assert!(
        verdict.narrative[2].text.contains("60 s after it was first asked for"),
        "{}",
        verdict.narrative[2].text
    );
    // A replica comes by itself, minutes later.
    let mut replica = Log::default();
    replica.push(9, "v0").at(100).pull(Some(1), None).at(400).push(1, "v1");
    if let Action::Push(push) = &mut replica.events.last_mut().unwrap().action {
        push.origin = PushOrigin::Replication;
    }
    let verdict = ask(&replica, &failed(&format!("@{}", digest(1))));
    assert_eq!(verdict.cause, Cause::AskedBeforePushed);
    assert!(
        said(&verdict).contains("Replication brought it")
            && !said(&verdict).contains("did not wait for the push"),
        "{}",
        said(&verdict)
    );
}

/// The run lists the image without the tag that a push gave it: what took the tag is not in the logs, and
/// another image may have it.
#[test]
fn a_tag_that_something_unseen_took_may_be_on_another_image() {
    let mut log = Log::default();
    log.push(1, "v1").at(9).add("PutImage", Action::Omitted);
    log.at(3 * DAY).run(1, &[], "expire", Some(0)).at(4 * DAY).pull(Some(1), None);
    for asked in ["shop/api:v1".to_owned(), failed(&format!(":v1@{}", digest(1)))] {
        let verdict = ask(&log, &asked);
        assert_eq!((verdict.exists.tag_exists, verdict.exists.digest_exists), (None, Some(false)), "{asked}");
        assert_ne!(verdict.moment.tag_existed, Some(false), "{asked}");
        assert!(!said(&verdict).contains("Neither tag"), "{}", said(&verdict));
    }
    let summary = &found(&log)[0].summary;
    assert!(
        summary.contains("it had tag v1 since 2")
            && summary.contains("1 event of the repository does not say what was done"),
        "{summary}"
    );
}

#[test]
fn an_archive_that_was_left_after_the_failure() {
    let mut log = Log::default();
    log.push(1, "v1").at(100).run(1, &["v1"], "transition", None).at(200).pull(None, Some("v1"));
    log.at(900).add("ImageActivationEvent", Action::Restored { digest: digest(1) });
    let verdict = ask(&log, &failed(":v1"));
    assert_eq!(
        (verdict.cause, verdict.exists.tag_exists, verdict.exists.digest_exists),
        (Cause::Archived, Some(true), Some(true))
    );
    assert!(verdict.narrative[1].text.contains("It was restored at"), "{}", verdict.narrative[1].text);
    assert!(
        verdict.narrative[2].text.contains("fell into that time, and that explains it"),
        "{}",
        verdict.narrative[2].text
    );
    assert!(!said(&verdict).contains("Restore it:"), "{}", said(&verdict));
}

#[test]
fn what_is_named_by_a_tag_that_nothing_ever_had() {
    let mut log = Log::default();
    log.push(1, "v1");
    stopped(&mut log, format!("CannotPullContainerError: {}", failed(":v2")));
    let all = found(&log);
    let [finding] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(
        (finding.kind, finding.severity, finding.lost.digest),
        (FindingKind::Unexplained, Severity::Critical, None)
    );
    assert_eq!(
        finding.usage.references.iter().map(crate::model::LogText::raw).collect::<Vec<_>>(),
        ["service:shop"]
    );
    let verdict = ask(&log, &failed(":v2"));
    assert!(verdict.narrative[0].text.contains("asked for once"), "{}", verdict.narrative[0].text);
    // It came afterwards: that explains it.
    log.at(200).push(2, "v2");
    assert_eq!(kinds(&log), [FindingKind::AskedBeforePushed]);
    let verdict = ask(&log, &failed(":v2"));
    assert_eq!((verdict.cause, verdict.why.as_ref()), (Cause::AskedBeforePushed, Some(&found(&log)[0].id)));
}

/// A reason about something else is explained as that.
#[test]
fn a_network_that_fails_is_no_loss() {
    let mut log = Log::default();
    log.push(1, "v1");
    stopped(
        &mut log,
        format!("CannotPullContainerError: pull image manifest: {HOST}/shop/api:v1: dial tcp: i/o timeout"),
    );
    stopped(
        &mut log,
        format!("CannotPullContainerError: pull image manifest: {HOST}/shop/api:v9: dial tcp: i/o timeout"),
    );
    assert_eq!(kinds(&log), []);
}

/// A task that stops tells of pulls up to some minutes earlier.
#[test]
fn a_stop_that_comes_after_the_push_it_had_waited_for() {
    let mut log = Log::default();
    log.push(1, "v1").at(100).pull(None, Some("v2")).at(110).push(2, "v2").at(120);
    stopped(&mut log, format!("CannotPullContainerError: {}", failed(":v2")));
    let finding = &found(&log)[0];
    assert_eq!((finding.kind, finding.severity), (FindingKind::AskedBeforePushed, Severity::Critical));
    assert!(finding.summary.contains("had asked for it until then"), "{}", finding.summary);
}

#[test]
fn a_child_goes_and_its_index_stays() {
    let mut log = Log::default();
    log.push_image(1, None, &[])
        .push_image(2, None, &[])
        .push_image(3, Some("v2"), &[1, 2])
        .at(2 * DAY)
        .expire(1, &[]);
    assert_eq!(kinds(&log), [], "nobody asked for it since");
    log.at(3 * DAY).pull(None, Some("v2"));
    assert_eq!(
        found(&log).iter().map(|finding| (finding.kind, finding.severity)).collect::<Vec<_>>(),
        [(FindingKind::ChildLost, Severity::High)]
    );
    log.pull(Some(1), None);
    let finding = &found(&log)[0];
    assert_eq!(
        (finding.severity, finding.tag.as_ref().map(crate::model::LogText::raw)),
        (Severity::Critical, Some("v2"))
    );
    assert!(finding.summary.contains("linux/amd64 fail, linux/arm64 still works"), "{}", finding.summary);
    // Where the index goes with it, that is what a clean-up does.
    let mut whole = Log::default();
    whole
        .push_image(1, None, &[])
        .push_image(3, Some("v2"), &[1])
        .push(4, "v2")
        .at(2 * DAY)
        .expire(1, &[])
        .expire(3, &[])
        .pull(Some(1), None);
    assert!(!kinds(&whole).contains(&FindingKind::ChildLost), "{:?}", kinds(&whole));
}

/// No step may contradict another: what exists at the end is not said to be gone, whatever was lost before.
#[test]
fn steps_agree_with_each_other() {
    let mut logs: Vec<Log> = Vec::new();
    for back in [None, Some("v1"), Some("other")] {
        for end in 0..4 {
            let mut log = Log::default();
            log.push(1, "v1").at(100);
            match end {
                0 => log.expire(1, &["v1"]),
                1 => log.run(1, &["v1"], "transition", None),
                2 => log.delete((Some(1), None), &[(1, Some("v1"))]),
                _ => log.delete((None, Some("v1")), &[(1, Some("v1"))]),
            };
            log.at(200).pull(None, Some("v1"));
            if let Some(tag) = back {
                log.at(300).push(1, tag);
            }
            log.at(400).pull(None, Some("v1"));
            logs.push(log);
        }
    }
    for (number, log) in logs.iter().enumerate() {
        for text in [failed(":v1"), failed(&format!(":v1@{}", digest(1))), "shop/api:v1".to_owned()] {
            for verdict in
                [ask(log, &text), ask_at(log, &text, 50), ask_at(log, &text, 250), ask_at(log, &text, 350)]
            {
                let all = said(&verdict);
                assert_eq!(verdict.narrative.len(), 3);
                if verdict.exists.digest_exists == Some(true) && verdict.cause != Cause::Archived {
                    for words in ["does not exist any more", "it is gone."] {
                        assert!(!all.contains(words), "log {number}, {text}: {words}\n{all}");
                    }
                }
                if verdict.exists.tag_exists == Some(true) {
                    assert!(!all.contains("Tag v1 does not exist"), "log {number}, {text}\n{all}");
                }
                if verdict.moment.digest_existed == Some(false) {
                    assert!(
                        !all.contains("the image is there") && !all.contains("Look at access"),
                        "log {number}, {text}\n{all}"
                    );
                }
            }
        }
    }
}
