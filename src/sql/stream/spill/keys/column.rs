//! The values of one sort key: compared, as bytes, and as numbers.

use std::cmp::Ordering;

use polars::prelude::{BooleanChunked, DataType, Float64Chunked, Int64Chunked};
use polars_arrow::array::Utf8ViewArray;
use polars_arrow::datatypes::ArrowDataType;
use sqlparser::ast::OrderByOptions;

use crate::sql::error::{Result, SqlError};
use crate::sql::types::compare::key_column;
use crate::sql::types::nested::{self, Part};
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// The values of one key, in any row.
#[derive(Debug, Clone)]
pub(super) enum KeyColumn {
    Texts(Utf8ViewArray),
    Wholes(Int64Chunked),
    Doubles(Float64Chunked),
    Truths(BooleanChunked),
    /// Arrays and rows as bytes; a single one if they are constant.
    Nested(Vec<Option<Vec<u8>>>),
}

impl KeyColumn {
    pub(super) fn of(values: &Values, height: usize) -> Result<Self> {
        if matches!(values.kind, Kind::Array(_) | Kind::Row(_)) {
            let bytes = |part: &Part| {
                let mut bytes = Vec::new();
                push_part(part, &mut bytes);
                (!matches!(part, Part::Null)).then_some(bytes)
            };
            return Ok(Self::Nested(nested::parts(values, height)?.iter().map(bytes).collect()));
        }
        let column = key_column(values, height)?.rechunk();
        Ok(match column.dtype() {
            DataType::String => {
                let texts = column.str()?.downcast_iter().next().cloned();
                Self::Texts(texts.unwrap_or_else(|| Utf8ViewArray::new_empty(ArrowDataType::Utf8View)))
            }
            DataType::Int64 => Self::Wholes(column.i64()?.clone()),
            DataType::Float64 => Self::Doubles(column.f64()?.clone()),
            DataType::Boolean => Self::Truths(column.bool()?.clone()),
            other => return Err(SqlError::new(format!("values of {other} have no order"))),
        })
    }

    /// The bytes of a text, or of an array or row.
    pub(super) fn bytes(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Texts(texts) => text(texts, row),
            Self::Nested(parts) => parts.get(row).or(parts.first()).and_then(Option::as_deref),
            _ => None,
        }
    }

    /// The same for some rows, one after another; what stands beside each is handed on.
    pub(super) fn each_bytes<'c, R>(
        &'c self,
        rows: impl Iterator<Item = (R, u32)>,
        mut each: impl FnMut(R, Option<&'c [u8]>),
    ) {
        match self {
            Self::Texts(texts) => rows.for_each(|(beside, row)| each(beside, text(texts, row as usize))),
            _ => rows.for_each(|(beside, row)| each(beside, self.bytes(row as usize))),
        }
    }

    /// A value of another type, as a number that has its order.
    pub(super) fn number(&self, row: usize) -> Option<u64> {
        match self {
            Self::Wholes(wholes) => wholes.get(row).map(whole_bits),
            Self::Doubles(doubles) => doubles.get(row).map(ordered),
            Self::Truths(truths) => truths.get(row).map(u64::from),
            Self::Texts(_) | Self::Nested(_) => None,
        }
    }

    pub(super) fn is_of_bytes(&self) -> bool {
        matches!(self, Self::Texts(_) | Self::Nested(_))
    }

    pub(super) fn is_same(&self, a: usize, b: usize) -> bool {
        match self.is_of_bytes() {
            true => self.bytes(a) == self.bytes(b),
            false => self.number(a) == self.number(b),
        }
    }

    pub(super) fn compare(&self, options: OrderByOptions, a: usize, b: usize) -> Ordering {
        if self.is_of_bytes() {
            between(self.bytes(a), self.bytes(b), options)
        } else {
            between(self.number(a), self.number(b), options)
        }
    }

    pub(super) fn push(&self, row: usize, options: OrderByOptions, out: &mut Vec<u8>) {
        let start = out.len() + 1;
        let nulls_first = options.nulls_first == Some(true);
        out.push(u8::from(nulls_first));
        let is_there = match self {
            Self::Texts(_) => self.bytes(row).map(|text| push_text(text, out)),
            Self::Nested(_) => self.bytes(row).map(|bytes| out.extend_from_slice(bytes)),
            Self::Truths(truths) => truths.get(row).map(|truth| out.push(u8::from(truth))),
            Self::Wholes(_) | Self::Doubles(_) => {
                self.number(row).map(|number| out.extend(number.to_be_bytes()))
            }
        };
        match (is_there, out.get_mut(start - 1)) {
            (None, Some(marker)) => *marker = u8::from(!nulls_first),
            _ if options.asc == Some(false) => out.iter_mut().skip(start).for_each(|byte| *byte = !*byte),
            _ => {}
        }
    }
}

fn text(texts: &Utf8ViewArray, row: usize) -> Option<&[u8]> {
    if row < texts.len() { texts.get(row).map(str::as_bytes) } else { None }
}

/// The order of two values, either of which may be NULL.
fn between<T: Ord>(a: Option<T>, b: Option<T>, options: OrderByOptions) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if options.asc == Some(false) => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) if options.nulls_first == Some(true) => a.is_some().cmp(&b.is_some()),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// Parts of arrays and rows, in the order of [`nested::places`]: a NULL among them comes after everything else,
/// and a shorter list before a longer one that begins like it.
fn push_part(part: &Part, out: &mut Vec<u8>) {
    const END: u8 = 0;
    const VALUE: u8 = 1;
    const NULL: u8 = 2;
    match part {
        Part::Whole(whole) => out.extend(whole_bits(*whole).to_be_bytes()),
        Part::Number(number) => out.extend(total(number.to_bits()).to_be_bytes()),
        Part::Text(text) => push_text(text.as_bytes(), out),
        Part::Truth(truth) => out.push(u8::from(*truth)),
        Part::List(parts) => {
            for part in parts {
                out.push(if matches!(part, Part::Null) { NULL } else { VALUE });
                push_part(part, out);
            }
            out.push(END);
        }
        // Maps have no order, and of a NULL nothing is left to say.
        Part::Map(_) | Part::Null => {}
    }
}

fn whole_bits(whole: i64) -> u64 {
    whole.cast_unsigned() ^ (1 << 63)
}

/// A zero in the text is followed by 255, and the text's end is two zeros: so a text sorts before those
/// that it is a prefix of.
fn push_text(text: &[u8], out: &mut Vec<u8>) {
    // All bytes are looked at, several at once.
    if !text.iter().fold(false, |has_zero, byte| has_zero | (*byte == 0)) {
        out.extend_from_slice(text);
        return out.extend_from_slice(&[0, 0]);
    }
    for (at, piece) in text.split(|byte| *byte == 0).enumerate() {
        if at > 0 {
            out.extend([0, 255]);
        }
        out.extend_from_slice(piece);
    }
    out.extend([0, 0]);
}

/// Both zeros are equal, and NaN is the greatest.
fn ordered(number: f64) -> u64 {
    total(if number.is_nan() { f64::NAN.abs().to_bits() } else { (number + 0.0).to_bits() })
}

/// The bits of a number, so that they have the order of [`f64::total_cmp`].
fn total(bits: u64) -> u64 {
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}
