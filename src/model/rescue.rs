//! Where the same image still is, and how it comes back under its digest.

use serde::Serialize;

use super::timeline::words;
use super::{Digest, EventRef, ImageState, LogText, Repository, Sentence, Timestamp};

/// What can be saved of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rescue {
    /// As it was asked for.
    pub reference: LogText,
    /// Where it is missed.
    pub repository: Repository,
    pub digest: Digest,
    /// What the evidence says of it there; `unknown` where it says nothing.
    pub state: ImageState,
    /// Newest evidence first; none where it is nowhere.
    pub sources: Vec<RescueSource>,
    /// Who made it, for where it cannot be had any more.
    pub made_by: Vec<Sentence>,
    /// What bringing it back repairs.
    pub repairs: Vec<String>,
    /// What it does not.
    pub does_not_repair: Vec<String>,
}

/// One place that still has it, as far as the evidence goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RescueSource {
    pub from: RescueFrom,
    /// The repository, where it is one.
    pub repository: Option<Repository>,
    /// For people: where it is.
    pub place: String,
    /// When the evidence last showed it there.
    pub seen_at: Option<Timestamp>,
    pub evidence: Vec<EventRef>,
    /// One of these brings it back, to be pasted into a shell; the first is the best.
    pub commands: Vec<String>,
    /// What the commands need.
    pub needs: Vec<String>,
}

words! {
    /// Where an image comes back from. Declared from near to far.
    RescueFrom {
        /// It is there; it may lack a tag.
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
        /// What a pull-through cache copies from.
        Upstream = "upstream",
        /// A host that runs it.
        Node = "node",
        /// The record of its push has the manifest; its layers may still be there.
        Manifest = "manifest",
    }
}
