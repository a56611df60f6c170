//! How many terminal columns a text takes: Chinese, Japanese and Korean characters and emoji take two,
//! combining marks take none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns that `text` takes.
pub fn of(text: &str) -> usize {
    text.width()
}

/// `text`, or its beginning and end with `…` between them: in an ARN or a key, both are informative.
pub fn cut_in_the_middle(text: &str, width: usize) -> String {
    if of(text) <= width {
        return text.to_owned();
    }
    let fits = |room: usize| {
        let mut used = 0;
        move |char: &char| {
            used += char.width().unwrap_or(0);
            used <= room
        }
    };
    let room = width.saturating_sub(1);
    let start: String = text.chars().take_while(fits(room / 2)).collect();
    let end: Vec<char> = text.chars().rev().take_while(fits(room - room / 2)).collect();
    format!("{start}…{}", end.into_iter().rev().collect::<String>())
}

/// `text`, or as much of it as fits into `width` columns with `…` after it.
#[cfg(feature = "sql")]
pub fn cut(text: &str, width: usize) -> String {
    if of(text) <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |char: &char| {
        used += char.width().unwrap_or(0);
        used <= width
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        assert_eq!(
            (of("abc"), of("東京"), of("한글"), of("e\u{301}"), of("Zürich"), of("🚀"), of("Ｗ")),
            (3, 4, 4, 1, 6, 2, 2)
        );
        assert_eq!(
            (
                cut_in_the_middle("abcdefgh", 5),
                cut_in_the_middle("abc", 3),
                cut_in_the_middle("東京都東京都", 6)
            ),
            ("ab…gh".into(), "abc".into(), "東…都".into())
        );
        #[cfg(feature = "sql")]
        assert_eq!(
            (cut("東京都", 6), cut("東京都", 5), cut("東京都", 4), cut("abc", 2)),
            ("東京都".into(), "東京…".into(), "東…".into(), "a…".into())
        );
    }
}
