//! How much faster two workers with one core each are than one, each processing one shard at a time.
//!
//! `cargo test --release --test cluster speed -- --ignored --nocapture`; `OBJECTS=100000` for more of them.
//! Objects and lake are in folders, so that no server uses the two cores. On a busy machine wall-clock time
//! means little; processor time is printed as well, and shows how much work is done twice or in vain with two
//! workers.

use std::fs;
use std::io::Write as _;
use std::sync::Mutex;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::world::World;

const SOURCES: [&str; 4] =
    ["s3.amazonaws.com", "kms.amazonaws.com", "sts.amazonaws.com", "ecr.amazonaws.com"];
const NAMES: [&str; 4] = ["GetObject", "Decrypt", "AssumeRole", "BatchGetImage"];
const RECORDS: usize = 10;
const SHARDS: usize = 16;
const ROUNDS: usize = 5;

/// Objects of ten records each, over 30 days.
fn archive(world: &World, objects: usize) {
    for number in 0..objects {
        let day = 1 + number * 30 / objects;
        let record = |index: usize| {
            let id = number * RECORDS + index;
            json!({
                "eventVersion": "1.08", "eventTime": format!("2026-03-{day:02}T{:02}:{:02}:{:02}Z", id / 3_600 % 24, id / 60 % 60, id % 60),
                "userIdentity": {"type": "AssumedRole", "principalId": format!("AROA{id}:job-{id}"), "arn": format!("arn:aws:sts::111122223333:assumed-role/ci/job-{id}"),
                    "accountId": "111122223333", "sessionContext": {"sessionIssuer": {"type": "Role", "userName": "ci", "arn": "arn:aws:iam::111122223333:role/ci"}}},
                "eventSource": SOURCES[id % 4],
                "eventName": NAMES[id % 4], "awsRegion": "eu-central-1", "sourceIPAddress": format!("10.0.{}.{}", id / 256 % 256, id % 256),
                "userAgent": "aws-sdk-go-v2/1.30.3 os/linux lang/go", "requestParameters": {"bucketName": "artifacts", "key": format!("builds/{id}/layer.tar")},
                "responseElements": null, "requestID": format!("{id:016X}"), "eventID": format!("00000000-0000-4000-8000-{id:012}"), "readOnly": true,
                "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": "111122223333", "eventCategory": "Management",
            })
        };
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed
            .write_all(
                json!({"Records": (0..RECORDS).map(record).collect::<Vec<_>>()}).to_string().as_bytes(),
            )
            .unwrap();
        let name = format!(
            "logs/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/{day:02}/111122223333_CloudTrail_eu-central-1_{number:08}.json.gz"
        );
        world.file(&name, &packed.finish().unwrap());
    }
}

/// Processor seconds of all children that have ended.
fn children_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // In hundredths of a second on any Linux.
    fields[13..15].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

/// All shards by this many workers, each on a core of its own, and the commit. Returns wall-clock and
/// processor seconds of the shards.
fn fill(world: &World, workers: usize) -> (f64, f64) {
    let _ = fs::remove_dir_all(world.path("lake"));
    let shards: Mutex<Vec<String>> =
        Mutex::new((1..=SHARDS).map(|number| format!("plan/shard-{number:05}.ndjson")).collect());
    let (begun, cpu) = (Instant::now(), children_seconds());
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let shards = &shards;
            scope.spawn(move || {
                while let Some(shard) = { shards.lock().unwrap().pop() } {
                    let mut command = std::process::Command::new("taskset");
                    command.args([
                        "-c",
                        &worker.to_string(),
                        env!("CARGO_BIN_EXE_tagfall"),
                        "ingest",
                        "--quiet",
                        "--jobs",
                        "1",
                        "--shard",
                    ]);
                    let output = command
                        .args([&shard, "--lake", "lake"])
                        .current_dir(world.path(""))
                        .output()
                        .unwrap();
                    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                }
            });
        }
    });
    let took = (begun.elapsed().as_secs_f64(), children_seconds() - cpu);
    assert_eq!(world.code(&["ingest", "--commit", "--lake", "lake"]), Some(0));
    took
}

#[test]
#[ignore = "a measurement"]
fn speed_of_one_and_two_workers() {
    let objects = std::env::var("OBJECTS").ok().and_then(|number| number.parse().ok()).unwrap_or(20_000);
    let world = World::new();
    archive(&world, objects);
    assert_eq!(world.code(&["plan", "logs", "--shards", &SHARDS.to_string(), "-o", "plan"]), Some(0));
    // Alternating, so that both run under the same conditions.
    let mut best = [(f64::MAX, f64::MAX); 2];
    for round in 0..ROUNDS {
        for workers in [1, 2] {
            let (wall, cpu) = fill(&world, workers);
            println!("round {round}, {workers} workers: {wall:.2} s, {cpu:.2} processor seconds");
            let best = &mut best[workers - 1];
            *best = (best.0.min(wall), best.1.min(cpu));
        }
    }
    let [one, two] = best;
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    println!("{objects} objects of {RECORDS} records in {SHARDS} shards; load {}", load.trim());
    println!(
        "1 worker: {:.0} objects/s, {:.0} µs of a processor each",
        objects as f64 / one.0,
        one.1 * 1e6 / objects as f64
    );
    println!(
        "2 workers: {:.0} objects/s, {:.0} µs of a processor each",
        objects as f64 / two.0,
        two.1 * 1e6 / objects as f64
    );
    println!("2 against 1: {:.2} by the clock, {:.2} by processor time", one.0 / two.0, 2.0 * one.1 / two.1);
}
