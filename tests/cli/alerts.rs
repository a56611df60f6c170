//! `--known`, `--accept` and `diff` as somebody meets them who is called at night.

use std::path::Path;

use serde_json::Value;

use super::world::World;

const ID: &str = "556a69b2d0e360ba";

fn world() -> World {
    let world = World::new();
    world.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident"), "incident");
    world
}

fn json(world: &World, name: &str) -> Value {
    serde_json::from_str(&world.read(name)).unwrap()
}

#[test]
fn a_loss_is_told_once() {
    let world = world();
    let run = ["detect", "incident", "--known", "known.json", "--fail-on", "high"];
    assert_eq!([world.code(&run), world.code(&run), world.code(&run)], [Some(1), Some(0), Some(0)]);
    assert_eq!(json(&world, "known.json")["known"][0]["id"], ID);
    let page = String::from_utf8(world.run(&run).stdout).unwrap();
    assert!(page.contains("Not told again: 1 known before.") && !page.contains("CRITICAL"), "{page}");
    // The pulls in vain come after this moment: it has become worse since.
    std::fs::remove_file(world.path("known.json")).unwrap();
    let early = ["detect", "incident", "--known", "known.json", "--until", "2026-03-05"];
    assert_eq!([world.code(&early), world.code(&early), world.code(&run), world.code(&run)], [Some(1), Some(0), Some(1), Some(0)]);
    assert_eq!(json(&world, "known.json")["known"][0]["severity"], "critical");
}

#[test]
fn an_acceptance_is_kept_where_it_can_be_read_and_ends() {
    let world = world();
    let accept = ["detect", "incident", "--known", "known.json", "--accept", ID, "--until", "2199-01-31", "--reason", "rebuilt, TICKET-12"];
    let run = ["detect", "incident", "--known", "known.json"];
    assert_eq!([world.code(&accept), world.code(&run)], [Some(0), Some(0)]);
    let file = json(&world, "known.json");
    assert_eq!((&file["accepted"][0]["id"], &file["accepted"][0]["reason"]), (&ID.into(), &"rebuilt, TICKET-12".into()));
    world.file("known.json", world.read("known.json").replace("2199-01-31", "2020-01-31").as_bytes());
    assert_eq!([world.code(&run), world.code(&run)], [Some(1), Some(0)]);

    for (wrong, said) in [
        (vec!["--accept", ID, "--until", "2020-01-31", "--reason", "x"], "an acceptance ends on a day to come"),
        (vec!["--accept", "0000000000000000", "--until", "2199-01-31", "--reason", "x"], "there is no loss with the id"),
        (vec!["--accept", ID, "--until", "2199-01-31"], "--reason"),
    ] {
        let before = world.read("known.json");
        let output = world.run(&[&run[..], &wrong].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{output:?}");
        assert_eq!(world.read("known.json"), before);
    }
}

#[test]
fn a_file_that_is_something_else_stays_as_it_is() {
    let world = world();
    world.file("notes.json", b"{\"notes\": 1}\n");
    let output = world.run(&["detect", "incident", "--known", "notes.json"]);
    assert_eq!((output.status.code(), world.read("notes.json").as_str()), (Some(2), "{\"notes\": 1}\n"));
    assert_eq!(world.code(&["detect", "incident", "--known", "same.json", "-o", "same.json"]), Some(2));
}

#[test]
fn after_a_run_that_could_not_be_done_no_result_of_yesterday_is_left() {
    let world = world();
    let run = |source| world.run(&["detect", source, "--format", "json", "-o", "findings.json"]);
    assert_eq!(run("incident").status.code(), Some(0));
    assert!(world.path("findings.json").exists());
    let failed = run("no/such/folder");
    assert_eq!(failed.status.code(), Some(2));
    assert!(!world.path("findings.json").exists(), "{failed:?}");
    assert!(
        String::from_utf8_lossy(&failed.stderr).contains("it was not of this run") || String::from_utf8_lossy(&failed.stderr).contains("earlier run")
    );
    // What it may not write to, it may not remove either.
    world.file("logs.json", br#"{"Records":[{"eventVersion":"1.11","eventID":"00000000-0000-4000-8000-000000000001","eventTime":"2026-03-02T10:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"DescribeImages","awsRegion":"eu-central-1","recipientAccountId":"111122223333"}]}"#);
    assert_eq!(world.code(&["detect", "no/such/folder", "-o", "logs.json"]), Some(2));
    assert!(world.path("logs.json").exists());
}

#[test]
fn two_results_are_compared() {
    let world = world();
    for (name, until) in [("early.json", "2026-03-05"), ("late.json", "2026-04-01")] {
        world.run(&["detect", "incident", "--until", until, "--format", "json", "-o", name]);
    }
    let output = world.run(&["diff", "early.json", "late.json", "--fail-on", "HIGH", "--format", "json"]);
    let diff: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &diff["worse"][0]["after"]["id"], &diff["new"]), (Some(1), &ID.into(), &serde_json::json!([])));
    let page = String::from_utf8(world.run(&["diff", "late.json", "early.json"]).stdout).unwrap();
    assert!(page.starts_with("better ") && page.ends_with("0 new, 0 worse, 1 better, 0 gone, 0 the same\n"), "{page}");
    let same = world.run(&["diff", "late.json", "late.json", "--fail-on", "low"]);
    assert_eq!((same.status.code(), same.stdout.as_slice()), (Some(0), b"0 new, 0 worse, 0 better, 0 gone, 1 the same\n".as_slice()));
    assert_eq!(world.code(&["diff", "late.json", "incident"]), Some(2));
}
