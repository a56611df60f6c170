//! A lake in a bucket, as a user sees it: the same answers as from a folder, byte for byte; killed runs, and
//! a service that fails in between.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::place::{Location, put_all, said};
use crate::s3::{Fault, Proxy, Request, error_answer};
use crate::world::World;
use serde_json::Value;

const LAKE: &str = "s3://trail/lakes/one";

fn generation(place: &Location) -> u64 {
    let manifest: Value =
        serde_json::from_slice(&place.bucket.get("lakes/one/_tagfall/manifest.json").unwrap()).unwrap();
    manifest["generation"].as_u64().unwrap()
}

/// Row counts as `query` gives them.
const COUNT: &str = "SELECT count(*) AS n FROM cloudtrail_logs";

#[test]
fn a_lake_in_a_bucket_gives_byte_for_byte_what_one_in_a_folder_gives() {
    let place = Location::new();
    for source in ["incident", "quiet"] {
        place.ok(&["ingest", source, "--lake", "lake"]);
        place.ok(&["ingest", source, "--lake", LAKE]);
    }
    for verb in [
        &["detect"][..],
        &["timeline"],
        &["forecast"],
        &["whatif"],
        &["explain", "shop/checkout:release-2026.03.02"],
    ] {
        for format in ["json", "csv"] {
            if format == "csv" && matches!(verb[0], "whatif" | "explain") {
                continue;
            }
            let run = |lake: &str| {
                String::from_utf8(place.stdout(&[verb, &[lake, "--format", format]].concat())).unwrap()
            };
            assert!(run("lake") == run(LAKE), "{verb:?} {format}");
        }
    }
    let queries = [
        "SELECT * FROM cloudtrail_logs ORDER BY eventtime, eventid, eventname, requestparameters",
        "SELECT eventname, count(*) AS n FROM cloudtrail_logs GROUP BY eventname ORDER BY n DESC, eventname",
        "SELECT date, useridentity.arn FROM cloudtrail_logs WHERE eventname = 'PutImage' ORDER BY eventtime, eventid",
    ];
    for sql in queries {
        let run =
            |lake: &str| String::from_utf8(place.stdout(&["query", sql, lake, "--format", "csv"])).unwrap();
        assert_eq!(run("lake"), run(LAKE), "{sql}");
    }
    assert!(
        place.ok(&["ingest", "incident", "--lake", LAKE]).contains("read 0 objects"),
        "what is known is not read again"
    );
    assert!(place.ok(&["lake", "check", LAKE]).contains("checked"));
    // The layout is the same: a copy of it in a folder is a lake, too, and can be extended.
    for key in place.keys("lakes/one/") {
        place.world.file(&key, &place.bucket.get(&key).unwrap());
    }
    let run = |lake: &str| String::from_utf8(place.stdout(&["detect", lake, "--format", "json"])).unwrap();
    assert_eq!(run("lakes/one"), run(LAKE));
    assert!(place.ok(&["ingest", "incident", "quiet", "--lake", "lakes/one"]).contains("added 0 events"));
}

#[test]
fn an_archive_in_a_bucket_and_its_lake_beside_it_agree() {
    let place = Location::new();
    let incident = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident");
    let server_world = World::new();
    server_world.copy(&incident, "incident");
    put_all(&place.bucket, &incident, "logs");
    place.ok(&["ingest", "s3://trail/logs/", "--lake", LAKE]);
    let findings = |source: &str| place.json(&["detect", source])["findings"].clone();
    assert_eq!(findings("s3://trail/logs/"), findings(LAKE));
    for source in ["s3://trail", "s3://trail/", "s3://trail/lakes/one", "s3://trail/lak"] {
        let output = place.run(&["ingest", source, "--lake", "s3://trail/lakes/two"]);
        let refused = output.status.code() == Some(2);
        assert!(refused, "{source}: {}", said(&output));
    }
    for args in [&["verify", LAKE][..], &["detect", LAKE, "--dry-run"]] {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(said(&output).contains("it is a lake"), "{args:?}: {}", said(&output));
    }
}

#[test]
fn a_question_fetches_the_days_and_the_columns_that_it_asks_for_and_lists_no_partition() {
    let place = Location::new();
    place.ok(&["ingest", "incident", "--lake", LAKE]);
    let size = |key: &str| place.bucket.get(key).unwrap().len();
    let parts: usize = place.keys("/_tagfall/parts/").iter().map(|key| size(key)).sum();
    let lists = place.bucket.lists().len();
    place.bucket.take_log();
    let sql = "SELECT count(DISTINCT eventname) AS n FROM cloudtrail_logs WHERE date = '2026-03-02'";
    place.ok(&["query", sql, LAKE]);
    let log = place.bucket.take_log();
    let of_parts: Vec<&String> = log.iter().filter(|line| line.contains("/parts/")).collect();
    assert!(
        !of_parts.is_empty()
            && of_parts.iter().all(|line| line.contains("date=2026-03-02") && line.contains(" bytes=")),
        "{log:#?}"
    );
    let bytes: usize = of_parts.iter().map(|line| length(line)).sum();
    assert!(bytes * 4 < parts, "{bytes} of {parts} bytes were fetched: {of_parts:#?}");
    assert!(of_parts.len() <= 6, "a footer and a column of each file: {of_parts:#?}");
    let asked: Vec<String> = place.bucket.lists().split_off(lists);
    assert_eq!(asked, ["lakes/one/_tagfall/manifest"], "whether it is a lake, and nothing else");
    // All columns of a file are fetched in few requests.
    place.ok(&["detect", LAKE]);
    let log = place.bucket.take_log();
    let files = place.keys("/_tagfall/parts/").len();
    let gets = log.iter().filter(|line| line.contains("/parts/")).count();
    assert!(gets <= 4 * files, "{gets} requests for {files} files");
}

/// The number of bytes that a request asks for.
fn length(line: &str) -> usize {
    let (start, end) = line.rsplit_once("bytes=").unwrap().1.split_once('-').unwrap();
    end.parse::<usize>().unwrap() + 1 - start.parse::<usize>().unwrap()
}

#[test]
fn the_manifest_is_written_on_a_condition_and_parts_before_it() {
    let place = Location::new();
    place.ok(&["ingest", "incident", "--lake", LAKE]);
    let log = place.bucket.take_log();
    let at = |what: &str| {
        log.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {log:#?}"))
    };
    let manifest = at("PUT lakes/one/_tagfall/manifest.json if-none-match");
    assert!(at("PUT lakes/one/_tagfall/commits/000001-") < at("PUT lakes/one/_tagfall/parts/"));
    assert!(
        log.iter().rposition(|line| line.starts_with("PUT") && line.contains("/parts/")).unwrap() < manifest
    );
    assert!(manifest < at("PUT lakes/one/_tagfall/hive/"));
    place.ok(&["ingest", "quiet", "--lake", LAKE]);
    assert!(
        place.bucket.take_log().iter().any(|line| line == "PUT lakes/one/_tagfall/manifest.json if-match")
    );
    // The list of each partition has exactly the files in effect.
    let manifest: Value =
        serde_json::from_slice(&place.bucket.get("lakes/one/_tagfall/manifest.json").unwrap()).unwrap();
    let mut named: Vec<String> = manifest["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["name"].as_str().unwrap().to_owned())
        .collect();
    let lists = place
        .keys("/_tagfall/hive/")
        .into_iter()
        .map(|key| String::from_utf8(place.bucket.get(&key).unwrap()).unwrap());
    let lists: String = lists.collect();
    let mut listed: Vec<String> =
        lists.lines().map(|line| line.rsplit('/').next().unwrap().to_owned()).collect();
    named.sort();
    listed.sort();
    named.retain(|name| name.ends_with(".parquet"));
    assert_eq!(named, listed);
    assert!(lists.lines().all(|line| line.starts_with("s3://trail/lakes/one/_tagfall/parts/account=")));
}

/// After one more commit, every object is one that the present or the previous manifest names.
fn tidy(place: &Location) {
    place.world.file("last/one.json", br#"{"Records":[{"eventVersion":"1.08","eventTime":"2031-03-02T00:00:01Z","eventSource":"ecr.amazonaws.com","eventName":"DescribeRepositories","awsRegion":"eu-central-1","recipientAccountId":"111122223333","eventID":"00000000-0000-4000-8000-000000000009"}]}"#);
    place.ok(&["ingest", "last", "--lake", LAKE, "--keep-replaced", "0s"]);
    let text = |name: &str| {
        String::from_utf8(place.bucket.get(&format!("lakes/one/_tagfall/{name}")).unwrap()).unwrap()
    };
    let named = text("manifest.json") + &text("manifest.previous.json");
    for key in place.keys("/parts/").into_iter().chain(place.keys("/objects/")) {
        assert!(named.contains(key.rsplit('/').next().unwrap()), "{key} is left over");
    }
}

#[test]
fn killed_at_any_moment_a_lake_in_a_bucket_stays_whole() {
    let place = Location::new();
    place.ok(&["ingest", "quiet", "--lake", LAKE]);
    let before = place.json(&["query", COUNT, LAKE])["rows"].clone();
    place.bucket.put("lakes/one/notes.txt", b"mine".to_vec());
    // Slow, so that the run can be killed in between.
    let proxy = Proxy::start(place.server.address, |request: &Request<'_>| {
        if request.method == "PUT" { Fault::Delay(Duration::from_millis(60)) } else { Fault::None }
    });
    for pause in [150, 400, 700, 1_000] {
        let mut run = place
            .command_at(&proxy.endpoint(), &["ingest", "incident", "--lake", LAKE])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        let _ = run.kill();
        run.wait().unwrap();
        if generation(&place) == 1 {
            assert_eq!(place.json(&["query", COUNT, LAKE])["rows"], before);
        }
        assert_eq!(place.run(&["lake", "check", LAKE]).status.code(), Some(0));
    }
    place.ok(&["ingest", "incident", "--lake", LAKE]);
    for source in ["quiet", "incident"] {
        place.ok(&["ingest", source, "--lake", "all"]);
    }
    for verb in ["detect", "timeline"] {
        let run = |lake: &str| place.json(&[verb, lake]);
        assert!(
            run("all")["findings"] == run(LAKE)["findings"]
                && run("all")["timelines"] == run(LAKE)["timelines"],
            "{verb}"
        );
    }
    tidy(&place);
    assert_eq!(place.bucket.get("lakes/one/notes.txt").as_deref(), Some(&b"mine"[..]));
}

#[test]
fn a_service_that_fails_on_the_way_changes_nothing_in_the_end() {
    let place = Location::new();
    let slow_down = error_answer(503, "SlowDown", "");
    let conflict = error_answer(409, "ConditionalRequestConflict", "");
    let proxy = Proxy::start(place.server.address, move |request: &Request<'_>| {
        match (request.method, request.tried) {
            ("PUT", 0)
                if request.target.ends_with("manifest.json?x-id=PutObject")
                    || request.target.ends_with("/manifest.json") =>
            {
                Fault::Lost
            }
            ("PUT", 1) if request.target.contains("manifest") => Fault::Answer(conflict.clone()),
            ("PUT", 0) if request.target.contains("/parts/") => Fault::Lost,
            ("PUT", 1) if request.target.contains("/parts/") => Fault::Answer(slow_down.clone()),
            ("GET", 0) if request.target.contains("/parts/") => Fault::ResetInBody(50),
            ("GET", 1) if request.target.contains("/parts/") => Fault::CutBody(70),
            ("GET", 2) if request.target.contains("/_tagfall/") && !request.is_list() => {
                Fault::Answer(slow_down.clone())
            }
            _ => Fault::None,
        }
    });
    let endpoint = proxy.endpoint();
    for source in ["incident", "quiet"] {
        let output = place.run_at(&endpoint, &["ingest", source, "--lake", LAKE]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        place.ok(&["ingest", source, "--lake", "lake"]);
    }
    assert!(proxy.faults() > 4);
    let far = place.run_at(&endpoint, &["detect", LAKE, "--format", "json"]);
    assert_eq!(
        String::from_utf8(far.stdout).unwrap(),
        String::from_utf8(place.stdout(&["detect", "lake", "--format", "json"])).unwrap()
    );
    assert_eq!(place.run(&["lake", "check", LAKE]).status.code(), Some(0));
}

#[test]
fn damage_in_a_bucket_is_told_as_in_a_folder_and_repaired() {
    let place = Location::new();
    place.ok(&["ingest", "incident", "--lake", LAKE]);
    let sound = place.json(&["timeline", LAKE])["timelines"].clone();
    let key = place.keys("/_tagfall/parts/").remove(0);
    let mut bytes = place.bucket.get(&key).unwrap();
    let at = bytes.len() / 3;
    bytes[at] ^= 4;
    place.bucket.put(&key, bytes);
    let output = place.run(&["lake", "check", LAKE]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(place.run(&["timeline", LAKE]).status.code(), Some(3));
    let gone = place.keys("/_tagfall/parts/").remove(1);
    place.bucket.remove(&gone);
    let output = place.run(&["lake", "check", LAKE]);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains(gone.rsplit('/').next().unwrap()),
        "{}",
        said(&output)
    );
    place.ok(&["lake", "repair", LAKE, "incident"]);
    assert_eq!(place.run(&["lake", "check", LAKE]).status.code(), Some(0));
    assert_eq!(place.json(&["timeline", LAKE])["timelines"], sound);
}

#[test]
fn missing_rights_and_servers_without_conditions_are_named() {
    let place = Location::new();
    place.bucket.refuse_writes(true);
    let output = place.run(&["ingest", "incident", "--lake", LAKE]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("s3:PutObject"), "{}", said(&output));
    place.bucket.refuse_writes(false);
    place.bucket.ignore_conditions();
    let output = place.run(&["ingest", "incident", "--lake", LAKE]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("If-None-Match"), "{}", said(&output));
    let output = place.run(&["ingest", "incident", "--lake", "s3://no-such-bucket/lake"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no-such-bucket"), "{}", said(&output));
}
