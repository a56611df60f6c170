//! Bytes in base64 or hexadecimal notation, and hashes. User data of instances, policies and tokens are
//! written so in CloudTrail.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use xxhash_rust::xxh64::xxh64;

use super::call::Call;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::values::Values;
use crate::tables::Kind;

pub(super) const NAMES: &[&str] = &[
    "to_utf8",
    "from_utf8",
    "to_hex",
    "from_hex",
    "to_base64",
    "from_base64",
    "to_base64url",
    "from_base64url",
    "sha256",
    "sha512",
    "sha1",
    "md5",
    "xxhash64",
    "crc32",
];

/// Accepts text that was copied by hand: the `=` at the end may be missing, and the last letter may have
/// surplus bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    Some(match call.name {
        "to_utf8" => call.text_to(Kind::Binary, |text| Some(hex::encode(text.as_bytes()))),
        "from_utf8" => of_bytes(call, Kind::Varchar, |bytes| String::from_utf8_lossy(bytes).into_owned()),
        "to_hex" => of_bytes(call, Kind::Varchar, |bytes| hex::encode(bytes).to_uppercase()),
        "to_base64" => of_bytes(call, Kind::Varchar, |bytes| BASE64.encode(bytes)),
        "to_base64url" => of_bytes(call, Kind::Varchar, |bytes| URL_SAFE.encode(bytes)),
        "sha256" => {
            of_bytes(call, Kind::Binary, |bytes| hex::encode(<Sha256 as sha2::Digest>::digest(bytes)))
        }
        "sha512" => {
            of_bytes(call, Kind::Binary, |bytes| hex::encode(<Sha512 as sha2::Digest>::digest(bytes)))
        }
        "sha1" => of_bytes(call, Kind::Binary, |bytes| hex::encode(Sha1::digest(bytes))),
        "md5" => of_bytes(call, Kind::Binary, |bytes| hex::encode(Md5::digest(bytes))),
        "xxhash64" => of_bytes(call, Kind::Binary, |bytes| hex::encode(xxh64(bytes, 0).to_be_bytes())),
        "crc32" => {
            let sums = of_bytes(call, Kind::Varchar, |bytes| crc32fast::hash(bytes).to_string());
            sums.and_then(|sums| crate::sql::types::cast::cast(&sums, &Kind::Bigint, call.height, false))
        }
        "from_hex" => to_bytes(call, "hexadecimal", bytes),
        "from_base64" | "from_base64url" => to_bytes(call, "base64", from_base64),
        _ => return None,
    })
}

/// Decodes hexadecimal digits, two for each byte, which is how bytes are stored in a column.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    hex::decode(digits).ok()
}

/// The literal `X'1F'`, from its digits; `None` if they are invalid.
pub(in crate::sql) fn literal(digits: &str) -> Option<Values> {
    bytes(digits).map(|bytes| Values::constant(Kind::Binary, Some(hex::encode(bytes))))
}

/// A function of bytes; a text is converted to its UTF-8 bytes.
fn of_bytes(call: &Call<'_>, kind: Kind, cell: impl Fn(&[u8]) -> String) -> Result<Values> {
    call.arity(1, if call.name == "from_utf8" { 2 } else { 1 })?;
    let values = call.arg(0)?;
    if !matches!(values.kind, Kind::Binary | Kind::Unknown) {
        return Err(SqlError::new(format!(
            "bytes are needed here, such as to_utf8('…'), and this is {}",
            values.kind
        )));
    }
    let cells = values.texts()?;
    call.build(kind, |row| Ok(cells.get(row).and_then(bytes).map(|bytes| cell(&bytes))))
}

/// Decodes the bytes of a text in some notation.
fn to_bytes(call: &Call<'_>, spelling: &str, read: impl Fn(&str) -> Option<Vec<u8>>) -> Result<Values> {
    call.arity(1, 1)?;
    let texts = call.texts(0)?;
    call.build(Kind::Binary, |row| match texts.get(row).map(|text| (text, read(text))) {
        None => Ok(None),
        Some((_, Some(bytes))) => Ok(Some(hex::encode(bytes))),
        Some((text, None)) => {
            call.refuse(|| format!("'{}' is no {spelling}", text.chars().take(80).collect::<String>()))
        }
    })
}

/// Decodes base64 in either alphabet, with or without `=` at the end, ignoring white space.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let standard = |letter: char| match letter {
        '-' => '+',
        '_' => '/',
        letter => letter,
    };
    let letters =
        text.trim_end_matches('=').chars().filter(|letter| !letter.is_ascii_whitespace()).map(standard);
    BASE64.decode(letters.collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_there_and_back() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"\xfb\xff", "+/8=")]
        {
            assert_eq!(BASE64.encode(bytes), text);
            assert_eq!(from_base64(text).as_deref(), Some(bytes));
        }
        assert_eq!(from_base64("-_8").as_deref(), Some(&b"\xfb\xff"[..]));
        assert_eq!((from_base64("a"), from_base64("a!bc")), (None, None));
    }
}
