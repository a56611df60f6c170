//! JSON by path: `json_extract_scalar(requestparameters, '$.repositoryName')` and related functions.
//!
//! A path is followed in the text itself: other parts are skipped without building a tree. A value that is
//! not JSON, or has nothing at the path, gives NULL.

mod made;
mod path;
mod sql_path;
mod sql_path_text;

use std::borrow::Cow;

use super::call::Call;
use crate::sql::error::{Result, SqlError};
use crate::sql::syntax::json_calls;
use crate::sql::types::cast;
use crate::sql::types::compact_json::{canonical, compact};
use crate::sql::types::json::{json_string, scalar_text};
use crate::sql::types::values::{Texts, Values};
use path::{Needed, Step, at, follow, parse_path};
use serde_json::value::RawValue;

use crate::tables::Kind;
use crate::tables::builder::{elements_of, members_of};

pub(super) const NAMES: &[&str] = &[
    "json_extract",
    "json_extract_scalar",
    "json_parse",
    "json_format",
    "json_array_length",
    "json_array_contains",
    "json_array_get",
    "json_size",
    "json_value",
    "json_query",
    "json_exists",
    "json_object",
    "json_array",
    "get_json_object",
    "is_json_scalar",
];

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    Some(match call.name {
        "json_extract" => at_path(call, Kind::Json, |value| Some(compact(value, false))),
        "json_query" => query(call),
        "json_value" => by_sql_path(call, Kind::Varchar, |values| match values.as_deref() {
            Some([one]) => scalar(one),
            _ => None,
        }),
        "json_object" => made::object(call),
        "json_array" => made::array(call),
        json_calls::FAIL => fail(call),
        name if json_calls::OUTCOMES.contains(&name) => outcome(call),
        "json_extract_scalar" => at_path(call, Kind::Varchar, |value| scalar(value.get())),
        "get_json_object" => at_path(call, Kind::Varchar, |value| scalar_text(value.get())),
        "json_exists" => {
            by_sql_path(call, Kind::Boolean, |values| Some(values.is_some_and(|values| !values.is_empty())))
        }
        "json_size" => at_path(call, Kind::Bigint, size),
        "json_parse" => parse(call),
        "json_format" => format(call),
        "json_array_length" => call.text_to(Kind::Bigint, |text| {
            let value: &RawValue = serde_json::from_str(text).ok()?;
            i64::try_from(elements_of(value)?.len()).ok()
        }),
        "json_array_contains" => array_contains(call),
        "json_array_get" => array_get(call),
        "is_json_scalar" => call.text_to(Kind::Boolean, |text| {
            Some(!matches!(text.trim_start().chars().next(), Some('{' | '[')))
        }),
        _ => return None,
    })
}

fn at_path<T: crate::sql::types::values::Cell>(
    call: &Call<'_>,
    kind: Kind,
    cell: impl Fn(&RawValue) -> Option<T>,
) -> Result<Values> {
    call.arity(2, 2)?;
    let texts = json_of(call)?;
    // Fields of a row type have lost their case.
    let any_case = matches!(call.arg(0)?.kind, Kind::Row(_));
    let parse_path = |path: &str| {
        let steps = parse_path(path)?.into_iter();
        let lenient = |step| if let Step::Member(name) = step { Step::AnyCase(name) } else { step };
        Ok::<_, SqlError>(if any_case { steps.map(lenient).collect() } else { steps.collect::<Vec<_>>() })
    };
    let one = call.arg(1)?.constant_text().map(|path| parse_path(&path)).transpose()?;
    let paths = call.texts(1)?;
    let needed = Needed::of(one.as_deref().unwrap_or_default());
    call.build(kind, |row| {
        let Some(text) = texts.get(row).filter(|text| needed.may_be_in(text)) else { return Ok(None) };
        let steps = match (&one, paths.get(row)) {
            (Some(steps), _) => Cow::Borrowed(steps),
            (None, Some(path)) => Cow::Owned(parse_path(path)?),
            (None, None) => return Ok(None),
        };
        Ok(at(text, &steps).and_then(&cell))
    })
}

/// The first argument as JSON. Where another definition of the table has a text column, this one may have a
/// row type: its JSON is used.
fn json_of(call: &Call<'_>) -> Result<Texts> {
    match &call.arg(0)?.kind {
        Kind::Row(_) | Kind::Map(..) => {
            let texts = cast::json_texts(call.arg(0)?, call.height)?;
            Values::build(Kind::Json, call.height, call.arg(0)?.constant, |row| {
                Ok(texts.get(row).cloned().flatten())
            })?
            .texts()
        }
        _ => call.texts(0),
    }
}

/// The text of a scalar; NULL for objects and arrays.
fn scalar(json: &str) -> Option<String> {
    if json.starts_with(['{', '[']) { None } else { scalar_text(json) }
}

/// The values that an SQL/JSON path leads to; `None` for an error, which these functions answer with NULL.
fn by_sql_path<T: crate::sql::types::values::Cell>(
    call: &Call<'_>,
    kind: Kind,
    cell: impl Fn(Option<Vec<String>>) -> Option<T>,
) -> Result<Values> {
    let texts = json_of(call)?;
    let any_case = matches!(call.arg(0)?.kind, Kind::Row(_));
    let one = call.arg(1)?.constant_text().map(|path| sql_path_text::parse(&path, any_case)).transpose()?;
    let paths = call.texts(1)?;
    // After the way of wrapping: names and values of PASSING.
    let passed = (3..call.args.len())
        .step_by(2)
        .map(|at| Ok((call.literal(at)?, cast::json_texts(call.arg(at + 1)?, call.height)?)));
    let passed = passed.collect::<Result<Vec<_>>>()?;
    call.build(kind, |row| {
        let Some((text, path)) = texts.get(row).zip(paths.get(row)) else { return Ok(None) };
        let variable = |(name, values): &(String, Vec<Option<String>>)| {
            (name.clone(), values.get(row).cloned().flatten().unwrap_or_else(|| "null".to_owned()))
        };
        let variables: Vec<(String, String)> = passed.iter().map(variable).collect();
        Ok(cell(match &one {
            Some(path) => path.values(text, &variables),
            None => sql_path_text::parse(path, any_case)?.values(text, &variables),
        }))
    })
}

/// Whether a path leads to what the function asks for: `value`, `empty` or `error`.
fn outcome(call: &Call<'_>) -> Result<Values> {
    let how = call.literal(2)?;
    by_sql_path(call, Kind::Varchar, |values| {
        let outcome = match (call.name, how.as_str(), values.as_deref()) {
            (_, _, None) => "error",
            (json_calls::OUTCOME_OF_EXISTS, ..) => "value",
            (_, _, Some([])) => "empty",
            (json_calls::OUTCOME_OF_QUERY, json_calls::WRAPPER | json_calls::CONDITIONAL_WRAPPER, _) => {
                "value"
            }
            (json_calls::OUTCOME_OF_QUERY, _, Some([_])) => "value",
            (_, _, Some([one])) if !one.starts_with(['{', '[']) => "value",
            _ => "error",
        };
        Some(outcome.to_owned())
    })
}

/// The error that `ERROR ON EMPTY` and `ERROR ON ERROR` ask for, in the rows where it is evaluated.
fn fail(call: &Call<'_>) -> Result<Values> {
    if call.height > 0 && !call.lenient {
        return Err(SqlError::value(call.literal(0)?));
    }
    Ok(Values::null(Kind::Unknown))
}

/// `json_query`, whose third argument says how several values become one.
fn query(call: &Call<'_>) -> Result<Values> {
    let how = if call.args.len() > 2 { call.literal(2)? } else { String::new() };
    let compacted = |json: &String| {
        serde_json::from_str::<&RawValue>(json).map_or_else(|_| json.clone(), |value| compact(value, false))
    };
    let in_array =
        |values: &[String]| format!("[{}]", values.iter().map(compacted).collect::<Vec<_>>().join(","));
    by_sql_path(call, Kind::Varchar, |values| match (how.as_str(), values.as_deref()?) {
        (_, []) => None,
        (json_calls::CONDITIONAL_WRAPPER, [one]) if one.starts_with(['{', '[']) => Some(compacted(one)),
        (json_calls::WRAPPER | json_calls::CONDITIONAL_WRAPPER, all) => Some(in_array(all)),
        (json_calls::NO_QUOTES, [one]) if one.starts_with('"') => scalar_text(one),
        (_, [one]) => Some(compacted(one)),
        _ => None,
    })
}

fn size(value: &RawValue) -> Option<i64> {
    let count = match value.get().chars().next() {
        Some('[') => elements_of(value)?.len(),
        Some('{') => members_of(value)?.len(),
        _ => 0,
    };
    i64::try_from(count).ok()
}

fn parse(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let texts = call.texts(0)?;
    call.build(Kind::Json, |row| match texts.get(row) {
        Some(text) => match canonical(text) {
            Some(json) => Ok(Some(json)),
            None => call.refuse(|| format!("'{}' is no JSON", text.chars().take(80).collect::<String>())),
        },
        None => Ok(None),
    })
}

fn format(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    // JSON's null is a value, with a text.
    if call.arg(0)?.kind == Kind::Json {
        return Ok(Values { kind: Kind::Varchar, ..call.arg(0)?.clone() });
    }
    let texts = cast::json_texts(call.arg(0)?, call.height)?;
    call.build(Kind::Varchar, |row| Ok(texts.get(row).cloned().flatten()))
}

fn array_contains(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (arrays, wanted) = (call.texts(0)?, cast::texts(call.arg(1)?, call.height)?);
    let one = call.arg(1)?.constant;
    // `2` and `"2"` are different elements.
    let is_text = call.arg(1)?.kind.is_text();
    let equals = |json: &str, wanted: &str| {
        json.starts_with('"') == is_text
            && scalar(json).is_some_and(|found| found == wanted || is_same_number(&found, wanted))
    };
    call.build(Kind::Boolean, |row| {
        let Some((array, wanted)) =
            arrays.get(row).zip(wanted.get(if one { 0 } else { row }).and_then(Option::as_deref))
        else {
            return Ok(None);
        };
        let Ok(value) = serde_json::from_str::<&RawValue>(array) else { return Ok(None) };
        Ok(elements_of(value).map(|elements| elements.iter().any(|element| equals(element.get(), wanted))))
    })
}

/// `2.50` equals 2.5; strings are compared as they are.
fn is_same_number(a: &str, b: &str) -> bool {
    a.parse::<f64>().is_ok_and(|a| b.parse() == Ok(a))
}

fn array_get(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (arrays, indices) = (call.texts(0)?, call.wholes(1)?);
    call.build(Kind::Json, |row| {
        let Some((array, index)) = arrays.get(row).zip(indices.get(row)) else { return Ok(None) };
        let Ok(value) = serde_json::from_str::<&RawValue>(array) else { return Ok(None) };
        let elements = elements_of(value).unwrap_or_default();
        let index = if index < 0 { index + elements.len() as i64 } else { index };
        Ok(usize::try_from(index)
            .ok()
            .and_then(|index| elements.get(index))
            .map(|element| element.get().to_owned()))
    })
}

/// A JSON object of texts.
pub(in crate::sql) fn object_json<'p>(members: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let members: Vec<String> =
        members.map(|(key, value)| format!("{}:{}", json_string(key), json_string(value))).collect();
    format!("{{{}}}", members.join(","))
}

/// The value of a path of members in JSON text, with names compared ignoring case. This is what a dotted name
/// means if another table definition declares the column as a row.
pub(in crate::sql) fn members(values: Values, path: &[sqlparser::ast::Ident]) -> Result<Values> {
    if path.is_empty() {
        return Ok(values);
    }
    let steps: Vec<Step> = path.iter().map(|ident| Step::AnyCase(ident.value.clone())).collect();
    let texts = values.texts()?;
    let height = values.data.len();
    Values::build(Kind::Varchar, height, values.constant, |row| {
        Ok(texts.get(row).and_then(|text| follow(text, &steps)).and_then(|value| scalar_text(value.get())))
    })
}

/// One member of JSON text by its exact name: `requestparameters['bucketName']`.
pub(super) fn member_named(values: &Values, names: &Values, height: usize) -> Result<Values> {
    let (texts, names) = (values.texts()?, names.texts()?);
    Values::build(Kind::Varchar, height, values.constant, |row| {
        let Some((text, name)) = texts.get(row).zip(names.get(row)) else { return Ok(None) };
        Ok(follow(text, &[Step::Member(name.to_owned())]).and_then(|value| scalar_text(value.get())))
    })
}
