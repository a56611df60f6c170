//! What one worker knows of each group so far.
//!
//! Groups are divided by their hashes, the same way in all workers: the parts of all workers are put together
//! side by side, and go to disk one by one.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexSet;

use super::cell::{Cell, Kept, write_number};
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

/// The state of an aggregate, by group.
#[derive(Debug)]
pub(super) enum Held {
    /// Distinct values are counted at last: until then, there are none.
    Counts(Vec<i64>),
    /// `text_bytes`: of all texts that have been the best ones.
    Best { cells: Vec<Kept>, text_bytes: usize },
}

impl Held {
    fn new(what: What) -> Self {
        match what {
            What::Count | What::CountTrue | What::CountDistinct => Self::Counts(Vec::new()),
            What::Least | What::Greatest => Self::Best { cells: Vec::new(), text_bytes: 0 },
        }
    }

    #[inline]
    fn push(&mut self) {
        match self {
            Self::Counts(counts) => counts.push(0),
            Self::Best { cells, .. } => cells.push(Cell::Null),
        }
    }

    #[inline]
    pub fn count(&mut self, group: u32, more: i64) {
        if let Self::Counts(counts) = self
            && let Some(count) = counts.get_mut(group as usize)
        {
            *count += more;
        }
    }

    /// Takes a value if it is better than the one so far.
    pub fn improve(&mut self, group: u32, what: What, cell: Cell<&str>) {
        let Self::Best { cells, text_bytes } = self else { return };
        let Some(known) = cells.get_mut(group as usize).filter(|_| cell != Cell::Null) else { return };
        let is_better = match what {
            What::Least => cell < known.seen(),
            _ => cell > known.seen(),
        };
        if *known == Cell::Null || is_better {
            *text_bytes += if let Cell::Text(text) = cell { text.len() } else { 0 };
            *known = cell.keep();
        }
    }

    pub fn result(&self, group: u32) -> Cell<&str> {
        match self {
            Self::Counts(counts) => {
                counts.get(group as usize).map_or(Cell::Null, |count| Cell::Whole(*count))
            }
            Self::Best { cells, .. } => cells.get(group as usize).map_or(Cell::Null, Kept::seen),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Counts(counts) => size_of_val(counts.as_slice()),
            Self::Best { cells, text_bytes } => size_of_val(cells.as_slice()) + text_bytes,
        }
    }
}

/// Some of the groups.
#[derive(Debug)]
pub(super) struct Part {
    /// Their keys, each list of them as one text.
    pub keys: TextSet,
    /// Where the first event of each stands: the number of its object, and its index there.
    pub places: Vec<u64>,
    /// The plan's aggregates.
    pub held: Vec<Held>,
}

impl Part {
    pub fn new(plan: &Plan) -> Self {
        let held = plan.aggregates.iter().map(|aggregate| Held::new(aggregate.what)).collect();
        Self { keys: TextSet::default(), places: Vec::new(), held }
    }

    /// The group of these keys, which has an event at `place`.
    #[inline]
    pub fn at(&mut self, hash: u64, keys: &str, place: u64, is_before: impl Fn(u64, u64) -> bool) -> u32 {
        let (group, is_new) = self.keys.add(hash, keys);
        if is_new {
            self.places.push(place);
            self.held.iter_mut().for_each(Held::push);
        } else if let Some(known) =
            self.places.get_mut(group as usize).filter(|known| is_before(place, **known))
        {
            *known = place;
        }
        group
    }

    fn bytes(&self) -> usize {
        self.keys.bytes()
            + size_of_val(self.places.as_slice())
            + self.held.iter().map(Held::bytes).sum::<usize>()
    }
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
    /// A value that is being looked up.
    written: String,
    /// The groups of a portion that are to be looked up, by part: so those of one part are looked up together.
    waiting: Vec<Waiting>,
}

/// Groups of a portion.
#[derive(Debug, Default)]
struct Waiting {
    keys: String,
    /// For each of them its hash, the end of its keys, its number in the portion and its first event.
    groups: Vec<(u64, usize, u32, u64)>,
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
            written: String::new(),
            waiting: (0..PARTS).map(|_| Waiting::default()).collect(),
        }
    }

    /// The number of an object.
    pub fn object(&mut self, name: &str) -> u64 {
        let known = self.objects.get_index_of(name);
        known.unwrap_or_else(|| self.objects.insert_full(name.into()).0) as u64
    }

    /// Asks for the group of these keys, which has an event at `place`; `number` is the one that it has in
    /// its portion.
    #[inline]
    pub fn ask<'k>(&mut self, keys: impl ExactSizeIterator<Item = Cell<&'k str>>, number: u32, place: u64) {
        self.written.clear();
        let count = keys.len();
        (1..).zip(keys).for_each(|(at, key)| key.write(at == count, &mut self.written));
        let hash = self.hasher.hash_one(self.written.as_str());
        if let Some(waiting) = self.waiting.get_mut(part_of(hash)) {
            waiting.keys.push_str(&self.written);
            waiting.groups.push((hash, waiting.keys.len(), number, place));
        }
    }

    /// Looks up the groups that were asked for. `found` gets the number of each in its portion, and the
    /// aggregates of its part.
    pub fn answer(&mut self, mut found: impl FnMut(u32, Group, &mut [Held])) {
        let objects = &self.objects;
        let name = |place: u64| objects.get_index((place >> RECORD_BITS) as usize);
        let is_before = |a: u64, b: u64| {
            if a >> RECORD_BITS == b >> RECORD_BITS { a < b } else { name(a) < name(b) }
        };
        for (part, (waiting, groups)) in self.waiting.iter_mut().zip(&mut self.parts).enumerate() {
            let mut start = 0;
            for (hash, end, in_portion, place) in waiting.groups.drain(..) {
                let keys = waiting.keys.get(start..end).unwrap_or_default();
                let number = groups.at(hash, keys, place, is_before);
                found(in_portion, Group { part, number }, &mut groups.held);
                start = end;
            }
            waiting.keys.clear();
        }
    }

    /// Adds to the distinct values of a group.
    pub fn add_distinct(&mut self, group: Group, aggregate: usize, cell: Cell<&str>) {
        let Some(Some(sets)) = self.distinct.get_mut(aggregate) else { return };
        self.written.clear();
        if self.has_keys {
            write_number(group.as_number(), GROUP_DIGITS, &mut self.written);
        }
        let start = self.written.len();
        cell.write(true, &mut self.written);
        let of_value = self.hasher.hash_one(self.written.get(start..).unwrap_or_default());
        let hash = if start == 0 { of_value } else { self.hasher.hash_one(self.written.as_str()) };
        if let Some(set) = sets.get_mut(part_of(of_value)) {
            set.add(hash, &self.written);
        }
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
