//! One HTML page that holds everything: for a ticket, a mail, an archive. It loads nothing, runs nothing, and needs no network;
//! its policy (CSP) forbids all of that, so that a browser keeps it even where a text from a log found a way past the escaping.

mod chart;
mod choice;
mod evidence;
mod finding;
mod guide;
mod headline;
mod index;
mod next;
mod picture;
mod repositories;
mod story;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::findings::headline;
use super::html::Html;
use super::quantity::count;
use crate::model::{Coverage, Finding, Severity};
pub use index::when;
pub use next::{Next, ROWS_MAX as NEXT_MAX};
pub use repositories::{PolicyKnown, RepositoryLine};
pub use story::{Ask, Holder, Story};

/// How many findings are told in full; the next ones get a row each.
const TOLD_MAX: usize = 500;
/// How many findings have a row. A browser still scrolls through these.
const ROWS_MAX: usize = 10_000;

const STYLE: &str = concat!(include_str!("report/style.css"), include_str!("report/picture.css"), include_str!("report/print.css"));
const SCRIPT: &str = include_str!("report/interactive.js");

/// What the page shows.
pub struct Report<'a> {
    pub coverage: &'a Coverage,
    /// Worst first.
    pub findings: &'a [Finding],
    /// None where no event has a time.
    pub next: Option<&'a Next>,
    pub repositories: &'a [RepositoryLine],
    /// What the picture of a finding is drawn from.
    pub story: &'a dyn Fn(&Finding) -> Story,
    /// With the one script that searches, sorts and copies.
    pub interactive: bool,
}

/// Writes the page.
pub fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let html = &mut Html::new(out);
    write_head(html, report)?;
    html.raw("<body>\n")?;
    picture::write_patterns(html)?;
    write_top(html, report)?;
    html.raw("<main>\n")?;
    evidence::write_doubts(html, report.coverage)?;
    write_findings(html, report)?;
    report.next.map_or(Ok(()), |next| next::write(html, next))?;
    repositories::write(html, report.repositories)?;
    evidence::write(html, report.coverage)?;
    guide::write(html)?;
    html.raw("</main>\n<footer>Made by tagfall ")?.raw(env!("CARGO_PKG_VERSION"))?.raw(" from CloudTrail logs. Times are UTC.</footer>\n")?;
    if report.interactive {
        html.raw("<script>")?.raw(SCRIPT)?.raw("</script>\n")?;
    }
    html.raw("</body>\n</html>\n")?;
    Ok(())
}

/// Nothing may be loaded or sent, and nothing may run but the one script that was asked for; it and the style sheet are named by
/// their hashes.
fn write_head(html: &mut Html<'_>, report: &Report<'_>) -> io::Result<()> {
    let choices = choice::style(report.findings);
    let hash = |parts: &[&str]| STANDARD.encode(parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize());
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")?;
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-")?;
    html.text(&hash(&[STYLE, &choices.concat()]))?.raw("'")?;
    if report.interactive {
        html.raw("; script-src 'sha256-")?.text(&hash(&[SCRIPT]))?.raw("'")?;
    }
    html.raw("\">\n<meta name=\"referrer\" content=\"no-referrer\">\n")?;
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")?;
    html.raw("<title>Lost container images: ")?.text(&headline(report.coverage, report.findings))?.raw("</title>\n<style>")?;
    // The choices are letters and numbers of ours.
    html.raw(STYLE)?;
    choices.iter().try_for_each(|choice| html.text(choice).map(|_| ()))?;
    html.raw("</style>\n</head>\n")?;
    Ok(())
}

/// The answer in one look: what happened where, how many, how bad, when.
fn write_top(html: &mut Html<'_>, report: &Report<'_>) -> io::Result<()> {
    html.raw("<header>\n<h1>")?.text(&headline::what_happened(report))?.raw("</h1>\n<p class=\"lead\">")?;
    html.text(&headline::verdict(report))?.raw("</p>\n<p>")?;
    html.text(&evidence::read_text(report.coverage))?.raw("</p>\n<ul class=\"counts\">\n")?;
    for &severity in Severity::ALL {
        let number = report.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
        html.raw("<li class=\"")?.raw(severity.word())?.raw("\"><b>")?.text(&count(number))?.raw("</b> ")?.raw(severity.word())?;
        html.raw("<small>")?.raw(guide::meaning(severity))?.raw("</small></li>\n")?;
    }
    html.raw("</ul>\n")?;
    html.raw("<nav><a href=\"#findings\">Findings</a> <a href=\"#next\">Who is next</a> <a href=\"#repositories\">Repositories</a> ")?;
    html.raw("<a href=\"#evidence\">What was read</a> <a href=\"#guide\">How to read this</a></nav>\n</header>\n")?;
    Ok(())
}

fn write_findings(html: &mut Html<'_>, report: &Report<'_>) -> io::Result<()> {
    let (told, rest) = report.findings.split_at(report.findings.len().min(TOLD_MAX));
    let (rows, unlisted) = rest.split_at(rest.len().min(ROWS_MAX));
    html.raw("<section id=\"findings\">\n<h2>Findings</h2>\n")?;
    if told.is_empty() {
        html.raw("<p>None.</p>\n</section>\n")?;
        return Ok(());
    }
    choice::write(html, report.findings)?;
    chart::write(html, report.findings)?;
    index::write(html, told, report)?;
    if !rows.is_empty() {
        html.raw("<h3>")?.text(&count(rest.len() as u64))?.raw(" more, in short</h3>\n")?;
        finding::write_rows(html, rows, report.findings)?;
    }
    if !unlisted.is_empty() {
        html.raw("<p><strong>")?.text(&count(unlisted.len() as u64))?;
        html.raw(" more findings are not on this page</strong>: <code>tagfall detect --format csv</code> lists them all.</p>\n")?;
    }
    html.raw("<div id=\"details\">\n<h2>One by one</h2>\n")?;
    told.iter().try_for_each(|finding| finding::write(html, finding, report))?;
    html.raw("</div>\n</section>\n")?;
    Ok(())
}
