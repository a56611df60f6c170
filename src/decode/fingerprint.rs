//! eventID → 64 bits, the same on every machine and in every run.

use xxhash_rust::xxh3::xxh3_64;

/// A stable 64-bit fingerprint of an eventID. Never zero, so that zero can mean "free" in a table.
///
/// Two different ids share one with odds of 1 : 2⁶⁴; among *n* ids there is any such pair with odds of about n² : 2⁶⁵
/// (ten million ids: 3 in a million). The hash (XXH3, no seed) does not stand up to an opponent who chooses ids; eventIDs
/// are chosen by AWS, and a wrong count of second copies is all that there is to gain.
pub fn fingerprint(event_id: &[u8]) -> u64 {
    xxh3_64(event_id).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_what_it_was() {
        assert_eq!(fingerprint(b"0828c0d2-3589-4390-b954-c78b4a7df44b"), fingerprint(b"0828c0d2-3589-4390-b954-c78b4a7df44b"));
        assert_ne!(fingerprint(b"0828c0d2-3589-4390-b954-c78b4a7df44b"), fingerprint(b"0828c0d2-3589-4390-b954-c78b4a7df44c"));
        // XXH3's published value for the empty text.
        assert_eq!(fingerprint(b""), 0x2d06_8005_38d3_94c2);
    }
}
