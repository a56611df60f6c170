//! Groups and distinct values that do not fit into memory, on disk.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use foldhash::fast::RandomState;
use indexmap::IndexSet;

use super::cell::Cell;
use super::groups::{Group, Groups, PARTS};
use super::held::{Held, Part};
use super::text_set::TextSet;
use crate::sql::error::Result;
use crate::sql::memory::too_much;
use crate::sql::stream::spill::Spill;
use crate::sql::stream::spill::block_file::{BlockFile, Frame};
use crate::sql::stream::spill::pack::{Packed, pack, pack_whole_numbers};
use crate::sql::types::place::RECORD_BITS;
use crate::sql::types::values::Cell as Column;

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

/// Some groups of one part with what is known of them, or distinct values. Their keys, or the values, are as in a
/// [`TextSet`].
#[derive(Debug, Clone)]
pub(super) struct Block {
    texts: Frame,
    /// The lengths of the texts, their hashes, and the rest.
    others: Frame,
    pub height: usize,
}

/// What a text takes in memory beyond its bytes and those beside it on disk, about.
const ENTRY_BYTES: usize = 4;

impl Block {
    /// Memory that it takes, about.
    pub fn bytes(&self) -> u64 {
        (self.texts.bytes + self.others.bytes + self.height * ENTRY_BYTES) as u64
    }

    /// Memory that the texts take.
    pub fn text_bytes(&self) -> usize {
        self.texts.bytes
    }
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

    fn file(&self) -> Result<&BlockFile> {
        match (self.file.get(), &self.spill) {
            (Some(file), _) => Ok(file),
            (None, Some(spill)) => {
                let made = BlockFile::new(spill)?;
                Ok(self.file.get_or_init(|| made))
            }
            (None, None) => Err(too_much(u64::MAX)),
        }
    }

    /// Writes texts; `others` adds what else is known of each.
    fn put(&self, set: &TextSet, others: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<Block> {
        let file = self.file()?;
        let mut bytes = Vec::new();
        pack_whole_numbers(set.lengths().map(|length| length as u64), &mut bytes);
        pack_whole_numbers(set.hashes().iter().copied(), &mut bytes);
        others(&mut bytes)?;
        Ok(Block { texts: file.put_frame(set.all())?, others: file.put_frame(&bytes)?, height: set.len() })
    }

    /// Puts all groups of a worker aside; or, where there are distinct values, these, as their groups are told by
    /// their numbers.
    pub fn put_all(&self, worker: &mut Groups) -> Result<()> {
        if worker.distinct.iter().all(Option::is_none) {
            let numbers = self.numbers(&worker.objects);
            for (at, part) in worker.parts.iter_mut().enumerate().filter(|(_, part)| part.keys.len() > 0) {
                let block = self.put(&part.keys, |bytes| pack_groups(part, &numbers, bytes))?;
                part.empty();
                let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(list) = blocks.groups.get_mut(at) {
                    list.push(block);
                }
            }
            return Ok(());
        }
        for (aggregate, sets) in worker.distinct.iter_mut().enumerate() {
            let sets = sets.iter_mut().flatten().enumerate();
            for (at, set) in sets.filter(|(_, set)| set.len() > 0) {
                let block = self.put(set, |_| Ok(()))?;
                set.empty();
                let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(list) = blocks.values.get_mut(at) {
                    list.push(ValueBlock { aggregate, worker: worker.worker, block });
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

    /// Adds the texts of a block to a set; `more` reads what else is known of each.
    fn get(
        &self,
        block: &Block,
        set: &mut TextSet,
        more: impl FnOnce(&mut Packed<'_>) -> Result<()>,
    ) -> Result<()> {
        let (file, mut bytes) = (self.file()?, Vec::new());
        file.get_frame(&block.others, &mut bytes)?;
        let mut packed = Packed(&bytes);
        let lengths = packed.whole_numbers(block.height)?;
        let lengths = lengths.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        let hashes = packed.whole_numbers(block.height)?;
        set.add_all(hashes, lengths, |all| file.get_frame(&block.texts, all))?;
        more(&mut packed)
    }

    /// Adds the groups of a block to those of its part, whose places are by the `ranks` of objects, unsettled.
    pub fn add_groups(&self, block: &Block, ranks: &[u64], part: &mut Part) -> Result<()> {
        let Part { keys, places, held } = part;
        self.get(block, keys, |packed| {
            places.extend(packed.whole_numbers(block.height)?.map(|place| ranked(place, ranks)));
            held.iter_mut().try_for_each(|held| add_held(packed, block.height, held))
        })
    }

    /// The values of a block, unsettled.
    pub fn values_of(&self, block: &ValueBlock) -> Result<TextSet> {
        let mut set = TextSet::default();
        self.get(&block.block, &mut set, |_| Ok(()))?;
        Ok(set)
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

/// Packs what is known of the groups of a part beside their keys; `numbers` are those of the objects among all.
fn pack_groups(part: &Part, numbers: &[u64], out: &mut Vec<u8>) -> Result<()> {
    pack_whole_numbers(part.places.iter().map(|place| ranked(*place, numbers)), out);
    part.held.iter().try_for_each(|held| match held {
        Held::Counts(counts) => {
            pack_whole_numbers(counts.iter().map(|count| count.cast_unsigned()), out);
            Ok(())
        }
        Held::Best { cells, .. } => {
            let written = |cell: &super::cell::Kept| {
                let mut text = String::new();
                cell.seen().write(true, &mut text);
                Some(text)
            };
            pack(&String::column(cells.iter().map(written).collect()), out)
        }
    })
}

/// Adds what was packed of an aggregate of so many groups.
fn add_held(packed: &mut Packed<'_>, height: usize, into: &mut Held) -> Result<()> {
    match into {
        Held::Counts(counts) => counts.extend(packed.whole_numbers(height)?.map(u64::cast_signed)),
        Held::Best { .. } => {
            for cell in packed.column("", height)?.str()?.iter() {
                into.push_cell(Cell::read(&mut cell.unwrap_or_default()).keep());
            }
        }
    }
    Ok(())
}

/// The group that a distinct value says it is of.
pub(super) fn group_of(value: &mut &str) -> Group {
    Group::of_number(super::cell::read_number(super::groups::GROUP_DIGITS, value))
}
