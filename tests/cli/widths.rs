//! Pages on a terminal of any width: no line is wider, so the terminal does not break words. `script`
//! (util-linux) makes the terminal.

use std::path::Path;
use std::process::{Command, Stdio};

use super::world::World;

const WIDTHS: &[usize] = &[40, 41, 53, 60, 72, 80, 97, 120, 160, 200];

const QUESTION: &str = "failed to resolve ref 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/checkout:release-2026.03.02@sha256:2d6584fa9333a12a8fa7922a8168f577b4abe34ad354c2ce5ed1b7a60b2a974e: not found";

/// What the program writes to a terminal with this many columns.
fn on_a_terminal(world: &World, columns: usize, locale: &str, args: &[&str]) -> Option<String> {
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let program = env!("CARGO_BIN_EXE_tagfall");
    let line = format!("stty cols {columns} rows 50; '{program}' {} 2>/dev/null", quoted.join(" "));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(world.path("")).stdin(Stdio::null());
    let output = command
        .env("LANG", locale)
        .env("LC_ALL", locale)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .output()
        .ok()?;
    Some(String::from_utf8(output.stdout).unwrap().replace('\r', ""))
}

/// A line without its colours.
fn plain(line: &str) -> String {
    let mut text = String::new();
    for (at, piece) in line.split("\u{1b}[").enumerate() {
        text.push_str(if at == 0 { piece } else { piece.split_once('m').map_or("", |(_, rest)| rest) });
    }
    text
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_wider_than_the_terminal() {
    let world = World::new();
    world.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident"), "logs");
    let long = format!("broken/{}.json.gz", "a-name-that-is-longer-than-a-line-".repeat(4));
    world.file(&long, b"\x1f\x8b\x08\x00");
    world.run(&["detect", "logs", "--until", "2026-03-05", "--format", "json", "-o", "early.json"]);
    world.run(&["detect", "logs", "--format", "json", "-o", "late.json"]);
    let asked: [&[&str]; 11] = [
        &["detect", "logs"],
        &["detect", "logs", "--evidence"],
        &["detect", "logs", "broken"],
        &["timeline", "logs"],
        &["timeline", "logs", "--evidence", "--tag", "*"],
        &["explain", QUESTION, "logs"],
        &["forecast", "logs"],
        &["whatif", "logs"],
        &["diff", "early.json", "late.json"],
        &["detect", "logs", "--dry-run"],
        &["detect", "logs", "--show-config"],
    ];
    for (number, columns) in WIDTHS.iter().enumerate() {
        let locale = ["C", "C.UTF-8"][number % 2];
        for args in asked {
            let Some(page) = on_a_terminal(&world, *columns, locale, args) else {
                eprintln!("SKIPPED: nothing_is_wider_than_the_terminal: there is no `script`");
                return;
            };
            assert!(page.lines().count() > 1 || args[0] == "diff", "{args:?}: {page}");
            // Commands are not broken, whatever their length, so that they can be copied.
            for line in page.lines().map(plain).filter(|line| !line.contains('`')) {
                assert!(line.chars().count() <= *columns, "{columns} columns, {args:?}: {line}");
            }
            assert!(locale != "C" || !page.contains(['━', '█', '╮']), "{args:?}: {page}");
        }
    }
}

/// A command is copied and run: on a narrow terminal it is still one line, with its whole digest or policy.
#[cfg(target_os = "linux")]
#[test]
fn a_command_to_paste_is_one_whole_line_on_any_terminal() {
    let world = World::new();
    world.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident"), "logs");
    let digest = "sha256:2d6584fa9333a12a8fa7922a8168f577b4abe34ad354c2ce5ed1b7a60b2a974e";
    for columns in [40, 80] {
        for (args, ends) in [
            (
                ["rescue", digest, "logs"],
                format!("--image-digest {digest} --image-manifest file://manifest.json"),
            ),
            (["whatif", "--suggest", "logs"], r#""tagStatus":"any"}}]}'"#.to_owned()),
        ] {
            let Some(page) = on_a_terminal(&world, columns, "C.UTF-8", &args) else {
                eprintln!(
                    "SKIPPED: a_command_to_paste_is_one_whole_line_on_any_terminal: there is no `script`"
                );
                return;
            };
            let is_whole =
                |line: &str| line.trim_start().starts_with("$ aws ecr put-") && line.ends_with(&ends);
            assert!(page.lines().any(is_whole), "{columns} columns, {args:?}: {page}");
        }
    }
}
