//! The end of a data file: Bloom filters of its chunks, page indexes, and the footer with the positions of
//! all of them.
//!
//! The Parquet library writes indexes and footer but no filters. So its last bytes are held back, the filters
//! are written first, and the positions in the footer are corrected by their size.

use std::io::Write;

use polars_error::{PolarsError, PolarsResult, polars_err};
use polars_parquet::parquet::metadata::ThriftFileMetadata;
use polars_parquet::write::{FileWriter, KeyValue};
use polars_parquet_format::thrift::protocol::TCompactOutputProtocol;

use super::reader::{FILTER_SUMS_KEY, FOOTER_END, MAGIC, SUMS_KEY};
use crate::lake::checksum::{Cuts, Stretch, Sum, Summing};

/// Ends a file with the filters of its chunks, in order. Returns the size of the file, and size and checksum
/// of its end (indexes and footer).
pub(in crate::lake) fn finish<W: Write>(
    mut writer: FileWriter<Summing<W>>,
    filters: Vec<Option<Vec<u8>>>,
    cuts: &Cuts,
) -> PolarsResult<(u64, Stretch)> {
    let too_large = || polars_err!(ComputeError: "the file is too large");
    cuts.hold();
    // Without Arrow's own schema, readers see plain Parquet types.
    let end = writer.end(Some(Vec::new()))?;
    let held = cuts.release();
    let start = end.checked_sub(held.len() as u64).and_then(|start| i64::try_from(start).ok());
    let start = start.ok_or_else(too_large)?;
    let (mut out, mut metadata) = writer.into_inner_and_metadata();
    let mut at = start;
    let mut filter_sums = String::new();
    let chunks = metadata.row_groups.iter_mut().flat_map(|group| &mut group.columns).zip(filters);
    for (chunk, filter) in chunks {
        let (Some(filter), Some(metadata)) = (filter, &mut chunk.meta_data) else { continue };
        out.write_all(&filter)?;
        filter_sums.push_str(&Sum::of(&filter).to_string());
        let length = i32::try_from(filter.len()).map_err(|_| too_large())?;
        metadata.bloom_filter_offset = Some(at);
        metadata.bloom_filter_length = Some(length);
        at += i64::from(length);
    }
    cuts.cut();
    let stretches = cuts.take();
    // The first stretch is the magic number at the beginning of the file.
    let sums = stretches.iter().skip(1).map(|stretch| stretch.sum.to_string()).collect();
    let pair = |key: &str, value: String| KeyValue { key: key.to_owned(), value: Some(value) };
    metadata.key_value_metadata = Some(vec![pair(SUMS_KEY, sums), pair(FILTER_SUMS_KEY, filter_sums)]);
    put(&mut out, &held, metadata, at - start)?;
    cuts.cut();
    let tail = cuts.take().pop().ok_or_else(|| polars_err!(ComputeError: "nothing was written"))?;
    let bytes = stretches.iter().map(|stretch| stretch.bytes).sum::<u64>() + tail.bytes;
    Ok((bytes, tail))
}

/// Writes the indexes that were held back, and a footer with positions that are `by` bytes higher.
fn put<W: Write>(out: &mut W, held: &[u8], mut metadata: ThriftFileMetadata, by: i64) -> PolarsResult<()> {
    let damaged = || polars_err!(ComputeError: "the end of a file has no footer");
    let length = held
        .len()
        .checked_sub(FOOTER_END as usize)
        .and_then(|at| held.get(at..)?.first_chunk::<4>())
        .ok_or_else(damaged)?;
    let footer = u32::from_le_bytes(*length) as usize + FOOTER_END as usize;
    let indexes = held.len().checked_sub(footer).and_then(|end| held.get(..end)).ok_or_else(damaged)?;
    out.write_all(indexes)?;
    for chunk in metadata.row_groups.iter_mut().flat_map(|group| &mut group.columns) {
        for offset in [&mut chunk.column_index_offset, &mut chunk.offset_index_offset].into_iter().flatten() {
            *offset += by;
        }
    }
    let mut footer = Vec::new();
    let failed = |error: &dyn std::fmt::Display| PolarsError::ComputeError(error.to_string().into());
    metadata
        .write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut footer))
        .map_err(|error| failed(&error))?;
    let length = u32::try_from(footer.len()).map_err(|error| failed(&error))?;
    footer.extend_from_slice(&length.to_le_bytes());
    footer.extend_from_slice(MAGIC);
    out.write_all(&footer)?;
    out.flush()?;
    Ok(())
}
