//! Snapshots in a lake: stored with their objects, and equivalent to those beside the logs.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json as object};

use crate::support::{json, ok};
use crate::world::World;

/// 2026-03-04T10:00:00Z.
const TAKEN: u64 = 1_772_618_400;

fn date(world: &World, name: &str, seconds: u64) {
    let file = fs::File::options().append(true).open(world.path(name)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

/// A log, and every recorded answer, dated by its file.
fn evidence() -> World {
    let world = World::new();
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers");
    world.copy(&recorded.join("recorded"), "evidence/answers");
    world.file("evidence/log.json", &fs::read(recorded.join("log.json")).unwrap());
    for entry in fs::read_dir(world.path("evidence/answers")).unwrap() {
        date(&world, &format!("evidence/answers/{}", entry.unwrap().file_name().to_str().unwrap()), TAKEN);
    }
    world
}

/// The output of every verb for a source, without the only number in which a lake differs from its archives.
fn told(world: &World, source: &str) -> Vec<Value> {
    let verbs = [&["detect"][..], &["timeline"], &["forecast"], &["whatif"], &["explain", "shop/api:v1"]];
    let told = verbs.iter().map(|verb| {
        let mut document = json(world, &[*verb, &[source]].concat());
        document["coverage"].as_object_mut().unwrap().remove("records_relevant");
        document
    });
    told.collect()
}

#[test]
fn a_lake_knows_what_logs_and_snapshots_know() {
    let world = evidence();
    let said = ok(&world, &["ingest", "evidence", "--lake", "lake"]);
    assert!(said.contains("snapshots"), "{said}");
    assert_eq!(told(&world, "evidence"), told(&world, "lake"));
    let rows = |source: &str| world.run(&["detect", source, "--format", "csv"]).stdout;
    assert!(!rows("lake").is_empty());
    assert_eq!(rows("evidence"), rows("lake"), "byte for byte");
    let listed = json(&world, &["detect", "lake"]);
    assert!(listed["findings"].as_array().unwrap().iter().any(|one| one["kind"] == "not-listed"), "{listed}");
    assert_eq!(world.code(&["lake", "check", "lake"]), Some(0));
    // For records alone snapshots are not mentioned, and nothing is missing.
    let output =
        world.run(&["query", "SELECT count(*) AS n FROM cloudtrail_logs", "lake", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Known snapshots are not read again, later ones are added, and the newer content of a changed file counts.
#[test]
fn a_lake_takes_snapshots_run_after_run() {
    let world = evidence();
    fs::remove_file(world.path("evidence/answers/ecr.describe-images.json")).unwrap();
    ok(&world, &["ingest", "evidence", "--lake", "lake"]);
    let without = told(&world, "lake");
    assert_eq!(without, told(&world, "evidence"));
    let recorded =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers/recorded/ecr.describe-images.json");
    world.file("evidence/answers/ecr.describe-images.json", &fs::read(recorded).unwrap());
    date(&world, "evidence/answers/ecr.describe-images.json", TAKEN);
    let said = ok(&world, &["ingest", "evidence", "--lake", "lake"]);
    assert!(said.contains("1 snapshot"), "{said}");
    assert_eq!(told(&world, "lake"), told(&world, "evidence"));
    assert_ne!(told(&world, "lake"), without);
    let empty = object!({"imageDetails": []});
    world.file("evidence/answers/ecr.describe-images.json", empty.to_string().as_bytes());
    date(&world, "evidence/answers/ecr.describe-images.json", TAKEN + 60);
    ok(&world, &["ingest", "evidence", "--lake", "lake"]);
    assert_eq!(told(&world, "lake"), told(&world, "evidence"));
    // A run without new objects changes nothing.
    ok(&world, &["ingest", "evidence", "--lake", "lake"]);
    assert_eq!(told(&world, "lake"), told(&world, "evidence"));
}

/// Several in one file, compressed, in an archive with logs; and a lake next to a folder.
#[test]
fn snapshots_of_any_packing_are_kept() {
    let world = evidence();
    let read = |name: &str| world.read(&format!("evidence/answers/{name}.json"));
    let lines: Vec<String> = ["ecr.describe-registry", "ecr.get-lifecycle-policy"]
        .iter()
        .map(|name| read(name).replace('\n', ""))
        .collect();
    world.file("mixed/several.jsonl", lines.join("\n").as_bytes());
    world.file("mixed/111122223333/eu-central-1/images.json", read("ecr.describe-images").as_bytes());
    world.file("mixed/log.json", world.read("evidence/log.json").as_bytes());
    for name in ["mixed/several.jsonl", "mixed/111122223333/eu-central-1/images.json"] {
        date(&world, name, TAKEN);
    }
    ok(&world, &["ingest", "mixed", "--lake", "lake"]);
    assert_eq!(told(&world, "mixed"), told(&world, "lake"));
    let both = json(&world, &["detect", "lake", "mixed"]);
    assert_eq!(
        both["findings"],
        json(&world, &["detect", "mixed"])["findings"],
        "a second copy says nothing new"
    );
}

/// Filters have the same meaning for a lake and for the sources that it was made from.
#[test]
fn filters_mean_the_same_for_snapshots_in_a_lake() {
    let world = evidence();
    ok(&world, &["ingest", "evidence", "--lake", "lake"]);
    for filter in [
        &["--until", "2026-03-03"][..],
        &["--since", "2026-03-02"],
        &["--region", "eu-central-1"],
        &["--repository", "shop/*"],
    ] {
        let run = |source| {
            let document = json(&world, &[&["timeline", source], filter].concat());
            (document["timelines"].clone(), document["coverage"]["snapshots"].clone())
        };
        assert_eq!(run("evidence"), run("lake"), "{filter:?}");
    }
}
