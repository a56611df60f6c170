//! The binary on the archives in `fixtures/`: the whole way from files to findings.

use std::io;
use std::path::{Path, PathBuf};

use crate::world::{World, compare};

/// Runs on `incident` and `quiet`, copies of the two archives.
pub const CASES: &[(&str, &[&str])] = &[
    ("incident-detect", &["detect", "incident"]),
    ("incident-detect-json", &["detect", "incident", "--format", "json"]),
    ("incident-detect-ndjson", &["detect", "incident", "--format", "ndjson"]),
    ("incident-detect-csv", &["detect", "incident", "--format", "csv"]),
    ("incident-detect-quiet", &["detect", "incident", "--quiet", "--fail-on", "critical"]),
    ("incident-timeline", &["timeline", "incident"]),
    ("incident-timeline-csv", &["timeline", "incident", "--format", "csv"]),
    ("incident-timeline-expired", &["timeline", "incident", "--state", "expired", "--format", "ndjson"]),
    ("incident-timeline-no-match", &["timeline", "incident", "--tag", "no-such-tag", "--format", "json"]),
    ("incident-repository-typo", &["detect", "incident", "--repository", "no-such-repository"]),
    ("incident-account-typo", &["detect", "incident", "--account", "999999999999"]),
    ("incident-other-time", &["detect", "incident", "--until", "2001-01-01"]),
    ("incident-forecast", &["forecast", "incident"]),
    (
        "incident-forecast-at-risk",
        &["forecast", "incident", "--at", "2026-03-09T12:00:00Z", "--fail-on", "critical"],
    ),
    ("incident-forecast-json", &["forecast", "incident", "--at", "2026-03-05", "--format", "json"]),
    ("incident-forecast-csv", &["forecast", "incident", "--at", "2026-03-05", "--format", "csv"]),
    ("incident-whatif", &["whatif", "incident"]),
    ("incident-whatif-json", &["whatif", "incident", "--format", "json"]),
    ("incident-whatif-longer", &["whatif", "incident", "--policy", "policies/longer.json"]),
    (
        "incident-whatif-shorter",
        &["whatif", "incident", "--policy", "policies/shorter.json", "--fail-on", "critical"],
    ),
    (
        "incident-whatif-shorter-csv",
        &["whatif", "incident", "--policy", "policies/shorter.json", "--format", "csv", "--quiet"],
    ),
    ("quiet-forecast", &["forecast", "quiet"]),
    ("quiet-forecast-ndjson", &["forecast", "quiet", "--repository", "web/worker", "--format", "ndjson"]),
    ("quiet-whatif-shorter", &["whatif", "quiet", "--policy", "policies/printed.json", "--format", "ndjson"]),
    ("incident-report", &["report", "incident"]),
    ("quiet-report", &["report", "quiet", "-o", "-"]),
    ("quiet-detect", &["detect", "quiet"]),
    ("damaged-detect", &["detect", "damaged", "--format", "ndjson"]),
    ("damaged-allowed", &["detect", "damaged", "--allow-incomplete", "--format", "csv"]),
];

/// Both archives, and the first one with a broken object added. `None`, with a message, if they do not exist.
fn world() -> Option<World> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let (incident, quiet): (PathBuf, PathBuf) = (fixtures.join("incident"), fixtures.join("quiet"));
    if !incident.is_dir() || !quiet.is_dir() {
        eprintln!("SKIPPED: {} has no archives", fixtures.display());
        return None;
    }
    let world = World::new();
    world.copy(&incident, "incident");
    world.copy(&quiet, "quiet");
    world.copy(&incident, "damaged");
    world.file("damaged/zz-broken.json.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]);
    for (name, days) in [("longer", 30), ("shorter", 3)] {
        world.file(&format!("policies/{name}.json"), untagged(days).as_bytes());
    }
    let printed = serde_json::json!({"registryId": "111122223333", "repositoryName": "shop/api", "lifecyclePolicyText": untagged(2)});
    world.file("policies/printed.json", printed.to_string().as_bytes());
    Some(world)
}

/// A policy that expires untagged images this many days after their push.
fn untagged(days: u32) -> String {
    let selection = serde_json::json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days});
    serde_json::json!({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})
        .to_string()
}

#[test]
fn what_is_said_about_the_archives() {
    let Some(world) = world() else { return };
    compare(&world, CASES);
    assert_eq!(
        world.names(),
        ["damaged", "incident", "policies", "quiet"],
        "a run wrote something that nobody asked for"
    );
}

/// 2 before 1 before 3 before 0.
#[test]
fn the_worst_exit_code_wins() {
    let Some(world) = world() else { return };
    let codes = [
        (&["detect", "quiet", "--fail-on", "critical"][..], 0),
        (&["detect", "incident"], 0),
        (&["detect", "damaged"], 3),
        (&["detect", "damaged", "--allow-incomplete"], 0),
        (&["detect", "incident", "--fail-on", "critical"], 1),
        (&["timeline", "incident", "--fail-on", "critical"], 1),
        (&["forecast", "damaged"], 3),
        (&["forecast", "incident", "--fail-on", "critical"], 0),
        (&["forecast", "incident", "--at", "2026-03-05", "--fail-on", "critical"], 1),
        (&["whatif", "damaged"], 3),
        (&["whatif", "incident", "--policy", "policies/shorter.json", "--fail-on", "critical"], 1),
        (&["whatif", "incident", "--policy", "no-such-file", "--fail-on", "critical"], 2),
        (&["report", "incident", "--fail-on", "critical"], 1),
        (&["report", "damaged"], 3),
        (&["detect", "damaged", "--fail-on", "critical"], 1),
        (&["detect", "damaged", "--fail-on", "critical", "--allow-incomplete"], 1),
        (&["detect", "damaged", "no-such-folder", "--fail-on", "critical"], 2),
    ];
    for (args, code) in codes {
        assert_eq!(world.code(args), Some(code), "{args:?}");
    }
}

#[test]
fn the_same_evidence_gives_the_same_bytes() {
    let Some(world) = world() else { return };
    for format in ["table", "json", "ndjson", "csv"] {
        for verb in ["detect", "timeline", "forecast", "whatif"] {
            let run = |jobs: &str| world.run(&[verb, "incident", "--format", format, "--jobs", jobs]).stdout;
            let one = run("1");
            assert!(!one.is_empty());
            assert_eq!(run("8"), one, "{verb} {format}");
            assert_eq!(world.code(&[verb, "incident", "--format", format, "-o", "out"]), Some(0));
            assert_eq!(world.read("out").into_bytes(), one, "{verb} {format} -o");
        }
    }
    let page = world.run(&["report", "incident", "--jobs", "1"]).stdout;
    assert_eq!(world.run(&["report", "incident", "--jobs", "8"]).stdout, page);
    assert_eq!(world.code(&["report", "incident", "-o", "out"]), Some(0));
    assert_eq!(world.read("out").into_bytes(), page, "report -o");
}

/// Every verb with rows supports Parquet, with the same rows as `query`.
#[cfg(feature = "sql")]
#[test]
fn parquet_has_the_rows_of_the_query() {
    let Some(world) = world() else { return };
    let bytes = |path: &str| std::fs::read(world.path(path)).unwrap();
    let rows =
        |bytes: &[u8]| polars_parquet::read::read_metadata(&mut io::Cursor::new(bytes)).unwrap().num_rows;
    for (verb, table) in [
        (&["detect", "incident"][..], "findings"),
        (&["timeline", "incident", "--state", "expired"], "images"),
    ] {
        assert_eq!(
            world.code(&[verb, &["--format", "parquet", "-o", "a.parquet", "--jobs", "8"]].concat()),
            Some(0)
        );
        let filter = if table == "images" { " WHERE state = 'expired'" } else { "" };
        let query = format!("SELECT * FROM {table}{filter}");
        assert_eq!(
            world.code(&["query", &query, "incident", "--format", "parquet", "-o", "b.parquet"]),
            Some(0)
        );
        assert!(rows(&bytes("a.parquet")) > 0, "{table}");
        assert!(bytes("a.parquet") == bytes("b.parquet"), "{table}");
    }
}

/// Rows that are passed on as they come from a lake are put aside until the beginning of the JSON document is known.
#[cfg(feature = "sql")]
#[test]
fn json_of_a_lake_has_the_rows_of_the_archive() {
    let Some(world) = world() else { return };
    assert_eq!(world.code(&["ingest", "incident", "--lake", "lake"]), Some(0));
    for query in [
        "SELECT eventtime, eventid, eventname, useridentity, requestparameters FROM events ORDER BY 1 DESC, 2",
        "SELECT eventid, resources FROM events WHERE eventname <> 'PutImage'",
        "SELECT eventid FROM events WHERE eventname = 'NoSuchCall'",
    ] {
        let asked = |source: &str| {
            // Few rows need no temporary file, which could not be made in this folder.
            let folder = if cfg!(target_os = "linux") { "/proc" } else { "." };
            let asked = ["query", query, source, "--format", "json", "-q", "--spill-dir", folder];
            let output = world.run(&asked);
            assert_eq!(output.status.code(), Some(0), "{query} {source}");
            serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
        };
        let (lake, archive) = (asked("lake"), asked("incident"));
        assert_eq!(lake["columns"], archive["columns"], "{query}");
        assert_eq!(lake["coverage"]["records"].as_u64(), archive["coverage"]["records"].as_u64(), "{query}");
        assert_eq!(lake["rows"].as_array().unwrap().is_empty(), query.contains("NoSuchCall"), "{query}");
        let sorted = |document: &serde_json::Value| {
            let mut rows: Vec<String> =
                document["rows"].as_array().unwrap().iter().map(ToString::to_string).collect();
            if !query.contains("ORDER") {
                rows.sort();
            }
            rows
        };
        assert_eq!(sorted(&lake), sorted(&archive), "{query}");
    }
}

/// The other two have no SQL table; they have the rows of their CSV.
#[cfg(feature = "sql")]
#[test]
fn parquet_has_as_many_rows_as_the_csv() {
    let Some(world) = world() else { return };
    for verb in ["forecast", "whatif"] {
        assert_eq!(world.code(&[verb, "quiet", "--format", "parquet", "-o", "a.parquet"]), Some(0));
        let rows =
            polars_parquet::read::read_metadata(&mut std::fs::File::open(world.path("a.parquet")).unwrap())
                .unwrap()
                .num_rows;
        let csv = world.run(&[verb, "quiet", "--format", "csv"]).stdout;
        assert_eq!(rows + 1, String::from_utf8(csv).unwrap().lines().count(), "{verb}");
        assert!(rows > 3, "{verb}");
    }
}

/// No event can match, so none is read; that does not mean that the folder is empty.
#[cfg(feature = "sql")]
#[test]
fn a_condition_that_no_event_can_meet_gives_no_rows() {
    let Some(world) = world() else { return };
    for condition in [
        "eventname = 'PutImage' AND eventname = 'CreateUser'",
        "eventsource = 'a' AND eventsource IN ('b', 'c')",
        "region = 'x' AND region = 'y'",
    ] {
        let output = world.run(&[
            "query",
            &format!("SELECT count(*) AS n FROM events WHERE {condition}"),
            "incident",
            "--format",
            "csv",
        ]);
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stdout).trim()),
            (Some(0), "n\n0"),
            "{condition}"
        );
    }
}

#[test]
fn a_closed_pipe_does_not_hide_what_was_found() {
    let Some(world) = world() else { return };
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let output = world
        .command(&["detect", "incident", "--fail-on", "critical", "--quiet"])
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(1), ""));
}
