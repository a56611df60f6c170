//! Time zones other than UTC, as in `AT TIME ZONE 'Asia/Tokyo'`.
//!
//! A point in time is the same number in every zone. The zone decides its parts, its day, where a day
//! begins, and how it is written. Those are computed from *wall clock* milliseconds, which a [`Zone`]
//! converts to and from.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::sql::error::{Result, SqlError};
use crate::tables::Kind;

/// A zone by name, or as an offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Zone {
    Utc,
    Fixed(FixedOffset),
    Named(Tz),
}

impl Zone {
    /// Parses a name of the zone database, or an offset such as `+09:00`.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        if ["UTC", "Z", "GMT", "UT", "Etc/UTC", "Etc/GMT", "Zulu"]
            .iter()
            .any(|utc| utc.eq_ignore_ascii_case(name))
        {
            return Some(Self::Utc);
        }
        if name.starts_with(['+', '-']) {
            let padded = if name.len() == 3 { format!("{name}:00") } else { name.to_owned() };
            let offset = FixedOffset::from_str(&padded).ok()?;
            return Some(if offset.local_minus_utc() == 0 { Self::Utc } else { Self::Fixed(offset) });
        }
        chrono_tz::TZ_VARIANTS
            .iter()
            .find(|zone| zone.name().eq_ignore_ascii_case(name))
            .copied()
            .map(Self::Named)
    }

    /// The zone in which values of a type are displayed.
    pub fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Zoned(name) => Self::parse(name).unwrap_or(Self::Utc),
            _ => Self::Utc,
        }
    }

    /// The type of points in time displayed in this zone.
    pub fn kind(self) -> Kind {
        match self {
            Self::Utc => Kind::Timestamp { zoned: true },
            Self::Fixed(offset) => Kind::Zoned(offset.to_string()),
            Self::Named(zone) => Kind::Zoned(zone.name().to_owned()),
        }
    }

    /// The offset from UTC in seconds at a point in time.
    pub fn ahead(self, millis: i64) -> i64 {
        let moment = DateTime::from_timestamp_millis(millis).map(|time| time.naive_utc());
        let offset = match (self, moment) {
            (Self::Fixed(offset), _) => offset.local_minus_utc(),
            (Self::Named(zone), Some(moment)) => {
                zone.offset_from_utc_datetime(&moment).fix().local_minus_utc()
            }
            _ => 0,
        };
        i64::from(offset)
    }

    /// The wall clock time at a point in time.
    pub fn wall(self, millis: i64) -> i64 {
        millis.saturating_add(self.ahead(millis) * 1000)
    }

    /// The point in time of a wall clock time; if there are two, the first. In a skipped hour, as if the
    /// clock had not been changed.
    pub fn moment(self, wall: i64) -> i64 {
        let Self::Named(zone) = self else { return wall.saturating_sub(self.ahead(wall) * 1000) };
        let Some(local) = DateTime::from_timestamp_millis(wall).map(|time| time.naive_utc()) else {
            return wall;
        };
        match zone.offset_from_local_datetime(&local) {
            LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => {
                wall.saturating_sub(i64::from(offset.fix().local_minus_utc()) * 1000)
            }
            LocalResult::None => skipped(zone, local).unwrap_or(wall),
        }
    }
}

/// The point in time of a skipped wall clock time, by the offset before the change.
fn skipped(zone: Tz, local: NaiveDateTime) -> Option<i64> {
    let before = local.checked_sub_signed(TimeDelta::hours(3))?;
    let offset = zone.offset_from_local_datetime(&before).earliest()?.fix().local_minus_utc();
    Some(local.and_utc().timestamp_millis().saturating_sub(i64::from(offset) * 1000))
}

/// A zone by name; an error if it is unknown.
pub(in crate::sql) fn named(name: &str) -> Result<Zone> {
    Zone::parse(name).ok_or_else(|| {
        SqlError::new(format!("there is no time zone {name}; write it as 'Europe/Berlin' or '+01:00'"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-02T12:00:00Z
    const NOON: i64 = 1_772_452_800_000;
    const HOUR: i64 = 3_600_000;

    #[test]
    fn zones_by_name_and_by_number() {
        assert_eq!(Zone::parse("utc"), Some(Zone::Utc));
        assert_eq!(Zone::parse("+00:00"), Some(Zone::Utc));
        assert_eq!(Zone::parse("Asia/Tokyo").unwrap().ahead(NOON), 9 * 3600);
        assert_eq!(Zone::parse("asia/kolkata").unwrap().ahead(NOON), 5 * 3600 + 1800);
        assert_eq!(Zone::parse("-08:00").unwrap().ahead(NOON), -8 * 3600);
        assert_eq!(Zone::parse("+09").unwrap().ahead(NOON), 9 * 3600);
        assert_eq!(Zone::parse("Mars/Olympus"), None);
    }

    #[test]
    fn summer_time_and_the_hours_that_it_skips_and_doubles() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let summer = 1_782_820_800_000; // 2026-06-30T12:00:00Z
        assert_eq!((berlin.ahead(NOON), berlin.ahead(summer)), (3600, 7200));
        assert_eq!(berlin.moment(berlin.wall(summer)), summer);
        // 02:30 is skipped on 2026-03-29: it is 01:30Z, when the clock shows 03:30.
        let skipped = 1_774_751_400_000;
        assert_eq!(berlin.moment(skipped), skipped - HOUR);
        // 02:30 occurs twice on 2026-10-25: first at 00:30Z.
        let twice = 1_792_895_400_000;
        assert_eq!(berlin.moment(twice), twice - 2 * HOUR);
    }
}
