//! Consecutive blocks whose brackets are being followed: how deep each block is, and which blocks have to
//! be looked at.

use super::{AROUND, DEPTH_SURE, INSIDE};
use crate::decode::blocks::{BATCH, Batch, Classify};

/// A block in which strings are marked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    /// Its position in the text.
    pub(super) base: usize,
    /// Second letters of strings that may be keys of CloudTrail's.
    pub(super) marks: u64,
    pub(super) opens: u64,
    pub(super) closes: u64,
    /// Number of open brackets before it.
    pub(super) depth: u32,
}

impl Block {
    /// Number of open brackets before its byte `bit`.
    #[inline(always)]
    pub(super) fn depth_at(&self, bit: u32) -> u32 {
        let before = (1_u64 << bit) - 1;
        let (opened, closed) = (self.opens & before, self.closes & before);
        self.depth + opened.count_ones() - closed.count_ones()
    }
}

/// The blocks that are being followed.
pub(super) struct Stretch {
    /// The position of the first block in the text.
    pub(super) base: usize,
    pub(super) bits: Batch,
    /// Number of open brackets after each block that has any; filled in as they are followed.
    pub(super) behind: [u32; BATCH],
    /// Number of open brackets before the first block.
    pub(super) depth: u32,
    /// One bit for each block with brackets outside of strings.
    pub(super) bracketed: u64,
    /// One bit for each block with marks.
    pub(super) marked: u64,
    /// One bit for each block with something odd.
    pub(super) odd: u64,
}

impl Stretch {
    pub(super) const EMPTY: Self =
        Self { base: 0, bits: Batch::EMPTY, behind: [0; BATCH], depth: 0, bracketed: 0, marked: 0, odd: 0 };

    /// Reads the next blocks, of which there are at most [`BATCH`].
    #[inline(always)]
    pub(super) fn read(&mut self, blocks: &[[u8; 64]], classify: &impl Classify) {
        self.bits.read(blocks, classify);
        let Batch { opens, closes, marks, odd, .. } = &self.bits;
        // No closure here: it would not be compiled for the vectors of `classify`.
        let read = between(0, blocks.len() - 1);
        self.bracketed = (classify.any(opens, u64::MAX) | classify.any(closes, u64::MAX)) & read;
        self.marked = classify.any(marks, u64::MAX) & read;
        self.odd = classify.any(odd, u64::MAX) & read;
    }

    #[inline(always)]
    pub(super) fn block(&self, number: usize) -> Block {
        let Batch { opens, closes, marks, .. } = &self.bits;
        let at = number % BATCH;
        Block {
            base: self.base + number * 64,
            marks: marks[at],
            opens: opens[at],
            closes: closes[at],
            depth: self.depth_before(number),
        }
    }

    /// Number of open brackets before block `number`.
    #[inline(always)]
    pub(super) fn depth_before(&self, number: usize) -> u32 {
        let before = self.bracketed & ((1 << (number % BATCH)) - 1);
        before.checked_ilog2().map_or(self.depth, |last| self.behind[last as usize % BATCH])
    }

    /// Skips the blocks `rest` that have brackets, with `depth` open before them, up to the next block in
    /// which a record may begin or end. Returns that block with those after it, and the depth.
    ///
    /// Most blocks cannot return to the depth of the list of records, even if all their brackets except
    /// those that open before the first closing one were closing.
    #[inline(always)]
    pub(super) fn go_on(&mut self, mut rest: u64, mut depth: u32) -> (u64, u32) {
        while rest != 0 {
            let number = rest.trailing_zeros() as usize % BATCH;
            let (opens, closes) = (self.bits.opens[number], self.bits.closes[number]);
            let opened_first = (opens & (closes ^ closes.wrapping_sub(1))).count_ones();
            let closed = closes.count_ones();
            let in_a_record = depth.wrapping_sub(INSIDE) < DEPTH_SURE - INSIDE;
            if !in_a_record || depth + opened_first <= AROUND + closed {
                break;
            }
            depth = depth + opens.count_ones() - closed;
            self.behind[number] = depth;
            rest &= rest - 1;
        }
        (rest, depth)
    }

    /// Keeps only the marks after `bit` in block `number`.
    #[inline(always)]
    pub(super) fn forget_marks(&mut self, number: usize, bit: u32) {
        let marks = &mut self.bits.marks[number % BATCH];
        *marks &= !(u64::MAX >> (63 - bit));
        if *marks == 0 {
            self.marked &= !(1 << (number % BATCH));
        }
    }

    /// The marked blocks from `first` to `last`, as bits.
    #[inline(always)]
    pub(super) fn marked(&self, first: usize, last: usize) -> u64 {
        self.marked & between(first, last)
    }
}

/// Bits `first` to `last`, both below 64.
#[inline(always)]
pub(super) fn between(first: usize, last: usize) -> u64 {
    u64::MAX << first & u64::MAX >> (BATCH - 1 - last)
}
