//! `tagfall ingest` as a user sees it: a lake gives the same findings as its archives, after any number of
//! runs and interruptions.

use crate::support;
use crate::world;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use support::{files, json, ok};
use world::World;

/// A world with the fixtures in it.
fn world() -> World {
    let world = World::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for name in ["incident", "quiet"] {
        world.copy(&fixtures.join(name), name);
    }
    world
}

/// Without the only number that may differ: duplicates of relevant records are not in a lake.
fn comparable(mut document: Value) -> Value {
    let relevant = document["coverage"].as_object_mut().unwrap().remove("records_relevant");
    assert!(relevant.is_some());
    document
}

#[test]
fn a_lake_gives_what_its_archives_give() {
    let world = world();
    for name in ["incident", "quiet"] {
        let lake = format!("lake-{name}");
        ok(&world, &["ingest", name, "--lake", &lake]);
        for verb in [
            &["detect"][..],
            &["timeline"],
            &["forecast"],
            &["whatif"],
            &["explain", "shop/checkout:release-2026.03.02"],
        ] {
            let (from_archive, from_lake) =
                (json(&world, &[verb, &[name]].concat()), json(&world, &[verb, &[lake.as_str()]].concat()));
            assert_eq!(comparable(from_archive), comparable(from_lake), "{verb:?} {name}");
        }
        let csv = |source: &str| world.run(&["detect", source, "--format", "csv"]).stdout;
        assert_eq!(csv(name), csv(&lake), "byte for byte");
    }
    let ids = |sources: &[&str]| {
        let found = json(&world, &[&["detect"], sources].concat());
        found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| finding["id"].as_str().unwrap().to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(&["lake-incident", "lake-quiet"]), ids(&["incident", "quiet"]));
    assert_eq!(ids(&["lake-incident", "quiet"]), ids(&["incident", "quiet"]), "lakes and archives mix");
}

#[test]
fn filters_reach_the_lake() {
    let world = world();
    ok(&world, &["ingest", "incident", "--lake", "lake"]);
    for filter in [
        &["--since", "2026-03-03"][..],
        &["--until", "2026-03-05"],
        &["--region", "eu-central-1"],
        &["--repository", "shop/*"],
    ] {
        let run = |source| json(&world, &[&["timeline", source], filter].concat())["timelines"].clone();
        assert_eq!(run("incident"), run("lake"), "{filter:?}");
    }
    assert_eq!(
        world.code(&["detect", "lake", "--region", "us-east-1"]),
        Some(2),
        "a filter that nothing matches is no clean bill"
    );
}

#[test]
fn what_the_engine_needs_is_enough_for_the_engine() {
    let world = world();
    ok(&world, &["ingest", "incident", "--lake", "lake", "--select", "ecr,ecs.amazonaws.com"]);
    assert_eq!(
        json(&world, &["detect", "incident"])["findings"],
        json(&world, &["detect", "lake"])["findings"]
    );
    assert_eq!(world.code(&["ingest", "incident", "--lake", "lake"]), Some(2), "another selection");
    assert_eq!(world.code(&["ingest", "incident", "--lake", "other", "--select", "ECR!"]), Some(2));
}

#[test]
fn only_what_is_new_is_read() {
    let world = world();
    let all = files(&world.path("incident"));
    let late = all[all.len() / 2].clone();
    let aside = world.path("late");
    fs::rename(&late, &aside).unwrap();
    let said = ok(&world, &["ingest", "incident", "--lake", "lake"]);
    assert!(said.contains(&format!("read {} objects (0 known)", all.len() - 1)), "{said}");
    fs::rename(&aside, &late).unwrap();
    let said = ok(&world, &["ingest", "incident", "--lake", "lake"]);
    assert!(said.contains(&format!("read 1 object ({} known)", all.len() - 1)), "{said}");
    let said = ok(&world, &["ingest", "incident", "--lake", "lake"]);
    assert!(said.contains(&format!("read 0 objects ({} known), added 0 events", all.len())), "{said}");
    assert_eq!(
        comparable(json(&world, &["detect", "incident"])),
        comparable(json(&world, &["detect", "lake"]))
    );
}

#[test]
fn copies_in_another_folder_are_no_new_events() {
    let world = world();
    ok(&world, &["ingest", "incident", "--lake", "lake"]);
    fs::rename(world.path("incident"), world.path("moved")).unwrap();
    let said = ok(&world, &["ingest", "moved", "--lake", "lake"]);
    assert!(said.contains("(0 known), added 0 events") && said.contains("wrote 0 files"), "{said}");
}

/// Two events with one id and different times are two events in the lake; a copy of either is recognised.
#[test]
fn copies_of_two_events_that_share_an_id_are_no_new_events() {
    let world = world();
    let record = |second: u32| {
        format!(
            r#"{{"eventVersion":"1.08","eventTime":"2024-10-01T00:00:{second:02}Z","eventSource":"ecr.amazonaws.com","eventName":"DescribeRepositories","awsRegion":"us-east-1","recipientAccountId":"111122223333","eventID":"00000000-0000-4000-8000-000000000001"}}"#
        )
    };
    let text = format!("{{\"Records\":[{},{}]}}", record(1), record(2));
    for name in ["first.json", "second.json"] {
        fs::write(world.path(name), &text).unwrap();
    }
    let said = ok(&world, &["ingest", "first.json", "--lake", "lake"]);
    assert!(said.contains("added 2 events"), "{said}");
    let said = ok(&world, &["ingest", "second.json", "--lake", "lake"]);
    assert!(said.contains("(0 known), added 0 events"), "{said}");
}

#[test]
fn a_damaged_object_is_remembered_and_read_again_once_it_is_mended() {
    let world = world();
    let victim = files(&world.path("incident/AWSLogs"))
        .into_iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let whole = fs::read(&victim).unwrap();
    fs::write(&victim, &whole[..whole.len() * 3 / 4]).unwrap();
    let first = world.run(&["ingest", "incident", "--lake", "lake"]);
    assert_eq!(first.status.code(), Some(3), "{}", String::from_utf8_lossy(&first.stderr));
    let coverage = json(&world, &["detect", "lake"])["coverage"].clone();
    assert_eq!(coverage["objects_failed"], 1);
    assert_eq!(coverage["failures"], json(&world, &["detect", "incident"])["coverage"]["failures"]);
    assert_eq!(world.code(&["detect", "lake"]), Some(3));
    assert_eq!(
        world.code(&["ingest", "incident", "--lake", "lake"]),
        Some(3),
        "it is known, and still damaged"
    );
    assert_eq!(world.code(&["ingest", "incident", "--lake", "lake", "--allow-incomplete"]), Some(0));
    fs::write(&victim, &whole).unwrap();
    ok(&world, &["ingest", "incident", "--lake", "lake"]);
    assert_eq!(
        comparable(json(&world, &["timeline", "incident"])),
        comparable(json(&world, &["timeline", "lake"]))
    );
}

#[test]
fn standard_input_and_odd_sources() {
    let world = world();
    let one = files(&world.path("incident/AWSLogs")).remove(0);
    let mut command = world.command(&["ingest", "-", "--lake", "lake"]);
    assert!(command.stdin(Stdio::from(fs::File::open(one).unwrap())).status().unwrap().success());
    assert_eq!(world.code(&["ingest", "lake", "--lake", "other"]), Some(2), "a lake is no log");
    assert_eq!(
        world.code(&["ingest", "quiet", "--lake", "incident"]),
        Some(2),
        "a folder with other things in it"
    );
    assert_eq!(world.code(&["ingest", "no/such/folder", "--lake", "other"]), Some(2));
    fs::create_dir(world.path("quiet/lake")).unwrap();
    assert_eq!(world.code(&["ingest", "quiet", "--lake", "quiet/lake"]), Some(2), "a lake inside its source");
}

#[test]
fn the_second_of_two_runs_is_refused() {
    let world = world();
    let held =
        tagfall::lake::Ingest::open(&world.path("lake"), &[], tagfall::lake::Limits::default()).unwrap();
    let second = world.run(&["ingest", "incident", "--lake", "lake"]);
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another run is writing to this lake"), "{said}");
    drop(held);
    ok(&world, &["ingest", "incident", "--lake", "lake"]);
}

/// Runs are killed at any moment; each must leave a readable lake, and the last one the same as without
/// interruptions.
#[test]
fn killed_at_any_moment_the_lake_stays_whole() {
    let world = world();
    ok(&world, &["ingest", "incident", "--lake", "undisturbed"]);
    let undisturbed = comparable(json(&world, &["timeline", "undisturbed"]));
    for round in 0..12_u64 {
        let lake = format!("lake-{round}");
        for wait in [round * 9, 200 - round * 13, round * 23 % 170] {
            let mut child = world
                .command(&["ingest", "incident", "--lake", &lake, "--quiet"])
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(wait));
            child.kill().unwrap();
            child.wait().unwrap();
            if world.path(&lake).join("_tagfall/manifest.json").exists() {
                let code = world.code(&["detect", &lake]);
                assert_eq!(code, Some(0), "after {wait} ms the lake cannot be read");
            }
        }
        ok(&world, &["ingest", "incident", "--lake", &lake]);
        assert_eq!(comparable(json(&world, &["timeline", &lake])), undisturbed);
        let parquet = |lake: &str| {
            files(&world.path(lake))
                .into_iter()
                .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
                .count()
        };
        assert_eq!(parquet(&lake), parquet("undisturbed"), "leftovers");
    }
}

/// The same for any time, with a reader that never stops: `KILL_SECONDS=600 cargo test --test lake --
/// --ignored kill_storm --nocapture`. Runs of `ingest` and `lake repair` are killed, some of them by a signal
/// that they can handle; others must be able to read the result, which must contain at least the last
/// complete run's commit.
#[cfg(unix)]
#[test]
#[ignore = "a minute, or KILL_SECONDS"]
fn kill_storm() {
    let seconds = std::env::var("KILL_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    let mut seed: u64 = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut chance = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let world = world();
    ok(&world, &["ingest", "incident", "--lake", "undisturbed"]);
    let undisturbed = comparable(json(&world, &["timeline", "undisturbed"]));
    let all = json(&world, &["detect", "undisturbed"])["coverage"]["records"].as_u64().unwrap();
    let begun = std::time::Instant::now();
    let (done, held, number) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let lake = || format!("lake-{}", number.load(Ordering::Acquire));
    let (mut rounds, mut kills) = (0, 0);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0_u64;
            while !done.load(Ordering::Relaxed) {
                let (lake, least) = (lake(), held.load(Ordering::Acquire));
                if least > 0 && number.load(Ordering::Acquire).to_string() == lake["lake-".len()..] {
                    let output = world.run(&["detect", &lake, "--format", "json", "-q"]);
                    let document: Value = serde_json::from_slice(&output.stdout)
                        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
                    let records = document["coverage"]["records"].as_u64().unwrap();
                    assert!(
                        output.status.code() == Some(0) && (least..=all).contains(&records),
                        "{records} of {least}: {document}"
                    );
                    reads += 1;
                }
            }
            reads
        });
        while begun.elapsed().as_secs() < seconds && !reader.is_finished() {
            rounds += 1;
            let lake = lake();
            for _ in 0..1 + chance(6) {
                let repairs = held.load(Ordering::Relaxed) > 0 && chance(4) == 0;
                let args = if repairs {
                    &["lake", "repair", &lake, "incident", "-q"][..]
                } else {
                    &["ingest", "incident", "--lake", &lake, "-q"]
                };
                let mut child = world.command(args).stderr(Stdio::null()).spawn().unwrap();
                std::thread::sleep(Duration::from_millis(chance(400)));
                let signal = ["-KILL", "-KILL", "-TERM", "-INT", "-HUP"][chance(5) as usize];
                let _ = Command::new("kill")
                    .args([signal, &child.id().to_string()])
                    .stderr(Stdio::null())
                    .status();
                let code = child.wait().unwrap().code();
                assert!(matches!(code, None | Some(0 | 2 | 3)), "{args:?} after {signal}: {code:?}");
                kills += 1;
            }
            ok(&world, &["ingest", "incident", "--lake", &lake, "-q"]);
            held.store(all, Ordering::Release);
            assert_eq!(comparable(json(&world, &["timeline", &lake])), undisturbed, "round {rounds}");
            if chance(4) == 0 {
                // Starts with an empty lake again.
                held.store(0, Ordering::Release);
                number.fetch_add(1, Ordering::Release);
            }
        }
        done.store(true, Ordering::Relaxed);
        let reads = reader.join().unwrap();
        println!(
            "kill storm: {kills} runs killed in {rounds} rounds, {reads} reads beside them, in {} s",
            begun.elapsed().as_secs()
        );
        assert!(kills > 0 && reads > 0);
    });
}

/// No file may grow beyond some blocks, as on a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_run_and_not_the_lake() {
    let world = world();
    ok(&world, &["ingest", "quiet", "--lake", "lake"]);
    let before = (files(&world.path("lake")), comparable(json(&world, &["timeline", "lake"])));
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} ingest incident --lake lake",
        env!("CARGO_BIN_EXE_tagfall")
    );
    let output = Command::new("sh").args(["-c", &script]).current_dir(world.path(".")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot write to the lake lake"), "{said}");
    assert_eq!((files(&world.path("lake")), comparable(json(&world, &["timeline", "lake"]))), before);
    ok(&world, &["ingest", "incident", "--lake", "lake"]);
}

/// Other readers of the lake. Needs python3 with the module `duckdb` (TAGFALL_PYTHON is another interpreter).
#[test]
fn duckdb_reads_the_lake_as_it_is() {
    let python = std::env::var("TAGFALL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python)
        .args(["-c", "import duckdb"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        eprintln!(
            "SKIPPED: duckdb_reads_the_lake_as_it_is: {python} has no module duckdb (pip install duckdb)"
        );
        return;
    }
    let world = world();
    ok(&world, &["ingest", "incident", "--lake", "lake"]);
    let script = r#"
import duckdb, json, sys
lake = "read_parquet('" + sys.argv[1] + "/**/*.parquet', hive_partitioning=true)"
def rows(sql): return duckdb.sql(sql.replace('LAKE', lake)).fetchall()
print(json.dumps({
  'total': rows("select count(*), count(distinct eventid), count(distinct date) from LAKE")[0],
  'types': rows("select typeof(account), typeof(date), typeof(useridentity.sessioncontext.sessionissuer.username), typeof(resources[1].arn), typeof(record) from LAKE limit 1")[0],
  'push': rows("select eventtime, useridentity.sessioncontext.sessionissuer.type, resources[1].arn, json_extract_string(requestparameters, '$.imageTag'), cast(date as varchar) from LAKE where eventname = 'PutImage' and eventtime > '2026-03-02T13:41' order by eventtime limit 2"),
  'day': rows("select count(*) from LAKE where date = '2026-03-02' and region = 'eu-central-1'")[0][0],
  'sorted': rows("select count(*) from (select eventtime < lag(eventtime) over (partition by filename order by file_row_number) back from read_parquet('" + sys.argv[1] + "/**/*.parquet', filename=true, file_row_number=true)) where back")[0][0],
  'storage': rows("select distinct compression, bool_and(stats_min_value is not null) filter (path_in_schema in ('eventtime', 'eventsource')) from parquet_metadata('" + sys.argv[1] + "/**/*.parquet') group by 1"),
}))
"#;
    let output = Command::new(&python).args(["-c", script]).arg(world.path("lake")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let dates: BTreeSet<_> = files(&world.path("lake"))
        .iter()
        .filter_map(|path| path.to_str()?.split("date=").nth(1)?.get(..10).map(str::to_owned))
        .collect();
    assert_eq!(found["total"], serde_json::json!([290, 290, dates.len()]));
    assert_eq!(found["types"], serde_json::json!(["BIGINT", "DATE", "VARCHAR", "VARCHAR", "BIGINT"]));
    let arn = "arn:aws:ecr:eu-central-1:111122223333:repository/shop/checkout";
    let push = |time: &str| serde_json::json!([time, "Role", arn, "release-2026.03.02", "2026-03-02"]);
    assert_eq!(
        found["push"],
        serde_json::json!([push("2026-03-02T13:41:07Z"), push("2026-03-02T13:41:16Z")])
    );
    assert!(found["day"].as_u64().is_some_and(|rows| rows > 10));
    assert_eq!(found["sorted"], 0, "rows stand in the order of time");
    assert_eq!(found["storage"], serde_json::json!([["ZSTD", true]]));
}

/// Other readers use the Bloom filters of columns with few repetitions. Needs python3 with the module
/// `duckdb`.
#[test]
fn filters_tell_duckdb_which_ids_are_not_there() {
    let python = std::env::var("TAGFALL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if !Command::new(&python)
        .args(["-c", "import duckdb"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!(
            "SKIPPED: filters_tell_duckdb_which_ids_are_not_there: {python} has no module duckdb (pip install duckdb)"
        );
        return;
    }
    let world = world();
    let id =
        |number: usize| format!("{:08x}-0000-4000-8000-{number:012x}", number * 0x9e37_79b1 % 0xffff_ffff);
    let record = |number: usize| {
        serde_json::json!({
            "eventVersion": "1.11", "eventID": id(number), "eventTime": format!("2026-03-02T10:{:02}:{:02}Z", number / 60 % 60, number % 60),
            "eventSource": "iam.amazonaws.com", "eventName": "GetRole", "awsRegion": "eu-central-1", "recipientAccountId": "111122223333",
        })
    };
    std::fs::create_dir_all(world.path("many")).unwrap();
    for object in 0..6 {
        let records: Vec<Value> = (object * 1_500..(object + 1) * 1_500).map(record).collect();
        let name = format!("many/111122223333_CloudTrail_eu-central-1_20260302T{object:04}Z_x.json");
        std::fs::write(world.path(&name), serde_json::json!({ "Records": records }).to_string()).unwrap();
    }
    ok(&world, &["ingest", "many", "--lake", "lake"]);
    ok(&world, &["lake", "check", "lake"]);
    let script = r#"
import duckdb, json, re, sys
files = sys.argv[1] + '/**/*.parquet'
# `parquet_bloom_probe` of DuckDB 2.0 takes the number of a column for that of a leaf: what a query reads tells more.
def probe(id):
    ran = duckdb.sql(f"explain analyze select count(*) from read_parquet('{files}') where eventid = '{id}'").fetchall()[0][1]
    return int(re.search(r'Row Groups Scanned: (\d+) /', ran)[1]) == 0
ids = json.loads(sys.argv[2])
print(json.dumps({
  'there': [probe(id) for id in ids],
  'others': [probe(id[::-1]) for id in ids],
  'found': [duckdb.sql(f"select count(*) from read_parquet('{files}') where eventid = '{id}'").fetchall()[0][0] for id in ids],
  'filters': duckdb.sql(f"select path_in_schema, bloom_filter_length > 0 from parquet_metadata('{files}') where bloom_filter_offset is not null").fetchall(),
}))
"#;
    let ids: Vec<String> = (0..60).map(|at| id(at * 149)).collect();
    let output = Command::new(&python)
        .args(["-c", script])
        .arg(world.path("lake"))
        .arg(serde_json::json!(ids).to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let excluded =
        |name: &str| found[name].as_array().unwrap().iter().filter(|excluded| **excluded == true).count();
    assert_eq!(excluded("there"), 0, "{found}");
    assert!(excluded("others") > 50, "{found}");
    assert_eq!(found["found"], serde_json::json!(vec![1; 60]));
    assert_eq!(found["filters"], serde_json::json!([["eventid", true]]));
    for (wanted, rows) in [
        (format!("= '{}'", ids[7]), 1),
        (format!("IN ('{}', '{}', 'nobody')", ids[3], ids[59]), 2),
        ("= 'nobody'".to_owned(), 0),
    ] {
        for sql in [
            format!("SELECT eventtime FROM events WHERE eventid {wanted}"),
            format!("SELECT eventname FROM events WHERE eventid {wanted} GROUP BY 1, eventid"),
        ] {
            let output = world.run(&["query", &sql, "lake", "--format", "csv"]);
            assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), rows + 1, "{sql}");
        }
    }
}

#[test]
fn a_query_gives_from_a_lake_what_it_gives_from_the_archive() {
    let world = world();
    ok(&world, &["ingest", "incident", "--lake", "lake"]);
    for sql in [
        "SELECT eventsource, count(*) AS n, min(eventtime) AS first FROM cloudtrail_logs GROUP BY eventsource ORDER BY n DESC, eventsource",
        "SELECT * FROM cloudtrail_logs WHERE eventsource = 'ecr.amazonaws.com' AND date = '2026-03-02' ORDER BY eventtime, eventid",
        "SELECT count(*) AS n FROM events",
        // Groups without ORDER BY are in the order of their first events.
        "SELECT eventname, awsregion, count(*) AS n, count(DISTINCT useridentity.arn) AS callers, max(useragent) AS agent FROM cloudtrail_logs WHERE eventname <> 'PutImage' GROUP BY eventname, awsregion",
        "SELECT DISTINCT errorcode, readonly, min(eventtime) AS first FROM events GROUP BY ROLLUP (errorcode, readonly) HAVING count(*) > 1 LIMIT 3",
        "SELECT eventsource, array_agg(eventid) AS ids, arbitrary(eventtime) AS any FROM events GROUP BY eventsource",
        "SELECT account, region, year, month, day, timestamp, object, record, useridentity.sessioncontext.sessionissuer.username AS role FROM events WHERE eventname = 'PutImage' ORDER BY eventid",
    ] {
        for filter in [&[][..], &["--until", "2026-03-02T13:41:10Z"]] {
            let run = |source| {
                let output = world.run(&[&["query", sql, source, "--format", "csv"], filter].concat());
                assert_eq!(
                    output.status.code(),
                    Some(0),
                    "{sql}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                String::from_utf8(output.stdout).unwrap()
            };
            let (from_archive, from_lake) = (run("incident"), run("lake"));
            assert!(from_archive.lines().count() > 1, "{sql}");
            assert_eq!(from_archive, from_lake, "{sql}");
        }
    }
}

#[test]
fn a_query_that_fails_names_the_same_value_from_a_lake_as_from_the_archive() {
    let world = world();
    ok(&world, &["ingest", "incident", "--lake", "lake"]);
    let run = |source| {
        let output = world.run(&[
            "query",
            "SELECT eventname, max(CAST(eventid AS bigint)) FROM events GROUP BY eventname",
            source,
            "--quiet",
        ]);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let (from_archive, from_lake) = (run("incident"), run("lake"));
    assert!(from_archive.contains("bigint"), "{from_archive}");
    assert_eq!(from_archive, from_lake);
}
