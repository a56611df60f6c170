//! Reads a text of any length in bounded memory: as much as a worker may hold is read as far as possible,
//! and then makes room for more. Only what makes sense as a whole, one record, must fit.

use std::io::Read;
use std::sync::MutexGuard;

use super::reader::{Piece, Reader, Way};
use super::steps::{Part, REACH_BYTES};
use super::text_memory::TextMemory;
use super::walk::Walk;
use super::{Next, RecordSink, says_read_only};

/// How much of a text was read.
pub(super) struct Streamed {
    pub bytes: u64,
    /// Why it was not read completely, or what is wrong with it.
    pub damage: Option<String>,
    pub read_only: bool,
}

struct Stream<'s, 'w, 'd, S: ?Sized> {
    source: &'s mut dyn Read,
    room: &'s TextMemory,
    walk: &'s mut Walk<'w, 'd, S>,
    reader: Reader,
    buffer: Vec<u8>,
    /// How much of the text should be in memory.
    wanted: usize,
    /// The right to hold more than a worker's share.
    turn: Option<MutexGuard<'s, ()>>,
    /// The source has ended.
    ended: bool,
    streamed: Streamed,
    /// The position of the buffer in the whole text.
    base: u64,
}

/// Reads all of `source`.
pub(super) fn run<S: RecordSink + ?Sized>(
    source: &mut dyn Read,
    room: &TextMemory,
    walk: &mut Walk<'_, '_, S>,
) -> Streamed {
    walk.reach_bytes = usize::try_from(room.record_bytes()).map_or(REACH_BYTES, |max| max.min(REACH_BYTES));
    let streamed = Streamed { bytes: 0, damage: None, read_only: false };
    let (reader, wanted) = (Reader::within(room.record_bytes()), room.piece_bytes());
    let mut stream = Stream {
        source,
        room,
        walk,
        reader,
        buffer: Vec::new(),
        wanted,
        turn: None,
        ended: false,
        streamed,
        base: 0,
    };
    stream.run();
    let Stream { streamed, reader, .. } = stream;
    Streamed { damage: streamed.damage.or(reader.damage), ..streamed }
}

impl<S: RecordSink + ?Sized> Stream<'_, '_, '_, S> {
    fn run(&mut self) {
        if !self.begin() {
            return;
        }
        loop {
            self.fill();
            let held = self.buffer.len().min(self.wanted);
            match self.read(held, self.ended && held == self.buffer.len()) {
                None => return,
                Some(0) if self.squeeze(held) => {}
                Some(0) if !self.grow() => return,
                Some(0) => {}
                Some(_) => self.shrink(),
            }
        }
    }

    /// Decides what the text consists of. Returns false if it is nothing that can be read.
    fn begin(&mut self) -> bool {
        self.wanted = self.room.piece_bytes().max(self.reader.head_bytes);
        loop {
            self.fill();
            let way = self
                .reader
                .begin(Piece { part: Part { text: &self.buffer, ended: self.ended }, base: self.base });
            let (Way::On(start) | Way::Wait(start)) = way else { return false };
            self.drop_front(start);
            if matches!(way, Way::On(_)) {
                self.wanted = self.room.piece_bytes();
                return true;
            }
        }
    }

    fn drop_front(&mut self, bytes: usize) {
        self.buffer.drain(..bytes);
        self.base += bytes as u64;
    }

    /// Reads until as much of the text is in memory as is wanted, or the text ends.
    fn fill(&mut self) {
        let before = self.buffer.len();
        let Some(missing) = self.wanted.checked_sub(before).filter(|_| !self.ended) else { return };
        self.buffer.reserve_exact(missing);
        let result = (&mut *self.source).take(missing as u64).read_to_end(&mut self.buffer);
        self.streamed.bytes += (self.buffer.len() - before) as u64;
        if let Err(error) = result {
            self.ended = true;
            self.streamed.damage.get_or_insert(error.to_string());
        }
        self.ended |= self.buffer.len() - before < missing;
    }

    /// Reads the first `held` bytes as far as possible and drops what was read. Returns how much that is,
    /// or `None` at the end of the text.
    fn read(&mut self, held: usize, ended: bool) -> Option<usize> {
        let text = self.buffer.get(..held).unwrap_or(&self.buffer);
        self.walk.counts.begin_part(self.base);
        let read = self.reader.read(Piece { part: Part { text, ended }, base: self.base }, self.walk);
        let used = read.unwrap_or(held).min(held);
        self.streamed.read_only =
            self.streamed.read_only || says_read_only(text.get(..used).unwrap_or_default());
        let Walk { sink, counts, .. } = &mut *self.walk;
        let next = if used == 0 { Next::GoOn } else { counts.end_part(|ids| sink.part(ids, used as u64)) };
        self.drop_front(used);
        match next {
            Next::GoOn => read.map(|_| used),
            Next::Stop if read.is_some() => {
                self.streamed.damage.get_or_insert_with(|| "the run was stopped before its end".to_owned());
                None
            }
            Next::Enough | Next::Stop => None,
        }
    }

    /// Replaces white space inside of a document, at the end of the buffer, by one blank. Returns whether
    /// there was any.
    fn squeeze(&mut self, held: usize) -> bool {
        let text = self.buffer.get(..held).unwrap_or(&self.buffer);
        let end = text.trim_ascii_end().len();
        let space = (held - end).saturating_sub(1);
        if space < held / 4 || space == 0 || ends_in_string(text) {
            return false;
        }
        self.buffer.drain(end + 1..held);
        self.base += space as u64;
        true
    }

    /// Makes room for a record that does not fit into a worker's share. Returns false if the record is too
    /// large.
    fn grow(&mut self) -> bool {
        let limit = usize::try_from(self.room.record_bytes()).unwrap_or(usize::MAX);
        if self.wanted >= limit {
            self.read(self.buffer.len(), true);
            self.streamed.damage = Some(format!(
                "one record, or what cannot be told from one, is larger than --max-memory allows ({limit} \
                 bytes), from byte {} on: give more",
                self.base
            ));
            return false;
        }
        if self.turn.is_none() {
            self.turn = Some(self.room.large());
        }
        self.wanted = limit.min(self.wanted + self.wanted / 2 + 1);
        true
    }

    /// Goes back to a worker's share.
    fn shrink(&mut self) {
        if self.turn.is_some() && self.buffer.len() <= self.room.piece_bytes() {
            self.wanted = self.room.piece_bytes();
            self.buffer.shrink_to(self.wanted);
            self.turn = None;
        }
    }
}

/// Whether a text, from the beginning of an element on, ends inside of a string.
fn ends_in_string(text: &[u8]) -> bool {
    let (mut inside, mut at) = (false, 0);
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        match text.get(at) {
            Some(b'\\') if inside => at += 2,
            Some(b'\\') => at += 1,
            _ => {
                inside = !inside;
                at += 1;
            }
        }
    }
    inside
}
