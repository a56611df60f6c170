//! The binary as a user sees it: what it prints, where, and with which exit code.

#[path = "cli/world.rs"]
mod world;

#[cfg(target_os = "linux")]
#[path = "cli/endings.rs"]
mod endings;

#[path = "cli/alerts.rs"]
mod alerts;

#[path = "cli/config.rs"]
mod config;

#[cfg(unix)]
#[path = "cli/recipes.rs"]
mod recipes;

#[path = "cli/widths.rs"]
mod widths;

#[cfg(feature = "sql")]
#[path = "cli/headings.rs"]
mod headings;

#[path = "cli/formats.rs"]
mod formats;

#[path = "cli/fixtures.rs"]
mod fixtures;

#[path = "cli/verify.rs"]
mod verify;

use std::fs;
use std::io;

use world::{World, compare, snapshots};

/// Runs without evidence.
const CASES: &[(&str, &[&str])] = &[
    #[cfg(feature = "sql")]
    ("help", &["--help"]),
    ("help-detect", &["detect", "--help"]),
    ("help-detect-short", &["detect", "-h"]),
    ("help-explain", &["explain", "--help"]),
    ("help-timeline", &["timeline", "--help"]),
    ("help-verify", &["verify", "--help"]),
    ("help-forecast", &["forecast", "--help"]),
    ("help-whatif", &["whatif", "--help"]),
    ("help-completions", &["completions", "--help"]),
    #[cfg(feature = "sql")]
    ("help-ingest", &["ingest", "--help"]),
    ("help-man", &["man", "--help"]),
    ("help-report", &["report", "--help"]),
    ("help-rescue", &["rescue", "--help"]),
    ("help-fate", &["fate", "--help"]),
    ("help-trace", &["trace", "--help"]),
    ("usage-trace-without-a-source", &["trace", "ASIAEXAMPLEEXAMPLE22"]),
    ("help-snapshot", &["snapshot", "--help"]),
    ("usage-snapshot-without-script", &["snapshot"]),
    ("version", &["--version"]),
    #[cfg(feature = "sql")]
    ("usage-nothing", &[]),
    ("usage-unknown-verb", &["detec", "logs"]),
    ("usage-no-source", &["detect"]),
    ("usage-unknown-option", &["detect", "logs", "--repo", "a"]),
    ("usage-explain-only-reference", &["explain", "shop/api:v7"]),
    ("usage-since", &["detect", "logs", "--since", "yesterday"]),
    ("usage-since-zone", &["detect", "logs", "--since", "2024-10-01T12:00:00"]),
    ("usage-since-after-until", &["detect", "logs", "--since", "2024-10-02", "--until", "2024-10-01"]),
    ("usage-account", &["detect", "logs", "--account", "1234"]),
    ("usage-region-zone", &["detect", "logs", "--region", "eu-central-1a"]),
    ("usage-repository-tag", &["detect", "logs", "--repository", "shop/api:v7"]),
    (
        "usage-repository-registry",
        &["detect", "logs", "--repository", "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api"],
    ),
    ("usage-format", &["detect", "logs", "--format", "xml"]),
    (
        "usage-parquet-of-a-verdict",
        &["explain", "shop/api:v7", "logs", "--format", "parquet", "-o", "out.parquet"],
    ),
    ("usage-format-of-a-report", &["report", "logs", "--format", "json"]),
    ("usage-fail-on", &["detect", "logs", "--fail-on", "urgent"]),
    ("usage-race-window", &["detect", "logs", "--race-window", "600"]),
    ("usage-max-memory", &["detect", "logs", "--max-memory", "1KiB"]),
    ("usage-jobs", &["detect", "logs", "--jobs", "0"]),
    ("usage-endpoint", &["detect", "logs", "--endpoint-url", "localhost:9000"]),
    ("usage-state", &["timeline", "logs", "--state", "lost"]),
    ("usage-digest", &["timeline", "logs", "--digest", "v7"]),
    ("usage-dry-run-of-timeline", &["timeline", "logs", "--dry-run"]),
    ("usage-forecast-at", &["forecast", "logs", "--at", "tomorrow"]),
    ("usage-forecast-since-after-at", &["forecast", "logs", "--since", "2026-03-02", "--at", "2026-03-01"]),
    ("whatif-no-such-policy", &["whatif", "logs", "--policy", "no/such.json"]),
    ("whatif-bad-policy", &["whatif", "logs", "--policy", "policies/bad.json"]),
    ("whatif-policy-is-no-json", &["whatif", "logs", "--policy", "policies/none.json"]),
    ("whatif-stdin-twice", &["whatif", "-", "--policy", "-"]),
    ("whatif-empty-stdin", &["whatif", "logs", "--policy", "-"]),
    ("explain-without-a-reference", &["explain", "it is broken", "logs"]),
    #[cfg(feature = "sql")]
    ("man-unknown", &["man", "detec"]),
    ("verify-nothing-to-verify-with", &["verify", "logs"]),
    ("verify-empty-folder", &["verify", "empty"]),
    ("verify-parameter", &["verify", "logs", "--repository", "shop/api"]),
    ("source-missing", &["detect", "no/such/folder"]),
    ("source-bucket-without-scheme", &["detect", "my-trail/AWSLogs/111122223333"]),
    ("source-stdin-twice", &["detect", "-", "-"]),
    ("source-empty-folder", &["detect", "empty"]),
    ("source-empty-folder-quiet", &["detect", "empty", "--quiet"]),
    ("output-is-a-folder", &["detect", "logs", "-o", "empty"]),
    ("output-in-no-folder", &["detect", "logs", "-o", "no/such/folder/findings.json"]),
    ("dry-run", &["detect", "logs", "--dry-run"]),
    ("dry-run-json", &["detect", "logs", "--dry-run", "--format", "json", "--account", "111122223333"]),
    ("dry-run-ndjson", &["detect", "logs", "empty", "--dry-run", "--format", "ndjson"]),
    ("dry-run-csv", &["detect", "logs", "empty", "--dry-run", "--format", "csv"]),
    ("dry-run-two-sources", &["detect", "logs", "empty", "--dry-run"]),
    ("dry-run-typo", &["detect", "logs", "--dry-run", "--account", "111122223334"]),
    ("dry-run-other-time", &["detect", "logs", "--dry-run", "--since", "2026-05-01"]),
    ("dry-run-stdin", &["detect", "-", "--dry-run"]),
];

/// A policy with three mistakes in two rules.
const BAD_POLICY: &str = r#"{"rules": [
  {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5}, "action": {"type": "expire"}},
  {"rulePriority": 2, "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countNumber": 0}, "action": {"type": "expire"}}
]}"#;

/// A folder in the layout of a trail, and an empty one. The objects are listed, never read.
fn world() -> World {
    let world = World::new();
    fs::create_dir(world.path("empty")).unwrap();
    world.file("policies/none.json", b"{\"rules\": [}");
    world.file("policies/bad.json", BAD_POLICY.as_bytes());
    for (account, day) in [("111122223333", "01"), ("111122223333", "02"), ("444455556666", "02")] {
        let name = format!("{account}_CloudTrail_eu-central-1_202603{day}T0005Z_AAAAAAAAAAAAAAAA.json.gz");
        world.file(
            &format!("logs/AWSLogs/{account}/CloudTrail/eu-central-1/2026/03/{day}/{name}"),
            b"not read",
        );
    }
    world
}

#[test]
fn what_is_said_without_evidence() {
    let world = world();
    compare(&world, CASES);
    assert_eq!(world.names(), ["empty", "logs", "policies"], "a run wrote something that nobody asked for");
}

#[test]
fn there_is_no_snapshot_without_a_case() {
    if cfg!(not(feature = "sql")) {
        // Verbs that need SQL are not there, and their snapshots have no case.
        return;
    }
    let known: Vec<_> =
        CASES.iter().chain(fixtures::CASES).chain(verify::CASES).map(|(name, _)| *name).collect();
    let orphans: Vec<_> = snapshots().into_iter().filter(|name| !known.contains(&name.as_str())).collect();
    assert_eq!(orphans, Vec::<String>::new());
}

#[test]
fn a_bad_address_in_s3_is_told_before_anything_is_sent() {
    let output = World::new().run(&["detect", "s3://"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let expected = if cfg!(feature = "s3") {
        "tagfall: error: s3:// is not an address in S3"
    } else {
        "this tagfall was built without S3"
    };
    assert!(output.status.code() == Some(2) && stderr.contains(expected), "{stderr}");
}

#[test]
fn data_goes_to_the_file_and_only_there() {
    let world = world();
    let args = ["detect", "logs", "--dry-run", "--format", "json"];
    let stdout = world.run(&args).stdout;
    let run = world.run(&[args.as_slice(), &["-o", "plan.json"]].concat());
    assert_eq!((run.status.code(), run.stdout, run.stderr), (Some(0), Vec::new(), Vec::new()));
    assert_eq!(world.read("plan.json").into_bytes(), stdout);
    assert_eq!(world.names(), ["empty", "logs", "plan.json", "policies"]);
}

/// Once, `-o` with the name of a log file (by mistake, or because a script swapped its arguments) destroyed
/// the evidence.
#[test]
fn the_output_never_replaces_a_file_with_records() {
    let world = World::new();
    let record = r#"{"Records":[{"eventTime":"2026-03-02T10:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","eventID":"1"}]}"#;
    world.file("logs/a.json", record.as_bytes());
    for format in ["json", "csv", "table", "ndjson"] {
        let run = world.run(&["detect", "logs/a.json", "-o", "logs/a.json", "--format", format]);
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(
            run.status.code() == Some(2) && stderr.contains("the file contains CloudTrail records"),
            "{stderr}"
        );
        assert_eq!(world.read("logs/a.json"), record);
        // The output of an earlier run may be replaced.
        assert_eq!(
            (0..2)
                .map(|_| world.code(&["detect", "logs/a.json", "-o", "out", "--format", format]))
                .collect::<Vec<_>>(),
            [Some(0); 2]
        );
    }
}

#[test]
fn what_is_left_out_is_said_and_one_typo_among_names_too() {
    let world = World::new();
    let record = r#"{"eventTime":"2026-03-02T10:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"DeleteRepository","eventID":"1","recipientAccountId":"111122223333","awsRegion":"eu-central-1","requestParameters":{"repositoryName":"shop/api"}}"#;
    world.file("logs/a.json", record.as_bytes());
    world.file("logs/.b.json", b"not read");
    let run = world.run(&["detect", "logs", "--repository", "shop/api,shop/wep"]);
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(
        run.status.code() == Some(0) && stderr.contains("1 file or folder was left out as no evidence"),
        "{stderr}"
    );
    assert!(
        stderr.contains("nothing in these logs matches --repository shop/wep (did you mean shop/api?)"),
        "{stderr}"
    );
    let quiet = world.run(&["detect", "logs", "--repository", "shop/api,shop/wep", "--quiet"]);
    assert_eq!((quiet.status.code(), quiet.stderr), (Some(0), Vec::new()));
}

/// A named file that cannot be opened gives exit code 2, as a folder does; root may open everything.
#[cfg(unix)]
#[test]
fn a_named_file_that_cannot_be_opened_is_a_run_that_could_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.file("closed.json", b"{}");
    fs::set_permissions(world.path("closed.json"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(world.path("closed.json")).is_ok() {
        eprintln!("SKIPPED: this user may open everything");
        return;
    }
    assert_eq!(world.code(&["detect", "closed.json"]), Some(2));
}

#[test]
fn a_failed_run_leaves_no_old_file_that_could_be_taken_for_its_own() {
    let world = world();
    world.file("plan.json", b"old");
    assert_eq!(world.code(&["detect", "empty", "-o", "plan.json"]), Some(2));
    assert_eq!(world.names(), ["empty", "logs", "policies"]);
}

/// `tagfall … | head -1` must end without a message. The reader is gone before the first byte is written.
#[test]
fn a_closed_pipe_ends_quietly() {
    let world = world();
    for args in [&["completions", "bash"][..], &["man"], &["detect", "logs", "--dry-run"], &["--help"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = world.command(args).stdout(writer).output().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = world().command(&["detect", "logs", "--dry-run"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .starts_with("tagfall: error: cannot write to stdout\n  because: ")
    );
}

#[test]
fn completions_and_manual_pages_know_every_verb() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = String::from_utf8(world.run(&["completions", shell]).stdout).unwrap();
        assert!(
            ["detect", "explain", "timeline", "race-window"].iter().all(|word| script.contains(word)),
            "{shell}"
        );
        #[cfg(feature = "sql")]
        assert!(
            ["@tag-history", "useridentity", "exposure_seconds"]
                .iter()
                .all(|word| !["bash", "zsh"].contains(&shell) || script.contains(word)),
            "{shell}"
        );
    }
    for verb in ["detect", "explain", "timeline"] {
        let page = String::from_utf8(world.run(&["man", verb]).stdout).unwrap();
        assert!(page.contains(&format!(".TH tagfall-{verb} 1")) && page.contains("race\\-window"), "{verb}");
    }
}
