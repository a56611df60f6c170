//! A temporary file of compressed blocks, each with some rows of some columns.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use polars::prelude::{DataType, Series};

use super::Spill;
use super::pack::{Packed, pack};
use crate::sql::error::Result;
use crate::sql::types::relation::{Field, Relation};

/// The fastest level, as everything written is read once.
const LEVEL: i32 = 1;

/// The position of a block.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Block {
    at: u64,
    length: usize,
    /// Before compression.
    bytes: usize,
    /// What its rows take in memory beyond that: on disk, a text that many rows have is a number in each.
    views: usize,
    pub height: usize,
}

impl Block {
    /// Memory that its rows take, about.
    pub fn bytes(&self) -> u64 {
        (self.bytes + self.views) as u64
    }
}

/// The texts in a column, with those in its lists and fields.
fn texts(column: &Series) -> usize {
    match column.dtype() {
        DataType::String => column.len(),
        DataType::List(_) => column.list().map_or(0, |lists| texts(&lists.get_inner())),
        DataType::Struct(_) => {
            column.struct_().map_or(0, |rows| rows.fields_as_series().iter().map(texts).sum())
        }
        _ => 0,
    }
}

/// Bytes of a text's view in memory, and of its number on disk.
const VIEW_BYTES: usize = 16;
const NUMBER_BYTES: usize = 4;

/// The file.
#[derive(Debug)]
pub(in crate::sql) struct BlockFile {
    spill: Spill,
    file: Mutex<(File, u64)>,
}

impl BlockFile {
    pub fn new(spill: &Spill) -> Result<Self> {
        Ok(Self { spill: spill.clone(), file: Mutex::new((spill.file()?, 0)) })
    }

    /// Writes rows. Their names and types are not stored.
    pub fn put(&self, rows: &Relation) -> Result<Block> {
        let mut bytes = Vec::new();
        rows.columns.iter().try_for_each(|column| pack(column, &mut bytes))?;
        let packed =
            zstd::bulk::compress(&bytes, LEVEL).map_err(|error| self.spill.failed("written", &error))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, end) = &mut *file;
        let at = *end;
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.write_all(&packed))
            .map_err(|error| self.spill.failed("written", &error))?;
        *end += packed.len() as u64;
        let views = rows.columns.iter().map(texts).sum::<usize>() * (VIEW_BYTES - NUMBER_BYTES);
        Ok(Block { at, length: packed.len(), bytes: bytes.len(), views, height: rows.height })
    }

    /// Reads the rows of a block; `fields` are their names and types.
    pub fn get(&self, block: &Block, fields: &[Field]) -> Result<Relation> {
        let mut packed = vec![0; block.length];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let read = file.0.seek(SeekFrom::Start(block.at)).and_then(|_| file.0.read_exact(&mut packed));
            read.map_err(|error| self.spill.failed("read", &error))?;
        }
        let bytes = zstd::bulk::decompress(&packed, block.bytes)
            .map_err(|error| self.spill.failed("read", &error))?;
        let mut packed = Packed(&bytes);
        let columns = fields
            .iter()
            .map(|field| packed.column(&field.name, block.height))
            .collect::<Result<Vec<_>>>()?;
        Ok(Relation { fields: fields.to_vec(), columns, height: block.height })
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// How many rows of a relation make a block of about `bytes`.
pub(in crate::sql) fn rows_of(bytes: u64, rows: usize, bytes_wanted: u64) -> usize {
    let each = (bytes / rows.max(1) as u64).max(1);
    usize::try_from(bytes_wanted / each).unwrap_or(usize::MAX).clamp(16, 16_384)
}
