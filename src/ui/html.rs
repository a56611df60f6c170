//! HTML in which no text can become markup: markup is what was written into this program, everything else is escaped.

use std::fmt::Display;
use std::io::{self, Write};

use super::escape::Escape;
use crate::model::LogText;

/// Writes a page piece by piece; each piece gives the page back for the next one.
pub struct Html<'w>(&'w mut dyn Write);

impl<'w> Html<'w> {
    pub fn new(out: &'w mut dyn Write) -> Self {
        Self(out)
    }

    /// Markup: only what is known when the program is compiled can be written this way.
    pub fn raw(&mut self, markup: &'static str) -> io::Result<&mut Self> {
        self.0.write_all(markup.as_bytes())?;
        Ok(self)
    }

    /// A text, between tags or inside a quoted attribute. Ours are escaped, too: they quote what stands in logs.
    pub fn text(&mut self, text: &str) -> io::Result<&mut Self> {
        self.0.write_all(text.for_html().as_bytes())?;
        Ok(self)
    }

    /// A text as it stands in a log.
    pub fn log(&mut self, text: &LogText) -> io::Result<&mut Self> {
        self.0.write_all(text.for_html().as_bytes())?;
        Ok(self)
    }

    /// A number, a time, a digest.
    pub fn value(&mut self, value: impl Display) -> io::Result<&mut Self> {
        self.text(&value.to_string())
    }

    /// `<dt>label</dt><dd>…</dd>`, with what `write` writes.
    pub fn item(&mut self, label: &'static str, write: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.raw("<dt>")?.raw(label)?.raw("</dt><dd>")?;
        write(self)?;
        self.raw("</dd>\n")?;
        Ok(())
    }

    /// A list, if there is something to list.
    pub fn list<T>(&mut self, opening: &'static str, items: &[T], write: impl Fn(&mut Self, &T) -> io::Result<()>) -> io::Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        self.raw(opening)?;
        for item in items {
            self.raw("<li>")?;
            write(self, item)?;
            self.raw("</li>\n")?;
        }
        self.raw("</ul>\n")?;
        Ok(())
    }
}
