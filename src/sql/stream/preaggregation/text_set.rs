//! Distinct texts, numbered from 0 in the order in which they came: one buffer has them all.
//!
//! A text that hardly repeats costs its bytes, its hash and a cell of the table; nothing is allocated for it
//! alone.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// What a text takes beside its bytes: its hash, its end, and a cell of a table that is half full.
const ENTRY_BYTES: usize = 8 + 8 + 10;

#[derive(Debug, Default)]
pub(super) struct TextSet {
    table: HashTable<u32>,
    hashes: Vec<u64>,
    ends: Vec<usize>,
    all: String,
}

impl TextSet {
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    pub fn get(&self, number: u32) -> Option<&str> {
        text_at(&self.all, &self.ends, number)
    }

    /// The texts with their hashes, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        (0_u32..).zip(&self.hashes).map(|(number, hash)| (*hash, self.get(number).unwrap_or_default()))
    }

    /// Makes room for so many more texts.
    pub fn reserve(&mut self, more: usize) {
        let Self { table, hashes, .. } = self;
        table.reserve(more, |number| hashes.get(*number as usize).copied().unwrap_or_default());
    }

    /// The number of a text, which has this hash, and whether it is new.
    #[inline]
    pub fn add(&mut self, hash: u64, text: &str) -> (u32, bool) {
        let Self { table, hashes, ends, all } = self;
        let is_it = |number: &u32| {
            hashes.get(*number as usize) == Some(&hash) && text_at(all, ends, *number) == Some(text)
        };
        let hash_of = |number: &u32| hashes.get(*number as usize).copied().unwrap_or_default();
        match table.entry(hash, is_it, hash_of) {
            Entry::Occupied(known) => (*known.get(), false),
            Entry::Vacant(vacant) => {
                // A part of the rows of one query: they are counted with 32 bits.
                let number = u32::try_from(ends.len()).unwrap_or(u32::MAX);
                vacant.insert(number);
                hashes.push(hash);
                all.push_str(text);
                ends.push(all.len());
                (number, true)
            }
        }
    }

    /// Memory that it takes, about.
    pub fn bytes(&self) -> usize {
        self.all.len() + self.len() * ENTRY_BYTES
    }
}

#[inline]
fn text_at<'t>(all: &'t str, ends: &[usize], number: u32) -> Option<&'t str> {
    let at = number as usize;
    let start = at.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    all.get(start..*ends.get(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number_whatever_their_hash() {
        let mut set = TextSet::default();
        // All of them have one hash.
        let numbers = ["a", "", "ü", "a", "", "b"].map(|text| set.add(7, text));
        assert_eq!(numbers, [(0, true), (1, true), (2, true), (0, false), (1, false), (3, true)]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [(7, "a"), (7, ""), (7, "ü"), (7, "b")]);
        assert_eq!((set.len(), set.get(2), set.get(4)), (4, Some("ü"), None));
        for number in 0..10_000_u64 {
            assert!(set.add(number, &format!("{number}")).1);
        }
        assert!((0..10_000_u64).all(|number| !set.add(number, &format!("{number}")).1));
    }
}
