//! A row group of a lake, of which nothing is read before it is asked for.

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

/// Rows of `cloudtrail_logs`, some of which may lie outside of the times that are asked for.
pub struct Portion<'p> {
    reader: &'p Reader,
    group: usize,
    file: &'p FileEntry,
    address: Address,
}

/// Where a portion is found again, while its lake is open.
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

    /// How many rows.
    pub fn height(&self) -> usize {
        self.reader.height(self.group)
    }

    /// What these columns take in the file, before compression.
    pub fn bytes(&self, columns: &[Asked]) -> u64 {
        columns.iter().map(|column| self.reader.bytes(self.group, &column.name)).sum()
    }

    /// Whether all of them lie within the times of `filter`.
    pub fn is_within(&self, filter: &Filter) -> bool {
        is_within(filter, self.file)
    }

    /// Whether a column, or a field inside it, may have one of `texts`: false only where the least and the
    /// greatest text of the portion say so, or its filter.
    pub fn may_have(&self, column: &str, fields: &[String], texts: &[String]) -> bool {
        let is_text = |(name, origin): &(&str, Origin)| *name == column && matches!(origin, Origin::Field(_));
        !ORIGINS.iter().any(is_text) || self.reader.may_have(self.group, column, fields, texts)
    }

    /// Texts between which all of a column's lie, as bytes; `None` where that is not known.
    pub fn bounds(&self, column: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        self.reader.bounds(self.group, column, &[])
    }

    /// The texts of a column, or of a field inside it, in these rows (`None`: all); `None` if no texts are
    /// there.
    ///
    /// # Errors
    /// The file is damaged, or has no such column.
    pub fn codes(
        &self,
        column: &str,
        fields: &[String],
        rows: Option<&[u32]>,
    ) -> Result<Option<Codes>, LakeError> {
        if !ORIGINS.iter().any(|(name, origin)| *name == column && *origin == Origin::Partition) {
            return self.reader.codes(self.group, column, fields, rows);
        }
        let texts = Texts::single(self.file.partition.value(column).as_deref());
        // The one text has the number 0; where there is none, that is NULL's.
        Ok(Some(Codes { of_row: vec![0; rows.map_or_else(|| self.height(), <[u32]>::len)], texts }))
    }

    /// Columns of these rows (`None`: all of them), with those of their partition. Of row columns, the fields
    /// that are asked for.
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

    /// Where each row stood in its object.
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
