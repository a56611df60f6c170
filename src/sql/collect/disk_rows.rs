//! Rows that do not fit into memory while they are gathered: written to disk, and read again piece by
//! piece.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use polars::prelude::{BooleanChunked, NewChunkedArray};

use super::refused::{First, Refused};
use crate::sql::error::{Result, SqlError};
use crate::sql::stream::spill::Spill;
use crate::sql::stream::spill::block_file::{Block, BlockFile, rows_of};
use crate::sql::stream::spill::spread::Spread;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::values::Cell;
use crate::tables::cloudtrail::TABLE;
use crate::tables::events::IDENTITY;
use crate::tables::{Kind, Rows};

/// Number of hash partitions (shares) in which duplicates are searched for.
const SHARES: usize = 64;
/// Approximate memory of a piece.
const PIECE_BYTES: u64 = 4 << 20;

/// The rows of all workers, on disk.
#[derive(Debug)]
pub(in crate::sql) struct DiskRows {
    spill: Spill,
    /// Memory that a piece may use.
    piece_bytes: u64,
    files: Mutex<Option<Arc<Files>>>,
}

#[derive(Debug)]
struct Files {
    block_file: BlockFile,
    blocks: Mutex<(Vec<Field>, Vec<Block>)>,
    /// Identity and position of each event.
    told: Spread,
}

impl DiskRows {
    /// `memory_bytes_max` is the memory for all pieces that are loaded at the same time.
    pub fn new(spill: Spill, memory_bytes_max: u64, jobs: usize) -> Self {
        let piece_bytes = (memory_bytes_max / 16 / jobs.max(1) as u64).clamp(64 << 10, PIECE_BYTES);
        Self { spill, piece_bytes, files: Mutex::default() }
    }

    fn files(&self) -> Result<Arc<Files>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = &*files {
            return Ok(Arc::clone(files));
        }
        let made = Files {
            block_file: BlockFile::new(&self.spill)?,
            blocks: Mutex::default(),
            told: Spread::new(&self.spill, SHARES, 0)?,
        };
        Ok(Arc::clone(files.insert(Arc::new(made))))
    }

    pub fn is_used(&self) -> bool {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Writes rows to disk.
    pub fn put(&self, rows: &Rows) -> Result<()> {
        let files = self.files()?;
        let bytes = rows.columns.iter().map(|(_, column)| column.estimated_size()).sum::<usize>() as u64;
        let count = rows_of(bytes, rows.height, self.piece_bytes);
        let (mut all, mut identities) = (Relation { height: rows.height, ..Relation::default() }, None);
        for (name, column) in &rows.columns {
            if *name == IDENTITY {
                identities = Some(column.clone());
            }
            all.push(Field::new(*name, TABLE.kind_of(name).unwrap_or(Kind::Unknown)), column.clone());
        }
        for start in (0..all.height).step_by(count) {
            let piece = all.slice(start, count);
            let block = files.block_file.put(&piece)?;
            let number = {
                let mut blocks = files.blocks.lock().unwrap_or_else(PoisonError::into_inner);
                blocks.0.clone_from(&piece.fields);
                blocks.1.push(block);
                blocks.1.len() - 1
            };
            if let Some(identities) = &identities {
                let identities = identities.slice(i64::try_from(start).unwrap_or(i64::MAX), piece.height);
                let mut told = Relation { height: piece.height, ..Relation::default() };
                told.push(Field::new(IDENTITY, Kind::Bigint), identities.clone());
                for name in ["object", "record"] {
                    let values = piece.named(name)?.ok_or_else(|| SqlError::new("a column is missing"))?;
                    told.push(Field::new(name, values.kind), values.data);
                }
                told.push(
                    Field::new("piece", Kind::Bigint),
                    i64::column(vec![i64::try_from(number).ok(); piece.height]),
                );
                told.push(
                    Field::new("row", Kind::Bigint),
                    i64::column((0..).take(piece.height).map(Some).collect()),
                );
                files.told.put(&told, &[identities])?;
            }
        }
        Ok(())
    }

    /// All rows on disk, without duplicates. Events with a record that may have been `refused` are added to
    /// `suspects`.
    pub fn stored(&self, refused: Option<&Refused>, suspects: &mut HashSet<i64>) -> Result<Option<Stored>> {
        let Some(files) = self.files.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(None);
        };
        let files = Arc::try_unwrap(files).map_err(|_| SqlError::new("a worker is still at work"))?;
        let (fields, blocks) = files.blocks.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut copies: Vec<Vec<bool>> = vec![Vec::new(); blocks.len()];
        for share in 0..files.told.count() {
            let may_differ = |identity: i64| refused.is_some_and(|refused| refused.may_hold(identity));
            for (piece, row) in second_copies(&files.told, share, &may_differ, suspects)? {
                if let (Some(copies), Some(block)) = (copies.get_mut(piece), blocks.get(piece)) {
                    copies.resize(block.height, false);
                    if let Some(slot) = copies.get_mut(row) {
                        *slot = true;
                    }
                }
            }
        }
        let names = (TABLE.columns)().iter().map(|column| column.name).collect();
        Ok(Some(Stored {
            block_file: files.block_file,
            names,
            fields,
            pieces: blocks.into_iter().zip(copies).collect(),
        }))
    }
}

/// For each event in a share, all its copies except the one that comes first: piece and row.
fn second_copies(
    told: &Spread,
    share: usize,
    may_differ: &dyn Fn(i64) -> bool,
    suspects: &mut HashSet<i64>,
) -> Result<Vec<(usize, usize)>> {
    struct Copy {
        identity: i64,
        object: u32,
        record: i64,
        piece: usize,
        row: usize,
    }
    let (mut names, mut copies) =
        (indexmap::IndexSet::<String, foldhash::fast::RandomState>::default(), Vec::new());
    for rows in told.share(share) {
        let rows = rows?;
        let [identities, objects, records, pieces, numbers] = rows.columns.as_slice() else {
            return Err(SqlError::new("a column is missing"));
        };
        let (identities, objects, records, pieces, numbers) =
            (identities.i64()?, objects.str()?, records.i64()?, pieces.i64()?, numbers.i64()?);
        let whole = |column: &polars::prelude::Int64Chunked, row: usize| {
            column.get(row).and_then(|whole| usize::try_from(whole).ok()).unwrap_or_default()
        };
        for row in 0..rows.height {
            let name = objects.get(row).unwrap_or_default();
            let object = names.get_index_of(name).unwrap_or_else(|| names.insert_full(name.to_owned()).0);
            copies.push(Copy {
                identity: identities.get(row).unwrap_or_default(),
                object: u32::try_from(object).unwrap_or(u32::MAX),
                record: records.get(row).unwrap_or_default(),
                piece: whole(pieces, row),
                row: whole(numbers, row),
            });
        }
    }
    let mut by_name: Vec<usize> = (0..names.len()).collect();
    by_name.sort_unstable_by(|a, b| names.get_index(*a).cmp(&names.get_index(*b)));
    let mut ranks = vec![0_u32; names.len()];
    for (rank, name) in (0_u32..).zip(by_name) {
        if let Some(slot) = ranks.get_mut(name) {
            *slot = rank;
        }
    }
    let rank = |object: u32| ranks.get(object as usize).copied().unwrap_or_default();
    suspects.extend(copies.iter().map(|copy| copy.identity).filter(|identity| may_differ(*identity)));
    copies.sort_unstable_by_key(|copy| (copy.identity, rank(copy.object), copy.record, copy.piece, copy.row));
    let same = copies.chunk_by(|one, other| one.identity == other.identity);
    Ok(same.flat_map(|copies| copies.iter().skip(1)).map(|copy| (copy.piece, copy.row)).collect())
}

/// Rows on disk, in pieces.
#[derive(Debug)]
pub(in crate::sql) struct Stored {
    block_file: BlockFile,
    names: Vec<&'static str>,
    fields: Vec<Field>,
    /// Each piece, and which of its rows are duplicates.
    pieces: Vec<(Block, Vec<bool>)>,
}

impl Stored {
    /// The number of pieces.
    pub fn count(&self) -> usize {
        self.pieces.len()
    }

    /// Approximate memory of all pieces together.
    pub fn bytes(&self) -> u64 {
        self.pieces.iter().map(|(block, _)| block.bytes()).sum()
    }

    /// Approximate memory of one piece.
    pub fn bytes_of(&self, at: usize) -> u64 {
        self.pieces.get(at).map_or(0, |(block, _)| block.bytes())
    }

    /// For events whose first copies are known, drops all other copies; returns how many there were.
    pub fn keep_first(&mut self, first: &First) -> Result<usize> {
        let mut dropped = 0;
        for at in 0..self.pieces.len() {
            let Some((block, copies)) = self.pieces.get_mut(at) else { continue };
            let rows = self.block_file.get(block, &self.fields)?;
            let column = |name: &str| {
                rows.fields.iter().position(|field| field.name == name).and_then(|at| rows.columns.get(at))
            };
            let (Some(identities), Some(objects), Some(records)) =
                (column(IDENTITY), column("object"), column("record"))
            else {
                continue;
            };
            let (identities, objects, records) = (identities.i64()?, objects.str()?, records.i64()?);
            copies.resize(block.height, false);
            for (row, copy) in copies.iter_mut().enumerate().filter(|(_, copy)| !**copy) {
                let place = identities.get(row).and_then(|identity| first.get(&identity));
                if place.is_some_and(|(object, record)| {
                    objects.get(row) != Some(object) || records.get(row) != Some(*record)
                }) {
                    *copy = true;
                    dropped += 1;
                }
            }
        }
        Ok(dropped)
    }

    /// No rows.
    pub fn empty(&self) -> Result<Rows> {
        let rows = self.piece(0)?;
        let columns = rows.columns.into_iter().map(|(name, column)| (name, column.slice(0, 0))).collect();
        Ok(Rows { columns, height: 0 })
    }

    /// The rows of one piece.
    pub fn piece(&self, at: usize) -> Result<Rows> {
        let (block, copies) = self.pieces.get(at).ok_or_else(|| SqlError::new("there is no such piece"))?;
        let mut rows = self.block_file.get(block, &self.fields)?;
        if copies.contains(&true) {
            let keep: Vec<bool> = copies.iter().map(|copy| !copy).collect();
            rows = rows.filter(&BooleanChunked::from_slice("".into(), &keep))?;
        }
        let name = |field: &Field| self.names.iter().find(|name| **name == field.name).copied();
        let columns =
            rows.fields.iter().zip(rows.columns).filter_map(|(field, column)| Some((name(field)?, column)));
        Ok(Rows { columns: columns.collect(), height: rows.height })
    }
}
