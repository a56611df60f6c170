//! What `--dry-run` shows: what a run would read.

use std::io::{self, Write};

use serde::Serialize;

use super::format::{Cell, Format, Look, Rows, SCHEMA_VERSION, write_line};
use super::page::Page;
use super::quantity::{bytes, count, counted};

/// What one source would cost to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedSource {
    /// As the user named it.
    pub source: String,
    /// Objects left after pruning by key.
    pub objects: u64,
    /// Bytes as stored.
    pub bytes: u64,
    /// Requests that list; 0 for local sources.
    pub list_requests: u64,
    /// Requests that fetch; 0 for local sources.
    pub get_requests: u64,
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    command: &'static str,
    dry_run: &'a [PlannedSource],
}

/// Writes the plan, in the order of the sources.
pub fn write(out: &mut dyn Write, look: Look, command: &'static str, plan: &[PlannedSource]) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), plan),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &Document { schema_version: SCHEMA_VERSION, command, dry_run: plan })?;
            writeln!(out)
        }
        Format::Ndjson => plan.iter().try_for_each(|source| write_line(out, source)),
        Format::Csv => write_rows(out, plan),
    }
}

fn write_page(page: &mut Page<'_>, plan: &[PlannedSource]) -> io::Result<()> {
    page.line("Would read (nothing was fetched):")?;
    for source in plan {
        page.point(2, "", &format!("{}: {}", source.source, costs(source)))?;
    }
    if plan.len() > 1 {
        page.point(2, "", &format!("in all: {}", costs(&total(plan))))?;
    }
    Ok(())
}

fn costs(source: &PlannedSource) -> String {
    let mut text = format!("{}, {}", counted(source.objects, "object", "objects"), bytes(source.bytes));
    if source.list_requests + source.get_requests > 0 {
        text.push_str(&format!("; S3 requests: {} to list, {} to fetch", count(source.list_requests), count(source.get_requests)));
    }
    text
}

fn total(plan: &[PlannedSource]) -> PlannedSource {
    let sum = |of: fn(&PlannedSource) -> u64| plan.iter().map(of).fold(0, u64::saturating_add);
    PlannedSource {
        source: String::new(),
        objects: sum(|source| source.objects),
        bytes: sum(|source| source.bytes),
        list_requests: sum(|source| source.list_requests),
        get_requests: sum(|source| source.get_requests),
    }
}

fn write_rows(out: &mut dyn Write, plan: &[PlannedSource]) -> io::Result<()> {
    let mut rows = Rows::new(out, &["source", "objects", "bytes", "list_requests", "get_requests"])?;
    for source in plan {
        let numbers = [source.objects, source.bytes, source.list_requests, source.get_requests].map(Cell::plain);
        rows.row(std::iter::once(Cell::text(&source.source)).chain(numbers))?;
    }
    rows.finish()
}
