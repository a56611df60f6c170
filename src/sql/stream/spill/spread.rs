//! Hash partitions on disk: rows with equal keys are in one share, and shares are read one after another.

use std::sync::{Mutex, PoisonError};

use polars::prelude::Series;

use super::Spill;
use super::block_file::{Block, BlockFile};
use super::pack::hashes;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::relation::{Field, Relation};

/// Divides rows into `count` shares by their keys. In each they are in `order` (`None`: as they stand).
pub(in crate::sql) fn shares_of(
    keys: &[Series],
    height: usize,
    order: Option<&[Option<u32>]>,
    seed: u64,
    count: usize,
) -> Result<Vec<Vec<Option<u32>>>> {
    let mut of_share: Vec<Vec<Option<u32>>> = vec![Vec::new(); count];
    let hashes = hashes(keys, height, seed)?;
    let mut add = |row: Option<u32>| {
        let Some(hash) = row.and_then(|row| hashes.get(row as usize)) else { return };
        let share = usize::try_from(hash % count.max(1) as u64).unwrap_or(0);
        if let Some(list) = of_share.get_mut(share) {
            list.push(row);
        }
    };
    match order {
        Some(order) => order.iter().copied().for_each(&mut add),
        None => (0_u32..).take(height).map(Some).for_each(&mut add),
    }
    Ok(of_share)
}

/// The shares on disk.
#[derive(Debug)]
pub(in crate::sql) struct Spread {
    block_file: BlockFile,
    seed: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    fields: Option<Vec<Field>>,
    shares: Vec<Vec<Block>>,
}

impl Spread {
    /// With another `seed`, rows that are in one share here are divided differently.
    pub fn new(spill: &Spill, shares: usize, seed: u64) -> Result<Self> {
        Ok(Self {
            block_file: BlockFile::new(spill)?,
            seed,
            state: Mutex::new(State { fields: None, shares: vec![Vec::new(); shares.max(1)] }),
        })
    }

    /// Adds rows to their shares.
    pub fn put(&self, rows: &Relation, keys: &[Series]) -> Result<()> {
        let count = self.count();
        let of_share = shares_of(keys, rows.height, None, self.seed, count)?;
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let known = state.fields.get_or_insert_with(|| rows.fields.clone());
            if !known.iter().map(|field| &field.kind).eq(rows.fields.iter().map(|field| &field.kind)) {
                return Err(SqlError::new("pieces of one column are of several types"));
            }
        }
        for (share, list) in of_share.into_iter().enumerate().filter(|(_, list)| !list.is_empty()) {
            let block = self.block_file.put(&rows.take(&list)?)?;
            if let Some(share) =
                self.state.lock().unwrap_or_else(PoisonError::into_inner).shares.get_mut(share)
            {
                share.push(block);
            }
        }
        Ok(())
    }

    /// How many shares there are.
    pub fn count(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).shares.len()
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Memory that a share takes, about.
    pub fn bytes_of(&self, share: usize) -> u64 {
        self.blocks(share).1.iter().map(Block::bytes).sum()
    }

    fn blocks(&self, share: usize) -> (Vec<Field>, Vec<Block>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.fields.clone().unwrap_or_default(), state.shares.get(share).cloned().unwrap_or_default())
    }

    /// The rows of a share, in pieces.
    pub fn share(&self, share: usize) -> impl Iterator<Item = Result<Relation>> {
        let (fields, blocks) = self.blocks(share);
        blocks.into_iter().map(move |block| self.block_file.get(&block, &fields))
    }
}
