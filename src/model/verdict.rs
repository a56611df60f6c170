//! The answer to "why is this image not found?".

use serde::Serialize;

use super::timeline::words;
use super::{Digest, EventRef, LogText, Reason, Repository, Timestamp};

/// What `explain` found out about one reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The reference as understood from what the user pasted.
    pub reference: LogText,
    pub repository: Option<Repository>,
    pub exists: Exists,
    /// The one cause that the evidence supports.
    pub cause: Cause,
    pub gone: Option<Gone>,
    /// Id of the finding that tells the same story.
    pub why: Option<String>,
    /// Three steps: does it exist, when and by what did it go, why was it eligible.
    pub narrative: Vec<Sentence>,
    /// Why the rule took this very image, where one did.
    pub reasons: Vec<Reason>,
    /// The other causes, and the evidence against each.
    pub not_this: Vec<Sentence>,
    /// Who needed it after it was gone, or needs it now.
    pub used_by: Vec<Sentence>,
    /// What the logs could not show.
    pub unknown: Vec<String>,
    pub advice: Vec<String>,
}

/// At the end of the logs. `None`: the logs cannot tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Exists {
    pub tag_exists: Option<bool>,
    pub digest_exists: Option<bool>,
    /// Where the tag points now.
    pub tag_points_to: Option<Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gone {
    pub at: Timestamp,
    pub by: Cause,
    pub event: EventRef,
}

/// A statement and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sentence {
    pub text: String,
    pub evidence: Vec<EventRef>,
}

words! {
    /// Why a pull of an image fails: the fourteen causes of "Telling causes apart".
    Cause {
        TagMovedThenExpired = "tag-moved-then-expired",
        ExpiredWhileTagged = "expired-while-tagged",
        /// Taken by an untagged rule; how it came to be untagged is not in the logs.
        ExpiredUntagged = "expired-untagged",
        ExpiredByOtherTag = "expired-by-other-tag",
        DeletedByDigest = "deleted-by-digest",
        DeletedByLastTag = "deleted-by-last-tag",
        RepositoryDeleted = "repository-deleted",
        Archived = "archived",
        NeverPushedHere = "never-pushed-here",
        ReplicaMissing = "replica-missing",
        /// A copy went with its source: the replication rule replicates deletions.
        ReplicatedDeletion = "replicated-deletion",
        /// A reference artifact went with the image that it is about.
        SubjectGone = "subject-gone",
        PullThroughCacheExpired = "pull-through-cache-expired",
        IndexOrChildGone = "index-or-child-gone",
        AccessTaken = "access-taken",
        TagMovedStillThere = "tag-moved-still-there",
        /// Nothing is wrong with it as far as the logs go.
        StillThere = "still-there",
        Unknown = "unknown",
    }
}
