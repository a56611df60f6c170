//! Numbers the distinct texts of a column, as long as texts repeat often enough.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;

/// Maximum size of a dictionary in bytes: readers keep it in memory.
const BYTES_MAX: usize = 1 << 20;
/// After this many texts, at least half of them must have been repetitions.
const PROBE: usize = 4_096;

/// Distinct texts, numbered in order of first appearance.
#[derive(Default)]
pub(super) struct Dictionary<'b> {
    pub values: Vec<&'b [u8]>,
    /// The number of each row's text.
    pub keys: Vec<u32>,
    numbers: HashMap<&'b [u8], u32, RandomState>,
    last: Option<(&'b [u8], u32)>,
    bytes: usize,
}

impl<'b> Dictionary<'b> {
    /// Adds a text; false once it is clear that texts do not repeat enough.
    #[inline]
    pub(in crate::lake) fn push(&mut self, text: &'b [u8]) -> bool {
        let key = match self.last {
            // Rows are sorted by time, and equal values are often adjacent.
            Some((known, key)) if known == text => key,
            _ => self.number(text),
        };
        self.last = Some((text, key));
        self.keys.push(key);
        self.bytes <= BYTES_MAX && (self.keys.len() != PROBE || self.values.len() <= PROBE / 2)
    }

    fn number(&mut self, text: &'b [u8]) -> u32 {
        match self.numbers.entry(text) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(slot) => {
                self.bytes += text.len() + 4;
                self.values.push(text);
                // No file has that many rows.
                *slot.insert(u32::try_from(self.values.len() - 1).unwrap_or(u32::MAX))
            }
        }
    }

    /// Whether texts repeat enough for a dictionary, asked when all texts have been added.
    pub(super) fn is_worth_it(&self) -> bool {
        !self.values.is_empty() && (self.values.len() <= self.keys.len() / 2 || self.keys.len() < PROBE)
    }

    /// The distinct texts, by number.
    pub(in crate::lake) fn texts(&self) -> impl Iterator<Item = &'b [u8]> {
        self.keys.iter().filter_map(|key| self.values.get(*key as usize).copied())
    }
}
