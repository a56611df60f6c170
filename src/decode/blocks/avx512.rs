//! 64 bytes at a time, with AVX-512.

use std::arch::x86_64::__m512i;

use pulp::x86::V4;

use super::{BATCH, Classify, Raw};

pub(super) struct Avx512 {
    pub simd: V4,
}

impl Avx512 {
    #[inline(always)]
    fn equal(&self, bytes: __m512i, byte: u8) -> u64 {
        self.simd
            .avx512bw
            ._mm512_cmpeq_epi8_mask(bytes, self.simd.avx512f._mm512_set1_epi8(byte.cast_signed()))
    }
}

impl Classify for Avx512 {
    #[inline(always)]
    fn classify(&self, block: &[u8; 64]) -> Raw {
        let bytes: __m512i = pulp::cast(*block);
        let folded = self.simd.avx512f._mm512_or_si512(bytes, self.simd.avx512f._mm512_set1_epi8(0x20));
        Raw {
            quotes: self.equal(bytes, b'"'),
            backslashes: self.equal(bytes, b'\\'),
            opens: self.equal(folded, b'{'),
            closes: self.equal(folded, b'}'),
            vs: self.equal(bytes, b'v'),
            high: self.simd.avx512bw._mm512_movepi8_mask(bytes),
        }
    }

    #[inline(always)]
    fn equal_to(&self, block: &[u8; 64], byte: u8) -> u64 {
        self.equal(pulp::cast(*block), byte)
    }

    #[inline(always)]
    fn any(&self, words: &[u64; BATCH], bits: u64) -> u64 {
        let bits = self.simd.avx512f._mm512_set1_epi64(bits.cast_signed());
        let mut found = 0;
        for (n, &words) in words.as_chunks::<8>().0.iter().enumerate() {
            found |= u64::from(self.simd.avx512f._mm512_test_epi64_mask(pulp::cast(words), bits)) << (8 * n);
        }
        found
    }
}
