//! A temporary file of compressed blocks, each with some rows of some columns.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use polars::prelude::{DataType, Series};
use zstd::bulk::{Compressor, Decompressor};

use super::Spill;
use super::pack::{Packed, damaged, pack, pack_same};
use crate::sql::error::Result;
use crate::sql::types::relation::{Field, Relation};

/// A fast level, as everything written is read once: texts that repeat are written once anyway.
const LEVEL: i32 = -1;

thread_local! {
    /// Made once for each thread, as that takes longer than to compress a small block.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

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
        for (at, column) in rows.columns.iter().enumerate() {
            match rows.same_before(at) {
                Some(same) => pack_same(same, &mut bytes)?,
                None => pack(column, &mut bytes)?,
            }
        }
        let own = rows.columns.iter().enumerate().filter(|(at, _)| rows.same_before(*at).is_none());
        let texts = own.map(|(_, column)| texts(column)).sum();
        self.put_packed(&bytes, texts, rows.height)
    }

    /// Writes what has been packed of `height` rows, in which there are so many texts.
    fn put_packed(&self, bytes: &[u8], texts: usize, height: usize) -> Result<Block> {
        let packed = COMPRESSOR.with_borrow_mut(|compressor| {
            let compressor = match compressor {
                Some(compressor) => compressor,
                None => compressor.insert(Compressor::new(LEVEL)?),
            };
            compressor.compress(bytes)
        });
        let packed = packed.map_err(|error| self.spill.failed("written", &error))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, end) = &mut *file;
        let at = *end;
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.write_all(&packed))
            .map_err(|error| self.spill.failed("written", &error))?;
        *end += packed.len() as u64;
        let views = texts * (VIEW_BYTES - NUMBER_BYTES);
        Ok(Block { at, length: packed.len(), bytes: bytes.len(), views, height })
    }

    /// Reads what has been packed.
    fn get_packed(&self, block: &Block) -> Result<Vec<u8>> {
        let mut packed = vec![0; block.length];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let read = file.0.seek(SeekFrom::Start(block.at)).and_then(|_| file.0.read_exact(&mut packed));
            read.map_err(|error| self.spill.failed("read", &error))?;
        }
        let bytes = DECOMPRESSOR.with_borrow_mut(|decompressor| {
            let decompressor = match decompressor {
                Some(decompressor) => decompressor,
                None => decompressor.insert(Decompressor::new()?),
            };
            decompressor.decompress(&packed, block.bytes)
        });
        bytes.map_err(|error| self.spill.failed("read", &error))
    }

    /// Reads the rows of a block; `fields` are their names and types.
    pub fn get(&self, block: &Block, fields: &[Field]) -> Result<Relation> {
        let bytes = self.get_packed(block)?;
        let mut packed = Packed(&bytes);
        let mut columns: Vec<Series> = Vec::with_capacity(fields.len());
        for field in fields {
            let column = match packed.same()? {
                Some(same) => columns.get(same).ok_or_else(damaged)?.clone(),
                None => packed.column(&field.name, block.height)?,
            };
            columns.push(column);
        }
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
