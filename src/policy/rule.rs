//! One rule, and what it wants to know of an image.

use serde_json::Value;

use super::pattern;
use crate::model::StorageClass;

pub const DAY_MILLIS: i64 = 86_400_000;

/// Whether a pull is recorded: at most once a day (ECR User Guide). Times are milliseconds; `last` was recorded before.
pub fn records_pull(last: Option<i64>, pull: i64) -> bool {
    last.is_none_or(|last| pull.saturating_sub(last) >= DAY_MILLIS)
}

/// One rule of a policy.
#[derive(Debug, Clone)]
pub struct Rule {
    pub priority: i64,
    pub tags: Tags,
    /// The class of the images that it selects.
    pub class: StorageClass,
    pub count: Count,
    pub action: Action,
    /// The rule as it stands in the policy, or in the event of a run.
    pub text: Value,
}

/// What a rule requires of an image's tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    Untagged,
    Any,
    /// All prefixes and all patterns have to fit, each some tag of the image. With neither, any tag will do.
    Tagged {
        prefixes: Vec<String>,
        patterns: Vec<String>,
    },
    /// A word that no policy has had so far: no image is known to meet it.
    Unknown,
}

/// What a rule selects among the images that meet its requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// All but the newest so many, by the time of their push.
    MoreThan(u64),
    /// Those for which more than so many days have passed.
    Since(Clock, i64),
    /// A word that no policy has had so far: what it selects is not known.
    Unknown,
}

/// Since what a rule counts its days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    Pushed,
    /// The last recorded pull; of an image that was not pulled since it was restored, the restore; of one never pulled, the push.
    Pulled,
    /// Since it was archived.
    Transitioned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Expire,
    /// To the archive, from which it can be restored.
    Transition,
    Unknown,
}

/// An image as a rule sees it. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'t> {
    pub tags: &'t [&'t str],
    pub class: StorageClass,
    /// `None` where the push lies before the logs: such an image counts as older than all others.
    pub pushed_at: Option<i64>,
    /// By then it was there: its age counts from here where its push is not known.
    pub there_at: i64,
    /// When its last pull was recorded.
    pub pulled_at: Option<i64>,
    /// When it last came out of the archive.
    pub restored_at: Option<i64>,
    pub archived_at: Option<i64>,
    /// An index that is there lists it.
    pub held: bool,
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

    /// Whether one tag alone has a part in meeting the requirement.
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
    /// When an age rule has waited long enough; `None` for the others, and where its clock has not begun.
    pub fn ripe_at(&self, seen: &Seen<'_>) -> Option<i64> {
        let Count::Since(clock, days) = self.count else { return None };
        Some(clock.start(seen)?.saturating_add(days.saturating_mul(DAY_MILLIS)))
    }

    /// "lifecycle rule 1 (untagged, sinceImagePushed 7 days)", in the words in which the rule stands there.
    pub fn in_words(&self) -> String {
        let selection = if self.text["selection"].is_object() { &self.text["selection"] } else { &self.text };
        let word = |names: [&str; 2]| names.iter().find_map(|name| selection[*name].as_str()).unwrap_or_default();
        let status = word(["tagStatus", "tag_status"]);
        let count = ["countNumber", "count_number"].iter().find_map(|name| selection[*name].as_i64()).unwrap_or_default();
        let counted = format!("{} {count} {}", word(["countType", "count_type"]), word(["countUnit", "count_unit"]));
        format!("lifecycle rule {} ({status}, {})", self.priority, counted.trim_end())
    }

    /// The part of a rule that both wordings have in common.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        // How events word the rules for pulled and archived images is not known.
        let count = |rule: &Self| match rule.count {
            Count::MoreThan(number) => (true, i64::try_from(number).unwrap_or(i64::MAX)),
            Count::Since(_, days) => (false, days),
            Count::Unknown => (false, rule.number().unwrap_or(i64::MIN)),
        };
        (self.priority, self.action, &self.tags, count(self)) == (other.priority, other.action, &other.tags, count(other))
    }

    /// A number that stands in the rule, whatever it counts.
    fn number(&self) -> Option<i64> {
        self.text["count_number"].as_i64().or_else(|| self.text["selection"]["countNumber"].as_i64())
    }
}

impl Clock {
    fn start(self, seen: &Seen<'_>) -> Option<i64> {
        let pushed = seen.pushed_at.unwrap_or(seen.there_at);
        match self {
            Self::Pushed => Some(pushed),
            Self::Pulled => {
                let pulled = seen.pulled_at.filter(|pulled| seen.restored_at.is_none_or(|restored| restored <= *pulled));
                Some(pulled.or(seen.restored_at).unwrap_or(pushed))
            }
            Self::Transitioned => seen.archived_at,
        }
    }
}
