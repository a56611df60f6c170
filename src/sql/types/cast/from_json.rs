//! JSON → numbers, truth values, arrays, maps and rows.

use polars::prelude::Series;
use serde_json::value::RawValue;

use crate::sql::error::{Result, SqlError};
use crate::sql::types::values::{Cell, Values, take};
use crate::tables::Kind;
use crate::tables::builder::{Builder, elements_of, members_of, text_of};

/// A single JSON value as a value of another type.
pub(super) fn single<T: Cell>(
    values: &Values,
    to: &Kind,
    height: usize,
    read: impl Fn(&RawValue) -> Option<T>,
    refuse: impl Fn(&str) -> Result<()>,
) -> Result<Values> {
    let texts = values.texts()?;
    Values::build(to.clone(), height, values.constant, |row| {
        let Some(text) = texts.get(row).filter(|text| *text != "null") else { return Ok(None) };
        match serde_json::from_str::<&RawValue>(text).ok().and_then(&read) {
            Some(value) => Ok(Some(value)),
            None => refuse(text).map(|()| None),
        }
    })
}

/// A number is rounded; a string is read like a text.
pub(super) fn whole(json: &RawValue) -> Option<i64> {
    match json.get() {
        "true" => Some(1),
        "false" => Some(0),
        text if text.starts_with('"') => text_of(json)?.trim().parse().ok(),
        text => text.parse().ok().or_else(|| {
            let number = text.parse::<f64>().ok().map(f64::round);
            number.filter(|number| number.abs() < 9.2e18).map(|number| number as i64)
        }),
    }
}

pub(super) fn double(json: &RawValue) -> Option<f64> {
    match json.get() {
        "true" => Some(1.0),
        "false" => Some(0.0),
        _ => text_of(json)?.trim().parse().ok(),
    }
}

pub(super) fn boolean(json: &RawValue) -> Option<bool> {
    match json.get() {
        text if text.starts_with('"') => truth(text_of(json)?.trim()),
        text => truth(text).or_else(|| text.parse::<f64>().ok().map(|number| number != 0.0)),
    }
}

/// The type as which JSON is read at first: JSON in place of whatever is no text, to be converted as if each value
/// stood alone.
pub(super) fn with_json(kind: &Kind) -> Kind {
    match kind {
        Kind::Varchar => Kind::Varchar,
        Kind::Array(element) => Kind::array(with_json(element)),
        Kind::Row(fields) => {
            Kind::Row(fields.iter().map(|(name, kind)| (name.clone(), with_json(kind))).collect())
        }
        Kind::Map(_, value) => Kind::Map(Box::new(Kind::Varchar), Box::new(with_json(value))),
        _ => Kind::Json,
    }
}

/// JSON as an array, a map or a row of the type `first`, on the way to the type `to`.
pub(super) fn built(values: &Values, (first, to): (&Kind, &Kind), lenient: bool) -> Result<Values> {
    let texts = values.data.str()?;
    let mut builder = Builder::new(first);
    for text in texts.iter() {
        let value = text.and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
        let fits = value.is_none_or(|value| fits(value, first));
        if !fits && !lenient {
            let text: String = text.unwrap_or_default().chars().take(80).collect();
            return Err(SqlError::value(format!("'{text}' cannot be read as {to}")));
        }
        builder.push_json(value.filter(|_| fits));
    }
    Ok(Values { kind: first.clone(), data: builder.take(""), constant: values.constant })
}

/// Whether a value has the form of a type: an array for an array, an object for a map. A row is an object, or an
/// array of its fields in order.
fn fits(value: &RawValue, kind: &Kind) -> bool {
    if value.get() == "null" {
        return true;
    }
    match kind {
        Kind::Array(element) => {
            elements_of(value).is_some_and(|elements| elements.iter().all(|inner| fits(inner, element)))
        }
        Kind::Map(_, of) => members_of(value)
            .is_some_and(|members| is_plain(of) || members.iter().all(|(_, inner)| fits(inner, of))),
        Kind::Row(fields) if value.get().starts_with('[') => elements_of(value).is_some_and(|elements| {
            elements.len() == fields.len()
                && elements.iter().zip(fields).all(|(inner, (_, kind))| fits(inner, kind))
        }),
        Kind::Row(fields) => members_of(value).is_some_and(|members| {
            let inner = |name: &str| members.iter().rfind(|(own, _)| own.eq_ignore_ascii_case(name));
            fields
                .iter()
                .all(|(name, kind)| is_plain(kind) || inner(name).is_none_or(|(_, value)| fits(value, kind)))
        }),
        _ => true,
    }
}

fn is_plain(kind: &Kind) -> bool {
    !matches!(kind, Kind::Array(_) | Kind::Map(..) | Kind::Row(_))
}

/// `data` with NULL in place of each list of which an element could not be converted.
pub(super) fn without_failed(
    data: Series,
    (before, after): (&Series, &Series),
    lengths: &[Option<usize>],
) -> Result<Series> {
    if after.null_count() == before.null_count() {
        return Ok(data);
    }
    let (before, after) = (before.is_null(), after.is_null());
    let failed = |at: usize| after.get(at) == Some(true) && before.get(at) == Some(false);
    let mut start = 0;
    let mut place = |(row, length): (usize, &Option<usize>)| {
        let own = start..start + length.unwrap_or(0);
        start = own.end;
        u32::try_from(row).ok().filter(|_| !own.into_iter().any(failed))
    };
    let places: Vec<Option<u32>> = lengths.iter().enumerate().map(&mut place).collect();
    take(&data, &places)
}

pub(super) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    }
}
