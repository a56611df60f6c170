//! The whole program compared with decompression alone: `cargo bench --no-default-features --bench archive`
//! (`FULL=1` for the sizes in docs/NUMBERS.md; otherwise a fifth of them).
//!
//! Archives are generated from a seed in a temporary folder. Each measurement alternates with its reference
//! several times, on the same files and with a warm page cache; the fastest round counts. `detect` is the
//! release binary as a child process, from start to end, so its time includes start-up, listing, folding,
//! findings and output. Times are not asserted. What is asserted is that the output does not depend on the
//! number of threads, nor on whether the hot path or the full path was used.

mod corpus;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corpus::{BUSY, Corpus, PUSHES, QUIET};

const SEED: u64 = 1;
const ROUNDS: usize = 9;
/// Time between two checks of the program's memory.
const LOOKS: Duration = Duration::from_millis(3);

/// An archive on disk.
struct Archive {
    folder: tempfile::TempDir,
    files: Vec<PathBuf>,
    text_bytes: u64,
    stored_bytes: u64,
    records: u64,
}

impl Archive {
    /// Writes `corpus`, with `before` in front of every text.
    fn write(corpus: Corpus, before: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut archive = Self {
            folder,
            files: Vec::new(),
            text_bytes: 0,
            stored_bytes: 0,
            records: corpus.objects * corpus.records,
        };
        for number in 0..corpus.objects {
            let text = [before, corpus.text(SEED, number).as_slice()].concat();
            let stored = corpus::gzip(&text);
            let day = archive.folder.path().join(format!(
                "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/{:02}",
                1 + number / 300 % 28
            ));
            fs::create_dir_all(&day).expect("a folder");
            let file = day.join(format!(
                "111122223333_CloudTrail_eu-west-1_202603{:02}T{number:06}Z_x.json.gz",
                1 + number / 300 % 28
            ));
            fs::write(&file, &stored).expect("a file");
            archive.text_bytes += text.len() as u64;
            archive.stored_bytes += stored.len() as u64;
            archive.files.push(file);
        }
        archive
    }
}

/// Costs and output of a run of the program.
struct Run {
    time: Duration,
    peak_kib: u64,
    output: Vec<u8>,
}

/// Runs `detect` on a folder in a separate process; the peak memory is the last value in `/proc/PID/status`.
fn detect(folder: &Path, jobs: usize) -> Run {
    let start = Instant::now();
    let mut child = Command::new("/usr/bin/env")
        .args([
            "-u",
            "RUST_LOG",
            env!("CARGO_BIN_EXE_tagfall"),
            "detect",
            "--quiet",
            "--format",
            "json",
            "--max-memory",
            "4GiB",
            "--jobs",
            &jobs.to_string(),
        ])
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let watch = std::thread::spawn(move || {
        let mut peak_kib = 0;
        // After its end, a process has a status but no memory in it.
        while let Some(more) = peak(&status) {
            peak_kib = peak_kib.max(more);
            std::thread::sleep(LOOKS);
        }
        peak_kib
    });
    let mut output = Vec::new();
    if let Some(mut out) = child.stdout.take() {
        std::io::Read::read_to_end(&mut out, &mut output).expect("a pipe");
    }
    child.wait().expect("it ends");
    let time = start.elapsed();
    Run { time, peak_kib: watch.join().expect("the watch ends"), output }
}

fn peak(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .ok()
}

/// Decompresses every file with libdeflate into a buffer for each thread, and does nothing else. With `held`,
/// the stored bytes are already in memory.
fn inflate_only(archive: &Archive, threads: usize, held: Option<&[Vec<u8>]>) -> Duration {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let (mut inflater, mut text, mut stored) =
                    (libdeflater::Decompressor::new(), Vec::new(), Vec::new());
                while let Some((at, file)) = Some(next.fetch_add(1, Ordering::Relaxed))
                    .and_then(|at| Some((at, archive.files.get(at)?)))
                {
                    let bytes = match held {
                        Some(held) => held[at].as_slice(),
                        None => {
                            stored.clear();
                            std::io::Read::read_to_end(
                                &mut fs::File::open(file).expect("a file"),
                                &mut stored,
                            )
                            .expect("its bytes");
                            stored.as_slice()
                        }
                    };
                    let size =
                        u32::from_le_bytes(bytes[bytes.len() - 4..].try_into().expect("four bytes")) as usize;
                    if text.len() < size {
                        text.resize(size, 0);
                    }
                    inflater.gzip_decompress(bytes, &mut text).expect("sound");
                }
            });
        }
    });
    start.elapsed()
}

fn row(what: &str, scope: &str, measured: String, target: &str) {
    println!("| {what:34} | {scope:58} | {measured:44} | {target:8} |");
}

/// One archive: decompression alone, and the program with all threads and with one, alternating.
fn speed(corpus: Corpus, threads: usize, target: &str, by_objects: bool) {
    let archive = Archive::write(corpus, b"");
    let held: Vec<Vec<u8>> = archive.files.iter().map(|file| fs::read(file).expect("a file")).collect();
    let [mut memory, mut files, mut all, mut one] = [Duration::MAX; 4];
    let mut outputs = Vec::new();
    for _ in 0..ROUNDS {
        memory = memory.min(inflate_only(&archive, threads, Some(&held)));
        files = files.min(inflate_only(&archive, threads, None));
        let run = detect(archive.folder.path(), threads);
        all = all.min(run.time);
        outputs.push(run.output);
        let run = detect(archive.folder.path(), 1);
        one = one.min(run.time);
        outputs.push(run.output);
    }
    assert!(outputs.windows(2).all(|pair| pair[0] == pair[1]), "the output depends on threads or chance");
    let amount = if by_objects { corpus.objects as f64 } else { archive.text_bytes as f64 / 1e6 };
    let rate = |time: Duration| amount / time.as_secs_f64();
    let unit = if by_objects { "objects/s" } else { "MB/s" };
    let scope = format!(
        "{} objects, {} records, {} MB stored, {} MB text",
        corpus.objects,
        archive.records,
        archive.stored_bytes / 1_000_000,
        archive.text_bytes / 1_000_000
    );
    let against = |reference: Duration| reference.as_secs_f64() / all.as_secs_f64();
    let of_memory = format!("{:.0} of {:.0} {unit}: {:.2}", rate(all), rate(memory), against(memory));
    let of_files = format!("{:.0} of {:.0} {unit}: {:.2}", rate(all), rate(files), against(files));
    row("detect / inflate from memory", &scope, of_memory, if by_objects { "" } else { target });
    row("detect / open + read + inflate", &scope, of_files, if by_objects { target } else { "" });
    row(
        &format!("{threads} threads / 1"),
        &scope,
        format!(
            "{:.0} and {:.0} ms: {:.2}",
            all.as_secs_f64() * 1e3,
            one.as_secs_f64() * 1e3,
            one.as_secs_f64() / all.as_secs_f64()
        ),
        "1.85",
    );
}

/// Objects in another form are read by the full path, with the same result.
fn same_on_both_paths(threads: usize) {
    let corpus = Corpus { objects: 20, ..BUSY };
    let [usual, odd] = [b"".as_slice(), b" "].map(|before| {
        let archive = Archive::write(corpus, before);
        let mut document: serde_json::Value =
            serde_json::from_slice(&detect(archive.folder.path(), threads).output).expect("JSON");
        // These texts are longer, so the sums of bytes differ; everything else must be equal.
        let coverage =
            document.get_mut("coverage").and_then(serde_json::Value::as_object_mut).expect("coverage");
        coverage.retain(|key, _| !key.starts_with("bytes"));
        document.to_string()
    });
    assert_eq!(usual, odd, "the two paths differ");
    row("hot path and full path", "20 objects, 18000 records", "the same output".to_owned(), "same");
}

/// Peak memory of archives that differ in their number of records and not in their images.
fn flat_memory(objects: u64, threads: usize) {
    let corpus = Corpus { images_per_mille: 0, objects, ..BUSY };
    let peaks = [1, 10].map(|times| {
        let archive = Archive::write(Corpus { objects: objects * times, ..corpus }, b"");
        (0..3).map(|_| detect(archive.folder.path(), threads).peak_kib).max().unwrap_or(0)
    });
    let measured = format!("{} and {} KiB: {:.2}", peaks[0], peaks[1], peaks[1] as f64 / peaks[0] as f64);
    row(
        "peak memory, archive × 10 / × 1",
        &format!("{} and {} records, no image", objects * 900, objects * 9000),
        measured,
        "≤ 1.1; 32 MiB more from 629,000 events on",
    );
}

/// Peak memory above that of a run without images, for each existing image: one push each, in repositories of
/// 1,000.
fn memory_per_image(images: u64, threads: usize) {
    let per_object = 1000;
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..images / per_object {
        let text = corpus::pushes(SEED, number, per_object);
        fs::write(folder.path().join(format!("{number:06}.json.gz")), corpus::gzip(&text)).expect("a file");
    }
    let run = detect(folder.path(), threads);
    let document: serde_json::Value = serde_json::from_slice(&run.output).expect("JSON");
    let measured = format!("{} KiB: {} bytes an image", run.peak_kib, run.peak_kib * 1024 / images);
    row(
        "peak memory per living image",
        &format!("{images} pushes, {} records relevant", document["coverage"]["records_relevant"]),
        measured,
        "≤ 1536",
    );
}

fn start_up() {
    let mut best = Duration::MAX;
    for _ in 0..30 {
        let start = Instant::now();
        Command::new(env!("CARGO_BIN_EXE_tagfall"))
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .expect("it starts");
        best = best.min(start.elapsed());
    }
    row("tagfall --version", "", format!("{:.1} ms", best.as_secs_f64() * 1e3), "≤ 10 ms");
}

fn main() {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let share = if std::env::var_os("FULL").is_some() { 1 } else { 5 };
    let of = |corpus: Corpus| Corpus { objects: corpus.objects / share, ..corpus };
    println!("{threads} threads, best of {ROUNDS} rounds, seed {SEED}\n");
    row("what", "archive", "measured".to_owned(), "target");
    row("---", "---", "---".to_owned(), "---");
    speed(of(BUSY), threads, "≥ 0.85", false);
    speed(of(QUIET), threads, "≥ 0.80", true);
    speed(of(PUSHES), threads, "≥ 0.5", false);
    same_on_both_paths(threads);
    flat_memory(60 * 2 / share.min(2), threads);
    for images in [100_000, 300_000, 1_000_000] {
        memory_per_image(images / share, threads);
    }
    start_up();
}
