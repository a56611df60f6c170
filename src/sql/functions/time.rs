//! Functions on times.

mod format;

use super::call::Call;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::clock::{UNZONED, ZONED, to_chrono};
use crate::sql::types::values::Values;
use crate::sql::types::zone::Zone;
use crate::sql::types::{cast, clock, zone};
use chrono::FixedOffset;
use format::{joda_format, mysql_format, parse_as, read_iso, with_other_signs};

use crate::model::{DAY_MILLIS, Timestamp};
use crate::tables::Kind;

pub(super) const NAMES: &[&str] = &[
    "from_iso8601_timestamp",
    "from_iso8601_date",
    "to_iso8601",
    "date_parse",
    "date_format",
    "parse_datetime",
    "format_datetime",
    "date_add",
    "date_diff",
    "date_trunc",
    "year",
    "quarter",
    "month",
    "week",
    "week_of_year",
    "day",
    "day_of_month",
    "day_of_week",
    "dow",
    "day_of_year",
    "doy",
    "hour",
    "minute",
    "second",
    "millisecond",
    "from_unixtime",
    "to_unixtime",
    "unix_timestamp",
    "date",
    "timestamp",
    "at_timezone",
    "with_timezone",
    "current_timezone",
    "last_day_of_month",
    "to_milliseconds",
    "year_of_week",
    "yow",
    "human_readable_seconds",
    "timezone_hour",
    "timezone_minute",
    "timezone",
    "parse_duration",
];

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    Some(match call.name {
        "from_iso8601_timestamp" => from_text(call, ZONED, read_iso),
        "from_iso8601_date" => {
            from_text(call, Kind::Date, |text| read_iso(text).map(|millis| millis.div_euclid(DAY_MILLIS)))
        }
        "parse_duration" => parse_duration(call),
        "timezone" => call.arity(1, 1).and_then(|()| match &call.arg(0)?.kind {
            Kind::Zoned(name) => Ok(Values::constant(Kind::Varchar, Some(name.as_str()))),
            Kind::Timestamp { zoned: true } => Ok(Values::constant(Kind::Varchar, Some("UTC"))),
            other => Err(SqlError::new(format!("a time with a zone is needed here, and this is {other}"))),
        }),
        "date" => call.arg(0).and_then(|arg| cast::cast(arg, &Kind::Date, call.height, call.lenient)),
        "timestamp" => call.arg(0).and_then(|arg| cast::cast(arg, &UNZONED, call.height, call.lenient)),
        "to_iso8601" => to_iso8601(call),
        "date_parse" => parse_with(call, UNZONED, mysql_format),
        "parse_datetime" => parse_with(call, ZONED, joda_format),
        "date_format" => format_with(call, mysql_format),
        "format_datetime" => format_with(call, joda_format),
        "date_add" => date_add(call),
        "date_diff" => date_diff(call),
        "date_trunc" => date_trunc(call),
        "from_unixtime" => from_unixtime(call),
        "to_unixtime" => to_unixtime(call),
        "unix_timestamp" => {
            to_unixtime(call).and_then(|values| cast::cast(&values, &Kind::Bigint, call.height, true))
        }
        "at_timezone" => {
            call.arity(2, 2).and_then(|()| clock::at_time_zone(call.arg(0)?, call.arg(1)?, call.height))
        }
        "with_timezone" => {
            call.arity(2, 2).and_then(|()| clock::with_time_zone(call.arg(0)?, call.arg(1)?, call.height))
        }
        "current_timezone" => call.arity(0, 0).map(|()| Values::constant(Kind::Varchar, Some("UTC"))),
        "last_day_of_month" => last_day(call),
        "human_readable_seconds" => human_readable_seconds(call),
        "to_milliseconds" => call.arg(0).map(|arg| Values { kind: Kind::Bigint, ..arg.clone() }),
        name if NAMES.contains(&name) => {
            call.arity(1, 1).and_then(|()| clock::extract(name, call.arg(0)?, call.height))
        }
        _ => return None,
    })
}

fn from_text(call: &Call<'_>, kind: Kind, read: impl Fn(&str) -> Option<i64>) -> Result<Values> {
    call.arity(1, 1)?;
    let texts = call.texts(0)?;
    call.build(kind, |row| match texts.get(row) {
        None => Ok(None),
        Some(text) => match read(text) {
            Some(value) => Ok(Some(value)),
            None => {
                call.refuse(|| format!("'{}' is no ISO 8601 time", text.chars().take(80).collect::<String>()))
            }
        },
    })
}

fn to_iso8601(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let (kind, millis) = (call.arg(0)?.kind.clone(), call.millis(0)?);
    call.build(Kind::Varchar, |row| {
        Ok(millis.get(row).map(|millis| match kind {
            Kind::Date => clock::show_date(millis.div_euclid(DAY_MILLIS)),
            _ => clock::show_iso(millis, &kind),
        }))
    })
}

fn parse_with(call: &Call<'_>, kind: Kind, format: fn(&str) -> Result<String>) -> Result<Values> {
    call.arity(2, 2)?;
    let (texts, format) = (call.texts(0)?, format(&call.literal(1)?)?);
    call.build(kind, |row| match texts.get(row) {
        None => Ok(None),
        Some(text) => match parse_as(text, &format).or_else(|| parse_as(&with_other_signs(text)?, &format)) {
            Some(millis) => Ok(Some(millis)),
            None => call.refuse(|| {
                format!("'{}' does not have the form {format}", text.chars().take(80).collect::<String>())
            }),
        },
    })
}

fn format_with(call: &Call<'_>, format: fn(&str) -> Result<String>) -> Result<Values> {
    call.arity(2, 2)?;
    let (zone, millis, format) = (Zone::of(&call.arg(0)?.kind), call.millis(0)?, format(&call.literal(1)?)?);
    call.build(Kind::Varchar, |row| {
        let Some(millis) = millis.get(row) else { return Ok(None) };
        let offset = i32::try_from(zone.ahead(millis)).ok().and_then(FixedOffset::east_opt);
        Ok(to_chrono(millis)
            .zip(offset)
            .map(|(time, offset)| time.with_timezone(&offset).format(&format).to_string()))
    })
}

fn date_add(call: &Call<'_>) -> Result<Values> {
    call.arity(3, 3)?;
    let (unit, amounts, time) = (call.literal(0)?, call.wholes(1)?, call.arg(2)?);
    let (unit_millis, unit_months) = (clock::unit_millis(&unit), clock::unit_months(&unit));
    if unit_millis.is_none() && unit_months.is_none() {
        return Err(SqlError::new(format!("'{unit}' is no unit of time")));
    }
    if time.kind == Kind::Date && unit_millis.is_some_and(|length| length < DAY_MILLIS) {
        return Err(SqlError::new(format!("a date has no {unit}: make it a timestamp first")));
    }
    let (zone, millis) = (Zone::of(&time.kind), call.millis(2)?);
    let moved = |row: usize| {
        let (start, amount) = millis.get(row).zip(amounts.get(row))?;
        match (unit_millis, unit_months) {
            (Some(length), _) if length < DAY_MILLIS => start.checked_add(amount.checked_mul(length)?),
            // Adding days and months keeps the wall clock time.
            (Some(length), _) => {
                zone.wall(start).checked_add(amount.checked_mul(length)?).map(|wall| zone.moment(wall))
            }
            (_, Some(months)) => clock::plus_months(zone.wall(start), amount.checked_mul(months)?)
                .map(|wall| zone.moment(wall)),
            _ => None,
        }
    };
    match &time.kind {
        Kind::Date => {
            call.build(Kind::Date, |row| Ok(moved(row).map(|millis| millis.div_euclid(DAY_MILLIS))))
        }
        kind if kind.is_timestamp() => call.build(kind.clone(), |row| Ok(moved(row))),
        _ => call.build(ZONED, |row| Ok(moved(row))),
    }
}

fn date_diff(call: &Call<'_>) -> Result<Values> {
    if call.args.len() == 2 {
        // Spark's form counts days, and has the end first.
        let (end, start) = (call.millis(0)?, call.millis(1)?);
        return call.build(Kind::Bigint, |row| {
            Ok(end
                .get(row)
                .zip(start.get(row))
                .map(|(end, start)| end.div_euclid(DAY_MILLIS) - start.div_euclid(DAY_MILLIS)))
        });
    }
    call.arity(3, 3)?;
    let (unit, from, to) = (call.literal(0)?, call.millis(1)?, call.millis(2)?);
    // Days and months are those of the first time's zone.
    let zone = Zone::of(&call.arg(1)?.kind);
    let (unit_millis, unit_months) = (clock::unit_millis(&unit), clock::unit_months(&unit));
    if unit_millis.is_none() && unit_months.is_none() {
        return Err(SqlError::new(format!("'{unit}' is no unit of time")));
    }
    call.build(Kind::Bigint, |row| {
        let Some((from, to)) = from.get(row).zip(to.get(row)) else { return Ok(None) };
        Ok(match (unit_millis, unit_months) {
            (Some(length), _) if length < DAY_MILLIS => Some((to - from) / length),
            (Some(length), _) => Some((zone.wall(to) - zone.wall(from)) / length),
            (_, Some(months)) => {
                clock::months_between(zone.wall(from), zone.wall(to)).map(|count| count / months)
            }
            _ => None,
        })
    })
}

fn date_trunc(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let unit = call.literal(0)?.to_ascii_lowercase();
    clock::truncate(&unit, 0).ok_or_else(|| SqlError::new(format!("'{unit}' is no unit of time")))?;
    let (zone, millis) = (Zone::of(&call.arg(1)?.kind), call.millis(1)?);
    let start = |row| {
        millis
            .get(row)
            .and_then(|millis| clock::truncate(&unit, zone.wall(millis)))
            .map(|wall| zone.moment(wall))
    };
    match &call.arg(1)?.kind {
        Kind::Date => {
            call.build(Kind::Date, |row| Ok(start(row).map(|millis| millis.div_euclid(DAY_MILLIS))))
        }
        kind if kind.is_timestamp() => call.build(kind.clone(), |row| Ok(start(row))),
        _ => call.build(ZONED, |row| Ok(start(row))),
    }
}

fn from_unixtime(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 3)?;
    let seconds = call.doubles(0)?;
    let kind = match call.args.len() {
        1 => ZONED,
        2 => zone::named(&call.literal(1)?)?.kind(),
        // Hours and minutes ahead of UTC.
        _ => {
            let (Some(hours), Some(minutes)) = (call.arg(1)?.constant_whole(), call.arg(2)?.constant_whole())
            else {
                return Err(SqlError::new("hours and minutes must be literal numbers"));
            };
            let ahead = hours * 60 + minutes;
            let sign = if ahead < 0 { '-' } else { '+' };
            zone::named(&format!("{sign}{:02}:{:02}", ahead.abs() / 60, ahead.abs() % 60))?.kind()
        }
    };
    call.build(kind, |row| {
        Ok(seconds
            .get(row)
            .filter(|seconds| seconds.abs() < 1e12)
            .map(|seconds| (seconds * 1000.0).round() as i64))
    })
}

fn to_unixtime(call: &Call<'_>) -> Result<Values> {
    call.arity(0, 1)?;
    if call.args.is_empty() {
        return Ok(Values::constant(Kind::Double, Some(Timestamp::from_millis(call.now).seconds() as f64)));
    }
    let millis = call.millis(0)?;
    call.build(Kind::Double, |row| Ok(millis.get(row).map(|millis| millis as f64 / 1000.0)))
}

/// `parse_duration('1.5h')`: a number, and a unit from `ns` to `d`.
fn parse_duration(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let texts = call.texts(0)?;
    let units = [
        ("ns", 1e-6),
        ("us", 1e-3),
        ("ms", 1.0),
        ("s", 1e3),
        ("m", 6e4),
        ("h", 3.6e6),
        ("d", DAY_MILLIS as f64),
    ];
    let read = |text: &str| {
        let text = text.trim();
        let (number, unit) = text.split_at(text.find(|sign: char| sign.is_alphabetic())?);
        let (_, millis) = units.iter().find(|(known, _)| *known == unit)?;
        let product = number.trim().parse::<f64>().ok()? * millis;
        (product.abs() < 9.2e18).then_some(product.round() as i64)
    };
    call.build(Kind::Span, |row| match texts.get(row) {
        None => Ok(None),
        Some(text) => match read(text) {
            Some(millis) => Ok(Some(millis)),
            None => call.refuse(|| {
                format!("'{}' is no duration such as 1.5h", text.chars().take(80).collect::<String>())
            }),
        },
    })
}

/// `1 hour, 2 minutes, 42 seconds`
fn human_readable_seconds(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let seconds = call.doubles(0)?;
    let units = [("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];
    call.build(Kind::Varchar, |row| {
        Ok(seconds.get(row).map(|seconds| {
            let mut left = seconds.abs().round() as u64;
            let mut parts = Vec::new();
            for (unit, length) in units {
                let count = left / length;
                left %= length;
                if count > 0 || (unit == "second" && parts.is_empty()) {
                    parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
                }
            }
            parts.join(", ")
        }))
    })
}

fn last_day(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let millis = clock::millis(&clock::wall(call.arg(0)?)?, call.height)?;
    call.build(Kind::Date, |row| {
        let next = millis
            .get(row)
            .and_then(|millis| clock::truncate("month", millis))
            .and_then(|start| clock::plus_months(start, 1));
        Ok(next.map(|next| next.div_euclid(DAY_MILLIS) - 1))
    })
}
