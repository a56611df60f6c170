//! Where a lost image still exists, and how to bring it back under the same digest.

use serde::Serialize;

use super::timeline::words;
use super::{Digest, EventRef, ImageState, LogText, Repository, Sentence, Timestamp};

/// Where one lost image can be had from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rescue {
    /// As the user asked for it.
    pub reference: LogText,
    /// The repository that lacks it.
    pub repository: Repository,
    pub digest: Digest,
    /// The image's state in that repository, by the evidence; `unknown` where there is none.
    pub state: ImageState,
    /// The newest evidence first; empty if the image is nowhere.
    pub sources: Vec<RescueSource>,
    /// Who made the image, if it cannot be had from anywhere.
    pub made_by: Vec<Sentence>,
    /// What will work again when it is back.
    pub repairs: Vec<String>,
    /// What will not.
    pub does_not_repair: Vec<String>,
}

/// One place that still has the image, as far as the evidence shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RescueSource {
    pub from: RescueFrom,
    /// The repository, if the place is one.
    pub repository: Option<Repository>,
    /// The place, in words.
    pub place: String,
    /// When the evidence last showed the image there.
    pub seen_at: Option<Timestamp>,
    pub evidence: Vec<EventRef>,
    /// Alternative commands to bring it back, for a shell; the best first.
    pub commands: Vec<String>,
    /// Permissions and tools that the commands require.
    pub needs: Vec<String>,
}

words! {
    /// Kinds of places, declared from near to far.
    RescueFrom {
        /// Its own repository still has it; it may lack a tag.
        Here = "here",
        /// The archive of its own repository.
        Archive = "archive",
        /// Another repository of the registry, in the same region.
        Repository = "repository",
        /// The same registry in another region.
        Region = "region",
        /// Another account.
        Account = "account",
        /// An index elsewhere lists it.
        Index = "index",
        /// The upstream registry of a pull-through cache.
        Upstream = "upstream",
        /// A host that runs it.
        Node = "node",
        /// The record of its push has the manifest; its layers may still exist.
        Manifest = "manifest",
    }
}
