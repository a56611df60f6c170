//! Numbers for the keys of a join: those of the smaller side are numbered, and those of the larger one looked
//! up. So a side with few rows costs little, however many the other has.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use polars::prelude::{DataType, Series, StringChunked};

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
        let ((left, right), _) = keys.split_first()?;
        let is_left_smaller = left.len() <= right.len();
        let mut numbered: Option<Sides> = None;
        for (left, right) in keys {
            let (small, large) = if is_left_smaller { (left, right) } else { (right, left) };
            let sides = Sides::of(small, large)?;
            numbered = Some(match numbered {
                None => sides,
                Some(before) => before.with(sides),
            });
        }
        let Sides { small, large, count } = numbered?;
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

    /// Numbers for the pairs of both numbers.
    fn with(self, other: Self) -> Self {
        let pairs = |one: Vec<u32>, other: Vec<u32>| {
            one.into_iter().zip(other).map(|(a, b)| (a != NONE && b != NONE).then_some((a, b)))
        };
        Self::of_values(pairs(self.small, other.small), pairs(self.large, other.large))
    }
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
