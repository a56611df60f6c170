//! Times as other tools write them when they export CloudTrail records.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::Timestamp;

/// A time that was parsed from an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    pub time: Timestamp,
    /// It had no time zone, and was taken as UTC, which CloudTrail's field is by definition.
    pub without_zone: bool,
}

impl Exported {
    /// Parses RFC 3339 and the variants that exporters write: a space instead of `T`, `+0000`, `+00`, `
    /// UTC`, `Z[UTC]`, no zone, no seconds, `20250602T090000Z`; mail and Unix dates, and others with the name of
    /// their month; numbers since 1970 in seconds, milliseconds, microseconds or nanoseconds;
    /// `/Date(1748854800000)/`. `None` for anything else.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(time) = Timestamp::parse(text).filter(|_| text.ends_with(['Z', 'z'])) {
            return Some(Self::at(time));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Some(Self::at(Timestamp::from_millis(time.timestamp_millis())));
        }
        iso(text)
            .or_else(|| number(text).map(Self::at))
            .or_else(|| wordy(text).map(Self::at))
            .or_else(|| named_month(text).map(|time| Self { time, without_zone: true }))
    }

    const fn at(time: Timestamp) -> Self {
        Self { time, without_zone: false }
    }
}

/// A date, a time of day, and a time zone in any of its spellings.
fn iso(text: &str) -> Option<Exported> {
    let (clock, behind) = match text.get(..8).filter(|date| date.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(date) => {
            let date = NaiveDate::parse_from_str(date, "%Y%m%d").ok()?;
            let (time, behind) = time_of_day(text.get(8..)?.strip_prefix(['T', 't', ' '])?)?;
            (date.and_time(time), behind)
        }
        None => {
            let date = text.get(..10)?.replace('/', "-");
            let date = NaiveDate::parse_from_str(&date, "%Y-%m-%d").ok()?;
            let (time, behind) = time_of_day(text.get(10..)?.strip_prefix(['T', 't', ' '])?)?;
            (date.and_time(time), behind)
        }
    };
    let zone = zone_millis(behind)?;
    let millis = clock.and_utc().timestamp_millis().checked_sub(zone.unwrap_or(0))?;
    Some(Exported { time: Timestamp::from_millis(millis), without_zone: zone.is_none() })
}

/// Parses `HH:MM`, `HH:MM:SS` or `HHMMSS`, with a fraction after a point or comma; returns what follows as
/// well.
fn time_of_day(text: &str) -> Option<(chrono::NaiveTime, &str)> {
    let digits = |at: usize| {
        text.get(at..at + 2).filter(|two| two.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u32>().ok()
    };
    let colon = |at: usize| usize::from(text.as_bytes().get(at) == Some(&b':'));
    let hour = digits(0)?;
    let mut at = 2 + colon(2);
    let minute = digits(at)?;
    at += 2;
    let mut second = 0;
    if let Some(seconds) = digits(at + colon(at)).filter(|_| colon(2) == colon(at)) {
        second = seconds;
        at += colon(at) + 2;
    }
    let mut millis = 0;
    if let Some(fraction) = text.get(at..)?.strip_prefix(['.', ',']) {
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return None;
        }
        millis = format!("{:0<3}", fraction.get(..length.min(3))?).parse().ok()?;
        at += 1 + length;
    }
    Some((chrono::NaiveTime::from_hms_milli_opt(hour, minute, second, millis)?, text.get(at..)?))
}

/// The offset from UTC in milliseconds; the inner `None` where there is no zone. Go writes both an offset
/// and a name.
fn zone_millis(text: &str) -> Option<Option<i64>> {
    let text = text.trim();
    let text =
        text.strip_suffix(']').and_then(|text| text.split_once('[')).map_or(text, |(before, _)| before);
    if text.is_empty() {
        return Some(None);
    }
    let is_utc =
        |word: &str| ["Z", "UTC", "GMT", "Etc/UTC", "UCT"].iter().any(|utc| utc.eq_ignore_ascii_case(word));
    if is_utc(text) {
        return Some(Some(0));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (offset, name) = text.get(1..)?.split_once(' ').unwrap_or((text.get(1..)?, ""));
    let digits: String = offset.chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4 | 6)
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
        || !(name.is_empty() || is_utc(name.trim()))
    {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).and_then(|two| two.parse::<i64>().ok()).unwrap_or(0);
    let (hours, minutes) = (part(0), part(2));
    (hours < 24 && minutes < 60).then_some(Some(sign * (hours * 60 + minutes) * 60_000))
}

/// How many digits spreadsheets, and C's `%g`, leave of a number that they write with an exponent.
const DIGITS_OF_SPREADSHEETS: usize = 6;

/// A number since 1970, whose unit is told by its size; with or without a fraction.
fn number(text: &str) -> Option<Timestamp> {
    let text = text.strip_prefix("/Date(").and_then(|text| text.strip_suffix(")/")).unwrap_or(text);
    if !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+')) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return [1, 1_000, 1_000_000].iter().find_map(|by| Timestamp::from_epoch(whole / by));
    }
    // A spreadsheet's `1.74885E+09` has lost the minutes.
    if let Some((digits, _)) = text.split_once(['e', 'E'])
        && digits.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_OF_SPREADSHEETS
    {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    // Seconds with a fraction. Fractions of milliseconds or smaller units are not worth keeping.
    let seconds = Timestamp::from_epoch(number as i64)?;
    let is_seconds = number < 1e11;
    Some(if is_seconds { Timestamp::from_millis((number * 1000.0).round() as i64) } else { seconds })
}

/// `Mon, 02 Jun 2025 09:00:00 GMT` and `Mon Jun  2 09:00:00 UTC 2025`.
fn wordy(text: &str) -> Option<Timestamp> {
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return Some(Timestamp::from_millis(time.timestamp_millis()));
    }
    let time = ["%a %b %e %H:%M:%S UTC %Y", "%a %b %e %H:%M:%S GMT %Y"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some(Timestamp::from_millis(time.and_utc().timestamp_millis()))
}

/// A date with the name of its month, as Kibana, consoles and C write it; without a zone.
fn named_month(text: &str) -> Option<Timestamp> {
    const FORMS: [&str; 7] = [
        "%b %e, %Y @ %H:%M:%S%.f",
        "%b %e, %Y, %I:%M:%S %p",
        "%b %e, %Y %I:%M:%S %p",
        "%b %e, %Y %H:%M:%S",
        "%a %b %e %H:%M:%S %Y",
        "%d %b %Y %H:%M:%S%.f",
        "%d-%b-%Y %H:%M:%S%.f",
    ];
    let time = FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some(Timestamp::from_millis(time.and_utc().timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exporter_means_the_same_moment() {
        let expected = Timestamp::parse("2025-06-02T09:00:07Z");
        for (text, without_zone) in [
            ("2025-06-02T09:00:07Z", false),
            ("2025-06-02T09:00:07.000Z", false),
            ("2025-06-02T09:00:07.000+0000", false),
            ("2025-06-02T11:00:07+02:00", false),
            ("2025-06-02T11:00:07+0200", false),
            ("2025-06-02 04:00:07-05", false),
            ("2025-06-02T09:00:07", true),
            ("2025-06-02T09:00:07.000000", true),
            ("2025-06-02 09:00:07.000 UTC", false),
            ("2025-06-02 09:00:07 +0000 UTC", false),
            ("2025-06-02 09:00:07+00", false),
            ("2025-06-02T09:00:07Z[UTC]", false),
            ("2025/06/02 09:00:07", true),
            ("20250602T090007Z", false),
            ("1748854807", false),
            ("1748854807000", false),
            ("1748854807000000", false),
            ("1748854807000000000", false),
            ("1748854807.0", false),
            ("1.748854807E9", false),
            ("/Date(1748854807000)/", false),
            ("Mon, 02 Jun 2025 09:00:07 GMT", false),
            ("Mon Jun  2 09:00:07 UTC 2025", false),
            (" 2025-06-02 09:00:07,000 ", true),
            ("Jun 2, 2025 @ 09:00:07.000", true),
            ("Jun 2, 2025, 9:00:07 AM", true),
            ("Mon Jun 02 09:00:07 2025", true),
            ("02-Jun-2025 09:00:07", true),
        ] {
            let read = Exported::read(text);
            assert_eq!(
                (read.map(|read| read.time), read.map(|read| read.without_zone)),
                (expected, Some(without_zone)),
                "{text}"
            );
        }
        assert_eq!(
            Exported::read("2025-06-02T09:00Z").map(|read| read.time),
            Timestamp::parse("2025-06-02T09:00:00Z"),
            "Java leaves out zeros"
        );
        assert_eq!(Exported::read("1748854807.25").map(|read| read.time.millis()), Some(1_748_854_807_250));
    }

    #[test]
    fn what_is_no_time_stays_none() {
        for text in [
            "",
            "x",
            "17",
            "9999-99-99 99:99:99.999999999",
            "2025-06-02",
            "2025-06-02T25:00:00Z",
            "2025-06-02T09:00:00 Mars",
            "12345678",
            "1.74885E+09",
            "1e400",
            "NaN",
            "2025-06-02T09:00:00+99",
            "20250602T0900é",
        ] {
            assert_eq!(Exported::read(text), None, "{text}");
        }
    }
}
