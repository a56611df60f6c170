//! When each image of a repository is due if nothing is pushed, moved or deleted from now on.

use std::collections::BinaryHeap;

use super::Policy;
use super::rule::{Count, Seen};

/// An image, and since when its state (tags, storage class) has been what it is now.
#[derive(Debug, Clone, Copy)]
pub struct CurrentImage<'t, K> {
    /// The key that images are ordered by when their times are equal; it must come from the logs.
    pub key: K,
    pub seen: Seen<'t>,
    /// Since when the image has belonged to its present rule, in milliseconds; `i64::MIN` where that is not
    /// known.
    pub since: i64,
}

/// What the policy will do with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleForecast {
    /// Index of the rule that the image belongs to.
    pub rule: Option<usize>,
    /// The first moment at which a run may take the image by this rule, in milliseconds.
    pub eligible_at: Option<i64>,
    /// How many more images may be counted before a count rule takes this one. `None` where it is due
    /// already, and for age rules.
    pub survives: Option<u64>,
}

/// Returns one forecast for each image, in the order given. Images that an index holds are not passed in:
/// they stay anyway.
pub fn forecast<K: Copy + Ord>(policy: &Policy, images: &[CurrentImage<'_, K>]) -> Vec<RuleForecast> {
    let mut found: Vec<RuleForecast> = images
        .iter()
        .map(|image| {
            let rule = policy.governing(&image.seen);
            let ripe = rule.and_then(|index| policy.rules.get(index)?.ripe_at(&image.seen));
            RuleForecast { rule, eligible_at: ripe.map(|ripe| ripe.max(image.since)), survives: None }
        })
        .collect();
    for (index, rule) in policy.rules.iter().enumerate() {
        if let Count::MoreThan(keeps) = rule.count {
            let counts = |seen: &Seen<'_>| seen.class == rule.class && rule.tags.wants(seen.tags);
            let mut counted: Vec<(usize, &CurrentImage<'_, K>)> =
                images.iter().enumerate().filter(|(_, image)| counts(&image.seen)).collect();
            counted.sort_by_key(|(_, image)| (image.seen.ranked_at(), image.key));
            by_count(index, keeps, &counted, &mut found);
        }
    }
    found
}

/// `counted`: all images that the rule counts, oldest first. An image has been due since `keeps` newer ones
/// were counted.
fn by_count<K>(
    index: usize,
    keeps: u64,
    counted: &[(usize, &CurrentImage<'_, K>)],
    found: &mut [RuleForecast],
) {
    // A heap of the `keeps` earliest moments at which newer images were counted.
    let mut newer: BinaryHeap<i64> = BinaryHeap::new();
    for (rank, (at, image)) in counted.iter().rev().enumerate() {
        let full = newer.len() as u64 >= keeps;
        if let Some(forecast) = found.get_mut(*at).filter(|forecast| forecast.rule == Some(index)) {
            match full {
                true => {
                    forecast.eligible_at = Some(newer.peek().copied().unwrap_or(i64::MIN).max(image.since))
                }
                false => forecast.survives = Some(keeps - 1 - rank as u64),
            }
        }
        // An image counts since it has been in its present state, and never before its push.
        newer.push(image.since.max(image.seen.ranked_at().unwrap_or(i64::MIN)));
        if newer.len() as u64 > keeps {
            newer.pop();
        }
    }
}
