//! What stored output of the AWS CLI and kubectl says beside the logs.

use serde::Serialize;

use super::timeline::words;
use super::{Digest, EventRef, LogText, Repository, Timestamp};

/// One output that was read as a snapshot, and where it was placed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SnapshotRead {
    pub object: LogText,
    /// Index of the output in its object, counted from 0.
    pub document: u64,
    /// `ecr describe-images`, `kubectl get`.
    pub call: LogText,
    /// The account that it is about; `None` if there are several, or nothing tells.
    pub account: Option<LogText>,
    pub region: Option<LogText>,
    /// How account and region are known.
    pub place_from: PlaceFrom,
    /// When it was taken.
    pub time: Option<Timestamp>,
    pub time_from: TimeFrom,
    /// How many images, services, functions, pods and so on it describes.
    pub entries: u64,
    /// Entries, or parts of the output, that could not be used, or whose account and region are not known.
    pub left_out: u64,
    /// No pages of it are known to be missing.
    pub whole: bool,
    /// Why it was not used, or what to know about it; empty if there is nothing to say.
    pub note: String,
}

words! {
    /// How the time of a snapshot is known. Declared from certain to uncertain.
    TimeFrom {
        /// From the envelope that `tagfall snapshot --script` writes around the output.
        Document = "document",
        /// The file's modification time.
        File = "file",
        /// From the newest time in the output: it was not made before that.
        Content = "content",
        Nothing = "nothing",
    }
}

words! {
    /// How the account and region of a snapshot are known.
    PlaceFrom {
        /// From the output itself: ARNs, repository URIs, image references, or the envelope around it.
        Document = "document",
        /// From the names of the file and its folders.
        Name = "name",
        /// From `--snapshot-account` and `--snapshot-region`.
        Option = "option",
        /// From all other evidence, which has only one repository of this name.
        Evidence = "evidence",
        Nothing = "nothing",
    }
}

/// A snapshot and the logs disagree. Both are shown: something happened that was not logged, or one of the
/// two is not what it seems to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    pub repository: Repository,
    pub digest: Option<Digest>,
    pub tag: Option<LogText>,
    /// The event in the logs; `None` if they have none.
    pub logged: Option<EventRef>,
    pub shown: EventRef,
    pub text: String,
}
