//! Incidents about tags, moments, and losses without a kind of their own: each is run through the binary, and
//! the answer must agree with the records and state nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const HOST: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";

/// A case's records.
struct Case(PathBuf);

impl Case {
    fn new(name: &str) -> Self {
        Self(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/incidents").join(name))
    }

    fn run(&self, arguments: &[&str]) -> (Value, i32) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        command.current_dir(&self.0).args(arguments).arg("case.json");
        if self.0.join("events.jsonl").exists() {
            command.arg("events.jsonl");
        }
        let output = command.args(["--format", "json", "--quiet"]).output().expect("the binary runs");
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (document, output.status.code().expect("an exit code"))
    }

    fn explain(&self, text: &str) -> Verdict {
        Verdict(self.run(&["explain", text]).0["verdict"].take())
    }

    /// The findings; if there is one, `--fail-on low` must fail.
    fn detect(&self) -> Vec<Value> {
        let (mut document, code) = self.run(&["detect", "--fail-on", "low"]);
        let Value::Array(findings) = document["findings"].take() else { panic!("{document}") };
        assert_eq!(code, i32::from(!findings.is_empty()));
        findings
    }

    fn one(&self) -> Value {
        let findings = self.detect();
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings.into_iter().next().expect("one")
    }
}

struct Verdict(Value);

impl Verdict {
    fn cause(&self) -> &str {
        self.0["cause"].as_str().expect("a cause")
    }

    fn step(&self, number: usize) -> &str {
        self.0["narrative"][number - 1]["text"].as_str().expect("a step")
    }

    /// The whole output as one text.
    fn said(&self) -> String {
        let texts = |list: &Value| {
            list.as_array()
                .into_iter()
                .flatten()
                .map(|one| one["text"].as_str().or(one.as_str()).unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
                .join("\n")
        };
        ["narrative", "not_this", "used_by", "unknown", "advice"].map(|list| texts(&self.0[list])).join("\n")
    }

    /// The records that a step is based on.
    fn records(&self, number: usize) -> Vec<u64> {
        let evidence = self.0["narrative"][number - 1]["evidence"].as_array().into_iter().flatten();
        evidence.filter_map(|event| event["record"].as_u64()).collect()
    }

    fn says(&self, words: &[&str]) {
        let said = self.said();
        words.iter().for_each(|word| assert!(said.contains(word), "{word:?} is missing in\n{said}"));
    }

    fn never_says(&self, words: &[&str]) {
        let said = self.said();
        words.iter().for_each(|word| assert!(!said.contains(word), "{word:?} is false, and said in\n{said}"));
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

#[test]
fn tag_moved_back() {
    let verdict = Case::new("tag-moved-back").explain(&format!("{HOST}/jobs/task:prod"));
    assert_eq!(verdict.cause(), "still-there");
    assert!(
        verdict.step(1).contains("since 2026-07-30T07:46:00Z") && verdict.step(1).contains("ci-b"),
        "{}",
        verdict.step(1)
    );
    for words in [
        "sha256:f2c519079370",
        "pushed at 2026-07-30T07:34:00Z",
        "ci-a",
        "until 2026-07-30T07:46:00Z",
        "ci-b",
    ] {
        assert!(verdict.step(2).contains(words), "{words}: {}", verdict.step(2));
    }
    verdict.says(&["went back to an older image", "Order the pipelines", "move the tag forward"]);
    // The question is not about a failed pull.
    verdict.never_says(&["explains a failed pull", "Look at access", "network"]);
}

#[test]
fn asked_before_pushed() {
    let case = Case::new("asked-before-pushed");
    let reference = format!("{HOST}/shop/search:b41");
    let verdict = case.explain(&format!(
        "CannotPullContainerError: failed to resolve ref {reference}: {reference}: not found"
    ));
    assert_eq!(verdict.cause(), "asked-before-pushed");
    verdict.says(&[
        "2026-03-02T10:00:20Z and 2026-03-02T10:00:29Z",
        "2026-03-02T10:02:10Z",
        "110 s after",
        "did not wait for the push",
    ]);
    verdict.says(&["It can be pulled now", "Deploy only after the push has succeeded"]);
    verdict.never_says(&["explains a failed pull", "Look at access", "network"]);
    assert_eq!(verdict.0["moment"]["at"], "2026-03-02T10:00:29Z");
    assert_eq!(
        (&verdict.0["moment"]["tag_existed"], &verdict.0["exists"]["tag_exists"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    let finding = case.one();
    assert_eq!(
        (text(&finding, "kind"), text(&finding, "severity"), text(&finding, "tag")),
        ("asked-before-pushed", "critical", "b41")
    );
    assert!(
        text(&finding, "summary").contains("ci-push/GitHubActions pushed it only 110 s later"),
        "{finding}"
    );
    assert_eq!(verdict.0["why"], finding["id"]);
}

#[test]
fn gone_and_back() {
    let verdict = Case::new("gone-and-back").explain(&format!("{HOST}/svc/a:v1: not found"));
    assert_eq!(verdict.cause(), "deleted-by-last-tag");
    assert!(
        verdict.step(2).contains("2026-02-01T10:00:00Z")
            && verdict.step(2).contains("came back at 2026-02-01T10:30:00Z"),
        "{}",
        verdict.step(2)
    );
    assert!(
        verdict.step(3).starts_with("The pull of 2026-02-01T10:05:00Z")
            && verdict.step(3).contains("that explains it"),
        "{}",
        verdict.step(3)
    );
    verdict.says(&["it can be pulled now", "start anew what stopped"]);
    verdict.never_says(&["Nothing in the logs explains", "Look at access", "does not exist", "it is gone."]);
    assert_eq!(verdict.0["gone"]["back_at"], "2026-02-01T10:30:00Z");
}

#[test]
fn tag_not_pushed_again() {
    let case = Case::new("tag-not-pushed-again");
    let verdict = case.explain(&format!("{HOST}/api/core:v1: not found"));
    assert_eq!(
        (verdict.cause(), &verdict.0["exists"]["tag_exists"]),
        ("expired-while-tagged", &Value::Bool(false))
    );
    verdict.says(&["2026-01-14T03:00:00Z", "under tag hotfix alone", "brings back only those that it names"]);
    verdict.never_says(&["Nothing in the logs explains", "the image is there", "it can be pulled now"]);
    let advice = verdict.0["advice"].to_string();
    assert!(advice.contains("v1 again") && advice.contains("sha256:b99747ae7bb7"), "{advice}");
    assert_eq!(
        (text(&case.one(), "kind"), text(&case.one(), "severity")),
        ("expired-while-tagged", "critical")
    );
}

#[test]
fn tag_removed_by_call() {
    let case = Case::new("tag-removed-by-call");
    let verdict = case.explain(&format!("{HOST}/api/core:stable: not found"));
    assert_eq!(verdict.cause(), "tag-removed");
    let exists = &verdict.0["exists"];
    assert_eq!((&exists["tag_exists"], &exists["digest_exists"]), (&Value::Bool(false), &Value::Bool(true)));
    verdict.says(&[
        "2026-01-03T08:00:02Z",
        "sha256:b99747ae7bb7",
        "tag-janitor/job took tag stable off at 2026-02-01T12:00:00Z",
        "is still there under v1",
    ]);
    verdict.says(&["Put tag stable back on that digest", "refer to v1"]);
    verdict.never_says(&["not tag stable", "no push, pull", "no BatchDeleteImage", "Widen --since"]);
    assert!(verdict.records(2).contains(&2) && verdict.records(3).contains(&3));
    let finding = case.one();
    assert_eq!(
        (text(&finding, "kind"), text(&finding, "severity"), text(&finding, "tag")),
        ("tag-removed", "critical", "stable")
    );
    assert_eq!(verdict.0["why"], finding["id"]);
}

#[test]
fn repository_recreated() {
    let case = Case::new("repository-recreated");
    let verdict = case.explain(&format!("manifest for {HOST}/core/auth:v8 not found: manifest unknown"));
    assert_eq!(verdict.cause(), "repository-deleted");
    verdict.says(&[
        "terraform/tf-run deleted the whole repository",
        "2026-03-01T12:00:00Z",
        "created anew",
        "empty, 6 s later",
        "never pushed in the second",
    ]);
    verdict.never_says(&["no push, pull", "no DeleteRepository", "Widen --since"]);
    assert!(verdict.records(2).contains(&1) && verdict.records(2).contains(&2));
    let finding = case.one();
    assert_eq!(
        (text(&finding, "kind"), text(&finding, "severity"), &finding["usage"]["pulls_after_gone"]),
        ("repository-deleted", "critical", &Value::from(1))
    );
}

#[test]
fn born_untagged() {
    let case = Case::new("born-untagged");
    let (_, code) = case.run(&["forecast", "--at", "2026-02-05", "--fail-on", "high"]);
    assert_eq!(code, 1, "needed, and about to be taken");
    let finding = case.one();
    assert_eq!((text(&finding, "kind"), text(&finding, "severity")), ("expired-untagged", "critical"));
    assert!(finding["usage"]["references"].to_string().contains("service/prod/infer"), "{finding}");
    let digest = "sha256:b99747ae7bb780d0e24c4fce2929df1fc47d49afad390fc07318ad6816afe118";
    let verdict = case.explain(&format!("{HOST}/ml/infer@{digest}: not found"));
    assert_eq!(verdict.cause(), "expired-untagged");
    assert!(
        verdict.step(3).contains("never had a tag") && verdict.records(3).contains(&1),
        "{}",
        verdict.step(3)
    );
    verdict.says(&["push the very same image again", "a tag of its own"]);
    verdict.never_says(&["before the logs begin or was not logged"]);
}

#[test]
fn child_of_living_index() {
    let case = Case::new("child-of-living-index");
    let finding = case.one();
    assert_eq!(
        (text(&finding, "kind"), text(&finding, "severity"), text(&finding, "tag")),
        ("child-lost", "critical", "v2")
    );
    let summary = text(&finding, "summary");
    assert!(summary.contains("pulls for linux/amd64 fail, linux/arm64 still works"), "{summary}");
    let child = "sha256:a565fde981b9a2c6fb28f23941de2fa8940ed1964ddfa2123854c64e3872a1d0";
    let verdict = case.explain(&format!("content at https://{HOST}/v2/team/api/manifests/{child} not found"));
    verdict.says(&[
        "2026-04-03T03:00:00Z",
        "tagged v2",
        "is still there",
        "linux/amd64 fail, linux/arm64 still works",
        "Push tag v2 again",
    ]);
    verdict.never_says(&["once its index is gone"]);
    let by_tag = case.explain(&format!("{HOST}/team/api:v2: not found"));
    assert_eq!((by_tag.cause(), &by_tag.0["why"]), ("index-or-child-gone", &finding["id"]));
}

#[test]
fn failure_nobody_explains() {
    let case = Case::new("failure-nobody-explains");
    let finding = case.one();
    assert_eq!(
        (text(&finding, "kind"), text(&finding, "severity"), text(&finding, "tag")),
        ("unexplained", "critical", "1.4.0")
    );
    let summary = text(&finding, "summary");
    for words in [
        "service example",
        "1.4.0",
        "nothing in these logs explains it",
        "nothing that registry 111122223333 did",
    ] {
        assert!(summary.contains(words), "{words}: {summary}");
    }
    assert!(finding["advice"].to_string().contains("Read the trail of account 111122223333"), "{finding}");
}

#[test]
fn index_lost_to_its_child() {
    let case = Case::new("index-lost-to-its-child");
    let finding = case.one();
    assert_ne!(text(&finding, "kind"), "same-tag-race", "there was one push");
    let said = format!("{} {}", text(&finding, "summary"), finding["advice"]);
    for words in [
        "one push",
        "ci-push",
        "1 s later",
        "an image that the index lists",
        "linux/amd64 only",
        "Push tag v3 again",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    for words in ["raced", "one pipeline", "Deploy anew"] {
        assert!(!said.contains(words), "{words}: {said}");
    }
    let verdict = case.explain(&format!(
        "Failed to pull image \"{HOST}/svc/gw:v3\": no match for platform in manifest: not found"
    ));
    assert_eq!(verdict.cause(), "index-lost-to-its-child");
    verdict.says(&[
        "linux/amd64",
        "no match for platform",
        "starting tasks anew does not help",
        "Push tag v3 again",
    ]);
    assert!(verdict.records(2).contains(&1) && verdict.records(2).contains(&2));
    verdict.never_says(&["Nothing in the logs explains", "Deploy anew"]);
}

#[test]
fn replica_without_its_tag() {
    let case = Case::new("replica-without-its-tag");
    let finding = case.one();
    assert_eq!((text(&finding, "kind"), text(&finding, "severity")), ("expired-untagged", "critical"));
    let digest = "sha256:d051debf788f42956edb2c294de28ab0b6b950b7cafd9f873f5d10dd66368b9f";
    let verdict = case
        .explain(&format!("111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/billing@{digest}: not found"));
    assert!(
        verdict.step(3).contains("replication brought it without its tag")
            && verdict.step(3).contains("tag latest was on"),
        "{}",
        verdict.step(3)
    );
    assert!(
        verdict.step(3).contains("immutable")
            && verdict.records(3).contains(&3)
            && verdict.records(3).contains(&0),
        "{}",
        verdict.step(3)
    );
    verdict.says(&["tags mutable", "exempt latest"]);
    verdict.never_says(&["happened before the logs begin or was not logged"]);
}

/// `--at` asks about another moment than the last failure.
#[test]
fn another_moment_has_another_answer() {
    let case = Case::new("gone-and-back");
    let reference = format!("{HOST}/svc/a:v1");
    let ask = |at: &str| Verdict(case.run(&["explain", &reference, "--at", at]).0["verdict"].take());
    let (before, between, after) = (ask("2026-01-20"), ask("2026-02-01T10:10:00Z"), ask("2026-02-02"));
    assert_eq!(
        [before.cause(), between.cause(), after.cause()],
        ["still-there", "deleted-by-last-tag", "still-there"]
    );
    assert_eq!(between.0["moment"]["basis"], "asked");
    assert_eq!(
        (&before.0["moment"]["tag_existed"], &between.0["moment"]["tag_existed"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
}

/// The history of a tag is part of the document.
#[test]
fn a_tag_has_a_timeline() {
    let (document, _) = Case::new("tag-removed-by-call").run(&["timeline", "--tag", "stable"]);
    let [tag] = document["tags"].as_array().expect("tags").as_slice() else { panic!("{document}") };
    let span = &tag["spans"][0];
    assert_eq!(
        (&tag["points_to"], &span["end"], &span["until"]),
        (&Value::Null, &Value::from("removed"), &Value::from("2026-02-01T12:00:00Z"))
    );
    assert_eq!(tag["asked_in_vain"][0]["record"], 3);
}

#[test]
fn tag_removed_at_the_source() {
    let case = Case::new("tag-removed-at-the-source");
    let verdict = case.explain("111122223333.dkr.ecr.eu-west-1.amazonaws.com/t/b:live: not found");
    assert_eq!(verdict.cause(), "tag-removed");
    assert!(
        verdict.step(2).contains("janitor/job took tag live off in t/b (111122223333, eu-central-1)"),
        "{}",
        verdict.step(2)
    );
    assert!(verdict.step(2).contains("most likely"), "{}", verdict.step(2));
    verdict.says(&["where it is replicated from", "--region eu-central-1"]);
    let finding = case.one();
    assert!(text(&finding, "summary").contains("most likely"), "{finding}");
    // The only pull came after the tag was gone.
    assert_eq!(
        (&finding["usage"]["pulls_before"], &finding["usage"]["pulls_after_gone"]),
        (&Value::from(0), &Value::from(1))
    );
}

#[test]
fn a_key_that_can_be_used_again_is_not_to_be_enabled() {
    let verdict = Case::new("key-usable-again").explain(&format!("{HOST}/v/s:v1: 403 Forbidden"));
    assert_eq!(verdict.cause(), "access-taken");
    verdict.says(&["admin/bob", "can be used again since 2026-02-01T10:00:00Z"]);
    verdict.never_says(&["kms enable-key"]);
}

#[test]
fn a_key_and_a_policy_are_two_causes() {
    let verdict = Case::new("key-and-policy").explain(&format!("{HOST}/v/s:v1: 403 Forbidden"));
    assert_eq!(verdict.cause(), "access-taken");
    verdict.says(&[
        "was disabled at 2026-02-01T08:00:00Z",
        "second cause",
        "2026-02-01T07:00:00Z by sec/bob",
        "none of it is logged so",
    ]);
}
