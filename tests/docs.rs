//! Checks the documentation: each test that a page names exists, each file that it refers to exists, and each
//! promise names a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    found
}

/// Functions with `#[test]`, including property tests, except those that are always ignored.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in files("src", "rs").into_iter().chain(files("tests", "rs")) {
        let text = fs::read_to_string(&path).unwrap();
        let mut attributes: Vec<&str> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[") {
                attributes.push(line);
            } else if let Some(rest) = line.strip_prefix("fn ") {
                let is_test = attributes.iter().any(|line| line.starts_with("#[test]"));
                let is_ignored = attributes.iter().any(|line| line.starts_with("#[ignore"));
                if is_test && !is_ignored {
                    names.extend(rest.split('(').next().map(str::to_owned));
                }
                attributes.clear();
            } else if !line.starts_with("//") {
                attributes.clear();
            }
        }
    }
    assert!(names.len() > 300, "the tests are read: {}", names.len());
    names
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Tests that a page names: in brackets after a rule, and in the last column of tables whose last heading is
/// `test`.
fn named(page: &str) -> Vec<String> {
    let brackets = page
        .split("[`")
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .filter(|(_, after)| !after.starts_with('('));
    let mut names: Vec<String> = brackets
        .flat_map(|(inside, _)| quoted(&format!("`{inside}")).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let mut of_tests = false;
    for line in page.lines() {
        let Some(cells) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            of_tests = false;
            continue;
        };
        let last = cells.rsplit('|').next().unwrap_or_default();
        if last.trim() == "test" {
            of_tests = true;
        } else if of_tests && !last.contains("---") {
            assert!(quoted(last).next().is_some(), "a row without its test: {line}");
            names.extend(quoted(last).map(str::to_owned));
        }
    }
    names
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

fn pages() -> Vec<PathBuf> {
    let mut pages = files("docs", "md");
    pages.extend(
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "fuzz/README.md"].map(|name| root().join(name)),
    );
    pages
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let tests = tests();
    let mut missing = Vec::new();
    for path in pages() {
        for name in named(&fs::read_to_string(&path).unwrap()) {
            if !tests.contains(&name) {
                missing.push(format!("{}: {name}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
    for (name, at_least) in [("docs/SEMANTICS.md", 50), ("docs/RELIABILITY.md", 30), ("docs/SECURITY.md", 12)]
    {
        let count = named(&page(name)).len();
        assert!(count >= at_least, "{name} names {count} tests");
    }
}

#[test]
fn every_promise_of_security_has_its_test() {
    let text = page("docs/SECURITY.md");
    let (_, promised) = text.split_once("## What is promised").unwrap();
    let (promised, _) = promised.split_once("\n## ").unwrap();
    let promises: Vec<&str> = promised.split("\n- **").skip(1).collect();
    assert!(promises.len() >= 6);
    for promise in promises {
        assert!(!named(promise).is_empty(), "no test is named for: {promise}");
    }
}

#[test]
fn every_file_that_a_page_points_to_is_there() {
    let mut missing = Vec::new();
    for path in pages() {
        let text = fs::read_to_string(&path).unwrap();
        let folder = path.parent().unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let links =
            links.filter(|link| !link.is_empty() && !link.contains("://")).map(|link| folder.join(link));
        let places = quoted(&text)
            .filter(|name| ["tests/", "src/", "docs/", "fuzz/"].iter().any(|start| name.starts_with(start)));
        let places = places.filter(|name| !name.contains(['*', ' ', '…', '<'])).map(|name| root().join(name));
        missing.extend(
            links
                .chain(places)
                .filter(|place| !place.exists())
                .map(|place| format!("{}: {}", path.display(), place.display())),
        );
    }
    assert!(missing.is_empty(), "no such file:\n{}", missing.join("\n"));
}

#[test]
fn the_book_has_every_page() {
    let summary = page("docs/SUMMARY.md");
    let links: Vec<&str> = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let listed: BTreeSet<&str> = links.iter().copied().collect();
    assert_eq!(links.len(), listed.len(), "mdbook takes no page twice");
    let pages = files("docs", "md");
    let pages: BTreeSet<&str> = pages
        .iter()
        .filter_map(|path| path.file_name()?.to_str())
        .filter(|name| *name != "SUMMARY.md")
        .collect();
    assert_eq!(listed, pages);
}

/// The part of a file between `// ANCHOR: name` and `// ANCHOR_END: name`.
fn anchored(file: &str, name: &str) -> String {
    let text = page(file);
    let (_, rest) =
        text.split_once(&format!("// ANCHOR: {name}\n")).unwrap_or_else(|| panic!("{file} has no {name}"));
    rest.split_once(&format!("// ANCHOR_END: {name}\n"))
        .unwrap_or_else(|| panic!("{file} has no end of {name}"))
        .0
        .to_owned()
}

/// The page with the code after each `<!-- FILE: NAME -->` replaced by that file's present code; and the
/// number of replacements.
fn with_code(page: &str) -> (String, usize) {
    let (mut out, mut rest, mut examples) = (String::new(), page, 0);
    while let Some((before, after)) = rest.split_once("<!-- src/") {
        let (place, after) = after.split_once(" -->\n```rust\n").expect("code stands behind its place");
        let (file, name) = place.split_once(": ").expect("a file and a name");
        let (_, after) = after.split_once("```\n").expect("the end of the code");
        out += &format!(
            "{before}<!-- src/{place} -->\n```rust\n{}```\n",
            anchored(&format!("src/{file}"), name)
        );
        (rest, examples) = (after, examples + 1);
    }
    (out + rest, examples)
}

#[test]
fn the_worked_examples_are_the_code_that_is_compiled() {
    const PAGE: &str = "docs/ARCHITECTURE.md";
    let written = page(PAGE);
    let (now, examples) = with_code(&written);
    assert_eq!(examples, 4, "a service, a detector, a SQL function, a container");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(PAGE), now).unwrap();
        return;
    }
    assert!(
        now == written,
        "{PAGE} shows other code than is compiled: UPDATE_DOCS=1 cargo test --locked --test docs"
    );
}

#[test]
fn names_are_found_where_pages_put_them() {
    let page = "A rule. [`one_test`,\n`another`] See [`lake`](lake.md).\n\n| event | test |\n|---|---|\n| `PutImage` | `third` |\n\n| a | b |\n|---|---|\n| x | `y` |\n";
    assert_eq!(named(page), ["one_test", "another", "third"]);
}

/// The picture of the report on the example archive, as a file of its own.
fn picture() -> String {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.html");
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(["report", "fixtures/incident", "--quiet", "-o"])
        .arg(&report)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let html = fs::read_to_string(report).unwrap();
    let part = |class: &str| {
        let start = html.find(&format!("<svg class=\"{class}\"")).unwrap();
        &html[start..start + html[start..].find("</svg>").unwrap() + "</svg>".len()]
    };
    let colours = page("src/ui/report/style.css");
    let colours = &colours[colours.find(":root").unwrap()..colours.find("* {").unwrap()];
    let (patterns, picture, css) =
        (part("patterns"), part("picture across"), page("src/ui/report/picture.css"));
    let size = picture.split('"').nth(3).unwrap();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{size}\" font-family=\"system-ui, sans-serif\">\n\
         <style>\n{colours}{css}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"var(--paper)\"/>\n\
         {patterns}\n{picture}\n</svg>\n"
    )
}

#[test]
fn the_picture_on_the_first_page_is_that_of_the_report() {
    const FILE: &str = "falling-tag.svg";
    assert!(page("README.md").contains(&format!("(docs/{FILE})")), "the first page shows it");
    let picture = picture();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(root().join("docs").join(FILE), picture).unwrap();
    }
    assert!(
        page(&format!("docs/{FILE}")) == picture,
        "docs/{FILE} is not what `report` draws: UPDATE_DOCS=1 cargo test --locked --test docs"
    );
}
