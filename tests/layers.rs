//! The arrows between modules, kept by a test and not by memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// From top to bottom. A module may use those that stand further down, and those on its own line.
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

/// Uses that go up, and why they are no arrow of the design.
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

/// Modules named behind `crate::` in code (not in comments).
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

/// The parts of `src/sql`, from top to bottom: folders (with the file of the same name) and single files.
const SQL_LAYERS: &[&[&str]] = &[
    &["strategy", "named"],
    &["collect"],
    &["query"],
    &["stream"],
    &["run"],
    &["plan"],
    &["bind"],
    &["eval"],
    &["functions"],
    &["scope", "catalog", "answer"],
    &["expression"],
    &["memory", "panics"],
    &["types"],
    &["syntax"],
    &["error"],
];

/// Files of `src/sql` that use each other, because the methods of one type stand in them. Everything else
/// that is recursive by nature (expressions contain queries, queries expressions) goes through the trait
/// `Evaluator`.
const ONE_TYPE: &[(&str, &str)] = &[
    ("bind", "the binder"),
    ("expression", "expressions and queries, which contain each other"),
    ("plan/divide", "the search for keys of shares"),
    ("plan/lower", "what makes operators of a plan"),
    ("stream/flow", "a query that is worked out piece by piece"),
    ("collect", "what the workers of a scan share"),
];

/// The files of `src/sql` by their module paths, `run/select` for `src/sql/run/select.rs`, without tests.
fn sql_files() -> BTreeMap<String, String> {
    let all = sources().into_iter().filter_map(|(path, text)| {
        let path = path.strip_prefix("sql/")?.strip_suffix(".rs")?.to_owned();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
        Some((path, text))
    });
    all.collect()
}

/// The paths that a `use` or an expression names: a brace is written out, `self` and names behind `as` go.
fn written_out(path: &str) -> Vec<String> {
    let path = path.trim();
    let Some((before, within)) = path.split_once('{') else {
        let path = path.split(" as ").next().unwrap_or_default().trim();
        return vec![path.trim_end_matches("::self").to_owned()];
    };
    let within = within.strip_suffix('}').unwrap_or(within);
    let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
    for (at, letter) in within.char_indices().chain([(within.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let one = within[start..at].trim();
                if !one.is_empty() {
                    paths.extend(written_out(&format!("{before}{one}")));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    paths
}

/// The file that a path names, seen from the file `own`: the longest beginning that is one.
fn named_file(files: &BTreeMap<String, String>, own: &str, path: &str) -> Option<String> {
    let mut at: Vec<&str> = own.split('/').collect();
    let mut steps = path.split("::").map(str::trim).peekable();
    match (steps.peek().copied(), path.strip_prefix("crate::sql::")) {
        (_, Some(_)) => {
            at.clear();
            steps.nth(1);
        }
        (Some("super" | "self"), _) => {
            while let Some(step @ ("super" | "self")) = steps.peek().copied() {
                if step == "super" {
                    at.pop();
                }
                steps.next();
            }
        }
        (Some(first), _) if files.contains_key(&format!("{own}/{first}")) => {}
        _ => return None,
    }
    let mut found = files.contains_key(&at.join("/")).then(|| at.join("/"));
    for step in steps {
        at.push(step);
        match at.join("/") {
            file if files.contains_key(&file) => found = Some(file),
            _ => break,
        }
    }
    found.filter(|file| file != own)
}

/// Which files of `src/sql` a file uses: by `use`, by a path in an expression, or by a child's name.
fn used_files(files: &BTreeMap<String, String>, own: &str) -> BTreeSet<String> {
    let code: String = files[own].lines().filter(|line| !line.trim_start().starts_with("//")).fold(
        String::new(),
        |mut code, line| {
            code.push_str(line.trim());
            code.push(' ');
            code
        },
    );
    let mut paths = Vec::new();
    let mut rest = String::new();
    for statement in code.split_inclusive(';') {
        match statement.rfind("use ").filter(|at| !statement[*at..].contains(['(', '"'])) {
            Some(at) if statement[..at].ends_with([' ', ')']) || at == 0 => {
                paths.extend(written_out(statement[at + 4..].trim_end_matches([';', ' '])));
                rest.push_str(&statement[..at]);
            }
            _ => rest.push_str(statement),
        }
    }
    let is_of_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    paths.extend(
        rest.split(|letter| !is_of_path(letter)).filter(|path| path.contains("::")).map(str::to_owned),
    );
    paths.iter().filter_map(|path| named_file(files, own, path)).collect()
}

/// The place of a file in [`SQL_LAYERS`].
fn sql_layer(file: &str) -> usize {
    let part = file.split('/').next().unwrap_or_default();
    let place = SQL_LAYERS.iter().position(|parts| parts.contains(&part));
    place.unwrap_or_else(|| panic!("{file} is not in SQL_LAYERS: say where it belongs"))
}

#[test]
fn a_part_of_sql_uses_only_what_stands_below_it() {
    let files = sql_files();
    assert!(files.len() > 100, "the files of src/sql are read: {}", files.len());
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for file in files.keys() {
        let part = file.split('/').next().unwrap_or_default();
        for other in used_files(&files, file) {
            arrows += 1;
            let is_own = other.split('/').next() == Some(part);
            if !is_own && sql_layer(&other) < sql_layer(file) {
                wrong.push(format!("{file} uses {other}"));
            }
        }
    }
    assert!(arrows > 500, "what files use is found: {arrows}");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn no_files_of_sql_use_each_other_in_a_circle() {
    let files = sql_files();
    let arrows: BTreeMap<&str, BTreeSet<String>> =
        files.keys().map(|file| (file.as_str(), used_files(&files, file))).collect();
    // What can be reached from each file.
    let reached = |start: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start.to_owned()]);
        while let Some(file) = open.pop() {
            for next in &arrows[file.as_str()] {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<String>> =
        files.keys().map(|file| (file.as_str(), reached(file))).collect();
    let group = |file: &str| {
        ONE_TYPE
            .iter()
            .map(|(name, _)| *name)
            .find(|name| file.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let mut wrong = Vec::new();
    for (file, others) in &reach {
        for other in
            others.iter().filter(|other| other.as_str() > *file && reach[other.as_str()].contains(*file))
        {
            if group(file).is_none() || group(file) != group(other) {
                wrong.push(format!("{file} and {other} use each other"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// What of the syntax tree an operator may see: the expressions by which computed values are told apart, and how rows
/// are sorted and put together.
const SEEN_BY_RUN: &[&str] = &["Expr", "OrderByOptions", "SetOperator", "BinaryOperator"];

#[test]
fn operators_are_run_and_not_syntax_trees() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (file, text) in sql_files() {
        if !file.starts_with("run/") {
            continue;
        }
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.map(str::trim).collect::<Vec<_>>().join(" ");
        for statement in code.split(';').filter_map(|statement| statement.trim().strip_prefix("use ")) {
            for path in written_out(statement) {
                let Some(tree) = path.strip_prefix("sqlparser::ast") else { continue };
                seen += 1;
                if !SEEN_BY_RUN.iter().any(|name| tree == format!("::{name}")) {
                    wrong.push(format!("{file} uses {path}"));
                }
            }
        }
    }
    assert!(seen > 0, "uses of the syntax tree are found");
    assert_eq!(wrong, Vec::<String>::new());
}
