//! The output of `diff`.

use std::io::{self, Write};

use serde::Serialize;

use super::escape::Escape;
use super::format::{Cell, Format, Look, Rows, SCHEMA_VERSION, no_such_form, write_line};
use super::page::Page;
use super::quantity::count;
use crate::alerts::{Change, Diff, Loss};
use crate::model::Severity;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    command: &'static str,
    #[serde(flatten)]
    diff: &'a Diff,
}

/// One loss, and how it changed.
#[derive(Serialize)]
struct Line<'a> {
    change: &'static str,
    severity_before: Option<Severity>,
    #[serde(flatten)]
    loss: &'a Loss,
}

/// Writes a comparison, new losses first.
pub fn write(out: &mut dyn Write, look: Look, diff: &Diff) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), diff),
        Format::Json => {
            serde_json::to_writer_pretty(
                super::escape::JsonText(&mut *out),
                &Document { schema_version: SCHEMA_VERSION, command: "diff", diff },
            )?;
            writeln!(out)
        }
        Format::Ndjson => lines(diff).try_for_each(|line| write_line(out, &line)),
        Format::Csv => Rows::write(out, COLUMNS, lines(diff).map(|line| cells(&line))),
        _ => Err(no_such_form()),
    }
}

fn lines(diff: &Diff) -> impl Iterator<Item = Line<'_>> {
    let alone = |change: &'static str| move |loss| Line { change, severity_before: None, loss };
    let changed = |change: &'static str| move |both: &'_ Change| (change, both.before.severity);
    let (worse, better) = (changed("worse"), changed("better"));
    let of = |(change, before), loss| Line { change, severity_before: Some(before), loss };
    diff.new
        .iter()
        .map(alone("new"))
        .chain(diff.worse.iter().map(move |both| of(worse(both), &both.after)))
        .chain(diff.better.iter().map(move |both| of(better(both), &both.after)))
        .chain(diff.gone.iter().map(alone("gone")))
}

fn write_page(page: &mut Page<'_>, diff: &Diff) -> io::Result<()> {
    for line in lines(diff) {
        let Line { change, severity_before, loss } = line;
        let tag = loss.tag.as_ref().map(|tag| format!(":{}", tag.for_terminal())).unwrap_or_default();
        let before = severity_before
            .filter(|before| *before != loss.severity)
            .map(|before| format!("{} → ", before.word()))
            .unwrap_or_default();
        let digest = loss.digest.map(|digest| format!(", {}", digest.short())).unwrap_or_default();
        let gone = loss.gone_at.map(|time| format!(", gone {time}")).unwrap_or_default();
        let name = loss.repository.name.for_terminal();
        page.point(
            0,
            &format!("{change:<8}"),
            &format!(
                "{before}{} {} {name}{tag}{digest}{gone} ({})",
                loss.severity.word(),
                loss.kind.word(),
                loss.id
            ),
        )?;
    }
    let numbers = [
        (diff.new.len(), "new"),
        (diff.worse.len(), "worse"),
        (diff.better.len(), "better"),
        (diff.gone.len(), "gone"),
    ];
    let words: Vec<String> =
        numbers.iter().map(|(number, word)| format!("{} {word}", count(*number as u64))).collect();
    page.line(&format!("{}, {} the same", words.join(", "), count(diff.same)))
}

const COLUMNS: &[&str] = &[
    "change",
    "id",
    "kind",
    "severity",
    "severity_before",
    "registry_id",
    "region",
    "repository",
    "tag",
    "lost_digest",
    "lost_gone_at",
];

fn cells(line: &Line<'_>) -> Vec<Cell> {
    let Line { change, severity_before, loss } = line;
    let mut cells = vec![
        Cell::plain(change),
        Cell::text(&loss.id),
        Cell::plain(loss.kind.word()),
        Cell::plain(loss.severity.word()),
    ];
    cells.push(Cell::maybe(*severity_before, |before| Cell::plain(before.word())));
    cells.extend(
        [&loss.repository.registry_id, &loss.repository.region, &loss.repository.name].map(Cell::log),
    );
    cells.push(Cell::maybe(loss.tag.as_ref(), Cell::log));
    cells.extend([Cell::maybe(loss.digest, Cell::plain), Cell::maybe(loss.gone_at, Cell::plain)]);
    cells
}
