//! One finding: its sentence, its picture, why it was this image, what to do, and the evidence behind a fold.

use std::io;

use super::Report;
use super::choice::Numbers;
use super::index::when;
use super::picture::{self, Scene};
use crate::model::{EventRef, Finding, LogText, TimelineStep, folded, needing_in_words};
use crate::ui::findings::{order, taken_by};
use crate::ui::html::Html;
use crate::ui::quantity::{count, counted, span};
use crate::ui::timelines::runs_of_steps;

/// How many steps of an image's life a page shows: the first and the last of them.
const STEPS_MAX: usize = 40;
/// How many principals and references are named.
const NAMES_MAX: usize = 20;

pub fn write(html: &mut Html<'_>, finding: &Finding, report: &Report<'_>) -> io::Result<()> {
    let story = (report.story)(finding);
    let numbers = Numbers::of(report.findings);
    html.raw("<details class=\"finding of ")?.raw(finding.severity.word())?;
    numbers.write(html, &finding.repository)?;
    // A page about one loss shows it at once.
    html.raw(if report.findings.len() == 1 { "\" open>" } else { "\">" })?.raw("<summary><span class=\"severity ")?;
    html.raw(finding.severity.word())?.raw("\">")?.raw(finding.severity.word())?.raw("</span> ")?.raw(finding.kind.word())?.raw(" <code>")?;
    html.log(&finding.repository.name)?;
    if let Some(tag) = &finding.tag {
        html.raw(":")?.log(tag)?;
    }
    html.raw("</code> <time>")?.value(when(finding))?.raw("</time></summary>\n<article id=\"f-")?.text(&finding.id)?.raw("\" class=\"")?;
    html.raw(finding.severity.word())?.raw("\">\n<p>")?.text(&finding.summary)?.raw("</p>\n")?;
    Scene::of(finding, &story, report.coverage).map_or(Ok(()), |scene| picture::write(html, &scene))?;
    html.raw("<dl>\n")?;
    write_facts(html, finding)?;
    html.raw("</dl>\n")?;
    html.list("<h3>Why it was this image</h3>\n<ul class=\"reasons\">\n", &finding.reasons, |html, reason| html.text(&reason.text).map(|_| ()))?;
    html.list("<h3>What to do</h3>\n<ul class=\"advice\">\n", &finding.advice, |html, advice| html.text(advice).map(|_| ()))?;
    write_evidence(html, &finding.evidence)?;
    if let Some(life) = &story.life {
        write_steps(html, &life.steps)?;
    }
    html.raw("</article></details>\n")?;
    Ok(())
}

fn write_facts(html: &mut Html<'_>, finding: &Finding) -> io::Result<()> {
    let (lost, usage) = (&finding.lost, &finding.usage);
    html.item("Registry", |html| {
        html.log(&finding.repository.registry_id)?.raw(", ")?.log(&finding.repository.region)?;
        Ok(())
    })?;
    html.item("Lost", |html| {
        if let Some(digest) = lost.digest {
            html.raw("<code>")?.value(digest)?.raw("</code>")?;
        }
        for (word, time) in [(" pushed ", lost.pushed_at), (" lost its last tag ", lost.untagged_at), (" gone ", lost.gone_at)] {
            if let Some(time) = time {
                html.raw("<br>")?.raw(word)?.value(time)?;
            }
        }
        if let Some(seconds) = finding.exposure_seconds {
            html.raw(", ")?.text(&span(seconds))?.raw(" after it was untagged")?;
        }
        Ok(())
    })?;
    if let Some(kept) = finding.kept.digest {
        html.item("Kept the tag", |html| html.raw("<code>")?.value(kept)?.raw("</code>").map(|_| ()))?;
    }
    if let Some(seconds) = finding.gap_seconds {
        html.item("Between the pushes", |html| html.text(&span(seconds))?.raw(order(finding.order)).map(|_| ()))?;
    }
    if let Some(deletion) = &finding.deletion {
        html.item("Taken by", |html| html.text(&taken_by(deletion)).map(|_| ()))?;
    }
    html.item("Pulls", |html| {
        html.text(&count(usage.pulls_before))?.raw(" before, ")?.text(&count(usage.pulls_while_untagged))?.raw(" while untagged, ")?;
        html.raw("<strong>")?.text(&count(usage.pulls_after_gone))?.raw(" after it was gone</strong>").map(|_| ())
    })?;
    let principals: Vec<LogText> = folded(usage.principals.iter().map(LogText::raw)).into_iter().map(LogText::from).collect();
    write_names(html, "Pulled by", &principals)?;
    let owner = finding.repository.registry_id.raw();
    let needing: Vec<LogText> = usage.references.iter().map(|name| LogText::from(needing_in_words(name.raw(), owner))).collect();
    write_names(html, "Needed by", &needing)?;
    html.item("Finding", |html| html.raw("<code>")?.text(&finding.id)?.raw("</code>").map(|_| ()))
}

fn write_names(html: &mut Html<'_>, label: &'static str, names: &[LogText]) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    html.item(label, |html| {
        for (n, name) in names.iter().take(NAMES_MAX).enumerate() {
            html.raw(if n == 0 { "<code>" } else { "<br><code>" })?.log(name)?.raw("</code>")?;
        }
        match names.len().checked_sub(NAMES_MAX) {
            None | Some(0) => Ok(()),
            Some(more) => html.raw("<br>and ")?.text(&count(more as u64))?.raw(" more").map(|_| ()),
        }
    })
}

fn write_evidence(html: &mut Html<'_>, evidence: &[EventRef]) -> io::Result<()> {
    html.raw("<details class=\"more\"><summary>Evidence: ")?
        .text(&counted(evidence.len() as u64, "event", "events"))?
        .raw("</summary>\n<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"wide, can be scrolled\"><table>\n")?;
    html.raw("<thead><tr><th scope=\"col\">time</th><th scope=\"col\">event</th><th scope=\"col\">by</th><th scope=\"col\">from</th>")?;
    html.raw("<th scope=\"col\">eventID, and object # record</th></tr></thead>\n<tbody>\n")?;
    for event in evidence {
        html.raw("<tr><td>")?.value(event.event_time)?.raw("</td><td>")?.log(&event.event_name)?.raw("</td><td>")?;
        write_maybe(html, event.actor.as_ref())?;
        html.raw("</td><td>")?;
        write_maybe(html, event.source_ip.as_ref())?;
        if let Some(agent) = &event.user_agent {
            html.raw("<br><small>")?.log(agent)?.raw("</small>")?;
        }
        html.raw("</td><td class=\"record\"><code>")?.log(&event.event_id)?.raw("</code><br>")?;
        write_record(html, event)?;
        html.raw("</td></tr>\n")?;
    }
    html.raw("</tbody></table></div></details>\n")?;
    Ok(())
}

fn write_maybe(html: &mut Html<'_>, text: Option<&LogText>) -> io::Result<()> {
    match text {
        Some(text) => html.log(text).map(|_| ()),
        None => html.raw("–").map(|_| ()),
    }
}

/// The life of the image, step by step; repeated pulls are one row.
fn write_steps(html: &mut Html<'_>, steps: &[TimelineStep]) -> io::Result<()> {
    let runs = runs_of_steps(steps);
    html.raw("<details class=\"more\"><summary>The life of the image: ")?.text(&counted(steps.len() as u64, "step", "steps"))?.raw("</summary>\n")?;
    html.raw("<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"wide, can be scrolled\"><table>\n<thead><tr><th scope=\"col\">time</th><th scope=\"col\">step</th><th scope=\"col\">tag</th>")?;
    html.raw("<th scope=\"col\">other image</th><th scope=\"col\">by</th><th scope=\"col\">object # record</th></tr></thead>\n<tbody>\n")?;
    let left_out = runs.len().saturating_sub(STEPS_MAX);
    for (n, run) in runs.iter().enumerate() {
        if left_out > 0 && n == STEPS_MAX / 2 {
            html.raw("<tr><td colspan=\"6\">")?.text(&count(left_out as u64))?;
            html.raw(" rows are left out here: <code>tagfall timeline --digest</code> shows them all</td></tr>\n")?;
        }
        if n < STEPS_MAX / 2 || n >= STEPS_MAX / 2 + left_out {
            write_step(html, run)?;
        }
    }
    html.raw("</tbody></table></div></details>\n")?;
    Ok(())
}

fn write_step(html: &mut Html<'_>, run: &[TimelineStep]) -> io::Result<()> {
    let [step, rest @ ..] = run else { return Ok(()) };
    html.raw("<tr><td>")?.value(step.time)?.raw("</td><td>")?.raw(step.kind.word())?;
    if let Some(last) = rest.last() {
        html.raw(", ")?.text(&count(run.len() as u64))?.raw(" times until ")?.value(last.time)?;
    }
    html.raw("</td><td>")?;
    write_maybe(html, step.tag.as_ref())?;
    html.raw("</td><td>")?;
    match step.other_digest {
        Some(other) => html.raw("<code>")?.text(&other.short())?.raw("</code>")?,
        None => html.raw("–")?,
    };
    html.raw("</td><td>")?;
    write_maybe(html, step.event.actor.as_ref())?;
    html.raw("</td><td class=\"record\">")?;
    write_record(html, &step.event)?;
    html.raw("</td></tr>\n")?;
    Ok(())
}

/// Where the event stands.
fn write_record(html: &mut Html<'_>, event: &EventRef) -> io::Result<()> {
    html.raw("<code>")?.log(&event.object)?.raw("#")?.value(event.record)?.raw("</code>").map(|_| ())
}

/// Findings that are not told in full.
pub fn write_rows(html: &mut Html<'_>, findings: &[Finding], all: &[Finding]) -> io::Result<()> {
    let numbers = Numbers::of(all);
    html.raw("<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"wide, can be scrolled\"><table>\n<thead><tr><th scope=\"col\">severity</th><th scope=\"col\">kind</th><th scope=\"col\">image</th>")?;
    html.raw("<th scope=\"col\">lost digest</th><th scope=\"col\">gone</th><th scope=\"col\">finding</th></tr></thead>\n<tbody>\n")?;
    for finding in findings {
        html.raw("<tr class=\"finding of ")?.raw(finding.severity.word())?;
        numbers.write(html, &finding.repository)?;
        html.raw("\"><td>")?.raw(finding.severity.word())?.raw("</td><td>")?;
        html.raw(finding.kind.word())?.raw("</td><td><code>")?.log(&finding.repository.name)?;
        if let Some(tag) = &finding.tag {
            html.raw(":")?.log(tag)?;
        }
        html.raw("</code></td><td><code>")?.text(&finding.lost.digest.map_or_else(String::new, |digest| digest.short()))?.raw("</code></td><td>")?;
        match finding.lost.gone_at {
            Some(time) => html.value(time)?,
            None => html.raw("not yet")?,
        };
        html.raw("</td><td><code>")?.text(&finding.id)?.raw("</code></td></tr>\n")?;
    }
    html.raw("</tbody></table></div>\n")?;
    Ok(())
}
