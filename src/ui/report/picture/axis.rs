//! A time axis that is not linear: the gap between two moments is as wide as the logarithm of its length,
//! so that both 9 seconds and 14 days can be seen.

use crate::model::Timestamp;

/// Moments with their positions, in order.
pub struct Axis {
    places: Vec<(Timestamp, i64)>,
}

impl Axis {
    /// Spreads `moments`, which are in order, over `from` to `to`. No gap is narrower than `narrowest` if
    /// there is room for that.
    pub fn new(moments: &[Timestamp], from: i64, to: i64, narrowest: i64) -> Self {
        let gaps: Vec<f64> = moments.windows(2).map(|pair| weight(pair[0], pair[1])).collect();
        let number = i64::try_from(gaps.len()).unwrap_or(i64::MAX).max(1);
        let least = narrowest.min((to - from) / number);
        let spare = (to - from - least * number).max(0) as f64;
        let total: f64 = gaps.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut sum = 0.0;
        let mut places = Vec::with_capacity(moments.len());
        for (n, moment) in (0_i64..).zip(moments) {
            places.push((*moment, from + least * n + (spare * sum / total).round() as i64));
            sum += usize::try_from(n).ok().and_then(|n| gaps.get(n)).copied().unwrap_or(0.0);
        }
        Self { places }
    }

    /// The position of a time; between two moments, in proportion.
    pub fn place(&self, time: Timestamp) -> i64 {
        let after = self.places.partition_point(|(moment, _)| *moment <= time);
        match (after.checked_sub(1).and_then(|before| self.places.get(before)), self.places.get(after)) {
            (Some((start, low)), Some((end, high))) => {
                let (part, whole) = (
                    i128::from(time.millis() - start.millis()),
                    i128::from(end.millis() - start.millis()).max(1),
                );
                low + i64::try_from(part * i128::from(high - low) / whole).unwrap_or(0)
            }
            (Some((_, place)), None) | (None, Some((_, place))) => *place,
            (None, None) => 0,
        }
    }

    pub fn last(&self) -> i64 {
        self.places.last().map_or(0, |(_, place)| *place)
    }

    /// The position of the moment with this index: two moments in one second have positions of their own.
    pub fn of(&self, number: usize) -> i64 {
        self.places.get(number).map_or(0, |(_, place)| *place)
    }
}

fn weight(from: Timestamp, to: Timestamp) -> f64 {
    (to.seconds_since(from).max(0) as f64).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_seconds_and_fourteen_days_both_read() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let axis = Axis::new(&[at(0), at(9), at(9 + 14 * 86_400)], 100, 900, 20);
        assert_eq!((axis.place(at(0)), axis.last()), (100, 900));
        let (short, long) = (axis.place(at(9)) - 100, 900 - axis.place(at(9)));
        assert!(short > 100 && long > 3 * short, "{short} {long}");
        assert_eq!(
            axis.place(at(9 + 7 * 86_400)),
            axis.place(at(9)) + long / 2,
            "in proportion between two moments"
        );
    }

    #[test]
    fn one_second_twice_and_one_moment_alone_have_places() {
        let at = Timestamp::from_millis(5_000);
        let axis = Axis::new(&[at, at, Timestamp::from_millis(9_000)], 0, 100, 30);
        assert_eq!((axis.of(0), axis.of(1), axis.of(2)), (0, 30, 100));
        assert_eq!(Axis::new(&[at], 7, 100, 30).place(at), 7);
    }
}
