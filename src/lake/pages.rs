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

use super::columns::Leaf;
use super::dictionary::Dictionary;
use super::levels::{Levels, bits};
use super::packer::Packer;
use super::row::prefix;

/// Bytes of texts in a page, about.
const PAGE_BYTES: usize = 1 << 20;
/// Longer texts are cut in what a page tells of its least and greatest.
const BOUND_BYTES_MAX: usize = 64;

/// Room for levels before the texts of a page; where they take more, the texts make way.
const ROOM: usize = 64;

/// All pages of a leaf.
pub(super) fn pages(leaf: Leaf<'_>, kind: &PrimitiveType, packer: &mut Packer) -> PolarsResult<Vec<CompressedPage>> {
    let (dictionary, texts) = (leaf.texts.dictionary(), packer.take_buffer());
    let mut pages = Pages { leaf, kind, packer, dictionary, done: Vec::new(), texts, page: Draft::default() };
    if let Some(dictionary) = dictionary {
        dictionary.values.iter().for_each(|text| put_plain(&mut pages.texts, text));
        pages.done.push(pages.packer.dictionary(&pages.texts, dictionary.values.len())?);
    }
    pages.begin();
    pages.fill()?;
    pages.close()?;
    let Pages { done, texts, .. } = pages;
    packer.give_buffer(texts);
    Ok(done)
}

struct Pages<'p> {
    leaf: Leaf<'p>,
    kind: &'p PrimitiveType,
    packer: &'p mut Packer,
    dictionary: Option<&'p Dictionary<'p>>,
    done: Vec<CompressedPage>,
    /// The texts of the page that grows, behind some room.
    texts: Vec<u8>,
    page: Draft<'p>,
}

/// What else is known of a page that grows.
#[derive(Default)]
struct Draft<'p> {
    rows: usize,
    repetition: Levels,
    definition: Levels,
    bounds: Bounds<'p>,
    nulls: usize,
}

/// A text behind its prefix: so they are compared.
type Prefixed<'p> = (u64, &'p [u8]);

/// The least and the greatest of texts.
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

impl Draft<'_> {
    fn null(&mut self, repetition: u32, definition: u32) {
        self.repetition.push(repetition);
        self.definition.push(definition);
        self.nulls += 1;
    }
}

impl<'p> Pages<'p> {
    fn begin(&mut self) {
        self.texts.clear();
        self.texts.resize(ROOM, 0);
    }

    fn fill(&mut self) -> PolarsResult<()> {
        let leaf = self.leaf;
        let Some(list) = leaf.list else {
            let nulls = leaf.texts.nulls;
            self.page.rows = nulls;
            self.page.nulls = nulls;
            self.page.definition.push_many(leaf.level - 1, nulls);
            return leaf.texts.rest().try_for_each(|text| {
                self.row_begins()?;
                self.value(text);
                Ok(())
            });
        };
        let mut texts = std::iter::repeat_n(None, leaf.texts.nulls).chain(leaf.texts.rest());
        for length in list.lengths {
            self.row_begins()?;
            match length {
                None => self.page.null(0, list.level),
                Some(0) => self.page.null(0, list.level + 1),
                Some(length) => {
                    for (at, text) in (0..*length).zip(&mut texts) {
                        self.page.repetition.push(u32::from(at > 0));
                        self.value(text);
                    }
                }
            }
        }
        Ok(())
    }

    /// A page ends with a row; pages of numbers are small as they are.
    fn row_begins(&mut self) -> PolarsResult<()> {
        if self.texts.len() >= PAGE_BYTES {
            self.close()?;
        }
        self.page.rows += 1;
        Ok(())
    }

    fn value(&mut self, text: Option<&'p [u8]>) {
        let page = &mut self.page;
        let Some(text) = text else {
            page.definition.push(self.leaf.level - 1);
            page.nulls += 1;
            return;
        };
        page.definition.push(self.leaf.level);
        // The numbers of a dictionary's texts are known already.
        if self.dictionary.is_none() {
            put_plain(&mut self.texts, text);
            page.bounds.note(text);
        }
    }

    fn close(&mut self) -> PolarsResult<()> {
        let mut page = std::mem::take(&mut self.page);
        let mut levels = Vec::with_capacity(ROOM);
        if self.leaf.list.is_some() {
            page.repetition.put(1, &mut levels)?;
        }
        page.definition.put(self.leaf.level, &mut levels)?;
        if let Some(dictionary) = self.dictionary {
            dictionary.values.iter().for_each(|text| page.bounds.note(text));
            let bits = bits(u32::try_from(dictionary.values.len()).unwrap_or(u32::MAX)).max(1);
            self.texts.push(bits as u8);
            encode::<u32, _, _>(&mut self.texts, dictionary.keys().collect::<Vec<_>>().into_iter(), bits)?;
        }
        let start = ROOM.saturating_sub(levels.len());
        self.texts.splice(start..ROOM, levels);
        let statistics = BinaryStatistics {
            primitive_type: self.kind.clone(),
            null_count: i64::try_from(page.nulls).ok(),
            distinct_count: None,
            min_value: page.bounds.0.map(|((_, least), _)| lower_bound(least)),
            max_value: page.bounds.0.map(|(_, (_, greatest))| upper_bound(greatest)),
        };
        let header = DataPageHeader::V1(DataPageHeaderV1 {
            num_values: i32::try_from(page.definition.len()).unwrap_or(i32::MAX),
            encoding: if self.dictionary.is_some() { Encoding::RleDictionary } else { Encoding::Plain }.into(),
            definition_level_encoding: Encoding::Rle.into(),
            repetition_level_encoding: Encoding::Rle.into(),
            statistics: Some(statistics.serialize()),
        });
        let descriptor = Descriptor { primitive_type: self.kind.clone(), max_def_level: 0, max_rep_level: 0 };
        let bytes = self.texts.get(start..).unwrap_or_default();
        self.done.push(self.packer.data(bytes, header, descriptor, page.rows)?);
        self.begin();
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
