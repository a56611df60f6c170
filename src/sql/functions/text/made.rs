//! Functions that pad, repeat, replace or otherwise make new texts.

use crate::sql::error::{Result, SqlError};
use crate::sql::functions::call::Call;
use crate::sql::functions::json::object_json;
use crate::sql::types::cast;
use crate::sql::types::ip::Network;
use crate::sql::types::json::json_string;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// Longest text that padding may make.
const TEXT_LENGTH_MAX: usize = 1 << 20;

pub(super) fn pad(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let (texts, sizes) = (call.texts(0)?, call.wholes(1)?);
    let fill = if call.args.len() > 2 { call.literal(2)? } else { " ".to_owned() };
    if fill.is_empty() {
        return Err(SqlError::new("the padding is empty"));
    }
    call.build(Kind::Varchar, |row| {
        let Some((text, size)) = texts.get(row).zip(sizes.get(row)) else { return Ok(None) };
        let Some(size) = usize::try_from(size).ok().filter(|size| *size <= TEXT_LENGTH_MAX) else {
            return call.refuse(|| {
                format!(
                    "a text cannot be padded to a negative length, nor to more than {TEXT_LENGTH_MAX} letters"
                )
            });
        };
        let length = text.chars().count();
        if length >= size {
            return Ok(Some(text.chars().take(size).collect::<String>()));
        }
        let padding: String = fill.chars().cycle().take(size - length).collect();
        Ok(Some(if call.name == "lpad" { format!("{padding}{text}") } else { format!("{text}{padding}") }))
    })
}

pub(super) fn chr(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let codes = call.wholes(0)?;
    call.build(Kind::Varchar, |row| {
        Ok(codes
            .get(row)
            .and_then(|code| u32::try_from(code).ok())
            .and_then(char::from_u32)
            .map(String::from))
    })
}

pub(super) fn translate(call: &Call<'_>) -> Result<Values> {
    call.arity(3, 3)?;
    let texts = call.texts(0)?;
    let (from, to): (Vec<char>, Vec<char>) =
        (call.literal(1)?.chars().collect(), call.literal(2)?.chars().collect());
    call.build(Kind::Varchar, |row| {
        let map = |char: char| match from.iter().position(|known| *known == char) {
            Some(at) => to.get(at).copied(),
            None => Some(char),
        };
        Ok(texts.get(row).map(|text| text.chars().filter_map(map).collect::<String>()))
    })
}

pub(super) fn part(call: &Call<'_>, cut: impl Fn(&[char], usize) -> String) -> Result<Values> {
    call.arity(2, 2)?;
    let (texts, counts) = (call.texts(0)?, call.wholes(1)?);
    call.build(Kind::Varchar, |row| {
        let cells = texts.get(row).zip(counts.get(row));
        Ok(cells
            .map(|(text, count)| cut(&text.chars().collect::<Vec<_>>(), usize::try_from(count).unwrap_or(0))))
    })
}

pub(super) fn initcap(text: &str) -> String {
    let mut start = true;
    text.chars()
        .map(|char| {
            let shown = if start { char.to_ascii_uppercase() } else { char.to_ascii_lowercase() };
            start = !char.is_alphanumeric();
            shown
        })
        .collect()
}

pub(super) fn levenshtein_distance(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (left, right) = (call.texts(0)?, call.texts(1)?);
    call.build(Kind::Bigint, |row| {
        Ok(left.get(row).zip(right.get(row)).and_then(|(a, b)| i64::try_from(strsim::levenshtein(a, b)).ok()))
    })
}

/// `ip_prefix(address, 24)`: the network that contains an address.
pub(super) fn ip_prefix(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (addresses, bits) =
        (cast::cast(call.arg(0)?, &Kind::Ip, call.height, call.lenient)?, call.wholes(1)?);
    let addresses = addresses.texts()?;
    call.build(Kind::Varchar, |row| {
        let Some((digits, bits)) = addresses.get(row).zip(bits.get(row)) else { return Ok(None) };
        match u32::try_from(bits).ok().and_then(|bits| Network::around(digits, bits)) {
            Some(network) => Ok(Some(network)),
            None => call.refuse(|| format!("a network cannot have {bits} bits")),
        }
    })
}

pub(super) fn split_to_map(call: &Call<'_>) -> Result<Values> {
    call.arity(3, 3)?;
    let (texts, entries, pairs) = (call.texts(0)?, call.literal(1)?, call.literal(2)?);
    let objects = Values::build(Kind::Json, call.height, call.constant(), |row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let members = || text.split(entries.as_str()).filter_map(|entry| entry.split_once(pairs.as_str()));
        let mut seen = std::collections::HashSet::new();
        match members().find(|(key, _)| !seen.insert(*key)) {
            Some((key, _)) => call.refuse(|| {
                format!("{key} is there twice; split_to_multimap, or a lambda (key, first, second) -> …, allows it")
            }),
            None => Ok(Some(object_json(members()))),
        }
    })?;
    cast::cast(&objects, &Kind::Map(Box::new(Kind::Varchar), Box::new(Kind::Varchar)), call.height, true)
}

/// `split_to_multimap('a=1&a=2', '&', '=')`: all values of each key, keys in order of first appearance.
pub(super) fn split_to_multimap(call: &Call<'_>) -> Result<Values> {
    call.arity(3, 3)?;
    let (texts, entries, pairs) = (call.texts(0)?, call.literal(1)?, call.literal(2)?);
    let objects = Values::build(Kind::Json, call.height, call.constant(), |row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
        for (key, value) in text.split(entries.as_str()).filter_map(|entry| entry.split_once(pairs.as_str()))
        {
            match all.iter_mut().find(|(known, _)| *known == key) {
                Some((_, values)) => values.push(value),
                None => all.push((key, vec![value])),
            }
        }
        let member = |(key, values): &(&str, Vec<&str>)| {
            let values: Vec<String> = values.iter().map(|value| json_string(value)).collect();
            format!("{}:[{}]", json_string(key), values.join(","))
        };
        Ok(Some(format!("{{{}}}", all.iter().map(member).collect::<Vec<_>>().join(","))))
    })?;
    let kind = Kind::Map(Box::new(Kind::Varchar), Box::new(Kind::array(Kind::Varchar)));
    cast::cast(&objects, &kind, call.height, true)
}

/// In how many places two texts of one length differ.
pub(super) fn hamming_distance(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (a, b) = (call.texts(0)?, call.texts(1)?);
    call.build(Kind::Bigint, |row| {
        let Some((a, b)) = a.get(row).zip(b.get(row)) else { return Ok(None) };
        if a.chars().count() != b.chars().count() {
            return call.refuse(|| "the texts must have the same length".to_owned());
        }
        Ok(i64::try_from(a.chars().zip(b.chars()).filter(|(a, b)| a != b).count()).ok())
    })
}
