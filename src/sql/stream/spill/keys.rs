//! Sort keys as bytes: comparing them byte by byte gives the order of the values.

use polars::prelude::{BooleanChunked, DataType, Float64Chunked, Int64Chunked};
use polars_arrow::array::Utf8ViewArray;
use polars_arrow::datatypes::ArrowDataType;
use sqlparser::ast::OrderByOptions;

use crate::sql::error::{Result, SqlError};
use crate::sql::types::compare::key_column;
use crate::sql::types::nested::{self, Part};
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// The key of each row.
#[derive(Debug, Default, Clone)]
pub(in crate::sql) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The positions of the rows' events, which tell equal keys apart. They are long, and hardly ever looked at.
    places: Vec<KeyColumn>,
}

impl Keys {
    /// The keys of `height` rows.
    ///
    /// # Errors
    ///
    /// The order of these values cannot be expressed in bytes.
    pub fn of(keys: &[(Values, OrderByOptions)], height: usize) -> Result<Self> {
        let columns = keys
            .iter()
            .map(|(values, options)| Ok((KeyColumn::of(values, height)?, *options)))
            .collect::<Result<Vec<_>>>()?;
        let mut all = Self { ends: Vec::with_capacity(height), ..Self::default() };
        for row in 0..height {
            columns.iter().for_each(|(column, options)| column.push(row, *options, &mut all.bytes));
            all.ends.push(all.bytes.len());
            if row == LIKE {
                // The other ones will be about as long.
                all.bytes.reserve(all.bytes.len() / LIKE * height);
            }
        }
        Ok(all)
    }

    /// The same with what tells equal keys apart.
    ///
    /// # Errors
    ///
    /// The order of these values cannot be expressed in bytes.
    pub fn with_places(self, places: &[Values], height: usize) -> Result<Self> {
        let places = places.iter().map(|values| KeyColumn::of(values, height)).collect::<Result<_>>()?;
        Ok(Self { places, ..self })
    }

    /// A key, followed by the place of its event.
    pub fn whole(&self, row: usize) -> Vec<u8> {
        let mut key = Vec::new();
        self.whole_into(row, &mut key);
        key
    }

    /// The same, in the place of what is in `key`.
    pub fn whole_into(&self, row: usize, key: &mut Vec<u8>) {
        key.clear();
        key.extend_from_slice(self.get(row));
        self.push_place(row, key);
    }

    fn push_place(&self, row: usize, key: &mut Vec<u8>) {
        let options = OrderByOptions { asc: None, nulls_first: None };
        self.places.iter().for_each(|column| column.push(row, options, key));
    }

    fn place(&self, row: u32) -> Vec<u8> {
        let mut place = Vec::new();
        self.push_place(row as usize, &mut place);
        place
    }

    pub fn get(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(row).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The first of all rows whose [whole key](Self::whole) is not less than this one, where they are in order.
    pub fn first_from(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.whole(middle).as_slice() < key { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The rows in order; equal rows stay in their order.
    pub fn order(&self) -> Vec<Option<u32>> {
        let mut rows: Vec<(u128, u32)> = (0_u32..).take(self.ends.len()).map(|row| (0, row)).collect();
        self.sort(&mut rows, 0, 0);
        rows.into_iter().map(|(_, row)| Some(row)).collect()
    }

    /// A key without its first bytes.
    fn tail(&self, row: u32, depth: usize) -> &[u8] {
        self.get(row as usize).get(depth..).unwrap_or_default()
    }

    /// So many bytes, from `depth` on, are the same in all of these keys: those of times are, mostly.
    fn same(&self, rows: &[(u128, u32)], depth: usize) -> usize {
        let Some(((_, first), others)) = rows.split_first() else { return 0 };
        let first = self.tail(*first, depth);
        let same = |count: usize, row: u32| {
            let (first, key) = (first.get(..count).unwrap_or_default(), self.tail(row, depth));
            if key.starts_with(first) {
                return count;
            }
            first.iter().zip(key).take_while(|(a, b)| a == b).count()
        };
        others.iter().fold(first.len(), |count, (_, row)| same(count, *row))
    }

    /// Sorts rows whose keys are equal up to `depth`: by some bytes at a time, which are compared as a number.
    /// `times`: how often that has been done.
    fn sort(&self, rows: &mut [(u128, u32)], depth: usize, times: usize) {
        if rows.len() <= FEW || times > TIMES_MAX {
            return rows.sort_by(|a, b| {
                let order = self.tail(a.1, depth).cmp(self.tail(b.1, depth));
                order.then_with(|| self.place(a.1).cmp(&self.place(b.1)))
            });
        }
        let depth = depth + self.same(rows, depth);
        let mut is_end = true;
        for (prefix, row) in rows.iter_mut() {
            let (key, mut first) = (self.tail(*row, depth), [0; PREFIX]);
            is_end &= key.is_empty();
            first.iter_mut().zip(key).for_each(|(slot, byte)| *slot = *byte);
            *prefix = u128::from_be_bytes(first);
        }
        if is_end {
            if !self.places.is_empty() {
                rows.sort_by_cached_key(|(_, row)| self.place(*row));
            }
            return;
        }
        // Rows that are in order already, or parts of them, take hardly any time.
        rows.sort_by_key(|(prefix, _)| *prefix);
        for equal in rows.chunk_by_mut(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1) {
            self.sort(equal, depth + PREFIX, times + 1);
        }
    }
}

/// The number of bytes of a key that are compared at once.
const PREFIX: usize = 16;
/// So many keys are looked at to know how long they are.
const LIKE: usize = 256;
/// So few rows are compared by their whole keys, and those that are equal so often.
const FEW: usize = 16;
const TIMES_MAX: usize = 64;

/// The values of one key, in any row.
#[derive(Debug, Clone)]
enum KeyColumn {
    Texts(Utf8ViewArray),
    Wholes(Int64Chunked),
    Doubles(Float64Chunked),
    Truths(BooleanChunked),
    /// Arrays and rows; a single one if they are constant.
    Nested(Vec<Part>),
}

impl KeyColumn {
    fn of(values: &Values, height: usize) -> Result<Self> {
        if matches!(values.kind, Kind::Array(_) | Kind::Row(_)) {
            return Ok(Self::Nested(nested::parts(values, height)?));
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

    fn push(&self, row: usize, options: OrderByOptions, out: &mut Vec<u8>) {
        let start = out.len() + 1;
        let nulls_first = options.nulls_first == Some(true);
        let is_there = {
            out.push(u8::from(nulls_first));
            match self {
                Self::Texts(texts) if row >= texts.len() => None,
                Self::Texts(texts) => texts.get(row).map(|text| push_text(text, out)),
                Self::Wholes(wholes) => wholes.get(row).map(|whole| out.extend(whole_bytes(whole))),
                Self::Doubles(doubles) => {
                    doubles.get(row).map(|number| out.extend(ordered(number).to_be_bytes()))
                }
                Self::Truths(truths) => truths.get(row).map(|truth| out.push(u8::from(truth))),
                Self::Nested(parts) => {
                    let part = parts.get(row).or(parts.first()).filter(|part| !matches!(part, Part::Null));
                    part.map(|part| push_part(part, out))
                }
            }
        };
        match (is_there, out.get_mut(start - 1)) {
            (None, Some(marker)) => *marker = u8::from(!nulls_first),
            _ if options.asc == Some(false) => out.iter_mut().skip(start).for_each(|byte| *byte = !*byte),
            _ => {}
        }
    }
}

/// Parts of arrays and rows, in the order of [`nested::places`]: a NULL among them comes after everything else,
/// and a shorter list before a longer one that begins like it.
fn push_part(part: &Part, out: &mut Vec<u8>) {
    const END: u8 = 0;
    const VALUE: u8 = 1;
    const NULL: u8 = 2;
    match part {
        Part::Whole(whole) => out.extend(whole_bytes(*whole)),
        Part::Number(number) => out.extend(total(number.to_bits()).to_be_bytes()),
        Part::Text(text) => push_text(text, out),
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

fn whole_bytes(whole: i64) -> [u8; 8] {
    (whole.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// A zero in the text is followed by 255, and the text's end is two zeros: so a text sorts before those
/// that it is a prefix of.
fn push_text(text: &str, out: &mut Vec<u8>) {
    // All bytes are looked at, several at once.
    if !text.bytes().fold(false, |has_zero, byte| has_zero | (byte == 0)) {
        out.extend_from_slice(text.as_bytes());
        return out.extend_from_slice(&[0, 0]);
    }
    for (at, piece) in text.split('\0').enumerate() {
        if at > 0 {
            out.extend([0, 255]);
        }
        out.extend_from_slice(piece.as_bytes());
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

#[cfg(test)]
mod tests {
    use polars::prelude::{IntoSeries, ListChunked, Series, StructChunked};

    use super::*;
    use crate::sql::types::order;
    use crate::sql::types::values::Cell;

    /// Lists of a column's values, with NULLs in them and in their place.
    fn lists(of: &Values) -> Values {
        let lists = (0..300_usize).map(|row| {
            let length = row * 7 % 5;
            (length < 4).then(|| of.data.slice((row * 13 % 17) as i64, length))
        });
        Values::new(Kind::array(of.kind.clone()), lists.collect::<ListChunked>().into_series())
    }

    fn rows(of: &[&Values]) -> Values {
        let names = ["a", "b", "c"];
        let fields = of.iter().zip(names).map(|(field, name)| field.data.clone().with_name(name.into()));
        let fields: Vec<Series> = fields.collect();
        let rows = StructChunked::from_series("".into(), 300, fields.iter()).unwrap();
        let kinds = of.iter().zip(names).map(|(field, name)| (name.to_owned(), field.kind.clone()));
        Values::new(Kind::Row(kinds.collect()), rows.into_series())
    }

    #[test]
    fn keys_have_the_order_of_the_values() {
        let mixed = |row: i64, salt: i64, of: i64| (row * 7_919 + salt * 104_729) % 1_009 % of;
        let texts = ["", "a", "a\0", "a\0b", "ab", "ä", "a\u{1}", "\0"];
        let doubles = [0.0, -0.0, 1.5, -1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300];
        let some = |row: i64, salt: i64| mixed(row, salt, 9) != 4;
        let columns = [
            Values::new(
                Kind::Varchar,
                String::column(
                    (0..300)
                        .map(|row| some(row, 1).then(|| texts[mixed(row, 5, 8) as usize].to_owned()))
                        .collect(),
                ),
            ),
            Values::new(
                Kind::Double,
                f64::column(
                    (0..300).map(|row| some(row, 2).then(|| doubles[mixed(row, 6, 8) as usize])).collect(),
                ),
            ),
            Values::new(
                Kind::Bigint,
                i64::column((0..300).map(|row| some(row, 3).then(|| mixed(row, 7, 5) - 2)).collect()),
            ),
            Values::new(
                Kind::Boolean,
                bool::column((0..300).map(|row| some(row, 4).then(|| mixed(row, 8, 2) == 1)).collect()),
            ),
        ];
        let nested: Vec<Values> = columns.iter().map(lists).collect();
        let mixed_rows = rows(&[&columns[0], &nested[2], &columns[1]]);
        let columns: Vec<Values> = columns.into_iter().chain(nested).chain([mixed_rows]).collect();
        let options = |at: usize| OrderByOptions {
            asc: [None, Some(true), Some(false)][at % 3],
            nulls_first: [None, Some(true), Some(false)][at / 3 % 3],
        };
        for choice in 0..81 * 9 {
            let (first, second) = (choice % 9, choice / 9 % 9);
            let keys =
                [(columns[first].clone(), options(choice / 81)), (columns[second].clone(), options(choice))];
            assert_eq!(Keys::of(&keys, 300).unwrap().order(), order::sorted(&keys, 300).unwrap(), "{choice}");
        }
    }

    #[test]
    fn keys_that_begin_alike_are_sorted_by_what_follows() {
        // Each begins like the next ones, and differs after many bytes.
        let text = |row: usize| format!("{}{}", "the same again ".repeat(row % 90), row * 31 % 1_000);
        let texts: Vec<String> = (0..2_000).map(text).collect();
        let column = Values::new(Kind::Varchar, String::column(texts.iter().cloned().map(Some).collect()));
        for asc in [true, false] {
            let keys = [(column.clone(), OrderByOptions { asc: Some(asc), nulls_first: None })];
            let keys = Keys::of(&keys, texts.len()).unwrap();
            let mut expected: Vec<usize> = (0..texts.len()).collect();
            expected.sort_by(|a, b| {
                let order = texts[*a].cmp(&texts[*b]);
                if asc { order } else { order.reverse() }
            });
            let order: Vec<usize> = keys.order().into_iter().map(|row| row.unwrap() as usize).collect();
            assert_eq!(order, expected);
        }
    }
}
