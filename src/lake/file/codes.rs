//! A text column in dictionary encoding: the distinct texts, and for each row the number of its text. Reading
//! the numbers directly saves a text lookup for each row.

mod plain;

use polars::prelude::StringChunked;
use polars_error::{PolarsResult, polars_err};
use polars_parquet::parquet::encoding::hybrid_rle::{HybridRleChunk, HybridRleDecoder};
use polars_parquet::parquet::page::{DataPage, split_buffer};
use polars_parquet::read::{BasicDecompressor, ColumnChunkMetadata};
use polars_parquet::write::Encoding;

use super::levels::bits;
use plain::PlainTexts;

/// The texts of a column (or of a field of it), with a number for each row.
pub struct Codes {
    /// For each row, the number of its text in `texts`; for NULL, one more than the largest number.
    pub of_row: Vec<u32>,
    pub texts: Texts,
}

impl Codes {
    /// Keeps only these rows; `None`: all rows.
    pub(in crate::lake) fn chosen(self, rows: Option<&[u32]>) -> Self {
        let Some(rows) = rows else { return self };
        let of_row = rows.iter().filter_map(|row| self.of_row.get(*row as usize)).copied().collect();
        Self { of_row, ..self }
    }
}

/// The texts by number. The number after the last one stands for NULL.
pub enum Texts {
    /// The distinct texts, concatenated, and the position at which each ends.
    Distinct { all: String, ends: Vec<u32> },
    /// One text for each row that has one, for columns in which too few texts repeat: concatenated as well.
    OfRows { all: String, ends: Vec<u32> },
    /// The same, as a column: the number of a row is its index.
    Plain(StringChunked),
}

impl Texts {
    /// Number of texts, which is also the number that stands for NULL.
    pub fn len(&self) -> usize {
        match self {
            Self::Distinct { ends, .. } | Self::OfRows { ends, .. } => ends.len(),
            Self::Plain(texts) => texts.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn get(&self, code: u32) -> Option<&str> {
        let at = code as usize;
        match self {
            Self::Distinct { all, ends } | Self::OfRows { all, ends } => {
                let start = at.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
                all.get(start as usize..*ends.get(at)? as usize)
            }
            Self::Plain(texts) if at < texts.len() => texts.get(at),
            Self::Plain(_) => None,
        }
    }

    /// All texts by number, followed by NULL; of [`Self::Plain`], the column itself, with NULLs in place.
    pub fn column(&self) -> StringChunked {
        if let Self::Plain(texts) = self {
            return texts.clone();
        }
        (0..=self.len()).map(|at| u32::try_from(at).ok().and_then(|code| self.get(code))).collect()
    }

    /// Whether each row has a number of its own.
    pub fn are_of_rows(&self) -> bool {
        !matches!(self, Self::Distinct { .. })
    }

    /// Whether the texts are sorted and distinct.
    pub fn is_ascending(&self) -> bool {
        let Self::Distinct { ends, .. } = self else { return false };
        let mut before = None;
        (0..).take(ends.len()).all(|code| {
            let text = self.get(code);
            text > std::mem::replace(&mut before, text)
        })
    }

    /// One text for all rows, or NULL for all.
    pub(in crate::lake) fn single(text: Option<&str>) -> Self {
        let all = text.unwrap_or_default().to_owned();
        let ends = text.and_then(|text| u32::try_from(text.len()).ok()).into_iter().collect();
        Self::Distinct { all, ends }
    }

    /// Reads a dictionary page.
    fn of_page(mut page: &[u8], count: usize) -> PolarsResult<Self> {
        let damaged = || polars_err!(ComputeError: "a dictionary is damaged");
        // The count stated by a damaged page cannot be trusted.
        if count > page.len() / 4 {
            return Err(damaged());
        }
        let (mut all, mut ends) = (Vec::with_capacity(page.len() - 4 * count), Vec::with_capacity(count));
        for _ in 0..count {
            all.extend_from_slice(next_text(&mut page).ok_or_else(damaged)?);
            ends.push(u32::try_from(all.len()).map_err(|_| damaged())?);
        }
        let (all, ends) = whole(all, ends)?;
        Ok(Self::Distinct { all, ends })
    }
}

/// Whether a column has no dictionary.
pub(in crate::lake) fn is_plain(chunk: &ColumnChunkMetadata) -> bool {
    chunk.dictionary_page_offset().is_none()
}

/// Reads these `rows` (`None`: all) of the column in `pages`, whose metadata is `chunk`. `None`: it is to be read
/// as a column, because its texts are in no dictionary and are needed `as_column`, or some are in one and others
/// are not.
pub(in crate::lake) fn codes(
    mut pages: BasicDecompressor,
    chunk: &ColumnChunkMetadata,
    height: usize,
    rows: Option<&[u32]>,
    as_column: bool,
) -> PolarsResult<Option<Codes>> {
    let descriptor = &chunk.descriptor().descriptor;
    if descriptor.max_rep_level > 0 {
        return Ok(None);
    }
    let level_max = u32::try_from(descriptor.max_def_level).unwrap_or(0);
    let texts = match pages.read_dict_page()? {
        Some(page) => Some(Texts::of_page(&page.buffer, page.num_values)?),
        None => None,
    };
    let mut plain = (texts.is_none() && !as_column).then(|| PlainTexts::new(rows));
    let texts = texts.unwrap_or_else(|| Texts::single(None));
    let null = u32::try_from(texts.len()).unwrap_or(u32::MAX);
    let (mut of_row, mut read) = (Vec::new(), 0);
    while let Some(page) = pages.next() {
        let page = page?.decompress(&mut pages)?;
        let count = page.num_values();
        if count > height - read {
            return Err(polars_err!(ComputeError: "a page has too many rows"));
        }
        read += count;
        let done = match &mut plain {
            Some(plain) => plain.add_page(&page, level_max)?,
            None => add_page(&page, level_max, null, &mut of_row)?,
        };
        if !done {
            return Ok(None);
        }
        pages.reuse_page_buffer(page);
    }
    if read != height {
        return Err(polars_err!(ComputeError: "a column is damaged"));
    }
    Ok(Some(match plain {
        Some(plain) => plain.codes()?,
        None => Codes { of_row, texts }.chosen(rows),
    }))
}

/// Takes the first text off a page, in which each is preceded by its length.
#[inline]
fn next_text<'p>(page: &mut &'p [u8]) -> Option<&'p [u8]> {
    let (length, rest) = page.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *page = rest;
    Some(text)
}

/// Checks that each text is one.
fn whole(all: Vec<u8>, ends: Vec<u32>) -> PolarsResult<(String, Vec<u32>)> {
    let damaged = || polars_err!(ComputeError: "a text is damaged");
    let all = String::from_utf8(all).map_err(|_| damaged())?;
    if all.is_ascii() || ends.iter().all(|end| all.is_char_boundary(*end as usize)) {
        Ok((all, ends))
    } else {
        Err(damaged())
    }
}

/// Adds the numbers of a page's rows; false if some of its texts are not in a dictionary.
fn add_page(page: &DataPage, level_max: u32, null: u32, of_row: &mut Vec<u32>) -> PolarsResult<bool> {
    let damaged = || polars_err!(ComputeError: "a page is damaged");
    let (parts, rows) = (split_buffer(page)?, page.num_values());
    let levels = HybridRleDecoder::new(parts.def, bits(level_max), if level_max == 0 { 0 } else { rows });
    let texts = |count| {
        if count == 0 {
            return Ok(Vec::new());
        }
        let (width, numbers) =
            parts.values.split_first().filter(|(width, _)| **width <= 32).ok_or_else(damaged)?;
        let codes = HybridRleDecoder::new(numbers, u32::from(*width), count).collect()?;
        // In a dictionary that is too short, NULL's number must not be mistaken for that of a text.
        if codes.len() == count && codes.iter().copied().max() < Some(null) {
            Ok(codes)
        } else {
            Err(damaged())
        }
    };
    // In most pages either every row has a text or none has.
    let run = levels.clone().next_chunk()?;
    let no_texts =
        matches!(run, Some(HybridRleChunk::Rle(level, count)) if count == rows && level != level_max);
    if !no_texts && !matches!(page.encoding(), Encoding::PlainDictionary | Encoding::RleDictionary) {
        return Ok(false);
    }
    match run {
        None if level_max > 0 && rows > 0 => return Err(damaged()),
        None => add(of_row, texts(rows)?),
        Some(_) if no_texts => of_row.resize(of_row.len() + rows, null),
        Some(HybridRleChunk::Rle(_, count)) if count == rows => add(of_row, texts(rows)?),
        Some(_) => {
            let levels = levels.collect()?;
            let mut codes = texts(levels.iter().filter(|level| **level == level_max).count())?.into_iter();
            if levels.len() != rows {
                return Err(damaged());
            }
            of_row.extend(
                levels
                    .into_iter()
                    .map(|level| if level == level_max { codes.next().unwrap_or(null) } else { null }),
            );
        }
    }
    Ok(true)
}

fn add(all: &mut Vec<u32>, mut more: Vec<u32>) {
    if all.is_empty() { *all = more } else { all.append(&mut more) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(texts: &[&[u8]]) -> Vec<u8> {
        texts
            .iter()
            .flat_map(|text| [&u32::try_from(text.len()).unwrap().to_le_bytes(), *text].concat())
            .collect()
    }

    #[test]
    fn texts_of_a_dictionary_and_null_behind_them() {
        let texts = Texts::of_page(&page(&[b"b", b"", "ü".as_bytes()]), 3).unwrap();
        assert_eq!(
            (0..5).map(|code| texts.get(code)).collect::<Vec<_>>(),
            [Some("b"), Some(""), Some("ü"), None, None]
        );
        assert_eq!(texts.column().iter().collect::<Vec<_>>(), [Some("b"), Some(""), Some("ü"), None]);
        assert!(!texts.is_ascending());
        assert!(Texts::of_page(&page(&[b"", b"a", b"ab"]), 3).unwrap().is_ascending());
        assert!(!Texts::of_page(&page(&[b"a", b"a"]), 2).unwrap().is_ascending());
        assert_eq!((Texts::single(Some("x")).len(), Texts::single(None).len()), (1, 0));
    }

    #[test]
    fn a_damaged_dictionary_is_an_error() {
        let two = page(&[b"one", b"two"]);
        for (page, count) in [
            (&two[..], 3),
            (&two[..], usize::MAX),
            (&two[..two.len() - 1], 2),
            (&page(&[b"\xff"])[..], 1),
            // A character whose bytes are divided between two texts.
            (&page(&[b"\xc3", b"\xbc"])[..], 2),
        ] {
            assert!(Texts::of_page(page, count).is_err(), "{page:?} {count}");
        }
    }
}
