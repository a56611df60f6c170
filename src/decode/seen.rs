//! Which eventIDs have been seen: a set of fingerprints of fixed size, shared by all workers without locks.
//!
//! Delivery is at least once, so coverage counts second copies. The set keeps 8 bytes per id in tables that are made when
//! they are needed: up to some thousand ids 64 KiB, up to some 700,000 another 8 MiB, then [`SeenIds::BYTES_MAX`] in all, never more.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The small tables, tried in turn: slots in all, and slots that are tried for one id. An id goes to the first table with
/// room for it. The second holds some 700,000 ids before anything goes on to the large one.
const SMALL: [(usize, usize); 2] = [(1 << 13, 8), (1 << 20, 64)];
/// Slots of the last table: at [`SeenIds::IDS_MAX`] ids it is 77 % full.
const LARGE_SLOTS: usize = 10_000_000;
/// Ids that are looked up together, so that their cache misses overlap.
const BATCH: usize = 16;

/// A set of fingerprints that only grows. Zero is no fingerprint.
///
/// Whether an id is new does not depend on who asks first in any way that shows in the sum: of all insertions of one id
/// exactly one finds it new, whatever the threads and the order. So [`Self::duplicates`] is a function of the evidence alone.
#[derive(Default)]
pub struct SeenIds {
    small: [OnceLock<Box<[AtomicU64]>>; SMALL.len()],
    large: OnceLock<Box<[AtomicU64]>>,
    distinct: AtomicU64,
    inserted: AtomicU64,
    full: AtomicBool,
}

impl SeenIds {
    /// How many distinct ids the set can tell apart.
    pub const IDS_MAX: u64 = 8 << 20;
    /// What the tables take at most.
    pub const BYTES_MAX: usize = (SMALL[0].0 + SMALL[1].0 + LARGE_SLOTS) * 8;

    /// An empty set; takes no memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the fingerprints of one object and returns how many of them had been there, inside this object or before.
    pub fn insert_all(&self, fingerprints: &[u64]) -> u64 {
        self.inserted.fetch_add(fingerprints.len() as u64, Ordering::Relaxed);
        if self.exhausted() {
            return 0;
        }
        let new: u64 = fingerprints.chunks(BATCH).map(|batch| self.insert_batch(batch)).sum();
        self.distinct.fetch_add(new, Ordering::Relaxed);
        fingerprints.len() as u64 - new
    }

    /// Whether more than [`Self::IDS_MAX`] distinct ids have come: then the second copies are not known.
    pub fn exhausted(&self) -> bool {
        self.full.load(Ordering::Relaxed) || self.distinct.load(Ordering::Relaxed) > Self::IDS_MAX
    }

    /// Second copies among everything that was inserted, once all workers are done; `None` if the set is exhausted.
    pub fn duplicates(&self) -> Option<u64> {
        let distinct = self.distinct.load(Ordering::Relaxed);
        (!self.exhausted()).then(|| self.inserted.load(Ordering::Relaxed) - distinct)
    }

    fn insert_batch(&self, batch: &[u64]) -> u64 {
        if let Some(large) = self.large.get().or_else(|| self.small.last().and_then(OnceLock::get)) {
            // The loads do not depend on each other: the processor has many of these misses under way at once.
            let touched = batch.iter().fold(0, |sum, &id| sum ^ large.get(place(id, large.len())).map_or(0, |slot| slot.load(Ordering::Relaxed)));
            std::hint::black_box(touched);
        }
        batch.iter().map(|&id| u64::from(self.insert(id))).sum()
    }

    /// Whether `id` is new.
    fn insert(&self, id: u64) -> bool {
        for (table, (slots, bucket)) in self.small.iter().zip(SMALL) {
            let table = table.get_or_init(|| empty_table(slots));
            let at = place(id, slots);
            if let Some(new) = table.get(at / bucket * bucket..).and_then(|table| probe(table.get(..bucket)?, at % bucket, id)) {
                return new;
            }
        }
        let large = self.large.get_or_init(|| empty_table(LARGE_SLOTS));
        probe(large, place(id, LARGE_SLOTS), id).unwrap_or_else(|| {
            self.full.store(true, Ordering::Relaxed);
            false
        })
    }
}

/// Where a table of `slots` would like to have `id`: the fingerprint's high bits, spread over any size.
fn place(id: u64, slots: usize) -> usize {
    ((u128::from(id) * slots as u128) >> 64) as usize
}

/// Tries the slots of `table` from `start` on, around the end: `Some(true)` if `id` was put there, `Some(false)` if it stood
/// there, `None` if all are taken. A taken slot never changes, so two threads with one id meet at the same slot.
fn probe(table: &[AtomicU64], start: usize, id: u64) -> Option<bool> {
    let (before, from) = table.split_at_checked(start)?;
    from.iter().chain(before).find_map(|slot| {
        let mut held = slot.load(Ordering::Relaxed);
        if held == 0 {
            match slot.compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(true),
                Err(other) => held = other,
            }
        }
        (held == id).then_some(false)
    })
}

/// A table of zeros, whose pages the system gives when they are touched.
fn empty_table(slots: usize) -> Box<[AtomicU64]> {
    bytemuck::zeroed_slice_box(slots)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::decode::fingerprint;

    fn ids(range: std::ops::Range<u64>) -> Vec<u64> {
        range.map(|n| fingerprint(&n.to_le_bytes())).collect()
    }

    #[test]
    fn counts_as_a_hash_set_does() {
        let seen = SeenIds::new();
        let mut oracle = HashSet::new();
        let mut expected = 0;
        for object in 0..400 {
            let batch = ids(object * 150..object * 150 + 200);
            let again = batch.iter().filter(|&&id| !oracle.insert(id)).count() as u64;
            assert_eq!(seen.insert_all(&batch), again);
            expected += again;
        }
        assert_eq!(seen.duplicates(), Some(expected));
        assert!(!seen.exhausted());
    }

    #[test]
    fn a_copy_inside_one_object_counts() {
        let seen = SeenIds::new();
        assert_eq!(seen.insert_all(&[7, 8, 7, 7]), 2);
    }

    #[test]
    fn the_sum_is_the_same_with_any_threads_and_order() {
        let objects: Vec<Vec<u64>> = (0..600).map(|object| ids(object * 70..object * 70 + 140)).collect();
        for threads in [1, 2, 5] {
            let seen = SeenIds::new();
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
            assert_eq!(seen.duplicates(), Some(599 * 70));
        }
    }

    #[test]
    fn more_ids_than_fit_are_admitted() {
        let seen = SeenIds::new();
        seen.insert_all(&ids(0..SeenIds::IDS_MAX));
        assert_eq!(seen.duplicates(), Some(0));
        seen.insert_all(&ids(SeenIds::IDS_MAX..SeenIds::IDS_MAX + 1));
        assert!(seen.exhausted());
        assert_eq!(seen.duplicates(), None);
    }
}
