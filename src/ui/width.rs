//! How many columns of a terminal a text takes: Chinese, Japanese and Korean signs and emoji take two, marks that are set
//! over or under another sign take none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns that `text` takes.
pub fn of(text: &str) -> usize {
    text.width()
}

/// `text`, or as much of it as fits into `width` columns with `…` after it.
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
        assert_eq!((of("abc"), of("東京"), of("한글"), of("e\u{301}"), of("Zürich"), of("🚀"), of("Ｗ")), (3, 4, 4, 1, 6, 2, 2));
        assert_eq!(
            (cut("東京都", 6), cut("東京都", 5), cut("東京都", 4), cut("abc", 2)),
            ("東京都".into(), "東京…".into(), "東…".into(), "a…".into())
        );
    }
}
