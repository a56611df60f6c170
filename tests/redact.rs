//! `--redact`: no name from the logs is in any output or message, in any format, and the findings are the
//! same.

#[path = "support/sim/mod.rs"]
mod sim;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sim::{Archive, World};

/// Arguments for each verb, and their formats.
const ASKED: &[(&[&str], &[&str])] = &[
    (&["detect"], &["table", "json", "ndjson", "csv", "markdown", "sarif", "ocsf", "timesketch"]),
    (&["detect", "--evidence"], &["table"]),
    (&["timeline"], &["table", "json", "ndjson", "csv", "markdown", "timesketch"]),
    (&["timeline", "--evidence", "--tag", "*"], &["table"]),
    (&["forecast"], &["table", "json", "ndjson", "csv", "markdown"]),
    (&["whatif"], &["table", "json", "ndjson", "csv", "markdown"]),
    (&["report"], &["table"]),
    (&["report", "--interactive"], &["table"]),
];

fn run(args: &[&str], source: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    command.args(args).arg(source).env("TAGFALL_REDACT_KEY", "").current_dir(source.parent().unwrap());
    command.output().unwrap()
}

/// All output and messages.
fn said(args: &[&str], source: &Path) -> String {
    let output = run(args, source);
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Members whose values are names.
const NAMING: &[&str] = &[
    "arn",
    "accountId",
    "recipientAccountId",
    "principalId",
    "userName",
    "registryId",
    "repositoryName",
    "sourceIPAddress",
    "family",
    "serviceName",
    "cluster",
    "clusterArn",
    "service",
    "taskDefinition",
    "taskDefinitionArn",
    "functionName",
    "functionArn",
    "projectName",
    "jobDefinition",
    "group",
    "ARN",
    "keyId",
    "userAgent",
    "ruleDescription",
    "containerName",
    "taskArn",
    "name",
    "startedBy",
];

/// Words of this program's or AWS's sentences, which reveal nothing.
fn is_common(name: &str) -> bool {
    let aws = name.contains("amazonaws.com")
        || ["AWS Internal", "root", "default", "GitHubActions", "aws"].contains(&name)
        || name.starts_with("ecs");
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase()) && name.len() < 9;
    aws || name.len() < 4 || is_plain || name.bytes().all(|byte| byte.is_ascii_digit()) && name.len() != 12
}

/// Every name in a record: whole values, and the parts of ARNs.
fn names(value: &Value, key: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| names(value, key, found)),
        Value::Array(values) => values.iter().for_each(|value| names(value, key, found)),
        Value::String(text) if NAMING.contains(&key) => {
            found.insert(text.clone());
            if text.starts_with("arn:") || key != "userAgent" {
                let words = [
                    "assumed-role",
                    "task-definition",
                    "repository",
                    "service",
                    "function",
                    "cluster",
                    "container-instance",
                    "job-definition",
                ];
                found.extend(
                    text.split([':', '/'])
                        .skip(if text.starts_with("arn:") { 4 } else { 0 })
                        .filter(|part| !words.contains(part))
                        .map(str::to_owned),
                );
            }
        }
        _ => {}
    }
}

fn secrets<'r>(records: impl Iterator<Item = &'r Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    records.for_each(|record| names(record, "", &mut found));
    found.retain(|name| !is_common(name) && !name.starts_with("eu-") && !name.starts_with("us-"));
    found
}

/// Fails with the first occurrence of each secret that was revealed.
fn none_of(secrets: &BTreeSet<String>, text: &str, what: &str) {
    let got_out: Vec<String> = secrets
        .iter()
        .filter_map(|secret| {
            let at = text.find(secret.as_str())?;
            let around: String = text[..at]
                .chars()
                .rev()
                .take(60)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .chain(text[at..].chars().take(80))
                .collect();
            Some(format!("{secret}: …{around}…"))
        })
        .take(5)
        .collect();
    assert!(got_out.is_empty(), "{what}: {}", got_out.join("\n"));
}

#[test]
fn no_name_of_a_simulated_archive_gets_out_in_any_format() {
    for seed in sim::seeds(2) {
        let world = World::generate(seed);
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("acme-payments-evidence");
        // One of the archives is damaged; messages about that quote nothing.
        Archive::deliver(&world, seed % 2 == 0).write(&logs).unwrap();
        let mut secrets = secrets(world.logged.iter().map(|logged| &logged.record));
        secrets.insert("acme-payments-evidence".to_owned());
        let plain = said(&["timeline", "--allow-incomplete", "--format", "json"], &logs);
        let shown = secrets.iter().filter(|secret| plain.contains(secret.as_str())).count();
        assert!(secrets.len() > 50 && shown > 30, "names that would get out: {shown} of {}", secrets.len());
        for (verb, formats) in ASKED {
            for format in *formats {
                let args = [*verb, &["--redact", "--allow-incomplete", "--format", format]].concat();
                none_of(&secrets, &said(&args, &logs), &format!("SEED={seed} {args:?}"));
            }
        }
    }
}

fn incident(folder: &Path) -> std::path::PathBuf {
    let logs = folder.join("logs");
    let status = Command::new("cp")
        .arg("-r")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident"))
        .arg(&logs)
        .status()
        .unwrap();
    assert!(status.success());
    logs
}

const QUESTION: &str = "CannotPullContainerError: failed to resolve ref 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/checkout:release-2026.03.02@sha256:2d6584fa9333a12a8fa7922a8168f577b4abe34ad354c2ce5ed1b7a60b2a974e: not found";

#[test]
fn the_incident_is_told_without_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let logs = incident(folder.path());
    let secrets = [
        "111122223333",
        "shop/checkout",
        "codebuild-checkout-main",
        "checkout-task-execution",
        "kim",
        "terraform-run",
        "203.0.113.40",
        "platform-terraform",
        "Expire untagged images",
        "556a69b2d0e360ba",
    ];
    let secrets: BTreeSet<String> = secrets.map(str::to_owned).into();
    for (verb, formats) in ASKED {
        for format in *formats {
            let args = [*verb, &["--redact", "--format", format]].concat();
            none_of(&secrets, &said(&args, &logs), &format!("{args:?}"));
        }
    }
    for format in ["table", "json", "ndjson", "csv", "markdown"] {
        let text = said(&["explain", QUESTION, "--redact", "--format", format], &logs);
        none_of(&secrets, &text, format);
        assert!(
            text.contains("release-2026.03.02")
                && text.contains("2026-03-10T02:26:40Z")
                && text.contains("eu-central-1"),
            "{text}"
        );
    }
    // Names in the question or the filter are replaced even if the logs do not contain them.
    let absent =
        said(&["explain", "999988887777.dkr.ecr.eu-west-1.amazonaws.com/acme/ledger:v1", "--redact"], &logs);
    assert!(!absent.contains("acme") && !absent.contains("999988887777"), "{absent}");
    let typo = String::from_utf8(run(&["detect", "--redact", "--repository", "shop/chekout"], &logs).stderr)
        .unwrap();
    assert!(typo.contains("did you mean repository-") && !typo.contains("shop"), "{typo}");
}

/// Counts, times and kinds of a redacted document are those of the plain one.
#[test]
fn the_story_stays_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let logs = incident(folder.path());
    let document = |args: &[&str]| -> Value { serde_json::from_slice(&run(args, &logs).stdout).unwrap() };
    let (plain, shown) =
        (document(&["detect", "--format", "json"]), document(&["detect", "--format", "json", "--redact"]));
    let (plain, shown) = (&plain["findings"][0], &shown["findings"][0]);
    for same in ["kind", "severity", "tag", "lost", "kept", "gap_seconds", "order", "exposure_seconds"] {
        assert_eq!(plain[same], shown[same], "{same}");
    }
    assert_eq!(shown["repository"]["name"], "repository-1");
    assert_eq!(shown["summary"].as_str().unwrap().split(' ').nth(1), Some("repository-1"));
    assert!(
        shown["first_push"]["actor"]
            .as_str()
            .unwrap()
            .starts_with("arn:aws:sts::account-1:assumed-role/role-")
    );
    // One pseudonym for each name.
    let principals = shown["usage"]["principals"].as_array().unwrap();
    let distinct: BTreeSet<&str> = principals.iter().filter_map(Value::as_str).collect();
    assert_eq!(distinct.len(), plain["usage"]["principals"].as_array().unwrap().len());
}

#[test]
fn a_key_makes_pseudonyms_stable_and_another_key_makes_others() {
    let folder = tempfile::tempdir().unwrap();
    let logs = incident(folder.path());
    std::fs::write(folder.path().join("one.key"), "a secret of more than sixteen bytes\n").unwrap();
    std::fs::write(folder.path().join("other.key"), "another secret, as long as the first").unwrap();
    std::fs::write(folder.path().join("short.key"), "short").unwrap();
    let name = |args: &[&str]| -> String {
        let document: Value =
            serde_json::from_slice(&run(&[args, &["--format", "json"]].concat(), &logs).stdout).unwrap();
        let first = document["findings"].get(0).or_else(|| document["timelines"].get(0)).unwrap();
        first["repository"]["name"].as_str().unwrap().to_owned()
    };
    let detected = name(&["detect", "--redact-key", "one.key"]);
    assert_eq!(detected, name(&["timeline", "--redact-key", "one.key", "--since", "2026-03-01"]));
    assert_ne!(detected, name(&["detect", "--redact-key", "other.key"]));
    assert!(detected.starts_with("repository-") && detected.len() == "repository-".len() + 12);
    let short = run(&["detect", "--redact-key", "short.key"], &logs);
    assert!(short.status.code() == Some(2) && short.stdout.is_empty());
    for (name, options, code) in
        [("counted.json", &["--redact"][..], 2), ("keyed.json", &["--redact-key", "one.key"], 0)]
    {
        run(&[&["detect", "--format", "json", "-o", name], options].concat(), &logs);
        let mut diff = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        let output = diff.args(["diff", name, name]).current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let known = ["detect", "--redact-key", "one.key", "--known", "known.json"];
    assert_eq!(
        (run(&known, &logs).status.code(), run(&known, &logs).status.code()),
        (Some(1), Some(0)),
        "what is known is known by its real name"
    );
}
