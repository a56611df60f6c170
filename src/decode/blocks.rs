//! JSON text, 64 bytes at a time: which bytes are brackets, and which of these stand in strings. One bit per byte, so that
//! a block's brackets are counted and not visited.
//!
//! The shape of the algorithm is simdjson's first stage. On x86-64 (asked for at run time) five comparisons classify 64 bytes
//! with AVX-512 or 32 with AVX2; elsewhere a portable version does eight at a time.

/// One bit for each byte of a block, the first byte lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Raw {
    pub quotes: u64,
    pub backslashes: u64,
    pub opens: u64,
    pub closes: u64,
    /// The letter `v`, third in every key that begins with `"ev`.
    pub vs: u64,
    /// Bytes that are not ASCII.
    pub high: u64,
}

/// Tells these kinds of bytes apart.
pub(super) trait Classify {
    fn classify(&self, block: &[u8; 64]) -> Raw;

    /// One bit for each of these words that is not zero, the first word's lowest.
    fn not_zero(&self, words: &[u64; 64]) -> u64;
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
    /// The quotes among the last two bytes.
    quotes: u64,
}

impl Strings {
    /// The brackets outside strings, and where `"?v` stands (at its `v`), the quote being one that begins or ends a string.
    #[inline(always)]
    pub(super) fn outside(&mut self, raw: Raw) -> (Brackets, u64) {
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
        let marks = (quotes << 2 | self.quotes) & raw.vs;
        self.quotes = quotes >> 62;
        (Brackets { opens: raw.opens & !inside, closes: raw.closes & !inside }, marks)
    }

    /// Which bytes are escaped by a backslash before them: those behind an odd number of backslashes in a row. An addition
    /// finds the ends of all such rows at once: a row's first bit carries through to the bit behind its last.
    #[inline(always)]
    fn escapes(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let backslashes = backslashes & !self.escaped;
        let behind = backslashes << 1 | self.escaped;
        let odd_starts = backslashes & !EVEN & !behind;
        let (ends, carried) = odd_starts.overflowing_add(backslashes);
        self.escaped = u64::from(carried);
        (EVEN ^ (ends << 1)) & behind
    }
}

/// A piece of work over [`Classify`], run with the best there is on this machine.
pub(super) trait Task {
    type Output;
    fn run(self, classify: impl Classify) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
pub(super) fn run<T: Task>(task: T) -> T::Output {
    if let Some(simd) = pulp::x86::V4::try_new() {
        simd.vectorize(Vectorized { classify: avx512::Avx512 { simd }, task })
    } else if let Some(simd) = pulp::x86::V3::try_new() {
        simd.vectorize(Vectorized { classify: avx2::Avx2 { simd }, task })
    } else {
        task.run(Portable)
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn run<T: Task>(task: T) -> T::Output {
    task.run(Portable)
}

/// A task whose every inlined part may use what its classifier uses.
#[cfg(target_arch = "x86_64")]
struct Vectorized<C, T> {
    classify: C,
    task: T,
}

#[cfg(target_arch = "x86_64")]
impl<C: Classify, T: Task> pulp::NullaryFnOnce for Vectorized<C, T> {
    type Output = T::Output;

    #[inline(always)]
    fn call(self) -> T::Output {
        self.task.run(self.classify)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::__m512i;

    use pulp::x86::V4;

    use super::{Classify, Raw};

    pub(super) struct Avx512 {
        pub simd: V4,
    }

    impl Avx512 {
        #[inline(always)]
        fn equal(&self, bytes: __m512i, byte: u8) -> u64 {
            self.simd.avx512bw._mm512_cmpeq_epi8_mask(bytes, self.simd.avx512f._mm512_set1_epi8(byte.cast_signed()))
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
        fn not_zero(&self, words: &[u64; 64]) -> u64 {
            let mut bits = 0;
            for (n, &words) in words.as_chunks::<8>().0.iter().enumerate() {
                let words: __m512i = pulp::cast(words);
                bits |= u64::from(self.simd.avx512f._mm512_test_epi64_mask(words, words)) << (8 * n);
            }
            bits
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::__m256i;

    use pulp::x86::V3;

    use super::{Classify, Raw, not_zero};

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
            let (low, high) = (self.simd.avx2._mm256_cmpeq_epi8(low, wanted), self.simd.avx2._mm256_cmpeq_epi8(high, wanted));
            self.high_bits(low) | self.high_bits(high) << 32
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
                vs: self.equal(low, high, b'v'),
                high: self.high_bits(low) | self.high_bits(high) << 32,
            }
        }

        #[inline(always)]
        fn not_zero(&self, words: &[u64; 64]) -> u64 {
            not_zero(words)
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

    fn not_zero(&self, words: &[u64; 64]) -> u64 {
        not_zero(words)
    }
}

#[inline(always)]
fn not_zero(words: &[u64; 64]) -> u64 {
    words.iter().enumerate().fold(0, |bits, (n, &word)| bits | u64::from(word != 0) << n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a block is asked for: its brackets, its marks, its bytes that are not ASCII.
    type Answer = (Brackets, u64, u64);

    /// Byte by byte, as one would do it by hand.
    fn by_hand(text: &[u8]) -> Vec<Answer> {
        let (mut inside, mut escaped) = (false, false);
        // Whether the last byte and the one before it were quotes that begin or end a string.
        let mut quotes = [false; 2];
        text.chunks(64)
            .map(|block| {
                let (mut brackets, mut marks, mut high) = (Brackets::default(), 0, 0);
                for (n, byte) in block.iter().enumerate() {
                    let is_quote = *byte == b'"' && !escaped;
                    inside ^= is_quote;
                    match byte {
                        b'{' | b'[' if !inside => brackets.opens |= 1 << n,
                        b'}' | b']' if !inside => brackets.closes |= 1 << n,
                        b'v' if quotes[1] => marks |= 1 << n,
                        0x80.. => high |= 1 << n,
                        _ => {}
                    }
                    quotes = [is_quote, quotes[0]];
                    escaped = *byte == b'\\' && !escaped;
                }
                (brackets, marks, high)
            })
            .collect()
    }

    struct All<'t>(&'t [u8]);

    impl Task for All<'_> {
        type Output = Vec<Answer>;

        #[inline(always)]
        fn run(self, classify: impl Classify) -> Vec<Answer> {
            let mut strings = Strings::default();
            let mut answers = Vec::new();
            for block in self.0.as_chunks::<64>().0 {
                let raw = classify.classify(block);
                let (brackets, marks) = strings.outside(raw);
                answers.push((brackets, marks, raw.high));
            }
            answers
        }
    }

    /// A backslash escapes the next byte outside strings, too: JSON has none there, but all readings must agree.
    fn agree(text: &[u8]) {
        let expected = by_hand(text);
        assert_eq!(run(All(text)), expected);
        assert_eq!(All(text).run(Portable), expected);
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            assert_eq!(simd.vectorize(Vectorized { classify: avx2::Avx2 { simd }, task: All(text) }), expected);
        }
    }

    struct NotZero<'w>(&'w [u64; 64]);

    impl Task for NotZero<'_> {
        type Output = u64;

        #[inline(always)]
        fn run(self, classify: impl Classify) -> u64 {
            classify.not_zero(self.0)
        }
    }

    proptest! {
        #[test]
        fn words_that_are_not_zero_are_told_from_those_that_are(bits: u64, word in 1_u64..) {
            let words = std::array::from_fn(|n| if bits >> n & 1 == 1 { word.rotate_left(n as u32) } else { 0 });
            assert_eq!(run(NotZero(&words)), bits);
            assert_eq!(Portable.not_zero(&words), bits);
        }

        #[test]
        fn agrees_with_a_byte_by_byte_reading(picks in proptest::collection::vec(0_usize..10, 64 * 5)) {
            agree(&picks.iter().map(|&pick| b"\"\\\\{}[]av,"[pick]).collect::<Vec<_>>());
        }

        #[test]
        fn every_byte_is_told_apart(text in proptest::collection::vec(any::<u8>(), 256)) {
            agree(&text);
        }
    }
}
