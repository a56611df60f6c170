//! The output formats, and what they share.

use std::cell::Cell as Slot;
use std::io::{self, Write};

use clap::ValueEnum as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::{Serialize, Serializer};

use super::escape::{Escape, JsonText};
use crate::model::{Coverage, LogText};

/// Version of the JSON documents. Fields may be added under one version; changes of meaning need a new one.
pub const SCHEMA_VERSION: u32 = 1;

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text: what was read, then the results
    Table,
    /// One document with coverage and all results
    Json,
    /// The results, one JSON value a line
    Ndjson,
    /// The results, one row each
    Csv,
    /// The results in typed columns: for `detect`, `timeline`, `forecast`, `whatif`, `verify` and `query`
    Parquet,
    /// For tickets and job summaries: a heading, a table, and the most severe results in full
    Markdown,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// For SIEMs: OCSF Detection Findings, one a line
    Ocsf,
    /// For Timesketch: events with message, datetime and timestamp_desc, one a line
    Timesketch,
}

impl Format {
    /// The formats of every verb that writes data.
    pub const PLAIN: &'static [Self] = &[Self::Table, Self::Json, Self::Ndjson, Self::Csv, Self::Parquet];

    /// A command-line parser that accepts these formats and the common ones.
    pub fn and(more: &'static [Self]) -> impl TypedValueParser<Value = Self> {
        let values = Self::PLAIN.iter().chain(more).filter_map(Self::to_possible_value);
        PossibleValuesParser::new(values).try_map(|word| Self::from_str(&word, false))
    }
}

/// How data is shown: the format, and for people the width of their terminal.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub format: Format,
    /// `None` if the output is not a terminal.
    pub columns: Option<usize>,
}

/// The first fields of every JSON document; `body` adds the others.
#[derive(Serialize)]
pub struct Document<'a, B> {
    schema_version: u32,
    command: &'static str,
    coverage: &'a Coverage,
    #[serde(flatten)]
    body: B,
}

/// Writes a document, indented by two spaces, with a newline at its end.
pub fn write_document<B: Serialize>(
    out: &mut dyn Write,
    command: &'static str,
    coverage: &Coverage,
    body: B,
) -> io::Result<()> {
    serde_json::to_writer_pretty(
        JsonText(out),
        &Document { schema_version: SCHEMA_VERSION, command, coverage, body },
    )?;
    writeln!(out)
}

/// A list that is serialised while it is made; works once.
pub struct Streamed<I>(pub Slot<Option<I>>);

impl<I: Iterator<Item: Serialize>> Serialize for Streamed<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.take().into_iter().flatten())
    }
}

/// The error of a view in a format that it does not have; the command line does not let users ask for that.
pub fn no_such_form() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this cannot be written in that format")
}

/// Writes a value on a line of its own.
pub fn write_line<T: Serialize>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    serde_json::to_writer(JsonText(out), value)?;
    writeln!(out)
}

/// Rows of text cells under a header; every cell is made safe for spreadsheets.
pub struct Rows<'w>(csv::Writer<&'w mut dyn Write>);

impl<'w> Rows<'w> {
    pub fn new(out: &'w mut dyn Write, heading: &[&str]) -> io::Result<Self> {
        let mut rows = Self(csv::Writer::from_writer(out));
        rows.row(heading.iter().map(|name| Cell::text(*name)))?;
        Ok(rows)
    }

    /// More rows without a header.
    #[cfg(feature = "sql")]
    pub fn below(out: &'w mut dyn Write) -> Self {
        Self(csv::Writer::from_writer(out))
    }

    /// Writes a header and all rows.
    pub fn write(
        out: &'w mut dyn Write,
        heading: &[&str],
        mut cells: impl Iterator<Item = Vec<Cell>>,
    ) -> io::Result<()> {
        let mut rows = Self::new(out, heading)?;
        cells.try_for_each(|cells| rows.row(cells))?;
        rows.finish()
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> io::Result<()> {
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.0).collect();
        self.0.write_record(&cells).map_err(io_error)
    }

    /// Writes a text as the next cell of a row.
    #[cfg(feature = "sql")]
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.plain(&text.for_csv())
    }

    /// The same of a value that cannot be a formula.
    #[cfg(feature = "sql")]
    pub fn plain(&mut self, value: &str) -> io::Result<()> {
        self.0.write_field(value).map_err(io_error)
    }

    /// Ends a row that was written cell by cell.
    #[cfg(feature = "sql")]
    pub fn end_row(&mut self) -> io::Result<()> {
        self.0.write_record(std::iter::empty::<&[u8]>()).map_err(io_error)
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The underlying I/O error, so that a closed pipe is still recognised.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// One cell of a table, already escaped.
pub struct Cell(String);

impl Cell {
    pub fn text(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().for_csv().into_owned())
    }

    pub fn log(text: &LogText) -> Self {
        Self(text.for_csv().into_owned())
    }

    /// A value that cannot be a formula: a number, a time, a digest, a fixed word.
    pub fn plain(value: impl ToString) -> Self {
        Self(value.to_string())
    }

    /// An absent value is an empty cell.
    pub fn maybe<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or_else(|| Self(String::new()), cell)
    }

    /// Several texts in one cell, separated by `; `.
    pub fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::text(texts.into_iter().collect::<Vec<_>>().join("; "))
    }
}
