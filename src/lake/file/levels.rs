//! Parquet's repetition and definition levels, which are mostly the same for all rows.

use polars_error::PolarsResult;
use polars_parquet::parquet::encoding::hybrid_rle::encode;

use crate::lake::varint;

/// The levels of a page, in order.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// As long as all levels are equal: the level and how many there are.
    same: u8,
    count: usize,
    /// All levels, once there are different ones.
    all: Vec<u8>,
}

impl Levels {
    #[inline]
    pub(in crate::lake) fn push(&mut self, level: u8) {
        if self.all.is_empty() { self.push_many(level, 1) } else { self.all.push(level) }
    }

    #[inline]
    pub(super) fn push_many(&mut self, level: u8, count: usize) {
        if self.all.is_empty() {
            if self.count == 0 || level == self.same {
                self.same = level;
                self.count += count;
                return;
            }
            self.all = vec![self.same; self.count];
        }
        self.all.resize(self.all.len() + count, level);
    }

    pub(in crate::lake) fn len(&self) -> usize {
        if self.all.is_empty() { self.count } else { self.all.len() }
    }

    pub(in crate::lake) fn iter(&self) -> impl Iterator<Item = u8> {
        let same = if self.all.is_empty() { self.count } else { 0 };
        std::iter::repeat_n(self.same, same).chain(self.all.iter().copied())
    }

    /// Appends the encoded levels, which are at most `max`, preceded by their length.
    pub(in crate::lake) fn put(&self, max: u8, out: &mut Vec<u8>) -> PolarsResult<()> {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        if self.all.is_empty() {
            self.put_run(out)
        } else {
            encode::<u32, _, _>(out, self.all.iter().map(|level| u32::from(*level)), bits(max.into()))?
        }
        let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
        if let Some(slot) = out.get_mut(start..start + 4) {
            slot.copy_from_slice(&length.to_le_bytes());
        }
        Ok(())
    }

    /// Writes a run of equal levels: twice its length as a variable-length integer, then the level.
    fn put_run(&self, out: &mut Vec<u8>) {
        varint::put(self.count << 1, out);
        out.push(self.same);
    }
}

/// Number of bits that a number needs.
pub(in crate::lake) const fn bits(number: u32) -> u32 {
    u32::BITS - number.leading_zeros()
}
