//! The life of one image, as shown to users.

use serde::Serialize;

use super::{Digest, EventRef, LogText, Repository, Timestamp};

/// Everything the logs say about one digest in one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    pub repository: Repository,
    pub digest: Digest,
    pub state: ImageState,
    /// Its tags now, or when it was lost.
    pub tags: Vec<LogText>,
    /// The push of its present (or last) life: from the push itself, else from `pushedAt` of a lifecycle
    /// event.
    pub pushed_at: Option<Timestamp>,
    /// When it lost its last tag, or was pushed without one; `None` if it has a tag since.
    pub untagged_at: Option<Timestamp>,
    pub untagged_by: Option<UntaggedBy>,
    pub gone_at: Option<Timestamp>,
    /// First seen in an event other than its push: what happened before is not in the logs.
    pub open_start: bool,
    /// How many lives it has had: a digest that is pushed again after it was lost begins another life.
    pub lives: u32,
    /// Indexes that list it.
    pub parents: Vec<Digest>,
    /// Digests that it lists, if it is an index.
    pub children: Vec<Digest>,
    pub media_type: Option<LogText>,
    pub steps: Vec<TimelineStep>,
    /// Events about its repository whose content is not in the log: something was done then, to this image
    /// or to others.
    pub gaps: Vec<EventRef>,
}

/// One thing that happened to an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimelineStep {
    pub time: Timestamp,
    pub kind: StepKind,
    pub tag: Option<LogText>,
    /// For `tag_lost`, the digest that took the tag; for `push`, the digest that lost it.
    pub other_digest: Option<Digest>,
    pub order: Order,
    pub event: EventRef,
}

/// Declares an enum whose values are serialised, shown and sorted by one fixed word each.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),* }

        impl $name {
            /// All values, in declared order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it in JSON, tables and SQL.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The value with that word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.word() == word)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| serde::de::Error::custom(format!("{word} is no {}", stringify!($name))))
            }
        }
    };
}
pub(crate) use words;

words! {
    /// The state of an image.
    ImageState {
        Tagged = "tagged",
        Untagged = "untagged",
        Expired = "expired",
        Deleted = "deleted",
        RepositoryDeleted = "repository_deleted",
        Archived = "archived",
        /// A snapshot's list of the repository does not have it, and no log says what took it.
        Gone = "gone",
        /// Known only from mentions: the logs do not say whether it exists.
        Unknown = "unknown",
    }
}

words! {
    /// Why an image has no tag.
    UntaggedBy {
        /// Another push took its last tag.
        Displaced = "displaced",
        /// Pushed without a tag: a child of an index, or a push by digest.
        PushedUntagged = "pushed_untagged",
    }
}

words! {
    /// How sure the order of two events is. Declared from certain to uncertain, so that `max` gives the
    /// less certain.
    Order {
        /// The events are in different seconds.
        Observed = "observed",
        /// The same second, with the order shown by later evidence.
        Inferred = "inferred",
        /// The same second, and nothing shows the order; `eventID` decides, so that the output is always
        /// the same.
        Ambiguous = "ambiguous",
    }
}

words! {
    StepKind {
        Push = "push",
        PushFailed = "push_failed",
        TagLost = "tag_lost",
        Untag = "untag",
        Delete = "delete",
        DeleteFailed = "delete_failed",
        Expire = "expire",
        ExpireFailed = "expire_failed",
        Archive = "archive",
        /// A restore was asked for and is not finished.
        RestoreRequested = "restore_requested",
        Restore = "restore",
        RepositoryDeleted = "repository_deleted",
        Replicate = "replicate",
        Pull = "pull",
        PullFailed = "pull_failed",
        Referenced = "referenced",
        TaskStopped = "task_stopped",
        /// A snapshot lists it.
        Seen = "seen",
        /// A list of the whole repository does not have it.
        NotSeen = "not_seen",
    }
}
