//! The cost of reading in addition to decompression, on one core: `cargo bench --no-default-features --bench
//! decode`.
//!
//! Each stage is run on the same objects in memory several times; the fastest round counts. Counts are
//! printed beside times, and must be the same for all paths.

mod corpus;

use std::time::{Duration, Instant};

use corpus::{BUSY, Corpus, PUSHES, QUIET};
use tagfall::decode::seen::SeenEvents;
use tagfall::decode::{Decoder, Limits, RawRecord, RecordSink, Wanted};

const SOURCES: &[&str] = &["ecr.amazonaws.com", "ecs.amazonaws.com"];
const ROUNDS: usize = 7;
/// Number of distinct objects in memory; a larger archive repeats them.
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

type Stage<'s> = (&'static str, Box<dyn FnMut() -> String + 's>);

/// Runs the stages alternately, several times, so that a busy moment does not affect only one of them. The
/// fastest round of each counts.
fn race(stages: &mut [Stage<'_>]) -> Vec<(Duration, String)> {
    let mut best: Vec<(Duration, String)> = Vec::new();
    for _ in 0..ROUNDS {
        for (n, (_, stage)) in stages.iter_mut().enumerate() {
            let start = Instant::now();
            let counts = stage();
            let time = start.elapsed();
            match best.get_mut(n) {
                Some(best) => best.0 = best.0.min(time),
                None => best.push((time, counts)),
            }
        }
    }
    best
}

/// Decodes all of `objects`; returns the counts.
fn decode<'o>(objects: impl Iterator<Item = &'o Vec<u8>>, seen: Option<&SeenEvents>) -> String {
    let (mut decoder, mut count) = (Decoder::new(), Count::default());
    let (mut records, mut failed, mut duplicates) = (0, 0, 0);
    for object in objects {
        let report = decoder.object(object, Wanted::Sources(SOURCES), Limits::default(), &mut count);
        records += report.records;
        failed += report.failed_total;
        duplicates += seen.map_or(0, |seen| seen.insert_all(decoder.identities()));
    }
    let copies = seen.map_or(String::new(), |_| format!(", {duplicates} second copies"));
    format!(
        "{records} records, {} handed out ({} bytes), {failed} failed{copies}",
        count.records, count.bytes
    )
}

fn measure(corpus: Corpus) {
    let held = corpus.objects.min(HELD_MAX);
    let texts: Vec<Vec<u8>> = (0..held).map(|number| corpus.text(1, number)).collect();
    let stored: Vec<Vec<u8>> = texts.iter().map(|text| corpus::gzip(text)).collect();
    // White space before the document is enough to leave the hot path.
    let odd: Vec<Vec<u8>> =
        texts.iter().map(|text| corpus::gzip(&[b" ", text.as_slice()].concat())).collect();
    let bytes: u64 = corpus.all(&texts).map(|text| text.len() as u64).sum();
    let compressed: u64 = corpus.all(&stored).map(|object| object.len() as u64).sum();
    println!(
        "\n{}: {} MB of text, {} MB stored, {} objects",
        corpus.name,
        bytes / 1_000_000,
        compressed / 1_000_000,
        corpus.objects
    );

    let largest = texts.iter().map(Vec::len).max().unwrap_or(0);
    let (mut inflater, mut buffer) = (libdeflater::Decompressor::new(), vec![0; largest]);
    let mut inflate = || {
        corpus
            .all(&stored)
            .map(|object| inflater.gzip_decompress(object, &mut buffer).expect("sound"))
            .sum::<usize>()
    };
    let mut stages: Vec<Stage<'_>> = vec![
        ("inflate only (libdeflate)", Box::new(move || format!("{} bytes", inflate()))),
        ("inflate + scan", Box::new(|| decode(corpus.all(&stored), None))),
        (
            "inflate + scan + second copies",
            Box::new(|| decode(corpus.all(&stored), Some(&SeenEvents::new()))),
        ),
        ("inflate + full path", Box::new(|| decode(corpus.all(&odd), None))),
        ("plain text, full path", Box::new(|| decode(corpus.all(&texts), None))),
    ];
    let results = race(&mut stages);
    let reference = results[0].0.as_secs_f64();
    for ((stage, _), (time, counts)) in stages.iter().zip(&results) {
        let seconds = time.as_secs_f64();
        let (rate, objects) = (bytes as f64 / 1e6 / seconds, corpus.objects as f64 / seconds);
        println!(
            "  {stage:32} {:7.1} ms {rate:6.0} MB/s {objects:8.0} objects/s  {:5.3} of inflate  {counts}",
            seconds * 1e3,
            reference / seconds
        );
    }
    assert_eq!(results[1].1, results[3].1, "both paths must agree");
    assert_eq!(results[1].1, results[4].1, "both paths must agree");
}

fn main() {
    for corpus in [BUSY, QUIET, PUSHES] {
        measure(corpus);
    }
}
