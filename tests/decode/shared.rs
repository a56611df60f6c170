//! Real records, if available: they are read without a crash and counted correctly. The numbers in the table
//! were counted by another program (with Python's `json`).

use std::path::{Path, PathBuf};

use tagfall::decode::{Decoder, Limits, Outcome, RawRecord, RecordSink, Wanted};

/// Counts records, and checks that each is a complete JSON object.
#[derive(Default)]
struct Count(u64);

impl RecordSink for Count {
    fn record(&mut self, record: RawRecord<'_>) -> Result<(), String> {
        self.0 += 1;
        let parsed: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(record.json);
        parsed.map(drop).map_err(|error| error.to_string())
    }
}

fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("TAGFALL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    root.join("data").is_dir().then_some(root)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Folder; objects read, skipped, failed; records, records passed on, records failed.
const EXPECTED: [(&str, [u64; 6]); 9] = [
    ("data/cloud-custodian", [24, 0, 13, 24, 23, 1]),
    ("data/cloud-snitch", [2, 0, 0, 21, 21, 0]),
    ("data/invictus-ir_aws_dataset", [55, 0, 0, 2900, 2900, 0]),
    // The archives themselves; their members, as Logstash wrote them, are counted as objects of their own.
    ("data/otrf-security-datasets", [2, 0, 1, 0, 103, 0]),
    ("data/plaso", [1, 0, 0, 6, 6, 0]),
    ("data/stratus-red-team", [35, 0, 0, 310, 310, 0]),
    ("data/traildiscover", [336, 0, 0, 315, 315, 0]),
    ("data/trailscraper", [3, 0, 0, 7, 7, 0]),
    ("spec/samples", [57, 2, 0, 57, 55, 2]),
];

#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    read: u64,
    skipped: u64,
    failed: u64,
    records: u64,
    handed_out: u64,
    records_failed: u64,
}

fn sum(folder: &Path) -> Sum {
    let mut paths = Vec::new();
    files(folder, &mut paths);
    let (mut decoder, mut sum) = (Decoder::new(), Sum::default());
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("LICENSE") || name.ends_with(".md") {
            continue;
        }
        let mut count = Count::default();
        let report =
            decoder.object(&std::fs::read(&path).expect("file"), Wanted::All, Limits::default(), &mut count);
        if report.outcome != Outcome::Read || !report.failed.is_empty() {
            println!("{}: {:?} {:?}", path.display(), report.outcome, report.failed);
        }
        match report.outcome {
            Outcome::Read => sum.read += 1,
            Outcome::Skipped(_) => sum.skipped += 1,
            Outcome::Failed(_) => sum.failed += 1,
        }
        sum.records += report.records;
        sum.handed_out += count.0;
        sum.records_failed += report.failed_total;
    }
    sum
}

#[test]
fn real_records_are_counted_right() {
    let Some(root) = shared() else {
        eprintln!("SKIPPED: no shared data at hand (set TAGFALL_SHARED)");
        return;
    };
    for (folder, [read, skipped, failed, records, handed_out, records_failed]) in EXPECTED {
        let expected = Sum { read, skipped, failed, records, handed_out, records_failed };
        assert_eq!(sum(&root.join(folder)), expected, "{folder}");
    }
}
