//! A leaf of texts → the pages of a Parquet column, compressed.
//!
//! Levels say what is NULL and where lists begin: runs of one number, mostly. Where texts repeat, a dictionary comes first and
//! numbers follow; else the texts stand as they are. Each page tells its least and greatest text.

use polars_error::PolarsResult;
use polars_parquet::parquet::encoding::hybrid_rle::encode;
use polars_parquet::parquet::metadata::Descriptor;
use polars_parquet::parquet::page::{CompressedPage, DataPageHeader, DataPageHeaderV1};
use polars_parquet::parquet::schema::types::PrimitiveType;
use polars_parquet::parquet::statistics::BinaryStatistics;
use polars_parquet::write::Encoding;

use super::columns::{Leaf, NULL, Span, text};
use super::dictionary::Dictionary;
use super::levels::{Levels, bits};
use super::packer::Packer;

/// Bytes of texts in a page, about.
const PAGE_BYTES: usize = 1 << 20;
/// Longer texts are cut in what a page tells of its least and greatest.
const BOUND_BYTES_MAX: usize = 64;

/// All pages of a leaf.
pub(super) fn pages(leaf: Leaf<'_>, bytes: &[u8], kind: &PrimitiveType, packer: &mut Packer) -> PolarsResult<Vec<CompressedPage>> {
    let dictionary = Dictionary::of(leaf.texts, bytes);
    let mut done = Vec::new();
    if let Some(dictionary) = &dictionary {
        let mut values = Vec::new();
        dictionary.values.iter().for_each(|span| put_plain(&mut values, text(bytes, *span)));
        done.push(packer.dictionary(&values, dictionary.values.len())?);
    }
    let mut pages = Pages { leaf, bytes, kind, packer, dictionary, done, page: Draft::default() };
    pages.fill()?;
    pages.close()?;
    Ok(pages.done)
}

struct Pages<'p> {
    leaf: Leaf<'p>,
    bytes: &'p [u8],
    kind: &'p PrimitiveType,
    packer: &'p mut Packer,
    dictionary: Option<Dictionary>,
    done: Vec<CompressedPage>,
    page: Draft<'p>,
}

/// A page that grows.
#[derive(Default)]
struct Draft<'p> {
    rows: usize,
    repetition: Levels,
    definition: Levels,
    texts: Vec<u8>,
    least: Option<&'p [u8]>,
    greatest: Option<&'p [u8]>,
    nulls: usize,
}

impl Draft<'_> {
    fn null(&mut self, repetition: u32, definition: u32) {
        self.repetition.push(repetition);
        self.definition.push(definition);
        self.nulls += 1;
    }
}

impl<'p> Pages<'p> {
    fn fill(&mut self) -> PolarsResult<()> {
        let leaf = self.leaf;
        let Some(list) = leaf.list else {
            let (nulls, spans) = leaf.texts.parts();
            self.page.rows = nulls;
            self.page.nulls = nulls;
            self.page.definition.push_many(leaf.level - 1, nulls);
            for span in spans {
                self.row_begins()?;
                self.value(*span);
            }
            return Ok(());
        };
        let mut spans = leaf.texts.spans();
        for length in list.lengths {
            self.row_begins()?;
            match length {
                None => self.page.null(0, list.level),
                Some(0) => self.page.null(0, list.level + 1),
                Some(length) => {
                    for (at, span) in (0..*length).zip(&mut spans) {
                        self.page.repetition.push(u32::from(at > 0));
                        self.value(span);
                    }
                }
            }
        }
        Ok(())
    }

    /// A page ends with a row; pages of numbers are small as they are.
    fn row_begins(&mut self) -> PolarsResult<()> {
        if self.page.texts.len() >= PAGE_BYTES {
            self.close()?;
        }
        self.page.rows += 1;
        Ok(())
    }

    fn value(&mut self, span: Span) {
        let page = &mut self.page;
        if span == NULL {
            page.definition.push(self.leaf.level - 1);
            page.nulls += 1;
            return;
        }
        page.definition.push(self.leaf.level);
        // The numbers of a dictionary's texts are known already.
        if self.dictionary.is_none() {
            let text = text(self.bytes, span);
            put_plain(&mut page.texts, text);
            page.least = Some(page.least.map_or(text, |least| least.min(text)));
            page.greatest = Some(page.greatest.map_or(text, |greatest| greatest.max(text)));
        }
    }

    fn close(&mut self) -> PolarsResult<()> {
        let mut page = std::mem::take(&mut self.page);
        let mut buffer = Vec::with_capacity(page.texts.len() + 4_096);
        if self.leaf.list.is_some() {
            page.repetition.put(1, &mut buffer)?;
        }
        page.definition.put(self.leaf.level, &mut buffer)?;
        if let Some(Dictionary { values, keys }) = &self.dictionary {
            let texts = || values.iter().map(|span| text(self.bytes, *span));
            (page.least, page.greatest) = (texts().min(), texts().max());
            let bits = bits(u32::try_from(values.len()).unwrap_or(u32::MAX)).max(1);
            buffer.push(bits as u8);
            encode::<u32, _, _>(&mut buffer, keys.iter().copied(), bits)?;
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
            encoding: if self.dictionary.is_some() { Encoding::RleDictionary } else { Encoding::Plain }.into(),
            definition_level_encoding: Encoding::Rle.into(),
            repetition_level_encoding: Encoding::Rle.into(),
            statistics: Some(statistics.serialize()),
        });
        let descriptor = Descriptor { primitive_type: self.kind.clone(), max_def_level: 0, max_rep_level: 0 };
        self.done.push(self.packer.data(&buffer, header, descriptor, page.rows)?);
        Ok(())
    }
}

fn put_plain(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(text);
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
