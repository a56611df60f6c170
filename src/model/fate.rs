//! One digest in every registry that has, had or should have it.

use serde::Serialize;

use super::timeline::words;
use super::{
    Digest, EventRef, ImageState, LifecycleAction, LogText, Outlook, Repository, Severity, Timestamp,
};

/// What became of a digest everywhere, and what will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fate {
    /// As it was asked for.
    pub reference: LogText,
    pub digest: Digest,
    /// The end of the evidence: from then on nothing is pushed, moved or deleted.
    pub as_of: Timestamp,
    /// How many places have it, in their archives too.
    pub copies: u64,
    /// The one that has it, where no other does.
    pub last_copy: Option<Repository>,
    /// When the last copy is expired by the policies in force; `None` if one is kept, or a policy is not
    /// known.
    pub all_gone_by: Option<Timestamp>,
    /// The places of the image; sources come before their copies.
    pub places: Vec<FatePlace>,
    /// What the evidence does not tell.
    pub unknown: Vec<String>,
    pub advice: Vec<String>,
}

/// One repository, and the digest in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FatePlace {
    pub repository: Repository,
    pub role: FateRole,
    /// Whether a log shows how it came there, or only a rule says how it must have come.
    pub role_logged: bool,
    /// The repository that it is a copy of, where the evidence names that.
    pub copy_of: Option<Repository>,
    /// The upstream of a pull-through cache: host and repository name.
    pub upstream: Option<LogText>,
    /// The question names this place.
    pub asked: bool,
    pub presence: Presence,
    pub state: ImageState,
    /// Tags now, or when it went.
    pub tags: Vec<LogText>,
    pub pushed_at: Option<Timestamp>,
    pub untagged_at: Option<Timestamp>,
    /// The push that brought it.
    pub arrival: Option<EventRef>,
    /// Replication brought it without the tag that it has at its source.
    pub born_untagged: Option<BornUntagged>,
    /// How it ended there, or went into the archive.
    pub end: Option<FateEnd>,
    /// What the policy of this place has in store for it.
    pub next: Option<FateNext>,
    /// Sources whose deletions reach it, with what takes it there.
    pub goes_with: Vec<GoesWith>,
    /// Places that lose it when it is deleted or expires here.
    pub takes: Vec<Repository>,
    /// The first of its possible ends, as far as is known now.
    pub first_end: Option<FirstEnd>,
    /// Somebody needs this copy.
    pub needed: bool,
    pub severity: Option<Severity>,
    pub needed_by: Vec<LogText>,
    pub why: Vec<String>,
    /// The same as sentences.
    pub story: Vec<String>,
    pub evidence: Vec<EventRef>,
}

/// A replica without its tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BornUntagged {
    /// The tag that it has at its source; `None` where the evidence does not tell which.
    pub tag: Option<LogText>,
    /// The image that had the tag here.
    pub taken_by: Option<Digest>,
    /// What set that tags cannot be moved here.
    pub set_by: Option<EventRef>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FateEnd {
    pub at: Timestamp,
    pub how: FateEndKind,
    /// The event that removed it; if the end was concluded, the event that it was concluded from.
    pub event: EventRef,
    pub rule_priority: Option<i64>,
    pub rule: Option<serde_json::Value>,
    /// The repository with whose image it went.
    pub with: Option<Repository>,
}

/// The rule of a place's own policy that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FateNext {
    pub outlook: Outlook,
    pub action: Option<LifecycleAction>,
    pub rule_priority: Option<i64>,
    pub rule: Option<serde_json::Value>,
    pub eligible_at: Option<Timestamp>,
    pub expected_by: Option<Timestamp>,
    pub survives_pushes: Option<u64>,
    /// The event that shows the policy; `None` if there is none.
    pub policy_event: Option<EventRef>,
}

/// A source whose deletions reach a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GoesWith {
    pub repository: Repository,
    /// What set it up.
    pub set_by: EventRef,
    /// When a rule expires it there; `None` if only a call can remove it.
    pub eligible_at: Option<Timestamp>,
    pub expected_by: Option<Timestamp>,
    pub rule_priority: Option<i64>,
    pub rule: Option<serde_json::Value>,
}

/// What takes an image first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirstEnd {
    pub eligible_at: Timestamp,
    pub expected_by: Timestamp,
    /// The repository whose policy does it: this one, or a source.
    pub by: Repository,
}

words! {
    /// The role of a place for an image. Declared from origin to destinations.
    FateRole {
        /// It was pushed there, and is copied from there.
        Source = "source",
        /// It was pushed there, and nothing copies it.
        Own = "own",
        /// Replication brings it.
        Replica = "replica",
        /// A pull through it brings it.
        Cache = "cache",
        /// The evidence does not tell how it came there.
        Unknown = "unknown",
    }
}

words! {
    /// Whether a place has the image.
    Presence {
        There = "there",
        /// In the archive: it cannot be pulled, and can be restored.
        Archived = "archived",
        /// It was there, and is not.
        Gone = "gone",
        /// It should have been replicated there, but nothing shows that it was.
        Absent = "absent",
        /// The evidence does not tell.
        Unknown = "unknown",
    }
}

impl Presence {
    /// Whether the image could be pulled there, if necessary after a restore.
    pub const fn has_it(self) -> bool {
        matches!(self, Self::There | Self::Archived)
    }
}

words! {
    /// How an image ended.
    FateEndKind {
        Expired = "expired",
        Archived = "archived",
        DeletedByDigest = "deleted-by-digest",
        DeletedByLastTag = "deleted-by-last-tag",
        RepositoryDeleted = "repository-deleted",
        NotListed = "not-listed",
        /// Concluded: its source went, and deletions reach it.
        ReplicatedDeletion = "replicated-deletion",
        /// Concluded: the image that it is about went.
        SubjectGone = "subject-gone",
    }
}
