//! Detects records that may not be written in CloudTrail's own form, by searching their text for typical
//! signs.

use super::Piece;
use crate::decode::blocks::{self, Classify, Task};
use crate::decode::fields::Fields;

/// Names before a value that is a string, with their opening quotes. All end with one of [`is_last_letter`].
const STRINGS: [&[u8]; 8] = [
    b"\"requestParameters",
    b"\"responseElements",
    b"\"serviceEventDetails",
    b"\"resources",
    b"\"errorCode",
    b"\"sharedEventID",
    b"\"userIdentity",
    b"\"additionalEventData",
];
/// Tools that flatten nested members begin with those of the caller, near the beginning of the record.
const FLATTENED: &[u8] = b"\"userIdentity";
const BEGINNING_BYTES: usize = 200;
/// The signs are three bytes long, so that blocks have two bytes in common.
const STEP: usize = 62;

/// Whether the record is in another form. Names and times in another form are noticed when the record is
/// found.
pub(super) fn is_in(text: &[u8], piece: &Piece) -> bool {
    let Some(record) = text.get(piece.start..piece.end) else { return false };
    blocks::run(Search { record }) && Fields::read(record, 0).is_ok_and(|(fields, _)| fields.has_drifted())
}

/// The search for a sign; the answer is whether there is one.
struct Search<'t> {
    record: &'t [u8],
}

impl Task for Search<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self, classify: impl Classify) -> bool {
        let mut base = 0;
        while let Some(rest) = self.record.get(base..).filter(|rest| !rest.is_empty()) {
            let found = match rest.first_chunk() {
                Some(block) => self.is_in(base, block, &classify),
                None => {
                    let mut last = [0; 64];
                    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    self.is_in(base, &last, &classify)
                }
            };
            if found {
                return true;
            }
            base += STEP;
        }
        false
    }
}

impl Search<'_> {
    #[inline(always)]
    fn is_in(&self, base: usize, block: &[u8; 64], classify: &impl Classify) -> bool {
        let quotes = classify.equal_to(block, b'"');
        // Each `":"`: a name before a value that is a string, or a piece of a text.
        let mut strings = quotes & classify.equal_to(block, b':') >> 1 & quotes >> 2;
        while strings != 0 {
            let before = self.record.get(..base + strings.trailing_zeros() as usize).unwrap_or_default();
            if before.last().is_some_and(is_last_letter) && STRINGS.iter().any(|name| before.ends_with(name))
            {
                return true;
            }
            strings &= strings - 1;
        }
        if base >= BEGINNING_BYTES {
            return false;
        }
        let mut names = quotes & classify.equal_to(block, b'u') >> 1;
        while names != 0 {
            let name = self.record.get(base + names.trailing_zeros() as usize..).unwrap_or_default();
            if let Some([b'.' | b'_', ..]) = name.strip_prefix(FLATTENED) {
                return true;
            }
            names &= names - 1;
        }
        false
    }
}

/// The last letters of [`STRINGS`]; most names end with another one.
#[inline(always)]
const fn is_last_letter(byte: &u8) -> bool {
    matches!(byte, b's' | b'e' | b'D' | b'y' | b'a')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_suspected(record: &str) -> bool {
        blocks::run(Search { record: record.as_bytes() })
    }

    #[test]
    fn signs_are_found_wherever_they_stand() {
        for filler in 0..200 {
            let before = format!(r#"{{"eventVersion":"{}","#, "x".repeat(filler));
            for name in STRINGS {
                let name = str::from_utf8(name).unwrap();
                assert!(is_suspected(&format!(r#"{before}{name}":"x"}}"#)), "{filler} {name}");
                assert!(!is_suspected(&format!(r#"{before}{name}":{{"a":"b"}}}}"#)), "{filler} {name}");
                assert!(!is_suspected(&format!(r#"{before}{}":"x"}}"#, &name[1..])), "{filler} {name}");
            }
            for mark in [".", "_"] {
                let record = format!(r#"{before}"userIdentity{mark}type":"Root"}}"#);
                assert!(before.len() >= BEGINNING_BYTES || is_suspected(&record), "{filler}");
            }
        }
        assert!(!is_suspected(r#"{"eventVersion":"1.11","userIdentity":{"type":"Root","userName":"a"}}"#));
        assert!(STRINGS.iter().all(|name| name.last().is_some_and(is_last_letter)));
    }
}
