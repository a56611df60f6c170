//! Checksums of all bytes of a lake that a reader relies on.
//!
//! The footer of a data file contains a checksum for each column chunk, and the manifest has one of the
//! footer, so a reader of two columns only checks the bytes of two columns. Checksums are computed while the
//! bytes are written; nothing is read twice.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// An XXH3 checksum of 64 bits, written as 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Sum(u64);

impl Sum {
    /// Number of digits in its text.
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

/// The bytes written between two cuts: how many, and their checksum.
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
    /// Bytes that are held back; `None` while bytes are passed on.
    held: Option<Vec<u8>>,
    failed: Option<io::Error>,
}

/// Divides the output of a [`Summing`] writer into stretches, each with a checksum of its own.
#[derive(Clone, Default)]
pub(super) struct Cuts(Arc<Mutex<State>>);

impl Cuts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the current stretch and begins the next one.
    pub(super) fn cut(&self) {
        let mut state = self.state();
        let stretch = Stretch { bytes: state.bytes, sum: Sum(state.hash.digest()) };
        state.done.push(stretch);
        state.hash.reset();
        state.bytes = 0;
    }

    /// The original error of a failed write. A library that writes through [`Summing`] replaces it by an
    /// error of its own.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.state().failed.take()
    }

    /// Holds back everything that is written from now on.
    pub(super) fn hold(&self) {
        self.state().held = Some(Vec::new());
    }

    /// Returns what was held back, and lets later writes through.
    pub(super) fn release(&self) -> Vec<u8> {
        self.state().held.take().unwrap_or_default()
    }

    /// Returns the completed stretches.
    pub(super) fn take(&self) -> Vec<Stretch> {
        std::mem::take(&mut self.state().done)
    }
}

/// A writer that passes bytes on and computes their checksums.
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
