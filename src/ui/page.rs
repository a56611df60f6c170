//! Lines on a terminal: wrapped, indented, and escaped without exception.

use std::io::{self, Write};

use super::escape::Escape;

/// Width of a page that does not go to a terminal: fixed, so that the same evidence gives the same bytes.
pub const WIDTH_DEFAULT: usize = 100;
const WIDTH_MIN: usize = 80;
const WIDTH_MAX: usize = 120;

/// Width of the column of labels.
const LABEL: usize = 13;

/// Writes text for people. Everything given to it is escaped for the terminal, our own words too, so that no text from
/// a log can slip through by being part of a sentence.
pub struct Page<'w> {
    out: &'w mut dyn Write,
    width: usize,
}

impl<'w> Page<'w> {
    /// A page as wide as a terminal of `columns`, within reason.
    pub fn new(out: &'w mut dyn Write, columns: Option<usize>) -> Self {
        Self { out, width: columns.map_or(WIDTH_DEFAULT, |columns| columns.clamp(WIDTH_MIN, WIDTH_MAX)) }
    }

    pub fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// One line, as it is: not wrapped.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", text.for_terminal())
    }

    /// A label in its own column, and the text beside it, wrapped under itself.
    pub fn item(&mut self, indent: usize, label: &str, text: &str) -> io::Result<()> {
        let lead = format!("{:indent$}{label:<LABEL$}", "");
        self.wrapped(&lead, text)
    }

    /// A text behind a mark such as `- ` or `1. `, wrapped under itself.
    pub fn point(&mut self, indent: usize, mark: &str, text: &str) -> io::Result<()> {
        let lead = format!("{:indent$}{mark}", "");
        self.wrapped(&lead, text)
    }

    /// Words longer than the line (ARNs, object keys) are never broken: people copy them.
    fn wrapped(&mut self, lead: &str, text: &str) -> io::Result<()> {
        let lead = lead.for_terminal();
        let hanging = lead.chars().count();
        let mut column = hanging;
        write!(self.out, "{lead}")?;
        let mut first = true;
        for word in text.for_terminal().split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            if !first && column + 1 + length > self.width {
                write!(self.out, "\n{:hanging$}", "")?;
                column = hanging;
            } else if !first {
                write!(self.out, " ")?;
                column += 1;
            }
            write!(self.out, "{word}")?;
            column += length;
            first = false;
        }
        writeln!(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(write: impl FnOnce(&mut Page<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut Page::new(&mut out, Some(10))).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words_wrap_under_themselves_and_are_never_broken() {
        let text = format!("{} {} short", "a".repeat(60), "b".repeat(90));
        let lines = page(|page| page.item(2, "label", &text));
        let lead = " ".repeat(2 + LABEL);
        assert_eq!(lines, format!("  label{}{}\n{lead}{}\n{lead}short\n", " ".repeat(LABEL - 5), "a".repeat(60), "b".repeat(90)));
    }

    #[test]
    fn a_text_cannot_start_a_line_of_its_own() {
        let lines = page(|page| page.point(0, "- ", "harmless\n1 finding\u{1b}[0m: none"));
        assert_eq!(lines, "- harmless\\u{a}1 finding\\u{1b}[0m: none\n");
    }
}
