//! A page of a Parquet column, while it is filled and when it is complete.
//!
//! First come the levels, mostly as runs of equal numbers: which values are NULL, and where lists begin. Then
//! come the texts themselves, or their numbers in a dictionary. Each page's metadata has its smallest and
//! greatest text.

use polars_error::PolarsResult;
use polars_parquet::parquet::encoding::hybrid_rle::encode;
use polars_parquet::parquet::metadata::Descriptor;
use polars_parquet::parquet::page::{CompressedPage, DataPageHeader, DataPageHeaderV1};
use polars_parquet::parquet::schema::types::PrimitiveType;
use polars_parquet::parquet::statistics::BinaryStatistics;
use polars_parquet::write::Encoding;

use super::dictionary::Dictionary;
use super::levels::{Levels, bits};
use super::packer::{Packed, Packer};
use crate::lake::record::row::prefix;

/// Approximate bytes of texts in a page.
pub(super) const PAGE_BYTES: usize = 1 << 20;
/// Longer texts are truncated in the metadata's smallest and greatest text.
const BOUND_BYTES_MAX: usize = 64;

/// Room for the levels before the texts; if they take more, the texts are moved.
const ROOM: usize = 64;

/// A page that is being filled.
pub(super) struct Page<'p> {
    /// The definition level of a text.
    pub level: u8,
    /// Whether it has repetition levels as well.
    pub repeats: bool,
    pub nulls: usize,
    rows: usize,
    repetition: Levels,
    definition: Levels,
    bounds: Bounds<'p>,
    /// The texts, after some free room.
    texts: Vec<u8>,
}

/// A compressed page.
pub(super) struct FullPage {
    packed: Packed,
    values: usize,
    nulls: usize,
    rows: usize,
    encoding: Encoding,
    least: Option<Vec<u8>>,
    greatest: Option<Vec<u8>>,
}

/// A text with its first bytes as a number, which makes comparing quicker.
type Prefixed<'p> = (u64, &'p [u8]);

/// The smallest and the greatest text.
#[derive(Default)]
struct Bounds<'p>(Option<(Prefixed<'p>, Prefixed<'p>)>);

impl<'p> Bounds<'p> {
    #[inline]
    fn note(&mut self, text: &'p [u8]) {
        let text = (prefix(text), text);
        match &mut self.0 {
            None => self.0 = Some((text, text)),
            Some((least, _)) if text < *least => *least = text,
            Some((_, greatest)) if text > *greatest => *greatest = text,
            _ => {}
        }
    }
}

impl<'p> Page<'p> {
    pub(in crate::lake) fn new(level: u8, repeats: bool) -> Self {
        let (repetition, definition) = (Levels::default(), Levels::default());
        Self {
            level,
            repeats,
            nulls: 0,
            rows: 0,
            repetition,
            definition,
            bounds: Bounds::default(),
            texts: Vec::new(),
        }
    }

    /// Adds the levels of a text.
    #[inline]
    pub(super) fn level_of_text(&mut self, repetition: u8) {
        if self.repeats {
            self.repetition.push(repetition);
        }
        self.definition.push(self.level);
        self.rows += usize::from(repetition == 0);
    }

    /// Adds the levels of several values.
    pub(in crate::lake) fn levels(&mut self, repetition: u8, definition: u8, count: usize) {
        if self.repeats {
            self.repetition.push_many(repetition, count);
        }
        self.definition.push_many(definition, count);
        if repetition == 0 {
            self.rows += count;
        }
    }

    /// The repetition and definition levels of all values, in order.
    pub(in crate::lake) fn both(&self) -> impl Iterator<Item = (u8, u8)> {
        let without = if self.repeats { 0 } else { self.definition.len() };
        self.repetition.iter().chain(std::iter::repeat_n(0, without)).zip(self.definition.iter())
    }

    /// Adds a text; its levels are added separately.
    #[inline]
    pub(in crate::lake) fn text(&mut self, text: &'p [u8]) {
        if self.texts.is_empty() {
            self.texts.resize(ROOM, 0);
        }
        // Once a page is likely to become full, it gets exactly that much memory.
        if self.texts.len() > PAGE_BYTES / 4 && self.texts.capacity() < PAGE_BYTES {
            self.texts.reserve_exact(PAGE_BYTES + PAGE_BYTES / 16 - self.texts.len());
        }
        put_plain(&mut self.texts, text);
        self.bounds.note(text);
    }

    /// Approximate bytes of its texts.
    pub(in crate::lake) const fn bytes(&self) -> usize {
        self.texts.len()
    }

    /// Returns the dictionary page. This page then contains no texts but their numbers.
    pub(super) fn dictionary(
        &mut self,
        dictionary: &Dictionary<'p>,
        packer: &mut Packer,
    ) -> PolarsResult<CompressedPage> {
        dictionary.values.iter().for_each(|text| put_plain(&mut self.texts, text));
        let page = packer.dictionary(&self.texts, dictionary.values.len());
        self.texts.clear();
        page
    }

    /// Compresses the page with the numbers of all texts, and empties it.
    pub(super) fn close_numbers(
        &mut self,
        dictionary: &Dictionary<'p>,
        packer: &mut Packer,
    ) -> PolarsResult<FullPage> {
        dictionary.values.iter().for_each(|text| self.bounds.note(text));
        let bits = bits(u32::try_from(dictionary.values.len()).unwrap_or(u32::MAX)).max(1);
        self.texts.resize(ROOM, 0);
        self.texts.push(bits as u8);
        encode::<u32, _, _>(&mut self.texts, dictionary.keys.iter().copied(), bits)?;
        self.pack(Encoding::RleDictionary, packer)
    }

    /// Compresses the page, and empties it.
    pub(in crate::lake) fn close(&mut self, packer: &mut Packer) -> PolarsResult<FullPage> {
        self.pack(Encoding::Plain, packer)
    }

    fn pack(&mut self, encoding: Encoding, packer: &mut Packer) -> PolarsResult<FullPage> {
        let mut levels = Vec::with_capacity(ROOM);
        if self.repeats {
            self.repetition.put(1, &mut levels)?;
        }
        self.definition.put(self.level, &mut levels)?;
        let room = ROOM.min(self.texts.len());
        let start = room.saturating_sub(levels.len());
        self.texts.splice(start..room, levels);
        let packed = packer.pack(self.texts.get(start..).unwrap_or_default())?;
        self.texts.clear();
        let bounds = std::mem::take(&mut self.bounds).0;
        Ok(FullPage {
            packed,
            values: std::mem::take(&mut self.definition).len(),
            nulls: std::mem::take(&mut self.nulls),
            rows: std::mem::take(&mut self.rows),
            encoding,
            least: bounds.map(|((_, least), _)| lower_bound(least)),
            greatest: bounds.map(|(_, (_, greatest))| upper_bound(greatest)),
        })
    }
}

impl FullPage {
    /// Converts it to the type of the file writer; `kind` is the Parquet type of the column.
    pub(super) fn into_page(self, kind: &PrimitiveType) -> CompressedPage {
        let statistics = BinaryStatistics {
            primitive_type: kind.clone(),
            null_count: i64::try_from(self.nulls).ok(),
            distinct_count: None,
            min_value: self.least,
            max_value: self.greatest,
        };
        let header = DataPageHeader::V1(DataPageHeaderV1 {
            num_values: i32::try_from(self.values).unwrap_or(i32::MAX),
            encoding: self.encoding.into(),
            definition_level_encoding: Encoding::Rle.into(),
            repetition_level_encoding: Encoding::Rle.into(),
            statistics: Some(statistics.serialize()),
        });
        let descriptor = Descriptor { primitive_type: kind.clone(), max_def_level: 0, max_rep_level: 0 };
        self.packed.into_page(header, descriptor, self.rows)
    }
}

fn put_plain(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(text);
}

/// A lower bound: the beginning of a text is never greater than the text.
fn lower_bound(text: &[u8]) -> Vec<u8> {
    beginning(text).to_vec()
}

/// An upper bound: the beginning with its last character increased.
fn upper_bound(text: &[u8]) -> Vec<u8> {
    let mut bound = beginning(text).to_vec();
    if bound.len() == text.len() {
        return bound;
    }
    while let Some(last) = bound.pop() {
        if last < 0x7f {
            bound.push(last + 1);
            return bound;
        }
    }
    text.to_vec()
}

/// The first characters of a text.
fn beginning(text: &[u8]) -> &[u8] {
    let is_cut = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80);
    let end = if text.len() <= BOUND_BYTES_MAX {
        text.len()
    } else {
        (0..=BOUND_BYTES_MAX).rev().find(is_cut).unwrap_or(0)
    };
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_long_texts_are_short_and_still_bounds() {
        let long = "é".repeat(40);
        let tilde = format!("a{}", "\u{7f}".repeat(90));
        for text in
            ["", "short", &"x".repeat(200), &long, &format!("b{long}"), &tilde, &"\u{10ffff}".repeat(30)]
        {
            let (least, greatest) = (lower_bound(text.as_bytes()), upper_bound(text.as_bytes()));
            assert!(least.as_slice() <= text.as_bytes() && text.as_bytes() <= greatest.as_slice(), "{text}");
            assert!(std::str::from_utf8(&least).is_ok() && std::str::from_utf8(&greatest).is_ok(), "{text}");
        }
        assert_eq!(upper_bound("x".repeat(200).as_bytes()).len(), 64);
    }
}
