//! Which eventIDs have been seen: a set of fingerprints of fixed size, shared by all workers without locks.
//!
//! Delivery is at least once, so coverage counts second copies. The set is one table of [`SeenIds::BYTES_MAX`], 4 bytes a
//! slot, whose pages the system gives when they are touched: some thousand records touch most of them, and ten times the
//! records take no more. A slot holds 32 bits of the fingerprint; where it stands tells 22 others. Two different ids are
//! taken for one where those bits agree and their places are close: at [`SeenIds::IDS_MAX`] ids, that happens to one
//! archive in a few hundred, and then the count is one too high.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Slots of the table: at [`SeenIds::IDS_MAX`] ids it is 86 % full.
const SLOTS: usize = 1 << 22;
/// Ids that are looked up together, so that their cache misses overlap.
const BATCH: usize = 128;
/// After so many ids nearly every page of the table has been written to.
const PAGES_GIVEN: u64 = 32_768;

/// A set of fingerprints that only grows.
///
/// Whether an id is new does not depend on who asks first in any way that shows in the sum: of all insertions of one id
/// exactly one finds it new, whatever the threads and the order. So [`Self::duplicates`] is a function of the evidence alone.
#[derive(Default)]
pub struct SeenIds {
    table: OnceLock<Box<[AtomicU32]>>,
    distinct: AtomicU64,
    inserted: AtomicU64,
    full: AtomicBool,
}

impl SeenIds {
    /// How many distinct ids the set can tell apart.
    pub const IDS_MAX: u64 = 3_600_000;
    /// What the table takes at most.
    pub const BYTES_MAX: usize = SLOTS * 4;

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
        let table = self.table.get_or_init(|| bytemuck::zeroed_slice_box(SLOTS));
        let new: u64 = fingerprints.chunks(BATCH).map(|batch| self.insert_batch(table, batch)).sum();
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

    fn insert_batch(&self, table: &[AtomicU32], batch: &[u64]) -> u64 {
        // The loads do not depend on each other: the processor has many of these misses under way at once. Not while the
        // table is new: a page that is first read and then written is given twice.
        if self.distinct.load(Ordering::Relaxed) > PAGES_GIVEN {
            let touched = batch.iter().fold(0, |sum, &id| sum ^ table.get(place(id)).map_or(0, |slot| slot.load(Ordering::Relaxed)));
            std::hint::black_box(touched);
        }
        let insert = |&id: &u64| match probe(table, place(id), remainder(id)) {
            Some(new) => u64::from(new),
            None => {
                self.full.store(true, Ordering::Relaxed);
                0
            }
        };
        batch.iter().map(insert).sum()
    }
}

/// Where the table would like to have `id`: the fingerprint's high bits.
fn place(id: u64) -> usize {
    (id >> (64 - SLOTS.trailing_zeros())) as usize
}

/// What a slot keeps of `id`: its low bits; zero means "free".
fn remainder(id: u64) -> u32 {
    (id as u32).max(1)
}

/// Tries the slots of `table` from `start` on, around the end: `Some(true)` if `id` was put there, `Some(false)` if it stood
/// there, `None` if all are taken. A taken slot never changes, so two threads with one id meet at the same slot.
fn probe(table: &[AtomicU32], start: usize, id: u32) -> Option<bool> {
    let (before, from) = table.split_at_checked(start)?;
    from.iter().chain(before).find_map(|slot| match slot.compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => Some(true),
        Err(held) => (held == id).then_some(false),
    })
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
