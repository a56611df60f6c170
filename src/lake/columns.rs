//! Rows → columns as Arrow has them. Texts are not copied: a column is a list of places in the rows.
//!
//! Where values repeat, a column becomes a dictionary and its numbers, inside rows and lists as well.

use polars_arrow::array::{Array, BinaryViewArray, DictionaryArray, ListArray, PrimitiveArray, StructArray, View};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, Field, IntegerType};
use polars_arrow::offset::OffsetsBuffer;
use polars_buffer::Buffer;
use polars_error::PolarsResult;
use polars_parquet::write::Encoding;
use xxhash_rust::xxh3::xxh3_64;

use super::row::Cells;
use super::shape::Shape;

/// Bytes of a dictionary, at most: readers keep it in memory, and the fewer repetitions the less it is worth.
const DICTIONARY_BYTES_MAX: usize = 1 << 20;
/// After as many values, so many of them must have been repetitions.
const PROBE: usize = 4_096;

/// A column, or a part of one, while rows come in.
pub(super) enum Column {
    Text(Texts),
    Row(Vec<(String, Column)>),
    List { lengths: Vec<Option<usize>>, elements: Box<Column> },
}

/// Places of texts.
#[derive(Default)]
pub(super) struct Texts {
    /// NULLs before the first text: most columns have nothing else.
    nulls: usize,
    /// Start and length; a NULL has no length.
    spans: Vec<(u32, u32)>,
}

const NULL: (u32, u32) = (0, u32::MAX);

impl Column {
    pub(super) fn new(shape: &Shape) -> Self {
        let text = || Self::Text(Texts::default());
        match shape {
            Shape::Text => text(),
            Shape::Row(fields) => Self::Row(fields.iter().map(|field| (field.name.clone(), Self::new(&field.shape))).collect()),
            Shape::List(element) => Self::List { lengths: Vec::new(), elements: Box::new(Self::new(element)) },
            Shape::Map => {
                let entry = vec![("key".to_owned(), text()), ("value".to_owned(), text())];
                Self::List { lengths: Vec::new(), elements: Box::new(Self::Row(entry)) }
            }
        }
    }

    /// Takes the next value of a row; `None` if the row is damaged.
    pub(super) fn take(&mut self, cells: &mut Cells<'_>) -> Option<()> {
        match self {
            Self::Text(texts) => texts.push(cells.text()?),
            Self::Row(fields) => fields.iter_mut().try_for_each(|(_, column)| column.take(cells))?,
            Self::List { lengths, elements } => {
                let length = cells.count()?;
                lengths.push(length);
                (0..length.unwrap_or(0)).try_for_each(|_| elements.take(cells))?;
            }
        }
        Some(())
    }

    /// The column, and how its leaves are to be written. `bytes` is where the texts are.
    pub(super) fn array(&self, bytes: &Buffer<u8>, encodings: &mut Vec<Encoding>) -> PolarsResult<Box<dyn Array>> {
        match self {
            Self::Text(texts) => texts.array(bytes, encodings),
            Self::Row(fields) => {
                let values = fields.iter().map(|(_, column)| column.array(bytes, encodings)).collect::<PolarsResult<Vec<_>>>()?;
                let field = |((name, _), values): (&(String, Self), &Box<dyn Array>)| Field::new(name.as_str().into(), values.dtype().clone(), true);
                let dtype = ArrowDataType::Struct(fields.iter().zip(&values).map(field).collect());
                let length = values.first().map_or(0, |values| values.len());
                Ok(StructArray::try_new(dtype, length, values, None)?.boxed())
            }
            Self::List { lengths, elements } => {
                let values = elements.array(bytes, encodings)?;
                let offsets: OffsetsBuffer<i64> =
                    polars_arrow::offset::Offsets::try_from_lengths(lengths.iter().map(|length| length.unwrap_or(0)))?.into();
                let dtype = ListArray::<i64>::default_datatype(values.dtype().clone());
                Ok(ListArray::<i64>::try_new(dtype, offsets, values, validity(lengths.iter().map(Option::is_some)))?.boxed())
            }
        }
    }
}

/// `None` where every value is there.
fn validity(there: impl Iterator<Item = bool>) -> Option<Bitmap> {
    let bitmap: Bitmap = there.collect();
    (bitmap.unset_bits() > 0).then_some(bitmap)
}

impl Texts {
    pub(super) fn push(&mut self, place: Option<(usize, usize)>) {
        let span = place.and_then(|(start, length)| Some((u32::try_from(start).ok()?, u32::try_from(length).ok()?)));
        match span {
            None if self.spans.is_empty() => self.nulls += 1,
            span => self.spans.push(span.unwrap_or(NULL)),
        }
    }

    fn spans(&self) -> impl Iterator<Item = (u32, u32)> {
        std::iter::repeat_n(NULL, self.nulls).chain(self.spans.iter().copied())
    }

    fn validity(&self) -> Option<Bitmap> {
        validity(self.spans().map(|span| span != NULL))
    }

    fn array(&self, bytes: &Buffer<u8>, encodings: &mut Vec<Encoding>) -> PolarsResult<Box<dyn Array>> {
        if let Some((keys, distinct)) = self.dictionary(bytes) {
            encodings.push(Encoding::RleDictionary);
            let values = views(distinct.into_iter(), bytes, None)?;
            let keys = PrimitiveArray::try_new(ArrowDataType::UInt32, keys.into(), self.validity())?;
            let dtype = ArrowDataType::Dictionary(IntegerType::UInt32, Box::new(values.dtype().clone()), false);
            return Ok(DictionaryArray::<u32>::try_new(dtype, keys, values.boxed())?.boxed());
        }
        encodings.push(Encoding::Plain);
        Ok(views(self.spans(), bytes, self.validity())?.boxed())
    }

    /// A number for each value and the distinct values, by number; `None` where too few are repetitions.
    fn dictionary(&self, bytes: &[u8]) -> Option<(Vec<u32>, Vec<(u32, u32)>)> {
        let mut distinct = Distinct::default();
        let mut keys = vec![0; self.nulls];
        keys.reserve(self.spans.len());
        let (mut seen, mut last) = (0, None);
        for span in &self.spans {
            if *span == NULL {
                keys.push(0);
                continue;
            }
            let text = text(bytes, *span);
            // In the order of time, equal values often stand side by side.
            let key = match last {
                Some((known, key)) if known == text => key,
                _ => distinct.key(bytes, *span, text)?,
            };
            last = Some((text, key));
            keys.push(key);
            seen += 1;
            if seen == PROBE && distinct.values.len() > PROBE / 2 {
                return None;
            }
        }
        (distinct.values.len() <= seen / 2 || seen < PROBE).then_some((keys, distinct.values))
    }
}

fn text(bytes: &[u8], (start, length): (u32, u32)) -> &[u8] {
    bytes.get(start as usize..).and_then(|rest| rest.get(..length as usize)).unwrap_or_default()
}

/// An array of the texts at `spans`.
fn views(spans: impl Iterator<Item = (u32, u32)>, bytes: &Buffer<u8>, validity: Option<Bitmap>) -> PolarsResult<BinaryViewArray> {
    let view = |span| if span == NULL { View::default() } else { View::new_from_bytes(text(bytes, span), 0, span.0) };
    let views: Vec<View> = spans.map(view).collect();
    BinaryViewArray::try_new(ArrowDataType::BinaryView, views.into(), vec![bytes.clone()].into(), validity)
}

/// Distinct texts, numbered as they come. A table of numbers, open to the next free slot.
#[derive(Default)]
struct Distinct {
    values: Vec<(u32, u32)>,
    /// Number plus one; zero is free. A power of two, at most half full.
    slots: Vec<u32>,
    size: usize,
}

impl Distinct {
    /// The number of a text; `None` when there are too many.
    fn key(&mut self, bytes: &[u8], span: (u32, u32), wanted: &[u8]) -> Option<u32> {
        if self.values.len() * 2 >= self.slots.len() {
            self.grow(bytes);
        }
        let mut at = self.home(wanted);
        loop {
            let slot = self.slots.get_mut(at)?;
            match slot.checked_sub(1) {
                Some(key) if text(bytes, *self.values.get(key as usize)?) == wanted => return Some(key),
                Some(_) => at = (at + 1) & (self.slots.len() - 1),
                None => {
                    self.size += wanted.len() + 4;
                    self.values.push(span);
                    *slot = u32::try_from(self.values.len()).ok()?;
                    return (self.size <= DICTIONARY_BYTES_MAX).then_some(*slot - 1);
                }
            }
        }
    }

    fn home(&self, text: &[u8]) -> usize {
        xxh3_64(text) as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self, bytes: &[u8]) {
        self.slots = vec![0; (self.slots.len() * 2).max(64)];
        for (key, span) in (1..).zip(&self.values) {
            let mut at = self.home(text(bytes, *span));
            while self.slots.get(at).is_some_and(|slot| *slot != 0) {
                at = (at + 1) & (self.slots.len() - 1);
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = key;
            }
        }
    }
}
