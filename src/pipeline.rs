//! The data path, on one screen: list → fetch → gunzip → records → recognise → fold → timelines + coverage.
//!
//! Every worker takes objects from the feeds, decodes them into buffers of its own, and collects into a collector of its
//! own; nothing is shared but the feeds, the counters, the set of event ids, and (while somebody watches) the suspects.
//! Collectors are merged when all is read.

mod suspects;
mod tally;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use crate::decode::seen::SeenEvents;
use crate::decode::{Decoder, Limits, ObjectReport, RawRecord, RecordSink, Wanted};
use crate::model::{Coverage, Filter, LogText, Recognized, Seen, Timestamp};
use crate::recognize::{BUSY, Recognizer, SOURCES};
use crate::source::{Delivery, Feed, Fetched, Shelf, Shelved};
use crate::timeline::{Fold, History, Supposed, Supposition};
use suspects::Suspects;
use tally::Tally;

/// Event ids that a worker gathers before it looks whether they are new.
const IDS_TOGETHER: usize = 256;

/// A limit on everything.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Worker threads.
    pub jobs: NonZeroUsize,
    /// Largest size that one object may inflate to, in bytes.
    pub object_bytes_max: u64,
}

/// Counters that a progress display may read while a run goes on.
#[derive(Debug, Default)]
pub struct Progress {
    pub objects: AtomicU64,
    pub bytes_compressed: AtomicU64,
    pub bytes_decompressed: AtomicU64,
    pub records: AtomicU64,
    /// Counted while somebody watches, and where images are what is read for.
    pub suspects: Suspects,
}

/// What a run has found out.
pub struct Evidence {
    pub coverage: Coverage,
    pub history: History,
    /// When the evidence ends: the time of the last event, inside the filter.
    pub end: Option<Timestamp>,
    /// Accounts, regions and repositories before the filters.
    pub seen: Seen,
}

/// Takes the records of one worker. An error is one record's failure and stands in the coverage.
pub trait Collector: Send {
    fn record(&mut self, object: &str, record: RawRecord<'_>) -> Result<(), String>;

    /// Records that the collector had a use for, second copies included.
    fn relevant(&self) -> u64;

    /// Nothing more is needed (a `LIMIT` is reached): the worker stops at the next object.
    fn is_full(&self) -> bool {
        false
    }

    /// Takes the next portion of a shelf that it knows how to read better than record by record; says whether there is more.
    /// `None`: record by record, please.
    fn portion(&mut self, _shelf: &dyn Shelf, _sources: Option<&[&str]>) -> Option<bool> {
        None
    }

    /// All records of an object have been handed over; `report` is `None` where nothing of it was decoded.
    fn finished(&mut self, _delivery: &Delivery, _report: Option<&ObjectReport>) {}
}

/// What all workers share.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub feeds: &'a [Box<dyn Feed>],
    pub budget: Budget,
    pub progress: &'a Progress,
    /// Looked at between objects: when it turns true, what is in flight is finished and the result is marked partial.
    pub cancelled: &'a AtomicBool,
}

/// Reads everything and folds it into the history of every image.
pub fn read(run: Run<'_>, filter: &Filter) -> Evidence {
    read_supposing(run, filter, None)
}

/// The same, and plays the events once more under a supposition.
pub fn read_supposing(run: Run<'_>, filter: &Filter, supposition: Option<&Supposition>) -> Evidence {
    let make = || StepCollector {
        recognizer: Recognizer::default(),
        fold: Fold::default(),
        filter,
        seen: Seen::default(),
        relevant: 0,
        suspects: &run.progress.suspects,
    };
    let (mut coverage, read_only, collectors) = gather(run, Wanted::Named { sources: SOURCES, busy: BUSY }, make);
    let parts = collectors.into_par_iter().map(|collector| (collector.fold, collector.seen));
    let (fold, seen) = parts.reduce(Default::default, |(mut fold, mut seen), (other, also_seen)| {
        fold.merge(other);
        seen.merge(also_seen);
        (fold, seen)
    });
    let end = end(&coverage, filter);
    let history = fold.finish_supposing(filter, supposition.map(|supposition| Supposed { supposition, end }));
    tally::describe(&mut coverage, &history, read_only);
    Evidence { coverage, history, end, seen }
}

/// The last event of all, of whatever service, that the user asked to look at.
fn end(coverage: &Coverage, filter: &Filter) -> Option<Timestamp> {
    let last = coverage.last_event_time?;
    Some(filter.until.map_or(last, |until| last.min(until)))
}

/// Reads every wanted record into collectors, one for each worker.
pub fn scan<C: Collector>(run: Run<'_>, wanted: Wanted<'_>, make: impl Fn() -> C + Sync) -> (Coverage, Vec<C>) {
    let (coverage, _, collectors) = gather(run, wanted, make);
    (coverage, collectors)
}

/// The same, and whether a read-only event of any service was among the records.
fn gather<C: Collector>(run: Run<'_>, wanted: Wanted<'_>, make: impl Fn() -> C + Sync) -> (Coverage, bool, Vec<C>) {
    let seen = SeenEvents::default();
    let done: Vec<(Tally, C)> = match rayon::ThreadPoolBuilder::new().num_threads(run.budget.jobs.get()).build() {
        Ok(pool) => pool.broadcast(|_| work(run, wanted, &seen, make())),
        // No threads to be had: the work is the same with one.
        Err(_) => vec![work(run, wanted, &seen, make())],
    };
    let (mut tallies, collectors): (Vec<Tally>, Vec<C>) = done.into_iter().unzip();
    tallies.extend(run.feeds.iter().filter_map(|feed| feed.shelf()).map(|shelf| Tally::of(shelf.coverage(), shelf.has_seen_read_only())));
    let relevant = collectors.iter().map(Collector::relevant).sum();
    let (mut coverage, read_only) = tally::coverage(tallies, relevant, &seen, run.cancelled.load(Ordering::Relaxed));
    coverage.objects_left_out += run.feeds.iter().map(|feed| feed.pruned().no_evidence).sum::<u64>();
    // Thousands of pages, which nobody has to wait for.
    rayon::spawn(move || drop(seen));
    (coverage, read_only, collectors)
}

/// Takes one worker's share of a shelf.
fn empty<C: Collector>(run: Run<'_>, wanted: Wanted<'_>, shelf: &dyn Shelf, tally: &mut Tally, collector: &mut C) {
    let sources = match wanted {
        Wanted::All => None,
        Wanted::Sources(sources) | Wanted::Named { sources, .. } => Some(sources),
    };
    let mut more = true;
    while more && !run.cancelled.load(Ordering::Relaxed) && !collector.is_full() {
        if let Some(goes_on) = collector.portion(shelf, sources) {
            more = goes_on;
            continue;
        }
        more = shelf.read_next(sources, &mut |shelved| {
            let Shelved { object, index, json, native } = shelved;
            run.progress.records.fetch_add(1, Ordering::Relaxed);
            if let Err(reason) = collector.record(object, RawRecord { index, json, native }) {
                tally.fail_record(object, index, reason);
            }
        });
    }
}

/// One worker: object after object, until the feeds are empty.
fn work<C: Collector>(run: Run<'_>, wanted: Wanted<'_>, seen: &SeenEvents, mut collector: C) -> (Tally, C) {
    let (mut tally, mut decoder, mut stored) = (Tally::default(), Decoder::default(), Vec::new());
    let mut ids = Vec::new();
    let limits = Limits { object_bytes_max: run.budget.object_bytes_max, ..Limits::default() };
    for feed in run.feeds {
        if let Some(shelf) = feed.shelf() {
            empty(run, wanted, shelf, &mut tally, &mut collector);
            continue;
        }
        while !run.cancelled.load(Ordering::Relaxed) && !collector.is_full() {
            let Some(delivery) = feed.next(&mut stored) else { break };
            let object = delivery.object.raw();
            let report = match &delivery.outcome {
                Fetched::OtherKind | Fetched::Known => None,
                Fetched::Failed(_) if stored.is_empty() => None,
                _ => Some(decoder.object(&stored, wanted, limits, &mut Sink { collector: &mut collector, object })),
            };
            if let Some(report) = &report {
                // Those of small objects together: each is a miss in a large table, and many misses can be under way at once.
                ids.extend_from_slice(decoder.identities());
                if ids.len() >= IDS_TOGETHER {
                    seen.insert_all(&ids);
                    ids.clear();
                }
                run.progress.decoded(report);
            }
            collector.finished(&delivery, report.as_ref());
            run.progress.delivered(&delivery);
            tally.add(delivery, report);
        }
    }
    seen.insert_all(&ids);
    tally.read_only = decoder.has_seen_read_only();
    (tally, collector)
}

/// Gives the collector the object's name along with each of its records.
struct Sink<'a, C> {
    collector: &'a mut C,
    object: &'a str,
}

impl<C: Collector> RecordSink for Sink<'_, C> {
    fn record(&mut self, record: RawRecord<'_>) -> Result<(), String> {
        self.collector.record(self.object, record)
    }
}

/// Recognises steps and folds them.
struct StepCollector<'f> {
    recognizer: Recognizer,
    fold: Fold,
    filter: &'f Filter,
    seen: Seen,
    relevant: u64,
    suspects: &'f Suspects,
}

impl Collector for StepCollector<'_> {
    fn record(&mut self, object: &str, record: RawRecord<'_>) -> Result<(), String> {
        let (fold, filter, seen, suspects) = (&mut self.fold, self.filter, &mut self.seen, self.suspects);
        let taken = self.recognizer.recognize(record, |recognized| {
            note_names(seen, &recognized);
            let admitted = admits(filter, &recognized);
            if admitted {
                note_suspects(suspects, filter, &recognized);
                fold.absorb(&recognized, object, record.index);
            }
            admitted
        })?;
        self.relevant += u64::from(taken == Some(true));
        Ok(())
    }

    fn relevant(&self) -> u64 {
        self.relevant
    }
}

/// The repository is looked at when everything is folded: what was seen is needed to explain an empty result.
fn admits(filter: &Filter, recognized: &Recognized<'_>) -> bool {
    let event = &recognized.event;
    filter.admits_time(event.time) && filter.admits_account(&event.recipient_account) && filter.admits_region(&event.region)
}

/// Only of repositories that are asked for: the fold takes all of them.
fn note_suspects(suspects: &Suspects, filter: &Filter, recognized: &Recognized<'_>) {
    if recognized.repository.as_ref().is_some_and(|repository| filter.admits_repository(&repository.name)) {
        suspects.note(recognized);
    }
}

fn note_names(seen: &mut Seen, recognized: &Recognized<'_>) {
    let note = |names: &mut BTreeSet<LogText>, name: &str| {
        if !names.contains(name) {
            names.insert(name.into());
        }
    };
    note(&mut seen.accounts, &recognized.event.recipient_account);
    note(&mut seen.regions, &recognized.event.region);
    if let Some(repository) = &recognized.repository {
        note(&mut seen.repositories, &repository.name);
    }
}

impl Progress {
    pub(crate) fn delivered(&self, delivery: &Delivery) {
        self.objects.fetch_add(1, Ordering::Relaxed);
        self.bytes_compressed.fetch_add(delivery.size, Ordering::Relaxed);
    }

    fn decoded(&self, report: &ObjectReport) {
        self.bytes_decompressed.fetch_add(report.bytes_decompressed, Ordering::Relaxed);
        self.records.fetch_add(report.records, Ordering::Relaxed);
    }
}
