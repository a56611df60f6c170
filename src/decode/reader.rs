//! Reads a text part by part or as a whole: what it consists of, and how to go on after damage.
//!
//! A text consists of documents or of lines; its beginning tells which, and that does not change. After
//! damage, whatever looks like CloudTrail's is searched for. All lookahead is limited in bytes, so that the
//! result does not depend on how much of the text is in memory.

use super::RecordSink;
use super::describe;
use super::foreign;
use super::json::{Fault, skip_between};
use super::lines::{begins_inside, holds_lines, is_lines};
use super::search::{Found, find_at, find_document};
use super::steps::{Around, Part, REACH_BYTES, Step};
use super::walk::Walk;

/// Number of bytes that are examined to tell whether a text consists of lines.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// How many bytes may be tried in vain in any case, and how many times the text's own length.
const TRIED_BYTES_SURE: u64 = 16 << 20;
const TRIED_TIMES: u64 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing is known yet.
    Begin,
    /// Documents, one after another.
    Documents,
    Lines,
    /// After damage: searches for documents of CloudTrail's.
    Search,
}

/// The state of reading a text.
pub(super) struct Reader {
    mode: Mode,
    pub(super) around: Vec<Around>,
    pub(super) head_bytes: usize,
    /// The position of the first document in the whole text.
    start: u64,
    /// Number of lines that were read to their end.
    pub(super) lines: u64,
    /// Number of bytes that were tried in vain.
    tried_bytes: u64,
    /// The first damage.
    pub(super) damage: Option<String>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    On(usize),
    /// More text is needed, from this position on.
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

/// A part of a text, and its position in the whole.
#[derive(Clone, Copy)]
pub(super) struct Piece<'t> {
    pub part: Part<'t>,
    pub base: u64,
}

/// Maximum number of bytes of a length before a document.
const LENGTH_BYTES_MAX: usize = 16;

impl Reader {
    /// For a text that is in memory as a whole.
    pub(super) fn new() -> Self {
        Self::within(u64::MAX)
    }

    /// For a text of which at most `bytes_max` are in memory.
    pub(super) fn within(bytes_max: u64) -> Self {
        let head_bytes = usize::try_from(bytes_max).map_or(HEAD_BYTES, |max| max.min(HEAD_BYTES));
        Self {
            mode: Mode::Begin,
            around: Vec::new(),
            head_bytes,
            start: 0,
            lines: 0,
            tried_bytes: 0,
            damage: None,
        }
    }

    /// Reads as far as possible: `Some(at)` if more text is needed from there on, `None` at the end.
    pub(super) fn read<S: RecordSink + ?Sized>(
        &mut self,
        piece: Piece<'_>,
        walk: &mut Walk<'_, '_, S>,
    ) -> Option<usize> {
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
                    // It is not known yet what this is, so it is read again once more of it is there.
                    self.around.clear();
                    walk.counts.restart();
                    return Some(from.min(usize::try_from(self.start - piece.base).unwrap_or(from)));
                }
                Way::Wait(from) => return Some(from),
            }
        }
    }

    /// Whether nothing of CloudTrail's was found so far, and the text is in memory from the first document
    /// on.
    fn is_at_first<S: RecordSink + ?Sized>(&self, piece: Piece<'_>, walk: &Walk<'_, '_, S>) -> bool {
        self.mode == Mode::Documents
            && walk.counts.seen() <= 1
            && !walk.counts.is_recognised()
            && piece.base <= self.start
    }

    pub(super) fn damaged(&mut self, reason: String) {
        self.damage.get_or_insert(reason);
    }

    /// Decides what the text consists of.
    pub(super) fn begin(&mut self, piece: Piece<'_>) -> Way {
        let Piece { part: Part { text, ended }, base } = piece;
        let start = skip_between(text, 0);
        let rest = text.get(start..).unwrap_or_default();
        // Zeros may follow documents; before a document they can only be part of its length. More zeros
        // mean that it is something else.
        let zeros = text.get(..start).filter(|before| before.len() > LENGTH_BYTES_MAX && before.contains(&0));
        if let Some(reason) = zeros.and_then(foreign::refusal) {
            self.damaged(reason);
            return Way::End;
        }
        if rest.is_empty() && ended {
            self.damaged(if base == 0 && text.is_empty() {
                "empty".to_owned()
            } else {
                "empty: nothing but white space".to_owned()
            });
            return Way::End;
        }
        if rest.len() < self.head_bytes && !ended {
            return Way::Wait(start);
        }
        self.start = base + start as u64;
        let head = rest.get(..rest.len().min(self.head_bytes)).unwrap_or(rest);
        // Lines may have text before their JSON that looks like another kind of file (`<134>` of syslog).
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

    /// One step inside of a document, or on to the next document.
    fn go_on<S: RecordSink + ?Sized>(
        &mut self,
        piece: Piece<'_>,
        at: usize,
        walk: &mut Walk<'_, '_, S>,
    ) -> Way {
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

    /// What is being read cannot be read further.
    fn lost<S: RecordSink + ?Sized>(
        &mut self,
        piece: Piece<'_>,
        at: usize,
        fault: Fault,
        walk: &mut Walk<'_, '_, S>,
    ) -> Way {
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
                self.damaged(describe(fault.from(piece.base), walk.counts.records()));
                if fault.is_cut() || !walk.counts.is_recognised() {
                    return Way::End;
                }
                self.mode = Mode::Search;
                Way::On(behind(fault, at))
            }
        }
    }

    /// The first document is not valid: perhaps the text consists of lines of which the first are bad, or
    /// begins inside of a record.
    fn salvage<S: RecordSink + ?Sized>(
        &mut self,
        piece: Piece<'_>,
        fault: Fault,
        walk: &mut Walk<'_, '_, S>,
    ) -> Option<Way> {
        let Part { text, ended } = piece.part;
        let start = usize::try_from(self.start - piece.base).ok()?;
        if !ended && text.len() - start < walk.reach_bytes {
            return Some(Way::Wait(start));
        }
        let near = text.get(start..text.len().min(start + walk.reach_bytes))?;
        if begins_inside(near) {
            find_document(near, 0)?;
            let Fault { reason, offset } = fault.from(piece.base);
            self.damaged(format!(
                "the text begins in the middle of a record, which cannot be read: {reason} at byte {offset}"
            ));
            self.mode = Mode::Search;
        } else {
            holds_lines(near).then_some(())?;
            self.mode = Mode::Lines;
        }
        walk.counts.restart();
        Some(Way::On(start))
    }

    /// Goes on to the next document of CloudTrail's, whatever comes before it.
    fn search<S: RecordSink + ?Sized>(
        &mut self,
        piece: Piece<'_>,
        at: usize,
        walk: &mut Walk<'_, '_, S>,
    ) -> Way {
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

/// Where to go on after a fault. If a text was cut off inside of a string, that string swallows the opening
/// bracket and quote of what follows; so go back two bytes.
pub(super) fn behind(fault: Fault, at: usize) -> usize {
    fault.offset.saturating_sub(2).max(at + 1)
}

/// Reads a text that is in memory as a whole.
pub(super) fn read_whole<S: RecordSink + ?Sized>(
    text: &[u8],
    walk: &mut Walk<'_, '_, S>,
) -> Result<(), String> {
    walk.reach_bytes = REACH_BYTES;
    let mut reader = Reader::new();
    reader.read(Piece { part: Part { text, ended: true }, base: 0 }, walk);
    reader.damage.map_or(Ok(()), Err)
}
