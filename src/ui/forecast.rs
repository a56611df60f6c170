//! What `forecast` shows. Elements come one at a time and are gone when written: a registry may have millions of images.

use std::cell::Cell as Slot;
use std::io::{self, Write};

use serde::Serialize;

use super::coverage;
use super::escape::Escape;
use super::findings::{event_text, write_principals};
use super::format::{Cell, Format, Look, Rows, Streamed, no_columns, write_document, write_line};
use super::page::Page;
use super::quantity::{count, counted};
use crate::forecast::Counts;
use crate::model::{Coverage, Forecast, KnownPolicy, LogText, Outlook, Timestamp};

/// What stands above the list.
pub struct View<'a> {
    /// The moment from which it is looked.
    pub as_of: Timestamp,
    /// `last_event`, or `at` where the user named it.
    pub as_of_source: &'static str,
    pub policies: &'a [KnownPolicy],
    pub counts: Counts,
}

/// Writes forecasts, in the order given.
pub fn write(out: &mut dyn Write, look: Look, coverage: &Coverage, view: &View<'_>, list: impl Iterator<Item = Forecast>) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), coverage, view, list),
        Format::Json => {
            let View { as_of, as_of_source, policies, .. } = view;
            let body = Body { as_of: *as_of, as_of_source, policies, forecast: Streamed(Slot::new(Some(list))) };
            write_document(out, "forecast", coverage, body)
        }
        Format::Ndjson => list.into_iter().try_for_each(|forecast| write_line(out, &forecast)),
        Format::Csv => Rows::write(out, COLUMNS, list.map(|forecast| cells(&forecast))),
        Format::Parquet => Err(no_columns()),
    }
}

#[derive(Serialize)]
struct Body<'a, L> {
    as_of: Timestamp,
    as_of_source: &'static str,
    policies: &'a [KnownPolicy],
    forecast: L,
}

fn write_page(page: &mut Page<'_>, coverage: &Coverage, view: &View<'_>, list: impl Iterator<Item = Forecast>) -> io::Result<()> {
    coverage::write(page, coverage)?;
    let from = if view.as_of_source == "at" { "as asked for with --at" } else { "the last event; --at names another moment" };
    page.item(0, "As of", &format!("{} ({from})", view.as_of))?;
    for policy in view.policies.iter().filter(|policy| policy.unknown.is_some()) {
        let images = counted(policy.images, "image", "images");
        page.item(
            0,
            "Not known",
            &format!("{} ({images}): {}", policy.repository.name.for_terminal(), policy.unknown.as_deref().unwrap_or_default()),
        )?;
    }
    page.blank()?;
    page.line(&headline(view.counts))?;
    // What stays is counted above, and stands in the other formats.
    for forecast in list.filter(|forecast| matches!(forecast.outlook, Outlook::Due | Outlook::Dated | Outlook::Counted)) {
        page.blank()?;
        write_forecast(page, &forecast)?;
    }
    Ok(())
}

/// `12 images: 3 due, 4 dated, 1 by count; 2 of them needed`.
fn headline(counts: Counts) -> String {
    let Counts { images, due, dated, counted: by_count, needed } = counts;
    let mut text =
        format!("{}: {} due, {} dated, {} by count", counted(images, "living image", "living images"), count(due), count(dated), count(by_count));
    if needed > 0 {
        text.push_str(&format!("; {} still needed will go", count(needed)));
    }
    text
}

fn write_forecast(page: &mut Page<'_>, forecast: &Forecast) -> io::Result<()> {
    let needed = if forecast.needed { "NEEDED  " } else { "" };
    let tag = forecast.tags.first().or(forecast.displaced_tag.as_ref()).map(|tag| format!(":{}", tag.for_terminal())).unwrap_or_default();
    page.line(&format!("{needed}{}  {}{tag}  {}", forecast.outlook.word(), forecast.repository.name.for_terminal(), forecast.digest.short()))?;
    page.point(2, "", &forecast.summary)?;
    if let (Some(eligible), Some(by)) = (forecast.eligible_at, forecast.expected_by) {
        let grace = if forecast.no_grace { "; no grace" } else { "" };
        page.item(2, "eligible", &format!("{eligible}, taken by {by}{grace}"))?;
    }
    if let Some(push) = &forecast.displaced_by {
        page.item(2, "displaced", &event_text(push))?;
    }
    if !forecast.held_by.is_empty() {
        page.item(2, "held by", &forecast.held_by.iter().map(|digest| digest.short()).collect::<Vec<_>>().join(", "))?;
    }
    forecast.why.iter().try_for_each(|why| page.item(2, "needed", why))?;
    if let Some(last) = &forecast.usage.last_pull {
        page.item(2, "last pull", &event_text(last))?;
    }
    write_principals(page, &forecast.usage.principals)
}

/// The columns of the CSV.
const COLUMNS: &[&str] = &[
    "registry_id",
    "region",
    "repository",
    "digest",
    "tags",
    "state",
    "pushed_at",
    "untagged_at",
    "open_start",
    "displaced",
    "displaced_by_time",
    "displaced_by_event_id",
    "displaced_by_actor",
    "displaced_tag",
    "outlook",
    "rule_priority",
    "action",
    "eligible_at",
    "expected_by",
    "no_grace",
    "survives_pushes",
    "held_by",
    "needed",
    "severity",
    "needed_by",
    "pulls_before",
    "pulls_while_untagged",
    "last_pull_time",
    "last_pull_event_id",
    "last_pull_actor",
    "principals",
    "references",
    "policy_event_time",
    "policy_event_id",
    "policy_event_actor",
    "summary",
];

fn cells(forecast: &Forecast) -> Vec<Cell> {
    let Forecast { repository, usage, .. } = forecast;
    let texts = |list: &[LogText]| Cell::list(list.iter().map(LogText::raw));
    let mut cells: Vec<Cell> = [&repository.registry_id, &repository.region, &repository.name].map(Cell::log).into();
    cells.extend([Cell::plain(forecast.digest), texts(&forecast.tags), Cell::plain(forecast.state.word())]);
    cells.extend([forecast.pushed_at, forecast.untagged_at].map(|time| Cell::maybe(time, Cell::plain)));
    cells.extend([forecast.open_start, forecast.displaced].map(Cell::plain));
    cells.extend(Cell::event(forecast.displaced_by.as_ref()));
    cells.extend([Cell::maybe(forecast.displaced_tag.as_ref(), Cell::log), Cell::plain(forecast.outlook.word())]);
    cells.extend([Cell::maybe(forecast.rule_priority, Cell::plain), Cell::maybe(forecast.action.map(|action| action.word()), Cell::plain)]);
    cells.extend([forecast.eligible_at, forecast.expected_by].map(|time| Cell::maybe(time, Cell::plain)));
    cells.extend([Cell::plain(forecast.no_grace), Cell::maybe(forecast.survives_pushes, Cell::plain)]);
    let held: Vec<String> = forecast.held_by.iter().map(ToString::to_string).collect();
    cells.extend([Cell::list(held.iter().map(String::as_str)), Cell::plain(forecast.needed)]);
    cells.extend([Cell::maybe(forecast.severity.map(|severity| severity.word()), Cell::plain), texts(&forecast.needed_by)]);
    cells.extend([usage.pulls_before, usage.pulls_while_untagged].map(Cell::plain));
    cells.extend(Cell::event(usage.last_pull.as_ref()));
    cells.extend([&usage.principals, &usage.references].map(|list| texts(list)));
    cells.extend(Cell::event(forecast.policy_event.as_ref()));
    cells.push(Cell::text(&forecast.summary));
    cells
}
