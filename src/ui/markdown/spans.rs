//! Text in Markdown: plain words stay as they are, everything else goes into code spans.

use std::fmt::Write as _;

use crate::ui::escape::Escape;

/// A text as a code span, whose fence is longer than any in the text. Pipes would end a table cell, so they
/// are put between spans.
pub fn code(text: &str) -> String {
    let text = text.for_terminal();
    let mut written = String::with_capacity(text.len() + 8);
    for (at, piece) in text.split('|').enumerate() {
        if at > 0 {
            written.push_str("&#124;");
        }
        if piece.is_empty() {
            continue;
        }
        let longest = piece.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest + 1);
        // One space inside each fence is not rendered; a piece that is only spaces keeps its own.
        let padded = piece.starts_with(['`', ' ']) || piece.ends_with(['`', ' ']);
        let space = if padded && !piece.trim().is_empty() { " " } else { "" };
        let _ = write!(written, "{fence}{space}{piece}{space}{fence}");
    }
    written
}

/// Sentences of this program: plain words stay as they are, and everything that quotes a log (names, times,
/// addresses) becomes a code span. A command in backticks becomes one span.
pub fn prose(text: &str) -> String {
    let text = text.for_terminal();
    let mut written = String::with_capacity(text.len() + 32);
    for (at, piece) in text.split('`').enumerate() {
        if at % 2 == 1 {
            written.push_str(&code(piece));
            continue;
        }
        for (word_at, word) in piece.split(' ').enumerate() {
            if word_at > 0 {
                written.push(' ');
            }
            push_word(&mut written, word);
        }
    }
    written
}

fn push_word(written: &mut String, word: &str) {
    let inner = word.trim_start_matches(['(', '"', '\'']);
    let core = inner.trim_end_matches(['.', ',', ';', ':', ')', '"', '\'', '?']);
    let (before, after) = (&word[..word.len() - inner.len()], &inner[core.len()..]);
    // `1.` at the start of a line would begin a list.
    let is_number_of_list =
        written.is_empty() && core.bytes().all(|byte| byte.is_ascii_digit()) && after.starts_with(['.', ')']);
    if is_plain(core) && !is_number_of_list {
        written.push_str(word);
        return;
    }
    let _ = write!(written, "{before}{}{after}", code(core));
}

/// Whether it consists of letters and digits, with only such characters between them as cannot begin
/// markup.
fn is_plain(core: &str) -> bool {
    let has_digit = core.bytes().any(|byte| byte.is_ascii_digit());
    if core.starts_with(|letter: char| letter.is_ascii_digit())
        && core.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
    {
        return true;
    }
    let fits = |letter: char| {
        letter.is_alphanumeric()
            || matches!(letter, '–' | '…' | '×' | '\'' | ',')
            || letter == '-' && !has_digit
    };
    core.chars().all(fits) && !core.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_and_names_stand_in_code() {
        let text = "In shop/api (111122223333, eu-central-1), v7 was taken 9.5 s later; run `aws ecr \
            put-image --tag 'a|b'` again.";
        let expected = "In `shop/api` (111122223333, `eu-central-1`), v7 was taken 9.5 s later; run `aws ecr \
            put-image --tag 'a`&#124;`b'` again.";
        assert_eq!(prose(text), expected);
        assert_eq!(prose("Re-pushed, in all 1,204 times."), "Re-pushed, in all 1,204 times.");
    }

    #[test]
    fn no_text_is_markup() {
        for hostile in [
            "@oncall",
            "#12",
            "[a](http://x)",
            "<img/src=x>",
            "**b**",
            "_i_",
            "~~s~~",
            "http://x.example",
            "www.x.example",
            "a@b.example",
            ":tada:",
            "$x$",
            "&amp;",
            "![a](b)",
            "[a]:",
            "---",
            "===",
            "+",
            "-",
            "#",
            "1.",
            ">",
            "\\",
        ] {
            let written = prose(hostile);
            assert!(written.contains('`'), "{hostile} became {written}");
            let core = hostile.trim_end_matches([':', '.', ')', ';']);
            assert!(written.starts_with('`') && written.contains(core), "{hostile} became {written}");
        }
        assert_eq!(prose("a\n# b"), "`a\\u{a}#` b");
    }

    #[test]
    fn no_fence_is_shorter_than_what_it_holds_and_no_cell_ends_in_a_text() {
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code("a\\|b"), "`a\\`&#124;`b`");
        assert_eq!(code("||"), "&#124;&#124;");
        assert_eq!(code(" x "), "`  x  `");
    }
}
