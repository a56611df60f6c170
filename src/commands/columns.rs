//! `--format parquet` of `detect`, `timeline`, `forecast` and `whatif`, where the rows of the first two are those that `query` has as
//! the tables `findings` and `images`; and of `verify`, a row each object.

use super::gather::Run;
use crate::failure::Failure;
use crate::model::{CheckedObject, Finding, Forecast, Timeline, WhatIf};
use crate::sql::Answer;
use crate::tables::{Rows, Table, engine, rows};
use crate::ui;

/// Writes findings; `None` when the reader of stdout closed it early.
pub fn findings(run: &Run<'_>, findings: &[Finding]) -> Result<Option<u64>, Failure> {
    write(run, &engine::FINDINGS, &rows::findings(findings))
}

/// Writes timelines, and says how many there were.
pub fn timelines(run: &Run<'_>, timelines: impl Iterator<Item = Timeline>) -> Result<Option<u64>, Failure> {
    write(run, &engine::IMAGES, &rows::from_timelines(timelines).images)
}

/// Writes forecasts, in their order.
pub fn forecast(run: &Run<'_>, list: impl Iterator<Item = Forecast>) -> Result<Option<u64>, Failure> {
    write(run, &engine::FORECAST, &rows::forecast(list))
}

/// Writes what would have been.
pub fn whatif(run: &Run<'_>, list: impl Iterator<Item = WhatIf>) -> Result<Option<u64>, Failure> {
    write(run, &engine::WHATIF, &rows::whatif(list))
}

/// Writes how objects stand. No query knows them: none reads signatures.
pub fn checked(out: &mut dyn std::io::Write, objects: &[CheckedObject]) -> std::io::Result<()> {
    ui::answer::write_rows(out, &rows::checked(objects))
}

fn write(run: &Run<'_>, table: &Table, rows: &Rows) -> Result<Option<u64>, Failure> {
    let answer = Answer::of_table(table, rows);
    run.write(|out, look, coverage| ui::answer::write(out, look, coverage, &answer, usize::MAX).map(|()| answer.height() as u64))
}
