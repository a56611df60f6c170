//! Needs of functions, services, projects and jobs: what they keep, and what ends it.

use super::log::Log;
use super::regressions::{DAY, reference};
use crate::model::{Action, FindingKind, Need, NeedKind, Severity};

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:111122223333:function:orders";
const VERSION: &str = "arn:aws:lambda:eu-central-1:111122223333:function:orders:7";
const PROJECT: &str = "arn:aws:codebuild:eu-central-1:111122223333:project/ci";
const JOBS: &str = "arn:aws:batch:eu-central-1:111122223333:job-definition/etl:1";
const NEXT_JOBS: &str = "arn:aws:batch:eu-central-1:111122223333:job-definition/etl:2";

fn need(
    log: &mut Log,
    kind: NeedKind,
    who: &'static str,
    tag: Option<&'static str>,
    through: &[&'static str],
) {
    let images = tag.map(|tag| reference(Some(tag), None)).into_iter().collect();
    let need = Need::new(kind, who, images).through(through.iter().map(|name| (*name).into()));
    log.add("Need", Action::Needs(vec![need]));
    log.events.last_mut().unwrap().repository = None;
}

/// Kind and severity of the only finding.
fn told(log: &Log) -> Option<(FindingKind, Severity)> {
    let findings = log.findings();
    assert!(findings.len() < 2, "{findings:#?}");
    findings.first().map(|finding| (finding.kind, finding.severity))
}

#[test]
fn a_function_keeps_the_image_that_its_tag_had_when_it_was_updated() {
    let mut log = Log::default();
    log.push(1, "v1");
    need(&mut log, NeedKind::Keeps, FUNCTION, Some("v1"), &[]);
    log.at(9).push(2, "v1").at(DAY).expire(1, &[]);
    assert_eq!(told(&log), Some((FindingKind::SameTagRace, Severity::High)));
    assert_eq!(log.findings()[0].usage.references.len(), 1);
    // A pull of the tag soon after says nothing about a function, whose tag was resolved at the call.
    log.at(20).pull(None, Some("v1"));
    assert_eq!(told(&log), Some((FindingKind::SameTagRace, Severity::High)));
    // Its failure names no image: the image that it keeps is meant, not the one that the tag points to by
    // now.
    log.at(2 * DAY);
    need(&mut log, NeedKind::Fails, FUNCTION, None, &[]);
    assert_eq!(told(&log), Some((FindingKind::SameTagRace, Severity::Critical)));
}

#[test]
fn a_function_that_was_updated_or_deleted_needs_its_old_image_no_more() {
    for (kind, tag) in [(NeedKind::Keeps, Some("v2")), (NeedKind::Ends, None)] {
        let mut log = Log::default();
        log.push(1, "v1").push(3, "v2");
        need(&mut log, NeedKind::Keeps, FUNCTION, Some("v1"), &[]);
        need(&mut log, kind, FUNCTION, tag, &[]);
        log.at(DAY).expire(1, &["v1"]);
        assert_eq!(told(&log), None, "{kind:?}");
    }
}

#[test]
fn a_published_version_outlives_the_next_update_and_goes_with_its_function() {
    let mut log = Log::default();
    log.push(1, "v1").push(3, "v2");
    need(&mut log, NeedKind::Keeps, FUNCTION, Some("v1"), &[]);
    need(&mut log, NeedKind::Copies, VERSION, None, &[FUNCTION]);
    need(&mut log, NeedKind::Keeps, FUNCTION, Some("v2"), &[]);
    log.at(DAY).expire(1, &["v1"]);
    assert_eq!(told(&log), Some((FindingKind::ExpiredWhileTagged, Severity::High)));
    assert!(
        log.findings()[0].usage.references.iter().any(|name| *name == *VERSION),
        "{:?}",
        log.findings()[0].usage
    );
    log.at(100);
    need(&mut log, NeedKind::Ends, FUNCTION, None, &[]);
    assert_eq!(told(&log), None);
}

#[test]
fn a_project_asks_for_its_tag_anew_and_needs_what_the_tag_is_on() {
    let mut log = Log::default();
    log.push(1, "v1");
    need(&mut log, NeedKind::Asks, PROJECT, Some("v1"), &[]);
    log.at(9 * DAY).push(2, "v1").at(10 * DAY).expire(1, &[]);
    assert_eq!(
        told(&log),
        Some((FindingKind::SameTagOverwrite, Severity::Low)),
        "nobody needs the image that lost the tag"
    );
    let mut log = Log::default();
    need(&mut log, NeedKind::Asks, PROJECT, Some("v1"), &[]);
    log.push(1, "v0").at(50).push(2, "v1").at(DAY).expire(2, &["v1"]);
    assert_eq!(
        told(&log),
        Some((FindingKind::ExpiredWhileTagged, Severity::High)),
        "and what was pushed after it was made"
    );
    log.at(40);
    need(&mut log, NeedKind::Ends, PROJECT, None, &[]);
    assert_eq!(told(&log), None);
}

#[test]
fn a_job_that_was_to_run_what_is_gone_is_hurt() {
    let mut log = Log::default();
    log.push(1, "v1");
    need(&mut log, NeedKind::Defines, JOBS, Some("v1"), &[]);
    log.at(DAY).expire(1, &["v1"]);
    assert_eq!(
        told(&log),
        Some((FindingKind::ExpiredWhileTagged, Severity::Low)),
        "a definition that nothing is known to run"
    );
    log.at(100);
    need(
        &mut log,
        NeedKind::Once,
        "arn:aws:batch:eu-central-1:111122223333:job/1",
        None,
        &["arn:aws:batch:eu-central-1:111122223333:job-definition/etl"],
    );
    assert_eq!(
        told(&log),
        Some((FindingKind::ExpiredWhileTagged, Severity::High)),
        "a definition that jobs run"
    );
    log.at(2 * DAY);
    need(&mut log, NeedKind::Once, "arn:aws:batch:eu-central-1:111122223333:job/2", None, &[JOBS]);
    assert_eq!(
        told(&log),
        Some((FindingKind::ExpiredWhileTagged, Severity::Critical)),
        "a job after the end"
    );
}

#[test]
fn a_definition_needs_nothing_once_a_newer_revision_or_its_end_came() {
    for (kind, who, tag) in [(NeedKind::Defines, NEXT_JOBS, Some("v2")), (NeedKind::Ends, JOBS, None)] {
        let mut log = Log::default();
        log.push(1, "v1").push(3, "v2");
        need(&mut log, NeedKind::Defines, JOBS, Some("v1"), &[]);
        need(&mut log, NeedKind::Once, "arn:aws:batch:eu-central-1:111122223333:job/1", None, &[JOBS]);
        need(&mut log, kind, who, tag, &[]);
        log.at(DAY).expire(1, &["v1"]);
        assert_eq!(told(&log), None, "{kind:?}");
    }
}

#[test]
fn an_endpoint_needs_what_the_models_of_its_configuration_name() {
    let model = "arn:aws:sagemaker:eu-central-1:111122223333:model/m";
    let config = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint-config/c";
    let endpoint = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/e";
    let mut log = Log::default();
    log.push(1, "v1");
    need(&mut log, NeedKind::Defines, model, Some("v1"), &[]);
    need(&mut log, NeedKind::Defines, config, None, &[model]);
    need(&mut log, NeedKind::Keeps, endpoint, None, &[config]);
    log.at(9).push(2, "v1").at(DAY).expire(1, &[]);
    assert_eq!(told(&log), Some((FindingKind::SameTagRace, Severity::High)));
    log.at(40);
    need(&mut log, NeedKind::Ends, endpoint, None, &[]);
    assert_eq!(told(&log), Some((FindingKind::SameTagRace, Severity::Medium)));
}

#[test]
fn a_rule_that_is_off_runs_none_of_its_targets() {
    let rule = "arn:aws:events:eu-central-1:111122223333:rule/nightly";
    let target = "arn:aws:events:eu-central-1:111122223333:rule/nightly (target 1)";
    let mut log = Log::default();
    log.push(1, "v1");
    need(&mut log, NeedKind::Defines, JOBS, Some("v1"), &[]);
    need(&mut log, NeedKind::Asks, target, None, &[JOBS]);
    log.at(DAY).expire(1, &["v1"]);
    let of_target = |log: &Log| {
        log.findings()
            .first()
            .map(|finding| (finding.severity, finding.usage.references.iter().any(|name| *name == *target)))
    };
    assert_eq!(of_target(&log), Some((Severity::High, true)));
    log.at(100);
    need(&mut log, NeedKind::Ends, rule, None, &[]);
    assert_eq!(of_target(&log), Some((Severity::Low, false)), "the job definition alone is left");
    log.at(200);
    need(&mut log, NeedKind::Asks, rule, None, &[rule]);
    assert_eq!(of_target(&log), Some((Severity::High, true)));
}

#[test]
fn a_deployment_that_is_started_for_an_image_that_is_gone_fails() {
    const RUNNER: &str = "arn:aws:apprunner:eu-central-1:111122223333:service/front/1";
    let mut log = Log::default();
    log.push(1, "v1");
    need(&mut log, NeedKind::Keeps, RUNNER, Some("v1"), &[]);
    log.at(DAY).expire(1, &["v1"]);
    assert_eq!(told(&log), Some((FindingKind::ExpiredWhileTagged, Severity::High)));
    // StartDeployment succeeds before the deployment fails, and the service still needs what it asks for.
    log.at(2 * DAY);
    need(&mut log, NeedKind::Once, RUNNER, None, &[RUNNER]);
    need(&mut log, NeedKind::Keeps, RUNNER, None, &[RUNNER]);
    assert_eq!(told(&log), Some((FindingKind::ExpiredWhileTagged, Severity::Critical)));
    let advice = log.findings()[0].advice.join("\n");
    assert!(
        advice.contains("aws apprunner start-deployment") && !advice.contains("was deployed anew"),
        "{advice}"
    );
}
