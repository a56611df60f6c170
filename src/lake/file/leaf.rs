//! A leaf of a column: texts and NULLs → the compressed pages of a Parquet column chunk.
//!
//! As long as texts repeat, they are numbered: a dictionary page and one page of numbers are written.
//! Otherwise the texts are stored in plain pages. A plain page is filled while the rows are in the cache, and
//! compressed when it is full, so that only one at a time is in memory uncompressed.

use polars_error::PolarsResult;
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::parquet::schema::types::PrimitiveType;

use super::dictionary::Dictionary;
use super::filters::Hashes;
use super::packer::Packer;
use super::pages::{FullPage, PAGE_BYTES, Page};

/// A leaf that is being filled.
pub(in crate::lake) struct Leaf<'b> {
    /// The page that is being filled.
    page: Page<'b>,
    dictionary: Option<Box<Dictionary<'b>>>,
    /// For the Bloom filter of texts that do not repeat.
    hashes: Hashes,
    /// Complete pages.
    done: Vec<FullPage>,
}

/// The pages of a leaf, ready to be written.
pub(super) struct Chunk {
    pub pages: Vec<CompressedPage>,
    /// Its Bloom filter.
    pub filter: Option<Vec<u8>>,
}

impl<'b> Leaf<'b> {
    /// `level`: the definition level of a text; that of a NULL is one less. `repeats`: whether it is in a
    /// list.
    pub(in crate::lake) fn new(level: u8, repeats: bool) -> Self {
        Self {
            page: Page::new(level, repeats),
            dictionary: Some(Box::default()),
            hashes: Hashes::default(),
            done: Vec::new(),
        }
    }

    pub(in crate::lake) fn null(&mut self, repetition: u8) {
        self.nulls(repetition, self.page.level - 1, 1);
    }

    /// Adds `count` NULLs, or empty lists.
    pub(super) fn nulls(&mut self, repetition: u8, definition: u8, count: usize) {
        self.page.levels(repetition, definition, count);
        self.page.nulls += count;
    }

    #[inline]
    pub(in crate::lake) fn text(
        &mut self,
        text: &'b [u8],
        repetition: u8,
        packer: &mut Packer,
    ) -> PolarsResult<()> {
        let Some(dictionary) = &mut self.dictionary else { return self.plain(text, repetition, packer) };
        self.page.level_of_text(repetition);
        if dictionary.push(text) { Ok(()) } else { self.give_up(packer) }
    }

    fn plain(&mut self, text: &'b [u8], repetition: u8, packer: &mut Packer) -> PolarsResult<()> {
        // A page may only end at the end of a row.
        if repetition == 0 && self.page.bytes() >= PAGE_BYTES {
            self.done.push(self.page.close(packer)?);
        }
        self.page.level_of_text(repetition);
        self.page.text(text);
        self.hashes.note(text);
        Ok(())
    }

    /// Gives up the dictionary, because texts do not repeat enough: all texts, past and future, go to plain
    /// pages.
    fn give_up(&mut self, packer: &mut Packer) -> PolarsResult<()> {
        let Some(dictionary) = self.dictionary.take().filter(|dictionary| !dictionary.keys.is_empty()) else {
            return Ok(());
        };
        let page = Page::new(self.page.level, self.page.repeats);
        // No filter for texts in lists: searches in lists read them as a whole.
        self.hashes = if self.page.repeats { Hashes::default() } else { Hashes::wanted() };
        let numbered = std::mem::replace(&mut self.page, page);
        let mut texts = dictionary.texts();
        for (repetition, definition) in numbered.both() {
            match if definition == self.page.level { texts.next() } else { None } {
                Some(text) => self.plain(text, repetition, packer)?,
                None => self.nulls(repetition, definition, 1),
            }
        }
        Ok(())
    }

    /// Ends the leaf. `kind` is its Parquet type.
    pub(in crate::lake) fn finish(
        mut self,
        kind: &PrimitiveType,
        packer: &mut Packer,
    ) -> PolarsResult<Chunk> {
        let mut pages = Vec::new();
        match self.dictionary.take_if(|dictionary| dictionary.is_worth_it()) {
            Some(dictionary) => {
                pages.push(self.page.dictionary(&dictionary, packer)?);
                self.done.push(self.page.close_numbers(&dictionary, packer)?);
            }
            None => {
                self.give_up(packer)?;
                self.done.push(self.page.close(packer)?);
            }
        }
        pages.extend(self.done.into_iter().map(|page| page.into_page(kind)));
        Ok(Chunk { pages, filter: self.hashes.filter()? })
    }
}
