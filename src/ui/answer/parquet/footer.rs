//! The end of a Parquet file that may have any number of row groups.
//!
//! The Parquet library keeps what it knows of every page until a file ends: about 300 KiB for each row group
//! of CloudTrail's columns. So each row group is written by a writer of its own, and only its entry in the
//! footer is kept, as the bytes that it will have there.

use std::cell::Cell;
use std::io::{self, Write};

use polars_error::{PolarsError, PolarsResult, polars_err};
use polars_parquet::parquet::metadata::ThriftFileMetadata;
use polars_parquet_format::RowGroup;
use polars_parquet_format::thrift::protocol::{
    TCompactInputProtocol, TCompactOutputProtocol, TFieldIdentifier, TListIdentifier, TOutputProtocol,
    TStructIdentifier, TType,
};

/// The first and the last bytes of a file.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";

/// The row groups of a file that have been written.
#[derive(Debug, Default)]
pub(super) struct Groups {
    entries: Vec<Vec<u8>>,
    rows: i64,
}

impl Groups {
    /// Adds the row group of a file of its own, which begins `by` bytes later in this file. Page indexes are not
    /// taken along: a row group has few pages.
    pub(super) fn add(&mut self, mut group: RowGroup, by: i64) -> PolarsResult<()> {
        let move_by = |offset: &mut Option<i64>| offset.iter_mut().for_each(|offset| *offset += by);
        for column in &mut group.columns {
            column.file_offset += by;
            (column.column_index_offset, column.column_index_length) = (None, None);
            (column.offset_index_offset, column.offset_index_length) = (None, None);
            if let Some(metadata) = &mut column.meta_data {
                metadata.data_page_offset += by;
                move_by(&mut metadata.dictionary_page_offset);
            }
        }
        move_by(&mut group.file_offset);
        group.ordinal = i16::try_from(self.entries.len()).ok();
        self.rows += group.num_rows;
        let mut entry = Vec::new();
        group.write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut entry)).map_err(failed)?;
        entry.shrink_to_fit();
        self.entries.push(entry);
        Ok(())
    }

    /// Writes the footer: what `file`, which has no row groups, says of the columns, and these row groups.
    pub(super) fn finish(&self, out: &mut impl Write, file: &ThriftFileMetadata) -> PolarsResult<()> {
        let length = self.write(&mut TCompactOutputProtocol::new(&mut *out), file)?;
        let length =
            u32::try_from(length).map_err(|_| polars_err!(ComputeError: "there are too many rows"))?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(MAGIC)?;
        Ok(out.flush()?)
    }

    /// The members of `FileMetaData`, in the order of the format (`parquet.thrift`). Returns the number of bytes.
    fn write(&self, out: &mut impl TOutputProtocol, file: &ThriftFileMetadata) -> PolarsResult<usize> {
        let mut bytes = out.write_struct_begin(&TStructIdentifier::new("FileMetaData")).map_err(failed)?;
        bytes += field(out, "version", TType::I32, 1)?;
        bytes += out.write_i32(file.version).map_err(failed)?;
        bytes += list(out, "schema", 2, file.schema.len())?;
        for element in &file.schema {
            bytes += element.write_to_out_protocol(out).map_err(failed)?;
        }
        bytes += field(out, "num_rows", TType::I64, 3)?;
        bytes += out.write_i64(self.rows).map_err(failed)?;
        bytes += list(out, "row_groups", 4, self.entries.len())?;
        for entry in &self.entries {
            let mut entry = TCompactInputProtocol::new(entry.as_slice(), usize::MAX);
            let group = RowGroup::read_from_in_protocol(&mut entry).map_err(failed)?;
            bytes += group.write_to_out_protocol(out).map_err(failed)?;
        }
        if let Some(pairs) = &file.key_value_metadata {
            bytes += list(out, "key_value_metadata", 5, pairs.len())?;
            for pair in pairs {
                bytes += pair.write_to_out_protocol(out).map_err(failed)?;
            }
        }
        if let Some(name) = &file.created_by {
            bytes += field(out, "created_by", TType::String, 6)?;
            bytes += out.write_string(name).map_err(failed)?;
        }
        if let Some(orders) = &file.column_orders {
            bytes += list(out, "column_orders", 7, orders.len())?;
            for order in orders {
                bytes += order.write_to_out_protocol(out).map_err(failed)?;
            }
        }
        bytes += out.write_field_stop().map_err(failed)?;
        Ok(bytes + out.write_struct_end().map_err(failed)?)
    }
}

fn field(out: &mut impl TOutputProtocol, name: &str, kind: TType, number: i16) -> PolarsResult<usize> {
    out.write_field_begin(&TFieldIdentifier::new(name, kind, number)).map_err(failed)
}

/// The beginning of a member that is a list of structures.
fn list(out: &mut impl TOutputProtocol, name: &str, number: i16, length: usize) -> PolarsResult<usize> {
    let length = u32::try_from(length).map_err(|_| polars_err!(ComputeError: "there are too many rows"))?;
    let begun = field(out, name, TType::List, number)?;
    Ok(begun + out.write_list_begin(&TListIdentifier::new(TType::Struct, length)).map_err(failed)?)
}

fn failed(error: impl std::fmt::Display) -> PolarsError {
    PolarsError::ComputeError(error.to_string().into())
}

/// Of a file with one row group, the pages: not the magic number that it begins with, nor what it ends with.
pub(super) struct Pages<'w, W> {
    pub out: &'w mut W,
    /// How much of the magic number is still to come.
    pub magic: usize,
    /// How many bytes of pages there were.
    pub bytes: i64,
    /// Whether all pages have been written.
    pub is_end: &'w Cell<bool>,
}

impl<W: Write> Write for Pages<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_end.get() {
            return Ok(bytes.len());
        }
        if self.magic > 0 {
            let of_magic = self.magic.min(bytes.len());
            self.magic -= of_magic;
            return Ok(of_magic);
        }
        let written = self.out.write(bytes)?;
        self.bytes += written as i64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_end.get() { Ok(()) } else { self.out.flush() }
    }
}
