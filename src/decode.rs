//! Bytes → records: decompresses an object, recognises its container format, and passes on each CloudTrail
//! record as a slice of JSON text.
//!
//! There are two ways to read an object. The hot path (`hot`) is for what CloudTrail itself writes: a gzip
//! member with a valid checksum that contains one compact `{"Records":[…]}`. It finds the records by their
//! brackets, and records that nobody wants are never parsed. The full path (`walk`, `lines`) is for all
//! other containers and for anything odd or damaged: it checks the grammar of the whole text, keeps what
//! comes before damage, and lets one bad element cost only itself. On objects that both can read, both give
//! the same result.
//!
//! An object that is larger than a worker's share of memory (`text_memory`), or compressed by something else
//! than gzip (`layers`), is read piece by piece (`stream`) on the full path, while another thread unpacks what
//! follows (`read_ahead`).

mod archive;
mod base64;
mod blocks;
pub(crate) mod calls;
mod counts;
mod elastic;
#[cfg(test)]
mod example;
mod fields;
mod foreign;
mod form;
#[cfg(feature = "sql")]
pub(crate) mod guard;
mod gunzip;
mod hot;
pub mod identity;
mod inflate;
pub(crate) mod json;
mod layers;
mod lines;
mod listed;
mod literal;
mod names;
mod nested;
mod ocsf;
mod packing;
#[cfg(feature = "sql")]
mod parquet;
mod payload;
mod read_ahead;
mod reader;
mod repair;
mod rows;
mod search;
pub(crate) mod spelling;
mod steps;
mod stream;
mod table;
mod text_memory;
mod unescape;
mod walk;
mod wrapping;

pub mod seen;

pub use calls::CALLS;
pub(crate) use fields::excerpt;
#[cfg(feature = "sql")]
pub use guard::is_guarded;
pub use gunzip::{Gunzip, Incomplete};
pub use identity::fingerprint;
pub(crate) use packing::unzipped;
pub use text_memory::TextMemory;
pub(crate) use unescape::unescape_string;

use std::io::{Cursor, Read, Seek};
use std::sync::Arc;

use crate::model::{Identity, Repairs, Timestamp};

use archive::Ask;
use counts::ObjectCounts;
use gunzip::Unpacked;
use hot::HotPath;
use packing::Packing;
use read_ahead::unpacked_ahead;
use walk::Walk;

/// Which records a sink wants. Others are counted but not parsed.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Every record.
    All,
    /// Records whose `eventSource` is one of these, and all of EventBridge's own events.
    Sources(&'a [&'a str]),
    /// The same. For a source listed in `names`, records whose `eventName` begins with none of the names
    /// are left out where that can be told cheaply; some may be passed on all the same.
    Named { sources: &'static [&'static str], names: &'static [Named] },
}

/// A source and the beginnings of the names that are wanted of it.
pub type Named = (&'static str, &'static [&'static str]);

impl Wanted<'_> {
    /// Whether records of this `eventSource` are wanted.
    fn source(&self, source: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Sources(sources) | Self::Named { sources, .. } => {
                sources.iter().any(|wanted| wanted.as_bytes() == source)
            }
        }
    }

    /// Whether records of this source are wanted; `name` is the text after the opening quote of the
    /// `eventName`.
    fn event(&self, source: &[u8], name: &[u8]) -> bool {
        // The first letters tell most names apart without a function call.
        let begins_so =
            |wanted: &&str| wanted.as_bytes().first() == name.first() && name.starts_with(wanted.as_bytes());
        let of_use = |all: &[(&str, &[&str])]| {
            all.iter()
                .find(|(of, _)| of.as_bytes() == source)
                .is_none_or(|(_, names)| names.iter().any(begins_so))
        };
        self.source(source) && if let Self::Named { names, .. } = self { of_use(names) } else { true }
    }
}

/// One event of an object: the JSON text of the record itself, whatever it was wrapped in.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'b> {
    /// Position in the object, from 0. Counts every element where a record may be, also failed records and
    /// events of other kinds.
    pub index: u64,
    /// One JSON object, valid UTF-8, in CloudTrail's own form: records rewritten by other tools have been
    /// repaired. Its `eventTime`, `eventSource` and `eventName` have been checked; the rest may be
    /// malformed.
    pub json: &'b str,
    /// An EventBridge event of its own (`ECS Task State Change`, `ECR Image Action`), not a CloudTrail
    /// record.
    pub native: bool,
}

/// Receives records as they are found. The slice is in the decoder's buffer and is valid only during the
/// call: sinks copy what they keep. Records come in the order of the object. An error means that one record
/// failed: it is counted and reported with its index, and decoding goes on.
pub trait RecordSink {
    fn record(&mut self, record: RawRecord<'_>) -> Result<(), String>;

    /// Called when part of a long text has been read, with the identities of its records (see
    /// [`Decoder::identities`]) and its number of bytes. Returns whether to go on.
    fn part(&mut self, _identities: &[Identity], _bytes: u64) -> Next {
        Next::GoOn
    }

    /// A JSON object in the place of a record that is not an event. `index` is its position, counted like
    /// [`RawRecord::index`].
    fn document(&mut self, _json: &str, _index: u64) -> Document {
        Document::Unknown
    }

    /// An archive member begins; `name` is its path in the archive. Returns whether to read it.
    fn begin_member(&mut self, _name: &str) -> Member {
        Member::Read
    }

    /// The member has been read; it takes `bytes` in the archive. Returns whether to go on.
    fn end_member(&mut self, _report: ObjectReport, _bytes: u64) -> Next {
        Next::GoOn
    }
}

/// What a sink did with a document that is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// It is other evidence (a snapshot), and was used.
    Taken,
    /// It is a kind of evidence that cannot be used here; the reason.
    Refused(String),
    /// It is not known.
    Unknown,
}

/// What to do with an archive member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    Read,
    LeftOut,
}

/// Whether to read the rest of a long text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    GoOn,
    /// No: the sink has all it needs.
    Enough,
    /// No: the run was interrupted, so the object counts as not read to its end.
    Stop,
}

/// An object as stored: all of its bytes, or the first ones and a source of the others.
pub struct Stored<'a> {
    pub bytes: &'a [u8],
    pub rest: Option<Rest<'a>>,
}

/// What follows the first bytes of an object.
pub enum Rest<'a> {
    /// What follows the first bytes; can be read once.
    Stream(&'a mut dyn Read),
    /// The whole object, positioned after its first bytes.
    Places(&'a mut dyn Places),
}

/// What can be read from any place.
pub trait Places: Read + Seek + Send {}

impl<P: Read + Seek + Send> Places for P {}

/// Kinds of objects without events of the kind that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherKind {
    LogDigestFile,
    Insight,
    NetworkActivity,
    Aggregated,
}

/// How reading one object ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Read,
    Skipped(OtherKind),
    /// Could not be read to its end; records before the damage were passed on.
    Failed(String),
}

/// What an object contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectReport {
    pub outcome: Outcome,
    pub bytes_decompressed: u64,
    /// All records, wanted or not, including failed ones.
    pub records: u64,
    /// Events of other kinds besides the records; 0 if the whole object is of another kind.
    pub records_skipped: u64,
    /// Lines and documents that are not events and contain none.
    pub lines_skipped: u64,
    /// Records that were not in CloudTrail's own form. If the object as a whole is, only wanted records
    /// were checked.
    pub repaired: Repairs,
    /// `(index, reason)` of records that could not be understood; at most [`Limits::failures_max`] of them.
    pub failed: Vec<(u64, String)>,
    /// Number of records that could not be understood, whether or not they are in `failed`.
    pub failed_total: u64,
    /// Over all records with a time, wanted or not.
    pub first_event_time: Option<Timestamp>,
    pub last_event_time: Option<Timestamp>,
    /// The object is a table with CloudTrail's columns, so parts of a record may be missing.
    pub lossy: bool,
}

/// Limits for one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of failed records of one object that are listed; more are only counted.
    pub failures_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { failures_max: 1000 }
    }
}

/// An object with fewer stored bytes is not worth a thread that unpacks it.
const AHEAD_BYTES_MIN: usize = 512 << 10;

/// Reads objects one after another, with reused buffers; each worker has one.
#[derive(Default)]
pub struct Decoder {
    gunzip: Gunzip,
    identities: Vec<Identity>,
    hot: HotPath,
    /// Finds `readOnly`; used until it has been found once.
    read_only: bool,
    room: Arc<TextMemory>,
    /// The archive member that is being read, or its first bytes.
    member: Vec<u8>,
}

impl Decoder {
    /// A decoder with empty buffers that may use 1 GiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// One of several decoders that share `text_memory`.
    pub fn sharing(room: Arc<TextMemory>) -> Self {
        Self { room, ..Self::default() }
    }

    /// Reads one object: `stored` bytes as they are in the bucket or folder, compressed or not. Passes the
    /// `wanted` records to `sink` in order; the report says what could not be read. Never panics, whatever
    /// the bytes are.
    pub fn object<S: RecordSink + ?Sized>(
        &mut self,
        stored: &[u8],
        wanted: Wanted<'_>,
        limits: Limits,
        sink: &mut S,
    ) -> ObjectReport {
        self.object_of(Stored { bytes: stored, rest: None }, wanted, limits, sink)
    }

    /// The same for an object of any length.
    pub fn object_of<S: RecordSink + ?Sized>(
        &mut self,
        stored: Stored<'_>,
        wanted: Wanted<'_>,
        limits: Limits,
        sink: &mut S,
    ) -> ObjectReport {
        self.object_in(stored, &mut Ask { wanted, limits, sink, prefix: "", nesting: 0 })
    }

    /// The same, possibly for a member of an archive.
    fn object_in<S: RecordSink + ?Sized>(
        &mut self,
        stored: Stored<'_>,
        ask: &mut Ask<'_, S>,
    ) -> ObjectReport {
        let Stored { bytes, rest } = stored;
        if rest.is_none()
            && let Some(report) = self.whole(bytes, ask.wanted, ask.limits, ask.sink)
        {
            return report;
        }
        let packing = Packing::of(bytes);
        let is_zip = ask.nesting < archive::NESTING_MAX && packing == Some(Packing::Zip);
        #[cfg(feature = "sql")]
        if packing == Some(Packing::Parquet) {
            return match rest {
                None => self.parquet(Cursor::new(bytes), ask),
                Some(Rest::Places(object)) => self.parquet(object, ask),
                Some(Rest::Stream(rest)) => self.parquet_in_memory(Box::new(bytes.chain(rest)), ask),
            };
        }
        let held_bytes = bytes.len() as u64;
        let is_large = rest.is_some() || bytes.len() >= AHEAD_BYTES_MIN;
        let reader: Box<dyn Read + Send + '_> = match rest {
            None if is_zip => return self.zip(Cursor::new(bytes), ask),
            Some(Rest::Places(object)) if is_zip => return self.zip(object, ask),
            // It may be a pipe, and who wants no more of it must not wait for its next bytes.
            Some(Rest::Stream(rest)) => return self.in_parts(Box::new(bytes.chain(rest)), held_bytes, ask),
            None => Box::new(bytes),
            Some(Rest::Places(rest)) => Box::new(bytes.chain(rest)),
        };
        if !is_large || !self.room.has_threads() {
            return self.in_parts(reader, held_bytes, ask);
        }
        let room = Arc::clone(&self.room);
        unpacked_ahead(reader, &room, |reader| self.in_parts(reader, held_bytes, ask))
            .unwrap_or_else(archive::failed)
    }

    /// Reads an object whose text fits into memory; `None` for any other, with nothing passed on.
    fn whole<S: RecordSink + ?Sized>(
        &mut self,
        stored: &[u8],
        wanted: Wanted<'_>,
        limits: Limits,
        sink: &mut S,
    ) -> Option<ObjectReport> {
        let share = self.room.share_bytes();
        let (report, text) = if inflate::is_gzip(stored) {
            let said = inflate::length_said(stored);
            let _taken = self.room.whole(said)?;
            let Unpacked { text, damage, longest } = self.gunzip.unpack(stored, said.max(share))?;
            if longest as u64 >= said.max(share) && damage.is_some() || Packing::of(text).is_some() {
                self.gunzip.keep(share);
                return None;
            }
            let walk = Walk::new(wanted, sink, ObjectCounts::new(limits, &mut self.identities));
            (inflated(text, damage, &mut self.hot, walk), text)
        } else if stored.len() as u64 > share || Packing::of(stored).is_some() {
            return None;
        } else {
            let walk = Walk::new(wanted, sink, ObjectCounts::new(limits, &mut self.identities));
            // Without a checksum the hot path is not used.
            (full(stored, None, walk), stored)
        };
        self.read_only = self.read_only || says_read_only(text);
        self.gunzip.keep(share);
        Some(report)
    }

    /// Reads an object piece by piece, however it is compressed.
    fn in_parts<S: RecordSink + ?Sized>(
        &mut self,
        reader: Box<dyn Read + '_>,
        held_bytes: u64,
        ask: &mut Ask<'_, S>,
    ) -> ObjectReport {
        self.identities.clear();
        let (mut text, lossy) = match packing::unpacked(reader, &self.room) {
            Ok(packing::Unpacked::Text(text)) => (text, false),
            Ok(packing::Unpacked::Table(rows)) => match table::records(rows) {
                Ok(table) => (table.records, table.lossy),
                Err(reason) => return archive::failed(reason),
            },
            Ok(_) if ask.nesting >= archive::NESTING_MAX => {
                return archive::failed(
                    "an archive inside an archive inside an archive: unpack it first".to_owned(),
                );
            }
            Ok(packing::Unpacked::Zip(reader)) => return self.zip_in_memory(reader, ask),
            Ok(packing::Unpacked::Tar(reader)) => return self.tar(reader, held_bytes, ask),
            #[cfg(feature = "sql")]
            Ok(packing::Unpacked::Parquet(reader)) => return self.parquet_in_memory(reader, ask),
            Err(reason) => return archive::failed(reason),
        };
        self.text(&mut *text, lossy, ask)
    }

    /// Reads Parquet, whose directory is at its end.
    #[cfg(feature = "sql")]
    fn parquet<S: RecordSink + ?Sized>(
        &mut self,
        source: impl Read + Seek,
        ask: &mut Ask<'_, S>,
    ) -> ObjectReport {
        self.identities.clear();
        let room = Arc::clone(&self.room);
        match parquet::records(source, &room) {
            Ok(mut table) => self.text(&mut *table.records, table.lossy, ask),
            Err(reason) => archive::failed(reason),
        }
    }

    /// The same for a source that can only be read from the beginning: it is held in memory if it is small
    /// enough.
    #[cfg(feature = "sql")]
    fn parquet_in_memory<S: RecordSink + ?Sized>(
        &mut self,
        mut reader: Box<dyn Read + '_>,
        ask: &mut Ask<'_, S>,
    ) -> ObjectReport {
        let limit = self.room.share_bytes();
        let mut bytes = Vec::new();
        match reader.by_ref().take(limit + 1).read_to_end(&mut bytes) {
            Err(error) => archive::failed(error.to_string()),
            Ok(read) if read as u64 > limit => archive::failed(format!(
                "Parquet from a pipe or an archive that is larger than --max-memory allows ({limit} bytes): give more, or save it to a file and \
                 name that"
            )),
            Ok(_) => self.parquet(Cursor::new(bytes), ask),
        }
    }

    /// Reads a text of any length.
    fn text<S: RecordSink + ?Sized>(
        &mut self,
        text: &mut dyn Read,
        lossy: bool,
        ask: &mut Ask<'_, S>,
    ) -> ObjectReport {
        let mut walk =
            Walk::new(ask.wanted, &mut *ask.sink, ObjectCounts::new(ask.limits, &mut self.identities));
        let streamed = stream::run(text, &self.room, &mut walk);
        self.read_only = self.read_only || streamed.read_only;
        let report = walk.counts.finish(streamed.damage, streamed.bytes);
        ObjectReport { lossy: lossy || report.lossy, ..report }
    }

    /// Whether any object so far contains `"readOnly":true`, in a wanted record or not. A trail of write
    /// events never does.
    pub fn has_seen_read_only(&self) -> bool {
        self.read_only
    }

    /// The identities of the last object's records, wanted or not, in order. Records without a valid time,
    /// source or name have none.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }
}

/// The identity of the event of a record that was passed on.
pub fn identity_of(record: RawRecord<'_>) -> Identity {
    let text = record.json.as_bytes();
    let (fields, end) =
        fields::Fields::read(text, json::skip_space(text, 0)).unwrap_or((fields::Fields::none(), text.len()));
    if record.native { fields.native_identity(text, 0..end) } else { fields.identity(text, 0..end) }
}

/// Whether the text contains `"readOnly": true`, as a boolean or a string, with plain or escaped quotes.
fn says_read_only(text: &[u8]) -> bool {
    memchr::memmem::find_iter(text, b"readOnly").any(|at| {
        let behind = text.get(at + b"readOnly".len()..).unwrap_or_default();
        let value = behind
            .iter()
            .position(|byte| !matches!(byte, b'"' | b'\\' | b':' | b' ' | b'\t' | b'\n' | b'\r'));
        value.and_then(|start| behind.get(start..)).is_some_and(|value| value.starts_with(b"true"))
    })
}

/// Reads text that was decompressed by gzip.
fn inflated<S: RecordSink + ?Sized>(
    text: &[u8],
    damage: Option<String>,
    hot: &mut HotPath,
    mut walk: Walk<'_, '_, S>,
) -> ObjectReport {
    if damage.is_none() {
        if let Some(pieces) = hot.scan(text, walk.wanted, &mut walk.counts) {
            walk.cut(text, pieces);
            return walk.counts.finish(None, text.len() as u64);
        }
        walk.counts.restart();
    }
    full(text, damage, walk)
}

fn full<S: RecordSink + ?Sized>(
    text: &[u8],
    damage: Option<String>,
    mut walk: Walk<'_, '_, S>,
) -> ObjectReport {
    let result = reader::read_whole(text, &mut walk);
    // If the bytes are damaged, that is the reason given; the JSON error only follows from it.
    walk.counts.finish(damage.or(result.err()), text.len() as u64)
}

/// A JSON error in words.
fn describe(fault: json::Fault, records: u64) -> String {
    let json::Fault { offset, reason } = fault;
    match (fault.is_cut(), offset, records) {
        (true, ..) => format!("the JSON is cut off at byte {offset}, after {records} records"),
        (false, 0, _) => format!("not JSON: {reason} at its first byte"),
        (false, _, 0) => format!("not JSON: {reason} at byte {offset}"),
        (false, ..) => format!("the JSON is damaged at byte {offset}, after {records} records: {reason}"),
    }
}
