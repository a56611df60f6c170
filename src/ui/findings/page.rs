//! The page of findings: a picture and a few lines for each, or one line each if there are many.

use std::io;

use super::{Telling, event_text, headline, lost, order, subject, taken_by, write_names, write_principals};
use crate::alerts::{News, id_of_loss};
use crate::model::{
    Coverage, Deleted, EventRef, Finding, FindingKind, LogText, Severity, Usage, folded, needing_in_words,
};
use crate::ui::coverage;
use crate::ui::escape::Escape;
use crate::ui::lanes::draw;
use crate::ui::page::Page;
use crate::ui::paint::Paint;
use crate::ui::quantity::{count, span};
use crate::ui::width;

/// With more findings than this, each gets one line.
const TOLD_IN_FULL_MAX: usize = 10;

/// Writes what was read, the findings, and the objects that could not be read, which may be many.
pub fn write(
    page: &mut Page<'_>,
    coverage: &Coverage,
    findings: &[Finding],
    telling: Telling<'_>,
) -> io::Result<()> {
    coverage::write_head(page, coverage)?;
    let speaks =
        |finding: &&Finding| telling.news.get(id_of_loss(&finding.id)).is_none_or(|news| news.speaks());
    let told: Vec<&Finding> =
        findings.iter().filter(speaks).take(telling.limit.unwrap_or(usize::MAX)).collect();
    if told.len() > TOLD_IN_FULL_MAX && !telling.evidence {
        // The worst finding comes last, where the eye is when the page has scrolled through.
        told.iter().rev().try_for_each(|finding| write_line(page, finding, telling))?;
        page.blank()?;
        write_total(page, coverage, findings, &told, telling)?;
    } else {
        write_total(page, coverage, findings, &told, telling)?;
        let mut explained = false;
        for finding in told {
            page.blank()?;
            write_finding(page, finding, telling, &mut explained)?;
        }
    }
    if !coverage.failures.is_empty() {
        page.blank()?;
    }
    coverage::write_failures(page, coverage)
}

fn write_total(
    page: &mut Page<'_>,
    coverage: &Coverage,
    findings: &[Finding],
    told: &[&Finding],
    telling: Telling<'_>,
) -> io::Result<()> {
    page.point(0, "", &headline(coverage, findings))?;
    let number = |wanted: News| telling.news.values().filter(|news| **news == wanted).count() as u64;
    let quiet = [(News::Known, "known before"), (News::Accepted, "accepted")]
        .map(|(news, words)| (number(news), words));
    let words: Vec<String> = quiet
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{} {words}", count(*number)))
        .collect();
    if !words.is_empty() {
        page.point(0, "", &format!("Not told again: {}.", words.join(", ")))?;
    }
    if telling.limit.is_some_and(|limit| limit == told.len() && limit < findings.len()) {
        page.point(
            0,
            "",
            &format!("Told are the worst {}; without --limit, all.", count(told.len() as u64)),
        )?;
    }
    Ok(())
}

/// `CRITICAL  f6b223e5cc655ed7  same-tag-race  shop/checkout:v7, gone 2026-03-10, 5 in vain`, on one line
/// whatever the width: if it is too long, first what follows the name is dropped, then the middle of the
/// name.
fn write_line(page: &mut Page<'_>, finding: &Finding, telling: Telling<'_>) -> io::Result<()> {
    let lead = format!("{:<9} ", finding.severity.word().to_uppercase());
    let head = format!("{}  {}  ", finding.id, finding.kind.word());
    let mut name = format!("{}{}", name(finding), said(finding, telling));
    let mut more: Vec<String> = finding
        .lost
        .gone_at
        .iter()
        .map(|time| format!(", gone {}", time.to_string().chars().take(10).collect::<String>()))
        .collect();
    if finding.usage.pulls_after_gone > 0 {
        more.push(format!(", {} in vain", count(finding.usage.pulls_after_gone)));
    }
    let room = page.width().saturating_sub(lead.len() + head.len());
    while width::of(&name) + more.iter().map(String::len).sum::<usize>() > room && more.pop().is_some() {}
    name = width::cut_in_the_middle(&name, room.max(1));
    let rest = width::cut_in_the_middle(
        &format!("{head}{name}{}", more.concat()),
        page.width().saturating_sub(lead.len()),
    );
    page.painted(0, &[(paint(finding.severity), lead), (Paint::Plain, rest)])
}

const fn paint(severity: Severity) -> Paint {
    match severity {
        Severity::Critical => Paint::Bad,
        Severity::High => Paint::Warn,
        Severity::Medium | Severity::Low => Paint::Bold,
    }
}

fn name(finding: &Finding) -> String {
    let tags: Vec<String> = finding.tags.iter().map(|tag| tag.for_terminal().to_string()).collect();
    let tag = if tags.is_empty() { String::new() } else { format!(":{}", tags.join(", ")) };
    format!("{}{tag}", finding.repository.name.for_terminal())
}

/// Says that a loss has become worse since it was reported.
fn said(finding: &Finding, telling: Telling<'_>) -> &'static str {
    match telling.news.get(id_of_loss(&finding.id)) {
        Some(News::Worse) => " (worse than it was)",
        _ => "",
    }
}

fn write_finding(
    page: &mut Page<'_>,
    finding: &Finding,
    telling: Telling<'_>,
    explained: &mut bool,
) -> io::Result<()> {
    let severity = finding.severity.word().to_uppercase();
    page.marked(
        paint(finding.severity),
        &format!("{severity}  "),
        &format!("{}  {}{}  ({})", finding.kind.word(), name(finding), said(finding, telling), finding.id),
    )?;
    page.point(2, "", &finding.summary)?;
    if let Some(picture) = (telling.picture)(finding) {
        page.blank()?;
        if !std::mem::replace(explained, true) {
            page.point(2, "", &draw::legend(page.style()))?;
        }
        let drawn = draw::lines(&picture, page.width() - 2, page.style());
        drawn.iter().try_for_each(|line| page.painted(2, line))?;
        page.blank()?;
    }
    page.item(
        2,
        "registry",
        &format!(
            "{}, {}",
            finding.repository.registry_id.for_terminal(),
            finding.repository.region.for_terminal()
        ),
    )?;
    page.item(2, subject(finding.kind), &lost(finding))?;
    if let Some(kept) = finding.kept.digest {
        page.item(2, "kept", &kept.short())?;
    }
    write_events(page, finding, telling.evidence)?;
    finding.reasons.iter().try_for_each(|reason| page.item(2, "why", &reason.text))?;
    write_usage(page, finding, telling.evidence)?;
    finding.advice.iter().try_for_each(|advice| page.item(2, "do", advice))?;
    if is_gone(finding) {
        if finding.kind == FindingKind::ReplicatedDeletion {
            page.item(
                2,
                "copies",
                &format!("tagfall fate {}, with these sources, tells what becomes of each", finding.id),
            )?;
        }
        page.item(
            2,
            "rescue",
            &format!(
                "tagfall rescue {}, with these sources, tells where the same digest still is",
                finding.id
            ),
        )?;
    }
    if telling.evidence {
        finding.evidence.iter().try_for_each(|event| page.item(2, "evidence", &event_text(event)))?;
    }
    Ok(())
}

/// Whether the finding is about an image that is gone and may have to be replaced.
const fn is_gone(finding: &Finding) -> bool {
    finding.lost.gone_at.is_some() && finding.lost.digest.is_some()
}

/// An event, with its object, or only with the role that made the call.
fn told(event: &EventRef, evidence: bool) -> String {
    if evidence {
        return event_text(event);
    }
    let by = event
        .actor
        .as_ref()
        .and_then(|actor| folded([actor.raw()]).into_iter().next())
        .map(|actor| format!(" by {actor}"));
    format!("{} {}{}", event.event_time, event.event_name.for_terminal(), by.unwrap_or_default())
}

fn write_events(page: &mut Page<'_>, finding: &Finding, evidence: bool) -> io::Result<()> {
    let displaced = finding.kind.is_move();
    match &finding.first_push {
        Some(event) => page.item(2, "first push", &told(event, evidence))?,
        None if displaced => page.item(2, "first push", "before the logs")?,
        None => {}
    }
    if displaced {
        let gap = finding.gap_seconds.map(|seconds| format!("{} later: ", span(seconds))).unwrap_or_default();
        page.item(
            2,
            "second push",
            &format!("{gap}{}{}", told(&finding.second_push, evidence), order(finding.order)),
        )?;
    }
    match &finding.deletion {
        Some(deletion) if evidence => page.item(2, "taken", &taken_by(deletion)),
        Some(deletion) => {
            page.item(2, "taken", &format!("{}{}", rule(deletion), told(&deletion.event, false)))
        }
        None if displaced => Ok(()),
        None if finding.kind.is_a_failure() => page.item(2, "failed", &told(&finding.second_push, evidence)),
        None => page.item(2, "taken", &told(&finding.second_push, evidence)),
    }
}

fn rule(deletion: &Deleted) -> String {
    deletion.rule_priority.map(|priority| format!("by rule {priority}: ")).unwrap_or_default()
}

fn write_usage(page: &mut Page<'_>, finding: &Finding, evidence: bool) -> io::Result<()> {
    let Usage {
        pulls_before,
        pulls_while_untagged,
        pulls_after_gone,
        scanner_pulls,
        last_pull,
        principals,
        references,
    } = &finding.usage;
    let pulls = format!(
        "{} before, {} while untagged, {} after it was gone",
        count(*pulls_before),
        count(*pulls_while_untagged),
        count(*pulls_after_gone)
    );
    page.item(2, "pulls", &pulls)?;
    if *scanner_pulls > 0 {
        page.item(2, "scanners", &format!("{} more by scanners, which need nothing", count(*scanner_pulls)))?;
    }
    if let Some(last) = last_pull {
        page.item(2, "last pull", &told(last, evidence))?;
    }
    if evidence {
        write_names(page, "pulled by", principals)?;
        return write_names(page, "needed by", references);
    }
    write_principals(page, principals)?;
    let owner = finding.repository.registry_id.raw();
    let names: Vec<LogText> =
        references.iter().map(|name| LogText::from(needing_in_words(name.raw(), owner))).collect();
    write_names(page, "needed by", &names)
}
