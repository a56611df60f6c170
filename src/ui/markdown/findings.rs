//! Findings in Markdown: their number by severity, a row for each, and the worst in full.

use std::io::{self, Write};

use super::{Cell, LISTED_MAX, Markdown, ROWS_MAX, TOLD_MAX, event_text};
use crate::alerts::{News, id_of_loss};
use crate::model::{Coverage, Finding, LogText, folded};
use crate::ui::escape::Escape;
use crate::ui::findings::{Telling, headline, lost, order, taken_by};
use crate::ui::quantity::{count, counted, span};

pub fn write(
    out: &mut dyn Write,
    coverage: &Coverage,
    findings: &[Finding],
    telling: Telling<'_>,
) -> io::Result<()> {
    let page = &mut Markdown::new(out);
    let speaks =
        |finding: &&Finding| telling.news.get(id_of_loss(&finding.id)).is_none_or(|news| news.speaks());
    let told: Vec<&Finding> = findings.iter().filter(speaks).collect();
    page.heading(2, &headline(coverage, findings))?;
    let quiet = findings.len() - told.len();
    if quiet > 0 {
        page.paragraph(&format!(
            "{} known before or accepted, and not told again.",
            counted(quiet as u64, "finding is", "findings are")
        ))?;
    }
    if !told.is_empty() {
        let shown = told.len().min(telling.limit.unwrap_or(ROWS_MAX)).min(ROWS_MAX);
        page.columns(&["severity", "kind", "image", "lost", "gone", "pulled in vain", "finding"])?;
        told.iter().take(shown).try_for_each(|finding| page.row(&row(finding, telling)))?;
        page.more(told.len() - shown, "finding is", "findings are")?;
        page.blank()?;
        told.iter().take(shown.min(TOLD_MAX)).try_for_each(|finding| write_finding(page, finding))?;
        if shown > TOLD_MAX {
            page.paragraph(&format!("Told in full are the worst {TOLD_MAX}."))?;
        }
    }
    page.coverage(coverage)
}

/// `shop/api:v7`.
fn name(finding: &Finding) -> String {
    let tag = finding.tag.as_ref().map(|tag| format!(":{}", tag.for_terminal())).unwrap_or_default();
    format!("{}{tag}", finding.repository.name.for_terminal())
}

fn row(finding: &Finding, telling: Telling<'_>) -> [Cell; 7] {
    let news = match telling.news.get(id_of_loss(&finding.id)) {
        Some(News::Worse) => ", worse than it was",
        Some(News::New) => ", new",
        _ => "",
    };
    [
        Cell::prose(&format!("{}{news}", finding.severity.word())),
        Cell::prose(finding.kind.word()),
        Cell::code(&name(finding)),
        Cell::code(&finding.lost.digest.map(|digest| digest.short()).unwrap_or_default()),
        Cell::code(&finding.lost.gone_at.map(|time| time.to_string()).unwrap_or_default()),
        Cell::prose(&count(finding.usage.pulls_after_gone)),
        Cell::code(&finding.id),
    ]
}

fn write_finding(page: &mut Markdown<'_>, finding: &Finding) -> io::Result<()> {
    let words = format!("{} {}", finding.severity.word(), finding.kind.word());
    page.details(&words, &name(finding), |page| {
        page.paragraph(&finding.summary)?;
        write_facts(page, finding)?;
        page.texts("Why it was this image", finding.reasons.iter().map(|reason| reason.text.as_str()))?;
        page.texts("What to do", finding.advice.iter().map(String::as_str))?;
        page.texts(
            "Evidence",
            std::iter::once(counted(finding.evidence.len() as u64, "event", "events").as_str()),
        )?;
        finding.evidence.iter().take(LISTED_MAX).try_for_each(|event| page.below(&event_text(event)))
    })
}

fn write_facts(page: &mut Markdown<'_>, finding: &Finding) -> io::Result<()> {
    let repository = &finding.repository;
    page.item(
        "Registry",
        &format!("{}, {}", repository.registry_id.for_terminal(), repository.region.for_terminal()),
    )?;
    page.item("Lost", &lost(finding))?;
    if let Some(kept) = finding.kept.digest {
        page.item("Kept the tag", &kept.short())?;
    }
    if let Some(seconds) = finding.gap_seconds {
        page.item("Between the pushes", &format!("{}{}", span(seconds), order(finding.order)))?;
    }
    if let Some(deletion) = &finding.deletion {
        page.item("Taken", &taken_by(deletion))?;
    }
    let usage = &finding.usage;
    let pulls = [usage.pulls_before, usage.pulls_while_untagged, usage.pulls_after_gone].map(count);
    page.item(
        "Pulls",
        &format!("{} before, {} while untagged, {} after it was gone", pulls[0], pulls[1], pulls[2]),
    )?;
    let principals = folded(usage.principals.iter().map(LogText::raw));
    write_names(page, "Pulled by", principals.iter().map(String::as_str))?;
    write_names(page, "Needed by", usage.references.iter().map(LogText::raw))
}

/// A list of names, as long as a ticket can hold.
pub(super) fn write_names<'t>(
    page: &mut Markdown<'_>,
    label: &'static str,
    names: impl Iterator<Item = &'t str>,
) -> io::Result<()> {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut shown = names
        .iter()
        .take(LISTED_MAX)
        .map(|name| LogText::from(*name).for_terminal().into_owned())
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more @ 1..) = names.len().checked_sub(LISTED_MAX) {
        shown.push_str(&format!(" and {} more", count(more as u64)));
    }
    page.item(label, &shown)
}
