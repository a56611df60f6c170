//! JSON by path: `json_extract_scalar(requestparameters, '$.repositoryName')` and its relatives.
//!
//! A path is followed through the text itself: what lies beside it is stepped over, never built as a tree. A value
//! that is not JSON, or has nothing at the path, gives NULL.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::cast::{self, json_string, scalar_text};
use super::super::error::{Result, SqlError};
use super::super::values::{Texts, Values};
use super::Call;
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
    "get_json_object",
    "is_json_scalar",
];

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    Some(match call.name {
        "json_extract" => at_path(call, Kind::Json, |value| Some(compact(value, false))),
        "json_query" => at_path(call, Kind::Varchar, |value| Some(compact(value, false))),
        "json_extract_scalar" | "json_value" => at_path(call, Kind::Varchar, |value| scalar(value.get())),
        "get_json_object" => at_path(call, Kind::Varchar, |value| scalar_text(value.get())),
        "json_exists" => exists(call),
        "json_size" => at_path(call, Kind::Bigint, size),
        "json_parse" => parse(call),
        "json_format" => format(call),
        "json_array_length" => call.text_to(Kind::Bigint, |text| {
            let value: &RawValue = serde_json::from_str(text).ok()?;
            i64::try_from(elements_of(value)?.len()).ok()
        }),
        "json_array_contains" => array_contains(call),
        "json_array_get" => array_get(call),
        "is_json_scalar" => call.text_to(Kind::Boolean, |text| Some(!matches!(text.trim_start().chars().next(), Some('{' | '[')))),
        _ => return None,
    })
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    AnyCase(String),
    Element(usize),
}

fn at_path<T: super::super::values::Cell>(call: &Call<'_>, kind: Kind, cell: impl Fn(&RawValue) -> Option<T>) -> Result<Values> {
    call.arity(2, 2)?;
    let texts = json_of(call)?;
    // Members of a row have lost the case of their letters.
    let any_case = matches!(call.arg(0)?.kind, Kind::Row(_));
    let parse_path = |path: &str| {
        let steps = parse_path(path)?.into_iter();
        let lenient = |step| if let Step::Member(name) = step { Step::AnyCase(name) } else { step };
        Ok::<_, SqlError>(if any_case { steps.map(lenient).collect() } else { steps.collect::<Vec<_>>() })
    };
    let one = call.arg(1)?.constant_text().map(|path| parse_path(&path)).transpose()?;
    let paths = call.texts(1)?;
    call.build(kind, |row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let steps = match (&one, paths.get(row)) {
            (Some(steps), _) => Cow::Borrowed(steps),
            (None, Some(path)) => Cow::Owned(parse_path(path)?),
            (None, None) => return Ok(None),
        };
        Ok(at(text, &steps).and_then(&cell))
    })
}

/// The first argument as JSON. Where a table of another definition has a text, ours may have a row: its JSON is meant.
fn json_of(call: &Call<'_>) -> Result<Texts> {
    match &call.arg(0)?.kind {
        Kind::Row(_) | Kind::Map(..) => {
            let texts = cast::json_texts(call.arg(0)?, call.height)?;
            Values::build(Kind::Json, call.height, call.arg(0)?.constant, |row| Ok(texts.get(row).cloned().flatten()))?.texts()
        }
        _ => call.texts(0),
    }
}

/// The text of a scalar; NULL for objects and arrays.
fn scalar(json: &str) -> Option<String> {
    if json.starts_with(['{', '[']) { None } else { scalar_text(json) }
}

fn exists(call: &Call<'_>) -> Result<Values> {
    let found = at_path(call, Kind::Boolean, |_| Some(true))?;
    let cells = found.truths()?;
    let texts = json_of(call)?;
    call.build(Kind::Boolean, |row| Ok(texts.get(row).map(|_| cells.get(row) == Some(true))))
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
        Some(text) => match serde_json::from_str::<&RawValue>(text) {
            Ok(value) => Ok(Some(compact(value, true))),
            Err(_) => call.refuse(|| format!("'{}' is no JSON", text.chars().take(80).collect::<String>())),
        },
        None => Ok(None),
    })
}

/// Depth and length of what is written anew; records of strangers may have more, and what has stays as it is.
const DEPTH_MAX: usize = 64;
const LENGTH_MAX: usize = 10_000;

/// JSON as Trino writes it: no white space, and the members of what `json_parse` gave in the order of their names.
fn compact(value: &RawValue, sorted: bool) -> String {
    compact_at(value, sorted, DEPTH_MAX)
}

fn compact_at(value: &RawValue, sorted: bool, depth: usize) -> String {
    let (json, below) = (value.get(), depth.saturating_sub(1));
    match json.chars().next() {
        Some('{') if depth > 0 => {
            let mut members = members_of(value).unwrap_or_default();
            if members.len() > LENGTH_MAX {
                return json.to_owned();
            }
            if sorted {
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
            }
            let members = members.iter().map(|(name, value)| format!("{}:{}", json_string(name), compact_at(value, sorted, below)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Some('[') if depth > 0 => {
            let elements = elements_of(value).unwrap_or_default();
            if elements.len() > LENGTH_MAX {
                return json.to_owned();
            }
            let elements = elements.into_iter().map(|value| compact_at(value, sorted, below));
            format!("[{}]", elements.collect::<Vec<_>>().join(","))
        }
        _ => json.to_owned(),
    }
}

fn format(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let texts = cast::json_texts(call.arg(0)?, call.height)?;
    call.build(Kind::Varchar, |row| Ok(texts.get(row).cloned().flatten()))
}

fn array_contains(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (arrays, wanted) = (call.texts(0)?, cast::texts(call.arg(1)?, call.height)?);
    let one = call.arg(1)?.constant;
    call.build(Kind::Boolean, |row| {
        let Some((array, wanted)) = arrays.get(row).zip(wanted.get(if one { 0 } else { row }).and_then(Option::as_deref)) else { return Ok(None) };
        let Ok(value) = serde_json::from_str::<&RawValue>(array) else { return Ok(None) };
        Ok(elements_of(value).map(|elements| elements.iter().any(|element| scalar(element.get()).as_deref() == Some(wanted))))
    })
}

fn array_get(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (arrays, indices) = (call.texts(0)?, call.wholes(1)?);
    call.build(Kind::Json, |row| {
        let Some((array, index)) = arrays.get(row).zip(indices.get(row)) else { return Ok(None) };
        let Ok(value) = serde_json::from_str::<&RawValue>(array) else { return Ok(None) };
        let elements = elements_of(value).unwrap_or_default();
        let index = if index < 0 { index + elements.len() as i64 } else { index };
        Ok(usize::try_from(index).ok().and_then(|index| elements.get(index)).map(|element| element.get().to_owned()))
    })
}

/// A JSON object of texts.
pub(in super::super) fn object_json<'p>(members: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let members: Vec<String> = members.map(|(key, value)| format!("{}:{}", json_string(key), json_string(value))).collect();
    format!("{{{}}}", members.join(","))
}

/// `$.a.b[0]["c d"]`, with `lax` or `strict` in front for the SQL/JSON functions; a leading `$` may be left out.
fn parse_path(path: &str) -> Result<Vec<Step>> {
    let wrong = || SqlError::new(format!("'{path}' is no JSON path that is supported: $.member, $[index], $['member']"));
    let trimmed = path.trim();
    let trimmed = trimmed.strip_prefix("lax").or_else(|| trimmed.strip_prefix("strict")).unwrap_or(trimmed).trim_start();
    let mut rest = trimmed.strip_prefix('$').unwrap_or(trimmed);
    let mut steps = Vec::new();
    if !rest.is_empty() && !rest.starts_with(['.', '[']) {
        let (name, after) = member(rest);
        steps.push(Step::Member(name.to_owned()));
        rest = after;
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (inner, after) = after.split_once(']').ok_or_else(wrong)?;
            let inner = inner.trim();
            let unquoted = ['"', '\''].iter().find_map(|quote| inner.strip_prefix(*quote)?.strip_suffix(*quote));
            steps.push(match (unquoted, inner.parse()) {
                (Some(name), _) => Step::Member(name.to_owned()),
                (None, Ok(index)) => Step::Element(index),
                (None, Err(_)) => return Err(wrong()),
            });
            rest = after;
        } else {
            let after = rest.strip_prefix('.').ok_or_else(wrong)?;
            let (name, after) = match after.strip_prefix('"').and_then(|after| after.split_once('"')) {
                Some(quoted) => quoted,
                None => member(after),
            };
            if name.is_empty() || name == "*" {
                return Err(wrong());
            }
            steps.push(Step::Member(name.to_owned()));
            rest = after;
        }
    }
    Ok(steps)
}

/// Members of JSON text, one inside the other, their names compared without case: what a dot means in tables that declare
/// such a column as a row.
pub(in super::super) fn members(values: Values, path: &[sqlparser::ast::Ident]) -> Result<Values> {
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

fn member(text: &str) -> (&str, &str) {
    text.split_at(text.find(['.', '[']).unwrap_or(text.len()))
}

/// What lies at the path; JSON's `null` counts as nothing.
fn follow<'t>(text: &'t str, steps: &[Step]) -> Option<&'t RawValue> {
    at(text, steps).filter(|value| value.get() != "null")
}

/// What lies at the path, be it JSON's `null`.
fn at<'t>(text: &'t str, steps: &[Step]) -> Option<&'t RawValue> {
    let mut value: &RawValue = serde_json::from_str(text).ok()?;
    for step in steps {
        let mut reader = serde_json::Deserializer::from_str(value.get());
        value = match step {
            Step::Member(name) if value.get().starts_with('{') => reader.deserialize_map(One { name, any_case: false }).ok()??,
            Step::AnyCase(name) if value.get().starts_with('{') => reader.deserialize_map(One { name, any_case: true }).ok()??,
            Step::Element(index) if value.get().starts_with('[') => reader.deserialize_seq(Nth { index: *index }).ok()??,
            _ => return None,
        };
    }
    Some(value)
}

/// Picks one member of an object.
struct One<'n> {
    name: &'n str,
    any_case: bool,
}

impl<'t> Visitor<'t> for One<'_> {
    type Value = Option<&'t RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Member(key)) = map.next_key::<Member<'t>>()? {
            if key == self.name || (self.any_case && key.eq_ignore_ascii_case(self.name)) {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[derive(serde::Deserialize)]
struct Member<'t>(#[serde(borrow)] Cow<'t, str>);

/// Picks one element of an array.
struct Nth {
    index: usize,
}

impl<'t> Visitor<'t> for Nth {
    type Value = Option<&'t RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut seq: A) -> std::result::Result<Self::Value, A::Error> {
        let mut found = None;
        let mut at = 0;
        while let Some(value) = seq.next_element::<&'t RawValue>()? {
            if at == self.index {
                found = Some(value);
            }
            at += 1;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let member = |name: &str| Step::Member(name.to_owned());
        assert_eq!(parse_path("$.a.b[0]").unwrap(), [member("a"), member("b"), Step::Element(0)]);
        assert_eq!(parse_path("$[\"a b\"]['c.d']").unwrap(), [member("a b"), member("c.d")]);
        assert_eq!(parse_path("lax $.a").unwrap(), [member("a")]);
        assert_eq!(parse_path("$").unwrap(), []);
        assert_eq!(parse_path("a.b").unwrap(), [member("a"), member("b")]);
        assert!(parse_path("$.a[").is_err());
        assert!(parse_path("$..a").is_err());
        assert!(parse_path("$.*").is_err());
    }

    #[test]
    fn what_is_too_deep_or_too_long_stays_as_it_is() {
        let compacted = |json: &str| compact(serde_json::from_str(json).unwrap(), true);
        let deep = format!("{}1{}", "[ ".repeat(100_000), " ]".repeat(100_000));
        assert!(compacted(&deep).starts_with(&format!("{}[ ", "[".repeat(DEPTH_MAX))));
        let long = format!("[{}]", vec!["1"; 20_000].join(", "));
        assert_eq!(compacted(&long), long);
        assert_eq!(compacted(r#"{"b": "\u00e9 ", "a": [1.50, null]}"#), r#"{"a":[1.50,null],"b":"\u00e9 "}"#);
    }

    #[test]
    fn a_path_is_followed_through_text_and_damage_is_nothing() {
        let json = r#"{"a": {"b": [ {"c": "x\ny"}, 2 ]}, "n": null}"#;
        let at = |path: &str| follow(json, &parse_path(path).unwrap()).map(|value| value.get().to_owned());
        assert_eq!(at("$.a.b[0].c").as_deref(), Some(r#""x\ny""#));
        assert_eq!(at("$.a.b[1]").as_deref(), Some("2"));
        assert_eq!(at("$.a.b[2]"), None);
        assert_eq!(at("$.n"), None);
        assert_eq!(at("$.a.b.c"), None);
        assert!(follow("{\"a\":", &[]).is_none());
    }
}
