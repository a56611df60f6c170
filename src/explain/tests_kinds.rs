//! Answers that were wrong or missing: advice for what was done already, two causes at once, what
//! CloudTrail left out, and stop reasons that are cut off.

use super::tests_tags::{ask, failed, found, kinds, said};
use crate::model::{Action, Cause, FindingKind, ImageId, ImageReference, Severity, TaskImage};
use crate::timeline::tests::log::{Log, digest};

const DAY: i64 = 86_400;
const SERVICE: &str = "arn:aws:ecs:eu-central-1:111122223333:service/prod/shop";

fn image(tag: Option<&str>, n: Option<u8>, failed: bool) -> TaskImage<'static> {
    let (registry_id, region, repository) = ("111122223333".into(), "eu-central-1".into(), "shop/api".into());
    let reference = Some(ImageReference {
        registry_id,
        region,
        repository,
        tag: tag.map(str::to_owned),
        digest: n.map(digest),
    });
    TaskImage { reference, digest: None, container: None, failed }
}

fn deploy(log: &mut Log, image: TaskImage<'static>) {
    log.add(
        "UpdateService",
        Action::Run { runner: SERVICE.into(), definition: None, images: vec![image], deploys: true },
    );
    log.events.last_mut().unwrap().repository = None;
}

fn stopped(log: &mut Log, images: Vec<TaskImage<'static>>, reason: &str) {
    let (task, group, reason) =
        ("task/a".into(), Some("service:shop".into()), Some(reason.to_owned().into()));
    log.add(
        "ECS Task State Change",
        Action::TaskState { task, group, definition: None, status: Some("STOPPED".into()), images, reason },
    );
    log.events.last_mut().unwrap().repository = None;
}

fn create(log: &mut Log) {
    log.add("CreateRepository", Action::CreateRepository { mutability: None, made_by_ecr: None, key: None });
}

fn advice(log: &Log) -> String {
    found(log).iter().flat_map(|finding| finding.advice.clone()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_tag_that_went_back_and_forward_again_is_told_so() {
    let mut log = Log::default();
    log.push(1, "prod")
        .at(100)
        .push(2, "prod")
        .pull(None, Some("prod"))
        .at(200)
        .push(1, "prod")
        .pull(None, Some("prod"))
        .at(300)
        .push(2, "prod");
    let verdict = ask(&log, "shop/api:prod");
    assert!(said(&verdict).contains("1 of these moves went back to an older image"), "{}", said(&verdict));
    assert!(said(&verdict).contains("moved it on at"), "{}", said(&verdict));
    assert!(!said(&verdict).contains("each time to a newer image"), "{}", said(&verdict));
    assert_eq!(kinds(&log), [FindingKind::TagMovedBack]);
    assert!(!advice(&log).contains("move the tag forward"), "it was moved: {}", advice(&log));
}

#[test]
fn a_newer_image_that_is_gone_cannot_be_tagged_again() {
    let mut log = Log::default();
    log.push(1, "prod")
        .at(100)
        .push(2, "prod")
        .pull(None, Some("prod"))
        .at(200)
        .push(1, "prod")
        .pull(None, Some("prod"));
    assert!(advice(&log).contains("move the tag forward: `aws ecr put-image"), "{}", advice(&log));
    log.at(2 * DAY).expire(2, &[]);
    let told: Vec<_> =
        found(&log).into_iter().filter(|finding| finding.kind == FindingKind::TagMovedBack).collect();
    let advice = told[0].advice.join("\n");
    assert!(advice.contains("build it again") && !advice.contains("put-image"), "{advice}");
}

#[test]
fn a_repository_that_is_there_again_is_not_to_be_created() {
    let mut log = Log::default();
    create(&mut log);
    log.push(1, "v1").at(DAY).add("DeleteRepository", Action::DeleteRepository);
    let mut anew = Log::default();
    anew.events.clone_from(&log.events);
    log.at(DAY + 9).pull(None, Some("v1"));
    assert!(advice(&log).contains("aws ecr create-repository"), "{}", advice(&log));
    anew.at(DAY + 5);
    create(&mut anew);
    anew.at(DAY + 9).pull(None, Some("v1"));
    assert!(
        advice(&anew).contains("was created anew") && !advice(&anew).contains("create-repository"),
        "{}",
        advice(&anew)
    );
    // If the tag is on another image by now, nothing has to be brought back.
    anew.at(DAY + 20).push(2, "v1");
    assert!(!advice(&anew).contains("was created anew"), "{}", advice(&anew));
}

#[test]
fn what_cloudtrail_left_out_may_have_taken_the_image() {
    let mut log = Log::default();
    log.push(1, "v1").at(DAY).add("PolicyExecutionEvent", Action::Omitted).at(DAY + 9).pull(None, Some("v1"));
    let verdict = ask(&log, &failed(":v1"));
    assert_eq!(verdict.cause, Cause::Unknown);
    assert!(
        said(&verdict).contains("PolicyExecutionEvent")
            && said(&verdict).contains("may have taken the image"),
        "{}",
        said(&verdict)
    );
    assert!(
        !said(&verdict).contains("no lifecycle run of this repository is in the logs"),
        "{}",
        said(&verdict)
    );
    stopped(&mut log, Vec::new(), &failed(":v1"));
    let summary = &found(&log)[0].summary;
    assert!(
        summary.contains("the content of PolicyExecutionEvent") && !summary.contains("the image was there"),
        "{summary}"
    );
    // A later push shows that it exists.
    log.at(DAY + 20).push(1, "v1");
    assert_eq!(ask(&log, &failed(":v2")).cause, Cause::Unknown);
    assert_eq!(ask(&log, "shop/api:v1").cause, Cause::StillThere);
}

#[test]
fn pushes_of_one_second_leave_open_which_has_the_tag() {
    let mut log = Log::default();
    log.push(1, "v1").same_second().push(2, "v1");
    let lost = [1, 2]
        .map(|n| ask(&log, &failed(&format!("@{}", digest(n)))))
        .into_iter()
        .find(|verdict| verdict.cause == Cause::TagMovedStillThere);
    let told = said(&lost.unwrap());
    assert!(told.contains("in the same second") && told.contains("describe-images"), "{told}");
}

#[test]
fn a_service_that_was_deployed_anew_needs_nothing_more() {
    let mut log = Log::default();
    log.push(1, "v1");
    deploy(&mut log, image(None, Some(1), false));
    log.at(9).push(2, "v1").at(DAY).expire(1, &[]).at(DAY + 9);
    stopped(&mut log, Vec::new(), &failed(&format!("@{}", digest(1))));
    assert!(advice(&log).contains("names the lost digest itself"), "{}", advice(&log));
    log.at(DAY + 50);
    deploy(&mut log, image(None, Some(2), false));
    let told = advice(&log);
    assert!(
        told.contains("service/prod/shop was deployed anew")
            && !told.contains("names the lost digest itself"),
        "{told}"
    );
    assert!(!told.contains("docker push"), "{told}");
}

#[test]
fn a_reason_that_is_cut_before_the_image_tells_of_its_container() {
    let reason = "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref 111122223333.dkr.ecr.eu-ce";
    let sidecar = || image(Some("agent"), None, false);
    for images in [vec![image(Some("v1"), Some(1), false)], vec![sidecar(), image(Some("v1"), Some(1), true)]]
    {
        let mut log = Log::default();
        log.push(1, "v1").push(2, "v1").at(DAY).expire(1, &[]).at(DAY + 9);
        stopped(&mut log, images, reason);
        let findings = found(&log);
        assert_eq!(findings[0].severity, Severity::Critical);
        // The digest is asked for, whatever image has its tag by now.
        assert!(!advice(&log).contains("Start the tasks anew"), "{}", advice(&log));
    }
    let mut unclear = Log::default();
    unclear.push(1, "v1").push(2, "v1").at(DAY).expire(1, &[]).at(DAY + 9);
    stopped(&mut unclear, vec![sidecar(), image(Some("v1"), Some(1), false)], reason);
    assert_eq!(found(&unclear)[0].severity, Severity::Medium, "which of two containers it was is not told");
}

#[test]
fn an_image_that_is_gone_and_was_refused_before_has_two_causes() {
    let mut log = Log::default();
    log.push(1, "v1").at(100).add("SetRepositoryPolicy", Action::AccessChanged).at(200);
    log.add(
        "BatchGetImage",
        Action::Pull { images: vec![ImageId { digest: None, tag: Some("v1".into()) }], failed: true },
    );
    log.events.last_mut().unwrap().event.error_code = Some("AccessDenied".into());
    log.at(DAY).expire(1, &["v1"]);
    let verdict = ask(&log, &failed(":v1"));
    assert_eq!(verdict.cause, Cause::ExpiredWhileTagged);
    let told = said(&verdict);
    assert!(told.contains("second cause") && told.contains("What tells them apart"), "{told}");
    assert!(!told.contains("Not access-taken"), "{told}");
    // A later pull succeeded: it was not refused any more.
    log.at(DAY + 9).pull(None, Some("v1"));
    assert!(!said(&ask(&log, &failed(":v1"))).contains("second cause"));
}

#[test]
fn who_asked_is_told_once() {
    let mut log = Log::default();
    log.push(1, "v1")
        .at(DAY)
        .expire(1, &["v1"])
        .at(DAY + 9)
        .pull(None, Some("v1"))
        .at(DAY + 20)
        .push(1, "other")
        .pull(None, Some("v1"));
    let used = ask(&log, &failed(":v1")).used_by;
    let texts: Vec<&str> = used.iter().map(|sentence| sentence.text.as_str()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[0].contains("asked for it once after it was gone")
            && texts[1].contains("asked for the tag once in vain"),
        "{texts:?}"
    );
}

#[test]
fn an_image_that_came_back_and_went_again_cannot_be_pulled() {
    let mut log = Log::default();
    log.push(1, "v1")
        .at(DAY)
        .expire(1, &["v1"])
        .at(DAY + 9)
        .pull(None, Some("v1"))
        .push(1, "v1")
        .at(3 * DAY)
        .expire(1, &["v1"]);
    assert!(!advice(&log).contains("it can be pulled now"), "{}", advice(&log));
}

#[test]
fn a_child_that_a_call_took_is_told_with_its_index() {
    let mut log = Log::default();
    log.push_image(1, None, &[]).push_image(2, None, &[]).push_image(3, Some("multi"), &[1, 2]).at(DAY);
    log.delete((Some(2), None), &[(2, None)]).at(DAY + 9).pull(None, Some("multi")).pull(Some(2), None);
    assert_eq!(kinds(&log), [FindingKind::ChildLost]);
    let finding = &found(&log)[0];
    assert_eq!(
        (finding.severity, finding.tag.as_ref().map(|tag| tag.raw())),
        (Severity::Critical, Some("multi"))
    );
    assert!(
        finding.summary.contains("ci/build took") && finding.summary.contains("linux/arm64"),
        "{}",
        finding.summary
    );
    assert!(!advice(&log).contains("ECR documents"), "{}", advice(&log));
    let told = said(&ask(&log, &failed(&format!("@{}", digest(2)))));
    assert!(
        told.contains("tagged multi, lists it and is still there") && !told.contains("all its tags with it"),
        "{told}"
    );
}

#[test]
fn who_could_pull_before_a_change_of_the_policy_is_hurt_by_it() {
    let refuse = |log: &mut Log| {
        log.add(
            "BatchGetImage",
            Action::Pull { images: vec![ImageId { digest: None, tag: Some("v1".into()) }], failed: true },
        );
        log.events.last_mut().unwrap().event.error_code = Some("AccessDenied".into());
    };
    let mut log = Log::default();
    log.push(1, "v1")
        .pull(None, Some("v1"))
        .at(100)
        .add("SetRepositoryPolicy", Action::AccessChanged)
        .at(200);
    refuse(&mut log);
    let findings = found(&log);
    assert_eq!((kinds(&log), findings[0].severity), (vec![FindingKind::AccessTaken], Severity::Critical));
    assert!(
        findings[0].summary.contains("1 pull of it was refused since ci/build"),
        "{}",
        findings[0].summary
    );
    let verdict = ask(&log, &format!("{}: 403 Forbidden", failed(":v1")));
    assert_eq!((verdict.cause, verdict.why.as_ref()), (Cause::AccessTaken, Some(&findings[0].id)));
    // It can pull again, so nobody is affected any more.
    log.at(300).pull(None, Some("v1"));
    assert_eq!(kinds(&log), []);
    // A caller that never pulled in these logs may have lost access by the change, if that was recent.
    let mut stranger = Log::default();
    stranger.push(1, "v1").at(100).add("SetRepositoryPolicy", Action::AccessChanged).at(200);
    refuse(&mut stranger);
    assert_eq!(kinds(&stranger), [FindingKind::AccessTaken]);
    assert_eq!(found(&stranger)[0].severity, Severity::Medium);
    let mut late = Log::default();
    late.push(1, "v1").at(100).add("SetRepositoryPolicy", Action::AccessChanged).at(30 * DAY);
    refuse(&mut late);
    assert_eq!(kinds(&late), [], "an attempt without a permission");
}

#[test]
fn a_tag_and_later_its_image_were_taken_by_two_calls() {
    let mut log = Log::default();
    log.push(1, "v1").push(1, "v1b").at(100).delete((None, Some("v1")), &[(1, Some("v1"))]);
    log.at(200).delete((None, Some("v1b")), &[(1, Some("v1b"))]).at(300).pull(None, Some("v1"));
    let verdict = ask(&log, &failed(":v1"));
    assert_eq!(verdict.cause, Cause::TagRemoved);
    assert!(said(&verdict).contains("(deleted-by-last-tag, by ci/build)"), "{}", said(&verdict));
}
