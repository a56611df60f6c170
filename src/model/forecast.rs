//! What lifecycle policies will take, and what another one would have taken.

use serde::Serialize;

use super::timeline::words;
use super::{Deleted, Digest, EventRef, ImageState, LogText, Reason, Repository, Severity, Timestamp, Usage};

/// What the policy in force has in store for one living image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    pub repository: Repository,
    pub digest: Digest,
    pub tags: Vec<LogText>,
    pub state: ImageState,
    pub pushed_at: Option<Timestamp>,
    pub untagged_at: Option<Timestamp>,
    /// First seen in an event other than its push: it may have tags that the logs do not tell.
    pub open_start: bool,
    /// It lost its last tag to another push, and has none since.
    pub displaced: bool,
    /// The push that took the tag.
    pub displaced_by: Option<EventRef>,
    pub displaced_tag: Option<LogText>,
    pub outlook: Outlook,
    /// The rule that the image belongs to: no other can take it.
    pub rule_priority: Option<i64>,
    pub rule: Option<serde_json::Value>,
    pub action: Option<LifecycleAction>,
    /// The first moment from which a run takes it, as things stand.
    pub eligible_at: Option<Timestamp>,
    /// The same if a pull counted whose caller is not clear: ECR does not count Amazon Inspector's.
    pub eligible_at_latest: Option<Timestamp>,
    /// A run comes within 24 hours.
    pub expected_by: Option<Timestamp>,
    /// It was old enough when it lost its last tag: the very next run takes it.
    pub no_grace: bool,
    /// For a count rule: how many more images that it counts this one survives.
    pub survives_pushes: Option<u64>,
    /// A reference artifact goes within a day of this image, whose rule and time these are.
    pub goes_with: Option<Digest>,
    /// Indexes that are there and list it: it does not go before them.
    pub held_by: Vec<Digest>,
    pub usage: Usage,
    /// Somebody still needs it.
    pub needed: bool,
    /// How badly, on the scale of findings.
    pub severity: Option<Severity>,
    /// Services and the like that are deployed with it.
    pub needed_by: Vec<LogText>,
    /// Why it is thought to be needed, a sentence each.
    pub why: Vec<String>,
    pub policy_event: Option<EventRef>,
    pub summary: String,
    /// Every event that this rests on, in order of time.
    pub evidence: Vec<EventRef>,
}

/// The policy of one repository, as far as the logs tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownPolicy {
    pub repository: Repository,
    /// Images that are there.
    pub images: u64,
    pub known: bool,
    /// Where it is known from: `PutLifecyclePolicy`, or a run that states it.
    pub event: Option<EventRef>,
    pub since: Option<Timestamp>,
    pub rules: Vec<serde_json::Value>,
    /// What is not known about it, a sentence.
    pub unknown: Option<String>,
}

/// What became of one image under a policy, beside what the logs say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatIf {
    pub repository: Repository,
    pub digest: Digest,
    /// Tags it had then.
    pub tags: Vec<LogText>,
    pub pushed_at: Option<Timestamp>,
    pub untagged_at: Option<Timestamp>,
    pub displaced: bool,
    pub outcome: Outcome,
    /// When the policy would have taken it; none where it would have kept it.
    pub would_go_at: Option<Timestamp>,
    /// The run that would have: one of the logs, or one that is made up where the logs have none.
    pub run: Option<RunKind>,
    pub run_event: Option<EventRef>,
    pub rule_priority: Option<i64>,
    pub rule: Option<serde_json::Value>,
    pub action: Option<LifecycleAction>,
    /// When a lifecycle run really took it.
    pub went_at: Option<Timestamp>,
    pub logged: Option<Deleted>,
    pub usage: Usage,
    /// Pulled after it would have been gone.
    pub pulled_after: bool,
    /// Somebody needed it then, or later.
    pub needed: bool,
    pub severity: Option<Severity>,
    /// Services and the like that were deployed with it.
    pub pinned_by: Vec<LogText>,
    pub explanation: String,
    /// Why the logged run took this very image, where somebody needed it.
    pub reasons: Vec<Reason>,
    pub summary: String,
    pub evidence: Vec<EventRef>,
}

/// How many of each kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WhatIfTotals {
    pub runs_logged: u64,
    pub runs_modelled: u64,
    pub agrees: u64,
    pub other_rule: u64,
    pub other_run: u64,
    pub predicted_only: u64,
    pub logged_only: u64,
    /// Images that the policy takes and somebody needs.
    pub needed: u64,
}

impl WhatIfTotals {
    /// Images that the policy takes.
    pub const fn gone(&self) -> u64 {
        self.agrees + self.other_rule + self.other_run + self.predicted_only
    }
}

words! {
    /// What is to be expected for an image.
    Outlook {
        /// The next run takes it.
        Due = "due",
        /// It goes at a time that is known.
        Dated = "dated",
        /// It goes once enough others have come.
        Counted = "counted",
        /// An index keeps it that stays itself.
        Held = "held",
        /// No rule can take it as it is.
        Safe = "safe",
        /// The logs tell neither that it goes nor that it stays.
        Unknown = "unknown",
    }
}

words! {
    LifecycleAction {
        Expire = "expire",
        Transition = "transition",
        /// A word that no policy has had so far.
        Unknown = "unknown",
    }
}

words! {
    RunKind {
        Logged = "logged",
        Modelled = "modelled",
    }
}

words! {
    /// What a policy says about an image, against what the logs say.
    Outcome {
        /// Taken in the same run.
        Agrees = "agrees",
        /// Taken in the same run, and by another rule.
        OtherRule = "other_rule",
        /// Taken in another run.
        OtherRun = "other_run",
        /// Taken by the policy, and by no run of the logs.
        PredictedOnly = "predicted_only",
        /// Taken by a run of the logs, and kept by the policy.
        LoggedOnly = "logged_only",
    }
}
