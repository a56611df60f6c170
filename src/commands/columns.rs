//! `--format parquet` of `detect` and `timeline`: the rows that `query` has as the tables `findings` and `images`; and of
//! `verify`, a row each object.

use super::gather::Run;
use crate::failure::Failure;
use crate::model::{CheckedObject, Finding, Timeline, Timestamp};
use crate::sql::{Catalog, Query};
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

/// Writes how objects stand. No query knows them: none reads signatures.
pub fn checked(out: &mut dyn std::io::Write, objects: &[CheckedObject]) -> std::io::Result<()> {
    ui::answer::write_rows(out, &rows::checked(objects))
}

fn write(run: &Run<'_>, table: &'static Table, rows: &Rows) -> Result<Option<u64>, Failure> {
    let mut catalog = Catalog::default();
    catalog.insert(table, rows);
    let query = Query::parse(&format!("SELECT * FROM {}", table.name), &[], Timestamp::from_millis(0));
    let answer = query.and_then(|query| query.run(&catalog)).map_err(|error| Failure::new("cannot write parquet").because(error))?;
    run.write(|out, look, coverage| ui::answer::write(out, look, coverage, &answer, usize::MAX).map(|()| answer.height() as u64))
}
