//! Pages → zstd, with what the compressor needs made once and not for every page.

use polars_error::PolarsResult;
use polars_parquet::parquet::CowBuffer;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::metadata::Descriptor;
use polars_parquet::parquet::page::{CompressedDataPage, CompressedDictPage, CompressedPage, DataPageHeader};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

/// The first level of zstd: with higher ones writing takes a fifth longer, and the files are no smaller.
pub(super) const LEVEL: i32 = 1;

/// What was seen lately, as a power of two: as much as lies near the processor. Files are one per cent larger, and sooner there.
const HASH_LOG: u32 = 12;

/// Compresses one page after another.
pub(super) struct Packer {
    /// `None` until it is needed.
    zstd: Option<Compressor<'static>>,
    packed: Vec<u8>,
    /// Memory that pages grow in.
    buffer: Vec<u8>,
}

impl Packer {
    pub(super) const fn new() -> Self {
        Self { zstd: None, packed: Vec::new(), buffer: Vec::new() }
    }

    /// An empty buffer, which should be given back.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    pub(super) fn give_buffer(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.buffer = buffer;
    }

    /// Takes no more memory than the compressed bytes do: pages wait until their row group is whole.
    fn pack(&mut self, bytes: &[u8]) -> PolarsResult<CowBuffer> {
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
        Ok(CowBuffer::Owned(self.packed.as_slice().to_vec()))
    }

    pub(super) fn dictionary(&mut self, bytes: &[u8], count: usize) -> PolarsResult<CompressedPage> {
        let packed = self.pack(bytes)?;
        Ok(CompressedPage::Dict(CompressedDictPage::new(packed, Compression::Zstd, bytes.len(), count, false)))
    }

    pub(super) fn data(&mut self, bytes: &[u8], header: DataPageHeader, descriptor: Descriptor, rows: usize) -> PolarsResult<CompressedPage> {
        let packed = self.pack(bytes)?;
        Ok(CompressedPage::Data(CompressedDataPage::new(header, packed, Compression::Zstd, bytes.len(), descriptor, rows)))
    }
}
