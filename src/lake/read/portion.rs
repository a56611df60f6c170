//! A row group of a lake; nothing of it is read before it is requested.

use polars::prelude::Int64Chunked;
use polars_arrow::bitmap::Bitmap;

use crate::lake::LakeError;
use crate::lake::commit::manifest::FileEntry;
use crate::lake::file::codes::{Codes, Texts};
use crate::lake::file::{Reader, Wanted};
use crate::lake::read::{is_within, table_rows};
use crate::model::Filter;
use crate::tables::cloudtrail::{ORIGINS, Origin};
use crate::tables::{Asked, Rows};

/// Rows of `cloudtrail_logs`. Some may be outside of the requested times.
pub struct Portion<'p> {
    reader: &'p Reader,
    group: usize,
    file: &'p FileEntry,
    address: Address,
}

/// Identifies a portion while its lake is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub(in crate::lake) file: usize,
    pub(in crate::lake) group: usize,
}

impl<'p> Portion<'p> {
    pub(in crate::lake) fn new(reader: &'p Reader, file: &'p FileEntry, address: Address) -> Self {
        Self { reader, group: address.group, file, address }
    }

    pub fn address(&self) -> Address {
        self.address
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.reader.height(self.group)
    }

    /// Uncompressed bytes of these columns in the file.
    pub fn bytes(&self, columns: &[Asked]) -> u64 {
        columns.iter().map(|column| self.reader.bytes(self.group, &column.name)).sum()
    }

    /// Whether all rows are within the times of `filter`.
    pub fn is_within(&self, filter: &Filter) -> bool {
        is_within(filter, self.file)
    }

    /// Whether a column, or a field inside it, may contain one of `texts`: false only if its smallest and
    /// greatest text or its filter exclude that.
    pub fn may_have(&self, column: &str, fields: &[String], texts: &[String]) -> bool {
        let is_text = |(name, origin): &(&str, Origin)| *name == column && matches!(origin, Origin::Field(_));
        !ORIGINS.iter().any(is_text) || self.reader.may_have(self.group, column, fields, texts)
    }

    /// A lower and an upper bound for the texts of a column, as bytes; `None` if they are not known.
    pub fn bounds(&self, column: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        self.reader.bounds(self.group, column, &[])
    }

    /// The texts of a column, or of a field inside it, by number, for these rows (`None`: all). `None` if it
    /// is not a text column. `as_column`: texts that hardly repeat are needed as a column.
    ///
    /// # Errors
    /// The file is damaged, or has no such column.
    pub fn codes(
        &self,
        column: &str,
        fields: &[String],
        rows: Option<&[u32]>,
        as_column: bool,
    ) -> Result<Option<Codes>, LakeError> {
        if !ORIGINS.iter().any(|(name, origin)| *name == column && *origin == Origin::Partition) {
            return self.reader.codes(self.group, column, fields, rows, as_column);
        }
        let texts = Texts::single(self.file.partition.value(column).as_deref());
        // A single text has the number 0; without a text, 0 is the number of NULL.
        Ok(Some(Codes { of_row: vec![0; rows.map_or_else(|| self.height(), <[u32]>::len)], texts }))
    }

    /// The requested columns of the rows for which `rows` is true (`None`: all), including those derived from
    /// the partition. Of struct columns, only the requested fields.
    ///
    /// # Errors
    /// The file is damaged, or has no such column.
    pub fn rows(&self, columns: &[Asked], rows: Option<&[bool]>) -> Result<Rows, LakeError> {
        let asked = |name: &str| columns.iter().any(|column| column.name == name);
        let in_file = ORIGINS.iter().filter(|(name, origin)| asked(name) && *origin != Origin::Partition);
        let fields = |name: &str| {
            columns.iter().find(|column| column.name == name).map_or(&[][..], |column| &column.fields)
        };
        let wanted = in_file
            .map(|(name, _)| Wanted { name, fields: fields(name).iter().map(Vec::as_slice).collect() });
        let mask = rows.map(|rows| rows.iter().copied().collect::<Bitmap>());
        let frame = self.reader.read(self.group, Some(&wanted.collect::<Vec<_>>()), mask.as_ref())?;
        table_rows(&frame, &self.file.partition, asked).map_err(|error| self.reader.error(error))
    }

    /// The index of each row's record in its object.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn records(&self) -> Result<Int64Chunked, LakeError> {
        let rows = self.reader.read(self.group, Some(&["record".into()]), None)?;
        rows.column("record")
            .and_then(|column| column.i64().cloned())
            .map_err(|error| self.reader.error(error))
    }
}
