//! Whatever happens between client and server, the result has the same bytes as without it, or the object
//! fails with a reason. A proxy injects faults; `SEED=…` repeats a run.

use crate::s3;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use s3::{Fault, Faults, Memory, Proxy, Request, Server, error_answer};
use tagfall::model::Filter;
use tagfall::source::{self, FatalKind, Feed, Fetched, Options, Patience, retry};

const BUCKET: &str = "trail";

/// Short waits; the rules for retries are the same.
fn options(endpoint: &str) -> Options {
    let patience = Patience { silence: Duration::from_secs(20), ..Patience::DEFAULT };
    Options { patience, ..s3::quick(endpoint) }
}

type Objects = BTreeMap<String, Vec<u8>>;

/// Incompressible bytes that depend on their position.
fn objects(count: u32, bytes_max: u64) -> Objects {
    let body = |number: u32| {
        let mut state = u64::from(number) + 1;
        let length = u64::from(number).wrapping_mul(2_654_435_761) % (bytes_max + 1);
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    };
    (0..count)
        .map(|number| {
            (
                format!(
                    "AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/{:02}/{number:06}.json.gz",
                    1 + number % 20
                ),
                body(number),
            )
        })
        .collect()
}

struct Read {
    whole: Objects,
    failed: BTreeMap<String, (String, Vec<u8>)>,
    retries: u64,
}

fn read(feed: &dyn Feed) -> Read {
    read_with(feed, |_| {})
}

/// Reads with four workers; `each` is called with the number of objects so far.
fn read_with(feed: &dyn Feed, each: impl Fn(u64) + Sync) -> Read {
    let (whole, failed, count) = (Mutex::new(Objects::new()), Mutex::new(BTreeMap::new()), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut buffer = Vec::new();
                while let Some(delivery) = feed.next(&mut buffer) {
                    let name = delivery.object.raw().to_owned();
                    let doubled = match delivery.outcome {
                        Fetched::Whole => whole.lock().unwrap().insert(name, buffer.clone()).is_some(),
                        Fetched::Failed(reason) => {
                            failed.lock().unwrap().insert(name, (reason, buffer.clone())).is_some()
                        }
                        Fetched::OtherKind | Fetched::Known => panic!("{name} is of another kind"),
                    };
                    assert!(!doubled);
                    each(count.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    Read {
        whole: whole.into_inner().unwrap(),
        failed: failed.into_inner().unwrap(),
        retries: feed.listed().retries,
    }
}

fn world(count: u32, bytes_max: u64) -> (Objects, Arc<Memory>, Server) {
    let objects = objects(count, bytes_max);
    let memory = Arc::new(Memory::new(BUCKET, objects.clone()));
    let server = Server::memory(&memory);
    (objects, memory, server)
}

fn open(endpoint: &str) -> Box<dyn Feed> {
    source::open("s3://trail", &options(endpoint), &Filter::default()).unwrap()
}

fn seed() -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_241_001);
    eprintln!("SEED={seed}");
    seed
}

fn status(status: u16, code: &str) -> Fault {
    Fault::Answer(error_answer(status, code, ""))
}

/// Every temporary fault.
fn passing_faults() -> Vec<Fault> {
    vec![
        status(500, "InternalError"),
        status(503, "SlowDown"),
        status(503, "ServiceUnavailable"),
        Fault::Answer(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 5\r\n\r\noops\n".to_vec()),
        status(400, "RequestTimeout"),
        Fault::Reset,
        Fault::ResetInBody(0),
        Fault::ResetInBody(70),
        Fault::CutBody(30),
        Fault::CutBody(99),
        Fault::Delay(Duration::from_millis(20)),
        Fault::Answer(b"this is not HTTP\r\n\r\n".to_vec()),
    ]
}

/// Checks that every object is unchanged, or failed with a reason.
fn assert_rule(objects: &Objects, read: &Read) {
    for (key, bytes) in objects {
        match (read.whole.get(key), read.failed.get(key)) {
            (Some(whole), None) => assert!(whole == bytes, "{key}: other bytes than without faults"),
            (None, Some((reason, part))) => {
                assert!(!reason.is_empty() && bytes.starts_with(part), "{key}: {reason}")
            }
            (one, other) => panic!("{key}: {one:?} {other:?}"),
        }
    }
    assert_eq!(read.whole.len() + read.failed.len(), objects.len());
}

#[test]
fn each_kind_of_fault_passes_and_leaves_the_same_bytes() {
    let (objects, _, server) = world(60, 60_000);
    for fault in passing_faults() {
        let faults = Faults { seed: 1, per_mille: 1000, in_a_row_max: 2, kinds: vec![fault.clone()] };
        let proxy = Proxy::start(server.address, move |request| faults.decide(request));
        let read = read(&*open(&proxy.endpoint()));
        assert_rule(&objects, &read);
        assert!(read.failed.is_empty(), "{fault:?}: {:?}", read.failed);
        assert!(proxy.faults() >= 60);
        assert!(
            read.retries >= 60 || matches!(fault, Fault::Delay(_)),
            "{fault:?}: {} retries",
            read.retries
        );
    }
}

#[test]
fn ten_thousand_objects_with_faults_in_every_twentieth_finish() {
    let (objects, _, server) = world(10_000, 3_000);
    let faults = Faults { seed: seed(), per_mille: 50, in_a_row_max: 0, kinds: passing_faults() };
    let proxy = Proxy::start(server.address, move |request| faults.decide(request));
    let read = read(&*open(&proxy.endpoint()));
    assert_rule(&objects, &read);
    assert!(read.failed.is_empty(), "eight faults in a row, at 5 %: {:?}", read.failed);
    assert!(
        proxy.faults() > 300 && read.retries > 200,
        "{} faults, {} retries",
        proxy.faults(),
        read.retries
    );
}

#[test]
fn what_never_passes_fails_alone_with_its_reason() {
    let (objects, _, server) = world(40, 5_000);
    let cases: [(Fault, &str); 6] = [
        (status(500, "InternalError"), "the service failed"),
        (status(503, "SlowDown"), "slow down"),
        (Fault::ResetInBody(50), "the connection broke"),
        (Fault::CutBody(50), "ended before its announced length"),
        (Fault::Reset, "the connection broke"),
        (status(418, "ImATeapot"), "S3 refused (HTTP 418 ImATeapot"),
    ];
    for (fault, words) in cases {
        let proxy = Proxy::start(server.address, move |request| {
            if request.target.contains("000007") { fault.clone() } else { Fault::None }
        });
        let read = read(&*open(&proxy.endpoint()));
        assert_rule(&objects, &read);
        let (name, (reason, _)) = read.failed.first_key_value().expect("no object failed");
        assert_eq!(read.failed.len(), 1);
        assert!(name.contains("000007") && reason.contains(words), "{name}: {reason}");
        assert!(reason.contains("8 tries") || words.contains("418"), "{reason}");
    }
}

/// A scanner in between blocks a single object: although that is the last request of the run, S3 is
/// available.
#[test]
fn a_connection_that_always_breaks_for_the_only_object_is_that_objects_failure() {
    let (objects, _, server) = world(1, 5_000);
    let proxy = Proxy::start(server.address, |request| {
        if request.target.contains("000000.json") { Fault::Reset } else { Fault::None }
    });
    let feed = open(&proxy.endpoint());
    let read = read(&*feed);
    assert_eq!((read.failed.len(), feed.fatal()), (1, None));
    assert_rule(&objects, &read);
}

#[test]
fn a_body_that_stalls_or_drips_is_not_waited_for() {
    let (objects, _, server) = world(12, 20_000);
    for fault in [Fault::Stall, Fault::Drip(Duration::from_millis(20))] {
        let proxy = Proxy::start(server.address, move |request| {
            if request.target.contains("00000") && request.tried == 0 { fault.clone() } else { Fault::None }
        });
        // An empty body is complete before it stalls; the next request on that connection waits for an answer
        // instead.
        let patience = Patience {
            response: Duration::from_secs(2),
            silence: Duration::from_millis(500),
            drip: Duration::from_millis(500),
            drip_bytes_min: 4_096,
            ..options("").patience
        };
        let options = Options { patience, ..options(&proxy.endpoint()) };
        let begun = Instant::now();
        let read = read(&*source::open("s3://trail", &options, &Filter::default()).unwrap());
        assert_rule(&objects, &read);
        assert!(read.failed.is_empty(), "{:?}", read.failed);
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        assert!(read.retries >= 5, "{}", read.retries);
    }
}

#[test]
fn an_answer_that_does_not_come_is_asked_for_again() {
    let (objects, _, server) = world(5, 1_000);
    let proxy = Proxy::start(server.address, |request| {
        if request.tried == 0 { Fault::Delay(Duration::from_secs(30)) } else { Fault::None }
    });
    let patience = Patience { response: Duration::from_millis(400), ..options("").patience };
    let options = Options { patience, ..options(&proxy.endpoint()) };
    let read = read(&*source::open("s3://trail", &options, &Filter::default()).unwrap());
    assert_rule(&objects, &read);
    assert!(read.failed.is_empty() && read.retries >= 5);
}

/// Whether a request is signed for this region, according to its credential scope.
fn is_signed_for(request: &Request<'_>, region: &str) -> bool {
    request.head.contains(&format!("/{region}/s3/aws4_request"))
}

#[test]
fn a_redirect_to_the_buckets_own_region_is_followed_once() {
    for (code, status, header) in [
        ("PermanentRedirect", 301, "x-amz-bucket-region: eu-central-1\r\n"),
        ("AuthorizationHeaderMalformed", 400, "x-amz-bucket-region: eu-central-1\r\n"),
        ("PermanentRedirect", 301, ""),
    ] {
        let (objects, _, server) = world(50, 1_000);
        let astray = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&astray);
        let proxy = Proxy::start(server.address, move |request| {
            if is_signed_for(request, "eu-central-1") {
                return Fault::None;
            }
            count.fetch_add(1, Ordering::Relaxed);
            let header =
                if request.method == "HEAD" { "x-amz-bucket-region: eu-central-1\r\n" } else { header };
            let body = error_answer(status, code, header);
            let end = if request.method == "HEAD" {
                body.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4
            } else {
                body.len()
            };
            Fault::Answer(body[..end].to_vec())
        });
        let read = read(&*open(&proxy.endpoint()));
        assert_rule(&objects, &read);
        assert!(read.failed.is_empty());
        assert!(astray.load(Ordering::Relaxed) <= 2, "every request went astray: {astray:?}");
    }
}

#[test]
fn a_redirect_that_leads_nowhere_ends() {
    let (_, _, server) = world(5, 1_000);
    let turn = AtomicU64::new(0);
    let proxy = Proxy::start(server.address, move |_| {
        let region = ["eu-west-1", "eu-west-2"][turn.fetch_add(1, Ordering::Relaxed) as usize % 2];
        Fault::Answer(error_answer(301, "PermanentRedirect", &format!("x-amz-bucket-region: {region}\r\n")))
    });
    let feed = open(&proxy.endpoint());
    assert!(read(&*feed).whole.is_empty());
    assert_eq!(feed.fatal().unwrap().kind, FatalKind::OtherRegion);
}

#[test]
fn credentials_that_expire_half_way_are_asked_for_again_and_then_end_the_run() {
    let (objects, _, server) = world(300, 1_000);
    let proxy = Proxy::start(server.address, |request| {
        if request.tried == 0 && (100..110).contains(&request.ordinal) {
            status(400, "ExpiredToken")
        } else {
            Fault::None
        }
    });
    let read_all = read(&*open(&proxy.endpoint()));
    assert_rule(&objects, &read_all);
    assert!(read_all.failed.is_empty(), "{:?}", read_all.failed);

    let proxy = Proxy::start(server.address, |request| {
        if request.ordinal >= 100 { status(400, "ExpiredToken") } else { Fault::None }
    });
    let feed = open(&proxy.endpoint());
    let part = read(&*feed);
    assert!(part.whole.len() < 100);
    let error = feed.fatal().unwrap();
    assert_eq!(error.kind, FatalKind::ExpiredCredentials);
    assert!(error.to_string().contains("aws sso login"), "{error}");
}

#[test]
fn an_object_that_is_replaced_between_two_tries_is_one_of_the_two() {
    let (mut objects, memory, server) = world(10, 50_000);
    let key = objects.keys().nth(5).unwrap().clone();
    let newer = vec![7; 60_000];
    let (inside, name, bytes) = (Arc::clone(&memory), key.clone(), newer.clone());
    let proxy = Proxy::start(server.address, move |request| {
        if !request.target.contains(&name) {
            return Fault::None;
        }
        match request.tried {
            0 => Fault::ResetInBody(80),
            1 => {
                assert!(
                    request.head.to_ascii_lowercase().contains("if-match: "),
                    "the second try asks for the version of the first"
                );
                inside.put(&name, bytes.clone());
                Fault::None
            }
            _ => Fault::None,
        }
    });
    let read = read(&*open(&proxy.endpoint()));
    objects.insert(key, newer);
    assert_rule(&objects, &read);
    assert!(read.failed.is_empty(), "{:?}", read.failed);
}

#[test]
fn a_server_that_is_killed_and_comes_back_costs_nothing_but_time() {
    let (objects, memory, server) = world(1_500, 2_000);
    let address = server.address;
    let server = Mutex::new(Some(server));
    let proxy = Proxy::start(address, |_| Fault::None);
    let retry = retry::Policy { tries_max: 50, ..options("").retry };
    let options = Options { retry, ..options(&proxy.endpoint()) };
    let feed = source::open("s3://trail", &options, &Filter::default()).unwrap();
    let killed = AtomicBool::new(false);
    let read = read_with(&*feed, |count| {
        if count >= 200 && !killed.swap(true, Ordering::AcqRel) {
            *server.lock().unwrap() = None;
            std::thread::sleep(Duration::from_millis(700));
            *server.lock().unwrap() = Some(Server::memory_at(&memory, address));
        }
    });
    assert_rule(&objects, &read);
    assert!(read.failed.is_empty(), "{:?}", read.failed.iter().next());
    assert!(read.retries > 0);
}

#[test]
fn a_server_that_stays_away_ends_the_run_soon() {
    let (objects, _, server) = world(1_500, 2_000);
    let server = Mutex::new(Some(server));
    let endpoint = server.lock().unwrap().as_ref().unwrap().endpoint();
    let feed = open(&endpoint);
    let begun = Instant::now();
    let read = read_with(&*feed, |count| {
        if count == 200 {
            *server.lock().unwrap() = None;
        }
    });
    assert_eq!(feed.fatal().unwrap().kind, FatalKind::Unreachable);
    assert!(read.whole.len() < objects.len());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_service_that_only_throttles_ends_the_run_and_says_so() {
    let (_, _, server) = world(500, 100);
    let proxy =
        Proxy::start(
            server.address,
            |request| if request.is_list() { Fault::None } else { status(503, "SlowDown") },
        );
    let feed = open(&proxy.endpoint());
    let read = read(&*feed);
    assert!(read.whole.is_empty() && read.failed.len() < 100);
    let error = feed.fatal().unwrap();
    assert!(error.kind == FatalKind::Unavailable && error.detail.contains("SlowDown"), "{error}");
}

#[test]
fn a_branch_that_cannot_be_listed_stands_in_coverage() {
    let (_, _, server) = world(40, 500);
    let filter = Filter {
        since: Some("2024-10-03T00:00:00Z").and_then(tagfall::model::Timestamp::parse),
        ..Filter::default()
    };
    let proxy = Proxy::start(server.address, |request| {
        if request.is_list() && request.target.contains("2024%2F10%2F07%2F") {
            status(500, "InternalError")
        } else {
            Fault::None
        }
    });
    let feed = source::open("s3://trail", &options(&proxy.endpoint()), &filter).unwrap();
    let read = read(&*feed);
    assert_eq!(feed.fatal(), None);
    assert_eq!((read.whole.len(), read.failed.len()), (34, 1));
    let (name, (reason, _)) = read.failed.first_key_value().unwrap();
    assert!(name.ends_with("/2024/10/07/") && reason.contains("could be listed"), "{name}: {reason}");
    assert_eq!(feed.listed().objects, 35);
}

#[test]
fn a_listing_that_leads_in_circles_or_astray_is_not_believed() {
    let page = |truncated: bool, token: u64, key: &str| {
        let body = format!(
            "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>{truncated}</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>\
             <Contents><Key>{key}</Key><Size>1</Size></Contents></ListBucketResult>"
        );
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    for (truncated, tokens, key) in [(true, 1, "a/x"), (true, u64::MAX, "a/x"), (false, 1, "elsewhere/x")] {
        let (_, _, server) = world(1, 1);
        let answer = move |request: &Request<'_>| {
            if request.is_list() {
                Fault::Answer(page(truncated, request.ordinal % tokens, key))
            } else {
                status(404, "NoSuchKey")
            }
        };
        let proxy = Proxy::start(server.address, answer);
        let feed = source::open("s3://trail/a/", &options(&proxy.endpoint()), &Filter::default()).unwrap();
        let read = read(&*feed);
        assert!(feed.fatal().is_some() || read.failed.contains_key("a/"), "believed {:?}", feed.listed());
    }
}

#[test]
fn objects_arrive_while_listing_goes_on() {
    let (objects, _, server) = world(400, 100);
    let filter =
        Filter { since: tagfall::model::Timestamp::parse("2024-10-02T12:00:00Z"), ..Filter::default() };
    let proxy = Proxy::start(server.address, |request| {
        if request.is_list() && request.target.contains("2024%2F10%2F07%2F") {
            Fault::Delay(Duration::from_secs(2))
        } else {
            Fault::None
        }
    });
    let feed = source::open("s3://trail", &options(&proxy.endpoint()), &filter).unwrap();
    let mut buffer = Vec::new();
    assert!(feed.next(&mut buffer).is_some());
    assert!(!feed.listed().complete, "nothing was handed out before the listing was complete");
    assert_eq!(read(&*feed).whole.len(), objects.len() - 20 - 1, "one day pruned, one object taken");
    assert!(feed.listed().complete);
}
