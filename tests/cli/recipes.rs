//! The recipes of docs/ALERTS.md besides the one for cron, unchanged, as far as they work without systemd and
//! AWS: a night with a loss, a quiet night, and one on which nothing could be read.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::world::World;

const PAGE: &str = include_str!("../../docs/ALERTS.md");
const ID: &str = "556a69b2d0e360ba";

/// The code block after a mark.
fn recipe(mark: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("<!-- {mark} -->\n```")).unwrap();
    rest.split_once('\n').unwrap().1.split_once("\n```").unwrap().0
}

fn world() -> World {
    let world = World::new();
    world.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident"), "incident");
    world.file("bin/.keep", b"");
    world.file("state/.keep", b"");
    symlink(env!("CARGO_BIN_EXE_tagfall"), world.path("bin/tagfall")).unwrap();
    world
}

/// A shell in the world, with the program in its path and no other environment.
fn shell(world: &World, script: &str, environment: &[(&str, String)]) -> Output {
    let mut command = Command::new("sh");
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    command
        .args(["-c", script])
        .current_dir(world.path(""))
        .env_clear()
        .env("PATH", path)
        .envs(environment.iter().cloned());
    command.output().unwrap()
}

#[test]
fn the_unit_runs_the_script_with_all_that_it_needs() {
    let world = world();
    let unit = recipe("systemd-recipe");
    let section =
        |name: &str| unit.split_once(&format!("[{name}]\n")).unwrap().1.split("\n[").next().unwrap();
    let service = section("Service");
    assert!(
        service.contains("ExecStart=/usr/local/bin/tagfall-nightly")
            && service.contains("SuccessExitStatus=1")
            && service.contains("Type=oneshot")
    );
    assert!(
        section("Timer").contains("OnCalendar=") && section("Install").contains("WantedBy=timers.target")
    );
    // The unit's environment, in this world.
    let set = service.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
    let here = |value: &str| {
        value
            .replace("/var/lib/tagfall", &world.path("state").display().to_string())
            .replace("s3://org-trail", "../incident")
    };
    let mut environment: Vec<(&str, String)> = set.map(|(name, value)| (name, here(value))).collect();
    environment
        .extend([("TAGFALL_SINCE", "2026-01-01".to_owned()), ("TAGFALL_SEND", "tee mail.txt".to_owned())]);
    let nights: Vec<Option<i32>> =
        (0..2).map(|_| shell(&world, recipe("cron-recipe"), &environment).status.code()).collect();
    assert_eq!(nights, [Some(1), Some(0)]);
    assert!(world.read("state/mail.txt").contains(ID));
}

#[test]
fn the_job_fails_once_and_its_summary_has_the_page() {
    let world = world();
    let job = recipe("github-recipe");
    let run = |line: &str| line.trim().trim_start_matches("- ").strip_prefix("run: ").map(str::to_owned);
    let steps: Vec<String> = job.lines().filter_map(run).collect();
    let [detect, summary] = steps.as_slice() else { panic!("two steps run something: {steps:?}") };
    // A quoted text in YAML.
    let summary: String = serde_json::from_str(summary).unwrap();
    let night = |source: &str| {
        let _ = std::fs::remove_file(world.path("summary.md"));
        let _ = std::fs::remove_file(world.path("page.md"));
        let environment = [("GITHUB_STEP_SUMMARY", world.path("summary.md").display().to_string())];
        let code = shell(
            &world,
            &detect.replace("s3://org-trail", source).replace("--since 30d", "--since 2026-01-01"),
            &environment,
        )
        .status
        .code();
        assert_eq!(shell(&world, &summary, &environment).status.code(), Some(0));
        (code, std::fs::read_to_string(world.path("summary.md")).ok())
    };
    let (code, page) = night("incident");
    assert!(
        code == Some(1) && page.is_some_and(|page| page.starts_with("## 1 finding") && page.contains(ID))
    );
    let (code, page) = night("incident");
    assert!(
        code == Some(0) && page.is_some_and(|page| !page.contains(ID)),
        "what is known is not told again"
    );
    assert_eq!(night("no/such/folder"), (Some(2), None));
}

#[test]
fn the_task_s_command_ends_as_the_rule_expects() {
    let world = world();
    let task: Value = serde_json::from_str(recipe("task-recipe")).unwrap();
    let schedule: Value = serde_json::from_str(recipe("schedule-recipe")).unwrap();
    let pattern: Value = serde_json::from_str(recipe("pattern-recipe")).unwrap();
    let container = &task["containerDefinitions"][0];
    // Everything is written to the volume: the rest of the container is read-only, and disappears with the
    // task.
    let mounted = container["mountPoints"][0]["containerPath"].as_str().unwrap();
    assert_eq!(container["mountPoints"][0]["sourceVolume"], task["volumes"][0]["name"]);
    let here = |word: &Value| {
        word.as_str()
            .unwrap()
            .replace(mounted, &world.path("state").display().to_string())
            .replace("s3://org-trail", "incident")
    };
    let words: Vec<String> = container["command"].as_array().unwrap().iter().map(here).collect();
    let words: Vec<&str> =
        words.iter().map(|word| if word == "30d" { "2026-01-01" } else { word.as_str() }).collect();
    let nights: Vec<Option<i32>> = (0..2).map(|_| world.run(&words).status.code()).collect();
    assert_eq!(nights, [Some(1), Some(0)]);
    assert_eq!(world.names(), ["bin", "incident", "state"]);
    let family = task["family"].as_str().unwrap();
    assert!(
        schedule["Target"]["EcsParameters"]["TaskDefinitionArn"]
            .as_str()
            .unwrap()
            .ends_with(&format!("task-definition/{family}"))
    );
    let rule = &pattern["detail"];
    assert!(rule["taskDefinitionArn"][0]["prefix"].as_str().unwrap().ends_with(&format!("{family}:")));
    assert_eq!(rule["containers"]["exitCode"][0]["anything-but"][0], 0);
}
