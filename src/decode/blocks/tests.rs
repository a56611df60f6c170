//! Compares the block scanner with a reading byte by byte.

use proptest::prelude::*;

use super::portable::Portable;
use super::*;

/// The result for a block: opening brackets, closing brackets, marks, and odd bytes.
type Answer = [u64; 4];

/// The expected results, byte by byte.
fn by_hand(text: &[u8]) -> Vec<Answer> {
    let (mut inside, mut escaped) = (false, false);
    // Whether the previous byte, and the one before it, were quotes that begin or end a string.
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
                    b'u' if escaped => odd |= 1 << n,
                    0x80.. => odd |= 1 << n,
                    _ => {}
                }
                quotes = [is_quote, quotes[0]];
                escaped = *byte == b'\\' && !escaped;
            }
            [opens, closes, marks, odd]
        })
        .collect()
}

/// Reads a whole text, this many blocks at a time.
struct All<'t>(&'t [u8], usize);

impl Task for All<'_> {
    type Output = Vec<Answer>;

    #[inline(always)]
    fn run(self, classify: impl Classify) -> Vec<Answer> {
        let mut batch = Batch::EMPTY;
        let mut answers = Vec::new();
        for blocks in self.0.as_chunks::<64>().0.chunks(self.1) {
            batch.read(blocks, &classify);
            answers.extend(
                (0..blocks.len()).map(|n| [batch.opens[n], batch.closes[n], batch.marks[n], batch.odd[n]]),
            );
        }
        answers
    }
}

/// A backslash also escapes the next byte outside of strings. JSON has none there, but all versions must
/// agree.
fn agree(text: &[u8], blocks: usize) {
    let expected = by_hand(text);
    assert_eq!(run(All(text, blocks)), expected);
    assert_eq!(All(text, blocks).run(Portable), expected);
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        assert_eq!(
            simd.vectorize(Vectorized { classify: avx2::Avx2 { simd }, task: All(text, blocks) }),
            expected
        );
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
        agree(&picks.iter().map(|&pick| b"\"\\\\{}[]auv"[pick]).collect::<Vec<_>>(), blocks);
    }

    #[test]
    fn agrees_over_many_blocks(picks in proptest::collection::vec(0_usize..40, 64 * 140), blocks in 1_usize..=BATCH) {
        agree(&picks.iter().map(|&pick| *b"\"\"\\{}[]vu".get(pick).unwrap_or(&b'a')).collect::<Vec<_>>(), blocks);
    }

    #[test]
    fn every_byte_is_told_apart(text in proptest::collection::vec(proptest::prelude::any::<u8>(), 256)) {
        agree(&text, BATCH);
    }
}
