//! Files of rows, read back: the columns and fields that are asked for, of the rows that are asked for, and nothing else.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use polars::prelude::{Column, DataFrame, Series};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_error::{PolarsError, PolarsResult, polars_err};
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, FileMetadata, Filter, PageReader, PhysicalType, column_iter_to_arrays, infer_schema, read_metadata,
};

use super::LakeError;
use super::codes::{self, Codes, Texts};

/// A column, or some fields of it.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'w> {
    pub name: &'w str,
    /// Paths of fields below the column; all of them where there is none.
    pub fields: Vec<&'w [String]>,
}

impl<'w> From<&'w str> for Wanted<'w> {
    fn from(name: &'w str) -> Self {
        Self { name, fields: Vec::new() }
    }
}

impl Wanted<'_> {
    /// Whether something at or below `path` is asked for.
    fn reaches(&self, path: &[&str]) -> bool {
        let meets = |field: &&[String]| field.iter().zip(path).all(|(a, b)| a == b);
        self.fields.is_empty() || self.fields.iter().any(meets)
    }

    /// The type of what is asked for.
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
pub(super) struct Reader<'p> {
    path: &'p Path,
    file: File,
    metadata: FileMetadata,
    schema: ArrowSchema,
}

impl<'p> Reader<'p> {
    pub(super) fn open(path: &'p Path) -> Result<Self, LakeError> {
        let mut file = File::open(path).map_err(|error| LakeError::io(path, error))?;
        let metadata = read_metadata(&mut file).map_err(|error| LakeError::io(path, error))?;
        let schema = infer_schema(&metadata).map_err(|error| LakeError::io(path, error))?;
        Ok(Self { path, file, metadata, schema })
    }

    /// The row groups.
    pub(super) fn groups(&self) -> Range<usize> {
        0..self.metadata.row_groups.len()
    }

    /// A row group with these columns (`None`: all), its rows where `mask` is set.
    pub(super) fn read(&self, group: usize, columns: Option<&[Wanted<'_>]>, mask: Option<&Bitmap>) -> Result<DataFrame, LakeError> {
        let all: Vec<Wanted<'_>>;
        let columns = match columns {
            Some(columns) => columns,
            None => {
                all = self.schema.iter_names().map(|name| Wanted::from(name.as_str())).collect();
                &all
            }
        };
        let frame = || {
            let height = self.height(group);
            let columns = columns.iter().map(|wanted| self.column(group, wanted, mask)).collect::<PolarsResult<Vec<Column>>>()?;
            DataFrame::new(mask.map_or(height, Bitmap::set_bits), columns)
        };
        frame().map_err(|error| self.error(error))
    }

    /// How many rows a row group has.
    pub(super) fn height(&self, group: usize) -> usize {
        self.metadata.row_groups.get(group).map_or(0, |group| group.num_rows())
    }

    /// The texts of a column, or of a field inside it, by number, in these rows (`None`: all); `None` if no texts are there,
    /// or lists of them.
    pub(super) fn codes(&self, group: usize, column: &str, fields: &[String], rows: Option<&[u32]>) -> Result<Option<Codes>, LakeError> {
        let read = || {
            let missing = || polars_err!(ColumnNotFound: "{column}");
            let mut chunks = self.metadata.row_groups.get(group).and_then(|group| group.columns_under_root_iter(column)).ok_or_else(missing)?;
            let is_it = |chunk: &&ColumnChunkMetadata| chunk.descriptor().path_in_schema.iter().skip(1).map(|name| name.as_str()).eq(fields);
            let Some(chunk) = chunks.find(is_it) else { return Ok(None) };
            if chunk.physical_type() != PhysicalType::ByteArray {
                return Ok(None);
            }
            let height = self.height(group);
            if let Some(codes) = codes::codes(self.pages(chunk)?, chunk, height)? {
                return Ok(Some(codes.chosen(rows)));
            }
            let mask = rows.map(|rows| mask(rows, height));
            let wanted = Wanted { name: column, fields: if fields.is_empty() { Vec::new() } else { vec![fields] } };
            let mut texts = self.column(group, &wanted, mask.as_ref())?.take_materialized_series();
            for field in fields {
                texts = texts.struct_()?.field_by_name(field)?;
            }
            Ok(Some(Codes { of_row: (0..).take(texts.len()).collect(), texts: Texts::Plain(texts.str()?.clone()) }))
        };
        read().map_err(|error: PolarsError| self.error(error))
    }

    fn column(&self, group: usize, wanted: &Wanted<'_>, mask: Option<&Bitmap>) -> PolarsResult<Column> {
        let missing = || polars_err!(ColumnNotFound: "{}", wanted.name);
        let field = self.schema.get(wanted.name).ok_or_else(missing)?;
        let field = Field { dtype: wanted.dtype(&field.dtype, &mut Vec::new()), ..field.clone() };
        let chunks = self.metadata.row_groups.get(group).and_then(|group| group.columns_under_root_iter(wanted.name)).ok_or_else(missing)?;
        let (mut pages, mut types) = (Vec::new(), Vec::new());
        for chunk in chunks {
            let path: Vec<&str> = chunk.descriptor().path_in_schema.iter().skip(1).map(|name| name.as_str()).collect();
            if wanted.reaches(&path) {
                pages.push(self.pages(chunk)?);
                types.push(&chunk.descriptor().descriptor.primitive_type);
            }
        }
        let filter = mask.map(|mask| Filter::Mask(mask.clone()));
        let (arrays, _) = column_iter_to_arrays(pages, types, field.clone(), filter)?;
        Ok(Series::try_from((&field, arrays))?.rechunk().into())
    }

    fn pages(&self, chunk: &ColumnChunkMetadata) -> PolarsResult<BasicDecompressor> {
        let range = chunk.byte_range();
        let mut bytes = vec![0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0)];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(range.start))?;
        file.read_exact(&mut bytes)?;
        let pages = PageReader::new(Cursor::new(bytes.into()), chunk, Vec::new(), usize::MAX);
        Ok(BasicDecompressor::new(pages, Vec::new()))
    }

    pub(super) fn error(&self, error: impl std::fmt::Display) -> LakeError {
        LakeError::io(self.path, error)
    }
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
