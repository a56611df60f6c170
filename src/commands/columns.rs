//! `--format parquet`. The rows of `detect` and `timeline` are those that `query` has as the tables `findings` and `images`; `forecast`
//! and `whatif` have a row each image, `verify` one each object.

use std::io::{self, Write};

use super::gather::Run;
use crate::failure::Failure;
use crate::model::{CheckedObject, Coverage, Finding, Forecast, Timeline, WhatIf};
use crate::sql::Answer;
use crate::tables::{Rows, Table, engine, rows};
use crate::ui::{self, Look};

/// Writes findings; `None` when the reader of stdout closed it early.
pub fn findings(run: &Run<'_>, findings: &[Finding]) -> Result<Option<u64>, Failure> {
    write(run, &engine::FINDINGS, &rows::findings(findings))
}

/// Writes timelines, and says how many there were.
pub fn timelines(run: &Run<'_>, timelines: impl Iterator<Item = Timeline>) -> Result<Option<u64>, Failure> {
    write(run, &engine::IMAGES, &rows::from_timelines(timelines).images)
}

/// Writes how objects stand. No query knows them: none reads signatures.
pub fn checked(out: &mut dyn Write, look: Look, coverage: &Coverage, objects: &[CheckedObject]) -> io::Result<()> {
    let answer = Answer::of_table(&engine::OBJECTS, &rows::checked(objects)).map_err(io::Error::other)?;
    ui::answer::write(out, look, coverage, &answer, usize::MAX)
}

/// Writes forecasts, in their order.
pub fn forecast(run: &Run<'_>, list: impl Iterator<Item = Forecast>) -> Result<Option<u64>, Failure> {
    write(run, &engine::FORECAST, &rows::forecast(list))
}

/// Writes what would have been.
pub fn whatif(run: &Run<'_>, list: impl Iterator<Item = WhatIf>) -> Result<Option<u64>, Failure> {
    write(run, &engine::WHATIF, &rows::whatif(list))
}

fn write(run: &Run<'_>, table: &Table, rows: &Rows) -> Result<Option<u64>, Failure> {
    let answer = Answer::of_table(table, rows);
    run.write(|out, look, coverage| {
        let answer = answer.map_err(io::Error::other)?;
        ui::answer::write(out, look, coverage, &answer, usize::MAX).map(|()| answer.height() as u64)
    })
}
