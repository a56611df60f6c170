//! What the engine found out → rows of its own tables.

use super::builder::Builder;
use super::{Rows, Table, engine};
use crate::model::{
    CheckedObject, Coverage, Digest, EventRef, Finding, Forecast, LogText, Repository, StepKind, TagSpan, TagTimeline, Timeline, TimelineStep,
    Timestamp, WhatIf,
};

/// One value on its way into a column.
pub(super) enum Cell<'a> {
    Text(Option<&'a str>),
    Owned(String),
    Number(Option<i64>),
    Flag(bool),
    Texts(Vec<String>),
}

/// A table that grows row by row; cells come in the order in which the table declares its columns.
pub(super) struct Growing {
    columns: Vec<(&'static str, Builder)>,
    height: usize,
}

impl Growing {
    pub(super) fn new(table: &Table) -> Self {
        Self { columns: (table.columns)().into_iter().map(|column| (column.name, Builder::new(&column.kind))).collect(), height: 0 }
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

fn log(text: &LogText) -> Cell<'_> {
    Cell::Text(Some(text.raw()))
}

fn maybe(text: Option<&LogText>) -> Cell<'_> {
    Cell::Text(text.map(LogText::raw))
}

pub(super) fn time(time: Option<Timestamp>) -> Cell<'static> {
    Cell::Number(time.map(Timestamp::millis))
}

fn number(number: u64) -> Cell<'static> {
    Cell::Number(i64::try_from(number).ok())
}

fn digest(digest: Option<Digest>) -> Cell<'static> {
    digest.map_or(Cell::Text(None), |digest| Cell::Owned(digest.to_string()))
}

fn texts(list: &[LogText]) -> Cell<'static> {
    Cell::Texts(list.iter().map(|text| text.raw().to_owned()).collect())
}

fn digests(list: &[Digest]) -> Cell<'static> {
    Cell::Texts(list.iter().map(ToString::to_string).collect())
}

pub(super) fn place(repository: &Repository) -> [Cell<'_>; 3] {
    [log(&repository.registry_id), log(&repository.region), log(&repository.name)]
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

/// `images`, `steps` and `references`, from timelines.
#[derive(Debug, Default)]
pub struct FromTimelines {
    pub images: Rows,
    pub steps: Rows,
    pub references: Rows,
}

/// Walks timelines once and makes all tables that come from them.
pub fn from_timelines(timelines: impl Iterator<Item = Timeline>) -> FromTimelines {
    let (mut images, mut steps, mut references) = (Growing::new(&engine::IMAGES), Growing::new(&engine::STEPS), Growing::new(&engine::REFERENCES));
    for timeline in timelines {
        images.push(image(&timeline));
        for step in &timeline.steps {
            steps.push(one_step(&timeline, step));
            if matches!(step.kind, StepKind::Referenced | StepKind::TaskStopped) {
                references.push(reference(&timeline, step));
            }
        }
    }
    FromTimelines { images: images.finish(), steps: steps.finish(), references: references.finish() }
}

fn image(timeline: &Timeline) -> Vec<Cell<'_>> {
    let pulls = timeline.steps.iter().filter(|step| step.kind == StepKind::Pull).count();
    let mut cells: Vec<Cell<'_>> = place(&timeline.repository).into();
    cells.extend([
        digest(Some(timeline.digest)),
        Cell::Text(Some(timeline.state.word())),
        texts(&timeline.tags),
        time(timeline.pushed_at),
        time(timeline.untagged_at),
        Cell::Text(timeline.untagged_by.map(|cause| cause.word())),
        time(timeline.gone_at),
        Cell::Flag(timeline.open_start),
        Cell::Number(Some(timeline.lives.into())),
        digests(&timeline.parents),
        digests(&timeline.children),
        maybe(timeline.media_type.as_ref()),
        number(pulls as u64),
    ]);
    cells
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
    cells.extend([digest(Some(timeline.digest)), time(Some(step.time)), Cell::Text(Some(step.kind.word())), maybe(step.tag.as_ref())]);
    cells.extend(event(&step.event));
    cells
}

/// `tags`: a row for each span.
pub fn tags(tags: impl Iterator<Item = TagTimeline>) -> Rows {
    let mut rows = Growing::new(&engine::TAGS);
    for tag in tags {
        for (at, span) in tag.spans.iter().enumerate() {
            let next = tag.spans.get(at + 1).and_then(|next| next.since);
            let after =
                |event: &&EventRef| span.until.is_some_and(|until| until <= event.event_time) && next.is_none_or(|next| event.event_time < next);
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
        rows.push(one_finding(finding));
    }
    rows.finish()
}

fn one_finding(finding: &Finding) -> Vec<Cell<'_>> {
    let mut cells = vec![Cell::Text(Some(&finding.id)), Cell::Text(Some(finding.kind.word())), Cell::Text(Some(finding.severity.word()))];
    cells.extend(place(&finding.repository));
    cells.extend([
        maybe(finding.tag.as_ref()),
        digest(finding.lost.digest),
        digest(finding.kept.digest),
        time(finding.lost.pushed_at),
        time(finding.lost.untagged_at),
        time(finding.lost.gone_at),
        time(finding.first_push.as_ref().map(|event| event.event_time)),
        maybe(finding.first_push.as_ref().and_then(|event| event.actor.as_ref())),
        maybe(finding.first_push.as_ref().map(|event| &event.event_id)),
        time(Some(finding.second_push.event_time)),
        maybe(finding.second_push.actor.as_ref()),
        log(&finding.second_push.event_id),
        Cell::Number(finding.gap_seconds),
        Cell::Text(Some(finding.order.word())),
        maybe(finding.deletion.as_ref().map(|deletion| &deletion.event.event_id)),
        Cell::Number(finding.deletion.as_ref().and_then(|deletion| deletion.rule_priority)),
        Cell::Number(finding.exposure_seconds),
        number(finding.usage.pulls_before),
        number(finding.usage.pulls_while_untagged),
        number(finding.usage.pulls_after_gone),
        number(finding.usage.scanner_pulls),
        texts(&finding.usage.principals),
        texts(&finding.usage.references),
        Cell::Text(Some(&finding.summary)),
        Cell::Texts(finding.advice.clone()),
    ]);
    cells
}

/// `objects`.
pub fn checked(objects: &[CheckedObject]) -> Rows {
    let mut rows = Growing::new(&engine::OBJECTS);
    for object in objects {
        let sha256 = |sha256: Option<crate::model::Sha256>| sha256.map_or(Cell::Text(None), |sha256| Cell::Owned(sha256.to_string()));
        rows.push([
            Cell::Text(Some(object.kind.word())),
            log(&object.object),
            Cell::Text(Some(object.verdict.word())),
            Cell::Text(object.severity.map(|severity| severity.word())),
            maybe(object.reason.as_ref()),
            maybe(object.vouched_by.as_ref()),
            sha256(object.expected_sha256),
            sha256(object.actual_sha256),
        ]);
    }
    rows.finish()
}

/// `forecast`, in the order given.
pub fn forecast(list: impl Iterator<Item = Forecast>) -> Rows {
    let mut rows = Growing::new(&engine::FORECAST);
    list.for_each(|forecast| rows.push(one_forecast(&forecast)));
    rows.finish()
}

fn one_forecast(forecast: &Forecast) -> Vec<Cell<'_>> {
    let (push, usage) = (forecast.displaced_by.as_ref(), &forecast.usage);
    let mut cells: Vec<Cell<'_>> = place(&forecast.repository).into();
    cells.extend([
        digest(Some(forecast.digest)),
        texts(&forecast.tags),
        Cell::Text(Some(forecast.state.word())),
        time(forecast.pushed_at),
        time(forecast.untagged_at),
        Cell::Flag(forecast.open_start),
        Cell::Flag(forecast.displaced),
        time(push.map(|push| push.event_time)),
        maybe(push.map(|push| &push.event_id)),
        maybe(push.and_then(|push| push.actor.as_ref())),
        maybe(forecast.displaced_tag.as_ref()),
        Cell::Text(Some(forecast.outlook.word())),
        Cell::Number(forecast.rule_priority),
        Cell::Text(forecast.action.map(|action| action.word())),
        time(forecast.eligible_at),
        time(forecast.expected_by),
        Cell::Flag(forecast.no_grace),
        Cell::Number(forecast.survives_pushes.and_then(|number| i64::try_from(number).ok())),
        digests(&forecast.held_by),
        Cell::Flag(forecast.needed),
        Cell::Text(forecast.severity.map(|severity| severity.word())),
        texts(&forecast.needed_by),
        number(usage.pulls_before),
        number(usage.pulls_while_untagged),
        time(usage.last_pull.as_ref().map(|pull| pull.event_time)),
        texts(&usage.principals),
        texts(&usage.references),
        maybe(forecast.policy_event.as_ref().map(|event| &event.event_id)),
        Cell::Text(Some(&forecast.summary)),
    ]);
    cells
}

/// `whatif`.
pub fn whatif(list: impl Iterator<Item = WhatIf>) -> Rows {
    let mut rows = Growing::new(&engine::WHATIF);
    list.for_each(|element| rows.push(one_whatif(&element)));
    rows.finish()
}

fn one_whatif(element: &WhatIf) -> Vec<Cell<'_>> {
    let (usage, logged) = (&element.usage, element.logged.as_ref());
    let mut cells: Vec<Cell<'_>> = place(&element.repository).into();
    cells.extend([
        digest(Some(element.digest)),
        texts(&element.tags),
        time(element.pushed_at),
        time(element.untagged_at),
        Cell::Flag(element.displaced),
        Cell::Text(Some(element.outcome.word())),
        time(element.would_go_at),
        Cell::Text(element.run.map(|run| run.word())),
        maybe(element.run_event.as_ref().map(|event| &event.event_id)),
        Cell::Number(element.rule_priority),
        Cell::Text(element.action.map(|action| action.word())),
        time(element.went_at),
        maybe(logged.map(|logged| &logged.event.event_id)),
        Cell::Number(logged.and_then(|logged| logged.rule_priority)),
        number(usage.pulls_before),
        number(usage.pulls_while_untagged),
        number(usage.pulls_after_gone),
        number(usage.scanner_pulls),
        time(usage.last_pull.as_ref().map(|pull| pull.event_time)),
        Cell::Flag(element.pulled_after),
        Cell::Flag(element.needed),
        Cell::Text(element.severity.map(|severity| severity.word())),
        texts(&element.pinned_by),
        texts(&usage.principals),
        texts(&usage.references),
        Cell::Text(Some(&element.explanation)),
        Cell::Text(Some(&element.summary)),
    ]);
    cells
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
