//! Numbers values so that equal values have equal numbers, which is what grouping works with.
//!
//! Texts that came from a dictionary are stored once in memory, and each row has a view of its text. As
//! long as texts repeat, rows are compared by their views, without looking at the texts.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use indexmap::IndexSet;
use polars::prelude::{DataType, Int64Chunked, Series, StringChunked};
use polars_arrow::array::Array;

/// After this many different texts, most rows must have been repetitions for views to be useful.
const DISTINCT_PROBE: usize = 1 << 16;
/// Maximum number of cells in the table in which pairs of numbers are looked up.
const TABLE_CELLS_MAX: usize = 1 << 20;

/// A number for each row, counting from 0 in order of first appearance.
pub(in crate::sql) struct GroupIds {
    pub of_row: Vec<u32>,
    pub count: usize,
}

impl GroupIds {
    /// Numbers rows by all `keys`; `None` if that is better done in another way.
    pub fn of(keys: &[Series]) -> Option<Self> {
        let (first, others) = keys.split_first()?;
        others
            .iter()
            .try_fold(Self::of_column(first)?, |numbers, key| Some(numbers.with(&Self::of_column(key)?)))
    }

    /// NULL is a value like others.
    fn of_column(column: &Series) -> Option<Self> {
        match column.dtype() {
            DataType::String => Some(Self::of_texts(column.str().ok()?)),
            DataType::Int64 => Some(Self::of_wholes(column.i64().ok()?)),
            _ => None,
        }
    }

    fn of_texts(texts: &StringChunked) -> Self {
        let (mut of_row, mut by_text) = (Vec::with_capacity(texts.len()), Known::default());
        for chunk in texts.downcast_iter() {
            let mut by_view: HashMap<u128, u32, RandomState> = HashMap::default();
            let (mut last, mut repeat) = (None, true);
            for (row, view) in chunk.views().iter().enumerate() {
                let view = chunk.validity().is_none_or(|valid| valid.get_bit(row)).then(|| view.as_u128());
                let number = match (last, view) {
                    (Some((known, number)), view) if known == view => number,
                    (_, Some(view)) if repeat => {
                        *by_view.entry(view).or_insert_with(|| by_text.number(chunk.get(row)))
                    }
                    _ => by_text.number(chunk.get(row)),
                };
                last = Some((view, number));
                of_row.push(number);
                repeat = by_text.0.len() <= DISTINCT_PROBE || by_text.0.len() <= of_row.len() / 4;
            }
        }
        Self { of_row, count: by_text.0.len() }
    }

    fn of_wholes(wholes: &Int64Chunked) -> Self {
        let mut known = Known::default();
        let of_row = wholes.iter().map(|whole| known.number(whole)).collect();
        Self { of_row, count: known.0.len() }
    }

    /// The first row of each number.
    pub fn firsts(&self) -> Vec<u32> {
        let mut firsts = vec![u32::MAX; self.count];
        for (row, number) in (0_u32..).zip(&self.of_row) {
            if let Some(first) = firsts.get_mut(*number as usize) {
                *first = row.min(*first);
            }
        }
        firsts
    }

    /// Combines both numbers of a row into one.
    pub fn with(self, other: &Self) -> Self {
        if self.count.saturating_mul(other.count) > TABLE_CELLS_MAX {
            return if self.count > other.count { self.with_few(other) } else { other.with_few(&self) };
        }
        let pairs = self.of_row.iter().zip(&other.of_row);
        let (mut table, mut count) = (vec![u32::MAX; self.count * other.count], 0);
        let of_pair = |(a, b): (&u32, &u32)| {
            let cell = table.get_mut(*a as usize * other.count + *b as usize)?;
            if *cell == u32::MAX {
                *cell = count;
                count += 1;
            }
            Some(*cell)
        };
        let of_row = pairs.filter_map(of_pair).collect();
        Self { of_row, count: count as usize }
    }

    /// The same without a table of all pairs. Most of the first numbers, of which there are many, occur in
    /// one pair only: that pair is stored directly, and others are looked up.
    fn with_few(&self, few: &Self) -> Self {
        let mut firsts = vec![(u32::MAX, 0); self.count];
        let mut others: HashMap<(u32, u32), u32, RandomState> = HashMap::default();
        let mut count = 0;
        let of_pair = |(many, few): (&u32, &u32)| {
            let mut next = || {
                count += 1;
                count - 1
            };
            match firsts.get_mut(*many as usize) {
                Some((known, number)) if known == few => *number,
                Some(first @ (u32::MAX, _)) => {
                    *first = (*few, next());
                    first.1
                }
                _ => *others.entry((*many, *few)).or_insert_with(next),
            }
        };
        let of_row = self.of_row.iter().zip(&few.of_row).map(of_pair).collect();
        Self { of_row, count: count as usize }
    }
}

/// Values that have a number. Hashes are stored beside them, so that a growing table need not look at texts
/// again.
struct Known<T>(IndexSet<Option<T>, RandomState>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(IndexSet::default())
    }
}

impl<T: Eq + Hash> Known<T> {
    fn number(&mut self, value: Option<T>) -> u32 {
        // Rows are counted with 32 bits, and there are at most as many values as rows.
        u32::try_from(self.0.insert_full(value).0).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::NamedFrom;

    use super::*;

    #[test]
    fn equal_rows_have_equal_numbers_in_order_of_first_appearance() {
        let long = "a text that does not fit into a view";
        let mut texts = Series::new("".into(), [Some(long), None, Some("b")]);
        // The same text again, at another address.
        texts.append_owned(Series::new("".into(), [Some(long), Some("c"), None])).unwrap();
        let wholes = Series::new("".into(), [Some(7_i64), None, Some(7), Some(7), None, None]);
        assert_eq!(GroupIds::of(&[texts.clone()]).unwrap().of_row, [0, 1, 2, 0, 3, 1]);
        assert_eq!(GroupIds::of(&[texts.rechunk(), wholes.clone()]).unwrap().of_row, [0, 1, 2, 0, 3, 1]);
        let numbers = GroupIds::of(&[wholes, texts]).unwrap();
        assert_eq!((numbers.of_row, numbers.count), (vec![0, 1, 2, 0, 3, 1], 4));
    }

    #[test]
    fn many_texts_that_hardly_repeat_are_told_apart() {
        let text = |row: usize| {
            (row % 70_001 != 7).then(|| format!("a text that is no view of itself, {}", row % 70_001))
        };
        let texts: Vec<Option<String>> = (0..75_000).map(text).collect();
        let numbers = GroupIds::of(&[Series::new("".into(), texts)]).unwrap();
        assert_eq!(numbers.count, 70_001);
        assert!(numbers.of_row.iter().enumerate().all(|(row, number)| *number as usize == row % 70_001));
    }

    #[test]
    fn many_numbers_are_told_apart_without_a_table() {
        let wholes: Vec<i64> = (0..3_000).collect();
        let mirrored: Vec<i64> = wholes.iter().map(|whole| 2_999 - whole).collect();
        let keys = [Series::new("".into(), wholes), Series::new("".into(), mirrored)];
        assert_eq!(GroupIds::of(&keys).unwrap().count, 3_000);
        // Each of many values with several of few, on either side.
        let (many, few): (Vec<i64>, Vec<i64>) =
            (0..90_000_i64).map(|row| (row % 30_000 * 7 % 30_000, row * row % 101 / 2)).unzip();
        let mut known = HashMap::new();
        let expected: Vec<u32> = many
            .iter()
            .zip(&few)
            .map(|pair| {
                let next = known.len() as u32;
                *known.entry(pair).or_insert(next)
            })
            .collect();
        let (many, few) = (Series::new("".into(), &many), Series::new("".into(), &few));
        for keys in [[many.clone(), few.clone()], [few, many]] {
            let numbers = GroupIds::of(&keys).unwrap();
            assert_eq!((numbers.count, &numbers.of_row), (known.len(), &expected));
        }
    }
}
