//! Estimates how much memory a fold takes, and how much the history made of it will take. The estimate only
//! adds up counters, because it is asked for while logs are read.
//!
//! The constants were measured; `tests/limits.rs` compares the estimate with what processes really take.

use super::copies::Silent;
use super::fact::{Fact, Noted};
use super::fold::Fold;
use super::image::{Displacement, Image, Step, Use};
use super::names::RepositoryNo;
use super::references::Mention;
use super::replay::{Happening, RepositoryHistory, TagState};
use super::tags::{TagLife, TagSpan};

/// The allocator's own overhead for each allocation, about.
const PIECE_BYTES: usize = 16;
/// A repository: the struct, its list of images, and a map of images that starts with room for four.
const REPOSITORY_BYTES: u64 = (size_of::<RepositoryHistory>()
    + 4 * (16 + size_of::<(u32, TagState)>() / 2 + size_of::<(u32, TagLife)>() / 2)
    + 4 * PIECE_BYTES) as u64;
/// An image: the struct, its entry in a map, its steps and tags, how it lost its tag, and a copy while
/// images are sorted.
const IMAGE_BYTES: u64 =
    (size_of::<Image>() + 40 + 2 * size_of::<Step>() + 32 + size_of::<Displacement>() + 48 + 4 * PIECE_BYTES)
        as u64;
/// A tag: its entries in two maps that grow by doubling, and a span.
const TAG_BYTES: u64 = (3 * (size_of::<(u32, TagState)>() + size_of::<(u32, TagLife)>()) / 2
    + size_of::<TagSpan>()
    + PIECE_BYTES) as u64;
/// A fact about an image: its entry in the repository's list of events, and a step.
const FACT_BYTES: u64 = (size_of::<Happening<'_>>() + size_of::<Step>() + 16) as u64;
/// A reference to an image: the mention, its list entry, and the use made of it.
const REFERENCE_BYTES: u64 =
    (size_of::<Mention>() + size_of::<Happening<'_>>() + size_of::<Use>() + size_of::<Step>() + PIECE_BYTES)
        as u64;
/// Sorting: half of the facts are copied, and calls are looked up in a map.
const ORDER_BYTES: u64 = (size_of::<Fact>() / 2 + 64) as u64;

/// Pushes into a list that mostly has one element: `Vec` itself would reserve room for four.
pub(super) fn push_one<T>(list: &mut Vec<T>, item: T) {
    if list.capacity() == 0 {
        list.reserve_exact(1);
    }
    list.push(item);
}

impl Fold {
    /// Bytes that the fold takes now, about.
    pub fn bytes(&self) -> u64 {
        let lists = self.events.len() * size_of::<Noted>() + self.facts.len() * size_of::<Fact>();
        let passed_over = 2 * self.passed_over.len() * size_of::<RepositoryNo>();
        let silent = self.silent.len() * size_of::<Silent>();
        (lists + passed_over + silent) as u64 + self.facts_bytes + self.names.bytes()
    }

    /// Bytes that the fold will take together with the history made of it, at the peak, about. `replays`:
    /// how often the events are replayed.
    pub fn bytes_at_the_end(&self, replays: u64) -> u64 {
        let repositories = self.names.repositories().saturating_sub(self.passed_over.len()) as u64;
        let facts = self.facts.len() as u64;
        // An image in several repositories counts for each; an index names images that nobody pushed.
        let images = (self.names.digests() as u64).max(repositories).min(facts * 2);
        // Other texts take little compared with tags.
        let tags = (self.names.strings() as u64)
            .saturating_sub(self.names.repositories() as u64)
            .min(facts + self.references);
        let played = repositories * REPOSITORY_BYTES + images * IMAGE_BYTES + tags * TAG_BYTES;
        self.bytes()
            + (facts * ORDER_BYTES)
                .max(facts * FACT_BYTES + self.references * REFERENCE_BYTES + played * replays)
    }
}
