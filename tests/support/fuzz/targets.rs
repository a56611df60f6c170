//! Entry points for untrusted bytes, each with the properties that must hold for any bytes, besides not
//! panicking.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use tagfall::decode::{Decoder, Limits, Outcome, RawRecord, RecordSink, Wanted};
use tagfall::detect::{self, Settings};
use tagfall::explain::{Question, explain};
use tagfall::model::Filter;
#[cfg(feature = "sql")]
use tagfall::model::{Coverage, ReadFailure};
use tagfall::pipeline::{self, Budget, Evidence, Progress, Run};
use tagfall::policy;
use tagfall::recognize::{Recognizer, SOURCES};
use tagfall::source::{Delivery, Feed, Fetched, Listed};

/// Maximum decompressed size of an object in these tests.
const OBJECT_BYTES_MAX: u64 = 8 << 20;

/// Collects every record: index, whether it is a native event, and text.
#[derive(Default, PartialEq, Eq, Debug)]
struct Kept(Vec<(u64, bool, String)>);

impl RecordSink for Kept {
    fn record(&mut self, record: RawRecord<'_>) -> Result<(), String> {
        // Like every sink, reads the wanted records and reports those that cannot be read. Records that
        // nobody wants are not checked.
        serde_json::from_str::<&serde_json::value::RawValue>(record.json)
            .map_err(|error| error.to_string())?;
        self.0.push((record.index, record.native, record.json.to_owned()));
        Ok(())
    }
}

/// The result of decoding an object.
#[derive(PartialEq, Eq, Debug)]
struct Decoded {
    records: u64,
    /// Whether the report mentions anything unreadable.
    damaged: bool,
    kept: Kept,
}

fn decoded(bytes: &[u8], wanted: Wanted<'_>) -> Decoded {
    let mut kept = Kept::default();
    let limits = Limits::default();
    let report = Decoder::new().object(bytes, wanted, limits, &mut kept);
    let damaged = report.failed_total > 0 || matches!(report.outcome, Outcome::Failed(_));
    Decoded { records: report.records, damaged, kept }
}

/// The event source of a record, if all parsers must agree on it.
fn source(json: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let twice = json.matches("eventSource").count() != 1 || json.contains("\\u00");
    value["eventSource"].as_str().filter(|_| !twice).map(str::to_owned)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Every container, compressed and plain, intact and damaged: the hot path and the full path agree, and so do
/// a scan for all records and a scan for the wanted ones.
pub fn containers(bytes: &[u8]) {
    let all = decoded(bytes, Wanted::All);
    assert_eq!(all, decoded(bytes, Wanted::All), "the same bytes twice");
    let wanted = decoded(bytes, Wanted::Sources(SOURCES));
    assert_eq!(wanted.records, all.records, "what nobody wants is counted all the same");
    let position = |(index, native, _): &(u64, bool, String)| (*index, *native);
    let everything: BTreeMap<_, _> = all.kept.0.iter().map(|kept| (position(kept), &kept.2)).collect();
    for kept in &wanted.kept.0 {
        assert_eq!(everything.get(&position(kept)), Some(&&kept.2), "what is wanted is a part of everything");
    }
    let wanted: BTreeSet<_> = wanted.kept.0.iter().map(position).collect();
    for kept in &all.kept.0 {
        if let Some(source) = source(&kept.2) {
            assert_eq!(
                wanted.contains(&position(kept)),
                kept.1 || SOURCES.contains(&source.as_str()),
                "{}",
                kept.2
            );
        }
    }
    if !bytes.starts_with(b"\x1f\x8b") && bytes.len() < 1 << 20 {
        // Around damage the two may keep different parts, but neither may fail to report it.
        let packed = decoded(&gzip(bytes), Wanted::All);
        assert!(
            packed == all || packed.damaged && all.damaged,
            "packed, it is the same: {packed:?} and {all:?}"
        );
    }
}

/// Every record of a container is recognised the same way twice.
pub fn recogniser(bytes: &[u8]) {
    let Decoded { kept, .. } = decoded(bytes, Wanted::All);
    let (mut one, mut other) = (Recognizer::default(), Recognizer::default());
    for (index, native, json) in &kept.0 {
        let record = RawRecord { index: *index, json, native: *native };
        let told = one.recognize(record, |recognized| format!("{recognized:?}"));
        assert_eq!(told, other.recognize(record, |recognized| format!("{recognized:?}")));
    }
}

/// Lifecycle policies, from files and from texts in the logs.
pub fn policies(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let read = policy::Policy::from_text(&text);
    assert!(read.is_same_as(&policy::Policy::from_text(&text)));
    let _ = (policy::from_file(&text), policy::Policy::from_rules(&text));
}

/// Texts that people paste: an answer in three steps, or none.
pub fn pasted(bytes: &[u8]) {
    static WORLD: OnceLock<Evidence> = OnceLock::new();
    let world = WORLD.get_or_init(|| read(&super::seeds::records()[..8], 1));
    let text = String::from_utf8_lossy(bytes);
    let Some(question) = Question::parse(&text) else { return };
    let verdict = explain(&question, &world.history, &[], &world.coverage);
    assert_eq!(verdict.narrative.len(), 3, "{text}");
    assert!(verdict.narrative.iter().all(|sentence| !sentence.text.is_empty()));
    assert_eq!(Question::parse(&text).as_ref(), Some(&question));
}

/// A whole run over damaged archives: the coverage balances, and one thread and four give the same result.
pub fn archives(objects: &[Vec<u8>]) {
    let told = |evidence: &Evidence| {
        let findings = detect::findings(&evidence.history, Settings { race_window_seconds: 600 });
        let timelines: Vec<_> = evidence.history.timelines().collect();
        serde_json::to_string(&(&evidence.coverage, findings, timelines)).unwrap()
    };
    let one = read(objects, 1);
    assert!(one.coverage.balances(), "{:?}", one.coverage);
    assert_eq!(one.coverage.objects_listed, objects.len() as u64);
    assert_eq!(told(&one), told(&read(objects, 4)), "one thread and four");
}

/// Foreign Parquet files: reading from memory and from a stream gives the same result, and with little memory
/// a file is refused, not guessed at.
#[cfg(feature = "sql")]
pub fn parquet(bytes: &[u8]) {
    let all = decoded(bytes, Wanted::All);
    assert_eq!(all, decoded(bytes, Wanted::All), "the same bytes twice");
    let mut kept = Kept::default();
    let mut rest = bytes;
    let stored = tagfall::decode::Stored { bytes: b"", rest: Some(tagfall::decode::Rest::Stream(&mut rest)) };
    let report = Decoder::new().object_of(stored, Wanted::All, Limits::default(), &mut kept);
    assert_eq!((report.records, &kept), (all.records, &all.kept), "from a stream");
    let room = std::sync::Arc::new(tagfall::decode::TextMemory::of(128 << 10, 256 << 10, 256 << 10));
    let mut few = Kept::default();
    let report = Decoder::sharing(room).object(bytes, Wanted::All, Limits::default(), &mut few);
    let damaged = report.failed_total > 0 || matches!(report.outcome, Outcome::Failed(_));
    assert!(damaged || few == all.kept, "within little memory");
}

#[cfg(feature = "sql")]
pub fn sql(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let now = tagfall::model::Timestamp::from_millis(1_772_445_600_000);
    let one = tagfall::sql::Query::parse(&text, &[], now).map(|query| format!("{:?}", query.params()));
    let other = tagfall::sql::Query::parse(&text, &[], now).map(|query| format!("{:?}", query.params()));
    assert_eq!(one.is_ok(), other.is_ok());
}

/// A lake of which one file was replaced by `changed`: the damage is reported or has no effect, and nothing
/// panics. The file is the one that `changed` is most similar to.
#[cfg(feature = "sql")]
pub fn lake(changed: &[u8]) {
    let alike = |whole: &[u8]| whole.iter().zip(changed).take_while(|(one, other)| one == other).count();
    let files = super::lakes::files();
    let Some(file) = files.iter().max_by_key(|file| alike(&file.bytes)) else { return };
    std::fs::write(&file.path, changed).unwrap();
    let outcome = std::panic::catch_unwind(|| {
        let Ok(feed) = tagfall::lake::LakeFeed::open(file.lake, &Filter::default()) else { return };
        let evidence = read_from(vec![Box::new(feed)], 1);
        assert!(evidence.coverage.balances(), "{:?}", evidence.coverage);
    });
    std::fs::write(&file.path, &file.bytes).unwrap();
    assert!(outcome.is_ok(), "{} with these bytes", file.path.display());
}

/// A lake made from damaged archives reports the same damage as the archives.
#[cfg(feature = "sql")]
pub fn lakes_of_archives(objects: &[Vec<u8>]) {
    let folder = tempfile::tempdir().unwrap();
    super::lakes::ingest(folder.path(), vec![Box::new(Memory::of(objects))]);
    let told = |evidence: &Evidence| {
        let findings = detect::findings(&evidence.history, Settings { race_window_seconds: 600 });
        let timelines: Vec<_> = evidence.history.timelines().collect();
        let c = &evidence.coverage;
        let counts = [
            c.objects_listed,
            c.objects_read,
            c.objects_skipped,
            c.objects_failed,
            c.records,
            c.records_duplicate,
        ];
        // The reasons of failures are worded differently.
        let failed = c.failures.iter().filter(|failure| failure.record.is_none());
        (
            serde_json::to_string(&(findings, timelines)).unwrap(),
            counts,
            failed.map(|failure| failure.object.clone()).collect::<Vec<_>>(),
            c.first_event_time,
            c.last_event_time,
        )
    };
    let lake = tagfall::lake::LakeFeed::open(folder.path(), &Filter::default()).unwrap();
    let (archive, lake) = (read(objects, 1), read_from(vec![Box::new(lake)], 1));
    assert_eq!(told(&archive), told(&lake), "archive and lake");
    records_failed(&archive.coverage, &lake.coverage);
}

/// A lake has the failures of its archive: an event that cannot be understood counts once, however often it was
/// delivered, and damage counts where it is.
#[cfg(feature = "sql")]
fn records_failed(archive: &Coverage, lake: &Coverage) {
    if archive.records_failed > Limits::default().failures_max as u64 {
        // There may be more than the list of an object has.
        return assert!(archive.records_failed >= lake.records_failed);
    }
    type Place = (usize, u64);
    let listed = |coverage: &Coverage| -> BTreeMap<Place, String> {
        let of_record = |failure: &ReadFailure| {
            Some(((failure.object.raw().parse().unwrap(), failure.record?), failure.reason.clone()))
        };
        let listed: BTreeMap<_, _> = coverage.failures.iter().filter_map(of_record).collect();
        assert_eq!(listed.len() as u64, coverage.records_failed, "each record once");
        listed
    };
    assert_eq!(listed(archive), listed(lake), "archive and lake");
}

/// Texts of listings: one that was truncated is never complete.
#[cfg(feature = "s3")]
pub fn listings(bytes: &[u8]) {
    if tagfall::source::is_whole_listing(bytes) {
        let text = std::str::from_utf8(bytes).expect("a whole listing is text").trim_end();
        let cut = text.len() - 1 - text.chars().next_back().map_or(0, |last| last.len_utf8() - 1);
        assert!(!tagfall::source::is_whole_listing(&text.as_bytes()[..cut]), "{text}");
    }
}

/// A feed of objects in memory.
pub struct Memory {
    objects: Vec<Vec<u8>>,
    next: AtomicUsize,
    one_at_a_time: Mutex<()>,
}

impl Feed for Memory {
    fn next(&self, buffer: &mut Vec<u8>) -> Option<Delivery> {
        let _lock = self.one_at_a_time.lock().unwrap();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let bytes = self.objects.get(number)?;
        buffer.clear();
        buffer.extend_from_slice(bytes);
        Some(Delivery {
            object: format!("{number:03}").as_str().into(),
            size: bytes.len() as u64,
            outcome: Fetched::Whole,
            origin: None,
            signed: None,
            rest: None,
        })
    }

    fn listed(&self) -> Listed {
        Listed { objects: self.objects.len() as u64, complete: true, ..Listed::default() }
    }

    fn stop(&self) {}
}

impl Memory {
    pub fn of(objects: &[Vec<u8>]) -> Self {
        Self { objects: objects.to_vec(), next: AtomicUsize::new(0), one_at_a_time: Mutex::new(()) }
    }
}

fn read(objects: &[Vec<u8>], jobs: usize) -> Evidence {
    read_from(vec![Box::new(Memory::of(objects))], jobs)
}

fn read_from(feeds: Vec<Box<dyn Feed>>, jobs: usize) -> Evidence {
    pipeline::read(run(&feeds, jobs, &Progress::default(), &AtomicBool::new(false)), &Filter::default())
        .unwrap()
}

/// A run over feeds, without progress display.
pub fn run<'r>(
    feeds: &'r [Box<dyn Feed>],
    jobs: usize,
    progress: &'r Progress,
    cancelled: &'r AtomicBool,
) -> Run<'r> {
    Run {
        feeds,
        budget: Budget {
            jobs: jobs.try_into().unwrap(),
            object_bytes_max: OBJECT_BYTES_MAX,
            kept_bytes_max: 1 << 30,
        },
        progress,
        cancelled,
    }
}
