//! Reads data files: only the requested columns, fields and rows. Bytes are compared with their checksums
//! before they are decoded.

use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame, Series};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_error::{PolarsError, PolarsResult, polars_err};
use polars_parquet::parquet::statistics::{BinaryStatistics, Statistics};
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, FileMetadata, Filter, PageReader, PhysicalType,
    column_iter_to_arrays, infer_schema, read_metadata,
};

use super::codes::{self, Codes, Texts};
use super::filters;
use crate::lake::LakeError;
use crate::lake::checksum::Sum;
use crate::lake::commit::manifest::FileEntry;
use crate::lake::commit::objects::open_kept;
use crate::lake::disk::{Disk, Stored};
use crate::lake::guard::guarded;

/// The footer's key for the checksums of the column chunks, in order, 16 hex digits each. Each covers the
/// bytes from the beginning of a chunk to that of the next one.
pub(super) const SUMS_KEY: &str = "tagfall.xxh3";
/// The footer's key for the checksums of the Bloom filters, in the order of their chunks. The filters follow
/// the last chunk, and are part of its checksum as well.
pub(super) const FILTER_SUMS_KEY: &str = "tagfall.filters.xxh3";
/// Bytes at the end of a footer: its length and the magic number.
pub(super) const FOOTER_END: u64 = 8;
/// The magic number at the beginning and the end of a file.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// A requested column, or some of its fields.
#[derive(Debug, Clone)]
pub(in crate::lake) struct Wanted<'w> {
    pub name: &'w str,
    /// Paths of the requested fields; empty for all fields.
    pub fields: Vec<&'w [String]>,
}

impl<'w> From<&'w str> for Wanted<'w> {
    fn from(name: &'w str) -> Self {
        Self { name, fields: Vec::new() }
    }
}

impl Wanted<'_> {
    /// Whether the field at `path`, or a field inside it, is requested.
    fn reaches(&self, path: &[&str]) -> bool {
        let meets = |field: &&[String]| field.iter().zip(path).all(|(a, b)| a == b);
        self.fields.is_empty() || self.fields.iter().any(meets)
    }

    /// The type of the requested part.
    fn dtype<'d>(&self, dtype: &'d ArrowDataType, path: &mut Vec<&'d str>) -> ArrowDataType {
        let ArrowDataType::Struct(fields) = dtype else { return dtype.clone() };
        let mut kept = Vec::new();
        for field in fields {
            path.push(&field.name);
            if self.reaches(path) {
                kept.push(Field { dtype: self.dtype(&field.dtype, path), ..field.clone() });
            }
            path.pop();
        }
        ArrowDataType::Struct(kept)
    }
}

/// An open file.
pub(in crate::lake) struct Reader {
    path: PathBuf,
    file: Box<dyn Stored>,
    metadata: FileMetadata,
    schema: ArrowSchema,
    /// Where each column chunk begins, in order, followed by where the footer begins.
    starts: Vec<u64>,
    /// The checksum of each chunk; empty if the file has none.
    sums: Vec<Sum>,
    /// Where each filter begins, in order, with its checksum.
    filters: Vec<(i64, Sum)>,
}

impl Reader {
    /// Opens a data file, which must have the size and checksum of its entry in the manifest.
    pub(in crate::lake) fn of(disk: &dyn Disk, entry: &FileEntry) -> Result<Self, LakeError> {
        let path = entry.path();
        let file = open_kept(disk, &path, &entry.name, Some(entry.bytes))
            .map_err(|error| LakeError::io(&path, error))?;
        Self::open(file, &path, entry)
    }

    /// Reads the footer of a file that was opened. `path` is the name for errors.
    pub(in crate::lake) fn open(
        file: Box<dyn Stored>,
        path: &Path,
        entry: &FileEntry,
    ) -> Result<Self, LakeError> {
        guarded(path, || Self::open_unguarded(file, path, entry))
    }

    fn open_unguarded(file: Box<dyn Stored>, path: &Path, entry: &FileEntry) -> Result<Self, LakeError> {
        let damaged = |reason: &dyn std::fmt::Display| LakeError::io(path, format_args!("damaged: {reason}"));
        if file.size() != entry.bytes {
            return Err(damaged(&format_args!("it has {} bytes, and had {}", file.size(), entry.bytes)));
        }
        let tail_bytes = match entry.tail {
            Some(tail) => tail.bytes,
            None => footer_bytes(&*file).map_err(|error| damaged(&error))?,
        };
        let tail = tail_bytes
            .checked_sub(FOOTER_END)
            .and_then(|_| file.size().checked_sub(tail_bytes))
            .and_then(|at| read(&*file, at, tail_bytes).ok());
        let tail = tail.ok_or_else(|| damaged(&"it has no footer"))?;
        if entry.tail.is_some_and(|expected| Sum::of(&tail) != expected.checksum) {
            return Err(damaged(&"the checksum of its footer does not fit"));
        }
        let metadata = read_metadata(&mut Cursor::new(tail)).map_err(|error| damaged(&error))?;
        let schema = infer_schema(&metadata).map_err(|error| damaged(&error))?;
        if metadata.num_rows as u64 != entry.rows {
            return Err(damaged(&format_args!("it has {} rows, and had {}", metadata.num_rows, entry.rows)));
        }
        let chunks = metadata.row_groups.iter().flat_map(|group| group.parquet_columns());
        let mut starts: Vec<u64> = chunks.map(|chunk| chunk.byte_range().start).collect();
        starts.push(file.size() - tail_bytes);
        let sums = if entry.tail.is_some() {
            sums(&metadata, SUMS_KEY).filter(|sums| sums.len() + 1 == starts.len())
        } else {
            Some(Vec::new())
        };
        let sums = sums.ok_or_else(|| damaged(&"its checksums are missing"))?;
        let chunks = metadata.row_groups.iter().flat_map(|group| group.parquet_columns());
        let filters = chunks.filter_map(ColumnChunkMetadata::bloom_filter_offset);
        let filters = filters.zip(self::sums(&metadata, FILTER_SUMS_KEY).unwrap_or_default()).collect();
        Ok(Self { path: path.to_path_buf(), file, metadata, schema, starts, sums, filters })
    }

    /// Reads the whole file and compares it with its checksums; false if it has none.
    ///
    /// # Errors
    /// A part of it does not have its checksum.
    pub(in crate::lake) fn check(&self) -> Result<bool, LakeError> {
        let magic = read(&*self.file, 0, MAGIC.len() as u64).map_err(|error| self.error(error))?;
        if magic != MAGIC || self.starts.first() != Some(&(MAGIC.len() as u64)) {
            return Err(self.error("damaged: it does not begin as it should"));
        }
        self.expect(0..self.starts.len().saturating_sub(1));
        (0..self.sums.len())
            .try_for_each(|chunk| self.chunk(chunk).map(drop))
            .map_err(|error| self.error(error))?;
        Ok(!self.sums.is_empty())
    }

    /// The bytes from the beginning of a column chunk to that of the next one.
    fn chunk(&self, at: usize) -> PolarsResult<Vec<u8>> {
        let missing = || polars_err!(ComputeError: "damaged: a column is missing");
        let (start, end) = self.starts.get(at).zip(self.starts.get(at + 1)).ok_or_else(missing)?;
        let bytes = read(&*self.file, *start, end.checked_sub(*start).ok_or_else(missing)?)?;
        match self.sums.get(at) {
            Some(sum) if *sum != Sum::of(&bytes) => {
                Err(polars_err!(ComputeError: "damaged: the checksum of a column does not fit"))
            }
            _ => Ok(bytes),
        }
    }

    /// The row groups.
    pub(in crate::lake) fn groups(&self) -> Range<usize> {
        0..self.metadata.row_groups.len()
    }

    /// Reads these columns of a row group (`None`: all), and the rows whose bit in `mask` is set.
    pub(in crate::lake) fn read(
        &self,
        group: usize,
        columns: Option<&[Wanted<'_>]>,
        mask: Option<&Bitmap>,
    ) -> Result<DataFrame, LakeError> {
        let all: Vec<Wanted<'_>>;
        let columns = match columns {
            Some(columns) => columns,
            None => {
                all = self.schema.iter_names().map(|name| Wanted::from(name.as_str())).collect();
                &all
            }
        };
        if self.file.is_remote() {
            self.expect(
                columns
                    .iter()
                    .flat_map(|wanted| self.chunks(group, wanted))
                    .filter_map(|chunk| self.place(chunk)),
            );
        }
        let frame = || {
            let height = self.height(group);
            let columns = columns
                .iter()
                .map(|wanted| self.column(group, wanted, mask))
                .collect::<PolarsResult<Vec<Column>>>()?;
            DataFrame::new(mask.map_or(height, Bitmap::set_bits), columns)
        };
        guarded(&self.path, || frame().map_err(|error| self.error(error)))
    }

    /// Whether a text column may contain one of `texts` in a row group, according to its smallest and
    /// greatest text and its filter.
    pub(in crate::lake) fn may_have(
        &self,
        group: usize,
        column: &str,
        fields: &[String],
        texts: &[String],
    ) -> bool {
        let Some((least, greatest)) = self.bounds(group, column, fields) else { return true };
        let mut among = texts
            .iter()
            .filter(|text| least.as_slice() <= text.as_bytes() && text.as_bytes() <= greatest.as_slice())
            .peekable();
        if among.peek().is_none() {
            return false;
        }
        let filter = self.plain(group, column, fields).and_then(|chunk| self.filter(chunk));
        filter.is_none_or(|filter| among.any(|text| filters::may_have(&filter, text.as_bytes())))
    }

    /// A lower and an upper bound for the texts of a column; `None` if they are not known.
    pub(in crate::lake) fn bounds(
        &self,
        group: usize,
        column: &str,
        fields: &[String],
    ) -> Option<(Vec<u8>, Vec<u8>)> {
        let statistics = self.plain(group, column, fields)?.statistics(&self.metadata.footer_buf)?.ok()?;
        let Statistics::Binary(BinaryStatistics {
            min_value: Some(least), max_value: Some(greatest), ..
        }) = statistics
        else {
            return None;
        };
        Some((least, greatest))
    }

    /// The chunk of a column, or of a field inside it, that is neither a struct nor in a list.
    fn plain(&self, group: usize, column: &str, fields: &[String]) -> Option<&ColumnChunkMetadata> {
        let mut chunks = self.metadata.row_groups.get(group)?.columns_under_root_iter(column)?;
        let is_it = |chunk: &&ColumnChunkMetadata| {
            let descriptor = chunk.descriptor();
            descriptor.descriptor.max_rep_level == 0
                && descriptor.path_in_schema.iter().skip(1).map(|name| name.as_str()).eq(fields)
        };
        chunks.find(is_it)
    }

    /// The filter of a chunk; `None` if there is none or it is damaged.
    fn filter(&self, chunk: &ColumnChunkMetadata) -> Option<Vec<u8>> {
        let (offset, length) = chunk.bloom_filter_offset().zip(chunk.bloom_filter_length())?;
        let number = self.filters.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
        let (_, sum) = self.filters.get(number)?;
        let (start, bytes) = (u64::try_from(offset).ok()?, u64::try_from(length).ok()?);
        start.checked_add(bytes).filter(|end| *end <= self.file.size())?;
        read(&*self.file, start, bytes).ok().filter(|filter| Sum::of(filter) == *sum)
    }

    /// Number of rows in a row group.
    pub(in crate::lake) fn height(&self, group: usize) -> usize {
        self.metadata.row_groups.get(group).map_or(0, |group| group.num_rows())
    }

    /// Uncompressed bytes of a column in a row group; 0 if there is no such column.
    pub(in crate::lake) fn bytes(&self, group: usize, column: &str) -> u64 {
        let chunks =
            self.metadata.row_groups.get(group).and_then(|group| group.columns_under_root_iter(column));
        chunks.into_iter().flatten().map(|chunk| u64::try_from(chunk.uncompressed_size()).unwrap_or(0)).sum()
    }

    /// The texts of a column, or of a field inside it, by number, for these rows (`None`: all). `None` if it
    /// is not a text column, or a list of texts. `as_column`: texts that hardly repeat are needed as a column.
    pub(in crate::lake) fn codes(
        &self,
        group: usize,
        column: &str,
        fields: &[String],
        rows: Option<&[u32]>,
        as_column: bool,
    ) -> Result<Option<Codes>, LakeError> {
        let read = || {
            let missing = || polars_err!(ColumnNotFound: "{column}");
            let mut chunks = self
                .metadata
                .row_groups
                .get(group)
                .and_then(|group| group.columns_under_root_iter(column))
                .ok_or_else(missing)?;
            let is_it = |chunk: &&ColumnChunkMetadata| {
                chunk.descriptor().path_in_schema.iter().skip(1).map(|name| name.as_str()).eq(fields)
            };
            let Some(chunk) = chunks.find(is_it) else { return Ok(None) };
            if chunk.physical_type() != PhysicalType::ByteArray {
                return Ok(None);
            }
            let height = self.height(group);
            if !(as_column && codes::is_plain(chunk) && self.has_texts(chunk))
                && let Some(codes) = codes::codes(self.pages(chunk)?, chunk, height, rows, as_column)?
            {
                return Ok(Some(codes));
            }
            let mask = rows.map(|rows| mask(rows, height));
            let wanted =
                Wanted { name: column, fields: if fields.is_empty() { Vec::new() } else { vec![fields] } };
            let mut texts = self.column(group, &wanted, mask.as_ref())?.take_materialized_series();
            for field in fields {
                texts = texts.struct_()?.field_by_name(field)?;
            }
            Ok(Some(Codes {
                of_row: (0..).take(texts.len()).collect(),
                texts: Texts::Plain(texts.str()?.clone()),
            }))
        };
        guarded(&self.path, || read().map_err(|error: PolarsError| self.error(error)))
    }

    /// Whether some values of a text column are not NULL, as far as that is known.
    fn has_texts(&self, chunk: &ColumnChunkMetadata) -> bool {
        let Some(Ok(Statistics::Binary(statistics))) = chunk.statistics(&self.metadata.footer_buf) else {
            return true;
        };
        statistics.null_count != Some(chunk.num_values())
    }

    fn column(&self, group: usize, wanted: &Wanted<'_>, mask: Option<&Bitmap>) -> PolarsResult<Column> {
        let missing = || polars_err!(ColumnNotFound: "{}", wanted.name);
        let field = self.schema.get(wanted.name).ok_or_else(missing)?;
        let field = Field { dtype: wanted.dtype(&field.dtype, &mut Vec::new()), ..field.clone() };
        let (mut pages, mut types) = (Vec::new(), Vec::new());
        for chunk in self.chunks(group, wanted) {
            pages.push(self.pages(chunk)?);
            types.push(&chunk.descriptor().descriptor.primitive_type);
        }
        if self.metadata.row_groups.get(group).is_none() {
            return Err(missing());
        }
        let filter = mask.map(|mask| Filter::Mask(mask.clone()));
        let (arrays, _) = column_iter_to_arrays(pages, types, field.clone(), filter)?;
        Ok(Series::try_from((&field, arrays))?.rechunk().into())
    }

    /// The column chunks of the requested parts of a column.
    fn chunks<'r>(
        &'r self,
        group: usize,
        wanted: &'r Wanted<'_>,
    ) -> impl Iterator<Item = &'r ColumnChunkMetadata> {
        let chunks =
            self.metadata.row_groups.get(group).and_then(|group| group.columns_under_root_iter(wanted.name));
        chunks.into_iter().flatten().filter(|chunk| {
            let path: Vec<&str> =
                chunk.descriptor().path_in_schema.iter().skip(1).map(|name| name.as_str()).collect();
            wanted.reaches(&path)
        })
    }

    /// The index of the chunk in the file.
    fn place(&self, chunk: &ColumnChunkMetadata) -> Option<usize> {
        self.starts.binary_search(&chunk.byte_range().start).ok()
    }

    /// Announces to a remote file which chunks will be read next.
    fn expect(&self, chunks: impl Iterator<Item = usize>) {
        let parts = chunks.filter_map(|at| {
            self.starts.get(at).zip(self.starts.get(at + 1)).map(|(start, end)| *start..*end)
        });
        let mut parts: Vec<Range<u64>> = parts.collect();
        parts.sort_unstable_by_key(|part| part.start);
        self.file.expect(&parts);
    }

    fn pages(&self, chunk: &ColumnChunkMetadata) -> PolarsResult<BasicDecompressor> {
        let range = chunk.byte_range();
        let damaged = || polars_err!(ComputeError: "damaged: a column lies outside of the file");
        let bytes = if self.sums.is_empty() {
            // The capacity is not taken from the footer, which may be damaged.
            let length = range
                .end
                .checked_sub(range.start)
                .filter(|_| range.end <= self.file.size())
                .ok_or_else(damaged)?;
            read(&*self.file, range.start, length)?
        } else {
            let mut bytes = self.chunk(self.starts.binary_search(&range.start).map_err(|_| damaged())?)?;
            bytes.truncate(usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX));
            bytes
        };
        let pages = PageReader::new(Cursor::new(bytes.into()), chunk, Vec::new(), usize::MAX);
        Ok(BasicDecompressor::new(pages, Vec::new()))
    }

    pub(in crate::lake) fn error(&self, error: impl std::fmt::Display) -> LakeError {
        LakeError::io(&self.path, error)
    }
}

/// Reads a part of a file.
fn read(file: &dyn Stored, at: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    file.read_at(at, &mut bytes)?;
    Ok(bytes)
}

/// The length of the footer, from the end of the file.
fn footer_bytes(file: &dyn Stored) -> std::io::Result<u64> {
    let short = || std::io::Error::other("it has no footer");
    let end = read(file, file.size().checked_sub(FOOTER_END).ok_or_else(short)?, FOOTER_END)?;
    let length = end.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes)).ok_or_else(short)?;
    Some(u64::from(length) + FOOTER_END).filter(|bytes| *bytes <= file.size()).ok_or_else(short)
}

/// The checksums that are stored in a footer.
fn sums(metadata: &FileMetadata, key: &str) -> Option<Vec<Sum>> {
    let text = metadata.key_value_metadata.iter().flatten().find(|pair| pair.key == key)?.value.as_deref()?;
    text.as_bytes()
        .chunks(Sum::DIGITS)
        .map(|digits| std::str::from_utf8(digits).ok().and_then(Sum::parse))
        .collect()
}

/// A bit for each of `height` rows: whether it is one of `rows`.
fn mask(rows: &[u32], height: usize) -> Bitmap {
    let mut bits = vec![false; height];
    for row in rows {
        if let Some(bit) = bits.get_mut(*row as usize) {
            *bit = true;
        }
    }
    bits.into_iter().collect()
}
