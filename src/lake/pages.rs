//! A leaf of texts → the pages of a Parquet column, compressed.
//!
//! Levels say what is NULL and where lists begin: runs of one number, mostly. Where texts repeat, a dictionary comes first and
//! numbers follow; else the texts stand as they are. Each page tells its least and greatest text.

use polars_error::PolarsResult;
use polars_parquet::parquet::CowBuffer;
use polars_parquet::parquet::encoding::hybrid_rle::encode;
use polars_parquet::parquet::metadata::Descriptor;
use polars_parquet::parquet::page::{DataPage, DataPageHeader, DataPageHeaderV1, DictPage, Page};
use polars_parquet::parquet::schema::types::PrimitiveType;
use polars_parquet::parquet::statistics::BinaryStatistics;
use polars_parquet::write::{CompressedPage, CompressionOptions, Encoding, compress};

use super::columns::{Leaf, NULL, Span, text};
use super::dictionary::Dictionary;

/// Bytes of texts in a page, about.
const PAGE_BYTES: usize = 1 << 20;
/// Longer texts are cut in what a page tells of its least and greatest.
const BOUND_BYTES_MAX: usize = 64;

/// All pages of a leaf.
pub(super) fn pages(leaf: Leaf<'_>, bytes: &[u8], kind: &PrimitiveType, compression: CompressionOptions) -> PolarsResult<Vec<CompressedPage>> {
    let dictionary = Dictionary::of(leaf.texts, bytes);
    let mut pages = Pages { leaf, bytes, kind, compression, done: Vec::new(), page: Draft::default() };
    if let Some(dictionary) = &dictionary {
        let mut values = Vec::new();
        dictionary.values.iter().for_each(|span| put_plain(&mut values, text(bytes, *span)));
        pages.push(Page::Dict(DictPage::new(CowBuffer::Owned(values), dictionary.values.len(), false)))?;
    }
    let mut keys = dictionary.as_ref().map(|dictionary| dictionary.keys.iter().copied());
    let mut spans = leaf.texts.spans();
    let mut value = || spans.next().map(|span| (span, if span == NULL { None } else { keys.as_mut().and_then(Iterator::next) }));
    match leaf.list {
        None => {
            while let Some((span, key)) = value() {
                pages.row_begins()?;
                pages.value(0, span, key);
            }
        }
        Some(list) => {
            for length in list.lengths {
                pages.row_begins()?;
                match length {
                    None => pages.page.levels(0, list.level),
                    Some(0) => pages.page.levels(0, list.level + 1),
                    Some(length) => {
                        for (at, (span, key)) in (0..*length).zip(std::iter::from_fn(&mut value)) {
                            pages.value(u32::from(at > 0), span, key);
                        }
                    }
                }
            }
        }
    }
    pages.close(dictionary.as_ref())?;
    Ok(pages.done)
}

struct Pages<'p> {
    leaf: Leaf<'p>,
    bytes: &'p [u8],
    kind: &'p PrimitiveType,
    compression: CompressionOptions,
    done: Vec<CompressedPage>,
    page: Draft<'p>,
}

/// A page that grows.
#[derive(Default)]
struct Draft<'p> {
    rows: usize,
    repetition: Vec<u32>,
    definition: Vec<u32>,
    texts: Vec<u8>,
    keys: Vec<u32>,
    least: Option<&'p [u8]>,
    greatest: Option<&'p [u8]>,
    nulls: usize,
}

impl Draft<'_> {
    fn levels(&mut self, repetition: u32, definition: u32) {
        self.repetition.push(repetition);
        self.definition.push(definition);
        self.nulls += 1;
    }
}

impl<'p> Pages<'p> {
    /// A page ends with a row; pages of numbers are small as they are.
    fn row_begins(&mut self) -> PolarsResult<()> {
        if self.page.texts.len() >= PAGE_BYTES {
            self.close(None)?;
        }
        self.page.rows += 1;
        Ok(())
    }

    fn value(&mut self, repetition: u32, span: Span, key: Option<u32>) {
        let page = &mut self.page;
        if self.leaf.list.is_some() {
            page.repetition.push(repetition);
        }
        if span == NULL {
            page.definition.push(self.leaf.level - 1);
            page.nulls += 1;
            return;
        }
        page.definition.push(self.leaf.level);
        let text = text(self.bytes, span);
        match key {
            Some(key) => page.keys.push(key),
            None => {
                put_plain(&mut page.texts, text);
                page.least = Some(page.least.map_or(text, |least| least.min(text)));
                page.greatest = Some(page.greatest.map_or(text, |greatest| greatest.max(text)));
            }
        }
    }

    fn close(&mut self, dictionary: Option<&Dictionary>) -> PolarsResult<()> {
        let mut page = std::mem::take(&mut self.page);
        let mut buffer = Vec::with_capacity(page.texts.len() + page.keys.len() + 64);
        if self.leaf.list.is_some() {
            put_levels(&mut buffer, &page.repetition, 1)?;
        }
        put_levels(&mut buffer, &page.definition, self.leaf.level)?;
        if let Some(dictionary) = dictionary {
            let texts = || dictionary.values.iter().map(|span| text(self.bytes, *span));
            (page.least, page.greatest) = (texts().min(), texts().max());
            let bits = bits(u32::try_from(dictionary.values.len()).unwrap_or(u32::MAX)).max(1);
            buffer.push(bits as u8);
            encode::<u32, _, _>(&mut buffer, page.keys.iter().copied(), bits)?;
        }
        buffer.append(&mut page.texts);
        let statistics = BinaryStatistics {
            primitive_type: self.kind.clone(),
            null_count: i64::try_from(page.nulls).ok(),
            distinct_count: None,
            min_value: page.least.map(lower_bound),
            max_value: page.greatest.map(upper_bound),
        };
        let header = DataPageHeader::V1(DataPageHeaderV1 {
            num_values: i32::try_from(page.definition.len()).unwrap_or(i32::MAX),
            encoding: if dictionary.is_some() { Encoding::RleDictionary } else { Encoding::Plain }.into(),
            definition_level_encoding: Encoding::Rle.into(),
            repetition_level_encoding: Encoding::Rle.into(),
            statistics: Some(statistics.serialize()),
        });
        let descriptor = Descriptor { primitive_type: self.kind.clone(), max_def_level: 0, max_rep_level: 0 };
        self.push(Page::Data(DataPage::new(header, CowBuffer::Owned(buffer), descriptor, page.rows)))
    }

    fn push(&mut self, page: Page) -> PolarsResult<()> {
        self.done.push(compress(page, Vec::new(), self.compression)?);
        Ok(())
    }
}

fn put_plain(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(text);
}

/// Levels up to `max`, with their length before them.
fn put_levels(out: &mut Vec<u8>, levels: &[u32], max: u32) -> PolarsResult<()> {
    let mut encoded = Vec::new();
    encode::<u32, _, _>(&mut encoded, levels.iter().copied(), bits(max))?;
    put_plain(out, &encoded);
    Ok(())
}

/// How many bits a number takes.
const fn bits(number: u32) -> u32 {
    u32::BITS - number.leading_zeros()
}

/// The beginning of a text is never greater than the text.
fn lower_bound(text: &[u8]) -> Vec<u8> {
    beginning(text).to_vec()
}

/// A short text that is not less than any with this beginning: the beginning with a greater letter at its end.
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
    let end = if text.len() <= BOUND_BYTES_MAX { text.len() } else { (0..=BOUND_BYTES_MAX).rev().find(is_cut).unwrap_or(0) };
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_long_texts_are_short_and_still_bounds() {
        let long = "é".repeat(40);
        let tilde = format!("a{}", "\u{7f}".repeat(90));
        for text in ["", "short", &"x".repeat(200), &long, &format!("b{long}"), &tilde, &"\u{10ffff}".repeat(30)] {
            let (least, greatest) = (lower_bound(text.as_bytes()), upper_bound(text.as_bytes()));
            assert!(least.as_slice() <= text.as_bytes() && text.as_bytes() <= greatest.as_slice(), "{text}");
            assert!(std::str::from_utf8(&least).is_ok() && std::str::from_utf8(&greatest).is_ok(), "{text}");
        }
        assert_eq!(upper_bound("x".repeat(200).as_bytes()).len(), 64);
    }
}
