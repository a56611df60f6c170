//! Text pages for a terminal: wrapped, indented, and always escaped.

use std::io::{self, Write};

use super::escape::Escape;
use super::paint::{Paint, Style};
use super::width;

/// Width of a page that does not go to a terminal: fixed, so that the same evidence gives the same bytes.
pub const WIDTH_DEFAULT: usize = 100;
const WIDTH_MIN: usize = 40;
const WIDTH_MAX: usize = 200;

/// Width of the column of labels.
const LABEL: usize = 13;

/// Writes text for people. Everything is escaped for the terminal, also this program's own words, so that
/// log text in a sentence is escaped as well.
pub struct Page<'w> {
    out: &'w mut dyn Write,
    width: usize,
    /// Whether it goes to a terminal, which breaks words at its edge.
    terminal: bool,
    style: Style,
}

impl<'w> Page<'w> {
    /// A page as wide as a terminal with `columns`, within limits.
    pub fn new(out: &'w mut dyn Write, columns: Option<usize>) -> Self {
        let width = columns.map_or(WIDTH_DEFAULT, |columns| columns.clamp(WIDTH_MIN, WIDTH_MAX));
        Self { out, width, terminal: columns.is_some(), style: Style::default() }
    }

    /// The same with a given style.
    pub const fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }

    pub const fn style(&self) -> Style {
        self.style
    }

    pub const fn width(&self) -> usize {
        self.width
    }

    /// One line of coloured pieces, cut at the width of the page.
    pub fn painted(&mut self, indent: usize, pieces: &[(Paint, String)]) -> io::Result<()> {
        write!(self.out, "{:indent$}", "")?;
        pieces.iter().try_for_each(|(paint, text)| self.piece(*paint, &text.for_terminal()))?;
        writeln!(self.out)
    }

    pub fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// One text, wrapped with an indent of two columns if it is longer than the page.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        if width::of(&text.for_terminal()) > self.width {
            return self.flow(Paint::Plain, "", 2, text);
        }
        writeln!(self.out, "{}", text.for_terminal())
    }

    /// A line that people copy and run: neither wrapped nor cut, whatever its length. A terminal that breaks it
    /// at its edge still copies it as one line.
    pub fn verbatim(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", text.for_terminal())
    }

    /// A coloured word and the text after it, wrapped with an indent of two columns.
    pub fn marked(&mut self, paint: Paint, word: &str, text: &str) -> io::Result<()> {
        self.flow(paint, &word.for_terminal(), 2, text)
    }

    /// A label in its own column with a text beside it, wrapped in that column.
    pub fn item(&mut self, indent: usize, label: &str, text: &str) -> io::Result<()> {
        let lead = format!("{:indent$}{label:<LABEL$}", "");
        self.wrapped(&lead, text)
    }

    /// A text after a mark such as `- ` or `1. `, wrapped behind the mark.
    pub fn point(&mut self, indent: usize, mark: &str, text: &str) -> io::Result<()> {
        let lead = format!("{:indent$}{mark}", "");
        self.wrapped(&lead, text)
    }

    /// A paragraph of texts under a heading, a mark before each; nothing if there are none.
    pub fn texts(&mut self, heading: &str, texts: &[String]) -> io::Result<()> {
        if texts.is_empty() {
            return Ok(());
        }
        self.blank()?;
        self.line(heading)?;
        texts.iter().try_for_each(|text| self.point(0, "- ", text))
    }

    fn wrapped(&mut self, lead: &str, text: &str) -> io::Result<()> {
        let lead = lead.for_terminal();
        self.flow(Paint::Plain, &lead, width::of(&lead), text)
    }

    /// Writes an escaped piece in its colour.
    fn piece(&mut self, paint: Paint, text: &str) -> io::Result<()> {
        match paint.code().filter(|_| self.style.color) {
            Some(code) => write!(self.out, "\u{1b}[{code}m{text}\u{1b}[0m"),
            None => write!(self.out, "{text}"),
        }
    }

    /// Words longer than the line (ARNs, object keys) are not broken, because people copy them. On a
    /// terminal, which would break them, they are cut in the middle unless they are part of a command.
    fn flow(&mut self, paint: Paint, lead: &str, hanging: usize, text: &str) -> io::Result<()> {
        let mut column = width::of(lead);
        self.piece(paint, lead)?;
        let mut first = true;
        let mut in_command = false;
        for word in text.for_terminal().split(' ').filter(|word| !word.is_empty()) {
            let is_command = in_command || word.contains('`');
            in_command ^= word.matches('`').count() % 2 == 1;
            let room = self.width.saturating_sub(hanging).max(LABEL);
            let word = if self.terminal && !is_command {
                width::cut_in_the_middle(word, room)
            } else {
                word.to_owned()
            };
            let length = width::of(&word);
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
        write(&mut Page { width: 80, ..Page::new(&mut out, None) }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn words_wrap_under_themselves_and_are_never_broken() {
        let text = format!("{} {} short", "a".repeat(60), "b".repeat(90));
        let lines = page(|page| page.item(2, "label", &text));
        let lead = " ".repeat(2 + LABEL);
        assert_eq!(
            lines,
            format!(
                "  label{}{}\n{lead}{}\n{lead}short\n",
                " ".repeat(LABEL - 5),
                "a".repeat(60),
                "b".repeat(90)
            )
        );
    }

    #[test]
    fn a_command_is_neither_wrapped_nor_cut_on_a_narrow_terminal() {
        let command = format!("$ aws ecr put-image --image-digest sha256:{}", "0".repeat(64));
        let mut out = Vec::new();
        Page::new(&mut out, Some(40)).verbatim(&command).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("{command}\n"));
    }

    #[test]
    fn a_text_cannot_start_a_line_of_its_own() {
        let lines = page(|page| page.point(0, "- ", "harmless\n1 finding\u{1b}[0m: none"));
        assert_eq!(lines, "- harmless\\u{a}1 finding\\u{1b}[0m: none\n");
    }
}
