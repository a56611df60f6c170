//! The hot path: cuts the records out of one `{"Records":[…]}` by its brackets, and looks at a few fields of
//! each.
//!
//! It is exact for every text that is JSON: brackets and quotes are followed through the whole text, so a
//! record is cut where it really begins and ends, whatever stands inside it and however it is written. The
//! same pass marks every string whose second letter is a `v`; CloudTrail's own keys are among them
//! (`eventTime`, `eventID` …), and hardly anything else. Such a mark is a key and not a piece of a string,
//! because a quote inside a string would have a backslash before it; and it is the record's own key, not one
//! further inside, because the brackets before it say how deep it is. Keys that are written with escapes are
//! not found; so a record that may have one is read in full, as is every record that lacks a field.
//!
//! What it takes on trust is the grammar between the brackets of records that nobody wants. So it is used
//! only where a gzip checksum says that the bytes are what the writer wrote. Text without a checksum takes
//! the full path, which finds damage anywhere. Everything that is odd about the whole (a number among the
//! records, something behind the end, a bad record) makes the hot path give up before a single record is
//! handed out; the full path then starts from the beginning.

mod drift;
mod mark;
mod ordinary;
mod own;
mod sources;
mod stretch;

use std::ops::Range;

use memchr::memmem::Finder;

use super::Wanted;
use super::blocks::{self, BATCH, Classify, Task};
use super::counts::ObjectCounts;
use super::fields::{Fields, Key, Shape};
use super::identity::is_event_id;
use super::json::skip_space;
use super::repair::may_have_half_a_character;
use mark::Mark;
use ordinary::Ordinary;
use own::{Last, Own, Usual};
use sources::Sources;
use stretch::{Block, Stretch, between};

use crate::model::Repairs;

/// Number of open brackets around a record.
const AROUND: u32 = 2;
/// Number of open brackets at a record's own keys.
const INSIDE: u32 = AROUND + 1;
/// Deeper texts are left to the full path, which has the exact limit.
const DEPTH_MAX: u32 = 100;
/// Below this depth, a block that consists of opening brackets does not reach [`DEPTH_MAX`].
const DEPTH_SURE: u32 = DEPTH_MAX - 64;
/// Number of blocks with marks that are kept of a record that began in an earlier stretch. CloudTrail's
/// records have seven marks; a record with too many is parsed in full.
const KEPT: usize = 64;

/// What the hot path reuses from object to object.
pub(super) struct HotPath {
    /// Finds `\u` escapes of ASCII letters.
    escape: Finder<'static>,
    /// The tables of the last object's [`Wanted::Named`].
    named: Option<Sources<'static>>,
    pieces: Vec<Piece>,
    ordinary: Ordinary,
}

/// A wanted record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub start: usize,
    pub end: usize,
    pub index: u64,
}

/// The state of the record that is being followed.
#[derive(Clone, Copy)]
struct Current {
    /// Where it began.
    start: usize,
    /// The block of this stretch in which it began; the first block, if it began earlier.
    first: usize,
    /// Number of its blocks with marks before this stretch; at most [`KEPT`] of them are kept.
    kept: usize,
    /// Before this stretch it had a `\u` escape, or a byte that is not ASCII.
    odd: bool,
}

impl Default for HotPath {
    fn default() -> Self {
        Self { escape: Finder::new(b"\\u00"), named: None, pieces: Vec::new(), ordinary: Ordinary::default() }
    }
}

impl HotPath {
    /// Counts the records of `text` and finds the wanted ones. `None` if this text is not for the hot path;
    /// nothing has been passed on then, and `counts` must be started again.
    pub(super) fn scan(
        &mut self,
        text: &[u8],
        wanted: Wanted<'_>,
        counts: &mut ObjectCounts<'_>,
    ) -> Option<&[Piece]> {
        let list = opening(text)?;
        let sources = self.sources(wanted);
        self.pieces.clear();
        let (escape, pieces, kept) = (&self.escape, &mut self.pieces, [Block::default(); KEPT]);
        let current = Current { start: list, first: 0, kept: 0, odd: false };
        blocks::run(Scan {
            text,
            escape,
            sources,
            counts,
            pieces,
            kept,
            last: Last::default(),
            list,
            end: list,
            current,
        })?;
        // Whoever wrote one of them in another form has written all of them so.
        let Self { pieces, ordinary, .. } = self;
        (!pieces.iter().any(|piece| drift::is_in(text, piece, ordinary))).then_some(&*pieces)
    }

    /// The tables for `wanted`. Small objects take less time than making them.
    fn sources<'w>(&mut self, wanted: Wanted<'w>) -> Sources<'w> {
        let Wanted::Named { sources, names } = wanted else { return Sources::of(wanted) };
        match self.named.filter(|named| named.are_of(sources, names)) {
            Some(named) => named,
            None => *self.named.insert(Sources::of(Wanted::Named { sources, names })),
        }
    }
}

/// Where the list begins, if this is the document that CloudTrail writes: `{"Records":[…]}`.
fn opening(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for expected in [b"{".as_slice(), b"\"Records\"", b":", b"["] {
        at = skip_space(text, at);
        text.get(at..)?.strip_prefix(expected)?;
        at += expected.len();
    }
    Some(at)
}

/// A scan in progress.
struct Scan<'s, 'd> {
    text: &'s [u8],
    escape: &'s Finder<'static>,
    sources: Sources<'s>,
    counts: &'s mut ObjectCounts<'d>,
    pieces: &'s mut Vec<Piece>,
    /// The blocks with marks of the current record from earlier stretches.
    kept: [Block; KEPT],
    last: Last,
    /// Where the list of records begins.
    list: usize,
    /// Where the last record ended, or the list began.
    end: usize,
    current: Current,
}

impl Task for Scan<'_, '_> {
    /// `Some` if the text was read to its end.
    type Output = Option<()>;

    #[inline(always)]
    fn run(mut self, classify: impl Classify) -> Option<()> {
        let mut stretch = Stretch::EMPTY;
        let (blocks, rest) = self.text.as_chunks::<64>();
        let mut last = [b' '; 64];
        last.get_mut(..rest.len())?.copy_from_slice(rest);
        for blocks in blocks.chunks(BATCH).chain([std::slice::from_ref(&last)]) {
            stretch.read(blocks, &classify);
            if !self.follow(&mut stretch, blocks.len(), &classify)? {
                return Some(());
            }
            stretch.base += blocks.len() * 64;
        }
        None
    }
}

impl Scan<'_, '_> {
    /// Follows the brackets of a stretch of `count` blocks; returns whether the text goes on after them.
    /// `None` if something is odd.
    #[inline(always)]
    fn follow(&mut self, stretch: &mut Stretch, count: usize, classify: &impl Classify) -> Option<bool> {
        let (mut rest, mut depth) = (stretch.bracketed, stretch.depth);
        loop {
            (rest, depth) = stretch.go_on(rest, depth);
            if rest == 0 {
                break;
            }
            let number = rest.trailing_zeros() as usize;
            match self.boundaries(stretch, number, depth, classify)? {
                Some(behind) => depth = behind,
                None => return Some(false),
            }
            stretch.behind[number % BATCH] = depth;
            rest &= rest - 1;
        }
        self.keep(stretch, count - 1);
        stretch.depth = depth;
        Some(true)
    }

    /// Goes from bracket to bracket of block `number`. Returns how many are open after it, `Some(None)` at
    /// the end of the text, `None` if something is odd.
    #[inline(always)]
    fn boundaries(
        &mut self,
        stretch: &mut Stretch,
        number: usize,
        mut depth: u32,
        classify: &impl Classify,
    ) -> Option<Option<u32>> {
        let Block { base, opens, closes, .. } = stretch.block(number);
        let mut rest = opens | closes;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            let at = base + bit as usize;
            if opens >> bit & 1 == 1 {
                if depth == AROUND {
                    self.begin(at)?;
                }
                depth += 1;
                if depth > DEPTH_MAX {
                    return None;
                }
            } else {
                depth = depth.checked_sub(1)?;
                match depth {
                    AROUND => {
                        self.record(at + 1, stretch, number, classify)?;
                        // The rest of the block belongs to the next record.
                        stretch.forget_marks(number, bit);
                        self.current = Current { first: number, kept: 0, odd: false, ..self.current };
                    }
                    ..AROUND => return self.closes_all(at).then_some(None),
                    _ => {}
                }
            }
        }
        Some(Some(depth))
    }

    /// Keeps what the next stretch needs to know about a record that continues there; `last` is the last
    /// block of this one.
    #[inline(always)]
    fn keep(&mut self, stretch: &Stretch, last: usize) {
        let Current { first, .. } = self.current;
        self.current.odd |= stretch.odd & between(first, last) != 0;
        let mut marked = stretch.marked(first, last);
        while marked != 0 {
            self.kept[self.current.kept % KEPT] = stretch.block(marked.trailing_zeros() as usize);
            self.current.kept += 1;
            marked &= marked - 1;
        }
        self.current.first = 0;
    }

    /// A record begins at `at`. Between it and the previous one there is a comma and nothing else.
    fn begin(&mut self, at: usize) -> Option<()> {
        let before = self.text.get(self.end..at)?.trim_ascii();
        let expected: &[u8] = if self.end == self.list { b"" } else { b"," };
        if before != expected || self.text.get(at) != Some(&b'{') {
            return None;
        }
        self.current.start = at;
        Some(())
    }

    /// Whether the list closes at `at`, directly after a record, and then the document, and nothing
    /// follows.
    fn closes_all(&self, at: usize) -> bool {
        let space =
            |range: Range<usize>| self.text.get(range).is_some_and(|text| text.trim_ascii().is_empty());
        let brace = skip_space(self.text, at + 1);
        space(self.end..at)
            && self.text.get(at) == Some(&b']')
            && self.text.get(brace) == Some(&b'}')
            && space(brace + 1..self.text.len())
    }

    /// Processes the record that ends at `end`, in block `last`.
    #[inline(always)]
    fn record(&mut self, end: usize, stretch: &Stretch, last: usize, classify: &impl Classify) -> Option<()> {
        let Current { start, first, odd, .. } = self.current;
        self.end = end;
        let mut may_hide_keys = false;
        if odd || stretch.odd & between(first, last) != 0 {
            may_hide_keys = self.may_hide_keys(start..end)?;
        }
        let usual = if may_hide_keys {
            None
        } else {
            self.usual(end, stretch.marked(first, last), stretch, classify)
        };
        let Some(usual) = usual else { return self.unusual(start, end) };
        let index = self.counts.count(Some(usual.time), usual.identity);
        if usual.wanted {
            self.pieces.push(Piece { start, end, index });
        }
        Some(())
    }

    /// The fields of the record that ends at `end`, if the marks before this stretch and in its blocks
    /// `marked` are enough to find them.
    #[inline(always)]
    fn usual(
        &mut self,
        end: usize,
        mut marked: u64,
        stretch: &Stretch,
        classify: &impl Classify,
    ) -> Option<Usual> {
        let mut own = Own { record: self.text.get(..end)?, values: [None; Mark::COUNT] };
        // `None` if it has more marked blocks than are kept.
        for block in self.kept.get(..self.current.kept)? {
            own.look(block)?;
        }
        while marked != 0 {
            own.look(&stretch.block(marked.trailing_zeros() as usize))?;
            marked &= marked - 1;
        }
        own.usual(&self.sources, &mut self.last, classify)
    }

    /// Whether a key may be written with escapes, for a record with `\u` or with a byte that is not ASCII;
    /// `None` if it is not UTF-8.
    #[inline(never)]
    fn may_hide_keys(&self, record: Range<usize>) -> Option<bool> {
        let record = self.text.get(record)?;
        simdutf8::basic::from_utf8(record).ok()?;
        // An escape may stand for a letter of a key, or for half of a surrogate pair.
        Some(self.escape.find(record).is_some() || may_have_half_a_character(record))
    }

    /// Parses any other record in full. If it cannot be understood, the hot path gives up.
    #[cold]
    fn unusual(&mut self, start: usize, end: usize) -> Option<()> {
        let (fields, _) = Fields::read(self.text, start).ok().filter(|&(_, read)| read == end)?;
        match fields.shape(self.text) {
            Shape::Other(kind) => self.counts.skip(kind),
            Shape::Record => {
                let record = self.text.get(start..end)?;
                if fields.has_drifted(self.text) || may_have_half_a_character(record) {
                    return None;
                }
                let time = fields.check(self.text).ok()?;
                let index = self.counts.count(Some(time), fields.identity(self.text, start..end));
                if !fields.text(self.text, Key::EventId).is_some_and(|id| is_event_id(&id)) {
                    self.counts.repaired(&Repairs { records: 1, event_id: 1, ..Repairs::default() });
                }
                if fields
                    .text(self.text, Key::EventSource)
                    .is_some_and(|source| self.sources.want_all_of(&source))
                {
                    self.pieces.push(Piece { start, end, index });
                }
            }
            _ => return None,
        }
        Some(())
    }
}
