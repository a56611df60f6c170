//! What `detect` shows.

use std::io::{self, Write};

use serde::Serialize;

use super::columns::TableRows;
use super::coverage;
use super::escape::Escape;
use super::format::{Format, Look, no_columns, write_document, write_line};
use super::page::Page;
use super::quantity::{count, counted, span};
use crate::model::{Coverage, Deleted, EventRef, Finding, FindingKind, LogText, Order, Severity, Usage, folded};
use crate::tables::{cells, engine};

/// How many principals and references a page lists for one finding.
const NAMES_MAX: usize = 8;

/// Writes findings, in the order given.
pub fn write(out: &mut dyn Write, look: Look, coverage: &Coverage, findings: &[Finding]) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), coverage, findings),
        Format::Json => write_document(out, "detect", coverage, Body { findings }),
        Format::Ndjson => findings.iter().try_for_each(|finding| write_line(out, finding)),
        Format::Csv => write_rows(out, findings),
        Format::Parquet => Err(no_columns()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    findings: &'a [Finding],
}

fn write_page(page: &mut Page<'_>, coverage: &Coverage, findings: &[Finding]) -> io::Result<()> {
    coverage::write(page, coverage)?;
    page.line(&headline(coverage, findings))?;
    for finding in findings {
        page.blank()?;
        write_finding(page, finding)?;
    }
    Ok(())
}

/// `3 findings: 1 critical, 2 low`.
pub(super) fn headline(coverage: &Coverage, findings: &[Finding]) -> String {
    match findings {
        // Of a run that ended before its time, nobody should read the one line that says all is well.
        [] if coverage.partial => return "No findings in what was read until the run ended.".to_owned(),
        [] => return "No findings.".to_owned(),
        _ => {}
    }
    let of = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let each: Vec<String> =
        Severity::ALL.iter().filter(|severity| of(**severity) > 0).map(|severity| format!("{} {}", count(of(*severity)), severity.word())).collect();
    format!("{}: {}", counted(findings.len() as u64, "finding", "findings"), each.join(", "))
}

fn write_finding(page: &mut Page<'_>, finding: &Finding) -> io::Result<()> {
    let severity = finding.severity.word().to_uppercase();
    let tags: Vec<String> = finding.tags.iter().map(|tag| tag.for_terminal().to_string()).collect();
    let tag = if tags.is_empty() { String::new() } else { format!(":{}", tags.join(", ")) };
    page.line(&format!("{severity}  {}  {}{tag}  ({})", finding.kind.word(), finding.repository.name.for_terminal(), finding.id))?;
    page.point(2, "", &finding.summary)?;
    page.item(2, "registry", &format!("{}, {}", finding.repository.registry_id.for_terminal(), finding.repository.region.for_terminal()))?;
    page.item(2, subject(finding.kind), &lost(finding))?;
    if let Some(kept) = finding.kept.digest {
        page.item(2, "kept", &kept.short())?;
    }
    write_events(page, finding)?;
    finding.reasons.iter().try_for_each(|reason| page.item(2, "why", &reason.text))?;
    write_usage(page, &finding.usage)?;
    finding.advice.iter().try_for_each(|advice| page.item(2, "do", advice))
}

/// What the finding's image is: some are still there.
const fn subject(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::TagRemoved | FindingKind::TagMovedBack | FindingKind::Unexplained | FindingKind::AccessTaken => "image",
        _ => "lost",
    }
}

/// Whether the finding tells of two pushes of one tag.
const fn is_move(kind: FindingKind) -> bool {
    use FindingKind::{DisplacedAlive, SameTagOverwrite, SameTagRace, TagMovedBack};
    matches!(kind, SameTagRace | SameTagOverwrite | DisplacedAlive | TagMovedBack)
}

fn lost(finding: &Finding) -> String {
    let lost = &finding.lost;
    let mut parts = vec![lost.digest.map_or_else(|| "an image whose digest is not known".to_owned(), |digest| digest.short())];
    for (word, time) in [("pushed", lost.pushed_at), ("untagged", lost.untagged_at), ("gone", lost.gone_at)] {
        parts.extend(time.map(|time| format!("{word} {time}")));
    }
    let exposure = finding.exposure_seconds.map(|seconds| format!(" ({} after it was untagged)", span(seconds))).unwrap_or_default();
    parts.join(", ") + &exposure
}

fn write_events(page: &mut Page<'_>, finding: &Finding) -> io::Result<()> {
    let displaced = is_move(finding.kind);
    match &finding.first_push {
        Some(event) => page.item(2, "first push", &event_text(event))?,
        None if displaced => page.item(2, "first push", "before the logs")?,
        None => {}
    }
    if displaced {
        let gap = finding.gap_seconds.map(|seconds| format!("{} later: ", span(seconds))).unwrap_or_default();
        page.item(2, "second push", &format!("{gap}{}{}", event_text(&finding.second_push), order(finding.order)))?;
    }
    match &finding.deletion {
        Some(deletion) => page.item(2, "taken", &taken_by(deletion)),
        None if displaced => Ok(()),
        None if finding.kind == FindingKind::Unexplained => page.item(2, "failed", &event_text(&finding.second_push)),
        None => page.item(2, "taken", &event_text(&finding.second_push)),
    }
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

fn write_usage(page: &mut Page<'_>, usage: &Usage) -> io::Result<()> {
    let Usage { pulls_before, pulls_while_untagged, pulls_after_gone, scanner_pulls, last_pull, principals, references } = usage;
    let pulls =
        format!("{} before, {} while untagged, {} after it was gone", count(*pulls_before), count(*pulls_while_untagged), count(*pulls_after_gone));
    page.item(2, "pulls", &pulls)?;
    if *scanner_pulls > 0 {
        page.item(2, "scanners", &format!("{} more by scanners, which need nothing", count(*scanner_pulls)))?;
    }
    if let Some(last) = last_pull {
        page.item(2, "last pull", &event_text(last))?;
    }
    write_principals(page, principals)?;
    write_names(page, "needed by", references)
}

/// Roles and users that pulled, sessions told together; the machine's formats have each ARN.
pub(super) fn write_principals(page: &mut Page<'_>, principals: &[LogText]) -> io::Result<()> {
    let folded: Vec<LogText> = folded(principals.iter().map(LogText::raw)).into_iter().map(LogText::from).collect();
    write_names(page, "pulled by", &folded)
}

pub(super) fn write_names(page: &mut Page<'_>, label: &str, names: &[LogText]) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut shown: Vec<_> = names.iter().take(NAMES_MAX).map(|name| name.for_terminal().into_owned()).collect();
    if names.len() > NAMES_MAX {
        shown.push(format!("and {} more", count((names.len() - NAMES_MAX) as u64)));
    }
    page.item(2, label, &shown.join(", "))
}

/// `2026-03-02T10:00:09Z PutImage by ARN in KEY#3`.
pub(super) fn event_text(event: &EventRef) -> String {
    let actor = event.actor.as_ref().map(|actor| format!(" by {}", actor.for_terminal())).unwrap_or_default();
    format!("{} {}{actor} in {}#{}", event.event_time, event.event_name.for_terminal(), event.object.for_terminal(), event.record)
}

fn write_rows(out: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    let mut rows = TableRows::new(out, &engine::FINDINGS)?;
    findings.iter().try_for_each(|finding| rows.push(cells::finding(finding)))?;
    rows.finish()
}
