//! The life of one tag, as shown to users.

use serde::Serialize;

use super::timeline::words;
use super::{Digest, EventRef, LogText, Order, Repository, Timestamp};

/// Everything the logs say about one tag of one repository, also across deletions of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagTimeline {
    pub repository: Repository,
    pub tag: LogText,
    /// The image that it points to at the end of the logs.
    pub points_to: Option<Digest>,
    /// Which image had it, in order of time.
    pub spans: Vec<TagSpan>,
    /// Requests for it while no image had it, all of which failed.
    pub asked_in_vain: Vec<EventRef>,
}

/// A span of time in which one image had the tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagSpan {
    pub digest: Digest,
    /// Since when; `None` if it had the tag before the logs begin, or got it without an event.
    pub since: Option<Timestamp>,
    pub given_by: Option<EventRef>,
    /// Until when; `None` while it has the tag.
    pub until: Option<Timestamp>,
    pub end: Option<TagEnd>,
    pub ended_by: Option<EventRef>,
    /// The image that took the tag, for `moved`.
    pub moved_to: Option<Digest>,
    /// Pulls by the tag in that time.
    pub pulls: u64,
    pub order: Order,
}

words! {
    /// How an image's time with a tag ended.
    TagEnd {
        /// A push gave the tag to another image.
        Moved = "moved",
        /// A call removed it: `BatchDeleteImage` by tag.
        Removed = "removed",
        /// Its image was expired or deleted, and the tag went with it.
        LostWithImage = "lost_with_image",
        /// The repository was deleted.
        RepositoryDeleted = "repository_deleted",
        /// A later event shows that the image no longer had it; what took it is not in the logs.
        NotLogged = "not_logged",
    }
}
