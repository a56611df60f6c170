//! The hot path: cuts the records out of one `{"Records":[…]}` by its brackets, and looks at four fields of each.
//!
//! It is exact for every text that is JSON: brackets and quotes are followed through the whole text, so a record is cut
//! where it really begins and ends, whatever stands inside it and however it is written. The same pass marks every string
//! whose second letter is a `v`; CloudTrail's own keys are among them (`eventTime`, `eventID` …), and hardly anything else.
//! Such a mark is a key and not a piece of a string, because a quote inside a string would have a backslash before it; and
//! it is the record's own key, not one further inside, because the brackets before it say how deep it is. Keys that are
//! written with escapes are not found; so a record that may have one is read in full, as is every record that lacks a field.
//!
//! What it takes on trust is the grammar between the brackets of records that nobody wants. So it is used only where a gzip
//! checksum says that the bytes are what the writer wrote. Text without a checksum takes the full path, which finds damage
//! anywhere. Everything that is odd about the whole (a number among the records, something behind the end, a bad record)
//! makes the hot path give up before a single record is handed out; the full path then starts from the beginning.

use std::ops::Range;

use memchr::memmem::Finder;

use super::Wanted;
use super::blocks::{self, BATCH, Batch, Classify, Task};
use super::fields::{Fields, Key, Shape};
use super::fingerprint::fingerprint;
use super::json::skip_space;
use super::tally::Tally;
use crate::model::Timestamp;

/// Brackets that are open around a record.
const AROUND: u32 = 2;
/// Brackets that are open at a record's own keys.
const INSIDE: u32 = AROUND + 1;
/// Deeper texts are left to the full path, which has the exact limit.
const DEPTH_MAX: u32 = 100;
/// From less than this, a block of opening brackets does not come to [`DEPTH_MAX`].
const DEPTH_SURE: u32 = DEPTH_MAX - 64;
/// How many blocks with marks are kept of a record that began in an earlier stretch. CloudTrail writes seven marks; a record with
/// more than fit is read in full.
const KEPT: usize = 64;

/// What the hot path reuses from object to object.
pub(super) struct HotPath {
    /// Finds escapes of ASCII letters.
    escape: Finder<'static>,
    pieces: Vec<Piece>,
}

/// A record that is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub start: usize,
    pub end: usize,
    pub index: u64,
}

/// A block in which strings are marked.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    /// Where it begins in the text.
    base: usize,
    /// Second letters of strings that may be keys of CloudTrail's.
    marks: u64,
    opens: u64,
    closes: u64,
    /// How many brackets are open before it.
    depth: u32,
}

impl Block {
    /// How many brackets are open before its byte `bit`.
    #[inline(always)]
    fn depth_at(&self, bit: u32) -> u32 {
        let before = (1_u64 << bit) - 1;
        let (opened, closed) = (self.opens & before, self.closes & before);
        self.depth + opened.count_ones() - closed.count_ones()
    }
}

/// Blocks that are being followed.
struct Stretch {
    /// Where the first begins in the text.
    base: usize,
    bits: Batch,
    /// How many brackets are open behind each block that has any; filled in as they are followed.
    behind: [u32; BATCH],
    /// How many are open before the first block.
    depth: u32,
    /// One bit for each block that has brackets outside strings.
    bracketed: u64,
    /// One bit for each block that has marks.
    marked: u64,
    /// One bit for each block that has something odd.
    odd: u64,
}

impl Stretch {
    const EMPTY: Self = Self { base: 0, bits: Batch::EMPTY, behind: [0; BATCH], depth: 0, bracketed: 0, marked: 0, odd: 0 };

    /// Reads the next blocks, of which there are at most [`BATCH`].
    #[inline(always)]
    fn read(&mut self, blocks: &[[u8; 64]], classify: &impl Classify) {
        self.bits.read(blocks, classify);
        let Batch { opens, closes, marks, odd, .. } = &self.bits;
        let any = |words| classify.any(words, u64::MAX) & between(0, blocks.len() - 1);
        (self.bracketed, self.marked, self.odd) = (any(opens) | any(closes), any(marks), any(odd));
    }

    #[inline(always)]
    fn block(&self, number: usize) -> Block {
        let Batch { opens, closes, marks, .. } = &self.bits;
        let at = number % BATCH;
        Block { base: self.base + number * 64, marks: marks[at], opens: opens[at], closes: closes[at], depth: self.depth_before(number) }
    }

    /// How many brackets are open before block `number`.
    #[inline(always)]
    fn depth_before(&self, number: usize) -> u32 {
        let before = self.bracketed & ((1 << (number % BATCH)) - 1);
        before.checked_ilog2().map_or(self.depth, |last| self.behind[last as usize % BATCH])
    }

    /// Goes on over the blocks `rest` that have brackets, `depth` of which are open before them, to the next one in which a
    /// record may begin or end; gives that one and those behind it, and the depth.
    ///
    /// Most blocks cannot come back to the list of records, even if all their brackets but those that open before the first
    /// closing one were closing.
    #[inline(always)]
    fn go_on(&mut self, mut rest: u64, mut depth: u32) -> (u64, u32) {
        while rest != 0 {
            let number = rest.trailing_zeros() as usize % BATCH;
            let (opens, closes) = (self.bits.opens[number], self.bits.closes[number]);
            let opened_first = (opens & (closes ^ closes.wrapping_sub(1))).count_ones();
            let closed = closes.count_ones();
            let in_a_record = depth.wrapping_sub(INSIDE) < DEPTH_SURE - INSIDE;
            if !in_a_record || depth + opened_first <= AROUND + closed {
                break;
            }
            depth = depth + opens.count_ones() - closed;
            self.behind[number] = depth;
            rest &= rest - 1;
        }
        (rest, depth)
    }

    /// Of block `number`, only the marks behind `bit` stay.
    #[inline(always)]
    fn forget_marks(&mut self, number: usize, bit: u32) {
        let marks = &mut self.bits.marks[number % BATCH];
        *marks &= !(u64::MAX >> (63 - bit));
        if *marks == 0 {
            self.marked &= !(1 << (number % BATCH));
        }
    }

    /// The marked blocks from `first` to `last`, as bits.
    #[inline(always)]
    fn marked(&self, first: usize, last: usize) -> u64 {
        self.marked & between(first, last)
    }
}

/// Bits `first` to `last`, both below 64.
#[inline(always)]
fn between(first: usize, last: usize) -> u64 {
    u64::MAX << first & u64::MAX >> (BATCH - 1 - last)
}

/// What is known of the record that is being followed.
#[derive(Clone, Copy)]
struct Current {
    /// Where it began.
    start: usize,
    /// The block of this stretch that it began in; the first, if it began earlier.
    first: usize,
    /// How many blocks with marks it had before this stretch; only [`KEPT`] of them are kept.
    kept: usize,
    /// There was a backslash in it before this stretch, or a byte that is not ASCII.
    odd: bool,
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
        Self { escape: Finder::new(b"\\u00"), pieces: Vec::new() }
    }
}

impl HotPath {
    /// Counts the records of `text` and finds the wanted ones; `None` if this text is not for the hot path. Nothing has
    /// been handed out then, and `tally` must be started again.
    pub(super) fn scan(&mut self, text: &[u8], wanted: Wanted<'_>, tally: &mut Tally<'_>) -> Option<&[Piece]> {
        let list = opening(text)?;
        self.pieces.clear();
        let (escape, pieces, kept) = (&self.escape, &mut self.pieces, [Block::default(); KEPT]);
        let current = Current { start: list, first: 0, kept: 0, odd: false };
        blocks::run(Scan { text, escape, wanted, tally, pieces, kept, minute: Minute::default(), list, end: list, current })?;
        Some(&self.pieces)
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

/// A scan under way.
struct Scan<'s, 'd> {
    text: &'s [u8],
    escape: &'s Finder<'static>,
    wanted: Wanted<'s>,
    tally: &'s mut Tally<'d>,
    pieces: &'s mut Vec<Piece>,
    /// The blocks of the current record that have marks and are of earlier stretches.
    kept: [Block; KEPT],
    minute: Minute,
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
            if !self.follow(&mut stretch, blocks.len())? {
                return Some(());
            }
            stretch.base += blocks.len() * 64;
        }
        None
    }
}

impl Scan<'_, '_> {
    /// Follows the brackets of a stretch of `count` blocks; says whether the text goes on behind them. `None` where
    /// it is odd.
    #[inline(always)]
    fn follow(&mut self, stretch: &mut Stretch, count: usize) -> Option<bool> {
        let (mut rest, mut depth) = (stretch.bracketed, stretch.depth);
        loop {
            (rest, depth) = stretch.go_on(rest, depth);
            if rest == 0 {
                break;
            }
            let number = rest.trailing_zeros() as usize;
            match self.boundaries(stretch, number, depth)? {
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

    /// Goes from bracket to bracket of block `number`. Gives how many are open behind it, `Some(None)` at the end of the text,
    /// `None` where that is odd.
    #[inline(always)]
    fn boundaries(&mut self, stretch: &mut Stretch, number: usize, mut depth: u32) -> Option<Option<u32>> {
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
                        self.record(at + 1, stretch, number)?;
                        // What the block holds behind it is the next record's.
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

    /// Keeps what the next stretch has to know of a record that goes on there; `last` is the last block of this one.
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

    /// A record begins at `at`. Between it and the one before stands a comma, and no more.
    fn begin(&mut self, at: usize) -> Option<()> {
        let between = self.text.get(self.end..at)?.trim_ascii();
        let expected: &[u8] = if self.end == self.list { b"" } else { b"," };
        if between != expected || self.text.get(at) != Some(&b'{') {
            return None;
        }
        self.current.start = at;
        Some(())
    }

    /// Whether the list closes at `at`, right behind a record, and the document with it, and nothing follows.
    fn closes_all(&self, at: usize) -> bool {
        let space = |range: Range<usize>| self.text.get(range).is_some_and(|text| text.trim_ascii().is_empty());
        let brace = skip_space(self.text, at + 1);
        space(self.end..at) && self.text.get(at) == Some(&b']') && self.text.get(brace) == Some(&b'}') && space(brace + 1..self.text.len())
    }

    /// Takes in the record that ends at `end`, in block `last`.
    #[inline(always)]
    fn record(&mut self, end: usize, stretch: &Stretch, last: usize) -> Option<()> {
        let Current { start, first, odd, .. } = self.current;
        self.end = end;
        let mut may_hide_keys = false;
        if odd || stretch.odd & between(first, last) != 0 {
            may_hide_keys = self.may_hide_keys(start..end)?;
        }
        let usual = if may_hide_keys { None } else { self.usual(end, stretch.marked(first, last), stretch) };
        let Some(usual) = usual else { return self.unusual(start, end) };
        let index = self.tally.count(Some(usual.time), Some(usual.id));
        if usual.wanted {
            self.pieces.push(Piece { start, end, index });
        }
        Some(())
    }

    /// The fields of the record that ends at `end`, if they are found by the marks before this stretch and in its blocks `marked`.
    #[inline(always)]
    fn usual(&mut self, end: usize, mut marked: u64, stretch: &Stretch) -> Option<Usual> {
        let mut own = Own { record: self.text.get(..end)?, values: [None; Mark::COUNT] };
        // Of more marked blocks than are kept there is no slice.
        for block in self.kept.get(..self.current.kept)? {
            own.look(block)?;
        }
        while marked != 0 {
            own.look(&stretch.block(marked.trailing_zeros() as usize))?;
            marked &= marked - 1;
        }
        own.usual(self.wanted, &mut self.minute)
    }

    /// Whether a key may be written with escapes in a record with a backslash, or with a byte that is not ASCII; `None` if
    /// it is not UTF-8.
    #[inline(never)]
    fn may_hide_keys(&self, record: Range<usize>) -> Option<bool> {
        let record = self.text.get(record)?;
        simdutf8::basic::from_utf8(record).ok()?;
        // An escape may stand for a letter of a key.
        Some(self.escape.find(record).is_some())
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

/// What a record's own keys say.
struct Own<'t> {
    /// The text up to the record's end.
    record: &'t [u8],
    values: [Option<&'t [u8]>; Mark::COUNT],
}

impl Own<'_> {
    /// Looks at the marks of a block; `None` if a value is no string, or the record ends right behind a mark.
    #[inline(always)]
    fn look(&mut self, block: &Block) -> Option<()> {
        let mut marks = block.marks;
        while marks != 0 {
            let bit = marks.trailing_zeros();
            marks &= marks - 1;
            // Marks behind the record's end belong to the next one.
            let Some(key) = self.record.get((block.base + bit as usize).wrapping_sub(1)..) else { break };
            if let Some((mark, length)) = Mark::of(key.first_chunk()?)
                && block.depth_at(bit) == INSIDE
            {
                let slot = self.values.get_mut(mark as usize)?;
                if slot.is_none() {
                    *slot = Some(string(key.get(length..)?)?);
                }
            }
        }
        Some(())
    }

    /// The record's fields, if they are all there, and written without escapes.
    #[inline(always)]
    fn usual(&self, wanted: Wanted<'_>, minute: &mut Minute) -> Option<Usual> {
        let [time, source, Some(_), id, category, kind, _] = self.values else { return None };
        match (category, kind) {
            (Some(category), _) if !category.starts_with(b"Management\"") && !category.starts_with(b"Data\"") => return None,
            (None, Some(kind)) if kind.starts_with(b"AwsCloudTrailInsight\"") => return None,
            _ => {}
        }
        let (said, [b'"', ..]) = time?.split_first_chunk::<20>()? else { return None };
        let (time, id, source) = (minute.read(said)?, id?, plain(source?)?);
        let id = uuid(id).or_else(|| plain(id))?;
        Some(Usual { time, wanted: wanted.source(source), id: fingerprint(id) })
    }
}

/// What is looked at in a record.
struct Usual {
    time: Timestamp,
    wanted: bool,
    id: u64,
}

/// The keys that are looked at.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Time,
    Source,
    Name,
    Id,
    Category,
    Type,
    /// Known only to be passed over as quickly as the others.
    Version,
}

impl Mark {
    const COUNT: usize = Self::Version as usize + 1;

    /// Which key `text` begins with, behind its opening quote, and the length up to behind its closing one. There is no way
    /// to tell from a text that is shorter than the longest key.
    ///
    /// Looked up by two of its letters: which of the keys it is would be a guess for the processor, that it is one hardly is.
    #[inline(always)]
    fn of(text: &[u8; 16]) -> Option<(Self, usize)> {
        let (key, mask, mark, length) = KEYS[usize::from((text[6] ^ text[7]) & 15)];
        ((u128::from_le_bytes(*text) ^ key) & mask == 0).then_some((mark, length))
    }
}

/// The keys and their closing quotes, each at the number that two of its letters make; where there is none, `mask` lets
/// nothing equal it.
static KEYS: [(u128, u128, Mark, usize); 16] = {
    const NAMES: [(&[u8], Mark); Mark::COUNT] = [
        (b"eventTime\"", Mark::Time),
        (b"eventSource\"", Mark::Source),
        (b"eventName\"", Mark::Name),
        (b"eventID\"", Mark::Id),
        (b"eventCategory\"", Mark::Category),
        (b"eventType\"", Mark::Type),
        (b"eventVersion\"", Mark::Version),
    ];
    let mut keys = [(1 << 127, u128::MAX, Mark::Version, 0); 16];
    let mut n = 0;
    while n < NAMES.len() {
        let (name, mark) = NAMES[n];
        let (mut key, mut at) = (0, 0);
        while at < name.len() {
            key |= (name[at] as u128) << (8 * at);
            at += 1;
        }
        let place = ((name[6] ^ name[7]) & 15) as usize;
        assert!(keys[place].3 == 0, "two keys at one place");
        keys[place] = (key, (1 << (8 * name.len())) - 1, mark, name.len());
        n += 1;
    }
    keys
};

/// Behind a key: what follows the opening quote of its value, if that is a string.
#[inline(always)]
fn string(behind: &[u8]) -> Option<&[u8]> {
    if let [b':', b'"', value @ ..] = behind {
        return Some(value);
    }
    let value = behind.get(skip_space(behind, 0)..)?.strip_prefix(b":")?;
    value.get(skip_space(value, 0)..)?.strip_prefix(b"\"")
}

/// What a string as long as a UUID says, given the text from its beginning on: quicker than [`plain`], which takes any.
#[inline(always)]
fn uuid(text: &[u8]) -> Option<&[u8]> {
    let (uuid, [b'"', ..]) = text.split_first_chunk::<36>()? else { return None };
    // Without a way out in the middle, so that the compiler can look at many bytes at once.
    let ends = uuid.iter().fold(false, |ends, &byte| ends | (byte == b'"') | (byte == b'\\'));
    (!ends).then_some(uuid)
}

/// What a string without escapes says, given the text from its beginning on.
#[inline(always)]
fn plain(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr2(b'"', b'\\', text)?;
    text.get(..end).filter(|_| text.get(end) == Some(&b'"'))
}
