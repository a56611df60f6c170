//! JSON text, 64 bytes at a time: which bytes are brackets, and which of these stand in strings. One bit per byte, so that
//! a block's brackets are counted and not visited.
//!
//! The shape of the algorithm is simdjson's first stage. On x86-64 with AVX2 (asked for at run time) four comparisons
//! classify 32 bytes; elsewhere a portable version does eight at a time.

/// One bit for each byte of a block, the first byte lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Raw {
    pub quotes: u64,
    pub backslashes: u64,
    pub opens: u64,
    pub closes: u64,
}

/// Tells the four kinds of bytes apart.
pub(super) trait Classify {
    fn classify(&self, block: &[u8; 64]) -> Raw;
}

/// The brackets of a block that stand outside strings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Brackets {
    pub opens: u64,
    pub closes: u64,
}

/// What one block has to know of those before it.
#[derive(Debug, Default)]
pub(super) struct Strings {
    /// All ones inside a string.
    inside: u64,
    /// One if the first byte of the next block is escaped.
    escaped: u64,
}

impl Strings {
    /// Takes the brackets in strings out.
    #[inline(always)]
    pub(super) fn outside(&mut self, raw: Raw) -> Brackets {
        let mut quotes = raw.quotes;
        if raw.backslashes | self.escaped != 0 {
            quotes &= !self.escapes(raw.backslashes);
        }
        // Each bit becomes the parity of the quotes up to it: set from an opening quote to just before the closing one.
        let mut inside = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        inside ^= self.inside;
        self.inside = 0_u64.wrapping_sub(inside >> 63);
        Brackets { opens: raw.opens & !inside, closes: raw.closes & !inside }
    }

    /// Which bytes are escaped by a backslash before them. Rare enough to go from backslash to backslash.
    fn escapes(&mut self, backslashes: u64) -> u64 {
        let mut escaped = self.escaped;
        let mut rest = backslashes & !escaped;
        self.escaped = 0;
        while rest != 0 {
            let at = rest.trailing_zeros();
            rest &= rest - 1;
            match 2_u64.checked_shl(at).filter(|_| at < 63) {
                Some(next) => {
                    escaped |= next;
                    rest &= !next;
                }
                None => self.escaped = 1,
            }
        }
        escaped
    }
}

/// A piece of work over [`Classify`], run with the best there is on this machine.
pub(super) trait Task {
    type Output;
    fn run(self, classify: impl Classify) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
pub(super) fn run<T: Task>(task: T) -> T::Output {
    match pulp::x86::V3::try_new() {
        Some(simd) => simd.vectorize(avx2::Vectorized { simd, task }),
        None => task.run(Portable),
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn run<T: Task>(task: T) -> T::Output {
    task.run(Portable)
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::__m256i;

    use pulp::NullaryFnOnce;
    use pulp::x86::V3;

    use super::{Classify, Raw, Task};

    /// A task whose every inlined part may use AVX2.
    pub(super) struct Vectorized<T> {
        pub simd: V3,
        pub task: T,
    }

    impl<T: Task> NullaryFnOnce for Vectorized<T> {
        type Output = T::Output;

        #[inline(always)]
        fn call(self) -> T::Output {
            self.task.run(Avx2 { simd: self.simd })
        }
    }

    struct Avx2 {
        simd: V3,
    }

    // No closures here: they would not be compiled for AVX2, and every instruction would become a call.
    impl Avx2 {
        #[inline(always)]
        fn equal_half(&self, half: __m256i, wanted: __m256i) -> u64 {
            let mask = self.simd.avx2._mm256_movemask_epi8(self.simd.avx2._mm256_cmpeq_epi8(half, wanted));
            u64::from(mask.cast_unsigned())
        }

        #[inline(always)]
        fn equal(&self, low: __m256i, high: __m256i, byte: u8) -> u64 {
            let wanted = self.simd.avx._mm256_set1_epi8(byte.cast_signed());
            self.equal_half(low, wanted) | self.equal_half(high, wanted) << 32
        }
    }

    impl Classify for Avx2 {
        #[inline(always)]
        fn classify(&self, block: &[u8; 64]) -> Raw {
            let [low, high]: [[u8; 32]; 2] = bytemuck::cast(*block);
            let (low, high): (__m256i, __m256i) = (pulp::cast(low), pulp::cast(high));
            // `[` and `{` differ in this bit alone, and so do `]` and `}`; no other byte comes to equal them.
            let bit = self.simd.avx._mm256_set1_epi8(0x20);
            let (folded_low, folded_high) = (self.simd.avx2._mm256_or_si256(low, bit), self.simd.avx2._mm256_or_si256(high, bit));
            Raw {
                quotes: self.equal(low, high, b'"'),
                backslashes: self.equal(low, high, b'\\'),
                opens: self.equal(folded_low, folded_high, b'{'),
                closes: self.equal(folded_low, folded_high, b'}'),
            }
        }
    }
}

/// Eight bytes at a time in an ordinary register.
pub(super) struct Portable;

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
            // The multiplication gathers the eight high bits in the top byte.
            bits |= ((equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * n);
        }
        bits
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
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Byte by byte, as one would do it by hand.
    fn by_hand(text: &[u8]) -> Vec<Brackets> {
        let (mut inside, mut escaped) = (false, false);
        text.chunks(64)
            .map(|block| {
                let mut brackets = Brackets::default();
                for (n, byte) in block.iter().enumerate() {
                    match byte {
                        b'"' if !escaped => inside = !inside,
                        b'{' | b'[' if !inside => brackets.opens |= 1 << n,
                        b'}' | b']' if !inside => brackets.closes |= 1 << n,
                        _ => {}
                    }
                    escaped = *byte == b'\\' && !escaped;
                }
                brackets
            })
            .collect()
    }

    struct All<'t>(&'t [u8]);

    impl Task for All<'_> {
        type Output = Vec<Brackets>;

        #[inline(always)]
        fn run(self, classify: impl Classify) -> Vec<Brackets> {
            let mut strings = Strings::default();
            self.0.as_chunks::<64>().0.iter().map(|block| strings.outside(classify.classify(block))).collect()
        }
    }

    /// A backslash escapes the next byte outside strings, too: JSON has none there, but both readings must agree.
    fn agree(text: &[u8]) {
        let expected = by_hand(text);
        assert_eq!(run(All(text)), expected);
        assert_eq!(All(text).run(Portable), expected);
    }

    proptest! {
        #[test]
        fn agrees_with_a_byte_by_byte_reading(picks in proptest::collection::vec(0_usize..9, 64 * 5)) {
            agree(&picks.iter().map(|&pick| b"\"\\\\{}[]a,"[pick]).collect::<Vec<_>>());
        }

        #[test]
        fn every_byte_is_told_apart(text in proptest::collection::vec(any::<u8>(), 256)) {
            agree(&text);
        }
    }
}
