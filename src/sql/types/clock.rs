//! Times: literals, intervals, fields, truncation, formats. Everything is in UTC, like CloudTrail.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use sqlparser::ast::{Interval, UnaryOperator};

use super::values::{Values, Wholes};
use super::zone;
use super::zone::Zone;
use crate::model::{DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS, Timestamp};
use crate::sql::error::{Result, SqlError};
use crate::tables::Kind;

pub(in crate::sql) const ZONED: Kind = Kind::Timestamp { zoned: true };
pub(in crate::sql) const UNZONED: Kind = Kind::Timestamp { zoned: false };

/// Times of any type in milliseconds. Texts are parsed; a text that is not a time becomes NULL.
pub(in crate::sql) fn millis(values: &Values, height: usize) -> Result<Wholes> {
    let built = match values.kind {
        Kind::Date => {
            let days = values.wholes()?;
            Values::build(ZONED, height, values.constant, |row| {
                Ok(days.get(row).and_then(|days| days.checked_mul(DAY_MILLIS)))
            })?
        }
        Kind::Varchar => {
            let texts = values.texts()?;
            Values::build(ZONED, height, values.constant, |row| Ok(texts.get(row).and_then(read)))?
        }
        Kind::Timestamp { .. } | Kind::Zoned(_) | Kind::Unknown => values.clone(),
        ref other => return Err(SqlError::new(format!("a time is needed here, and this is {other}"))),
    };
    built.wholes()
}

/// The wall clock times in the zone of the type, as [`millis`] returns them.
pub(in crate::sql) fn wall(values: &Values) -> Result<Values> {
    let Kind::Zoned(_) = values.kind else { return Ok(values.clone()) };
    let (zone, cells) = (Zone::of(&values.kind), values.wholes()?);
    Values::build(UNZONED, values.data.len(), values.constant, |row| {
        Ok(cells.get(row).map(|millis| zone.wall(millis)))
    })
}

/// The same, rounded to milliseconds, where [`read`] leaves out the digits after them.
pub(in crate::sql) fn read_rounded(text: &str) -> Option<i64> {
    let millis = read(text)?;
    let next = text.split_once('.').and_then(|(_, fraction)| fraction.as_bytes().get(3));
    Some(millis + i64::from(next.is_some_and(|digit| (b'5'..=b'9').contains(digit))))
}

/// Parses a time in the notations of people and tools. Without a zone it is UTC.
pub(in crate::sql) fn read(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(time) = Timestamp::parse(text) {
        return Some(time.millis());
    }
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    // The date of a partition may be written with slashes.
    if let Ok(date) =
        NaiveDate::parse_from_str(text, "%Y-%m-%d").or_else(|_| NaiveDate::parse_from_str(text, "%Y/%m/%d"))
    {
        return Some(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%MZ",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(time.and_utc().timestamp_millis());
        }
    }
    ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f %:z"]
        .iter()
        .find_map(|format| DateTime::parse_from_str(text, format).ok())
        .map(|time| time.timestamp_millis())
}

pub(in crate::sql) fn to_chrono(millis: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis)
}

/// `2026-03-02 10:00:00.000`, followed by ` UTC` if the type has a zone.
pub(in crate::sql) fn show(millis: i64, kind: &Kind) -> String {
    let Some(time) = to_chrono(millis) else { return format!("{millis} ms") };
    match kind {
        Kind::Timestamp { zoned: true } => time.format("%Y-%m-%d %H:%M:%S%.3f UTC").to_string(),
        Kind::Zoned(name) => match to_chrono(Zone::of(kind).wall(millis)) {
            Some(wall) => format!("{} {name}", wall.format("%Y-%m-%d %H:%M:%S%.3f")),
            None => format!("{millis} ms"),
        },
        _ => time.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
    }
}

/// RFC 3339 with milliseconds; without an offset if the type has no zone.
pub(in crate::sql) fn show_iso(millis: i64, kind: &Kind) -> String {
    let zone = Zone::of(kind);
    let Some(wall) = to_chrono(zone.wall(millis)) else { return format!("{millis} ms") };
    let text = wall.format("%Y-%m-%dT%H:%M:%S%.3f");
    match (kind, zone) {
        (Kind::Timestamp { zoned: false }, _) => text.to_string(),
        (_, Zone::Utc) => format!("{text}Z"),
        _ => {
            let ahead = zone.ahead(millis) / 60;
            format!(
                "{text}{}{:02}:{:02}",
                if ahead < 0 { '-' } else { '+' },
                ahead.abs() / 60,
                ahead.abs() % 60
            )
        }
    }
}

/// A number of days as `2026-03-02`.
pub(in crate::sql) fn show_date(days: i64) -> String {
    match days.checked_mul(DAY_MILLIS).and_then(to_chrono) {
        Some(time) => time.format("%Y-%m-%d").to_string(),
        None => format!("{days} days"),
    }
}

/// An interval as Trino writes it: `3 04:05:06.000`.
pub(in crate::sql) fn show_span(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let left = millis.unsigned_abs();
    let [day, hour, minute] = [DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS].map(i64::unsigned_abs);
    let (days, rest) = (left / day, left % day);
    format!(
        "{sign}{days} {:02}:{:02}:{:02}.{:03}",
        rest / hour,
        rest / minute % 60,
        rest / 1000 % 60,
        rest % 1000
    )
}

/// Whether a name is a function of the current time that is called without parentheses.
pub(in crate::sql) fn is_moment(name: &str) -> bool {
    matches!(name, "current_timestamp" | "current_date" | "localtimestamp")
}

/// `current_timestamp`, `now()`, `current_date` …
pub(in crate::sql) fn moment(name: &str, now: i64) -> Result<Values> {
    Ok(match name {
        "current_date" => Values::constant(Kind::Date, Some(now.div_euclid(DAY_MILLIS))),
        "localtimestamp" => Values::constant(UNZONED, Some(now)),
        _ => Values::constant(ZONED, Some(now)),
    })
}

/// `interval '7' day`, `interval 7 day`, `interval '1' month`.
pub(in crate::sql) fn interval(interval: &Interval) -> Result<Values> {
    let text = amount_text(&interval.value)
        .ok_or_else(|| SqlError::new("an interval needs a quoted number, such as interval '7' day"))?;
    if let (Some(first), Some(last)) = (&interval.leading_field, &interval.last_field) {
        return interval_of_units(&text, &first.to_string(), &last.to_string());
    }
    let (number, unit) = match &interval.leading_field {
        Some(unit) => (text.as_str(), unit.to_string()),
        // In Spark the unit may be inside of the quotes.
        None => match text.trim().split_once(' ') {
            Some((number, unit)) => (number, unit.to_owned()),
            None => return Err(SqlError::new("an interval needs a unit, such as interval '7' day")),
        },
    };
    if let (1000, Some(millis)) = (unit_millis(&unit).unwrap_or(0), fraction_millis(number)) {
        return Ok(Values::constant(Kind::Span, Some(millis)));
    }
    let number: i64 =
        number.trim().parse().map_err(|_| SqlError::new(format!("{number} is no whole number")))?;
    let too_long = || SqlError::new("the interval is too long");
    match unit_millis(&unit) {
        Some(millis) => {
            Ok(Values::constant(Kind::Span, Some(number.checked_mul(millis).ok_or_else(too_long)?)))
        }
        None => match unit_months(&unit) {
            Some(months) => {
                Ok(Values::constant(Kind::Months, Some(number.checked_mul(months).ok_or_else(too_long)?)))
            }
            None => Err(SqlError::new(format!("{unit} is no unit of time"))),
        },
    }
}

/// `interval '1-2' year to month`, `interval '1 02:03:04.5' day to second`.
fn interval_of_units(text: &str, first: &str, last: &str) -> Result<Values> {
    let wrong = || SqlError::new(format!("'{text}' is no interval {first} TO {last}"));
    let (is_negative, amounts) = match text.trim().strip_prefix('-') {
        Some(amounts) => (true, amounts),
        None => (false, text.trim()),
    };
    let signed = |amount: i64| if is_negative { -amount } else { amount };
    let whole = |text: &str| text.parse::<u32>().ok().map(i64::from);
    if singular(first) == "year" && singular(last) == "month" {
        let months =
            amounts.split_once('-').and_then(|(years, months)| Some(whole(years)? * 12 + whole(months)?));
        return Ok(Values::constant(Kind::Months, Some(signed(months.ok_or_else(wrong)?))));
    }
    const UNITS: [&str; 4] = ["day", "hour", "minute", "second"];
    let place = |unit: &str| UNITS.iter().position(|known| *known == singular(unit));
    let (Some(from), Some(to)) = (place(first), place(last)) else { return Err(wrong()) };
    let parts: Vec<&str> = amounts.split([' ', ':']).filter(|part| !part.is_empty()).collect();
    let units = UNITS.get(from..=to).filter(|units| units.len() == parts.len()).ok_or_else(wrong)?;
    let millis = units.iter().zip(parts).try_fold(0_i64, |sum, (unit, part)| {
        let part = match *unit {
            "second" => fraction_millis(part)?,
            unit => whole(part)? * unit_millis(unit)?,
        };
        sum.checked_add(part)
    });
    Ok(Values::constant(Kind::Span, Some(signed(millis.ok_or_else(wrong)?))))
}

/// Seconds with a fraction in milliseconds.
fn fraction_millis(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_digits = fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let is_negative = seconds.starts_with('-');
    let seconds: i64 = seconds.parse().ok()?;
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok().filter(|_| is_digits)?;
    seconds.checked_mul(1000)?.checked_add(if is_negative { -millis } else { millis })
}

fn amount_text(value: &sqlparser::ast::Expr) -> Option<String> {
    use sqlparser::ast::{Expr, Value};
    match value {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => Some(text.clone()),
            other => other.clone().into_string(),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => amount_text(expr).map(|text| format!("-{text}")),
        Expr::Nested(inner) => amount_text(inner),
        _ => None,
    }
}

/// The length of a unit in milliseconds, if it is constant.
pub(in crate::sql) fn unit_millis(unit: &str) -> Option<i64> {
    Some(match singular(unit).as_str() {
        "millisecond" => 1,
        "second" => 1000,
        "minute" => MINUTE_MILLIS,
        "hour" => HOUR_MILLIS,
        "day" => DAY_MILLIS,
        "week" => 7 * DAY_MILLIS,
        _ => return None,
    })
}

/// The length of a unit in months, if it consists of months.
pub(in crate::sql) fn unit_months(unit: &str) -> Option<i64> {
    Some(match singular(unit).as_str() {
        "month" => 1,
        "quarter" => 3,
        "year" => 12,
        _ => return None,
    })
}

fn singular(unit: &str) -> String {
    let unit = unit.to_ascii_lowercase();
    unit.strip_suffix('s').map(str::to_owned).unwrap_or(unit)
}

pub(in crate::sql) fn plus_months(millis: i64, months: i64) -> Option<i64> {
    let time = to_chrono(millis)?;
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let moved = if months < 0 { time.checked_sub_months(count) } else { time.checked_add_months(count) };
    moved.map(|time| time.timestamp_millis())
}

/// Whole months from one time to another, rounded towards zero. If the later time is on the last day of its
/// month, it counts as a whole month even if that month is shorter: 31 January to 29 February is one month,
/// and so is the way back.
pub(in crate::sql) fn months_between(from: i64, to: i64) -> Option<i64> {
    if to < from {
        return months_between(to, from).map(|months| -months);
    }
    let (a, b) = (to_chrono(from)?, to_chrono(to)?);
    let months = i64::from(b.year() - a.year()) * 12 + i64::from(b.month()) - i64::from(a.month());
    let is_last_day = b.checked_add_days(chrono::Days::new(1))?.month() != b.month();
    let day = if is_last_day { a.day().min(b.day()) } else { a.day() };
    let unfinished = (b.day(), to.rem_euclid(DAY_MILLIS)) < (day, from.rem_euclid(DAY_MILLIS));
    Some(months - i64::from(unfinished))
}

/// A field of a time, by its name in `extract(… FROM …)`.
pub(in crate::sql) fn part(name: &str, millis: i64) -> Option<i64> {
    let time = to_chrono(millis)?;
    Some(match name {
        "year" => i64::from(time.year()),
        "quarter" => i64::from((time.month() - 1) / 3 + 1),
        "month" => i64::from(time.month()),
        "week" | "week_of_year" => i64::from(time.iso_week().week()),
        "year_of_week" | "yow" => i64::from(time.iso_week().year()),
        "day" | "day_of_month" => i64::from(time.day()),
        "day_of_week" | "dow" => i64::from(time.weekday().number_from_monday()),
        "day_of_year" | "doy" => i64::from(time.ordinal()),
        "hour" => i64::from(time.hour()),
        "minute" => i64::from(time.minute()),
        "second" => i64::from(time.second()),
        "millisecond" => millis.rem_euclid(1000),
        "timezone_hour" | "timezone_minute" => 0,
        _ => return None,
    })
}

/// A field of an interval.
fn span_part(name: &str, millis: i64) -> Option<i64> {
    Some(match name {
        "day" => millis / DAY_MILLIS,
        "hour" => millis / HOUR_MILLIS % 24,
        "minute" => millis / MINUTE_MILLIS % 60,
        "second" => millis / 1000 % 60,
        "millisecond" => millis % 1000,
        _ => return None,
    })
}

/// `extract(unit FROM value)`, also called by the name of the unit: `hour(value)`.
pub(in crate::sql) fn extract(unit: &str, values: &Values, height: usize) -> Result<Values> {
    let unit = unit.to_ascii_lowercase();
    if values.kind == Kind::Span {
        span_part(&unit, 0).ok_or_else(|| SqlError::new(format!("an interval has no {unit}")))?;
        let cells = values.wholes()?;
        return Values::build(Kind::Bigint, height, values.constant, |row| {
            Ok(cells.get(row).and_then(|millis| span_part(&unit, millis)))
        });
    }
    if let (Kind::Months, "year" | "month") = (&values.kind, unit.as_str()) {
        let cells = values.wholes()?;
        let part = |months: i64| if unit == "year" { months / 12 } else { months % 12 };
        return Values::build(Kind::Bigint, height, values.constant, |row| Ok(cells.get(row).map(part)));
    }
    part(&unit, 0).ok_or_else(|| SqlError::new(format!("a time has no part {unit}")))?;
    if let (Kind::Zoned(_), "timezone_hour" | "timezone_minute") = (&values.kind, unit.as_str()) {
        let (zone, cells) = (Zone::of(&values.kind), values.wholes()?);
        let ahead = |millis| {
            if unit == "timezone_hour" { zone.ahead(millis) / 3600 } else { zone.ahead(millis) / 60 % 60 }
        };
        return Values::build(Kind::Bigint, height, values.constant, |row| Ok(cells.get(row).map(ahead)));
    }
    let cells = millis(&wall(values)?, height)?;
    Values::build(Kind::Bigint, height, values.constant, |row| {
        Ok(cells.get(row).and_then(|millis| part(&unit, millis)))
    })
}

/// The beginning of the unit that contains a time.
pub(in crate::sql) fn truncate(unit: &str, millis: i64) -> Option<i64> {
    if let Some(length) = unit_millis(unit).filter(|length| *length < 7 * DAY_MILLIS) {
        return Some(millis.div_euclid(length) * length);
    }
    let date = to_chrono(millis)?.date_naive();
    let start = match unit {
        "week" => {
            date.checked_sub_signed(TimeDelta::days(i64::from(date.weekday().num_days_from_monday())))?
        }
        "month" => date.with_day(1)?,
        "quarter" => date.with_day(1)?.with_month(date.month0() / 3 * 3 + 1)?,
        "year" => date.with_ordinal(1)?,
        _ => return None,
    };
    Some(start.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
}

/// The same points in time, displayed in another zone.
pub(in crate::sql) fn at_time_zone(values: &Values, zone: &Values, height: usize) -> Result<Values> {
    let name = zone.constant_text().ok_or_else(|| SqlError::new("the time zone must be a text"))?;
    let kind = zone::named(&name)?.kind();
    let cells = millis(values, height)?;
    Values::build(kind, height, values.constant, |row| Ok(cells.get(row)))
}

/// The points in time at which the wall clock of a zone shows these times.
pub(in crate::sql) fn with_time_zone(values: &Values, zone: &Values, height: usize) -> Result<Values> {
    let name = zone.constant_text().ok_or_else(|| SqlError::new("the time zone must be a text"))?;
    let zone = zone::named(&name)?;
    let cells = millis(&wall(values)?, height)?;
    Values::build(zone.kind(), height, values.constant, |row| {
        Ok(cells.get(row).map(|wall| zone.moment(wall)))
    })
}
