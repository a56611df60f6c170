//! The HTML report: one page that holds everything, for a ticket, a mail, an archive. It loads nothing,
//! runs no script unless asked for, and needs no network. Its content security policy forbids all of that,
//! so a browser blocks it even if log text should escape the escaping.

mod chart;
mod choice;
mod elsewhere;
mod evidence;
mod finding;
mod guide;
mod headline;
mod index;
mod next;
mod picture;
mod redacted;
mod repositories;
mod story;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::findings::headline;
use super::html::shown;
use super::quantity::count;
use crate::model::{Coverage, Finding, Severity};
use choice::Numbers;
pub use elsewhere::Elsewhere;
pub use index::when;
pub use next::{Next, ROWS_MAX as NEXT_MAX};
pub use repositories::{PolicyKnown, RepositoryLine};
pub use story::{Ask, Holder, Story};

/// Maximum number of findings that are shown in full; the next ones get a row each.
const TOLD_MAX: usize = 500;
/// Maximum number of findings that get a row, which a browser can still scroll.
const ROWS_MAX: usize = 10_000;

const STYLE: &str = concat!(
    include_str!("report/style.css"),
    include_str!("report/picture.css"),
    include_str!("report/print.css")
);
const SCRIPT: &str = include_str!("report/interactive.js");

/// What the report shows.
pub struct Report<'a> {
    pub coverage: &'a Coverage,
    /// Worst first.
    pub findings: &'a [Finding],
    /// `None` if no event has a time.
    pub next: Option<&'a Next>,
    pub repositories: &'a [RepositoryLine],
    /// Returns what the picture of a finding is drawn from.
    pub story: &'a dyn Fn(&Finding) -> Story,
    /// The fate of its image in all registries, if it is in several.
    pub elsewhere: &'a dyn Fn(&Finding) -> Option<Elsewhere>,
    /// With the one script that searches, sorts and copies.
    pub interactive: bool,
}

/// Writes the page part by part; each part is built in memory and freed when it is written.
pub fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let numbers = Numbers::of(report.findings);
    let mut put = |markup: Markup| out.write_all(markup.into_string().as_bytes());
    put(head(report))?;
    put(
        html! { (PreEscaped("<body>\n")) (PreEscaped(picture::PATTERNS)) (top(report)) (PreEscaped("<main>\n")) (evidence::doubts(report.coverage)) },
    )?;
    write_findings(&mut put, report, &numbers)?;
    report.next.map_or(Ok(()), |next| put(next::page(next)))?;
    put(repositories::page(report.repositories))?;
    put(evidence::page(report.coverage))?;
    put(guide::page())?;
    put(html! {
        (PreEscaped("</main>\n"))
        footer { "Made by tagfall " (env!("CARGO_PKG_VERSION")) " from CloudTrail logs. Times are UTC." } "\n"
        @if report.interactive { script { (PreEscaped(SCRIPT)) } "\n" }
        (PreEscaped("</body>\n</html>\n"))
    })
}

/// The head of the page. Nothing may be loaded or sent, and only the one script may run if it was asked
/// for; script and style sheet are allowed by their hashes.
fn head(report: &Report<'_>) -> Markup {
    // These are letters and numbers made by this program.
    let choices = choice::style(report.findings).concat();
    let hash = |parts: &[&str]| {
        STANDARD.encode(parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize())
    };
    let script =
        if report.interactive { format!("; script-src 'sha256-{}'", hash(&[SCRIPT])) } else { String::new() };
    let style = hash(&[STYLE, &choices]);
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{style}'{script}"
    );
    html! {
        (DOCTYPE) "\n"
        (PreEscaped("<html lang=\"en\">\n"))
        head {
            "\n" meta charset="utf-8"; "\n"
            meta http-equiv="Content-Security-Policy" content=(policy); "\n"
            meta name="referrer" content="no-referrer"; "\n"
            meta name="viewport" content="width=device-width, initial-scale=1"; "\n"
            title { "Lost container images: " (headline(report.coverage, report.findings)) } "\n"
            style { (PreEscaped(STYLE)) (PreEscaped(&choices)) } "\n"
        }
        "\n"
    }
}

/// The summary at the top: what happened where, how many, how bad, when.
fn top(report: &Report<'_>) -> Markup {
    let of = |severity: Severity| {
        report.findings.iter().filter(|finding| finding.severity == severity).count() as u64
    };
    html! {
        header {
            h1 { (shown(headline::what_happened(report))) } "\n"
            p class="lead" { (shown(headline::verdict(report))) }
            p { (evidence::read_text(report.coverage)) } "\n"
            ul class="counts" {
                @for severity in Severity::ALL {
                    li class=(severity.word()) { b { (count(of(*severity))) } " " (severity.word()) small { (guide::meaning(*severity)) } } "\n"
                }
            }
            nav {
                a href="#findings" { "Findings" } " " a href="#next" { "Who is next" } " " a href="#repositories" { "Repositories" } " "
                a href="#evidence" { "What was read" } " " a href="#guide" { "How to read this" }
            }
        }
        "\n"
    }
}

fn write_findings(
    put: &mut impl FnMut(Markup) -> io::Result<()>,
    report: &Report<'_>,
    numbers: &Numbers<'_>,
) -> io::Result<()> {
    let (told, rest) = report.findings.split_at(report.findings.len().min(TOLD_MAX));
    let (rows, unlisted) = rest.split_at(rest.len().min(ROWS_MAX));
    if told.is_empty() {
        return put(html! { section id="findings" { h2 { "Findings" } p { "None." } } "\n" });
    }
    put(html! {
        (PreEscaped("<section id=\"findings\">\n"))
        h2 { "Findings" } "\n"
        (choice::page(report.findings)) (chart::page(report.findings)) (index::page(told, report, numbers))
        @if !rows.is_empty() { h3 { (count(rest.len() as u64)) " more, in short" } (finding::rows(rows, numbers)) }
        @if !unlisted.is_empty() {
            p {
                strong { (count(unlisted.len() as u64)) " more findings are not on this page" }
                ": " code { "tagfall detect --format csv" } " lists them all."
            }
        }
        (PreEscaped("<div id=\"details\">\n"))
        h2 { "One by one" } "\n"
    })?;
    told.iter().try_for_each(|finding| put(finding::page(finding, report, numbers)))?;
    put(html! { (PreEscaped("</div>\n</section>\n")) })
}
