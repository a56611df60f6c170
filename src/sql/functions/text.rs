//! Functions on text. Positions count characters from 1.

mod made;

use super::array;
use super::array::columns::lists_of_texts;
use super::call::Call;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::cast;
use crate::sql::types::values::Values;
use made::{
    chr, hamming_distance, initcap, ip_prefix, levenshtein_distance, pad, part, split_to_map,
    split_to_multimap, translate,
};

use crate::tables::Kind;

pub(super) const NAMES: &[&str] = &[
    "lower",
    "upper",
    "lcase",
    "ucase",
    "length",
    "char_length",
    "character_length",
    "trim",
    "ltrim",
    "rtrim",
    "btrim",
    "substr",
    "substring",
    "concat",
    "concat_ws",
    "replace",
    "split",
    "split_part",
    "strpos",
    "instr",
    "position",
    "reverse",
    "lpad",
    "rpad",
    "starts_with",
    "ends_with",
    "chr",
    "codepoint",
    "translate",
    "left",
    "right",
    "initcap",
    "split_to_map",
    "split_to_multimap",
    "hamming_distance",
    "ip_prefix",
    "levenshtein_distance",
];

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    Some(match call.name {
        "lower" | "lcase" => call.text_to(Kind::Varchar, |text| Some(text.to_lowercase())),
        "upper" | "ucase" => {
            call.text_to(Kind::Varchar, |text| Some(text.chars().map(upper).collect::<String>()))
        }
        "length" | "char_length" | "character_length" => {
            call.text_to(Kind::Bigint, |text| i64::try_from(text.chars().count()).ok())
        }
        "trim" | "btrim" | "ltrim" | "rtrim" => trim(call),
        "substr" | "substring" => substr(call),
        "concat" if call.args.iter().any(|arg| matches!(arg.kind, Kind::Array(_))) => array::concat(call),
        "concat" => concat(call),
        "concat_ws" => concat_ws(call),
        "replace" => replace(call),
        "split" => split(call),
        "split_part" => split_part(call),
        "strpos" | "instr" | "position" => strpos(call),
        "reverse" if matches!(call.args.first().map(|arg| &arg.kind), Some(Kind::Array(_))) => return None,
        "reverse" => call.text_to(Kind::Varchar, |text| Some(text.chars().rev().collect::<String>())),
        "lpad" | "rpad" => pad(call),
        "starts_with" => pair(call, |text, part| text.starts_with(part)),
        "ends_with" => pair(call, |text, part| text.ends_with(part)),
        "chr" => chr(call),
        "codepoint" => {
            call.text_to(Kind::Bigint, |text| text.chars().next().map(|char| i64::from(u32::from(char))))
        }
        "translate" => translate(call),
        "left" => part(call, |chars, count| chars.iter().take(count).collect()),
        "right" => part(call, |chars, count| chars.iter().skip(chars.len().saturating_sub(count)).collect()),
        "initcap" => call.text_to(Kind::Varchar, |text| Some(initcap(text))),
        "split_to_map" => split_to_map(call),
        "split_to_multimap" => split_to_multimap(call),
        "hamming_distance" => hamming_distance(call),
        "ip_prefix" => ip_prefix(call),
        "levenshtein_distance" => levenshtein_distance(call),
        _ => return None,
    })
}

/// Upper case of a single letter, as in Trino: ß has none.
fn upper(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => letter,
    }
}

/// White space for `trim`, as in Trino: non-breaking spaces are not removed.
fn is_space(letter: char) -> bool {
    (letter.is_whitespace() && !matches!(letter, '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}'))
        || matches!(letter, '\u{1c}'..='\u{1f}')
}

fn trim(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 2)?;
    let texts = call.texts(0)?;
    let set = if call.args.len() > 1 { Some(call.texts(1)?) } else { None };
    call.build(Kind::Varchar, |row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let chars: Option<Vec<char>> = match &set {
            Some(set) => match set.get(row) {
                Some(set) => Some(set.chars().collect()),
                None => return Ok(None),
            },
            None => None,
        };
        let goes =
            |letter: char| chars.as_ref().map_or_else(|| is_space(letter), |chars| chars.contains(&letter));
        Ok(Some(match call.name {
            "ltrim" => text.trim_start_matches(goes).to_owned(),
            "rtrim" => text.trim_end_matches(goes).to_owned(),
            _ => text.trim_matches(goes).to_owned(),
        }))
    })
}

fn substr(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let (texts, starts) = (call.texts(0)?, call.wholes(1)?);
    let lengths = if call.args.len() > 2 { Some(call.wholes(2)?) } else { None };
    call.build(Kind::Varchar, |row| {
        let Some((text, start)) = texts.get(row).zip(starts.get(row)) else { return Ok(None) };
        let length = match &lengths {
            Some(lengths) => match lengths.get(row) {
                Some(length) => usize::try_from(length).unwrap_or(0),
                None => return Ok(None),
            },
            None => usize::MAX,
        };
        let skip = match start {
            0 => return Ok(Some("")),
            start if start > 0 => usize::try_from(start - 1).unwrap_or(usize::MAX),
            start => {
                let back = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
                match text.chars().count().checked_sub(back) {
                    Some(skip) => skip,
                    None => return Ok(Some("")),
                }
            }
        };
        let rest = text.get(index_of(text, skip)..).unwrap_or_default();
        Ok(rest.get(..index_of(rest, length)))
    })
}

/// The index at which so many characters of a text end.
fn index_of(text: &str, count: usize) -> usize {
    // All characters of one byte, mostly.
    match text.as_bytes().get(..count) {
        None => text.len(),
        Some(start) if start.is_ascii() => count,
        Some(_) => text.char_indices().nth(count).map_or(text.len(), |(index, _)| index),
    }
}

fn concat(call: &Call<'_>) -> Result<Values> {
    let parts = call.args.iter().map(|arg| cast::texts(arg, call.height)).collect::<Result<Vec<_>>>()?;
    call.build(Kind::Varchar, |row| {
        let cells = parts
            .iter()
            .zip(&call.args)
            .map(|(part, arg)| part.get(if arg.constant { 0 } else { row }).and_then(Option::as_deref));
        let Some(cells) = cells.collect::<Option<Vec<_>>>() else { return Ok(None) };
        call.fits(cells.iter().map(|cell| cell.len()).sum())?;
        Ok(Some(cells.concat()))
    })
}

/// Values, or the elements of one array, with a separator between them; NULLs are left out.
fn concat_ws(call: &Call<'_>) -> Result<Values> {
    if let [separator, list @ Values { kind: Kind::Array(_), .. }] = call.args.as_slice() {
        let joined = Call { name: "array_join", args: vec![list.clone(), separator.clone()], ..*call };
        return array::call(&joined).unwrap_or_else(|| Err(SqlError::new("array_join is missing")));
    }
    let separators = call.texts(0)?;
    let parts =
        call.args.iter().skip(1).map(|arg| cast::texts(arg, call.height)).collect::<Result<Vec<_>>>()?;
    call.build(Kind::Varchar, |row| {
        let cells = parts.iter().zip(call.args.iter().skip(1));
        let cells: Vec<&str> = cells
            .filter_map(|(part, arg)| part.get(if arg.constant { 0 } else { row }).and_then(Option::as_deref))
            .collect();
        Ok(separators.get(row).map(|separator| cells.join(separator)))
    })
}

fn replace(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let (texts, from) = (call.texts(0)?, call.texts(1)?);
    let to = if call.args.len() > 2 { Some(call.texts(2)?) } else { None };
    call.build(Kind::Varchar, |row| {
        let to = to.as_ref().map_or(Some(""), |to| to.get(row));
        let Some(((text, from), to)) = texts.get(row).zip(from.get(row)).zip(to) else { return Ok(None) };
        if to.len() > from.len() {
            call.fits(text.len() + text.matches(from).count().saturating_mul(to.len()))?;
        }
        Ok(Some(text.replace(from, to)))
    })
}

fn split(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let (texts, separators) = (call.texts(0)?, call.texts(1)?);
    let limits = if call.args.len() > 2 { Some(call.wholes(2)?) } else { None };
    let mut failure = None;
    let lists = lists_of_texts(call, |row| {
        let (text, separator) = texts.get(row).zip(separators.get(row))?;
        let limit = match &limits {
            Some(limits) => limits.get(row)?,
            None => i64::MAX,
        };
        if separator.is_empty() || limit < 1 {
            failure = Some(if limit < 1 { "the limit must be positive" } else { "the delimiter is empty" });
            return None;
        }
        Some(
            text.splitn(usize::try_from(limit).unwrap_or(usize::MAX), separator)
                .map(|part| Some(part.to_owned()))
                .collect(),
        )
    })?;
    match failure.filter(|_| !call.lenient) {
        Some(failure) => Err(SqlError::value(failure)),
        None => Ok(lists),
    }
}

fn split_part(call: &Call<'_>) -> Result<Values> {
    call.arity(3, 3)?;
    let (texts, separators, indices) = (call.texts(0)?, call.texts(1)?, call.wholes(2)?);
    call.build(Kind::Varchar, |row| {
        let Some(((text, separator), index)) = texts.get(row).zip(separators.get(row)).zip(indices.get(row))
        else {
            return Ok(None);
        };
        match index {
            // With an empty separator every character is a part.
            1.. if separator.is_empty() => {
                Ok(text.chars().nth(usize::try_from(index - 1).unwrap_or(usize::MAX)).map(String::from))
            }
            1.. => Ok(text
                .split(separator)
                .nth(usize::try_from(index - 1).unwrap_or(usize::MAX))
                .map(str::to_owned)),
            // Spark counts from the end.
            ..0 => Ok(text
                .rsplit(separator)
                .nth(usize::try_from(-(index + 1)).unwrap_or(usize::MAX))
                .map(str::to_owned)),
            0 => call.refuse(|| "parts count from 1".to_owned()),
        }
    })
}

fn strpos(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let (texts, parts) = (call.texts(0)?, call.texts(1)?);
    let instances = if call.args.len() > 2 { Some(call.wholes(2)?) } else { None };
    call.build(Kind::Bigint, |row| {
        let Some((text, part)) = texts.get(row).zip(parts.get(row)) else { return Ok(None) };
        let Some(instance) = instances.as_ref().map_or(Some(1), |instances| instances.get(row)) else {
            return Ok(None);
        };
        let Some(after) =
            instance.unsigned_abs().checked_sub(1).and_then(|after| usize::try_from(after).ok())
        else {
            return call.refuse(|| "instances count from 1, or from -1 at the end".to_owned());
        };
        let found = match instance > 0 {
            true => text.match_indices(part).nth(after),
            false => text.rmatch_indices(part).nth(after),
        };
        let start = found.and_then(|(start, _)| text.get(..start));
        Ok(i64::try_from(start.map_or(0, |before| before.chars().count() + 1)).ok())
    })
}

fn pair(call: &Call<'_>, test: impl Fn(&str, &str) -> bool) -> Result<Values> {
    call.arity(2, 2)?;
    let (texts, parts) = (call.texts(0)?, call.texts(1)?);
    call.build(Kind::Boolean, |row| {
        Ok(texts.get(row).zip(parts.get(row)).map(|(text, part)| test(text, part)))
    })
}
