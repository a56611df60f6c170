//! Unescapes long strings with many escapes while searching for their ends: 64 bytes are classified at a
//! time, and the text between two escapes is copied in one piece.

use super::blocks::{self, Classify, Task};
use super::json::meaning;

const BLOCK: usize = 64;
/// Longer strings are left to other code: CloudTrail's records are shorter, and the result stays in memory.
const BYTES_MAX: usize = 1 << 20;

/// Unescapes the string whose content is at the beginning of `text`. Returns the position of its closing
/// quote, and the length of what was written to the beginning of `out`, which grows as needed.
///
/// `None` for an invalid string, and for one that the fast way cannot handle: with `\u` in it, longer than
/// a MiB, or so near to the end of `text` that there is no whole block left.
pub(crate) fn unescape_string(text: &[u8], out: &mut Vec<u8>) -> Option<(usize, usize)> {
    let text = text.get(..BYTES_MAX).unwrap_or(text);
    if out.len() < text.len() + BLOCK {
        out.resize(text.len() + BLOCK, 0);
    }
    blocks::run(Unescape { text, out, length: 0 })
}

struct Unescape<'t> {
    text: &'t [u8],
    out: &'t mut [u8],
    length: usize,
}

impl Task for Unescape<'_> {
    type Output = Option<(usize, usize)>;

    #[inline(always)]
    fn run(mut self, classify: impl Classify) -> Self::Output {
        // Everything before this position has been processed; it is one byte into the next block if an
        // escape crosses the boundary.
        let mut done = 0;
        for (number, block) in self.text.as_chunks::<BLOCK>().0.iter().enumerate() {
            let base = number * BLOCK;
            let raw = classify.classify(block);
            let mut specials = (raw.quotes | raw.backslashes) & u64::MAX << (done - base);
            while specials != 0 {
                let at = base + specials.trailing_zeros() as usize;
                self.copy(done, at)?;
                if self.text.get(at) == Some(&b'"') {
                    return (!has_control(block.get(..at - base)?)).then_some((at, self.length));
                }
                *self.out.get_mut(self.length)? = meaning(*self.text.get(at + 1)?)?;
                self.length += 1;
                done = at + 2;
                specials &= (u64::MAX << (at - base)) << 1 << 1;
            }
            if has_control(block) {
                return None;
            }
            if done < base + BLOCK {
                self.copy(done, base + BLOCK)?;
                done = base + BLOCK;
            }
        }
        None
    }
}

impl Unescape<'_> {
    /// Copies the text between `from` and `to`, at most a block. Always copies a whole block; the excess is
    /// overwritten later.
    #[inline(always)]
    fn copy(&mut self, from: usize, to: usize) -> Option<()> {
        let bytes: &[u8; BLOCK] = self.text.get(from..)?.first_chunk()?;
        *self.out.get_mut(self.length..)?.first_chunk_mut()? = *bytes;
        self.length += to - from;
        Some(())
    }
}

/// JSON strings contain no control characters.
#[inline(always)]
fn has_control(bytes: &[u8]) -> bool {
    // No early exit, so that the compiler can compare many bytes at once.
    bytes.iter().fold(false, |found, &byte| found | (byte < b' '))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// serde_json's result for the same string, and where it ends.
    fn expected(text: &[u8]) -> Option<(usize, Vec<u8>)> {
        let quoted = [b"\"", text].concat();
        let mut strings = serde_json::Deserializer::from_slice(&quoted).into_iter::<String>();
        let string = strings.next()?.ok()?;
        Some((strings.byte_offset() - 2, string.into_bytes()))
    }

    fn found(text: &[u8]) -> Option<(usize, Vec<u8>)> {
        let mut out = b"left over".to_vec();
        unescape_string(text, &mut out).map(|(end, length)| (end, out[..length].to_vec()))
    }

    #[test]
    fn an_escape_may_stand_anywhere_in_a_block() {
        for before in 0..200 {
            for escape in [r"\n", r"\\", r#"\""#, r"\/", r"\\\\", r#"\\\""#, ""] {
                let text = format!("{}{escape}x\"{}", "a".repeat(before), "b".repeat(140));
                assert_eq!(found(text.as_bytes()), expected(text.as_bytes()), "{text}");
                assert!(found(text.as_bytes()).is_some());
            }
        }
    }

    #[test]
    fn what_is_not_for_the_fast_way_is_left() {
        let behind = "b".repeat(140);
        for text in [r#"\u0041""#, "\x01\"", r#"\x""#, "a", "\t\""] {
            for before in [0, 62, 63, 64, 100] {
                assert_eq!(found(format!("{}{text}{behind}", "a".repeat(before)).as_bytes()), None, "{text}");
            }
        }
        assert_eq!(found(b"too near\" to the end"), None);
        assert_eq!(found(format!("{}\"{behind}", "a".repeat(BYTES_MAX)).as_bytes()), None, "too long");
        // What follows the string does not matter.
        assert_eq!(found(format!("a\"\x01\\x{behind}").as_bytes()), Some((1, b"a".to_vec())));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(picks in proptest::collection::vec(0_usize..40, 0..400)) {
            let letters: Vec<u8> = picks.iter().map(|&pick| *b"\\\\\\\"nrtbf/\\\"x".get(pick).unwrap_or(&b'a')).collect();
            let text = [&letters[..], &[b'a'; 140]].concat();
            if let Some(found) = found(&text) {
                prop_assert_eq!(Some(found), expected(&text));
            } else if let Some((end, _)) = expected(&text) {
                prop_assert!(end + 64 > text.len(), "left, and not for want of room");
            }
        }
    }
}
