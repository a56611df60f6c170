//! Bloom filters: whether a column chunk may contain a text, answered without reading the chunk.
//!
//! Ids, keys and addresses are nearly all different and are spread over the whole range between a chunk's
//! least and greatest text, so without a filter a search for one has to read every chunk. The filters are
//! Parquet's own (split blocks, hashed with XXH64), so other readers can use them, too. They are stored after
//! the last chunk of a file.

use std::io::Cursor;
use std::ops::Range;

use polars_error::{PolarsResult, polars_err};
use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TCompactOutputProtocol};
use polars_parquet_format::{
    BloomFilterAlgorithm, BloomFilterCompression, BloomFilterHash, BloomFilterHeader, SplitBlockAlgorithm,
    Uncompressed, XxHash,
};
use xxhash_rust::xxh64::xxh64;

/// A column with a longer text gets no filter: it does not contain ids.
pub(super) const TEXT_BYTES_MAX: usize = 128;
const BLOCK_BYTES: usize = 32;

/// Parquet's salt for the eight words of a block. The numbers are from its specification.
const SALT: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// The hashes of a leaf's texts; `None` if the leaf gets no filter.
#[derive(Default)]
pub(super) struct Hashes(Option<Vec<u64>>);

impl Hashes {
    /// Starts to collect the hashes of texts.
    pub(in crate::lake) fn wanted() -> Self {
        Self(Some(Vec::new()))
    }

    #[inline]
    pub(in crate::lake) fn note(&mut self, text: &[u8]) {
        if text.len() > TEXT_BYTES_MAX {
            self.0 = None;
        }
        if let Some(hashes) = &mut self.0 {
            hashes.push(xxh64(text, 0));
        }
    }

    /// The filter as it is stored in a file; `None` if there is to be none.
    pub(in crate::lake) fn filter(self) -> PolarsResult<Option<Vec<u8>>> {
        let Some(hashes) = self.0.filter(|hashes| !hashes.is_empty()) else { return Ok(None) };
        // 8 to 16 bits for each text, so that at most three of 100 absent texts are reported as possibly
        // present. Parquet allows any number of blocks, but some readers expect a power of two.
        let size = hashes.len().next_power_of_two().max(BLOCK_BYTES);
        let header = BloomFilterHeader {
            num_bytes: i32::try_from(size).map_err(|_| polars_err!(ComputeError: "too many texts"))?,
            algorithm: BloomFilterAlgorithm::BLOCK(SplitBlockAlgorithm {}),
            hash: BloomFilterHash::XXHASH(XxHash {}),
            compression: BloomFilterCompression::UNCOMPRESSED(Uncompressed {}),
        };
        let mut out = Vec::with_capacity(size + BLOCK_BYTES);
        header
            .write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut out))
            .map_err(|error| polars_err!(ComputeError: "{error}"))?;
        let start = out.len();
        out.resize(start + size, 0);
        let bits = out.get_mut(start..).unwrap_or_default();
        for hash in hashes {
            let range = block(hash, size);
            if let Some(block) = bits.get_mut(range) {
                for (word, salt) in block.chunks_exact_mut(4).zip(SALT) {
                    let (byte, bit) = place(hash, salt);
                    if let Some(slot) = word.get_mut(byte) {
                        *slot |= bit;
                    }
                }
            }
        }
        Ok(Some(out))
    }
}

/// Whether `text` may be among the texts of a stored filter. True for anything that is not a filter of this
/// kind.
pub(in crate::lake) fn may_have(filter: &[u8], text: &[u8]) -> bool {
    let mut reader = Cursor::new(filter);
    let Ok(header) =
        BloomFilterHeader::read_from_in_protocol(&mut TCompactInputProtocol::new(&mut reader, usize::MAX))
    else {
        return true;
    };
    let is_known = header.algorithm == BloomFilterAlgorithm::BLOCK(SplitBlockAlgorithm {})
        && header.hash == BloomFilterHash::XXHASH(XxHash {})
        && header.compression == BloomFilterCompression::UNCOMPRESSED(Uncompressed {});
    let bits =
        usize::try_from(reader.position()).ok().and_then(|start| filter.get(start..)).unwrap_or_default();
    if !is_known
        || bits.is_empty()
        || usize::try_from(header.num_bytes) != Ok(bits.len())
        || !bits.len().is_multiple_of(BLOCK_BYTES)
    {
        return true;
    }
    let hash = xxh64(text, 0);
    bits.get(block(hash, bits.len())).is_none_or(|block| {
        block.chunks_exact(4).zip(SALT).all(|(word, salt)| {
            let (byte, bit) = place(hash, salt);
            word.get(byte).is_none_or(|byte| byte & bit != 0)
        })
    })
}

/// The byte range of the block for a hash, in `size` bytes of blocks.
fn block(hash: u64, size: usize) -> Range<usize> {
    let blocks = (size / BLOCK_BYTES) as u64;
    let at = (((hash >> 32) * blocks) >> 32) as usize * BLOCK_BYTES;
    at..at + BLOCK_BYTES
}

/// The position of a word's bit: the number of the byte (little-endian), and the bit in it.
const fn place(hash: u64, salt: u32) -> (usize, u8) {
    let bit = (hash as u32).wrapping_mul(salt) >> 27;
    ((bit / 8) as usize, 1 << (bit % 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(texts: &[String]) -> Vec<u8> {
        let mut hashes = Hashes::wanted();
        texts.iter().for_each(|text| hashes.note(text.as_bytes()));
        hashes.filter().unwrap().unwrap()
    }

    #[test]
    fn every_text_that_is_there_may_be_there_and_hardly_any_other() {
        let texts: Vec<String> = (0..20_000).map(|at| format!("{at:08x}-id")).collect();
        let filter = filter(&texts);
        assert_eq!(filter.len(), 32_768 + 17, "20,000 as a power of two, and the header");
        assert!(texts.iter().all(|text| may_have(&filter, text.as_bytes())));
        let others = (0..20_000).filter(|at| may_have(&filter, format!("{at:08x}-other").as_bytes())).count();
        assert!(others < 600, "{others}");
    }

    #[test]
    fn long_texts_and_none_have_no_filter() {
        let mut hashes = Hashes::wanted();
        hashes.note(b"short");
        hashes.note(&[b'x'; TEXT_BYTES_MAX + 1]);
        hashes.note(b"short");
        assert_eq!(hashes.filter().unwrap(), None);
        assert_eq!(Hashes::wanted().filter().unwrap(), None);
        assert_eq!(Hashes::default().filter().unwrap(), None);
    }

    #[test]
    fn what_is_no_filter_leaves_nothing_out() {
        let filter = filter(&["a".to_owned()]);
        assert!(!may_have(&filter, b"b"));
        for damaged in [&filter[..filter.len() - 1], &filter[..3], b"", b"\xff\xff\xff"] {
            assert!(may_have(damaged, b"b"));
        }
    }
}
