//! What happens to objects, shards and drivers between a plan and its commit: the lake is still the one that a
//! single run makes of what is there, and what went wrong is said.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::place::{Location, said};

/// An event with this number, on a day of March 2026.
fn event(number: usize, day: usize) -> Value {
    json!({
        "eventVersion": "1.08", "eventTime": format!("2026-03-{day:02}T10:{:02}:{:02}Z", number / 60 % 60, number % 60),
        "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "awsRegion": "eu-central-1", "recipientAccountId": "111122223333",
        "eventID": format!("00000000-0000-4000-8000-{number:012}"), "readOnly": false,
    })
}

fn object(events: &[Value]) -> Vec<u8> {
    json!({"Records": events}).to_string().into_bytes()
}

/// The plan's id.
fn planned(place: &Location, sources: &[&str], shards: u32, plan: &str) -> String {
    let shards = shards.to_string();
    let told = place.step(&[&["plan"], sources, &["--shards", &shards, "-o", plan]].concat());
    told["plan"].as_str().unwrap().to_owned()
}

fn staged(place: &Location, shards: u32, plan: &str, lake: &str) {
    for number in 1..=shards {
        place.step(&["ingest", "--shard", &format!("{plan}/shard-{number:05}.ndjson"), "--lake", lake]);
    }
}

/// All steps of a plan.
fn by_many(place: &Location, sources: &[&str], shards: u32, plan: &str, lake: &str) -> Value {
    planned(place, sources, shards, plan);
    staged(place, shards, plan, lake);
    place.step(&["ingest", "--merge", "1/1", "--lake", lake]);
    place.step(&["ingest", "--commit", "--lake", lake])
}

fn by_one(place: &Location, sources: &[&str], lake: &str) {
    let output = place.run(&[&["ingest"], sources, &["--lake", lake]].concat());
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", said(&output));
}

#[test]
fn objects_that_vanish_between_plan_and_ingest_are_failures_and_take_nothing_with_them() {
    let place = Location::new();
    for number in 0..6 {
        let text = object(&[event(number, 1 + number % 3), event(100 + number, 4)]);
        place.world.file(&format!("logs/{number}.json"), &text);
        place.bucket.put(&format!("logs/{number}.json"), text);
    }
    for (source, plan) in [("logs", "plan"), ("s3://trail/logs/", "s3://trail/plan")] {
        planned(&place, &[source], 3, plan);
    }
    std::fs::remove_file(place.world.path("logs/4.json")).unwrap();
    place.bucket.remove("logs/4.json");
    for (plan, lake) in [("plan", "near"), ("s3://trail/plan", "s3://trail/far")] {
        staged(&place, 3, plan, lake);
        let output = place.run(&["ingest", "--commit", "--lake", lake]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(3), "{lake}: {}", said(&output));
        assert_eq!(
            (&told["objects"], &told["objects_failed"], &told["events"]),
            (&6.into(), &1.into(), &10.into()),
            "{told}"
        );
        let asked = place.json(&["query", "SELECT objects_listed, objects_failed FROM coverage", lake]);
        assert_eq!(asked["rows"][0]["objects_failed"], 1, "{asked}");
        // It is back: the next run takes it in, and nothing else.
        let text = object(&[event(4, 2), event(104, 4)]);
        place.world.file("logs/4.json", &text);
        place.bucket.put("logs/4.json", text);
        let source = if lake == "near" { "logs" } else { "s3://trail/logs/" };
        let again = place.ok(&["ingest", source, "--lake", lake]);
        assert!(again.contains("added 2 events"), "{again}");
        assert_eq!(place.run(&["detect", lake]).status.code(), Some(0), "{lake}");
        std::fs::remove_file(place.world.path("logs/4.json")).unwrap();
        place.bucket.remove("logs/4.json");
    }
}

#[test]
fn an_object_that_is_replaced_between_plan_and_ingest_is_read_as_it_is_or_again() {
    let place = Location::new();
    let (old, new) = (object(&[event(1, 1)]), object(&[event(2, 1), event(3, 2)]));
    for (source, plan, lake) in
        [("logs", "plan", "near"), ("s3://trail/logs/", "s3://trail/plan", "s3://trail/far")]
    {
        place.world.file("logs/a.json", &old);
        place.bucket.put("logs/a.json", old.clone());
        planned(&place, &[source], 1, plan);
        place.world.file("logs/a.json", &new);
        place.bucket.put("logs/a.json", new.clone());
        staged(&place, 1, plan, lake);
        place.step(&["ingest", "--commit", "--lake", lake]);
        by_one(&place, &[source], lake);
        let ids = place.json(&["query", "SELECT eventid FROM cloudtrail_logs ORDER BY 1", lake]);
        let ids: Vec<&str> = ids["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["eventid"].as_str().unwrap()[35..])
            .collect();
        assert_eq!(ids, ["2", "3"], "{lake}");
        assert_eq!(place.run(&["detect", lake]).status.code(), Some(0), "{lake}");
    }
}

#[test]
fn keys_with_odd_letters_are_read_by_many_as_by_one() {
    let place = Location::new();
    let names = [
        "a b/c+d.json",
        "%2F/per%cent.json",
        "hash#mark?x=1&y.json",
        "quote\"'.json",
        "brace{}[].json",
        "ünï/日本.json",
        "tab\there.json",
        "new\nline.json",
        "back\\slash.json",
        "star*.json",
        "~tilde.json",
        "-dash.json",
        "semi;colon.json",
        "trailing .json",
        "source\":x.json",
    ];
    for (number, name) in names.iter().enumerate() {
        let text = object(&[event(number, 1 + number % 4)]);
        place.world.file(&format!("odd {{}}/{name}"), &text);
        place.bucket.put(&format!("odd {{}}/{name}"), text.clone());
        place.bucket.put(&format!("odd {{}}//{number}//{name}"), object(&[event(100 + number, 5)]));
    }
    by_one(&place, &["odd {}"], "one");
    by_many(&place, &["odd {}"], 4, "a plan {}", "many lakes/it's {}");
    place.compare("one", "many lakes/it's {}");
    by_one(&place, &["s3://trail/odd {}/"], "far one");
    by_many(&place, &["s3://trail/odd {}/"], 4, "s3://trail/a plan {}/%", "s3://trail/many lakes/it's {}");
    place.compare("far one", "s3://trail/many lakes/it's {}");
    let count = place.json(&["query", "SELECT count(*) AS n FROM cloudtrail_logs", "far one"]);
    assert_eq!(count["rows"][0]["n"], 2 * names.len(), "{count}");
    for lake in ["many lakes/it's {}", "s3://trail/many lakes/it's {}"] {
        assert_eq!(place.run(&["lake", "check", lake]).status.code(), Some(0), "{lake}");
    }
}

#[test]
fn more_shards_than_objects_and_sources_of_several_layouts_make_the_same_lake() {
    let place = Location::with_a_damaged_object();
    place.world.file("single.json", &object(&[event(1, 1), event(2, 2)]));
    place.world.file("flat/x.json", &object(&[event(2, 2), event(3, 3)]));
    place.bucket.put(
        "other/AWSLogs/o-abc/111122223333/CloudTrail/eu-central-1/2026/03/01/x.json",
        object(&[event(3, 3), event(4, 1)]),
    );
    let sources = ["single.json", "flat", "incident", "s3://trail/other/", "s3://trail/quiet", "flat"];
    by_one(&place, &sources, "one");
    let told = by_many(&place, &sources, 60, "plan", "s3://trail/many");
    assert_eq!(told["already"], false);
    place.compare("one", "s3://trail/many");
}

#[test]
fn a_plan_of_nothing_is_refused_and_writes_nothing() {
    let place = Location::new();
    std::fs::create_dir_all(place.world.path("empty/AWSLogs")).unwrap();
    for source in ["empty", "s3://trail/nothing/"] {
        let output = place.run(&["plan", source, "--shards", "2", "-o", "plan"]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("it contains no objects"), "{}", said(&output));
    }
    assert!(!place.world.path("plan").exists());
}

#[test]
fn a_merge_of_a_day_that_nothing_staged_says_so_and_does_no_harm() {
    let place = Location::new();
    planned(&place, &["incident"], 2, "plan");
    staged(&place, 2, "plan", "many");
    let output = place.run(&[
        "ingest",
        "--merge",
        "account=999999999999/region=eu-central-1/date=2026-03-02",
        "--lake",
        "many",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("no shard has staged anything for account=999999999999"),
        "{}",
        said(&output)
    );
    let day = "account=111122223333/region=eu-central-1/date=2026-03-02";
    for again in 0..2 {
        let output = place.run(&["ingest", "--merge", day, "--lake", "many"]);
        assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""), "{again}");
    }
    place.step(&["ingest", "--commit", "--lake", "many"]);
    by_one(&place, &["incident"], "one");
    place.compare("one", "many");
}

/// All steps, as a driver makes them: each is tried again after a while.
fn driver<'p>(
    place: &'p Location,
    source: &'p str,
    plan: &'p str,
    lake: &'p str,
) -> impl FnOnce() -> Value + use<'p> {
    move || {
        let tried = |args: &[&str]| {
            let mut last = None;
            for _ in 0..40 {
                let output = place.command(args).stdin(Stdio::null()).output().unwrap();
                if matches!(output.status.code(), Some(0 | 3)) {
                    return serde_json::from_slice(&output.stdout).unwrap();
                }
                last = Some(said(&output));
                std::thread::sleep(std::time::Duration::from_millis(250));
            }
            panic!("{args:?}: {}", last.unwrap())
        };
        let told: Value = tried(&["plan", source, "--shards", "3", "-o", plan]);
        let id = told["plan"].as_str().unwrap().to_owned();
        for number in 1..=3 {
            tried(&["ingest", "--shard", &format!("{plan}/shard-{number:05}.ndjson"), "--lake", lake]);
        }
        for part in ["1/2", "2/2"] {
            tried(&["ingest", "--merge", part, "--plan", &id, "--lake", lake]);
        }
        tried(&["ingest", "--commit", "--plan", &id, "--lake", lake])
    }
}

#[test]
fn two_drivers_at_once_with_the_same_plan_or_with_two_lose_and_double_nothing() {
    let place = Location::with_a_damaged_object();
    by_one(&place, &["incident"], "one");
    by_one(&place, &["incident"], "both");
    by_one(&place, &["quiet"], "both");
    for (lake, other) in [("near", "near-2"), ("s3://trail/far", "s3://trail/far-2")] {
        let both = |[one, two]: [(&str, &str); 2], lake: &str| {
            std::thread::scope(|scope| {
                let drivers =
                    [one, two].map(|(source, plan)| scope.spawn(driver(&place, source, plan, lake)));
                drivers.map(|driver| driver.join().unwrap())
            })
        };
        both([("incident", "plan-a"), ("incident", "plan-b")], lake);
        place.compare("one", lake);
        both([("incident", "plan-c"), ("quiet", "plan-d")], other);
        place.compare("both", other);
        for lake in [lake, other] {
            assert_eq!(place.run(&["lake", "check", lake]).status.code(), Some(0), "{lake}");
            // A driver that comes late, when all is done.
            let told = driver(&place, "incident", "plan-e", lake)();
            assert_eq!(told["already"], true, "{told}");
        }
    }
    place.compare("one", "near");
    let left = place.world.path("near/_tagfall/shards");
    assert!(!left.exists() || std::fs::read_dir(left).unwrap().next().is_none());
}

/// One byte of a file.
fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 4;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_staged_and_damaged_is_not_published_and_can_be_staged_again() {
    let place = Location::new();
    // A day of each shard's own, and one that both have.
    for number in 0..8 {
        let events = [event(number, 1 + number / 4), event(100 + number, 9)];
        place.world.file(&format!("logs/{number}.json"), &object(&events));
    }
    by_one(&place, &["logs"], "one");
    planned(&place, &["logs"], 2, "plan");
    for (lake, day) in [("many-own", "date=2026-03-01"), ("many-shared", "date=2026-03-09")] {
        staged(&place, 2, "plan", lake);
        let plans = place.world.path(&format!("{lake}/_tagfall/shards"));
        let plan = std::fs::read_dir(plans).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
        let shard = plan.join("00001");
        let part = walk(&shard).into_iter().find(|path| path.to_string_lossy().contains(day)).unwrap();
        flip(&part, 900);
        let output = place.run(&["ingest", "--commit", "--lake", lake]);
        assert_eq!(output.status.code(), Some(2), "{day}: {}", said(&output));
        for part in ["damaged", "/00001 completely", "stage its shard again"] {
            assert!(said(&output).contains(part), "{day}: {part}: {}", said(&output));
        }
        let output = place.run(&["detect", lake]);
        assert_eq!(output.status.code(), Some(2), "nothing counts yet");
        assert!(said(&output).contains("it contains no objects"), "{}", said(&output));
        std::fs::remove_dir_all(&shard).unwrap();
        place.step(&["ingest", "--shard", "plan/shard-00001.ndjson", "--lake", lake]);
        place.step(&["ingest", "--commit", "--lake", lake]);
        place.compare("one", lake);
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(walk(&entry)) } else { found.push(entry) }
    }
    found.sort();
    found
}
