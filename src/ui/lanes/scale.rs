//! The time scale: the gap between two moments is as wide as the logarithm of its length.

use crate::model::Timestamp;

/// Maximum number of moments that get positions of their own; times between them are spread evenly.
const MOMENTS_MAX: usize = 24;

/// Moments in order, each with its position between 0 and 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    moments: Vec<(Timestamp, f64)>,
}

/// The time between two neighbouring moments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    pub from: f64,
    pub until: f64,
    pub seconds: i64,
}

impl Scale {
    /// A scale for these moments. If there are too many, some in the middle get no position of their own.
    pub fn over(mut moments: Vec<Timestamp>) -> Self {
        moments.sort_unstable();
        moments.dedup();
        if moments.len() > MOMENTS_MAX {
            let last = moments.len() - 1;
            moments = (0..MOMENTS_MAX).map(|at| moments[at * last / (MOMENTS_MAX - 1)]).collect();
        }
        // The weights: 1 for a second, and about 11 times that for a day.
        let weight = |pair: &[Timestamp]| (2 + pair[1].seconds_since(pair[0]).max(0)) as f64;
        let weights: Vec<f64> = moments.windows(2).map(|pair| weight(pair).ln()).collect();
        let total: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut at = 0.0;
        let mut placed = Vec::with_capacity(moments.len());
        for (index, moment) in moments.into_iter().enumerate() {
            placed.push((moment, at / total));
            at += weights.get(index).copied().unwrap_or(0.0);
        }
        Self { moments: placed }
    }

    /// The position of a moment, from 0 to 1.
    pub fn place(&self, time: Timestamp) -> f64 {
        let after = self.moments.partition_point(|(moment, _)| *moment <= time);
        let Some((before, start)) = after.checked_sub(1).and_then(|at| self.moments.get(at)) else {
            return 0.0;
        };
        let Some((next, end)) = self.moments.get(after) else { return *start };
        let share =
            (time.millis() - before.millis()) as f64 / (next.millis() - before.millis()).max(1) as f64;
        start + (end - start) * share
    }

    pub fn first(&self) -> Option<Timestamp> {
        self.moments.first().map(|(moment, _)| *moment)
    }

    pub fn last(&self) -> Option<Timestamp> {
        self.moments.last().map(|(moment, _)| *moment)
    }

    /// The gaps between the moments.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> + '_ {
        self.moments.windows(2).map(|pair| Gap {
            from: pair[0].1,
            until: pair[1].1,
            seconds: pair[1].0.seconds_since(pair[0].0),
        })
    }
}
