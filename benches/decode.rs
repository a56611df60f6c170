//! What reading costs beside inflating, on one core: `cargo bench --no-default-features --bench decode`.
//!
//! Each stage runs over the same objects, held in memory, three times; the fastest counts. Counts stand beside times, and
//! must be equal between the stages.

mod corpus;

use std::time::{Duration, Instant};

use corpus::{BUSY, Corpus, PUSHES, QUIET};
use tagfall::decode::seen::SeenIds;
use tagfall::decode::{Decoder, Limits, RawRecord, RecordSink, Wanted};

const SOURCES: &[&str] = &["ecr.amazonaws.com", "ecs.amazonaws.com"];
const ROUNDS: usize = 5;
/// Distinct objects that are held; a larger archive goes over them again.
const HELD_MAX: u64 = 2000;

#[derive(Default)]
struct Count {
    records: u64,
    bytes: u64,
}

impl RecordSink for Count {
    fn record(&mut self, record: RawRecord<'_>) -> Result<(), String> {
        self.records += 1;
        self.bytes += record.json.len() as u64;
        Ok(())
    }
}

fn best(mut stage: impl FnMut() -> String) -> (Duration, String) {
    let mut runs = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        let counts = stage();
        (start.elapsed(), counts)
    });
    let first = runs.next().expect("one round");
    runs.fold(first, |best, run| if run.0 < best.0 { run } else { best })
}

fn measure(corpus: Corpus) {
    let held = corpus.objects.min(HELD_MAX);
    let texts: Vec<Vec<u8>> = (0..held).map(|number| corpus.text(1, number)).collect();
    let stored: Vec<Vec<u8>> = texts.iter().map(|text| corpus::gzip(text)).collect();
    let objects = || (0..corpus.objects).map(|number| (number % held) as usize);
    let bytes: u64 = objects().map(|number| texts[number].len() as u64).sum();
    let compressed: u64 = objects().map(|number| stored[number].len() as u64).sum();
    println!("\n{}: {} MB of text, {} MB stored, {} objects", corpus.name, bytes / 1_000_000, compressed / 1_000_000, corpus.objects);

    let largest = texts.iter().map(Vec::len).max().unwrap_or(0);
    let (mut inflater, mut buffer) = (libdeflater::Decompressor::new(), vec![0; largest]);
    let inflate = best(|| {
        let total: usize = objects().map(|number| inflater.gzip_decompress(&stored[number], &mut buffer).expect("sound")).sum();
        format!("{total} bytes")
    });
    show("inflate only (libdeflate)", &inflate, &inflate, bytes, corpus.objects);

    let mut decoder = Decoder::new();
    let mut run = |objects_of: &[Vec<u8>], wanted: Wanted<'_>, seen: Option<&SeenIds>| {
        let (mut count, mut records, mut failed, mut duplicates) = (Count::default(), 0, 0, 0);
        for number in objects() {
            let report = decoder.object(&objects_of[number], wanted, Limits::default(), &mut count);
            records += report.records;
            failed += report.failed_total;
            duplicates += seen.map_or(0, |seen| seen.insert_all(decoder.event_ids()));
        }
        format!("{records} records, {} handed out ({} bytes), {failed} failed, {duplicates} second copies", count.records, count.bytes)
    };
    let scan = best(|| run(&stored, Wanted::Sources(SOURCES), None));
    show("inflate + scan", &scan, &inflate, bytes, corpus.objects);
    let seen = best(|| run(&stored, Wanted::Sources(SOURCES), Some(&SeenIds::new())));
    show("inflate + scan + second copies", &seen, &inflate, bytes, corpus.objects);
    // White space before the document is enough to leave the hot path.
    let odd: Vec<Vec<u8>> = texts.iter().map(|text| corpus::gzip(&[b" ", text.as_slice()].concat())).collect();
    let full = best(|| run(&odd, Wanted::Sources(SOURCES), None));
    show("inflate + full path", &full, &inflate, bytes, corpus.objects);
    let plain = best(|| run(&texts, Wanted::Sources(SOURCES), None));
    show("plain text, full path", &plain, &inflate, bytes, corpus.objects);
    assert_eq!(scan.1, full.1, "both paths must agree");
}

fn show(stage: &str, (time, counts): &(Duration, String), (reference, _): &(Duration, String), bytes: u64, objects: u64) {
    let seconds = time.as_secs_f64();
    let ratio = reference.as_secs_f64() / seconds;
    println!(
        "  {stage:32} {:7.1} ms {:8.0} MB/s {:9.0} objects/s  {ratio:5.3} of inflate  {counts}",
        seconds * 1e3,
        bytes as f64 / 1e6 / seconds,
        objects as f64 / seconds
    );
}

fn main() {
    for corpus in [BUSY, QUIET, PUSHES] {
        measure(corpus);
    }
}
