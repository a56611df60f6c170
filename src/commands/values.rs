//! Parses what users type: times, spans, sizes, accounts, regions, globs. Errors say what would be accepted.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use wildmatch::WildMatch;

use crate::model::{Severity, Timestamp};

/// A severity; the argument says whether case matters.
pub fn severity() -> impl TypedValueParser<Value = Severity> {
    let words = PossibleValuesParser::new(Severity::ALL.iter().map(|severity| severity.word()));
    words.try_map(|word| Severity::from_word(&word.to_ascii_lowercase()).ok_or("not a severity"))
}

/// A point in time as typed; some need the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    At(Timestamp),
    Ago { seconds: i64 },
}

impl When {
    /// The point itself; a span of time counts back from `now`.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago { seconds } => now.plus_seconds(-seconds),
        }
    }
}

fn midnight(day: NaiveDate) -> Timestamp {
    Timestamp::from_millis(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
}

pub fn when(text: &str) -> Result<When, String> {
    if let (10, Ok(day)) = (text.len(), NaiveDate::parse_from_str(text, "%Y-%m-%d")) {
        return Ok(When::At(midnight(day)));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(When::At(Timestamp::from_millis(time.timestamp_millis())));
    }
    if let Ok(seconds) = span(text) {
        return Ok(When::Ago { seconds });
    }
    if DateTime::parse_from_rfc3339(&format!("{text}Z")).is_ok() {
        return Err(format!("a time needs its zone: write {text}Z for UTC"));
    }
    Err("write a time (2024-10-01T12:00:00Z), a day (2024-10-01), or how long ago (14d, 36h)".to_owned())
}

/// A point in time for `--at`, which may also be `now`.
pub fn moment(text: &str) -> Result<When, String> {
    if text == "now" { Ok(When::Ago { seconds: 0 }) } else { when(text) }
}

/// The point in time, determined by the clock if it is relative.
pub fn resolved(when: When) -> Timestamp {
    when.resolve(now())
}

/// The current time.
pub fn now() -> Timestamp {
    Timestamp::from_millis(Utc::now().timestamp_millis())
}

/// A span of time, in seconds: `90s`, `10m`, `1h`, `14d`, `2w`.
pub fn span(text: &str) -> Result<i64, String> {
    const HELP: &str = "write a whole number and a unit: 90s, 10m, 1h, 14d or 2w";
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(HELP)?;
    let size = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(HELP.to_owned()),
    };
    // 1,000 years: enough for everybody, and far from any overflow.
    let parsed = number
        .parse::<u32>()
        .ok()
        .map(|number| i64::from(number) * size)
        .filter(|seconds| *seconds <= 1_000 * 366 * 86_400);
    parsed.filter(|_| number.bytes().all(|byte| byte.is_ascii_digit())).ok_or_else(|| HELP.to_owned())
}

/// Minimum memory of a run: for a few objects in flight.
const MEMORY_BYTES_MIN: u64 = 64 << 20;

/// A size in bytes: `1GiB`, `512MiB`, `2G` (= GiB), `1500MB` (powers of ten), or plain bytes.
pub fn memory(text: &str) -> Result<u64, String> {
    let bytes = size(text).ok_or("write a size such as 512MiB, 1GiB or 2G")?;
    if bytes < MEMORY_BYTES_MIN {
        return Err("64MiB is the minimum that a run needs".to_owned());
    }
    Ok(bytes)
}

fn size(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

pub fn account(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|character| *character != '-').collect();
    if digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("an account id has 12 digits, such as 111122223333".to_owned());
    }
    Ok(digits)
}

/// A region, checked by its form, because there are new ones every year.
pub fn region(text: &str) -> Result<String, String> {
    if is_region(text) {
        return Ok(text.to_owned());
    }
    let shorter = text.trim_end_matches(|character: char| character.is_ascii_lowercase());
    match text.to_ascii_lowercase() {
        lower if is_region(&lower) => Err(format!("write it in lower case: {lower}")),
        _ if is_region(shorter) => {
            Err(format!("this looks like an availability zone; its region is {shorter}"))
        }
        _ => Err("a region looks like eu-central-1 or us-gov-west-1".to_owned()),
    }
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let word = |part: &&str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(word)
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// A glob for repository names: `*` matches anything including `/`, and `?` one character.
pub fn repository(text: &str) -> Result<WildMatch, String> {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'.' | b'_' | b'-' | b'/' | b'*' | b'?')
    };
    if text.contains(".dkr") || text.contains(".amazonaws.") {
        return Err("leave out the registry: only the repository's name, such as team/api; --account and \
            --region narrow the registry"
            .to_owned());
    }
    if text.contains([':', '@']) {
        return Err("leave out tag and digest: only the repository's name, such as team/api".to_owned());
    }
    if text.is_empty() || !text.bytes().all(fits) {
        return Err(
            "a repository's name has lower-case letters, digits and . _ - /; the glob's wildcards are * and \
             ?"
            .to_owned(),
        );
    }
    Ok(WildMatch::new(text))
}

/// A glob for tags. Tags cannot contain wildcards, so a plain tag matches only itself.
pub fn tag(text: &str) -> Result<WildMatch, String> {
    if text.is_empty() || text.contains([':', '@', '/', ' ']) {
        return Err(
            "write only the tag, such as v1.2 or v1.*; --repository selects the repository".to_owned()
        );
    }
    Ok(WildMatch::new(text))
}

/// The beginning of a digest: at least six hex digits; `sha256:` may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestPrefix(String);

impl DigestPrefix {
    /// Whether `digest` (with its `sha256:`) begins with it.
    pub fn begins(&self, digest: &str) -> bool {
        digest.strip_prefix("sha256:").is_some_and(|hex| hex.starts_with(&self.0))
    }
}

pub fn digest_prefix(text: &str) -> Result<DigestPrefix, String> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    if !(6..=64).contains(&hex.len()) || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("write a digest such as sha256:0a1b2c…, or its first 6 hex digits at least".to_owned());
    }
    Ok(DigestPrefix(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_day_means_its_first_second() {
        let now = time("2024-10-20T12:00:00Z");
        let day = when("2024-10-01").unwrap();
        assert_eq!(day.resolve(now), time("2024-10-01T00:00:00Z"));
        assert_eq!(when("14d").unwrap().resolve(now), time("2024-10-06T12:00:00Z"));
        assert_eq!(when("36h").unwrap().resolve(now), time("2024-10-19T00:00:00Z"));
        assert_eq!(when("2024-10-01T12:00:00+02:00").unwrap().resolve(now), time("2024-10-01T10:00:00Z"));
    }

    #[test]
    fn a_time_without_a_zone_is_not_guessed() {
        assert_eq!(
            when("2024-10-01T12:00:00"),
            Err("a time needs its zone: write 2024-10-01T12:00:00Z for UTC".to_owned())
        );
        for text in [
            "",
            "yesterday",
            "2024-13-01",
            "2024-1-1",
            "14",
            "d",
            "-1d",
            "+1d",
            "1.5h",
            "99999999999d",
            "4000000000w",
            "１d",
            "é",
        ] {
            assert!(when(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_have_units() {
        assert_eq!(
            ["90s", "10m", "1h", "2w", "0s"].map(span),
            [Ok(90), Ok(600), Ok(3_600), Ok(1_209_600), Ok(0)]
        );
        assert!(span("600").is_err());
    }

    #[test]
    fn sizes() {
        assert_eq!(
            ["1GiB", "1g", "1GB", "512 MiB", "67108864"].map(memory),
            [Ok(1 << 30), Ok(1 << 30), Ok(1_000_000_000), Ok(512 << 20), Ok(64 << 20)]
        );
        for text in ["", "GiB", "1XB", "1KiB", "99999999999TiB", "-1G"] {
            assert!(memory(text).is_err(), "{text}");
        }
    }

    #[test]
    fn accounts_and_regions_by_their_shape() {
        assert_eq!(account("1111-2222-3333"), Ok("111122223333".to_owned()));
        assert!(account("11112222333").is_err() && account("11112222333x").is_err());
        for known in [
            "eu-central-1",
            "us-gov-west-1",
            "cn-north-1",
            "us-isob-east-1",
            "ap-southeast-7",
            "eusc-de-east-1",
        ] {
            assert_eq!(region(known).as_deref(), Ok(known));
        }
        assert_eq!(
            region("eu-west-1a"),
            Err("this looks like an availability zone; its region is eu-west-1".to_owned())
        );
        assert_eq!(region("EU-West-1"), Err("write it in lower case: eu-west-1".to_owned()));
        for wrong in ["", "eu", "eu-1", "eu-west", "eu-west1", "eu--1", "*"] {
            assert!(region(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_glob_is_a_name_with_wildcards() {
        assert!(repository("team/*").unwrap().matches("team/api/v2"));
        for wrong in [
            "",
            "Team",
            "api:v1",
            "api@sha256:0",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com/api",
            "a[bc]",
            "a b",
        ] {
            assert!(repository(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_digest_may_be_cut() {
        let prefix = digest_prefix("sha256:0A1b2c").unwrap();
        assert!(
            prefix.begins("sha256:0a1b2c3d")
                && !prefix.begins("sha256:1a1b2c3d")
                && !prefix.begins("0a1b2c3d")
        );
        assert!(digest_prefix("0a1b2").is_err() && digest_prefix("v1.2.3").is_err());
    }
}
