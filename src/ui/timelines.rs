//! The output of `timeline`. Timelines come one at a time and are not kept: an archive may have millions.

use std::cell::Cell as Slot;
use std::io::{self, Write};

use serde::Serialize;

use super::columns::TableRows;
use super::coverage;
use super::escape::Escape;
use super::format::{Format, Look, Streamed, no_such_form, write_document, write_line};
use super::lanes::{Picture, draw};
use super::page::Page;
use super::paint::Style;
use super::quantity::{count, counted};
use crate::model::{
    Coverage, Digest, ImageState, LogText, Order, Repository, StepKind, TagTimeline, Timeline, TimelineStep,
    folded,
};
use crate::tables::{cells, engine};

/// What a page of timelines shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Telling {
    pub style: Style,
    /// Show every step with its event and object.
    pub evidence: bool,
}

/// Writes timelines in the order given, and returns their number. The lives of tags are only in the JSON
/// document and on the page; the row formats have images alone.
pub fn write(
    out: &mut dyn Write,
    look: Look,
    telling: Telling,
    coverage: &Coverage,
    timelines: impl Iterator<Item = Timeline>,
    tags: impl Iterator<Item = TagTimeline>,
) -> io::Result<u64> {
    let mut written = 0;
    let style = telling.style;
    let counted = timelines.inspect(|_| written += 1);
    match look.format {
        Format::Table => write_page(
            &mut Page::new(out, look.columns).styled(style),
            coverage,
            counted,
            tags,
            telling.evidence,
        )?,
        Format::Json => {
            let (timelines, tags) = (Streamed(Slot::new(Some(counted))), Streamed(Slot::new(Some(tags))));
            write_document(out, "timeline", coverage, Body { timelines, tags })?;
        }
        Format::Ndjson => counted.into_iter().try_for_each(|timeline| write_line(out, &timeline))?,
        Format::Csv => write_rows(out, counted)?,
        Format::Markdown => super::markdown::write_timelines(out, coverage, counted, tags)?,
        Format::Timesketch => super::timesketch::write_timelines(out, counted)?,
        _ => return Err(no_such_form()),
    }
    Ok(written)
}

#[derive(Serialize)]
struct Body<L, T> {
    timelines: L,
    tags: T,
}

fn write_page(
    page: &mut Page<'_>,
    coverage: &Coverage,
    timelines: impl Iterator<Item = Timeline>,
    tags: impl Iterator<Item = TagTimeline>,
    evidence: bool,
) -> io::Result<()> {
    coverage::write_head(page, coverage)?;
    write_tags(page, tags, evidence)?;
    let mut repository: Option<Repository> = None;
    for timeline in timelines {
        if repository.as_ref() != Some(&timeline.repository) {
            write_repository(page, &timeline.repository)?;
            repository = Some(timeline.repository.clone());
        }
        write_timeline(page, &timeline, evidence)?;
    }
    if repository.is_none() {
        page.line("No timelines.")?;
    } else if !evidence {
        page.point(0, "", "--evidence lists the steps of each, with their events and objects.")?;
        if !coverage.failures.is_empty() {
            page.blank()?;
        }
    }
    coverage::write_failures(page, coverage)
}

/// Each tag under the heading of its repository.
fn write_tags(
    page: &mut Page<'_>,
    tags: impl Iterator<Item = TagTimeline>,
    evidence: bool,
) -> io::Result<()> {
    let mut repository: Option<Repository> = None;
    for tag in tags {
        if repository.as_ref() != Some(&tag.repository) {
            write_repository(page, &tag.repository)?;
            repository = Some(tag.repository.clone());
        }
        super::tags::write(page, &tag, evidence)?;
    }
    Ok(())
}

fn write_repository(page: &mut Page<'_>, repository: &Repository) -> io::Result<()> {
    let Repository { registry_id, region, name } = repository;
    page.line(&format!(
        "{} in {}, {}",
        name.for_terminal(),
        registry_id.for_terminal(),
        region.for_terminal()
    ))?;
    page.blank()
}

fn write_timeline(page: &mut Page<'_>, timeline: &Timeline, evidence: bool) -> io::Result<()> {
    page.point(2, "", &headline(timeline))?;
    write_relatives(page, "child of", &timeline.parents)?;
    write_relatives(page, "holds", &timeline.children)?;
    let picture = Picture::of_life(timeline);
    // Without a picture, the steps are all that there is to see.
    let in_words = picture.is_none() && !evidence;
    if let Some(picture) = picture {
        let drawn = draw::lines(&picture, page.width() - 4, page.style());
        drawn.iter().try_for_each(|line| page.painted(4, line))?;
    }
    for run in runs_of_steps(&timeline.steps).into_iter().filter(|_| evidence || in_words) {
        run.first().map_or(Ok(()), |step| page.point(4, "", &step_text(step, run, evidence)))?;
    }
    page.blank()
}

/// `sha256:0123456789ab  expired  v7, latest  (open start, 2 lives)`.
pub(super) fn headline(timeline: &Timeline) -> String {
    let mut parts = vec![timeline.digest.short(), timeline.state.word().to_owned()];
    let tags: Vec<_> = timeline.tags.iter().map(|tag| tag.for_terminal()).collect();
    parts.push(if tags.is_empty() {
        "without a tag".to_owned()
    } else {
        format!("tagged {}", tags.join(", "))
    });
    let gone = if timeline.state == ImageState::Archived { "in the archive since" } else { "gone" };
    for (word, time) in
        [("pushed", timeline.pushed_at), ("untagged", timeline.untagged_at), (gone, timeline.gone_at)]
    {
        parts.extend(time.map(|time| format!("{word} {time}")));
    }
    if timeline.state == ImageState::Archived {
        let asked = timeline
            .steps
            .iter()
            .rev()
            .take_while(|step| step.kind != StepKind::Archive)
            .find(|step| step.kind == StepKind::RestoreRequested);
        parts.extend(asked.map(|step| format!("a restore asked for {}", step.time)));
    }
    parts.extend(timeline.untagged_by.map(|cause| cause.word().replace('_', " ")));
    if timeline.open_start {
        parts.push("its beginning lies before the logs".to_owned());
    }
    if timeline.lives > 1 {
        parts.push(counted(timeline.lives.into(), "life", "lives"));
    }
    parts.join(", ").replacen(", ", " ", 1)
}

fn write_relatives(page: &mut Page<'_>, label: &str, digests: &[Digest]) -> io::Result<()> {
    if digests.is_empty() {
        return Ok(());
    }
    page.item(4, label, &digests.iter().map(Digest::short).collect::<Vec<_>>().join(", "))
}

/// Groups steps that repeat each other.
pub(super) fn runs_of_steps(steps: &[TimelineStep]) -> Vec<&[TimelineStep]> {
    steps.chunk_by(repeats).collect()
}

/// Whether `other` merely repeats `step`, as thousands of pulls do.
fn repeats(step: &TimelineStep, other: &TimelineStep) -> bool {
    matches!(step.kind, StepKind::Pull | StepKind::PullFailed)
        && (step.kind, &step.tag, &step.event.actor) == (other.kind, &other.tag, &other.event.actor)
}

/// `2026-03-02T10:00:09Z tag_lost v7 to sha256:… by ARN in KEY#3`.
pub(super) fn step_text(step: &TimelineStep, run: &[TimelineStep], evidence: bool) -> String {
    let mut text = format!("{} {}", step.time, step.kind.word());
    if let Some(tag) = &step.tag {
        text.push_str(&format!(" {}", tag.for_terminal()));
    }
    if let Some(other) = step.other_digest {
        let word = if step.kind == StepKind::TagLost { "to" } else { "from" };
        text.push_str(&format!(" {word} {}", other.short()));
    }
    if let (Some(last), true) = (run.last(), run.len() > 1) {
        text.push_str(&format!(", {} times until {}", count(run.len() as u64), last.time));
    }
    if step.order != Order::Observed {
        text.push_str(&format!(" (order {})", step.order.word()));
    }
    if let Some(actor) = &step.event.actor {
        text.push_str(&by(actor, evidence));
    }
    if !evidence {
        return text;
    }
    text + &format!(" in {}#{}", step.event.object.for_terminal(), step.event.record)
}

/// ` by ARN`, or by a session's role.
pub(super) fn by(actor: &LogText, evidence: bool) -> String {
    let name = if evidence {
        actor.clone()
    } else {
        folded([actor.raw()]).into_iter().next().map_or_else(|| actor.clone(), LogText::from)
    };
    format!(" by {}", name.for_terminal())
}

fn write_rows(out: &mut dyn Write, mut timelines: impl Iterator<Item = Timeline>) -> io::Result<()> {
    let mut rows = TableRows::new(out, &engine::IMAGES)?;
    timelines.try_for_each(|timeline| rows.push(cells::image(&timeline)))?;
    rows.finish()
}
