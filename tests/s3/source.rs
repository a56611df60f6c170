//! One suite for every kind of source: the same archive in a folder, in a bucket in memory, and in `s3s-fs`
//! over the folder gives the same names, bytes and counts.

use crate::s3;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use s3::{Memory, Refusal, Server, options};
use tagfall::model::{Filter, Timestamp};
use tagfall::source::{self, FatalKind, Feed, Fetched, Listed, Options, Pruned};

const BUCKET: &str = "trail";

#[derive(Debug, PartialEq, Eq)]
struct Read {
    objects: BTreeMap<String, (Fetched, Vec<u8>)>,
    listed: u64,
    pruned: Pruned,
}

/// Reads a feed with four workers.
fn read(feed: &dyn Feed) -> Read {
    let objects = std::sync::Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut buffer = b"left over".to_vec();
                while let Some(delivery) = feed.next(&mut buffer) {
                    assert_eq!(delivery.size, buffer.len() as u64);
                    let name = delivery.object.raw().to_owned();
                    let before =
                        objects.lock().unwrap().insert(name.clone(), (delivery.outcome, buffer.clone()));
                    assert_eq!(before, None, "{name} came twice");
                }
            });
        }
    });
    let Listed { objects: listed, complete, .. } = feed.listed();
    assert!(complete);
    assert_eq!(feed.fatal(), None);
    Read { objects: objects.into_inner().unwrap(), listed, pruned: feed.pruned() }
}

fn body(key: &str, bytes: usize) -> Vec<u8> {
    key.bytes().cycle().take(bytes).collect()
}

fn key(account: &str, kind: &str, region: &str, day: &str, number: u32) -> String {
    let stamp = day.replace('/', "");
    format!(
        "AWSLogs/{account}/{kind}/{region}/{day}/{account}_{kind}_{region}_{stamp}T{:02}{:02}Z_{number:016}.json.gz",
        number % 24,
        number % 60
    )
}

/// 3,400 objects: two accounts and an organisation's, three regions, five months; and other objects that are
/// not evidence.
fn archive() -> BTreeMap<String, Vec<u8>> {
    let mut archive = BTreeMap::new();
    let mut add = |key: String, bytes: usize| archive.insert(key.clone(), body(&key, bytes));
    for number in 0..2_400 {
        let day = format!("2024/{:02}/{:02}", 8 + number / 800, 1 + number % 28);
        add(key("111122223333", "CloudTrail", "us-east-1", &day, number), 10 + number as usize % 300);
    }
    for number in 0..300 {
        let day = format!("2024/{:02}/{:02}", 8 + number / 75, 1 + number % 28);
        add(key("111122223333", "CloudTrail", "eu-central-1", &day, number), 100);
        add(key("444455556666", "CloudTrail", "us-east-1", &day, number), 100);
        add(key("444455556666", "CloudTrail-Digest", "us-east-1", &day, number), 100);
    }
    let organisation = key("777788889999", "CloudTrail", "us-gov-west-1", "2024/12/31", 1)
        .replace("AWSLogs/", "central/AWSLogs/o-abcdefghij/");
    add(organisation, 3_000_000);
    for number in 0..100 {
        add(key("111122223333", "CloudTrail-Insight", "us-east-1", "2024/10/02", number), 50);
    }
    add("AWSLogs/111122223333/Config/us-east-1/2024/10/1/ConfigSnapshot/config.json.gz".to_owned(), 10);
    add("AWSLogs/111122223333/CloudTrail/us-east-1/2024/README.md".to_owned(), 10);
    add("exports/lookup events (copy)+1.json".to_owned(), 100);
    add("exports/größe.json".to_owned(), 0);
    add("event_history.json".to_owned(), 1);
    archive
}

fn write(root: &Path, archive: &BTreeMap<String, Vec<u8>>) {
    for (key, bytes) in archive {
        let path = root.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn time(text: &str) -> Option<Timestamp> {
    Some(Timestamp::parse(text).unwrap())
}

fn filters() -> Vec<Filter> {
    vec![
        Filter::default(),
        Filter { accounts: vec!["444455556666".to_owned()], ..Filter::default() },
        Filter { regions: vec!["eu-central-1".to_owned(), "us-gov-west-1".to_owned()], ..Filter::default() },
        Filter {
            since: time("2024-09-10T12:00:00Z"),
            until: time("2024-10-03T00:00:00Z"),
            ..Filter::default()
        },
        Filter { since: time("2024-10-28T00:00:00Z"), ..Filter::default() },
        Filter { accounts: vec!["000000000000".to_owned()], ..Filter::default() },
    ]
}

#[test]
fn a_bucket_and_a_folder_that_mirrors_it_are_the_same_source() {
    let archive = archive();
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(BUCKET), &archive);
    let memory = Arc::new(Memory::new(BUCKET, archive.clone()));
    let (in_memory, over_folder) = (Server::memory(&memory), Server::folder(folder.path()));
    for filter in filters() {
        let path = folder.path().join(BUCKET);
        let local = read(&*source::open(path.to_str().unwrap(), &Options::default(), &filter).unwrap());
        assert_eq!(local.listed, local.objects.len() as u64);
        let bucket = read(&*source::open("s3://trail", &options(&in_memory.endpoint()), &filter).unwrap());
        assert_same("in memory", &bucket, &local, &filter);
        assert_eq!(
            (bucket.listed, &bucket.pruned.accounts, &bucket.pruned.regions),
            (local.listed, &local.pruned.accounts, &local.pruned.regions)
        );
        assert_eq!(bucket.pruned, local.pruned, "{filter:?}");
        if filter.since.is_some() {
            // It walks the whole tree for every page, and both kinds of listing have been tested.
            continue;
        }
        let second = read(&*source::open("s3://trail", &options(&over_folder.endpoint()), &filter).unwrap());
        assert_same("s3s-fs", &second, &local, &filter);
    }
}

/// Reports only the differences, because the whole is too long.
fn assert_same(server: &str, one: &Read, other: &Read, filter: &Filter) {
    let brief = |read: &Read, name: &String| {
        read.objects.get(name).map(|(outcome, bytes)| (outcome.clone(), bytes.len()))
    };
    let names = one.objects.keys().chain(other.objects.keys());
    let differences: Vec<_> = names
        .filter(|name| one.objects.get(*name) != other.objects.get(*name))
        .map(|name| (name, brief(one, name), brief(other, name)))
        .take(5)
        .collect();
    assert!(differences.is_empty(), "{server}, {filter:?}: {differences:#?}");
}

fn open(server: &Server, spec: &str) -> Box<dyn Feed> {
    source::open(spec, &options(&server.endpoint()), &Filter::default()).unwrap()
}

fn names(read: &Read) -> Vec<&str> {
    read.objects.keys().map(String::as_str).collect()
}

fn small(keys: &[&str]) -> (Arc<Memory>, Server) {
    let memory = Arc::new(Memory::new(BUCKET, keys.iter().map(|key| ((*key).to_owned(), body(key, 20)))));
    let server = Server::memory(&memory);
    (memory, server)
}

/// Drains a feed that is expected to end with an error; returns it, and how many objects came before.
fn fatal(feed: &dyn Feed) -> (source::FatalError, usize) {
    let mut buffer = Vec::new();
    let mut came = 0;
    while feed.next(&mut buffer).is_some() {
        came += 1;
    }
    (feed.fatal().expect("the feed ended as if all were well"), came)
}

#[test]
fn what_the_filters_leave_out_is_neither_fetched_nor_listed() {
    let archive = archive();
    let memory = Arc::new(Memory::new(BUCKET, archive.clone()));
    let server = Server::memory(&memory);
    let filter = Filter {
        accounts: vec!["111122223333".to_owned()],
        regions: vec!["us-east-1".to_owned()],
        since: time("2024-09-10T12:00:00Z"),
        until: time("2024-09-12T06:00:00Z"),
        ..Filter::default()
    };
    let read = read(&*source::open("s3://trail/AWSLogs/", &options(&server.endpoint()), &filter).unwrap());
    assert!(read.objects.len() > 100);
    for (name, (outcome, _)) in &read.objects {
        assert!(name.contains("/us-east-1/2024/09/1") && *outcome == Fetched::Whole, "{name} {outcome:?}");
        let day: u32 = name.split('/').nth(6).unwrap().parse().unwrap();
        assert!((10..=13).contains(&day), "{name}: a delivery day and one of slack");
    }
    assert_eq!(memory.gets().len(), read.objects.len());
    let lists = memory.lists();
    assert!(lists.len() <= 13, "{lists:#?}");
    assert!(
        !lists.iter().any(|prefix| prefix.contains("eu-central-1")
            || prefix.contains("444455556666")
            || prefix.contains("/08/")),
        "{lists:#?}"
    );
    assert!(
        read.pruned.accounts.contains("444455556666") && read.pruned.regions.contains("eu-central-1"),
        "{:?}",
        read.pruned
    );
}

#[test]
fn a_busy_region_is_split_and_lists_no_key_twice() {
    let busy = (0..9_000).map(|number| {
        key(
            "111122223333",
            "CloudTrail",
            "us-east-1",
            &format!("2024/{:02}/{:02}", 1 + number / 3_000, 1 + number % 28),
            number,
        )
    });
    let archive: BTreeMap<String, Vec<u8>> = busy.map(|key| (key, Vec::new())).collect();
    let memory = Arc::new(Memory::new(BUCKET, archive.clone()));
    let server = Server::memory(&memory);
    let plan = source::plan("s3://trail", &options(&server.endpoint()), &Filter::default()).unwrap();
    assert_eq!((plan.objects, plan.get_requests, plan.bytes), (9_000, 9_000, 0));
    assert_eq!(plan.list_requests, memory.lists().len() as u64);
    assert!((12..=110).contains(&plan.list_requests), "{}", plan.list_requests);
    assert_eq!(memory.gets(), Vec::<String>::new(), "a plan fetches nothing");
    let expected = plan.list_requests as f64 * 0.005 / 1000.0 + 9.0 * 0.0004;
    assert!((plan.request_cost_usd() - expected).abs() < 1e-9);
}

#[test]
fn a_plan_counts_what_a_run_reads() {
    let archive = archive();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &archive);
    let memory = Arc::new(Memory::new(BUCKET, archive));
    let server = Server::memory(&memory);
    for filter in filters() {
        let plan = source::plan("s3://trail/", &options(&server.endpoint()), &filter).unwrap();
        let local = source::plan(folder.path().to_str().unwrap(), &Options::default(), &filter).unwrap();
        assert_eq!(
            (plan.objects, plan.objects_other_kind, plan.bytes, &plan.pruned),
            (local.objects, local.objects_other_kind, local.bytes, &local.pruned)
        );
        assert_eq!(plan.get_requests, plan.objects - plan.objects_other_kind);
        assert_eq!((local.list_requests, local.get_requests), (0, 0));
    }
    let read = read(&*open(&server, "s3://trail/"));
    let plan = source::plan("s3://trail/", &options(&server.endpoint()), &Filter::default()).unwrap();
    assert_eq!(plan.objects, read.listed);
    assert_eq!(plan.bytes, read.objects.values().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
}

#[test]
fn a_layout_that_is_not_cloudtrails_is_listed_plainly() {
    let archive = (0..2_500).map(|number| (format!("exports/{number:05}/events.json"), Vec::new()));
    let memory = Arc::new(Memory::new(BUCKET, archive));
    let server = Server::memory(&memory);
    assert_eq!(read(&*open(&server, "s3://trail")).objects.len(), 2_500);
    assert!(memory.lists().len() <= 8, "{} requests for three pages and two looks", memory.lists().len());
}

#[test]
fn a_prefix_is_the_folder_of_that_name_then_the_object_then_a_beginning() {
    let (_, server) = small(&[
        "logs/a.json",
        "logs/b.json",
        "logs-old/a.json",
        "one.json",
        "one.json.gz",
        "x/2024-01.json",
        "x/2024-02.json",
        "x/y.md",
    ]);
    for (spec, expected) in [
        ("s3://trail/logs", vec!["logs/a.json", "logs/b.json"]),
        ("s3://trail/logs/", vec!["logs/a.json", "logs/b.json"]),
        ("S3://trail/log", vec!["logs-old/a.json", "logs/a.json", "logs/b.json"]),
        ("s3://trail/one.json", vec!["one.json"]),
        ("s3://trail/x/2024-", vec!["x/2024-01.json", "x/2024-02.json"]),
        ("s3://trail/x/y.md", vec!["x/y.md"]),
        ("s3://trail/nothing", vec![]),
    ] {
        assert_eq!(names(&read(&*open(&server, spec))), expected, "{spec}");
    }
}

#[test]
fn with_several_sources_each_name_begins_with_its_source() {
    let (_, server) = small(&["logs/a.json"]);
    let options = Options { many: true, ..options(&server.endpoint()) };
    let feed = source::open("s3://trail/logs/", &options, &Filter::default()).unwrap();
    assert_eq!(names(&read(&*feed)), ["s3://trail/logs/a.json"]);
}

#[test]
fn keys_of_all_characters_arrive() {
    let (_, server) = small(&[
        "a b.json",
        "a+b.json",
        "a%2Bb.json",
        "tab\tand\u{1}control.json",
        "größe/日本.json",
        "quote\"<&>'.json",
        "dots/../up.json2",
        "AWSLogs/.partial/x.json",
    ]);
    let read = read(&*open(&server, "s3://trail"));
    // A key is not a path: `..` and hidden names are normal names.
    assert_eq!(read.objects.len(), 8, "{:?}", names(&read));
    for (name, (outcome, bytes)) in &read.objects {
        assert_eq!((outcome, bytes), (&Fetched::Whole, &body(name, 20)), "{name}");
    }
}

#[test]
fn nothing_there_and_everything_pruned_can_be_told_apart() {
    let (_, server) = small(&["AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/01/x.json.gz"]);
    let empty = read(&*open(&server, "s3://trail/elsewhere/"));
    assert_eq!((empty.listed, empty.pruned), (0, Pruned::default()));
    let filter = Filter { since: time("2024-10-02T00:00:00Z"), ..Filter::default() };
    let pruned = read(&*source::open("s3://trail/", &options(&server.endpoint()), &filter).unwrap());
    assert_eq!(pruned.listed, 0);
    assert_eq!(pruned.pruned.places, 1);
    assert_eq!(pruned.pruned.days, Some(("2024-10-01".to_owned(), "2024-10-01".to_owned())));
    assert!(pruned.pruned.accounts.contains("111122223333") && pruned.pruned.regions.contains("us-east-1"));
}

#[test]
fn a_stopped_feed_hands_out_nothing_more() {
    let archive = (0..3_000).map(|number| (format!("{number}.json"), vec![1; 1000]));
    let memory = Arc::new(Memory::new(BUCKET, archive));
    let server = Server::memory(&memory);
    let feed = open(&server, "s3://trail");
    let mut buffer = Vec::new();
    assert!(feed.next(&mut buffer).is_some());
    feed.stop();
    assert!(feed.next(&mut buffer).is_none());
    assert_eq!(feed.fatal(), None);
    drop(feed);
    assert!(memory.gets().len() < 3_000);
}

#[test]
fn objects_larger_than_the_budget_go_alone_and_those_over_the_limit_fail() {
    let sizes = [("a", 100), ("b", 300_000), ("c", 2_000_000), ("d", 70_000), ("e", 999_999)];
    let memory = Arc::new(Memory::new(BUCKET, sizes.map(|(key, bytes)| (key.to_owned(), body(key, bytes)))));
    let server = Server::memory(&memory);
    let options = Options { memory_bytes_max: 1_000_000, ..options(&server.endpoint()) };
    let read = read(&*source::open("s3://trail", &options, &Filter::default()).unwrap());
    for (key, bytes) in sizes {
        match &read.objects[key] {
            (Fetched::Whole, whole) => assert_eq!(whole.len(), bytes),
            (Fetched::Failed(reason), rest) => {
                assert!(key == "c" && rest.is_empty() && reason.contains("--max-memory"), "{key}: {reason}")
            }
            other => panic!("{key}: {other:?}"),
        }
    }
}

#[test]
fn what_nobody_takes_is_not_fetched_beyond_the_budget() {
    // As many as are allowed come, however busy the machine is; then no more do.
    let settle = |memory: &Memory, allowed: usize| {
        let begin = Instant::now();
        while memory.gets().len() < allowed && begin.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(500));
        memory.gets().len()
    };
    let large =
        Arc::new(Memory::new(BUCKET, (0..100).map(|number| (format!("{number:03}"), vec![1; 1 << 20]))));
    let server = Server::memory(&large);
    let options = Options { memory_bytes_max: 32 << 20, ..options(&server.endpoint()) };
    let feed = source::open("s3://trail", &options, &Filter::default()).unwrap();
    assert_eq!(settle(&large, 8), 8, "a quarter of 32 MiB, in objects of 1 MiB");
    assert_eq!(read(&*feed).objects.len(), 100);

    let small = Arc::new(Memory::new(BUCKET, (0..3_000).map(|number| (format!("{number:04}"), vec![1; 10]))));
    let server = Server::memory(&small);
    let feed = open(&server, "s3://trail");
    assert_eq!(settle(&small, 1024), 1024, "whatever they weigh, no more than 1,024 wait");
    assert_eq!(read(&*feed).objects.len(), 3_000);
}

#[test]
fn refusals_of_single_objects_stand_in_coverage() {
    let (memory, server) = small(&["a", "b", "c", "d", "e"]);
    for (key, refusal) in
        [("b", Refusal::Denied), ("c", Refusal::Gone), ("d", Refusal::KmsDisabled), ("e", Refusal::Frozen)]
    {
        memory.refuse(key, refusal);
    }
    let read = read(&*open(&server, "s3://trail"));
    assert_eq!(read.objects["a"], (Fetched::Whole, body("a", 20)));
    for (key, words) in [
        ("b", "s3:GetObject"),
        ("c", "gone between listing and reading"),
        ("d", "kms:Decrypt"),
        ("e", "Glacier"),
    ] {
        let (Fetched::Failed(reason), bytes) = &read.objects[key] else {
            panic!("{key}: {:?}", read.objects[key])
        };
        assert!(reason.contains(words) && bytes.is_empty(), "{key}: {reason}");
    }
    assert_eq!(memory.gets().len(), 5, "no retry helps against a refusal");
}

#[test]
fn errors_that_no_retry_helps_stop_at_once_and_say_what_to_do() {
    let keys: Vec<String> = (0..500).map(|number| format!("{number:03}.json")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();

    let (_, server) = small(&keys);
    let (error, came) = fatal(&*open(&server, "s3://other-bucket/"));
    assert_eq!((error.kind, came), (FatalKind::NoSuchBucket, 0));
    let plan = source::plan("s3://other-bucket/", &options(&server.endpoint()), &Filter::default());
    assert!(matches!(
        plan,
        Err(source::PlanError::Fatal(source::FatalError { kind: FatalKind::NoSuchBucket, .. }))
    ));

    let mut wrong = options(&server.endpoint());
    wrong.credentials.as_mut().unwrap().secret_access_key = "wrong".to_owned();
    let (error, _) = fatal(&*source::open("s3://trail", &wrong, &Filter::default()).unwrap());
    assert_eq!(error.kind, FatalKind::BadCredentials, "{error}");

    let nobody = Options {
        profile: Some("no-such-profile".to_owned()),
        credentials: None,
        ..options(&server.endpoint())
    };
    let (error, _) = fatal(&*source::open("s3://trail", &nobody, &Filter::default()).unwrap());
    assert_eq!(error.kind, FatalKind::NoCredentials, "{error}");
    assert!(error.to_string().contains("no-such-profile"), "{error}");

    let (memory, server) = small(&keys);
    memory.refuse_lists();
    let (error, _) = fatal(&*open(&server, "s3://trail/"));
    assert_eq!(error.kind, FatalKind::ListDenied);
    assert!(error.to_string().contains("s3:ListBucket"), "{error}");

    for (refusal, kind, action) in [
        (Refusal::Denied, FatalKind::GetDenied, "s3:GetObject"),
        (Refusal::KmsDisabled, FatalKind::KmsDenied, "kms:Decrypt"),
    ] {
        let (memory, server) = small(&keys);
        memory.refuse_all(refusal);
        let (error, _) = fatal(&*open(&server, "s3://trail/"));
        assert_eq!(error.kind, kind);
        assert!(error.to_string().contains(action), "{error}");
        assert!(memory.gets().len() < 200, "{} requests although every one was refused", memory.gets().len());

        let (memory, server) = small(&keys[..3]);
        memory.refuse_all(refusal);
        let (error, came) = fatal(&*open(&server, "s3://trail/"));
        assert_eq!((error.kind, memory.gets().len()), (kind, 3));
        assert!(came <= 3);
    }
}

#[test]
fn an_endpoint_that_is_not_there_is_told_soon() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let begun = std::time::Instant::now();
    let (error, came) = fatal(
        &*source::open("s3://trail", &options(&format!("http://{address}")), &Filter::default()).unwrap(),
    );
    assert_eq!((error.kind, came), (FatalKind::Unreachable, 0));
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn addresses_that_cannot_be_one() {
    for spec in ["s3://", "s3:///prefix", "s3://arn:aws:s3:::trail"] {
        let error = source::open(spec, &Options::default(), &Filter::default()).err().unwrap();
        assert!(matches!(error, source::OpenError::BadAddress { .. }), "{spec}: {error}");
    }
}

/// The same with another server: `TAGFALL_TEST_ENDPOINT=http://127.0.0.1:5000 cargo test --test s3 source --
/// --ignored`, with keys and region from the environment. Creates a bucket there and leaves it.
#[test]
#[ignore = "needs a server: TAGFALL_TEST_ENDPOINT"]
fn another_server_says_the_same() {
    let endpoint = std::env::var("TAGFALL_TEST_ENDPOINT").expect("TAGFALL_TEST_ENDPOINT names the server");
    let archive = archive();
    let bucket = format!("trail-{}", std::process::id());
    s3::fill(&endpoint, &bucket, &archive);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &archive);
    let options = Options { endpoint_url: Some(endpoint), ..Options::default() };
    for filter in filters() {
        let local =
            read(&*source::open(folder.path().to_str().unwrap(), &Options::default(), &filter).unwrap());
        let begun = std::time::Instant::now();
        let remote = read(&*source::open(&format!("s3://{bucket}"), &options, &filter).unwrap());
        eprintln!("{} objects in {:?}", remote.listed, begun.elapsed());
        assert_same("the other server", &remote, &local, &filter);
        assert_eq!(remote.pruned, local.pruned);
    }
}
