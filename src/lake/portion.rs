//! A row group of a lake, of which nothing is read before it is asked for.

use polars::prelude::Int64Chunked;

use super::LakeError;
use super::codes::{Codes, Texts};
use super::manifest::FileEntry;
use super::parquet::Reader;
use super::read::is_within;
use crate::model::Filter;
use crate::tables::cloudtrail::{ORIGINS, Origin};

/// Rows of `cloudtrail_logs`, some of which may lie outside of the times that are asked for.
pub struct Portion<'p> {
    reader: &'p Reader,
    group: usize,
    file: &'p FileEntry,
}

impl<'p> Portion<'p> {
    pub(super) fn new(reader: &'p Reader, group: usize, file: &'p FileEntry) -> Self {
        Self { reader, group, file }
    }

    /// How many rows.
    pub fn height(&self) -> usize {
        self.reader.height(self.group)
    }

    /// Whether all of them lie within the times of `filter`.
    pub fn is_within(&self, filter: &Filter) -> bool {
        is_within(filter, self.file)
    }

    /// The texts of a column, or of a field inside it, in these rows (`None`: all); `None` if no texts are there.
    ///
    /// # Errors
    /// The file is damaged, or has no such column.
    pub fn codes(&self, column: &str, fields: &[String], rows: Option<&[u32]>) -> Result<Option<Codes>, LakeError> {
        if !ORIGINS.iter().any(|(name, origin)| *name == column && *origin == Origin::Partition) {
            return self.reader.codes(self.group, column, fields, rows);
        }
        let texts = Texts::single(self.file.partition.value(column).as_deref());
        // The one text has the number 0; where there is none, that is NULL's.
        Ok(Some(Codes { of_row: vec![0; rows.map_or_else(|| self.height(), <[u32]>::len)], texts }))
    }

    /// Where each row stood in its object.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn records(&self) -> Result<Int64Chunked, LakeError> {
        let rows = self.reader.read(self.group, Some(&["record".into()]), None)?;
        rows.column("record").and_then(|column| column.i64().cloned()).map_err(|error| self.reader.error(error))
    }
}
