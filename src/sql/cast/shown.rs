//! Values → text, and → JSON.

use polars::prelude::{AnyValue, Series, StructChunked};

use super::super::error::Result;
use super::super::values::Values;
use super::super::{clock, decimal, ip};
use super::{json_string, scalar_text};
use crate::tables::Kind;

/// Values as `varchar`, the way Trino shows them.
pub(in super::super) fn texts(values: &Values, height: usize) -> Result<Vec<Option<String>>> {
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
        _ => (0..rows).map(|row| show(&values.kind, &values.data, row)).collect(),
    })
}

/// One value as text; `None` is NULL.
pub(in super::super) fn show(kind: &Kind, data: &Series, row: usize) -> Option<String> {
    let cell = data.get(row).ok()?;
    match (kind, cell) {
        (_, AnyValue::Null) => None,
        (Kind::Date, AnyValue::Int64(days)) => Some(clock::show_date(days)),
        (kind, AnyValue::Int64(millis)) if kind.is_timestamp() => Some(clock::show(millis, kind)),
        (Kind::Decimal { scale, .. }, AnyValue::Int64(value)) => Some(decimal::show(value, *scale)),
        (Kind::Span, AnyValue::Int64(millis)) => Some(clock::show_span(millis)),
        (Kind::Months, AnyValue::Int64(months)) => Some(format!("{}-{}", months / 12, months.abs() % 12)),
        (Kind::Ip, AnyValue::String(digits)) => Some(ip::show(digits)),
        (Kind::Binary, AnyValue::String(digits)) => Some(spaced(digits)),
        (_, AnyValue::Int64(number)) => Some(number.to_string()),
        (_, AnyValue::Float64(number)) => Some(show_double(number)),
        (_, AnyValue::Boolean(truth)) => Some(truth.to_string()),
        (_, AnyValue::String(text)) => Some(text.to_owned()),
        (_, AnyValue::StringOwned(text)) => Some(text.to_string()),
        _ => {
            let mut json = String::new();
            write_json(kind, data, row, &mut json);
            (json != "null").then_some(json)
        }
    }
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
    if number.is_finite() && number.fract() == 0.0 && number.abs() < 1e15 { format!("{number:.1}") } else { format!("{number}") }
}

/// What JSON is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// The answer: times are RFC 3339, maps as they lie there.
    Answer,
    /// Values of type JSON, and telling whether two values are the same: times as in `varchar`, maps by their keys, and every
    /// double has a text of its own.
    Value,
}

/// Values as JSON text, as `CAST(… AS json)` gives it; equal values have equal texts.
pub(in super::super) fn json_texts(values: &Values, height: usize) -> Result<Vec<Option<String>>> {
    let rows = if values.constant { 1 } else { height };
    let mut texts: Vec<_> = (0..rows).map(|row| json(&values.kind, &values.data, row)).collect();
    if values.constant && height != 1 {
        let first = texts.pop().flatten();
        texts = vec![first; height];
    }
    Ok(texts)
}

/// One value as JSON; `None` is NULL.
fn json(kind: &Kind, data: &Series, row: usize) -> Option<String> {
    let mut text = String::new();
    write(kind, data, row, For::Value, &mut text);
    (text != "null").then_some(text)
}

/// Appends one value as JSON; times are RFC 3339.
pub(in super::super) fn write_json(kind: &Kind, data: &Series, row: usize, out: &mut String) {
    write(kind, data, row, For::Answer, out);
}

fn write(kind: &Kind, data: &Series, row: usize, why: For, out: &mut String) {
    match (kind, data.get(row).unwrap_or(AnyValue::Null)) {
        (_, AnyValue::Null) => out.push_str("null"),
        (kind, AnyValue::Int64(millis)) if why == For::Value && kind.is_timestamp() => out.push_str(&json_string(&clock::show(millis, kind))),
        (Kind::Zoned(_), AnyValue::Int64(millis)) => out.push_str(&json_string(&clock::show_iso(millis, kind))),
        (Kind::Timestamp { .. }, AnyValue::Int64(millis)) => {
            out.push_str(&json_string(&crate::model::Timestamp::from_millis(millis).to_string()));
        }
        (Kind::Json, AnyValue::String(text)) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => out.push_str(text),
        (Kind::Row(fields), _) => write_row(fields, data, row, why, out),
        (Kind::Array(element), AnyValue::List(list)) => write_list(element, &list, why, out),
        (Kind::Map(key, value), AnyValue::List(list)) => write_map(key, value, &list, why, out),
        (Kind::Bigint, AnyValue::Int64(number)) => out.push_str(&number.to_string()),
        (Kind::Decimal { scale, .. }, AnyValue::Int64(value)) => out.push_str(&decimal::show(value, *scale)),
        (Kind::Double, AnyValue::Float64(number)) if why == For::Value && !number.is_finite() => out.push_str(&json_string(&show_double(number))),
        // There are two zeros, which are equal.
        (Kind::Double, AnyValue::Float64(number)) if why == For::Value && number == 0.0 => out.push_str("0.0"),
        (Kind::Double, AnyValue::Float64(number)) => out.push_str(&serde_json::Value::from(number).to_string()),
        (Kind::Boolean, AnyValue::Boolean(truth)) => out.push_str(if truth { "true" } else { "false" }),
        _ => out.push_str(&show(kind, data, row).map_or_else(|| "null".to_owned(), |text| json_string(&text))),
    }
}

fn write_row(fields: &[(String, Kind)], data: &Series, row: usize, why: For, out: &mut String) {
    let Ok(columns) = data.struct_().map(StructChunked::fields_as_series) else { return out.push_str("null") };
    out.push('{');
    for (at, ((name, kind), column)) in fields.iter().zip(&columns).enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&json_string(name));
        out.push(':');
        write(kind, column, row, why, out);
    }
    out.push('}');
}

fn write_list(element: &Kind, list: &Series, why: For, out: &mut String) {
    out.push('[');
    for at in 0..list.len() {
        if at > 0 {
            out.push(',');
        }
        write(element, list, at, why, out);
    }
    out.push(']');
}

fn write_map(key: &Kind, value: &Kind, list: &Series, why: For, out: &mut String) {
    let Ok(columns) = list.struct_().map(StructChunked::fields_as_series) else { return out.push_str("{}") };
    let [keys, values] = columns.as_slice() else { return out.push_str("{}") };
    let mut entries: Vec<(String, usize)> = (0..list.len()).map(|at| (show(key, keys, at).unwrap_or_default(), at)).collect();
    if why == For::Value {
        entries.sort();
    }
    out.push('{');
    for (number, (name, at)) in entries.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        out.push_str(&json_string(name));
        out.push(':');
        write(value, values, *at, why, out);
    }
    out.push('}');
}
