//! `--format parquet`. The rows of `detect` and `timeline` are those of the tables `findings` and `images`
//! in `query`; `forecast` and `whatif` have a row for each image, `verify` one for each object.

use std::io::{self, Write};

use super::gather::Run;
use crate::failure::Failure;
use crate::model::{CheckedObject, Coverage, Finding, Forecast, Timeline, WhatIf};
use crate::sql::Answer;
use crate::tables::{Rows, Table, engine, rows};
use crate::ui::{self, Look};

/// Writes findings; `None` if the reader of stdout closed it early.
pub fn findings(run: &Run<'_>, findings: &[Finding]) -> Result<Option<u64>, Failure> {
    write(run, &engine::FINDINGS, &rows::findings(findings))
}

/// Writes timelines, and returns their number.
pub fn timelines(run: &Run<'_>, timelines: impl Iterator<Item = Timeline>) -> Result<Option<u64>, Failure> {
    write(run, &engine::IMAGES, &rows::from_timelines(timelines).images)
}

/// Writes the results for objects. No query has them, because queries do not check signatures.
pub fn checked(
    out: &mut dyn Write,
    look: Look,
    coverage: &Coverage,
    objects: &[CheckedObject],
) -> io::Result<()> {
    let answer = Answer::of_table(&engine::OBJECTS, &rows::checked(objects)).map_err(io::Error::other)?;
    ui::answer::write(out, look, coverage, &answer, usize::MAX)
}

/// Writes forecasts in their order.
pub fn forecast(run: &Run<'_>, list: impl Iterator<Item = Forecast>) -> Result<Option<u64>, Failure> {
    write(run, &engine::FORECAST, &rows::forecast(list))
}

/// Writes what another policy would have taken.
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
