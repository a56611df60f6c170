//! `verify` over HTTP, through the whole program: signatures come with the objects; a bucket without them is
//! like a folder.

use crate::integrity;
use crate::s3;
use std::process::{Command, Output};
use std::sync::Arc;

use integrity::{BUCKET, Objects, Signer, TRAIL, Trail, at, gzip, hours, write};
use s3::{ACCESS_KEY_ID, Fault, Faults, Memory, Proxy, Refusal, SECRET_ACCESS_KEY, Server, error_answer};
use serde_json::Value;

struct World {
    folder: tempfile::TempDir,
    objects: Objects,
    chain: Vec<String>,
}

impl World {
    fn new() -> Self {
        let signer = Signer::aws();
        let mut first = hours(TRAIL, &signer, 5, 4);
        let late = first.log_file(at(2).plus_seconds(2400));
        first.backfill(at(2), at(3), &[late]);
        let second = hours(Trail { prefix: "logs/", region: "us-east-1", ..TRAIL }, &signer, 3, 2);
        let (mut objects, chain) = (first.objects, first.chain);
        objects.extend(second.objects);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keys.json"), signer.public_keys()).unwrap();
        Self { folder, objects, chain }
    }

    fn memory(&self, with_signatures: bool) -> Arc<Memory> {
        let memory =
            Memory::new(BUCKET, self.objects.iter().map(|(key, stored)| (key.clone(), stored.bytes.clone())));
        for (key, stored) in self.objects.iter().filter(|_| with_signatures) {
            memory.describe(key, stored.metadata.clone());
        }
        Arc::new(memory)
    }

    fn run(&self, source: &str, endpoint: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        command
            .args(["verify", source, "--public-keys", "keys.json", "--quiet"])
            .args(more)
            .current_dir(self.folder.path());
        if !more.contains(&"--format") {
            command.args(["--format", "json"]);
        }
        s3::point(&mut command, endpoint).output().unwrap()
    }
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn signatures_come_with_the_objects() {
    let world = World::new();
    let memory = world.memory(true);
    let server = Server::memory(&memory);
    let output = world.run("s3://trail", &server.endpoint(), &[]);
    let document = document(&output);
    assert_eq!(output.status.code(), Some(0), "{document}");
    let summary = &document["verification"]["summary"];
    assert_eq!(
        (summary["signatures"].as_str(), summary["log_digest_files"]["valid"].as_u64()),
        (Some("all"), Some(9))
    );
    assert_eq!(summary["log_files"]["valid"], summary["log_files"]["total"]);
    assert_eq!(document["coverage"]["objects_read"].as_u64(), Some(world.objects.len() as u64));
}

#[test]
fn a_bucket_that_lost_its_metadata_and_a_folder_give_the_same_bytes() {
    let world = World::new();
    let memory = world.memory(false);
    let server = Server::memory(&memory);
    write(&world.objects, &world.folder.path().join("trail"));
    for format in ["json", "ndjson", "csv", "table"] {
        let run = |source: &str, jobs: &str| {
            world.run(source, &server.endpoint(), &["--format", format, "--jobs", jobs])
        };
        let folder = run("trail", "1");
        assert_eq!(folder.status.code(), Some(0), "{}", String::from_utf8_lossy(&folder.stderr));
        for jobs in ["1", "4"] {
            assert!(
                run("s3://trail", jobs).stdout == folder.stdout && run("trail", jobs).stdout == folder.stdout,
                "{format} {jobs}"
            );
        }
    }
}

#[test]
fn faults_that_pass_do_not_show_and_signatures_survive_them() {
    let world = World::new();
    let memory = world.memory(true);
    let server = Server::memory(&memory);
    let quiet = world.run("s3://trail", &server.endpoint(), &[]);
    let kinds = vec![
        Fault::Answer(error_answer(503, "SlowDown", "")),
        Fault::Reset,
        Fault::CutBody(50),
        Fault::ResetInBody(30),
    ];
    let faults = Faults { seed: 7, per_mille: 300, in_a_row_max: 2, kinds };
    let proxy = Proxy::start(server.address, move |request| faults.decide(request));
    let noisy = world.run("s3://trail", &proxy.endpoint(), &[]);
    assert!(proxy.faults() > 0 && quiet.stdout == noisy.stdout, "{}", String::from_utf8_lossy(&noisy.stderr));
}

#[test]
fn filters_prune_and_what_they_leave_out_is_not_missing() {
    let world = World::new();
    let memory = world.memory(true);
    let server = Server::memory(&memory);
    let output = world.run("s3://trail", &server.endpoint(), &["--region", "us-east-1"]);
    assert_eq!(
        (output.status.code(), document(&output)["verification"]["chains"].as_array().map(Vec::len)),
        (Some(0), Some(1))
    );
    assert!(memory.gets().iter().all(|key| key.contains("us-east-1")));
    // A part of the prefix, and only the folder of log digest files: files that were not listed are not
    // missing.
    for source in ["s3://trail/logs/", "s3://trail/AWSLogs/111122223333/CloudTrail-Digest/"] {
        let output = world.run(source, &server.endpoint(), &[]);
        assert_eq!(output.status.code(), Some(0), "{source}: {}", document(&output));
    }
    let output = world.run("s3://trail/AWSLogs/111122223333/CloudTrail/", &server.endpoint(), &[]);
    assert!(
        output.status.code() == Some(2)
            && String::from_utf8_lossy(&output.stderr).contains("--enable-log-file-validation")
    );
}

/// 2 before 1 before 3 before 0.
#[test]
fn what_cannot_be_read_is_neither_missing_nor_valid() {
    let world = World::new();
    let memory = world.memory(true);
    let server = Server::memory(&memory);
    let victim = world.objects.keys().find(|key| key.contains("/CloudTrail/")).unwrap();
    memory.refuse(victim, Refusal::Denied);
    memory.refuse(&world.chain[1], Refusal::Frozen);
    let output = world.run("s3://trail", &server.endpoint(), &[]);
    let document = document(&output);
    let summary = &document["verification"]["summary"];
    assert_eq!((output.status.code(), summary["log_files"]["unreadable"].as_u64()), (Some(3), Some(1)));
    assert_eq!(
        (summary["log_digest_files"]["unreadable"].as_u64(), summary["log_digest_files"]["missing"].as_u64()),
        (Some(1), Some(0))
    );
    assert_eq!(world.run("s3://trail", &server.endpoint(), &["--allow-incomplete"]).status.code(), Some(0));
    let other = world.objects.keys().filter(|key| key.contains("/CloudTrail/")).nth(1).unwrap();
    memory.put(other, gzip(b"{\"Records\":[]}"));
    assert_eq!(world.run("s3://trail", &server.endpoint(), &["--allow-incomplete"]).status.code(), Some(1));
    assert_eq!(world.run("s3://nowhere", &server.endpoint(), &[]).status.code(), Some(2));
}

/// A CloudTrail endpoint that always gives one answer, and records the requests.
struct CloudTrail {
    address: std::net::SocketAddr,
    asked: Arc<std::sync::Mutex<Vec<String>>>,
}

impl CloudTrail {
    fn start(status: u16, answer: String) -> Self {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let asked = Arc::<std::sync::Mutex<Vec<String>>>::default();
        let (address, keeps) = (listener.local_addr().unwrap(), Arc::clone(&asked));
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
                while !bytes.ends_with(b"}") {
                    match stream.read(&mut piece) {
                        Ok(0) | Err(_) => break,
                        Ok(read) => bytes.extend_from_slice(&piece[..read]),
                    }
                }
                keeps.lock().unwrap().push(String::from_utf8(bytes).unwrap());
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    answer.len()
                );
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(answer.as_bytes()));
            }
        });
        Self { address, asked }
    }
}

/// Credentials for another S3 must not be sent to AWS.
#[test]
fn aws_is_not_asked_about_a_bucket_that_is_not_its_own() {
    let world = World::new();
    let memory = world.memory(true);
    let server = Server::memory(&memory);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    command
        .args(["verify", "s3://trail", "--format", "json", "--endpoint-url", &server.endpoint()])
        .current_dir(world.folder.path());
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_ENDPOINT_URL")
        .env_remove("AWS_ENDPOINT_URL_CLOUDTRAIL");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(0) && said.contains("an S3 that is not AWS's"), "{said}");
}

fn without_keys(
    world: &World,
    source: &str,
    endpoint: &str,
    cloud_trail: &CloudTrail,
    more: &[&str],
) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    command.args(["verify", source, "--format", "json"]).args(more).current_dir(world.folder.path());
    command
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        .env("AWS_REGION", "us-east-1");
    command
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_PROFILE")
        .env("AWS_ENDPOINT_URL_S3", endpoint);
    command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", format!("http://{}", cloud_trail.address));
    command.output().unwrap()
}

#[test]
fn keys_are_fetched_for_a_bucket_by_itself_and_for_a_folder_when_asked() {
    let world = World::new();
    let memory = world.memory(true);
    let server = Server::memory(&memory);
    let cloud_trail = CloudTrail::start(200, Signer::aws().public_keys());
    let output = without_keys(&world, "s3://trail", &server.endpoint(), &cloud_trail, &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), document(&output)["verification"]["summary"]["signatures"].as_str()),
        (Some(0), Some("all")),
        "{said}"
    );
    assert!(said.contains("fetched 2 public keys of 2 regions"), "{said}");
    let asked = cloud_trail.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2);
    // The backfill was signed on 20 March.
    assert!(
        asked[0].contains("/eu-central-1/cloudtrail/aws4_request")
            && asked[0].ends_with(r#"{"StartTime":1772442049,"EndTime":1773968400}"#),
        "{}",
        asked[0]
    );
    assert!(
        asked[1].contains("/us-east-1/cloudtrail/aws4_request")
            && asked[1].contains("CloudTrail_20131101.ListPublicKeys"),
        "{}",
        asked[1]
    );

    write(&world.objects, &world.folder.path().join("copy"));
    let alone = without_keys(&world, "copy", &server.endpoint(), &cloud_trail, &[]);
    assert_eq!(document(&alone)["verification"]["summary"]["signatures"].as_str(), Some("none"));
    let asked_for = without_keys(&world, "copy", &server.endpoint(), &cloud_trail, &["--fetch-public-keys"]);
    assert_eq!(document(&asked_for)["verification"]["summary"]["signatures"].as_str(), Some("some"));
    assert_eq!(cloud_trail.asked.lock().unwrap().len(), 4);
}

#[test]
fn a_cloudtrail_that_does_not_tell_is_said_and_no_failure_unless_asked_for() {
    let world = World::new();
    let memory = world.memory(true);
    let server = Server::memory(&memory);
    let cloud_trail =
        CloudTrail::start(400, r#"{"__type":"AccessDeniedException","Message":"not authorized to perform: cloudtrail:ListPublicKeys"}"#.to_owned());
    let output = without_keys(&world, "s3://trail", &server.endpoint(), &cloud_trail, &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(0)
            && said.contains("fetched from CloudTrail: eu-central-1: CloudTrail answered 400"),
        "{said}"
    );
    assert_eq!(document(&output)["verification"]["summary"]["signatures"].as_str(), Some("none"));
    let output =
        without_keys(&world, "s3://trail", &server.endpoint(), &cloud_trail, &["--fetch-public-keys"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("cloudtrail:ListPublicKeys"), "{said}");
}
