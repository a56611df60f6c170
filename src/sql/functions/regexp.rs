//! Regular expressions: `regexp_like`, `regexp_extract`, `regexp_replace` …

use super::array::columns::lists_of_texts;
use super::call::Call;
use super::pattern;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::values::{Texts, Values, Wholes};
use crate::tables::Kind;

pub(super) const NAMES: &[&str] = &[
    "regexp_like",
    "regexp_extract",
    "regexp_extract_all",
    "regexp_replace",
    "regexp_count",
    "regexp_split",
    "regexp_position",
];

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    Some(match call.name {
        "regexp_like" => each(call, Kind::Boolean, |text, pattern, _| pattern.is_match(text).map(Some)),
        "regexp_count" => {
            each(call, Kind::Bigint, |text, pattern, _| Ok(i64::try_from(pattern.ranges(text)?.len()).ok()))
        }
        "regexp_extract" => extract(call),
        "regexp_extract_all" => lists(call, |text, pattern, group| {
            let part = |found: pattern::Found| {
                found.get(group).cloned().flatten().and_then(|range| text.get(range)).map(str::to_owned)
            };
            Ok(pattern.all(text)?.into_iter().map(part).collect())
        }),
        "regexp_split" => lists(call, |text, pattern, _| {
            let mut start = 0;
            let mut parts = Vec::new();
            for range in pattern.ranges(text)? {
                parts.push(text.get(start..range.start).map(str::to_owned));
                start = range.end;
            }
            parts.push(text.get(start..).map(str::to_owned));
            Ok(parts)
        }),
        "regexp_replace" => replace(call),
        "regexp_position" => position(call),
        _ => return None,
    })
}

/// The pattern of a call: compiled once if it is the same in every row, otherwise whenever it changes.
struct Pattern {
    one: Option<pattern::Pattern>,
    texts: Texts,
    last: Option<(String, pattern::Pattern)>,
}

impl Pattern {
    fn of(call: &Call<'_>) -> Result<Self> {
        let one = call.arg(1)?.constant_text();
        let one = one.map(|pattern| pattern::Pattern::new(&pattern)).transpose()?;
        Ok(Self { one, texts: call.texts(1)?, last: None })
    }

    fn get(&mut self, row: usize) -> Result<Option<&pattern::Pattern>> {
        if self.one.is_some() {
            return Ok(self.one.as_ref());
        }
        let Some(pattern) = self.texts.get(row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(known, _)| known != pattern) {
            self.last = Some((pattern.to_owned(), pattern::Pattern::new(pattern)?));
        }
        Ok(self.last.as_ref().map(|(_, regex)| regex))
    }
}

fn each<T: crate::sql::types::values::Cell>(
    call: &Call<'_>,
    kind: Kind,
    mut cell: impl FnMut(&str, &pattern::Pattern, usize) -> Result<Option<T>>,
) -> Result<Values> {
    call.arity(2, 3)?;
    let (texts, mut pattern) = (call.texts(0)?, Pattern::of(call)?);
    call.build(kind, |row| match (texts.get(row), pattern.get(row)?) {
        (Some(text), Some(regex)) => cell(text, regex, row).or_else(|error| lenient(call, error)),
        _ => Ok(None),
    })
}

fn extract(call: &Call<'_>) -> Result<Values> {
    let groups = if call.args.len() > 2 { Some(call.wholes(2)?) } else { None };
    let mut missing = None;
    let found = each(call, Kind::Varchar, |text, pattern, row| {
        let Some(group) = groups.as_ref().map_or(Some(0), |groups| groups.get(row)) else { return Ok(None) };
        let Some(place) = usize::try_from(group).ok().filter(|place| *place < pattern.groups()) else {
            missing = Some((group, pattern.groups() - 1));
            return Ok(None);
        };
        let range = pattern.first(text, 0, place)?;
        Ok(range.and_then(|range| text.get(range)).map(str::to_owned))
    })?;
    no_group(call, missing)?;
    Ok(found)
}

/// NULL inside of `try(…)`.
fn lenient<T>(call: &Call<'_>, error: SqlError) -> Result<Option<T>> {
    if call.lenient && error.by_value { Ok(None) } else { Err(error) }
}

/// An error if a group is asked for that the pattern does not have.
fn no_group(call: &Call<'_>, missing: Option<(i64, usize)>) -> Result<()> {
    match missing {
        Some((group, count)) if !call.lenient => {
            let groups = if count == 1 { "1 group".to_owned() } else { format!("{count} groups") };
            Err(SqlError::value(format!(
                "there is no group {group}: the pattern has {groups} in parentheses"
            )))
        }
        _ => Ok(()),
    }
}

/// The position of the n-th match, searching from a position on; -1 if there is none.
fn position(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 4)?;
    let (texts, mut pattern) = (call.texts(0)?, Pattern::of(call)?);
    let numbers = |at: usize| if call.args.len() > at { call.wholes(at).map(Some) } else { Ok(None) };
    let (starts, occurrences) = (numbers(2)?, numbers(3)?);
    call.build(Kind::Bigint, |row| {
        let number = |numbers: &Option<Wholes>| numbers.as_ref().map_or(Some(1), |numbers| numbers.get(row));
        let (Some(text), Some((start, occurrence))) =
            (texts.get(row), number(&starts).zip(number(&occurrences)))
        else {
            return Ok(None);
        };
        let Some(regex) = pattern.get(row)? else { return Ok(None) };
        let (Ok(skipped), Ok(before)) = (usize::try_from(start - 1), usize::try_from(occurrence - 1)) else {
            return call.refuse(|| "positions and occurrences count from 1".to_owned());
        };
        let Some(from) = text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(skipped) else {
            return Ok(Some(-1));
        };
        // `^` and `\b` still see what is before the first position.
        let range = |at| regex.first(text, at, 0);
        let mut found = range(from)?;
        for _ in 0..before {
            let Some(last) = found else { break };
            let at = match last.is_empty() {
                true => text
                    .get(last.end..)
                    .and_then(|rest| rest.chars().next())
                    .map(|letter| last.end + letter.len_utf8()),
                false => Some(last.end),
            };
            found = at.map(range).transpose()?.flatten();
        }
        let before = found.and_then(|found| text.get(..found.start));
        Ok(Some(before.map_or(-1, |before| i64::try_from(before.chars().count() + 1).unwrap_or(-1))))
    })
}

fn lists(
    call: &Call<'_>,
    cell: impl Fn(&str, &pattern::Pattern, usize) -> Result<Vec<Option<String>>>,
) -> Result<Values> {
    call.arity(2, if call.name == "regexp_split" { 2 } else { 3 })?;
    let (texts, mut pattern) = (call.texts(0)?, Pattern::of(call)?);
    let groups = if call.args.len() > 2 { Some(call.wholes(2)?) } else { None };
    let group = |row| {
        groups
            .as_ref()
            .map_or(Some(0), |groups| groups.get(row))
            .map_or(0, |group| usize::try_from(group).unwrap_or(usize::MAX))
    };
    let (mut failure, mut missing) = (None, None);
    let lists = lists_of_texts(call, |row| match (texts.get(row), pattern.get(row)) {
        (Some(_), Ok(Some(regex))) if group(row) >= regex.groups() => {
            missing = Some((i64::try_from(group(row)).unwrap_or(i64::MAX), regex.groups() - 1));
            None
        }
        (Some(text), Ok(Some(regex))) => match cell(text, regex, group(row)) {
            Ok(list) => Some(list),
            Err(error) => {
                failure = failure.take().or((!call.lenient).then_some(error));
                None
            }
        },
        (_, Err(error)) => {
            failure = Some(error);
            None
        }
        _ => None,
    })?;
    no_group(call, missing)?;
    failure.map_or(Ok(lists), Err)
}

fn replace(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let (texts, mut pattern) = (call.texts(0)?, Pattern::of(call)?);
    // `$1` directly before a letter would be read as a longer name.
    let with = if call.args.len() > 2 { braced(&call.literal(2)?) } else { String::new() };
    let mut groups: Vec<String> = with
        .split("${")
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| name.to_owned())
        .collect();
    groups.sort();
    call.build(Kind::Varchar, |row| match (texts.get(row), pattern.get(row)?) {
        (Some(text), Some(regex)) => match groups.iter().find(|name| !regex.has_group(name)) {
            Some(name) => call.refuse(|| {
                format!("the pattern has no group {name}; a dollar sign is written \\$ in the replacement")
            }),
            None => regex.replaced(text, &with).map(Some).or_else(|error| lenient(call, error)),
        },
        _ => Ok(None),
    })
}

/// Java's `$1` and `\$` in the notation of the regex crate.
fn braced(replacement: &str) -> String {
    let mut out = String::new();
    let mut chars = replacement.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('$') => out.push_str("$$"),
                Some(other) => out.push(other),
                None => {}
            },
            '$' if chars.peek().is_some_and(char::is_ascii_digit) => {
                out.push_str("${");
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    out.push(digit);
                }
                out.push('}');
            }
            other => out.push(other),
        }
    }
    out
}
