//! A text of any length, in bounded memory: it is cut where records end, and piece after piece takes the full path.
//!
//! Lines are cut at a line's end, documents one after another between two of them. A document that does not end within a
//! piece is most likely a long list (`{"Records":[…]}`, or an array): it is cut between two elements, and each piece is given
//! the list's beginning and an end, so that it is a document of its own. Only what cannot be cut, one record, must fit.

use std::io::Read;

use super::foreign;
use super::json::{Members, skip_space, skip_value};
use super::lines;
use super::room::Room;
use super::walk::{Walk, is_container};
use super::{Next, RecordSink, describe, read, says_read_only};

/// How many line ends are looked at, from the last one of a piece backwards, for one between two whole lines.
const LINE_ENDS_TRIED: usize = 64;
/// The beginning of a document up to its list is repeated for each piece of it; a longer one is not taken for one.
const OPENING_BYTES_MAX: usize = 64 << 10;

/// How a text was read to its end, or how far.
pub(super) struct Streamed {
    pub bytes: u64,
    /// Why that is not all, or not as it should be.
    pub damage: Option<String>,
    pub read_only: bool,
}

/// How the text is cut.
#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Lines,
    /// Documents, one after another.
    Documents,
    /// Inside a list. The buffer begins with `opening`, which stands before every piece; `closing` stands behind it.
    List {
        opening: usize,
        closing: &'static [u8],
    },
}

/// Where to cut.
enum Cut {
    /// Behind the first so many bytes; so many that follow (a comma) belong to nothing.
    At(usize, usize),
    /// The list ends at this bracket.
    ListEnds(usize),
    /// Nowhere in what there is so far.
    Nowhere,
}

struct Stream<'s, 'w, 'd, S: ?Sized> {
    source: &'s mut dyn Read,
    room: &'s Room,
    walk: &'s mut Walk<'w, 'd, S>,
    buffer: Vec<u8>,
    mode: Mode,
    brackets: Brackets,
    /// Nothing more comes.
    ended: bool,
    streamed: Streamed,
    /// Where the text in the buffer begins, in the whole text; behind what was put before it.
    base: u64,
    /// The last piece ended behind an element: a comma is next, or the list's end.
    comma_due: bool,
}

/// Reads all of `source`.
pub(super) fn run<S: RecordSink + ?Sized>(source: &mut dyn Read, room: &Room, walk: &mut Walk<'_, '_, S>) -> Streamed {
    let streamed = Streamed { bytes: 0, damage: None, read_only: false };
    let brackets = Brackets::default();
    let mut stream =
        Stream { source, room, walk, buffer: Vec::new(), mode: Mode::Documents, brackets, ended: false, streamed, base: 0, comma_due: false };
    stream.run();
    stream.streamed
}

impl<S: RecordSink + ?Sized> Stream<'_, '_, '_, S> {
    fn run(&mut self) {
        self.fill(self.room.piece_bytes());
        let bom = if self.buffer.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        self.drop_front(bom);
        let start = skip_space(&self.buffer, 0);
        let text = self.buffer.get(start..).unwrap_or_default();
        if self.ended && self.streamed.damage.is_none() && text.is_empty() {
            return self.damaged(if self.streamed.bytes == 0 { "empty".to_owned() } else { "empty: nothing but white space".to_owned() });
        }
        if lines::is_lines(text) {
            self.mode = Mode::Lines;
        } else if let Some(reason) = foreign::refusal(text) {
            return self.damaged(reason);
        }
        while self.piece() {}
    }

    /// Reads one piece; says whether there may be more.
    fn piece(&mut self) -> bool {
        self.drop_space();
        if self.buffer.len() <= self.opening() && self.ended {
            if self.opening() > 0 {
                self.hand_out(self.buffer.len(), true);
            }
            return false;
        }
        match self.cut() {
            Cut::At(end, skipped) => {
                let goes_on = self.take(end, skipped);
                self.refill();
                goes_on
            }
            Cut::ListEnds(bracket) => self.close_list(bracket),
            Cut::Nowhere if self.ended => {
                self.hand_out(self.buffer.len(), true);
                false
            }
            Cut::Nowhere if self.buffer.len() < self.room.piece_bytes() => {
                self.refill();
                true
            }
            Cut::Nowhere => self.squeeze() || self.open_list() || self.grow(),
        }
    }

    fn cut(&mut self) -> Cut {
        match self.mode {
            Mode::Lines => last_line_end(&self.buffer).map_or(Cut::Nowhere, |end| Cut::At(end, 0)),
            Mode::Documents => self.brackets.document_end(&self.buffer).map_or(Cut::Nowhere, |end| Cut::At(end, 0)),
            Mode::List { .. } => self.brackets.element_end(&self.buffer),
        }
    }

    /// How much of the buffer was put there, and stands not at this place of the text.
    const fn opening(&self) -> usize {
        if let Mode::List { opening, .. } = self.mode { opening } else { 0 }
    }

    /// Reads until the buffer holds `bytes`, or the text ends.
    fn fill(&mut self, bytes: usize) {
        let before = self.buffer.len();
        let Some(wanted) = bytes.checked_sub(before).filter(|_| !self.ended) else { return };
        self.buffer.reserve_exact(wanted);
        let result = (&mut *self.source).take(wanted as u64).read_to_end(&mut self.buffer);
        self.streamed.bytes += (self.buffer.len() - before) as u64;
        if let Err(error) = result {
            self.ended = true;
            self.damaged(error.to_string());
        }
        self.ended |= self.buffer.len() - before < wanted;
    }

    fn refill(&mut self) {
        self.fill(self.room.piece_bytes().max(self.opening() * 2));
    }

    /// The first reason is the one that is told.
    fn damaged(&mut self, reason: String) {
        self.streamed.damage.get_or_insert(reason);
    }

    /// White space between documents and elements is of no use; there may be gigabytes of it.
    fn drop_space(&mut self) {
        let opening = self.opening();
        while self.brackets.at == opening {
            let mut end = skip_space(&self.buffer, opening);
            let comma = self.comma_due && self.buffer.get(end) == Some(&b',');
            if self.comma_due && end < self.buffer.len() {
                self.comma_due = false;
                end += usize::from(comma);
                if !comma && self.buffer.get(end) != Some(&b']') {
                    self.damaged(format!("the JSON is damaged at byte {}: expected `,` or `]`", self.base + (end - opening) as u64));
                }
            }
            let far = end - opening >= self.room.piece_bytes() / 2;
            if comma || far || self.comma_due {
                self.buffer.drain(opening..end);
                self.base += (end - opening) as u64;
            }
            if !far && !self.comma_due || self.ended {
                return;
            }
            self.refill();
        }
    }

    /// The same for white space inside a document, at the end of the buffer: one blank stands for all. Says whether there was any.
    fn squeeze(&mut self) -> bool {
        let end = self.buffer.trim_ascii_end().len().max(self.opening());
        let space = (self.buffer.len() - end).saturating_sub(1);
        if self.mode == Mode::Lines || self.brackets.in_string || space < self.room.piece_bytes() / 4 {
            return false;
        }
        self.buffer.truncate(end + 1);
        self.brackets.at = self.buffer.len();
        self.refill();
        true
    }

    fn drop_front(&mut self, bytes: usize) {
        self.buffer.drain(..bytes);
        self.base += bytes as u64;
    }

    /// Hands out the piece that ends at `end`, and drops it, and what is to be left out behind it. False: no more, please.
    fn take(&mut self, end: usize, skipped: usize) -> bool {
        let goes_on = match self.mode {
            Mode::List { opening, closing } => {
                let rest = self.buffer.split_off(end + skipped);
                self.buffer.truncate(end);
                self.buffer.extend_from_slice(closing);
                let goes_on = self.hand_out(self.buffer.len(), false);
                self.buffer.truncate(opening);
                self.buffer.extend_from_slice(&rest);
                self.base += (end + skipped - opening) as u64;
                goes_on
            }
            _ => {
                let goes_on = self.hand_out(end, false);
                self.drop_front(end + skipped);
                goes_on
            }
        };
        self.comma_due = skipped == 0 && self.opening() > 0;
        self.brackets = Brackets { at: self.opening(), ..Brackets::default() };
        goes_on
    }

    /// Lets the full path read the first `end` bytes. False: what there is to find is found, or nothing of it is CloudTrail's.
    fn hand_out(&mut self, end: usize, last: bool) -> bool {
        let piece = self.buffer.get(..end).unwrap_or(&self.buffer);
        if skip_space(piece, 0) == piece.len() {
            return true;
        }
        self.walk.tally.begin_part(self.base);
        let result = match self.mode {
            Mode::Lines => self.walk.lines(piece).map_err(|fault| describe(fault, self.walk.tally.records())),
            _ => read(piece, self.walk),
        };
        self.streamed.read_only = self.streamed.read_only || says_read_only(piece);
        if let Err(reason) = result {
            let from = self.base - self.opening() as u64;
            self.damaged(if from == 0 { reason } else { format!("{reason} (counted from byte {from})") });
        }
        let Walk { sink, tally, .. } = &mut *self.walk;
        let hopeless = self.streamed.damage.is_some() && !tally.is_recognised();
        match tally.end_part(|ids| sink.part(ids, end as u64)) {
            Next::GoOn => !hopeless,
            Next::Enough => false,
            Next::Stop if last => false,
            Next::Stop => {
                self.damaged("the run was stopped before its end".to_owned());
                false
            }
        }
    }

    /// The list ends: what follows it belongs to a document that is whole with an empty list.
    fn close_list(&mut self, bracket: usize) -> bool {
        let opening = self.opening();
        let goes_on = skip_space(&self.buffer, opening) >= bracket || self.take(bracket, 0);
        self.base -= opening as u64;
        self.mode = Mode::Documents;
        self.brackets = Brackets::default();
        self.comma_due = false;
        goes_on
    }

    /// Tries to take a document that does not end within a piece for a list.
    fn open_list(&mut self) -> bool {
        if self.mode == Mode::Lines && matches!(self.buffer.get(skip_space(&self.buffer, 0)), Some(b'{' | b'[')) {
            self.mode = Mode::Documents;
        }
        if self.mode != Mode::Documents {
            return false;
        }
        let Some((opening, closing)) = opening(&self.buffer).filter(|&(opening, _)| opening <= OPENING_BYTES_MAX) else { return false };
        self.mode = Mode::List { opening, closing };
        self.brackets = Brackets { at: opening, ..Brackets::default() };
        self.base += opening as u64;
        true
    }

    /// Makes room for a record that does not fit into a piece. False where it is too large for that.
    fn grow(&mut self) -> bool {
        let room = self.room;
        let _turn = room.large();
        let limit = usize::try_from(room.record_bytes()).unwrap_or(usize::MAX);
        loop {
            if self.buffer.len() >= limit {
                self.hand_out(self.buffer.len(), true);
                self.streamed.damage = Some(format!(
                    "one record, or what cannot be told from one, is larger than --max-memory allows ({limit} bytes), from byte {} on: give more",
                    self.base
                ));
                return false;
            }
            let before = self.buffer.len();
            self.fill(limit.min(before + before / 2));
            match self.cut() {
                Cut::Nowhere if self.ended => {
                    self.hand_out(self.buffer.len(), true);
                    return false;
                }
                Cut::Nowhere => _ = self.squeeze(),
                Cut::ListEnds(bracket) if self.close_list(bracket) => break,
                Cut::At(end, skipped) if self.take(end, skipped) => break,
                Cut::ListEnds(_) | Cut::At(..) => return false,
            }
        }
        self.buffer.shrink_to(room.piece_bytes());
        true
    }
}

/// The end of the last line that has a whole one before it and may have another behind it. A document may run over lines.
fn last_line_end(text: &[u8]) -> Option<usize> {
    let mut ends = memchr::memrchr_iter(b'\n', text);
    let last = ends.next()?;
    let is_between = |&end: &usize| {
        let begin = text.get(..end).and_then(|before| memchr::memrchr(b'\n', before)).map_or(0, |before| before + 1);
        let line = text.get(begin..end).unwrap_or_default();
        let whole = lines::json_start(line).is_some_and(|start| skip_value(line, start.at).is_ok());
        whole && !matches!(text.get(skip_space(text, end)), Some(b']' | b'}' | b',') | None)
    };
    std::iter::once(last).chain(ends.take(LINE_ENDS_TRIED)).find(is_between).or(Some(last)).map(|end| end + 1)
}

/// The beginning of the document in `text` up to its list, if it has one that does not end there, and how to end it.
fn opening(text: &[u8]) -> Option<(usize, &'static [u8])> {
    let start = skip_space(text, 0);
    if text.get(start) == Some(&b'[') {
        return Some((start + 1, b"]"));
    }
    let mut members = Members::of(text, start);
    while let Ok(Some(member)) = members.next() {
        match skip_value(text, member.value) {
            Ok(end) => members.go_on(end),
            Err(_) if is_container(text, &member.key, member.value) => return Some((member.value + 1, b"]}")),
            Err(_) => return None,
        }
    }
    None
}

/// Follows brackets and quotes through a text that comes piece by piece. Whether it is JSON is asked by who reads the pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Brackets {
    /// How far the buffer was followed.
    at: usize,
    depth: u64,
    in_string: bool,
    /// The last place where the text could be cut.
    end: Option<usize>,
    /// How many bytes of a comma stand there.
    comma: usize,
}

impl Brackets {
    /// The end of the last whole document.
    fn document_end(&mut self, text: &[u8]) -> Option<usize> {
        while let Some(byte) = self.next(text) {
            if self.depth == 0 && matches!(byte, b'}' | b']' | b'\n') {
                self.end = Some(self.at);
            }
        }
        self.end
    }

    /// The end of the last whole element of a list.
    fn element_end(&mut self, text: &[u8]) -> Cut {
        while let Some(byte) = self.next(text) {
            match byte {
                b',' if self.depth == 0 => (self.end, self.comma) = (Some(self.at - 1), 1),
                b']' | b'}' if self.depth == 0 => (self.end, self.comma) = (Some(self.at), 0),
                b']' | b'}' if self.depth == u64::MAX => return Cut::ListEnds(self.at - 1),
                _ => {}
            }
        }
        self.end.map_or(Cut::Nowhere, |end| Cut::At(end, self.comma))
    }

    /// Goes behind the next byte that has a meaning outside of strings.
    fn next(&mut self, text: &[u8]) -> Option<u8> {
        loop {
            let rest = text.get(self.at..).filter(|rest| !rest.is_empty())?;
            if self.in_string {
                let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                    self.at = text.len();
                    return None;
                };
                if rest[found] == b'"' {
                    self.in_string = false;
                    self.at += found + 1;
                } else if found + 1 < rest.len() {
                    self.at += found + 2;
                } else {
                    self.at += found;
                    return None;
                }
                continue;
            }
            let Some(found) = rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b'\n')) else {
                self.at = text.len();
                return None;
            };
            self.at += found + 1;
            match rest[found] {
                b'"' => self.in_string = true,
                open @ (b'{' | b'[') => {
                    self.depth = self.depth.wrapping_add(1);
                    return Some(open);
                }
                close @ (b'}' | b']') => {
                    self.depth = self.depth.wrapping_sub(1);
                    return Some(close);
                }
                other => return Some(other),
            }
        }
    }
}
