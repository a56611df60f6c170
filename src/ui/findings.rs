//! The output of `detect`.

mod page;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::columns::TableRows;
use super::escape::Escape;
use super::format::{Format, Look, no_such_form, write_document, write_line};
use super::lanes::Picture;
use super::page::Page;
use super::paint::Style;
use super::quantity::{count, counted, span};
use super::{markdown, ocsf, sarif, timesketch};
use crate::alerts::News;
use crate::model::{Coverage, Deleted, EventRef, Finding, FindingKind, LogText, Order, Severity, folded};
use crate::tables::{cells, engine};

/// Maximum number of principals, and of references, that a page lists for one finding.
const NAMES_MAX: usize = 8;

/// What a page of findings shows.
#[derive(Clone, Copy)]
pub struct Telling<'a> {
    /// Whether each loss is news, by its id; empty unless `--known` was given.
    pub news: &'a BTreeMap<String, News>,
    /// Show every event with its object, and each principal.
    pub evidence: bool,
    /// Show only this many findings, the worst.
    pub limit: Option<usize>,
    pub style: Style,
    pub picture: &'a dyn Fn(&Finding) -> Option<Picture>,
}

/// Writes findings, in the order given.
#[cfg(test)]
pub fn write(out: &mut dyn Write, look: Look, coverage: &Coverage, findings: &[Finding]) -> io::Result<()> {
    let telling = Telling {
        news: &BTreeMap::new(),
        evidence: true,
        limit: None,
        style: Style::default(),
        picture: &|_| None,
    };
    write_telling(out, look, coverage, findings, telling)
}

/// The same with options.
pub fn write_telling(
    out: &mut dyn Write,
    look: Look,
    coverage: &Coverage,
    findings: &[Finding],
    telling: Telling<'_>,
) -> io::Result<()> {
    match look.format {
        Format::Table => {
            page::write(&mut Page::new(out, look.columns).styled(telling.style), coverage, findings, telling)
        }
        Format::Json => write_document(out, "detect", coverage, Body { news: telling.news, findings }),
        Format::Ndjson => findings.iter().try_for_each(|finding| write_line(out, finding)),
        Format::Csv => write_rows(out, findings),
        Format::Markdown => markdown::write_findings(out, coverage, findings, telling),
        Format::Sarif => sarif::write(out, coverage, findings, telling),
        Format::Ocsf => ocsf::write(out, findings, telling),
        Format::Timesketch => timesketch::write_findings(out, findings),
        Format::Parquet => Err(no_such_form()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    /// Whether each loss is news, by its id, if that was asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    news: &'a BTreeMap<String, News>,
    findings: &'a [Finding],
}

/// `3 findings: 1 critical, 2 low`.
pub(super) fn headline(coverage: &Coverage, findings: &[Finding]) -> String {
    match findings {
        // If the run ended early, nobody should read that all is well.
        [] if coverage.partial => return "No findings in what was read until the run ended.".to_owned(),
        [] if coverage.objects_read == 0 => return "No findings, for nothing could be read.".to_owned(),
        [] if coverage.records_relevant == 0 => {
            return "No findings, for no record in these logs is about images.".to_owned();
        }
        [] => return "No findings.".to_owned(),
        _ => {}
    }
    let of =
        |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let each: Vec<String> = Severity::ALL
        .iter()
        .filter(|severity| of(**severity) > 0)
        .map(|severity| format!("{} {}", count(of(*severity)), severity.word()))
        .collect();
    format!("{}: {}", counted(findings.len() as u64, "finding", "findings"), each.join(", "))
}

/// What to call the image: for some kinds it still exists.
const fn subject(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::DisplacedAlive => "lost",
        kind if kind.is_a_loss() => "lost",
        _ => "image",
    }
}

/// Whether it never had a tag since its push, so that no push took one from it.
pub(super) fn never_had_a_tag(finding: &Finding) -> bool {
    let kinds = [FindingKind::ExpiredUntagged, FindingKind::ChildLost];
    kinds.contains(&finding.kind)
        && finding.lost.untagged_at.is_some()
        && finding.lost.untagged_at == finding.lost.pushed_at
}

pub(super) fn lost(finding: &Finding) -> String {
    let lost = &finding.lost;
    let mut parts = vec![
        lost.digest.map_or_else(|| "an image whose digest is not known".to_owned(), |digest| digest.short()),
    ];
    let bare = never_had_a_tag(finding);
    let untagged = lost.untagged_at.filter(|_| !bare);
    for (word, time) in [
        (if bare { "pushed without a tag" } else { "pushed" }, lost.pushed_at),
        ("untagged", untagged),
        ("gone", lost.gone_at),
    ] {
        parts.extend(time.map(|time| format!("{word} {time}")));
    }
    let since = if bare { "after its push" } else { "after it was untagged" };
    let exposure =
        finding.exposure_seconds.map(|seconds| format!(" ({} {since})", span(seconds))).unwrap_or_default();
    parts.join(", ") + &exposure
}

/// `by rule 1: 2026-03-05T02:00:00Z PolicyExecutionEvent in KEY#3`.
pub(super) fn taken_by(deletion: &Deleted) -> String {
    let rule = deletion.rule_priority.map(|priority| format!("by rule {priority}: ")).unwrap_or_default();
    format!("{rule}{}", event_text(&deletion.event))
}

pub(super) const fn order(order: Order) -> &'static str {
    match order {
        Order::Observed => "",
        Order::Inferred => " (same second; the order follows from later events)",
        Order::Ambiguous => " (same second; the logs do not tell which came first)",
    }
}

/// The roles and users that pulled, with their sessions together; the machine-readable formats have each
/// ARN.
pub(super) fn write_principals(page: &mut Page<'_>, principals: &[LogText]) -> io::Result<()> {
    let folded: Vec<LogText> =
        folded(principals.iter().map(LogText::raw)).into_iter().map(LogText::from).collect();
    write_names(page, "pulled by", &folded)
}

pub(super) fn write_names(page: &mut Page<'_>, label: &str, names: &[LogText]) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut shown: Vec<_> =
        names.iter().take(NAMES_MAX).map(|name| name.for_terminal().into_owned()).collect();
    if names.len() > NAMES_MAX {
        shown.push(format!("and {} more", count((names.len() - NAMES_MAX) as u64)));
    }
    page.item(2, label, &shown.join(", "))
}

/// `2026-03-02T10:00:09Z PutImage by ARN in KEY#3`.
pub(super) fn event_text(event: &EventRef) -> String {
    let actor = event.actor.as_ref().map(|actor| format!(" by {}", actor.for_terminal())).unwrap_or_default();
    format!(
        "{} {}{actor} in {}#{}",
        event.event_time,
        event.event_name.for_terminal(),
        event.object.for_terminal(),
        event.record
    )
}

fn write_rows(out: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    let mut rows = TableRows::new(out, &engine::FINDINGS)?;
    findings.iter().try_for_each(|finding| rows.push(cells::finding(finding)))?;
    rows.finish()
}
