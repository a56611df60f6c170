//! Reads all objects in one pass, in any order: keeps a hash of each log file, the content of each log
//! digest file, and nothing else.

use std::io;
use std::sync::atomic::Ordering;

use rayon::ThreadPool;
use sha2::Digest as _;

use super::file::LogDigestFile;
use super::name::{self, Trail};
use crate::decode::{Gunzip, Incomplete, TextMemory, unzipped};
use crate::model::{Coverage, LogText, Sha256, Timestamp};
use crate::pipeline::Run;
use crate::source::{self, Delivery, Fetched};

/// All that was read.
#[derive(Default)]
pub struct Read {
    pub log_digest_files: Vec<Found>,
    pub others: Vec<Other>,
}

/// A log digest file, and where it was.
pub struct Found {
    pub object: LogText,
    pub file: Box<LogDigestFile>,
    /// The signature in its metadata.
    pub signature: Option<Box<str>>,
    /// When it was signed.
    pub generated: Option<Timestamp>,
}

/// Any other object.
pub struct Other {
    pub object: LogText,
    pub content: Content,
}

/// What can be compared with a listed hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Hash(Sha256),
    /// It cannot be decompressed.
    Damaged(Box<str>),
    Unreadable(Box<str>),
    /// It has the name of a log digest file, but is not one.
    NoLogDigestFile(Sha256, Box<str>),
}

/// Reads everything.
pub fn read(run: Run<'_>, pool: Option<&ThreadPool>) -> (Coverage, Read) {
    let room = run.budget.room();
    let parts = match pool {
        Some(pool) => pool.broadcast(|_| work(run, &room)),
        // If no threads can be started, this thread does all the work.
        None => vec![work(run, &room)],
    };
    let (mut coverage, mut all) =
        (Coverage { partial: run.cancelled.load(Ordering::Relaxed), ..Coverage::default() }, Read::default());
    all.others.reserve_exact(parts.iter().map(|part| part.read.others.len()).sum());
    for part in parts {
        all.log_digest_files.extend(part.read.log_digest_files);
        all.others.extend(part.read.others);
        coverage.merge(part.coverage);
    }
    coverage.bound_failures(0);
    (coverage, all)
}

/// What one worker has read.
#[derive(Default)]
struct Part {
    coverage: Coverage,
    read: Read,
}

/// One worker: takes object after object until the feeds are empty.
fn work(run: Run<'_>, room: &TextMemory) -> Part {
    let (mut part, mut gunzip, mut stored) = (Part::default(), Gunzip::default(), Vec::new());
    for feed in run.feeds {
        while !run.cancelled.load(Ordering::Relaxed) {
            let Some(delivery) = feed.next(&mut stored) else { break };
            run.progress.delivered(&delivery);
            part.object(run, room, &mut gunzip, delivery, &stored);
        }
    }
    part
}

impl Part {
    fn object(
        &mut self,
        run: Run<'_>,
        room: &TextMemory,
        gunzip: &mut Gunzip,
        delivery: Delivery,
        stored: &[u8],
    ) {
        self.coverage.objects_listed += 1;
        self.coverage.bytes_compressed += delivery.size;
        let Delivery { object, outcome, signed, mut rest, .. } = delivery;
        if let Fetched::Failed(reason) = outcome {
            return self.fail(object, reason);
        }
        let named = Trail::of(name::file_name(object.raw())).is_some();
        let mut large = Vec::new();
        let (length, sha256, content, incomplete) = match gunzip.content(stored, room.share_bytes()) {
            (_, Some(Incomplete::TooLarge(_))) => streamed(stored, &mut rest, room, named, &mut large),
            _ if rest.is_some() => streamed(stored, &mut rest, room, named, &mut large),
            (content, incomplete) => {
                (content.len() as u64, Sha256(sha2::Sha256::digest(content).into()), content, incomplete)
            }
        };
        let rest_bytes = rest.as_ref().map_or(0, source::Rest::bytes);
        self.coverage.bytes_compressed += rest_bytes;
        self.coverage.bytes_decompressed += length;
        run.progress.bytes_compressed.fetch_add(rest_bytes, Ordering::Relaxed);
        run.progress.bytes_decompressed.fetch_add(length, Ordering::Relaxed);
        if let Some(reason) = rest.as_mut().and_then(source::Rest::take_failure) {
            return self.fail(object, reason);
        }
        match incomplete {
            None => self.coverage.objects_read += 1,
            Some(Incomplete::TooLarge(reason)) => return self.fail(object, reason),
            Some(Incomplete::Damaged(reason)) => {
                self.coverage.fail(object.clone(), reason.clone());
                return self.read.others.push(Other { object, content: Content::Damaged(reason.into()) });
            }
        }
        if !named && !LogDigestFile::looks_like(content) {
            return self.read.others.push(Other { object, content: Content::Hash(sha256) });
        }
        match LogDigestFile::parse(content, sha256) {
            Ok(file) => {
                let generated =
                    signed.as_ref().and_then(|signed| Timestamp::parse(signed.generated.as_deref()?));
                let signature = signed.map(|signed| signed.signature.into());
                self.read.log_digest_files.push(Found { object, file: Box::new(file), signature, generated });
            }
            Err(reason) if named => self
                .read
                .others
                .push(Other { object, content: Content::NoLogDigestFile(sha256, reason.into()) }),
            Err(_) => self.read.others.push(Other { object, content: Content::Hash(sha256) }),
        }
    }

    fn fail(&mut self, object: LogText, reason: String) {
        self.coverage.fail(object.clone(), reason.clone());
        self.read.others.push(Other { object, content: Content::Unreadable(reason.into()) });
    }
}

/// Number of bytes hashed at a time.
const STEP_BYTES: usize = 128 << 10;

/// Reads an object that is too large for a worker's share of memory: its length, its hash, and why it could
/// not be read to its end. An object that may be a log digest file is held as a whole all the same, in
/// `large`, by one worker at a time.
fn streamed<'l>(
    stored: &[u8],
    rest: &mut Option<source::Rest>,
    room: &TextMemory,
    named: bool,
    large: &'l mut Vec<u8>,
) -> (u64, Sha256, &'l [u8], Option<Incomplete>) {
    let reader: Box<dyn io::Read + '_> = match rest {
        None => Box::new(stored),
        Some(rest) => Box::new(io::Read::chain(stored, rest)),
    };
    let mut content = unzipped(reader);
    let (mut hasher, mut length, mut step) = (sha2::Sha256::new(), 0_u64, vec![0; STEP_BYTES]);
    let mut turn = None;
    let incomplete = loop {
        let piece = match content.read(&mut step) {
            Ok(0) => break None,
            Ok(read) => step.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Some(Incomplete::Damaged(error.to_string())),
        };
        if length == 0 && (named || LogDigestFile::looks_like(piece)) {
            turn = Some(room.large());
        }
        hasher.update(piece);
        length += piece.len() as u64;
        if turn.is_some() && length > room.record_bytes() {
            let limit = room.record_bytes();
            break Some(Incomplete::TooLarge(format!(
                "a log digest file that is larger than --max-memory allows ({limit} bytes): give more"
            )));
        }
        if turn.is_some() {
            large.extend_from_slice(piece);
        }
    };
    (length, Sha256(hasher.finalize().into()), large, incomplete)
}
