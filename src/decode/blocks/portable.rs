//! Eight bytes at a time, on any machine.

use super::{BATCH, Classify, Raw};

/// Eight bytes at a time in an ordinary register.
pub(in crate::decode) struct Portable;

impl Portable {
    /// The bytes that equal `byte`, as bits; `fold` is set in every byte first.
    #[inline(always)]
    fn equal(block: &[u8; 64], byte: u8, fold: u8) -> u64 {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        let mut bits = 0;
        for (n, word) in block.as_chunks::<8>().0.iter().enumerate() {
            let differs = (u64::from_le_bytes(*word) | (ONES * u64::from(fold))) ^ (ONES * u64::from(byte));
            // The high bit of each byte that is zero in `differs`; exact, no carry leaves a byte.
            let equal = !(((differs & LOW_BITS) + LOW_BITS) | differs | LOW_BITS);
            bits |= Self::gather(equal) << (8 * n);
        }
        bits
    }

    /// The multiplication gathers the eight high bits in the top byte.
    #[inline(always)]
    fn gather(high_bits: u64) -> u64 {
        (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    }

    #[inline(always)]
    fn high(block: &[u8; 64]) -> u64 {
        const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
        let gather = |word: &[u8; 8]| Self::gather(u64::from_le_bytes(*word) & HIGH_BITS);
        block.as_chunks::<8>().0.iter().enumerate().fold(0, |bits, (n, word)| bits | gather(word) << (8 * n))
    }
}

impl Classify for Portable {
    #[inline(always)]
    fn classify(&self, block: &[u8; 64]) -> Raw {
        Raw {
            quotes: Self::equal(block, b'"', 0),
            backslashes: Self::equal(block, b'\\', 0),
            opens: Self::equal(block, b'{', 0x20),
            closes: Self::equal(block, b'}', 0x20),
            vs: Self::equal(block, b'v', 0),
            high: Self::high(block),
        }
    }

    fn equal_to(&self, block: &[u8; 64], byte: u8) -> u64 {
        Self::equal(block, byte, 0)
    }

    fn any(&self, words: &[u64; BATCH], bits: u64) -> u64 {
        any(words, bits)
    }
}

#[inline(always)]
pub(super) fn any(words: &[u64; BATCH], bits: u64) -> u64 {
    words.iter().enumerate().fold(0, |found, (n, &word)| found | u64::from(word & bits != 0) << n)
}
