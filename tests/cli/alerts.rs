//! `--known`, `--accept` and `diff` in the situations of nightly alerts.

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
    // The failing pulls come after this moment: it has become worse since.
    std::fs::remove_file(world.path("known.json")).unwrap();
    let early = ["detect", "incident", "--known", "known.json", "--until", "2026-03-05"];
    assert_eq!(
        [world.code(&early), world.code(&early), world.code(&run), world.code(&run)],
        [Some(1), Some(0), Some(1), Some(0)]
    );
    assert_eq!(json(&world, "known.json")["known"][0]["severity"], "critical");
}

#[test]
fn an_acceptance_is_kept_where_it_can_be_read_and_ends() {
    let world = world();
    let accept = [
        "detect",
        "incident",
        "--known",
        "known.json",
        "--accept",
        ID,
        "--until",
        "2199-01-31",
        "--reason",
        "rebuilt, TICKET-12",
    ];
    let run = ["detect", "incident", "--known", "known.json"];
    assert_eq!([world.code(&accept), world.code(&run)], [Some(0), Some(0)]);
    let file = json(&world, "known.json");
    assert_eq!(
        (&file["accepted"][0]["id"], &file["accepted"][0]["reason"]),
        (&ID.into(), &"rebuilt, TICKET-12".into())
    );
    world.file("known.json", world.read("known.json").replace("2199-01-31", "2020-01-31").as_bytes());
    assert_eq!([world.code(&run), world.code(&run)], [Some(1), Some(0)]);

    for (wrong, said) in [
        (
            vec!["--accept", ID, "--until", "2020-01-31", "--reason", "x"],
            "an acceptance must end in the future",
        ),
        (
            vec!["--accept", "0000000000000000", "--until", "2199-01-31", "--reason", "x"],
            "there is no loss with the id",
        ),
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
        String::from_utf8_lossy(&failed.stderr).contains("it was not of this run")
            || String::from_utf8_lossy(&failed.stderr).contains("earlier run")
    );
    // What it must not write to, it must not remove either.
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
    assert_eq!(
        (output.status.code(), &diff["worse"][0]["after"]["id"], &diff["new"]),
        (Some(1), &ID.into(), &serde_json::json!([]))
    );
    let page = String::from_utf8(world.run(&["diff", "late.json", "early.json"]).stdout).unwrap();
    assert!(
        page.starts_with("better ") && page.ends_with("0 new, 0 worse, 1 better, 0 gone, 0 the same\n"),
        "{page}"
    );
    let same = world.run(&["diff", "late.json", "late.json", "--fail-on", "low"]);
    assert_eq!(
        (same.status.code(), same.stdout.as_slice()),
        (Some(0), b"0 new, 0 worse, 0 better, 0 gone, 1 the same\n".as_slice())
    );
    assert_eq!(world.code(&["diff", "late.json", "incident"]), Some(2));
}

/// The script of docs/ALERTS.md, unchanged: a night with a loss, a quiet night, and one on which nothing
/// could be read.
#[cfg(unix)]
#[test]
fn the_recipe_for_cron_mails_once_and_nothing_stale() {
    use std::os::unix::fs::symlink;
    let world = world();
    let page = include_str!("../../docs/ALERTS.md");
    let script = page.split_once("<!-- cron-recipe -->\n```sh\n").unwrap().1.split_once("```").unwrap().0;
    world.file("nightly", script.as_bytes());
    world.file("bin/.keep", b"");
    symlink(env!("CARGO_BIN_EXE_tagfall"), world.path("bin/tagfall")).unwrap();
    let night = |source: &str| {
        let _ = std::fs::remove_file(world.path("mail.txt"));
        let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
        let mut command = std::process::Command::new("sh");
        command
            .arg(world.path("nightly"))
            .env_clear()
            .env("PATH", path)
            .env("TAGFALL_HOME", world.path(""))
            .env("TAGFALL_SOURCE", source);
        command.env("TAGFALL_SINCE", "2026-01-01").env("TAGFALL_SEND", "tee mail.txt");
        let code = command.output().unwrap().status.code();
        (code, std::fs::read_to_string(world.path("mail.txt")).ok())
    };
    let (code, mail) = night("incident");
    assert!(code == Some(1) && mail.as_ref().is_some_and(|mail| mail.contains(ID)), "{code:?} {mail:?}");
    assert_eq!(night("incident"), (Some(0), None));
    world.file("known.json", br#"{"schema_version":1,"accepted":[],"known":[]}"#);
    assert_eq!(night("incident").0, Some(1));
    let (code, mail) = night("no/such/folder");
    assert!(
        code == Some(2) && mail.as_ref().is_some_and(|mail| mail.contains("error") && !mail.contains(ID)),
        "{code:?} {mail:?}"
    );
}

/// Nothing was evaluated, so the output must not look as if all is well.
#[test]
fn where_nothing_could_be_read_no_findings_says_so() {
    let world = World::new();
    world.file("broken/a.json.gz", b"\x1f\x8b\x08\x00");
    let output = world.run(&["detect", "broken", "--allow-incomplete"]);
    let page = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{page}");
    assert!(page.contains("No findings, for nothing could be read."), "{page}");
    assert!(page.find("Not read") > page.find("No findings"), "{page}");
}

#[test]
fn severities_in_any_case_and_help_of_a_verb() {
    let world = world();
    assert_eq!(world.code(&["detect", "incident", "--fail-on", "HIGH"]), Some(1));
    let help = world.run(&["help", "detect"]);
    assert_eq!((help.status.code(), help.stdout == world.run(&["detect", "--help"]).stdout), (Some(0), true));
}

/// Each of many findings has one line, the worst last, then the total; and no line is wider than the page.
#[test]
fn many_findings_have_a_line_each() {
    let world = World::new();
    let mut records = Vec::new();
    for number in 0..12 {
        let push = |second: usize, digit: char| {
            serde_json::json!({"eventVersion": "1.11", "eventID": format!("00000000-0000-4000-8000-0000{number:04}{second:04}"),
                "eventTime": format!("2026-03-02T10:{number:02}:{second:02}Z"), "eventSource": "ecr.amazonaws.com", "eventName": "PutImage", "awsRegion": "eu-central-1",
                "recipientAccountId": "111122223333", "requestParameters": {"repositoryName": "shop/api", "imageTag": format!("v{number}")},
                "responseElements": {"image": {"registryId": "111122223333", "repositoryName": "shop/api",
                    "imageId": {"imageTag": format!("v{number}"), "imageDigest": format!("sha256:{}{number:02}", digit.to_string().repeat(62))}}}})
        };
        let taken = serde_json::json!({"eventVersion": "1.11", "eventID": format!("00000000-0000-4000-8000-0000{number:04}0099"), "eventTime": format!("2026-03-10T10:{number:02}:00Z"),
            "eventSource": "ecr.amazonaws.com", "eventName": "BatchDeleteImage", "awsRegion": "eu-central-1", "recipientAccountId": "111122223333",
            "requestParameters": {"repositoryName": "shop/api", "registryId": "111122223333"},
            "responseElements": {"imageIds": [{"imageDigest": format!("sha256:{}{number:02}", "a".repeat(62))}], "failures": []}});
        let pull = serde_json::json!({"eventVersion": "1.11", "eventID": format!("00000000-0000-4000-8000-0000{number:04}0098"), "eventTime": "2026-03-11T10:00:00Z",
            "eventSource": "ecr.amazonaws.com", "eventName": "BatchGetImage", "awsRegion": "eu-central-1", "recipientAccountId": "111122223333", "readOnly": true,
            "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/node/i-0123456789abcdef0", "accountId": "111122223333"},
            "requestParameters": {"repositoryName": "shop/api", "registryId": "111122223333", "imageIds": [{"imageDigest": format!("sha256:{}{number:02}", "a".repeat(62))}]}});
        records.extend([push(0, 'a'), push(9, 'b'), taken, pull]);
    }
    world.file("logs.json", serde_json::json!({ "Records": records }).to_string().as_bytes());
    let page = String::from_utf8(world.run(&["detect", "logs.json"]).stdout).unwrap();
    let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("CRITICAL")).collect();
    assert_eq!(lines.len(), 12, "{page}");
    assert!(
        lines.iter().all(|line| line.contains(", gone 2026-03-10, 1 in vain") && line.chars().count() <= 100),
        "{page}"
    );
    assert!(page.trim_end().ends_with("12 findings: 12 critical"), "{page}");
    let worst =
        String::from_utf8(world.run(&["detect", "logs.json", "--limit", "2", "--ascii"]).stdout).unwrap();
    assert!(
        worst.is_ascii() && worst.lines().filter(|line| line.starts_with("CRITICAL")).count() == 2,
        "{worst}"
    );
    let colored = String::from_utf8(world.run(&["detect", "logs.json", "--color", "always"]).stdout).unwrap();
    assert!(colored.contains("\u{1b}[31mCRITICAL") && !page.contains('\u{1b}'));
}

/// Every loss of either result occurs once in the comparison, in every format.
#[test]
fn a_comparison_counts_what_the_results_hold() {
    let world = world();
    let runs = [("all", &[][..]), ("early", &["--until", "2026-03-05"])];
    for (name, options) in runs {
        let code =
            world.code(&[&["detect", "incident", "--format", "json", "-q", "-o", name], options].concat());
        assert_eq!(code, Some(0), "{name}");
    }
    let ids = |name: &str| {
        let findings = json(&world, name)["findings"].as_array().unwrap().clone();
        findings
            .iter()
            .map(|finding| finding["id"].as_str().unwrap().to_owned())
            .collect::<std::collections::BTreeSet<String>>()
    };
    std::fs::write(
        world.path("nothing"),
        json(&world, "all")
            .to_string()
            .replace(&serde_json::to_string(&json(&world, "all")["findings"]).unwrap(), "[]"),
    )
    .unwrap();
    for (old, new) in
        [("all", "all"), ("early", "all"), ("all", "early"), ("nothing", "all"), ("all", "nothing")]
    {
        let said: Value =
            serde_json::from_slice(&world.run(&["diff", old, new, "--format", "json"]).stdout).unwrap();
        let count = |name: &str| {
            said[name].as_array().map_or_else(|| said[name].as_u64().unwrap(), |list| list.len() as u64)
        };
        let (before, after) = (ids(old), ids(new));
        let both = before.intersection(&after).count() as u64;
        assert_eq!(count("new"), after.len() as u64 - both, "{old} {new}: {said}");
        assert_eq!(count("gone"), before.len() as u64 - both, "{old} {new}: {said}");
        assert_eq!(count("worse") + count("better") + count("same"), both, "{old} {new}: {said}");
        let told = ["new", "worse", "better", "gone"].map(count).iter().sum::<u64>();
        let page = String::from_utf8(world.run(&["diff", old, new]).stdout).unwrap();
        let last = format!(
            "{} new, {} worse, {} better, {} gone, {} the same",
            count("new"),
            count("worse"),
            count("better"),
            count("gone"),
            count("same")
        );
        assert_eq!(page.lines().last(), Some(last.as_str()));
        for format in ["csv", "ndjson"] {
            let text = String::from_utf8(world.run(&["diff", old, new, "--format", format]).stdout).unwrap();
            assert_eq!(
                text.lines().count() as u64 - u64::from(format == "csv"),
                told,
                "{old} {new} {format}: {text}"
            );
        }
    }
}
