//! Distinct texts, numbered from 0 in the order in which they came: one buffer has them all.
//!
//! Texts are added at the end of the buffer, and looked up later, many at once: the table of one part of the
//! texts then stays in the processor's cache. A text that hardly repeats is copied once, and costs its bytes,
//! its hash and a cell of the table; nothing is allocated for it alone.

use std::ops::Range;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::sql::error::{Result, SqlError};
use crate::sql::stream::spill::pack::damaged;

/// What a text takes beside its bytes: its hash, its end, and a cell of a table that is half full.
const ENTRY_BYTES: usize = 8 + 8 + 10;
/// So many texts are worth looking up, even if fewer are known.
const UNSETTLED_MIN: usize = 1 << 10;
/// Where fewer texts than one in so many repeat others, the next ones are not looked up; so many times.
const REPEATED_PART: usize = 8;
const LEFT: u8 = 7;

#[derive(Debug, Default)]
pub(super) struct TextSet {
    /// The numbers of the texts that are settled.
    table: HashTable<u32>,
    hashes: Vec<u64>,
    ends: Vec<usize>,
    /// UTF-8, as only whole texts are added.
    all: Vec<u8>,
    /// So many texts have been looked up, and are distinct.
    settled: usize,
    /// So many have been looked up since the set was empty, with those that repeated others.
    looked_up: usize,
    /// So many times more the set is emptied without a text being looked up: hardly any had repeated.
    left: u8,
}

impl TextSet {
    /// How many texts there are; those that are not settled may repeat others.
    #[inline]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn settled(&self) -> usize {
        self.settled
    }

    /// Whether there are so many texts to look up that it should be done.
    #[inline]
    pub fn is_ripe(&self) -> bool {
        self.is_worth_settling() && self.ends.len() - self.settled > self.settled.max(UNSETTLED_MIN)
    }

    /// Whether texts may repeat others often enough that looking them up makes the set smaller.
    #[inline]
    pub fn is_worth_settling(&self) -> bool {
        self.left == 0
    }

    /// Drops all texts, which are known elsewhere; keeps the memory for the next ones.
    pub fn empty(&mut self) {
        let repeated = self.looked_up - self.settled;
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None if self.looked_up > 0 && repeated < self.looked_up / REPEATED_PART => LEFT,
            None => 0,
        };
        self.table.clear();
        self.hashes.clear();
        self.ends.clear();
        self.all.clear();
        (self.settled, self.looked_up) = (0, 0);
    }

    /// The texts by number.
    pub fn texts(&self) -> Result<TextsOf<'_>> {
        let all = std::str::from_utf8(&self.all).map_err(|_| SqlError::new("a text is no text"))?;
        Ok(TextsOf { all, ends: &self.ends })
    }

    /// The texts by number, with their hashes.
    pub fn hashed(&self) -> Result<impl Iterator<Item = (u64, &str)>> {
        Ok(self.hashes.iter().copied().zip(self.texts()?.iter()))
    }

    /// The bytes of all texts, one text behind the other.
    pub fn all(&self) -> &[u8] {
        &self.all
    }

    /// The lengths of all texts.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        let starts = std::iter::once(&0).chain(&self.ends);
        self.ends.iter().zip(starts).map(|(end, start)| end - start)
    }

    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Adds texts with these hashes and lengths, which `read` adds to the bytes of all.
    pub fn add_all(
        &mut self,
        hashes: impl Iterator<Item = u64>,
        lengths: impl Iterator<Item = usize>,
        read: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let mut end = self.all.len();
        read(&mut self.all)?;
        self.hashes.extend(hashes);
        self.ends.extend(lengths.map(|length| {
            end = end.saturating_add(length);
            end
        }));
        if self.hashes.len() == self.ends.len() && end == self.all.len() { Ok(()) } else { Err(damaged()) }
    }

    /// Makes room for texts of so many bytes.
    pub fn reserve(&mut self, texts: usize, bytes: usize) {
        self.all.reserve(bytes);
        self.hashes.reserve(texts);
        self.ends.reserve(texts);
    }

    /// The bytes of all texts, and where each ends.
    pub fn into_parts(self) -> (Vec<u8>, Vec<usize>) {
        (self.all, self.ends)
    }

    /// Adds a text, given in two pieces; `hash` is that of both.
    #[inline]
    pub fn add(&mut self, hash: u64, start: &str, text: &str) {
        self.all.extend_from_slice(start.as_bytes());
        self.all.extend_from_slice(text.as_bytes());
        self.hashes.push(hash);
        self.ends.push(self.all.len());
    }

    /// Adds all texts of another set.
    pub fn append(&mut self, other: &Self) {
        let start = self.all.len();
        self.all.extend_from_slice(&other.all);
        self.hashes.extend_from_slice(&other.hashes);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    /// Looks up the texts that have been added since the last time, and drops those that repeat others.
    /// Returns the number of each; new ones have the next numbers.
    pub fn settle(&mut self) -> Vec<u32> {
        let Self { table, hashes, ends, all, settled, looked_up, .. } = self;
        let (first, count) = (*settled, ends.len());
        table.reserve(count - first, |number| hash_at(hashes, *number));
        let mut start = first.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
        // The end of the texts that are settled, and their number.
        let (mut end, mut next) = (start, first);
        let mut numbers = Vec::with_capacity(count - first);
        for at in first..count {
            let (Some(hash), Some(stop)) = (hashes.get(at).copied(), ends.get(at).copied()) else { break };
            let text = all.get(start..stop);
            let is_it = |number: &u32| {
                hashes.get(*number as usize) == Some(&hash) && text_at(all, ends, *number as usize) == text
            };
            match table.entry(hash, is_it, |number| hash_at(hashes, *number)) {
                Entry::Occupied(known) => numbers.push(*known.get()),
                Entry::Vacant(vacant) => {
                    // A part of the rows of one query: they are counted with 32 bits.
                    let number = u32::try_from(next).unwrap_or(u32::MAX);
                    vacant.insert(number);
                    numbers.push(number);
                    if start != end {
                        all.copy_within(start..stop, end);
                    }
                    end += stop - start;
                    if let (Some(known), Some(known_end)) = (hashes.get_mut(next), ends.get_mut(next)) {
                        (*known, *known_end) = (hash, end);
                    }
                    next += 1;
                }
            }
            start = stop;
        }
        all.truncate(end);
        hashes.truncate(next);
        ends.truncate(next);
        *settled = next;
        *looked_up += count - first;
        numbers
    }

    /// Memory that it takes, about.
    pub fn bytes(&self) -> usize {
        self.all.len() + self.len() * ENTRY_BYTES
    }
}

/// The texts of a set.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextsOf<'s> {
    all: &'s str,
    ends: &'s [usize],
}

impl<'s> TextsOf<'s> {
    #[inline]
    pub fn get(&self, number: usize) -> Option<&'s str> {
        self.all.get(span(self.ends, number)?)
    }

    pub fn iter(self) -> impl Iterator<Item = &'s str> {
        (0..self.ends.len()).filter_map(move |number| self.get(number))
    }
}

#[inline]
fn hash_at(hashes: &[u64], number: u32) -> u64 {
    hashes.get(number as usize).copied().unwrap_or_default()
}

#[inline]
fn text_at<'t>(all: &'t [u8], ends: &[usize], number: usize) -> Option<&'t [u8]> {
    all.get(span(ends, number)?)
}

/// Where a text stands among all.
#[inline]
fn span(ends: &[usize], number: usize) -> Option<Range<usize>> {
    let start = number.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    Some(start..*ends.get(number)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number_whatever_their_hash() {
        let mut set = TextSet::default();
        // All of them have one hash.
        ["a", "", "ü", "a", "", "b"].iter().for_each(|text| set.add(7, "", text));
        assert_eq!((set.len(), set.settle(), set.settle()), (6, vec![0, 1, 2, 0, 1, 3], vec![]));
        assert_eq!(set.texts().unwrap().iter().collect::<Vec<_>>(), ["a", "", "ü", "b"]);
        // Known ones and new ones, in pieces.
        [("ü", ""), ("", "c"), ("a", "b"), ("", "c")]
            .iter()
            .for_each(|(start, text)| set.add(7, start, text));
        assert_eq!((set.settle(), set.settled()), (vec![2, 4, 5, 4], 6));
        assert_eq!(set.texts().unwrap().iter().collect::<Vec<_>>(), ["a", "", "ü", "b", "c", "ab"]);
        assert_eq!((set.texts().unwrap().get(5), set.texts().unwrap().get(6)), (Some("ab"), None));
    }

    #[test]
    fn many_texts_are_told_apart_in_whatever_pieces_they_come() {
        let (mut one, mut other) = (TextSet::default(), TextSet::default());
        let add = |set: &mut TextSet, number: u64| set.add(number % 1_000, "", &number.to_string());
        (0..10_000).for_each(|number| add(&mut one, number));
        assert!(one.is_ripe());
        assert_eq!(one.settle(), (0..10_000).collect::<Vec<u32>>());
        assert!(!one.is_ripe());
        (5_000..15_000).rev().for_each(|number| add(&mut other, number));
        other.settle();
        one.append(&other);
        let numbers = one.settle();
        assert_eq!((numbers.len(), one.len()), (10_000, 15_000));
        let texts = one.texts().unwrap();
        let are_there = (5_000..15_000_u64)
            .rev()
            .zip(&numbers)
            .all(|(value, number)| texts.get(*number as usize) == Some(value.to_string().as_str()));
        assert!(are_there);
    }
    #[test]
    fn texts_that_hardly_repeat_are_not_looked_up_for_some_time() {
        let mut set = TextSet::default();
        // The first time all are different, and later all are the same.
        (0..2_000_u64).for_each(|number| set.add(number, "", &number.to_string()));
        assert!(set.is_worth_settling() && set.is_ripe());
        set.settle();
        set.empty();
        for _ in 0..LEFT {
            assert!(!set.is_worth_settling());
            (0..2_000).for_each(|_| set.add(7, "", "same"));
            assert!(!set.is_ripe());
            assert_eq!((set.len(), set.settled()), (2_000, 0));
            set.empty();
        }
        for _ in 0..3 {
            assert!(set.is_worth_settling());
            (0..2_000).for_each(|_| set.add(7, "", "same"));
            assert!(set.is_ripe());
            assert_eq!(set.settle(), [0; 2_000]);
            set.empty();
        }
    }

    #[test]
    fn what_is_read_is_added_only_if_it_is_whole() {
        let mut set = TextSet::default();
        set.add(1, "a", "b");
        let read = |all: &mut Vec<u8>| {
            all.extend_from_slice(b"abc");
            Ok(())
        };
        set.add_all([1, 2].into_iter(), [2, 1].into_iter(), read).unwrap();
        assert_eq!(set.lengths().collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(
            (set.settle(), set.texts().unwrap().iter().collect::<Vec<_>>()),
            (vec![0, 0, 1], vec!["ab", "c"])
        );
        assert!(set.add_all([1, 2].into_iter(), [2, 2].into_iter(), read).is_err());
    }
}
