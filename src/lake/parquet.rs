//! Files of rows: the columns of `cloudtrail_logs` that a partition's path does not say, and what no column can hold.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use polars::prelude::{Column, DataFrame};
use polars_io::SerReader;
use polars_io::parquet::read::ParquetReader;
use polars_io::parquet::write::{ParquetCompression, ParquetWriter};

use super::LakeError;
use super::frame::Frame;
use super::record::{MEMBERS, Split};
use crate::tables::Kind;
use crate::tables::builder::Builder;

/// Rows in a row group, at most.
const GROUP_ROWS_MAX: usize = 100_000;
/// JSON of the rows in a row group, about: it bounds what is held while the group is made.
const GROUP_BYTES_MAX: usize = 32 << 20;

/// Columns beside those of [`MEMBERS`]: where the record stood, and what the other columns cannot say.
const OBJECT: &str = "object";
const RECORD: &str = "record";
const EXTRA: &str = "extra";
const ORIGINAL: &str = "original";

/// Writes `frames`, in their order, as one file, down to the disk. Its size in bytes.
pub(super) fn write(path: &Path, frames: &[Frame<'_>], native: bool) -> Result<u64, LakeError> {
    let io = |error: std::io::Error| LakeError::io(path, error);
    let polars = |error: polars::error::PolarsError| LakeError::io(path, error);
    let mut out = BufWriter::new(File::create(path).map_err(io)?);
    let mut rows = Rows::new();
    let schema = rows.take(path)?.schema().clone();
    let mut writer = ParquetWriter::new(&mut out).with_compression(ParquetCompression::Zstd(None)).batched(&schema).map_err(polars)?;
    for group in groups(frames) {
        group.iter().for_each(|frame| rows.push(frame, native));
        writer.write_batch(&rows.take(path)?).map_err(polars)?;
    }
    writer.finish().map_err(polars)?;
    drop(writer);
    out.flush().map_err(io)?;
    let file = out.into_inner().map_err(|error| LakeError::io(path, error.error()))?;
    file.sync_all().map_err(io)?;
    file.metadata().map(|metadata| metadata.len()).map_err(io)
}

/// Cuts frames into row groups.
fn groups<'f, 'b>(frames: &'f [Frame<'b>]) -> impl Iterator<Item = &'f [Frame<'b>]> {
    let mut rest = frames;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |frame: &&Frame<'_>| {
            bytes += frame.json.len();
            bytes <= GROUP_BYTES_MAX
        };
        let rows = rest.iter().take(GROUP_ROWS_MAX).take_while(fits).count().max(1);
        let (group, after) = rest.split_at_checked(rows)?;
        rest = after;
        Some(group)
    })
}

/// Rows of one group, growing.
struct Rows {
    members: Vec<Builder>,
    object: Builder,
    record: Builder,
    extra: Builder,
    original: Builder,
    height: usize,
}

impl Rows {
    fn new() -> Self {
        let text = || Builder::new(&Kind::Varchar);
        let members = MEMBERS.iter().map(|member| Builder::new(&member.kind)).collect();
        Self { members, object: text(), record: Builder::new(&Kind::Bigint), extra: text(), original: text(), height: 0 }
    }

    fn push(&mut self, frame: &Frame<'_>, native: bool) {
        let split = Split::of(frame.json, native);
        for (at, builder) in self.members.iter_mut().enumerate() {
            builder.push_json(split.as_ref().ok().and_then(|split| split.value(at)));
        }
        self.object.push_text(Some(frame.object));
        self.record.push_number(i64::try_from(frame.record).ok());
        let (extra, original) = match &split {
            Ok(split) => (split.extra(), split.original()),
            // It was split once before; were it different now, its text still has it all.
            Err(_) => (None, Some(frame.json)),
        };
        self.extra.push_text(extra.as_deref());
        self.original.push_text(original);
        self.height += 1;
    }

    fn take(&mut self, path: &Path) -> Result<DataFrame, LakeError> {
        let mut columns: Vec<Column> = MEMBERS.iter().zip(&mut self.members).map(|(member, builder)| builder.take(member.column).into()).collect();
        for (name, builder) in [(OBJECT, &mut self.object), (RECORD, &mut self.record), (EXTRA, &mut self.extra), (ORIGINAL, &mut self.original)] {
            columns.push(builder.take(name).into());
        }
        DataFrame::new(std::mem::take(&mut self.height), columns).map_err(|error| LakeError::io(path, error))
    }
}

/// An open file.
pub(super) struct Reader<'p> {
    path: &'p Path,
    /// Rows of each row group.
    groups: Vec<usize>,
}

impl<'p> Reader<'p> {
    pub(super) fn open(path: &'p Path) -> Result<Self, LakeError> {
        let file = File::open(path).map_err(|error| LakeError::io(path, error))?;
        let mut reader = ParquetReader::new(file);
        let metadata = reader.get_metadata().map_err(|error| LakeError::io(path, error))?;
        let groups = metadata.row_groups.iter().map(|group| group.num_rows()).collect();
        Ok(Self { path, groups })
    }

    /// First row and number of rows of each row group.
    pub(super) fn groups(&self) -> impl Iterator<Item = (usize, usize)> {
        self.groups.iter().scan(0, |start, rows| {
            let group = (*start, *rows);
            *start += rows;
            Some(group)
        })
    }

    /// Some rows, with these columns (`None`: all).
    pub(super) fn read(&self, (start, rows): (usize, usize), columns: Option<&[&str]>) -> Result<DataFrame, LakeError> {
        let file = File::open(self.path).map_err(|error| LakeError::io(self.path, error))?;
        let columns = columns.map(|columns| columns.iter().map(|name| (*name).to_owned()).collect());
        let reader = ParquetReader::new(file).with_columns(columns).with_slice(Some((start, rows))).set_rechunk(true);
        reader.finish().map_err(|error| LakeError::io(self.path, error))
    }

    pub(super) fn error(&self, error: impl std::fmt::Display) -> LakeError {
        LakeError::io(self.path, error)
    }
}
