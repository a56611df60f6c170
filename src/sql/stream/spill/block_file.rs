//! A temporary file of compressed blocks, each with some rows of some columns.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use polars::prelude::{DataType, Series};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::compress_bound;

use super::Spill;
use super::pack::{Packed, damaged, pack, pack_same};
use crate::sql::error::Result;
use crate::sql::types::relation::{Field, Relation};

/// A fast level, as everything written is read once: texts that repeat are written once anyway.
const LEVEL: i32 = -3;

thread_local! {
    /// Made once for each thread, as that takes longer than to compress a small block; with the bytes on disk of
    /// what was last written or read.
    static COMPRESSOR: RefCell<(Option<Compressor<'static>>, Vec<u8>)> =
        const { RefCell::new((None, Vec::new())) };
    static DECOMPRESSOR: RefCell<(Option<Decompressor<'static>>, Vec<u8>)> =
        const { RefCell::new((None, Vec::new())) };
}

/// A thread keeps the memory for the bytes on disk for the next ones, up to this size.
const KEPT_BYTES_MAX: usize = 1 << 21;

/// Bytes in the file that have been compressed at once.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Frame {
    at: u64,
    length: usize,
    /// Before compression.
    pub bytes: usize,
}

/// The position of a block.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Block {
    frame: Frame,
    /// What its rows take in memory beyond its bytes: on disk, a text that many rows have is a number in each.
    views: usize,
    pub height: usize,
}

impl Block {
    /// Memory that its rows take, about.
    pub fn bytes(&self) -> u64 {
        (self.frame.bytes + self.views) as u64
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
        let texts = own.map(|(_, column)| texts(column)).sum::<usize>();
        let views = texts * (VIEW_BYTES - NUMBER_BYTES);
        Ok(Block { frame: self.put_frame(&bytes)?, views, height: rows.height })
    }

    /// Writes bytes.
    pub fn put_frame(&self, bytes: &[u8]) -> Result<Frame> {
        COMPRESSOR.with_borrow_mut(|(compressor, packed)| {
            let frame = self.written(bytes, compressor, packed);
            let frame = frame.map_err(|error| self.spill.failed("written", &error));
            packed.clear();
            packed.shrink_to(KEPT_BYTES_MAX);
            frame
        })
    }

    fn written(
        &self,
        bytes: &[u8],
        compressor: &mut Option<Compressor<'static>>,
        packed: &mut Vec<u8>,
    ) -> io::Result<Frame> {
        let compressor = match compressor {
            Some(compressor) => compressor,
            None => compressor.insert(Compressor::new(LEVEL)?),
        };
        packed.reserve(compress_bound(bytes.len()));
        compressor.compress_to_buffer(bytes, packed)?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, end) = &mut *file;
        let at = *end;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(packed)?;
        *end += packed.len() as u64;
        Ok(Frame { at, length: packed.len(), bytes: bytes.len() })
    }

    /// Reads bytes, and adds them to `out`.
    pub fn get_frame(&self, frame: &Frame, out: &mut Vec<u8>) -> Result<()> {
        DECOMPRESSOR.with_borrow_mut(|(decompressor, packed)| {
            let read = self.read(frame, decompressor, packed, out);
            packed.clear();
            packed.shrink_to(KEPT_BYTES_MAX);
            match read.map_err(|error| self.spill.failed("read", &error))? {
                read if read == frame.bytes => Ok(()),
                _ => Err(damaged()),
            }
        })
    }

    /// Returns how many bytes there were.
    fn read(
        &self,
        frame: &Frame,
        decompressor: &mut Option<Decompressor<'static>>,
        packed: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> io::Result<usize> {
        packed.resize(frame.length, 0);
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.0.seek(SeekFrom::Start(frame.at))?;
            file.0.read_exact(packed)?;
        }
        let decompressor = match decompressor {
            Some(decompressor) => decompressor,
            None => decompressor.insert(Decompressor::new()?),
        };
        out.reserve(frame.bytes);
        let mut end = Cursor::new(&mut *out);
        end.set_position(end.get_ref().len() as u64);
        decompressor.decompress_to_buffer(packed, &mut end)
    }

    /// Reads the rows of a block; `fields` are their names and types.
    pub fn get(&self, block: &Block, fields: &[Field]) -> Result<Relation> {
        let mut bytes = Vec::new();
        self.get_frame(&block.frame, &mut bytes)?;
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
