//! The output of `query`: rows with any columns.

mod parquet;
pub mod parts;

use std::cell::Cell as Slot;
use std::io::{self, Write};

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::escape::Escape;
use super::format::{Format, Look, Rows, Streamed, write_document};
use super::quantity::{count, counted};
use super::width;
use crate::model::Coverage;
use crate::sql::Answer;
use crate::tables::Kind;

/// A column is never narrower than this.
const CELL_CHARS_MIN: usize = 8;
/// No cell of a table is wider than this, however wide the terminal is.
const CELL_CHARS_MAX: usize = 400;
/// How NULL is shown.
const NULL: &str = "NULL";

/// Writes an answer. A table shows at most `rows_max` rows and says if there are more; the other formats
/// have all rows.
pub fn write(
    out: &mut dyn Write,
    look: Look,
    coverage: &Coverage,
    answer: &Answer,
    rows_max: usize,
) -> io::Result<()> {
    match look.format {
        Format::Table => write_table(out, look.columns, answer, rows_max),
        Format::Json => {
            write_json(out, coverage, answer, (0..answer.height()).map(|row| Ok(answer.json(row))))
        }
        Format::Ndjson => write_lines(out, answer),
        Format::Csv => write_csv(out, answer),
        Format::Parquet => write_parquet(out, answer),
        _ => Err(super::format::no_such_form()),
    }
}

fn write_lines(out: &mut dyn Write, answer: &Answer) -> io::Result<()> {
    let mut out = super::escape::JsonText(out);
    (0..answer.height()).try_for_each(|row| writeln!(out, "{}", answer.json(row)))
}

#[derive(Serialize)]
struct AnswerColumn<'a> {
    name: &'a str,
    r#type: String,
}

#[derive(Serialize)]
struct Body<'a, R> {
    columns: Vec<AnswerColumn<'a>>,
    rows: R,
}

/// Writes a document with these rows, each of which is a JSON object; `columns` has the names and types.
fn write_json(
    out: &mut dyn Write,
    coverage: &Coverage,
    columns: &Answer,
    rows: impl Iterator<Item = io::Result<String>>,
) -> io::Result<()> {
    let names = columns.columns().zip(columns.keys());
    let columns = names.map(|((_, kind), name)| AnswerColumn { name, r#type: kind.to_string() }).collect();
    let rows =
        Streamed(Slot::new(Some(rows.map(|row| Row(row.and_then(|row| Ok(RawValue::from_string(row)?)))))));
    write_document(out, "query", coverage, Body { columns, rows })
}

/// A row that is read while the document is written.
struct Row(io::Result<Box<RawValue>>);

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(row) => row.serialize(serializer),
            Err(error) => Err(S::Error::custom(error)),
        }
    }
}

fn write_csv(out: &mut dyn Write, answer: &Answer) -> io::Result<()> {
    let names: Vec<&str> = answer.columns().map(|(name, _)| name).collect();
    csv_rows(Rows::new(out, &names)?, answer)
}

fn csv_rows(mut rows: Rows<'_>, answer: &Answer) -> io::Result<()> {
    let are_ours: Vec<bool> = answer.columns().map(|(_, kind)| is_ours(kind)).collect();
    let mut made = String::new();
    for row in 0..answer.height() {
        for (column, is_ours) in are_ours.iter().enumerate() {
            // NULL is an empty field, as in the CSV files that Athena writes.
            match answer.text_in(row, column, &mut made) {
                None => rows.plain("")?,
                Some(text) if *is_ours => rows.plain(text)?,
                Some(text) => rows.text(text)?,
            }
        }
        rows.end_row()?;
    }
    rows.finish()
}

/// Whether values of this type are numbers or times: they are not formulas even if they begin with a minus.
fn is_ours(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Bigint
            | Kind::Decimal { .. }
            | Kind::Double
            | Kind::Boolean
            | Kind::Date
            | Kind::Timestamp { .. }
            | Kind::Zoned(_)
            | Kind::Span
            | Kind::Months
    )
}

fn write_parquet(out: &mut dyn Write, answer: &Answer) -> io::Result<()> {
    let frame = answer.frame().map_err(io::Error::other)?;
    let mut out = Remembering { out, failed: None };
    let written = parquet::Writer::new(&mut out, frame.schema()).and_then(|writer| writer.whole(frame));
    written.map_err(|error| out.failed.take().unwrap_or_else(|| io::Error::other(error)))
}

/// Remembers why writing failed: the Parquet writer turns the error into text, but a full disk has to be
/// reported as one.
struct Remembering<'w> {
    out: &'w mut dyn Write,
    failed: Option<io::Error>,
}

impl Remembering<'_> {
    fn remember<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}

impl Write for Remembering<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.remember(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.remember(done)
    }
}

fn write_table(
    out: &mut dyn Write,
    terminal: Option<usize>,
    answer: &Answer,
    rows_max: usize,
) -> io::Result<()> {
    write_shown(out, terminal, answer, &cells_of(answer, rows_max), answer.height() as u64)
}

/// The first rows as texts.
fn cells_of(answer: &Answer, rows_max: usize) -> Vec<Vec<String>> {
    let columns = answer.columns().count();
    (0..answer.height().min(rows_max))
        .map(|row| (0..columns).map(|column| cell(answer, row, column)).collect())
        .collect()
}

/// A table of the first rows, and the number of all rows; `columns` has the names and types.
fn write_shown(
    out: &mut dyn Write,
    terminal: Option<usize>,
    columns: &Answer,
    cells: &[Vec<String>],
    height: u64,
) -> io::Result<()> {
    let names: Vec<String> = columns.columns().map(|(name, _)| name.for_terminal().into_owned()).collect();
    match widths(&names, cells, terminal) {
        Some(widths) => write_grid(out, columns, &names, cells, &widths)?,
        None => write_records(out, &names, cells)?,
    }
    let shown = cells.len() as u64;
    if shown < height {
        writeln!(
            out,
            "first {} of {} rows shown; --rows N shows more, -o FILE --format csv has all",
            count(shown),
            count(height)
        )
    } else {
        writeln!(out, "{}", counted(shown, "row", "rows"))
    }
}

fn cell(answer: &Answer, row: usize, column: usize) -> String {
    let text = answer.text(row, column).unwrap_or_else(|| NULL.to_owned());
    text.for_terminal().into_owned()
}

/// The width of each column; `None` if there are too many columns for the terminal.
fn widths(names: &[String], cells: &[Vec<String>], terminal: Option<usize>) -> Option<Vec<usize>> {
    let width_of = |column: usize| {
        let cells = cells.iter().filter_map(|row| row.get(column)).map(|cell| width::of(cell));
        cells.chain(names.get(column).map(|name| width::of(name))).max().unwrap_or(0).min(CELL_CHARS_MAX)
    };
    let mut widths: Vec<usize> = (0..names.len()).map(width_of).collect();
    let Some(terminal) = terminal else { return Some(widths) };
    let gaps = 2 * names.len().saturating_sub(1);
    // The widest column is narrowed, again and again, until all fit.
    while widths.iter().sum::<usize>() + gaps > terminal {
        let widest = widths.iter_mut().max()?;
        if *widest <= CELL_CHARS_MIN {
            return None;
        }
        *widest -= 1;
    }
    Some(widths)
}

fn write_grid(
    out: &mut dyn Write,
    answer: &Answer,
    names: &[String],
    cells: &[Vec<String>],
    widths: &[usize],
) -> io::Result<()> {
    let right: Vec<bool> = answer.columns().map(|(_, kind)| kind.is_number()).collect();
    write_line(out, names, widths, &right)?;
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    write_line(out, &rule, widths, &right)?;
    cells.iter().try_for_each(|row| write_line(out, row, widths, &right))
}

fn write_line(out: &mut dyn Write, cells: &[String], widths: &[usize], right: &[bool]) -> io::Result<()> {
    let mut line = String::new();
    for ((cell, columns), right) in cells.iter().zip(widths).zip(right) {
        if !line.is_empty() {
            line.push_str("  ");
        }
        let cell = width::cut(cell, *columns);
        let padding = " ".repeat(columns.saturating_sub(width::of(&cell)));
        line.push_str(&if *right { format!("{padding}{cell}") } else { format!("{cell}{padding}") });
    }
    writeln!(out, "{}", line.trim_end())
}

/// One line for each column of a row, for rows that are too wide for the terminal.
fn write_records(out: &mut dyn Write, names: &[String], cells: &[Vec<String>]) -> io::Result<()> {
    let widest = names.iter().map(|name| width::of(name)).max().unwrap_or(0);
    for (number, row) in cells.iter().enumerate() {
        writeln!(out, "-- row {}", number + 1)?;
        for (name, cell) in names.iter().zip(row) {
            writeln!(
                out,
                "{name}{}  {}",
                " ".repeat(widest.saturating_sub(width::of(name))),
                width::cut(cell, CELL_CHARS_MAX)
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::sql::{Catalog, Query};

    fn answer(sql: &str) -> Answer {
        Query::parse(sql, &[], Timestamp::from_millis(0)).unwrap().run(&Catalog::default()).unwrap()
    }

    fn text(sql: &str, format: Format, columns: Option<usize>, rows_max: usize) -> String {
        let mut out = Vec::new();
        write(&mut out, Look { format, columns }, &Coverage::default(), &answer(sql), rows_max).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_fits_the_terminal_and_says_what_it_leaves_out() {
        let sql = "SELECT * FROM (VALUES (1, 'abcdefghijklmnopqrstuvwxyz', NULL), (20, 'b', 'c'), (3, 'x', \
            'y')) AS t(n, long, z)";
        let expected = " n  long         z\n--  -----------  ----\n 1  abcdefghij…  NULL\n20  b            \
            c\nfirst 2 of 3 rows shown; --rows N shows more, -o FILE --format csv has all\n";
        assert_eq!(text(sql, Format::Table, Some(21), 2), expected);
        assert!(text(sql, Format::Table, None, 9).contains("abcdefghijklmnopqrstuvwxyz"));
        assert!(text(sql, Format::Table, Some(10), 9).starts_with("-- row 1\nn     1\nlong  abc"));
    }

    #[test]
    fn hostile_text_is_escaped_for_its_place() {
        let sql = "SELECT chr(27) || '[31m' AS a, '=1+1' AS b, -5 AS c";
        assert!(text(sql, Format::Table, None, 9).contains("\\u{1b}[31m"));
        assert_eq!(text(sql, Format::Csv, None, 9).lines().nth(1), Some("\\u{1b}[31m,'=1+1,-5"));
        assert_eq!(text(sql, Format::Ndjson, None, 9), "{\"a\":\"\\u001b[31m\",\"b\":\"=1+1\",\"c\":-5}\n");
    }

    #[test]
    fn json_has_columns_with_types_and_rows_with_times_of_rfc_3339() {
        let sql = "SELECT from_iso8601_timestamp('2026-03-02T10:00:00Z') AS t, ARRAY[1, NULL] AS a, CAST(NULL \
            AS varchar) AS n";
        let document: serde_json::Value = serde_json::from_str(&text(sql, Format::Json, None, 9)).unwrap();
        assert_eq!(document["command"], "query");
        assert_eq!(document["columns"][0]["type"], "timestamp with time zone");
        assert_eq!(document["rows"][0]["t"], "2026-03-02T10:00:00Z");
        assert_eq!(document["rows"][0]["a"], serde_json::json!([1, null]));
        assert_eq!(document["rows"][0]["n"], serde_json::Value::Null);
    }

    #[test]
    fn parquet_is_parquet_with_times_as_times() {
        let mut out = Vec::new();
        let look = Look { format: Format::Parquet, columns: None };
        let answer = answer(
            "SELECT timestamp '2026-03-02 10:00:00' AS t, date '2026-03-02' AS d, ARRAY['a'] AS a, 'x' AS s, \
             'y' AS s",
        );
        write(&mut out, look, &Coverage::default(), &answer, 9).unwrap();
        use polars_arrow::datatypes::{ArrowDataType, TimeUnit};
        let metadata = polars_parquet::read::read_metadata(&mut std::io::Cursor::new(out)).unwrap();
        assert_eq!(metadata.num_rows, 1);
        let columns = polars_parquet::read::infer_schema(&metadata).unwrap();
        assert_eq!(
            columns.iter_names().map(|name| name.as_str()).collect::<Vec<_>>(),
            ["t", "d", "a", "s", "s_2"]
        );
        assert_eq!(columns.get("t").unwrap().dtype, ArrowDataType::Timestamp(TimeUnit::Millisecond, None));
        assert_eq!(columns.get("d").unwrap().dtype, ArrowDataType::Date32);
    }
}
