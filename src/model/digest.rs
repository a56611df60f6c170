//! Container image digests.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A container image digest, `sha256:` and 64 hex digits. Not to be confused with CloudTrail's *log digest
/// files*.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest that no image has, used where a digest is known to be present.
    pub const ZERO: Self = Self([0; 32]);

    /// Parses `sha256:` followed by 64 hex digits; `None` for anything else, so that a placeholder or a cut
    /// digest is never taken for one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_hex(text.strip_prefix("sha256:")?.as_bytes())
    }

    /// Parses the 64 hex digits alone.
    pub fn parse_hex(hex: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        // Invalid digits are checked for once at the end: archives hold millions of digests, and a branch
        // for each digit is slow.
        let mut digits = 0;
        for (byte, &[high, low]) in bytes.iter_mut().zip(hex.as_chunks::<2>().0) {
            let (high, low) = (NIBBLES[high as usize], NIBBLES[low as usize]);
            digits |= high | low;
            *byte = high << 4 | low;
        }
        if digits > 0xf {
            return None;
        }
        Some(Self(bytes))
    }

    /// The range of digests that begin with these hex digits; `None` if there are no digits or more than
    /// 64.
    pub fn beginning_with(digits: &str) -> Option<RangeInclusive<Self>> {
        let filled = |digit: u8| {
            let mut hex = [digit; 64];
            hex.get_mut(..digits.len())?.copy_from_slice(digits.as_bytes());
            Self::parse_hex(&hex)
        };
        Some(filled(b'0')?..=filled(b'f')?)
    }

    /// Every digest in a text, in order.
    pub fn all_in(text: &str) -> impl Iterator<Item = Self> + '_ {
        const LENGTH: usize = "sha256:".len() + 64;
        text.match_indices("sha256:")
            .filter_map(move |(at, _)| text.get(at..at + LENGTH).and_then(Self::parse))
    }

    /// The digest of a manifest: the SHA-256 of its exact text, as the OCI image specification defines it.
    pub fn of_manifest(manifest: &str) -> Self {
        Self(Sha256::digest(manifest.as_bytes()).into())
    }

    /// The 32 raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 hex digits, for people; not for comparing.
    pub fn short(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate("sha256:".len() + 12);
        hex
    }
}

/// The value of each hex digit; [`NO_DIGIT`] for every other byte.
const NIBBLES: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        table[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

const NO_DIGIT: u8 = 0xff;

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a digest looks like sha256: and 64 hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_digests_with_a_beginning_lie_between_two() {
        let digest = |digits: &str| Digest::parse_hex(digits.as_bytes()).unwrap();
        let (low, high) = (format!("ab3{}", "0".repeat(61)), format!("ab3{}", "f".repeat(61)));
        assert_eq!(Digest::beginning_with("ab3"), Some(digest(&low)..=digest(&high)));
        assert!(!Digest::beginning_with("ab3").unwrap().contains(&digest(&format!("ab4{}", "0".repeat(61)))));
        assert_eq!(Digest::beginning_with(&low), Some(digest(&low)..=digest(&low)));
        assert_eq!((Digest::beginning_with("xyz"), Digest::beginning_with(&"a".repeat(65))), (None, None));
    }

    #[test]
    fn a_digest_is_all_or_nothing() {
        let text = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(Digest::parse(&text).map(|digest| digest.to_string()), Some(text));
        assert_eq!(Digest::parse("sha256:7f5b2640fe6fb4f4EXAMPLE"), None);
        assert_eq!(Digest::parse(&"0a".repeat(32)), None);
    }
}
