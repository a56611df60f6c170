//! The same evidence gives the same answer, however it arrives: with one thread or many, other names and
//! compression, other containers.

use crate::sim;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sim::damage::gzip;
use sim::delivery::Delivery;
use sim::rng::Rng;
use sim::{Archive, World};

const VERBS: [&str; 4] = ["detect", "timeline", "forecast", "whatif"];

fn tagfall(verb: &str, source: &Path, jobs: u64) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    let jobs = jobs.to_string();
    let output = command
        .arg(verb)
        .arg(source)
        .args(["--format", "json", "--quiet", "--jobs", &jobs])
        .output()
        .expect("the binary runs");
    assert!(
        !output.stdout.is_empty(),
        "{verb} {}: {}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// An answer without the positions of evidence, which are all that may differ.
pub fn without_places(bytes: &[u8]) -> Value {
    let mut document: Value = serde_json::from_slice(bytes).expect("one JSON document");
    let coverage = &mut document["coverage"];
    for name in [
        "objects_listed",
        "objects_read",
        "objects_skipped",
        "objects_failed",
        "bytes_compressed",
        "bytes_decompressed",
    ] {
        coverage[name] = Value::Null;
    }
    strip(&mut document);
    document
}

fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(members) => {
            if members.contains_key("event_id") {
                members.remove("object");
                members.remove("record");
            }
            members.values_mut().for_each(strip);
        }
        _ => {}
    }
}

/// Checks that every answer about `sources` is the same. Another kind of source (a bucket with the same
/// objects) is one more entry.
fn assert_same_answers(seed: u64, sources: &[(&str, &Path)]) {
    for verb in VERBS {
        let answers: Vec<Value> =
            sources.iter().map(|(_, source)| without_places(&tagfall(verb, source, 2))).collect();
        for ((name, _), answer) in sources.iter().zip(&answers) {
            assert!(
                answer == &answers[0],
                "SEED={seed}: {verb} of {name} differs from {}: {}",
                sources[0].0,
                first_difference(answer, &answers[0], "$")
            );
        }
    }
}

/// The first difference between two documents.
fn first_difference(left: &Value, right: &Value, path: &str) -> String {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let differing = left.iter().find(|(name, value)| right.get(*name) != Some(value));
            differing.map_or_else(
                || format!("{path}: members"),
                |(name, value)| first_difference(value, &right[name], &format!("{path}.{name}")),
            )
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let differing =
                left.iter().zip(right).position(|(left, right)| left != right).unwrap_or_default();
            first_difference(&left[differing], &right[differing], &format!("{path}[{differing}]"))
        }
        _ => format!("{path}: {left} and {right}"),
    }
}

#[test]
fn one_thread_and_many_give_the_same_bytes() {
    for seed in sim::seeds(4) {
        let folder = tempfile::tempdir().expect("a folder");
        Archive::deliver(&World::generate(seed), true).write(folder.path()).expect("an archive on disk");
        for verb in VERBS {
            let one = tagfall(verb, folder.path(), 1);
            for jobs in [2, 8] {
                assert!(one == tagfall(verb, folder.path(), jobs), "SEED={seed}: {verb} with {jobs} jobs");
            }
        }
    }
}

/// Writes `files` to a folder.
fn folder_of(files: &[(String, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("a file");
    }
    folder
}

fn document(records: &[Value]) -> Vec<u8> {
    json!({"Records": records}).to_string().into_bytes()
}

fn lines(records: &[Value], wrap: impl Fn(&Value) -> Value) -> Vec<u8> {
    records.iter().map(|record| format!("{}\n", wrap(record))).collect::<String>().into_bytes()
}

fn lookup_events(records: &[Value]) -> Vec<u8> {
    let wrap = |record: &Value| {
        json!({"EventId": record["eventID"], "EventName": record["eventName"], "ReadOnly": record["readOnly"].to_string(), "EventTime": record["eventTime"],
               "EventSource": record["eventSource"], "Username": "someone", "Resources": [], "CloudTrailEvent": record.to_string()})
    };
    format!("{:#}", json!({"Events": records.iter().map(wrap).collect::<Vec<_>>(), "NextToken": "abc"}))
        .into_bytes()
}

fn envelope(record: &Value) -> Value {
    let kind = if record["eventType"] == "AwsServiceEvent" {
        "AWS Service Event via CloudTrail"
    } else {
        "AWS API Call via CloudTrail"
    };
    json!({"version": "0", "id": record["eventID"], "detail-type": kind, "source": "aws.ecr", "account": record["recipientAccountId"],
           "time": record["eventTime"], "region": record["awsRegion"], "resources": [], "detail": record})
}

/// The records of a world in pieces of some size, with one file for each.
fn pieces(
    records: &[Value],
    size: usize,
    extension: &str,
    write: impl Fn(&[Value]) -> Vec<u8>,
) -> tempfile::TempDir {
    let files: Vec<(String, Vec<u8>)> = records
        .chunks(size)
        .enumerate()
        .map(|(number, piece)| (format!("{:04}{extension}", 7_919 * number % 9_973), write(piece)))
        .collect();
    folder_of(&files)
}

#[test]
fn packing_and_container_do_not_matter() {
    for seed in sim::seeds(3) {
        let world = World::generate(seed);
        let mut rng = Rng::new(seed);
        let parcels = Delivery::any(&mut rng).pack(&world, &mut rng);
        let mut records: Vec<Value> = parcels.into_iter().flat_map(|parcel| parcel.records).collect();
        let one = pieces(&records, usize::MAX, ".json.gz", |piece| gzip(&document(piece)));
        rng.shuffle(&mut records);
        let shuffled = pieces(&records, 17, ".json", document);
        let lines_of_json = pieces(&records, 60, ".jsonl", |piece| lines(piece, Value::clone));
        let array = pieces(&records, 90, ".json", |piece| json!(piece).to_string().into_bytes());
        let lookup = pieces(&records, 50, ".json", lookup_events);
        let bridge = pieces(&records, 40, ".log.gz", |piece| gzip(&lines(piece, envelope)));
        let sources = [
            ("one object", one.path()),
            ("shuffled objects", shuffled.path()),
            ("JSON lines", lines_of_json.path()),
            ("JSON arrays", array.path()),
            ("lookup-events", lookup.path()),
            ("EventBridge", bridge.path()),
        ];
        assert_same_answers(seed, &sources);
    }
}
