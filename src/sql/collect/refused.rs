//! Which events must not be taken for granted: those of which some record did not meet the conditions.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::copies::Told;
use crate::sql::error::Result;
use crate::tables::Rows;
use crate::tables::events::IDENTITY;

/// For each event, where its first copy is.
pub type First = HashMap<i64, (String, i64)>;

/// Events with a record that did not meet the conditions.
pub(in crate::sql) struct Refused {
    words: OnceLock<Box<[AtomicU64]>>,
    length: usize,
}

impl Refused {
    pub(super) fn within(memory_bytes_max: u64) -> Self {
        let bytes = (memory_bytes_max / 16).clamp(BYTES_MIN, BYTES_MAX);
        Self { words: OnceLock::new(), length: usize::try_from(bytes / 8).unwrap_or(1) }
    }

    /// Notes the events in `all` that are not in `kept`, which is in the same order.
    pub(super) fn note(&self, all: &[i64], kept: &Rows) -> Result<()> {
        let kept = Told::of(kept)?;
        let mut kept = kept.identities.iter().flatten().peekable();
        for identity in all {
            match kept.next_if_eq(identity) {
                Some(_) => {}
                None => self.insert(*identity),
            }
        }
        Ok(())
    }

    fn insert(&self, identity: i64) {
        let words = self.words.get_or_init(|| bytemuck::zeroed_slice_box(self.length));
        for (word, bit) in places(identity, words.len()) {
            if let Some(word) = words.get(word) {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn may_hold(&self, identity: i64) -> bool {
        let Some(words) = self.words.get() else { return false };
        places(identity, words.len())
            .all(|(word, bit)| words.get(word).is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0))
    }

    /// The kept events that may have such a record.
    pub(super) fn suspects(&self, pieces: &[Rows]) -> Result<HashSet<i64>> {
        let mut suspects = HashSet::new();
        for piece in pieces {
            suspects.extend(
                Told::of(piece)?.identities.iter().flatten().filter(|identity| self.may_hold(*identity)),
            );
        }
        Ok(suspects)
    }
}

/// The filter's words and bits for an event.
fn places(identity: i64, words: usize) -> impl Iterator<Item = (usize, u64)> {
    let mut state = identity.cast_unsigned();
    (0..BITS).map(move |_| {
        state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ 0xd1b5_4a32_d192_ed03;
        let mixed = (state ^ (state >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed >> 6) as usize % words.max(1), 1_u64 << (mixed & 63))
    })
}

/// The identities of a piece, before the conditions are applied.
pub(in crate::sql) fn identities(rows: &Rows) -> Vec<i64> {
    let column =
        rows.columns.iter().find(|(name, _)| *name == IDENTITY).and_then(|(_, column)| column.i64().ok());
    column.map(|column| column.iter().map(Option::unwrap_or_default).collect()).unwrap_or_default()
}

/// Maximum size of the filter in bytes.
const BYTES_MAX: u64 = 64 << 20;

const BYTES_MIN: u64 = 1 << 20;

/// Number of bits set for an event.
const BITS: u32 = 4;
