//! Points in time, in milliseconds, UTC.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub const MINUTE_MILLIS: i64 = 60_000;
pub const HOUR_MILLIS: i64 = 60 * MINUTE_MILLIS;
pub const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;
/// Of days in UTC, which have no leap seconds.
pub const DAY_SECONDS: i64 = DAY_MILLIS / 1000;

/// Milliseconds since 1970-01-01T00:00:00Z. CloudTrail's `eventTime` has a resolution of one second,
/// `pushedAt` in a lifecycle event of a millisecond. Shown as RFC 3339 in UTC, with a fraction only where
/// it is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down: the resolution of CloudTrail's `eventTime`.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// `self - earlier`, in whole seconds.
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.seconds() - earlier.seconds()
    }

    /// `self` moved by `seconds`.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Parses the time of a CloudTrail record: `2026-03-02T10:00:00Z`, any RFC 3339 time, and `2020-11-20
    /// 06:19:05.000` (UTC), which some tools write when they re-export records. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(fast) = parse_cloudtrail(text.as_bytes()) {
            return Some(fast);
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Some(Self(time.timestamp_millis()));
        }
        let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
        Some(Self(naive.and_utc().timestamp_millis()))
    }

    /// From a number since 1970, as some tools export `eventTime`: seconds or milliseconds, told apart by
    /// size. `None` for times outside of the years 2000 to 2100, as the number means something else then.
    pub const fn from_epoch(number: i64) -> Option<Self> {
        const YEAR_2000: i64 = 946_684_800;
        const YEAR_2100: i64 = 4_102_444_800;
        if number >= YEAR_2000 * 1000 && number < YEAR_2100 * 1000 {
            return Some(Self(number));
        }
        if number >= YEAR_2000 && number < YEAR_2100 { Some(Self(number * 1000)) } else { None }
    }

    /// The same point as a `chrono` time; `None` outside chrono's range.
    pub fn to_chrono(self) -> Option<DateTime<Utc>> {
        Utc.timestamp_millis_opt(self.0).single()
    }
}

/// The exact form `YYYY-MM-DDTHH:MM:SSZ`, parsed without a general parser, because every record has it.
fn parse_cloudtrail(text: &[u8]) -> Option<Timestamp> {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1, b'Z'] = text
    else {
        return None;
    };
    let two = |a: u8, b: u8| {
        (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
    };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day) = (two(m0, m1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(i0, i1)?, two(s0, s1)?);
    // Which months have 31 days is left to chrono; only the plain cases are decided here.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    Some(Timestamp(seconds * 1000))
}

/// Days since 1970-01-01 of a proleptic Gregorian date, by H. Hinnant's formula.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.0.rem_euclid(1000) == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        match self.to_chrono() {
            Some(time) => f.write_str(&time.to_rfc3339_opts(format, true)),
            None => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a time looks like 2026-03-02T10:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_form_agrees_with_chrono() {
        for day in 0..40_000_i64 {
            let time = Timestamp::from_millis((day * 86_400 + (day * 7919) % 86_400) * 1000);
            assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        }
    }

    #[test]
    fn other_spellings_of_time() {
        let expected = Timestamp::parse("2020-11-20T06:19:05Z");
        assert!(expected.is_some());
        assert_eq!(Timestamp::parse("2020-11-20 06:19:05.000"), expected);
        assert_eq!(Timestamp::parse("2020-11-20T07:19:05+01:00"), expected);
        assert_eq!(expected, Timestamp::from_epoch(1_605_853_145));
        assert_eq!(expected, Timestamp::from_epoch(1_605_853_145_000));
        assert_eq!(Timestamp::from_epoch(17), None, "a wrong type is no time");
        assert_eq!(Timestamp::parse("2020-13-20T07:19:05Z"), None);
        assert_eq!(Timestamp::parse("Jul 11, 2018 10:17:44 PM"), None);
    }

    #[test]
    fn a_fraction_is_shown_only_where_there_is_one() {
        assert_eq!(Timestamp::from_millis(1_772_532_000_108).to_string(), "2026-03-03T10:00:00.108Z");
        assert_eq!(Timestamp::from_millis(1_772_445_600_000).to_string(), "2026-03-02T10:00:00Z");
    }
}
