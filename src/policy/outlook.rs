//! When each image of a repository is due, as things stand: nothing is pushed, moved or deleted from now on.

use std::collections::BinaryHeap;

use super::Policy;
use super::rule::{Count, Seen};

/// An image, and since when it has looked as it does to each rule.
#[derive(Debug, Clone, Copy)]
pub struct Joined<'t, K> {
    /// Ordered by something that the logs say.
    pub key: K,
    pub seen: Seen<'t>,
    /// Since when it has belonged to the rule that it belongs to now, in milliseconds; the least there is where that is not known.
    pub since: i64,
}

/// What the policy has in store for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outlook {
    /// Index of the rule that the image belongs to.
    pub rule: Option<usize>,
    /// The first moment from which a run takes it, as far as the rule itself goes.
    pub eligible_at: Option<i64>,
    /// How many more images the rule may come to count before it takes this one; `None` where it takes it already, or goes by age.
    pub survives: Option<u64>,
}

/// One outlook for each image, in the order given. What an index holds stays in any case, and is not looked at here.
pub fn outlook<K: Copy + Ord>(policy: &Policy, images: &[Joined<'_, K>]) -> Vec<Outlook> {
    let mut found: Vec<Outlook> = images
        .iter()
        .map(|image| {
            let rule = policy.governing(&image.seen);
            let ripe = rule.and_then(|index| policy.rules.get(index)?.ripe_at(&image.seen));
            Outlook { rule, eligible_at: ripe.map(|ripe| ripe.max(image.since)), survives: None }
        })
        .collect();
    for (index, rule) in policy.rules.iter().enumerate() {
        if let Count::MoreThan(keeps) = rule.count {
            let counts = |seen: &Seen<'_>| seen.class == rule.class && rule.tags.wants(seen.tags);
            let mut counted: Vec<(usize, &Joined<'_, K>)> = images.iter().enumerate().filter(|(_, image)| counts(&image.seen)).collect();
            counted.sort_by_key(|(_, image)| (image.seen.ranked_at(), image.key));
            by_count(index, keeps, &counted, &mut found);
        }
    }
    found
}

/// `counted`: all that the rule counts, oldest first. An image is due since the moment at which so many newer ones were counted.
fn by_count<K>(index: usize, keeps: u64, counted: &[(usize, &Joined<'_, K>)], found: &mut [Outlook]) {
    // The earliest moments at which newer images were counted, as many as the rule keeps.
    let mut newer: BinaryHeap<i64> = BinaryHeap::new();
    for (rank, (at, image)) in counted.iter().rev().enumerate() {
        let full = newer.len() as u64 >= keeps;
        if let Some(outlook) = found.get_mut(*at).filter(|outlook| outlook.rule == Some(index)) {
            match full {
                true => outlook.eligible_at = Some(newer.peek().copied().unwrap_or(i64::MIN).max(image.since)),
                false => outlook.survives = Some(keeps - 1 - rank as u64),
            }
        }
        // An image is counted once it is there, however long it has looked as it does.
        newer.push(image.since.max(image.seen.ranked_at().unwrap_or(i64::MIN)));
        if newer.len() as u64 > keeps {
            newer.pop();
        }
    }
}
