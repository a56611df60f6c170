//! The output of `forecast`. Elements come one at a time and are not kept: a registry may have millions of
//! images.

use std::cell::Cell as Slot;
use std::io::{self, Write};

use serde::Serialize;

use super::columns::TableRows;
use super::coverage;
use super::escape::Escape;
use super::findings::{event_text, write_principals};
use super::format::{Format, Look, Streamed, no_such_form, write_document, write_line};
use super::page::Page;
use super::quantity::{count, counted};
use crate::forecast::Counts;
use crate::model::{Coverage, Forecast, KnownPolicy, Outlook, Timestamp};
use crate::tables::{cells, engine};

/// What is shown above the list.
pub struct View<'a> {
    /// The moment as of which the forecast is made.
    pub as_of: Timestamp,
    /// `last_event`, or `at` where the user named it.
    pub as_of_source: &'static str,
    pub policies: &'a [KnownPolicy],
    pub counts: Counts,
}

/// Writes forecasts, in the order given.
pub fn write(
    out: &mut dyn Write,
    look: Look,
    coverage: &Coverage,
    view: &View<'_>,
    list: impl Iterator<Item = Forecast>,
) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), coverage, view, list),
        Format::Json => {
            let View { as_of, as_of_source, policies, .. } = view;
            let body =
                Body { as_of: *as_of, as_of_source, policies, forecast: Streamed(Slot::new(Some(list))) };
            write_document(out, "forecast", coverage, body)
        }
        Format::Ndjson => list.into_iter().try_for_each(|forecast| write_line(out, &forecast)),
        Format::Csv => write_rows(out, list),
        Format::Markdown => super::markdown::write_forecast(out, coverage, view, list),
        _ => Err(no_such_form()),
    }
}

#[derive(Serialize)]
struct Body<'a, L> {
    as_of: Timestamp,
    as_of_source: &'static str,
    policies: &'a [KnownPolicy],
    forecast: L,
}

fn write_page(
    page: &mut Page<'_>,
    coverage: &Coverage,
    view: &View<'_>,
    list: impl Iterator<Item = Forecast>,
) -> io::Result<()> {
    coverage::write(page, coverage)?;
    let from = if view.as_of_source == "at" {
        "as asked for with --at"
    } else {
        "the last event; --at names another moment"
    };
    page.item(0, "As of", &format!("{} ({from})", view.as_of))?;
    for policy in view.policies.iter().filter(|policy| policy.unknown.is_some()) {
        let images = counted(policy.images, "image", "images");
        page.item(
            0,
            "Not known",
            &format!(
                "{} ({images}): {}",
                policy.repository.name.for_terminal(),
                policy.unknown.as_deref().unwrap_or_default()
            ),
        )?;
    }
    page.blank()?;
    page.line(&headline(view.counts))?;
    // Images that stay are counted above and listed in the other formats.
    for forecast in
        list.filter(|forecast| matches!(forecast.outlook, Outlook::Due | Outlook::Dated | Outlook::Counted))
    {
        page.blank()?;
        write_forecast(page, &forecast)?;
    }
    Ok(())
}

/// `12 images: 3 due, 4 dated, 1 by count; 2 of them needed`.
pub(super) fn headline(counts: Counts) -> String {
    let Counts { images, due, dated, counted: by_count, needed } = counts;
    let mut text = format!(
        "{}: {} due, {} dated, {} by count",
        counted(images, "living image", "living images"),
        count(due),
        count(dated),
        count(by_count)
    );
    if needed > 0 {
        text.push_str(&format!("; {} still needed will go", count(needed)));
    }
    text
}

fn write_forecast(page: &mut Page<'_>, forecast: &Forecast) -> io::Result<()> {
    let needed = if forecast.needed { "NEEDED  " } else { "" };
    let tag = forecast
        .tags
        .first()
        .or(forecast.displaced_tag.as_ref())
        .map(|tag| format!(":{}", tag.for_terminal()))
        .unwrap_or_default();
    page.line(&format!(
        "{needed}{}  {}{tag}  {}",
        forecast.outlook.word(),
        forecast.repository.name.for_terminal(),
        forecast.digest.short()
    ))?;
    page.point(2, "", &forecast.summary)?;
    if let (Some(eligible), Some(by)) = (forecast.eligible_at, forecast.expected_by) {
        let grace = if forecast.no_grace { "; no grace" } else { "" };
        page.item(2, "eligible", &format!("{eligible}, taken by {by}{grace}"))?;
    }
    if let Some(push) = &forecast.displaced_by {
        page.item(2, "displaced", &event_text(push))?;
    }
    if !forecast.held_by.is_empty() {
        page.item(
            2,
            "held by",
            &forecast.held_by.iter().map(|digest| digest.short()).collect::<Vec<_>>().join(", "),
        )?;
    }
    forecast.why.iter().try_for_each(|why| page.item(2, "needed", why))?;
    if let Some(last) = &forecast.usage.last_pull {
        page.item(2, "last pull", &event_text(last))?;
    }
    write_principals(page, &forecast.usage.principals)
}

fn write_rows(out: &mut dyn Write, mut list: impl Iterator<Item = Forecast>) -> io::Result<()> {
    let mut rows = TableRows::new(out, &engine::FORECAST)?;
    list.try_for_each(|forecast| rows.push(cells::forecast(&forecast)))?;
    rows.finish()
}
