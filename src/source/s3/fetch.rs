//! Fetches one object: request, body, retries. A body that broke off is continued where it broke.

use std::io::Read;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;

use super::page::Version;
use super::session::{Defeat, Session};
use super::trouble::{Trouble, TroubleKind};
use crate::source::Signed;
use crate::source::local::too_large;
use crate::source::retry::Cause;

/// Less than this is not progress, and the tries go on counting.
pub(super) const PROGRESS_BYTES_MIN: usize = 64 * 1024;
/// Nor is less than this fraction of the object, so that the number of tries is limited.
const PROGRESS_PARTS: u64 = 32;

/// If an object is larger than listed and its size is not known, its budget is multiplied by this.
const GROWTH: u64 = 8;

/// How fetching ended. The bytes, or the part that arrived, are in the buffer.
pub(super) enum Fetch {
    Whole(Option<Box<Signed>>),
    TooLarge(String),
    /// It is larger than listed, about this many bytes: that much budget is needed first.
    Larger(u64),
    Defeated(Defeat),
}

/// Fetches `key` into `buffer`, with all retries. `listed` is the version in the listing; `room` is the
/// budget in bytes.
pub(super) async fn fetch(
    session: &Session,
    key: &str,
    listed: &Version,
    room: u64,
    buffer: &mut Vec<u8>,
) -> Fetch {
    let mut request = session.tries();
    let mut object = Object {
        session,
        key,
        listed,
        room,
        buffer,
        version: None,
        length: None,
        same: true,
        encoded: false,
        signed: None,
        credited: 0,
    };
    loop {
        let client = request.client();
        match object.try_once(&client).await {
            Ok(()) => return Fetch::Whole(object.signed),
            Err(Stop::TooLarge(reason)) => return Fetch::TooLarge(reason),
            Err(Stop::Larger(bytes)) => return Fetch::Larger(bytes),
            Err(Stop::Trouble(trouble)) => {
                if object.progressed() {
                    request.progressed();
                }
                if let Err(defeat) = request.recover(object.after(trouble)).await {
                    return Fetch::Defeated(defeat);
                }
            }
        }
    }
}

enum Stop {
    Trouble(Trouble),
    TooLarge(String),
    Larger(u64),
}

/// The state of an object that is being fetched.
struct Object<'f> {
    session: &'f Session,
    key: &'f str,
    listed: &'f Version,
    /// The budget in bytes.
    room: u64,
    buffer: &'f mut Vec<u8>,
    /// The ETag of the version that is being fetched.
    version: Option<String>,
    /// The length of that version.
    length: Option<u64>,
    /// Whether it may be the listed version.
    same: bool,
    /// Whether it has `Content-Encoding: gzip`.
    encoded: bool,
    /// The signature of that version.
    signed: Option<Box<Signed>>,
    /// Bytes that have counted as progress.
    credited: usize,
}

impl Object<'_> {
    /// One GET: of the whole, or of what is missing.
    async fn try_once(&mut self, client: &Client) -> Result<(), Stop> {
        let session = self.session;
        let begun = self.begun();
        let request = session
            .get(client, self.key)
            .set_if_match(self.version.clone())
            .set_range(begun.map(|begun| format!("bytes={begun}-")));
        let output = request.send().await.map_err(|error| Stop::Trouble(Trouble::of(&error)))?;
        session.answered();
        match output.content_range() {
            None if begun.is_none() || self.is_whole(&output) => self.begin(&output),
            range => self.go_on(&output, range.unwrap_or("a part that is not named"))?,
        }
        if self.length.is_some_and(|length| length > session.shared.object_bytes_max()) {
            return Err(self.too_large());
        }
        if let Some(length) = self.length.filter(|length| *length > self.room) {
            return Err(Stop::Larger(length));
        }
        let read = self.read_body(output).await;
        session.answered();
        read
    }

    /// Where the next try continues; only if version and length are known.
    fn begun(&self) -> Option<u64> {
        let begun = self.buffer.len() as u64;
        (begun > 0 && self.version.is_some() && self.length.is_some_and(|length| begun < length))
            .then_some(begun)
    }

    /// The answer is the whole object, whatever was asked for.
    fn begin(&mut self, output: &GetObjectOutput) {
        self.buffer.clear();
        self.version = strong_tag(output).map(str::to_owned);
        self.length = length_of(output);
        self.same = output
            .e_tag()
            .is_none_or(|e_tag| e_tag.starts_with("W/") || e_tag.trim_matches('"') == self.listed.etag);
        self.encoded = output.content_encoding() == Some("gzip");
        self.signed = signed(output);
    }

    /// Whether an answer without a range is the whole object: if it is the version that was begun, it has
    /// that version's length.
    fn is_whole(&self, output: &GetObjectOutput) -> bool {
        output.e_tag() != self.version.as_deref() || length_of(output) == self.length
    }

    /// The answer is a part: it must be the missing one.
    fn go_on(&mut self, output: &GetObjectOutput, range: &str) -> Result<(), Stop> {
        let expected = self
            .begun()
            .zip(self.length)
            .map(|(begun, length)| format!("bytes {begun}-{}/{length}", length - 1));
        if expected.as_deref() == Some(range) && output.e_tag() == self.version.as_deref() {
            return Ok(());
        }
        Err(Stop::Trouble(Trouble::passing(Cause::Changed, format!("asked for {expected:?}, given {range}"))))
    }

    async fn read_body(&mut self, output: GetObjectOutput) -> Result<(), Stop> {
        let mut body = output.body;
        let shared = &self.session.shared;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| Stop::Trouble(Trouble::of_body(&error)))?;
            if (self.buffer.len() + piece.len()) as u64 > shared.object_bytes_max() {
                return Err(self.too_large());
            }
            // Its size is not known.
            if (self.buffer.len() + piece.len()) as u64 > self.room {
                let bytes_max = shared.options.memory_bytes_max.max(self.room + 1);
                return Err(Stop::Larger(
                    (self.room + piece.len() as u64).saturating_mul(GROWTH).min(bytes_max),
                ));
            }
            self.buffer.extend_from_slice(&piece);
        }
        match self.length {
            Some(length) if length != self.buffer.len() as u64 => Err(Stop::Trouble(Trouble::passing(
                Cause::Short,
                format!("{} of {length} bytes", self.buffer.len()),
            ))),
            _ => self.compare_with_listing(),
        }
    }

    /// The listed version has the listed size. An answer without a length ends wherever the connection
    /// does, and one cut on the way may have a length that fits; neither would be noticed otherwise.
    fn compare_with_listing(&mut self) -> Result<(), Stop> {
        let (came, listed) = (self.buffer.len() as u64, self.listed.size);
        if came == listed || listed == 0 || !self.same {
            return Ok(());
        }
        if self.encoded
            && let Some(bytes) = unpacked(self.buffer, listed)
        {
            *self.buffer = bytes;
            return Ok(());
        }
        let cause = if came < listed { Cause::Short } else { Cause::Garbled };
        let trouble = Trouble::passing(cause, format!("{came} bytes came, and {listed} were listed"));
        self.forget();
        Err(Stop::Trouble(trouble))
    }

    fn too_large(&self) -> Stop {
        Stop::TooLarge(too_large(self.session.shared.options.memory_bytes_max))
    }

    /// Whether enough has arrived since the last call to count as progress.
    fn progressed(&mut self) -> bool {
        let Some(begun) = self.begun().and_then(|begun| usize::try_from(begun).ok()) else { return false };
        let least = usize::try_from(self.length.unwrap_or(0) / PROGRESS_PARTS)
            .unwrap_or(usize::MAX)
            .max(PROGRESS_BYTES_MIN);
        let progressed = begun.saturating_sub(self.credited) >= least;
        if progressed {
            self.credited = begun;
        }
        progressed
    }

    /// What `trouble` means for what has arrived so far.
    fn after(&mut self, trouble: Trouble) -> Trouble {
        match trouble.kind {
            // The version that was begun no longer exists; the next try may take any.
            TroubleKind::Passing(Cause::Changed) => self.forget(),
            // Perhaps only the range is refused, and not the object.
            TroubleKind::Refused if self.begun().is_some() => {
                self.forget();
                return Trouble::passing(Cause::Garbled, trouble.detail);
            }
            _ => {}
        }
        trouble
    }

    fn forget(&mut self) {
        self.buffer.clear();
        (self.version, self.length, self.signed) = (None, None, None);
    }
}

/// Decompresses what a proxy compressed on the way, if the result has the listed size.
fn unpacked(packed: &[u8], listed: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(packed).take(listed + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == listed).then_some(bytes)
}

/// The ETag of an answer, if it can be asked for: a weak one matches nothing.
pub(super) fn strong_tag(output: &GetObjectOutput) -> Option<&str> {
    output.e_tag().filter(|e_tag| !e_tag.starts_with("W/"))
}

/// The length that an answer states.
fn length_of(output: &GetObjectOutput) -> Option<u64> {
    output.content_length().and_then(|length| u64::try_from(length).ok())
}

/// What CloudTrail leaves in the metadata of a log digest file.
pub(super) fn signed(output: &GetObjectOutput) -> Option<Box<Signed>> {
    let metadata = output.metadata()?;
    let signature = metadata.get("signature")?.clone();
    Some(Box::new(Signed { signature, generated: metadata.get("backfill-generation-timestamp").cloned() }))
}
