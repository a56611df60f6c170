//! One HTML page that holds everything: for a ticket, a mail, an archive. It loads nothing, runs nothing, and needs no network;
//! its policy (CSP) forbids all of that, so that a browser keeps it even where a text from a log found a way past the escaping.

mod chart;
mod evidence;
mod finding;
mod guide;
mod life;
mod next;
mod repositories;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::findings::headline;
use super::html::Html;
use super::quantity::{count, counted};
use crate::model::{Coverage, Finding, Severity, Timeline};
pub use next::{Next, ROWS_MAX as NEXT_MAX};
pub use repositories::{PolicyKnown, RepositoryLine};

/// How many findings are told in full; the next ones get a row each.
const TOLD_MAX: usize = 300;
/// How many findings have a row. A browser still scrolls through these.
const ROWS_MAX: usize = 10_000;

const STYLE: &str = include_str!("report/style.css");

/// What the page shows.
pub struct Report<'a> {
    pub coverage: &'a Coverage,
    /// Worst first.
    pub findings: &'a [Finding],
    /// None where no event has a time.
    pub next: Option<&'a Next>,
    pub repositories: &'a [RepositoryLine],
    /// The life of the image that a finding is about.
    pub life: &'a dyn Fn(&Finding) -> Option<Timeline>,
}

/// Writes the page.
pub fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let html = &mut Html::new(out);
    write_head(html, report)?;
    html.raw("<body>\n")?;
    write_top(html, report)?;
    html.raw("<main>\n")?;
    evidence::write_doubts(html, report.coverage)?;
    write_findings(html, report)?;
    report.next.map_or(Ok(()), |next| next::write(html, next))?;
    repositories::write(html, report.repositories)?;
    evidence::write(html, report.coverage)?;
    guide::write(html)?;
    html.raw("</main>\n<footer>Made by tagfall ")?
        .raw(env!("CARGO_PKG_VERSION"))?
        .raw(" from CloudTrail logs. Times are UTC.</footer>\n</body>\n</html>\n")?;
    Ok(())
}

/// Nothing may be loaded, run or sent; the one style sheet is named by its hash.
fn write_head(html: &mut Html<'_>, report: &Report<'_>) -> io::Result<()> {
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")?;
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-")?;
    html.text(&STANDARD.encode(Sha256::digest(STYLE)))?.raw("'\">\n")?;
    html.raw("<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")?;
    html.raw("<title>Lost container images: ")?.text(&headline(report.coverage, report.findings))?.raw("</title>\n<style>")?;
    html.raw(STYLE)?.raw("</style>\n</head>\n")?;
    Ok(())
}

/// The answer in one look: how many, how bad, when.
fn write_top(html: &mut Html<'_>, report: &Report<'_>) -> io::Result<()> {
    html.raw("<header>\n<h1>Lost container images</h1>\n<p class=\"lead\">")?.text(&verdict(report))?.raw("</p>\n<p>")?;
    html.text(&evidence::read_text(report.coverage))?.raw("</p>\n<ul class=\"counts\">\n")?;
    for &severity in Severity::ALL {
        let number = report.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
        html.raw("<li class=\"")?.raw(severity.word())?.raw("\"><b>")?.text(&count(number))?.raw("</b> ")?.raw(severity.word())?;
        html.raw("<small>")?.raw(guide::meaning(severity))?.raw("</small></li>\n")?;
    }
    html.raw("</ul>\n")?;
    chart::write(html, report.findings)?;
    html.raw("<nav><a href=\"#findings\">Findings</a> <a href=\"#next\">Who is next</a> <a href=\"#repositories\">Repositories</a> ")?;
    html.raw("<a href=\"#evidence\">What was read</a> <a href=\"#guide\">How to read this</a></nav>\n</header>\n")?;
    Ok(())
}

/// Was anyone hurt?
fn verdict(report: &Report<'_>) -> String {
    let findings = report.findings;
    let hurt = findings.iter().filter(|finding| finding.severity == Severity::Critical).count() as u64;
    let needed = findings.iter().filter(|finding| finding.severity == Severity::High).count() as u64;
    match (findings.len() as u64, hurt, needed) {
        (0, ..) => "No image was lost that anything still needed, as far as these logs show.".to_owned(),
        (_, 0, 0) => format!("{}; the logs show nobody who was hurt.", headline(report.coverage, findings)),
        (_, 0, _) => {
            format!(
                "{}; {} was needed when it went, and no failure shows yet.",
                headline(report.coverage, findings),
                counted(needed, "image", "images")
            )
        }
        _ => format!("{}; somebody asked in vain for {}.", headline(report.coverage, findings), counted(hurt, "image", "images")),
    }
}

fn write_findings(html: &mut Html<'_>, report: &Report<'_>) -> io::Result<()> {
    let (told, rest) = report.findings.split_at(report.findings.len().min(TOLD_MAX));
    let (rows, unlisted) = rest.split_at(rest.len().min(ROWS_MAX));
    html.raw("<section id=\"findings\">\n<h2>Findings</h2>\n")?;
    if told.is_empty() {
        html.raw("<p>None.</p>\n")?;
    } else {
        write_choice(html)?;
    }
    told.iter().try_for_each(|finding| finding::write(html, finding, (report.life)(finding).as_ref(), report.coverage))?;
    if !rows.is_empty() {
        html.raw("<h3>")?.text(&count(rest.len() as u64))?.raw(" more, in short</h3>\n")?;
        finding::write_rows(html, rows)?;
    }
    if !unlisted.is_empty() {
        html.raw("<p><strong>")?.text(&count(unlisted.len() as u64))?;
        html.raw(" more findings are not on this page</strong>: <code>tagfall detect --format csv</code> lists them all.</p>\n")?;
    }
    html.raw("</section>\n")?;
    Ok(())
}

/// Boxes that hide what is less bad. The style sheet does it; there is no script.
fn write_choice(html: &mut Html<'_>) -> io::Result<()> {
    html.raw("<form class=\"choice\" autocomplete=\"off\"><fieldset><legend>Show</legend>\n")?;
    for &severity in Severity::ALL {
        let word = severity.word();
        html.raw("<label><input type=\"checkbox\" checked id=\"show-")?.raw(word)?.raw("\"> ")?.raw(word)?.raw("</label>\n")?;
    }
    html.raw("</fieldset></form>\n")?;
    Ok(())
}
