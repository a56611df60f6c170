//! An answer in several parts: workers format the parts, which are then written in order.

use std::cell::Cell;
use std::io::{self, BufRead as _, BufReader, Seek as _, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tempfile::{SpooledTempFile, spooled_tempfile_in};
use zstd::stream::read::Decoder;

use super::{cells_of, csv_rows, parquet, write_csv, write_json, write_lines, write_shown};
use crate::lake::LakeFeed;
use crate::model::Coverage;
use crate::sql::{Answer, Export, Interrupted, Ordered, SqlError};
use crate::ui::format::{Format, Look, Rows};

/// The level of zstd for rows that are written and read once.
const LEVEL: i32 = 1;

/// Where the rows come from.
#[derive(Clone, Copy)]
pub enum Origin<'a> {
    Lake {
        export: &'a Export,
        lake: &'a LakeFeed,
    },
    /// Temporary files in which the rows were sorted.
    Disk(&'a Ordered),
}

/// The rows of an answer that is written in parts.
pub struct Parts<'a> {
    pub origin: Origin<'a>,
    /// Number of threads.
    pub jobs: usize,
    /// Becomes true when no more output is wanted.
    pub cancelled: &'a AtomicBool,
    /// The error of a value, if there was one.
    pub failure: Cell<Option<SqlError>>,
}

/// As much is kept in memory before there is a temporary file.
const HELD_BYTES: usize = 8 << 20;

/// The rows of a JSON document, many of them in a temporary file: the document begins with what is known only when
/// all rows have been read.
pub struct Spooled {
    file: SpooledTempFile,
    pub rows: u64,
}

impl Parts<'_> {
    /// Puts the rows aside as compressed JSON, in `folder` if they are many.
    pub fn spool(&self, folder: &Path) -> io::Result<Spooled> {
        let mut file = spooled_tempfile_in(HELD_BYTES, folder);
        // Without rows it is not an empty file, which would be no compressed one.
        file.write_all(&zstd::bulk::compress(&[], LEVEL)?)?;
        let compressed = |part: &Answer| zstd::bulk::compress(&text(part, write_lines)?, LEVEL);
        let rows = self.each(compressed, |part| file.write_all(&part))?;
        file.rewind()?;
        Ok(Spooled { file, rows })
    }

    /// Writes a JSON document with rows that were put aside.
    pub fn write_json(&self, out: &mut dyn Write, coverage: &Coverage, spooled: Spooled) -> io::Result<()> {
        let lines = BufReader::new(Decoder::new(spooled.file)?).lines();
        write_json(out, coverage, self.columns(), lines)
    }

    /// The columns of the answer, without rows.
    fn columns(&self) -> &Answer {
        match self.origin {
            Origin::Lake { export, .. } => export.columns(),
            Origin::Disk(ordered) => ordered.columns(),
        }
    }

    /// Writes all rows and returns their number, in a format that can be written in parts. A table shows at
    /// most `rows_max`.
    pub fn write(&self, out: &mut dyn Write, look: Look, rows_max: usize) -> io::Result<u64> {
        let columns = self.columns();
        match look.format {
            Format::Csv => {
                write_csv(out, columns)?;
                self.each(
                    |part| text(part, |out, part| csv_rows(Rows::below(out), part)),
                    |text| out.write_all(&text),
                )
            }
            Format::Ndjson => self.each(|part| text(part, write_lines), |text| out.write_all(&text)),
            Format::Parquet => {
                let frame = columns.frame().map_err(io::Error::other)?;
                let mut writer = parquet::Writer::new(out, frame.schema()).map_err(io::Error::other)?;
                let frame = |part: &Answer| part.frame().map_err(io::Error::other);
                let rows = self.each(frame, |frame| writer.write(&frame).map_err(io::Error::other))?;
                writer.finish().map_err(io::Error::other)?;
                Ok(rows)
            }
            _ => {
                let (left, mut shown) = (AtomicUsize::new(rows_max), Vec::new());
                let cells = |part: &Answer| Ok(cells_of(part, left.load(Ordering::Relaxed)));
                let rows = self.each(cells, |mut cells| {
                    cells.truncate(rows_max - shown.len());
                    shown.append(&mut cells);
                    left.store(rows_max - shown.len(), Ordering::Relaxed);
                    Ok(())
                })?;
                write_shown(out, look.columns, columns, &shown, rows).map(|()| rows)
            }
        }
    }

    fn each<T: Send>(
        &self,
        render: impl Fn(&Answer) -> io::Result<T> + Sync,
        take: impl FnMut(T) -> io::Result<()>,
    ) -> io::Result<u64> {
        let done = match self.origin {
            Origin::Lake { export, lake } => export.each(lake, self.jobs, self.cancelled, render, take),
            Origin::Disk(ordered) => ordered.each(self.jobs, self.cancelled, render, take),
        };
        done.map_err(|interrupted| match interrupted {
            Interrupted::Output(error) => error,
            Interrupted::Query(error) => {
                self.failure.set(Some(error));
                io::Error::other("the rows end here")
            }
        })
    }
}

fn text(part: &Answer, write: impl Fn(&mut dyn Write, &Answer) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    write(&mut text, part)?;
    Ok(text)
}
