//! One row of a table as values, in the order of the table's columns: CSV and Parquet are written from
//! these.

use crate::model::{
    CheckedObject, Digest, Finding, Forecast, LogText, Repository, Sha256, StepKind, Timeline, Timestamp,
    WhatIf,
};

/// One value of a column. A time is in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    Text(Option<&'a str>),
    Owned(String),
    Number(Option<i64>),
    Flag(bool),
    Texts(Vec<String>),
}

pub(super) fn log(text: &LogText) -> Cell<'_> {
    Cell::Text(Some(text.raw()))
}

pub(super) fn maybe(text: Option<&LogText>) -> Cell<'_> {
    Cell::Text(text.map(LogText::raw))
}

pub(super) fn time(time: Option<Timestamp>) -> Cell<'static> {
    Cell::Number(time.map(Timestamp::millis))
}

pub(super) fn number(number: u64) -> Cell<'static> {
    Cell::Number(i64::try_from(number).ok())
}

pub(super) fn digest(digest: Option<Digest>) -> Cell<'static> {
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

/// A row of `images`.
pub fn image(timeline: &Timeline) -> Vec<Cell<'_>> {
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
        number(timeline.steps.len() as u64),
        time(timeline.steps.first().map(|step| step.time)),
        time(timeline.steps.last().map(|step| step.time)),
    ]);
    cells
}

/// A row of `findings`.
pub fn finding(finding: &Finding) -> Vec<Cell<'_>> {
    let (deletion, pull) =
        (finding.deletion.as_ref().map(|deletion| &deletion.event), finding.usage.last_pull.as_ref());
    let (second, event) = (finding.second_push(), &finding.second_push);
    let mut cells = vec![
        Cell::Text(Some(&finding.id)),
        Cell::Text(Some(finding.kind.word())),
        Cell::Text(Some(finding.severity.word())),
    ];
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
        time(second.map(|event| event.event_time)),
        maybe(second.and_then(|event| event.actor.as_ref())),
        maybe(second.map(|event| &event.event_id)),
        Cell::Number(second.and(finding.gap_seconds)),
        Cell::Text(Some(finding.order.word())),
        time(deletion.map(|event| event.event_time)),
        maybe(deletion.and_then(|event| event.actor.as_ref())),
        maybe(deletion.map(|event| &event.event_id)),
        Cell::Number(finding.deletion.as_ref().and_then(|deletion| deletion.rule_priority)),
        Cell::Number(finding.exposure_seconds),
        number(finding.usage.pulls_before),
        number(finding.usage.pulls_while_untagged),
        number(finding.usage.pulls_after_gone),
        number(finding.usage.scanner_pulls),
        time(pull.map(|event| event.event_time)),
        maybe(pull.and_then(|event| event.actor.as_ref())),
        maybe(pull.map(|event| &event.event_id)),
        texts(&finding.usage.principals),
        texts(&finding.usage.references),
        Cell::Text(Some(&finding.summary)),
        Cell::Texts(finding.advice.clone()),
        time(Some(event.event_time)),
        log(&event.event_name),
        maybe(event.actor.as_ref()),
        log(&event.event_id),
    ]);
    cells
}

/// A row of `forecast`.
pub fn forecast(forecast: &Forecast) -> Vec<Cell<'_>> {
    let (push, usage) = (forecast.displaced_by.as_ref(), &forecast.usage);
    let (pull, policy) = (usage.last_pull.as_ref(), forecast.policy_event.as_ref());
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
        time(pull.map(|event| event.event_time)),
        maybe(pull.map(|event| &event.event_id)),
        maybe(pull.and_then(|event| event.actor.as_ref())),
        texts(&usage.principals),
        texts(&usage.references),
        time(policy.map(|event| event.event_time)),
        maybe(policy.map(|event| &event.event_id)),
        maybe(policy.and_then(|event| event.actor.as_ref())),
        Cell::Text(Some(&forecast.summary)),
    ]);
    cells
}

/// A row of `whatif`.
pub fn whatif(element: &WhatIf) -> Vec<Cell<'_>> {
    let (usage, logged) = (&element.usage, element.logged.as_ref());
    let (run, pull) = (element.run_event.as_ref(), usage.last_pull.as_ref());
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
        time(run.map(|event| event.event_time)),
        maybe(run.map(|event| &event.event_id)),
        maybe(run.and_then(|event| event.actor.as_ref())),
        Cell::Number(element.rule_priority),
        Cell::Text(element.action.map(|action| action.word())),
        time(element.went_at),
        time(logged.map(|logged| logged.event.event_time)),
        maybe(logged.map(|logged| &logged.event.event_id)),
        maybe(logged.and_then(|logged| logged.event.actor.as_ref())),
        Cell::Number(logged.and_then(|logged| logged.rule_priority)),
        number(usage.pulls_before),
        number(usage.pulls_while_untagged),
        number(usage.pulls_after_gone),
        number(usage.scanner_pulls),
        time(pull.map(|event| event.event_time)),
        maybe(pull.map(|event| &event.event_id)),
        maybe(pull.and_then(|event| event.actor.as_ref())),
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

/// A row of `objects`.
pub fn checked(object: &CheckedObject) -> Vec<Cell<'_>> {
    let sha256 =
        |sha256: Option<Sha256>| sha256.map_or(Cell::Text(None), |sha256| Cell::Owned(sha256.to_string()));
    vec![
        Cell::Text(Some(object.kind.word())),
        log(&object.object),
        Cell::Text(Some(object.verdict.word())),
        Cell::Text(object.severity.map(|severity| severity.word())),
        maybe(object.reason.as_ref()),
        maybe(object.vouched_by.as_ref()),
        sha256(object.expected_sha256),
        sha256(object.actual_sha256),
    ]
}
