//! `CAST` and `TRY_CAST`, and typed literals. `shown`: values → text; `from_json`: JSON → values.

mod decimals;
mod from_json;
mod shown;

pub(in crate::sql) use shown::{Shown, json_texts, texts};

use super::json::json_string;
use super::nested_values::{explode, map_of};
use super::values::Values;
use super::{clock, decimal, ip, wide};
use crate::sql::error::{Result, SqlError};
use decimals::{Read, decimal_kind, to_decimal};

use polars::prelude::{IntoSeries, Series, StructChunked};
use sqlparser::ast::{ArrayElemTypeDef, CharacterLength, DataType, TimezoneInfo, Value};

use crate::model::DAY_MILLIS;
use crate::tables::Kind;
use crate::tables::builder::lists;

/// The type that a type name means. All whole numbers are `bigint`, `real` is `double`.
pub(in crate::sql) fn kind_of(data_type: &DataType) -> Result<Kind> {
    Ok(match data_type {
        DataType::Varchar(_)
        | DataType::String(_)
        | DataType::Text
        | DataType::Char(_)
        | DataType::CharVarying(_)
        | DataType::Character(_) => Kind::Varchar,
        DataType::Int(_)
        | DataType::Integer(_)
        | DataType::BigInt(_)
        | DataType::SmallInt(_)
        | DataType::TinyInt(_) => Kind::Bigint,
        DataType::Double(_) | DataType::DoublePrecision | DataType::Real | DataType::Float(_) => Kind::Double,
        DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info) => decimal_kind(info)?,
        DataType::Boolean | DataType::Bool => Kind::Boolean,
        DataType::Date => Kind::Date,
        DataType::Timestamp(_, zone) => {
            Kind::Timestamp { zoned: matches!(zone, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) }
        }
        DataType::JSON => Kind::Json,
        DataType::Array(
            ArrayElemTypeDef::AngleBracket(inner)
            | ArrayElemTypeDef::Parenthesis(inner)
            | ArrayElemTypeDef::SquareBracket(inner, _),
        ) => Kind::array(kind_of(inner)?),
        DataType::Map(key, value) => Kind::Map(Box::new(kind_of(key)?), Box::new(kind_of(value)?)),
        DataType::Struct(fields, _) => {
            let fields = fields.iter().enumerate().map(|(at, field)| {
                let name = field
                    .field_name
                    .as_ref()
                    .map_or_else(|| format!("field{at}"), |ident| ident.value.to_lowercase());
                Ok((name, kind_of(&field.field_type)?))
            });
            Kind::Row(fields.collect::<Result<_>>()?)
        }
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("ipaddress") => Kind::Ip,
        DataType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("ipprefix") => Kind::Varchar,
        other => return Err(SqlError::new(format!("type {other} is not supported"))),
    })
}

/// What is narrower than the type of the values: texts are truncated to the length of `varchar(10)`, whole numbers
/// must be in the range of `integer`, and times have so many digits of a second.
pub(in crate::sql) fn cut(
    values: Values,
    data_type: &DataType,
    height: usize,
    lenient: bool,
) -> Result<Values> {
    match data_type {
        DataType::Int(_) | DataType::Integer(_) => return within(values, ("integer", 32), height, lenient),
        DataType::SmallInt(_) => return within(values, ("smallint", 16), height, lenient),
        DataType::TinyInt(_) => return within(values, ("tinyint", 8), height, lenient),
        DataType::Timestamp(Some(digits), _) => return rounded(values, *digits, height),
        _ => {}
    }
    let (DataType::Varchar(length)
    | DataType::Char(length)
    | DataType::CharVarying(length)
    | DataType::Character(length)) = data_type
    else {
        return Ok(values);
    };
    let most = match length {
        Some(CharacterLength::IntegerLength { length, .. }) => usize::try_from(*length).unwrap_or(usize::MAX),
        _ => return Ok(values),
    };
    let texts = values.texts()?;
    Values::build(Kind::Varchar, height, values.constant, |row| {
        Ok(texts.get(row).map(|text| {
            text.char_indices().nth(most).map_or(text, |(end, _)| text.get(..end).unwrap_or(text)).to_owned()
        }))
    })
}

/// Times rounded to so many digits after the second. There are never more than three.
fn rounded(values: Values, digits: u64, height: usize) -> Result<Values> {
    let unit = match digits {
        0 => 1000,
        1 => 100,
        2 => 10,
        _ => return Ok(values),
    };
    let cells = values.wholes()?;
    Values::build(values.kind.clone(), height, values.constant, |row| {
        Ok(cells.get(row).map(|millis| (millis + unit / 2).div_euclid(unit) * unit))
    })
}

/// Whole numbers of so many bits.
fn within(values: Values, (name, bits): (&str, u32), height: usize, lenient: bool) -> Result<Values> {
    let (wholes, most) = (values.wholes()?, 1_i64 << (bits - 1));
    let is_within = |whole: i64| (-most..most).contains(&whole);
    let count = values.data.len();
    let Some(outside) = (0..count).filter_map(|row| wholes.get(row)).find(|whole| !is_within(*whole)) else {
        return Ok(values);
    };
    if !lenient {
        return Err(SqlError::value(format!("{outside} is out of the range of {name}")));
    }
    Values::build(Kind::Bigint, height, values.constant, |row| {
        Ok(wholes.get(row).filter(|whole| is_within(*whole)))
    })
}

/// `timestamp '2026-03-02 10:00:00'`, `date '2026-03-02'`, `varchar 'x'` …
pub(in crate::sql) fn typed_literal(data_type: &DataType, value: &Value) -> Result<Values> {
    let text = value.clone().into_string().ok_or_else(|| SqlError::new("a quoted text is needed here"))?;
    if *data_type == DataType::JSON {
        let json = super::compact_json::canonical(&text).ok_or_else(|| SqlError::new("this is no JSON"))?;
        return Ok(Values::constant(Kind::Json, Some(json)));
    }
    // `timestamp '2026-03-02 10:00:00 Europe/Berlin'`
    if let (DataType::Timestamp(..), Some((time, zone))) = (data_type, text.trim().rsplit_once(' '))
        && !time.trim().is_empty()
        && super::zone::Zone::parse(zone).is_some()
    {
        let time = cast(&Values::constant(Kind::Varchar, Some(time)), &clock::UNZONED, 1, false)?;
        return clock::with_time_zone(&time, &Values::constant(Kind::Varchar, Some(zone)), 1);
    }
    cast(&Values::constant(Kind::Varchar, Some(text)), &kind_of(data_type)?, 1, false)
}

/// Converts values to another type. A value that cannot be converted is an error, or NULL if `lenient`.
pub(in crate::sql) fn cast(values: &Values, to: &Kind, height: usize, lenient: bool) -> Result<Values> {
    if values.kind == *to {
        return Ok(values.clone());
    }
    let constant = values.constant;
    let refuse = |text: &str| match lenient {
        true => Ok(()),
        false => Err(SqlError::value(format!(
            "'{}' cannot be read as {to}",
            text.chars().take(80).collect::<String>()
        ))),
    };
    match (&values.kind, to) {
        (Kind::Unknown, _) => {
            let data = Series::full_null("".into(), values.data.len(), &to.dtype());
            Ok(Values { kind: to.clone(), data, constant })
        }
        (Kind::Varchar, Kind::Json) => {
            let texts = values.texts()?;
            Values::build(Kind::Json, height, constant, |row| Ok(texts.get(row).map(json_string)))
        }
        (Kind::Binary, Kind::Varchar) => {
            Err(SqlError::new("varbinary cannot be made varchar; use from_utf8(…) or to_hex(…)"))
        }
        (_, Kind::Varchar) => {
            let texts = texts(values, height)?;
            Values::build(Kind::Varchar, height, constant, |row| Ok(texts.get(row).cloned().flatten()))
        }
        (_, Kind::Json) => {
            let texts = json_texts(values, height)?;
            Values::build(Kind::Json, height, constant, |row| Ok(texts.get(row).cloned().flatten()))
        }
        (Kind::Json, Kind::Bigint) => from_json::single(values, to, height, from_json::whole, refuse),
        (Kind::Json, Kind::Double) => from_json::single(values, to, height, from_json::double, refuse),
        (Kind::Json, Kind::Boolean) => from_json::single(values, to, height, from_json::boolean, refuse),
        (Kind::Varchar, Kind::Bigint) => read(values, to, height, |text| text.parse::<i64>().ok(), refuse),
        (Kind::Varchar, Kind::Double) => read(values, to, height, |text| text.parse::<f64>().ok(), refuse),
        (Kind::Varchar, Kind::Boolean) => read(values, to, height, from_json::truth, refuse),
        (Kind::Varchar, Kind::Timestamp { .. }) => read(values, to, height, clock::read_rounded, refuse),
        (Kind::Varchar, Kind::Ip) => read(values, to, height, ip::digits, refuse),
        (Kind::Varchar, Kind::Date) => read(
            values,
            to,
            height,
            |text| clock::read(text).map(|millis| millis.div_euclid(DAY_MILLIS)),
            refuse,
        ),
        (Kind::Json, Kind::Array(_) | Kind::Row(_) | Kind::Map(..)) => cast_json(values, to, height, lenient),
        (Kind::Json, Kind::Date | Kind::Timestamp { .. }) => Err(SqlError::new(format!(
            "json cannot be made {to}; make it varchar first, or use json_extract_scalar"
        ))),
        (_, Kind::Decimal { precision, scale }) => {
            let cells = to_decimal(values, (*precision, *scale), height)?;
            Values::build_decimals(to.clone(), height, constant, |row| {
                match cells.get(row).and_then(Option::as_ref) {
                    Some(Read::Number(number)) => Ok(Some(*number)),
                    Some(Read::Other(text)) => refuse(text).map(|()| None),
                    None => Ok(None),
                }
            })
        }
        (Kind::Decimal { scale, .. }, Kind::Bigint) => {
            let cells = values.decimals()?;
            Values::build(Kind::Bigint, height, constant, |row| {
                let Some(value) = cells.get(row) else { return Ok(None) };
                match decimal::rescaled(value, *scale, decimal::DIGITS_MAX, 0)?
                    .and_then(|value| i64::try_from(value).ok())
                {
                    None => refuse(&wide::show(value, *scale)).map(|()| None),
                    whole => Ok(whole),
                }
            })
        }
        (Kind::Decimal { .. }, Kind::Boolean) => {
            let cells = values.decimals()?;
            Values::build(Kind::Boolean, height, constant, |row| Ok(cells.get(row).map(|value| value != 0)))
        }
        (Kind::Bigint | Kind::Decimal { .. }, Kind::Double) => {
            let cells = values.doubles()?;
            Values::build(Kind::Double, height, constant, |row| Ok(cells.get(row)))
        }
        (Kind::Double, Kind::Bigint) => {
            let cells = values.doubles()?;
            Values::build(Kind::Bigint, height, constant, |row| match cells.get(row).map(f64::round) {
                Some(value) if value.abs() < 9.2e18 => Ok(Some(value as i64)),
                Some(value) => refuse(&value.to_string()).map(|()| None),
                None => Ok(None),
            })
        }
        (Kind::Boolean, Kind::Bigint) => {
            let cells = values.truths()?;
            Values::build(Kind::Bigint, height, constant, |row| Ok(cells.get(row).map(i64::from)))
        }
        (Kind::Double, Kind::Boolean) => {
            let cells = values.doubles()?;
            Values::build(Kind::Boolean, height, constant, |row| Ok(cells.get(row).map(|value| value != 0.0)))
        }
        (Kind::Bigint, Kind::Boolean) => {
            let cells = values.wholes()?;
            Values::build(Kind::Boolean, height, constant, |row| Ok(cells.get(row).map(|value| value != 0)))
        }
        (Kind::Date, Kind::Timestamp { .. }) => {
            let cells = clock::millis(values, height)?;
            Values::build(to.clone(), height, constant, |row| Ok(cells.get(row)))
        }
        // Without a zone, a time is the wall clock time of its zone.
        (Kind::Zoned(_), Kind::Timestamp { zoned: false }) => {
            Ok(Values { kind: to.clone(), ..clock::wall(values)? })
        }
        (from, Kind::Timestamp { .. }) if from.is_timestamp() => {
            Ok(Values { kind: to.clone(), ..values.clone() })
        }
        (from, Kind::Date) if from.is_timestamp() => {
            let cells = clock::wall(values)?.wholes()?;
            Values::build(Kind::Date, height, constant, |row| {
                Ok(cells.get(row).map(|millis| millis.div_euclid(DAY_MILLIS)))
            })
        }
        (Kind::Array(_), Kind::Array(element)) => cast_elements(values, element, lenient),
        (Kind::Map(..), Kind::Map(key, value)) => cast_entries(values, (key, value), lenient),
        (Kind::Row(from), Kind::Row(fields)) if from.len() == fields.len() => {
            cast_fields(values, from, fields, lenient)
        }
        (from, to) => Err(SqlError::new(format!("{from} cannot be made {to}"))),
    }
}

fn read<T: super::values::Cell>(
    values: &Values,
    to: &Kind,
    height: usize,
    parse: impl Fn(&str) -> Option<T>,
    refuse: impl Fn(&str) -> Result<()>,
) -> Result<Values> {
    let texts = values.texts()?;
    Values::build(to.clone(), height, values.constant, |row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        match parse(text.trim()) {
            Some(value) => Ok(Some(value)),
            None => refuse(text).map(|()| None),
        }
    })
}

/// JSON as an array, a map or a row.
fn cast_json(values: &Values, to: &Kind, height: usize, lenient: bool) -> Result<Values> {
    let first = from_json::with_json(to);
    let built = from_json::built(values, (&first, to), lenient)?;
    if first == *to { Ok(built) } else { cast(&built, to, height, lenient) }
}

/// The keys and values of maps converted to other types.
fn cast_entries(values: &Values, (key, value): (&Kind, &Kind), lenient: bool) -> Result<Values> {
    let (all, lengths) = explode(values)?;
    let Kind::Row(kinds) = &all.kind else { return Err(SqlError::new("a map is needed here")) };
    let fields = all.data.struct_()?.fields_as_series();
    let ([(_, from_key), (_, from_value)], [keys, own]) = (kinds.as_slice(), fields.as_slice()) else {
        return Err(SqlError::new("a map is needed here"));
    };
    let height = keys.len();
    let new_keys = cast(&Values::new(from_key.clone(), keys.clone()), key, height, lenient)?;
    let new_values = cast(&Values::new(from_value.clone(), own.clone()), value, height, lenient)?;
    let (new_keys, new_values) = (
        Values::new(key.clone(), new_keys.spread(height)),
        Values::new(value.clone(), new_values.spread(height)),
    );
    let map = map_of(&new_keys, &new_values, &lengths)?;
    let data = from_json::without_failed(map.data, (keys, &new_keys.data), &lengths)?;
    let data = from_json::without_failed(data, (own, &new_values.data), &lengths)?;
    Ok(Values { kind: map.kind, data, constant: values.constant })
}

fn cast_elements(values: &Values, element: &Kind, lenient: bool) -> Result<Values> {
    let (before, lengths) = explode(values)?;
    let height = before.data.len();
    let elements = cast(&before, element, height, lenient)?;
    let data = lists("", &elements.data, element, &lengths);
    let data = from_json::without_failed(data, (&before.data, &elements.data), &lengths)?;
    Ok(Values { kind: Kind::array(element.clone()), data, constant: values.constant })
}

fn cast_fields(
    values: &Values,
    from: &[(String, Kind)],
    to: &[(String, Kind)],
    lenient: bool,
) -> Result<Values> {
    let height = values.data.len();
    let (mut fields, mut changed) = (Vec::new(), Vec::new());
    for ((field, (_, from)), (name, to)) in
        values.data.struct_()?.fields_as_series().into_iter().zip(from).zip(to)
    {
        let field = Values { kind: from.clone(), data: field, constant: false };
        let new = cast(&field, to, height, lenient)?.spread(height).with_name(name.as_str().into());
        changed.push((field.data, new.clone()));
        fields.push(new);
    }
    let mut data = StructChunked::from_series("".into(), height, fields.iter())?.into_series();
    for (before, after) in changed {
        data = from_json::without_failed(data, (&before, &after), &vec![Some(1); height])?;
    }
    Ok(Values { kind: Kind::Row(to.to_vec()), data, constant: values.constant })
}
