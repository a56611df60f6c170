//! Buffers for bodies, kept by size class, so that a tiny object never occupies a giant buffer, and the
//! budget counts the memory really used.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::source::local::lock;

/// 4 KiB: many objects of a trail are no larger.
const CLASS_MIN: u32 = 12;
/// 16 MiB: larger bodies get a buffer of their own that is not kept.
const CLASS_MAX: u32 = 24;
/// Limits of what is kept: for each size class, and for all together as a fraction of memory.
const KEPT_BYTES_MAX: usize = 16 << 20;
const KEPT_PART: u64 = 16;

const CLASSES: usize = (CLASS_MAX - CLASS_MIN + 1) as usize;

pub(super) struct Buffers {
    kept: [Mutex<Vec<Vec<u8>>>; CLASSES],
    bytes: AtomicU64,
    bytes_max: u64,
}

/// The capacity of the buffer for a body of `bytes`.
pub(super) fn capacity_for(bytes: u64) -> u64 {
    let capacity = bytes.max(1 << CLASS_MIN).checked_next_power_of_two().unwrap_or(bytes);
    if capacity > 1 << CLASS_MAX { bytes } else { capacity }
}

impl Buffers {
    /// For a process that may use `memory_bytes_max`.
    pub(super) fn new(memory_bytes_max: u64) -> Self {
        Self { kept: Default::default(), bytes: AtomicU64::new(0), bytes_max: memory_bytes_max / KEPT_PART }
    }

    /// An empty buffer with room for `bytes`.
    pub(super) fn take(&self, bytes: u64) -> Vec<u8> {
        let capacity = usize::try_from(capacity_for(bytes)).unwrap_or(usize::MAX);
        let kept = class_of(capacity).and_then(|class| lock(&self.kept[class]).pop());
        if let Some(kept) = &kept {
            self.bytes.fetch_sub(kept.capacity() as u64, Ordering::Relaxed);
        }
        kept.unwrap_or_else(|| {
            let mut buffer = Vec::new();
            // If memory cannot be reserved now, the buffer grows as the body arrives.
            let _ = buffer.try_reserve_exact(capacity);
            buffer
        })
    }

    /// Takes back a buffer, whatever is in it.
    pub(super) fn give(&self, mut buffer: Vec<u8>) {
        let Some(class) = class_of(buffer.capacity()) else { return };
        buffer.clear();
        let capacity = buffer.capacity() as u64;
        let mut kept = lock(&self.kept[class]);
        if self.bytes.load(Ordering::Relaxed) + capacity <= self.bytes_max
            && (kept.len() + 1) << (class as u32 + CLASS_MIN) <= KEPT_BYTES_MAX
        {
            self.bytes.fetch_add(capacity, Ordering::Relaxed);
            kept.push(buffer);
        }
    }
}

/// The class whose buffers have at least its size, and less than twice its size.
fn class_of(capacity: usize) -> Option<usize> {
    let log = capacity.checked_ilog2()?;
    (CLASS_MIN..=CLASS_MAX).contains(&log).then(|| (log - CLASS_MIN) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_for_its_own_size_only() {
        let buffers = Buffers::new(1 << 30);
        buffers.give(Vec::with_capacity(1 << 20));
        assert!(buffers.take(100).capacity() < 1 << 20, "a tiny object got the giant's buffer");
        assert_eq!(buffers.take(900_000).capacity(), 1 << 20);
        assert_eq!(lock(&buffers.kept[(20 - CLASS_MIN) as usize]).len(), 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let buffers = Buffers::new(1 << 30);
        for _ in 0..10_000 {
            buffers.give(Vec::with_capacity(1 << CLASS_MIN));
        }
        assert_eq!(lock(&buffers.kept[0]).len(), KEPT_BYTES_MAX >> CLASS_MIN);
        assert_eq!(capacity_for(0), 1 << CLASS_MIN);
        assert_eq!(capacity_for(50_000_000), 50_000_000);
        assert_eq!(capacity_for(u64::MAX), u64::MAX);
    }
}
