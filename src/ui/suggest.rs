//! The output of `whatif --suggest`.

use std::io::{self, Write};

use serde::Serialize;

use super::coverage;
use super::escape::Escape;
use super::format::{Cell, Format, Look, Rows, no_such_form, write_document, write_line};
use super::page::Page;
use super::quantity::{bytes, count, counted};
use crate::model::{Coverage, Effect, Suggestion};

pub fn write(out: &mut dyn Write, look: Look, coverage: &Coverage, list: &[Suggestion]) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), coverage, list),
        Format::Json => write_document(out, "whatif", coverage, Body { suggestions: list }),
        Format::Ndjson => list.iter().try_for_each(|suggestion| write_line(out, suggestion)),
        Format::Csv => write_rows(out, list),
        _ => Err(no_such_form()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    suggestions: &'a [Suggestion],
}

fn write_page(page: &mut Page<'_>, coverage: &Coverage, list: &[Suggestion]) -> io::Result<()> {
    coverage::write(page, coverage)?;
    for (number, suggestion) in list.iter().enumerate() {
        if number > 0 {
            page.blank()?;
        }
        write_suggestion(page, suggestion)?;
    }
    Ok(())
}

fn write_suggestion(page: &mut Page<'_>, suggestion: &Suggestion) -> io::Result<()> {
    let place = &suggestion.repository;
    page.line(&format!(
        "{} in {}, {}",
        place.name.for_terminal(),
        place.registry_id.for_terminal(),
        place.region.for_terminal()
    ))?;
    let known = match &suggestion.in_force {
        None => "not known from this evidence".to_owned(),
        Some(rules) if rules.is_empty() => "none".to_owned(),
        Some(rules) => {
            format!("{}: {}", counted(rules.len() as u64, "rule", "rules"), effect(suggestion.before))
        }
    };
    page.item(2, "in force", &known)?;
    for sentence in &suggestion.lint {
        page.item(2, "note", &sentence.text)?;
    }
    if suggestion.changes.is_empty() {
        let text = if suggestion.before.harm == 0 {
            "none: it took nothing that somebody needs"
        } else {
            "none: nothing that was tried keeps more of what is needed"
        };
        return page.item(2, "change", text);
    }
    suggestion.changes.iter().try_for_each(|change| page.item(2, "change", &change.for_terminal()))?;
    page.item(
        2,
        "then",
        &format!(
            "{} ({} replayed)",
            effect(suggestion.after),
            counted(suggestion.replayed, "policy", "policies")
        ),
    )?;
    if let Some(command) = &suggestion.command {
        page.verbatim(&format!("  $ {command}"))?;
    }
    let mut lines = suggestion.terraform.iter().flat_map(|terraform| terraform.lines());
    lines.try_for_each(|line| page.verbatim(&format!("    {line}")))
}

/// `takes 2 images that somebody needs, and 14 (1.2 GiB) that nobody needs`.
fn effect(effect: Effect) -> String {
    let size = match (effect.freed, effect.freed_bytes, effect.freed_bytes_at_most) {
        (0, ..) => String::new(),
        (_, Some(size), _) => format!(" ({})", bytes(size)),
        (_, None, Some(size)) => format!(" ({} at most)", bytes(size)),
        (_, None, None) => " (how large they are is not known)".to_owned(),
    };
    format!(
        "takes {} that somebody needs, and {}{size} that nobody needs",
        counted(effect.harm, "image", "images"),
        count(effect.freed)
    )
}

const COLUMNS: &[&str] = &[
    "registry_id",
    "region",
    "repository",
    "harm_before",
    "freed_before",
    "harm_after",
    "freed_after",
    "changes",
    "policy",
    "command",
    "lint",
];

fn write_rows(out: &mut dyn Write, list: &[Suggestion]) -> io::Result<()> {
    let cells = |one: &Suggestion| {
        let place = &one.repository;
        let mut cells = vec![Cell::log(&place.registry_id), Cell::log(&place.region), Cell::log(&place.name)];
        cells.extend([one.before.harm, one.before.freed, one.after.harm, one.after.freed].map(Cell::plain));
        cells.push(Cell::list(one.changes.iter().map(String::as_str)));
        cells.push(Cell::maybe(one.policy.as_ref(), |policy| Cell::text(policy.to_string())));
        cells.push(Cell::maybe(one.command.as_ref(), Cell::text));
        cells.push(Cell::list(one.lint.iter().map(|sentence| sentence.text.as_str())));
        cells
    };
    Rows::write(out, COLUMNS, list.iter().map(cells))
}
