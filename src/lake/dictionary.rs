//! The texts of a leaf: distinct ones and their numbers, as long as they repeat; else as they are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;

/// Bytes of a dictionary, at most: readers keep it in memory, and the fewer repetitions the less it is worth.
const BYTES_MAX: usize = 1 << 20;
/// After as many values, half of them must have been repetitions.
const PROBE: usize = 4_096;
/// The number of a NULL.
const NULL: u32 = u32::MAX;

/// Texts of a leaf, NULLs among them.
#[derive(Default)]
pub(super) struct Texts<'b> {
    /// NULLs before the first text: most columns have nothing else.
    pub nulls: usize,
    rest: Rest<'b>,
}

/// What comes behind the first NULLs.
enum Rest<'b> {
    Dictionary(Box<Dictionary<'b>>),
    /// Too few repeat.
    Plain(Vec<Option<&'b [u8]>>),
}

impl Default for Rest<'_> {
    fn default() -> Self {
        Self::Dictionary(Box::default())
    }
}

/// Distinct texts, numbered as they come.
#[derive(Default)]
pub(super) struct Dictionary<'b> {
    pub values: Vec<&'b [u8]>,
    /// The number of each text.
    keys: Vec<u32>,
    numbers: HashMap<&'b [u8], u32, RandomState>,
    last: Option<(&'b [u8], u32)>,
    /// Values that are no NULLs.
    count: usize,
    bytes: usize,
}

impl<'b> Texts<'b> {
    #[inline]
    pub(super) fn push(&mut self, text: Option<&'b [u8]>) {
        match (&mut self.rest, text) {
            (Rest::Dictionary(dictionary), None) if dictionary.keys.is_empty() => self.nulls += 1,
            (Rest::Dictionary(dictionary), None) => dictionary.keys.push(NULL),
            (Rest::Dictionary(dictionary), Some(text)) => {
                if !dictionary.push(text) {
                    self.rest = Rest::Plain(dictionary.texts().collect());
                }
            }
            (Rest::Plain(texts), text) => texts.push(text),
        }
    }

    /// No more texts come: now it is known whether they repeat.
    pub(super) fn finish(&mut self) {
        if let Rest::Dictionary(dictionary) = &mut self.rest {
            dictionary.numbers = HashMap::default();
            let repeats = dictionary.values.len() <= dictionary.count / 2 || dictionary.count < PROBE;
            if dictionary.values.is_empty() || !repeats {
                self.rest = Rest::Plain(dictionary.texts().collect());
            }
        }
    }

    pub(super) fn dictionary(&self) -> Option<&Dictionary<'b>> {
        match &self.rest {
            Rest::Dictionary(dictionary) => Some(dictionary),
            Rest::Plain(_) => None,
        }
    }

    /// What comes behind the first NULLs.
    pub(super) fn rest(&self) -> impl Iterator<Item = Option<&'b [u8]>> {
        let (dictionary, plain) = match &self.rest {
            Rest::Dictionary(dictionary) => (Some(dictionary.texts()), None),
            Rest::Plain(texts) => (None, Some(texts.iter().copied())),
        };
        dictionary.into_iter().flatten().chain(plain.into_iter().flatten())
    }
}

impl<'b> Dictionary<'b> {
    /// Takes a text; false if it is plain by now that they do not repeat.
    #[inline]
    fn push(&mut self, text: &'b [u8]) -> bool {
        let key = match self.last {
            // In the order of time, equal values often stand side by side.
            Some((known, key)) if known == text => key,
            _ => self.number(text),
        };
        self.last = Some((text, key));
        self.keys.push(key);
        self.count += 1;
        self.bytes <= BYTES_MAX && (self.count != PROBE || self.values.len() <= PROBE / 2)
    }

    fn number(&mut self, text: &'b [u8]) -> u32 {
        match self.numbers.entry(text) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(slot) => {
                self.bytes += text.len() + 4;
                self.values.push(text);
                // No file has as many rows as there are numbers.
                *slot.insert(u32::try_from(self.values.len() - 1).unwrap_or(NULL - 1))
            }
        }
    }

    fn texts(&self) -> impl Iterator<Item = Option<&'b [u8]>> {
        self.keys.iter().map(|key| self.values.get(*key as usize).copied())
    }

    /// The numbers of the texts, NULLs left out.
    pub(super) fn keys(&self) -> impl Iterator<Item = u32> + Clone {
        self.keys.iter().copied().filter(|key| *key != NULL)
    }
}
