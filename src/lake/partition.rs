//! The partition of a record: account, region, and the day of the event.

use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::model::{DAY_SECONDS, Timestamp};

/// Hive's name for the partition of rows without a value.
pub(super) const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";
/// Longer values are not plausible, and are treated as missing.
const VALUE_BYTES_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Partition {
    /// Whether it contains EventBridge's own events, which are stored separately.
    pub native: bool,
    pub account: Option<String>,
    pub region: Option<String>,
    /// `2026-03-02`, UTC.
    pub date: Option<String>,
}

/// A day in UTC, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day(i64);

impl Day {
    pub(super) const fn of(time: Timestamp) -> Self {
        Self(time.seconds().div_euclid(DAY_SECONDS))
    }
}

/// A value that can be used in a path.
fn value(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty() && value.len() <= VALUE_BYTES_MAX)
}

impl Partition {
    pub(super) fn new(
        native: bool,
        account: Option<&str>,
        region: Option<&str>,
        time: Option<Timestamp>,
    ) -> Self {
        let date = time.and_then(Timestamp::to_chrono).map(|time| time.format("%Y-%m-%d").to_string());
        Self {
            native,
            account: value(account).map(str::to_owned),
            region: value(region).map(str::to_owned),
            date,
        }
    }

    /// Whether records with this account and region belong to it, if their day is the same.
    pub(super) fn is_of(&self, native: bool, account: Option<&str>, region: Option<&str>) -> bool {
        self.native == native
            && self.account.as_deref() == value(account)
            && self.region.as_deref() == value(region)
    }

    /// Its folder, relative to the lake.
    pub(super) fn folder(&self) -> PathBuf {
        let level = |name: &str, value: &Option<String>| {
            format!("{name}={}", value.as_deref().map_or_else(|| NO_VALUE.to_owned(), escaped))
        };
        let root = if self.native { "_tagfall/native" } else { "" };
        PathBuf::from(root)
            .join(level("account", &self.account))
            .join(level("region", &self.region))
            .join(level("date", &self.date))
    }

    /// The value of a `cloudtrail_logs` column that is derived from the partition.
    pub(super) fn value(&self, column: &str) -> Option<String> {
        let date = self.date.as_deref();
        let part = match column {
            "account" => self.account.as_deref(),
            "region" => self.region.as_deref(),
            "year" => date.and_then(|date| date.get(0..4)),
            "month" => date.and_then(|date| date.get(5..7)),
            "day" => date.and_then(|date| date.get(8..10)),
            "date" => date,
            _ => return date.map(|date| date.replace('-', "/")),
        };
        part.map(str::to_owned)
    }

    /// The extension of its files: Hive readers that look for `*.parquet` should only find CloudTrail
    /// events.
    pub(super) const fn extension(&self) -> &'static str {
        if self.native { "rows" } else { "parquet" }
    }
}

/// A value in a path as Hive writes it: letters, digits, `-`, `_` and `.` as they are, `%XX` for everything
/// else.
pub(super) fn escaped(value: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    utf8_percent_encode(value, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_from_a_log_never_leaves_its_folder() {
        let partition =
            Partition::new(false, Some("../../etc"), Some("a/b"), Timestamp::parse("2026-03-02T23:59:59Z"));
        assert_eq!(partition.folder(), PathBuf::from("account=..%2F..%2Fetc/region=a%2Fb/date=2026-03-02"));
        let empty = Partition::new(true, Some(""), Some(&"x".repeat(500)), None);
        assert!(empty.folder().ends_with("account=__HIVE_DEFAULT_PARTITION__/region=__HIVE_DEFAULT_PARTITION__/date=__HIVE_DEFAULT_PARTITION__"));
        assert!(empty.folder().starts_with("_tagfall/native"));
    }
}
