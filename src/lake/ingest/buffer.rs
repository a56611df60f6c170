//! Rows that wait to be written to files, by partition: in memory up to a budget, and in spill files beyond
//! it.
//!
//! Memory is handled in pieces that are small enough for the allocator to reuse them, because getting new
//! pages from the system costs more than filling them. A full piece is taken over from the worker without
//! copying; small ones are copied together.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::lake::LakeError;
use crate::lake::disk::Disk;
use crate::lake::layout::SPILL;
use crate::lake::partition::Partition;
use crate::lake::record::rows::Piece;

/// Size in bytes at which a piece is full; its last row may exceed it.
pub(super) const PIECE_BYTES: usize = 1 << 20;
/// Capacity of a piece, with room for the last row.
const ROOM_BYTES: usize = PIECE_BYTES + (64 << 10);

/// The waiting rows of all partitions.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    slots: HashMap<Partition, Slot>,
    /// Bytes of all rows in memory.
    held: usize,
    spills: u64,
}

#[derive(Debug, Default)]
struct Slot {
    full: Vec<Piece>,
    /// Where small pieces are copied together.
    tail: Piece,
    /// Bytes of the partition's rows in memory.
    bytes: usize,
    spilled: Vec<Spilled>,
    spilled_bytes: u64,
    /// Whether files of this partition are being written.
    busy: bool,
}

/// A spill file, and the lengths of the pieces in it.
#[derive(Debug)]
struct Spilled {
    path: PathBuf,
    lengths: Vec<usize>,
}

impl Buffers {
    /// Moves all rows out of `piece`, which keeps its capacity.
    pub(in crate::lake) fn add(&mut self, partition: &Partition, piece: &mut Piece) {
        let bytes = piece.bytes().len();
        self.held += bytes;
        if !self.slots.contains_key(partition) {
            self.slots.insert(partition.clone(), Slot::default());
        }
        let Some(slot) = self.slots.get_mut(partition) else { return };
        slot.bytes += bytes;
        if bytes >= PIECE_BYTES {
            slot.full.push(std::mem::replace(piece, Piece::with_room(ROOM_BYTES)));
            return;
        }
        let together = slot.tail.bytes().len() + bytes;
        if together > ROOM_BYTES {
            slot.full.push(std::mem::take(&mut slot.tail));
        } else if together > PIECE_BYTES / 4 {
            slot.tail.grow_to(ROOM_BYTES);
        }
        slot.tail.append(piece);
        piece.clear();
    }

    /// Whether files of this partition are being written.
    pub(super) fn is_busy(&self, partition: &Partition) -> bool {
        self.slots.get(partition).is_some_and(|slot| slot.busy)
    }

    /// Bytes of the rows that wait in this partition.
    pub(in crate::lake) fn waiting(&self, partition: &Partition) -> u64 {
        self.slots.get(partition).map_or(0, |slot| slot.bytes as u64 + slot.spilled_bytes)
    }

    /// Whether enough rows wait in this partition for a file.
    pub(super) fn is_ripe(&self, partition: &Partition, file_bytes: u64) -> bool {
        self.waiting(partition) >= file_bytes
    }

    /// Every partition with waiting rows.
    pub(in crate::lake) fn partitions(&self) -> Vec<Partition> {
        let mut all: Vec<Partition> = self
            .slots
            .iter()
            .filter(|(_, slot)| !slot.is_empty())
            .map(|(partition, _)| partition.clone())
            .collect();
        all.sort_unstable();
        all
    }

    /// Removes and returns the rows of a partition, which counts as busy until [`Self::release`].
    pub(in crate::lake) fn take(&mut self, partition: &Partition) -> Waiting {
        let Some(slot) = self.slots.get_mut(partition) else { return Waiting::default() };
        slot.busy = true;
        slot.spilled_bytes = 0;
        let (pieces, bytes) = slot.take_pieces();
        self.held -= bytes;
        Waiting { pieces, spilled: std::mem::take(&mut slot.spilled) }
    }

    pub(in crate::lake) fn release(&mut self, partition: &Partition) {
        if let Some(slot) = self.slots.get_mut(partition) {
            slot.busy = false;
            if slot.is_empty() {
                self.slots.remove(partition);
            }
        }
    }

    /// Brings memory below the budget: writes the largest partitions to disk until half of the budget is
    /// free.
    pub(in crate::lake) fn spill(&mut self, budget: usize, disk: &dyn Disk) -> Result<(), LakeError> {
        if self.held <= budget {
            return Ok(());
        }
        let mut sizes: Vec<(usize, Partition)> =
            self.slots.iter().map(|(partition, slot)| (slot.bytes, partition.clone())).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        for (bytes, partition) in sizes {
            if self.held <= budget / 2 || bytes == 0 {
                break;
            }
            let path = Path::new(SPILL).join(format!("{}.rows", self.spills));
            self.spills += 1;
            let Some(slot) = self.slots.get_mut(&partition) else { continue };
            let (pieces, bytes) = slot.take_pieces();
            write_all(disk, &path, &pieces).map_err(|error| LakeError::io(&path, error))?;
            slot.spilled
                .push(Spilled { path, lengths: pieces.iter().map(|piece| piece.bytes().len()).collect() });
            slot.spilled_bytes += bytes as u64;
            self.held -= bytes;
        }
        Ok(())
    }
}

impl Slot {
    fn is_empty(&self) -> bool {
        self.bytes == 0 && self.spilled.is_empty()
    }

    /// Removes all pieces from memory; returns them with their size in bytes.
    fn take_pieces(&mut self) -> (Vec<Piece>, usize) {
        let mut pieces = std::mem::take(&mut self.full);
        let tail = std::mem::take(&mut self.tail);
        if !tail.is_empty() {
            pieces.push(tail);
        }
        (pieces, std::mem::take(&mut self.bytes))
    }
}

fn write_all(disk: &dyn Disk, path: &Path, pieces: &[Piece]) -> io::Result<()> {
    let mut file = disk.create(path)?;
    pieces.iter().try_for_each(|piece| file.write_all(piece.bytes()))?;
    file.flush()
}

/// The rows that were waiting in a partition.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pieces: Vec<Piece>,
    spilled: Vec<Spilled>,
}

impl Waiting {
    /// Returns all of the rows; spill files are read back and removed.
    pub(in crate::lake) fn read(self, disk: &dyn Disk) -> Result<Vec<Piece>, LakeError> {
        let mut pieces = self.pieces;
        for spilled in &self.spilled {
            let failed = |error| LakeError::io(&spilled.path, error);
            let (file, mut at) = (disk.open(&spilled.path).map_err(failed)?, 0);
            for length in &spilled.lengths {
                let mut bytes = vec![0; *length];
                file.read_at(at, &mut bytes).map_err(failed)?;
                at += *length as u64;
                pieces.push(
                    Piece::of(bytes)
                        .ok_or_else(|| LakeError::io(&spilled.path, "this spill file is damaged"))?,
                );
            }
            let _ = disk.remove(&spilled.path);
        }
        Ok(pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::disk::LocalDisk;
    use crate::lake::record::row::{Head, put_text};
    use crate::lake::record::rows::Rows;

    fn piece(records: std::ops::Range<u64>, text: &str) -> Piece {
        let mut piece = Piece::default();
        for record in records {
            piece.write(&Head { time: 0, record, id: b"", object: b"k" }, |out| put_text(Some(text), out));
        }
        piece
    }

    #[test]
    fn every_row_comes_out_once_whatever_it_came_in_with_and_wherever_it_waited() {
        let folder = tempfile::tempdir().unwrap();
        let disk = LocalDisk::open(folder.path()).unwrap();
        let partition = Partition::new(false, Some("111122223333"), None, None);
        let mut buffers = Buffers::default();
        let (mut next, long) = (0, "x".repeat(3_000));
        for size in [1, 400, 2, 300, 350, 5, 700, 1, 1] {
            let mut piece = piece(next..next + size, &long);
            next += size;
            buffers.add(&partition, &mut piece);
            assert!(piece.is_empty());
            if size == 5 {
                buffers.spill(1, &disk).unwrap();
                assert_eq!(buffers.held, 0);
            }
        }
        let total = buffers.waiting(&partition);
        let rows = Rows::of(buffers.take(&partition).read(&disk).unwrap());
        assert_eq!(rows.total(), total);
        let mut records: Vec<u64> = rows.heads().map(|head| head.record).collect();
        records.sort_unstable();
        assert_eq!(records, (0..next).collect::<Vec<_>>());
        assert!(disk.names(SPILL.as_ref()).unwrap().is_empty(), "the spill file is gone");
    }
}
