//! Regular expressions: `regexp_like`, `regexp_extract`, `regexp_replace` …

use regex::Regex;

use super::array::columns::lists_of_texts;
use super::call::Call;
use super::like::regex;
use crate::sql::error::Result;
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
        "regexp_like" => each(call, Kind::Boolean, |text, regex, _| Some(regex.is_match(text))),
        "regexp_count" => {
            each(call, Kind::Bigint, |text, regex, _| i64::try_from(regex.find_iter(text).count()).ok())
        }
        "regexp_extract" => extract(call),
        "regexp_extract_all" => lists(call, |text, regex, group| {
            regex
                .captures_iter(text)
                .map(|found| found.get(group).map(|part| part.as_str().to_owned()))
                .collect()
        }),
        "regexp_split" => {
            lists(call, |text, regex, _| regex.split(text).map(|part| Some(part.to_owned())).collect())
        }
        "regexp_replace" => replace(call),
        "regexp_position" => position(call),
        _ => return None,
    })
}

/// The pattern of a call: compiled once if it is the same in every row, otherwise whenever it changes.
struct Pattern {
    one: Option<Regex>,
    texts: Texts,
    last: Option<(String, Regex)>,
}

impl Pattern {
    fn of(call: &Call<'_>) -> Result<Self> {
        let one = call.arg(1)?.constant_text().map(|pattern| regex(&pattern)).transpose()?;
        Ok(Self { one, texts: call.texts(1)?, last: None })
    }

    fn get(&mut self, row: usize) -> Result<Option<&Regex>> {
        if self.one.is_some() {
            return Ok(self.one.as_ref());
        }
        let Some(pattern) = self.texts.get(row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(known, _)| known != pattern) {
            self.last = Some((pattern.to_owned(), regex(pattern)?));
        }
        Ok(self.last.as_ref().map(|(_, regex)| regex))
    }
}

fn each<T: crate::sql::types::values::Cell>(
    call: &Call<'_>,
    kind: Kind,
    cell: impl Fn(&str, &Regex, usize) -> Option<T>,
) -> Result<Values> {
    call.arity(2, 3)?;
    let (texts, mut pattern) = (call.texts(0)?, Pattern::of(call)?);
    call.build(kind, |row| match (texts.get(row), pattern.get(row)?) {
        (Some(text), Some(regex)) => Ok(cell(text, regex, row)),
        _ => Ok(None),
    })
}

fn extract(call: &Call<'_>) -> Result<Values> {
    let groups = if call.args.len() > 2 { Some(call.wholes(2)?) } else { None };
    each(call, Kind::Varchar, |text, regex, row| {
        let group = groups.as_ref().map_or(Some(0), |groups| groups.get(row))?;
        regex.captures(text)?.get(usize::try_from(group).ok()?).map(|part| part.as_str().to_owned())
    })
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
        let next = |last: Option<regex::Match<'_>>| {
            let at = match last {
                None => from,
                Some(last) if last.is_empty() => {
                    last.end() + text.get(last.end()..)?.chars().next()?.len_utf8()
                }
                Some(last) => last.end(),
            };
            regex.find_at(text, at)
        };
        let found = (0..before).try_fold(next(None), |last, _| last.map(|last| next(Some(last))));
        let before = found.flatten().and_then(|found| text.get(..found.start()));
        Ok(Some(before.map_or(-1, |before| i64::try_from(before.chars().count() + 1).unwrap_or(-1))))
    })
}

fn lists(call: &Call<'_>, cell: impl Fn(&str, &Regex, usize) -> Vec<Option<String>>) -> Result<Values> {
    call.arity(2, 3)?;
    let (texts, mut pattern) = (call.texts(0)?, Pattern::of(call)?);
    let groups = if call.args.len() > 2 { Some(call.wholes(2)?) } else { None };
    let group = |row| {
        groups
            .as_ref()
            .map_or(Some(0), |groups| groups.get(row))
            .and_then(|group| usize::try_from(group).ok())
            .unwrap_or(0)
    };
    let mut failure = None;
    let lists = lists_of_texts(call, |row| match (texts.get(row), pattern.get(row)) {
        (Some(text), Ok(Some(regex))) => Some(cell(text, regex, group(row))),
        (_, Err(error)) => {
            failure = Some(error);
            None
        }
        _ => None,
    })?;
    failure.map_or(Ok(lists), Err)
}

fn replace(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let (texts, mut pattern) = (call.texts(0)?, Pattern::of(call)?);
    // `$1` directly before a letter would be read as a longer name.
    let with = if call.args.len() > 2 { braced(&call.literal(2)?) } else { String::new() };
    call.build(Kind::Varchar, |row| match (texts.get(row), pattern.get(row)?) {
        (Some(text), Some(regex)) => Ok(Some(regex.replace_all(text, with.as_str()).into_owned())),
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
