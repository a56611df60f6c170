//! Detects records that may not be written in CloudTrail's own form, by searching their text for typical
//! signs.

use super::Piece;
use crate::decode::blocks::{self, Classify, Task};
use crate::decode::fields::{Fields, is_list};
use crate::decode::json::skip_space;
use crate::decode::names::named;

/// Names whose value is never a string in CloudTrail's own form, by their last letters; with opening quotes.
const PLURALS: [&[u8]; 4] =
    [b"\"requestParameters", b"\"responseElements", b"\"serviceEventDetails", b"\"resources"];
const IDENTITY: &[u8] = b"\"userIdentity";
const ADDITIONAL: &[u8] = b"\"additionalEventData";
/// Names whose value exporters write even if there is none.
const CODE: &[u8] = b"\"errorCode";
const SHARED_ID: &[u8] = b"\"sharedEventID";
/// Tools that flatten nested members begin with those of the caller, near the beginning of the record.
const BEGINNING_BYTES: usize = 200;
/// A sign in a block is two bytes long, so that blocks have one byte in common.
const STEP: usize = 63;

/// Whether the record is in another form. Names and times in another form are noticed when the record is
/// found.
pub(super) fn is_in(text: &[u8], piece: &Piece) -> bool {
    let Some(record) = text.get(piece.start..piece.end) else { return false };
    blocks::run(Search { record }) && Fields::read(record, 0).is_ok_and(|(fields, _)| fields.has_drifted())
}

/// The search for a sign in a record; the answer is whether there is one.
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
        let mut names = quotes & classify.equal_to(block, b':') >> 1;
        while names != 0 {
            if self.names_a_string(base + names.trailing_zeros() as usize) {
                return true;
            }
            names &= names - 1;
        }
        let mut lists = classify.equal_to(block, b'[');
        while lists != 0 {
            if self.has_list(base + lists.trailing_zeros() as usize) {
                return true;
            }
            lists &= lists - 1;
        }
        base < BEGINNING_BYTES && self.is_flattened(base, quotes & classify.equal_to(block, b'u') >> 1)
    }

    /// Whether a name that ends at the quote `at` has a string as its value, and should not.
    #[inline(always)]
    fn names_a_string(&self, at: usize) -> bool {
        let Some((name, [b'"', b':', value @ ..])) = self.record.split_at_checked(at) else { return false };
        if !matches!(value, [b'"' | b' ' | b'\t' | b'\r' | b'\n', ..]) {
            return false;
        }
        let is_one = match name {
            [.., b's'] => PLURALS.iter().any(|plural| name.ends_with(plural)),
            [.., b'e'] => name.ends_with(CODE),
            [.., b'D'] => name.ends_with(SHARED_ID),
            [.., b'y'] => name.ends_with(IDENTITY),
            [.., b'a'] => name.ends_with(ADDITIONAL),
            _ => false,
        };
        is_one && value.get(skip_space(value, 0)) == Some(&b'"')
    }

    /// Whether the list that may begin at `at` is the value of a name for which CloudTrail writes no list.
    fn has_list(&self, at: usize) -> bool {
        let name = || {
            let before = self.record.get(..at)?.trim_ascii_end().strip_suffix(b":")?;
            let before = before.trim_ascii_end().strip_suffix(b"\"")?;
            before.get(memchr::memrchr(b'"', before)? + 1..)
        };
        name().and_then(named).is_some_and(|(kind, _)| is_list(kind, b"["))
    }

    /// Whether one of the `names` that begin in the block at `base` is that of a member of the caller.
    #[inline(always)]
    fn is_flattened(&self, base: usize, mut names: u64) -> bool {
        while names != 0 {
            let name = self.record.get(base + names.trailing_zeros() as usize..).unwrap_or_default();
            if let Some([b'.' | b'_', ..]) = name.strip_prefix(IDENTITY) {
                return true;
            }
            names &= names - 1;
        }
        false
    }
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
            for name in PLURALS.into_iter().chain([IDENTITY, ADDITIONAL, CODE, SHARED_ID]) {
                let name = str::from_utf8(name).unwrap();
                for value in [r#""x""#, r#" "x""#, "\n\t\"x\""] {
                    assert!(is_suspected(&format!(r#"{before}{name}":{value}}}"#)), "{filler} {name}");
                }
                for value in [r#"{"a":"b"}"#, r#" {"a": "b"}"#, "null"] {
                    assert!(!is_suspected(&format!(r#"{before}{name}":{value}}}"#)), "{filler} {name}");
                }
                assert!(!is_suspected(&format!(r#"{before}{}":"x"}}"#, &name[1..])), "{filler} {name}");
            }
            for list in [r#""requestParameters":[{}]"#, r#""userIdentity" : [1]"#, r#""eventName":["x"]"#] {
                assert!(is_suspected(&format!("{before}{list}}}")), "{filler} {list}");
            }
            assert!(!is_suspected(&format!(r#"{before}"resources":[{{"ARN":["a"]}}]}}"#)), "{filler}");
            for mark in [".", "_"] {
                let record = format!(r#"{before}"userIdentity{mark}type":"Root"}}"#);
                assert!(before.len() >= BEGINNING_BYTES || is_suspected(&record), "{filler}");
            }
        }
        assert!(!is_suspected(r#"{"eventVersion":"1.11","userIdentity":{"type":"Root","userName":"a"}}"#));
    }
}
