//! How many columns of a terminal a text takes: Chinese, Japanese and Korean signs and emoji take two, marks that are set
//! over or under another sign take none.

/// Signs of two columns, by their first and last code point (Unicode's East Asian Width: wide and full-width).
const WIDE: &[(u32, u32)] = &[
    (0x1100, 0x115F),
    (0x231A, 0x231B),
    (0x23E9, 0x23EC),
    (0x2614, 0x2615),
    (0x2648, 0x2653),
    (0x26A1, 0x26A1),
    (0x2705, 0x2705),
    (0x270A, 0x270B),
    (0x2728, 0x2728),
    (0x274C, 0x274C),
    (0x2753, 0x2757),
    (0x2795, 0x2797),
    (0x2B50, 0x2B50),
    (0x2E80, 0x303E),
    (0x3041, 0x3098),
    (0x309B, 0xA4CF),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0xFE10, 0xFE19),
    (0xFE30, 0xFE6F),
    (0xFF01, 0xFF60),
    (0xFFE0, 0xFFE6),
    (0x1F300, 0x1F64F),
    (0x1F680, 0x1F6FF),
    (0x1F900, 0x1F9FF),
    (0x1FA70, 0x1FAFF),
    (0x20000, 0x3FFFD),
];

/// Marks without a column of their own.
const NONE: &[(u32, u32)] = &[
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x0591, 0x05BD),
    (0x0610, 0x061A),
    (0x064B, 0x065F),
    (0x06D6, 0x06DC),
    (0x093C, 0x093C),
    (0x0941, 0x0948),
    (0x094D, 0x094D),
    (0x0E31, 0x0E31),
    (0x0E34, 0x0E3A),
    (0x0E47, 0x0E4E),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x200B, 0x200F),
    (0x20D0, 0x20FF),
    (0x3099, 0x309A),
    (0xFE00, 0xFE0F),
    (0xFE20, 0xFE2F),
    (0xE0100, 0xE01EF),
];

fn is_in(char: char, ranges: &[(u32, u32)]) -> bool {
    let code = u32::from(char);
    let at = ranges.partition_point(|(_, last)| *last < code);
    ranges.get(at).is_some_and(|(first, _)| *first <= code)
}

fn of_char(char: char) -> usize {
    match char {
        ' '..='~' => 1,
        _ if is_in(char, NONE) => 0,
        _ if is_in(char, WIDE) => 2,
        _ => 1,
    }
}

/// The columns that `text` takes.
pub fn of(text: &str) -> usize {
    text.chars().map(of_char).sum()
}

/// `text`, or as much of it as fits into `width` columns with `…` after it.
pub fn cut(text: &str, width: usize) -> String {
    if of(text) <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |char: &char| {
        used += of_char(*char);
        used <= width
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        for table in [WIDE, NONE] {
            assert!(table.iter().all(|(first, last)| first <= last));
            assert!(table.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }

    #[test]
    fn columns() {
        assert_eq!((of("abc"), of("東京"), of("한글"), of("e\u{301}"), of("Zürich"), of("🚀"), of("Ｗ")), (3, 4, 4, 1, 6, 2, 2));
        assert_eq!(
            (cut("東京都", 6), cut("東京都", 5), cut("東京都", 4), cut("abc", 2)),
            ("東京都".into(), "東京…".into(), "東…".into(), "a…".into())
        );
    }
}
