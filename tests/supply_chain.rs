//! The crates that this program is built from, according to Cargo.lock and cargo, without a network: every
//! crate comes from crates.io with a checksum, under a licence that allows distributing the binary, in two
//! versions only for a reason, and no build script fetches anything. `cargo deny check` (deny.toml) checks
//! the same and the advisories, if it is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The value of `key = "…"` in a block of Cargo.lock.
fn field<'t>(block: &'t str, key: &str) -> Option<&'t str> {
    block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

fn locked(lock: &str) -> Vec<&str> {
    lock.split("[[package]]\n").skip(1).collect()
}

#[test]
fn every_crate_comes_from_the_registry_with_its_checksum() {
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let lock = text(lock);
        let mut foreign = locked(&lock)
            .into_iter()
            .filter(|block| !field(block, "name").unwrap().starts_with("tagfall"))
            .peekable();
        // One registry for all, and no git repositories or folders.
        let registry = foreign.peek().and_then(|block| field(block, "source")).unwrap();
        assert!(registry.starts_with("registry+"), "{registry}");
        let mut seen = 0;
        for block in foreign {
            assert_eq!(field(block, "source"), Some(registry), "{block}");
            assert!(field(block, "checksum").is_some_and(|sum| sum.len() == 64), "{block}");
            seen += 1;
        }
        assert!(seen > 100);
    }
}

/// `name@version` → reason, of deny.toml.
fn excused(deny: &str) -> BTreeMap<&str, &str> {
    let quoted = |line: &'_ str, before: &str| -> Option<(usize, usize)> {
        let start = line.find(before)? + before.len();
        Some((start, start + line[start..].find('"')?))
    };
    let entry = |line| {
        let ((from, to), (start, end)) = (quoted(line, "{ crate = \"")?, quoted(line, "reason = \"")?);
        Some((&line[from..to], &line[start..end]))
    };
    deny.lines().filter_map(entry).collect()
}

/// The output of `cargo metadata`.
fn metadata() -> Value {
    let host = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let host = String::from_utf8(host)
        .unwrap()
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .unwrap();
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--offline",
        "--all-features",
        "--filter-platform",
        &host,
    ];
    let output =
        Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The packages that are built on this machine.
fn built(metadata: &Value) -> Vec<&Value> {
    let nodes: BTreeSet<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    let packages: Vec<&Value> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| nodes.contains(package["id"].as_str().unwrap()))
        .collect();
    assert!(packages.len() > 100);
    packages
}

#[test]
fn a_crate_is_there_twice_only_for_a_reason() {
    let deny = text("deny.toml");
    let excused = excused(&deny);
    assert!(excused.values().all(|reason| reason.len() > 10));
    // `cargo metadata` also has crates of features that are never enabled.
    let arguments = [
        "tree",
        "--locked",
        "--offline",
        "--all-features",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let output =
        Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for mut words in tree.lines().map(str::split_whitespace) {
        if let (Some(name), Some(version)) =
            (words.next(), words.next().and_then(|version| version.strip_prefix('v')))
        {
            versions.entry(name).or_default().insert(version);
        }
    }
    assert!(versions.len() > 100);
    for (name, versions) in &versions {
        let without_reason = versions
            .iter()
            .filter(|version| !excused.contains_key(format!("{name}@{version}").as_str()))
            .count();
        assert!(
            without_reason <= 1,
            "{name} is there as {versions:?}: have one, or say in deny.toml who brings the other"
        );
    }
    let lock = text("Cargo.lock");
    let there: BTreeSet<String> = locked(&lock)
        .iter()
        .map(|block| format!("{}@{}", field(block, "name").unwrap(), field(block, "version").unwrap()))
        .collect();
    let stale: Vec<_> = excused.keys().filter(|name| !there.contains(**name)).collect();
    assert!(stale.is_empty(), "deny.toml excuses what is there no more: {stale:?}");
}

/// The features of each crate that a command builds.
fn features(arguments: &[&str]) -> BTreeMap<String, String> {
    let common = ["tree", "--locked", "--offline", "--prefix", "none", "--format", "{p}|{f}"];
    let output = Command::new(env!("CARGO"))
        .args(common)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates =
        tree.lines().map(|line| line.trim_end_matches(" (*)")).filter_map(|line| line.split_once('|'));
    crates
        .filter(|(name, _)| !name.starts_with("tagfall "))
        .map(|(name, features)| (name.to_owned(), features.to_owned()))
        .collect()
}

/// The README's second command does not compile crates again that the first one has compiled. A crate whose
/// features would differ is listed in Cargo.toml with the features that the larger build enables.
#[test]
fn the_tests_build_no_crate_of_the_engine_a_second_time() {
    let engine = features(&["--no-default-features", "--edges", "normal,build"]);
    let tests = features(&["--edges", "normal,build,dev"]);
    assert!(engine.len() > 80 && tests.len() > 250, "{} and {}", engine.len(), tests.len());
    for (name, features) in &engine {
        assert_eq!(
            tests.get(name),
            Some(features),
            "{name} has other features in `cargo test` (left) than in the engine alone (right)"
        );
    }
}

/// Whether the allowed licences satisfy an SPDX expression.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    // All expressions here are choices, or conjunctions of choices: each part of AND needs an allowed one.
    expression.split(" AND ").all(|part| part.split(" OR ").any(|name| allowed.contains(name.trim())))
}

#[test]
fn every_licence_allows_the_binary_to_be_handed_on() {
    let deny = text("deny.toml");
    let list = deny.lines().find_map(|line| line.strip_prefix("allow = [")).unwrap();
    let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(
        !is_allowed("GPL-3.0", &allowed)
            && !is_allowed("MIT AND GPL-3.0", &allowed)
            && is_allowed("(GPL-3.0 OR MIT) AND ISC", &allowed)
    );
    let metadata = metadata();
    for package in built(&metadata) {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(licence, &allowed), "{}: {licence:?}", package["name"]);
    }
}

/// Words in a build script that fetches something.
const FETCHERS: &[&str] = &[
    "TcpStream",
    "reqwest",
    "ureq",
    "hyper",
    "curl",
    "wget",
    "git clone",
    "Invoke-WebRequest",
    "http_client",
];

#[test]
fn no_build_script_fetches_anything() {
    let metadata = metadata();
    let mut scripts = 0;
    for package in built(&metadata) {
        for target in package["targets"].as_array().unwrap() {
            if target["kind"][0] != "custom-build" {
                continue;
            }
            scripts += 1;
            let path = PathBuf::from(target["src_path"].as_str().unwrap());
            let code = fs::read_to_string(&path).unwrap();
            let code: String = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect::<Vec<_>>()
                .join("\n");
            let found: Vec<_> = FETCHERS.iter().filter(|word| code.contains(**word)).collect();
            assert!(found.is_empty(), "{} has {found:?} in {}", package["name"], path.display());
        }
        let needs =
            package["dependencies"].as_array().unwrap().iter().filter(|needed| needed["kind"] == "build");
        for needed in needs.map(|needed| needed["name"].as_str().unwrap()) {
            assert!(!FETCHERS.contains(&needed), "the build of {} needs {needed}", package["name"]);
        }
    }
    assert!(scripts > 10, "{scripts} build scripts");
}

/// The program starts no processes, so no input can select one. (The AWS SDK runs the `credential_process` of
/// the user's own profile.)
#[test]
fn no_unsafe_code_and_no_process_is_started() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            assert!(
                !code.contains("process::Command") && !code.contains("Command::new("),
                "{} starts a process",
                path.display()
            );
            files += 1;
        }
    }
    assert!(files > 200, "{files} files");
    assert!(text("src/lib.rs").contains("#![forbid(unsafe_code)]"));
}
