//! Detects how an object is compressed or encoded by its first bytes, and removes one layer after another.

use std::io::Read;

use super::inflate::is_gzip;
use super::layers::{gunzipped, head, unzstd, utf16};
use super::table;
use super::text_memory::TextMemory;

/// Maximum number of layers that are removed: gzip inside gzip, as upload tools make it, and an encoding.
const PACKINGS_MAX: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
    /// `true`: the higher byte comes first.
    Utf16(bool),
    Zip,
    Tar,
    /// Rows of comma-separated values.
    Table,
    /// Only where it can be read; otherwise it is refused like other text.
    #[cfg(feature = "sql")]
    Parquet,
}

/// The content of an object.
pub(super) enum Unpacked<'r> {
    Text(Box<dyn Read + 'r>),
    Table(Box<dyn Read + 'r>),
    Zip(Box<dyn Read + 'r>),
    Tar(Box<dyn Read + 'r>),
    #[cfg(feature = "sql")]
    Parquet(Box<dyn Read + 'r>),
}

impl Packing {
    /// The outermost layer of an object that begins with `head`; `None` for text, and for what cannot be
    /// read.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            // Most texts, by their first byte.
            [b'{' | b'[', ..] => None,
            [0x1f, ..] if is_gzip(head) => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            // UTF-32 begins like UTF-16.
            [0xff, 0xfe, 0, 0, ..] => None,
            [0xff, 0xfe, ..] => Some(Self::Utf16(false)),
            [0xfe, 0xff, ..] => Some(Self::Utf16(true)),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Self::Zip),
            #[cfg(feature = "sql")]
            [b'P', b'A', b'R', b'1', ..] => Some(Self::Parquet),
            _ if head.get(257..262) == Some(b"ustar") => Some(Self::Tar),
            _ if table::is_table(head) => Some(Self::Table),
            _ => None,
        }
    }
}

/// The content of `reader`, with all layers removed.
///
/// # Errors
///
/// There are too many layers, or a library cannot start.
pub(super) fn unpacked<'r>(
    mut reader: Box<dyn Read + 'r>,
    room: &TextMemory,
) -> Result<Unpacked<'r>, String> {
    for _ in 0..=PACKINGS_MAX {
        let (head, whole) = head(reader);
        reader = match Packing::of(&head) {
            None => return Ok(Unpacked::Text(whole)),
            Some(Packing::Table) => return Ok(Unpacked::Table(whole)),
            Some(Packing::Zip) => return Ok(Unpacked::Zip(whole)),
            Some(Packing::Tar) => return Ok(Unpacked::Tar(whole)),
            #[cfg(feature = "sql")]
            Some(Packing::Parquet) => return Ok(Unpacked::Parquet(whole)),
            Some(layer) => without(layer, whole, room)?,
        };
    }
    Err(too_many())
}

fn too_many() -> String {
    format!("packed more than {PACKINGS_MAX} times: unpack it first")
}

/// The content of `reader` with gzip, zstd and UTF-16 removed; it may be a table or an archive still.
///
/// # Errors
///
/// There are too many layers, or a library cannot start.
pub(super) fn without_layers<'r>(
    mut reader: Box<dyn Read + 'r>,
    room: &TextMemory,
) -> Result<Box<dyn Read + 'r>, String> {
    for _ in 0..=PACKINGS_MAX {
        let (head, whole) = head(reader);
        reader = match Packing::of(&head) {
            Some(layer @ (Packing::Gzip | Packing::Zstd | Packing::Utf16(_))) => without(layer, whole, room)?,
            _ => return Ok(whole),
        };
    }
    Err(too_many())
}

/// The content of `reader` without its outermost layer, if that is one that can be removed piece by piece.
fn without<'r>(
    layer: Packing,
    reader: Box<dyn Read + 'r>,
    room: &TextMemory,
) -> Result<Box<dyn Read + 'r>, String> {
    Ok(match layer {
        Packing::Gzip => gunzipped(reader),
        Packing::Zstd => unzstd(reader, room.share_bytes()).map_err(|error| error.to_string())?,
        Packing::Utf16(big) => utf16(reader, big),
        _ => reader,
    })
}

/// The content of `reader` with only gzip removed: this is what CloudTrail's hashes are about.
pub(crate) fn unzipped<'r>(mut reader: Box<dyn Read + 'r>) -> Box<dyn Read + 'r> {
    for _ in 0..2 {
        let (head, whole) = head(reader);
        if !is_gzip(&head) {
            return whole;
        }
        reader = gunzipped(whole);
    }
    reader
}
