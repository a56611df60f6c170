//! Markdown for tickets and step summaries, as GitHub, GitLab and CommonMark read it. No text can become
//! markup: a word with anything but letters and digits is put into a code span, in which there are no
//! links, mentions, HTML or emphasis.

mod findings;
mod forecast;
mod spans;
mod timelines;
mod verdict;
mod whatif;

use std::io::{self, Write};

use super::escape::Escape;
use super::quantity::counted;
use crate::model::{Coverage, EventRef, LogText};
use spans::{code, prose};

pub use findings::write as write_findings;
pub use forecast::write as write_forecast;
pub use timelines::write as write_timelines;
pub use verdict::write as write_verdict;
pub use whatif::write as write_whatif;

/// Maximum number of rows in a table.
const ROWS_MAX: usize = 500;
/// Maximum number of elements that are described in full below the table.
const TOLD_MAX: usize = 20;
/// Maximum number of unreadable objects, and events of one sentence, that are listed.
const LISTED_MAX: usize = 20;

/// Writes Markdown piece by piece. Markup is in this program's code; everything else is escaped.
pub struct Markdown<'w>(&'w mut dyn Write);

impl<'w> Markdown<'w> {
    pub fn new(out: &'w mut dyn Write) -> Self {
        Self(out)
    }

    /// `level` is 1 to 6.
    pub fn heading(&mut self, level: usize, text: &str) -> io::Result<()> {
        writeln!(self.0, "{} {}\n", &"######"[..level.min(6)], prose(text))
    }

    pub fn paragraph(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.0, "{}\n", prose(text))
    }

    /// A label in bold, followed by a text.
    pub fn item(&mut self, label: &'static str, text: &str) -> io::Result<()> {
        writeln!(self.0, "- **{label}**: {}", prose(text))
    }

    /// A list item; numbered if a number is given.
    pub fn point(&mut self, number: Option<usize>, text: &str) -> io::Result<()> {
        match number {
            Some(number) => writeln!(self.0, "{number}. {}", prose(text)),
            None => writeln!(self.0, "- {}", prose(text)),
        }
    }

    /// An item under a list item, as code.
    pub fn below(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.0, "    - {}", code(text))
    }

    pub fn blank(&mut self) -> io::Result<()> {
        writeln!(self.0)
    }

    /// The header of a table.
    pub fn columns(&mut self, names: &[&'static str]) -> io::Result<()> {
        writeln!(self.0, "| {} |\n|{}", names.join(" | "), "---|".repeat(names.len()))
    }

    pub fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        let cells: Vec<&str> = cells.iter().map(|cell| cell.0.as_str()).collect();
        writeln!(self.0, "| {} |", cells.join(" | "))
    }

    /// A part that is folded until it is opened, with a summary made of `words` and `name`.
    pub fn details(
        &mut self,
        words: &str,
        name: &str,
        write: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let name = if name.is_empty() { String::new() } else { format!(" <code>{}</code>", name.for_html()) };
        writeln!(self.0, "<details><summary>{}{name}</summary>\n", words.for_html())?;
        write(self)?;
        writeln!(self.0, "\n</details>\n")
    }

    /// What the following list is about.
    pub fn label(&mut self, text: &'static str) -> io::Result<()> {
        writeln!(self.0, "\n**{text}**\n")
    }

    /// A list with a heading of its own; nothing if it is empty.
    pub fn texts<'t>(
        &mut self,
        heading: &'static str,
        texts: impl Iterator<Item = &'t str>,
    ) -> io::Result<()> {
        let mut texts = texts.peekable();
        if texts.peek().is_none() {
            return Ok(());
        }
        self.label(heading)?;
        texts.try_for_each(|text| self.point(None, text))
    }

    /// What was read and what was not; comes after the results.
    pub fn coverage(&mut self, coverage: &Coverage) -> io::Result<()> {
        let lines = super::coverage::lines(coverage);
        self.details("What was read", "", |page| {
            lines.iter().try_for_each(|text| page.point(None, text))?;
            let failures = coverage.failures.iter().take(LISTED_MAX).map(super::coverage::describe);
            failures.into_iter().try_for_each(|failure| page.item("Not read", &failure))?;
            match coverage.failures.len().checked_sub(LISTED_MAX) {
                None | Some(0) => Ok(()),
                Some(more) => page
                    .point(None, &format!("and {}", counted(more as u64, "failure more", "failures more"))),
            }
        })
    }

    /// Says how many rows were left out.
    pub fn more(&mut self, left: usize, one: &str, many: &str) -> io::Result<()> {
        if left == 0 {
            return Ok(());
        }
        self.blank()?;
        self.paragraph(&format!(
            "{} not shown here; the other formats have everything.",
            counted(left as u64, one, many)
        ))
    }
}

/// One cell of a table, already escaped.
pub struct Cell(String);

impl Cell {
    /// A sentence with what it quotes.
    pub fn prose(text: &str) -> Self {
        Self(prose(text))
    }

    /// A name, a digest, a time.
    pub fn code(text: &str) -> Self {
        Self(if text.is_empty() { String::new() } else { code(text) })
    }

    pub fn log(text: Option<&LogText>) -> Self {
        text.map_or_else(|| Self(String::new()), |text| Self(code(&text.for_terminal())))
    }
}

/// `2026-03-02T10:00:09Z PutImage by ARN in KEY#3`, for a code span.
fn event_text(event: &EventRef) -> String {
    super::findings::event_text(event)
}
