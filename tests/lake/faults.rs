//! Problems around a lake: objects that change, vanish or cannot be read, interrupted runs, lakes of other
//! versions, foreign files. Afterwards the lake is the same as without the problem.

use crate::corpus;
use crate::support;
use crate::world;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{files, json, ok};
use world::World;

fn fixtures(world: &World) {
    world.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident"), "logs");
}

/// Every event of a source, in an order that does not depend on the source.
fn events(world: &World, source: &str) -> String {
    let sql = "SELECT eventid, eventtime, eventname, requestparameters, useridentity, resources, object, record FROM cloudtrail_logs";
    let output = world.run(&["query", sql, source, "--format", "csv", "--allow-incomplete"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn count(world: &World, source: &str) -> usize {
    events(world, source).lines().count() - 1
}

fn record(id: &str, time: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.11","eventID":"{id}","eventTime":"{time}","eventSource":"ecr.amazonaws.com","eventName":"PutImage","awsRegion":"eu-central-1","recipientAccountId":"111122223333","userIdentity":{{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/ci/ci"}},"requestParameters":{{"repositoryName":"shop/api","imageTag":"{id}"}},"responseElements":null}}"#
    )
}

fn object(records: &[(&str, &str)]) -> Vec<u8> {
    let records: Vec<String> = records.iter().map(|(id, time)| record(id, time)).collect();
    format!("{{\"Records\":[{}]}}", records.join(",")).into_bytes()
}

#[test]
fn an_object_that_changes_is_read_again_and_one_that_vanishes_keeps_its_events() {
    let world = World::new();
    world.file("logs/a.json", &object(&[("a-1", "2026-03-02T10:00:00Z"), ("a-2", "2026-03-02T11:00:00Z")]));
    world.file("logs/b.json", &object(&[("b-1", "2026-03-02T10:30:00Z")]));
    ok(&world, &["ingest", "logs", "--lake", "lake"]);
    // The same key with other bytes: one more event, late, on another day.
    world.file(
        "logs/a.json",
        &object(&[
            ("a-1", "2026-03-02T10:00:00Z"),
            ("a-2", "2026-03-02T11:00:00Z"),
            ("a-3", "2026-02-27T09:00:00Z"),
        ]),
    );
    let said = ok(&world, &["ingest", "logs", "--lake", "lake"]);
    assert!(said.contains("read 1 object (1 known), added 1 event"), "{said}");
    assert_eq!(events(&world, "lake"), events(&world, "logs"));
    let late = files(&world.path("lake/account=111122223333/region=eu-central-1/date=2026-02-27"));
    assert_eq!(late.len(), 1, "the late event lies on its own day");
    let coverage = json(&world, &["detect", "lake"])["coverage"].clone();
    assert_eq!(
        (
            coverage["objects_read"].as_u64(),
            coverage["records"].as_u64(),
            coverage["records_duplicate"].as_u64()
        ),
        (Some(2), Some(4), Some(0))
    );
    fs::remove_file(world.path("logs/b.json")).unwrap();
    ok(&world, &["ingest", "logs", "--lake", "lake"]);
    assert_eq!(count(&world, "lake"), 4, "what is in the lake stays there");
}

#[test]
fn copies_of_an_event_in_several_runs_are_one_and_the_first_object_keeps_it() {
    let world = World::new();
    world.file("late/z.json", &object(&[("x-1", "2026-03-02T10:00:00Z"), ("x-2", "2026-03-02T10:00:01Z")]));
    world.file("logs/m.json", &object(&[("x-2", "2026-03-02T10:00:01Z"), ("x-3", "2026-03-02T10:00:02Z")]));
    world.file("both/m.json", &fs::read(world.path("logs/m.json")).unwrap());
    world.file("both/z.json", &fs::read(world.path("late/z.json")).unwrap());
    ok(&world, &["ingest", "late", "--lake", "lake"]);
    let said = ok(&world, &["ingest", "logs", "--lake", "lake"]);
    assert!(said.contains("added 1 event (1 second copy left out)"), "{said}");
    ok(&world, &["ingest", "both", "--lake", "one-go"]);
    assert_eq!(events(&world, "lake"), events(&world, "one-go"));
    assert!(
        events(&world, "lake").contains("x-2,2026-03-02T10:00:01Z")
            && !events(&world, "lake").contains("x-2,2026-03-02T10:00:01Z,PutImage,,z.json")
    );
}

#[test]
fn addenda_and_updated_records_are_kept_beside_what_they_add_to() {
    let world = World::new();
    let plain = record("e-1", "2026-03-02T10:00:00Z");
    let addendum = record("e-2", "2026-03-02T10:00:00Z").replacen(
        '{',
        r#"{"addendum":{"reason":"UPDATED_DATA","updatedFields":"responseElements","originalRequestID":"r","originalEventID":"e-1"},"#,
        1,
    );
    world.file("logs/a.json", format!("{{\"Records\":[{plain}]}}").as_bytes());
    ok(&world, &["ingest", "logs", "--lake", "lake"]);
    world.file("logs/b.json", format!("{{\"Records\":[{addendum}]}}").as_bytes());
    ok(&world, &["ingest", "logs", "--lake", "lake"]);
    let sql = "SELECT eventid, addendum.originaleventid FROM cloudtrail_logs ORDER BY 1";
    let found = String::from_utf8(world.run(&["query", sql, "lake", "--format", "csv"]).stdout).unwrap();
    assert_eq!(found.lines().skip(1).collect::<Vec<_>>(), ["e-1,", "e-2,e-1"]);
    assert_eq!(
        json(&world, &["timeline", "lake"])["timelines"],
        json(&world, &["timeline", "logs"])["timelines"]
    );
}

#[test]
fn a_lake_of_a_later_version_is_refused_by_all_and_left_alone() {
    let world = World::new();
    fixtures(&world);
    ok(&world, &["ingest", "logs", "--lake", "lake"]);
    let path = world.path("lake/_tagfall/manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let version = manifest["version"].as_u64().unwrap();
    manifest["version"] = (version + 1).into();
    fs::write(&path, manifest.to_string()).unwrap();
    let before = files(&world.path("lake"));
    for args in [
        &["ingest", "logs", "--lake", "lake"][..],
        &["detect", "lake"],
        &["query", "SELECT count(*) FROM events", "lake"],
    ] {
        let output = world.run(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("written by a later version"), "{args:?}: {said}");
    }
    assert_eq!(files(&world.path("lake")), before);
    fs::write(&path, "{\"version\":1,").unwrap();
    fs::write(world.path("lake/_tagfall/manifest.copy.json"), "").unwrap();
    for args in [&["ingest", "logs", "--lake", "lake"][..], &["detect", "lake"]] {
        let output = world.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn files_of_others_in_the_lake_are_neither_read_nor_touched() {
    let world = World::new();
    fixtures(&world);
    ok(&world, &["ingest", "logs", "--lake", "lake"]);
    let before = events(&world, "lake");
    let day = files(&world.path("lake"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .unwrap();
    let mine = [
        day.with_file_name("mine.parquet"),
        day.with_file_name("notes.md"),
        world.path("lake/README.md"),
        world.path("lake/account=999/x.parquet"),
        world.path("lake/_SUCCESS"),
    ];
    for path in &mine {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "not Parquet").unwrap();
    }
    ok(&world, &["ingest", "logs", "--lake", "lake"]);
    assert_eq!(events(&world, "lake"), before);
    assert!(mine.iter().all(|path| fs::read(path).unwrap() == b"not Parquet"));
}

#[test]
fn a_file_of_the_lake_that_is_damaged_or_gone_is_said_and_the_rest_is_read() {
    let world = World::new();
    fixtures(&world);
    ok(&world, &["ingest", "logs", "--lake", "lake"]);
    let all = count(&world, "lake");
    let parquet: Vec<_> = files(&world.path("lake"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
        .collect();
    fs::write(&parquet[0], "not Parquet").unwrap();
    fs::remove_file(&parquet[1]).unwrap();
    let output = world.run(&["detect", "lake", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let coverage: Value = serde_json::from_slice::<Value>(&output.stdout).unwrap()["coverage"].clone();
    assert_eq!(coverage["failures"].as_array().unwrap().len(), 2, "{coverage}");
    let left = count(&world, "lake");
    assert!(left > 0 && left < all);
}

#[test]
fn what_is_no_folder_cannot_be_a_lake() {
    let world = World::new();
    fixtures(&world);
    world.file("notes.txt", b"x");
    for lake in ["notes.txt", "notes.txt/lake"] {
        let output = world.run(&["ingest", "logs", "--lake", lake]);
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to the lake"));
    }
    assert_eq!(world.read("notes.txt"), "x");
}

/// An archive that takes a while to read.
fn archive(world: &World, objects: u64) {
    let corpus = corpus::Corpus { objects, records: 60, images_per_mille: 200, ..corpus::BUSY };
    for number in 0..objects {
        // Objects are two days apart, so that there are many partitions.
        world.file(&format!("logs/{number:04}.json.gz"), &corpus.gzip(7, number * 576));
    }
}

/// Ctrl-C at any moment: what was read is committed, the run is marked partial, and the next one continues.
#[cfg(unix)]
#[test]
fn stopped_by_ctrl_c_the_lake_is_whole_and_the_next_run_goes_on() {
    let world = World::new();
    archive(&world, 40);
    ok(&world, &["ingest", "logs", "--lake", "undisturbed"]);
    let undisturbed = events(&world, "undisturbed");
    let mut random = corpus::Random(11);
    let mut partial = 0;
    for round in 0..8 {
        let lake = format!("lake-{round}");
        let mut child = world
            .command(&["ingest", "logs", "--lake", &lake, "--quiet"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(30 + random.below(500)));
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 3) | None), "{code:?}");
        partial += u64::from(code == Some(3));
        if code == Some(3) {
            // On a busy machine it may be stopped before the first object is read: then the lake has no
            // events.
            let look = world.run(&[
                "query",
                "SELECT eventid FROM events",
                &lake,
                "--format",
                "csv",
                "--allow-incomplete",
            ]);
            let nothing = look.status.code() == Some(2)
                && String::from_utf8_lossy(&look.stderr).contains("nothing to read");
            assert!(nothing || count(&world, &lake) < undisturbed.lines().count());
        }
        ok(&world, &["ingest", "logs", "--lake", &lake]);
        assert_eq!(events(&world, &lake), undisturbed, "after round {round}");
    }
    eprintln!("{partial} of 8 runs were stopped half way");
}

/// Killed at any moment, repeatedly, while one lake is being filled.
#[test]
fn killed_again_and_again_while_it_writes_the_lake_ends_as_an_undisturbed_one() {
    let world = World::new();
    archive(&world, 24);
    ok(&world, &["ingest", "logs", "--lake", "undisturbed"]);
    let undisturbed = events(&world, "undisturbed");
    let mut random = corpus::Random(5);
    let all = files(&world.path("logs"));
    fs::create_dir(world.path("some")).unwrap();
    for batch in all.chunks(6) {
        for path in batch {
            fs::copy(path, world.path("some").join(path.file_name().unwrap())).unwrap();
        }
        for _ in 0..4 {
            let mut child = world
                .command(&["ingest", "some", "--lake", "lake", "--quiet"])
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(random.below(400)));
            child.kill().unwrap();
            child.wait().unwrap();
            if world.path("lake/_tagfall/manifest.json").exists() {
                let seen = count(&world, "lake");
                assert_eq!(seen % 60, 0, "objects are whole or not there");
            }
        }
    }
    ok(&world, &["ingest", "some", "--lake", "lake"]);
    assert_eq!(events(&world, "lake"), undisturbed);
    let parquet = |lake: &str| {
        files(&world.path(lake))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
            .count()
    };
    assert_eq!(parquet("lake"), parquet("undisturbed"), "nothing is left over");
}
