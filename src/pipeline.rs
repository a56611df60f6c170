//! The data path on one screen: list → fetch → decompress → records → recognise → fold → timelines and
//! coverage.
//!
//! Every worker takes objects from the feeds, decodes them into buffers of its own, and gives the records
//! to a collector of its own. Workers share only the feeds, the counters, the set of event identities, and
//! (if there is a progress display) the suspects. Collectors are merged when everything has been read.

mod counts;
mod event_memory;
mod snapshots;
mod suspects;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use crate::decode::seen::SeenEvents;
use crate::decode::{
    Decoder, Document, Limits, Member, Next, ObjectReport, RawRecord, RecordSink, Rest, Stored, TextMemory,
    Wanted,
};
use crate::model::{
    Coverage, Filter, Identity, ReadFailure, Recognized, RepositoryRef, Seen, Timestamp, note_name,
};
use crate::recognize::{NAMES, Recognizer, SOURCES, SnapshotParser};
use crate::source::{Delivery, Feed, Fetched, MemberIs, Origin, RecordSource, SourceRecord};
use crate::timeline::{Fold, History, Materials, Scenario, Simulation};
use counts::{Counted, WorkerCounts};
use event_memory::EventMemory;
pub use event_memory::EventMemoryExceeded;
use snapshots::FoundSnapshot;
use suspects::Suspects;

/// Number of event identities that a worker collects before it looks up whether they are new.
const IDS_TOGETHER: usize = 256;

/// Limits of a run.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Worker threads.
    pub jobs: NonZeroUsize,
    /// Memory for the texts of objects, of all workers together, in bytes. A longer text is read piece by
    /// piece.
    pub object_bytes_max: u64,
    /// Memory for events about images, including the history that is made of them, in bytes.
    pub kept_bytes_max: u64,
}

impl Budget {
    /// The memory that workers share for texts.
    pub fn room(self) -> TextMemory {
        TextMemory::new(self.object_bytes_max, self.jobs.get())
    }
}

/// Counters that a progress display may read during a run.
#[derive(Debug, Default)]
pub struct Progress {
    pub objects: AtomicU64,
    pub bytes_compressed: AtomicU64,
    pub bytes_decompressed: AtomicU64,
    pub records: AtomicU64,
    /// Counted only if there is a progress display, and in runs that look for images.
    pub suspects: Suspects,
}

/// The result of a run.
pub struct Evidence {
    pub coverage: Coverage,
    pub history: History,
    /// When the evidence ends: the time of the last event that the filter admits.
    pub end: Option<Timestamp>,
    /// Accounts, regions and repositories in the records, whatever the filters say.
    pub seen: Seen,
    /// The facts that the history was made from, if they were asked for.
    pub materials: Option<Materials>,
}

/// Takes the records of one worker. An error means that one record is damaged; it is noted in the coverage.
pub trait Collector: Send {
    fn record(&mut self, object: &str, record: RawRecord<'_>) -> Result<(), String>;

    /// Number of records that the collector could use, second copies included.
    fn relevant(&self) -> u64;

    /// Events that could not be understood, each with the first of its copies: however many there are, that is one
    /// failure. Damage is an error of [`Self::record`] instead, for each copy.
    fn not_understood(&mut self) -> BTreeMap<Identity, ReadFailure> {
        BTreeMap::new()
    }

    /// Takes a document that is not an event. `modified` tells when its object was last changed, where the
    /// source knows that.
    fn document(
        &mut self,
        _object: &str,
        _index: u64,
        json: &str,
        _modified: &dyn Fn() -> Option<Timestamp>,
    ) -> Document {
        match SnapshotParser::default().read(json) {
            Some(answer) => Document::Refused(format!(
                "a snapshot ({}), and no log: what keeps records alone leaves it out; give it to detect, \
                 explain, forecast, whatif or timeline as a source of its own",
                answer.call
            )),
            None => Document::Unknown,
        }
    }

    /// Whether it has a use for documents that are no events.
    fn keeps_documents(&self) -> bool {
        false
    }

    /// Whether nothing more is needed (a `LIMIT` is reached): the worker then stops before the next object.
    fn is_full(&self) -> bool {
        false
    }

    /// Lets a collector that has a lake of its own read the next portion of it, column by column, and
    /// returns whether there are more portions. `None`: it wants the records one by one. Called for a feed of
    /// records; a collector that has a lake is given no other feed.
    fn portion(&mut self, _sources: Option<&[&str]>) -> Option<bool> {
        None
    }

    /// Called when all records of an object have been passed on; `report` is `None` if nothing of the
    /// object was decoded.
    fn finished(&mut self, _delivery: &Delivery, _report: Option<&ObjectReport>) {}
}

/// What all workers share.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub feeds: &'a [Box<dyn Feed>],
    pub budget: Budget,
    pub progress: &'a Progress,
    /// Checked between objects: once it is true, work in progress is finished, and the result is marked as
    /// partial.
    pub cancelled: &'a AtomicBool,
}

/// Reads everything and folds it into the history of every image. An error if that takes more memory than
/// allowed.
pub fn read(run: Run<'_>, filter: &Filter) -> Result<Evidence, EventMemoryExceeded> {
    read_simulating(run, filter, None)
}

/// The same, and replays the events once more in a simulation.
pub fn read_simulating(
    run: Run<'_>,
    filter: &Filter,
    scenario: Option<&Scenario>,
) -> Result<Evidence, EventMemoryExceeded> {
    let replays = if matches!(scenario, Some(Scenario::Instead(_))) { 2 } else { 1 };
    Ok(Evidence { materials: None, ..gather_evidence(run, filter, scenario, replays, false)? })
}

/// The same, and keeps the facts that the history was made from, which takes as much memory again.
pub fn read_keeping(
    run: Run<'_>,
    filter: &Filter,
    scenario: Option<&Scenario>,
) -> Result<Evidence, EventMemoryExceeded> {
    gather_evidence(run, filter, scenario, 2, true)
}

/// `replays`: how often the events are replayed at the end; `sizes`: whether those of layers are kept.
fn gather_evidence(
    run: Run<'_>,
    filter: &Filter,
    scenario: Option<&Scenario>,
    replays: u64,
    sizes: bool,
) -> Result<Evidence, EventMemoryExceeded> {
    let event_memory = EventMemory::new(run.budget.kept_bytes_max, replays);
    let make = || StepCollector {
        recognizer: Recognizer::default(),
        fold: Fold::keeping(sizes),
        filter,
        answers: SnapshotParser::default(),
        met: Vec::new(),
        seen: Seen::default(),
        relevant: 0,
        suspects: &run.progress.suspects,
        event_memory: &event_memory,
        absorbed: 0,
        bytes: 0,
    };
    let (counted, mut collectors) = gather(run, Wanted::Named { sources: SOURCES, names: NAMES }, make);
    let Counted { mut coverage, failures_unlisted, read_only } = counted;
    let mut met = Vec::new();
    collectors.iter_mut().for_each(|collector| met.append(&mut collector.met));
    let parts = collectors.into_par_iter().map(|collector| (collector.fold, collector.seen));
    let (mut fold, mut seen) = parts.reduce(Default::default, |(mut fold, mut seen), (other, also_seen)| {
        fold.merge(other);
        seen.merge(also_seen);
        (fold, seen)
    });
    fold.merge(event_memory.take());
    coverage.fail_events(fold.not_understood());
    coverage.bound_failures(failures_unlisted);
    let shown = snapshots::settle(met, &mut fold, &mut seen, filter, &mut coverage);
    event_memory.check(&mut fold)?;
    let end = end(&coverage, filter).max(shown);
    let (history, materials) =
        fold.finish_keeping(filter, scenario.map(|scenario| Simulation { scenario, end }), end);
    counts::describe(&mut coverage, &history, read_only);
    Ok(Evidence { coverage, history, end, seen, materials: Some(materials) })
}

/// The time of the last event, of any service, that the filter admits.
fn end(coverage: &Coverage, filter: &Filter) -> Option<Timestamp> {
    let last = coverage.last_event_time?;
    Some(filter.until.map_or(last, |until| last.min(until)))
}

/// Reads all wanted records into collectors, one for each worker.
pub fn scan<C: Collector>(
    run: Run<'_>,
    wanted: Wanted<'_>,
    make: impl Fn() -> C + Sync,
) -> (Coverage, Vec<C>) {
    let (Counted { mut coverage, failures_unlisted, .. }, mut collectors) = gather(run, wanted, make);
    let mut failed = BTreeMap::new();
    for (event, failure) in collectors.iter_mut().flat_map(Collector::not_understood) {
        keep_first(&mut failed, event, failure);
    }
    coverage.fail_events(failed.into_values().collect());
    coverage.bound_failures(failures_unlisted);
    (coverage, collectors)
}

/// Notes a copy of an event that could not be understood, if it is the first one. Returns whether nothing was known of
/// the event.
pub fn keep_first(
    failed: &mut BTreeMap<Identity, ReadFailure>,
    event: Identity,
    failure: ReadFailure,
) -> bool {
    match failed.entry(event) {
        Entry::Vacant(place) => {
            place.insert(failure);
            true
        }
        Entry::Occupied(mut first) => {
            if failure < *first.get() {
                first.insert(failure);
            }
            false
        }
    }
}

/// The same, before failures are put in order.
fn gather<C: Collector>(run: Run<'_>, wanted: Wanted<'_>, make: impl Fn() -> C + Sync) -> (Counted, Vec<C>) {
    let (seen, room) = (SeenEvents::default(), Arc::new(run.budget.room()));
    let work =
        || work(Worker { run, wanted, seen: &seen, decoder: Decoder::sharing(Arc::clone(&room)) }, make());
    let done: Vec<(WorkerCounts, C)> =
        match rayon::ThreadPoolBuilder::new().num_threads(run.budget.jobs.get()).build() {
            Ok(pool) => pool.broadcast(|_| work()),
            // If no threads can be started, this thread does all the work.
            Err(_) => vec![work()],
        };
    let (mut all_counts, collectors): (Vec<WorkerCounts>, Vec<C>) = done.into_iter().unzip();
    all_counts.extend(
        run.feeds.iter().filter_map(|feed| feed.record_source()).map(|record_source| {
            WorkerCounts::of(record_source.coverage(), record_source.has_seen_read_only())
        }),
    );
    let relevant = collectors.iter().map(Collector::relevant).sum();
    let mut counted = counts::all(all_counts, relevant, &seen, run.cancelled.load(Ordering::Relaxed));
    counted.coverage.objects_left_out += run.feeds.iter().map(|feed| feed.pruned().no_evidence).sum::<u64>();
    // Freeing thousands of pages takes time that nobody has to wait for.
    rayon::spawn(move || drop(seen));
    (counted, collectors)
}

/// One worker's share of reading a lake.
fn empty<C: Collector>(
    run: Run<'_>,
    wanted: Wanted<'_>,
    record_source: &dyn RecordSource,
    counts: &mut WorkerCounts,
    collector: &mut C,
) {
    let sources = match wanted {
        Wanted::All => None,
        Wanted::Sources(sources) | Wanted::Named { sources, .. } => Some(sources),
    };
    if collector.keeps_documents() {
        record_source.documents(&mut |object, index, json, modified| {
            drop(collector.document(object, index, json, &|| modified))
        });
    }
    let mut more = true;
    while more && !run.cancelled.load(Ordering::Relaxed) && !collector.is_full() {
        if let Some(goes_on) = collector.portion(sources) {
            more = goes_on;
            continue;
        }
        more = record_source.read_next(sources, &mut |shelved| {
            let SourceRecord { object, index, json, native } = shelved;
            run.progress.records.fetch_add(1, Ordering::Relaxed);
            if let Err(reason) = collector.record(object, RawRecord { index, json, native }) {
                counts.fail_record(object, index, reason);
            }
        });
    }
}

/// One worker's parts, besides its collector.
struct Worker<'r> {
    run: Run<'r>,
    wanted: Wanted<'r>,
    seen: &'r SeenEvents,
    decoder: Decoder,
}

/// One worker: takes object after object until the feeds are empty.
fn work<C: Collector>(mut worker: Worker<'_>, mut collector: C) -> (WorkerCounts, C) {
    let Worker { run, wanted, seen, .. } = worker;
    let (mut counts, mut stored, mut ids) = (WorkerCounts::default(), Vec::new(), Vec::new());
    for feed in run.feeds {
        if let Some(record_source) = feed.record_source() {
            empty(run, wanted, record_source, &mut counts, &mut collector);
            continue;
        }
        while !run.cancelled.load(Ordering::Relaxed) && !collector.is_full() {
            let Some(mut delivery) = feed.next(&mut stored) else { break };
            let report = worker.decode(&**feed, &mut delivery, &stored, &mut counts, &mut collector);
            if report.is_some() {
                // The identities of several small objects are looked up together: each lookup is a cache
                // miss, and many misses can overlap.
                ids.extend_from_slice(worker.decoder.identities());
                if ids.len() >= IDS_TOGETHER {
                    seen.insert_all(&ids);
                    ids.clear();
                }
            }
            collector.finished(&delivery, report.as_ref());
            run.progress.delivered(&delivery);
            counts.add(delivery, report);
        }
    }
    seen.insert_all(&ids);
    counts.read_only = worker.decoder.has_seen_read_only();
    (counts, collector)
}

impl Worker<'_> {
    /// Decodes an object whose first bytes are in `stored`; `None` if there is nothing to decode.
    fn decode<C: Collector>(
        &mut self,
        feed: &dyn Feed,
        delivery: &mut Delivery,
        stored: &[u8],
        counts: &mut WorkerCounts,
        collector: &mut C,
    ) -> Option<ObjectReport> {
        match &delivery.outcome {
            Fetched::OtherKind | Fetched::Known => return None,
            Fetched::Failed(_) if stored.is_empty() => return None,
            _ => {}
        }
        let name = delivery.object.clone();
        let mut sink = Sink {
            run: self.run,
            feed,
            seen: self.seen,
            counts,
            collector,
            object: name.raw(),
            origin: delivery.origin.clone(),
            member: None,
            noted: 0,
            noted_bytes: 0,
        };
        let rest = delivery.rest.as_mut();
        let rest = rest.map(|rest| if rest.has_places() { Rest::Places(rest) } else { Rest::Stream(rest) });
        let report =
            self.decoder.object_of(Stored { bytes: stored, rest }, self.wanted, Limits::default(), &mut sink);
        let (records, bytes) = (
            report.records.saturating_sub(sink.noted),
            report.bytes_decompressed.saturating_sub(sink.noted_bytes),
        );
        self.run.progress.decoded(records, bytes);
        if let Some(mut rest) = delivery.rest.take() {
            let read = delivery.size + rest.bytes();
            // How much of it was read depends on how far ahead it was unpacked.
            delivery.size = if rest.has_places() { rest.length().unwrap_or(read) } else { read };
            if let Some(reason) = rest.take_failure() {
                delivery.outcome = Fetched::Failed(reason);
            }
        }
        Some(report)
    }
}

/// Passes each record to the collector, with the name of its object.
struct Sink<'a, C> {
    run: Run<'a>,
    feed: &'a dyn Feed,
    seen: &'a SeenEvents,
    counts: &'a mut WorkerCounts,
    collector: &'a mut C,
    object: &'a str,
    origin: Option<Origin>,
    /// Full name of the archive member that is being read.
    member: Option<String>,
    /// How much of the object has been added to the progress counters.
    noted: u64,
    noted_bytes: u64,
}

impl<C: Collector> RecordSink for Sink<'_, C> {
    fn record(&mut self, record: RawRecord<'_>) -> Result<(), String> {
        self.collector.record(self.member.as_deref().unwrap_or(self.object), record)
    }

    fn document(&mut self, json: &str, index: u64) -> Document {
        let modified = || self.feed.modified(self.object);
        self.collector.document(self.member.as_deref().unwrap_or(self.object), index, json, &modified)
    }

    fn part(&mut self, identities: &[Identity], bytes: u64) -> Next {
        self.seen.insert_all(identities);
        let records = identities.len() as u64;
        self.run.progress.decoded(records, bytes);
        self.noted += records;
        self.noted_bytes += bytes;
        self.next()
    }

    fn begin_member(&mut self, name: &str) -> Member {
        match self.feed.member(name) {
            MemberIs::Asked => {
                self.member = Some(format!("{}!{name}", self.object));
                Member::Read
            }
            MemberIs::OtherKind => {
                self.member = Some(format!("{}!{name}", self.object));
                self.count_member(Fetched::OtherKind, None, 0);
                Member::LeftOut
            }
            MemberIs::LeftOut => Member::LeftOut,
        }
    }

    fn end_member(&mut self, report: ObjectReport, bytes: u64) -> Next {
        self.count_member(Fetched::Whole, Some(report), bytes);
        self.next()
    }
}

impl<C: Collector> Sink<'_, C> {
    fn next(&self) -> Next {
        match () {
            () if self.run.cancelled.load(Ordering::Relaxed) => Next::Stop,
            () if self.collector.is_full() => Next::Enough,
            () => Next::GoOn,
        }
    }

    /// Counts an archive member like an object. It has the version (S3) of its archive.
    fn count_member(&mut self, outcome: Fetched, report: Option<ObjectReport>, bytes: u64) {
        let Some(name) = self.member.take() else { return };
        let inner = name.get(self.object.len()..).unwrap_or_default();
        let origin = self.origin.as_ref().map(|origin| Origin {
            address: format!("{}{inner}", origin.address),
            stamp: origin.stamp.clone(),
        });
        // The archive's own size counts for all of its members.
        let _ = bytes;
        let delivery = Delivery { object: name.into(), size: 0, outcome, origin, signed: None, rest: None };
        self.collector.finished(&delivery, report.as_ref());
        self.counts.add(delivery, report);
        (self.noted, self.noted_bytes) = (0, 0);
    }
}

/// Recognises steps and folds them.
struct StepCollector<'f> {
    recognizer: Recognizer,
    answers: SnapshotParser,
    /// Snapshots met so far; they are placed when all logs have been read.
    met: Vec<FoundSnapshot>,
    fold: Fold,
    filter: &'f Filter,
    seen: Seen,
    relevant: u64,
    suspects: &'f Suspects,
    event_memory: &'f EventMemory,
    /// Number of records since memory was last checked, and the bytes that were kept then.
    absorbed: u32,
    bytes: u64,
}

/// Number of records after which memory is checked; each takes some hundred bytes.
const RECORDS_UNNOTED_MAX: u32 = 512;

impl Collector for StepCollector<'_> {
    fn record(&mut self, object: &str, record: RawRecord<'_>) -> Result<(), String> {
        let (fold, filter, seen, suspects) = (&mut self.fold, self.filter, &mut self.seen, self.suspects);
        let taken = self.recognizer.recognize(record, |recognized| {
            note_names(seen, &recognized);
            let admitted = filter.admits_event(&recognized.event);
            if admitted {
                let asked_for = |repository: &RepositoryRef<'_>| filter.admits_repository(&repository.name);
                if recognized.repository.as_ref().is_none_or(asked_for) {
                    if recognized.repository.is_some() {
                        suspects.note(&recognized);
                    }
                    fold.absorb(&recognized, object, record.index);
                } else {
                    // Of a repository that the filter leaves out, only the name is kept.
                    fold.pass_over(&recognized, object, record.index);
                }
            }
            admitted
        });
        // Damage, of whatever event: it counts for each copy.
        if taken.is_err() && !self.recognizer.has_parsed() {
            return taken.map(drop);
        }
        // A copy without content may be the first copy, and then it is the one that counts.
        if !matches!(taken, Ok(Some(_))) && self.recognizer.has_looked_into() {
            let failed = taken.as_ref().err().map(String::as_str);
            self.fold.absorb_nothing(crate::decode::identity_of(record), object, record.index, failed);
            self.absorbed += 1;
        }
        if matches!(taken, Ok(Some(true))) {
            // What there is of it counts, and that there was more is told.
            if let Some(reason) = self.recognizer.illegible() {
                let event = crate::decode::identity_of(record);
                self.fold.absorb_nothing(event, object, record.index, Some(reason));
            }
            self.relevant += 1;
            self.absorbed += 1;
        }
        if self.absorbed >= RECORDS_UNNOTED_MAX {
            self.absorbed = 0;
            self.event_memory.note(&mut self.fold, &mut self.bytes);
        }
        Ok(())
    }

    fn document(
        &mut self,
        object: &str,
        index: u64,
        json: &str,
        modified: &dyn Fn() -> Option<Timestamp>,
    ) -> Document {
        let Some(answer) = self.answers.read(json) else { return Document::Unknown };
        self.met.push(FoundSnapshot::new(object, index, json, modified(), answer));
        Document::Taken
    }

    fn keeps_documents(&self) -> bool {
        true
    }

    fn relevant(&self) -> u64 {
        self.relevant
    }

    fn is_full(&self) -> bool {
        self.event_memory.is_over()
    }
}

fn note_names(seen: &mut Seen, recognized: &Recognized<'_>) {
    note_name(&mut seen.accounts, &recognized.event.recipient_account);
    note_name(&mut seen.regions, &recognized.event.region);
    if let Some(repository) = &recognized.repository {
        note_name(&mut seen.repositories, &repository.name);
    }
}

impl Progress {
    pub(crate) fn delivered(&self, delivery: &Delivery) {
        self.objects.fetch_add(1, Ordering::Relaxed);
        self.bytes_compressed.fetch_add(delivery.size, Ordering::Relaxed);
    }

    fn decoded(&self, records: u64, bytes: u64) {
        self.bytes_decompressed.fetch_add(bytes, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
    }
}
