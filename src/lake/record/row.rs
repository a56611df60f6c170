//! The row format: a record that is already divided by columns, as bytes that can be kept in memory or in a
//! spill file.
//!
//! A row consists of a head (its length, its sort key, and the position of its record) and cells, each
//! preceded by the number of its column (see [`super::leaves`]); a column without a cell is NULL. The cell of
//! a text is its length plus one, and its bytes. The cell of a list is the number of its elements plus one,
//! and then their cells; inside of those, zero is NULL.

use crate::lake::varint;

/// The object and index of the record that a row is made from.
pub(super) type RecordPosition<'r> = (&'r [u8], u64);

/// Bytes before the texts: length, time, index, and the lengths of two texts.
const HEAD: usize = 4 + 8 + 8 + 4 + 4;

/// The sort key of a row, and the position of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lake) struct Head<'b> {
    /// Milliseconds since 1970.
    pub time: i64,
    /// Index in the object.
    pub record: u64,
    /// Equal in copies of one event: see [`crate::lake::record::Split::identity`].
    pub id: &'b [u8],
    pub object: &'b [u8],
}

impl<'b> Head<'b> {
    /// The position of the record: of two copies, the one that sorts first by this is kept.
    pub(in crate::lake) fn place(&self) -> RecordPosition<'b> {
        (self.object, self.record)
    }
}

/// The head of a row.
pub(super) fn head_of(row: &[u8]) -> Option<Head<'_>> {
    let number = |at: usize| Some(u64::from_le_bytes(row.get(at..at + 8)?.try_into().ok()?));
    let length = |at: usize| Some(u32::from_le_bytes(row.get(at..at + 4)?.try_into().ok()?) as usize);
    let (id, rest) = row.get(HEAD..)?.split_at_checked(length(20)?)?;
    Some(Head { time: number(4)?.cast_signed(), record: number(12)?, id, object: rest.get(..length(24)?)? })
}

/// The row at the beginning of `bytes`; `None` if it is not complete.
pub(in crate::lake) fn first(bytes: &[u8]) -> Option<&[u8]> {
    let length = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
    bytes.get(..length as usize).filter(|row| row.len() >= HEAD)
}

/// A row's head and cells.
pub(in crate::lake) fn parts(row: &[u8]) -> Option<(Head<'_>, Cells<'_>)> {
    let head = head_of(row)?;
    Some((head, Cells { bytes: row, at: HEAD + head.id.len() + head.object.len() }))
}

/// Appends a row; `cells` appends its cells. Rows above 4 GiB do not occur, as objects are smaller.
pub(in crate::lake) fn write(head: &Head<'_>, out: &mut Vec<u8>, cells: impl FnOnce(&mut Vec<u8>)) {
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

/// Begins a top-level cell for this column.
#[inline]
pub(super) fn put_leaf(leaf: u8, out: &mut Vec<u8>) {
    out.push(leaf);
}

#[inline]
pub(in crate::lake) fn put_text(text: Option<&str>, out: &mut Vec<u8>) {
    let Some(text) = text else { return out.push(0) };
    put_count(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn put_nulls(count: usize, out: &mut Vec<u8>) {
    out.resize(out.len() + count, 0);
}

/// Writes a length or a count; 0 is left for NULL.
#[inline]
pub(super) fn put_count(count: usize, out: &mut Vec<u8>) {
    varint::put(count + 1, out);
}

/// Reads the cells of a row one after another.
#[derive(Debug, Clone, Copy)]
pub(in crate::lake) struct Cells<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cells<'b> {
    /// The column of the next cell; `None` after the last one.
    #[inline]
    pub(in crate::lake) fn leaf(&mut self) -> Option<u8> {
        let leaf = self.bytes.get(self.at).copied();
        self.at += 1;
        leaf
    }

    /// The next cell's length or count. The inner `None` is NULL, the outer one means damage.
    #[inline]
    pub(in crate::lake) fn count(&mut self) -> Option<Option<usize>> {
        Some(varint::take(self.bytes, &mut self.at)?.checked_sub(1))
    }

    /// The next text.
    #[inline]
    pub(in crate::lake) fn text(&mut self) -> Option<Option<&'b [u8]>> {
        let Some(length) = self.count()? else { return Some(None) };
        let start = self.at;
        self.at = start.checked_add(length)?;
        self.bytes.get(start..self.at).map(Some)
    }
}

/// The first bytes of a text as a number, for comparing: if the numbers differ, they compare like the
/// texts.
#[inline]
pub(in crate::lake) fn prefix(text: &[u8]) -> u64 {
    if let Some(bytes) = text.first_chunk() {
        return u64::from_be_bytes(*bytes);
    }
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(text).for_each(|(slot, byte)| *slot = *byte);
    u64::from_be_bytes(bytes)
}
