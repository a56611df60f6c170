//! Which events have been seen: a set of identities of fixed size, shared by all workers without locks.
//!
//! Delivery is at least once, so coverage counts second copies. The set is one table of [`SeenEvents::BYTES_MAX`], 8 bytes a
//! slot, whose pages the system gives when they are touched: some thousand records touch most of them, and ten times the
//! records take no more. A slot holds 32 bits for the `eventID` and 32 for the rest of the identity; where it stands tells 22
//! others. Two different events are taken for one where those bits agree and their places are close: at
//! [`SeenEvents::EVENTS_MAX`] events, that happens to one archive in a million.
//!
//! Events with one id begin at one place, so that they meet: an id that stands on different events is noticed. So that many
//! events with one id do not make a long way to go, only the first `TOGETHER_MAX` of them stand there.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::model::Identity;

/// Slots of the table: at [`SeenEvents::EVENTS_MAX`] events it is 86 % full.
const SLOTS: usize = 1 << 22;
/// Events that are looked up together, so that their cache misses overlap.
const BATCH: usize = 128;
/// After so many events nearly every page of the table has been written to.
const PAGES_GIVEN: u64 = 32_768;
/// So many events with one id stand at its place; others stand at places of their own.
const TOGETHER_MAX: u32 = 8;

/// A set of identities that only grows.
///
/// Whether an event is new does not depend on who asks first in any way that shows in the sums: of all insertions of one event
/// exactly one finds it new, whatever the threads and the order. So [`Self::duplicates`] is a function of the evidence alone.
#[derive(Default)]
pub struct SeenEvents {
    table: OnceLock<Box<[AtomicU64]>>,
    distinct: AtomicU64,
    inserted: AtomicU64,
    /// Events that found their id on another one.
    beside_others: AtomicU64,
    /// Ids on which a second event was found.
    ids_shared: AtomicU64,
    full: AtomicBool,
}

/// What became of insertions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Inserted {
    new: u64,
    beside_others: u64,
    ids_shared: u64,
}

impl SeenEvents {
    /// How many distinct events the set can tell apart.
    pub const EVENTS_MAX: u64 = 3_600_000;
    /// What the table takes at most.
    pub const BYTES_MAX: usize = SLOTS * 8;

    /// An empty set; takes no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the events of one object and returns how many of them had been there, inside this object or before.
    pub fn insert_all(&self, events: &[Identity]) -> u64 {
        self.inserted.fetch_add(events.len() as u64, Ordering::Relaxed);
        if self.exhausted() {
            return 0;
        }
        let table = self.table.get_or_init(|| bytemuck::zeroed_slice_box(SLOTS));
        let mut all = Inserted::default();
        events.chunks(BATCH).for_each(|batch| self.insert_batch(table, batch, &mut all));
        self.distinct.fetch_add(all.new, Ordering::Relaxed);
        if all.beside_others > 0 {
            self.beside_others.fetch_add(all.beside_others, Ordering::Relaxed);
            self.ids_shared.fetch_add(all.ids_shared, Ordering::Relaxed);
        }
        events.len() as u64 - all.new
    }

    /// Whether more than [`Self::EVENTS_MAX`] distinct events have come: then the second copies are not known.
    pub fn exhausted(&self) -> bool {
        self.full.load(Ordering::Relaxed) || self.distinct.load(Ordering::Relaxed) > Self::EVENTS_MAX
    }

    /// Second copies among everything that was inserted, once all workers are done; `None` if the set is exhausted.
    pub fn duplicates(&self) -> Option<u64> {
        let distinct = self.distinct.load(Ordering::Relaxed);
        (!self.exhausted()).then(|| self.inserted.load(Ordering::Relaxed) - distinct)
    }

    /// Events whose id stands on another event, too; where the set is exhausted, those that are known.
    pub fn sharing_an_id(&self) -> u64 {
        self.beside_others.load(Ordering::Relaxed) + self.ids_shared.load(Ordering::Relaxed)
    }

    fn insert_batch(&self, table: &[AtomicU64], batch: &[Identity], all: &mut Inserted) {
        // The loads do not depend on each other: the processor has many of these misses under way at once. Not while the
        // table is new: a page that is first read and then written is given twice.
        if self.distinct.load(Ordering::Relaxed) > PAGES_GIVEN {
            let touched = batch.iter().fold(0, |sum, event| sum ^ table.get(place(event.id)).map_or(0, |slot| slot.load(Ordering::Relaxed)));
            std::hint::black_box(touched);
        }
        for event in batch {
            if insert(table, event, all).is_none() {
                self.full.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Puts an event into the table, unless it is there; `None` if there is no place left.
fn insert(table: &[AtomicU64], event: &Identity, all: &mut Inserted) -> Option<()> {
    let (together, new) = match probe(table, event.id, event.rest, TOGETHER_MAX)? {
        // So many with this id that it stands at a place of its own.
        (TOGETHER_MAX, false) => (TOGETHER_MAX, probe(table, event.id ^ event.rest.rotate_left(32), event.rest, u32::MAX)?.1),
        found => found,
    };
    if new {
        all.new += 1;
        all.beside_others += u64::from(together > 0);
        all.ids_shared += u64::from(together == 1);
    }
    Some(())
}

/// Where the table would like to have `id`: its high bits.
fn place(id: u64) -> usize {
    (id >> (64 - SLOTS.trailing_zeros())) as usize
}

/// What a slot keeps: the low bits of both; zero means "free".
fn slot_of(id: u64, rest: u64) -> u64 {
    (u64::from((id as u32).max(1)) << 32) | (rest & 0xffff_ffff)
}

/// Tries the slots of `table` from the place of `id` on, around the end, until `together_max` others with the same id have been
/// met. How many were met, and whether the event was put there; `None` if all slots are taken. A taken slot never changes, so
/// two threads with one event meet at the same slot.
fn probe(table: &[AtomicU64], id: u64, rest: u64, together_max: u32) -> Option<(u32, bool)> {
    let (before, from) = table.split_at_checked(place(id))?;
    let (event, mut met) = (slot_of(id, rest), 0);
    for slot in from.iter().chain(before) {
        match slot.compare_exchange(0, event, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Some((met, true)),
            Err(held) if held == event => return Some((0, false)),
            Err(held) => met += u32::from(held >> 32 == event >> 32),
        }
        if met == together_max {
            return Some((met, false));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::decode::fingerprint;

    fn events(range: std::ops::Range<u64>) -> Vec<Identity> {
        range.map(|n| Identity { id: fingerprint(&n.to_le_bytes()), rest: fingerprint(&(n + 7).to_le_bytes()) }).collect()
    }

    #[test]
    fn counts_as_a_hash_set_does() {
        let seen = SeenEvents::new();
        let mut oracle = HashSet::new();
        let mut expected = 0;
        for object in 0..400 {
            let batch = events(object * 150..object * 150 + 200);
            let again = batch.iter().filter(|&&event| !oracle.insert(event)).count() as u64;
            assert_eq!(seen.insert_all(&batch), again);
            expected += again;
        }
        assert_eq!((seen.duplicates(), seen.sharing_an_id()), (Some(expected), 0));
        assert!(!seen.exhausted());
    }

    #[test]
    fn a_copy_inside_one_object_counts() {
        let [seven, eight] = [7, 8].map(|id| Identity { id, rest: 1 });
        assert_eq!(SeenEvents::new().insert_all(&[seven, eight, seven, seven]), 2);
    }

    #[test]
    fn the_sum_is_the_same_with_any_threads_and_order() {
        // Few ids on many events, so that some have more of them than stand together.
        let event = |n: u64| Identity { id: fingerprint(&(n % 30_000 * (n % 3)).to_le_bytes()), rest: fingerprint(&(n % 40_000).to_le_bytes()) };
        let objects: Vec<Vec<Identity>> = (0..600).map(|object| (object * 70..object * 70 + 140).map(event).collect()).collect();
        let mut by_id: HashMap<u64, HashSet<u64>> = HashMap::new();
        objects.iter().flatten().for_each(|event| _ = by_id.entry(event.id).or_default().insert(event.rest));
        let distinct: u64 = by_id.values().map(|events| events.len() as u64).sum();
        let sharing: u64 = by_id.values().map(|events| events.len() as u64).filter(|events| *events > 1).sum();
        assert!(by_id.values().any(|events| events.len() > 1_000) && by_id.values().any(|events| events.len() == 1));
        for threads in [1, 2, 5] {
            let seen = SeenEvents::new();
            std::thread::scope(|scope| {
                for first in 0..threads {
                    let (seen, objects) = (&seen, &objects);
                    scope.spawn(move || {
                        for object in objects.iter().skip(first).step_by(threads).rev() {
                            seen.insert_all(object);
                        }
                    });
                }
            });
            assert_eq!((seen.duplicates(), seen.sharing_an_id()), (Some(600 * 140 - distinct), sharing));
        }
    }

    #[test]
    fn one_id_on_very_many_events_does_not_take_long() {
        let seen = SeenEvents::new();
        let events: Vec<Identity> = (0..300_000).map(|n: u64| Identity { id: 5, rest: fingerprint(&n.to_le_bytes()) }).collect();
        assert_eq!(seen.insert_all(&events), 0);
        assert_eq!(seen.insert_all(&events), 300_000);
        assert_eq!(seen.sharing_an_id(), 300_000);
    }

    #[test]
    fn more_events_than_fit_are_admitted() {
        let seen = SeenEvents::new();
        seen.insert_all(&events(0..SeenEvents::EVENTS_MAX));
        assert_eq!(seen.duplicates(), Some(0));
        seen.insert_all(&events(SeenEvents::EVENTS_MAX..SeenEvents::EVENTS_MAX + 1));
        assert!(seen.exhausted());
        assert_eq!(seen.duplicates(), None);
    }
}
