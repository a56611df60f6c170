//! A column of values with its type, or a single value for all rows.

use polars::prelude::{
    BooleanChunked, ChunkFullNull, Float64Chunked, IdxCa, Int64Chunked, IntoSeries, NamedFrom, Series,
    StringChunked,
};

use super::wide;
use crate::sql::error::{Result, SqlError};
use crate::tables::Kind;

/// The result of an expression.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Values {
    pub kind: Kind,
    /// One entry for each row, or a single one if `constant`.
    pub data: Series,
    pub constant: bool,
}

/// A Rust type in which values of a column are read and built.
pub(in crate::sql) trait Cell: Sized {
    fn column(values: Vec<Option<Self>>) -> Series;

    /// Bytes that it takes outside of the column itself.
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

    /// The same value for every row.
    pub fn constant<T: Cell>(kind: Kind, value: Option<T>) -> Self {
        Self { kind, data: T::column(vec![value]), constant: true }
    }

    pub fn null(kind: Kind) -> Self {
        let data = Series::full_null("".into(), 1, &kind.dtype());
        Self { kind, data, constant: true }
    }

    /// Builds the values row by row. With `constant`, builds a single value for all rows.
    pub fn build<T: Cell>(
        kind: Kind,
        height: usize,
        constant: bool,
        cell: impl FnMut(usize) -> Result<Option<T>>,
    ) -> Result<Self> {
        let rows = if constant { 1 } else { height };
        let cells = (0..rows).map(cell).collect::<Result<Vec<_>>>();
        // A constant is computed even if no row needs it, and then an error does not matter.
        let cells = match cells {
            Err(error) if error.by_value && constant && height == 0 => vec![None],
            cells => cells?,
        };
        Ok(Self { kind, data: T::column(cells), constant })
    }

    pub fn booleans(data: BooleanChunked, constant: bool) -> Self {
        Self { kind: Kind::Boolean, data: data.into_series(), constant }
    }

    /// One entry for each row, whether constant or not.
    pub fn spread(&self, height: usize) -> Series {
        if self.constant { self.data.new_from_index(0, height) } else { self.data.clone() }
    }

    /// Index into `data` of a row's value.
    fn index(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    pub fn is_null(&self, row: usize) -> bool {
        // Rows of the relation cannot be out of range; anything else counts as NULL.
        self.data.get(self.index(row)).map_or(true, |value| value.is_null())
    }

    /// The rows with these indexes, in that order; `None` gives NULL.
    pub fn take(&self, rows: &[Option<u32>]) -> Result<Self> {
        if self.constant {
            return Ok(self.clone());
        }
        Ok(Self { kind: self.kind.clone(), data: take(&self.data, rows)?, constant: false })
    }

    pub fn texts(&self) -> Result<Texts> {
        match &self.kind {
            Kind::Varchar | Kind::Json | Kind::Ip | Kind::Binary => {
                Ok(Texts(self.data.str()?.rechunk().into_owned(), self.constant))
            }
            Kind::Unknown => Ok(Texts(StringChunked::full_null("".into(), self.data.len()), self.constant)),
            other => Err(SqlError::new(format!("a text is needed here, and this is {other}"))),
        }
    }

    /// Values of any text type as stored texts, which sort like the values.
    pub fn as_texts(&self) -> Result<Texts> {
        Ok(Texts(self.data.str()?.rechunk().into_owned(), self.constant))
    }

    /// Values stored as whole numbers: `bigint`, times, intervals.
    pub fn wholes(&self) -> Result<Wholes> {
        match self.kind.dtype() {
            polars::prelude::DataType::Int64 => {
                Ok(Wholes(self.data.i64()?.rechunk().into_owned(), self.constant))
            }
            _ if self.kind == Kind::Unknown => {
                Ok(Wholes(Int64Chunked::full_null("".into(), self.data.len()), self.constant))
            }
            _ => Err(SqlError::new(format!("a whole number is needed here, and this is {}", self.kind))),
        }
    }

    /// Decimals as whole numbers in units of their last digit.
    pub fn decimals(&self) -> Result<Decimals> {
        match (&self.kind, self.kind.dtype()) {
            (Kind::Decimal { .. }, polars::prelude::DataType::String) => {
                Ok(Decimals::Wide(Texts(self.data.str()?.rechunk().into_owned(), self.constant)))
            }
            _ => Ok(Decimals::Narrow(self.wholes()?)),
        }
    }

    /// Decimals, built row by row from whole numbers in units of their last digit, which must fit the type.
    pub fn build_decimals(
        kind: Kind,
        height: usize,
        constant: bool,
        mut cell: impl FnMut(usize) -> Result<Option<i128>>,
    ) -> Result<Self> {
        if kind.dtype() == polars::prelude::DataType::String {
            return Self::build(kind, height, constant, |row| Ok(cell(row)?.map(wide::packed)));
        }
        let narrow = |value: i128| {
            i64::try_from(value).map_err(|_| SqlError::new("the number has more digits than its type"))
        };
        Self::build(kind, height, constant, |row| cell(row)?.map(narrow).transpose())
    }

    pub fn doubles(&self) -> Result<Doubles> {
        match &self.kind {
            Kind::Double => Ok(Doubles(self.data.f64()?.rechunk().into_owned(), self.constant)),
            Kind::Decimal { scale, .. } => {
                let cells = self.decimals()?;
                let cells =
                    (0..self.data.len()).map(|row| cells.get(row).map(|value| wide::double(value, *scale)));
                Ok(Doubles(cells.collect(), self.constant))
            }
            Kind::Bigint => Ok(Doubles(
                self.data.i64()?.iter().map(|value| value.map(|value| value as f64)).collect(),
                self.constant,
            )),
            Kind::Unknown => {
                Ok(Doubles(Float64Chunked::full_null("".into(), self.data.len()), self.constant))
            }
            other => Err(SqlError::new(format!("a number is needed here, and this is {other}"))),
        }
    }

    pub fn truths(&self) -> Result<Truths> {
        match &self.kind {
            Kind::Boolean | Kind::Unknown => {
                Ok(Truths(self.data.bool()?.rechunk().into_owned(), self.constant))
            }
            other => Err(SqlError::new(format!("a condition is needed here, and this is {other}"))),
        }
    }

    /// The text, if it is the same for every row and not NULL: a JSON path, a regular expression, a unit.
    pub fn constant_text(&self) -> Option<String> {
        if !self.constant || !self.kind.is_text() {
            return None;
        }
        self.data.str().ok()?.get(0).map(str::to_owned)
    }

    /// The whole number, if it is the same for every row and not NULL.
    pub fn constant_whole(&self) -> Option<i64> {
        if !self.constant || self.kind != Kind::Bigint {
            return None;
        }
        self.data.i64().ok()?.get(0)
    }
}

/// Rows of a series by index; `None` gives NULL.
pub(in crate::sql) fn take(data: &Series, rows: &[Option<u32>]) -> Result<Series> {
    Ok(data.take(&indices(rows))?)
}

/// The same indexes as a column of them.
pub(in crate::sql) fn indices(rows: &[Option<u32>]) -> IdxCa {
    if rows.iter().all(Option::is_some) {
        return IdxCa::from_vec("".into(), rows.iter().map(|row| row.unwrap_or_default()).collect());
    }
    rows.iter().copied().collect()
}

macro_rules! readers {
    ($($(#[$meta:meta])* $name:ident($array:ty) -> $cell:ty;)*) => { $(
        $(#[$meta])*
        pub(in crate::sql) struct $name($array, bool);

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
pub(in crate::sql) enum Decimals {
    Narrow(Wholes),
    Wide(Texts),
}

impl Decimals {
    /// The value of a row, in units of its last digit; `None` is NULL.
    pub fn get(&self, row: usize) -> Option<i128> {
        match self {
            Self::Narrow(wholes) => wholes.get(row).map(i128::from),
            Self::Wide(texts) => texts.get(row).and_then(wide::unpacked),
        }
    }
}

/// Texts, by row.
pub(in crate::sql) struct Texts(StringChunked, bool);

impl Texts {
    /// The text of a row; `None` is NULL.
    pub fn get(&self, row: usize) -> Option<&str> {
        let index = if self.1 { 0 } else { row };
        if index < self.0.len() { self.0.get(index) } else { None }
    }
}
