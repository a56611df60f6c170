//! JSON text, 64 bytes at a time: which bytes are brackets, and which of these stand in strings. One bit per byte, so that
//! a block's brackets are counted and not visited.
//!
//! The shape of the algorithm is simdjson's first stage, done for 64 blocks together: the bytes of each block are told apart,
//! and then all that is left is arithmetic over arrays of words, which compilers turn into vectors by themselves. On x86-64
//! (asked for at run time) five comparisons classify 64 bytes with AVX-512 or 32 with AVX2; elsewhere a portable version does
//! eight at a time.

/// Blocks that are read together.
pub(super) const BATCH: usize = u64::BITS as usize;

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

    /// One bit for each word that has any of `bits`, the first word's lowest.
    fn any(&self, words: &[u64; BATCH], bits: u64) -> u64;
}

/// What is known of up to [`BATCH`] blocks that follow each other; a word a block. Words behind the last block are left over
/// from an earlier batch.
pub(super) struct Batch {
    /// Brackets outside strings.
    pub opens: [u64; BATCH],
    pub closes: [u64; BATCH],
    /// The `v` of `"?v`, the quote being one that begins or ends a string.
    pub marks: [u64; BATCH],
    /// Backslashes, and bytes that are not ASCII.
    pub odd: [u64; BATCH],
    /// Quotes that begin or end a string, from the block before the first on.
    quotes: [u64; BATCH + 1],
    /// One if the first byte of the next block is escaped.
    escaped: u64,
    /// All ones if the first byte of the next block stands in a string.
    inside: u64,
}

impl Batch {
    pub(super) const EMPTY: Self =
        Self { opens: [0; BATCH], closes: [0; BATCH], marks: [0; BATCH], odd: [0; BATCH], quotes: [0; BATCH + 1], escaped: 0, inside: 0 };

    /// Reads the next blocks of a text, at least one and at most [`BATCH`].
    #[inline(always)]
    pub(super) fn read(&mut self, blocks: &[[u8; 64]], classify: &impl Classify) {
        self.classify(blocks, classify);
        // Each bit becomes the parity of the quotes up to it in its block: set from an opening quote to just before the closing
        // one, if the block does not begin in a string.
        let mut inside = [0; BATCH];
        for (inside, quotes) in inside.iter_mut().zip(&self.quotes[1..]) {
            *inside = parity(*quotes);
        }
        let odd_quotes = parity(classify.any(&inside, 1 << 63));
        let starts_inside = (odd_quotes << 1) ^ self.inside;
        for (number, (inside, (opens, closes))) in inside.iter().zip(self.opens.iter_mut().zip(&mut self.closes)).enumerate() {
            let inside = inside ^ 0_u64.wrapping_sub(starts_inside >> number & 1);
            *opens &= !inside;
            *closes &= !inside;
        }
        for (number, marks) in self.marks.iter_mut().enumerate() {
            *marks &= self.quotes[number + 1] << 2 | self.quotes[number] >> 62;
        }
        let last = blocks.len().clamp(1, BATCH) - 1;
        self.inside ^= 0_u64.wrapping_sub(odd_quotes >> last & 1);
        self.quotes[0] = self.quotes[last + 1];
    }

    /// Tells the bytes apart, in strings or not.
    #[inline(always)]
    fn classify(&mut self, blocks: &[[u8; 64]], classify: &impl Classify) {
        let mut escaped = self.escaped;
        let brackets = self.opens.iter_mut().zip(&mut self.closes);
        let places = brackets.zip(&mut self.marks).zip(&mut self.odd).zip(&mut self.quotes[1..]);
        for (block, ((((opens, closes), marks), odd), quotes)) in blocks.iter().zip(places) {
            let raw = classify.classify(block);
            (*opens, *closes, *marks, *odd) = (raw.opens, raw.closes, raw.vs, raw.high | raw.backslashes);
            *quotes = raw.quotes;
            if raw.backslashes | escaped != 0 {
                *quotes &= !escapes(raw.backslashes, &mut escaped);
            }
        }
        self.escaped = escaped;
    }
}

/// Each bit becomes the parity of the bits up to it.
#[inline(always)]
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Which bytes are escaped by a backslash before them: those behind an odd number of backslashes in a row; `escaped` is one
/// if the first byte of the block is, and then if that of the next one is. An addition finds the ends of all such rows at once:
/// a row's first bit carries through to the bit behind its last.
#[inline(always)]
fn escapes(backslashes: u64, escaped: &mut u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let backslashes = backslashes & !*escaped;
    let behind = backslashes << 1 | *escaped;
    let odd_starts = backslashes & !EVEN & !behind;
    let (ends, carried) = odd_starts.overflowing_add(backslashes);
    *escaped = u64::from(carried);
    (EVEN ^ (ends << 1)) & behind
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

    use super::{BATCH, Classify, Raw};

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
        fn any(&self, words: &[u64; BATCH], bits: u64) -> u64 {
            let bits = self.simd.avx512f._mm512_set1_epi64(bits.cast_signed());
            let mut found = 0;
            for (n, &words) in words.as_chunks::<8>().0.iter().enumerate() {
                found |= u64::from(self.simd.avx512f._mm512_test_epi64_mask(pulp::cast(words), bits)) << (8 * n);
            }
            found
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::__m256i;

    use pulp::x86::V3;

    use super::{BATCH, Classify, Raw, any};

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
        fn any(&self, words: &[u64; BATCH], bits: u64) -> u64 {
            any(words, bits)
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

    fn any(&self, words: &[u64; BATCH], bits: u64) -> u64 {
        any(words, bits)
    }
}

#[inline(always)]
fn any(words: &[u64; BATCH], bits: u64) -> u64 {
    words.iter().enumerate().fold(0, |found, (n, &word)| found | u64::from(word & bits != 0) << n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a block is asked for: its opening and closing brackets, its marks, and its bytes that are odd.
    type Answer = [u64; 4];

    /// Byte by byte, as one would do it by hand.
    fn by_hand(text: &[u8]) -> Vec<Answer> {
        let (mut inside, mut escaped) = (false, false);
        // Whether the last byte and the one before it were quotes that begin or end a string.
        let mut quotes = [false; 2];
        text.chunks(64)
            .map(|block| {
                let [mut opens, mut closes, mut marks, mut odd] = [0; 4];
                for (n, byte) in block.iter().enumerate() {
                    let is_quote = *byte == b'"' && !escaped;
                    inside ^= is_quote;
                    match byte {
                        b'{' | b'[' if !inside => opens |= 1 << n,
                        b'}' | b']' if !inside => closes |= 1 << n,
                        b'v' if quotes[1] => marks |= 1 << n,
                        b'\\' | 0x80.. => odd |= 1 << n,
                        _ => {}
                    }
                    quotes = [is_quote, quotes[0]];
                    escaped = *byte == b'\\' && !escaped;
                }
                [opens, closes, marks, odd]
            })
            .collect()
    }

    /// Reads a text, so many blocks at a time.
    struct All<'t>(&'t [u8], usize);

    impl Task for All<'_> {
        type Output = Vec<Answer>;

        #[inline(always)]
        fn run(self, classify: impl Classify) -> Vec<Answer> {
            let mut batch = Batch::EMPTY;
            let mut answers = Vec::new();
            for blocks in self.0.as_chunks::<64>().0.chunks(self.1) {
                batch.read(blocks, &classify);
                answers.extend((0..blocks.len()).map(|n| [batch.opens[n], batch.closes[n], batch.marks[n], batch.odd[n]]));
            }
            answers
        }
    }

    /// A backslash escapes the next byte outside strings, too: JSON has none there, but all readings must agree.
    fn agree(text: &[u8], blocks: usize) {
        let expected = by_hand(text);
        assert_eq!(run(All(text, blocks)), expected);
        assert_eq!(All(text, blocks).run(Portable), expected);
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            assert_eq!(simd.vectorize(Vectorized { classify: avx2::Avx2 { simd }, task: All(text, blocks) }), expected);
        }
    }

    struct Any<'w>(&'w [u64; BATCH], u64);

    impl Task for Any<'_> {
        type Output = u64;

        #[inline(always)]
        fn run(self, classify: impl Classify) -> u64 {
            classify.any(self.0, self.1)
        }
    }

    proptest! {
        #[test]
        fn words_with_some_bit_are_told_from_those_without(chosen: u64, bits in 1_u64.., word: u64) {
            let words = std::array::from_fn(|n| if chosen >> n & 1 == 1 { word | 1 << bits.trailing_zeros() } else { word & !bits });
            assert_eq!(run(Any(&words, bits)), chosen);
            assert_eq!(Portable.any(&words, bits), chosen);
        }

        #[test]
        fn agrees_with_a_byte_by_byte_reading(picks in proptest::collection::vec(0_usize..10, 64 * 5), blocks in 1_usize..=BATCH) {
            agree(&picks.iter().map(|&pick| b"\"\\\\{}[]av,"[pick]).collect::<Vec<_>>(), blocks);
        }

        #[test]
        fn agrees_over_many_blocks(picks in proptest::collection::vec(0_usize..40, 64 * 140), blocks in 1_usize..=BATCH) {
            agree(&picks.iter().map(|&pick| *b"\"\"\\{}[]v".get(pick).unwrap_or(&b'a')).collect::<Vec<_>>(), blocks);
        }

        #[test]
        fn every_byte_is_told_apart(text in proptest::collection::vec(proptest::prelude::any::<u8>(), 256)) {
            agree(&text, BATCH);
        }
    }
}
