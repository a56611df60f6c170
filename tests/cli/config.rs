//! Settings from `tagfall.toml` and `TAGFALL_*`: options take precedence over the environment, and that over
//! the file.

use std::path::Path;
use std::process::Output;

use super::world::World;

fn world() -> World {
    let world = World::new();
    world.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident"), "logs");
    world
}

fn run(world: &World, args: &[&str], environment: &[(&str, &str)]) -> Output {
    world.command(args).envs(environment.iter().copied()).output().unwrap()
}

/// Exit code, stdout and stderr.
fn said(world: &World, args: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = run(world, args, environment);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_file_names_sources_and_thresholds_and_says_so() {
    let world = world();
    world.file("tagfall.toml", b"sources = [\"logs\"]\nfail-on = \"high\"\njobs = 2\n");
    let (code, out, err) = said(&world, &["detect", "--format", "csv"], &[]);
    assert_eq!((code, out.lines().count()), (Some(1), 2), "{err}");
    assert!(err.starts_with("tagfall: settings from tagfall.toml: sources, fail-on, jobs\n"), "{err}");
    assert_eq!(said(&world, &["detect", "--format", "csv", "--quiet"], &[]).2, "");
    // Without the file there is no source.
    let (code, _, err) = said(&world, &["detect", "--no-config"], &[]);
    assert!(code == Some(2) && err.contains("<SOURCE>"), "{err}");
    // The file is not used in other folders.
    world.file("elsewhere/x", b"");
    let mut below = world.command(&["detect"]);
    assert_eq!(below.current_dir(world.path("elsewhere")).output().unwrap().status.code(), Some(2));
}

#[test]
fn options_win_over_the_environment_and_that_over_the_file() {
    let world = world();
    world.file(
        "tagfall.toml",
        b"sources = 'logs'\nfail-on = 'low'\nrepository = ['shop/*', 'tools']\nallow-incomplete = true\n",
    );
    let environment = [
        ("TAGFALL_FAIL_ON", "critical"),
        ("TAGFALL_SINCE", "2030-01-01"),
        ("TAGFALL_VERSION", "7"),
        ("TAGFALL_SEND", "mail"),
    ];
    let args = ["detect", "--since", "2026-01-01", "--allow-incomplete=false", "--show-config"];
    let (code, out, err) = said(&world, &args, &environment);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let expected = "\
sources           logs (tagfall.toml:1)
since             2026-01-01 (command line)
until             – (not set)
account           – (not set)
region            – (not set)
repository        shop/*, tools (tagfall.toml:3)
race-window       10m (default)
fail-on           critical (TAGFALL_FAIL_ON)
allow-incomplete  false (command line)
";
    assert_eq!(
        out.lines()
            .filter(|line| !line.starts_with("jobs")
                && !line.starts_with("max-memory")
                && !line.starts_with("redact"))
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
        expected
    );
    assert_eq!(said(&world, &args[..4], &environment).0, Some(1));
    let other = said(
        &world,
        &["detect", "--since", "2026-01-01", "--fail-on", "HIGH", "logs"],
        &[("TAGFALL_SOURCES", "no/such, folder")],
    );
    assert_eq!(other.0, Some(1), "{}", other.2);
}

#[test]
fn a_file_that_was_named_is_taken_wherever_it_lies() {
    let world = world();
    world.file("etc/nightly.toml", b"fail-on = \"critical\"\n");
    world.file("tagfall.toml", b"this is no TOML");
    assert_eq!(said(&world, &["detect", "logs", "--config", "etc/nightly.toml"], &[]).0, Some(1));
    let (code, _, err) = said(&world, &["detect", "logs", "--config", "etc/none.toml"], &[]);
    assert!(code == Some(2) && err.contains("etc/none.toml") && err.contains("--config"), "{err}");
}

/// Every mistake is an error, with its position and a suggestion, because an ignored threshold is useless.
#[test]
fn a_mistake_in_the_settings_is_an_error() {
    let world = world();
    for (text, expected) in [
        (
            "fail_on = 'high'",
            "tagfall.toml, line 1: there is no setting fail_on\n  try: did you mean fail-on?",
        ),
        (
            "jobs = 1\n\nsorces = ['a']",
            "tagfall.toml, line 3: there is no setting sorces\n  try: did you mean sources?",
        ),
        ("output = '/etc/passwd'", "there is no setting output\n  try: --show-config lists the settings"),
        ("endpoint-url = 'http://127.0.0.1:1'", "there is no setting endpoint-url"),
        ("fail-on = 'urgent'", "line 1: fail-on is urgent\n  because: write critical, high, medium or low"),
        ("since = 2026-01-01", "write it in quotes; this is a TOML datetime"),
        ("since = ['1d', '2d']", "it has one value, and this is a list"),
        ("jobs = 0", "write a number from 1 to 1024"),
        ("allow-incomplete = 'yes'", "write true or false, without quotes"),
        ("jobs = 1\njobs = 2", "tagfall.toml is not valid TOML\n  because: line 2: duplicate key"),
        ("a = [", "tagfall.toml is not valid TOML\n  because: line 1: "),
        ("\"\\u001b[2J\" = 1", "there is no setting \\u{1b}[2J"),
    ] {
        world.file("tagfall.toml", text.as_bytes());
        let (code, out, err) = said(&world, &["detect", "logs"], &[]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{text}: {err}");
        assert!(err.contains(expected), "{text}: {err}");
    }
    world.file("tagfall.toml", &vec![b'#'; 70_000]);
    assert!(said(&world, &["detect", "logs"], &[]).2.contains("larger than 64 KiB"));
    world.file("tagfall.toml", b"");
    for (name, value, expected) in [
        (
            "TAGFALL_FAILON",
            "high",
            "there is no setting TAGFALL_FAILON\n  try: did you mean TAGFALL_FAIL_ON?",
        ),
        ("TAGFALL_SINCE", "yesterday", "TAGFALL_SINCE is \"yesterday\"\n  because: write a time"),
    ] {
        let (code, _, err) = said(&world, &["detect", "logs"], &[(name, value)]);
        assert!(code == Some(2) && err.contains(expected), "{err}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_the_file_keeps_nobody_waiting() {
    let world = world();
    let made = std::process::Command::new("mkfifo").arg(world.path("tagfall.toml")).status().unwrap();
    assert!(made.success());
    let (code, _, err) = said(&world, &["detect", "logs"], &[]);
    assert!(code == Some(2) && err.contains("not a regular file"), "{err}");
}
