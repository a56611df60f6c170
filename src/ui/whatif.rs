//! The output of `whatif`.

use std::cell::Cell as Slot;
use std::io::{self, Write};

use serde::Serialize;

use super::columns::TableRows;
use super::coverage;
use super::escape::Escape;
use super::findings::{event_text, write_names};
use super::format::{Format, Look, Streamed, no_such_form, write_document, write_line};
use super::page::Page;
use super::quantity::{count, counted};
use crate::model::{Coverage, Outcome, WhatIf, WhatIfTotals};
use crate::tables::{cells, engine};

/// Which policy was replayed, and the totals.
pub struct View<'a> {
    /// Each repository's own policy was replayed.
    pub in_force: bool,
    /// The rules of the user's policy, as in its file.
    pub rules: Vec<serde_json::Value>,
    pub totals: &'a WhatIfTotals,
    pub notes: &'a [String],
}

/// Writes what would have happened, in the order given.
pub fn write(
    out: &mut dyn Write,
    look: Look,
    coverage: &Coverage,
    view: &View<'_>,
    list: impl Iterator<Item = WhatIf>,
) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), coverage, view, list),
        Format::Json => {
            let View { totals, notes, .. } = *view;
            let policy = if view.in_force { "in_force" } else { "file" };
            write_document(
                out,
                "whatif",
                coverage,
                Body { policy, rules: &view.rules, totals, notes, whatif: Streamed(Slot::new(Some(list))) },
            )
        }
        Format::Ndjson => list.into_iter().try_for_each(|element| write_line(out, &element)),
        Format::Csv => write_rows(out, list),
        Format::Markdown => super::markdown::write_whatif(out, coverage, view, list),
        _ => Err(no_such_form()),
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

fn write_page(
    page: &mut Page<'_>,
    coverage: &Coverage,
    view: &View<'_>,
    list: impl Iterator<Item = WhatIf>,
) -> io::Result<()> {
    coverage::write(page, coverage)?;
    view.notes.iter().try_for_each(|note| page.item(0, "Note", note))?;
    page.blank()?;
    page.line(&headline(view.in_force, view.totals))?;
    // When the policy in force is checked, images on which it agrees with the logs are only counted.
    for element in list.filter(|element| !view.in_force || element.outcome != Outcome::Agrees) {
        page.blank()?;
        write_element(page, &element)?;
    }
    if view.in_force {
        page.blank()?;
        page.line(
            "--policy FILE replays another policy; --suggest looks for the smallest change that keeps what is \
             needed.",
        )?;
    }
    Ok(())
}

pub(super) fn headline(in_force: bool, totals: &WhatIfTotals) -> String {
    let differing = totals.other_rule + totals.other_run + totals.predicted_only + totals.logged_only;
    let runs = counted(totals.runs_logged + totals.runs_modelled, "run", "runs");
    if in_force {
        return format!(
            "The policy in force, replayed over {runs}: {} as logged, {} otherwise",
            counted(totals.agrees, "image", "images"),
            count(differing)
        );
    }
    let modelled = if totals.runs_modelled > 0 {
        format!(" ({} of them modelled)", count(totals.runs_modelled))
    } else {
        String::new()
    };
    format!(
        "Under this policy, over {runs}{modelled}: {} would have gone, {} of them needed; {} that went would \
         have been kept",
        counted(totals.gone(), "image", "images"),
        count(totals.needed),
        count(totals.logged_only)
    )
}

fn write_element(page: &mut Page<'_>, element: &WhatIf) -> io::Result<()> {
    let severity =
        element.severity.map(|severity| format!("{}  ", severity.word().to_uppercase())).unwrap_or_default();
    let tag = element.tags.first().map(|tag| format!(":{}", tag.for_terminal())).unwrap_or_default();
    let outcome = element.outcome.word().replace('_', " ");
    page.line(&format!(
        "{severity}{outcome}  {}{tag}  {}",
        element.repository.name.for_terminal(),
        element.digest.short()
    ))?;
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
        page.item(
            2,
            "pulls",
            &format!("{} before, {} while untagged, {} after that", pulls[0], pulls[1], pulls[2]),
        )?;
    }
    if let Some(last) = &usage.last_pull {
        page.item(2, "last pull", &event_text(last))?;
    }
    write_names(page, "pinned by", &element.pinned_by)
}

fn write_rows(out: &mut dyn Write, mut list: impl Iterator<Item = WhatIf>) -> io::Result<()> {
    let mut rows = TableRows::new(out, &engine::WHATIF)?;
    list.try_for_each(|element| rows.push(cells::whatif(&element)))?;
    rows.finish()
}
