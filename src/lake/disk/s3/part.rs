//! A data file in S3, of which only the needed bytes are fetched.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::lake::disk::Stored;
use crate::source::store::{Got, ObjectStore};

/// Ranges at most this far apart are fetched together: fetching the gap takes no longer than another request.
const GAP_BYTES_MAX: u64 = 256 << 10;
/// Maximum size of a joint request; a larger range is fetched alone.
const TOGETHER_BYTES_MAX: u64 = 8 << 20;

pub(super) struct Part {
    store: Arc<dyn ObjectStore>,
    key: String,
    /// The size according to the manifest; the first answer shows whether it is right.
    bytes: u64,
    ahead: Mutex<Ahead>,
}

/// The joint requests to make, and the result of the last one.
#[derive(Default)]
struct Ahead {
    stretches: Vec<Range<u64>>,
    held: Option<(Range<u64>, Vec<u8>)>,
}

impl Part {
    pub(super) fn new(store: Arc<dyn ObjectStore>, key: String, bytes: u64) -> Self {
        Self { store, key, bytes, ahead: Mutex::default() }
    }

    fn fetch(&self, part: Range<u64>) -> io::Result<Vec<u8>> {
        let Got { bytes, size, .. } = self.store.get(&self.key, Some(part.clone()))?.ok_or_else(gone)?;
        if size != self.bytes {
            return Err(io::Error::other(format!("damaged: it has {size} bytes, and had {}", self.bytes)));
        }
        if bytes.len() as u64 != part.end - part.start {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }
}

fn gone() -> io::Error {
    let reason = "it is not there: it was removed, or another run has replaced it since this one began; run \
        the same command again";
    io::Error::new(io::ErrorKind::NotFound, reason)
}

/// The bytes of `part` in `held`, which begins at position `start`.
fn within<'h>(held: &'h [u8], start: u64, part: &Range<u64>) -> Option<&'h [u8]> {
    let from = usize::try_from(part.start.checked_sub(start)?).ok()?;
    held.get(from..from + usize::try_from(part.end - part.start).ok()?)
}

impl Stored for Part {
    fn size(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let part = at..at + bytes.len() as u64;
        if part.is_empty() {
            return Ok(());
        }
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let is_in = |stretch: &Range<u64>| stretch.start <= part.start && part.end <= stretch.end;
        if let Some((stretch, held)) = &ahead.held
            && is_in(stretch)
        {
            bytes.copy_from_slice(within(held, stretch.start, &part).ok_or(io::ErrorKind::UnexpectedEof)?);
            return Ok(());
        }
        let stretch = ahead.stretches.iter().find(|stretch| is_in(stretch) && **stretch != part).cloned();
        let Some(stretch) = stretch else {
            drop(ahead);
            bytes.copy_from_slice(&self.fetch(part)?);
            return Ok(());
        };
        ahead.held = None;
        let held = self.fetch(stretch.clone())?;
        bytes.copy_from_slice(within(&held, stretch.start, &part).ok_or(io::ErrorKind::UnexpectedEof)?);
        ahead.held = Some((stretch, held));
        Ok(())
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn expect(&self, parts: &[Range<u64>]) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.stretches = together(parts);
        ahead.held = None;
    }
}

/// The joint requests for these ranges, which are sorted.
fn together(parts: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut stretches: Vec<Range<u64>> = Vec::new();
    for part in parts {
        match stretches.last_mut() {
            Some(last)
                if part.start <= last.end + GAP_BYTES_MAX
                    && part.end.saturating_sub(last.start) <= TOGETHER_BYTES_MAX =>
            {
                last.end = last.end.max(part.end);
            }
            _ => stretches.push(part.clone()),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_near_each_other_are_fetched_together_and_never_too_much() {
        let mib = 1 << 20;
        assert_eq!(together(&[4..10, 10..20, 100..200]), vec![Range { start: 4, end: 200 }]);
        assert_eq!(
            together(&[4..10, mib..2 * mib]),
            [4..10, mib..2 * mib],
            "what lies between is not fetched in vain"
        );
        assert_eq!(together(&[0..5 * mib, 5 * mib..10 * mib]), [0..5 * mib, 5 * mib..10 * mib]);
    }
}
