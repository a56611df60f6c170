//! Every `console` block of the README and the reference is run, and its output compared line by line.
//!
//! A line `…` stands for any number of lines; a line that ends in `…` for any line with that beginning.

use std::process::Command;

const README: &str = include_str!("../README.md");
const REFERENCE: &str = include_str!("../docs/REFERENCE.md");

struct Example {
    arguments: Vec<String>,
    shown: Vec<String>,
}

/// The `$ tagfall …` lines of all `console` blocks, with what the README shows below each.
fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside && let Some(command) = line.strip_prefix("$ tagfall ") {
            examples.push(Example { arguments: words(command), shown: Vec::new() });
        } else if inside {
            examples.last_mut().expect("a console block begins with a command").shown.push(line.to_owned());
        }
    }
    examples
}

/// Splits words like a shell, with double quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in command.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().expect("one word at least").push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn fits(shown: &[String], printed: &[&str]) -> Result<(), String> {
    match (shown, printed) {
        ([], []) => Ok(()),
        ([], [line, ..]) => Err(format!("printed and not shown: {line}")),
        ([wild, rest @ ..], _) if wild == "…" => (0..=printed.len())
            .find_map(|skipped| fits(rest, &printed[skipped..]).ok())
            .ok_or_else(|| format!("nothing fits behind …: {:?}", rest.first())),
        ([line, ..], []) => Err(format!("shown and not printed: {line}")),
        ([line, rest @ ..], [first, others @ ..]) => {
            let same = line.strip_suffix('…').map_or(line == first, |start| first.starts_with(start));
            if same { fits(rest, others) } else { Err(format!("shown:   {line}\nprinted: {first}")) }
        }
    }
}

#[test]
fn what_the_readme_shows_is_what_is_printed() {
    let examples: Vec<Example> = [README, REFERENCE].into_iter().flat_map(examples).collect();
    assert!(examples.len() >= 12, "the pages show every command");
    let has_sql = cfg!(feature = "sql");
    for Example { arguments, shown } in &examples {
        if !has_sql && ["query", "queries", "ingest"].contains(&arguments[0].as_str()) {
            continue;
        }
        let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("COLUMNS", "100")
            .output()
            .expect("the binary runs");
        let printed = String::from_utf8(output.stdout).expect("text");
        let lines: Vec<&str> = printed.lines().collect();
        if let Err(difference) = fits(shown, &lines) {
            panic!(
                "tagfall {}\n{difference}\n\nwhole output:\n{printed}\n{}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

#[test]
fn an_ellipsis_is_no_joker_for_everything() {
    let shown = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
    assert!(fits(&shown(&["a", "…", "c"]), &["a", "b", "b", "c"]).is_ok());
    assert!(fits(&shown(&["a", "…", "d"]), &["a", "b", "c"]).is_err());
    assert!(fits(&shown(&["a…"]), &["abc"]).is_ok());
    assert!(fits(&shown(&["a"]), &["a", "b"]).is_err());
}

/// The rows of the table below a heading: word and meaning.
fn table(readme: &str, heading: &str) -> Vec<(String, String)> {
    let below = readme.split_once(heading).unwrap_or_else(|| panic!("the reference has a table {heading}")).1;
    let rows = below.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| {
        let (word, meaning) = row.trim_matches('|').split_once(" | ")?;
        Some((word.trim().trim_matches('`').to_owned(), meaning.trim().to_owned()))
    })
    .collect()
}

/// The tables of words in the reference are those of the program, with the same meanings.
#[test]
fn the_tables_of_words_are_those_of_the_program() {
    use tagfall::model::{Cause, FindingKind};
    let readme = REFERENCE;
    let owned = |(word, meaning): (&str, &str)| (word.to_owned(), meaning.to_owned());
    let kinds: Vec<_> = FindingKind::ALL.iter().map(|kind| owned((kind.word(), kind.meaning()))).collect();
    assert_eq!(table(readme, "| kind | what happened |"), kinds);
    let causes: Vec<_> = Cause::ALL.iter().map(|cause| owned((cause.word(), cause.meaning()))).collect();
    assert_eq!(table(readme, "| cause | what it means |"), causes);
}
