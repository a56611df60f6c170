//! Incidents that people have reported in public, with records written for these tests: what lifecycle rules
//! took, and why.
//!
//! Each is a small log, read by the binary.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The JSON output for an incident, and the exit code.
fn run(case: &str, args: &[&str]) -> (Value, i32) {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/incidents").join(format!("{case}.json"));
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(args)
        .arg(case)
        .args(["--format", "json"])
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {said}")),
        output.status.code().unwrap(),
    )
}

/// The page for an incident.
fn page(case: &str, args: &[&str]) -> String {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/incidents").join(format!("{case}.json"));
    let output =
        Command::new(env!("CARGO_BIN_EXE_tagfall")).args(args).arg(case).env_clear().output().unwrap();
    // On one line, whatever the width.
    String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The verdict, and its whole content as one text.
fn explain(case: &str, reference: &str) -> (Value, String) {
    let verdict = run(case, &["explain", reference]).0["verdict"].take();
    let text = verdict.to_string();
    (verdict, text)
}

fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

fn lacks(text: &str, words: &[&str]) {
    for word in words {
        assert!(!text.contains(word), "{word:?} is in {text}");
    }
}

/// ECR records every pull as the last one, except those of Amazon Inspector.
#[test]
fn inspector_does_not_move_the_pull_time() {
    let (forecast, _) = run("inspector-pull-time", &["forecast", "--at", "2026-03-01"]);
    assert_eq!(forecast["forecast"][0]["eligible_at"], "2026-03-06T09:00:00Z");
    let (whatif, _) = run("inspector-pull-time", &["whatif"]);
    assert_eq!(
        (&whatif["whatif"][0]["outcome"], whatif["whatif"].as_array().unwrap().len()),
        (&Value::from("agrees"), 1)
    );
}

/// Pulls by a principal do not count while it is on the exclusion list.
#[test]
fn excluded_principals_do_not_move_the_pull_time() {
    let (forecast, _) = run("pull-time-exclusion", &["forecast", "--at", "2026-05-25"]);
    assert_eq!(forecast["forecast"][0]["eligible_at"], "2026-06-01T09:00:00Z");
    let (whatif, _) = run("pull-time-exclusion", &["whatif"]);
    assert_eq!(whatif["whatif"][0]["outcome"], "agrees");
    let (verdict, text) = explain(
        "pull-time-exclusion",
        "111122223333.dkr.ecr.eu-central-1.amazonaws.com/svc/nightly:stable: not found",
    );
    assert_eq!(verdict["cause"], "archived");
    let third = verdict["narrative"][2].to_string();
    holds(&third, &["nightly-job", "RegisterPullTimeUpdateExclusion"]);
    holds(
        &verdict["advice"].to_string(),
        &[
            "DeregisterPullTimeUpdateExclusion",
            "--repository-name svc/nightly",
            "--image-id imageDigest=sha256:b99747ae",
            "--region eu-central-1 --principal-arn arn:aws:iam::111122223333:role/nightly-job",
        ],
    );
    lacks(&text, &["it is gone", "that is gone", "after it was gone"]);
    lacks(&text, &["It was eligible because it matches the rule;"]);
}

/// A scanner pulls an image but does not need it.
#[test]
fn a_scanner_is_not_a_user() {
    let (found, code) = run("scanner-is-not-a-user", &["detect", "--fail-on", "high"]);
    let finding = &found["findings"][0];
    assert_eq!(
        (code, &finding["severity"], &finding["usage"]["scanner_pulls"]),
        (0, &Value::from("low"), &Value::from(1))
    );
    assert_eq!(finding["usage"]["pulls_while_untagged"], 0);
    let (forecast, code) =
        run("scanner-is-not-a-user", &["forecast", "--at", "2026-02-12T12:00:00Z", "--fail-on", "high"]);
    assert!(
        code == 0 && forecast["forecast"].as_array().unwrap().iter().all(|image| image["needed"] == false),
        "{forecast}"
    );
}

const HOST: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";

fn reference(rest: &str) -> String {
    format!("{HOST}/{rest}: not found")
}

fn reason<'v>(of: &'v Value, kind: &str) -> &'v Value {
    of["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .find(|reason| reason["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind} in {}", of["reasons"]))
}

fn records(of: &Value) -> Vec<u64> {
    of["evidence"].as_array().unwrap().iter().map(|event| event["record"].as_u64().unwrap()).collect()
}

/// The rule keeps three images, and three of another service came after this one.
#[test]
fn a_count_rule_says_what_outnumbered_the_image() {
    let (verdict, text) = explain("count-rule-why", &reference("mono/all:api-1"));
    let outnumbered = reason(&verdict, "outnumbered");
    holds(&outnumbered.to_string(), &["keeps the 3 newest", "worker-0", "worker-2", "codebuild-worker"]);
    assert!(records(outnumbered).len() >= 4, "{outnumbered}");
    holds(
        &reason(&verdict, "changed-since").to_string(),
        &["2026-07-20T11:00:00Z", "40", "brings nothing back"],
    );
    holds(&verdict["advice"].to_string(), &["repository", "prefix"]);
    lacks(&text, &["raise its count", "counts or ages tagged images"]);
    holds(&verdict["narrative"][2].to_string(), &["codebuild-worker", "2026-07-20T11:00:00Z"]);
}

/// A new tag on an old digest does not make it younger; the finding's title has the tag that failed.
#[test]
fn age_counts_from_the_first_push() {
    let (verdict, _) = explain("age-counts-from-push", &reference("portal/web:release-9"));
    let age = reason(&verdict, "age-from-push");
    holds(&age.to_string(), &["2026-04-18T21:45:00Z", "2026-03-18", "release-9"]);
    holds(&verdict["advice"].to_string(), &["Protect promoted tags by a rule of their own"]);
    let (found, _) = run("age-counts-from-push", &["detect"]);
    assert_eq!(found["findings"][0]["tag"], "release-9");
    assert_eq!(reason(&found["findings"][0], "age-from-push"), age);
}

#[test]
fn the_tag_that_matched_is_named() {
    let (verdict, _) = explain("which-tag-matched", &reference("lib/base:v1.2.3"));
    assert_eq!(verdict["cause"], "expired-by-other-tag");
    holds(&verdict["narrative"].to_string(), &["prefix sha-", "sha-0a1b", "v1.2.3 among them"]);
    holds(&reason(&verdict, "tag-matched").to_string(), &["Rule 2", "prefix sha-", "sha-0a1b"]);
}

/// A rule with two patterns requires both on one image.
#[test]
fn a_rule_that_was_to_protect_it_says_what_it_missed() {
    let (verdict, text) = explain("protecting-rule-that-does-not-match", &reference("web/server:prod"));
    holds(
        &reason(&verdict, "protection-missed").to_string(),
        &["Rule 1", "protected prod", "prod and staging", "none for pattern staging"],
    );
    holds(&verdict["advice"].to_string(), &["one rule for each of prod and staging"]);
    lacks(&text, &["a rule of higher priority that matches them protects them"]);
    let (found, _) = run("protecting-rule-that-does-not-match", &["detect"]);
    assert_eq!(
        (&found["findings"][0]["tag"], &found["findings"][0]["tags"]),
        (&Value::from("prod"), &serde_json::json!(["prod"]))
    );
}

#[test]
fn who_put_the_policy_is_told() {
    let (verdict, _) = explain("who-put-the-policy", &reference("money/app:m.1"));
    let second = &verdict["narrative"][1];
    holds(&second.to_string(), &["2026-03-01T09:00:00Z", "platform-module/apply", "11 h before"]);
    assert!(records(second).contains(&2), "{second}");
    let (found, _) = run("who-put-the-policy", &["detect"]);
    assert_eq!(records(reason(&found["findings"][0], "policy-put")), [2]);
    assert!(records(&found["findings"][0]).contains(&2), "{found}");
}

/// A signature is removed with its subject, whatever the rules say, and no event shows it.
#[test]
fn a_reference_artifact_goes_with_its_subject() {
    let artifact = "sha256:0710cebe087e540f6d793f13907cda030c2df4b5e54c4cc0272a598080605069";
    let (verdict, _) = explain("reference-artifact", &format!("{HOST}/app/pay@{artifact}: not found"));
    assert_eq!(
        (&verdict["cause"], &verdict["gone"]["at"]),
        (&Value::from("subject-gone"), &Value::from("2026-04-03T04:00:00Z"))
    );
    assert_eq!(verdict["exists"]["digest_exists"], Value::Null);
    holds(
        &verdict["narrative"].to_string(),
        &["ost likely", "2026-04-03T04:00:00Z", "subject", "lifecycle rule 1", "2026-04-02T04:00:00Z"],
    );
    assert!(records(reason(&verdict, "subject-gone")).contains(&3), "{verdict}");
    let (forecast, _) = run("reference-artifact", &["forecast", "--at", "2026-03-15"]);
    let of = |digest: &str| {
        forecast["forecast"]
            .as_array()
            .unwrap()
            .iter()
            .find(|image| image["digest"] == digest)
            .unwrap()
            .clone()
    };
    let image = of(artifact);
    assert_eq!(
        (&image["eligible_at"], &image["expected_by"]),
        (&Value::from("2026-04-01T10:00:00Z"), &Value::from("2026-04-03T10:00:00Z"))
    );
    holds(image["summary"].as_str().unwrap(), &["goes with its subject sha256:b99747ae7bb7"]);
    // After its subject is gone, it is not forecast to stay for another 330 days.
    let (forecast, _) = run("reference-artifact", &["forecast"]);
    assert_eq!(forecast["forecast"], serde_json::json!([]));
}

/// A repository that ECR creates on a push has the template's policy, which none of the repository's events
/// shows.
#[test]
fn a_creation_template_brings_a_policy() {
    let (forecast, code) = run("creation-template", &["forecast", "--fail-on", "high"]);
    let image = &forecast["forecast"][0];
    assert_eq!((code, &image["needed"], &image["rule_priority"]), (1, &Value::from(true), &Value::from(1)));
    assert_eq!(image["eligible_at"], "2026-06-16T09:00:20Z");
    assert_eq!(
        (&image["policy_event"]["event_name"], &image["policy_event"]["record"]),
        (&"CreateRepositoryCreationTemplate".into(), &0.into())
    );
    assert!(records(image).contains(&0), "{image}");
}

/// If deletions are replicated, a replica is deleted with its source; its own region logs nothing.
#[test]
fn a_copy_goes_with_its_source_where_deletions_are_replicated() {
    let copy = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/billing:v1: not found";
    let (verdict, text) = explain("replicated-delete", copy);
    assert_eq!(
        (&verdict["cause"], &verdict["gone"]["at"]),
        (&Value::from("replicated-deletion"), &Value::from("2026-11-01T12:00:00Z"))
    );
    assert_ne!(verdict["exists"]["digest_exists"], true);
    assert_ne!(verdict["exists"]["tag_exists"], true);
    assert_eq!(records(reason(&verdict, "source-gone")), [0, 3]);
    holds(&text, &["ost likely", "lifecycle rule 1", "eu-central-1"]);
    lacks(&text, &["deletions are not replicated", "Nothing in the logs explains"]);
    let (found, _) = run("replicated-delete", &["detect"]);
    let finding = &found["findings"][0];
    assert_eq!(
        (&finding["kind"], &finding["severity"], &finding["tag"]),
        (&"replicated-deletion".into(), &"critical".into(), &"v1".into())
    );
    assert_eq!(
        (&finding["usage"]["pulls_after_gone"], &finding["deletion"]["rule_priority"]),
        (&1.into(), &1.into())
    );
    assert_eq!(verdict["why"], finding["id"]);
}

/// A requested restore is a step, and the advice is to wait.
#[test]
fn a_restore_under_way_is_told() {
    let (verdict, text) = explain("restore-under-way", &reference("svc/arch:v1"));
    assert_eq!(verdict["cause"], "archived");
    holds(&text, &["2026-02-05T10:10:00Z", "20 minutes", "ImageActivationEvent"]);
    lacks(&text, &["aws ecr update-image-storage-class", "it is gone", "that is gone", "after it was gone"]);
    holds(&text, &["asked for it once while it was archived"]);
    holds(
        &page("restore-under-way", &["timeline"]),
        &["in the archive since 2026-02-01T10:00:00Z", "a restore asked for 2026-02-05T10:10:00Z"],
    );
    let (timelines, _) = run("restore-under-way", &["timeline"]);
    let steps = timelines["timelines"][0]["steps"].as_array().unwrap();
    assert!(
        steps
            .iter()
            .any(|step| step["kind"] == "restore_requested" && step["time"] == "2026-02-05T10:10:00Z"),
        "{timelines}"
    );
}
