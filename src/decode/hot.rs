//! The hot path: cuts the records out of one `{"Records":[…]}` by its brackets, and looks at four fields of each.
//!
//! It is exact for every text that is JSON: brackets and quotes are followed through the whole text, so a record is cut
//! where it really begins and ends, whatever stands inside it and however it is written. The fields are found by searching
//! for their keys. Such a hit is a key and not a piece of a string, because a quote inside a string would have a backslash
//! before it; and it is the record's own key, not one further inside, because the brackets before it say how deep it is.
//! Whatever is not found in CloudTrail's usual writing is looked up by a full reading of that record.
//!
//! What it takes on trust is the grammar between the brackets of records that nobody wants. So it is used only where a gzip
//! checksum says that the bytes are what the writer wrote. Text without a checksum takes the full path, which finds damage
//! anywhere. Everything that is odd about the whole (a number among the records, something behind the end, a bad record)
//! makes the hot path give up before a single record is handed out; the full path then starts from the beginning.

use std::ops::Range;

use memchr::arch::all::packedpair::HeuristicFrequencyRank;
use memchr::memmem::{Finder, FinderBuilder};

use super::Wanted;
use super::blocks::{self, Brackets, Classify, Strings, Task};
use super::fields::{Fields, Key, Shape};
use super::fingerprint::fingerprint;
use super::json::skip_space;
use super::tally::Tally;
use crate::model::Timestamp;

/// How the texts begin that are tried here.
const OPENING: &[u8] = b"{\"Records\":[";
/// Brackets that are open around a record.
const AROUND: u32 = 2;
/// Brackets that are open at a record's own keys.
const INSIDE: u32 = AROUND + 1;
/// Deeper texts are left to the full path, which has the exact limit.
const DEPTH_MAX: u32 = 100;
/// How many blocks are remembered: a power of two. Records of more than 32 KiB are read in full.
const BLOCKS: usize = 512;
/// The last fields of a record seldom take more.
const TAIL_BYTES: usize = 640;

/// What the hot path reuses from object to object.
pub(super) struct HotPath {
    keys: Keys,
    pieces: Vec<Piece>,
    blocks: Box<[Block; BLOCKS]>,
}

/// A record that is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub start: usize,
    pub end: usize,
    pub index: u64,
}

/// A block's brackets, and how many are open before it.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    brackets: Brackets,
    depth: u32,
}

struct Keys {
    time: Finder<'static>,
    id: Finder<'static>,
    category: Finder<'static>,
}

/// How common bytes are in CloudTrail's JSON: a search looks for the two rarest of its key first.
#[derive(Clone, Copy)]
struct Rare;

impl HeuristicFrequencyRank for Rare {
    fn rank(&self, byte: u8) -> u8 {
        match byte {
            b'A'..=b'Z' => 20,
            b'v' => 40,
            b'"' | b',' | b':' => 255,
            _ => 120,
        }
    }
}

/// The time that was read last. Neighbours mostly share its minute, and then only the seconds are new.
#[derive(Default)]
struct Minute {
    text: [u8; 17],
    starts: Option<Timestamp>,
}

impl Minute {
    /// Reads `YYYY-MM-DDTHH:MM:SSZ`.
    fn read(&mut self, said: &[u8; 20]) -> Option<Timestamp> {
        let (minute, [tens, ones, b'Z']) = said.split_first_chunk::<17>().and_then(|(minute, rest)| Some((minute, rest.first_chunk::<3>()?)))? else {
            return None;
        };
        let starts = match self.starts {
            Some(starts) if self.text == *minute => starts,
            _ => {
                let [.., b':'] = minute else { return None };
                let mut first = *said;
                first.get_mut(17..19)?.copy_from_slice(b"00");
                let starts = Timestamp::parse(std::str::from_utf8(&first).ok()?)?;
                (self.text, self.starts) = (*minute, Some(starts));
                starts
            }
        };
        let (b'0'..=b'5', b'0'..=b'9') = (tens, ones) else { return None };
        Some(starts.plus_seconds(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')))
    }
}

impl Default for HotPath {
    fn default() -> Self {
        let finder = |key: &'static str| FinderBuilder::new().build_forward_with_ranker(Rare, key);
        let keys = Keys { time: finder(",\"eventTime\":\""), id: finder(",\"eventID\":\""), category: finder(",\"eventCategory\":\"") };
        Self { keys, pieces: Vec::new(), blocks: Box::new([Block::default(); BLOCKS]) }
    }
}

impl HotPath {
    /// Counts the records of `text` and finds the wanted ones; `None` if this text is not for the hot path. Nothing has
    /// been handed out then, and `tally` must be started again.
    pub(super) fn scan(&mut self, text: &str, wanted: Wanted<'_>, tally: &mut Tally<'_>) -> Option<&[Piece]> {
        let text = text.as_bytes();
        if !text.starts_with(OPENING) {
            return None;
        }
        self.pieces.clear();
        let (keys, pieces, blocks) = (&self.keys, &mut self.pieces, &mut self.blocks);
        let list = OPENING.len();
        blocks::run(Scan { text, keys, wanted, tally, pieces, blocks, minute: Minute::default(), last_block: 0, start: list, end: list })?;
        Some(&self.pieces)
    }
}

/// A scan under way.
struct Scan<'s, 'd> {
    text: &'s [u8],
    keys: &'s Keys,
    wanted: Wanted<'s>,
    tally: &'s mut Tally<'d>,
    pieces: &'s mut Vec<Piece>,
    /// The last blocks, each at its number modulo [`BLOCKS`].
    blocks: &'s mut [Block; BLOCKS],
    /// The number of the last of them.
    last_block: usize,
    minute: Minute,
    /// Where the current record began.
    start: usize,
    /// Where the last record ended, or the list began.
    end: usize,
}

impl Task for Scan<'_, '_> {
    /// `Some` if the text was read to its end.
    type Output = Option<()>;

    #[inline(always)]
    fn run(mut self, classify: impl Classify) -> Option<()> {
        let mut strings = Strings::default();
        let mut depth = 0_u32;
        let (blocks, rest) = self.text.as_chunks::<64>();
        for (number, block) in blocks.iter().enumerate() {
            let brackets = strings.outside(classify.classify(block));
            self.blocks[number % BLOCKS] = Block { brackets, depth };
            let (opened, closed) = (brackets.opens.count_ones(), brackets.closes.count_ones());
            if depth + opened > DEPTH_MAX {
                return None;
            }
            // Most blocks cannot come back to the list of records, even if all their brackets but those that open before
            // the first closing one were closing: no record begins or ends there.
            let before_first_close = brackets.closes ^ brackets.closes.wrapping_sub(1);
            let opened_first = (brackets.opens & before_first_close).count_ones();
            if depth > AROUND && depth + opened_first > AROUND + closed {
                depth = depth + opened - closed;
            } else if self.boundaries(number, brackets, &mut depth)? {
                return Some(());
            }
        }
        let mut last = [b' '; 64];
        last.get_mut(..rest.len())?.copy_from_slice(rest);
        let brackets = strings.outside(classify.classify(&last));
        self.blocks[blocks.len() % BLOCKS] = Block { brackets, depth };
        self.boundaries(blocks.len(), brackets, &mut depth)?.then_some(())
    }
}

impl Scan<'_, '_> {
    /// Goes from bracket to bracket of one block: `Some(true)` at the end of the text, `None` where it is odd.
    fn boundaries(&mut self, number: usize, brackets: Brackets, depth: &mut u32) -> Option<bool> {
        self.last_block = number;
        let mut rest = brackets.opens | brackets.closes;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            let at = number * 64 + bit as usize;
            if brackets.opens >> bit & 1 == 1 {
                if *depth == AROUND {
                    self.begin(at)?;
                }
                *depth += 1;
            } else {
                *depth = depth.checked_sub(1)?;
                match *depth {
                    AROUND => self.record(at + 1)?,
                    ..AROUND => return self.closes_all(at).then_some(true),
                    _ => {}
                }
            }
        }
        Some(false)
    }

    /// A record begins at `at`. Between it and the one before stands a comma, and no more.
    fn begin(&mut self, at: usize) -> Option<()> {
        let between = self.text.get(self.end..at)?.trim_ascii();
        let expected: &[u8] = if self.end == OPENING.len() { b"" } else { b"," };
        if between != expected || self.text.get(at) != Some(&b'{') {
            return None;
        }
        self.start = at;
        Some(())
    }

    /// Whether the list closes at `at`, right behind a record, and the document with it, and nothing follows.
    fn closes_all(&self, at: usize) -> bool {
        let space = |range: Range<usize>| self.text.get(range).is_some_and(|text| text.trim_ascii().is_empty());
        let brace = skip_space(self.text, at + 1);
        space(self.end..at) && self.text.get(at) == Some(&b']') && self.text.get(brace) == Some(&b'}') && space(brace + 1..self.text.len())
    }

    /// Takes in the record that ends at `end`.
    fn record(&mut self, end: usize) -> Option<()> {
        let start = self.start;
        self.end = end;
        let Some(usual) = self.usual(start, end) else { return self.unusual(start, end) };
        let index = self.tally.count(Some(usual.time), Some(usual.id));
        if usual.wanted {
            self.pieces.push(Piece { start, end, index });
        }
        Some(())
    }

    /// A record as CloudTrail writes it: time, source and name side by side, the id and the category behind them.
    fn usual(&mut self, start: usize, end: usize) -> Option<Usual> {
        let record = self.text.get(..end)?;
        let time = self.own(&self.keys.time, record, start)?;
        let (said, rest) = record.get(time..)?.split_first_chunk::<20>()?;
        let source = rest.strip_prefix(b"\",\"eventSource\":\"")?;
        let (source, rest) = source.split_at_checked(memchr::memchr2(b'"', b'\\', source)?)?;
        let name = rest.strip_prefix(b"\",\"eventName\":\"")?;
        let behind = end - name.len();
        let id = self.own(&self.keys.id, record, behind.max(end.saturating_sub(TAIL_BYTES)))?;
        let value = record.get(id..)?;
        let value = value.get(..memchr::memchr2(b'"', b'\\', value)?).filter(|value| record.get(id + value.len()) == Some(&b'"'))?;
        let category = record.get(self.own(&self.keys.category, record, id)?..)?;
        if !category.starts_with(b"Management\"") && !category.starts_with(b"Data\"") {
            return None;
        }
        let time = self.minute.read(said)?;
        Some(Usual { time, wanted: self.wanted.source(source), id: fingerprint(value) })
    }

    /// Where the value of the record's own key begins, searched for from `from` on.
    fn own(&self, key: &Finder<'_>, record: &[u8], from: usize) -> Option<usize> {
        let at = from + key.find(record.get(from..)?)?;
        (self.depth_at(at)? == INSIDE).then(|| at + key.needle().len())
    }

    /// How many brackets are open before the byte at `at`; `None` if that is too long ago.
    fn depth_at(&self, at: usize) -> Option<u32> {
        let number = at / 64;
        if number > self.last_block || number + BLOCKS <= self.last_block {
            return None;
        }
        let block = self.blocks[number % BLOCKS];
        let before = (1_u64 << (at % 64)) - 1;
        let (opened, closed) = (block.brackets.opens & before, block.brackets.closes & before);
        Some(block.depth + opened.count_ones() - closed.count_ones())
    }

    /// Any other record, by a full reading of it. One that cannot be understood makes the hot path give up.
    #[cold]
    fn unusual(&mut self, start: usize, end: usize) -> Option<()> {
        let (fields, _) = Fields::read(self.text, start).ok().filter(|&(_, read)| read == end)?;
        match fields.shape(self.text) {
            Shape::Other(kind) => self.tally.skip(kind),
            Shape::Record => {
                let time = fields.check(self.text).ok()?;
                let index = self.tally.count(Some(time), fields.text(self.text, Key::EventId).map(|id| fingerprint(&id)));
                if fields.text(self.text, Key::EventSource).is_some_and(|source| self.wanted.source(&source)) {
                    self.pieces.push(Piece { start, end, index });
                }
            }
            _ => return None,
        }
        Some(())
    }
}

/// What is looked at in a record.
struct Usual {
    time: Timestamp,
    wanted: bool,
    id: u64,
}
