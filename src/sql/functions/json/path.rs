//! JSON paths such as `$.a.b[0]`.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem::Finder;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::sql::error::{Result, SqlError};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Member(String),
    AnyCase(String),
    Element(usize),
}

/// Parses `$.a.b[0]["c d"]`, also with `lax` or `strict` in front; a leading `$` may be missing.
pub(super) fn parse_path(path: &str) -> Result<Vec<Step>> {
    let wrong = || {
        SqlError::new(format!(
            "'{path}' is no JSON path that is supported: $.member, $[index], $['member']; json_query(x, 'lax \
             $[*].member' WITH ARRAY WRAPPER) follows others"
        ))
    };
    let trimmed = path.trim();
    let trimmed = trimmed
        .strip_prefix("lax")
        .or_else(|| trimmed.strip_prefix("strict"))
        .unwrap_or(trimmed)
        .trim_start();
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
            let unquoted =
                ['"', '\''].iter().find_map(|quote| inner.strip_prefix(*quote)?.strip_suffix(*quote));
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

pub(super) fn member(text: &str) -> (&str, &str) {
    text.split_at(text.find(['.', '[']).unwrap_or(text.len()))
}

/// The value at the path; JSON's `null` counts as none.
pub(super) fn follow<'t>(text: &'t str, steps: &[Step]) -> Option<&'t RawValue> {
    at(text, steps).filter(|value| value.get() != "null")
}

/// The value at the path, possibly JSON's `null`.
pub(super) fn at<'t>(text: &'t str, steps: &[Step]) -> Option<&'t RawValue> {
    let Some((first, steps)) = steps.split_first() else { return serde_json::from_str(text).ok() };
    let mut value = one_step(text.trim_ascii_start(), first)?;
    for step in steps {
        value = one_step(value.get(), step)?;
    }
    Some(value)
}

/// What a step leads to in a text that is JSON to its end, without spaces in front.
fn one_step<'t>(text: &'t str, step: &Step) -> Option<&'t RawValue> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = match step {
        Step::Member(name) if text.starts_with('{') => {
            reader.deserialize_map(One { name, any_case: false }).ok()??
        }
        Step::AnyCase(name) if text.starts_with('{') => {
            reader.deserialize_map(One { name, any_case: true }).ok()??
        }
        Step::Element(index) if text.starts_with('[') => {
            reader.deserialize_seq(Nth { index: *index }).ok()??
        }
        // Trino does not tell the two apart: `$.items.0` is an element, and `$[0]` a member.
        Step::Member(name) | Step::AnyCase(name) if text.starts_with('[') => {
            reader.deserialize_seq(Nth { index: name.parse().ok()? }).ok()??
        }
        Step::Element(index) if text.starts_with('{') => {
            reader.deserialize_map(One { name: &index.to_string(), any_case: false }).ok()??
        }
        _ => return None,
    };
    reader.end().ok()?;
    Some(found)
}

/// Looks for a member that a path needs, before a text is read as JSON: most texts have no such member.
pub(super) struct Needed(Option<(Finder<'static>, Finder<'static>)>);

impl Needed {
    pub fn of(steps: &[Step]) -> Self {
        // What could be written with another escape than `\u` is not looked for.
        let is_plain = |name: &&String| {
            name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'/'))
                // It may be an element.
                && name.parse::<usize>().is_err()
        };
        fn name(step: &Step) -> Option<&String> {
            if let Step::Member(name) = step { Some(name) } else { None }
        }
        let longest = steps.iter().filter_map(name).filter(is_plain).max_by_key(|name| name.len());
        Self(
            longest.map(|name| {
                (Finder::new(&format!("\"{name}\"")).into_owned(), Finder::new("\\u").into_owned())
            }),
        )
    }

    /// Whether a text may have a value at the path.
    pub fn may_be_in(&self, text: &str) -> bool {
        let Some((name, escape)) = &self.0 else { return true };
        name.find(text.as_bytes()).is_some() || escape.find(text.as_bytes()).is_some()
    }
}

/// Extracts one member of an object.
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

/// Extracts one element of an array.
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
    fn a_path_is_followed_through_text_and_damage_is_nothing() {
        let json = r#"{"a": {"b": [ {"c": "x\ny"}, 2 ]}, "n": null}"#;
        let at = |path: &str| follow(json, &parse_path(path).unwrap()).map(|value| value.get().to_owned());
        assert_eq!(at("$.a.b[0].c").as_deref(), Some(r#""x\ny""#));
        assert_eq!(at("$.a.b[1]").as_deref(), Some("2"));
        assert_eq!(at("$.a.b[2]"), None);
        assert_eq!(at("$.n"), None);
        assert_eq!(at("$.a.b.c"), None);
        // An index may stand where a name does, and a name that is a number in brackets.
        assert_eq!(at("$.a.b.1").as_deref(), Some("2"));
        assert_eq!(at("$.a.b[\"0\"].c").as_deref(), Some(r#""x\ny""#));
        let numbered = follow(r#"{"0": "zero"}"#, &parse_path("$[0]").unwrap());
        assert_eq!(numbered.map(RawValue::get), Some(r#""zero""#));
        assert!(follow("{\"a\":", &[]).is_none());
        let a = [Step::Member("a".to_owned())];
        for damaged in ["{\"a\":1", "{\"a\":1}}", "{\"a\":1} x", "[1]", "\"a\"", ""] {
            assert!(at_steps(damaged, &a).is_none(), "{damaged}");
        }
        assert_eq!(at_steps(" \n{\"a\": 1 , \"b\":2} ", &a), Some("1"));
    }

    fn at_steps<'t>(text: &'t str, steps: &[Step]) -> Option<&'t str> {
        super::at(text, steps).map(RawValue::get)
    }

    #[test]
    fn what_has_the_needed_name_in_any_spelling_is_read() {
        let needed = |path: &str| Needed::of(&parse_path(path).unwrap());
        let may_be = |path: &str, text: &str| needed(path).may_be_in(text);
        assert!(may_be("$.a.role", r#"{"a":{"role":1}}"#) && !may_be("$.a.role", r#"{"a":{"roles":1}}"#));
        assert!(may_be("$.role", r#"{"r\u006fle":1}"#));
        // A slash has an escape of its own; an element has no name.
        assert!(may_be("$.0", "[1]"));
        assert!(may_be("$['a/b']", r#"{"a\/b":1}"#) && may_be("$[0]", "[1]") && may_be("$", "1"));
    }
}
