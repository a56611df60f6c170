//! Which events have been seen: a set of identities of fixed size, shared by all workers.
//!
//! CloudTrail delivers at least once, so the coverage counts second copies. The set consists of two tables
//! with 8 bytes a slot; the system allocates their pages when they are first used. The first table is
//! small, and is enough for most archives. Once it has 629,000 events it does not change any more, and new
//! events go into the second. Together they take [`SeenEvents::BYTES_MAX`], however many records there are.
//! A slot has 32 bits for the `eventID` and 32 for the rest of the identity; its position implies 20 or 22
//! more. Two different events are mistaken for one if those bits agree and their positions are close: at
//! [`SeenEvents::EVENTS_MAX`] events, that happens in one archive of a million.
//!
//! Events with the same id start at the same position, so that ids shared by different events are noticed.
//! To keep search paths short, only the first `TOGETHER_MAX` events with one id are stored together.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use crate::model::Identity;

/// Slots of the first table: 8 MiB.
const FIRST_SLOTS: usize = 1 << 20;
/// Number of events that go into the first table (and those of batches in progress then): it is 60 % full.
const FIRST_EVENTS: u64 = 629_000;
/// Slots of the second table: at [`SeenEvents::EVENTS_MAX`] events it is 71 % full.
const SECOND_SLOTS: usize = 1 << 22;
/// Number of events that are looked up together, so that their cache misses overlap.
const BATCH: usize = 128;
/// A table of which every 128th slot has been written has nearly all of its pages.
const SLOTS_A_PAGE_GIVEN: u64 = 128;
/// Number of events with one id that are stored together; others have positions of their own.
const TOGETHER_MAX: u32 = 8;

/// A set of identities that only grows.
///
/// Exactly one of all insertions of an event finds it new, whatever the threads and the order. So
/// [`Self::duplicates`] depends on the evidence alone.
#[derive(Default)]
pub struct SeenEvents {
    first: OnceLock<Table>,
    second: OnceLock<Table>,
    /// Set when nothing goes into the first table any more. Whoever inserts into that table holds the lock.
    first_closed: RwLock<bool>,
    distinct: AtomicU64,
    inserted: AtomicU64,
    /// Events that found another event with their id.
    beside_others: AtomicU64,
    /// Ids for which a second event was found.
    ids_shared: AtomicU64,
    full: AtomicBool,
}

/// The result of insertions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Inserted {
    new: u64,
    beside_others: u64,
    ids_shared: u64,
}

impl SeenEvents {
    /// How many distinct events the set can tell apart.
    pub const EVENTS_MAX: u64 = 3_600_000;
    /// The size of both tables.
    pub const BYTES_MAX: usize = (FIRST_SLOTS + SECOND_SLOTS) * 8;

    /// An empty set; takes no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts the events of one object; returns how many had been seen before, in this object or earlier.
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

    /// Whether there were more than [`Self::EVENTS_MAX`] distinct events: then the number of second copies
    /// is not known.
    pub fn exhausted(&self) -> bool {
        self.full.load(Ordering::Relaxed) || self.distinct.load(Ordering::Relaxed) > Self::EVENTS_MAX
    }

    /// Number of second copies in everything inserted, once all workers are done; `None` if the set is
    /// exhausted.
    pub fn duplicates(&self) -> Option<u64> {
        let distinct = self.distinct.load(Ordering::Relaxed);
        (!self.exhausted()).then(|| self.inserted.load(Ordering::Relaxed) - distinct)
    }

    /// Number of events whose id another event has, too; if the set is exhausted, those that are known.
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
    /// Counts a new event, which met this many others with its id.
    fn note(&mut self, others: u32) {
        self.new += 1;
        self.beside_others += u64::from(others > 0);
        self.ids_shared += u64::from(others == 1);
    }
}

/// What was found on an event's search path through a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    Itself,
    /// The event was not there, but this many others with its id were; those beyond [`TOGETHER_MAX`] are not
    /// counted.
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

/// How a search path ended.
enum End {
    Itself,
    /// At a free slot, after this many events with the same id.
    Free(u32),
    /// At the limit of events with the same id.
    Crowd,
}

/// A hash table with open addressing. A used slot never changes, so two threads with the same event meet at
/// the same slot.
struct Table(Box<[AtomicU64]>);

impl Table {
    /// `slots`: a power of two.
    fn new(slots: usize) -> Self {
        Self(bytemuck::zeroed_slice_box(slots))
    }

    /// Loads the slots of a batch. The loads are independent, so that the processor can have many of these
    /// misses in progress at once. Not done while the table is new, with few `events` in it, because a page
    /// that is first read and then written is allocated twice.
    fn touch(&self, batch: &[Identity], events: u64) {
        if events > self.0.len() as u64 / SLOTS_A_PAGE_GIVEN {
            let slot = |event: &Identity| {
                self.0.get(self.place(event.id)).map_or(0, |slot| slot.load(Ordering::Relaxed))
            };
            std::hint::black_box(batch.iter().fold(0, |sum, event| sum ^ slot(event)));
        }
    }

    /// Inserts an event unless it is there; `None` if there is no room.
    fn insert(&self, event: &Identity) -> Option<Met> {
        // Not read before it is written, for the same reason as in `touch`.
        self.go(event, |slot, event| {
            match slot.compare_exchange(0, event, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => 0,
                Err(held) => held,
            }
        })
    }

    /// Looks up an event; `None` if it is not there and the table is full.
    fn find(&self, event: &Identity) -> Option<Met> {
        self.go(event, |slot, _| slot.load(Ordering::Relaxed))
    }

    /// Follows an event's search path. `look` returns what a slot contained; for a free slot zero, whatever
    /// it stored there.
    fn go(&self, event: &Identity, look: impl Fn(&AtomicU64, u64) -> u64) -> Option<Met> {
        let Identity { id, rest } = *event;
        Some(match self.follow(id, slot_of(id, rest), TOGETHER_MAX, &look)? {
            End::Itself => Met::Itself,
            End::Free(others) => Met::Others(others),
            // There are too many with this id, so it has a position of its own.
            End::Crowd => {
                let own = id ^ rest.rotate_left(32);
                match self.follow(own, slot_of(own, rest), u32::MAX, &look)? {
                    End::Itself => Met::Itself,
                    _ => Met::Others(TOGETHER_MAX),
                }
            }
        })
    }

    /// From the position of `id` on, wrapping around; `None` if the table is full.
    #[inline(always)]
    fn follow(
        &self,
        id: u64,
        event: u64,
        together_max: u32,
        look: impl Fn(&AtomicU64, u64) -> u64,
    ) -> Option<End> {
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

    /// The preferred position of `id`: its high bits.
    fn place(&self, id: u64) -> usize {
        (id >> (64 - self.0.len().trailing_zeros())) as usize
    }
}

/// The content of a slot: the low bits of both parts; zero means "free".
fn slot_of(id: u64, rest: u64) -> u64 {
    (u64::from((id as u32).max(1)) << 32) | (rest & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::decode::fingerprint;

    fn events(range: std::ops::Range<u64>) -> Vec<Identity> {
        range
            .map(|n| Identity {
                id: fingerprint(&n.to_le_bytes()),
                rest: fingerprint(&(n + 7).to_le_bytes()),
            })
            .collect()
    }

    #[test]
    fn counts_as_a_hash_set_does() {
        let seen = SeenEvents::new();
        let mut oracle = HashSet::new();
        let mut expected = 0;
        // Far into the second table, and then all of the first table again.
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
        // Few ids on many events, so that some ids have more events than are stored together.
        let event = |n: u64| Identity {
            id: fingerprint(&(n % 630_000 * (n % 3)).to_le_bytes()),
            rest: fingerprint(&(n % 840_000).to_le_bytes()),
        };
        let objects: Vec<Vec<Identity>> =
            (0..600).map(|object| (object * 1_500..object * 1_500 + 2_000).map(event).collect()).collect();
        let mut by_id: HashMap<u64, HashSet<u64>> = HashMap::new();
        objects.iter().flatten().for_each(|event| _ = by_id.entry(event.id).or_default().insert(event.rest));
        let distinct: u64 = by_id.values().map(|events| events.len() as u64).sum();
        let sharing: u64 =
            by_id.values().map(|events| events.len() as u64).filter(|events| *events > 1).sum();
        assert!(distinct > FIRST_EVENTS + 100_000);
        assert!(
            by_id.values().any(|events| events.len() > 1_000)
                && by_id.values().any(|events| events.len() == 1)
        );
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
        let events: Vec<Identity> =
            (0..300_000).map(|n: u64| Identity { id: 5, rest: fingerprint(&n.to_le_bytes()) }).collect();
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
