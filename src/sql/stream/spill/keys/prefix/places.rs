//! Numbers that have the order of texts, of the places at which these differ: of a time the digits, some bits each.
//!
//! Some of the texts show where they differ, and in what. Another text that does not fit that gets the number before, or
//! behind, those that it sorts before or behind.

use crate::sql::stream::spill::keys::column::KeyColumn;

/// So many bytes are looked at together, behind those that all texts begin with. Where these are few, they are looked
/// at like the others: to compare them by themselves would take longer.
const WINDOW: usize = 64;
const SAME_MIN: usize = 24;

/// The places at which texts differ.
#[derive(Debug)]
pub(super) struct Places {
    /// What all texts begin with, if that is long.
    same: Vec<u8>,
    shortest: usize,
    longest: usize,
    /// The least byte at each place behind it, and how far others are from it.
    least: [u8; WINDOW],
    range: [u8; WINDOW],
    /// So many of these are in the number.
    count: usize,
    /// Those at which texts differ.
    places: Vec<Place>,
    bits: u32,
}

#[derive(Debug)]
struct Place {
    /// Behind what all texts begin with.
    at: usize,
    least: u8,
    /// Whether some texts have ended before: that comes before all bytes.
    has_ends: bool,
    bits: u32,
}

impl Places {
    /// Those of the texts in some rows, as many as there is room for, and whether some are NULL. `None`: there is no
    /// room.
    pub fn of(
        column: &KeyColumn,
        rows: impl Iterator<Item = ((), u32)> + Clone,
        room: u32,
    ) -> Option<(Self, bool)> {
        let (mut first, mut same): (Option<&[u8]>, usize) = (None, 0);
        let (mut shortest, mut longest, mut has_nulls) = (usize::MAX, 0, false);
        column.each_bytes(rows.clone(), |(), text| {
            let Some(text) = text else {
                has_nulls = true;
                return;
            };
            (shortest, longest) = (shortest.min(text.len()), longest.max(text.len()));
            let known = *first.get_or_insert_with(|| {
                same = text.len();
                text
            });
            let known = known.get(..same).unwrap_or_default();
            if !text.starts_with(known) {
                same = known.iter().zip(text).take_while(|(a, b)| a == b).count();
            }
        });
        if same < SAME_MIN {
            same = 0;
        }
        let (mut least, mut greatest) = ([u8::MAX; WINDOW], [0_u8; WINDOW]);
        column.each_bytes(rows, |(), text| {
            let bytes = text.and_then(|text| text.get(same..)).unwrap_or_default();
            for ((least, greatest), byte) in least.iter_mut().zip(&mut greatest).zip(bytes) {
                *least = (*least).min(*byte);
                *greatest = (*greatest).max(*byte);
            }
        });
        let mut range = [0_u8; WINDOW];
        for ((range, least), greatest) in range.iter_mut().zip(&least).zip(&greatest) {
            *range = greatest.saturating_sub(*least);
        }
        let same = first.and_then(|first| first.get(..same)).unwrap_or_default().to_vec();
        let mut places =
            Self { same, shortest, longest, least, range, count: 0, places: Vec::new(), bits: 0 };
        places.fill(room.checked_sub(u32::from(has_nulls))?).then_some((places, has_nulls))
    }

    /// Finds room for places; returns whether there is any.
    fn fill(&mut self, room: u32) -> bool {
        let all = self.longest.saturating_sub(self.same.len());
        for (at, (least, range)) in (0..all).zip(self.least.iter().zip(&self.range)) {
            let has_ends = self.same.len() + at >= self.shortest;
            let bits = u32::BITS - (u32::from(*range) + u32::from(has_ends)).leading_zeros();
            if self.bits + bits > room {
                break;
            }
            self.bits += bits;
            self.count += 1;
            if bits > 0 {
                self.places.push(Place { at, least: *least, has_ends, bits });
            }
        }
        self.bits > 0 || self.are_all()
    }

    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Whether there was room for all of them.
    pub fn are_all(&self) -> bool {
        self.count + self.same.len() >= self.longest
    }

    /// The number of a text, and whether other texts have another one.
    pub fn number(&self, text: &[u8]) -> (u64, bool) {
        let is_like = (self.shortest..=self.longest).contains(&text.len());
        let rest = if self.same.is_empty() { Some(text) } else { text.strip_prefix(self.same.as_slice()) };
        match rest.filter(|_| is_like) {
            Some(rest) if self.fits(rest) => {
                let of = |number: u64, place: &Place| number << place.bits | place.of(rest);
                (self.places.iter().fold(0, of), true)
            }
            _ => (self.number_beside(text), false),
        }
    }

    fn fits(&self, rest: &[u8]) -> bool {
        let places = rest.iter().zip(&self.least).zip(&self.range).take(self.count);
        !places.fold(false, |misfits, ((byte, least), range)| misfits | (byte.wrapping_sub(*least) > *range))
    }

    /// The number of a text that does not fit: the greatest one of those that sort before it, or the least one of those
    /// behind it.
    fn number_beside(&self, text: &[u8]) -> u64 {
        let greatest = 1_u64.checked_shl(self.bits).unwrap_or(0).wrapping_sub(1);
        let Some(rest) = text.strip_prefix(self.same.as_slice()) else {
            return if text < self.same.as_slice() { 0 } else { greatest };
        };
        let (mut number, mut left) = (0, self.bits);
        let mut places = self.places.iter().peekable();
        for (at, (least, range)) in self.least.iter().zip(&self.range).take(self.count).enumerate() {
            let place = places.next_if(|place| place.at == at);
            let has_ends = self.same.len() + at >= self.shortest;
            let is_beyond = match rest.get(at) {
                None if has_ends => None,
                None => Some(false),
                Some(byte) if byte < least => Some(false),
                Some(byte) => (byte - least > *range).then_some(true),
            };
            if let Some(is_beyond) = is_beyond {
                let others = 1_u64.checked_shl(left).unwrap_or(0).wrapping_sub(1);
                // A text that goes on is behind those that end here.
                let lowest = place.map_or(0, |place| {
                    let goes_on = place.has_ends && rest.get(at).is_some();
                    u64::from(goes_on) << (left - place.bits)
                });
                return match (is_beyond, left) {
                    (_, 0) => number,
                    (true, left) => number.checked_shl(left).unwrap_or(0) | others,
                    (false, left) => number.checked_shl(left).unwrap_or(0) | lowest,
                };
            }
            if let Some(place) = place {
                number = number << place.bits | place.of(rest);
                left -= place.bits;
            }
        }
        number
    }
}

impl Place {
    fn of(&self, rest: &[u8]) -> u64 {
        match rest.get(self.at) {
            Some(byte) => u64::from(byte.wrapping_sub(self.least)) + u64::from(self.has_ends),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::types::values::{Cell, Values};
    use crate::tables::Kind;

    const BEGIN: &str = "arn:aws:iam::123456789012:role/";

    #[test]
    fn texts_that_do_not_fit_are_beside_those_that_do() {
        let shown = ["role-b1", "role-b5", "role-c3", "role-c", "role-d77"];
        // With and without a long beginning that all have in common.
        for (room, begin) in [2, 5, 9, 64].into_iter().flat_map(|room| [(room, ""), (room, BEGIN)]) {
            let shown = shown.map(|text| format!("{begin}{text}"));
            let column = String::column(shown.iter().cloned().map(Some).collect());
            let column = KeyColumn::of(&Values::new(Kind::Varchar, column), shown.len()).unwrap();
            let (places, has_nulls) = Places::of(&column, (0..5).map(|row| ((), row)), room).unwrap();
            assert!(!has_nulls);
            assert_eq!(places.are_all(), room >= 6);
            let mut texts: Vec<String> = shown.to_vec();
            for begins in
                ["", "r", "role", "role-", "role-a", "role-b", "role-c", "role-d", "rolf", "s", "\u{7f}"]
            {
                for end in ["", "0", "1", "3", "37", "5", "9", "77", "777", "\0"] {
                    texts.push(format!("{begin}{begins}{end}"));
                    texts.push(format!("{begins}{end}"));
                }
            }
            texts.sort();
            let numbers: Vec<(u64, bool)> = texts.iter().map(|text| places.number(text.as_bytes())).collect();
            assert!(numbers.is_sorted_by_key(|(number, _)| *number), "{room} {texts:?} {numbers:?}");
            assert!(shown.iter().all(|text| places.number(text.as_bytes()).1));
            assert!(!places.number(format!("{begin}role-a").as_bytes()).1);
        }
    }
}
