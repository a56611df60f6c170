//! Whether a column's texts repeat, and which are the distinct ones.

use xxhash_rust::xxh3::xxh3_64;

use super::columns::{NULL, Span, Texts, text};

/// Bytes of a dictionary, at most: readers keep it in memory, and the fewer repetitions the less it is worth.
const BYTES_MAX: usize = 1 << 20;
/// After as many values, half of them must have been repetitions.
const PROBE: usize = 4_096;

/// Distinct texts, numbered as they come. A table of numbers, open to the next free slot.
#[derive(Default)]
pub(super) struct Dictionary {
    pub values: Vec<Span>,
    /// The number of each text, NULLs left out.
    pub keys: Vec<u32>,
    /// Number plus one; zero is free. A power of two, at most half full.
    slots: Vec<u32>,
    size: usize,
}

impl Dictionary {
    /// `None` where too few are repetitions, or nothing is there.
    pub(super) fn of(texts: &Texts, bytes: &[u8]) -> Option<Self> {
        let mut dictionary = Self::default();
        let mut last = None;
        for span in texts.spans().filter(|span| *span != NULL) {
            let text = text(bytes, span);
            // In the order of time, equal values often stand side by side.
            let key = match last {
                Some((known, key)) if known == text => key,
                _ => dictionary.key(bytes, span, text)?,
            };
            last = Some((text, key));
            dictionary.keys.push(key);
            if dictionary.keys.len() == PROBE && dictionary.values.len() > PROBE / 2 {
                return None;
            }
        }
        let (values, keys) = (dictionary.values.len(), dictionary.keys.len());
        (values > 0 && (values <= keys / 2 || keys < PROBE)).then_some(dictionary)
    }

    /// The number of a text; `None` when there are too many.
    fn key(&mut self, bytes: &[u8], span: Span, wanted: &[u8]) -> Option<u32> {
        if self.values.len() * 2 >= self.slots.len() {
            self.grow(bytes);
        }
        let mut at = self.home(wanted);
        loop {
            let slot = self.slots.get_mut(at)?;
            match slot.checked_sub(1) {
                Some(key) if text(bytes, *self.values.get(key as usize)?) == wanted => return Some(key),
                Some(_) => at = (at + 1) & (self.slots.len() - 1),
                None => {
                    self.size += wanted.len() + 4;
                    self.values.push(span);
                    *slot = u32::try_from(self.values.len()).ok()?;
                    return (self.size <= BYTES_MAX).then_some(*slot - 1);
                }
            }
        }
    }

    fn home(&self, text: &[u8]) -> usize {
        xxh3_64(text) as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self, bytes: &[u8]) {
        self.slots = vec![0; (self.slots.len() * 2).max(64)];
        for (key, span) in (1..).zip(&self.values) {
            let mut at = self.home(text(bytes, *span));
            while self.slots.get(at).is_some_and(|slot| *slot != 0) {
                at = (at + 1) & (self.slots.len() - 1);
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = key;
            }
        }
    }
}
