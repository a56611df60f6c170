//! Bytes: what is written in base64 or hexadecimal digits, and sums over it. User data of instances, policies and tokens
//! stand so in CloudTrail.

use sha2::{Digest, Sha256, Sha512};

use super::super::error::{Result, SqlError};
use super::super::values::Values;
use super::Call;
use crate::tables::Kind;

pub(super) const NAMES: &[&str] =
    &["to_utf8", "from_utf8", "to_hex", "from_hex", "to_base64", "from_base64", "to_base64url", "from_base64url", "sha256", "sha512"];

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    Some(match call.name {
        "to_utf8" => call.text_to(Kind::Binary, |text| Some(hex(text.as_bytes()))),
        "from_utf8" => of_bytes(call, Kind::Varchar, |bytes| String::from_utf8_lossy(bytes).into_owned()),
        "to_hex" => of_bytes(call, Kind::Varchar, |bytes| hex(bytes).to_uppercase()),
        "to_base64" => of_bytes(call, Kind::Varchar, |bytes| to_base64(bytes, false)),
        "to_base64url" => of_bytes(call, Kind::Varchar, |bytes| to_base64(bytes, true)),
        "sha256" => of_bytes(call, Kind::Binary, |bytes| hex(&Sha256::digest(bytes))),
        "sha512" => of_bytes(call, Kind::Binary, |bytes| hex(&Sha512::digest(bytes))),
        "from_hex" => to_bytes(call, "hexadecimal", bytes),
        "from_base64" | "from_base64url" => to_bytes(call, "base64", from_base64),
        _ => return None,
    })
}

/// Bytes as they lie in a column: two hexadecimal digits for each.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hexadecimal digits say.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect()
}

/// A function of bytes; a text is taken for its own.
fn of_bytes(call: &Call<'_>, kind: Kind, cell: impl Fn(&[u8]) -> String) -> Result<Values> {
    call.arity(1, if call.name == "from_utf8" { 2 } else { 1 })?;
    let values = call.arg(0)?;
    if !matches!(values.kind, Kind::Binary | Kind::Unknown) {
        return Err(SqlError::new(format!("bytes are needed here, such as to_utf8('…'), and this is {}", values.kind)));
    }
    let cells = values.texts()?;
    call.build(kind, |row| Ok(cells.get(row).and_then(bytes).map(|bytes| cell(&bytes))))
}

/// Bytes of a text in some spelling.
fn to_bytes(call: &Call<'_>, spelling: &str, read: impl Fn(&str) -> Option<Vec<u8>>) -> Result<Values> {
    call.arity(1, 1)?;
    let texts = call.texts(0)?;
    call.build(Kind::Binary, |row| match texts.get(row).map(|text| (text, read(text))) {
        None => Ok(None),
        Some((_, Some(bytes))) => Ok(Some(hex(&bytes))),
        Some((text, None)) => call.refuse(|| format!("'{}' is no {spelling}", text.chars().take(80).collect::<String>())),
    })
}

fn to_base64(bytes: &[u8], for_url: bool) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4_usize {
            let letter = BASE64.get((bits >> (18 - 6 * at) & 63) as usize).copied().unwrap_or(b'=');
            let letter = match letter {
                _ if at > chunk.len() => b'=',
                b'+' if for_url => b'-',
                b'/' if for_url => b'_',
                letter => letter,
            };
            out.push(char::from(letter));
        }
    }
    out
}

/// Either alphabet, with or without the `=` at the end.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in text.trim_end_matches('=').bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let letter = match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        };
        let value = BASE64.iter().position(|known| *known == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 255) as u8);
        }
    }
    // Six bits alone are no byte.
    (count < 6).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_there_and_back() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"\xfb\xff", "+/8=")] {
            assert_eq!(to_base64(bytes, false), text);
            assert_eq!(from_base64(text).as_deref(), Some(bytes));
        }
        assert_eq!(from_base64("-_8").as_deref(), Some(&b"\xfb\xff"[..]));
        assert_eq!((from_base64("a"), from_base64("a!bc")), (None, None));
    }
}
