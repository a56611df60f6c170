//! What answers of the AWS CLI and of kubectl, kept in files, say beside the logs.

use serde::Serialize;

use super::timeline::words;
use super::{Digest, EventRef, LogText, Repository, Timestamp};

/// One answer that was read as a snapshot, and how it was taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SnapshotRead {
    pub object: LogText,
    /// Which answer of the object, from 0.
    pub document: u64,
    /// `ecr describe-images`, `kubectl get`.
    pub call: LogText,
    /// Account that it speaks of; `None` where it speaks of several, or nothing tells.
    pub account: Option<LogText>,
    pub region: Option<LogText>,
    /// What tells account and region.
    pub place_from: PlaceFrom,
    /// When it was taken.
    pub time: Option<Timestamp>,
    pub time_from: TimeFrom,
    /// Images, services, functions, pods and so on that it tells of.
    pub entries: u64,
    /// Entries, or parts of the answer, that say nothing here, or of which the place is not known.
    pub left_out: u64,
    /// Nothing says that pages of it are missing.
    pub whole: bool,
    /// Why it was left out, or what to know about it; empty where there is nothing to say.
    pub note: String,
}

words! {
    /// What tells when a snapshot was taken. Declared from sure to unsure.
    TimeFrom {
        /// The answer stands in an envelope that says it.
        Document = "document",
        /// The file's modification time.
        File = "file",
        /// The newest time in the answer itself: it is no older than that.
        Content = "content",
        Nothing = "nothing",
    }
}

words! {
    /// What tells account and region of a snapshot.
    PlaceFrom {
        /// The answer itself: ARNs, repository URIs, image references, or the envelope around it.
        Document = "document",
        /// The names of the file and of its folders.
        Name = "name",
        /// `--snapshot-account`, `--snapshot-region`.
        Option = "option",
        /// All other evidence knows a repository of this name in one place only.
        Evidence = "evidence",
        Nothing = "nothing",
    }
}

/// A snapshot says otherwise than the logs. Both are shown: something that was not logged lies between them, or one of them
/// is not what it seems to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    pub repository: Repository,
    pub digest: Option<Digest>,
    pub tag: Option<LogText>,
    /// The event of the logs; `None` where they are silent.
    pub logged: Option<EventRef>,
    pub shown: EventRef,
    pub text: String,
}
