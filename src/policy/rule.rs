//! One rule of a policy, and what it looks at in an image.

use serde_json::Value;

use super::pattern;
use crate::model::{DAY_MILLIS, LifecycleAction, StorageClass};

/// Whether ECR records a pull: at most one is recorded in 24 hours (ECR User Guide). `last` is the last
/// recorded pull; times are milliseconds.
pub fn records_pull(last: Option<i64>, pull: i64) -> bool {
    last.is_none_or(|last| pull.saturating_sub(last) >= DAY_MILLIS)
}

/// One rule of a policy.
#[derive(Debug, Clone)]
pub struct Rule {
    pub priority: i64,
    pub tags: Tags,
    /// The storage class of the images that the rule selects.
    pub class: StorageClass,
    pub count: Count,
    pub action: LifecycleAction,
    pub words: Words,
    /// The rule's JSON as it stands in the policy, or in the event of a run.
    pub text: Value,
}

/// What a rule says, in the words of a policy's JSON text, whether it came from a policy or from the event
/// of a run. A word that this program does not know stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    pub description: Option<String>,
    /// `expire`, `transition`.
    pub action: Option<String>,
    /// `untagged`, `tagged`, `any`.
    pub tag_status: Option<String>,
    /// In the order of the policy.
    pub prefixes: Vec<String>,
    pub patterns: Vec<String>,
    /// `imageCountMoreThan`, `sinceImagePushed` …
    pub count_type: Option<String>,
    pub count_number: Option<i64>,
    /// `days`.
    pub count_unit: Option<String>,
}

/// What a rule requires of an image's tags (`tagStatus` and the lists beside it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    Untagged,
    Any,
    /// Each prefix and each pattern must match some tag of the image. Without either, any tag will do.
    Tagged {
        prefixes: Vec<String>,
        patterns: Vec<String>,
    },
    /// A `tagStatus` that this program does not know: no image is taken to meet it.
    Unknown,
}

/// Which of the images that meet the requirement the rule selects (`countType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// All but the newest N, by the time of their push.
    MoreThan(u64),
    /// Those older than N days, by the clock named.
    Since(Clock, i64),
    /// A `countType` that this program does not know: what it selects is not known.
    Unknown,
}

/// The moment from which a rule counts its days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    Pushed,
    /// The last recorded pull; if there is none since a restore, the restore; if there was never one, the
    /// push.
    Pulled,
    /// The moment at which the image was archived.
    Transitioned,
}

/// An image as a rule sees it. Times are milliseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy)]
pub struct Seen<'t> {
    pub tags: &'t [&'t str],
    pub class: StorageClass,
    /// `None` where the image was pushed before the logs begin: it counts as older than all others.
    pub pushed_at: Option<i64>,
    /// A moment at which the image existed: its age counts from here where its push is not known.
    pub there_at: i64,
    /// The last pull that ECR recorded.
    pub pulled_at: Option<i64>,
    /// When it was last restored from the archive.
    pub restored_at: Option<i64>,
    pub archived_at: Option<i64>,
    /// Whether an existing index (multi-platform image) lists it: ECR does not expire such images.
    pub held: bool,
}

impl Seen<'_> {
    /// The time by which a count rule sorts: the push, or the restore from the archive (ECR User Guide).
    pub fn ranked_at(&self) -> Option<i64> {
        self.restored_at
            .map(|restored| self.pushed_at.map_or(restored, |pushed| pushed.max(restored)))
            .or(self.pushed_at)
    }
}

impl Tags {
    pub fn wants(&self, tags: &[&str]) -> bool {
        let some = |fits: &dyn Fn(&str) -> bool| tags.iter().any(|tag| fits(tag));
        match self {
            Self::Untagged => tags.is_empty(),
            Self::Any => true,
            Self::Tagged { prefixes, patterns } => {
                !tags.is_empty()
                    && prefixes.iter().all(|prefix| some(&|tag| tag.starts_with(prefix.as_str())))
                    && patterns.iter().all(|pattern| some(&|tag| pattern::fits(pattern, tag)))
            }
            Self::Unknown => false,
        }
    }

    /// Whether this tag by itself plays a part in meeting the requirement.
    pub fn speaks_of(&self, tag: &str) -> bool {
        match self {
            Self::Tagged { prefixes, patterns } => {
                (prefixes.is_empty() && patterns.is_empty())
                    || prefixes.iter().any(|prefix| tag.starts_with(prefix.as_str()))
                    || patterns.iter().any(|pattern| pattern::fits(pattern, tag))
            }
            Self::Untagged | Self::Any | Self::Unknown => false,
        }
    }
}

impl Rule {
    /// The moment at which an image is old enough for an age rule. `None` for other rules, and where the
    /// clock has not started.
    pub fn ripe_at(&self, seen: &Seen<'_>) -> Option<i64> {
        let Count::Since(clock, days) = self.count else { return None };
        Some(clock.start(seen)?.saturating_add(days.saturating_mul(DAY_MILLIS)))
    }

    /// `lifecycle rule 2 "old builds" (tagged, prefix sha-, sinceImagePushed 14 days)`: for people.
    pub fn in_words(&self) -> String {
        let Words {
            description, tag_status, prefixes, patterns, count_type, count_number, count_unit, ..
        } = &self.words;
        let described = description
            .as_ref()
            .filter(|text| !text.is_empty())
            .map_or_else(String::new, |text| format!(" \"{text}\""));
        let list = |what: [&str; 2], all: &[String]| match all {
            [] => None,
            [one] => Some(format!("{} {one}", what[0])),
            all => Some(format!("{} {}", what[1], all.join(" and "))),
        };
        let number = count_number.map(|number| number.to_string());
        let unit = count_unit
            .as_deref()
            .map(|unit| if *count_number == Some(1) { unit.trim_end_matches(['s', 'S']) } else { unit });
        let counted: Vec<&str> =
            [count_type.as_deref(), number.as_deref(), unit].into_iter().flatten().collect();
        let parts = [
            tag_status.clone(),
            list(["prefix", "prefixes"], prefixes),
            list(["pattern", "patterns"], patterns),
            Some(counted.join(" ")),
        ];
        let selection: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        format!("lifecycle rule {}{described} ({})", self.priority, selection.join(", "))
    }

    /// Whether both rules select alike, compared by what both wordings state; priorities may differ.
    pub fn is_same_as(&self, other: &Self) -> bool {
        // The wording that events use for rules about pulled and archived images is not known, so these
        // compare as equal.
        let count = |rule: &Self| match rule.count {
            Count::MoreThan(number) => (true, i64::try_from(number).unwrap_or(i64::MAX)),
            Count::Since(_, days) => (false, days),
            Count::Unknown => (false, rule.words.count_number.unwrap_or(i64::MIN)),
        };
        (self.priority, self.action, &self.tags, count(self))
            == (other.priority, other.action, &other.tags, count(other))
    }
}

impl Clock {
    fn start(self, seen: &Seen<'_>) -> Option<i64> {
        let pushed = seen.pushed_at.unwrap_or(seen.there_at);
        match self {
            Self::Pushed => Some(pushed),
            Self::Pulled => {
                let pulled = seen
                    .pulled_at
                    .filter(|pulled| seen.restored_at.is_none_or(|restored| restored <= *pulled));
                Some(pulled.or(seen.restored_at).unwrap_or(pushed))
            }
            Self::Transitioned => seen.archived_at,
        }
    }
}
