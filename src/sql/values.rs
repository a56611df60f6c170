//! A column of values with its type, or one value that stands for every row.

use polars::prelude::{BooleanChunked, ChunkFullNull, Float64Chunked, Int64Chunked, IntoSeries, NamedFrom, Series, StringChunked};

use super::decimal;
use super::error::{Result, SqlError};
use crate::tables::Kind;

/// The result of an expression.
#[derive(Debug, Clone)]
pub(super) struct Values {
    pub kind: Kind,
    /// One entry per row; a single one if `constant`.
    pub data: Series,
    pub constant: bool,
}

/// A Rust type that a column's values are read as and built from.
pub(super) trait Cell: Sized {
    fn column(values: Vec<Option<Self>>) -> Series;

    /// What it takes beside its place in the column.
    fn bytes(&self) -> usize {
        0
    }
}

macro_rules! cells {
    ($($cell:ty),*) => { $(impl Cell for $cell {
        fn column(values: Vec<Option<Self>>) -> Series {
            Series::new("".into(), values)
        }
    })* };
}
cells!(i64, f64, bool);

impl Cell for String {
    fn column(values: Vec<Option<Self>>) -> Series {
        Series::new("".into(), values)
    }

    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Cell for &str {
    fn column(values: Vec<Option<Self>>) -> Series {
        Series::new("".into(), values)
    }
}

impl Values {
    pub fn new(kind: Kind, data: Series) -> Self {
        Self { kind, data, constant: false }
    }

    /// One value for every row.
    pub fn constant<T: Cell>(kind: Kind, value: Option<T>) -> Self {
        Self { kind, data: T::column(vec![value]), constant: true }
    }

    pub fn null(kind: Kind) -> Self {
        let data = Series::full_null("".into(), 1, &kind.dtype());
        Self { kind, data, constant: true }
    }

    /// Built row by row. `constant` makes a single row of it that stands for all.
    pub fn build<T: Cell>(kind: Kind, height: usize, constant: bool, cell: impl FnMut(usize) -> Result<Option<T>>) -> Result<Self> {
        let rows = if constant { 1 } else { height };
        let cells = (0..rows).map(cell).collect::<Result<Vec<_>>>();
        // A constant is computed even where no row will see it; there, a value that cannot be worked with hurts nobody.
        let cells = match cells {
            Err(error) if error.by_value && constant && height == 0 => vec![None],
            cells => cells?,
        };
        Ok(Self { kind, data: T::column(cells), constant })
    }

    pub fn booleans(data: BooleanChunked, constant: bool) -> Self {
        Self { kind: Kind::Boolean, data: data.into_series(), constant }
    }

    /// One entry per row, whether constant or not.
    pub fn spread(&self, height: usize) -> Series {
        if self.constant { self.data.new_from_index(0, height) } else { self.data.clone() }
    }

    /// Index into `data` of a row's value.
    fn index(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    pub fn is_null(&self, row: usize) -> bool {
        // Out of range cannot happen for rows of the relation; if it did, nothing is there.
        self.data.get(self.index(row)).map_or(true, |value| value.is_null())
    }

    /// The rows that `rows` names, in that order; `None` gives NULL.
    pub fn take(&self, rows: &[Option<u32>]) -> Result<Self> {
        if self.constant {
            return Ok(self.clone());
        }
        Ok(Self { kind: self.kind.clone(), data: take(&self.data, rows)?, constant: false })
    }

    pub fn texts(&self) -> Result<Texts> {
        match &self.kind {
            Kind::Varchar | Kind::Json | Kind::Ip | Kind::Binary => Ok(Texts(self.data.str()?.rechunk().into_owned(), self.constant)),
            Kind::Unknown => Ok(Texts(StringChunked::full_null("".into(), self.data.len()), self.constant)),
            other => Err(SqlError::new(format!("a text is needed here, and this is {other}"))),
        }
    }

    /// Texts as they lie in memory, of whatever type: they are in the order of its values.
    pub fn as_texts(&self) -> Result<Texts> {
        Ok(Texts(self.data.str()?.rechunk().into_owned(), self.constant))
    }

    /// Whole numbers as they lie in memory: `bigint`, times, intervals.
    pub fn wholes(&self) -> Result<Wholes> {
        match self.kind.dtype() {
            polars::prelude::DataType::Int64 => Ok(Wholes(self.data.i64()?.rechunk().into_owned(), self.constant)),
            _ if self.kind == Kind::Unknown => Ok(Wholes(Int64Chunked::full_null("".into(), self.data.len()), self.constant)),
            _ => Err(SqlError::new(format!("a whole number is needed here, and this is {}", self.kind))),
        }
    }

    /// Exact numbers, as whole numbers of their last digit.
    pub fn decimals(&self) -> Result<Decimals> {
        match (&self.kind, self.kind.dtype()) {
            (Kind::Decimal { .. }, polars::prelude::DataType::String) => {
                Ok(Decimals::Wide(Texts(self.data.str()?.rechunk().into_owned(), self.constant)))
            }
            _ => Ok(Decimals::Narrow(self.wholes()?)),
        }
    }

    /// Exact numbers, built row by row from whole numbers of their last digit, which the type can hold.
    pub fn build_decimals(kind: Kind, height: usize, constant: bool, mut cell: impl FnMut(usize) -> Result<Option<i128>>) -> Result<Self> {
        if kind.dtype() == polars::prelude::DataType::String {
            return Self::build(kind, height, constant, |row| Ok(cell(row)?.map(decimal::packed)));
        }
        let narrow = |value: i128| i64::try_from(value).map_err(|_| SqlError::new("the number has more digits than its type"));
        Self::build(kind, height, constant, |row| cell(row)?.map(narrow).transpose())
    }

    pub fn doubles(&self) -> Result<Doubles> {
        match &self.kind {
            Kind::Double => Ok(Doubles(self.data.f64()?.rechunk().into_owned(), self.constant)),
            Kind::Decimal { scale, .. } => {
                let cells = self.decimals()?;
                let cells = (0..self.data.len()).map(|row| cells.get(row).map(|value| decimal::double(value, *scale)));
                Ok(Doubles(cells.collect(), self.constant))
            }
            Kind::Bigint => Ok(Doubles(self.data.i64()?.iter().map(|value| value.map(|value| value as f64)).collect(), self.constant)),
            Kind::Unknown => Ok(Doubles(Float64Chunked::full_null("".into(), self.data.len()), self.constant)),
            other => Err(SqlError::new(format!("a number is needed here, and this is {other}"))),
        }
    }

    pub fn truths(&self) -> Result<Truths> {
        match &self.kind {
            Kind::Boolean | Kind::Unknown => Ok(Truths(self.data.bool()?.rechunk().into_owned(), self.constant)),
            other => Err(SqlError::new(format!("a condition is needed here, and this is {other}"))),
        }
    }

    /// The single text, where it is the same for every row and not NULL: a JSON path, a regular expression, a unit.
    pub fn constant_text(&self) -> Option<String> {
        if !self.constant || !self.kind.is_text() {
            return None;
        }
        self.data.str().ok()?.get(0).map(str::to_owned)
    }

    /// The single whole number, where it is the same for every row and not NULL.
    pub fn constant_whole(&self) -> Option<i64> {
        if !self.constant || self.kind != Kind::Bigint {
            return None;
        }
        self.data.i64().ok()?.get(0)
    }
}

/// Rows of a series by index; `None` gives NULL.
pub(super) fn take(data: &Series, rows: &[Option<u32>]) -> Result<Series> {
    let indices: polars::prelude::IdxCa = rows.iter().copied().collect();
    Ok(data.take(&indices)?)
}

macro_rules! readers {
    ($($(#[$meta:meta])* $name:ident($array:ty) -> $cell:ty;)*) => { $(
        $(#[$meta])*
        pub(super) struct $name($array, bool);

        impl $name {
            /// The value of a row; `None` is NULL.
            pub fn get(&self, row: usize) -> Option<$cell> {
                let index = if self.1 { 0 } else { row };
                if index < self.0.len() { self.0.get(index) } else { None }
            }
        }
    )* };
}

readers! {
    /// Whole numbers, by row.
    Wholes(Int64Chunked) -> i64;
    /// Numbers, by row.
    Doubles(Float64Chunked) -> f64;
    /// Conditions, by row.
    Truths(BooleanChunked) -> bool;
}

/// Exact numbers, by row.
pub(super) enum Decimals {
    Narrow(Wholes),
    Wide(Texts),
}

impl Decimals {
    /// The value of a row, a whole number of its last digit; `None` is NULL.
    pub fn get(&self, row: usize) -> Option<i128> {
        match self {
            Self::Narrow(wholes) => wholes.get(row).map(i128::from),
            Self::Wide(texts) => texts.get(row).and_then(decimal::unpacked),
        }
    }
}

/// Texts, by row.
pub(super) struct Texts(StringChunked, bool);

impl Texts {
    /// The text of a row; `None` is NULL.
    pub fn get(&self, row: usize) -> Option<&str> {
        let index = if self.1 { 0 } else { row };
        if index < self.0.len() { self.0.get(index) } else { None }
    }
}
