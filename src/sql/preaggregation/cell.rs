//! One value that compares like the values of its column.

use crate::sql::error::{Result, SqlError};
use crate::sql::values::{Cell as Column, Texts, Truths, Values, Wholes};
use crate::tables::Kind;
use polars::prelude::{DataType, Series};

/// A value: `Cell<&str>` while it is looked at, `Cell<Box<str>>` when it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cell<T> {
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
