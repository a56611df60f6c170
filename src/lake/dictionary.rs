//! Whether a column's texts repeat, and which are the distinct ones.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;

use super::columns::{NULL, Span, Texts, text};

/// Bytes of a dictionary, at most: readers keep it in memory, and the fewer repetitions the less it is worth.
const BYTES_MAX: usize = 1 << 20;
/// After as many values, half of them must have been repetitions.
const PROBE: usize = 4_096;

/// Distinct texts, numbered as they come.
#[derive(Default)]
pub(super) struct Dictionary {
    pub values: Vec<Span>,
    /// The number of each text, NULLs left out.
    pub keys: Vec<u32>,
}

impl Dictionary {
    /// `None` where too few are repetitions, or nothing is there.
    pub(super) fn of(texts: &Texts, bytes: &[u8]) -> Option<Self> {
        let Self { mut values, mut keys } = Self::default();
        let mut numbers: HashMap<&[u8], u32, RandomState> = HashMap::default();
        let (mut size, mut last) = (0, None);
        for span in texts.spans().filter(|span| *span != NULL) {
            let text = text(bytes, span);
            let key = match last {
                // In the order of time, equal values often stand side by side.
                Some((known, key)) if known == text => key,
                _ => match numbers.entry(text) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(slot) => {
                        size += text.len() + 4;
                        values.push(span);
                        if size > BYTES_MAX {
                            return None;
                        }
                        *slot.insert(u32::try_from(values.len() - 1).ok()?)
                    }
                },
            };
            last = Some((text, key));
            keys.push(key);
            if keys.len() == PROBE && values.len() > PROBE / 2 {
                return None;
            }
        }
        let repeats = values.len() <= keys.len() / 2 || keys.len() < PROBE;
        (!values.is_empty() && repeats).then_some(Self { values, keys })
    }
}
