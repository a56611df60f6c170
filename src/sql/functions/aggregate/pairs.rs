//! Aggregates of pairs of numbers (correlation, regression), bitwise aggregates, unions of maps, and
//! histograms.

use super::input::Input;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::nested_values::{explode, map_of};
use crate::sql::types::relation::Groups;
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;

/// `(y, x)`
type Pair = (f64, f64);

fn means(pairs: &[Pair]) -> Pair {
    let count = pairs.len() as f64;
    (pairs.iter().map(|(y, _)| y).sum::<f64>() / count, pairs.iter().map(|(_, x)| x).sum::<f64>() / count)
}

/// Sums of products of the deviations from the means: y·x, y·y, x·x.
fn products(pairs: &[Pair]) -> (f64, f64, f64) {
    let (mean_y, mean_x) = means(pairs);
    pairs
        .iter()
        .map(|(y, x)| (y - mean_y, x - mean_x))
        .fold((0.0, 0.0, 0.0), |(yx, yy, xx), (y, x)| (yx + y * x, yy + y * y, xx + x * x))
}

pub(super) fn covariance(pairs: &[Pair], less: usize) -> f64 {
    products(pairs).0 / pairs.len().saturating_sub(less) as f64
}

pub(super) fn corr(pairs: &[Pair]) -> f64 {
    let (yx, yy, xx) = products(pairs);
    yx / (yy * xx).sqrt()
}

pub(super) fn slope(pairs: &[Pair]) -> f64 {
    let (yx, _, xx) = products(pairs);
    yx / xx
}

pub(super) fn intercept(pairs: &[Pair]) -> f64 {
    let (y, x) = means(pairs);
    y - slope(pairs) * x
}

fn moments(pairs: &[Pair]) -> (f64, f64, f64, f64) {
    let (mean, _) = means(pairs);
    let sum = |power: i32| pairs.iter().map(|(y, _)| (y - mean).powi(power)).sum::<f64>();
    (pairs.len() as f64, sum(2), sum(3), sum(4))
}

pub(super) fn skewness(pairs: &[Pair]) -> f64 {
    let (n, m2, m3, _) = moments(pairs);
    n.sqrt() * m3 / m2.powf(1.5)
}

pub(super) fn kurtosis(pairs: &[Pair]) -> f64 {
    let (n, m2, _, m4) = moments(pairs);
    (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * n * m4 / (m2 * m2) - 3.0 * (n - 1.0))
}

impl Input<'_> {
    /// A number computed from the pairs of each group in which neither number is NULL; NULL for fewer than
    /// `least` pairs. For calls with one argument, the second number is 0.
    pub(super) fn over_pairs(&self, least: usize, number: impl Fn(&[Pair]) -> f64) -> Result<Values> {
        let y = self.arg(0)?.doubles()?;
        let x = self.args.get(1).map(Values::doubles).transpose()?;
        let mut all: Vec<Vec<Pair>> = self.slots(Vec::new());
        for (group, row) in self.pairs() {
            let x = x.as_ref().map_or(Some(0.0), |x| x.get(row));
            if let (Some(pair), Some(list)) = (y.get(row).zip(x), all.get_mut(group)) {
                list.push(pair);
            }
        }
        let cells = all.iter().map(|pairs| (pairs.len() >= least).then(|| number(pairs)));
        Ok(Values::new(Kind::Double, f64::column(cells.collect())))
    }

    pub(super) fn over_bits(&self, combine: impl Fn(i64, i64) -> i64) -> Result<Values> {
        if !matches!(self.arg(0)?.kind, Kind::Bigint | Kind::Unknown) {
            return Err(SqlError::new(format!("whole numbers have bits, and this is {}", self.arg(0)?.kind)));
        }
        let cells = self.arg(0)?.wholes()?;
        let mut made: Vec<Option<i64>> = self.slots(None);
        for (group, row) in self.pairs() {
            if let (Some(value), Some(slot)) = (cells.get(row), made.get_mut(group)) {
                *slot = Some(slot.map_or(value, |known| combine(known, value)));
            }
        }
        Ok(Values::new(Kind::Bigint, i64::column(made)))
    }

    /// All entries of all maps of a group; if keys are equal, the first one counts.
    pub(super) fn map_union(&self) -> Result<Values> {
        let maps = self.arg(0)?;
        let Kind::Map(key, value) = &maps.kind else {
            return Err(SqlError::new(format!("a map is needed here, and this is {}", maps.kind)));
        };
        let order: Vec<Option<u32>> = self.rows.iter().copied().map(Some).collect();
        let (entries, lengths) = explode(&maps.take(&order)?)?;
        let fields = entries.data.struct_()?.fields_as_series();
        let [keys, values] = fields.as_slice() else { return Err(SqlError::new("a map is needed here")) };
        let args =
            vec![Values::new((**key).clone(), keys.clone()), Values::new((**value).clone(), values.clone())];
        let group = |row: &u32| self.groups.of_row.get(*row as usize).copied().unwrap_or(0);
        let of_row: Vec<u32> = self
            .rows
            .iter()
            .zip(&lengths)
            .flat_map(|(row, length)| std::iter::repeat_n(group(row), length.unwrap_or(0)))
            .collect();
        let rows = (0..u32::try_from(of_row.len()).map_err(|_| SqlError::new("too many rows"))?).collect();
        let groups = Groups { of_row, first: self.groups.first.clone() };
        Input { groups: &groups, rows, args }.map()
    }

    /// `numeric_histogram(buckets, value, weight)`: merges the two nearest values until there are no more
    /// than the requested number.
    pub(super) fn numeric_histogram(&self) -> Result<Values> {
        // Without rows the number of buckets is not known.
        let most = if self.groups.of_row.is_empty() { 2 } else { self.arg(0)?.wholes()?.get(0).unwrap_or(0) };
        let most = usize::try_from(most)
            .ok()
            .filter(|most| *most >= 2)
            .ok_or_else(|| SqlError::new("a histogram has at least 2 buckets"))?;
        let values = self.arg(1)?.doubles()?;
        let weights = self.args.get(2).map(Values::doubles).transpose()?;
        let mut all: Vec<Vec<Pair>> = self.slots(Vec::new());
        for (group, row) in self.pairs() {
            let weight = weights.as_ref().map_or(Some(1.0), |weights| weights.get(row));
            if let (Some(pair), Some(list)) = (values.get(row).zip(weight), all.get_mut(group)) {
                list.push(pair);
            }
        }
        all.iter_mut().for_each(|pairs| buckets(pairs, most));
        let lengths: Vec<Option<usize>> =
            all.iter().map(|pairs| (!pairs.is_empty()).then_some(pairs.len())).collect();
        let (keys, counts): (Vec<_>, Vec<_>) =
            all.iter().flatten().map(|(mean, weight)| (Some(*mean), Some(*weight))).unzip();
        let doubles = |cells| Values::new(Kind::Double, f64::column(cells));
        map_of(&doubles(keys), &doubles(counts), &lengths)
    }
}

/// Number of values that are collected before the nearest are merged.
const BUFFERED: usize = 256;

/// Merges weighted values until there are at most `most`, each the mean of those that it represents.
fn buckets(pairs: &mut Vec<Pair>, most: usize) {
    let mut all: Vec<Pair> = Vec::new();
    for some in pairs.chunks(BUFFERED) {
        all.extend(some);
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 += next.1;
            }
            is_same
        });
        while all.len() > most {
            let gap = |at: usize| all.get(at).zip(all.get(at + 1)).map_or(f64::INFINITY, |(a, b)| b.0 - a.0);
            let Some(at) = (0..all.len() - 1).min_by(|a, b| gap(*a).total_cmp(&gap(*b))) else { break };
            let next = all.remove(at + 1);
            if let Some(slot) = all.get_mut(at) {
                let weight = slot.1 + next.1;
                *slot = ((slot.0 * slot.1 + next.0 * next.1) / weight, weight);
            }
        }
    }
    *pairs = all;
}
