//! Columns → bytes, and back.
//!
//! Each column describes itself: a letter for its type, which values are NULL, and the values. A text that
//! several rows have is written once.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use indexmap::IndexSet;
use polars::prelude::{
    BooleanChunked, DataType, IdxCa, Int64Chunked, IntoSeries, ListChunked, NewChunkedArray, Series,
    StringChunked, StructChunked,
};
use polars_arrow::array::{ListArray, MutableBinaryViewArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::offset::OffsetsBuffer;

use crate::sql::error::{Result, SqlError};

/// The letter of a column that is another one.
const SAME: u8 = b'=';

/// The number for "no text".
const NONE: u32 = u32::MAX;

/// Adds a column to `out`.
pub(in crate::sql) fn pack(column: &Series, out: &mut Vec<u8>) -> Result<()> {
    match column.dtype() {
        DataType::Boolean => {
            out.push(b'b');
            out.extend(column.bool()?.iter().map(|truth| truth.map_or(2, u8::from)));
        }
        DataType::Int64 => {
            out.push(b'i');
            validity(column, out);
            column.i64()?.iter().for_each(|whole| out.extend(whole.unwrap_or_default().to_le_bytes()));
        }
        DataType::Float64 => {
            out.push(b'f');
            validity(column, out);
            column
                .f64()?
                .iter()
                .for_each(|number| out.extend(number.unwrap_or_default().to_bits().to_le_bytes()));
        }
        DataType::String => {
            out.push(b's');
            texts(column.str()?, out)?;
        }
        DataType::List(_) => {
            out.push(b'l');
            let lists = column.list()?.rechunk();
            validity(column, out);
            let mut ends = vec![0_usize];
            let array = lists.downcast_iter().next().ok_or_else(damaged)?;
            let offset =
                |at: usize| array.offsets().get(at).and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
            (0..lists.len()).for_each(|row| ends.push(offset(row + 1) - offset(0)));
            ends.iter().try_for_each(|end| number(*end, out))?;
            let count = ends.last().copied().unwrap_or(0);
            pack(&lists.get_inner().slice(i64::try_from(offset(0)).unwrap_or(i64::MAX), count), out)?;
        }
        DataType::Struct(_) => {
            out.push(b'r');
            validity(column, out);
            let fields = column.struct_()?.fields_as_series();
            number(fields.len(), out)?;
            for field in fields {
                number(field.name().len(), out)?;
                out.extend(field.name().as_bytes());
                pack(&field, out)?;
            }
        }
        other => return Err(SqlError::new(format!("values of {other} cannot be put aside"))),
    }
    Ok(())
}

/// Adds, instead of a column, the position of the same column.
pub(super) fn pack_same(position: usize, out: &mut Vec<u8>) -> Result<()> {
    out.push(SAME);
    number(position, out)
}

fn number(number: usize, out: &mut Vec<u8>) -> Result<()> {
    out.extend(u32::try_from(number).map_err(|_| SqlError::new("too much in one block"))?.to_le_bytes());
    Ok(())
}

/// Adds whole numbers, of eight bytes each.
pub(in crate::sql) fn pack_whole_numbers(numbers: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    numbers.for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

/// Writes a byte that says whether there are NULLs, and if so one for each row.
fn validity(column: &Series, out: &mut Vec<u8>) {
    out.push(u8::from(column.has_nulls()));
    if column.has_nulls() {
        out.extend(column.is_not_null().iter().map(|there| u8::from(there == Some(true))));
    }
}

/// After so many texts, of which hardly any have come twice, no others are looked for.
const PROBED: usize = 256;

/// Texts that repeat are written once, and numbered in each row; others as they come.
fn texts(texts: &StringChunked, out: &mut Vec<u8>) -> Result<()> {
    match numbered(texts) {
        Some((all, numbers)) => {
            out.push(b'n');
            number(all.len(), out)?;
            all.iter().try_for_each(|text| number(text.len(), out))?;
            all.iter().for_each(|text| out.extend_from_slice(text.as_bytes()));
            match u8::try_from(all.len()) {
                Ok(_) => out.extend(numbers.iter().map(|number| u8::try_from(*number).unwrap_or(u8::MAX))),
                Err(_) => numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes())),
            }
        }
        None => {
            out.push(b't');
            for text in texts.iter() {
                match text {
                    Some(text) if text.len() < NONE as usize => number(text.len(), out)?,
                    Some(_) => return Err(SqlError::new("too much in one block")),
                    None => out.extend_from_slice(&NONE.to_le_bytes()),
                }
            }
            texts.iter().flatten().for_each(|text| out.extend_from_slice(text.as_bytes()));
        }
    }
    Ok(())
}

/// Different texts in the order of their numbers, and the number in each row; `None` if hardly any repeat.
fn numbered(texts: &StringChunked) -> Option<(IndexSet<&str, RandomState>, Vec<u32>)> {
    let mut known: IndexSet<&str, RandomState> = IndexSet::with_hasher(RandomState::default());
    let mut numbers = Vec::with_capacity(texts.len());
    // Rows often share one copy of a text, which is found without looking at its bytes.
    let mut copies: [(&str, u32); COPIES] = [("", 0); COPIES];
    for text in texts.iter() {
        let Some(text) = text else {
            numbers.push(NONE);
            continue;
        };
        let place = text.as_ptr().addr() / 16 % COPIES;
        let number = match copies.get_mut(place) {
            Some((copy, number)) if std::ptr::eq(*copy, text) && !text.is_empty() => *number,
            slot => {
                let number = u32::try_from(known.insert_full(text).0).ok()?;
                if let Some(slot) = slot {
                    *slot = (text, number);
                }
                number
            }
        };
        numbers.push(number);
        if numbers.len() >= PROBED && known.len() >= numbers.len() / 8 * 7 {
            return None;
        }
    }
    Some((known, numbers))
}

/// So many copies of texts are known by their places in memory.
const COPIES: usize = 64;

pub(in crate::sql) fn damaged() -> SqlError {
    SqlError { of_disk: true, ..SqlError::new("a temporary file has been changed by somebody else") }
}

/// Bytes that are read from the beginning.
pub(in crate::sql) struct Packed<'b>(pub &'b [u8]);

impl<'b> Packed<'b> {
    fn bytes(&mut self, count: usize) -> Result<&'b [u8]> {
        let (head, rest) = self.0.split_at_checked(count).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.bytes(1)?.first().copied().unwrap_or_default())
    }

    fn number(&mut self) -> Result<usize> {
        let bytes = self.bytes(4)?.try_into().map_err(|_| damaged())?;
        Ok(u32::from_le_bytes(bytes) as usize)
    }

    /// So many whole numbers, of eight bytes each.
    pub fn whole_numbers(&mut self, count: usize) -> Result<impl Iterator<Item = u64> + Clone + 'b> {
        let cells = self.bytes(count.saturating_mul(8))?.chunks_exact(8);
        Ok(cells.map(|cell| cell.try_into().map_or(0, u64::from_le_bytes)))
    }

    fn validity(&mut self, height: usize) -> Result<Option<Bitmap>> {
        match self.byte()? {
            0 => Ok(None),
            _ => Ok(Some(self.bytes(height)?.iter().map(|there| *there == 1).collect())),
        }
    }

    fn wholes(&mut self, height: usize) -> Result<(Vec<u64>, Option<Bitmap>)> {
        let there = self.validity(height)?;
        Ok((self.whole_numbers(height)?.collect(), there))
    }

    /// The position of the column that the next one is the same as.
    pub fn same(&mut self) -> Result<Option<usize>> {
        if self.0.first() != Some(&SAME) {
            return Ok(None);
        }
        self.byte()?;
        self.number().map(Some)
    }

    /// The next column, with `height` rows.
    pub fn column(&mut self, name: &str, height: usize) -> Result<Series> {
        let is_there =
            |there: &Option<Bitmap>, row: usize| there.as_ref().is_none_or(|there| there.get_bit(row));
        Ok(match self.byte()? {
            b'b' => BooleanChunked::from_iter_options(
                name.into(),
                self.bytes(height)?.iter().map(|truth| (*truth < 2).then_some(*truth == 1)),
            )
            .into_series(),
            b'i' => {
                let (cells, there) = self.wholes(height)?;
                let cells = cells.into_iter().map(u64::cast_signed);
                match there {
                    None => Int64Chunked::from_vec(name.into(), cells.collect()).into_series(),
                    Some(there) => {
                        let cells = cells.zip(there.iter()).map(|(cell, is_there)| is_there.then_some(cell));
                        Int64Chunked::from_iter_options(name.into(), cells).into_series()
                    }
                }
            }
            b'f' => {
                let (cells, there) = self.wholes(height)?;
                let cells = cells
                    .into_iter()
                    .enumerate()
                    .map(|(row, cell)| is_there(&there, row).then_some(f64::from_bits(cell)));
                polars::prelude::Float64Chunked::from_iter_options(name.into(), cells).into_series()
            }
            b's' => self.texts(name, height)?,
            b'l' => {
                let there = self.validity(height)?;
                let ends = (0..=height)
                    .map(|_| self.number().map(|end| i64::try_from(end).unwrap_or(i64::MAX)))
                    .collect::<Result<Vec<_>>>()?;
                let count = ends.last().and_then(|end| usize::try_from(*end).ok()).unwrap_or(0);
                let elements = self.column("", count)?.rechunk();
                let values = elements.chunks().first().ok_or_else(damaged)?.clone();
                let arrow = ListArray::<i64>::default_datatype(values.dtype().clone());
                ListChunked::with_chunk(
                    name.into(),
                    ListArray::try_new(arrow, OffsetsBuffer::try_from(ends)?, values, there)?,
                )
                .into_series()
            }
            b'r' => {
                let there = self.validity(height)?;
                let count = self.number()?;
                let mut fields = Vec::with_capacity(count.min(1_000));
                for _ in 0..count {
                    let length = self.number()?;
                    let name = std::str::from_utf8(self.bytes(length)?).map_err(|_| damaged())?;
                    fields.push(self.column(name, height)?);
                }
                let rows = StructChunked::from_series(name.into(), height, fields.iter())?;
                match there {
                    None => rows.into_series(),
                    there => rows.with_outer_validity(there).into_series(),
                }
            }
            _ => return Err(damaged()),
        })
    }

    fn texts(&mut self, name: &str, height: usize) -> Result<Series> {
        let is_numbered = self.byte()? == b'n';
        let count = if is_numbered { self.number()? } else { height };
        let lengths = self.bytes(count.saturating_mul(4))?.chunks_exact(4);
        let lengths = lengths.map(|length| length.try_into().map_or(NONE, u32::from_le_bytes));
        let all: usize = lengths.clone().filter(|length| *length != NONE).map(|length| length as usize).sum();
        // Checked at once, which is faster than text by text.
        let mut rest = std::str::from_utf8(self.bytes(all)?).map_err(|_| damaged())?;
        let mut known = MutableBinaryViewArray::<str>::with_capacity(count);
        for length in lengths {
            if length == NONE {
                known.push_null();
                continue;
            }
            let (text, more) = rest.split_at_checked(length as usize).ok_or_else(damaged)?;
            known.push_value(text);
            rest = more;
        }
        let known = StringChunked::with_chunk(name.into(), known.into()).into_series();
        if !is_numbered {
            return Ok(known);
        }
        let numbers: Vec<u32> = match u8::try_from(count) {
            Ok(_) => self.bytes(height)?.iter().map(|number| u32::from(*number)).collect(),
            Err(_) => {
                let numbers = self.bytes(height.saturating_mul(4))?.chunks_exact(4);
                numbers.map(|number| number.try_into().map_or(NONE, u32::from_le_bytes)).collect()
            }
        };
        let none = if u8::try_from(count).is_ok() { u32::from(u8::MAX) } else { NONE };
        Ok(match numbers.contains(&none) {
            false => known.take(&IdxCa::from_vec(name.into(), numbers))?,
            true => {
                let numbers = numbers.into_iter().map(|number| (number != none).then_some(number));
                known.take(&numbers.collect::<IdxCa>().with_name(name.into()))?
            }
        })
    }
}

/// A hash for each row: equal for rows that are equal in these columns, in all processes.
pub(super) fn hashes(columns: &[Series], height: usize, seed: u64) -> Result<Vec<u64>> {
    let mut all = vec![seed; height];
    let mix =
        |slot: &mut u64, hash: u64| *slot = (slot.rotate_left(23) ^ hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for column in columns {
        match column.dtype() {
            DataType::String => all.iter_mut().zip(column.str()?.iter()).for_each(|(slot, text)| {
                mix(slot, text.map_or(1, |text| xxhash_rust::xxh3::xxh3_64_with_seed(text.as_bytes(), seed)));
            }),
            DataType::Int64 => all
                .iter_mut()
                .zip(column.i64()?.iter())
                .for_each(|(slot, whole)| mix(slot, whole.map_or(1, hash_of))),
            DataType::Boolean => all
                .iter_mut()
                .zip(column.bool()?.iter())
                .for_each(|(slot, truth)| mix(slot, truth.map_or(1, |truth| 2 + u64::from(truth)))),
            DataType::Float64 => all.iter_mut().zip(column.f64()?.iter()).for_each(|(slot, number)| {
                // Both zeros are equal, and so are all NaNs.
                let bits = number.map(|number| if number.is_nan() { 3 } else { (number + 0.0).to_bits() });
                mix(slot, bits.map_or(1, |bits| hash_of(bits.cast_signed())));
            }),
            other => return Err(SqlError::new(format!("values of {other} are no keys"))),
        }
    }
    // The upper bits are better distributed; shares are chosen by the lower ones.
    all.iter_mut().for_each(|slot| *slot ^= *slot >> 32);
    Ok(all)
}

fn hash_of(whole: i64) -> u64 {
    foldhash::fast::FixedState::with_seed(7).hash_one(whole)
}

#[cfg(test)]
mod tests {
    use polars::prelude::NamedFrom;

    use super::*;
    use crate::sql::types::values::take;
    use crate::tables::Kind;
    use crate::tables::builder::Builder;

    fn again(column: &Series) -> Series {
        let mut bytes = Vec::new();
        pack(column, &mut bytes).unwrap();
        let mut packed = Packed(&bytes);
        let read = packed.column(column.name(), column.len()).unwrap();
        assert!(packed.0.is_empty());
        read
    }

    #[test]
    fn what_is_packed_comes_back() {
        let kind = Kind::Row(vec![
            ("a".to_owned(), Kind::Varchar),
            (
                "l".to_owned(),
                Kind::array(Kind::Row(vec![("x".to_owned(), Kind::Bigint), ("y".to_owned(), Kind::Boolean)])),
            ),
            ("d".to_owned(), Kind::Double),
        ]);
        let mut builder = Builder::new(&kind);
        for text in [
            r#"{"a":"one","l":[{"x":1},{"x":-2,"y":"true"}],"d":1.5}"#,
            "{}",
            r#"{"a":"one","l":[],"d":-0.0}"#,
            r#"{"a":"","l":null}"#,
            "null",
        ] {
            builder.push_json(Some(&serde_json::value::RawValue::from_string(text.to_owned()).unwrap()));
        }
        let column = builder.take("c");
        for (start, count) in [(0, 5), (1, 3), (4, 1), (2, 0)] {
            let slice = column.slice(start, count);
            let read = again(&slice);
            assert_eq!(read.dtype(), slice.dtype());
            assert!(read.equals_missing(&slice), "{read:?} {slice:?}");
        }
        // A row that is NULL is not a row of NULLs.
        let absent = take(&column, &[Some(0), None]).unwrap();
        assert_eq!(again(&absent).null_count(), absent.null_count());
    }

    #[test]
    fn texts_come_back_whether_they_repeat_or_not() {
        for different in [1, 7, PROBED, 10 * PROBED] {
            let text = |row: usize| (row % 11 != 5).then(|| format!("text {}", row * row % different));
            let column = Series::new("c".into(), (0..3 * PROBED).map(text).collect::<Vec<_>>());
            assert!(again(&column).equals_missing(&column), "{different}");
        }
    }

    #[test]
    fn damage_is_an_error() {
        let mut bytes = Vec::new();
        pack(&Series::new("".into(), ["a", "b"]), &mut bytes).unwrap();
        for length in 0..bytes.len() {
            assert!(Packed(&bytes[..length]).column("", 2).is_err(), "{length}");
        }
    }

    #[test]
    fn equal_rows_have_equal_hashes() {
        let texts = Series::new("".into(), [Some("a"), None, Some("a"), None]);
        let numbers = Series::new("".into(), [0.0, f64::NAN, -0.0, -f64::NAN]);
        let hashes = hashes(&[texts, numbers], 4, 1).unwrap();
        assert_eq!((hashes[0], hashes[1]), (hashes[2], hashes[3]));
        assert_ne!(hashes[0], hashes[1]);
    }
}
