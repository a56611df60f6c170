//! Plans: what they take of memory, what they leave where they are written, and shards that are not as they
//! were written.

use std::sync::Arc;

use serde_json::Value;

use crate::place::{Location, said};

fn shards(place: &Location, folder: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(place.world.path(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_plan_takes_away_the_shards_that_an_earlier_one_had_more_of_and_nothing_else() {
    let place = Location::new();
    for plan in ["plan", "s3://trail/plan"] {
        place.step(&["plan", "incident", "--shards", "5", "-o", plan]);
    }
    // Somebody else's, under a name like that of a shard, or close to one.
    let others = ["shard-00009.ndjson", "shard-5.ndjson", "shard-00004.ndjson.old"];
    for name in others {
        place.world.file(&format!("plan/{name}"), b"mine");
        place.bucket.put(&format!("plan/{name}"), b"mine".to_vec());
    }
    for plan in ["plan", "s3://trail/plan"] {
        let output = place.run(&["plan", "incident", "--shards", "2", "-o", plan]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(said(&output).contains("removed 3 shards of an earlier plan"), "{}", said(&output));
    }
    let mut expected: Vec<String> = (1..3).map(|number| format!("shard-{number:05}.ndjson")).collect();
    expected.extend(others.map(str::to_owned));
    expected.sort();
    assert_eq!(shards(&place, "plan"), expected);
    let keys: Vec<String> =
        place.bucket.keys().iter().filter_map(|key| Some(key.strip_prefix("plan/")?.to_owned())).collect();
    assert_eq!(keys, expected);
    for name in shards(&place, "plan").iter().take(2) {
        assert_eq!(place.step(&["ingest", "--shard", &format!("plan/{name}"), "--lake", "many"])["of"], 2);
    }
    place.step(&["ingest", "--commit", "--lake", "many"]);
}

#[test]
fn the_same_objects_make_the_same_plan_byte_for_byte_wherever_it_is_written() {
    let place = Location::with_a_damaged_object();
    let plan =
        |out: &str| place.step(&["plan", "s3://trail/incident/", "--shards", "3", "-o", out])["plan"].clone();
    let id = plan("one");
    assert_eq!(id, plan("s3://trail/plan"));
    place.bucket.put("incident/more.json", b"{\"Records\":[]}".to_vec());
    assert_ne!(id, plan("other"), "another object, another plan");
    for name in shards(&place, "one") {
        let there = std::fs::read(place.world.path(&format!("one/{name}"))).unwrap();
        assert!(place.bucket.get(&format!("plan/{name}")).unwrap() == there, "{name}");
    }
}

#[test]
fn a_shard_that_is_not_as_it_was_written_is_refused() {
    let place = Location::new();
    place.step(&["plan", "incident", "--shards", "1", "-o", "plan"]);
    let whole = std::fs::read_to_string(place.world.path("plan/shard-00001.ndjson")).unwrap();
    let lines = whole.lines().count();
    let without_the_last: String = whole.lines().take(lines - 1).map(|line| format!("{line}\n")).collect();
    let changed = whole.replacen("incident", "accident", 1);
    for (text, expected) in [(without_the_last, "objects are there"), (changed, "is changed")] {
        place.world.file("plan/shard-00001.ndjson", text.as_bytes());
        let output = place.run(&["ingest", "--shard", "plan/shard-00001.ndjson", "--lake", "many"]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
    assert!(!place.world.path("many/_tagfall/shards").exists());
    place.world.file("plan/shard-00001.ndjson", whole.as_bytes());
    place.step(&["ingest", "--shard", "plan/shard-00001.ndjson", "--lake", "many"]);
}

/// The most memory that a plan of so many objects in a bucket takes, in KiB.
#[cfg(target_os = "linux")]
fn peak(objects: usize) -> u64 {
    let place = Arc::new(Location::new());
    for number in 0..objects {
        let day = 1 + number * 28 / objects;
        place.bucket.put(&format!("many/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/02/{day:02}/111122223333_CloudTrail_eu-central-1_202602{day:02}T0000Z_{number:016}.json.gz"), Vec::new());
    }
    let args = ["plan", "s3://trail/many/", "--shards", "8", "-o", "plan", "--jobs", "1"];
    let mut child = place.command(&args).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let told = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = told.map_or(peak, |told| told.trim().parse::<u64>().unwrap().max(peak));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["objects"]), (Some(0), &Value::from(objects)));
    peak
}

/// 250,000 objects took 110 MB more than none when all of them were held.
#[test]
#[cfg(target_os = "linux")]
fn the_memory_of_a_plan_ends_where_it_begins_to_sort_on_disk() {
    let (few, many) = (peak(1_000), peak(250_000));
    println!("1,000 objects: {few} KiB, 250,000 objects: {many} KiB");
    assert!(many < few + (60 << 10), "{few} KiB, {many} KiB");
}
