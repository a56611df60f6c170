//! What went wrong, who did it, and who was affected.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::timeline::words;
use super::{Digest, EventRef, LogText, Order, Reason, Repository, Timestamp};

/// One image or tag that was lost, is about to be lost, or is needed in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable: the same incident has the same id in every run over evidence that contains it.
    pub id: String,
    pub kind: FindingKind,
    pub severity: Severity,
    pub repository: Repository,
    /// The tag that it lost last. If several tags were lost together, the one that somebody asked for or
    /// deployed, else the first.
    pub tag: Option<LogText>,
    /// The tags for the title: that tag, or all that were lost together if nobody asked for one of them.
    pub tags: Vec<LogText>,
    pub lost: LostImage,
    pub kept: KeptImage,
    /// The last event that gave the lost image the tag that it lost last; `None` if that was before the
    /// logs.
    pub first_push: Option<EventRef>,
    /// The event that displaced it; for kinds without a displacement, the event that took it; for
    /// `unexplained`, the first failure. Written as `event`, and also as `second_push` if it is one.
    pub second_push: EventRef,
    /// Seconds from `first_push` to `second_push`.
    pub gap_seconds: Option<i64>,
    pub order: Order,
    pub deletion: Option<Deleted>,
    /// Why the rule took this image and not another.
    pub reasons: Vec<Reason>,
    /// Seconds from losing its last tag to being gone.
    pub exposure_seconds: Option<i64>,
    pub usage: Usage,
    pub summary: String,
    pub advice: Vec<String>,
    /// Every event that the finding rests on, in order of time.
    pub evidence: Vec<EventRef>,
}

/// `second_push` and `gap_seconds` are written only where the event is a push; the event itself always is.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let second_push = self.second_push();
        let mut written = serializer.serialize_struct("Finding", 20)?;
        written.serialize_field("id", &self.id)?;
        written.serialize_field("kind", &self.kind)?;
        written.serialize_field("severity", &self.severity)?;
        written.serialize_field("repository", &self.repository)?;
        written.serialize_field("tag", &self.tag)?;
        written.serialize_field("tags", &self.tags)?;
        written.serialize_field("lost", &self.lost)?;
        written.serialize_field("kept", &self.kept)?;
        written.serialize_field("first_push", &self.first_push)?;
        written.serialize_field("second_push", &second_push)?;
        written.serialize_field("event", &self.second_push)?;
        written.serialize_field("gap_seconds", &second_push.and(self.gap_seconds))?;
        written.serialize_field("order", &self.order)?;
        written.serialize_field("deletion", &self.deletion)?;
        written.serialize_field("reasons", &self.reasons)?;
        written.serialize_field("exposure_seconds", &self.exposure_seconds)?;
        written.serialize_field("usage", &self.usage)?;
        written.serialize_field("summary", &self.summary)?;
        written.serialize_field("advice", &self.advice)?;
        written.serialize_field("evidence", &self.evidence)?;
        written.end()
    }
}

impl Finding {
    /// The push that took the tag, for kinds of findings that have one.
    pub fn second_push(&self) -> Option<&EventRef> {
        self.kind.is_move().then_some(&self.second_push)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostImage {
    /// `None` if only a tag is known.
    pub digest: Option<Digest>,
    pub pushed_at: Option<Timestamp>,
    pub untagged_at: Option<Timestamp>,
    pub gone_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptImage {
    /// The digest that has the tag instead. `None` if no image took it; also if the lost image's own push
    /// is not in the logs and several pushes of one second, in unknown order, may have taken it.
    pub digest: Option<Digest>,
}

/// The event that took the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deleted {
    pub event: EventRef,
    pub rule_priority: Option<i64>,
    /// The lifecycle rule as the event states it.
    pub rule: Option<serde_json::Value>,
    pub tag_status: Option<LogText>,
    pub tag_list: Vec<LogText>,
}

/// Who used the image, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Pulls while it existed and had a tag.
    pub pulls_before: u64,
    /// Pulls between losing its last tag and being gone.
    pub pulls_while_untagged: u64,
    /// Pulls after it was gone, all of which failed. A pull in the same second as its end counts as before,
    /// as nothing tells which came first.
    pub pulls_after_gone: u64,
    pub last_pull: Option<EventRef>,
    /// Pulls by scanners, and by principals whose pulls ECR does not record. They show no need, and are in
    /// none of the counts above.
    pub scanner_pulls: u64,
    /// ARNs of the callers that pulled, sorted.
    pub principals: Vec<LogText>,
    /// Task definitions, services and functions that refer to it, sorted.
    pub references: Vec<LogText>,
}

impl Usage {
    /// Adds a caller that pulled; the list stays sorted and without duplicates.
    pub fn add_principal(&mut self, principal: Option<LogText>) {
        if let Some(principal) = principal
            && let Err(place) = self.principals.binary_search(&principal)
        {
            self.principals.insert(place, principal);
        }
    }
}

words! {
    FindingKind {
        SameTagRace = "same-tag-race",
        SameTagOverwrite = "same-tag-overwrite",
        DisplacedAlive = "displaced-alive",
        ExpiredWhileTagged = "expired-while-tagged",
        DeletedByCall = "deleted-by-call",
        RepositoryDeleted = "repository-deleted",
        Archived = "archived",
        /// A rule took an image that never had a tag in this repository, and somebody needed it.
        ExpiredUntagged = "expired-untagged",
        /// An index exists, but an image that it lists is gone.
        ChildLost = "child-lost",
        /// A replica is gone because its source was deleted or expired under delete replication.
        ReplicatedDeletion = "replicated-deletion",
        /// Somebody asked for a tag that a call had removed; the image may still exist.
        TagRemoved = "tag-removed",
        /// A tag moved to an older image, or back and forth between two pushers, and somebody pulled in
        /// between.
        TagMovedBack = "tag-moved-back",
        /// A snapshot's list of the repository does not have an image that somebody needs, and no log says
        /// what took it.
        NotListed = "not-listed",
        /// A stop reason or a failed call names an image, and nothing in the evidence says why.
        Unexplained = "unexplained",
        /// Something failed because an image or tag was missing that was pushed only afterwards.
        AskedBeforePushed = "asked-before-pushed",
        /// Something failed because an image or tag was missing whose push ECR had refused.
        NeverPushedHere = "never-pushed-here",
        /// A tag points to one image of its index, the index still exists, and something failed because it
        /// needed another platform.
        IndexLostToItsChild = "index-lost-to-its-child",
        /// The image exists, but somebody could not pull it: because the KMS key of its repository was
        /// unusable, or because permissions were changed, in the repository's policy, a role, or the key's
        /// policy and grants.
        AccessTaken = "access-taken",
    }
}

impl FindingKind {
    /// Whether findings of this kind say that an image is gone.
    pub const fn is_a_loss(self) -> bool {
        !matches!(
            self,
            Self::AccessTaken
                | Self::DisplacedAlive
                | Self::TagMovedBack
                | Self::TagRemoved
                | Self::Unexplained
                | Self::AskedBeforePushed
                | Self::NeverPushedHere
                | Self::IndexLostToItsChild
        )
    }

    /// Whether findings of this kind are about failures alone, without an event that took something.
    pub const fn is_a_failure(self) -> bool {
        matches!(self, Self::Unexplained | Self::AskedBeforePushed | Self::NeverPushedHere)
    }

    /// Whether findings of this kind are about two pushes of one tag.
    pub const fn is_move(self) -> bool {
        matches!(
            self,
            Self::SameTagRace
                | Self::SameTagOverwrite
                | Self::DisplacedAlive
                | Self::TagMovedBack
                | Self::IndexLostToItsChild
        )
    }

    /// What happened, in one line for people; the table in `docs/REFERENCE.md` is made of these.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::SameTagRace => {
                "two pushes of one tag within `--race-window` (10 minutes), and a lifecycle run that took the \
                 image which lost the tag"
            }
            Self::SameTagOverwrite => {
                "the same, further apart; or one push that gave an index's tag to one of its own images"
            }
            Self::DisplacedAlive => {
                "an image that lost its last tag to another push and is still there: the lifecycle policy in \
                 force will take it"
            }
            Self::ExpiredWhileTagged => {
                "a count or age rule took an image that had a tag, and somebody needed it"
            }
            Self::DeletedByCall => "`BatchDeleteImage` took an image that somebody needed",
            Self::RepositoryDeleted => "`DeleteRepository` did",
            Self::Archived => {
                "a transition rule or `UpdateImageStorageClass` put it out of reach; it can be restored"
            }
            Self::ExpiredUntagged => {
                "a rule took an image without a tag that somebody needed, and no push took the tag: it was \
                 pushed by digest, or is a replica that came without it"
            }
            Self::ChildLost => {
                "an index is still there, and an image that it lists is gone: its tag is broken for one \
                 platform"
            }
            Self::ReplicatedDeletion => {
                "a replica is gone because its source was deleted or expired, and the replication rule \
                 replicates deletions"
            }
            Self::TagRemoved => "somebody asked for a tag that a call had removed; the image may live",
            Self::TagMovedBack => {
                "a tag moved to an image that was pushed before the one it had, and somebody pulled it around \
                 that time"
            }
            Self::NotListed => {
                "a snapshot lists the repository without an image that somebody needs, and no log says what \
                 took it"
            }
            Self::Unexplained => {
                "a task's stop reason or a failed call names an image, and nothing in these logs says why"
            }
            Self::AskedBeforePushed => {
                "a task's stop reason, a failed call or a task's own pull asked for an image or a tag that \
                 came only afterwards"
            }
            Self::NeverPushedHere => {
                "a task's stop reason, a failed call or a pull asked for an image or a tag whose every push \
                 was refused, or something deployed needs such an image and a list lacks it"
            }
            Self::IndexLostToItsChild => {
                "a tag points to one of the images of its index, the index is still there, and a task failed \
                 for want of another platform"
            }
            Self::AccessTaken => {
                "the image is there, and was asked for while the KMS key of its repository could not be used, \
                 or is refused since who may have it was changed: the repository policy, a role's \
                 permissions, the key's policy or grants"
            }
        }
    }
}

words! {
    /// How badly somebody was affected. Declared from worst to harmless.
    Severity {
        /// Pulled after it was gone, named by a task's stop reason, or pinned by a running service.
        Critical = "critical",
        /// Pulled by digest while untagged, or pinned by a deployment that nothing newer replaced.
        High = "high",
        /// A race without evidence of use.
        Medium = "medium",
        /// An overwrite without evidence of use.
        Low = "low",
    }
}
