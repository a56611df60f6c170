//! Decompresses and decodes texts with nested readers: gzip, zstd, UTF-16. Each works piece by piece, and
//! reports in words why it had to stop.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::bufread::GzDecoder;

use super::inflate::{STEP_BYTES, is_gzip, stream_damage};

/// Number of bytes by which the format of a text is recognised.
pub(super) const HEAD_BYTES: usize = 32 << 10;
/// Minimum for the largest window that a zstd frame may ask for, as a power of two. Every decoder should
/// support this size, and `zstd` itself does by default.
const WINDOW_LOG_MIN: u32 = 23;
const WINDOW_LOG_MAX: u32 = 27;

/// Returns the first bytes of a text, and a reader of the whole text.
pub(super) fn head<'r>(mut reader: Box<dyn Read + 'r>) -> (Vec<u8>, Box<dyn Read + 'r>) {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let failed = reader.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head).err();
    let rest: Box<dyn Read + 'r> = match failed {
        Some(error) => Box::new(Failed(Some(error))),
        None => reader,
    };
    let again = io::Cursor::new(head.clone()).chain(rest);
    (head, Box::new(again))
}

/// A reader that returns an error.
pub(super) struct Failed(pub Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn buffered<'r>(reader: Box<dyn Read + 'r>) -> BufReader<Box<dyn Read + 'r>> {
    BufReader::with_capacity(128 << 10, reader)
}

/// Decompresses gzip with any number of members. Zeros after the last are padding, as tapes leave it.
pub(super) struct Gunzipped<R: BufRead> {
    member: Option<GzDecoder<R>>,
    first: bool,
    length: u64,
}

pub(super) fn gunzipped<'r>(reader: Box<dyn Read + 'r>) -> Box<dyn Read + 'r> {
    Box::new(Gunzipped { member: Some(GzDecoder::new(buffered(reader))), first: true, length: 0 })
}

impl<R: BufRead> Gunzipped<R> {
    /// Goes on to the next member, if there is one.
    fn next_member(&mut self, mut reader: R) -> io::Result<()> {
        loop {
            let rest = reader.fill_buf()?;
            match rest.iter().position(|&byte| byte != 0) {
                None if rest.is_empty() => return Ok(()),
                None => {
                    let zeros = rest.len();
                    reader.consume(zeros);
                }
                Some(0) if rest[0] == 0x1f && (rest.len() < 3 || is_gzip(rest)) => {
                    self.member = Some(GzDecoder::new(reader));
                    self.first = false;
                    return Ok(());
                }
                Some(_) => return Err(io::Error::other("something else stands behind the gzip data")),
            }
        }
    }
}

impl<R: BufRead> Read for Gunzipped<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let room = out.len().min(STEP_BYTES);
        while let Some(member) = &mut self.member {
            match member.read(&mut out[..room]) {
                Ok(0) if room > 0 => {
                    if let Some(member) = self.member.take() {
                        self.next_member(member.into_inner())?;
                    }
                }
                Ok(read) => {
                    self.length += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.member = None;
                    return Err(io::Error::other(stream_damage(&error, self.length)));
                }
            }
        }
        Ok(0)
    }
}

/// Decompresses zstd with any number of frames.
struct Unzstd<'r> {
    frames: zstd::stream::read::Decoder<'static, BufReader<Box<dyn Read + 'r>>>,
    length: u64,
}

/// # Errors
/// The library cannot be initialised.
pub(super) fn unzstd<'r>(reader: Box<dyn Read + 'r>, bytes_max: u64) -> io::Result<Box<dyn Read + 'r>> {
    let mut frames = zstd::stream::read::Decoder::with_buffer(buffered(reader))?;
    frames.window_log_max(bytes_max.max(1).ilog2().clamp(WINDOW_LOG_MIN, WINDOW_LOG_MAX))?;
    Ok(Box::new(Unzstd { frames, length: 0 }))
}

impl Read for Unzstd<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.frames.read(out) {
            Ok(read) => {
                self.length += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(io::Error::other(format!("the zstd data is cut off after {} bytes of text", self.length)))
            }
            Err(error) if error.to_string().contains("memory") => Err(io::Error::other(
                "the zstd data needs a larger window than --max-memory allows: give more, or decompress it \
                 first (zstd -d --long=31)",
            )),
            Err(error) => Err(io::Error::other(format!(
                "damaged zstd data after {} bytes of text: {error}",
                self.length
            ))),
        }
    }
}

/// Converts UTF-16 to UTF-8. Half of a surrogate pair becomes U+FFFD.
struct Utf16<'r> {
    reader: BufReader<Box<dyn Read + 'r>>,
    big: bool,
    /// The first half of a surrogate pair whose second half has not been read yet.
    high: Option<u16>,
    out: Vec<u8>,
    at: usize,
}

/// `big`: the higher byte comes first. The byte order mark at the beginning is removed.
pub(super) fn utf16<'r>(mut reader: Box<dyn Read + 'r>, big: bool) -> Box<dyn Read + 'r> {
    if let Err(error) = reader.read_exact(&mut [0; 2]) {
        return Box::new(Failed(Some(error)));
    }
    Box::new(Utf16 { reader: buffered(reader), big, high: None, out: Vec::new(), at: 0 })
}

impl Utf16<'_> {
    fn refill(&mut self) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(64 << 10);
        self.reader.by_ref().take(64 << 10).read_to_end(&mut bytes)?;
        let (pairs, odd) = bytes.as_chunks::<2>();
        let unit =
            |pair: &[u8; 2]| if self.big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
        let mut units: Vec<u16> = self.high.take().into_iter().chain(pairs.iter().map(unit)).collect();
        let more = bytes.len() == 64 << 10;
        if more && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            self.high = units.pop();
        }
        self.out.clear();
        self.at = 0;
        for character in char::decode_utf16(units) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if odd.is_empty() {
            Ok(())
        } else {
            Err(io::Error::other("the UTF-16 text ends in the middle of a character"))
        }
    }
}

impl Read for Utf16<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.out.len() {
            self.refill()?;
        }
        let rest = self.out.get(self.at..).unwrap_or_default();
        let taken = rest.len().min(out.len());
        out[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken;
        Ok(taken)
    }
}
