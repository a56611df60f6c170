//! What names tell: which trail a log digest file belongs to, when a log file was delivered, and which
//! names are the same object.

use crate::model::Timestamp;

/// The folder that every archive has; the path before it differs from copy to copy.
const ROOT: &str = "AWSLogs";
const JSON: &str = ".json";
const BACKFILL: &str = "_backfill";
const LOG_DIGEST_FILE: &str = "CloudTrail-Digest";

pub fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The path before `AWSLogs/`, and the rest from there on; `None` if a copy has lost these folders.
pub fn split(path: &str) -> Option<(&str, &str)> {
    let at = path.rmatch_indices(ROOT).map(|(at, _)| at).find(|at| {
        let before = path.get(..*at).unwrap_or_default();
        let behind = path.get(at + ROOT.len()..).unwrap_or_default();
        (before.is_empty() || before.ends_with('/')) && behind.starts_with('/')
    })?;
    path.split_at_checked(at)
}

/// A name of the object that is the same in all copies that keep the folders.
pub fn identity(key: &str) -> &str {
    split(key).map_or(key, |(_, rest)| rest)
}

/// The path from the last folder on that names a kind: `CloudTrail/…`, `CloudTrail-Digest/…`.
pub fn from_kind(path: &str) -> Option<&str> {
    let starts = std::iter::once(0).chain(path.match_indices('/').map(|(at, _)| at + 1));
    starts
        .filter_map(|at| path.get(at..))
        .rfind(|rest| rest.split_once('/').is_some_and(|(folder, _)| is_kind(folder)))
}

fn is_kind(folder: &str) -> bool {
    folder == "CloudTrail" || folder.starts_with("CloudTrail-")
}

/// The folder below the account, or the same from the name: `CloudTrail`, `CloudTrail-Digest`,
/// `CloudTrail-Insight` …
pub fn kind(path: &str) -> Option<&str> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    folders
        .rsplit('/')
        .find(|folder| is_kind(folder))
        .or_else(|| name.split('_').nth(1).filter(|part| is_kind(part)))
}

/// The trail of a log digest file, from its name:
/// `ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION_20200911T193649Z[_backfill].json.gz`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trail {
    pub account: String,
    pub name: String,
    pub home_region: String,
    pub region: String,
}

impl Trail {
    pub fn of(file_name: &str) -> Option<Self> {
        let stem = file_name.get(..file_name.rfind(JSON)?)?;
        let stem = stem.strip_suffix(BACKFILL).unwrap_or(stem);
        let (account, rest) = stem.split_once('_')?;
        let (region, rest) = rest.strip_prefix(LOG_DIGEST_FILE)?.strip_prefix('_')?.split_once('_')?;
        let (rest, stamp) = rest.rsplit_once('_')?;
        let (name, home_region) = rest.rsplit_once('_')?;
        time_of_stamp(stamp)?;
        let owned = str::to_owned;
        Some(Self {
            account: owned(account),
            name: owned(name),
            home_region: owned(home_region),
            region: owned(region),
        })
    }
}

pub fn is_backfill(file_name: &str) -> bool {
    file_name.rfind(JSON).and_then(|end| file_name.get(..end)).is_some_and(|stem| stem.ends_with(BACKFILL))
}

/// When an object was delivered, by its name, to the minute; `None` if the name does not tell.
pub fn delivered(file_name: &str) -> Option<Timestamp> {
    file_name.split('_').skip(2).find_map(time_of_stamp)
}

/// `20240301T0005Z`, `20240301T000500Z`, and the old form that continues into the rest of the name.
fn time_of_stamp(stamp: &str) -> Option<Timestamp> {
    let digits = |from: usize, to: usize| {
        stamp.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (date, minutes) = (digits(0, 8)?, digits(9, 13)?);
    if stamp.get(8..9)? != "T" {
        return None;
    }
    let seconds = match (stamp.get(13..14)?, digits(13, 15), stamp.get(15..16)) {
        ("Z", ..) => "00",
        (_, Some(seconds), Some("Z")) => seconds,
        _ => return None,
    };
    let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
    Timestamp::parse(&format!("{year}-{month}-{day}T{}:{}:{seconds}Z", minutes.get(..2)?, minutes.get(2..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trails_may_have_underscores_in_their_names() {
        let name = "111122223333_CloudTrail-Digest_eu-west-1_my_trail.1_us-east-1_20200911T193649Z.json.gz";
        let trail = Trail::of(name).unwrap();
        assert_eq!(
            (trail.name.as_str(), trail.home_region.as_str(), trail.region.as_str()),
            ("my_trail.1", "us-east-1", "eu-west-1")
        );
        let backfill = name.replace(".json.gz", "_backfill.json");
        assert_eq!(
            (Trail::of(&backfill), is_backfill(&backfill), is_backfill(name)),
            (Some(trail), true, false)
        );
        assert_eq!(
            Trail::of("111122223333_CloudTrail_eu-west-1_20200911T1930Z_l2pGqVS53QcGdAkp.json.gz"),
            None
        );
    }

    #[test]
    fn names_tell_when_a_file_was_delivered() {
        let time = |text| Timestamp::parse(text);
        assert_eq!(
            delivered("1_CloudTrail_us-west-2_20200911T1930Z_l2pG.json.gz"),
            time("2020-09-11T19:30:00Z")
        );
        assert_eq!(
            delivered("1_CloudTrail_us-west-2_20200911T1930Zl2pG.json.gz"),
            time("2020-09-11T19:30:00Z")
        );
        assert_eq!(
            delivered("1_CloudTrail-Digest_us-west-2_a_b_20200911T193649Z.json.gz"),
            time("2020-09-11T19:36:49Z")
        );
        assert_eq!(delivered("notes.json"), None);
        assert_eq!(delivered("1_CloudTrail_us-west-2_20209911T1930Z_a.json.gz"), None);
    }

    #[test]
    fn copies_are_told_by_what_follows_aws_logs() {
        assert_eq!(split("case/7/AWSLogs/1/x.json"), Some(("case/7/", "AWSLogs/1/x.json")));
        assert_eq!(split("AWSLogs/1/x.json"), Some(("", "AWSLogs/1/x.json")));
        assert_eq!(split("MyAWSLogs/x.json"), None);
        assert_eq!(kind("AWSLogs/1/CloudTrail-Insight/r/x.json.gz"), Some("CloudTrail-Insight"));
        assert_eq!(kind("1_CloudTrail_us-west-2_20200911T1930Z_a.json.gz"), Some("CloudTrail"));
        assert_eq!(kind("eventbridge/a.json"), None);
    }
}
