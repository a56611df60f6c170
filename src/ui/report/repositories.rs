//! Every repository, its images by what became of them, and its lifecycle policy.

use std::io;

use crate::model::{EventRef, ImageState, Repository, Severity};
use crate::ui::html::Html;
use crate::ui::quantity::count;

/// How many repositories have a row.
const ROWS_MAX: usize = 5_000;

/// One repository when the logs end.
#[derive(Debug, Clone)]
pub struct RepositoryLine {
    pub repository: Repository,
    /// Images by state, in the order of [`ImageState::ALL`].
    pub images: [u64; ImageState::ALL.len()],
    /// Findings by severity, in the order of [`Severity::ALL`].
    pub findings: [u64; Severity::ALL.len()],
    pub policy: PolicyKnown,
    /// The last lifecycle run, and how many there were.
    pub last_run: Option<EventRef>,
    pub runs: u64,
}

/// What the logs say about a lifecycle policy.
#[derive(Debug, Clone)]
pub enum PolicyKnown {
    /// Put by this event.
    Put(EventRef),
    /// Stated by this run; its beginning lies before the logs.
    Stated(EventRef),
    /// Deleted by this event, and none was put since.
    Deleted(EventRef),
    /// None of these: there may be one all the same.
    Unknown,
}

pub fn write(html: &mut Html<'_>, lines: &[RepositoryLine]) -> io::Result<()> {
    html.raw("<details class=\"part\"><summary><h2>Repositories</h2></summary>\n<section id=\"repositories\">\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">repository</th>")?;
    for &state in ImageState::ALL {
        html.raw("<th scope=\"col\" class=\"number\">")?.raw(state.word())?.raw("</th>")?;
    }
    html.raw("<th scope=\"col\">findings</th><th scope=\"col\">lifecycle policy</th><th scope=\"col\">last run</th></tr></thead>\n<tbody>\n")?;
    lines.iter().take(ROWS_MAX).try_for_each(|line| write_line(html, line))?;
    html.raw("</tbody></table></div>\n")?;
    if let Some(rest @ 1..) = lines.len().checked_sub(ROWS_MAX) {
        html.raw("<p>and ")?.text(&count(rest as u64))?.raw(" more: <code>tagfall timeline --format csv</code> has the images of all</p>\n")?;
    }
    html.raw("</section></details>\n")?;
    Ok(())
}

fn write_line(html: &mut Html<'_>, line: &RepositoryLine) -> io::Result<()> {
    let Repository { registry_id, region, name } = &line.repository;
    html.raw("<tr><th scope=\"row\"><code>")?.log(name)?.raw("</code><br><small>")?.log(registry_id)?.raw(", ")?.log(region)?.raw("</small></th>")?;
    for &number in &line.images {
        html.raw("<td class=\"number\">")?.text(&count(number))?.raw("</td>")?;
    }
    html.raw("<td>")?;
    for (severity, &number) in Severity::ALL.iter().zip(&line.findings).filter(|(_, number)| **number > 0) {
        html.raw("<span class=\"severity ")?
            .raw(severity.word())?
            .raw("\">")?
            .text(&count(number))?
            .raw(" ")?
            .raw(severity.word())?
            .raw("</span> ")?;
    }
    html.raw("</td><td>")?;
    match &line.policy {
        PolicyKnown::Put(event) => html.raw("put ")?.value(event.event_time)?,
        PolicyKnown::Stated(event) => html.raw("stated by the run of ")?.value(event.event_time)?,
        PolicyKnown::Deleted(event) => html.raw("deleted ")?.value(event.event_time)?,
        PolicyKnown::Unknown => html.raw("not in these logs")?,
    };
    html.raw("</td><td>")?;
    match &line.last_run {
        Some(event) => html.value(event.event_time)?.raw("<br><small>")?.text(&count(line.runs))?.raw(" in all</small>")?,
        None => html.raw("none")?,
    };
    html.raw("</td></tr>\n")?;
    Ok(())
}
