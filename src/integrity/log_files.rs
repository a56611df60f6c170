//! Judges log files: against the entries in log digest files, and against the times that those cover.

use std::collections::BTreeSet;

use super::chain::Node;
use super::judge::{ObjectVerdict, VerificationBuilder};
use super::listing::{Entry, Listed, Listing};
use super::name;
use super::read::{Content, Other};
use super::span::{Said, Span};
use crate::model::{CheckedKind, LogText, Sha256, Standing, Timestamp};
use crate::source::layout::{self, KeyPosition};

impl<'c> VerificationBuilder<'c> {
    /// Judges every log file that was read, and then those that are missing.
    pub(super) fn log_files(&mut self, others: Vec<Other>, spans: &[Span<'c>]) {
        let mut listing = Listing::new(self.found);
        let kinds: BTreeSet<&str> = self
            .found
            .iter()
            .flat_map(|found| &found.file.files)
            .filter_map(|file| name::kind(&file.folder))
            .collect();
        for other in others {
            let Listed { mut entries, elsewhere, ambiguous } = listing.of(other.object.raw());
            if ambiguous && entries.iter().any(|entry| other.content.fits(entry)) {
                entries.retain(|entry| other.content.fits(entry));
            }
            let mut verdict = match entries.is_empty() {
                true => self.unlisted(&other, spans, &kinds),
                false => self.listed(&other.content, &entries),
            };
            if ambiguous && verdict.reason.is_none() {
                verdict.reason =
                    Some("several log files of its name are listed; it is one of them".to_owned());
            } else if elsewhere
                && verdict.reason.is_none()
                && let Some(entry) = entries.first()
            {
                verdict.reason =
                    Some(format!("it lies elsewhere than CloudTrail put it: {}", entry.listed.folder));
            }
            if let Some(by) = verdict.by {
                self.count_listed(by, verdict.standing);
            }
            self.push(CheckedKind::LogFile, other.object, verdict);
        }
        let absent: Vec<Entry<'_>> = listing.absent(self.nodes).collect();
        for entry in absent {
            self.absent(entry);
        }
    }

    fn count_listed(&mut self, by: usize, standing: Standing) {
        if let Some(found) = self.found.get(by) {
            self.log_files.entry(&found.file.trail).or_default().add(standing);
        }
    }

    fn absent(&mut self, entry: Entry<'_>) {
        let key = entry.listed.key();
        if !self.whole || !self.scope.holds(&entry.listed.bucket, &key) {
            self.summary.not_in_sources += 1;
            return;
        }
        let altered = self.nodes.get(entry.by).is_some_and(Node::is_altered);
        let reason = if altered {
            "a log digest file that was altered lists it, and it is not there"
        } else {
            "it is listed, and not there"
        };
        let verdict = ObjectVerdict {
            by: Some(entry.by),
            expected: entry.listed.sha256,
            ..self.not_there(&key, reason)
        };
        self.count_listed(entry.by, verdict.standing);
        self.push(CheckedKind::LogFile, LogText::from(key), verdict);
    }

    /// A log file that at least one log digest file lists.
    fn listed(&self, content: &Content, entries: &[Entry<'_>]) -> ObjectVerdict {
        let trust = |entry: &Entry<'_>| {
            self.nodes.get(entry.by).map_or((false, false), |node| (node.proven, !node.is_altered()))
        };
        let actual = content.sha256();
        // The most trustworthy entries decide; if one of them does not match, the file is wrong.
        let most = entries.iter().map(trust).max().unwrap_or_default();
        let deciding = || entries.iter().filter(|entry| trust(entry) == most);
        let fits = |entry: &&Entry<'_>| content.fits(entry);
        let Some(entry) = deciding().find(|entry| !fits(entry)).or_else(|| deciding().next()) else {
            return ObjectVerdict::new(Standing::NotCovered);
        };
        let verdict = ObjectVerdict {
            by: Some(entry.by),
            expected: entry.listed.sha256,
            actual,
            ..ObjectVerdict::new(Standing::Valid)
        };
        match (content, most) {
            (Content::Unreadable(reason), _) => {
                ObjectVerdict { standing: Standing::Unreadable, ..verdict }.because(&**reason)
            }
            (Content::Damaged(reason), _) => {
                ObjectVerdict { standing: Standing::HashMismatch, ..verdict }.because(&**reason)
            }
            (_, most) if !fits(&entry) => ObjectVerdict { standing: Standing::HashMismatch, ..verdict }
                .because(match most {
                    (true, _) => "its content is not what CloudTrail delivered",
                    (false, true) => "its content is not what is listed",
                    (false, false) => {
                        "its content is not what is listed, but the log digest file that lists it was \
                         altered, too"
                    }
                }),
            (_, (true, _)) => verdict,
            (_, (false, true)) => {
                let reason =
                    self.nodes.get(entry.by).and_then(|node| node.reason.as_deref()).unwrap_or_default();
                ObjectVerdict { standing: Standing::SignatureNotChecked, ..verdict }
                    .because(format!("of the log digest file that lists it: {reason}"))
            }
            (_, (false, false)) => ObjectVerdict { standing: Standing::Unproven, ..verdict }
                .because("the log digest file that lists it was altered"),
        }
    }

    /// A log file that no log digest file lists.
    fn unlisted(&mut self, other: &Other, spans: &[Span<'c>], kinds: &BTreeSet<&str>) -> ObjectVerdict {
        let object = other.object.raw();
        let actual = if let Content::Hash(sha256) = &other.content { Some(*sha256) } else { None };
        let not_covered = |reason: &str| {
            ObjectVerdict { actual, ..ObjectVerdict::new(Standing::NotCovered) }.because(reason)
        };
        if let Content::Unreadable(reason) = &other.content {
            return ObjectVerdict::new(Standing::Unreadable).because(&**reason);
        }
        let Some(Delivery { account, region, first, last }) = Delivery::of(object) else {
            return not_covered("its name does not tell when CloudTrail delivered it");
        };
        if name::kind(object).is_some_and(|kind| kind != "CloudTrail" && !kinds.contains(kind)) {
            return not_covered("log digest files list no objects of its kind");
        }
        let place = name::split(object).map(|(before, _)| before);
        let here = |span: &&Span<'_>| span.trail.account == account && span.trail.region == region;
        let near = |span: &&Span<'_>| {
            place.is_none() || span.places.iter().any(|other| other.is_none() || *other == place)
        };
        let said: Vec<Said> =
            spans.iter().filter(here).filter(near).map(|span| span.say(first, last)).collect();
        let rank = |said: &Said| match said {
            Said::Unlisted => 0,
            Said::NotYet => 1,
            Said::Gap(..) => 2,
            Said::After(_) => 3,
            Said::Before(_) => 4,
        };
        match said.into_iter().min_by_key(rank) {
            None => not_covered("there is no log digest file of its account and region beside it"),
            Some(Said::Unlisted) if !self.whole => not_covered(
                "the run ended before all log digest files were read",
            ),
            Some(Said::Unlisted) => ObjectVerdict { actual, ..ObjectVerdict::new(Standing::Unlisted) }
                .because(
                    "it is in none of the lists of its time: added later, or delivered to the same place by a \
                     trail without log digest files",
                ),
            Some(Said::NotYet) => ObjectVerdict {
                harmless: true,
                ..not_covered(
                    "not covered yet: the next log digest file will tell",
                )
            },
            Some(Said::After(end)) => {
                self.overdue += 1;
                not_covered(&format!("log digest files end at {end}, long before it was delivered"))
            }
            Some(Said::Before(begin)) => not_covered(&format!(
                "delivered before {begin}, when log digest files begin"
            )),
            Some(Said::Gap(from, to)) => not_covered(&format!(
                "no log digest file tells of the time between {from} and {to}"
            )),
        }
    }
}

impl Content {
    fn sha256(&self) -> Option<Sha256> {
        match self {
            Self::Hash(sha256) | Self::NoLogDigestFile(sha256, _) => Some(*sha256),
            Self::Damaged(_) | Self::Unreadable(_) => None,
        }
    }

    fn fits(&self, entry: &Entry<'_>) -> bool {
        self.sha256().is_some_and(|sha256| entry.listed.sha256 == Some(sha256))
    }
}

/// When and for whom an object was delivered, by its name or its folders.
struct Delivery<'o> {
    account: &'o str,
    region: &'o str,
    first: Timestamp,
    last: Timestamp,
}

impl<'o> Delivery<'o> {
    fn of(object: &'o str) -> Option<Self> {
        let place = KeyPosition::of(object);
        let (account, region) = (place.account?, place.region?);
        let (first, last) = match name::delivered(name::file_name(object)) {
            // Names have the minute only.
            Some(time) => (time, time.plus_seconds(59)),
            None => {
                let days = place.days?;
                let midnight = |day: i32| Timestamp::parse(&format!("{}T00:00:00Z", layout::day_name(day)));
                (midnight(days.first)?, midnight(days.last.checked_add(1)?)?)
            }
        };
        Some(Self { account, region, first, last })
    }
}
