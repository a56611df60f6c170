//! Texts of a column that are in no dictionary: each stands where its row does.

use polars_error::{PolarsResult, polars_err};
use polars_parquet::parquet::encoding::hybrid_rle::{HybridRleChunk, HybridRleDecoder};
use polars_parquet::parquet::page::{DataPage, split_buffer};
use polars_parquet::write::Encoding;

use super::{Codes, Texts, next_text, whole};
use crate::lake::file::levels::bits;

/// These texts, while their pages are read.
pub(super) struct PlainTexts<'r> {
    /// The rows that are still to be read; `None`: all.
    rows: Option<&'r [u32]>,
    /// Number of rows before the page.
    before: usize,
    all: Vec<u8>,
    ends: Vec<u32>,
    /// [`PlainTexts::NULL`] stands for NULL.
    of_row: Vec<u32>,
}

impl<'r> PlainTexts<'r> {
    const NULL: u32 = u32::MAX;

    pub(super) fn new(rows: Option<&'r [u32]>) -> Self {
        Self { rows, before: 0, all: Vec::new(), ends: Vec::new(), of_row: Vec::new() }
    }

    /// Whether a row is to be read; rows are asked for in their order.
    #[inline]
    fn takes(&mut self, row: usize) -> bool {
        let Some(rows) = self.rows else { return true };
        match rows.split_first() {
            Some((first, rest)) if *first as usize == row => {
                self.rows = Some(rest);
                true
            }
            _ => false,
        }
    }

    /// False if the page has numbers of a dictionary.
    pub(super) fn add_page(&mut self, page: &DataPage, level_max: u32) -> PolarsResult<bool> {
        let damaged = || polars_err!(ComputeError: "a page is damaged");
        let (parts, count) = (split_buffer(page)?, page.num_values());
        let levels = if level_max == 0 {
            None
        } else {
            let levels = HybridRleDecoder::new(parts.def, bits(level_max), count);
            match levels.clone().next_chunk()? {
                Some(HybridRleChunk::Rle(level, run)) if run == count && level == level_max => None,
                _ => Some(levels.collect()?),
            }
        };
        if levels.as_ref().is_some_and(|levels| levels.len() != count) {
            return Err(damaged());
        }
        let has_texts = levels.as_ref().is_none_or(|levels| levels.contains(&level_max));
        if has_texts && page.encoding() != Encoding::Plain {
            return Ok(false);
        }
        let mut values = parts.values;
        if self.rows.is_none() {
            self.all.reserve(values.len().saturating_sub(4 * count));
            self.ends.reserve(count);
            self.of_row.reserve(count);
        }
        for at in 0..count {
            let takes = self.takes(self.before + at);
            if levels.as_ref().is_some_and(|levels| levels.get(at) != Some(&level_max)) {
                if takes {
                    self.of_row.push(Self::NULL);
                }
                continue;
            }
            let text = next_text(&mut values).ok_or_else(damaged)?;
            if takes {
                self.of_row.push(u32::try_from(self.ends.len()).map_err(|_| damaged())?);
                self.all.extend_from_slice(text);
                self.ends.push(u32::try_from(self.all.len()).map_err(|_| damaged())?);
            }
        }
        self.before += count;
        Ok(true)
    }

    pub(super) fn codes(self) -> PolarsResult<Codes> {
        let Self { all, ends, mut of_row, .. } = self;
        let null = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        if ends.len() < of_row.len() {
            of_row.iter_mut().filter(|code| **code == Self::NULL).for_each(|code| *code = null);
        }
        let (all, ends) = whole(all, ends)?;
        Ok(Codes { of_row, texts: Texts::OfRows { all, ends } })
    }
}
