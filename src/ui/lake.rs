//! The output of `lake check`.

use std::io::{self, Write};

use serde::Serialize;

use super::escape::Escape;
use super::quantity::{bytes, counted};
use crate::lake::Report;

/// How to write it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
}

#[derive(Serialize)]
struct Document<'r> {
    schema_version: u32,
    command: &'static str,
    commits: u64,
    files: u64,
    events: u64,
    bytes: u64,
    without_checksums: u64,
    taken_over: u64,
    damaged: Vec<Damaged<'r>>,
    strays: &'r [String],
}

#[derive(Serialize)]
struct Damaged<'r> {
    file: &'r str,
    reason: &'r str,
}

/// Writes one JSON document; or a line for each problem, and a summary.
pub fn write(out: &mut dyn Write, format: Format, report: &Report) -> io::Result<()> {
    match format {
        Format::Json => {
            let damaged = report
                .damaged
                .iter()
                .map(|damage| Damaged { file: &damage.file, reason: &damage.reason })
                .collect();
            let Report { generation, files, events, bytes, without_checksums, taken_over, strays, .. } =
                report;
            let (commits, files, events, bytes) = (*generation, *files, *events, *bytes);
            let (without_checksums, taken_over) = (*without_checksums, *taken_over);
            let document = Document {
                schema_version: 1,
                command: "lake check",
                commits,
                files,
                events,
                bytes,
                without_checksums,
                taken_over,
                damaged,
                strays,
            };
            serde_json::to_writer_pretty(&mut *out, &document)?;
            writeln!(out)
        }
        Format::Table => {
            for damage in &report.damaged {
                writeln!(out, "damaged  {}: {}", damage.file.for_terminal(), damage.reason.for_terminal())?;
            }
            for stray in &report.strays {
                writeln!(
                    out,
                    "stray    {}: the manifest does not name it; other tools may read it",
                    stray.for_terminal()
                )?;
            }
            let (events, files) =
                (counted(report.events, "event", "events"), counted(report.files, "file", "files"));
            let state = if report.damaged.is_empty() { "sound" } else { "damaged" };
            writeln!(
                out,
                "{state}: {events} in {files} ({}), as of commit {}",
                bytes(report.bytes),
                report.generation
            )
        }
    }
}
