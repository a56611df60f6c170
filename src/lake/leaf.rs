//! A text column → compressed Parquet pages.
//!
//! As long as texts repeat they are numbered: first comes a dictionary page, then one page of numbers.
//! Otherwise pages contain the texts themselves; a page is compressed as soon as it is full, so that at
//! most one uncompressed page is in memory.

use polars_error::PolarsResult;
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::parquet::schema::types::PrimitiveType;

use super::dictionary::Dictionary;
use super::packer::Packer;
use super::pages::{FullPage, PAGE_BYTES, Page};

/// A column of texts that is being written.
pub(super) struct Leaf<'b> {
    /// The page that is being filled.
    page: Page<'b>,
    dictionary: Option<Box<Dictionary<'b>>>,
    /// Completed pages.
    done: Vec<FullPage>,
}

impl<'b> Leaf<'b> {
    /// `level`: the definition level of a text; that of NULL is one less. `repeats`: the texts are in
    /// lists.
    pub(super) fn new(level: u8, repeats: bool) -> Self {
        Self { page: Page::new(level, repeats), dictionary: Some(Box::default()), done: Vec::new() }
    }

    pub(super) fn null(&mut self, repetition: u8) {
        self.nulls(repetition, self.page.level - 1, 1);
    }

    /// Adds so many NULLs, or lists without elements.
    pub(super) fn nulls(&mut self, repetition: u8, definition: u8, count: usize) {
        self.page.levels(repetition, definition, count);
        self.page.nulls += count;
    }

    #[inline]
    pub(super) fn text(&mut self, text: &'b [u8], repetition: u8, packer: &mut Packer) -> PolarsResult<()> {
        let Some(dictionary) = &mut self.dictionary else { return self.plain(text, repetition, packer) };
        self.page.level_of_text(repetition);
        if dictionary.push(text) { Ok(()) } else { self.give_up(packer) }
    }

    fn plain(&mut self, text: &'b [u8], repetition: u8, packer: &mut Packer) -> PolarsResult<()> {
        // A page may only end after a complete row.
        if repetition == 0 && self.page.bytes() >= PAGE_BYTES {
            self.done.push(self.page.close(packer)?);
        }
        self.page.level_of_text(repetition);
        self.page.text(text);
        Ok(())
    }

    /// The texts do not repeat enough: those so far and all later ones are stored as they are.
    fn give_up(&mut self, packer: &mut Packer) -> PolarsResult<()> {
        let Some(dictionary) = self.dictionary.take().filter(|dictionary| !dictionary.keys.is_empty()) else { return Ok(()) };
        let page = Page::new(self.page.level, self.page.repeats);
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

    /// Returns all pages. `kind` is the column's type in the file.
    pub(super) fn finish(mut self, kind: &PrimitiveType, packer: &mut Packer) -> PolarsResult<Vec<CompressedPage>> {
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
        Ok(pages)
    }
}
