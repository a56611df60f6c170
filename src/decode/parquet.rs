//! Parquet: CloudTrail's records as Athena, Spark and DuckDB export them, and OCSF as Amazon Security Lake
//! stores it.
//!
//! The columns of a file show what it contains. If one column has whole records as text, these texts are
//! read; if there are CloudTrail's own columns, records are made from them; if there are OCSF's columns, OCSF
//! events. A row group is kept in memory compressed, a few thousand of its rows at a time are decoded, and
//! the records are passed as JSON lines to the full path.

mod pages;
mod types;
mod values;

use std::borrow::Cow;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, FileMetadata, Filter, PageReader, column_iter_to_arrays,
    read_metadata,
};

use super::guard::guarded;
use super::table::{self, Known, Table};
use super::text_memory::{MemoryShare, TextMemory};
use values::Values;

/// Maximum number of rows that are decoded at a time.
const ROWS_MAX: usize = 32 << 10;
const ROWS_MIN: usize = 256;
/// Approximate memory for a decoded value, without its text.
const VALUE_BYTES: u64 = 48;
/// Approximate bytes of record text that are made at a time.
const STEP_BYTES: usize = 64 << 10;
/// The records of a file may together be this many times larger than the file …
const RATIO_MAX: u64 = 1_000;
/// … and this large in any case.
const TEXT_SURE: u64 = 256 << 20;
/// A file may have this many rows in any case; otherwise no more than it has bytes.
const ROWS_SURE: u64 = 1 << 20;
/// The end of a footer: its length and the magic number.
const FOOTER_END: i64 = 8;

/// How a row represents a record.
enum Shape {
    /// As text, in this column.
    Whole(String),
    /// In CloudTrail's columns.
    Columns(Vec<Known>),
    /// As an OCSF event.
    Ocsf,
}

/// A column of one row group, still compressed: the pages of all its fields.
struct Stored {
    field: Field,
    group: usize,
    leaves: Vec<Vec<u8>>,
}

/// A reader of JSON lines, which are made from rows on demand.
struct Made<'r, R> {
    source: R,
    /// How many more bytes of text the records may have.
    allowed: u64,
    room: &'r TextMemory,
    metadata: FileMetadata,
    fields: Vec<Field>,
    shape: Shape,
    /// Index of the next row group.
    group: usize,
    stored: Vec<Stored>,
    taken: Option<MemoryShare<'r>>,
    /// Of the row group: number of its rows, of those decoded so far, and of those decoded at a time.
    height: usize,
    unpacked: usize,
    step: usize,
    columns: Vec<Values>,
    row: usize,
    rows: usize,
    /// An error that is reported after all rows before it.
    broken: Option<String>,
    out: Vec<u8>,
    at: usize,
}

/// Reads the footer of a file, and returns its rows as records.
///
/// # Errors
/// The file is damaged, or its columns contain no records.
pub(super) fn records<'r>(
    mut source: impl Read + Seek + 'r,
    room: &'r TextMemory,
) -> Result<Table<'r>, String> {
    let stored = source.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    footer_fits(&mut source, room.share_bytes())?;
    let metadata = guarded(|| read_metadata(&mut source))
        .ok_or_else(damaged)?
        .map_err(|error| format!("damaged Parquet: {error}"))?;
    let schema = guarded(|| types::schema(&metadata))
        .ok_or_else(damaged)?
        .map_err(|error| format!("damaged Parquet: {error}"))?;
    let rows = metadata.row_groups.iter().map(|group| group.num_rows() as u64).fold(0, u64::saturating_add);
    if rows != metadata.num_rows as u64 {
        return Err(format!(
            "damaged Parquet: it says it has {} rows, and its row groups have {rows}",
            metadata.num_rows
        ));
    }
    if rows > stored.max(ROWS_SURE) {
        return Err(format!(
            "Parquet that says it has {rows} rows in {stored} bytes: no log is packed so well"
        ));
    }
    let all: Vec<Field> = schema.iter_values().cloned().collect();
    let mut made = Made {
        source,
        allowed: stored.saturating_mul(RATIO_MAX).max(TEXT_SURE),
        room,
        metadata,
        fields: Vec::new(),
        shape: Shape::Ocsf,
        group: 0,
        stored: Vec::new(),
        taken: None,
        height: 0,
        unpacked: 0,
        step: 0,
        columns: Vec::new(),
        row: 0,
        rows: 0,
        broken: None,
        out: Vec::new(),
        at: 0,
    };
    made.shape = made.tell(&schema)?;
    made.fields = match &made.shape {
        Shape::Whole(name) => all.into_iter().filter(|field| field.name == name.as_str()).collect(),
        Shape::Columns(known) => known.iter().filter_map(|known| all.get(known.column).cloned()).collect(),
        Shape::Ocsf => all,
    };
    let lossy = !matches!(made.shape, Shape::Whole(_));
    Ok(Table { records: Box::new(made), lossy })
}

fn damaged() -> String {
    "damaged Parquet: it cannot be taken apart".to_owned()
}

/// Checks the length of the footer against the file's, before memory is allocated for it.
fn footer_fits(source: &mut (impl Read + Seek), bytes_max: u64) -> Result<(), String> {
    let mut end = [0; 4];
    let read = source.seek(SeekFrom::End(-FOOTER_END)).and_then(|_| source.read_exact(&mut end));
    read.map_err(|_| "Parquet that is cut off: what says where things are stands at its end".to_owned())?;
    let length = u64::from(u32::from_le_bytes(end));
    if length > bytes_max {
        Err(format!("Parquet with a footer of {length} bytes, more than --max-memory allows"))
    } else {
        Ok(())
    }
}

impl<'r, R: Read + Seek> Made<'r, R> {
    /// Determines what the rows represent, from the columns and, for text columns, the first row.
    fn tell(&mut self, schema: &ArrowSchema) -> Result<Shape, String> {
        let names: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
        let known = table::known(&names);
        let is_known = |name: &str| known.iter().any(|known| known.name == name);
        let has = |name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        for field in schema.iter_values().filter(|field| is_text(&field.dtype)) {
            let other = !known
                .iter()
                .any(|known| names.get(known.column).is_some_and(|name| field.name == name.as_str()));
            if other && self.first(field)?.is_some_and(|text| table::holds_record(text.as_bytes())) {
                return Ok(Shape::Whole(field.name.to_string()));
            }
        }
        if has("class_uid") && has("metadata") && has("api") {
            return Ok(Shape::Ocsf);
        }
        if !["eventTime", "eventSource", "eventName"].iter().all(|name| is_known(name)) {
            let shown = names
                .iter()
                .take(8)
                .map(|name| super::fields::excerpt(name.as_bytes()))
                .collect::<Vec<_>>()
                .join(", ");
            return Err(format!(
                "Parquet with the columns {shown}, and none of them holds records of CloudTrail"
            ));
        }
        if !table::has_requests(&known) {
            return Err(
                "Parquet without a column requestparameters, so that no image can be told: export that \
                 column, too"
                    .to_owned(),
            );
        }
        Ok(Shape::Columns(known))
    }

    /// The text of a column in the first row.
    fn first(&mut self, field: &Field) -> Result<Option<String>, String> {
        let Some(group) = self.metadata.row_groups.iter().position(|group| group.num_rows() > 0) else {
            return Ok(None);
        };
        let stored = self.column(group, field)?;
        self.taken = None;
        let values = unpack(&self.metadata, &stored, 0..1)?;
        Ok(values.text(0).map(Cow::into_owned))
    }

    /// Reads the pages of a column of a row group.
    fn column(&mut self, group: usize, field: &Field) -> Result<Stored, String> {
        let Self { source, metadata, .. } = self;
        let mut leaves = Vec::new();
        for chunk in leaves_of(metadata, group, field) {
            let range = chunk.byte_range();
            let length = range.end.checked_sub(range.start).ok_or_else(damaged)?;
            let mut bytes = Vec::new();
            let read = source
                .seek(SeekFrom::Start(range.start))
                .and_then(|_| source.by_ref().take(length).read_to_end(&mut bytes));
            if read.map_err(|error| error.to_string())? as u64 != length {
                return Err("damaged Parquet: a column lies outside of the file".to_owned());
            }
            pages::fit(&bytes, chunk, self.room)?;
            leaves.push(bytes);
        }
        Ok(Stored { field: field.clone(), group, leaves })
    }

    /// Reads the next row group; false if there is none.
    fn next_group(&mut self) -> Result<bool, String> {
        (self.stored, self.taken, self.unpacked, self.height) = (Vec::new(), None, 0, 0);
        let Some(group) = self.metadata.row_groups.get(self.group) else { return Ok(false) };
        self.height = group.num_rows();
        let chunks =
            self.fields.iter().filter_map(|field| group.columns_under_root_iter(&field.name)).flatten();
        let rows = self.height as u64;
        let (mut bytes, mut text, mut leaves) = (0_u64, 0_u64, 0_u64);
        for chunk in chunks {
            // In a list a row may have any number of values; otherwise it has one.
            let values = u64::try_from(chunk.num_values()).map_err(|_| damaged())?;
            if chunk.descriptor().descriptor.max_rep_level == 0 && values != rows {
                return Err(format!(
                    "damaged Parquet: a row group says it has {rows} rows, and a column of it {values} values"
                ));
            }
            let range = chunk.byte_range();
            bytes = bytes.saturating_add(range.end.saturating_sub(range.start));
            text = text.saturating_add(u64::try_from(chunk.uncompressed_size()).unwrap_or(0));
            leaves += 1;
        }
        self.taken = Some(self.room.whole(bytes).ok_or_else(|| {
            format!(
                "Parquet with a row group of {bytes} bytes, more than --max-memory allows: give more, or \
                 write it anew with smaller ones"
            )
        })?);
        let row_bytes = (text / self.height.max(1) as u64).saturating_add(leaves * VALUE_BYTES).max(1);
        self.step = usize::try_from(self.room.share_bytes() / row_bytes)
            .unwrap_or(ROWS_MAX)
            .clamp(ROWS_MIN, ROWS_MAX);
        let group = self.group;
        self.group += 1;
        let fields = std::mem::take(&mut self.fields);
        let stored = fields.iter().map(|field| self.column(group, field)).collect::<Result<_, _>>();
        self.fields = fields;
        self.stored = stored?;
        Ok(true)
    }

    /// Decodes the next rows; false if there are none.
    fn next_rows(&mut self) -> Result<bool, String> {
        while self.unpacked >= self.height {
            if !self.next_group()? {
                return Ok(false);
            }
        }
        let rows = self.unpacked..self.height.min(self.unpacked + self.step);
        self.columns = self
            .stored
            .iter()
            .map(|stored| unpack(&self.metadata, stored, rows.clone()))
            .collect::<Result<_, _>>()?;
        if self.columns.iter().any(|values| values.len().is_some_and(|length| length != rows.len())) {
            return Err("damaged Parquet: a column has fewer rows than its row group says".to_owned());
        }
        (self.row, self.rows, self.unpacked) = (0, rows.len(), rows.end);
        Ok(true)
    }

    fn refill(&mut self) -> Result<(), String> {
        self.out.clear();
        self.at = 0;
        while self.out.len() < STEP_BYTES {
            if self.row >= self.rows {
                match self.broken.take().map_or_else(|| self.next_rows(), Err) {
                    Ok(true) => {}
                    Ok(false) => break,
                    // The records before the error are returned first.
                    Err(reason) if !self.out.is_empty() => {
                        self.broken = Some(reason);
                        break;
                    }
                    Err(reason) => return Err(reason),
                }
            }
            let row_bytes_max = usize::try_from(self.room.record_bytes()).unwrap_or(usize::MAX);
            let before = self.out.len();
            self.write_row(before.saturating_add(row_bytes_max));
            if self.out.len() - before > row_bytes_max {
                return Err(format!(
                    "Parquet with a row that is larger than --max-memory allows ({row_bytes_max} bytes): give \
                     more"
                ));
            }
            self.row += 1;
        }
        self.allowed = self.allowed.checked_sub(self.out.len() as u64).ok_or_else(|| {
            format!(
                "Parquet whose records are more than {RATIO_MAX} times as large as it is: no log comes near \
                 that"
            )
        })?;
        Ok(())
    }

    /// Writes a row, truncated if it is longer than `limit`.
    fn write_row(&mut self, limit: usize) {
        let (out, columns, row) = (&mut self.out, &self.columns, self.row);
        // An empty row is not a record.
        if columns.iter().all(|values| values.is_null(row)) {
            return;
        }
        match &self.shape {
            Shape::Whole(_) => {
                let text = columns.first().and_then(|values| values.text(row)).unwrap_or_default();
                table::write_line(out, text.as_bytes());
            }
            Shape::Columns(known) => table::write_record(out, known, |at| {
                columns.get(at).map_or(Cow::Borrowed(&b""[..]), |values| {
                    match values.text_within(row, limit) {
                        Some(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
                        Some(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
                        None => Cow::Borrowed(&b""[..]),
                    }
                })
            }),
            Shape::Ocsf => {
                values::write_object(
                    out,
                    self.fields.iter().map(|field| field.name.as_str()).zip(columns),
                    row,
                    &|name| name.to_owned(),
                    limit,
                );
                out.push(b'\n');
            }
        }
    }
}

impl<R: Read + Seek> Read for Made<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.out.len() {
            self.refill().map_err(io::Error::other)?;
        }
        let rest = self.out.get(self.at..).unwrap_or_default();
        let taken = rest.len().min(out.len());
        out[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken;
        Ok(taken)
    }
}

fn is_text(dtype: &ArrowDataType) -> bool {
    matches!(
        dtype,
        ArrowDataType::Utf8View | ArrowDataType::BinaryView | ArrowDataType::Utf8 | ArrowDataType::LargeUtf8
    )
}

/// The metadata of all column chunks below a column.
fn leaves_of<'m>(
    metadata: &'m FileMetadata,
    group: usize,
    field: &Field,
) -> impl Iterator<Item = &'m ColumnChunkMetadata> {
    metadata
        .row_groups
        .get(group)
        .and_then(|group| group.columns_under_root_iter(&field.name))
        .into_iter()
        .flatten()
}

/// Decodes some rows of a column.
fn unpack(metadata: &FileMetadata, stored: &Stored, rows: std::ops::Range<usize>) -> Result<Values, String> {
    let work = || {
        let (mut pages, mut types) = (Vec::new(), Vec::new());
        for (bytes, chunk) in stored.leaves.iter().zip(leaves_of(metadata, stored.group, &stored.field)) {
            pages.push(BasicDecompressor::new(reader(bytes, chunk), Vec::new()));
            types.push(&chunk.descriptor().descriptor.primitive_type);
        }
        column_iter_to_arrays(pages, types, stored.field.clone(), Some(Filter::Range(rows)))
    };
    let (arrays, _) =
        guarded(work).ok_or_else(damaged)?.map_err(|error| format!("damaged Parquet: {error}"))?;
    guarded(|| Values::of(arrays)).ok_or_else(damaged)?
}

fn reader(bytes: &[u8], chunk: &ColumnChunkMetadata) -> PageReader {
    PageReader::new(Cursor::new(bytes.to_vec().into()), chunk, Vec::new(), usize::MAX)
}
