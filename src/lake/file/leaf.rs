//! A leaf of a column: texts and what is NULL between them → the pages of a Parquet column, compressed.
//!
//! As long as texts repeat, they are numbered: a dictionary comes first and one page of numbers follows. Else
//! they stand in pages as they are. Such a page is filled while the rows are near, and compressed when it is
//! full, so that no more than one stands in memory uncompressed.

use polars_error::PolarsResult;
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::parquet::schema::types::PrimitiveType;

use super::dictionary::Dictionary;
use super::filters::Hashes;
use super::packer::Packer;
use super::pages::{FullPage, PAGE_BYTES, Page};

/// Texts while they come in.
pub(in crate::lake) struct Leaf<'b> {
    /// The page that grows.
    page: Page<'b>,
    dictionary: Option<Box<Dictionary<'b>>>,
    /// Of texts that do not repeat.
    hashes: Hashes,
    /// Pages that are full.
    done: Vec<FullPage>,
}

/// A leaf as it is written.
pub(super) struct Chunk {
    pub pages: Vec<CompressedPage>,
    /// What tells whether it may have a text.
    pub filter: Option<Vec<u8>>,
}

impl<'b> Leaf<'b> {
    /// `level`: the definition level of a text that is there; that of a NULL is one less. `repeats`: lists
    /// cut it.
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

    /// As many NULLs, or lists without elements.
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
        // A page ends with a row.
        if repetition == 0 && self.page.bytes() >= PAGE_BYTES {
            self.done.push(self.page.close(packer)?);
        }
        self.page.level_of_text(repetition);
        self.page.text(text);
        self.hashes.note(text);
        Ok(())
    }

    /// The texts do not repeat: what has come stands as it is, and so will the rest.
    fn give_up(&mut self, packer: &mut Packer) -> PolarsResult<()> {
        let Some(dictionary) = self.dictionary.take().filter(|dictionary| !dictionary.keys.is_empty()) else {
            return Ok(());
        };
        let page = Page::new(self.page.level, self.page.repeats);
        // Texts in lists are looked for by what looks at whole lists.
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

    /// All of it. `kind` is the leaf's type in the file.
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
