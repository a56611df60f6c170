//! Checksums: of all bytes of a lake that a reader relies on.
//!
//! A file of rows carries one for each of its column chunks in its footer, and the manifest has one of the
//! footer: whoever reads two columns checks the bytes of two columns. Each is made while the bytes are
//! written, so that nothing is read twice.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// XXH3 in 64 bits, as 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Sum(u64);

impl Sum {
    /// Digits of its text.
    pub(super) const DIGITS: usize = 16;

    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(xxh3_64(bytes))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain =
            text.len() == Self::DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        u64::from_str_radix(text, 16).ok().filter(|_| plain).map(Self)
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<Sum> for String {
    fn from(sum: Sum) -> Self {
        sum.to_string()
    }
}

impl TryFrom<String> for Sum {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no checksum")
    }
}

/// What was written between two cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub bytes: u64,
    pub sum: Sum,
}

#[derive(Default)]
struct State {
    hash: Xxh3,
    bytes: u64,
    done: Vec<Stretch>,
    /// What waits to be written.
    held: Option<Vec<u8>>,
    failed: Option<io::Error>,
}

/// Cuts what goes through a [`Summing`] into stretches.
#[derive(Clone, Default)]
pub(super) struct Cuts(Arc<Mutex<State>>);

impl Cuts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a stretch here; the next one begins.
    pub(super) fn cut(&self) {
        let mut state = self.state();
        let stretch = Stretch { bytes: state.bytes, sum: Sum(state.hash.digest()) };
        state.done.push(stretch);
        state.hash.reset();
        state.bytes = 0;
    }

    /// Why writing failed, where it did: who writes through others gets a text of theirs.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.state().failed.take()
    }

    /// From here on, what is written waits.
    pub(super) fn hold(&self) {
        self.state().held = Some(Vec::new());
    }

    /// What has waited; from here on, nothing does.
    pub(super) fn release(&self) -> Vec<u8> {
        self.state().held.take().unwrap_or_default()
    }

    /// The stretches that have ended.
    pub(super) fn take(&self) -> Vec<Stretch> {
        std::mem::take(&mut self.state().done)
    }
}

/// Passes bytes on, and sums them up.
pub(super) struct Summing<W> {
    inner: W,
    cuts: Cuts,
}

impl<W: Write> Summing<W> {
    pub(super) fn new(inner: W, cuts: &Cuts) -> Self {
        Self { inner, cuts: cuts.clone() }
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(held) = &mut self.cuts.state().held {
            held.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let written = self.inner.write(bytes);
        let mut state = self.cuts.state();
        let written = written.map_err(|error| remembered(&mut state, error))?;
        state.hash.update(bytes.get(..written).unwrap_or(bytes));
        state.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush().map_err(|error| remembered(&mut self.cuts.state(), error))
    }
}

fn remembered(state: &mut State, error: io::Error) -> io::Error {
    let kind = error.kind();
    state.failed = Some(error);
    kind.into()
}
