//! Decompresses gzip. One sound member goes through libdeflate in one call; anything else goes through a
//! streaming decoder, which also handles damaged input: what decompresses before the damage is kept.

use std::io::{ErrorKind, Read};

use flate2::bufread::GzDecoder;
use libdeflater::{Crc, Decompressor};

/// The first bytes of every gzip member: the magic number, and "deflate", the only method.
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];
/// A member has at least a header of 10 bytes, an empty deflate block of 2, and a trailer of 8.
const MEMBER_BYTES_MIN: usize = 20;
/// Deflate's best ratio is 1032 : 1; a stated size above that is wrong.
const RATIO_MAX: u64 = 1032;
/// Smaller buffers are made a quarter larger than needed.
const ROUNDED_BELOW: usize = 16 << 20;
/// Step size of the streaming decoder. What was decompressed in the same step as a damaged byte is lost.
pub(super) const STEP_BYTES: usize = 1 << 10;

pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP_MAGIC)
}

/// Decompresses into a buffer that is reused from object to object.
pub(super) struct Inflater {
    decompressor: Decompressor,
    buffer: Vec<u8>,
}

/// How inflating ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inflated {
    /// Length of the text in the buffer.
    pub length: usize,
    /// Why there is no more; `None` for sound input with valid checksums.
    pub damage: Option<String>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { decompressor: Decompressor::new(), buffer: Vec::new() }
    }
}

impl Inflater {
    /// The text of the last [`Self::inflate`].
    pub(super) fn text(&self, length: usize) -> &[u8] {
        self.buffer.get(..length).unwrap_or(&self.buffer)
    }

    /// Decompresses `stored`, which must be gzip ([`is_gzip`]).
    pub(super) fn inflate(&mut self, stored: &[u8], bytes_max: u64) -> Inflated {
        match self.whole(stored, bytes_max) {
            Some(length) => Inflated { length, damage: None },
            None => self.stream(stored, bytes_max),
        }
    }

    /// Decompresses one sound member with nothing after it; `None` for anything else.
    ///
    /// libdeflate does not say how much input it used, and ignores what follows the first member. So the
    /// last eight bytes of the *object* must be this member's checksum and size, and these must not occur
    /// before: they would if the member ended earlier (and was followed by a copy of it, or by something
    /// that ends alike).
    fn whole(&mut self, stored: &[u8], bytes_max: u64) -> Option<usize> {
        let header = header_length(stored)?;
        let (body, trailer) = stored.split_last_chunk::<8>()?;
        let [c0, c1, c2, c3, s0, s1, s2, s3] = *trailer;
        let (checksum, size) =
            (u32::from_le_bytes([c0, c1, c2, c3]), u64::from(u32::from_le_bytes([s0, s1, s2, s3])));
        if size > bytes_max || size > (stored.len() as u64).saturating_mul(RATIO_MAX) {
            return None;
        }
        let body = body.get(header..)?;
        let length = usize::try_from(size).ok()?;
        self.make_room(length);
        let out = self.buffer.get_mut(..length)?;
        let written = self.decompressor.deflate_decompress(body, out).ok()?;
        let mut crc = Crc::new();
        crc.update(out);
        let sound = written == length && crc.sum() == checksum;
        (sound && memchr::memmem::find(stored.get(header..stored.len() - 1)?, trailer).is_none())
            .then_some(length)
    }

    /// Frees a buffer that has grown beyond `bytes`.
    pub(super) fn keep(&mut self, bytes: u64) {
        if self.buffer.len() as u64 > bytes {
            self.buffer = Vec::new();
        }
    }

    /// Makes a new buffer instead of growing one: nothing is copied, and the system provides zeroed pages
    /// lazily.
    fn make_room(&mut self, length: usize) {
        if self.buffer.len() < length {
            self.buffer = Vec::new();
            // With some room to spare, as the next objects are about as long; very large ones are
            // exceptions.
            self.buffer = vec![0; if length < ROUNDED_BELOW { length + length / 4 } else { length }];
        }
    }

    /// Decompresses any number of members, as far as possible. Zeros after the last are padding, as tapes
    /// leave it.
    fn stream(&mut self, stored: &[u8], bytes_max: u64) -> Inflated {
        let mut rest = stored;
        let mut length = 0;
        loop {
            let mut member = GzDecoder::new(rest);
            if let Err(damage) = self.member(&mut member, &mut length, bytes_max) {
                return Inflated { length, damage: Some(damage) };
            }
            rest = member.into_inner();
            if rest.iter().all(|&byte| byte == 0) {
                return Inflated { length, damage: None };
            }
            if !is_gzip(rest) {
                return Inflated {
                    length,
                    damage: Some(format!(
                        "{} bytes of something else stand behind the gzip data",
                        rest.len()
                    )),
                };
            }
        }
    }

    /// Decompresses one member and appends it. If it has more than `bytes_max`, that counts as damage.
    fn member(
        &mut self,
        member: &mut GzDecoder<&[u8]>,
        length: &mut usize,
        bytes_max: u64,
    ) -> Result<(), String> {
        let limit = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        loop {
            // One byte beyond the limit shows whether the text ends there.
            let room = limit.saturating_add(1).min(*length + STEP_BYTES);
            if self.buffer.len() < room {
                self.buffer.resize(room.max(self.buffer.len() * 2).max(64 << 10), 0);
            }
            let read = match self.buffer.get_mut(*length..room).map(|free| member.read(free)) {
                Some(Ok(read)) => read,
                Some(Err(error)) if error.kind() == ErrorKind::Interrupted => continue,
                Some(Err(error)) => return Err(stream_damage(&error, *length as u64)),
                None => 0,
            };
            *length += read;
            if *length > limit {
                *length = limit;
                return Err(format!(
                    "inflates to more than --max-memory allows for the text of one object ({bytes_max} bytes)"
                ));
            }
            if read == 0 {
                return Ok(());
            }
        }
    }
}

pub(super) fn stream_damage(error: &std::io::Error, length: u64) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => format!("the gzip data is cut off after {length} bytes of text"),
        _ => format!("damaged gzip data after {length} bytes of text: {error}"),
    }
}

/// The length that the last member's trailer states; wrong if there are several members or damage.
pub(super) fn length_said(stored: &[u8]) -> u64 {
    let said = stored.last_chunk::<4>().map_or(0, |size| u64::from(u32::from_le_bytes(*size)));
    // Lengths from 4 GiB on are stated modulo 4 GiB.
    if said > (stored.len() as u64).saturating_mul(RATIO_MAX) { 0 } else { said }
}

/// The length of a member's header: 10 bytes and what its flags announce. `None` if it is cut off or not
/// gzip.
fn header_length(stored: &[u8]) -> Option<usize> {
    const HEADER_CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    if !is_gzip(stored) || stored.len() < MEMBER_BYTES_MIN {
        return None;
    }
    let flags = *stored.get(3)?;
    // Unknown flags, and a header checksum to be verified, are left to the streaming decoder.
    if flags & !(1 | EXTRA | NAME | COMMENT) != 0 || flags & HEADER_CHECKSUM != 0 {
        return None;
    }
    let mut at = 10;
    if flags & EXTRA != 0 {
        let length = stored.get(at..at + 2)?;
        at += 2 + usize::from(u16::from_le_bytes([*length.first()?, *length.last()?]));
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            at += memchr::memchr(0, stored.get(at..)?)? + 1;
        }
    }
    Some(at)
}
