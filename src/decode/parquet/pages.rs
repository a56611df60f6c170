//! Checks the sizes that pages state before memory is allocated for them: a few KB may claim to contain
//! gigabytes, or a thousand million values.

use polars_parquet::read::ColumnChunkMetadata;
use polars_parquet_format::PageHeader;
use polars_parquet_format::thrift::protocol::TCompactInputProtocol;

use super::damaged;
use crate::decode::guard::guarded;
use crate::decode::text_memory::TextMemory;

/// Maximum length of a page header, which may contain the least and the greatest value.
const HEAD_BYTES_MAX: usize = 16 << 20;
/// A page may have this size in any case; writers mostly make pages of 1 MiB.
const PAGE_SURE: u64 = 16 << 20;
/// Approximate memory for a decoded value in a list, without its text.
const VALUE_BYTES: u64 = 48;
/// A list column may have this many values in any case.
const VALUES_SURE: u64 = 1 << 20;

/// Checks that the pages of a column, `bytes`, can be decoded in the memory that is available.
///
/// # Errors
/// They cannot, and why.
pub(super) fn fit(bytes: &[u8], chunk: &ColumnChunkMetadata, room: &TextMemory) -> Result<(), String> {
    let page_max = room.record_bytes().max(PAGE_SURE);
    let values_max = (room.record_bytes() / VALUE_BYTES).max(VALUES_SURE);
    let repeated = chunk.descriptor().descriptor.max_rep_level > 0;
    let (mut rest, mut values) = (bytes, 0_u64);
    // After the last page there may be padding.
    while !rest.is_empty() && i64::try_from(values).unwrap_or(i64::MAX) < chunk.num_values() {
        let head = guarded(|| {
            PageHeader::read_from_in_protocol(&mut TCompactInputProtocol::new(&mut rest, HEAD_BYTES_MAX)).ok()
        });
        let head = head.flatten().ok_or_else(damaged)?;
        let number = |number: i32| u64::try_from(number).map_err(|_| damaged());
        let (stored, unpacked) = (number(head.compressed_page_size)?, number(head.uncompressed_page_size)?);
        if unpacked > page_max {
            return Err(format!(
                "Parquet with a page that says it comes to {unpacked} bytes, more than --max-memory allows \
                 ({page_max})"
            ));
        }
        let of_page = match (&head.data_page_header, &head.data_page_header_v2, &head.dictionary_page_header)
        {
            (Some(head), ..) => number(head.num_values)?,
            (_, Some(head), _) => number(head.num_values)?,
            // Every value needs memory, however short it is.
            (.., Some(head)) if number(head.num_values)? > values_max.max(unpacked) => {
                return Err(format!(
                    "Parquet with a dictionary that says it has {} values, more than fit into it",
                    head.num_values
                ));
            }
            _ => 0,
        };
        values = values.saturating_add(of_page);
        if repeated && values > values_max {
            return Err(format!(
                "Parquet with more than {values_max} values in lists of one row group, more than --max-memory \
                 allows: give more, or write it anew with smaller ones"
            ));
        }
        rest = usize::try_from(stored).ok().and_then(|stored| rest.get(stored..)).ok_or_else(damaged)?;
    }
    if i64::try_from(values).ok() != Some(chunk.num_values()) {
        return Err(format!(
            "damaged Parquet: a column says it has {} values, and its pages have {values}",
            chunk.num_values()
        ));
    }
    Ok(())
}
