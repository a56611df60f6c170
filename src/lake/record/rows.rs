//! Rows in pieces of memory, and their sort order.

use std::cmp::Ordering;

use super::row::{self, Cells, Head, prefix};

/// Where a row begins in its piece, and its sort key as far as it fits into two numbers.
#[derive(Debug, Clone, Copy)]
struct Start {
    time: i64,
    /// The first bytes of its identity.
    prefix: u64,
    at: u32,
    length: u32,
}

/// Rows one after another.
#[derive(Debug, Default)]
pub(in crate::lake) struct Piece {
    bytes: Vec<u8>,
    starts: Vec<Start>,
}

impl Piece {
    /// An empty piece with capacity for `bytes` of rows.
    pub(in crate::lake) fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), starts: Vec::new() }
    }

    /// The rows in `bytes`; `None` if they are damaged.
    pub(in crate::lake) fn of(bytes: Vec<u8>) -> Option<Self> {
        let mut piece = Self { bytes, starts: Vec::new() };
        let mut at = 0;
        while at < piece.bytes.len() {
            let row = row::first(piece.bytes.get(at..)?)?;
            let (head, end) = (row::head_of(row)?, at + row.len());
            let start = Start::of(&head, at, row.len());
            piece.starts.push(start);
            at = end;
        }
        Some(piece)
    }

    /// Appends a row; `cells` appends its cells.
    pub(in crate::lake) fn write(&mut self, head: &Head<'_>, cells: impl FnOnce(&mut Vec<u8>)) {
        let at = self.bytes.len();
        row::write(head, &mut self.bytes, cells);
        self.starts.push(Start::of(head, at, self.bytes.len() - at));
    }

    /// Appends the rows of another piece.
    pub(in crate::lake) fn append(&mut self, other: &Self) {
        let by = offset(self.bytes.len());
        self.bytes.extend_from_slice(&other.bytes);
        self.starts.extend(other.starts.iter().map(|start| Start { at: start.at + by, ..*start }));
    }

    /// Grows its capacity to exactly `bytes`.
    pub(in crate::lake) fn grow_to(&mut self, bytes: usize) {
        self.bytes.reserve_exact(bytes.saturating_sub(self.bytes.len()));
    }

    /// Removes the rows but keeps the memory.
    pub(in crate::lake) fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
    }

    pub(in crate::lake) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(in crate::lake) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many rows there are.
    pub(in crate::lake) fn len(&self) -> u64 {
        self.starts.len() as u64
    }

    /// Only the rows of objects for which `keep` is true.
    pub(in crate::lake) fn where_object(self, keep: impl Fn(&[u8]) -> bool) -> Self {
        let mut kept = Self::with_room(self.bytes.len());
        for start in &self.starts {
            let row = self
                .bytes
                .get(start.at as usize..)
                .and_then(|rest| rest.get(..start.length as usize))
                .unwrap_or_default();
            if row::head_of(row).is_some_and(|head| keep(head.object)) {
                kept.starts.push(Start { at: offset(kept.bytes.len()), ..*start });
                kept.bytes.extend_from_slice(row);
            }
        }
        kept
    }

    /// Its capacity in bytes.
    #[cfg(test)]
    pub(in crate::lake) fn room(&self) -> usize {
        self.bytes.capacity()
    }
}

impl Start {
    fn of(head: &Head<'_>, at: usize, length: usize) -> Self {
        Self { time: head.time, prefix: prefix(head.id), at: offset(at), length: offset(length) }
    }
}

/// Pieces above 4 GiB do not occur: they end with the row that makes them too large.
fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The rows of several pieces, with an order of their own.
#[derive(Debug, Default)]
pub(in crate::lake) struct Rows {
    pieces: Vec<Piece>,
    places: Vec<RowPosition>,
}

#[derive(Debug, Clone, Copy)]
struct RowPosition {
    start: Start,
    piece: u32,
}

impl Rows {
    /// All rows of the pieces, one after another.
    pub(in crate::lake) fn of(pieces: Vec<Piece>) -> Self {
        let mut rows = Self {
            pieces: Vec::with_capacity(pieces.len()),
            places: Vec::with_capacity(pieces.iter().map(|piece| piece.starts.len()).sum()),
        };
        pieces.into_iter().for_each(|piece| rows.add(piece));
        rows
    }

    /// Adds the rows of a piece after the others.
    pub(in crate::lake) fn add(&mut self, piece: Piece) {
        let number = offset(self.pieces.len());
        self.places.extend(piece.starts.iter().map(|start| RowPosition { start: *start, piece: number }));
        self.pieces.push(piece);
    }

    fn bytes_of(&self, place: RowPosition) -> Option<&[u8]> {
        let piece = self.pieces.get(place.piece as usize)?;
        piece.bytes.get(place.start.at as usize..)?.get(..place.start.length as usize)
    }

    fn head_of(&self, place: RowPosition) -> Option<Head<'_>> {
        self.bytes_of(place).and_then(row::head_of)
    }

    pub(in crate::lake) fn len(&self) -> usize {
        self.places.len()
    }

    pub(in crate::lake) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The heads of all rows, in order.
    pub(in crate::lake) fn heads(&self) -> impl Iterator<Item = Head<'_>> {
        // Rows were checked when they were added.
        self.places.iter().filter_map(|place| self.head_of(*place))
    }

    /// The bytes of a row.
    pub(in crate::lake) fn row(&self, row: usize) -> Option<&[u8]> {
        self.places.get(row).and_then(|place| self.bytes_of(*place))
    }

    /// The time of a row's event, in milliseconds since 1970.
    pub(in crate::lake) fn time(&self, row: usize) -> Option<i64> {
        self.places.get(row).map(|place| place.start.time)
    }

    /// The first and last time of sorted rows; `None` if there are none.
    pub(in crate::lake) fn times(&self) -> Option<(i64, i64)> {
        Some((self.places.first()?.start.time, self.places.last()?.start.time))
    }

    /// The size of a row in bytes.
    pub(in crate::lake) fn size(&self, row: usize) -> u64 {
        self.places.get(row).map_or(0, |place| place.start.length.into())
    }

    pub(in crate::lake) fn total(&self) -> u64 {
        self.places.iter().map(|place| u64::from(place.start.length)).sum()
    }

    /// A row's head and cells.
    pub(in crate::lake) fn parts(&self, row: usize) -> Option<(Head<'_>, Cells<'_>)> {
        row::parts(self.row(row)?)
    }

    /// Keeps the rows for which `keep` is true.
    pub(in crate::lake) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut at = 0;
        self.places.retain(|_| {
            at += 1;
            keep(at - 1)
        });
    }

    /// Sorts by time and identity, and keeps one copy of each event: the one whose object and index sort
    /// first. Calls `dropped` with the object of every other copy.
    pub(in crate::lake) fn settle(&mut self, mut dropped: impl FnMut(&[u8])) {
        let mut places = std::mem::take(&mut self.places);
        let key = |place: &RowPosition| (place.start.time, place.start.prefix);
        places.sort_unstable_by(|a, b| key(a).cmp(&key(b)).then_with(|| self.by_id_and_place(*a, *b)));
        let mut last: Option<RowPosition> = None;
        places.retain(|place| {
            // The rows themselves are compared only if their sort keys are equal.
            let before = last.replace(*place).filter(|before| key(before) == key(place));
            let Some((before, head)) =
                before.and_then(|before| self.head_of(before).zip(self.head_of(*place)))
            else {
                return true;
            };
            if before.id == head.id && before.place() != head.place() {
                dropped(head.id);
            }
            before.id != head.id
        });
        self.places = places;
    }

    fn by_id_and_place(&self, a: RowPosition, b: RowPosition) -> Ordering {
        let key = |place| self.head_of(place).map(|head| (head.id, head.place()));
        key(a).cmp(&key(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(all: &[(Head<'_>, &[Option<&str>])]) -> Piece {
        let mut piece = Piece::default();
        for (head, cells) in all {
            piece.write(head, |out| cells.iter().for_each(|cell| row::put_text(*cell, out)));
        }
        piece
    }

    fn bytes_of(rows: &Rows) -> Vec<u8> {
        (0..rows.len()).flat_map(|row| rows.row(row).unwrap()).copied().collect()
    }

    #[test]
    fn what_was_written_is_read_and_a_torn_end_is_noticed() {
        let long = "x".repeat(20_000);
        let all: [(Head<'_>, &[Option<&str>]); 2] = [
            (
                Head { time: -5, record: 3, id: b"a", object: "k/ü".as_bytes() },
                &[Some(""), None, Some(&long)],
            ),
            (Head { time: i64::MAX, record: u64::MAX, id: b"", object: b"" }, &[None, Some("é"), Some("y")]),
        ];
        let piece = piece(&all);
        let bytes = piece.bytes();
        for cut in [1, 5, 20_030] {
            assert!(Piece::of(bytes[..bytes.len() - cut].to_vec()).is_none(), "{cut} bytes are missing");
        }
        let mut twice = Piece::of(bytes.to_vec()).unwrap();
        twice.append(&piece);
        let read = Rows::of(vec![piece]);
        let (a, b) = (
            Rows::of(vec![twice]),
            Rows::of(vec![Piece::of(bytes_of(&read)).unwrap(), Piece::of(bytes_of(&read)).unwrap()]),
        );
        assert_eq!(
            a.heads().collect::<Vec<_>>(),
            b.heads().collect::<Vec<_>>(),
            "rows are found wherever they lie"
        );
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
        let head = |time, id: &'static str, object: &'static str, record| {
            (Head { time, record, id: id.as_bytes(), object: object.as_bytes() }, &[][..])
        };
        let all = [
            head(5, "b", "k2", 1),
            head(7, "a", "k2", 0),
            head(7, "a", "k1", 4),
            head(5, "b", "k2", 1),
            head(7, "a", "k1", 5),
            head(1, "a", "k3", 1),
        ];
        let mut rows = Rows::of(vec![piece(&all[..4]), piece(&all[4..])]);
        let mut dropped = Vec::new();
        rows.settle(|id| dropped.push(id.to_vec()));
        assert_eq!(
            rows.heads().map(|head| (head.time, head.id, head.object)).collect::<Vec<_>>(),
            [(1, &b"a"[..], &b"k3"[..]), (5, b"b", b"k2"), (7, b"a", b"k1")]
        );
        assert_eq!(dropped, [b"a", b"a"], "the same record from the same place is no second copy");
    }
}
