//! A lake that several runs have filled counts the events that share an id like the archive that they read.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::{document, lines, rows, said, tagfall, text};

/// An event of its own for each `number`; several may have the same id.
fn event(id: &str, number: u64) -> Value {
    json!({"eventVersion": "1.11", "eventID": id, "eventName": "DescribeInstances",
        "eventSource": "ec2.amazonaws.com", "awsRegion": "eu-central-1", "recipientAccountId": "111122223333",
        "eventTime": format!("2026-03-{:02}T10:00:{:02}Z", 1 + number % 9, number / 9 % 60),
        "eventType": "AwsApiCall", "readOnly": true, "requestParameters": {"number": number}})
}

/// An event of EventBridge's own.
fn native(id: &str, digest: &str) -> Value {
    json!({"version": "0", "id": id, "detail-type": "ECR Image Action", "source": "aws.ecr",
        "account": "111122223333", "time": "2026-03-02T10:00:00Z", "region": "eu-central-1", "resources": [],
        "detail": {"result": "SUCCESS", "repository-name": "shop/api", "image-digest": digest.repeat(64),
            "action-type": "PUSH", "image-tag": "v1"}})
}

fn ingest(logs: &Path, lake: &Path) {
    let output = tagfall(&["ingest", text(logs), "--lake", text(lake)]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What the coverage says of shared ids: in `detect` and in the table of a query, which agree.
#[track_caller]
fn shared(source: &Path) -> (u64, Vec<String>) {
    let (detected, _) = said(&["detect", text(source)]);
    let coverage = &detected["coverage"];
    let number = coverage["events_sharing_an_id"].as_u64().expect("a number");
    let table = rows(source, "SELECT events_sharing_an_id FROM coverage").remove(0);
    assert_eq!(table["events_sharing_an_id"].as_u64(), Some(number), "{table}");
    let warnings = coverage["warnings"].as_array().expect("warnings");
    let warnings = warnings.iter().map(|warning| warning.as_str().expect("text").to_owned());
    (number, warnings.filter(|warning| warning.contains("eventID") || warning.contains("sharing")).collect())
}

const ONE: &str = "0828c0d2-3589-4390-b954-c78b4a7df44b";
const OTHER: &str = "7c1b6a53-94d2-4c59-8d5e-1a6f0d1f5a10";

/// The number was the sum of what each run had met: events of different runs were not compared, and those of an object
/// that was read again were counted twice.
#[test]
fn events_of_different_runs_that_share_an_id_are_counted_as_in_the_archive() {
    let folder = tempfile::tempdir().expect("a folder");
    let [logs, lake] = ["logs", "lake"].map(|name| folder.path().join(name));
    fs::create_dir(&logs).expect("a folder");
    let runs: [(&str, Vec<Value>, u64); 7] = [
        ("a.json", vec![event(ONE, 1), event("EXAMPLE", 2), event(OTHER, 3)], 0),
        // The same on another day, and a copy, which is no other event.
        ("b.json", vec![event(ONE, 4), event(OTHER, 3)], 2),
        ("c.json", vec![event("EXAMPLE", 5), event("EXAMPLE", 6), event(OTHER, 3)], 5),
        ("d.json", vec![event("...", 7), event("...", 8), native(ONE, "a"), native("n-1", "b")], 6),
        // Read again, with one record more.
        ("c.json", vec![event("EXAMPLE", 5), event("EXAMPLE", 6), event(OTHER, 3), event(OTHER, 9)], 8),
        ("e.json", vec![event("3e0f6f5c-6e58-4d4f-9d3b-92c3c7d2c9aa", 10)], 8),
        ("e.json", vec![event("3e0f6f5c-6e58-4d4f-9d3b-92c3c7d2c9aa", 10)], 8),
    ];
    for (run, (name, records, expected)) in runs.iter().enumerate() {
        // Events of EventBridge stand in lines of their own.
        let bytes = if name.starts_with('d') { lines(records) } else { document(records) };
        fs::write(logs.join(name), bytes).expect("a file");
        ingest(&logs, &lake);
        let archive = shared(&logs);
        assert_eq!(archive.0, *expected, "run {run}");
        assert_eq!(shared(&lake), archive, "run {run}");
    }
}

/// Events dealt to runs at random, some of them several times.
#[test]
fn however_events_are_dealt_to_runs_a_lake_counts_what_the_archive_counts() {
    for seed in 1..=6u64 {
        let mut state = seed;
        let mut below = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let folder = tempfile::tempdir().expect("a folder");
        let [logs, lake] = ["logs", "lake"].map(|name| folder.path().join(name));
        fs::create_dir(&logs).expect("a folder");
        let mut events = Vec::new();
        for run in 0..4 {
            for number in 0..below(12) {
                let id = match below(4) {
                    0 => format!("word-{}", below(3)),
                    1 => String::new(),
                    _ => format!("{:08x}-3589-4390-b954-c78b4a7df44b", 0x0828_c0d2 + below(20)),
                };
                events.push(event(&id, run * 100 + number));
            }
            let dealt: Vec<Value> = (0..below(20))
                .filter_map(|_| events.get(usize::try_from(below(40)).expect("small")).cloned())
                .collect();
            fs::write(logs.join(format!("{run}.json")), document(&dealt)).expect("a file");
            ingest(&logs, &lake);
            assert_eq!(shared(&lake), shared(&logs), "seed {seed}, run {run}");
        }
    }
}

/// The same where machines bring the events in shards, and where a lake keeps only some services: there the number is
/// said to be a minimum.
#[test]
fn shards_are_compared_with_each_other_and_a_selection_says_what_it_cannot_tell() {
    let folder = tempfile::tempdir().expect("a folder");
    let [logs, lake, plan, selected] =
        ["logs", "lake", "plan", "selected"].map(|name| folder.path().join(name));
    fs::create_dir(&logs).expect("a folder");
    for (name, records) in
        [("a.json", [event(ONE, 1), event(OTHER, 2)]), ("b.json", [event(ONE, 3), event(OTHER, 2)])]
    {
        fs::write(logs.join(name), document(&records)).expect("a file");
    }
    let done = |arguments: &[&str]| {
        let output = tagfall(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    };
    done(&["plan", text(&logs), "--shards", "2", "-o", text(&plan)]);
    for shard in ["shard-00001.ndjson", "shard-00002.ndjson"] {
        done(&["ingest", "--shard", text(&plan.join(shard)), "--lake", text(&lake)]);
    }
    done(&["ingest", "--commit", "--lake", text(&lake)]);
    assert_eq!(shared(&logs).0, 2);
    assert_eq!(shared(&lake), shared(&logs));
    for (name, number) in [("c.json", 4), ("d.json", 5)] {
        fs::write(logs.join(name), document(&[event("EXAMPLE", number), event("EXAMPLE", number + 9)]))
            .expect("a file");
        done(&["ingest", text(&logs), "--lake", text(&selected), "--select", "ec2"]);
    }
    let (number, warnings) = shared(&selected);
    assert!(number <= shared(&logs).0);
    assert!(warnings.iter().any(|warning| warning.contains(&format!("{number} at least"))), "{warnings:?}");
}
