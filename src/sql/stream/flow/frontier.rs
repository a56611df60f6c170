//! Finds the first rows of an order that begins with a text column, with as little reading as possible.
//!
//! Any `n` rows that have been read give a bound: the last of the first `n` rows of the answer cannot come
//! after the last of these. A row group whose texts all come after the bound is not read, and in other row
//! groups the rows after it are dropped before more columns are read.

use std::sync::{PoisonError, RwLock};

use polars::prelude::StringChunked;

use crate::sql::types::order::Least;

/// The first sort key, a column.
#[derive(Debug, Clone)]
pub(super) struct Leading {
    pub column: &'static str,
    pub descending: bool,
}

/// The bound: rows with a text after this one are not among the first. NULLs come last.
#[derive(Debug, Default)]
pub(super) struct Frontier(RwLock<Option<Box<str>>>);

impl Leading {
    /// Whether `text` comes after `other` in the order.
    fn is_behind(&self, text: &str, other: &str) -> bool {
        if self.descending { text < other } else { text > other }
    }

    /// Drops the rows that cannot be among the first `wanted`.
    pub fn narrow(&self, texts: &StringChunked, wanted: usize, frontier: &Frontier, keep: &mut [bool]) {
        let known = frontier.text();
        let last = self.last_of_first(texts, wanted, keep);
        let last = match (last, known.as_deref()) {
            (Some(own), Some(known)) if self.is_behind(own, known) => Some(known),
            (own, known) => own.or(known),
        };
        let Some(last) = last else { return };
        for (slot, text) in keep.iter_mut().zip(texts.iter()) {
            *slot = *slot && text.is_some_and(|text| !self.is_behind(text, last));
        }
    }

    /// The text of the last of the first `wanted` kept rows; `None` if fewer rows have a text.
    fn last_of_first<'t>(&self, texts: &'t StringChunked, wanted: usize, keep: &[bool]) -> Option<&'t str> {
        let order = |a: &&str, b: &&str| if self.descending { b.cmp(a) } else { a.cmp(b) };
        let mut first = Least::default();
        let kept = texts.iter().zip(keep).filter(|(_, keep)| **keep).filter_map(|(text, _)| text);
        kept.for_each(|text| first.add(text, wanted, order));
        first.finish(wanted, order).get(wanted.checked_sub(1)?).copied()
    }

    /// Whether all texts in this range come after the bound.
    pub fn are_behind(&self, least: &[u8], greatest: &[u8], frontier: &Frontier) -> bool {
        frontier.text().is_some_and(|last| {
            if self.descending { greatest < last.as_bytes() } else { least > last.as_bytes() }
        })
    }

    /// Updates the bound with the text of the last of `wanted` rows.
    pub fn advance(&self, text: &str, frontier: &Frontier) {
        let mut known = frontier.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.as_deref().is_none_or(|known| self.is_behind(known, text)) {
            *known = Some(text.into());
        }
    }
}

impl Frontier {
    fn text(&self) -> Option<Box<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_behind_the_last_of_the_first_are_left_out_and_no_others() {
        let texts: StringChunked = ["c", "a", "b", "a", "d"].into_iter().map(Some).chain([None]).collect();
        let kept = |descending, wanted, frontier: &Frontier, keep: [bool; 6]| {
            let mut keep = keep;
            Leading { column: "eventtime", descending }.narrow(&texts, wanted, frontier, &mut keep);
            (0..6).filter(|at| keep[*at]).collect::<Vec<_>>()
        };
        let (nothing, all) = (Frontier::default(), [true; 6]);
        // Rows equal to the bound are all kept.
        assert_eq!(kept(false, 1, &nothing, all), [1, 3]);
        assert_eq!(kept(false, 3, &nothing, all), [1, 2, 3]);
        assert_eq!(kept(true, 2, &nothing, all), [0, 4]);
        // NULLs are needed if there are not enough other rows.
        assert_eq!(kept(true, 6, &nothing, all), [0, 1, 2, 3, 4, 5]);
        assert_eq!(kept(false, 1, &nothing, [true, false, false, false, true, true]), [0]);
        let known = Frontier::default();
        let leading = Leading { column: "eventtime", descending: false };
        leading.advance("b", &known);
        leading.advance("c", &known);
        assert_eq!(kept(false, 4, &known, all), [1, 2, 3], "what others have seen counts");
        assert!(
            leading.are_behind(b"ba", b"z", &known)
                && !leading.are_behind(b"b", b"z", &known)
                && !leading.are_behind(b"c", b"z", &nothing)
        );
    }
}
