//! One pass over all objects, in whatever order they come: a hash of each log file, what each log digest file says, and
//! nothing else is kept.

use std::sync::atomic::Ordering;

use rayon::ThreadPool;
use sha2::Digest as _;

use super::file::LogDigestFile;
use super::name::{self, Trail};
use crate::decode::{Gunzip, Incomplete};
use crate::model::{Coverage, LogText, Sha256, Timestamp};
use crate::pipeline::Run;
use crate::source::{Delivery, Fetched};

/// All that was read.
#[derive(Default)]
pub struct Read {
    pub log_digest_files: Vec<Found>,
    pub others: Vec<Other>,
}

/// A log digest file and where it stood.
pub struct Found {
    pub object: LogText,
    pub file: Box<LogDigestFile>,
    /// The signature in its own metadata.
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
    /// The bytes are there, and lead to no content.
    Damaged(Box<str>),
    Unreadable(Box<str>),
    /// It has the name of a log digest file, and is none.
    NoLogDigestFile(Sha256, Box<str>),
}

/// Reads everything.
pub fn read(run: Run<'_>, pool: Option<&ThreadPool>) -> (Coverage, Read) {
    let parts = match pool {
        Some(pool) => pool.broadcast(|_| work(run)),
        // No threads to be had: the work is the same with one.
        None => vec![work(run)],
    };
    let (mut coverage, mut all) = (Coverage { partial: run.cancelled.load(Ordering::Relaxed), ..Coverage::default() }, Read::default());
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

/// One worker: object after object, until the feeds are empty.
fn work(run: Run<'_>) -> Part {
    let (mut part, mut gunzip, mut stored) = (Part::default(), Gunzip::default(), Vec::new());
    for feed in run.feeds {
        while !run.cancelled.load(Ordering::Relaxed) {
            let Some(delivery) = feed.next(&mut stored) else { break };
            run.progress.delivered(&delivery);
            part.object(run, &mut gunzip, delivery, &stored);
        }
    }
    part
}

impl Part {
    fn object(&mut self, run: Run<'_>, gunzip: &mut Gunzip, delivery: Delivery, stored: &[u8]) {
        self.coverage.objects_listed += 1;
        self.coverage.bytes_compressed += delivery.size;
        let Delivery { object, outcome, signed, .. } = delivery;
        if let Fetched::Failed(reason) = outcome {
            return self.fail(object, reason);
        }
        let (content, incomplete) = gunzip.content(stored, run.budget.object_bytes_max);
        self.coverage.bytes_decompressed += content.len() as u64;
        run.progress.bytes_decompressed.fetch_add(content.len() as u64, Ordering::Relaxed);
        match incomplete {
            None => self.coverage.objects_read += 1,
            Some(Incomplete::TooLarge(reason)) => return self.fail(object, reason),
            Some(Incomplete::Damaged(reason)) => {
                self.coverage.fail(object.clone(), reason.clone());
                return self.read.others.push(Other { object, content: Content::Damaged(reason.into()) });
            }
        }
        let sha256 = Sha256(sha2::Sha256::digest(content).into());
        let named = Trail::of(name::file_name(object.raw())).is_some();
        if !named && !LogDigestFile::looks_like(content) {
            return self.read.others.push(Other { object, content: Content::Hash(sha256) });
        }
        match LogDigestFile::parse(content, sha256) {
            Ok(file) => {
                let generated = signed.as_ref().and_then(|signed| Timestamp::parse(signed.generated.as_deref()?));
                let signature = signed.map(|signed| signed.signature.into());
                self.read.log_digest_files.push(Found { object, file: Box::new(file), signature, generated });
            }
            Err(reason) if named => self.read.others.push(Other { object, content: Content::NoLogDigestFile(sha256, reason.into()) }),
            Err(_) => self.read.others.push(Other { object, content: Content::Hash(sha256) }),
        }
    }

    fn fail(&mut self, object: LogText, reason: String) {
        self.coverage.fail(object.clone(), reason.clone());
        self.read.others.push(Other { object, content: Content::Unreadable(reason.into()) });
    }
}
