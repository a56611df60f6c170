//! Checks which modules may use which.

use std::fs;
use std::path::Path;

/// From top to bottom. A module may use those further down, and those on its own line.
const LAYERS: &[&[&str]] = &[
    &["main", "lib"],
    &["commands"],
    &["ui", "failure"],
    &["sql", "lake"],
    &["tables"],
    &["rescue", "fate"],
    &["explain", "whatif", "alerts", "redact"],
    &["forecast"],
    &["detect", "integrity", "trace"],
    &["pipeline"],
    &["timeline", "recognize"],
    &["policy"],
    &["decode"],
    &["source"],
    &["model"],
];

/// Exceptions, and why they do not violate the design.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("timeline", "detect", "the tests of the fold look at findings, too"),
    ("timeline", "whatif", "and at what a replay says of them"),
    ("source", "decode", "a lake hands out records, not bytes"),
];

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|names| names.contains(&module))
        .unwrap_or_else(|| panic!("{module} is not in LAYERS: say where it belongs"))
}

fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let path = entry
                .strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
                .expect("below src")
                .to_string_lossy()
                .into_owned();
            found.push((path, fs::read_to_string(&entry).expect("text")));
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    assert!(found.len() > 50, "the sources are read");
    found
}

fn module(path: &str) -> &str {
    path.split(['/', '.']).next().expect("a name")
}

/// Modules used by `crate::` in code (not in comments).
fn used(text: &str) -> Vec<&str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default()
        })
        .collect()
}

#[test]
fn a_module_uses_only_what_stands_below_it() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = module(&path);
        for other in used(&text) {
            let known = LAYERS.iter().any(|names| names.contains(&other));
            let excused = EXCEPTIONS.iter().any(|(from, to, _)| *from == own && *to == other);
            if known && other != own && !excused && layer(other) < layer(own) {
                wrong.push(format!("{path} uses {other}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_model_imports_nothing_of_ours() {
    for (path, text) in sources().iter().filter(|(path, _)| module(path) == "model") {
        assert!(used(text).is_empty(), "{path}: {:?}", used(text));
    }
}

#[test]
fn only_the_printer_prints_and_only_s3_is_async() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let printer = ["ui", "commands", "main"].contains(&module(&path));
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let prints = ["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!("]
                .iter()
                .any(|word| line.contains(word));
            let clock = line.contains("Utc::now(") || line.contains("SystemTime::now(");
            let awaits =
                line.split(".await").skip(1).any(|behind| !behind.starts_with(char::is_alphanumeric));
            let is_async = line.contains("async fn") || awaits;
            if (prints || clock) && !printer || is_async && !path.starts_with("source/s3") {
                wrong.push(format!("{path}:{}: {line}", at + 1));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
