//! Checks signatures of AWS: RSA (PKCS #1, version 1.5) with SHA-256 over four lines about a log digest
//! file. That is the only algorithm that CloudTrail uses. The algorithm named in the file is ignored, or an
//! edited file could choose another one.

use super::file::LogDigestFile;
use super::keys::Keys;

/// The result of checking a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Valid,
    Invalid,
    Not(Why),
}

/// Why a signature was not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The signature itself is not here.
    NoSignature,
    /// No public keys were given.
    NoKeys,
    /// The key is not among those given.
    UnknownKey,
    /// This build cannot check signatures.
    NotBuilt,
}

/// Checks `signature` (hex) of `file`.
pub fn check(keys: &Keys, file: &LogDigestFile, signature: &str) -> Check {
    if cfg!(not(feature = "signatures")) {
        return Check::Not(Why::NotBuilt);
    }
    if keys.is_empty() {
        return Check::Not(Why::NoKeys);
    }
    let mut known = keys.with_fingerprint(&file.fingerprint).peekable();
    if known.peek().is_none() {
        return Check::Not(Why::UnknownKey);
    }
    let message = signed_text(file);
    let valid = from_hex(signature)
        .is_some_and(|signature| known.any(|key| verifies(key, message.as_bytes(), &signature)));
    if valid { Check::Valid } else { Check::Invalid }
}

/// The text that CloudTrail signs. For a starting file, the word `null` takes the place of the previous
/// signature.
pub fn signed_text(file: &LogDigestFile) -> String {
    let before = file.previous.as_ref().and_then(|previous| previous.signature.as_deref()).unwrap_or("null");
    format!("{}\n{}/{}\n{}\n{before}", file.end_text, file.bucket, file.object, file.sha256)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

#[cfg(feature = "signatures")]
fn verifies(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, key)
        .verify(message, signature)
        .is_ok()
}

#[cfg(not(feature = "signatures"))]
const fn verifies(_key: &[u8], _message: &[u8], _signature: &[u8]) -> bool {
    false
}
