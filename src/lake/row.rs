//! A record on its way into a file: cut up for the columns already, as bytes that can lie in memory or in a spill file.
//!
//! A row is a head (its length, what sorts it, where it stood) and cells. A text's cell is its length plus one and its bytes,
//! a list's the number of its elements plus one and then their cells; zero is NULL.

use std::cmp::Ordering;

/// Object and record that a row comes from.
pub(super) type Place<'r> = (&'r [u8], u64);

/// Bytes before the texts: length, time, record, and the lengths of the two texts.
const HEAD: usize = 4 + 8 + 8 + 4 + 4;

/// What sorts a row and says where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'b> {
    /// Milliseconds since the epoch.
    pub time: i64,
    /// Index in the object.
    pub record: u64,
    /// What makes two copies one: see [`super::record::Split::identity`].
    pub id: &'b [u8],
    pub object: &'b [u8],
}

impl<'b> Head<'b> {
    /// Where the record stood: of two copies, the one that sorts first here is kept.
    pub(super) fn place(&self) -> Place<'b> {
        (self.object, self.record)
    }
}

/// Appends a row, whose cells `cells` appends. Rows beyond 4 GiB do not occur: objects are smaller.
pub(super) fn write(head: &Head<'_>, out: &mut Vec<u8>, cells: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&head.time.to_le_bytes());
    out.extend_from_slice(&head.record.to_le_bytes());
    for text in [head.id, head.object] {
        out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    }
    [head.id, head.object].iter().for_each(|text| out.extend_from_slice(text));
    cells(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&length.to_le_bytes());
    }
}

#[inline]
pub(super) fn put_text(text: Option<&str>, out: &mut Vec<u8>) {
    let Some(text) = text else { return out.push(0) };
    put_count(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn put_nulls(count: usize, out: &mut Vec<u8>) {
    out.resize(out.len() + count, 0);
}

/// Seven bits a byte, the last one without its high bit.
#[inline]
pub(super) fn put_count(count: usize, out: &mut Vec<u8>) {
    let mut rest = count + 1;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Reads a row's cells, one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cells<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cells<'b> {
    /// The next cell's count; the inner `None` is NULL, the outer one damage.
    #[inline]
    pub(super) fn count(&mut self) -> Option<Option<usize>> {
        let (mut value, mut shift) = (0_usize, 0);
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value.checked_sub(1));
            }
            shift += 7;
        }
    }

    /// The next text.
    #[inline]
    pub(super) fn text(&mut self) -> Option<Option<&'b [u8]>> {
        let Some(length) = self.count()? else { return Some(None) };
        let start = self.at;
        self.at = start.checked_add(length)?;
        self.bytes.get(start..self.at).map(Some)
    }
}

/// Where a row begins, and what mostly sorts it.
#[derive(Debug, Clone, Copy)]
struct Start {
    time: i64,
    /// The beginning of its id.
    prefix: u64,
    at: u32,
    length: u32,
}

/// Rows in one piece of memory, and an order of them.
#[derive(Debug)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    starts: Vec<Start>,
}

impl Rows {
    /// All rows in `bytes`; `None` if they are damaged.
    pub(super) fn of(bytes: Vec<u8>) -> Option<Self> {
        let mut rows = Self { bytes, starts: Vec::new() };
        rows.find(0)?;
        Some(rows)
    }

    /// Adds the rows that `more` appends to the bytes, behind the others.
    pub(super) fn extend<E>(&mut self, more: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Option<()>, E> {
        let from = self.bytes.len();
        more(&mut self.bytes)?;
        Ok(self.find(from))
    }

    fn find(&mut self, mut at: usize) -> Option<()> {
        while at < self.bytes.len() {
            let head = self.bytes.get(at..at + HEAD)?;
            let length = u32::from_le_bytes(head.get(..4)?.try_into().ok()?);
            let time = i64::from_le_bytes(head.get(4..12)?.try_into().ok()?);
            let start = Start { time, prefix: 0, at: u32::try_from(at).ok()?, length };
            at += (length as usize).max(HEAD);
            let head = self.head_of(start).filter(|_| at <= self.bytes.len())?;
            self.starts.push(Start { prefix: prefix(head.id), ..start });
        }
        Some(())
    }

    fn head_of(&self, start: Start) -> Option<Head<'_>> {
        let row = self.bytes.get(start.at as usize..)?.get(..start.length as usize)?;
        let length = |at: usize| Some(u32::from_le_bytes(row.get(at..at + 4)?.try_into().ok()?) as usize);
        let (id, rest) = row.get(HEAD..)?.split_at_checked(length(20)?)?;
        let object = rest.get(..length(24)?)?;
        Some(Head { time: start.time, record: u64::from_le_bytes(row.get(12..20)?.try_into().ok()?), id, object })
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The heads of all rows, in order.
    pub(super) fn heads(&self) -> impl Iterator<Item = Head<'_>> {
        // Rows were looked at when they came in.
        self.starts.iter().filter_map(|start| self.head_of(*start))
    }

    pub(super) fn head(&self, row: usize) -> Option<Head<'_>> {
        self.starts.get(row).and_then(|start| self.head_of(*start))
    }

    /// The bytes of a row, to be appended to others.
    pub(super) fn row(&self, row: usize) -> Option<&[u8]> {
        let start = self.starts.get(row)?;
        self.bytes.get(start.at as usize..)?.get(..start.length as usize)
    }

    /// The first and the last time, where rows are sorted; `None` where there are none.
    pub(super) fn times(&self) -> Option<(i64, i64)> {
        Some((self.starts.first()?.time, self.starts.last()?.time))
    }

    /// How many bytes a row takes.
    pub(super) fn size(&self, row: usize) -> u64 {
        self.starts.get(row).map_or(0, |start| start.length.into())
    }

    pub(super) fn total(&self) -> u64 {
        self.starts.iter().map(|start| u64::from(start.length)).sum()
    }

    /// A row: its head, and its cells.
    pub(super) fn parts(&self, row: usize) -> Option<(Head<'_>, Cells<'_>)> {
        let start = self.starts.get(row)?;
        let head = self.head_of(*start)?;
        let bytes = self.bytes.get(start.at as usize..)?.get(..start.length as usize)?;
        Some((head, Cells { bytes, at: HEAD + head.id.len() + head.object.len() }))
    }

    /// Keeps the rows that `keep` says.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut at = 0;
        self.starts.retain(|_| {
            at += 1;
            keep(at - 1)
        });
    }

    /// Sorts by time and id, and keeps one of each: the one whose place is first. Calls `dropped` for every other place that
    /// has a copy.
    pub(super) fn settle(&mut self, mut dropped: impl FnMut(&[u8])) {
        let mut starts = std::mem::take(&mut self.starts);
        starts.sort_unstable_by(|a, b| (a.time, a.prefix).cmp(&(b.time, b.prefix)).then_with(|| self.by_id_and_place(*a, *b)));
        let mut last: Option<Head<'_>> = None;
        starts.retain(|start| {
            let Some(head) = self.head_of(*start) else { return true };
            let before = last.replace(head).filter(|before| (before.time, before.id) == (head.time, head.id));
            if before.is_some_and(|before| before.place() != head.place()) {
                dropped(head.id);
            }
            before.is_none()
        });
        self.starts = starts;
    }

    fn by_id_and_place(&self, a: Start, b: Start) -> Ordering {
        let key = |start| self.head_of(start).map(|head| (head.id, head.place()));
        key(a).cmp(&key(b))
    }
}

/// The first bytes of a text as a number. Where these differ, they compare as the texts do.
#[inline]
pub(super) fn prefix(text: &[u8]) -> u64 {
    if let Some(bytes) = text.first_chunk() {
        return u64::from_be_bytes(*bytes);
    }
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(text).for_each(|(slot, byte)| *slot = *byte);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(all: &[(Head<'_>, &[Option<&str>])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (head, cells) in all {
            write(head, &mut bytes, |out| cells.iter().for_each(|cell| put_text(*cell, out)));
        }
        bytes
    }

    #[test]
    fn what_was_written_is_read_and_a_torn_end_is_noticed() {
        let long = "x".repeat(20_000);
        let all: [(Head<'_>, &[Option<&str>]); 2] = [
            (Head { time: -5, record: 3, id: b"a", object: "k/ü".as_bytes() }, &[Some(""), None, Some(&long)]),
            (Head { time: i64::MAX, record: u64::MAX, id: b"", object: b"" }, &[None, Some("é"), Some("y")]),
        ];
        let bytes = rows(&all);
        for cut in [1, 5, 20_030] {
            assert!(Rows::of(bytes[..bytes.len() - cut].to_vec()).is_none(), "{cut} bytes are missing");
        }
        let read = Rows::of(bytes).unwrap();
        assert_eq!(read.heads().collect::<Vec<_>>(), all.map(|(head, _)| head));
        for (row, (_, expected)) in all.iter().enumerate() {
            let (_, mut cells) = read.parts(row).unwrap();
            for text in *expected {
                assert_eq!(cells.text().unwrap().map(|text| std::str::from_utf8(text).unwrap()), *text);
            }
        }
    }

    #[test]
    fn of_copies_the_one_whose_place_is_first_is_kept() {
        let head =
            |time, id: &'static str, object: &'static str, record| (Head { time, record, id: id.as_bytes(), object: object.as_bytes() }, &[][..]);
        let all = [
            head(5, "b", "k2", 1),
            head(7, "a", "k2", 0),
            head(7, "a", "k1", 4),
            head(5, "b", "k2", 1),
            head(7, "a", "k1", 5),
            head(1, "a", "k3", 1),
        ];
        let mut rows = Rows::of(rows(&all)).unwrap();
        let mut dropped = Vec::new();
        rows.settle(|id| dropped.push(id.to_vec()));
        assert_eq!(
            rows.heads().map(|head| (head.time, head.id, head.object)).collect::<Vec<_>>(),
            [(1, &b"a"[..], &b"k3"[..]), (5, b"b", b"k2"), (7, b"a", b"k1")]
        );
        assert_eq!(dropped, [b"a", b"a"], "the same record from the same place is no second copy");
    }
}
