//! 32 bytes at a time, with AVX2.

use std::arch::x86_64::__m256i;

use pulp::x86::V3;

use super::portable::any;
use super::{BATCH, Classify, Raw};

pub(super) struct Avx2 {
    pub simd: V3,
}

// No closures here: they would not be compiled for AVX2, and every instruction would become a call.
impl Avx2 {
    #[inline(always)]
    fn high_bits(&self, half: __m256i) -> u64 {
        u64::from(self.simd.avx2._mm256_movemask_epi8(half).cast_unsigned())
    }

    #[inline(always)]
    fn equal(&self, low: __m256i, high: __m256i, byte: u8) -> u64 {
        let wanted = self.simd.avx._mm256_set1_epi8(byte.cast_signed());
        let (low, high) =
            (self.simd.avx2._mm256_cmpeq_epi8(low, wanted), self.simd.avx2._mm256_cmpeq_epi8(high, wanted));
        self.high_bits(low) | self.high_bits(high) << 32
    }
}

impl Classify for Avx2 {
    #[inline(always)]
    fn classify(&self, block: &[u8; 64]) -> Raw {
        let (low, high) = halves(block);
        // `[` and `{` differ in this bit alone, and so do `]` and `}`; no other byte comes to equal them.
        let bit = self.simd.avx._mm256_set1_epi8(0x20);
        let (folded_low, folded_high) =
            (self.simd.avx2._mm256_or_si256(low, bit), self.simd.avx2._mm256_or_si256(high, bit));
        Raw {
            quotes: self.equal(low, high, b'"'),
            backslashes: self.equal(low, high, b'\\'),
            opens: self.equal(folded_low, folded_high, b'{'),
            closes: self.equal(folded_low, folded_high, b'}'),
            vs: self.equal(low, high, b'v'),
            high: self.high_bits(low) | self.high_bits(high) << 32,
        }
    }

    #[inline(always)]
    fn equal_to(&self, block: &[u8; 64], byte: u8) -> u64 {
        let (low, high) = halves(block);
        self.equal(low, high, byte)
    }

    #[inline(always)]
    fn any(&self, words: &[u64; BATCH], bits: u64) -> u64 {
        any(words, bits)
    }
}

#[inline(always)]
fn halves(block: &[u8; 64]) -> (__m256i, __m256i) {
    let [low, high]: [[u8; 32]; 2] = bytemuck::cast(*block);
    (pulp::cast(low), pulp::cast(high))
}
