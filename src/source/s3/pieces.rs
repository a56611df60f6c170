//! Reads an object that is too large for memory. It is fetched in pieces by ranged requests, and a worker
//! reads one piece while the next ones are on their way. `If-Match` makes sure that all pieces are of the
//! same version; if the object is replaced meanwhile, it fails.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use tokio::runtime::Handle;

use super::fetch::{PROGRESS_BYTES_MIN, signed, strong_tag};
use super::session::{Defeat, Session};
use super::trouble::{Trouble, TroubleKind};
use crate::source::Signed;
use crate::source::retry::Cause;

/// Maximum length of a piece, and as a fraction of the budget for all objects in flight.
const PIECE_BYTES_MAX: u64 = 8 << 20;
const PIECE_PART: u64 = 8;
/// Number of pieces that are requested in advance, and the number that an object needs memory for: these, the
/// one that is being read, and the first one.
const AHEAD: usize = 2;
pub(super) const PIECES_HELD: u64 = AHEAD as u64 + 2;
/// After a jump readers often need little: the first piece there is smaller by this factor.
const JUMP_PART: u64 = 16;
/// How often a waiting reader checks whether the run was stopped.
const LOOK: Duration = Duration::from_millis(100);

/// The length of pieces if all objects in flight may use `budget_bytes`.
pub(super) fn piece_bytes(budget_bytes: u64) -> u64 {
    (budget_bytes / PIECE_PART).clamp(1, PIECE_BYTES_MAX)
}

/// One version of one object.
pub(super) struct Version {
    pub key: String,
    pub e_tag: String,
    pub size: u64,
}

/// The first piece, and the properties of the whole object in its answer.
pub(super) struct First {
    pub version: Version,
    pub bytes: Vec<u8>,
    pub signed: Option<Box<Signed>>,
}

/// Why a piece could not be fetched.
pub(super) enum Stop {
    Defeated(Defeat),
    /// The object cannot be read in pieces, and why.
    Refused(String),
}

/// Receives the result of each piece, and counts it in the decision whether the service as a whole has
/// failed.
pub(super) type Judge = Arc<dyn Fn(Result<usize, &Defeat>) + Send + Sync>;

/// Fetches the first `bytes` of an object, whichever version it has now.
pub(super) async fn first(session: &Session, key: &str, bytes: u64) -> Result<First, Stop> {
    let mut found = Piece { session, key, range: 0..bytes, bytes: Vec::new(), version: None, signed: None };
    found.fetch().await?;
    let Piece { bytes, version, signed, .. } = found;
    let (e_tag, size) = version.unwrap_or_default();
    Ok(First { version: Version { key: key.to_owned(), e_tag, size }, bytes, signed })
}

/// Why a try did not complete a piece.
enum Halt {
    Trouble(Trouble),
    Refused(String),
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// A range of an object, as far as it has arrived.
struct Piece<'s> {
    session: &'s Session,
    key: &'s str,
    range: Range<u64>,
    bytes: Vec<u8>,
    /// ETag and length of its version, once they are known.
    version: Option<(String, u64)>,
    signed: Option<Box<Signed>>,
}

impl Piece<'_> {
    /// Fetches the range with all retries. After an interruption only the missing part is requested.
    async fn fetch(&mut self) -> Result<(), Stop> {
        let mut request = self.session.tries();
        loop {
            let (client, before) = (request.client(), self.bytes.len());
            let trouble = match self.try_once(&client).await {
                Ok(()) => return Ok(()),
                Err(Halt::Trouble(trouble)) => trouble,
                Err(Halt::Refused(reason)) => return Err(Stop::Refused(reason)),
            };
            if trouble.kind == TroubleKind::Passing(Cause::Changed) && self.version.is_some() {
                return Err(Stop::Refused(format!(
                    "it was replaced while it was read: what came before that is of the earlier version ({})",
                    trouble.detail
                )));
            }
            // If enough has arrived, the number of tries starts again.
            if self.bytes.len() - before >= PROGRESS_BYTES_MIN {
                request.progressed();
            }
            request.recover(trouble).await.map_err(Stop::Defeated)?;
        }
    }

    async fn try_once(&mut self, client: &aws_sdk_s3::Client) -> Result<(), Halt> {
        let session = self.session;
        let begin = self.range.start + self.bytes.len() as u64;
        let e_tag = self.version.as_ref().map(|(e_tag, _)| e_tag.clone());
        let request = session
            .get(client, self.key)
            .set_if_match(e_tag)
            .range(format!("bytes={begin}-{}", self.range.end.saturating_sub(1)));
        let output = request.send().await.map_err(|error| Trouble::of(&error))?;
        session.answered();
        self.agrees(&output, begin)?;
        let mut body = output.body;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| Trouble::of_body(&error))?;
            let room = (self.range.end - self.range.start) as usize - self.bytes.len();
            self.bytes.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
        }
        session.answered();
        let came = self.range.start + self.bytes.len() as u64;
        if came < self.range.end {
            return Err(Trouble::passing(Cause::Short, format!("{came} of {} bytes", self.range.end)).into());
        }
        Ok(())
    }

    /// Whether the answer is the requested part of the expected version.
    fn agrees(&mut self, output: &GetObjectOutput, begin: u64) -> Result<(), Halt> {
        let given = output.content_range().unwrap_or_default();
        let parts = given.strip_prefix("bytes ").and_then(|given| given.split_once('/'));
        let Some((range, size)) = parts.and_then(|(range, size)| Some((range, size.parse::<u64>().ok()?)))
        else {
            return Err(Halt::Refused(
                "larger than fits into memory as a whole, and the service gives no parts of it: copy it to a \
                 disk and name that".to_owned(),
            ));
        };
        let Some(e_tag) = strong_tag(output) else {
            return Err(Halt::Refused(
                "larger than fits into memory as a whole, and without an ETag nothing tells whether its parts \
                 are of one version".to_owned(),
            ));
        };
        let is_other = self.version.as_ref().is_some_and(|(known, length)| known != e_tag || *length != size);
        if is_other {
            return Err(Trouble::passing(Cause::Changed, format!("ETag {e_tag}, {size} bytes")).into());
        }
        // The first range may be longer than the object.
        self.range.end = self.range.end.min(size);
        if range != format!("{begin}-{}", self.range.end.saturating_sub(1)) {
            let detail =
                format!("asked for bytes {begin}-{}, given {given}", self.range.end.saturating_sub(1));
            return Err(Trouble::passing(Cause::Garbled, detail).into());
        }
        if self.version.is_none() {
            self.signed = signed(output);
            self.version = Some((e_tag.to_owned(), size));
        }
        Ok(())
    }
}

/// Reads an object piece by piece on a worker's thread, with random access.
pub(super) struct Pieces {
    session: Arc<Session>,
    runtime: Handle,
    judge: Judge,
    version: Arc<Version>,
    piece_bytes: u64,
    /// Position of the reader.
    at: u64,
    /// The position of the current piece, and its bytes.
    held: (u64, Vec<u8>),
    /// The requested pieces: position, and where each will arrive.
    coming: VecDeque<(u64, Coming)>,
    /// Position where the last requested piece ends.
    asked_until: u64,
}

/// A piece that is being fetched, or why it could not be.
type Coming = Receiver<Result<Vec<u8>, String>>;

impl Pieces {
    /// Starts to read at position `at`. Must be called within the runtime that fetches.
    pub(super) fn new(
        session: &Arc<Session>,
        version: Version,
        piece_bytes: u64,
        at: u64,
        judge: Judge,
    ) -> Self {
        Self {
            session: Arc::clone(session),
            runtime: Handle::current(),
            judge,
            version: Arc::new(version),
            piece_bytes,
            at,
            held: (at, Vec::new()),
            coming: VecDeque::new(),
            asked_until: at,
        }
    }

    /// The bytes of the current piece from the reader's position on.
    fn rest(&self) -> &[u8] {
        let (from, bytes) = &self.held;
        let skipped = self.at.checked_sub(*from).and_then(|skipped| usize::try_from(skipped).ok());
        skipped.and_then(|skipped| bytes.get(skipped..)).unwrap_or_default()
    }

    /// Waits for the piece that begins at the reader's position.
    fn fetch(&mut self) -> io::Result<()> {
        self.held = (self.at, Vec::new());
        if self.coming.front().is_none_or(|(begin, _)| *begin != self.at) {
            let goes_on = self.asked_until == self.at;
            self.coming.clear();
            self.asked_until = self.at;
            self.ask(if goes_on { self.piece_bytes } else { self.piece_bytes.div_ceil(JUMP_PART) });
            if !goes_on {
                return self.take();
            }
        }
        while self.coming.len() <= AHEAD && self.asked_until < self.version.size {
            self.ask(self.piece_bytes);
        }
        self.take()
    }

    /// Requests the next piece.
    fn ask(&mut self, bytes: u64) {
        let range = self.asked_until..self.version.size.min(self.asked_until + bytes);
        let (give, coming) = sync_channel(1);
        self.coming.push_back((range.start, coming));
        self.asked_until = range.end;
        let (session, version, judge) =
            (Arc::clone(&self.session), Arc::clone(&self.version), Arc::clone(&self.judge));
        self.runtime.spawn(async move {
            let known = Some((version.e_tag.clone(), version.size));
            let mut piece = Piece {
                session: &session,
                key: &version.key,
                range,
                bytes: Vec::new(),
                version: known,
                signed: None,
            };
            let came = match piece.fetch().await {
                Ok(()) => {
                    judge(Ok(piece.bytes.len()));
                    Ok(piece.bytes)
                }
                Err(Stop::Refused(reason)) => Err(reason),
                Err(Stop::Defeated(defeat)) => {
                    judge(Err(&defeat));
                    Err(defeat.reason())
                }
            };
            // This fails if the reader has jumped elsewhere and no longer waits for the piece.
            let _ = give.send(came);
        });
    }

    fn take(&mut self) -> io::Result<()> {
        let Some((begin, coming)) = self.coming.pop_front() else { return Ok(()) };
        let came = loop {
            match coming.recv_timeout(LOOK) {
                Ok(came) => break came,
                Err(RecvTimeoutError::Timeout) if !self.session.shared.has_ended() => {}
                Err(_) => break Err("the run was stopped before its end".to_owned()),
            }
        };
        self.held = (begin, came.map_err(io::Error::other)?);
        Ok(())
    }
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.rest().is_empty() && self.at < self.version.size {
            self.fetch()?;
        }
        let rest = self.rest();
        let read = rest.len().min(out.len());
        out.get_mut(..read).unwrap_or_default().copy_from_slice(rest.get(..read).unwrap_or_default());
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Pieces {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.version.size.checked_add_signed(by),
        };
        self.at = place
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the beginning"))?;
        Ok(self.at)
    }
}
