//! The index: a line for each finding, by repository, and in it by cause and rule; with a small picture each, on one time axis.

use std::io;

use super::Report;
use super::choice::Numbers;
use super::picture::{Scene, Shared, write_mini};
use crate::model::{Finding, FindingKind, Repository, Timestamp};
use crate::ui::html::Html;
use crate::ui::quantity::{count, counted};

/// A finding with its picture and the rule that it tells of.
struct Row<'f> {
    finding: &'f Finding,
    scene: Option<Scene>,
    rule: Option<String>,
}

pub fn write(html: &mut Html<'_>, findings: &[Finding], report: &Report<'_>) -> io::Result<()> {
    let numbers = Numbers::of(report.findings);
    let mut groups: Vec<(&Repository, Vec<Row<'_>>)> = Vec::new();
    for finding in findings {
        let story = (report.story)(finding);
        let row = Row { finding, scene: Scene::of(finding, &story, report.coverage), rule: story.rule };
        match groups.iter_mut().find(|(repository, _)| **repository == finding.repository) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((&finding.repository, vec![row])),
        }
    }
    html.raw("<div class=\"index\">\n")?;
    groups.iter().try_for_each(|(repository, rows)| write_group(html, repository, rows, &numbers))?;
    html.raw("</div>\n").map(|_| ())
}

fn write_group(html: &mut Html<'_>, repository: &Repository, rows: &[Row<'_>], numbers: &Numbers<'_>) -> io::Result<()> {
    html.raw("<section class=\"group of")?;
    numbers.write(html, repository)?;
    html.raw("\">\n<h3><code>")?.log(&repository.name)?.raw("</code> <small>")?.log(&repository.registry_id)?.raw(", ")?;
    html.log(&repository.region)?.raw("</small></h3>\n")?;
    let shared = Shared::of(rows.iter().filter_map(|row| row.scene.as_ref()));
    let mut causes: Vec<(FindingKind, Option<&str>)> = Vec::new();
    for row in rows {
        let cause = (row.finding.kind, row.rule.as_deref());
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    for (kind, rule) in causes {
        html.raw("<h4>")?.raw(kind.word())?;
        if let Some(rule) = rule {
            html.raw(" <small>")?.text(rule)?.raw("</small>")?;
        }
        html.raw("</h4>\n<ul class=\"rows\">\n")?;
        rows.iter().filter(|row| (row.finding.kind, row.rule.as_deref()) == (kind, rule)).try_for_each(|row| write_row(html, row, &shared))?;
        html.raw("</ul>\n")?;
    }
    html.raw("</section>\n").map(|_| ())
}

fn write_row(html: &mut Html<'_>, row: &Row<'_>, shared: &Shared) -> io::Result<()> {
    let finding = row.finding;
    html.raw("<li class=\"finding ")?.raw(finding.severity.word())?.raw("\"><a href=\"#f-")?.text(&finding.id)?.raw("\"><span class=\"severity ")?;
    html.raw(finding.severity.word())?.raw("\">")?.raw(finding.severity.word())?.raw("</span> <code class=\"what\">")?;
    match (&finding.tag, finding.lost.digest) {
        (Some(tag), _) => html.log(tag)?,
        (None, Some(digest)) => html.text(&digest.short())?,
        (None, None) => html.raw("–")?,
    };
    html.raw("</code> ")?;
    row.scene.as_ref().map_or(Ok(()), |scene| write_mini(html, scene, shared))?;
    html.raw(" <time>")?.text(&minute(when(finding)))?.raw("</time> <span class=\"harm\">")?.text(&harm(row))?;
    html.raw("</span></a></li>\n").map(|_| ())
}

/// When it came about.
pub fn when(finding: &Finding) -> Timestamp {
    finding.lost.gone_at.unwrap_or(finding.second_push.event_time)
}

/// `2026-03-02 13:41`.
fn minute(at: Timestamp) -> String {
    let text: String = at.to_string().chars().take("2026-03-02T13:41".len()).collect();
    text.replace('T', " ")
}

/// What the index says about who was hurt.
fn harm(row: &Row<'_>) -> String {
    let usage = &row.finding.usage;
    let need = row.scene.as_ref().and_then(|scene| scene.need.as_ref());
    if let Some(harm) = need.and_then(|need| need.harm.clone()) {
        return harm;
    }
    if let Some(need) = need.filter(|need| need.held.is_some()) {
        return format!("{} holds on to it", need.name);
    }
    match (usage.pulls_while_untagged, usage.pulls_before) {
        (0, 0) => "no use of it in these logs".to_owned(),
        (0, before) => format!("{} before", counted(before, "pull", "pulls")),
        (bare, _) => format!("pulled {} while it had no tag", if bare == 1 { "once".to_owned() } else { format!("{} times", count(bare)) }),
    }
}
