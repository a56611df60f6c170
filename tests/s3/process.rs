//! The whole program with a misbehaving S3 or an interruption: exit code, stdout and stderr.

use crate::s3;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use s3::{Fault, Memory, Proxy, Request, Server, error_answer};

/// Far more than any case needs, far less than a hang.
const SOON: Duration = Duration::from_secs(100);

/// A bucket behind a proxy, and the number of GETs.
struct World {
    _server: Server,
    proxy: Proxy,
    gets: Arc<AtomicU64>,
}

impl World {
    /// 40 objects with one record each. `decide` gets the request and the number of GETs before it.
    fn new(decide: impl Fn(&Request<'_>, u64) -> Fault + Send + Sync + 'static) -> Self {
        let key =
            |number: u32| format!("AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/01/{number:02}.json");
        let body = |number: u32| {
            format!(
                r#"{{"Records":[{{"eventVersion":"1.08","eventTime":"2024-10-01T00:00:{number:02}Z","eventSource":"ecr.amazonaws.com","eventName":"DescribeRepositories","awsRegion":"us-east-1","recipientAccountId":"111122223333","eventID":"00000000-0000-4000-8000-0000000000{number:02}"}}]}}"#
            )
        };
        let memory =
            Arc::new(Memory::new("trail", (0..40).map(|number| (key(number), body(number).into_bytes()))));
        let server = Server::memory(&memory);
        let gets = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&gets);
        let proxy = Proxy::start(server.address, move |request| {
            let before = if request.is_list() {
                count.load(Ordering::Relaxed)
            } else {
                count.fetch_add(1, Ordering::Relaxed)
            };
            decide(request, before)
        });
        Self { _server: server, proxy, gets }
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        let format = if arguments.contains(&"--format") { &[][..] } else { &["--format", "json"] };
        command.args(["detect", "s3://trail"]).args(format).args(arguments);
        s3::point(&mut command, &self.proxy.endpoint()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        finish(self.start(arguments))
    }

    fn wait_for_gets(&self, count: u64) {
        let begun = Instant::now();
        while self.gets.load(Ordering::Relaxed) < count {
            assert!(begun.elapsed() < SOON, "no more than {} GETs", self.gets.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn finish(mut child: Child) -> Output {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > SOON {
            child.kill().unwrap();
            panic!("the program hangs: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

/// Exit code, whether the result is marked partial, objects read, and stderr.
fn outcome(output: &Output) -> (Option<i32>, bool, u64, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let document: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let coverage = &document["coverage"];
    (
        output.status.code(),
        coverage["partial"].as_bool().unwrap(),
        coverage["objects_read"].as_u64().unwrap(),
        said,
    )
}

const NEVER: Fault = Fault::Delay(Duration::from_secs(3_600));

#[test]
fn the_first_interrupt_while_fetching_reports_what_was_read() {
    let world =
        World::new(|request, before| if !request.is_list() && before >= 10 { NEVER } else { Fault::None });
    let child = world.start(&[]);
    world.wait_for_gets(15);
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    interrupt(&child);
    let output = finish(child);
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "what never comes is waited for: {:?}",
        begun.elapsed()
    );
    let (code, partial, read, said) = outcome(&output);
    assert_eq!((code, partial), (Some(3), true), "{said}");
    assert!((1..=10).contains(&read) && said.contains("partial"), "{read} {said}");
}

/// `--allow-incomplete` allows unreadable objects, but not objects that were never tried.
#[test]
fn an_interrupted_run_is_incomplete_whatever_is_allowed() {
    let world =
        World::new(|request, before| if !request.is_list() && before >= 10 { NEVER } else { Fault::None });
    for (signal, format) in [("-TERM", "json"), ("-INT", "json"), ("-HUP", "table")] {
        let gets = world.gets.swap(0, Ordering::Relaxed);
        let child = world.start(&["--allow-incomplete", "--format", format]);
        world.wait_for_gets(11);
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = finish(child);
        let shown = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{signal} after {gets}: {shown}");
        assert!(!shown.contains("No findings.\n"), "{shown}");
    }
}

#[test]
fn an_interrupt_while_listing_ends_the_run_and_claims_nothing() {
    let world = World::new(|request, _| {
        if request.is_list() && request.target.contains("us-east-1") { NEVER } else { Fault::None }
    });
    let listing = World::new(|_, _| NEVER);
    for world in [world, listing] {
        let child = world.start(&[]);
        std::thread::sleep(Duration::from_secs(2));
        interrupt(&child);
        let begun = Instant::now();
        let output = finish(child);
        assert!(begun.elapsed() < Duration::from_secs(10));
        let (code, partial, read, said) = outcome(&output);
        assert_eq!((code, partial, read), (Some(3), true, 0), "{said}");
    }
}

/// A listing that is always truncated: its entries are read, but it does not count as complete.
#[test]
fn a_cut_listing_is_not_taken_for_the_whole() {
    for fault in [Fault::Shortened(60), Fault::Unmeasured(60)] {
        let world = World::new(move |request, _| {
            match request.is_list() && request.target.contains("us-east-1%2F") {
                true => fault.clone(),
                false => Fault::None,
            }
        });
        let (code, partial, read, said) = outcome(&world.run(&[]));
        assert_eq!((code, partial), (Some(3), false), "{said}");
        assert!((5..40).contains(&read) && said.contains("not all of it could be listed"), "{read} {said}");
    }
}

#[test]
fn an_interrupt_of_a_dry_run_stops_it() {
    let world = World::new(|_, _| NEVER);
    let child = world.start(&["--dry-run"]);
    std::thread::sleep(Duration::from_secs(1));
    interrupt(&child);
    let begun = Instant::now();
    let output = finish(child);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}

#[test]
fn a_service_that_goes_away_leaves_a_partial_result() {
    let world = World::new(
        |request, before| if before >= 20 && !request.is_list() { Fault::Reset } else { Fault::None },
    );
    let output = world.run(&["--quiet"]);
    let (code, partial, read, said) = outcome(&output);
    assert_eq!((code, partial), (Some(3), true), "{said}");
    assert!((1..=20).contains(&read) && said.contains("S3 endpoint"), "{read} {said}");
}

#[test]
fn what_could_not_run_says_nothing_on_stdout() {
    for (status, code, action) in [
        (403, "AccessDenied", "s3:ListBucket"),
        (404, "NoSuchBucket", "bucket's name"),
        (403, "SignatureDoesNotMatch", "profile"),
    ] {
        let world = World::new(move |_, _| Fault::Answer(error_answer(status, code, "")));
        let output = world.run(&["--quiet"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains(code) && said.contains(action), "{said}");
    }
}

#[test]
fn one_object_that_fails_is_named_and_the_run_goes_on() {
    let denied = || Fault::Answer(error_answer(403, "AccessDenied", ""));
    let world = World::new(
        move |request, _| if request.target.contains("/07.json") { denied() } else { Fault::None },
    );
    let output = world.run(&["--quiet"]);
    let (code, partial, read, said) = outcome(&output);
    assert_eq!((code, partial, read), (Some(3), false, 39), "{said}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let failure = &document["coverage"]["failures"][0];
    assert!(failure["object"].as_str().unwrap().ends_with("/07.json"), "{failure}");
    assert!(failure["reason"].as_str().unwrap().contains("s3:GetObject"), "{failure}");
}

/// A missing bucket is reported before years of another one are read.
#[test]
fn a_second_source_that_is_not_there_is_told_before_the_first_is_read() {
    let world = World::new(|request, _| match request.is_list() {
        true if request.target.contains("/elsewhere") => Fault::Answer(error_answer(404, "NoSuchBucket", "")),
        true => Fault::None,
        // A worker that waits for an object of the first bucket waits until the test fails.
        false => NEVER,
    });
    let output = world.run(&["s3://elsewhere", "--quiet"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    assert!(said.contains("s3://elsewhere") && said.contains("NoSuchBucket"), "{said}");
}

#[test]
fn a_bundle_of_certificates_that_is_none_is_told() {
    let world = World::new(|_, _| Fault::None);
    let folder = tempfile::tempdir().unwrap();
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, text) in [("missing.pem", None), ("empty.pem", Some("")), ("garbage.pem", Some(garbage))] {
        let path = folder.path().join(name);
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let output = finish(world.command(&["--quiet"]).env("AWS_CA_BUNDLE", &path).spawn().unwrap());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains("AWS_CA_BUNDLE") && said.contains(name), "{said}");
    }
}

/// Once, the objects that workers were processing did not count, so that each could hold a whole object.
#[cfg(target_os = "linux")]
#[test]
fn objects_in_flight_and_in_hand_take_the_memory_that_they_may() {
    let record = |number: u32| {
        format!(
            r#"{{"eventVersion":"1.08","eventTime":"2024-10-01T00:00:{number:02}Z","eventSource":"ecr.amazonaws.com","eventName":"DescribeRepositories","awsRegion":"us-east-1","recipientAccountId":"111122223333","eventID":"00000000-0000-4000-8000-0000000000{number:02}"}}"#
        )
    };
    let key = |number: u32| format!("AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/01/{number:02}.json");
    let body = |number: u32| {
        [b"{\"Records\":[".to_vec(), vec![b' '; 14 << 20], record(number).into_bytes(), b"]}".to_vec()]
            .concat()
    };
    let memory = Arc::new(Memory::new("trail", (0..16).map(|number| (key(number), body(number)))));
    let server = Server::memory(&memory);
    let proxy = Proxy::start(server.address, |_| Fault::None);
    let world = World { _server: server, proxy, gets: Arc::default() };
    for jobs in ["1", "8"] {
        let child = world.start(&["--max-memory", "64MiB", "--jobs", jobs]);
        let (status, most) = (format!("/proc/{}/status", child.id()), Arc::new(AtomicU64::new(0)));
        let peak = Arc::clone(&most);
        let watch = std::thread::spawn(move || {
            while let Ok(text) = std::fs::read_to_string(&status) {
                let Some(line) = text.lines().find(|line| line.starts_with("RssAnon:")) else { break };
                let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
                peak.fetch_max(kib >> 10, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let (code, _, read, said) = outcome(&finish(child));
        watch.join().unwrap();
        let most = most.load(Ordering::Relaxed);
        assert_eq!((code, read), (Some(0), 16), "{said}");
        assert!(most < 130, "{most} MiB with {jobs} workers");
    }
}
