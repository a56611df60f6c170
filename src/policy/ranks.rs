//! The images of one repository, kept sorted for each rule while images come, change and go.
//!
//! What a run takes is read off the sorted sets, so a run costs as much as it takes, however many images
//! stay. A count rule keeps the images that it counts in two sets: the newest, which it keeps, and those
//! beyond the count. An age rule sorts its images by the moment at which they are old enough.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::Policy;
use super::rule::{Count, Seen};

const SECOND_MILLIS: i64 = 1_000;

/// Sort position of an image: the time of its push (or restore), then its key. Keys must come from the
/// logs, so that the order does not depend on who read what first.
type SortKey<K> = (i64, K);

/// What a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken<K> {
    pub key: K,
    /// Index of the rule in the policy.
    pub rule: usize,
    pub pushed_at: Option<i64>,
    /// For an age rule, the moment at which the image became old enough, in milliseconds.
    pub ripe_at: Option<i64>,
}

/// The images of a repository as the rules of one policy sort them.
pub struct Ranks<K> {
    policy: Arc<Policy>,
    rules: Vec<Rank<K>>,
    images: HashMap<K, Entry, RandomState>,
}

struct Rank<K> {
    keeps: Option<u64>,
    newest: BTreeSet<SortKey<K>>,
    beyond: BTreeSet<SortKey<K>>,
    /// Images that the rule may take: for a count rule those beyond the count, by push; for an age rule all
    /// of its images, by the moment at which they are old enough.
    open: BTreeSet<SortKey<K>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    pushed_at: Option<i64>,
    ranked_at: Option<i64>,
    ripe_at: Option<i64>,
    /// The rule that it belongs to, unless an index holds the image or a run has taken it before.
    open: Option<usize>,
    /// The count rules that count the image, as a bit set.
    counted: u64,
}

impl Entry {
    fn rank(&self) -> i64 {
        self.ranked_at.unwrap_or(i64::MIN)
    }
}

impl<K: Copy + Ord + Hash> Ranks<K> {
    pub fn new(policy: impl Into<Arc<Policy>>) -> Self {
        let policy = policy.into();
        let keeps = |count| if let Count::MoreThan(number) = count { Some(number) } else { None };
        let rank =
            |keeps| Rank { keeps, newest: BTreeSet::new(), beyond: BTreeSet::new(), open: BTreeSet::new() };
        let rules = policy.rules.iter().map(|rule| rank(keeps(rule.count))).collect();
        Self { policy, rules, images: HashMap::default() }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Adds an image, or changes one that is there already.
    pub fn set(&mut self, key: K, seen: &Seen<'_>) {
        self.remove(key);
        let rules = self.policy.rules.iter().enumerate().filter(|(_, rule)| rule.class == seen.class);
        let (mut counted, mut first) = (0, None);
        for (index, rule) in rules {
            let counts = matches!(rule.count, Count::MoreThan(_));
            if (counts || first.is_none()) && rule.tags.wants(seen.tags) {
                first = first.or(Some(index));
                counted |= u64::from(counts) << index;
            }
        }
        let ripe_at = first.and_then(|index| self.policy.rules.get(index)?.ripe_at(seen));
        let entry = Entry {
            pushed_at: seen.pushed_at,
            ranked_at: seen.ranked_at(),
            ripe_at,
            open: first.filter(|_| !seen.held),
            counted,
        };
        self.images.insert(key, entry);
        self.open(key, entry);
        for index in bits(counted) {
            self.count(index, (entry.rank(), key));
        }
    }

    /// Removes an image that is gone.
    pub fn remove(&mut self, key: K) {
        let Some(entry) = self.images.remove(&key) else { return };
        self.close(key, entry);
        for index in bits(entry.counted) {
            self.discount(index, (entry.rank(), key));
        }
    }

    /// Marks an image as taken by a run: it still counts, but is not due again.
    pub fn settle(&mut self, key: K) {
        let Some(entry) = self.images.get_mut(&key) else { return };
        let before = *entry;
        entry.open = None;
        self.close(key, before);
    }

    /// What a run at `now` takes, oldest push first. All rules see the same images: what one rule takes,
    /// the others count as well.
    pub fn due(&self, now: i64) -> Vec<Taken<K>> {
        self.due_or_tied(now, |_| false)
    }

    /// The same, but of the images that become old enough in this very second, takes only those for which
    /// `tied` is true: whether a run saw them as due depends on milliseconds that the log does not have.
    pub fn due_or_tied(&self, now: i64, tied: impl Fn(K) -> bool) -> Vec<Taken<K>> {
        let mut due = Vec::new();
        for (index, rank) in self.rules.iter().enumerate() {
            let by_count = rank.keeps.is_some();
            let near =
                rank.open.iter().take_while(|(at, _)| by_count || *at < now.saturating_add(SECOND_MILLIS));
            for (_, key) in near.filter(|(at, key)| by_count || *at < now || tied(*key)) {
                let Some(entry) = self.images.get(key) else { continue };
                due.push(Taken {
                    key: *key,
                    rule: index,
                    pushed_at: entry.pushed_at,
                    ripe_at: entry.ripe_at,
                });
            }
        }
        due.sort_by_key(|taken| (taken.pushed_at, taken.key));
        due
    }

    /// The earliest moment at which a run has something to take if nothing changes before it; `i64::MIN`
    /// where a count rule has something to take already.
    pub fn next_due(&self) -> Option<i64> {
        let first = |rank: &Rank<K>| {
            rank.open.first().map(|(at, _)| if rank.keeps.is_some() { i64::MIN } else { *at })
        };
        self.rules.iter().filter_map(first).min()
    }

    /// Makes an image available to the rule that it belongs to.
    fn open(&mut self, key: K, entry: Entry) {
        let Some(rank) = entry.open.and_then(|index| self.rules.get_mut(index)) else { return };
        // A count rule may only take what is beyond its count; that is worked out where the image is
        // counted.
        if let (None, Some(ripe)) = (rank.keeps, entry.ripe_at) {
            rank.open.insert((ripe, key));
        }
    }

    fn close(&mut self, key: K, entry: Entry) {
        let Some(rank) = entry.open.and_then(|index| self.rules.get_mut(index)) else { return };
        let place = if rank.keeps.is_some() { Some(entry.rank()) } else { entry.ripe_at };
        if let Some(place) = place {
            rank.open.remove(&(place, key));
        }
    }

    fn count(&mut self, index: usize, place: SortKey<K>) {
        let Some(rank) = self.rules.get_mut(index) else { return };
        let keeps = rank.keeps.unwrap_or(u64::MAX);
        rank.newest.insert(place);
        let over = rank.newest.len() as u64 > keeps;
        if let Some(oldest) = over.then(|| rank.newest.pop_first()).flatten() {
            rank.beyond.insert(oldest);
            if self.images.get(&oldest.1).is_some_and(|entry| entry.open == Some(index)) {
                rank.open.insert(oldest);
            }
        }
    }

    fn discount(&mut self, index: usize, place: SortKey<K>) {
        let Some(rank) = self.rules.get_mut(index) else { return };
        if !rank.newest.remove(&place) {
            rank.beyond.remove(&place);
        } else if let Some(next) = rank.beyond.pop_last() {
            rank.open.remove(&next);
            rank.newest.insert(next);
        }
    }
}

/// Indexes of the bits that are set.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let index = set.trailing_zeros() as usize;
        let is_set = set != 0;
        set &= set.wrapping_sub(1);
        is_set.then_some(index)
    })
}
