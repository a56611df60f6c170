//! Numbers for the keys of a join: those of the smaller side are numbered, and those of the larger one looked
//! up. So a side with few rows costs little, however many the other has.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use polars::prelude::{DataType, Series, StringChunked};
use polars_arrow::array::{Array, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;

/// Stands for keys that are NULL, or that the smaller side does not have.
pub(super) const NONE: u32 = u32::MAX;

/// A number for each row of both sides; equal numbers, equal keys.
pub(super) struct Numbers {
    pub left: Vec<u32>,
    pub right: Vec<u32>,
    pub count: usize,
}

impl Numbers {
    /// `None` if keys of these types are compared in another way.
    pub fn of(keys: &[(Series, Series)]) -> Option<Self> {
        let ((left, right), others) = keys.split_first()?;
        let is_left_smaller = left.len() <= right.len();
        let Sides { small, large, count } = match (others.is_empty(), is_left_smaller) {
            (true, true) => Sides::of(left, right)?,
            (true, false) => Sides::of(right, left)?,
            (false, _) => {
                let sides = keys.iter().map(|(left, right)| {
                    let (small, large) = if is_left_smaller { (left, right) } else { (right, left) };
                    Some((Column::of(small)?, Column::of(large)?))
                });
                let (small, large): (Vec<Column>, Vec<Column>) =
                    sides.collect::<Option<Vec<_>>>()?.into_iter().unzip();
                Sides::of_several(&small, &large, left.len().min(right.len()), left.len().max(right.len()))?
            }
        };
        let (left, right) = if is_left_smaller { (small, large) } else { (large, small) };
        Some(Self { left, right, count })
    }
}

struct Sides {
    small: Vec<u32>,
    large: Vec<u32>,
    count: usize,
}

impl Sides {
    fn of(small: &Series, large: &Series) -> Option<Self> {
        // A table that is joined with itself is looked at once.
        if Column::of(small)?.is_same(&Column::of(large)?) {
            let Self { small, count, .. } = Self::of_two(small, &large.slice(0, 0))?;
            return Some(Self { large: small.clone(), small, count });
        }
        Self::of_two(small, large)
    }

    fn of_two(small: &Series, large: &Series) -> Option<Self> {
        match (small.dtype(), large.dtype()) {
            (DataType::String, DataType::String) => {
                Some(Self::of_texts(small.str().ok()?, large.str().ok()?))
            }
            (DataType::Int64, DataType::Int64) => {
                Some(Self::of_values(small.i64().ok()?.iter(), large.i64().ok()?.iter()))
            }
            _ => None,
        }
    }

    fn of_texts(small: &StringChunked, large: &StringChunked) -> Self {
        let mut known = KnownTexts::default();
        let small = numbered(small.iter(), is_same_text, |text| known.number(text));
        let large = numbered(large.iter(), is_same_text, |text| known.get(text));
        Self { small, large, count: known.texts.len() }
    }

    fn of_values<V: Copy + Eq + Hash>(
        small: impl Iterator<Item = Option<V>>,
        large: impl Iterator<Item = Option<V>>,
    ) -> Self {
        let mut known: HashMap<V, u32, RandomState> = HashMap::default();
        let is_same = |one, other| one == other;
        let small = numbered(small, is_same, |value| {
            // Rows are counted with 32 bits.
            let next = u32::try_from(known.len()).unwrap_or(NONE);
            *known.entry(value).or_insert(next)
        });
        let large = numbered(large, is_same, |value| known.get(&value).copied().unwrap_or(NONE));
        Self { small, large, count: known.len() }
    }

    /// Rows are numbered by all columns at once: what is equal in one of them alone need not be known.
    fn of_several(
        small: &[Column],
        large: &[Column],
        small_height: usize,
        large_height: usize,
    ) -> Option<Self> {
        let hasher = RandomState::default();
        let small_hashes = hashes(small, small_height, &hasher);
        let is_one = small.iter().zip(large).all(|(small, large)| small.is_same(large));
        let large_hashes = if is_one { Vec::new() } else { hashes(large, large_height, &hasher) };
        // For each number, the hash and the first row with it.
        let mut firsts: Vec<(u64, usize)> = Vec::new();
        let mut table: HashTable<u32> = HashTable::new();
        let mut numbers = Vec::with_capacity(small_height);
        for (row, hash) in small_hashes.into_iter().enumerate() {
            let Some(hash) = hash else {
                numbers.push(NONE);
                continue;
            };
            let is_it = |number: &u32| {
                firsts.get(*number as usize).is_some_and(|(known, first)| {
                    *known == hash && small.iter().all(|column| column.is_equal(*first, column, row))
                })
            };
            let hash_of = |number: &u32| firsts.get(*number as usize).map_or(0, |(hash, _)| *hash);
            match table.entry(hash, is_it, hash_of) {
                Entry::Occupied(known) => numbers.push(*known.get()),
                Entry::Vacant(vacant) => {
                    let number = u32::try_from(firsts.len()).ok()?;
                    vacant.insert(number);
                    firsts.push((hash, row));
                    numbers.push(number);
                }
            }
        }
        if is_one {
            return Some(Self { large: numbers.clone(), small: numbers, count: firsts.len() });
        }
        let find = |(row, hash): (usize, Option<u64>)| {
            let hash = hash?;
            let is_it = |number: &u32| {
                firsts.get(*number as usize).is_some_and(|(known, first)| {
                    let columns = || small.iter().zip(large);
                    *known == hash && columns().all(|(small, large)| small.is_equal(*first, large, row))
                })
            };
            table.find(hash, is_it).copied()
        };
        let found = large_hashes.into_iter().enumerate().map(|at| find(at).unwrap_or(NONE)).collect();
        Some(Self { small: numbers, large: found, count: firsts.len() })
    }
}

/// One of several columns that are equal in a join.
enum Column {
    Texts(Utf8ViewArray),
    Wholes(PrimitiveArray<i64>),
}

impl Column {
    fn of(series: &Series) -> Option<Self> {
        let series = series.rechunk();
        match series.dtype() {
            DataType::String => series.str().ok()?.downcast_iter().next().cloned().map(Self::Texts),
            DataType::Int64 => series.i64().ok()?.downcast_iter().next().cloned().map(Self::Wholes),
            _ => None,
        }
    }

    /// Adds the hash of each row to those of other columns; of NULL, there is none.
    fn hash_into(&self, hashes: &mut [Option<u64>], hasher: &RandomState) {
        match self {
            Self::Texts(texts) => {
                // Rows often have the text of the one before, at the same place.
                let mut last: Option<(&str, u64)> = None;
                for (slot, text) in hashes.iter_mut().zip(texts.iter()) {
                    let hash = text.map(|text| match last {
                        Some((known, hash)) if is_same_text(known, text) => hash,
                        _ => {
                            let hash = hasher.hash_one(text);
                            last = Some((text, hash));
                            hash
                        }
                    });
                    *slot = both(*slot, hash);
                }
            }
            Self::Wholes(wholes) => {
                for (slot, whole) in hashes.iter_mut().zip(wholes.iter()) {
                    *slot = both(*slot, whole.map(|whole| hasher.hash_one(whole)));
                }
            }
        }
    }

    /// Whether it is the same column in memory.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Texts(one), Self::Texts(other)) => {
                std::ptr::eq(one.views().as_slice(), other.views().as_slice())
                    && one.validity().map(Bitmap::as_slice) == other.validity().map(Bitmap::as_slice)
            }
            (Self::Wholes(one), Self::Wholes(other)) => {
                std::ptr::eq(one.values().as_slice(), other.values().as_slice())
                    && one.validity().map(Bitmap::as_slice) == other.validity().map(Bitmap::as_slice)
            }
            _ => false,
        }
    }

    /// Whether the values of two rows, which are not NULL, are equal.
    fn is_equal(&self, row: usize, other: &Self, other_row: usize) -> bool {
        match (self, other) {
            (Self::Texts(one), Self::Texts(other)) => {
                let (one, other) = (one.value(row), other.value(other_row));
                is_same_text(one, other) || one == other
            }
            (Self::Wholes(one), Self::Wholes(other)) => one.value(row) == other.value(other_row),
            _ => false,
        }
    }
}

/// A hash for each row of several columns; `None` where one of them is NULL.
fn hashes(columns: &[Column], height: usize, hasher: &RandomState) -> Vec<Option<u64>> {
    let mut hashes = vec![Some(0); height];
    columns.iter().for_each(|column| column.hash_into(&mut hashes, hasher));
    hashes
}

fn both(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.zip(other).map(|(one, other)| (one.rotate_left(23) ^ other).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Whether two texts are the same, as far as that can be seen at once: rows that have a text of one dictionary
/// have it at one place.
fn is_same_text(one: &str, other: &str) -> bool {
    one.len() == other.len() && std::ptr::eq(one.as_ptr(), other.as_ptr())
}

/// The number of each value; a value that is the same as the one before is not looked up again.
fn numbered<V: Copy>(
    values: impl Iterator<Item = Option<V>>,
    is_same: impl Fn(V, V) -> bool,
    mut number: impl FnMut(V) -> u32,
) -> Vec<u32> {
    let mut last: Option<(V, u32)> = None;
    let number = |value: Option<V>| {
        let Some(value) = value else { return NONE };
        match last {
            Some((known, number)) if is_same(known, value) => number,
            _ => {
                let number = number(value);
                last = Some((value, number));
                number
            }
        }
    };
    values.map(number).collect()
}

/// Texts by number, with their hashes: so another text is hardly ever looked at, nor is a table that grows.
#[derive(Default)]
struct KnownTexts<'t> {
    hasher: RandomState,
    table: HashTable<u32>,
    texts: Vec<(u64, &'t str)>,
}

impl<'t> KnownTexts<'t> {
    fn number(&mut self, text: &'t str) -> u32 {
        let Self { hasher, table, texts } = self;
        let hash = hasher.hash_one(text);
        let hash_of = |number: &u32| texts.get(*number as usize).map_or(0, |(hash, _)| *hash);
        match table.entry(hash, |number| is_it(texts, *number, hash, text), hash_of) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                // Rows are counted with 32 bits.
                let number = u32::try_from(texts.len()).unwrap_or(NONE);
                vacant.insert(number);
                texts.push((hash, text));
                number
            }
        }
    }

    fn get(&self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let found = self.table.find(hash, |number| is_it(&self.texts, *number, hash, text));
        found.copied().unwrap_or(NONE)
    }
}

/// Whether the text of a number is this one. Where it is the same piece of memory, nothing is compared.
fn is_it(texts: &[(u64, &str)], number: u32, hash: u64, text: &str) -> bool {
    texts.get(number as usize).is_some_and(|(known_hash, known)| {
        *known_hash == hash && (is_same_text(known, text) || *known == text)
    })
}

#[cfg(test)]
mod tests {
    use polars::prelude::NamedFrom;

    use super::*;

    fn texts(texts: &[Option<&str>]) -> Series {
        Series::new("".into(), texts)
    }

    #[test]
    fn equal_keys_have_equal_numbers_on_both_sides() {
        let left = texts(&[Some("a"), None, Some("b"), Some("a")]);
        let right = texts(&[Some("c"), Some("b"), None, Some("a"), Some("b"), Some("")]);
        let numbers = Numbers::of(&[(left.clone(), right.clone())]).unwrap();
        assert_eq!((numbers.left, numbers.right), (vec![0, NONE, 1, 0], vec![NONE, 1, NONE, 0, 1, NONE]));
        let numbers = Numbers::of(&[(right, left)]).unwrap();
        assert_eq!(
            (numbers.right, numbers.left, numbers.count),
            (vec![0, NONE, 1, 0], vec![NONE, 1, NONE, 0, 1, NONE], 2)
        );
    }

    #[test]
    fn of_several_keys_all_must_be_equal() {
        let left =
            [texts(&[Some("a"), Some("a"), Some("b"), None]), Series::new("".into(), [1_i64, 2, 1, 1])];
        let right = [
            texts(&[Some("a"), Some("b"), Some("b"), Some("a"), None]),
            Series::new("".into(), [2_i64, 1, 2, 7, 1]),
        ];
        let [a, b] = left;
        let [c, d] = right;
        let numbers = Numbers::of(&[(a, c), (b, d)]).unwrap();
        assert_eq!((numbers.left, numbers.right), (vec![0, 1, 2, NONE], vec![1, 2, NONE, NONE, NONE]));
    }

    #[test]
    fn truths_and_doubles_are_left_to_others() {
        let doubles = || Series::new("".into(), [0.0, -0.0]);
        assert!(Numbers::of(&[(doubles(), doubles())]).is_none());
        assert!(Numbers::of(&[]).is_none());
    }
}
