//! Rows of an answer → a Parquet file: a row group for each part, its columns encoded and compressed in
//! parallel.

mod footer;

use std::cell::Cell;
use std::io::{self, Write};

use polars::frame::chunk_df_for_writing;
use polars::prelude::{CompatLevel, DataFrame, Schema, SchemaExt as _};
use polars_arrow::array::ArrayRef;
use polars_arrow::datatypes::ArrowSchema;
use polars_error::{PolarsError, PolarsResult};
use polars_parquet::write::{
    CompressedPage, CompressionOptions, DynIter, DynStreamingIterator, Encoding, FileWriter, ParquetType,
    StatisticsOptions, Version, WriteOptions, ZstdLevel, array_to_columns, compress,
    fallible_streaming_iterator, get_dtype_encoding,
};
use rayon::prelude::*;

use footer::{Groups, MAGIC, Pages};

/// Maximum number of rows in a row group if all rows are in memory.
const GROUP_ROWS_MAX: usize = 512 * 512;

/// The quickest level of zstd that is worth it: what is handed on is read a few times.
const LEVEL: i32 = 1;

/// A file that is being written to `W`.
pub(super) struct Writer<W: Write> {
    out: W,
    /// How many bytes of pages have been written.
    pages: i64,
    groups: Groups,
    schema: ArrowSchema,
    /// How each column's leaves are encoded.
    encodings: Vec<Vec<Encoding>>,
    options: WriteOptions,
}

impl<W: Write> Writer<W> {
    /// Begins a file with these columns.
    pub(super) fn new(mut out: W, columns: &Schema) -> PolarsResult<Self> {
        let schema = columns.to_arrow(CompatLevel::newest());
        let encodings = schema.iter_values().map(|field| get_dtype_encoding(&field.dtype)).collect();
        let options = WriteOptions {
            statistics: StatisticsOptions::default(),
            version: Version::V1,
            compression: CompressionOptions::Zstd(Some(ZstdLevel::try_new(LEVEL)?)),
            data_page_size: None,
        };
        out.write_all(MAGIC)?;
        Ok(Self { out, pages: 0, groups: Groups::default(), schema, encodings, options })
    }

    /// Writes rows with the columns of the file, one row group for each chunk.
    pub(super) fn write(&mut self, rows: &DataFrame) -> PolarsResult<()> {
        for batch in rows.iter_chunks(CompatLevel::newest(), false).filter(|batch| !batch.is_empty()) {
            let is_end = Cell::new(false);
            let pages = Pages { out: &mut self.out, magic: MAGIC.len(), bytes: 0, is_end: &is_end };
            let mut file = FileWriter::try_new(pages, self.schema.clone(), self.options)?;
            let columns = batch.columns().par_iter().zip(file.parquet_schema().fields()).zip(&self.encodings);
            let packed =
                columns.map(|((array, kind), encodings)| packed(array, kind, encodings, self.options));
            let packed: Vec<_> = packed.collect::<PolarsResult<Vec<_>>>()?.into_iter().flatten().collect();
            let pages = packed.iter().map(|pages| {
                let pages = fallible_streaming_iterator::convert(pages.iter().map(PolarsResult::Ok));
                Ok(DynStreamingIterator::<'_, CompressedPage, PolarsError>::new(pages))
            });
            file.write(batch.len() as u64, DynIter::new(pages))?;
            is_end.set(true);
            file.end(Some(Vec::new()))?;
            let (Pages { bytes, .. }, metadata) = file.into_inner_and_metadata();
            for group in metadata.row_groups {
                self.groups.add(group, self.pages)?;
            }
            self.pages += bytes;
        }
        Ok(())
    }

    /// Writes all rows, in row groups of a size that suits readers, and the end of the file.
    pub(super) fn whole(mut self, mut rows: DataFrame) -> PolarsResult<()> {
        let rows = chunk_df_for_writing(&mut rows, GROUP_ROWS_MAX)?;
        self.write(&rows)?;
        self.finish()
    }

    /// Writes the end of the file, including the Arrow schema for readers that use it.
    pub(super) fn finish(mut self) -> PolarsResult<()> {
        let mut none = FileWriter::try_new(io::sink(), self.schema, self.options)?;
        none.end(None)?;
        self.groups.finish(&mut self.out, &none.into_inner_and_metadata().1)
    }
}

/// The pages of each leaf of a column.
fn packed(
    array: &ArrayRef,
    kind: &ParquetType,
    encodings: &[Encoding],
    options: WriteOptions,
) -> PolarsResult<Vec<Vec<CompressedPage>>> {
    let leaves = array_to_columns(array, kind.clone(), options, encodings)?;
    leaves
        .into_iter()
        .map(|pages| pages.map(|page| Ok(compress(page?, Vec::new(), options.compression)?)).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use polars::prelude::{Column, IntoColumn, IntoSeries, NamedFrom, Series, StructChunked};
    use polars_parquet::read::{
        BasicDecompressor, PageReader, column_iter_to_arrays, infer_schema, read_metadata,
    };

    use super::*;

    /// All rows of a file.
    fn read(bytes: &[u8]) -> DataFrame {
        let metadata = read_metadata(&mut Cursor::new(bytes)).unwrap();
        let schema = infer_schema(&metadata).unwrap();
        let group = |at: usize| {
            let group = &metadata.row_groups[at];
            let column = |field: &polars_arrow::datatypes::Field| {
                let (mut pages, mut types) = (Vec::new(), Vec::new());
                for chunk in group.columns_under_root_iter(&field.name).unwrap() {
                    let range = chunk.byte_range();
                    let stored = bytes[range.start as usize..range.end as usize].to_vec();
                    pages.push(BasicDecompressor::new(
                        PageReader::new(Cursor::new(stored.into()), chunk, Vec::new(), usize::MAX),
                        Vec::new(),
                    ));
                    types.push(&chunk.descriptor().descriptor.primitive_type);
                }
                let (arrays, _) = column_iter_to_arrays(pages, types, field.clone(), None).unwrap();
                Series::try_from((field, arrays)).unwrap().into_column()
            };
            DataFrame::new(group.num_rows(), schema.iter_values().map(column).collect::<Vec<Column>>())
                .unwrap()
        };
        (1..metadata.row_groups.len()).fold(group(0), |all, at| all.vstack(&group(at)).unwrap())
    }

    fn rows(range: std::ops::Range<i64>) -> DataFrame {
        let number =
            Series::new("n".into(), range.clone().map(|n| (n % 3 != 0).then_some(n)).collect::<Vec<_>>());
        let text = Series::new(
            "t".into(),
            range.clone().map(|n| (n % 5 != 0).then(|| format!("text {n}"))).collect::<Vec<_>>(),
        );
        let inner = [
            Series::new("a".into(), range.clone().map(|n| n % 2 == 0).collect::<Vec<_>>()),
            text.clone().with_name("b".into()),
        ];
        let nested =
            StructChunked::from_series("s".into(), number.len(), inner.iter()).unwrap().into_series();
        let lists: Vec<Series> = range
            .map(|n| Series::new("".into(), (0..n % 4).map(|k| format!("{n}/{k}")).collect::<Vec<_>>()))
            .collect();
        let height = number.len();
        let columns = [number, text, nested, Series::new("l".into(), lists)];
        DataFrame::new(height, columns.into_iter().map(IntoColumn::into_column).collect()).unwrap()
    }

    #[test]
    fn what_is_written_comes_back_whether_in_parts_or_whole() {
        let all = rows(0..1_000);
        let mut whole = Vec::new();
        Writer::new(&mut whole, all.schema()).unwrap().whole(all.clone()).unwrap();
        assert!(read(&whole).equals_missing(&all));

        let mut parts = Vec::new();
        let mut writer = Writer::new(&mut parts, all.schema()).unwrap();
        for start in [0, 10, 990] {
            writer
                .write(&rows(
                    start..match start {
                        0 => 10,
                        10 => 990,
                        _ => 1_000,
                    },
                ))
                .unwrap();
        }
        writer.finish().unwrap();
        let metadata = read_metadata(&mut Cursor::new(&parts)).unwrap();
        assert_eq!((metadata.row_groups.len(), metadata.num_rows), (3, 1_000));
        // What readers of single columns need: where they lie, one behind the other and none beyond the end.
        let mut end = MAGIC.len() as u64;
        for chunk in metadata.row_groups.iter().flat_map(|group| group.parquet_columns()) {
            let range = chunk.byte_range();
            assert!(range.start >= end && range.end > range.start && range.end < parts.len() as u64);
            end = range.end;
        }
        assert!(metadata.key_value_metadata().as_ref().is_some_and(|pairs| pairs[0].key == "ARROW:schema"));
        assert!(read(&parts).equals_missing(&all));
    }

    #[test]
    fn no_rows_are_a_file_with_columns() {
        let none = rows(0..4).head(Some(0));
        let mut out = Vec::new();
        Writer::new(&mut out, none.schema()).unwrap().whole(none).unwrap();
        let metadata = read_metadata(&mut Cursor::new(&out)).unwrap();
        assert_eq!((metadata.num_rows, infer_schema(&metadata).unwrap().len()), (0, 4));
    }
}
