//! Records waiting for their files: by partition, in memory up to a budget, beyond it in spill files.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::LakeError;
use super::partition::Partition;

/// By how much a partition's memory grows, once it is large.
const STEP_BYTES: usize = 40 << 20;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    slots: HashMap<Partition, Slot>,
    /// Bytes in memory.
    held: usize,
    spills: u64,
}

#[derive(Debug, Default)]
struct Slot {
    memory: Vec<u8>,
    spilled: Vec<PathBuf>,
    spilled_bytes: u64,
    /// Somebody writes files of this partition.
    busy: bool,
}

impl Buffers {
    pub(super) fn add(&mut self, partition: &Partition, bytes: &[u8]) {
        self.held += bytes.len();
        match self.slots.get_mut(partition) {
            Some(slot) => {
                // Large pieces of memory grow without being copied, and what of them is not written to takes none.
                if slot.memory.len() > STEP_BYTES / 8 && slot.memory.capacity() - slot.memory.len() < bytes.len() {
                    slot.memory.reserve_exact(bytes.len().max(STEP_BYTES));
                }
                slot.memory.extend_from_slice(bytes);
            }
            None => {
                self.slots.insert(partition.clone(), Slot { memory: bytes.to_vec(), ..Slot::default() });
            }
        }
    }

    /// Whether somebody is at this partition.
    pub(super) fn is_busy(&self, partition: &Partition) -> bool {
        self.slots.get(partition).is_some_and(|slot| slot.busy)
    }

    /// Bytes that wait in this partition.
    pub(super) fn waiting(&self, partition: &Partition) -> u64 {
        self.slots.get(partition).map_or(0, |slot| slot.memory.len() as u64 + slot.spilled_bytes)
    }

    /// Whether this partition has enough for a file.
    pub(super) fn is_ripe(&self, partition: &Partition, file_bytes: u64) -> bool {
        self.waiting(partition) >= file_bytes
    }

    /// Every partition that has something.
    pub(super) fn partitions(&self) -> Vec<Partition> {
        let mut all: Vec<Partition> =
            self.slots.iter().filter(|(_, slot)| !slot.memory.is_empty() || slot.spilled_bytes > 0).map(|(p, _)| p.clone()).collect();
        all.sort_unstable();
        all
    }

    /// Takes out what waits in a partition, which is busy until [`Self::release`].
    pub(super) fn take(&mut self, partition: &Partition) -> Waiting {
        let Some(slot) = self.slots.get_mut(partition) else { return Waiting::default() };
        slot.busy = true;
        self.held -= slot.memory.len();
        let spilled_bytes = std::mem::take(&mut slot.spilled_bytes);
        Waiting { memory: std::mem::take(&mut slot.memory), spilled: std::mem::take(&mut slot.spilled), spilled_bytes }
    }

    pub(super) fn release(&mut self, partition: &Partition) {
        if let Some(slot) = self.slots.get_mut(partition) {
            slot.busy = false;
            if slot.memory.is_empty() && slot.spilled.is_empty() {
                self.slots.remove(partition);
            }
        }
    }

    /// Brings memory below the budget: the largest partitions go to disk until half of it is free.
    pub(super) fn spill(&mut self, budget: usize, folder: &Path) -> Result<(), LakeError> {
        if self.held <= budget {
            return Ok(());
        }
        let mut sizes: Vec<(usize, Partition)> = self.slots.iter().map(|(partition, slot)| (slot.memory.len(), partition.clone())).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        for (bytes, partition) in sizes {
            if self.held <= budget / 2 || bytes == 0 {
                break;
            }
            let path = folder.join(format!("{}.rows", self.spills));
            self.spills += 1;
            let Some(slot) = self.slots.get_mut(&partition) else { continue };
            File::create(&path).and_then(|mut file| file.write_all(&slot.memory)).map_err(|error| LakeError::io(&path, error))?;
            slot.memory = Vec::new();
            slot.spilled.push(path);
            slot.spilled_bytes += bytes as u64;
            self.held -= bytes;
        }
        Ok(())
    }
}

/// What waited in a partition.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    memory: Vec<u8>,
    spilled: Vec<PathBuf>,
    spilled_bytes: u64,
}

impl Waiting {
    /// All of it in one piece: spill files are read back, and removed.
    pub(super) fn read(mut self) -> Result<Vec<u8>, LakeError> {
        self.memory.reserve_exact(usize::try_from(self.spilled_bytes).unwrap_or(0));
        for path in &self.spilled {
            File::open(path).and_then(|mut file| file.read_to_end(&mut self.memory)).map_err(|error| LakeError::io(path, error))?;
            let _ = fs::remove_file(path);
        }
        Ok(self.memory)
    }
}
