//! The reading of a text, part by part or as a whole: what it is made of, and how it goes on behind damage.
//!
//! A text is made of documents or of lines; that is told by its beginning, and stays so. Behind damage whatever still looks like
//! CloudTrail's is looked for. How far ahead anything is looked for is limited in bytes, so that it does not matter how much of
//! the text is at hand.

use super::RecordSink;
use super::describe;
use super::foreign;
use super::json::{Fault, skip_between};
use super::lines::{begins_inside, holds_lines, is_lines};
use super::search::{Found, find_at, find_document};
use super::steps::{Around, Part, REACH_BYTES, Step};
use super::walk::Walk;

/// So much of a text tells whether it is made of lines.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// What may be tried in vain in any case, in bytes; and how many times its own length of a text.
const TRIED_BYTES_SURE: u64 = 16 << 20;
const TRIED_TIMES: u64 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing is known yet.
    Begin,
    /// Documents, one after another.
    Documents,
    Lines,
    /// Behind damage: whatever is a document of CloudTrail's.
    Search,
}

/// Where the reading of a text stands.
pub(super) struct Reader {
    mode: Mode,
    pub(super) around: Vec<Around>,
    pub(super) head_bytes: usize,
    /// Where the first document begins in the whole text.
    start: u64,
    /// Lines that were read to their end.
    pub(super) lines: u64,
    /// What was tried in vain.
    tried_bytes: u64,
    /// The first damage.
    pub(super) damage: Option<String>,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    On(usize),
    /// More text is needed from here on.
    Wait(usize),
    /// There is nothing more to find.
    End,
}

impl From<Step> for Way {
    fn from(step: Step) -> Self {
        match step {
            Step::On(at) => Self::On(at),
            Step::Wait(at) => Self::Wait(at),
        }
    }
}

/// A part of a text, and where it begins in the whole.
#[derive(Clone, Copy)]
pub(super) struct Piece<'t> {
    pub part: Part<'t>,
    pub base: u64,
}

impl Reader {
    /// A whole text.
    pub(super) fn new() -> Self {
        Self::within(u64::MAX)
    }

    /// One of whose text no more than `bytes_max` can be at hand.
    pub(super) fn within(bytes_max: u64) -> Self {
        let head_bytes = usize::try_from(bytes_max).map_or(HEAD_BYTES, |max| max.min(HEAD_BYTES));
        Self { mode: Mode::Begin, around: Vec::new(), head_bytes, start: 0, lines: 0, tried_bytes: 0, damage: None }
    }

    /// Reads as far as it goes: `Some(at)` if more text is needed from there on, `None` at the end.
    pub(super) fn read<S: RecordSink + ?Sized>(&mut self, piece: Piece<'_>, walk: &mut Walk<'_, '_, S>) -> Option<usize> {
        let mut at = 0;
        loop {
            let way = match self.mode {
                Mode::Begin => self.begin(piece),
                Mode::Search if self.around.is_empty() => self.search(piece, at, walk),
                Mode::Lines if self.around.is_empty() => self.line(piece, at, walk),
                _ => self.go_on(piece, at, walk),
            };
            match way {
                Way::On(next) => at = next,
                Way::End => return None,
                Way::Wait(from) if self.is_at_first(piece, walk) => {
                    // What is not known to be anything yet is read again as a whole.
                    self.around.clear();
                    walk.tally.restart();
                    return Some(from.min(usize::try_from(self.start - piece.base).unwrap_or(from)));
                }
                Way::Wait(from) => return Some(from),
            }
        }
    }

    /// Whether nothing of CloudTrail's was found so far, and the text is at hand from the first document on.
    fn is_at_first<S: RecordSink + ?Sized>(&self, piece: Piece<'_>, walk: &Walk<'_, '_, S>) -> bool {
        self.mode == Mode::Documents && walk.tally.seen() <= 1 && !walk.tally.is_recognised() && piece.base <= self.start
    }

    pub(super) fn damaged(&mut self, reason: String) {
        self.damage.get_or_insert(reason);
    }

    /// Tells what the text is made of.
    pub(super) fn begin(&mut self, piece: Piece<'_>) -> Way {
        let Piece { part: Part { text, ended }, base } = piece;
        let start = skip_between(text, 0);
        let rest = text.get(start..).unwrap_or_default();
        // Zeros stand behind documents, and before them where there are none.
        if let Some(reason) = text.get(..start).filter(|before| before.contains(&0)).and_then(foreign::refusal) {
            self.damaged(reason);
            return Way::End;
        }
        if rest.is_empty() && ended {
            self.damaged(if base == 0 && text.is_empty() { "empty".to_owned() } else { "empty: nothing but white space".to_owned() });
            return Way::End;
        }
        if rest.len() < self.head_bytes && !ended {
            return Way::Wait(start);
        }
        self.start = base + start as u64;
        let head = rest.get(..rest.len().min(self.head_bytes)).unwrap_or(rest);
        // Lines may have something before their JSON that looks like another kind of file (`<134>` of syslog).
        if is_lines(head, head.len() == rest.len() && ended) {
            self.mode = Mode::Lines;
        } else if let Some(reason) = foreign::refusal(head) {
            self.damaged(reason);
            return Way::End;
        } else {
            self.mode = Mode::Documents;
        }
        Way::On(start)
    }

    /// A step in a document, or to the next one.
    fn go_on<S: RecordSink + ?Sized>(&mut self, piece: Piece<'_>, at: usize, walk: &mut Walk<'_, '_, S>) -> Way {
        let Part { text, ended } = piece.part;
        let mut at = at;
        if self.around.is_empty() {
            at = skip_between(text, at);
            let is_part_of_mark = text.get(at) == Some(&0xef) && text.len() - at < 3;
            if at >= text.len() || is_part_of_mark && !ended {
                return if ended { Way::End } else { Way::Wait(at) };
            }
        }
        match walk.step(&mut self.around, piece.part, at) {
            Ok(step) => step.into(),
            Err(fault) => self.lost(piece, at, fault, walk),
        }
    }

    /// What is being read cannot be read on.
    fn lost<S: RecordSink + ?Sized>(&mut self, piece: Piece<'_>, at: usize, fault: Fault, walk: &mut Walk<'_, '_, S>) -> Way {
        self.around.clear();
        match self.mode {
            Mode::Lines => self.lost_line(piece, at, fault, walk),
            Mode::Search => Way::On(behind(fault, at)),
            Mode::Begin | Mode::Documents => {
                if self.is_at_first(piece, walk)
                    && let Some(way) = self.salvage(piece, fault, walk)
                {
                    return way;
                }
                self.damaged(describe(fault.from(piece.base), walk.tally.records()));
                if fault.is_cut() || !walk.tally.is_recognised() {
                    return Way::End;
                }
                self.mode = Mode::Search;
                Way::On(behind(fault, at))
            }
        }
    }

    /// The first document is none: perhaps the text is made of lines of which the first ones are bad, or begins inside a record.
    fn salvage<S: RecordSink + ?Sized>(&mut self, piece: Piece<'_>, fault: Fault, walk: &mut Walk<'_, '_, S>) -> Option<Way> {
        let Part { text, ended } = piece.part;
        let start = usize::try_from(self.start - piece.base).ok()?;
        if !ended && text.len() - start < walk.reach_bytes {
            return Some(Way::Wait(start));
        }
        let near = text.get(start..text.len().min(start + walk.reach_bytes))?;
        if begins_inside(near) {
            find_document(near, 0)?;
            let Fault { reason, offset } = fault.from(piece.base);
            self.damaged(format!("the text begins in the middle of a record, which cannot be read: {reason} at byte {offset}"));
            self.mode = Mode::Search;
        } else {
            holds_lines(near).then_some(())?;
            self.mode = Mode::Lines;
        }
        walk.tally.restart();
        Some(Way::On(start))
    }

    /// To the next document of CloudTrail's, whatever stands before it.
    fn search<S: RecordSink + ?Sized>(&mut self, piece: Piece<'_>, at: usize, walk: &mut Walk<'_, '_, S>) -> Way {
        let Part { text, ended } = piece.part;
        let mut at = at;
        loop {
            let Some(found) = text.get(at..).and_then(|rest| memchr::memchr(b'{', rest)) else {
                return if ended { Way::End } else { Way::Wait(text.len()) };
            };
            let start = at + found;
            // In hostile texts the same bytes could be tried again and again.
            if !self.may_try(piece.base + start as u64) {
                return Way::End;
            }
            let near = text.get(..text.len().min(start + walk.reach_bytes)).unwrap_or(text);
            match find_at(near, start) {
                Found::Document => {
                    return match walk.step(&mut self.around, piece.part, start) {
                        Ok(step) => step.into(),
                        Err(fault) => self.lost(piece, start, fault, walk),
                    };
                }
                Found::Cut if !ended && text.len() - start < walk.reach_bytes => return Way::Wait(start),
                Found::Cut => self.tried(near.len() - start),
                Found::Nothing(tried) => self.tried(tried),
            }
            at = start + 1;
        }
    }

    pub(super) fn may_try(&self, at: u64) -> bool {
        self.tried_bytes <= TRIED_BYTES_SURE.saturating_add(at.saturating_mul(TRIED_TIMES))
    }

    pub(super) fn tried(&mut self, bytes: usize) {
        self.tried_bytes = self.tried_bytes.saturating_add(bytes as u64);
    }
}

/// Where to go on behind a fault. A text that was cut off in a string takes the opening bracket and quote of what follows it into
/// that string: so two bytes before.
pub(super) fn behind(fault: Fault, at: usize) -> usize {
    fault.offset.saturating_sub(2).max(at + 1)
}

/// For the whole of a text.
pub(super) fn read_whole<S: RecordSink + ?Sized>(text: &[u8], walk: &mut Walk<'_, '_, S>) -> Result<(), String> {
    walk.reach_bytes = REACH_BYTES;
    let mut reader = Reader::new();
    reader.read(Piece { part: Part { text, ended: true }, base: 0 }, walk);
    reader.damage.map_or(Ok(()), Err)
}
