//! Base64, in which queues and log shippers put gzip and JSON.

use std::io::Read;

use super::inflate::is_gzip;

/// A message is at most this long when decoded: AWS services accept only a few MB.
const BYTES_MAX: u64 = 32 << 20;
/// How gzip and JSON begin in base64: `{"`, `{` and a line end, `[{`, `["`.
const BEGINNINGS: [&[u8]; 5] = [b"H4sI", b"eyJ", b"ewo", b"W3s", b"Wyk"];

/// Whether the text may be gzip or JSON in base64.
pub(super) fn may_hold(text: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}

/// The decoded text, with gzip decompressed; `None` if it is something else or very long.
pub(super) fn text(encoded: &[u8]) -> Option<Vec<u8>> {
    let bytes = decoded(encoded)?;
    if !is_gzip(&bytes) {
        return Some(bytes);
    }
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).take(BYTES_MAX + 1).read_to_end(&mut text).ok()?;
    (text.len() as u64 <= BYTES_MAX).then_some(text)
}

/// Accepts both alphabets; ignores line ends.
fn decoded(encoded: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut count) = (Vec::with_capacity(encoded.len() / 4 * 3), 0_u32, 0);
    let body = encoded.trim_ascii_end();
    let body = body.strip_suffix(b"==").or_else(|| body.strip_suffix(b"=")).unwrap_or(body);
    for &byte in body.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_comes_back() {
        for (encoded, expected) in [
            ("eyJhIjoxfQ==", "{\"a\":1}"),
            ("eyJhIjoxMn0=", "{\"a\":12}"),
            ("eyJhIjoi\n8J-Qsy_DvyJ9", "{\"a\":\"🐳/ÿ\"}"),
        ] {
            assert_eq!(text(encoded.as_bytes()).as_deref(), Some(expected.as_bytes()), "{encoded}");
            assert!(may_hold(encoded.as_bytes()));
        }
        assert_eq!(text(b"eyJh{"), None);
    }
}
