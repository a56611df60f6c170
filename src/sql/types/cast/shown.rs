//! Values → text, and → JSON.
//!
//! A column is prepared once ([`Shown`]), so that the positions of its fields and elements are not looked
//! up again for every row.

use polars::prelude::{BooleanChunked, Float64Chunked, Int64Chunked, Series, StringChunked};
use polars_arrow::bitmap::Bitmap;

use crate::sql::error::{Result, SqlError};
use crate::sql::types::json::{push_json_string, scalar_text};
use crate::sql::types::nested_values::explode;
use crate::sql::types::values::Values;
use crate::sql::types::{clock, ip, wide};
use crate::tables::Kind;
use crate::tables::kind::entry;

/// Values as `varchar`, as Trino shows them.
pub(in crate::sql) fn texts(values: &Values, height: usize) -> Result<Vec<Option<String>>> {
    let rows = if values.constant { 1 } else { height };
    Ok(match &values.kind {
        Kind::Ip => {
            let cells = values.texts()?;
            (0..rows).map(|row| cells.get(row).map(ip::show)).collect()
        }
        Kind::Varchar => {
            let cells = values.texts()?;
            (0..rows).map(|row| cells.get(row).map(str::to_owned)).collect()
        }
        Kind::Json => {
            let cells = values.texts()?;
            (0..rows).map(|row| cells.get(row).and_then(scalar_text)).collect()
        }
        kind => {
            let shown = Shown::of(kind, &values.data)?;
            (0..rows).map(|row| shown.text(row)).collect()
        }
    })
}

/// Values as JSON text, as `CAST(… AS json)` gives it. Equal values have equal texts.
pub(in crate::sql) fn json_texts(values: &Values, height: usize) -> Result<Vec<Option<String>>> {
    let rows = if values.constant { 1 } else { height };
    let shown = Shown::of(&values.kind, &values.data)?;
    let json = |row| {
        let mut text = String::new();
        shown.write(row, For::Value, &mut text);
        (text != "null").then_some(text)
    };
    let mut texts: Vec<_> = (0..rows).map(json).collect();
    if values.constant && height != 1 {
        let first = texts.pop().flatten();
        texts = vec![first; height];
    }
    Ok(texts)
}

/// Bytes as Athena shows them: `68 69`.
fn spaced(digits: &str) -> String {
    let pairs: Vec<&str> = (0..digits.len()).step_by(2).filter_map(|at| digits.get(at..at + 2)).collect();
    pairs.join(" ")
}

fn show_double(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    if number.is_finite() && number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number:.1}")
    } else {
        format!("{number}")
    }
}

/// What the JSON is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// The answer: times in RFC 3339, maps in their order in memory.
    Answer,
    /// Values of type JSON, and comparing values: times as in `varchar`, maps sorted by key, and a distinct
    /// text for every double.
    Value,
}

/// A column prepared to be shown.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Shown {
    kind: Kind,
    cells: Cells,
}

#[derive(Debug, Clone)]
enum Cells {
    Texts(StringChunked),
    Wholes(Int64Chunked),
    Doubles(Float64Chunked),
    Truths(BooleanChunked),
    /// Fields, each with its name as a JSON key, and which rows are not NULL.
    Row(Vec<(String, Shown)>, Option<Bitmap>),
    List(Ranges, Box<Shown>),
    Map(Ranges, Box<(Shown, Shown)>),
}

/// The positions of each row's elements; `None` if the row is NULL.
type Ranges = Vec<Option<(usize, usize)>>;

impl Shown {
    /// # Errors
    ///
    /// The data does not have that type.
    pub fn of(kind: &Kind, data: &Series) -> Result<Self> {
        let cells = match kind {
            Kind::Row(fields) => {
                let columns = data.struct_()?.fields_as_series();
                let field = |((name, kind), column): (&(String, Kind), &Series)| {
                    let mut key = String::new();
                    push_json_string(name, &mut key);
                    key.push(':');
                    Ok((key, Self::of(kind, column)?))
                };
                let there = data
                    .has_nulls()
                    .then(|| data.is_not_null().iter().map(|there| there == Some(true)).collect());
                Cells::Row(fields.iter().zip(&columns).map(field).collect::<Result<_>>()?, there)
            }
            Kind::Array(element) => {
                let (elements, lengths) = explode(&Values::new(kind.clone(), data.clone()))?;
                Cells::List(ranges(&lengths), Box::new(Self::of(element, &elements.data)?))
            }
            Kind::Map(key, value) => {
                let (entries, lengths) = explode(&Values::new(kind.clone(), data.clone()))?;
                let halves = Self::of(&entry(key, value), &entries.data)?;
                let mut fields = match halves.cells {
                    Cells::Row(fields, _) => fields.into_iter().map(|(_, field)| field),
                    _ => return Err(SqlError::new("a map is needed here")),
                };
                let (Some(keys), Some(values)) = (fields.next(), fields.next()) else {
                    return Err(SqlError::new("a map is needed here"));
                };
                Cells::Map(ranges(&lengths), Box::new((keys, values)))
            }
            Kind::Decimal { .. } if kind.dtype() == polars::prelude::DataType::String => {
                Cells::Texts(data.str()?.rechunk().into_owned())
            }
            Kind::Double => Cells::Doubles(data.f64()?.rechunk().into_owned()),
            Kind::Boolean | Kind::Unknown => Cells::Truths(data.bool()?.rechunk().into_owned()),
            Kind::Varchar | Kind::Json | Kind::Ip | Kind::Binary => {
                Cells::Texts(data.str()?.rechunk().into_owned())
            }
            Kind::Bigint
            | Kind::Decimal { .. }
            | Kind::Date
            | Kind::Timestamp { .. }
            | Kind::Zoned(_)
            | Kind::Span
            | Kind::Months => Cells::Wholes(data.i64()?.rechunk().into_owned()),
        };
        Ok(Self { kind: kind.clone(), cells })
    }

    /// One value as text; `None` is NULL.
    pub fn text(&self, row: usize) -> Option<String> {
        match &self.cells {
            Cells::Texts(texts) => cell(texts.len(), row, || texts.get(row)).map(|text| match self.kind {
                Kind::Ip => ip::show(text),
                Kind::Binary => spaced(text),
                Kind::Decimal { scale, .. } => shown_decimal(text, scale),
                _ => text.to_owned(),
            }),
            Cells::Wholes(wholes) => {
                cell(wholes.len(), row, || wholes.get(row)).map(|whole| self.whole(whole))
            }
            Cells::Doubles(doubles) => cell(doubles.len(), row, || doubles.get(row)).map(show_double),
            Cells::Truths(truths) => {
                cell(truths.len(), row, || truths.get(row)).map(|truth| truth.to_string())
            }
            Cells::Row(..) | Cells::List(..) | Cells::Map(..) => {
                let mut json = String::new();
                self.write(row, For::Answer, &mut json);
                (json != "null").then_some(json)
            }
        }
    }

    /// The same, without a copy where there is such a text: else, it is put into `made`.
    pub fn text_in<'t>(&'t self, row: usize, made: &'t mut String) -> Option<&'t str> {
        match &self.cells {
            Cells::Texts(texts) if matches!(self.kind, Kind::Varchar | Kind::Json) => {
                cell(texts.len(), row, || texts.get(row))
            }
            Cells::Row(..) | Cells::List(..) | Cells::Map(..) => {
                made.clear();
                self.write(row, For::Answer, made);
                (made != "null").then_some(made.as_str())
            }
            _ => {
                *made = self.text(row)?;
                Some(made)
            }
        }
    }

    fn whole(&self, whole: i64) -> String {
        match &self.kind {
            Kind::Date => clock::show_date(whole),
            kind if kind.is_timestamp() => clock::show(whole, kind),
            Kind::Decimal { scale, .. } => wide::show(whole.into(), *scale),
            Kind::Span => clock::show_span(whole),
            Kind::Months => format!("{}-{}", whole / 12, whole.abs() % 12),
            _ => whole.to_string(),
        }
    }

    /// Appends one value as JSON; times in RFC 3339.
    pub fn write_json(&self, row: usize, out: &mut String) {
        self.write(row, For::Answer, out);
    }

    fn write(&self, row: usize, why: For, out: &mut String) {
        let written = match &self.cells {
            Cells::Texts(texts) => {
                cell(texts.len(), row, || texts.get(row)).map(|text| self.write_text(text, out))
            }
            Cells::Wholes(wholes) => {
                cell(wholes.len(), row, || wholes.get(row)).map(|whole| self.write_whole(whole, why, out))
            }
            Cells::Doubles(doubles) => {
                cell(doubles.len(), row, || doubles.get(row)).map(|double| write_double(double, why, out))
            }
            Cells::Truths(truths) => cell(truths.len(), row, || truths.get(row))
                .map(|truth| out.push_str(if truth { "true" } else { "false" })),
            Cells::Row(fields, there) => {
                let is_there = there.as_ref().is_none_or(|there| row < there.len() && there.get_bit(row));
                is_there.then(|| write_row(fields, row, why, out))
            }
            Cells::List(ranges, elements) => {
                ranges.get(row).copied().flatten().map(|range| write_list(elements, range, why, out))
            }
            Cells::Map(ranges, entries) => {
                ranges.get(row).copied().flatten().map(|range| write_map(entries, range, why, out))
            }
        };
        if written.is_none() {
            out.push_str("null");
        }
    }

    fn write_text(&self, text: &str, out: &mut String) {
        match self.kind {
            Kind::Json if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => out.push_str(text),
            Kind::Ip => push_json_string(&ip::show(text), out),
            Kind::Binary => push_json_string(&spaced(text), out),
            Kind::Decimal { scale, .. } => out.push_str(&shown_decimal(text, scale)),
            _ => push_json_string(text, out),
        }
    }

    fn write_whole(&self, whole: i64, why: For, out: &mut String) {
        match &self.kind {
            Kind::Bigint | Kind::Decimal { .. } => out.push_str(&self.whole(whole)),
            Kind::Zoned(_) if why == For::Answer => {
                push_json_string(&clock::show_iso(whole, &self.kind), out)
            }
            Kind::Timestamp { .. } if why == For::Answer => {
                push_json_string(&crate::model::Timestamp::from_millis(whole).to_string(), out)
            }
            _ => push_json_string(&self.whole(whole), out),
        }
    }
}

/// A number of a wide decimal type.
fn shown_decimal(text: &str, scale: u8) -> String {
    wide::unpacked(text).map(|value| wide::show(value, scale)).unwrap_or_default()
}

/// The value of a row, if the row exists.
fn cell<T>(height: usize, row: usize, get: impl FnOnce() -> Option<T>) -> Option<T> {
    if row < height { get() } else { None }
}

fn ranges(lengths: &[Option<usize>]) -> Ranges {
    let mut start = 0;
    let mut range = |length: &Option<usize>| {
        length.map(|length| {
            start += length;
            (start - length, start)
        })
    };
    lengths.iter().map(&mut range).collect()
}

fn write_double(number: f64, why: For, out: &mut String) {
    match why {
        For::Value if !number.is_finite() => push_json_string(&show_double(number), out),
        // There are two zeros, which are equal.
        For::Value if number == 0.0 => out.push_str("0.0"),
        _ => out.push_str(&serde_json::Value::from(number).to_string()),
    }
}

fn write_row(fields: &[(String, Shown)], row: usize, why: For, out: &mut String) {
    out.push('{');
    for (at, (key, field)) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(key);
        field.write(row, why, out);
    }
    out.push('}');
}

fn write_list(elements: &Shown, (start, end): (usize, usize), why: For, out: &mut String) {
    out.push('[');
    for at in start..end {
        if at > start {
            out.push(',');
        }
        elements.write(at, why, out);
    }
    out.push(']');
}

fn write_map((keys, values): &(Shown, Shown), (start, end): (usize, usize), why: For, out: &mut String) {
    let mut entries: Vec<(String, usize)> =
        (start..end).map(|at| (keys.text(at).unwrap_or_default(), at)).collect();
    if why == For::Value {
        entries.sort();
    }
    out.push('{');
    for (number, (name, at)) in entries.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        push_json_string(name, out);
        out.push(':');
        values.write(*at, why, out);
    }
    out.push('}');
}
