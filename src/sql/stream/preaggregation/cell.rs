//! One value that compares like the values of its column.

use crate::sql::error::{Result, SqlError};
use crate::sql::types::values::{Cell as Column, Texts, Truths, Values, Wholes};
use crate::tables::Kind;
use polars::prelude::{DataType, IntoSeries, Series, StringChunked};
use polars_arrow::array::{Utf8ViewArray, View};
use polars_arrow::datatypes::ArrowDataType;

/// Stands before a text that is the last of several cells.
pub(super) const LAST_TEXT: &str = "l";
const LAST_TEXT_LETTER: u8 = b'l';

/// A value: `Cell<&str>` while it is looked at, `Cell<Box<str>>` when it is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cell<T> {
    #[default]
    Null,
    Truth(bool),
    Whole(i64),
    Text(T),
}

pub(super) type Kept = Cell<Box<str>>;

impl Cell<&str> {
    pub fn keep(self) -> Kept {
        match self {
            Self::Null => Cell::Null,
            Self::Truth(truth) => Cell::Truth(truth),
            Self::Whole(whole) => Cell::Whole(whole),
            Self::Text(text) => Cell::Text(text.into()),
        }
    }
}

impl Kept {
    pub fn seen(&self) -> Cell<&str> {
        match self {
            Self::Null => Cell::Null,
            Self::Truth(truth) => Cell::Truth(*truth),
            Self::Whole(whole) => Cell::Whole(*whole),
            Self::Text(text) => Cell::Text(text),
        }
    }
}

/// Whether values of this type can be cells. Doubles cannot: two zeros are equal but not the same.
pub(super) fn fits(kind: &Kind) -> bool {
    matches!(kind.dtype(), DataType::String | DataType::Int64 | DataType::Boolean)
}

/// A column made of cells.
pub(super) fn column<'c>(kind: &Kind, cells: impl Iterator<Item = Cell<&'c str>>) -> Series {
    match kind.dtype() {
        DataType::String => <&str as Column>::column(
            cells.map(|cell| if let Cell::Text(text) = cell { Some(text) } else { None }).collect(),
        ),
        DataType::Int64 => i64::column(
            cells.map(|cell| if let Cell::Whole(whole) = cell { Some(whole) } else { None }).collect(),
        ),
        _ => bool::column(
            cells.map(|cell| if let Cell::Truth(truth) = cell { Some(truth) } else { None }).collect(),
        ),
    }
}

/// Places in a column's texts are numbers of 32 bits.
pub(super) const COLUMN_BYTES_MAX: usize = u32::MAX as usize;

/// A column of the texts of cells that are written one behind the other, each up to its end: the texts are not
/// copied. In a column, there cannot be more than [`COLUMN_BYTES_MAX`].
pub(super) fn column_of_written(all: Vec<u8>, ends: &[usize]) -> Result<Series> {
    let (mut views, mut are_texts) = (Vec::with_capacity(ends.len()), Vec::with_capacity(ends.len()));
    let mut start = 0;
    for end in ends {
        let cell = all.get(start..*end).and_then(<[u8]>::split_first);
        let text = cell.filter(|(letter, _)| **letter == LAST_TEXT_LETTER).map(|(_, text)| text);
        let at = u32::try_from(start + LAST_TEXT.len()).unwrap_or(u32::MAX);
        views.push(text.map_or_else(View::default, |text| View::new_from_bytes(text, 0, at)));
        are_texts.push(text.is_some());
        start = *end;
    }
    let validity = are_texts.contains(&false).then(|| are_texts.into_iter().collect());
    let texts = std::iter::once(all.into()).collect();
    let array = Utf8ViewArray::try_new(ArrowDataType::Utf8View, views.into(), texts, validity)?;
    Ok(StringChunked::with_chunk("".into(), array).into_series())
}

/// The values of a column as cells.
pub(super) enum Reader {
    Texts(Texts),
    Wholes(Wholes),
    Truths(Truths),
}

impl Reader {
    pub fn of(values: &Values) -> Result<Self> {
        match values.kind.dtype() {
            DataType::String => values.as_texts().map(Self::Texts),
            DataType::Int64 => values.wholes().map(Self::Wholes),
            DataType::Boolean => values.truths().map(Self::Truths),
            _ => Err(SqlError::new("no cells")),
        }
    }

    pub fn get(&self, row: usize) -> Cell<&str> {
        match self {
            Self::Texts(texts) => texts.get(row).map_or(Cell::Null, Cell::Text),
            Self::Wholes(wholes) => wholes.get(row).map_or(Cell::Null, Cell::Whole),
            Self::Truths(truths) => truths.get(row).map_or(Cell::Null, Cell::Truth),
        }
    }
}

/// Letters of a whole number, six bits each.
const DIGITS: u32 = 11;
const DIGIT_BITS: u32 = 6;
const DIGIT_0: u8 = b'0';

impl Cell<&str> {
    /// Adds it to a text from which it can be told again, which the same cells alone have. Of several, the
    /// last one may be as long as it is.
    #[inline]
    pub fn write(self, is_last: bool, out: &mut String) {
        match self {
            Self::Null => out.push('n'),
            Self::Truth(truth) => out.push(if truth { 't' } else { 'f' }),
            Self::Whole(whole) => {
                out.push('w');
                write_number(whole as u64, DIGITS, out);
            }
            Self::Text(text) if is_last => {
                out.push_str(LAST_TEXT);
                out.push_str(text);
            }
            Self::Text(text) => {
                out.push('s');
                write_number(text.len() as u64, DIGITS, out);
                out.push_str(text);
            }
        }
    }

    /// Takes the first cell off a text that was written so; NULL where there is none.
    #[inline]
    pub fn read<'t>(text: &mut &'t str) -> Cell<&'t str> {
        let mut letters = text.chars();
        let letter = letters.next();
        *text = letters.as_str();
        match letter {
            Some('t') => Cell::Truth(true),
            Some('f') => Cell::Truth(false),
            Some('w') => Cell::Whole(read_number(DIGITS, text) as i64),
            Some('l') => Cell::Text(std::mem::take(text)),
            Some('s') => {
                let length = usize::try_from(read_number(DIGITS, text)).unwrap_or(usize::MAX);
                let (cell, rest) = text.split_at_checked(length).unwrap_or((text, ""));
                *text = rest;
                Cell::Text(cell)
            }
            _ => Cell::Null,
        }
    }
}

/// Adds a number in so many letters.
pub(super) fn write_number(number: u64, digits: u32, out: &mut String) {
    let digit = |at: u32| char::from(DIGIT_0 + (number >> (at * DIGIT_BITS) & ((1 << DIGIT_BITS) - 1)) as u8);
    out.extend((0..digits).map(digit));
}

/// Takes a number off a text that begins with it.
pub(super) fn read_number(digits: u32, text: &mut &str) -> u64 {
    let (letters, rest) = text.split_at_checked(digits as usize).unwrap_or(("", ""));
    *text = rest;
    let digit = |(at, letter): (u32, u8)| u64::from(letter.saturating_sub(DIGIT_0)) << (at * DIGIT_BITS);
    (0..).zip(letters.bytes()).map(digit).fold(0, |number, digit| number | digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_texts_become_a_column_with_null_apart_from_the_empty_text() {
        let long = "a text that is longer than a view: ü";
        let cells = [Cell::Text(long), Cell::Null, Cell::Text(""), Cell::Text("n"), Cell::Text(long)];
        let (mut all, mut ends) = (String::new(), Vec::new());
        for cell in cells {
            cell.write(true, &mut all);
            ends.push(all.len());
        }
        let column = column_of_written(all.into_bytes(), &ends).unwrap();
        let texts: Vec<Option<&str>> = column.str().unwrap().iter().collect();
        assert_eq!(texts, [Some(long), None, Some(""), Some("n"), Some(long)]);
        assert!(column_of_written(b"l\xff".to_vec(), &[2]).is_err());
    }

    #[test]
    fn cells_are_told_from_their_text_again() {
        let cells = [
            Cell::Null,
            Cell::Truth(true),
            Cell::Text("ü"),
            Cell::Whole(i64::MIN),
            Cell::Text(""),
            Cell::Whole(-1),
            Cell::Truth(false),
            Cell::Whole(i64::MAX),
            Cell::Text("n"),
        ];
        let mut text = String::new();
        (0..).zip(cells).for_each(|(at, cell)| cell.write(at == cells.len() - 1, &mut text));
        let mut rest = text.as_str();
        assert_eq!(cells.map(|_| Cell::read(&mut rest)), cells);
        assert_eq!((rest, Cell::read(&mut rest)), ("", Cell::Null));
    }
}
