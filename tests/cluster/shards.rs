//! One ingest by several processes: whatever is killed, done twice or missing, the lake is the same as that
//! of a single run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::place::Location;
use crate::s3::{Fault, Proxy, Request};
use serde_json::Value;

/// Plan, shards in any order, one of them twice at once, merges, commit.
fn made_by_many(place: &Location, sources: &[&str], lake: &str, plan: &str) {
    let planned = place.step(&[&["plan"], sources, &["--shards", "5", "-o", plan]].concat());
    assert_eq!(planned["shards"], 5);
    let shard = |number: u32| format!("{plan}/shard-{number:05}.ndjson");
    for number in [4, 1, 5, 3] {
        let args = ["ingest", "--shard", &shard(number), "--lake", lake];
        // Two speculative copies.
        let copies = [(); 2]
            .map(|()| place.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        for output in copies.map(|copy| copy.wait_with_output().unwrap()) {
            assert!(
                matches!(output.status.code(), Some(0 | 3)),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    let refused = place.run(&["ingest", "--commit", "--lake", lake]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("1 of 5 shards are missing: 2"), "{said}");
    assert_eq!(
        place.run(&["ingest", "--merge", "1/2", "--lake", lake]).status.code(),
        Some(2),
        "nor is anything merged before"
    );
    assert_eq!(place.step(&["ingest", "--shard", &shard(2), "--lake", lake])["already"], false);
    assert_eq!(place.step(&["ingest", "--shard", &shard(2), "--lake", lake])["already"], true);
    assert_eq!(place.run(&["detect", lake]).status.code(), Some(2), "nothing counts before the commit");
    for part in ["2/3", "1/3", "1/3"] {
        place.step(&["ingest", "--merge", part, "--lake", lake]);
    }
    let id = planned["plan"].as_str().unwrap();
    let committed = place.step(&["ingest", "--commit", "--plan", id, "--lake", lake]);
    assert_eq!((&committed["already"], &committed["objects"]), (&Value::from(false), &planned["objects"]));
    assert_eq!(
        place.step(&["ingest", "--commit", "--plan", id, "--lake", lake])["already"],
        true,
        "the driver may ask again"
    );
    assert_eq!(
        place.run(&["ingest", "--commit", "--lake", lake]).status.code(),
        Some(2),
        "nothing is staged any more"
    );
}

#[test]
fn many_machines_make_the_lake_that_one_makes_in_a_folder_and_in_a_bucket() {
    let place = Location::with_a_damaged_object();
    assert_eq!(
        place.run(&["ingest", "incident", "quiet", "--lake", "one"]).status.code(),
        Some(3),
        "an object is damaged"
    );
    made_by_many(&place, &["incident", "quiet"], "many", "plan");
    place.compare("one", "many");
    assert_eq!(place.run(&["lake", "check", "many"]).status.code(), Some(0));
    let sources = ["s3://trail/incident/", "s3://trail/quiet/"];
    assert_eq!(
        place
            .run(&[&["ingest"], &sources[..], &["--lake", "s3://trail-lakes-none/x"]].concat())
            .status
            .code(),
        Some(2)
    );
    let lake = "s3://trail/lake";
    assert_eq!(
        place.run(&[&["ingest"], &sources[..], &["--lake", "far-one"]].concat()).status.code(),
        Some(3)
    );
    made_by_many(&place, &sources, lake, "s3://trail/plan");
    place.compare("far-one", lake);
    assert_eq!(place.run(&["lake", "check", lake]).status.code(), Some(0));
    let left: Vec<String> =
        place.bucket.keys().into_iter().filter(|key| key.starts_with("lake/_tagfall/shards/")).collect();
    assert_eq!(left, Vec::<String>::new(), "what was staged is gone");
    // Extended by one machine.
    let output = place.run(&[&["ingest"], &sources[..], &["--lake", lake]].concat());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("added 0 events"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_shard_gives_the_same_bytes_whoever_makes_it_and_a_killed_one_leaves_nothing_that_counts() {
    let place = Location::with_a_damaged_object();
    place.step(&["plan", "s3://trail/incident/", "--shards", "2", "-o", "s3://trail/plan"]);
    let staged = |lake: &str| {
        let prefix = format!("{lake}/_tagfall/shards/");
        let keys = place.bucket.keys().into_iter().filter(move |key| key.starts_with(&prefix));
        keys.map(|key| (key[lake.len()..].to_owned(), place.bucket.get(&key).unwrap())).collect::<Vec<_>>()
    };
    let args = |lake: &'static str, jobs: &'static str| {
        ["ingest", "--shard", "s3://trail/plan/shard-00001.ndjson", "--lake", lake, "--jobs", jobs]
    };
    place.step(&args("s3://trail/a", "1"));
    // Another number of threads, and another order of arrival.
    let proxy = Proxy::start(place.server.address, |request: &Request<'_>| {
        if request.method == "GET" && request.ordinal.is_multiple_of(3) {
            Fault::Delay(Duration::from_millis(30))
        } else {
            Fault::None
        }
    });
    let mut killed = place.command_at(&proxy.endpoint(), &args("s3://trail/b", "4"));
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    let _ = killed.kill();
    killed.wait().unwrap();
    let output = place.command_at(&proxy.endpoint(), &args("s3://trail/b", "4")).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)));
    let (one, other) = (staged("a"), staged("b"));
    assert!(one.len() > 5);
    let names = |all: &[(String, Vec<u8>)]| all.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other));
    assert!(one == other, "byte for byte");
}

#[test]
fn plans_and_steps_that_cannot_be_are_refused() {
    let place = Location::with_a_damaged_object();
    for (args, expected) in [
        (&["ingest", "--commit", "--lake", "none"][..], "no shard of a plan is staged"),
        (&["ingest", "--shard", "incident/README.md", "--lake", "none"], "cannot read the shard"),
        (&["ingest", "--merge", "9/8", "--lake", "none"], "9/8 is not a part of the days"),
        (
            &["ingest", "--commit", "--since", "2026-01-01", "--lake", "none"],
            "the plan has already chosen the objects",
        ),
        (&["plan", "-", "--shards", "2", "-o", "plan"], "standard input"),
        (&["plan", "nowhere", "--shards", "2", "-o", "plan"], "there is no such file or folder"),
    ] {
        let output = place.run(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    assert!(!place.world.path("none").join("_tagfall/manifest.json").exists());
}

/// The recipe of the documentation, unchanged.
#[test]
#[cfg(unix)]
fn the_recipe_with_xargs_does_what_it_says() {
    let place = Location::with_a_damaged_object();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CLUSTER.md")).unwrap();
    let recipe = page.split("```sh xargs\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(recipe.lines().count() <= 10 && recipe.contains("xargs -P"), "{recipe}");
    let recipe =
        recipe.replace("s3://my-trail/AWSLogs/", "incident quiet").replace("s3://my-lakes/trail", "many");
    place.world.file("recipe.sh", recipe.as_bytes());
    let folder = Path::new(env!("CARGO_BIN_EXE_tagfall")).parent().unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-e", "recipe.sh"]).current_dir(place.world.path("")).env_clear();
    let output =
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"step\":\"commit\""), "{said}");
    assert_eq!(place.run(&["ingest", "incident", "quiet", "--lake", "one"]).status.code(), Some(3));
    place.compare("one", "many");
}
