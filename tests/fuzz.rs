//! Untrusted bytes at every entry point, briefly in every test run, with a fixed seed and number of inputs.
//! `FUZZ_SECONDS=3600 cargo test --locked --test fuzz` spends an hour on every entry point, with a new seed
//! in each run; `FUZZ_SEED=…` repeats one. Inputs that failed are in `target/fuzz-failures/`, the last input
//! in `…-running`.

#[path = "support/fuzz/mod.rs"]
mod fuzz;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime};

use fuzz::mutate::{Chance, mutated};
use fuzz::{seeds, targets};

/// Number of inputs, unless a time is given.
const INPUTS: usize = 400;
/// Maximum length of an input in bytes.
const BYTES_MAX: usize = 64 << 10;
/// Maximum time for an input.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

fn run(name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
    run_some(name, seeds, INPUTS, target);
}

/// Runs this many inputs, unless a time is given.
fn run_some(name: &str, seeds: &[Vec<u8>], inputs: usize, target: impl Fn(&[u8])) {
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let seconds: Option<u64> = std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let fresh = || {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64)
    };
    let seed = std::env::var("FUZZ_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| seconds.map_or(1, |_| fresh()));
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz-failures");
    std::fs::create_dir_all(&folder).unwrap();
    // If the process is aborted (by a stack overflow), this file shows which input it was.
    let running = folder.join(format!("{name}-running"));
    let begun = Instant::now();
    let mut chance = Chance(seed);
    for number in 0.. {
        let goes_on =
            seconds.map_or(number < inputs, |seconds| begun.elapsed() < Duration::from_secs(seconds));
        if !goes_on {
            break;
        }
        let bytes = match number.checked_sub(seeds.len()) {
            // The seeds themselves first.
            None => seeds[number].clone(),
            Some(_) => mutated(
                &seeds[chance.below(seeds.len())],
                &seeds[chance.below(seeds.len())],
                &mut chance,
                BYTES_MAX,
            ),
        };
        std::fs::write(&running, &bytes).unwrap();
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
        if outcome.is_err() || started.elapsed() > INPUT_TIME_MAX {
            let file = folder.join(format!("{name}-{seed}-{number}"));
            let _ = std::fs::write(&file, &bytes);
            panic!(
                "{name}: input {number} of FUZZ_SEED={seed} ({:?}) fails; it lies in {}",
                started.elapsed(),
                file.display()
            );
        }
    }
    let _ = std::fs::remove_file(&running);
}

#[test]
fn containers() {
    run("containers", &seeds::objects(), targets::containers);
    let listed = seeds::listed();
    run_some("containers-of-lists", &listed, listed.len() + 200, targets::containers);
}

#[test]
fn recogniser() {
    run("recogniser", &seeds::records(), targets::recogniser);
}

#[test]
fn policies() {
    let mut seeds = seeds::policies();
    seeds.extend(
        seeds::records()
            .into_iter()
            .filter(|seed| seed.windows(19).any(|window| window == b"lifecyclePolicyText"))
            .take(3),
    );
    run("policies", &seeds, targets::policies);
}

#[test]
fn pasted() {
    run("pasted", &seeds::pasted(), targets::pasted);
}

#[test]
fn archives() {
    let seeds = seeds::objects();
    run("archives", &seeds, |bytes| {
        // The damaged object among intact ones, and next to a copy of itself.
        let whole = bytes.len() % seeds.len();
        targets::archives(&[
            seeds[whole].clone(),
            bytes.to_vec(),
            seeds[(whole + 1) % seeds.len()].clone(),
            bytes.to_vec(),
        ]);
    });
}

#[cfg(feature = "sql")]
#[test]
fn sql() {
    // Queries are parsed on the program's first thread; the stacks of test threads are a quarter of its size.
    let parse = || run("sql", &seeds::queries(), targets::sql);
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(8 << 20).spawn_scoped(scope, parse).unwrap().join().unwrap();
    });
}

/// Foreign Parquet: pages, dictionaries, footers.
#[cfg(feature = "sql")]
#[test]
fn parquet() {
    let seeds: Vec<Vec<u8>> = seeds::parquets().into_iter().filter(|seed| seed.len() > 4_000).collect();
    run_some("parquet", &seeds, seeds.len() + 150, targets::parquet);
}

/// Every file of a lake in turn: Parquet, manifest, results of objects, native events.
#[cfg(feature = "sql")]
#[test]
fn lake() {
    let files: Vec<Vec<u8>> = fuzz::lakes::files().iter().map(|file| file.bytes.clone()).collect();
    run_some("lake", &files, files.len() + 80, targets::lake);
}

#[cfg(feature = "sql")]
#[test]
fn lakes_of_archives() {
    let seeds: Vec<Vec<u8>> = seeds::objects().into_iter().step_by(4).collect();
    run_some("lakes_of_archives", &seeds, seeds.len() + 25, |bytes| {
        let whole = bytes.len() % seeds.len();
        targets::lakes_of_archives(&[
            seeds[whole].clone(),
            bytes.to_vec(),
            seeds[(whole + 1) % seeds.len()].clone(),
            bytes.to_vec(),
        ]);
    });
}

#[cfg(feature = "s3")]
#[test]
fn listings() {
    run("listings", &seeds::listings(), targets::listings);
}

/// Four times the bytes take about four times as long; quadratic time would take sixteen times.
#[test]
fn time_grows_with_the_bytes() {
    let text = |seed: &[u8], times: usize| seed.repeat(times);
    let objects = seeds::records();
    type Case = (&'static str, fn(&[u8]), Vec<u8>, usize);
    let cases: [Case; 3] = [
        ("containers", targets::containers, objects[0].clone(), 40),
        (
            "pasted",
            targets::pasted,
            b"reading manifest v1 in ***.dkr.ecr.eu-central-1.amazonaws.com/a/b:c@sha256:\n:ecr:&%\\"
                .to_vec(),
            600,
        ),
        ("policies", targets::policies, b"{\"rules\":[{\"rulePriority\":1,".to_vec(), 2_000),
    ];
    for (name, target, seed, times) in cases {
        let measured = |times: usize| {
            let bytes = text(&seed, times);
            let once = || {
                let begun = Instant::now();
                target(&bytes);
                begun.elapsed()
            };
            (0..3).map(|_| once()).min().unwrap()
        };
        let (small, large) = (measured(times), measured(times * 4));
        assert!(
            large < small * 11 + Duration::from_millis(100),
            "{name}: {small:?}, and {large:?} for four times as much"
        );
    }
}
