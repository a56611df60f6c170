//! The index: one line for each finding, grouped by repository, then by cause and rule; each with a small
//! picture on the repository's time axis.

use maud::{Markup, html};

use super::Report;
use super::choice::Numbers;
use super::picture::{Scene, Shared, mini};
use crate::model::{Finding, FindingKind, Repository, Timestamp};
use crate::ui::html::shown;
use crate::ui::quantity::{count, counted};

/// A finding with its picture and its rule.
struct Row<'f> {
    finding: &'f Finding,
    scene: Option<Scene>,
    rule: Option<String>,
}

pub fn page(findings: &[Finding], report: &Report<'_>, numbers: &Numbers<'_>) -> Markup {
    let mut groups: Vec<(&Repository, Vec<Row<'_>>)> = Vec::new();
    for finding in findings {
        let story = (report.story)(finding);
        let row = Row { finding, scene: Scene::of(finding, &story, report.coverage), rule: story.rule };
        match groups.iter_mut().find(|(repository, _)| **repository == finding.repository) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((&finding.repository, vec![row])),
        }
    }
    html! { div class="index" { "\n" @for (repository, rows) in &groups { (group(repository, rows, numbers)) } } "\n" }
}

fn group(repository: &Repository, rows: &[Row<'_>], numbers: &Numbers<'_>) -> Markup {
    let shared = Shared::of(rows.iter().filter_map(|row| row.scene.as_ref()));
    let mut causes: Vec<(FindingKind, Option<&str>)> = Vec::new();
    for row in rows {
        let cause = (row.finding.kind, row.rule.as_deref());
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    html! {
        section class={ "group of" (numbers.class(repository)) } {
            h3 { code { (repository.name) } " " small { (repository.registry_id) ", " (repository.region) } } "\n"
            @for cause in causes {
                h4 { (cause.0.word()) @if let Some(rule) = cause.1 { " " small { (shown(rule)) } } } "\n"
                ul class="rows" { "\n" @for row in rows.iter().filter(|row| (row.finding.kind, row.rule.as_deref()) == cause) { (line(row, &shared)) "\n" } }
            }
        }
        "\n"
    }
}

fn line(row: &Row<'_>, shared: &Shared) -> Markup {
    let finding = row.finding;
    let severity = finding.severity.word();
    html! {
        li class={ "finding " (severity) } {
            a href={ "#f-" (finding.id) } {
                span class={ "severity " (severity) } { (severity) } " "
                code class="what" {
                    @match (&finding.tag, finding.lost.digest) {
                        (Some(tag), _) => (tag),
                        (None, Some(digest)) => (digest.short().trim_start_matches("sha256:")),
                        (None, None) => "–",
                    }
                }
                " " @if let Some(scene) = &row.scene { (mini(scene, shared)) }
                " " time { (minute(when(finding))) } " " span class="harm" { (shown(harm(row))) }
            }
        }
    }
}

/// The time of a finding.
pub fn when(finding: &Finding) -> Timestamp {
    finding.lost.gone_at.unwrap_or(finding.second_push.event_time)
}

/// `2026-03-02 13:41`.
fn minute(at: Timestamp) -> String {
    let text: String = at.to_string().chars().take("2026-03-02T13:41".len()).collect();
    text.replace('T', " ")
}

/// Who was affected, in the words of the index.
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
        (bare, _) => format!(
            "pulled {} while it had no tag",
            if bare == 1 { "once".to_owned() } else { format!("{} times", count(bare)) }
        ),
    }
}
