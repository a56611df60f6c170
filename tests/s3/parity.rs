//! The same evidence in a bucket gives the same output as in a folder, through the whole program, also with
//! network faults.

use crate::s3;
use crate::sim;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use s3::{Fault, Faults, Memory, Proxy, Server, error_answer};
use sim::{Archive, World};

const BUCKET: &str = "trail";
const VERBS: [&str; 4] = ["detect", "timeline", "forecast", "whatif"];

fn tagfall(verb: &str, source: &str, endpoint: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    command.args([verb, source, "--format", "json", "--quiet", "--jobs", "3"]);
    if let Some(endpoint) = endpoint {
        s3::point(&mut command, endpoint);
    }
    command.output().expect("the binary runs")
}

/// A simulated archive on disk, in a folder named like the bucket, and its objects.
fn world(seed: u64) -> (tempfile::TempDir, Vec<(String, Vec<u8>)>) {
    let root = tempfile::tempdir().expect("a folder");
    let bucket = root.path().join(BUCKET);
    fs::create_dir(&bucket).expect("a folder");
    Archive::deliver(&World::generate(seed), true).write(&bucket).expect("an archive on disk");
    let mut objects = Vec::new();
    collect(&bucket, &bucket, &mut objects);
    (root, objects)
}

fn collect(root: &Path, folder: &Path, objects: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            collect(root, &entry, objects);
        } else {
            let key = entry.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            objects.push((key, fs::read(&entry).expect("bytes")));
        }
    }
}

fn assert_same(seed: u64, what: &str, folder: &Path, endpoint: &str) {
    for verb in VERBS {
        let local = tagfall(verb, &folder.display().to_string(), None);
        let bucket = tagfall(verb, &format!("s3://{BUCKET}"), Some(endpoint));
        let said = String::from_utf8_lossy(&bucket.stderr);
        assert!(!local.stdout.is_empty());
        assert!(local.stdout == bucket.stdout, "SEED={seed}: {verb} differs on {what}: {said}");
        assert_eq!(local.status.code(), bucket.status.code(), "SEED={seed}: {verb} on {what}: {said}");
    }
}

#[test]
fn a_bucket_and_a_folder_give_the_same_bytes() {
    for seed in sim::seeds(2) {
        let (root, objects) = world(seed);
        let memory = Arc::new(Memory::new(BUCKET, objects));
        let server = Server::memory(&memory);
        assert_same(seed, "a server in memory", &root.path().join(BUCKET), &server.endpoint());
    }
}

#[test]
fn another_server_agrees() {
    let seed = sim::seeds(1).into_iter().next().unwrap_or(1);
    let (root, _) = world(seed);
    let server = Server::folder(root.path());
    assert_same(seed, "s3s-fs", &root.path().join(BUCKET), &server.endpoint());
}

#[test]
fn faults_that_pass_do_not_show() {
    for seed in sim::seeds(2) {
        let (root, objects) = world(seed);
        let memory = Arc::new(Memory::new(BUCKET, objects));
        let server = Server::memory(&memory);
        let answer = |status, code| Fault::Answer(error_answer(status, code, ""));
        let kinds = vec![
            answer(503, "SlowDown"),
            answer(500, "InternalError"),
            Fault::Reset,
            Fault::CutBody(50),
            Fault::ResetInBody(30),
        ];
        let faults = Faults { seed, per_mille: 200, in_a_row_max: 2, kinds };
        let proxy = Proxy::start(server.address, move |request| faults.decide(request));
        assert_same(seed, "a server that fails now and then", &root.path().join(BUCKET), &proxy.endpoint());
        assert!(proxy.faults() > 0, "SEED={seed}: nothing failed");
    }
}
