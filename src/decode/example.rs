//! The worked example of docs/ARCHITECTURE.md for a compression format: zlib. It is compiled and tested, but
//! not used for reading objects.

// ANCHOR: packing
use std::io::{BufReader, Read};

use flate2::bufread::ZlibDecoder;

/// Whether `head`, the first bytes of an object, begins zlib data: deflate with a window of 32 KiB, and a
/// compression level.
pub(super) fn is_zlib(head: &[u8]) -> bool {
    matches!(head, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..])
}

/// Decompresses `reader` piece by piece: never as a whole, because the size of the result is not known.
pub(super) fn unzlib<'r>(reader: Box<dyn Read + 'r>) -> Box<dyn Read + 'r> {
    Box::new(ZlibDecoder::new(BufReader::new(reader)))
}
// ANCHOR_END: packing

#[test]
fn zlib_is_told_by_its_first_bytes_and_unpacked() {
    let records = br#"{"Records":[]}"#;
    for level in [0, 1, 6, 9] {
        let mut packed = Vec::new();
        flate2::read::ZlibEncoder::new(&records[..], flate2::Compression::new(level))
            .read_to_end(&mut packed)
            .unwrap();
        assert!(is_zlib(&packed) && !is_zlib(records), "level {level}");
        let mut text = Vec::new();
        unzlib(Box::new(std::io::Cursor::new(packed))).read_to_end(&mut text).unwrap();
        assert_eq!(text, records);
    }
}
