//! The output of `rescue`.

use std::io::{self, Write};

use serde::Serialize;

use super::coverage;
use super::escape::Escape;
use super::findings::event_text;
use super::format::{Cell, Format, Look, Rows, no_such_form, write_document, write_line};
use super::page::Page;
use crate::detect::advice::quoted;
use crate::model::{Coverage, Rescue, RescueFrom, RescueSource};

/// Writes where one image still exists.
pub fn write(out: &mut dyn Write, look: Look, coverage: &Coverage, rescue: &Rescue) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), coverage, rescue),
        Format::Json => write_document(out, "rescue", coverage, Body { rescue }),
        Format::Ndjson => rescue.sources.iter().try_for_each(|source| write_line(out, source)),
        Format::Csv => write_rows(out, rescue),
        _ => Err(no_such_form()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    rescue: &'a Rescue,
}

fn write_page(page: &mut Page<'_>, coverage: &Coverage, rescue: &Rescue) -> io::Result<()> {
    coverage::write(page, coverage)?;
    let place = &rescue.repository;
    let (name, account, region) =
        (place.name.for_terminal(), place.registry_id.for_terminal(), place.region.for_terminal());
    page.item(0, "Reference", &rescue.reference.for_terminal())?;
    page.item(0, "Missed in", &format!("{name} in {account}, {region}"))?;
    page.item(0, "Digest", &rescue.digest.to_string())?;
    page.item(0, "State", rescue.state.word())?;
    if rescue.sources.is_empty() {
        page.blank()?;
        page.line(
            "Nothing in this evidence has it any more. Snapshots of other accounts and regions, and of what \
             runs it, may know a place: tagfall snapshot --script gathers them.",
        )?;
    }
    for (number, source) in rescue.sources.iter().enumerate() {
        write_source(page, number + 1, source)?;
    }
    if rescue
        .sources
        .iter()
        .any(|source| matches!(source.from, RescueFrom::Region | RescueFrom::Account | RescueFrom::Upstream))
    {
        page.blank()?;
        let reference = quoted(rescue.reference.raw()).into_owned();
        page.line(&format!(
            "How long each copy stays, and whose deletions reach it: `tagfall fate {}`, with these sources.",
            reference.for_terminal()
        ))?;
    }
    page.texts("What that repairs:", &rescue.repairs)?;
    page.texts("What it does not repair:", &rescue.does_not_repair)?;
    if rescue.made_by.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.line("Who made it:")?;
    for sentence in &rescue.made_by {
        page.point(0, "- ", &sentence.text.for_terminal())?;
        sentence.evidence.iter().try_for_each(|event| page.point(2, "| ", &event_text(event)))?;
    }
    Ok(())
}

fn write_source(page: &mut Page<'_>, number: usize, source: &RescueSource) -> io::Result<()> {
    page.blank()?;
    let seen = source.seen_at.map(|at| format!(" (last seen {at})")).unwrap_or_default();
    page.point(
        0,
        &format!("{number}. "),
        &format!("{}: {}{seen}", source.from.word(), source.place.for_terminal()),
    )?;
    source.evidence.iter().try_for_each(|event| page.point(3, "| ", &event_text(event)))?;
    for command in &source.commands {
        page.verbatim(&format!("   $ {command}"))?;
    }
    source.needs.iter().try_for_each(|need| page.item(3, "needs", &need.for_terminal()))
}

const COLUMNS: &[&str] =
    &["digest", "from", "registry_id", "region", "repository", "place", "seen_at", "commands", "needs"];

fn write_rows(out: &mut dyn Write, rescue: &Rescue) -> io::Result<()> {
    let cells = |source: &RescueSource| {
        let place = source.repository.as_ref();
        let mut cells = vec![Cell::plain(rescue.digest), Cell::plain(source.from.word())];
        cells.push(Cell::maybe(place, |place| Cell::log(&place.registry_id)));
        cells.push(Cell::maybe(place, |place| Cell::log(&place.region)));
        cells.push(Cell::maybe(place, |place| Cell::log(&place.name)));
        cells.push(Cell::text(&source.place));
        cells.push(Cell::maybe(source.seen_at, Cell::plain));
        cells.extend(
            [&source.commands, &source.needs].map(|texts| Cell::list(texts.iter().map(String::as_str))),
        );
        cells
    };
    Rows::write(out, COLUMNS, rescue.sources.iter().map(cells))
}
