//! What a fold takes of the memory, and what the history that is made of it will take: told at any time without counting
//! anything, for it is asked while logs are read.
//!
//! Measured, not known: `tests/limits.rs` holds it against what processes take.

use super::fact::{Fact, Noted};
use super::fold::Fold;
use super::image::{Displacement, Image, Step, Use};
use super::names::RepositoryNo;
use super::references::Mention;
use super::replay::{Happening, RepositoryHistory, TagState};
use super::tags::{TagLife, TagSpan};

/// What the allocator takes of each piece of memory for itself, about.
const PIECE_BYTES: usize = 16;
/// Of a repository, beside itself: the list of images, and a map of them with places for four.
const REPOSITORY_BYTES: u64 =
    (size_of::<RepositoryHistory>() + 4 * (16 + size_of::<(u32, TagState)>() / 2 + size_of::<(u32, TagLife)>() / 2) + 4 * PIECE_BYTES) as u64;
/// Of an image: itself, its place in a map, its steps and tags, how it lost its tag, and while images are put in order.
const IMAGE_BYTES: u64 = (size_of::<Image>() + 40 + 2 * size_of::<Step>() + 32 + size_of::<Displacement>() + 48 + 4 * PIECE_BYTES) as u64;
/// Of a tag: its places in two maps that grow by doubling, and a span.
const TAG_BYTES: u64 = (3 * (size_of::<(u32, TagState)>() + size_of::<(u32, TagLife)>()) / 2 + size_of::<TagSpan>() + PIECE_BYTES) as u64;
/// Of what is told about an image: its place among what happened to the repository, and a step.
const FACT_BYTES: u64 = (size_of::<Happening<'_>>() + size_of::<Step>() + 16) as u64;
/// Of an image that others need: the mention, its place, and the use that is made of it.
const REFERENCE_BYTES: u64 = (size_of::<Mention>() + size_of::<Happening<'_>>() + size_of::<Use>() + size_of::<Step>() + PIECE_BYTES) as u64;
/// While facts are put in order, half of them stand beside them, and the calls are looked for in a map.
const ORDER_BYTES: u64 = (size_of::<Fact>() / 2 + 64) as u64;

/// Puts `item` into a list that has one element in most images: the library's own first room would be for four.
pub(super) fn push_one<T>(list: &mut Vec<T>, item: T) {
    if list.capacity() == 0 {
        list.reserve_exact(1);
    }
    list.push(item);
}

impl Fold {
    /// What it takes now, about, in bytes.
    pub fn bytes(&self) -> u64 {
        let lists = self.events.len() * size_of::<Noted>() + self.facts.len() * size_of::<Fact>();
        let passed_over = 2 * self.passed_over.len() * size_of::<RepositoryNo>();
        let silent = self.silent.len() * 24;
        (lists + passed_over + silent) as u64 + self.facts_bytes + self.names.bytes()
    }

    /// What it will take with the history that is made of it, at the worst moment, about, in bytes. `replays`: how often the
    /// events are played.
    pub fn bytes_at_the_end(&self, replays: u64) -> u64 {
        let repositories = self.names.repositories().saturating_sub(self.passed_over.len()) as u64;
        let facts = self.facts.len() as u64;
        // An image of several repositories is one of each; an index names images that nobody pushed.
        let images = (self.names.digests() as u64).max(repositories).min(facts * 2);
        // What other texts there are is little beside tags.
        let tags = (self.names.strings() as u64).saturating_sub(self.names.repositories() as u64).min(facts + self.references);
        let played = repositories * REPOSITORY_BYTES + images * IMAGE_BYTES + tags * TAG_BYTES;
        self.bytes() + (facts * ORDER_BYTES).max(facts * FACT_BYTES + self.references * REFERENCE_BYTES + played * replays)
    }
}
