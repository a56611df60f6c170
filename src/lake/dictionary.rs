//! Distinct texts of a leaf and their numbers, as long as they repeat.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;

/// Bytes of a dictionary, at most: readers keep it in memory, and the fewer repetitions the less it is worth.
const BYTES_MAX: usize = 1 << 20;
/// After as many texts, half of them must have been repetitions.
const PROBE: usize = 4_096;

/// Distinct texts, numbered as they come.
#[derive(Default)]
pub(super) struct Dictionary<'b> {
    pub values: Vec<&'b [u8]>,
    /// The number of each text.
    pub keys: Vec<u32>,
    numbers: HashMap<&'b [u8], u32, RandomState>,
    last: Option<(&'b [u8], u32)>,
    bytes: usize,
}

impl<'b> Dictionary<'b> {
    /// Takes a text; false if it is plain by now that they do not repeat.
    #[inline]
    pub(super) fn push(&mut self, text: &'b [u8]) -> bool {
        let key = match self.last {
            // In the order of time, equal values often stand side by side.
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
                // No file has as many rows as there are numbers.
                *slot.insert(u32::try_from(self.values.len() - 1).unwrap_or(u32::MAX))
            }
        }
    }

    /// Whether it is worth having, when no more texts come.
    pub(super) fn is_worth_it(&self) -> bool {
        !self.values.is_empty() && (self.values.len() <= self.keys.len() / 2 || self.keys.len() < PROBE)
    }

    /// The texts, as they came.
    pub(super) fn texts(&self) -> impl Iterator<Item = &'b [u8]> {
        self.keys.iter().filter_map(|key| self.values.get(*key as usize).copied())
    }
}
