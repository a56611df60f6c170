//! Which events have been seen: a set of identities of fixed size, shared by all workers.
//!
//! Delivery is at least once, so coverage counts second copies. The set is two tables, 8 bytes a slot, whose pages the system
//! gives when they are touched. The first one is small, and most archives need no more. When it has 629,000 events it stays as
//! it is, and new events go into the second. Together they take [`SeenEvents::BYTES_MAX`]: ten times the records take no more.
//! A slot holds 32 bits for the `eventID` and 32 for the rest of the identity; where it stands tells 20 or 22 others. Two
//! different events are taken for one where those bits agree and their places are close: at [`SeenEvents::EVENTS_MAX`] events,
//! that happens to one archive in a million.
//!
//! Events with one id begin at one place, so that they meet: an id that stands on different events is noticed. So that many
//! events with one id do not make a long way to go, only the first `TOGETHER_MAX` of them stand there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use crate::model::Identity;

/// Slots of the first table: 8 MiB.
const FIRST_SLOTS: usize = 1 << 20;
/// So many events go into the first table, and those of the batches that are under way then: it is 60 % full.
const FIRST_EVENTS: u64 = 629_000;
/// Slots of the second table: at [`SeenEvents::EVENTS_MAX`] events it is 71 % full.
const SECOND_SLOTS: usize = 1 << 22;
/// Events that are looked up together, so that their cache misses overlap.
const BATCH: usize = 128;
/// A table of which every 128th slot has been written to has nearly all of its pages.
const SLOTS_A_PAGE_GIVEN: u64 = 128;
/// So many events with one id stand at its place; others stand at places of their own.
const TOGETHER_MAX: u32 = 8;

/// A set of identities that only grows.
///
/// Whether an event is new does not depend on who asks first in any way that shows in the sums: of all insertions of one event
/// exactly one finds it new, whatever the threads and the order. So [`Self::duplicates`] is a function of the evidence alone.
#[derive(Default)]
pub struct SeenEvents {
    first: OnceLock<Table>,
    second: OnceLock<Table>,
    /// Nothing goes into the first table any more. Whoever puts something into it holds the lock.
    first_closed: RwLock<bool>,
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
    /// What the tables take at most.
    pub const BYTES_MAX: usize = (FIRST_SLOTS + SECOND_SLOTS) * 8;

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
        let mut all = Inserted::default();
        for batch in events.chunks(BATCH) {
            let new_before = all.new;
            self.insert_batch(batch, &mut all);
            self.distinct.fetch_add(all.new - new_before, Ordering::Relaxed);
        }
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

    fn insert_batch(&self, batch: &[Identity], all: &mut Inserted) {
        let first = self.first.get_or_init(|| Table::new(FIRST_SLOTS));
        let distinct = self.distinct.load(Ordering::Relaxed);
        if distinct > FIRST_EVENTS {
            *self.first_closed.write().unwrap_or_else(PoisonError::into_inner) = true;
        }
        let first_closed = self.first_closed.read().unwrap_or_else(PoisonError::into_inner);
        let second = first_closed.then(|| self.second.get_or_init(|| Table::new(SECOND_SLOTS)));
        first.touch(batch, distinct);
        if let Some(second) = second {
            second.touch(batch, distinct.saturating_sub(FIRST_EVENTS));
        }
        for event in batch {
            let inserted = match second {
                None => first.insert(event),
                Some(second) => match first.find(event) {
                    Some(Met::Itself) => continue,
                    Some(Met::Others(before)) => second.insert(event).map(|met| met.with(before)),
                    None => None,
                },
            };
            match inserted {
                Some(Met::Itself) => {}
                Some(Met::Others(others)) => all.note(others),
                None => self.full.store(true, Ordering::Relaxed),
            }
        }
    }
}

impl Inserted {
    /// A new event, which met so many others with its id.
    fn note(&mut self, others: u32) {
        self.new += 1;
        self.beside_others += u64::from(others > 0);
        self.ids_shared += u64::from(others == 1);
    }
}

/// What stood on an event's way through a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    Itself,
    /// It was not there; so many events with its id were, of which those behind [`TOGETHER_MAX`] are not counted.
    Others(u32),
}

impl Met {
    fn with(self, before: u32) -> Self {
        match self {
            Self::Itself => Self::Itself,
            Self::Others(others) => Self::Others(before + others),
        }
    }
}

/// Where a way through a table ended.
enum End {
    Itself,
    /// A free slot, behind so many events with the same id.
    Free(u32),
    /// As many events with the same id as stand together.
    Crowd,
}

/// A hash table with open addressing. A taken slot never changes, so two threads with one event meet at the same slot.
struct Table(Box<[AtomicU64]>);

impl Table {
    /// `slots`: a power of two.
    fn new(slots: usize) -> Self {
        Self(bytemuck::zeroed_slice_box(slots))
    }

    /// Loads the slots of a batch. The loads do not depend on each other: the processor has many of these misses under way at
    /// once. Not while the table is new, with `events` in it: a page that is first read and then written is given twice.
    fn touch(&self, batch: &[Identity], events: u64) {
        if events > self.0.len() as u64 / SLOTS_A_PAGE_GIVEN {
            let slot = |event: &Identity| self.0.get(self.place(event.id)).map_or(0, |slot| slot.load(Ordering::Relaxed));
            std::hint::black_box(batch.iter().fold(0, |sum, event| sum ^ slot(event)));
        }
    }

    /// Puts an event into the table, unless it is there; `None` if there is no place left.
    fn insert(&self, event: &Identity) -> Option<Met> {
        self.go(event, |slot, event| match slot.compare_exchange(0, event, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => 0,
            Err(held) => held,
        })
    }

    /// Looks for an event; `None` if it is not there and all places are taken.
    fn find(&self, event: &Identity) -> Option<Met> {
        self.go(event, |slot, _| slot.load(Ordering::Relaxed))
    }

    /// Goes an event's way. `look` gives what a slot held; of a free one, zero, whatever it put there.
    fn go(&self, event: &Identity, look: impl Fn(&AtomicU64, u64) -> u64) -> Option<Met> {
        let Identity { id, rest } = *event;
        Some(match self.follow(id, slot_of(id, rest), TOGETHER_MAX, &look)? {
            End::Itself => Met::Itself,
            End::Free(others) => Met::Others(others),
            // So many with this id that it stands at a place of its own.
            End::Crowd => {
                let own = id ^ rest.rotate_left(32);
                match self.follow(own, slot_of(own, rest), u32::MAX, &look)? {
                    End::Itself => Met::Itself,
                    _ => Met::Others(TOGETHER_MAX),
                }
            }
        })
    }

    /// From the place of `id` on, around the end; `None` if all slots are taken.
    #[inline(always)]
    fn follow(&self, id: u64, event: u64, together_max: u32, look: impl Fn(&AtomicU64, u64) -> u64) -> Option<End> {
        let (before, from) = self.0.split_at_checked(self.place(id))?;
        let mut others = 0;
        for slot in from.iter().chain(before) {
            match look(slot, event) {
                0 => return Some(End::Free(others)),
                held if held == event => return Some(End::Itself),
                held => others += u32::from(held >> 32 == event >> 32),
            }
            if others == together_max {
                return Some(End::Crowd);
            }
        }
        None
    }

    /// Where the table would like to have `id`: its high bits.
    fn place(&self, id: u64) -> usize {
        (id >> (64 - self.0.len().trailing_zeros())) as usize
    }
}

/// What a slot keeps: the low bits of both; zero means "free".
fn slot_of(id: u64, rest: u64) -> u64 {
    (u64::from((id as u32).max(1)) << 32) | (rest & 0xffff_ffff)
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
        // Far into the second table, and all of the first once more.
        for object in (0..1_000).chain(0..900) {
            let batch = events(object * 900..object * 900 + 1_200);
            let again = batch.iter().filter(|&&event| !oracle.insert(event)).count() as u64;
            assert_eq!(seen.insert_all(&batch), again);
            expected += again;
        }
        assert!(oracle.len() as u64 > FIRST_EVENTS + 200_000);
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
        let event = |n: u64| Identity { id: fingerprint(&(n % 630_000 * (n % 3)).to_le_bytes()), rest: fingerprint(&(n % 840_000).to_le_bytes()) };
        let objects: Vec<Vec<Identity>> = (0..600).map(|object| (object * 1_500..object * 1_500 + 2_000).map(event).collect()).collect();
        let mut by_id: HashMap<u64, HashSet<u64>> = HashMap::new();
        objects.iter().flatten().for_each(|event| _ = by_id.entry(event.id).or_default().insert(event.rest));
        let distinct: u64 = by_id.values().map(|events| events.len() as u64).sum();
        let sharing: u64 = by_id.values().map(|events| events.len() as u64).filter(|events| *events > 1).sum();
        assert!(distinct > FIRST_EVENTS + 100_000);
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
            assert_eq!((seen.duplicates(), seen.sharing_an_id()), (Some(600 * 2_000 - distinct), sharing));
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
