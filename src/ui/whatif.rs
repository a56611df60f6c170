//! What `whatif` shows.

use std::cell::Cell as Slot;
use std::io::{self, Write};

use serde::Serialize;

use super::coverage;
use super::escape::Escape;
use super::findings::{event_text, write_names};
use super::format::{Cell, Format, Look, Rows, Streamed, no_columns, write_document, write_line};
use super::page::Page;
use super::quantity::{count, counted};
use crate::model::{Coverage, LogText, Outcome, WhatIf, WhatIfTotals};

/// Which policy was replayed, and what came out.
pub struct View<'a> {
    /// Each repository's own policy.
    pub in_force: bool,
    /// The rules of the user's policy, as they stand there.
    pub rules: Vec<serde_json::Value>,
    pub totals: &'a WhatIfTotals,
    pub notes: &'a [String],
}

/// Writes what would have been, in the order given.
pub fn write(out: &mut dyn Write, look: Look, coverage: &Coverage, view: &View<'_>, list: impl Iterator<Item = WhatIf>) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), coverage, view, list),
        Format::Json => {
            let View { totals, notes, .. } = *view;
            let policy = if view.in_force { "in_force" } else { "file" };
            write_document(out, "whatif", coverage, Body { policy, rules: &view.rules, totals, notes, whatif: Streamed(Slot::new(Some(list))) })
        }
        Format::Ndjson => list.into_iter().try_for_each(|element| write_line(out, &element)),
        Format::Csv => Rows::write(out, COLUMNS, list.map(|element| cells(&element))),
        Format::Parquet => Err(no_columns()),
    }
}

#[derive(Serialize)]
struct Body<'a, L> {
    policy: &'static str,
    rules: &'a [serde_json::Value],
    totals: &'a WhatIfTotals,
    notes: &'a [String],
    whatif: L,
}

fn write_page(page: &mut Page<'_>, coverage: &Coverage, view: &View<'_>, list: impl Iterator<Item = WhatIf>) -> io::Result<()> {
    coverage::write(page, coverage)?;
    view.notes.iter().try_for_each(|note| page.item(0, "Note", note))?;
    page.blank()?;
    page.line(&headline(view.in_force, view.totals))?;
    // A check that agrees is a number; what differs is told.
    for element in list.filter(|element| !view.in_force || element.outcome != Outcome::Agrees) {
        page.blank()?;
        write_element(page, &element)?;
    }
    Ok(())
}

fn headline(in_force: bool, totals: &WhatIfTotals) -> String {
    let differing = totals.other_rule + totals.other_run + totals.predicted_only + totals.logged_only;
    let runs = counted(totals.runs_logged + totals.runs_modelled, "run", "runs");
    if in_force {
        return format!("The policy in force, replayed over {runs}: {} as logged, {} otherwise", count(totals.agrees), count(differing));
    }
    let modelled = if totals.runs_modelled > 0 { format!(" ({} of them modelled)", count(totals.runs_modelled)) } else { String::new() };
    format!(
        "Under this policy, over {runs}{modelled}: {} would have gone, {} of them needed; {} that went would have been kept",
        counted(totals.gone(), "image", "images"),
        count(totals.needed),
        count(totals.logged_only)
    )
}

fn write_element(page: &mut Page<'_>, element: &WhatIf) -> io::Result<()> {
    let severity = element.severity.map(|severity| format!("{}  ", severity.word().to_uppercase())).unwrap_or_default();
    let tag = element.tags.first().map(|tag| format!(":{}", tag.for_terminal())).unwrap_or_default();
    let outcome = element.outcome.word().replace('_', " ");
    page.line(&format!("{severity}{outcome}  {}{tag}  {}", element.repository.name.for_terminal(), element.digest.short()))?;
    page.point(2, "", &element.summary)?;
    page.item(2, "logs", &element.explanation)?;
    if let Some(event) = &element.run_event {
        page.item(2, "run", &event_text(event))?;
    }
    if let Some(logged) = &element.logged {
        page.item(2, "taken", &event_text(&logged.event))?;
    }
    let usage = &element.usage;
    if element.needed || usage.pulls_after_gone > 0 {
        let pulls = [usage.pulls_before, usage.pulls_while_untagged, usage.pulls_after_gone].map(count);
        page.item(2, "pulls", &format!("{} before, {} while untagged, {} after that", pulls[0], pulls[1], pulls[2]))?;
    }
    if let Some(last) = &usage.last_pull {
        page.item(2, "last pull", &event_text(last))?;
    }
    write_names(page, "pinned by", &element.pinned_by)
}

/// The columns of the CSV.
const COLUMNS: &[&str] = &[
    "registry_id",
    "region",
    "repository",
    "digest",
    "tags",
    "pushed_at",
    "untagged_at",
    "displaced",
    "outcome",
    "would_go_at",
    "run",
    "run_event_time",
    "run_event_id",
    "run_event_actor",
    "rule_priority",
    "action",
    "went_at",
    "logged_event_time",
    "logged_event_id",
    "logged_event_actor",
    "logged_rule_priority",
    "pulls_before",
    "pulls_while_untagged",
    "pulls_after_gone",
    "scanner_pulls",
    "last_pull_time",
    "last_pull_event_id",
    "last_pull_actor",
    "pulled_after",
    "needed",
    "severity",
    "pinned_by",
    "principals",
    "references",
    "explanation",
    "summary",
];

fn cells(element: &WhatIf) -> Vec<Cell> {
    let WhatIf { repository, usage, logged, .. } = element;
    let texts = |list: &[LogText]| Cell::list(list.iter().map(LogText::raw));
    let mut cells: Vec<Cell> = [&repository.registry_id, &repository.region, &repository.name].map(Cell::log).into();
    cells.extend([Cell::plain(element.digest), texts(&element.tags)]);
    cells.extend([element.pushed_at, element.untagged_at].map(|time| Cell::maybe(time, Cell::plain)));
    cells.extend([Cell::plain(element.displaced), Cell::plain(element.outcome.word()), Cell::maybe(element.would_go_at, Cell::plain)]);
    cells.push(Cell::maybe(element.run.map(|run| run.word()), Cell::plain));
    cells.extend(Cell::event(element.run_event.as_ref()));
    cells.extend([Cell::maybe(element.rule_priority, Cell::plain), Cell::maybe(element.action.map(|action| action.word()), Cell::plain)]);
    cells.push(Cell::maybe(element.went_at, Cell::plain));
    cells.extend(Cell::event(logged.as_ref().map(|logged| &logged.event)));
    cells.push(Cell::maybe(logged.as_ref().and_then(|logged| logged.rule_priority), Cell::plain));
    cells.extend([usage.pulls_before, usage.pulls_while_untagged, usage.pulls_after_gone, usage.scanner_pulls].map(Cell::plain));
    cells.extend(Cell::event(usage.last_pull.as_ref()));
    cells.extend([element.pulled_after, element.needed].map(Cell::plain));
    cells.extend([Cell::maybe(element.severity.map(|severity| severity.word()), Cell::plain), texts(&element.pinned_by)]);
    cells.extend([&usage.principals, &usage.references].map(|list| texts(list)));
    cells.extend([Cell::text(&element.explanation), Cell::text(&element.summary)]);
    cells
}
