//! Makes text from logs safe for the place where it is shown.
//!
//! Callers of AWS choose user agents, session names, tags and object keys. On a terminal such text could
//! move the cursor, or recolour and reorder other text; in a spreadsheet it could be a formula. Everything
//! that is printed is escaped, including this program's own sentences, because they quote log text.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::model::LogText;

/// Longest text from a log that is shown on a terminal, in characters. S3 keys have at most 1,024 bytes.
const LOG_CHARS_MAX: usize = 1_024;
/// Longest paragraph: a sentence of this program with the log texts that it quotes.
const PARAGRAPH_CHARS_MAX: usize = 8_192;

/// Makes a text safe for one kind of output.
pub trait Escape {
    /// Without control characters, invisible characters and characters that reorder text; of bounded
    /// length.
    fn for_terminal(&self) -> Cow<'_, str>;

    /// Text that a spreadsheet would take for a formula gets an apostrophe in front. Line ends and tabs
    /// stay as they are, other control characters are spelled out. Quoting is left to the CSV writer.
    fn for_csv(&self) -> Cow<'_, str>;

    /// As for a terminal, and without characters that are markup in HTML, between tags or in a quoted
    /// attribute.
    fn for_html(&self) -> Cow<'_, str> {
        let text = self.for_terminal();
        if !text.contains(['&', '<', '>', '"', '\'']) {
            return text;
        }
        let mut safe = String::with_capacity(text.len() + 16);
        for character in text.chars() {
            match character {
                '&' => safe.push_str("&amp;"),
                '<' => safe.push_str("&lt;"),
                '>' => safe.push_str("&gt;"),
                '"' => safe.push_str("&quot;"),
                '\'' => safe.push_str("&#39;"),
                _ => safe.push(character),
            }
        }
        Cow::Owned(safe)
    }
}

impl Escape for str {
    fn for_terminal(&self) -> Cow<'_, str> {
        shortened(self, PARAGRAPH_CHARS_MAX)
    }

    fn for_csv(&self) -> Cow<'_, str> {
        let text = spell_out_but(self, |character| matches!(character, '\n' | '\r' | '\t'));
        if is_formula(self) { Cow::Owned(format!("'{text}")) } else { text }
    }
}

impl Escape for LogText {
    fn for_terminal(&self) -> Cow<'_, str> {
        shortened(self.raw(), LOG_CHARS_MAX)
    }

    fn for_csv(&self) -> Cow<'_, str> {
        self.raw().for_csv()
    }
}

/// At most `chars_max` characters of `text`, spelled out, with a mark if something was cut.
fn shortened(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        None => spell_out(text),
        Some((end, _)) => Cow::Owned(format!("{}…", spell_out(&text[..end]))),
    }
}

/// Whether a spreadsheet might run the text. Full-width signs count, as some programs convert them to plain
/// ones.
fn is_formula(text: &str) -> bool {
    text.starts_with(['\t', '\r', '\n'])
        || text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

/// Replaces every character that is not plainly visible by `\u{…}`.
fn spell_out(text: &str) -> Cow<'_, str> {
    spell_out_but(text, |_| false)
}

/// The same, except for characters that `stays` accepts.
fn spell_out_but(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let stands = |character: char| is_visible(character) || stays(character);
    if is_plain(text) || text.chars().all(stands) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if stands(character) {
            safe.push(character);
        } else {
            safe.extend(character.escape_unicode());
        }
    }
    Cow::Owned(safe)
}

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// Whether all characters are visible ones of ASCII, as nearly all are.
fn is_plain(text: &str) -> bool {
    let are_plain = |block: &[u8]| block.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    text.as_bytes().chunks(BLOCK).all(are_plain)
}

/// Writes CSV to a terminal, where a carriage return would overwrite what comes before it.
pub struct TerminalText<W>(pub W);

impl<W: Write> Write for TerminalText<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\r' | b'\t')) {
            match piece.split_last() {
                Some((b'\r', text)) => self.0.write_all(text).and_then(|()| self.0.write_all(b"\\u{d}"))?,
                Some((b'\t', text)) => self.0.write_all(text).and_then(|()| self.0.write_all(b"\\u{9}"))?,
                _ => self.0.write_all(piece)?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes JSON text: characters that are not plainly visible become JSON's own `\\uXXXX` escapes, which
/// parsers read back as the same characters. Only strings contain such characters, so the document stays
/// the same.
pub struct JsonText<'w>(pub &'w mut dyn Write);

impl Write for JsonText<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~');
        match std::str::from_utf8(bytes) {
            Ok(text) if !bytes.iter().all(plain) => {
                self.0.write_all(spell_out_json(text).as_bytes()).map(|()| bytes.len())
            }
            _ => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn spell_out_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if character == '\n' || is_visible(character) {
            safe.push(character);
        } else {
            character
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        }
    }
    safe
}

/// Whether a character is visible, takes up space, and stays in place. The standard library's tables know
/// controls, format characters (bidi marks, zero-width), unassigned code points and combining marks; a few
/// "letters" are blank in every font.
fn is_visible(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' => false,
        _ => character.escape_debug().len() == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_as_it_is() {
        let long = "x".repeat(3 * BLOCK + 1);
        for text in ["aws-cli/2.1 \"quoted\" \\ 'x'", "größe 東京 🐳", "", "~ ", &long] {
            assert!(matches!(text.for_terminal(), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn nothing_moves_the_cursor_or_reorders_the_line() {
        let hostile = ["\u{1b}[2J", "\u{9b}31m", "a\rb", "a\nb", "\u{7}", "\u{7f}", "\u{0}", "\u{85}"];
        let reordering =
            ["\u{202e}", "\u{202a}", "\u{2066}", "\u{2069}", "\u{200e}", "\u{200f}", "\u{61c}", "\u{2028}"];
        let invisible = [
            "\u{200b}",
            "\u{200d}",
            "\u{feff}",
            "\u{2060}",
            "\u{ad}",
            "\u{180e}",
            "\u{e0041}",
            "\u{fe0f}",
            "\u{301}",
            "\u{3164}",
        ];
        for text in hostile.iter().chain(&reordering).chain(&invisible) {
            let safe = text.for_terminal();
            assert!(safe.chars().all(|shown| shown.is_ascii_graphic()), "{text:?} became {safe:?}");
            assert!(safe.contains("\\u{"), "{text:?} became {safe:?}");
            assert_eq!(LogText::from(*text).for_terminal(), safe);
        }
        assert_eq!("v1\u{202e}1v".for_terminal(), "v1\\u{202e}1v");
    }

    #[test]
    fn no_text_is_markup() {
        assert_eq!(
            "<b onclick='x'>\"&amp;\u{202e}".for_html(),
            "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;amp;\\u{202e}"
        );
        assert!(matches!("größe 東京".for_html(), Cow::Borrowed(_)));
        assert_eq!(LogText::from("</script>").for_html(), "&lt;/script&gt;");
    }

    #[test]
    fn a_long_text_is_cut_for_the_terminal_only() {
        let long = LogText::from("é".repeat(5_000));
        assert_eq!(long.for_terminal().chars().count(), LOG_CHARS_MAX + 1);
        assert!(long.for_terminal().ends_with('…'));
        assert_eq!(long.for_csv(), long.raw());
    }

    /// JSON text with line ends was no longer JSON after it had been written as CSV.
    #[test]
    fn line_ends_and_tabs_stay_in_a_cell_and_are_spelled_out_on_a_terminal() {
        let text = "first\nsecond\tthird\r\n{\n}\u{1b}";
        assert_eq!(text.for_csv(), "first\nsecond\tthird\r\n{\n}\\u{1b}");
        let mut shown = TerminalText(Vec::new());
        shown.write_all(b"a,\"b\tc\rd\ne\"\n").unwrap();
        assert_eq!(shown.0, b"a,\"b\\u{9}c\\u{d}d\ne\"\n");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"] {
            assert!(text.for_csv().starts_with('\''), "{text:?} became {:?}", text.for_csv());
        }
        assert_eq!("v1=2".for_csv(), "v1=2");
        assert_eq!("\t=1".for_csv(), "'\t=1");
        assert_eq!("a\u{1b}b".for_csv(), "a\\u{1b}b");
    }
}
