//! What one worker knows of each group so far.
//!
//! Groups are divided by their hashes, the same way in all workers: the parts of all workers are put together
//! side by side, and go to disk one by one.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexSet;

use super::cell::{Cell, LAST_TEXT, write_number};
use super::held::{Held, Part};
use super::plan::{Plan, What};
use super::text_set::TextSet;
use crate::sql::types::place::RECORD_BITS;

/// Parts of the groups, and of the distinct values of an aggregate.
pub(super) const PARTS: usize = 1 << PART_BITS;
const PART_BITS: u32 = 6;
/// Bits of a hash that say of which part it is. Tables look at the first and at the last ones.
const PART_SHIFT: u32 = 32;
/// Letters of a group's number before a value of it.
pub(super) const GROUP_DIGITS: u32 = 7;

/// Which part a group or a value is of.
#[inline]
pub(super) fn part_of(hash: u64) -> usize {
    (hash >> PART_SHIFT) as usize % PARTS
}

/// Which of several pieces of its part a group or a value is of.
#[inline]
pub(super) fn piece_of(hash: u64, pieces: u64) -> u64 {
    (hash >> (PART_SHIFT + PART_BITS)) % pieces
}

/// The hash of keys, or of a value, that are written as one text. That of a single text is the hash of this
/// alone: then it need not be written to be hashed.
#[inline]
pub(super) fn hash_of(hasher: &RandomState, written: &str) -> u64 {
    hash_of_text(hasher, written.strip_prefix(LAST_TEXT).unwrap_or(written))
}

#[inline]
fn hash_of_text(hasher: &RandomState, text: &str) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(text.as_bytes());
    state.finish()
}

/// The hash of a value of a group, from that of the value; and back.
#[inline]
pub(super) fn in_group(hash: u64, group: Group) -> u64 {
    hash ^ group.as_number().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A group of one worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub part: usize,
    pub number: u32,
}

impl Group {
    pub fn as_number(self) -> u64 {
        u64::from(self.number) << PART_BITS | self.part as u64
    }

    pub fn of_number(number: u64) -> Self {
        Self { part: number as usize % PARTS, number: u32::try_from(number >> PART_BITS).unwrap_or(u32::MAX) }
    }
}

/// The groups of one worker.
#[derive(Debug)]
pub(super) struct Groups {
    /// Which worker's.
    pub worker: usize,
    /// The same in all workers.
    hasher: RandomState,
    pub objects: IndexSet<Arc<str>, RandomState>,
    pub parts: Vec<Part>,
    /// For each aggregate that counts distinct values, these; where there are keys, after the number of their
    /// group. By the hash of the value.
    pub distinct: Vec<Option<Vec<TextSet>>>,
    has_keys: bool,
    counts_distinct: bool,
    /// What is being written.
    written: String,
    /// Where values are counted: for each part the groups that are not settled, by their numbers in the
    /// portion.
    unsettled: Vec<Vec<u32>>,
}

impl Groups {
    pub fn new(plan: &Plan, worker: usize, hasher: RandomState) -> Self {
        let sets = |what| (what == What::CountDistinct).then(no_values);
        Self {
            worker,
            hasher,
            objects: IndexSet::default(),
            parts: no_groups(plan),
            distinct: plan.aggregates.iter().map(|aggregate| sets(aggregate.what)).collect(),
            has_keys: !plan.keys.is_empty(),
            counts_distinct: plan.aggregates.iter().any(|aggregate| aggregate.what == What::CountDistinct),
            written: String::new(),
            unsettled: vec![Vec::new(); PARTS],
        }
    }

    /// The number of an object.
    pub fn object(&mut self, name: &str) -> u64 {
        let known = self.objects.get_index_of(name);
        known.unwrap_or_else(|| self.objects.insert_full(name.into()).0) as u64
    }

    /// Adds a group with these keys, which has an event at `place`; `number` is the one that it has in its
    /// portion. Its aggregates must be added to what is returned.
    #[inline]
    pub fn add<'k>(
        &mut self,
        keys: impl ExactSizeIterator<Item = Cell<&'k str>>,
        number: u32,
        place: u64,
    ) -> Option<&mut [Held]> {
        self.written.clear();
        let count = keys.len();
        (1..).zip(keys).for_each(|(at, key)| key.write(at == count, &mut self.written));
        let hash = hash_of(&self.hasher, &self.written);
        let part = self.parts.get_mut(part_of(hash))?;
        part.keys.add(hash, "", &self.written);
        part.places.push(place);
        if self.counts_distinct {
            self.unsettled.get_mut(part_of(hash))?.push(number);
        }
        Some(&mut part.held)
    }

    /// The same where the only key is a text, which need not be written to be hashed.
    #[inline]
    pub fn add_text(&mut self, text: &str, number: u32, place: u64) -> Option<&mut [Held]> {
        let hash = hash_of_text(&self.hasher, text);
        let part = self.parts.get_mut(part_of(hash))?;
        part.keys.add(hash, LAST_TEXT, text);
        part.places.push(place);
        if self.counts_distinct {
            self.unsettled.get_mut(part_of(hash))?.push(number);
        }
        Some(&mut part.held)
    }

    /// Puts equal groups together, in the parts where it is time and worth it. Where distinct values are counted,
    /// in all of them: these know their groups by their numbers, which `found` gets, with those in the portion.
    pub fn settle(&mut self, plan: &Plan, is_time: bool, mut found: impl FnMut(u32, Group)) {
        let all = self.counts_distinct;
        let objects = &self.objects;
        let name = |place: u64| objects.get_index((place >> RECORD_BITS) as usize);
        let is_before = |a: u64, b: u64| {
            if a >> RECORD_BITS == b >> RECORD_BITS { a < b } else { name(a) < name(b) }
        };
        for (at, (part, unsettled)) in self.parts.iter_mut().zip(&mut self.unsettled).enumerate() {
            if all || part.keys.is_ripe() || is_time && part.keys.is_worth_settling() {
                let numbers = part.settle(plan, is_before);
                unsettled
                    .drain(..)
                    .zip(numbers)
                    .for_each(|(in_portion, number)| found(in_portion, Group { part: at, number }));
            }
        }
    }

    /// Adds to the distinct values of a group.
    pub fn add_distinct(&mut self, group: Group, aggregate: usize, cell: Cell<&str>) {
        let Some(Some(sets)) = self.distinct.get_mut(aggregate) else { return };
        self.written.clear();
        if self.has_keys {
            write_number(group.as_number(), GROUP_DIGITS, &mut self.written);
        }
        let (hash, text) = match cell {
            Cell::Text(text) => {
                self.written.push_str(LAST_TEXT);
                (hash_of_text(&self.hasher, text), text)
            }
            cell => {
                let start = self.written.len();
                cell.write(true, &mut self.written);
                (hash_of(&self.hasher, self.written.get(start..).unwrap_or_default()), "")
            }
        };
        if let Some(set) = sets.get_mut(part_of(hash)) {
            set.add(if self.has_keys { in_group(hash, group) } else { hash }, &self.written, text);
        }
    }

    /// Looks up the distinct values that are not settled, in the parts where it is time and worth it.
    pub fn settle_values(&mut self, is_time: bool) {
        let sets = self.distinct.iter_mut().flatten().flatten();
        sets.filter(|set| set.is_ripe() || is_time && set.is_worth_settling()).for_each(|set| {
            set.settle();
        });
    }

    /// Memory that the groups take, and the distinct values in them, about.
    pub fn bytes(&self) -> (usize, usize) {
        let values = self.distinct.iter().flatten().flatten().map(TextSet::bytes).sum();
        (self.parts.iter().map(Part::bytes).sum(), values)
    }
}

pub(super) fn no_groups(plan: &Plan) -> Vec<Part> {
    (0..PARTS).map(|_| Part::new(plan)).collect()
}

pub(super) fn no_values() -> Vec<TextSet> {
    (0..PARTS).map(|_| TextSet::default()).collect()
}
