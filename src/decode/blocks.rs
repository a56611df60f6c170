//! Scans JSON text 64 bytes at a time: which bytes are brackets, and which of these are inside of strings.
//! One bit for each byte, so that brackets can be counted without visiting them.
//!
//! The algorithm is that of simdjson's first stage, applied to 64 blocks together: first the bytes of each
//! block are classified, and then the rest is arithmetic over arrays of words, which compilers vectorise by
//! themselves. On x86-64 (detected at run time) five comparisons classify 64 bytes with AVX-512 or 32 with
//! AVX2; elsewhere a portable version does eight bytes at a time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(test)]
mod tests;

pub(super) use portable::Portable;

/// Number of blocks that are read together.
pub(super) const BATCH: usize = u64::BITS as usize;

/// One bit for each byte of a block, the first byte in the lowest bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Raw {
    pub quotes: u64,
    pub backslashes: u64,
    pub opens: u64,
    pub closes: u64,
    /// The letter `v`, which is the third character of every key that begins with `"ev`.
    pub vs: u64,
    /// Bytes that are not ASCII.
    pub high: u64,
}

/// Classifies bytes.
pub(super) trait Classify {
    fn classify(&self, block: &[u8; 64]) -> Raw;

    /// The bytes that equal this one.
    fn equal_to(&self, block: &[u8; 64], byte: u8) -> u64;

    /// One bit for each word that has any of `bits`, the first word in the lowest bit.
    fn any(&self, words: &[u64; BATCH], bits: u64) -> u64;
}

/// The results for up to [`BATCH`] consecutive blocks, one word for each. Words after the last block are
/// left over from an earlier batch.
pub(super) struct Batch {
    /// Brackets outside strings.
    pub opens: [u64; BATCH],
    pub closes: [u64; BATCH],
    /// The `v` in `"?v`, where the quote begins or ends a string.
    pub marks: [u64; BATCH],
    /// The `u` of escapes, and bytes that are not ASCII.
    pub odd: [u64; BATCH],
    /// Quotes that begin or end a string, starting with the block before the first.
    quotes: [u64; BATCH + 1],
    /// One if the first byte of the next block is escaped.
    escaped: u64,
    /// All ones if the first byte of the next block is inside of a string.
    inside: u64,
}

impl Batch {
    pub(super) const EMPTY: Self = Self {
        opens: [0; BATCH],
        closes: [0; BATCH],
        marks: [0; BATCH],
        odd: [0; BATCH],
        quotes: [0; BATCH + 1],
        escaped: 0,
        inside: 0,
    };

    /// Reads the next blocks of a text, at least one and at most [`BATCH`].
    #[inline(always)]
    pub(super) fn read(&mut self, blocks: &[[u8; 64]], classify: &impl Classify) {
        self.classify(blocks, classify);
        // Each bit becomes the parity of the quotes before it in its block: set from an opening quote to
        // just before the closing one, if the block does not begin inside of a string.
        let mut inside = [0; BATCH];
        for (inside, quotes) in inside.iter_mut().zip(&self.quotes[1..]) {
            *inside = parity(*quotes);
        }
        let odd_quotes = parity(classify.any(&inside, 1 << 63));
        let starts_inside = (odd_quotes << 1) ^ self.inside;
        for (number, (inside, (opens, closes))) in
            inside.iter().zip(self.opens.iter_mut().zip(&mut self.closes)).enumerate()
        {
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

    /// Classifies the bytes, whether inside of strings or not.
    #[inline(always)]
    fn classify(&mut self, blocks: &[[u8; 64]], classify: &impl Classify) {
        let mut escaped = self.escaped;
        let brackets = self.opens.iter_mut().zip(&mut self.closes);
        let places = brackets.zip(&mut self.marks).zip(&mut self.odd).zip(&mut self.quotes[1..]);
        for (block, ((((opens, closes), marks), odd), quotes)) in blocks.iter().zip(places) {
            let raw = classify.classify(block);
            (*opens, *closes, *marks, *odd, *quotes) = (raw.opens, raw.closes, raw.vs, raw.high, raw.quotes);
            if raw.backslashes | escaped != 0 {
                let escaped = escapes(raw.backslashes, &mut escaped);
                *quotes &= !escaped;
                *odd |= escaped & classify.equal_to(block, b'u');
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

/// Which bytes are escaped, that is, preceded by an odd number of backslashes. `escaped` is one if the
/// first byte of the block is escaped, and is updated for the next block. One addition finds the ends of
/// all runs of backslashes at once: the first bit of a run carries through to the bit after its last.
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

/// Work that needs a [`Classify`]; run with the best one that this machine has.
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

/// A task compiled so that all its inlined parts may use the classifier's instructions.
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
