//! CloudTrail's key layout, read from any key or relative path:
//!
//! ```text
//! [prefix/]AWSLogs/[o-org/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_16chars.json.gz
//! ```
//!
//! The prefix is free, and archives are copied in parts, so nothing is anchored at the root: the folders that
//! are present decide as far as they can, and the file name provides the rest. If neither says anything, the
//! object is read and its content decides.
//!
//! The day folder is the day of *delivery*. Every event is older than its delivery, so nothing before
//! `--since` has to be read; for `--until` see [`DELIVERY_SLACK_DAYS`].

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate};

use super::Pruned;
use crate::model::{Filter, Timestamp, is_region};

use super::MemberIs;

/// Number of days after the day of `--until` whose deliveries are still read. CloudTrail delivers within
/// minutes (5 on average, 10 are rare), so one day is enough for everything but redelivery after trouble
/// with the bucket, which AWS tries for up to 30 days. Reading a month more in every run just for that
/// would make pruning useless; whoever needs it can ask for a later `--until`.
pub const DELIVERY_SLACK_DAYS: i32 = 1;

/// Maximum number of accounts, and of regions, that [`Pruned`] lists.
pub const SEEN_MAX: usize = 64;

/// Folders under an account in a log bucket with objects of other kinds. They are handed out unread.
const OTHER_KINDS: [&str; 4] =
    ["CloudTrail-Digest", "CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated"];

/// Other services that write logs below the same `AWSLogs/ACCOUNT/` of a shared bucket, often far more than
/// CloudTrail does. Unknown services are read and judged by their content.
const OTHER_SERVICES: [&str; 9] = [
    "Config",
    "elasticloadbalancing",
    "vpcflowlogs",
    "vpcdnsquerylogs",
    "WAFLogs",
    "GuardDuty",
    "network-firewall",
    "redshift",
    "S3",
];

/// What an object is, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Events,
    /// A log digest file, or Insight, NetworkActivity or Aggregated events: handed out unread, unless asked
    /// for.
    Other,
    /// A log of another service in a shared bucket: left out, like objects that the filters leave out.
    OtherService,
}

/// A range of days since 0001-01-01, both ends included: one day for a day folder, 28 to 31 for a month,
/// 365 for a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    pub first: i32,
    pub last: i32,
}

/// The level of a folder in the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not in the layout, or above it.
    Outside,
    /// `AWSLogs/` or `AWSLogs/o-org/`.
    Accounts,
    /// `ACCOUNT/`.
    Account,
    /// `CloudTrail/` and its siblings.
    Kind,
    Region,
    Year,
    Month,
    Day,
}

/// The position of a key or folder in the layout. What is `None` is not known, and nothing is pruned by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPosition<'k> {
    pub level: Level,
    pub kind: Option<Kind>,
    pub account: Option<&'k str>,
    pub region: Option<&'k str>,
    /// Delivery days.
    pub days: Option<Days>,
}

impl<'k> KeyPosition<'k> {
    const NOWHERE: Self = Self { level: Level::Outside, kind: None, account: None, region: None, days: None };

    /// Reads a key or path with `/` separators; a folder ends in `/`.
    pub fn of(path: &'k str) -> Self {
        let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
        let mut place = Self::of_folders(folders);
        if !file.is_empty() {
            place.fill_from_file_name(file);
        }
        place
    }

    /// Whether the folders tell everything, so that all files in them have the same position.
    pub(super) fn is_settled_by_folders(&self) -> bool {
        self.level == Level::Day && self.account.is_some()
    }

    fn of_folders(folders: &'k str) -> Self {
        let parts: Vec<&str> = folders.split('/').collect();
        match parts.iter().rposition(|part| kind_of_folder(part).is_some()) {
            Some(at) if at == 0 || is_account(parts[at - 1]) => Self::from_kind_on(&parts, at),
            _ => Self::above_kind(&parts),
        }
    }

    /// `parts[at]` is `CloudTrail` or one of its siblings; region and date follow, as far as the path goes.
    fn from_kind_on(parts: &[&'k str], at: usize) -> Self {
        let mut place = Self { level: Level::Kind, kind: kind_of_folder(parts[at]), ..Self::NOWHERE };
        place.account = at.checked_sub(1).map(|before| parts[before]);
        let rest = &parts[at + 1..];
        let Some(region) = rest.first().copied().filter(|part| is_region(part)) else {
            place.level = if rest.is_empty() { Level::Kind } else { Level::Outside };
            return place;
        };
        place.region = Some(region);
        let date = &rest[1..];
        let known = (0..=date.len().min(3))
            .rev()
            .find(|length| *length == 0 || days_of_folders(&date[..*length]).is_some())
            .unwrap_or(0);
        place.days = days_of_folders(&date[..known]);
        // A folder that is not a date is outside of the layout: its objects are listed and judged one by
        // one.
        place.level = if known == date.len() {
            [Level::Region, Level::Year, Level::Month, Level::Day][known]
        } else {
            Level::Outside
        };
        place
    }

    /// `…/AWSLogs/`, `…/AWSLogs/o-org/`, `…/AWSLogs/[o-org/]ACCOUNT/[service/…]`.
    fn above_kind(parts: &[&'k str]) -> Self {
        let Some(logs) = parts.iter().rposition(|part| *part == "AWSLogs") else { return Self::NOWHERE };
        let mut rest = parts[logs + 1..].iter().copied().peekable();
        rest.next_if(|part| part.starts_with("o-"));
        let mut place = Self { level: Level::Accounts, ..Self::NOWHERE };
        match rest.next() {
            None => return place,
            Some(account) if is_account(account) => {
                (place.level, place.account) = (Level::Account, Some(account))
            }
            Some(_) => return Self::NOWHERE,
        }
        if let Some(service) = rest.next() {
            place.level = Level::Outside;
            place.kind = OTHER_SERVICES.contains(&service).then_some(Kind::OtherService);
        }
        place
    }

    /// `ACCOUNT_CloudTrail[-Kind]_REGION_…_YYYYMMDDTHHmm…`. Folders take precedence over the name.
    fn fill_from_file_name(&mut self, file: &'k str) {
        let mut parts = file.split('_');
        let (Some(account), Some(kind), Some(region)) = (parts.next(), parts.next(), parts.next()) else {
            return;
        };
        let (true, Some(kind), true) = (is_account(account), kind_of_folder(kind), is_region(region)) else {
            return;
        };
        self.kind = self.kind.or(Some(kind));
        self.account = self.account.or(Some(account));
        self.region = self.region.or(Some(region));
        self.days = self
            .days
            .filter(|days| days.first == days.last)
            .or_else(|| parts.find_map(day_of_stamp))
            .or(self.days);
    }
}

fn kind_of_folder(name: &str) -> Option<Kind> {
    if name == "CloudTrail" {
        return Some(Kind::Events);
    }
    OTHER_KINDS.contains(&name).then_some(Kind::Other)
}

fn is_account(part: &str) -> bool {
    part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// `["2024"]`, `["2024", "10"]`, `["2024", "10", "01"]`.
fn days_of_folders(date: &[&str]) -> Option<Days> {
    let number =
        |at: usize, length: usize| date.get(at).map_or(Some(None), |part| digits(part, length).map(Some));
    let year = number(0, 4)?? as i32;
    let (month, day) = (number(1, 2)?, number(2, 2)?);
    let first = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
    let after = match (month, day) {
        (_, Some(_)) => first.succ_opt()?,
        (Some(12), None) | (None, _) => NaiveDate::from_ymd_opt(year + 1, 1, 1)?,
        (Some(month), None) => NaiveDate::from_ymd_opt(year, month + 1, 1)?,
    };
    Some(Days { first: first.num_days_from_ce(), last: after.num_days_from_ce() - 1 })
}

/// `20241001T0005Z`, `20241001T000500Z`, and the old form that runs into the name.
fn day_of_stamp(part: &str) -> Option<Days> {
    let (date, rest) = part.split_at_checked(8)?;
    rest.starts_with('T').then_some(())?;
    days_of_folders(&[date.get(..4)?, date.get(4..6)?, date.get(6..)?])
}

fn digits(part: &str, length: usize) -> Option<u32> {
    (part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?
}

/// `2024-10-01`, from days since 0001-01-01.
pub fn day_name(day: i32) -> String {
    NaiveDate::from_num_days_from_ce_opt(day)
        .map_or_else(String::new, |date| date.format("%Y-%m-%d").to_string())
}

/// Folders of a lake whose files do not count: unfinished, staged by shards, or replaced. And the files that
/// its writers and readers lock, which are empty.
const UNDER_WORK: [&str; 6] = ["shards", "staging", "spill", "replaced", "lock", "readers"];

/// Whether a path (a folder ends in `/`) belongs to a lake and does not count.
pub(super) fn is_under_work(path: &str) -> bool {
    let mut rest = path.split('/');
    rest.any(|part| part == "_tagfall") && rest.next().is_some_and(|part| UNDER_WORK.contains(&part))
}

/// Whether a path relative to the source (a key without the source's folder) can be evidence. Not evidence
/// are dot files, anything in dot folders, `*.md` (documentation), and S3's folder markers. A file that the
/// user names is read whatever it is called.
pub fn is_evidence(relative: &str) -> bool {
    let file = relative.rsplit('/').next().unwrap_or(relative);
    // In a key, `.` and `..` are names like others, from careless joining of paths; they hide nothing.
    let hidden = |part: &str| part.starts_with('.') && part != "." && part != "..";
    is_evidence_by_name(file.as_bytes()) && !relative.split('/').any(hidden)
}

/// The same for a key in a bucket, where names with a dot are not hidden.
#[cfg(feature = "s3")]
pub(super) fn is_evidence_in_bucket(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or(key).trim_start_matches('.');
    is_evidence_by_name(name.as_bytes())
}

/// The same for a file name in a folder that is being walked.
pub(super) fn is_evidence_by_name(file: &[u8]) -> bool {
    let documentation = file.last_chunk::<3>().is_some_and(|end| end.eq_ignore_ascii_case(b".md"));
    !file.is_empty() && !documentation && !file.starts_with(b".")
}

/// Whether an archive member can be evidence, by its path in the archive. The extra files that macOS adds
/// are not.
pub fn is_member(path: &str) -> bool {
    // An archive inside an archive counts as a folder.
    let path = path.replace('!', "/");
    is_evidence(&path) && !path.split('/').any(|part| part == "__MACOSX")
}

/// The filters, as far as they can be applied to keys.
#[derive(Debug, Clone)]
pub struct Selection {
    filter: Filter,
    first_day: Option<i32>,
    last_day: Option<i32>,
    other_kinds: bool,
}

impl Selection {
    pub fn new(filter: &Filter) -> Self {
        let day = |time: Timestamp| time.to_chrono().map(|time| time.date_naive().num_days_from_ce());
        Self {
            filter: filter.clone(),
            first_day: filter.since.and_then(day),
            last_day: filter.until.and_then(day).map(|day| day.saturating_add(DELIVERY_SLACK_DAYS)),
            other_kinds: false,
        }
    }

    /// The same, and whether objects of another kind are read, too.
    #[must_use]
    pub const fn with_other_kinds(mut self, other_kinds: bool) -> Self {
        self.other_kinds = other_kinds;
        self
    }

    /// Whether the object at `place` is handed out unread.
    pub(super) fn leaves_unread(&self, place: &KeyPosition<'_>) -> bool {
        place.kind == Some(Kind::Other) && !self.other_kinds
    }

    /// Whether anything at `place` or below it may hold events that are asked for.
    pub fn admits(&self, place: &KeyPosition<'_>) -> bool {
        place.kind != Some(Kind::OtherService)
            && place.account.is_none_or(|account| self.filter.admits_account(account))
            && place.region.is_none_or(|region| self.filter.admits_region(region))
            && place.days.is_none_or(|days| self.admits_days(days))
    }

    /// What an archive member is; members left out are counted in `seen`.
    pub(super) fn member(&self, name: &str, seen: &mut Seen) -> MemberIs {
        // The name after those of the archives that it is in.
        let inner = name.rsplit('!').next().unwrap_or(name);
        if !is_member(name) {
            seen.pass_over();
            return MemberIs::LeftOut;
        }
        let place = KeyPosition::of(inner);
        if !self.admits(&place) {
            seen.add(&place);
            return MemberIs::LeftOut;
        }
        if self.leaves_unread(&place) { MemberIs::OtherKind } else { MemberIs::Asked }
    }

    fn admits_days(&self, days: Days) -> bool {
        self.first_day.is_none_or(|first| days.last >= first)
            && self.last_day.is_none_or(|last| days.first <= last)
    }

    /// Whether every delivery day in `days` (`None`: any day) is asked for, so that nothing can be pruned
    /// by day.
    pub fn takes_all_of(&self, days: Option<Days>) -> bool {
        match days {
            Some(days) => {
                self.first_day.is_none_or(|first| days.first >= first)
                    && self.last_day.is_none_or(|last| days.last <= last)
            }
            None => self.first_day.is_none() && self.last_day.is_none(),
        }
    }
}

/// Counts what was pruned.
#[derive(Debug, Default)]
pub struct Seen {
    places: u64,
    no_evidence: u64,
    accounts: BTreeSet<String>,
    regions: BTreeSet<String>,
    days: Option<Days>,
}

impl Seen {
    pub fn add(&mut self, place: &KeyPosition<'_>) {
        self.places += 1;
        insert_bounded(&mut self.accounts, place.account);
        insert_bounded(&mut self.regions, place.region);
        if let Some(days) = place.days {
            let known = self.days.get_or_insert(days);
            *known = Days { first: known.first.min(days.first), last: known.last.max(days.last) };
        }
    }

    /// Counts something that is left out whatever the filters say.
    pub const fn pass_over(&mut self) {
        self.no_evidence += 1;
    }

    pub fn pruned(&self) -> Pruned {
        Pruned {
            places: self.places,
            no_evidence: self.no_evidence,
            accounts: self.accounts.clone(),
            regions: self.regions.clone(),
            days: self.days.map(|days| (day_name(days.first), day_name(days.last))),
        }
    }
}

fn insert_bounded(set: &mut BTreeSet<String>, value: Option<&str>) {
    if let Some(value) = value
        && set.len() < SEEN_MAX
        && !set.contains(value)
    {
        set.insert(value.to_owned());
    }
}
