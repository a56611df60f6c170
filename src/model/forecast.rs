//! What lifecycle policies will take, and what another policy would have taken.

use serde::Serialize;

use super::timeline::words;
use super::{Deleted, Digest, EventRef, ImageState, LogText, Reason, Repository, Severity, Timestamp, Usage};

/// What the policy in force will do with one existing image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    pub repository: Repository,
    pub digest: Digest,
    pub tags: Vec<LogText>,
    pub state: ImageState,
    pub pushed_at: Option<Timestamp>,
    pub untagged_at: Option<Timestamp>,
    /// First seen in an event other than its push: it may have tags that are not in the logs.
    pub open_start: bool,
    /// It lost its last tag to another push, and has none since.
    pub displaced: bool,
    /// The push that took the tag.
    pub displaced_by: Option<EventRef>,
    pub displaced_tag: Option<LogText>,
    pub outlook: Outlook,
    /// The rule that the image belongs to: no other rule can take it.
    pub rule_priority: Option<i64>,
    pub rule: Option<serde_json::Value>,
    pub action: Option<LifecycleAction>,
    /// The first moment at which a run may take it, as things are now.
    pub eligible_at: Option<Timestamp>,
    /// The same if ECR recorded a pull by an unclear caller: it does not record those of Amazon Inspector.
    pub eligible_at_latest: Option<Timestamp>,
    /// When a run will have come: within 24 hours of being eligible.
    pub expected_by: Option<Timestamp>,
    /// It was old enough when it lost its last tag: the very next run takes it.
    pub no_grace: bool,
    /// For a count rule: how many more images may be counted before it takes this one.
    pub survives_pushes: Option<u64>,
    /// For a reference artifact: it is deleted within a day after this image, whose rule and time are
    /// given.
    pub goes_with: Option<Digest>,
    /// Existing indexes that list it: it is not taken before them.
    pub held_by: Vec<Digest>,
    pub usage: Usage,
    /// Somebody still needs it.
    pub needed: bool,
    /// How badly its loss would affect somebody, on the scale of findings.
    pub severity: Option<Severity>,
    /// Services and the like that are deployed with it.
    pub needed_by: Vec<LogText>,
    /// Why it seems to be needed, one sentence each.
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
    /// Number of existing images.
    pub images: u64,
    pub known: bool,
    /// The event that the policy is known from: `PutLifecyclePolicy`, or a run that states it.
    pub event: Option<EventRef>,
    pub since: Option<Timestamp>,
    pub rules: Vec<serde_json::Value>,
    /// What is not known about it, as a sentence.
    pub unknown: Option<String>,
}

/// What would have become of one image under another policy, beside what the logs say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatIf {
    pub repository: Repository,
    pub digest: Digest,
    /// Tags that it had then.
    pub tags: Vec<LogText>,
    pub pushed_at: Option<Timestamp>,
    pub untagged_at: Option<Timestamp>,
    pub displaced: bool,
    pub outcome: Outcome,
    /// When the policy would have taken it; `None` if the policy would have kept it.
    pub would_go_at: Option<Timestamp>,
    /// The run that would have taken it: one in the logs, or a simulated one where the logs have none.
    pub run: Option<RunKind>,
    pub run_event: Option<EventRef>,
    pub rule_priority: Option<i64>,
    pub rule: Option<serde_json::Value>,
    pub action: Option<LifecycleAction>,
    /// When a lifecycle run really took it.
    pub went_at: Option<Timestamp>,
    pub logged: Option<Deleted>,
    pub usage: Usage,
    /// It was pulled after it would have been gone.
    pub pulled_after: bool,
    /// Somebody needed it then or later.
    pub needed: bool,
    pub severity: Option<Severity>,
    /// Services and the like that were deployed with it.
    pub pinned_by: Vec<LogText>,
    pub explanation: String,
    /// Why the logged run took this image, if somebody needed it.
    pub reasons: Vec<Reason>,
    pub summary: String,
    pub evidence: Vec<EventRef>,
}

/// Totals by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WhatIfTotals {
    pub runs_logged: u64,
    pub runs_modelled: u64,
    pub agrees: u64,
    pub other_rule: u64,
    pub other_run: u64,
    pub predicted_only: u64,
    pub logged_only: u64,
    /// Images that the policy takes although somebody needs them.
    pub needed: u64,
}

impl WhatIfTotals {
    /// Images that the policy takes.
    pub const fn gone(&self) -> u64 {
        self.agrees + self.other_rule + self.other_run + self.predicted_only
    }
}

words! {
    /// What will become of an image.
    Outlook {
        /// The next run takes it.
        Due = "due",
        /// It will be taken at a known time.
        Dated = "dated",
        /// It will be taken once enough other images have come.
        Counted = "counted",
        /// An index that stays itself keeps it.
        Held = "held",
        /// No rule can take it in its present state.
        Safe = "safe",
        /// The logs tell neither that it will be taken nor that it will stay.
        Unknown = "unknown",
    }
}

words! {
    LifecycleAction {
        Expire = "expire",
        Transition = "transition",
        /// A word that this program does not know.
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
    /// What a policy does with an image, compared with the logs.
    Outcome {
        /// Taken in the same run.
        Agrees = "agrees",
        /// Taken in the same run, and by another rule.
        OtherRule = "other_rule",
        /// Taken in a different run.
        OtherRun = "other_run",
        /// Taken by the policy, but by no run in the logs.
        PredictedOnly = "predicted_only",
        /// Taken by a run in the logs, but kept by the policy.
        LoggedOnly = "logged_only",
    }
}
