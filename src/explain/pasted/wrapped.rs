//! Undoes line breaks that a console inserted in the middle of a word.

/// A text without its line breaks, and where each of its bytes was.
pub(super) struct Joined {
    pub text: String,
    places: Vec<usize>,
}

impl Joined {
    pub(super) fn new(text: &str) -> Self {
        let mut joined =
            Self { text: String::with_capacity(text.len()), places: Vec::with_capacity(text.len() + 1) };
        let mut at = 0;
        while let Some(letter) = text[at..].chars().next() {
            if let Some(length) = wrap(&text[at..]) {
                at += length;
                continue;
            }
            joined.text.push(letter);
            joined.places.extend(std::iter::repeat_n(at, letter.len_utf8()));
            at += letter.len_utf8();
        }
        joined.places.push(text.len());
        joined
    }

    /// The position in the original text of the byte `at` of the joined text.
    pub(super) fn place(&self, at: usize) -> usize {
        self.places[at.min(self.places.len() - 1)]
    }
}

/// The length of a line break including what wrapping adds around it: an indent, and the borders of a table
/// or quotation. `None` if no line ends here.
pub(super) fn wrap(text: &str) -> Option<usize> {
    const BORDERS: [char; 5] = ['|', '│', '┃', '>', '║'];
    let edge = |text: &str| text.len() - text.trim_start_matches(' ').len();
    let border =
        |text: &str| text.chars().next().filter(|letter| BORDERS.contains(letter)).map_or(0, char::len_utf8);
    // A border at the end of a line, with the spaces before it.
    let filled = edge(text);
    let closing = border(&text[filled..]);
    let end = filled + closing + edge(&text[filled + closing..]);
    let behind = text[end..].strip_prefix('\n')?;
    let indent = edge(behind);
    let opening = border(&behind[indent..]);
    let rest = if opening > 0 { edge(&behind[indent + opening..]) } else { 0 };
    Some(end + 1 + indent + opening + rest)
}

/// `text` without its first `breaks` line breaks, and the position of the next one. `None` if it has fewer.
pub(super) fn without_breaks(text: &str, breaks: usize) -> Option<(String, Option<usize>)> {
    let mut joined = String::new();
    let (mut at, mut left) = (0, breaks);
    while let Some(letter) = text[at..].chars().next() {
        match wrap(&text[at..]) {
            Some(length) if left > 0 => {
                left -= 1;
                at += length;
            }
            Some(_) => {
                let next = joined.len();
                joined.push_str(&text[at..]);
                return Some((joined, Some(next)));
            }
            None => {
                joined.push(letter);
                at += letter.len_utf8();
            }
        }
    }
    (left == 0).then_some((joined, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_line_is_put_together() {
        for text in [
            "shop/check\nout",
            "shop/check\n    out",
            "> shop/check\n> out",
            "| shop/check |\n| out |",
            "│ shop/check │\n│ out  │",
        ] {
            assert!(Joined::new(text).text.contains("shop/checkout"), "{text}: {}", Joined::new(text).text);
        }
        let joined = Joined::new("ab\n  cd");
        assert_eq!(
            (joined.text.as_str(), joined.place(1), joined.place(2), joined.place(4)),
            ("abcd", 1, 5, 7)
        );
        assert_eq!(without_breaks("a\nb\nc", 0), Some(("a\nb\nc".to_owned(), Some(1))));
        assert_eq!(without_breaks("a\n b\nc", 1), Some(("ab\nc".to_owned(), Some(2))));
        assert_eq!(without_breaks("a\nb", 2), None);
    }
}
