//! What a finding's picture is drawn from: the lives of its images, the tag, the requests and the holders,
//! as the logs have them.

use crate::model::{LogText, Sentence, TagTimeline, Timeline, Timestamp};

/// Everything around a finding that has a time.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// The life of the image that the finding is about.
    pub life: Option<Timeline>,
    /// The other image: the one that has the tag instead, the index that lists the lost image, or the
    /// source of a copy.
    pub other: Option<Timeline>,
    /// `other` is the image with the same digest in the repository that the lost one was copied from.
    pub other_is_source: bool,
    /// The life of the tag that the finding names.
    pub tag: Option<TagTimeline>,
    /// Pulls and stopped tasks that show that the image is needed, in order of time.
    pub asks: Vec<Ask>,
    /// Services, functions and the like that keep the image, in order of time.
    pub holders: Vec<Holder>,
    /// The lifecycle rule that took the image, in words.
    pub rule: Option<String>,
    /// The image's end was concluded; no event shows it.
    pub presumed: bool,
    /// When the image came back, if it did.
    pub back_at: Option<Timestamp>,
    /// Lifecycle runs of the repository, in order of time.
    pub runs: Vec<Timestamp>,
    /// When the repository's lifecycle policy was put or deleted, or first stated by a run; in order of time.
    pub policies: Vec<Timestamp>,
    /// Times in which the repository's key could not be used; without an end if the logs have none.
    pub locked: Vec<(Timestamp, Option<Timestamp>)>,
    /// Who was behind the pushes and the deletion.
    pub behind: Vec<Sentence>,
}

/// A request for the image, or a task that could not start because it was missing.
#[derive(Debug, Clone)]
pub struct Ask {
    pub at: Timestamp,
    pub by: Option<LogText>,
    pub stopped: bool,
    /// It failed because the image did not exist.
    pub in_vain: bool,
}

/// Something that keeps the image until something newer replaces it.
#[derive(Debug, Clone)]
pub struct Holder {
    pub by: LogText,
    pub from: Timestamp,
    /// `None` while nothing newer has replaced it.
    pub until: Option<Timestamp>,
}
