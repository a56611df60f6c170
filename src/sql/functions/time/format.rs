//! Format letters of MySQL and Joda, and parsing of times by a format.

use chrono::format::{Parsed, StrftimeItems, parse};
use chrono::{NaiveDate, NaiveTime};

use crate::sql::error::{Result, SqlError};
use crate::sql::types::clock;

/// A date with slashes instead of dashes, or the other way round, as another table definition may have it.
pub(super) fn with_other_signs(text: &str) -> Option<String> {
    let is_date = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| matches!(at, 4 | 7) == !byte.is_ascii_digit());
    match text.as_bytes().get(4) {
        Some(b'/') if is_date => Some(text.replace('/', "-")),
        Some(b'-') if is_date => Some(text.replace('-', "/")),
        _ => None,
    }
}

/// A time in ISO 8601, also by week (`2026-W10-1`), by day of the year (`2026-061`), and in part (`2026-03`).
pub(super) fn read_iso(text: &str) -> Option<i64> {
    let text = text.trim();
    // As CloudTrail writes times.
    if let [_, _, _, _, b'-', _, _, b'-', _, _, b'T', _, _, b':', ..] = text.as_bytes() {
        return clock::read(text);
    }
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let by_week = |date: &str| NaiveDate::parse_from_str(date, "%G-W%V-%u").ok();
    let whole = match date.split('-').map(str::len).collect::<Vec<_>>().as_slice() {
        [4, 3, 1] => by_week(date),
        [4, 3] if date.contains('W') => by_week(&format!("{date}-1")),
        [4, 3] => NaiveDate::parse_from_str(date, "%Y-%j").ok(),
        [4, 2] => NaiveDate::parse_from_str(&format!("{date}-01"), "%Y-%m-%d").ok(),
        _ => None,
    };
    let date = whole.map_or_else(|| date.to_owned(), |date| date.format("%Y-%m-%d").to_string());
    match time {
        "" => clock::read(&date),
        // An hour alone.
        hour if hour.len() == 2 => clock::read(&format!("{date}T{hour}:00")),
        time => clock::read(&format!("{date}T{time}")),
    }
}

/// Parses a time; missing fields have their first value.
pub(super) fn parse_as(text: &str, format: &str) -> Option<i64> {
    let mut parsed = Parsed::new();
    // If the format has a zone, `Z` is accepted as well.
    let format =
        format.replace("%:z", "%#z").replace("%z", "%#z").replace(".%6f", "%.f").replace(".%3f", "%.f");
    parse(&mut parsed, text, StrftimeItems::new(&format)).ok()?;
    let date = parsed.to_naive_date().ok().or_else(|| {
        let year = parsed.year().unwrap_or(1970);
        NaiveDate::from_ymd_opt(year, parsed.month().unwrap_or(1), parsed.day().unwrap_or(1))
    })?;
    let time = parsed.to_naive_time().ok().or_else(|| {
        let hour = parsed.hour_div_12().map_or(0, |half| half * 12) + parsed.hour_mod_12().unwrap_or(0);
        NaiveTime::from_hms_opt(hour, parsed.minute().unwrap_or(0), parsed.second().unwrap_or(0))
    })?;
    let offset = i64::from(parsed.offset().unwrap_or(0));
    Some(date.and_time(time).and_utc().timestamp_millis() - offset * 1000)
}

/// MySQL's format letters, which `date_parse` and `date_format` take, as chrono's.
pub(super) fn mysql_format(format: &str) -> Result<String> {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        out.push_str(match chars.next() {
            Some('Y') => "%Y",
            Some('y') => "%y",
            Some('m') => "%m",
            Some('c') => "%-m",
            Some('M') => "%B",
            Some('b') => "%b",
            Some('d') => "%d",
            Some('e') => "%-d",
            Some('j') => "%j",
            Some('H') => "%H",
            Some('k') => "%-H",
            Some('h' | 'I') => "%I",
            Some('l') => "%-I",
            Some('i') => "%M",
            Some('s' | 'S') => "%S",
            Some('f') => "%6f",
            Some('p') => "%p",
            Some('r') => "%I:%M:%S %p",
            Some('T') => "%H:%M:%S",
            Some('W') => "%A",
            Some('a') => "%a",
            Some('v') => "%V",
            Some('x') => "%G",
            Some('%') => "%%",
            Some(other) => return Err(SqlError::new(format!("format %{other} is not supported"))),
            None => return Err(SqlError::new("the format ends with %")),
        });
    }
    Ok(out)
}

/// Joda's format letters, which `parse_datetime` and `format_datetime` take, as chrono's.
pub(super) fn joda_format(format: &str) -> Result<String> {
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\'' {
            let quoted: String = chars.by_ref().take_while(|char| *char != '\'').collect();
            out.push_str(&if quoted.is_empty() { "'".to_owned() } else { quoted.replace('%', "%%") });
            continue;
        }
        let mut count = 1;
        while chars.next_if_eq(&char).is_some() {
            count += 1;
        }
        let letters = match (char, count) {
            ('y' | 'Y', 2) => "%y",
            ('y' | 'Y', _) => "%Y",
            ('M', 1) => "%-m",
            ('M', 2) => "%m",
            ('M', 3) => "%b",
            ('M', _) => "%B",
            ('d', 1) => "%-d",
            ('d', _) => "%d",
            ('D', 1) => "%-j",
            ('D', _) => "%j",
            ('H', 1) => "%-H",
            ('H', _) => "%H",
            ('h' | 'K', 1) => "%-I",
            ('h' | 'K', _) => "%I",
            ('m', 1) => "%-M",
            ('m', _) => "%M",
            ('s', 1) => "%-S",
            ('s', _) => "%S",
            ('S', 1..=3) => "%3f",
            ('S', _) => "%6f",
            ('a', _) => "%p",
            ('E', 1..=3) => "%a",
            ('E', _) => "%A",
            ('w', _) => "%V",
            ('x', 2) => "%g",
            ('x', _) => "%G",
            ('e', _) => "%u",
            ('k', _) => "%H",
            ('Z' | 'z' | 'X', 1) => "%z",
            ('Z' | 'z' | 'X', _) => "%:z",
            ('%', _) => "%%",
            (letter, _) if letter.is_ascii_alphabetic() => {
                return Err(SqlError::new(format!("format letter {letter} is not supported")));
            }
            (other, count) => {
                out.extend(std::iter::repeat_n(other, count));
                continue;
            }
        };
        out.push_str(letters);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DAY_MILLIS;

    #[test]
    fn formats_of_both_families() {
        let noon = 1_772_452_800_000; // 2026-03-02T12:00:00Z
        assert_eq!(
            parse_as("2026-03-02T12:00:00Z", &mysql_format("%Y-%m-%dT%H:%i:%sZ").unwrap()),
            Some(noon)
        );
        assert_eq!(
            parse_as("2026/03/02", &mysql_format("%Y/%m/%d").unwrap()),
            Some(noon - noon % DAY_MILLIS)
        );
        assert_eq!(parse_as("2026-03-02 12", &joda_format("yyyy-MM-dd HH").unwrap()), Some(noon));
        assert_eq!(
            parse_as("2026-03-02T12:00:00Z", &joda_format("yyyy-MM-dd'T'HH:mm:ss'Z'").unwrap()),
            Some(noon)
        );
        assert_eq!(
            parse_as("2026-03-02:13:00:00 +0100", &joda_format("yyyy-MM-dd:HH:mm:ss Z").unwrap()),
            Some(noon)
        );
        assert!(mysql_format("%Q").is_err());
    }
}
