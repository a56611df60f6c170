//! Timelines in Markdown: a row for each image, and the steps of the first images.

use std::io::{self, Write};

use super::{Cell, Markdown, ROWS_MAX, TOLD_MAX};
use crate::model::{Coverage, TagTimeline, Timeline};
use crate::ui::escape::Escape;
use crate::ui::quantity::{count, counted};
use crate::ui::timelines::{headline, runs_of_steps, step_text};

/// Maximum number of steps that are shown of one image: the first and the last.
const STEPS_MAX: usize = 40;

pub fn write(
    out: &mut dyn Write,
    coverage: &Coverage,
    mut timelines: impl Iterator<Item = Timeline>,
    tags: impl Iterator<Item = TagTimeline>,
) -> io::Result<()> {
    let page = &mut Markdown::new(out);
    let first: Vec<Timeline> = timelines.by_ref().take(ROWS_MAX).collect();
    let rest = timelines.count();
    page.heading(2, &counted((first.len() + rest) as u64, "image", "images"))?;
    if !first.is_empty() {
        page.columns(&["image", "digest", "state", "tags", "pushed", "untagged", "gone"])?;
        first.iter().try_for_each(|timeline| page.row(&row(timeline)))?;
        page.more(rest, "image is", "images are")?;
        page.blank()?;
    }
    tags.take(TOLD_MAX).try_for_each(|tag| write_tag(page, &tag))?;
    first.iter().take(TOLD_MAX).try_for_each(|timeline| write_timeline(page, timeline))?;
    page.coverage(coverage)
}

fn row(timeline: &Timeline) -> [Cell; 7] {
    let time = |time: Option<crate::model::Timestamp>| {
        Cell::code(&time.map(|time| time.to_string()).unwrap_or_default())
    };
    let tags: Vec<_> = timeline.tags.iter().map(|tag| tag.for_terminal()).collect();
    [
        Cell::log(Some(&timeline.repository.name)),
        Cell::code(&timeline.digest.short()),
        Cell::prose(&timeline.state.word().replace('_', " ")),
        Cell::code(&tags.join(", ")),
        time(timeline.pushed_at),
        time(timeline.untagged_at),
        time(timeline.gone_at),
    ]
}

fn write_timeline(page: &mut Markdown<'_>, timeline: &Timeline) -> io::Result<()> {
    let runs = runs_of_steps(&timeline.steps);
    page.details(
        "The life of",
        &format!("{} {}", timeline.repository.name.for_terminal(), timeline.digest.short()),
        |page| {
            page.paragraph(&headline(timeline))?;
            let left_out = runs.len().saturating_sub(STEPS_MAX);
            for (at, run) in runs.iter().enumerate() {
                if left_out > 0 && at == STEPS_MAX / 2 {
                    page.point(
                        None,
                        &format!("{} are left out here", counted(left_out as u64, "step", "steps")),
                    )?;
                }
                if let Some(step) =
                    run.first().filter(|_| at < STEPS_MAX / 2 || at >= STEPS_MAX / 2 + left_out)
                {
                    page.point(None, &step_text(step, run, true))?;
                }
            }
            Ok(())
        },
    )
}

fn write_tag(page: &mut Markdown<'_>, tag: &TagTimeline) -> io::Result<()> {
    page.details(
        "The life of tag",
        &format!("{}:{}", tag.repository.name.for_terminal(), tag.tag.for_terminal()),
        |page| {
            page.paragraph(&crate::ui::tags::headline(tag))?;
            tag.spans
                .iter()
                .try_for_each(|span| page.point(None, &crate::ui::tags::span_text(span, true)))?;
            match tag.asked_in_vain.len() {
                0 => Ok(()),
                number => page.point(None, &format!("asked for in vain {} times", count(number as u64))),
            }
        },
    )
}
