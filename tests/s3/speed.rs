//! The speed of the feed, compared with a bare GET loop with the same SDK, and with the same archive in a
//! folder. Only a measurement: run it in release mode on an idle machine.
//!
//! ```text
//! cargo test --release --test s3 speed -- --ignored --nocapture
//! ```

use crate::s3;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use s3::{Memory, Server};
use tagfall::model::Filter;
use tagfall::source::{self, Feed, Fetched, Options};
use tokio::task::JoinSet;

const WORLD: &str = "TAGFALL_TEST_SPEED";

/// Only used by the measurement below: serves `COUNT×BYTES` until its standard input ends.
#[test]
fn serve_child() {
    let Ok(world) = std::env::var(WORLD) else { return };
    let (count, bytes) = world.split_once('x').unwrap();
    let (count, bytes): (u32, usize) = (count.parse().unwrap(), bytes.parse().unwrap());
    let server = Server::memory(&Arc::new(Memory::new(
        "trail",
        (0..count).map(|number| (key(number), vec![number as u8; bytes])),
    )));
    println!("SERVES {}", server.endpoint());
    std::io::stdin().lines().for_each(drop);
}

fn key(number: u32) -> String {
    format!("AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/{:02}/{number:07}.json.gz", 1 + number / 5_000)
}

fn start(world: &str) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "speed::serve_child", "--nocapture"])
        .env(WORLD, world)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Kept open, because the child's test harness writes a last line.
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let endpoint = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("SERVES ").map(|(_, endpoint)| endpoint.to_owned()));
    (child, endpoint.unwrap())
}

/// User and system time of this process, from `/proc`, in ticks of 10 ms; zero without `/proc`.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<i64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // Counted without the state, which is a letter: utime and stime are 11th and 12th after it.
    Duration::from_millis(10 * fields.iter().skip(10).take(2).sum::<i64>().unsigned_abs())
}

/// Current and peak resident memory in MiB, if there is `/proc`.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    (of("VmRSS"), of("VmHWM"))
}

/// Resets the peak (Linux), so that each measurement has its own.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn measure(what: &str, count: u64, bytes: u64, run: impl FnOnce() -> (u64, u64)) {
    forget_peak();
    let (begun, cpu_before) = (Instant::now(), cpu());
    let (objects, total) = run();
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), (cpu() - cpu_before).as_secs_f64());
    assert_eq!((objects, total), (count, count * bytes));
    let (rss, peak) = memory();
    println!(
        "{what:<10} {count:>7} × {bytes:>8} B  {wall:>6.2} s  cpu {cpu:>6.2} s  {:>8.0} objects/s  {:>7.1} MB/s  rss {rss} MiB, peak {peak} MiB",
        count as f64 / wall,
        total as f64 / wall / 1e6
    );
}

fn feed(endpoint: &str) -> (u64, u64) {
    drain(&*source::open("s3://trail/AWSLogs/", &s3::options(endpoint), &Filter::default()).unwrap())
}

/// The same objects in a folder.
fn folder(root: &Path) -> (u64, u64) {
    drain(&*source::open(root.to_str().unwrap(), &Options::default(), &Filter::default()).unwrap())
}

fn fill(root: &Path, count: u32, bytes: usize) {
    for number in 0..count {
        let path = root.join(key(number));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![number as u8; bytes]).unwrap();
    }
}

/// Reads everything with two workers.
fn drain(feed: &dyn Feed) -> (u64, u64) {
    let (objects, total) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut buffer = Vec::new();
                while let Some(delivery) = feed.next(&mut buffer) {
                    assert_eq!(delivery.outcome, Fetched::Whole);
                    objects.fetch_add(1, Ordering::Relaxed);
                    total.fetch_add(delivery.size, Ordering::Relaxed);
                }
            });
        }
    });
    (objects.into_inner(), total.into_inner())
}

/// Keys known, 64 GETs at a time, bodies collected and dropped.
fn bare_loop(endpoint: &str, count: u32) -> (u64, u64) {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::v2026_01_12())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(aws_sdk_s3::config::Credentials::new(
            s3::ACCESS_KEY_ID,
            s3::SECRET_ACCESS_KEY,
            None,
            None,
            "test",
        ))
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    tokio::runtime::Runtime::new().unwrap().block_on(async move {
        let (mut running, mut objects, mut total) = (JoinSet::new(), 0, 0);
        for number in 0..count {
            if running.len() >= 64 {
                total += running.join_next().await.unwrap().unwrap();
                objects += 1;
            }
            let client = client.clone();
            running.spawn(async move {
                let output = client.get_object().bucket("trail").key(key(number)).send().await.unwrap();
                output.body.collect().await.unwrap().into_bytes().len() as u64
            });
        }
        while let Some(bytes) = running.join_next().await {
            total += bytes.unwrap();
            objects += 1;
        }
        (objects, total)
    })
}

#[test]
#[ignore = "a measurement: needs a quiet machine and release mode"]
fn feed_beside_bare_loop() {
    let worlds = std::env::var("WORLDS").unwrap_or_else(|_| "1000x100,20000x100,500x1048576".to_owned());
    for world in worlds.split(',') {
        let (mut child, endpoint) = start(world);
        let (count, bytes) = world.split_once('x').unwrap();
        let (count, bytes): (u32, u64) = (count.parse().unwrap(), bytes.parse().unwrap());
        let root = tempfile::tempdir().unwrap();
        fill(root.path(), count, bytes as usize);
        for _ in 0..2 {
            measure("folder", u64::from(count), bytes, || folder(root.path()));
            measure("feed", u64::from(count), bytes, || feed(&endpoint));
            measure("bare loop", u64::from(count), bytes, || bare_loop(&endpoint, count));
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
