//! The output of `--dry-run`: what a run would read.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::format::{Cell, Format, Look, Rows, SCHEMA_VERSION, no_such_form, write_line};
use super::page::Page;
use super::quantity::{bytes, count, counted};
use crate::source::{PRICES_AS_OF, Plan};

/// What it would take to read one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedSource {
    /// As the user named it.
    pub source: String,
    pub plan: Plan,
}

/// Names and order of the fields, and of the CSV columns.
const COLUMNS: [&str; 8] = [
    "source",
    "objects",
    "objects_other_kind",
    "bytes",
    "list_requests",
    "get_requests",
    "unlistable",
    "request_cost_usd",
];

impl PlannedSource {
    fn numbers(&self) -> [u64; 6] {
        let Plan { objects, objects_other_kind, bytes, list_requests, get_requests, unlistable, .. } =
            self.plan;
        [objects, objects_other_kind, bytes, list_requests, get_requests, unlistable]
    }

    /// To a hundredth of a cent: further digits would mean nothing and differ between machines.
    fn cost_usd(&self) -> f64 {
        (self.plan.request_cost_usd() * 10_000.0).round() / 10_000.0
    }
}

impl Serialize for PlannedSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(COLUMNS.len()))?;
        let [source, numbers @ .., cost] = COLUMNS;
        map.serialize_entry(source, &self.source)?;
        for (name, number) in numbers.iter().zip(self.numbers()) {
            map.serialize_entry(name, &number)?;
        }
        map.serialize_entry(cost, &self.cost_usd())?;
        map.end()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    command: &'static str,
    dry_run: &'a [PlannedSource],
}

/// Writes the plan, in the order of the sources.
pub fn write(
    out: &mut dyn Write,
    look: Look,
    command: &'static str,
    plan: &[PlannedSource],
) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), plan),
        Format::Json => {
            serde_json::to_writer_pretty(
                &mut *out,
                &Document { schema_version: SCHEMA_VERSION, command, dry_run: plan },
            )?;
            writeln!(out)
        }
        Format::Ndjson => plan.iter().try_for_each(|source| write_line(out, source)),
        Format::Csv => write_rows(out, plan),
        _ => Err(no_such_form()),
    }
}

fn write_page(page: &mut Page<'_>, plan: &[PlannedSource]) -> io::Result<()> {
    page.line("Would read (nothing was fetched):")?;
    let mut total = PlannedSource { source: "in all".to_owned(), plan: Plan::default() };
    for source in plan {
        write_source(page, source)?;
        total.plan.add(source.plan.clone());
    }
    if plan.len() > 1 { write_source(page, &total) } else { Ok(()) }
}

fn write_source(page: &mut Page<'_>, source: &PlannedSource) -> io::Result<()> {
    let plan = &source.plan;
    let objects = plan.objects.saturating_sub(plan.objects_other_kind);
    page.point(
        2,
        "",
        &format!("{}: {}, {}", source.source, counted(objects, "object", "objects"), bytes(plan.bytes)),
    )?;
    if plan.objects_other_kind > 0 {
        page.point(4, "", &format!("{} of another kind would be skipped", count(plan.objects_other_kind)))?;
    }
    if plan.unlistable > 0 {
        page.point(4, "", &format!("{} cannot be listed", counted(plan.unlistable, "folder", "folders")))?;
    }
    if plan.pruned.places > 0 {
        page.point(
            4,
            "",
            &format!(
                "{} left out by the filters",
                counted(plan.pruned.places, "folder or object", "folders and objects")
            ),
        )?;
    }
    if plan.list_requests + plan.get_requests > 0 {
        let requests = format!(
            "S3 requests: {} to list, {} to fetch",
            count(plan.list_requests),
            count(plan.get_requests)
        );
        page.point(
            4,
            "",
            &format!(
                "{requests}; about ${:.4} (list prices of us-east-1, {PRICES_AS_OF}; no transfer)",
                source.cost_usd()
            ),
        )?;
    }
    Ok(())
}

fn write_rows(out: &mut dyn Write, plan: &[PlannedSource]) -> io::Result<()> {
    let mut rows = Rows::new(out, &COLUMNS)?;
    for source in plan {
        let cost = Cell::plain(format!("{:.4}", source.cost_usd()));
        rows.row(
            std::iter::once(Cell::text(&source.source))
                .chain(source.numbers().map(Cell::plain))
                .chain([cost]),
        )?;
    }
    rows.finish()
}
