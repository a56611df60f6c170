//! Decompresses whole objects, for callers that need the content and not its records.

use super::inflate::{Inflater, is_gzip};

/// Decompresses objects one after another, with reused buffers; each worker has one.
#[derive(Default)]
pub struct Gunzip {
    outer: Inflater,
    inner: Inflater,
}

/// Why there is no content, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incomplete {
    /// It is larger than the limit.
    TooLarge(String),
    /// The gzip data is damaged.
    Damaged(String),
}

/// The content of a compressed object.
pub(super) struct Unpacked<'a> {
    pub text: &'a [u8],
    /// Why it is not complete.
    pub damage: Option<String>,
    /// Length of the longest text on the way to it.
    pub longest: usize,
}

impl Gunzip {
    /// Decompresses gzip, and gzip inside gzip, as upload tools make it; `None` for anything else.
    pub(super) fn unpack(&mut self, stored: &[u8], bytes_max: u64) -> Option<Unpacked<'_>> {
        if !is_gzip(stored) {
            return None;
        }
        let outer = self.outer.inflate(stored, bytes_max);
        let text = self.outer.text(outer.length);
        if !is_gzip(text) {
            return Some(Unpacked { text, damage: outer.damage, longest: outer.length });
        }
        let inner = self.inner.inflate(text, bytes_max);
        let (damage, longest) = (outer.damage.or(inner.damage), inner.length.max(outer.length));
        Some(Unpacked { text: self.inner.text(inner.length), damage, longest })
    }

    /// Frees buffers that have grown beyond `bytes`.
    pub(super) fn keep(&mut self, bytes: u64) {
        self.outer.keep(bytes);
        self.inner.keep(bytes);
    }

    /// The content of an object (not compressed, gzip with any number of members, gzip inside gzip) as far
    /// as it could be read, and why it is not complete.
    pub fn content<'a>(&'a mut self, stored: &'a [u8], bytes_max: u64) -> (&'a [u8], Option<Incomplete>) {
        match self.unpack(stored, bytes_max) {
            Some(Unpacked { text, damage, longest }) => {
                (text, damage.map(|damage| incomplete(damage, longest, bytes_max)))
            }
            None => {
                let too_large = stored.len() as u64 > bytes_max;
                (
                    stored,
                    too_large.then(|| {
                        Incomplete::TooLarge(
                            "larger than --max-memory allows for the text of one object".to_owned(),
                        )
                    }),
                )
            }
        }
    }
}

fn incomplete(damage: String, length: usize, bytes_max: u64) -> Incomplete {
    if length as u64 >= bytes_max { Incomplete::TooLarge(damage) } else { Incomplete::Damaged(damage) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn the_content_is_the_same_whatever_it_is_packed_in() {
        let mut gunzip = Gunzip::default();
        let members = [gzip(b"abc"), gzip(b"def")].concat();
        for stored in [b"abcdef".to_vec(), gzip(b"abcdef"), gzip(&gzip(b"abcdef")), members] {
            assert_eq!(gunzip.content(&stored, 100), (&b"abcdef"[..], None));
        }
    }

    #[test]
    fn damage_and_size_are_told_apart() {
        let mut gunzip = Gunzip::default();
        let stored = gzip(&[7; 5000]);
        assert!(matches!(
            gunzip.content(&stored[..stored.len() - 1], 10_000).1,
            Some(Incomplete::Damaged(_))
        ));
        assert!(matches!(gunzip.content(&stored, 4_000).1, Some(Incomplete::TooLarge(_))));
        assert!(matches!(gunzip.content(&[7; 5000], 4_000).1, Some(Incomplete::TooLarge(_))));
    }
}
