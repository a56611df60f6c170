//! Compresses pages with zstd; the compressor is set up once and not for every page.

use polars_error::PolarsResult;
use polars_parquet::parquet::CowBuffer;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::metadata::Descriptor;
use polars_parquet::parquet::page::{CompressedDataPage, CompressedDictPage, CompressedPage, DataPageHeader};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

/// zstd's compression level: higher ones make writing a fifth slower and files no smaller.
pub(super) const LEVEL: i32 = 1;

/// The size of zstd's hash table, as a power of two: it fits into the processor's cache. Files get one per
/// cent larger, but are written faster.
const HASH_LOG: u32 = 12;

/// Compresses one page after another.
pub(super) struct Packer {
    /// Created when first needed.
    zstd: Option<Compressor<'static>>,
    packed: Vec<u8>,
}

/// A compressed page.
pub(super) struct Packed {
    bytes: Vec<u8>,
    /// Its uncompressed size.
    size: usize,
}

impl Packed {
    pub(super) fn into_page(
        self,
        header: DataPageHeader,
        descriptor: Descriptor,
        rows: usize,
    ) -> CompressedPage {
        let bytes = CowBuffer::Owned(self.bytes);
        CompressedPage::Data(CompressedDataPage::new(
            header,
            bytes,
            Compression::Zstd,
            self.size,
            descriptor,
            rows,
        ))
    }
}

impl Packer {
    pub(in crate::lake) const fn new() -> Self {
        Self { zstd: None, packed: Vec::new() }
    }

    /// Allocates only what the compressed bytes take, because pages wait until their row group is complete.
    pub(super) fn pack(&mut self, bytes: &[u8]) -> PolarsResult<Packed> {
        self.packed.clear();
        self.packed.reserve(compress_bound(bytes.len()));
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            empty => {
                let mut zstd = Compressor::new(LEVEL)?;
                zstd.set_parameter(CParameter::HashLog(HASH_LOG))?;
                empty.insert(zstd)
            }
        };
        zstd.compress_to_buffer(bytes, &mut self.packed)?;
        Ok(Packed { bytes: self.packed.as_slice().to_vec(), size: bytes.len() })
    }

    pub(super) fn dictionary(&mut self, bytes: &[u8], count: usize) -> PolarsResult<CompressedPage> {
        let Packed { bytes, size } = self.pack(bytes)?;
        Ok(CompressedPage::Dict(CompressedDictPage::new(
            CowBuffer::Owned(bytes),
            Compression::Zstd,
            size,
            count,
            false,
        )))
    }
}
