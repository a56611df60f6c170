//! Groups and distinct values that do not fit into memory, on disk.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use foldhash::fast::RandomState;
use indexmap::IndexSet;

use super::cell::Cell;
use super::groups::{Group, Groups, PARTS, no_groups, no_values};
use super::held::{Held, Part};
use super::plan::{Plan, What};
use super::text_set::TextSet;
use crate::sql::error::{Result, SqlError};
use crate::sql::memory::too_much;
use crate::sql::stream::spill::Spill;
use crate::sql::stream::spill::block_file::{Block, BlockFile};
use crate::sql::types::place::RECORD_BITS;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::values::Cell as Column;
use crate::tables::Kind;

/// What all workers have put aside.
#[derive(Debug)]
pub(super) struct Aside {
    spill: Option<Spill>,
    file: OnceLock<BlockFile>,
    /// The names of all workers' objects.
    objects: Mutex<IndexSet<Arc<str>, RandomState>>,
    blocks: Mutex<Blocks>,
}

#[derive(Debug)]
struct Blocks {
    /// By part.
    groups: Vec<Vec<Block>>,
    /// By part of the values.
    values: Vec<Vec<ValueBlock>>,
}

/// Distinct values of one aggregate, of one worker's groups.
#[derive(Debug, Clone)]
pub(super) struct ValueBlock {
    pub aggregate: usize,
    pub worker: usize,
    block: Block,
}

impl Aside {
    pub fn new(spill: Option<Spill>) -> Self {
        let blocks = Blocks { groups: vec![Vec::new(); PARTS], values: vec![Vec::new(); PARTS] };
        Self { spill, file: OnceLock::new(), objects: Mutex::default(), blocks: Mutex::new(blocks) }
    }

    /// Whether something can be put aside.
    pub fn is_possible(&self) -> bool {
        self.spill.is_some()
    }

    /// The numbers of a worker's objects among those of all.
    pub fn numbers(&self, objects: &IndexSet<Arc<str>, RandomState>) -> Vec<u64> {
        let mut all = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.iter().map(|object| all.insert_full(Arc::clone(object)).0 as u64).collect()
    }

    /// For each object, by its number among all, how many names come before its own.
    pub fn ranks(&self) -> Vec<u64> {
        let all = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_name: Vec<usize> = (0..all.len()).collect();
        by_name.sort_unstable_by(|a, b| all.get_index(*a).cmp(&all.get_index(*b)));
        let mut ranks = vec![0; by_name.len()];
        for (rank, number) in (0..).zip(by_name) {
            if let Some(slot) = ranks.get_mut(number) {
                *slot = rank;
            }
        }
        ranks
    }

    fn put(&self, rows: &Relation) -> Result<Block> {
        let file = match (self.file.get(), &self.spill) {
            (Some(file), _) => file,
            (None, Some(spill)) => {
                let made = BlockFile::new(spill)?;
                self.file.get_or_init(|| made)
            }
            (None, None) => return Err(too_much(u64::MAX)),
        };
        file.put(rows)
    }

    /// Puts all groups of a worker aside, which are settled; or, where there are distinct values, these, as their
    /// groups are told by their numbers.
    pub fn put_all(&self, worker: &mut Groups, plan: &Plan) -> Result<()> {
        if worker.distinct.iter().all(Option::is_none) {
            let numbers = self.numbers(&worker.objects);
            for (at, part) in std::mem::replace(&mut worker.parts, no_groups(plan)).iter().enumerate() {
                if part.keys.len() > 0 {
                    let block = self.put(&rows_of(part, &numbers)?)?;
                    let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(list) = blocks.groups.get_mut(at) {
                        list.push(block);
                    }
                }
            }
            return Ok(());
        }
        for (aggregate, sets) in worker.distinct.iter_mut().enumerate() {
            let Some(sets) = sets.as_mut().map(|sets| std::mem::replace(sets, no_values())) else { continue };
            for (at, set) in sets.iter().enumerate().filter(|(_, set)| set.len() > 0) {
                let block =
                    ValueBlock { aggregate, worker: worker.worker, block: self.put(&texts_of(set)?)? };
                let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(list) = blocks.values.get_mut(at) {
                    list.push(block);
                }
            }
        }
        Ok(())
    }

    /// The groups of a part that are on disk.
    pub fn groups(&self, part: usize) -> Vec<Block> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.groups.get(part).cloned().unwrap_or_default()
    }

    /// Whether there are groups on disk.
    pub fn has_groups(&self) -> bool {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.groups.iter().any(|list| !list.is_empty())
    }

    /// The distinct values of a part that are on disk.
    pub fn values(&self, part: usize, aggregate: usize) -> Vec<ValueBlock> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let of_part = blocks.values.get(part).into_iter().flatten();
        of_part.filter(|block| block.aggregate == aggregate).cloned().collect()
    }

    fn get(&self, block: &Block, fields: &[Field]) -> Result<Relation> {
        match self.file.get() {
            Some(file) => file.get(block, fields),
            None => Err(SqlError::new("there is no temporary file")),
        }
    }

    /// Adds the groups of a block to those of its part, whose places are by the `ranks` of objects, unsettled.
    /// Those without a `hash` are left out.
    pub fn add_groups(
        &self,
        block: &Block,
        plan: &Plan,
        ranks: &[u64],
        hash: impl Fn(&str) -> Option<u64>,
        part: &mut Part,
    ) -> Result<()> {
        let rows = self.get(block, &fields_of(plan))?;
        let [keys, places, held @ ..] = rows.columns.as_slice() else {
            return Err(SqlError::new("a column is missing"));
        };
        let mut meant = Vec::with_capacity(rows.height);
        for (keys, place) in keys.str()?.iter().zip(places.i64()?.iter()) {
            let keys = keys.unwrap_or_default();
            let hash = hash(keys);
            meant.push(hash.is_some());
            if let Some(hash) = hash {
                part.keys.add(hash, "", keys);
                part.places.push(ranked(place.unwrap_or_default() as u64, ranks));
            }
        }
        for (column, into) in held.iter().zip(&mut part.held) {
            match into {
                Held::Counts(_) => {
                    let counts = column.i64()?.iter().zip(&meant).filter(|(_, meant)| **meant);
                    counts.for_each(|(count, _)| into.push_count(count.unwrap_or_default()));
                }
                Held::Best { .. } => {
                    for (cell, _) in column.str()?.iter().zip(&meant).filter(|(_, meant)| **meant) {
                        into.push_cell(Cell::read(&mut cell.unwrap_or_default()).keep());
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives the values of a block.
    pub fn each_value(&self, block: &ValueBlock, mut give: impl FnMut(&str)) -> Result<()> {
        let rows = self.get(&block.block, &[Field::new("", Kind::Varchar)])?;
        let [values] = rows.columns.as_slice() else { return Err(SqlError::new("a column is missing")) };
        values.str()?.iter().flatten().for_each(&mut give);
        Ok(())
    }
}

impl ValueBlock {
    pub fn bytes(&self) -> u64 {
        self.block.bytes()
    }
}

/// A place with another number of its object.
pub(super) fn ranked(place: u64, numbers: &[u64]) -> u64 {
    let object = numbers.get((place >> RECORD_BITS) as usize).copied().unwrap_or_default();
    object << RECORD_BITS | place & ((1 << RECORD_BITS) - 1)
}

fn fields_of(plan: &Plan) -> Vec<Field> {
    let held = plan.aggregates.iter().map(|aggregate| match aggregate.what {
        What::Least | What::Greatest => Kind::Varchar,
        _ => Kind::Bigint,
    });
    [Kind::Varchar, Kind::Bigint].into_iter().chain(held).map(|kind| Field::new("", kind)).collect()
}

fn texts_of(set: &TextSet) -> Result<Relation> {
    let mut rows = Relation { height: set.len(), ..Relation::default() };
    let texts = set.texts()?.iter().map(Some).collect();
    rows.push(Field::new("", Kind::Varchar), <&str as Column>::column(texts));
    Ok(rows)
}

/// The groups of a part; `numbers` are those of the objects among all.
fn rows_of(part: &Part, numbers: &[u64]) -> Result<Relation> {
    let mut rows = texts_of(&part.keys)?;
    let places = part.places.iter().map(|place| i64::try_from(ranked(*place, numbers)).ok()).collect();
    rows.push(Field::new("", Kind::Bigint), i64::column(places));
    for held in &part.held {
        match held {
            Held::Counts(counts) => {
                rows.push(
                    Field::new("", Kind::Bigint),
                    i64::column(counts.iter().copied().map(Some).collect()),
                );
            }
            Held::Best { cells, .. } => {
                let written = |cell: &super::cell::Kept| {
                    let mut text = String::new();
                    cell.seen().write(true, &mut text);
                    Some(text)
                };
                rows.push(Field::new("", Kind::Varchar), String::column(cells.iter().map(written).collect()));
            }
        }
    }
    Ok(rows)
}

/// The group that a distinct value says it is of.
pub(super) fn group_of(value: &mut &str) -> Group {
    Group::of_number(super::cell::read_number(super::groups::GROUP_DIGITS, value))
}
