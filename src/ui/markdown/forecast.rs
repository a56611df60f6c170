//! A forecast in Markdown: a row for each image that will be taken, and why it is needed.

use std::io::{self, Write};

use super::{Cell, Markdown, ROWS_MAX, TOLD_MAX};
use crate::model::{Coverage, Forecast, Outlook};
use crate::ui::escape::Escape;
use crate::ui::forecast::{View, headline};

pub fn write(
    out: &mut dyn Write,
    coverage: &Coverage,
    view: &View<'_>,
    list: impl Iterator<Item = Forecast>,
) -> io::Result<()> {
    let page = &mut Markdown::new(out);
    let mut going =
        list.filter(|forecast| matches!(forecast.outlook, Outlook::Due | Outlook::Dated | Outlook::Counted));
    let first: Vec<Forecast> = going.by_ref().take(ROWS_MAX).collect();
    let rest = going.count();
    page.heading(2, &headline(view.counts))?;
    page.paragraph(&format!("As of {}.", view.as_of))?;
    if !first.is_empty() {
        page.columns(&["needed", "outlook", "image", "digest", "eligible", "taken by", "rule"])?;
        first.iter().try_for_each(|forecast| page.row(&row(forecast)))?;
        page.more(rest, "image is", "images are")?;
        page.blank()?;
    }
    first
        .iter()
        .filter(|forecast| forecast.needed)
        .take(TOLD_MAX)
        .try_for_each(|forecast| write_one(page, forecast))?;
    for policy in view.policies.iter().filter(|policy| policy.unknown.is_some()).take(TOLD_MAX) {
        page.point(
            None,
            &format!(
                "{}: {}",
                policy.repository.name.for_terminal(),
                policy.unknown.as_deref().unwrap_or_default()
            ),
        )?;
    }
    page.blank()?;
    page.coverage(coverage)
}

fn name(forecast: &Forecast) -> String {
    let tag = forecast
        .tags
        .first()
        .or(forecast.displaced_tag.as_ref())
        .map(|tag| format!(":{}", tag.for_terminal()))
        .unwrap_or_default();
    format!("{}{tag}", forecast.repository.name.for_terminal())
}

fn row(forecast: &Forecast) -> [Cell; 7] {
    let time = |time: Option<crate::model::Timestamp>| {
        Cell::code(&time.map(|time| time.to_string()).unwrap_or_default())
    };
    [
        Cell::prose(if forecast.needed { "yes" } else { "no" }),
        Cell::prose(forecast.outlook.word()),
        Cell::code(&name(forecast)),
        Cell::code(&forecast.digest.short()),
        time(forecast.eligible_at),
        time(forecast.expected_by),
        Cell::prose(&forecast.rule_priority.map(|priority| priority.to_string()).unwrap_or_default()),
    ]
}

fn write_one(page: &mut Markdown<'_>, forecast: &Forecast) -> io::Result<()> {
    page.details("Needed:", &name(forecast), |page| {
        page.paragraph(&forecast.summary)?;
        forecast.why.iter().try_for_each(|why| page.point(None, why))
    })
}
