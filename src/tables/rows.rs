//! The engine's results → rows of its tables.

use super::builder::Builder;
use super::cells::{self, Cell, digest, log, maybe, number, place, time};
use super::{Rows, Table, engine};
use crate::model::{
    CheckedObject, Coverage, EventRef, Finding, Forecast, StepKind, TagSpan, TagTimeline, Timeline,
    TimelineStep, WhatIf,
};

/// A table that is built row by row; cells are in the order of the table's columns.
pub(super) struct Growing {
    columns: Vec<(&'static str, Builder)>,
    height: usize,
}

impl Growing {
    pub(super) fn new(table: &Table) -> Self {
        Self {
            columns: (table.columns)()
                .into_iter()
                .map(|column| (column.name, Builder::new(&column.kind)))
                .collect(),
            height: 0,
        }
    }

    pub(super) fn push<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        for ((_, builder), cell) in self.columns.iter_mut().zip(cells) {
            match cell {
                Cell::Text(text) => builder.push_text(text),
                Cell::Owned(text) => builder.push_text(Some(&text)),
                Cell::Number(number) => builder.push_number(number),
                Cell::Flag(flag) => builder.push_truth(flag),
                Cell::Texts(texts) => builder.push_texts(&texts),
            }
        }
        self.height += 1;
    }

    pub(super) fn finish(mut self) -> Rows {
        let columns = self.columns.iter_mut().map(|(name, builder)| (*name, builder.take(name))).collect();
        Rows { columns, height: self.height }
    }
}

fn event(event: &EventRef) -> [Cell<'_>; 8] {
    [
        log(&event.event_id),
        log(&event.event_name),
        time(Some(event.event_time)),
        maybe(event.actor.as_ref()),
        maybe(event.source_ip.as_ref()),
        maybe(event.user_agent.as_ref()),
        log(&event.object),
        number(event.record),
    ]
}

/// `images`, `steps` and `references`, which are made from timelines.
#[derive(Debug, Default)]
pub struct FromTimelines {
    pub images: Rows,
    pub steps: Rows,
    pub references: Rows,
}

/// Makes all tables that come from timelines in one pass.
pub fn from_timelines(timelines: impl Iterator<Item = Timeline>) -> FromTimelines {
    let (mut images, mut steps, mut references) =
        (Growing::new(&engine::IMAGES), Growing::new(&engine::STEPS), Growing::new(&engine::REFERENCES));
    for timeline in timelines {
        images.push(cells::image(&timeline));
        for step in &timeline.steps {
            steps.push(one_step(&timeline, step));
            if matches!(step.kind, StepKind::Referenced | StepKind::TaskStopped) {
                references.push(reference(&timeline, step));
            }
        }
    }
    FromTimelines { images: images.finish(), steps: steps.finish(), references: references.finish() }
}

fn one_step<'a>(timeline: &'a Timeline, step: &'a TimelineStep) -> Vec<Cell<'a>> {
    let mut cells: Vec<Cell<'_>> = place(&timeline.repository).into();
    cells.extend([
        digest(Some(timeline.digest)),
        time(Some(step.time)),
        Cell::Text(Some(step.kind.word())),
        maybe(step.tag.as_ref()),
        digest(step.other_digest),
        Cell::Text(Some(step.order.word())),
    ]);
    cells.extend(event(&step.event));
    cells
}

fn reference<'a>(timeline: &'a Timeline, step: &'a TimelineStep) -> Vec<Cell<'a>> {
    let mut cells: Vec<Cell<'_>> = place(&timeline.repository).into();
    cells.extend([
        digest(Some(timeline.digest)),
        time(Some(step.time)),
        Cell::Text(Some(step.kind.word())),
        maybe(step.tag.as_ref()),
    ]);
    cells.extend(event(&step.event));
    cells
}

/// `tags`: a row for each span.
pub fn tags(tags: impl Iterator<Item = TagTimeline>) -> Rows {
    let mut rows = Growing::new(&engine::TAGS);
    for tag in tags {
        for (at, span) in tag.spans.iter().enumerate() {
            let next = tag.spans.get(at + 1).and_then(|next| next.since);
            let after = |event: &&EventRef| {
                span.until.is_some_and(|until| until <= event.event_time)
                    && next.is_none_or(|next| event.event_time < next)
            };
            rows.push(one_span(&tag, span, tag.asked_in_vain.iter().filter(after).count() as u64));
        }
    }
    rows.finish()
}

fn one_span<'a>(tag: &'a TagTimeline, span: &'a TagSpan, asked: u64) -> Vec<Cell<'a>> {
    let (given, ended) = (span.given_by.as_ref(), span.ended_by.as_ref());
    let mut cells: Vec<Cell<'_>> = place(&tag.repository).into();
    cells.extend([
        log(&tag.tag),
        digest(Some(span.digest)),
        time(span.since),
        maybe(given.map(|event| &event.event_id)),
        maybe(given.and_then(|event| event.actor.as_ref())),
        time(span.until),
        Cell::Text(span.end.map(|end| end.word())),
        maybe(ended.map(|event| &event.event_id)),
        maybe(ended.and_then(|event| event.actor.as_ref())),
        digest(span.moved_to),
        number(span.pulls),
        number(asked),
        Cell::Text(Some(span.order.word())),
    ]);
    cells
}

/// `findings`.
pub fn findings(findings: &[Finding]) -> Rows {
    let mut rows = Growing::new(&engine::FINDINGS);
    for finding in findings {
        rows.push(cells::finding(finding));
    }
    rows.finish()
}

/// `objects`.
pub fn checked(objects: &[CheckedObject]) -> Rows {
    let mut rows = Growing::new(&engine::OBJECTS);
    for object in objects {
        rows.push(cells::checked(object));
    }
    rows.finish()
}

/// `forecast`, in the order given.
pub fn forecast(list: impl Iterator<Item = Forecast>) -> Rows {
    let mut rows = Growing::new(&engine::FORECAST);
    list.for_each(|forecast| rows.push(cells::forecast(&forecast)));
    rows.finish()
}

/// `whatif`.
pub fn whatif(list: impl Iterator<Item = WhatIf>) -> Rows {
    let mut rows = Growing::new(&engine::WHATIF);
    list.for_each(|element| rows.push(cells::whatif(&element)));
    rows.finish()
}

/// `coverage`: one row.
pub fn coverage(coverage: &Coverage) -> Rows {
    let mut rows = Growing::new(&engine::COVERAGE);
    let mut cells = vec![
        number(coverage.objects_listed),
        number(coverage.objects_read),
        number(coverage.objects_skipped),
        number(coverage.objects_left_out),
        number(coverage.objects_failed),
        number(coverage.bytes_compressed),
        number(coverage.bytes_decompressed),
        number(coverage.records),
        number(coverage.records_relevant),
        number(coverage.records_duplicate),
        number(coverage.records_failed),
        number(coverage.records_skipped),
        number(coverage.lines_skipped),
        number(coverage.records_repaired.records),
    ];
    cells.extend(coverage.records_repaired.kinds().map(|(_, records)| number(records)));
    cells.extend([
        number(coverage.events_sharing_an_id),
        time(coverage.first_event_time),
        time(coverage.last_event_time),
        Cell::Flag(coverage.partial),
        Cell::Texts(coverage.warnings.clone()),
    ]);
    rows.push(cells);
    rows.finish()
}
