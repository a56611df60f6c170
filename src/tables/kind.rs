//! Column types as an Athena user knows them, and how their values are stored in memory.
//!
//! Points in time are stored as whole numbers (milliseconds or days since 1970-01-01, UTC), and JSON as its
//! text. They become typed only when written to Parquet. So comparisons, sorting and grouping work on
//! numbers and texts, where polars is fastest and NULL handling has one rule.

use std::fmt;

#[cfg(feature = "sql")]
use polars::prelude::{DataType, Field};

/// Decimals with up to this many digits are stored as 64-bit whole numbers.
pub const DIGITS_OF_WHOLE: u8 = 18;

/// A column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The type of a bare `NULL`: compatible with every type.
    Unknown,
    Boolean,
    Bigint,
    /// An exact number, stored as a whole number in units of its last digit (`scale` digits after the
    /// point). With more than [`DIGITS_OF_WHOLE`] digits it is stored as text that sorts like the numbers.
    Decimal {
        precision: u8,
        scale: u8,
    },
    Double,
    Varchar,
    /// JSON text, as `json_extract` gives it. A CloudTrail column such as `requestparameters` is `Varchar`.
    Json,
    /// Days since 1970-01-01.
    Date,
    /// Milliseconds since 1970-01-01T00:00:00Z. Without a zone it is read as UTC, in which all CloudTrail
    /// times are.
    Timestamp {
        zoned: bool,
    },
    /// A point in time, displayed in another zone than UTC.
    Zoned(String),
    /// An IP address: its 16 bytes in hexadecimal.
    Ip,
    /// Bytes, in hexadecimal.
    Binary,
    /// `interval '…' day`: milliseconds.
    Span,
    /// `interval '…' month`: months.
    Months,
    Array(Box<Kind>),
    Row(Vec<(String, Kind)>),
    /// Stored as a list of key/value rows.
    Map(Box<Kind>, Box<Kind>),
}

impl Kind {
    /// `ARRAY<element>`.
    pub fn array(element: Kind) -> Kind {
        Kind::Array(Box::new(element))
    }

    /// A row of text fields.
    pub fn text_row(names: &[&str]) -> Kind {
        Kind::Row(names.iter().map(|name| ((*name).to_owned(), Kind::Varchar)).collect())
    }

    /// The polars type of the values in memory.
    #[cfg(feature = "sql")]
    pub fn dtype(&self) -> DataType {
        match self {
            Kind::Unknown | Kind::Boolean => DataType::Boolean,
            Kind::Decimal { precision, .. } if *precision > DIGITS_OF_WHOLE => DataType::String,
            Kind::Bigint
            | Kind::Decimal { .. }
            | Kind::Date
            | Kind::Timestamp { .. }
            | Kind::Zoned(_)
            | Kind::Span
            | Kind::Months => DataType::Int64,
            Kind::Double => DataType::Float64,
            Kind::Varchar | Kind::Json | Kind::Ip | Kind::Binary => DataType::String,
            Kind::Array(element) => DataType::List(Box::new(element.dtype())),
            Kind::Row(fields) => DataType::Struct(
                fields.iter().map(|(name, kind)| Field::new(name.as_str().into(), kind.dtype())).collect(),
            ),
            Kind::Map(key, value) => DataType::List(Box::new(entry(key, value).dtype())),
        }
    }

    /// The type with only the fields at `paths` and everything below them; the whole type if there are no
    /// paths.
    pub fn pruned(&self, paths: &[Vec<String>]) -> Kind {
        let Kind::Row(fields) = self else { return self.clone() };
        if paths.iter().any(Vec::is_empty) || paths.is_empty() {
            return self.clone();
        }
        let below = |name: &str| -> Vec<Vec<String>> {
            paths
                .iter()
                .filter_map(|path| path.split_first())
                .filter(|(first, _)| *first == name)
                .map(|(_, rest)| rest.to_vec())
                .collect()
        };
        let kept = fields
            .iter()
            .map(|(name, kind)| (name, kind, below(name)))
            .filter(|(_, _, below)| !below.is_empty());
        Kind::Row(kept.map(|(name, kind, below)| (name.clone(), kind.pruned(&below))).collect())
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Kind::Bigint | Kind::Decimal { .. } | Kind::Double)
    }

    pub fn is_text(&self) -> bool {
        matches!(self, Kind::Varchar | Kind::Json)
    }

    /// `Date` and every kind of timestamp.
    pub fn is_time(&self) -> bool {
        *self == Kind::Date || self.is_timestamp()
    }

    /// Whether it is stored as milliseconds, in whatever zone.
    pub fn is_timestamp(&self) -> bool {
        matches!(self, Kind::Timestamp { .. } | Kind::Zoned(_))
    }
}

/// The row type of a map's entries.
pub fn entry(key: &Kind, value: &Kind) -> Kind {
    Kind::Row(vec![("key".to_owned(), key.clone()), ("value".to_owned(), value.clone())])
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Unknown => f.write_str("unknown"),
            Kind::Boolean => f.write_str("boolean"),
            Kind::Bigint => f.write_str("bigint"),
            Kind::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Kind::Double => f.write_str("double"),
            Kind::Varchar => f.write_str("varchar"),
            Kind::Json => f.write_str("json"),
            Kind::Ip => f.write_str("ipaddress"),
            Kind::Binary => f.write_str("varbinary"),
            Kind::Date => f.write_str("date"),
            Kind::Timestamp { zoned: false } => f.write_str("timestamp"),
            Kind::Timestamp { zoned: true } | Kind::Zoned(_) => f.write_str("timestamp with time zone"),
            Kind::Span => f.write_str("interval day to second"),
            Kind::Months => f.write_str("interval year to month"),
            Kind::Array(element) => write!(f, "array({element})"),
            Kind::Map(key, value) => write!(f, "map({key}, {value})"),
            Kind::Row(fields) => {
                f.write_str("row(")?;
                for (at, (name, kind)) in fields.iter().enumerate() {
                    write!(f, "{}{name} {kind}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_keeps_the_fields_that_are_asked_for_and_what_is_below_them() {
        let inner = Kind::text_row(&["x", "y"]);
        let whole = Kind::Row(vec![
            ("a".to_owned(), Kind::Varchar),
            ("b".to_owned(), inner.clone()),
            ("c".to_owned(), inner.clone()),
        ]);
        let path = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        let expected = Kind::Row(vec![("b".to_owned(), Kind::text_row(&["y"])), ("c".to_owned(), inner)]);
        assert_eq!(whole.pruned(&[path("b.y"), path("c"), path("c.x")]), expected);
        assert_eq!(whole.pruned(&[]), whole);
        assert_eq!(Kind::Varchar.pruned(&[path("a")]), Kind::Varchar);
    }
}
