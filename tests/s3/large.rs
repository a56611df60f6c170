//! Objects that are larger than the available memory: they are fetched in pieces of one version, or fail with
//! a reason.

use crate::s3;
use std::io::{Cursor, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use s3::{Fault, Memory, Proxy, Request, Server, error_answer, quick};
use tagfall::model::Filter;
use tagfall::source::{self, Feed, Fetched, Options};

const KEY: &str = "export/all.json";
const MIB: usize = 1 << 20;

/// 16 MiB of memory: an object above 1 MiB is fetched in pieces of half that size.
fn options(endpoint: &str) -> Options {
    Options { memory_bytes_max: 16 << 20, part_bytes: Some(256 << 10), ..quick(endpoint) }
}

/// Bytes that depend on their position.
fn object(bytes: usize) -> Vec<u8> {
    (0..bytes.div_ceil(8))
        .flat_map(|number| (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .take(bytes)
        .collect()
}

fn world(bytes: usize) -> (Vec<u8>, Arc<Memory>, Server) {
    let object = object(bytes);
    let memory = Arc::new(Memory::new("trail", [(KEY.to_owned(), object.clone())]));
    let server = Server::memory(&memory);
    (object, memory, server)
}

fn open(endpoint: &str) -> Box<dyn Feed> {
    source::open("s3://trail", &options(endpoint), &Filter::default()).unwrap()
}

/// All bytes of the only object, and why there are no more.
fn read(feed: &dyn Feed) -> (Vec<u8>, Option<String>) {
    let mut buffer = Vec::new();
    let delivery = feed.next(&mut buffer).expect("an object");
    let mut failure = if let Fetched::Failed(reason) = delivery.outcome { Some(reason) } else { None };
    let mut all = buffer.clone();
    if let Some(mut rest) = delivery.rest {
        let _ = rest.read_to_end(&mut all);
        failure = failure.or(rest.take_failure());
    }
    assert!(feed.next(&mut buffer).is_none());
    (all, failure)
}

#[test]
fn an_object_larger_than_the_memory_comes_whole_in_pieces() {
    let (object, memory, server) = world(40 * MIB + 12_345);
    let planned = source::plan("s3://trail", &options(&server.endpoint()), &Filter::default()).unwrap();
    memory.take_log();
    let feed = open(&server.endpoint());
    let (all, failure) = read(&*feed);
    assert!(failure.is_none() && all == object, "{failure:?}, {} bytes", all.len());
    let log = memory.take_log();
    assert_eq!((log.len() as u64, planned.get_requests), (81, 81), "as many requests as the plan says");
    assert!(log.iter().all(|request| request.contains(" bytes=")), "{log:?}");
}

#[test]
fn a_piece_that_breaks_off_goes_on_where_it_broke() {
    let (object, memory, server) = world(5 * MIB);
    for (name, fault) in [
        ("cut", Fault::CutBody(40)),
        ("reset", Fault::ResetInBody(70)),
        ("refused", Fault::Answer(error_answer(503, "SlowDown", ""))),
        ("garbled", Fault::Answer(b"HTTP/1.1 206 Partial Content\r\ncontent-length: 2\r\n\r\nno".to_vec())),
    ] {
        let seen = Mutex::new(std::collections::HashSet::new());
        let decide = move |request: &Request<'_>| {
            let range = request
                .head
                .lines()
                .find(|line| line.to_ascii_lowercase().starts_with("range:"))
                .unwrap_or_default();
            // The end of a piece stays the same, wherever the next try begins.
            let is_first = !range.is_empty()
                && seen.lock().unwrap().insert(range.rsplit('-').next().unwrap_or_default().to_owned());
            if is_first { fault.clone() } else { Fault::None }
        };
        let proxy = Proxy::start(server.address, decide);
        let feed = open(&proxy.endpoint());
        let (all, failure) = read(&*feed);
        if name == "garbled" {
            // An answer without a range: the service does not support ranges.
            assert!(
                failure.as_deref().is_some_and(|reason| reason.contains("gives no parts of it")),
                "{failure:?}"
            );
            continue;
        }
        assert!(failure.is_none() && all == object, "{name}: {failure:?}, {} bytes", all.len());
        assert!(feed.listed().retries >= 10, "{name}: {}", feed.listed().retries);
    }
    drop(memory);
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_fails_and_says_so() {
    let (object, memory, server) = world(12 * MIB);
    let bucket = Arc::clone(&memory);
    let proxy = Proxy::start(server.address, move |request: &Request<'_>| {
        if request.head.contains("bytes=6291456-") {
            bucket.put(KEY, vec![7; 12 * MIB]);
        }
        Fault::None
    });
    let (all, failure) = read(&*open(&proxy.endpoint()));
    assert!(
        failure.as_deref().is_some_and(|reason| reason.contains("replaced while it was read")),
        "{failure:?}"
    );
    assert!(
        all.len() >= 4 * MIB && object.starts_with(&all),
        "what came before is of the earlier version: {} bytes",
        all.len()
    );
}

#[test]
fn a_service_that_gives_no_parts_is_told_and_one_that_stays_away_is_given_up() {
    let (_, memory, server) = world(5 * MIB);
    memory.ignore_ranges();
    let (all, failure) = read(&*open(&server.endpoint()));
    assert!(
        all.is_empty()
            && failure.as_deref().is_some_and(|reason| reason.contains("copy it to a disk and name that")),
        "{failure:?}"
    );
    let (object, _memory, server) = world(5 * MIB);
    let proxy = Proxy::start(server.address, |request: &Request<'_>| {
        if request.head.contains("bytes=2097152-") {
            Fault::Answer(error_answer(500, "InternalError", ""))
        } else {
            Fault::None
        }
    });
    let (all, failure) = read(&*open(&proxy.endpoint()));
    assert!(failure.as_deref().is_some_and(|reason| reason.contains("gave up after 8 tries")), "{failure:?}");
    assert_eq!((all.len(), object.starts_with(&all)), (2 * MIB, true));
}

#[test]
fn a_run_that_is_stopped_does_not_wait_for_the_next_piece() {
    let (_, _memory, server) = world(5 * MIB);
    let proxy = Proxy::start(server.address, |request: &Request<'_>| {
        if request.head.contains("bytes=1048576-") {
            Fault::Delay(Duration::from_secs(30))
        } else {
            Fault::None
        }
    });
    let feed = open(&proxy.endpoint());
    let begun = Instant::now();
    let failure = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read(&*feed).1);
        std::thread::sleep(Duration::from_millis(700));
        feed.stop();
        reading.join().unwrap()
    });
    assert!(
        failure.as_deref().is_some_and(|reason| reason.contains("stopped"))
            && begun.elapsed() < Duration::from_secs(10),
        "{failure:?}"
    );
}

#[test]
fn any_place_of_an_object_can_be_read() {
    let (object, memory, server) = world(9 * MIB + 77);
    let feed = open(&server.endpoint());
    let mut buffer = Vec::new();
    let mut rest = feed.next(&mut buffer).unwrap().rest.unwrap();
    assert!(rest.has_places() && rest.length() == Some(object.len() as u64));
    let mut state = 17_u64;
    for _ in 0..60 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (from, length) = ((state >> 33) as usize % object.len(), (state >> 20) as usize % 100_000);
        rest.seek(SeekFrom::Start(from as u64)).unwrap();
        let mut part = Vec::new();
        rest.by_ref().take(length as u64).read_to_end(&mut part).unwrap();
        assert_eq!(part, object[from..object.len().min(from + length)]);
    }
    rest.seek(SeekFrom::End(-4)).unwrap();
    let mut end = Vec::new();
    rest.read_to_end(&mut end).unwrap();
    assert_eq!(end, object[object.len() - 4..]);
    assert!(memory.gets().len() < 200, "{}", memory.gets().len());
}

/// The incident's records as JSON lines, each a page long.
fn lines() -> Vec<u8> {
    fn walk(folder: &Path, all: &mut Vec<u8>) {
        let mut entries: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, all);
                continue;
            }
            let mut text = String::new();
            flate2::read::MultiGzDecoder::new(std::fs::File::open(&path).unwrap())
                .read_to_string(&mut text)
                .unwrap_or_default();
            let records = serde_json::from_str::<serde_json::Value>(&text)
                .ok()
                .and_then(|value| value["Records"].as_array().cloned());
            for mut record in records.into_iter().flatten() {
                record["additionalEventData"] = serde_json::json!({"note": "n".repeat(60_000)});
                all.extend_from_slice(record.to_string().as_bytes());
                all.push(b'\n');
            }
        }
    }
    let mut all = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident/AWSLogs"), &mut all);
    all
}

fn detect(source: &str, endpoint: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    command.args(["detect", source, "--format", "json", "-q", "--max-memory", "64MiB"]);
    let output = s3::point(&mut command, endpoint).output().unwrap();
    (
        output.status.code(),
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
    )
}

/// An object larger than the memory is read as from a disk: lines, compressed or not, and a zip archive,
/// whose directory is at its end.
#[test]
fn a_large_export_in_a_bucket_is_read_as_one_on_a_disk() {
    let lines = lines();
    assert!(lines.len() > 6 * MIB, "{}", lines.len());
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(
        "a.json",
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored),
    )
    .unwrap();
    zip.write_all(&lines).unwrap();
    let zip = zip.finish().unwrap().into_inner();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(&lines).unwrap();
    for (name, bytes) in [("all.ndjson", lines), ("all.zip", zip), ("all.json.gz", gzip.finish().unwrap())] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), &bytes).unwrap();
        let bucket = Arc::new(Memory::new("trail", [(name.to_owned(), bytes)]));
        let server = Server::memory(&bucket);
        let (there, here) =
            (detect("s3://trail", &server.endpoint()), detect(folder.path().to_str().unwrap(), ""));
        assert!(bucket.take_log().len() > 2, "{name} came in pieces");
        assert_eq!(there.0, Some(0), "{name}: {}", there.1);
        assert!(there.1.contains("same-tag-race") && there == here, "{name}:\n{}\n{}", there.1, here.1);
    }
}
