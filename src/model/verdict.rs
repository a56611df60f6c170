//! The answer to "why is this image not found?".

use serde::Serialize;

use super::timeline::words;
use super::{Digest, EventRef, LogText, Reason, Repository, Timestamp};

/// The answer of `explain` about one reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The reference, as understood from what the user pasted.
    pub reference: LogText,
    pub repository: Option<Repository>,
    pub exists: Exists,
    /// The moment that the answer is about.
    pub moment: Moment,
    /// The cause that the evidence supports.
    pub cause: Cause,
    pub gone: Option<Gone>,
    /// Id of the finding about the same loss.
    pub why: Option<String>,
    /// Three steps: does the image exist, when and how was it lost, why was it eligible.
    pub narrative: Vec<Sentence>,
    /// Why the rule took this image and not another, if a rule took it.
    pub reasons: Vec<Reason>,
    /// The other causes, each with the evidence against it.
    pub not_this: Vec<Sentence>,
    /// What needed it after it was lost, or needs it now.
    pub used_by: Vec<Sentence>,
    /// Who was behind the pushes and the deletion.
    pub behind: Vec<Sentence>,
    /// What the logs cannot show.
    pub unknown: Vec<String>,
    pub advice: Vec<String>,
}

/// The moment of an answer: when a pull failed, or the end of the logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// `None` for the end of logs without any event.
    pub at: Option<Timestamp>,
    pub basis: Basis,
    /// The pull that failed then, or the task that stopped.
    pub event: Option<EventRef>,
    /// What existed at that moment; `None` if the logs cannot tell, or if the question does not name it.
    pub tag_existed: Option<bool>,
    pub digest_existed: Option<bool>,
}

/// What exists at the end of the logs. `None`: the logs cannot tell.
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
    /// When it came back, if it did.
    pub back_at: Option<Timestamp>,
}

words! {
    /// How the moment of an answer was chosen.
    #[derive(Default)]
    Basis {
        /// `--at` asked for it.
        Asked = "asked",
        /// The last pull in the logs that failed, or the last task that stopped because the image was
        /// missing.
        FailedPull = "failed_pull",
        /// The end of the logs: no pull of the image failed, or the question is not about one.
        #[default]
        End = "end",
    }
}

/// A sentence, and the events that it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sentence {
    pub text: String,
    pub evidence: Vec<EventRef>,
}

words! {
    /// Why a pull of an image fails.
    Cause {
        TagMovedThenExpired = "tag-moved-then-expired",
        ExpiredWhileTagged = "expired-while-tagged",
        /// Taken by a rule for untagged images: it never had a tag, or how it lost its tag is not in the
        /// logs.
        ExpiredUntagged = "expired-untagged",
        ExpiredByOtherTag = "expired-by-other-tag",
        DeletedByDigest = "deleted-by-digest",
        DeletedByLastTag = "deleted-by-last-tag",
        RepositoryDeleted = "repository-deleted",
        Archived = "archived",
        /// A snapshot's list of the whole repository does not have it, and no log says what took it.
        NotListed = "not-listed",
        NeverPushedHere = "never-pushed-here",
        ReplicaMissing = "replica-missing",
        /// A copy was deleted with its source, because the replication rule replicates deletions.
        ReplicatedDeletion = "replicated-deletion",
        /// A reference artifact was deleted with the image that it is about.
        SubjectGone = "subject-gone",
        PullThroughCacheExpired = "pull-through-cache-expired",
        IndexOrChildGone = "index-or-child-gone",
        AccessTaken = "access-taken",
        TagMovedStillThere = "tag-moved-still-there",
        /// A call removed the tag; the image itself may still exist.
        TagRemoved = "tag-removed",
        /// An image that the index lists was pushed under the index's tag.
        IndexLostToItsChild = "index-lost-to-its-child",
        /// It was asked for, and pushed or replicated only afterwards.
        AskedBeforePushed = "asked-before-pushed",
        /// It exists, as far as the logs show.
        StillThere = "still-there",
        Unknown = "unknown",
    }
}

impl Cause {
    /// What the cause means, in one line for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::TagMovedThenExpired => "its tag moved to another image, and then a lifecycle rule took it",
            Self::ExpiredWhileTagged => "a lifecycle rule took it while it had this tag",
            Self::ExpiredUntagged => {
                "a lifecycle rule took it while it had no tag, and no push took that from it"
            }
            Self::ExpiredByOtherTag => "a lifecycle rule matched another of its tags and took it",
            Self::DeletedByDigest => "someone deleted it by its digest",
            Self::DeletedByLastTag => "someone deleted its last tag, and the image went with it",
            Self::RepositoryDeleted => "its repository was deleted",
            Self::Archived => "it is archived: it cannot be pulled, and can be restored",
            Self::NotListed => {
                "a list of its repository does not have it any more, and no log says what took it"
            }
            Self::NeverPushedHere => {
                "no push of it is in these logs: other account, other region, or every push failed"
            }
            Self::ReplicaMissing => "the replica went by its own policy, or has not arrived",
            Self::PullThroughCacheExpired => "the pull-through cache's copy expired",
            Self::ReplicatedDeletion => {
                "the copy most likely went with its source: the replication rule replicates deletions"
            }
            Self::SubjectGone => "a reference artifact: it most likely went with the image that it is about",
            Self::IndexOrChildGone => "the index, or an image that it lists, is gone",
            Self::AccessTaken => "it is there, and access to it was taken away",
            Self::TagMovedStillThere => "its tag moved to another image; the digest is still there",
            Self::TagRemoved => "a call took the tag off; the image may still be there",
            Self::IndexLostToItsChild => {
                "the tag points to one image of its index: one platform works, and no other"
            }
            Self::AskedBeforePushed => "it was asked for before it was there, and came afterwards",
            Self::StillThere => "as far as the logs go it is there",
            Self::Unknown => "the logs cannot tell",
        }
    }
}
