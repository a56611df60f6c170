//! The images of one repository in the order of its rules, kept while images come, change and go.
//!
//! A run asks what is due; that costs what it takes and no more, however many images stay. A count rule keeps the images that
//! it counts in two sets, the newest and those beyond; an age rule keeps its own by the moment at which they are ripe.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::Policy;
use super::rule::{Count, Seen};

const SECOND_MILLIS: i64 = 1_000;

/// An image among others: by push (or restore), then by its key. Keys must be ordered by something that the logs say.
type Place<K> = (i64, K);

/// What a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken<K> {
    pub key: K,
    /// Index of the rule in the policy.
    pub rule: usize,
    pub pushed_at: Option<i64>,
    /// For an age rule, since when it was old enough.
    pub ripe_at: Option<i64>,
}

/// The images of a repository, as the rules of one policy rank them.
pub struct Ranks<K> {
    policy: Arc<Policy>,
    rules: Vec<Rank<K>>,
    images: HashMap<K, Entry, RandomState>,
}

struct Rank<K> {
    keeps: Option<u64>,
    newest: BTreeSet<Place<K>>,
    beyond: BTreeSet<Place<K>>,
    /// Images that the rule may act on: for a count rule those beyond the count, by push; for an age rule all, by ripeness.
    open: BTreeSet<Place<K>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    pushed_at: Option<i64>,
    ranked_at: Option<i64>,
    ripe_at: Option<i64>,
    /// The rule it belongs to, unless something holds it or a run had it already.
    open: Option<usize>,
    /// Count rules that count it, a bit each.
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
        let rank = |keeps| Rank { keeps, newest: BTreeSet::new(), beyond: BTreeSet::new(), open: BTreeSet::new() };
        let rules = policy.rules.iter().map(|rule| rank(keeps(rule.count))).collect();
        Self { policy, rules, images: HashMap::default() }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The image is there, and looks like this now.
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
        let entry = Entry { pushed_at: seen.pushed_at, ranked_at: seen.ranked_at(), ripe_at, open: first.filter(|_| !seen.held), counted };
        self.images.insert(key, entry);
        self.open(key, entry);
        for index in bits(counted) {
            self.count(index, (entry.rank(), key));
        }
    }

    /// The image is not there any more.
    pub fn remove(&mut self, key: K) {
        let Some(entry) = self.images.remove(&key) else { return };
        self.close(key, entry);
        for index in bits(entry.counted) {
            self.discount(index, (entry.rank(), key));
        }
    }

    /// A run had the image: it counts as before, and is not due again.
    pub fn settle(&mut self, key: K) {
        let Some(entry) = self.images.get_mut(&key) else { return };
        let before = *entry;
        entry.open = None;
        self.close(key, before);
    }

    /// What a run at `now` takes, oldest push first. All rules see the same images: what one takes, the others have counted.
    pub fn due(&self, now: i64) -> Vec<Taken<K>> {
        self.due_or_tied(now, |_| false)
    }

    /// The same; of what is old enough in this very second, which a run may have or not have, those for which `tied` says that it had.
    pub fn due_or_tied(&self, now: i64, tied: impl Fn(K) -> bool) -> Vec<Taken<K>> {
        let mut due = Vec::new();
        for (index, rank) in self.rules.iter().enumerate() {
            let by_count = rank.keeps.is_some();
            let near = rank.open.iter().take_while(|(at, _)| by_count || *at < now.saturating_add(SECOND_MILLIS));
            for (_, key) in near.filter(|(at, key)| by_count || *at < now || tied(*key)) {
                let Some(entry) = self.images.get(key) else { continue };
                due.push(Taken { key: *key, rule: index, pushed_at: entry.pushed_at, ripe_at: entry.ripe_at });
            }
        }
        due.sort_by_key(|taken| (taken.pushed_at, taken.key));
        due
    }

    /// The moment after which a run has something to take, if nothing changes before: the least there is where it has already.
    pub fn next_due(&self) -> Option<i64> {
        let first = |rank: &Rank<K>| rank.open.first().map(|(at, _)| if rank.keeps.is_some() { i64::MIN } else { *at });
        self.rules.iter().filter_map(first).min()
    }

    /// Lets the rule that it belongs to act on the image, where it can.
    fn open(&mut self, key: K, entry: Entry) {
        let Some(rank) = entry.open.and_then(|index| self.rules.get_mut(index)) else { return };
        // Of a count rule only what is beyond the count is open, which counting it will tell.
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

    fn count(&mut self, index: usize, place: Place<K>) {
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

    fn discount(&mut self, index: usize, place: Place<K>) {
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
