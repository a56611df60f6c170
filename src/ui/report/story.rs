//! What a finding's picture is drawn from: the lives of the images in it, the tag, and who asked and who held on, each as the
//! logs have it.

use crate::model::{LogText, Sentence, TagTimeline, Timeline, Timestamp};

/// Everything around one finding that has a place in time.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// The life of the image that the finding is about.
    pub life: Option<Timeline>,
    /// The other image: the one that has the tag instead, the index that lists the lost one, or the source of a copy.
    pub other: Option<Timeline>,
    /// `other` is the image of the same digest in the repository that the lost one was copied from.
    pub other_is_source: bool,
    /// The life of the tag that the finding names.
    pub tag: Option<TagTimeline>,
    /// Pulls and stopped tasks that show a need, in order of time.
    pub asks: Vec<Ask>,
    /// Services, functions and the like that hold on to the image, in order of time.
    pub holders: Vec<Holder>,
    /// The lifecycle rule that took the image, in words.
    pub rule: Option<String>,
    /// No log has the end of the image: it is what most likely happened.
    pub presumed: bool,
    /// When the image came back, if it did.
    pub back_at: Option<Timestamp>,
    /// Lifecycle runs of the repository, in order of time.
    pub runs: Vec<Timestamp>,
    /// When the repository's lifecycle policy was put or deleted, or first stated by a run; in order of time.
    pub policies: Vec<Timestamp>,
    /// Stretches in which the repository's key could not be used; without an end where none is in the logs.
    pub locked: Vec<(Timestamp, Option<Timestamp>)>,
    /// Who stood behind the pushes and the deletion.
    pub behind: Vec<Sentence>,
}

/// Somebody asked for the image, or a task could not start for want of it.
#[derive(Debug, Clone)]
pub struct Ask {
    pub at: Timestamp,
    pub by: Option<LogText>,
    pub stopped: bool,
    /// It found nothing.
    pub in_vain: bool,
}

/// Somebody holds on to the image until something newer replaces it.
#[derive(Debug, Clone)]
pub struct Holder {
    pub by: LogText,
    pub from: Timestamp,
    /// None while nothing newer replaced it.
    pub until: Option<Timestamp>,
}
