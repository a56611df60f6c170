//! One finding: its sentence, its picture, the reasons, the advice, and the evidence in a folded part.

use maud::{Markup, html};

use super::Report;
use super::choice::Numbers;
use super::elsewhere;
use super::index::when;
use super::picture::{self, Scene};
use crate::model::{EventRef, Finding, LogText, TimelineStep, folded, needing_in_words};
use crate::ui::findings::{never_had_a_tag, order, taken_by};
use crate::ui::html::{item, list, maybe, prose, shown, table, value};
use crate::ui::quantity::{count, counted, span};
use crate::ui::timelines::runs_of_steps;

/// Maximum number of steps that are shown of one image: the first and the last.
const STEPS_MAX: usize = 40;
/// Maximum number of principals and references that are named.
const NAMES_MAX: usize = 20;

/// One finding in full; unfolded if it is the only one.
pub fn page(finding: &Finding, report: &Report<'_>, numbers: &Numbers<'_>) -> Markup {
    let story = (report.story)(finding);
    let severity = finding.severity.word();
    let scene = Scene::of(finding, &story, report.coverage);
    html! {
        details class={ "finding of " (severity) (numbers.class(&finding.repository)) } open[report.findings.len() == 1] {
            summary {
                span class={ "severity " (severity) } { (severity) } " " (finding.kind.word()) " " (name(finding)) " "
                time { (value(when(finding))) }
            }
            "\n"
            article id={ "f-" (finding.id) } class=(severity) {
                p { (shown(&finding.summary)) }
                @if let Some(scene) = &scene { (picture::page(scene)) }
                dl { "\n" (facts(finding)) }
                (list("Why it was this image", "reasons", &finding.reasons, |reason| html! { (shown(&reason.text)) }))
                (list("Who was behind it", "behind", &story.behind, |sentence| html! { (shown(&sentence.text)) }))
                (list("What to do", "advice", &finding.advice, |advice| prose(advice)))
                @if finding.lost.gone_at.is_some() && finding.lost.digest.is_some() {
                    p { "Where the same digest still is: " code { "tagfall rescue " (finding.id) } ", with these sources" }
                }
                @if let Some(elsewhere) = (report.elsewhere)(finding) { (elsewhere::page(&elsewhere)) }
                (evidence(&finding.evidence))
                @if let Some(life) = &story.life { (steps(&life.steps)) }
            }
        }
        "\n"
    }
}

/// `shop/api:v7`.
fn name(finding: &Finding) -> Markup {
    html! { code { (finding.repository.name) @if let Some(tag) = &finding.tag { ":" (tag) } } }
}

fn facts(finding: &Finding) -> Markup {
    let usage = &finding.usage;
    let principals: Vec<LogText> =
        folded(usage.principals.iter().map(LogText::raw)).into_iter().map(LogText::from).collect();
    let owner = finding.repository.registry_id.raw();
    let needing: Vec<LogText> =
        usage.references.iter().map(|name| LogText::from(needing_in_words(name.raw(), owner))).collect();
    let pulls = html! {
        (count(usage.pulls_before)) " before, " (count(usage.pulls_while_untagged)) " while untagged, "
        strong { (count(usage.pulls_after_gone)) " after it was gone" }
    };
    html! {
        (item("Registry", &html! { (finding.repository.registry_id) ", " (finding.repository.region) }))
        (item("Lost", &lost(finding)))
        @if let Some(kept) = finding.kept.digest { (item("Kept the tag", &html! { code { (value(kept)) } })) }
        @if let Some(seconds) = finding.gap_seconds { (item("Between the pushes", &html! { (span(seconds)) (order(finding.order)) })) }
        @if let Some(deletion) = &finding.deletion { (item("Taken by", &shown_markup(&taken_by(deletion)))) }
        (item("Pulls", &pulls))
        (names("Pulled by", &principals))
        (names("Needed by", &needing))
        (item("Finding", &html! { code { (finding.id) } }))
    }
}

fn shown_markup(text: &str) -> Markup {
    html! { (shown(text)) }
}

fn lost(finding: &Finding) -> Markup {
    let (lost, bare) = (&finding.lost, never_had_a_tag(finding));
    let untagged = lost.untagged_at.filter(|_| !bare);
    html! {
        @if let Some(digest) = lost.digest { code { (value(digest)) } }
        @for (word, time) in [(if bare { "pushed without a tag" } else { "pushed" }, lost.pushed_at), ("lost its last tag", untagged), ("gone", lost.gone_at)] {
            @if let Some(time) = time { br; " " (word) " " (value(time)) }
        }
        @if let Some(seconds) = finding.exposure_seconds { ", " (span(seconds)) @if bare { " after its push" } @else { " after it was untagged" } }
    }
}

fn names(label: &str, names: &[LogText]) -> Markup {
    if names.is_empty() {
        return html! {};
    }
    let more = names.len().checked_sub(NAMES_MAX).filter(|more| *more > 0);
    let content = html! {
        @for (n, name) in names.iter().take(NAMES_MAX).enumerate() { @if n > 0 { br; } code { (name) } }
        @if let Some(more) = more { br; "and " (count(more as u64)) " more" }
    };
    item(label, &content)
}

/// A folded part of a finding.
fn more(summary: &str, content: &Markup) -> Markup {
    html! { details class="more" { summary { (summary) } "\n" (content) } "\n" }
}

fn evidence(events: &[EventRef]) -> Markup {
    let rows = html! {
        @for event in events {
            tr {
                td { (value(event.event_time)) }
                td { (event.event_name) }
                td { (maybe(event.actor.as_ref())) }
                td { (maybe(event.source_ip.as_ref())) @if let Some(agent) = &event.user_agent { br; small { (agent) } } }
                td class="record" { code { (event.event_id) } br; (record(event)) }
            }
            "\n"
        }
    };
    let summary = format!("Evidence: {}", counted(events.len() as u64, "event", "events"));
    more(&summary, &table(&["time", "event", "by", "from", "eventID, and object # record"], &rows))
}

/// The life of the image step by step; repeated pulls are one row.
fn steps(steps: &[TimelineStep]) -> Markup {
    let runs = runs_of_steps(steps);
    let left_out = runs.len().saturating_sub(STEPS_MAX);
    let rows = html! {
        @for (n, run) in runs.iter().enumerate() {
            @if left_out > 0 && n == STEPS_MAX / 2 {
                tr {
                    td colspan="6" { (count(left_out as u64)) " rows are left out here: " code { "tagfall timeline --digest" } " shows them all" }
                }
                "\n"
            }
            @if n < STEPS_MAX / 2 || n >= STEPS_MAX / 2 + left_out { (step(run)) "\n" }
        }
    };
    let summary = format!("The life of the image: {}", counted(steps.len() as u64, "step", "steps"));
    more(&summary, &table(&["time", "step", "tag", "other image", "by", "object # record"], &rows))
}

fn step(run: &[TimelineStep]) -> Markup {
    let [step, rest @ ..] = run else { return html! {} };
    html! {
        tr {
            td { (value(step.time)) }
            td {
                (step.kind.word())
                @if let Some(last) = rest.last() { ", " (count(run.len() as u64)) " times until " (value(last.time)) }
            }
            td { (maybe(step.tag.as_ref())) }
            td { @match step.other_digest { Some(other) => code { (other.short()) }, None => "–" } }
            td { (maybe(step.event.actor.as_ref())) }
            td class="record" { (record(&step.event)) }
        }
    }
}

/// Where the event's record is.
fn record(event: &EventRef) -> Markup {
    html! { code { (event.object) "#" (event.record) } }
}

/// Findings that are not shown in full, as rows.
pub fn rows(findings: &[Finding], numbers: &Numbers<'_>) -> Markup {
    let rows = html! {
        @for finding in findings {
            @let severity = finding.severity.word();
            tr id={ "f-" (finding.id) } class={ "finding of " (severity) (numbers.class(&finding.repository)) } {
                td { (severity) }
                td { (finding.kind.word()) }
                td { (name(finding)) }
                td { code { (finding.lost.digest.map_or_else(String::new, |digest| digest.short())) } }
                td { @match finding.lost.gone_at { Some(time) => (value(time)), None => "not yet" } }
                td { code { (finding.id) } }
            }
            "\n"
        }
    };
    table(&["severity", "kind", "image", "lost digest", "gone", "finding"], &rows)
}
