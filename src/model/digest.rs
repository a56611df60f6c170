//! Container image digests.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A container image digest, `sha256:` and 64 hex digits. Not to be confused with CloudTrail's *log digest files*.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of nothing: stands where a digest cannot be missing by construction.
    pub const ZERO: Self = Self([0; 32]);

    /// Parses `sha256:` followed by 64 hex digits; `None` for anything else, so that a placeholder or a cut digest
    /// never becomes an identity.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?.as_bytes();
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// The digest of a manifest: SHA-256 of its exact text, which is how a registry names an image (OCI image spec).
    pub fn of_manifest(manifest: &str) -> Self {
        Self(Sha256::digest(manifest.as_bytes()).into())
    }

    /// The 32 raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 hex digits, for people. Never for identity.
    pub fn short(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate("sha256:".len() + 12);
        hex
    }
}

const fn nibble(hex: u8) -> Option<u8> {
    match hex {
        b'0'..=b'9' => Some(hex - b'0'),
        b'a'..=b'f' => Some(hex - b'a' + 10),
        b'A'..=b'F' => Some(hex - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_all_or_nothing() {
        let text = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(Digest::parse(&text).map(|digest| digest.to_string()), Some(text));
        assert_eq!(Digest::parse("sha256:7f5b2640fe6fb4f4EXAMPLE"), None);
        assert_eq!(Digest::parse(&"0a".repeat(32)), None);
    }
}
